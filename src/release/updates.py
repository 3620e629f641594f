"""Which packages of the image have a newer version in Debian's archive, by the list that its build is locked to."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from release import programs
from release.errors import ReleaseError

LOCK = Path("requirements/debian.txt")
SUITE = "trixie"

_LOCKED = re.compile(r"^(\S+)=(\S+)$", re.MULTILINE)
_PACKAGE = re.compile(r"^(\S+):$\n((?: .*\n)*)", re.MULTILINE)
_CANDIDATE = re.compile(r"^ +Candidate: (\S+)$", re.MULTILINE)
_SOURCES = re.compile(r"^[ *]+(\S+) \d+\n((?: +-?\d+ \S.*\n?)*)", re.MULTILINE)


@dataclass(frozen=True)
class Candidate:
    """The version of a package that Debian has now, and whether it is a security update."""

    version: str
    is_security: bool


def locked(text: str) -> dict[str, str]:
    """The versions that the list names, by package and architecture (`libc6:arm64`)."""
    return dict(_LOCKED.findall(text))


def candidates(policy: str) -> dict[str, Candidate]:
    """The newest version of each package in an answer of `apt-cache policy`."""
    found = {}
    for name, text in _PACKAGE.findall(policy):
        version = _CANDIDATE.search(text)
        if version and version[1] != "(none)":
            sources = dict(_SOURCES.findall(text)).get(version[1], "")
            found[name] = Candidate(version[1], f"{SUITE}-security/" in sources)
    return found


def different(lock: Mapping[str, str], now: Mapping[str, Candidate]) -> Iterator[str]:
    """A line for each package of which Debian has another version than the list."""
    for package, version in sorted(lock.items()):
        name, _, architecture = package.partition(":")
        # apt names the machine's own architecture and `all` by the package alone.
        newest = now.get(package) or now.get(name) if architecture != "arm64" else now.get(package)
        if newest is None:
            yield f"{package} {version}: Debian {SUITE} no longer has this package"
        elif newest.version != version:
            yield f"{package} {version}: Debian has {newest.version}{' (security)' if newest.is_security else ''}"


def due(root: Path) -> list[str]:
    """The packages of the image of which Debian has another version, a line for each."""
    path = root / LOCK
    if not path.is_file():
        raise ReleaseError(
            f"{LOCK} is not there.",
            why="It lists the Debian packages of the image.",
            fix="Write it with `make lock`.",
        )
    lock = locked(path.read_text(encoding="utf-8"))
    names = sorted({name if name.endswith(":arm64") else name.partition(":")[0] for name in lock})
    with tempfile.TemporaryDirectory() as folder:
        options = apt_options(root, Path(folder))
        programs.run("apt-get", *options, "update", "-qq", fix="Check that Debian's archive can be reached.")
        policy = programs.run("apt-cache", *options, "policy", *names)
    return list(different(lock, candidates(policy)))


def apt_options(root: Path, folder: Path) -> list[str]:
    """What makes apt keep to a folder and to Debian's archive, whatever the machine's own release is."""
    for name in ("state/lists/partial", "cache/archives/partial", "etc"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    sources = programs.run(str(root / "tools" / "debian-sources"), SUITE)
    (folder / "sources.list").write_text(sources, encoding="utf-8")
    settings = {
        "APT::Architecture": "amd64",
        "APT::Architectures": "amd64,arm64",
        "APT::Sandbox::User": "root",
        "APT::Update::Error-Mode": "any",  # a list that cannot be fetched is no list without updates
        "Dir::Cache": folder / "cache",
        "Dir::Etc::SourceList": folder / "sources.list",
        "Dir::Etc::SourceParts": folder / "etc",
        "Dir::Etc::Trusted": programs.KEYRING,
        "Dir::Etc::TrustedParts": folder / "etc",
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "status",
    }
    return [f"-o{name}={value}" for name, value in settings.items()]
