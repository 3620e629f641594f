"""Debian's packages in the image: those that were unpacked, and those that requirements/debian.txt names.

debian.py unpacked ROOT      finish a root that mmdebstrap extracted (a hook of it; nothing of the root is executed)
debian.py compare LOCK TREE...   exit status 1, and what differs, where trees have other versions than the lock
debian.py lock LOCK TREE...      write the lock of trees, and print what changed in it
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

STATUS = "var/lib/dpkg/status"
LISTS = "var/lib/dpkg/info"
_HEAD = """\
# The packages of Debian that files of the image are from. `make lock` renews this list.
# snapshot.debian.org has them at {date:%Y%m%dT%H%M%SZ}.
"""


def unpacked(root: Path) -> None:
    """Write what dpkg and maintainer scripts would have: the list of packages, of their files, of certificates."""
    lists = root / LISTS
    lists.mkdir(parents=True, exist_ok=True)
    status = []
    for package in sorted(root.glob("var/cache/apt/archives/*.deb")):
        control = _said("dpkg-deb", "--field", str(package))
        name = re.findall(r"^Package: (.*)$", control, re.MULTILINE)[0]
        status.append(control.replace("\n", "\nStatus: install ok installed\n", 1))
        listed = _said("sh", "-c", 'dpkg-deb --fsys-tarfile "$1" | tar --list --file=-', "sh", str(package))
        paths = (f"/{path.removeprefix('./').rstrip('/')}" for path in listed.splitlines())
        (lists / f"{name}.list").write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
    (root / STATUS).write_text("\n".join(status), encoding="utf-8")
    # As update-ca-certificates(8) does after an installation that asks nothing.
    certificates = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.write_text("".join(f"{one.read_text().rstrip()}\n" for one in certificates))


def _said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - Debian's own


def installed(status: str) -> Iterator[tuple[str, str]]:
    """The packages of dpkg's list of installed ones, each with its architecture (`libc6:arm64`), and their versions."""
    for text in status.strip().split("\n\n"):
        fields = dict(re.findall(r"^(\S+): (.*)$", text, re.MULTILINE))
        yield f"{fields['Package']}:{fields['Architecture']}", fields["Version"]


def locked(lock: str) -> dict[str, str]:
    """The packages and versions that a lock names."""
    return dict(re.findall(r"^(\S+)=(\S+)$", lock, re.MULTILINE))


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What is different, a line for each package."""
    return [
        f"{name}: {before.get(name, 'nothing')} -> {after.get(name, 'nothing')}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _in_trees(trees: Iterable[Path]) -> dict[str, str]:
    return dict(one for tree in trees for one in installed((tree / "base" / STATUS).read_text(encoding="utf-8")))


def main(arguments: Sequence[str]) -> int:
    """Do what the docstring of this file says."""
    match arguments:
        case ["unpacked", root]:
            unpacked(Path(root))
            return 0
        case ["compare" | "lock" as task, lock, *trees]:
            pass
        case _:
            sys.stderr.write(f"{__doc__}")
            return 2
    path, found = Path(lock), _in_trees(map(Path, trees))
    different = changes(locked(path.read_text(encoding="utf-8")) if path.exists() else {}, found)
    sys.stderr.write("".join(f"  {line}\n" for line in different))
    if task == "compare":
        return 1 if different else 0
    if different:
        text = "".join(f"{name}={version}\n" for name, version in sorted(found.items()))
        path.write_text(_HEAD.format(date=datetime.now(UTC)) + text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
