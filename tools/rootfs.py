#!/usr/bin/env python3
"""The image's file tree: what the action can reach on any of its ways, and nothing else.

Runs as root in the Dockerfile's build stage, where Debian's Python, the programs below and the packages of
requirements/image.txt are installed, and writes two trees, which become the image's two layers:

    base      the interpreter and what it needs, the standard library, the packages, a few programs of Debian's
    release   py_aws_oidc and its two doors

Modules are followed import by import, also into functions, from those of py_aws_oidc on. What is left out on purpose
is in the table NEVER, what no import statement shows in the table HIDDEN.
"""

from __future__ import annotations

import ast
import base64
import csv
import functools
import hashlib
import io
import json
import os
import py_compile
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

ROOT = Path("/")
LIBRARY = Path("/usr/lib/python3.13")
PACKAGES = Path("/usr/local/lib/python3.13/dist-packages")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
MULTIARCH = f"/usr/lib/{os.uname().machine}-linux-gnu"
DATE_SECONDS = 315532800  # 1 January 1980, of all files: a layer's digest says what is in it, not when it was made

# The last four: Kubernetes runners (actions/runner-container-hooks), and a person who looks into the image.
PROGRAMS = ("python3", "sh", "cat", "env", "tail")
FILES = (
    CERTIFICATES,
    "/etc/debian_version",
    "/etc/group",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/usr/lib/ssl/cert.pem",
    "/usr/lib/ssl/certs",
    "/usr/lib/ssl/openssl.cnf",
    f"{MULTIARCH}/libgcc_s.so.1",  # no file names it: libc loads it when a thread ends, pthread_exit(3)
)
LINKS = ("/bin", "/lib", "/lib64", "/sbin")  # usr-merge; not every machine has all
FOLDERS = {"/root": 0o700, "/tmp": 0o1777, "/var/tmp": 0o1777}  # noqa: S108 - the image's own
# Files that are made when these packages are installed, so that no package lists them.
MADE_BY = {
    CERTIFICATES: "ca-certificates",
    Path("/etc/group"): "base-passwd",
    Path("/etc/nsswitch.conf"): "libc-bin",
    Path("/etc/passwd"): "base-passwd",
}

# The services whose models botocore needs, by their names in endpoints.json: STS, and those that its chain of
# credentials asks for a profile with an SSO session. For one with a login it wants botocore[crt] before it asks
# (botocore.credentials), and that is not here.
SERVICES = {"sts": "sts", "sso": "portal.sso", "sso-oidc": "oidc"}
# What is taken of the packages besides modules.
DATA = re.compile(
    rf"""[^/]+\.dist-info/ | botocore/data/ (
        (_retry | endpoints | partitions | sdk-default-configuration) \.json
        | ({"|".join(SERVICES)}) /[^/]+/ (service | endpoint-rule-set)-
    )""",
    re.VERBOSE,
)
# What botocore and requests fall back on without a file of certificates: there is one such file in the image.
OWN_CERTIFICATES = ("botocore/cacert.pem", "certifi/cacert.pem")

_TERMINAL = "for a person at a terminal"
_TESTS = "tests of itself"
_TWIN = "the same in Python as a module in C that is there"
# Modules that something imports that is kept, but on no way that the action takes, and why not.
NEVER = {
    "_py_abc": _TWIN,
    "_pydatetime": _TWIN,
    "_pydecimal": _TWIN,
    "_pyio": _TWIN,
    "_pyrepl": _TERMINAL,
    "asyncio": "there are no event loops",
    "bz2": "no such archive is read",
    "chardet": "no charset is guessed",
    "charset_normalizer": "no charset is guessed",
    "concurrent.futures.process": "no pool of processes is made",
    "ctypes": "Windows and iOS",
    "dateutil.zoneinfo": "STS speaks in UTC",
    "doctest": _TESTS,
    "fractions": "Pythons before 3.9",
    "ftplib": "no URL is ftp",
    "http.server": "nothing is served",
    "lzma": "no such archive is read",
    "pdb": _TERMINAL,
    "pydoc": _TERMINAL,
    "readline": _TERMINAL,
    "rlcompleter": _TERMINAL,
    "sitecustomize": "Debian's hook for crash reports",
    "statistics": _TESTS,
    "tarfile": "no such archive is read",
    "test": _TESTS,
    "unittest": _TESTS,
    "urllib3.contrib.emscripten": "browsers",
    "xmlrpc": "no process is managed by it",
}
_CHARSET = "codecs, by the name of a charset"
# Modules that are imported without an import statement, and by what.
HIDDEN = {
    "_compat_pickle": "the interpreter",
    "_strptime": "datetime's module in C",
    "copyreg": "the interpreter",
    "encodings.ascii": _CHARSET,
    "encodings.cp1252": _CHARSET,
    "encodings.cp437": _CHARSET,
    "encodings.idna": _CHARSET,
    "encodings.iso8859_1": _CHARSET,
    "encodings.latin_1": _CHARSET,
    "encodings.punycode": _CHARSET,
    "encodings.raw_unicode_escape": _CHARSET,
    "encodings.unicode_escape": _CHARSET,
    "encodings.utf_16": _CHARSET,
    "encodings.utf_16_be": _CHARSET,
    "encodings.utf_16_le": _CHARSET,
    "encodings.utf_32": _CHARSET,
    "encodings.utf_32_be": _CHARSET,
    "encodings.utf_32_le": _CHARSET,
    "encodings.utf_8": _CHARSET,
    "encodings.utf_8_sig": _CHARSET,
    "runpy": "python -m",
    "site": "the interpreter's start",
    "traceback": "the interpreter, for an error that nobody caught",
    "xml.etree.ElementPath": "the module in C of xml.etree",
}

DOORS = {"py-aws-oidc": "main", "py-aws-oidc-post": "post"}
# -I: the working directory is the checked-out repository, and PYTHONPATH may be anything. -B: nothing is written.
# -u: the log is not a terminal. -Wignore: what a library warns its programmers of is not for a job's log; requests
# warns where there is no library that guesses charsets. The runner hands both doors the same arguments.
# Process 1 loses a signal that it neither handles nor blocks, so the runner's are blocked until there is a handler; it
# is there before the modules are read.
# A run is over before it pays to collect garbage, and a process that ends need not take its modules down one by one.
DOOR = """\
#!/usr/bin/env -S --block-signal=INT,TERM /usr/bin/python3 -IBuWignore
import gc
import os
import signal
import sys

for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: os._exit(1))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
gc.disable()

from py_aws_oidc.__main__ import main

status = main(["{}"])
if sys.stdout:
    sys.stdout.flush()
os._exit(status)
"""


def imports(source: bytes, module: str, *, is_package: bool) -> Iterator[str]:
    """The names that a module's text imports, anywhere in it: modules, and what may be modules in them.

    What only a type checker or a call by `python -m` would import is left out.
    """
    package = module.split(".") if is_package else module.split(".")[:-1]
    nodes: list[ast.AST] = [ast.parse(source)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*above, *([node.module] if node.module else [])])
            yield name
            yield from (f"{name}.{alias.name}" for alias in node.names if alias.name != "*")
        elif isinstance(node, ast.If) and _never_runs(node.test):
            nodes.extend(node.orelse)
        else:
            nodes.extend(ast.iter_child_nodes(node))


def _never_runs(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING", "__name__ == '__main__'"}


def reachable(
    roots: Iterable[str], find: Callable[[str], ModuleSpec | None], never: Iterable[str] = ()
) -> dict[str, Path]:
    """The files of the roots, of all modules that they import, and that these import in turn."""
    never = frozenset(never)
    found: dict[str, Path] = {}
    wanted = list(roots)
    while wanted:
        for module in _with_parents(wanted.pop()):
            if module in found:
                continue
            spec = None if module in never else find(module)
            if spec is None:
                break
            if not spec.origin:  # a folder without __init__.py
                continue
            found[module] = path = Path(spec.origin)
            text = path.with_name(f"{path.name.partition('.')[0]}.py")  # that of a module in C, if it was compiled
            if text.is_file():
                wanted += imports(text.read_bytes(), module, is_package=bool(_folders(spec)))
    return found


def _with_parents(module: str) -> Iterator[str]:
    parts = module.split(".")
    return (".".join(parts[: count + 1]) for count in range(len(parts)))


def _folders(spec: ModuleSpec | None) -> Sequence[str]:
    return (spec and spec.submodule_search_locations) or []


def finder(path: Iterable[Path]) -> Callable[[str], ModuleSpec | None]:
    """What finds a module in these folders, without importing anything; None for one that is not there."""
    top = [str(folder) for folder in path]

    @functools.cache
    def find(module: str) -> ModuleSpec | None:
        parent, _, _ = module.rpartition(".")
        folders = _folders(find(parent)) if parent else top
        if not folders or module in sys.builtin_module_names:
            return None
        return PathFinder.find_spec(module, folders)

    return find


def modules(folder: Path) -> Iterator[str]:
    """The names of all modules in a folder of packages."""
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).with_suffix("")
        yield ".".join(name.parts[:-1] if name.name == "__init__" else name.parts)


def trimmed(endpoints: Mapping[str, Any], services: Iterable[str]) -> dict[str, Any]:
    """The endpoints.json of botocore for these services alone: partitions, regions and defaults stay."""
    kept = frozenset(services)
    return {
        **endpoints,
        "partitions": [
            {**one, "services": {name: value for name, value in one["services"].items() if name in kept}}
            for one in endpoints["partitions"]
        ],
    }


def record(rows: str, files: Mapping[str, Path]) -> str:
    """A package's RECORD for the files that are left of it, as they are (PyPA, "Recording installed projects").

    A row without a hash, as that of RECORD itself, stays without.
    """
    left = io.StringIO()
    csv.writer(left, lineterminator="\n").writerows(
        (name, *_hash_and_size(files[name])) if told else (name, told, size)
        for name, told, size in csv.reader(rows.splitlines())
        if name in files
    )
    return left.getvalue()


def _hash_and_size(path: Path) -> tuple[str, int]:
    content = path.read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}", len(content)


def needed(answer: str) -> list[str]:
    """The files in an answer of ldd, the loader among them; FileNotFoundError if it found one not."""
    if missing := re.findall(r"(\S+) => not found", answer):
        raise FileNotFoundError(
            f"A file of the image needs {', '.join(missing)}, and ldd does not find that here: "
            "install the package that has it in the Dockerfile's build stage"
        )
    return re.findall(r"(/\S+) \(0x", answer)


def owners(answer: str) -> set[str]:
    """The packages in an answer of `dpkg --search`: `a:amd64, b: /path`."""
    lines = [line.partition(": /")[0] for line in answer.splitlines() if not line.startswith("diversion by ")]
    return {name.partition(":")[0] for names in lines for name in names.split(", ")}


def paragraphs(status: str, packages: Container[str]) -> str:
    """What dpkg's list of installed packages says of these."""
    named = [(text.partition("\n")[0].removeprefix("Package: "), text) for text in status.strip().split("\n\n")]
    return "".join(f"{text}\n\n" for name, text in named if name in packages)


@dataclass(frozen=True)
class Tree:
    """A file tree that grows under `top`; what is in it has the path here that it will have in the image."""

    top: Path

    def at(self, path: Path | str) -> Path:
        """Where a path of the image is on this machine."""
        return self.top / Path(path).relative_to(ROOT)

    def room(self, path: Path | str) -> Path:
        """Where a path of the image goes on this machine, in its folder, which is made."""
        place = self.at(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def files(self) -> list[Path]:
        """All files and links, by their paths in the image."""
        places = sorted(place for place in self.top.rglob("*") if place.is_symlink() or place.is_file())
        return [ROOT / place.relative_to(self.top) for place in places]

    def take(self, path: Path | str) -> None:
        """Copy a file to where it is in Debian, or a link and the file that it leads to."""
        source = Path(path).parent.resolve() / Path(path).name
        place = self.room(source)
        if place.is_symlink() or place.exists():
            return
        shutil.copyfile(source, place, follow_symlinks=False)
        if source.is_symlink():
            if source.is_file():
                self.take(source.resolve())
        else:
            shutil.copymode(source, place)
            self.compile(source)

    def take_files(self, files: Mapping[Path, Path]) -> None:
        """Copy files, by their new places."""
        for path, source in sorted(files.items()):
            place = self.room(path)
            shutil.copyfile(source, place)
            place.chmod(0o644)  # whatever the mask of who checked the files out
            self.compile(path)

    def write(self, path: Path | str, text: str, mode: int = 0o644) -> None:
        """Write a file."""
        place = self.room(path)
        place.write_text(text, encoding="utf-8")
        place.chmod(mode)

    def compile(self, path: Path) -> None:
        """Compile a module; its bytecode is valid whatever happens to the files' times (PEP 552, unchecked hash)."""
        if path.suffix == ".py":
            place = self.at(path)
            py_compile.compile(
                str(place),
                cfile=cache_from_source(place),
                dfile=str(path),
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )

    def date(self) -> None:
        """Give all files and folders the same date."""
        for place in (self.top, *self.top.rglob("*")):
            os.utime(place, (DATE_SECONDS, DATE_SECONDS), follow_symlinks=False)


def base(tree: Tree, packages: Path, source: Path) -> None:
    """What a release of the action does not change: all that py_aws_oidc, in the folder `source`, runs on."""
    for link in filter(os.path.islink, LINKS):
        tree.room(link).symlink_to(Path(link).readlink())
    for path in FILES:
        tree.take(path)
    for program in PROGRAMS:
        tree.take(shutil.which(program) or program)
    find = finder([LIBRARY, LIBRARY / "lib-dynload", packages, source])
    found = reachable([*HIDDEN, *modules(source)], find, NEVER).values()
    for path in found:
        if path.is_relative_to(LIBRARY):
            tree.take(path)
    _packages(tree, packages, {path for path in found if path.is_relative_to(packages)})
    for path in needed(_said("ldd", *(str(path) for path in map(tree.at, tree.files()) if _is_elf(path)))):
        tree.take(path)
    _list_of_debian(tree)
    for folder, mode in FOLDERS.items():
        tree.at(folder).mkdir(parents=True, exist_ok=True)
        tree.at(folder).chmod(mode)
    _said("ldconfig", "-X", "-r", str(tree.top))
    shutil.rmtree(tree.at("/var/cache"), ignore_errors=True)


def _packages(tree: Tree, packages: Path, found: AbstractSet[Path]) -> None:
    taken = {path for path in packages.rglob("*") if DATA.match(str(path.relative_to(packages)))}
    tree.take_files({PACKAGES / path.relative_to(packages): path for path in found | taken if path.is_file()})
    endpoints = json.loads((packages / "botocore/data/endpoints.json").read_bytes())
    tree.write(PACKAGES / "botocore/data/endpoints.json", json.dumps(trimmed(endpoints, SERVICES.values())))
    for name in OWN_CERTIFICATES:
        tree.room(PACKAGES / name).symlink_to(CERTIFICATES)
    files = {
        str(path.relative_to(PACKAGES)): tree.at(path) for path in tree.files() if path.is_relative_to(PACKAGES)
    }
    for path in tree.at(PACKAGES).glob("*.dist-info/RECORD"):
        path.write_text(record(path.read_text(), files))


def _list_of_debian(tree: Tree) -> None:
    """Say which of Debian's packages the files are of, for scanners, and under which licences."""
    listed = [
        str(path)
        for path in tree.files()
        if path not in MADE_BY and not path.is_relative_to("/usr/local") and "__pycache__" not in path.parts
    ]
    packages = owners(_said("dpkg", "--search", *listed)) | set(MADE_BY.values())
    status = Path("/var/lib/dpkg/status").read_text(encoding="utf-8")
    tree.write("/var/lib/dpkg/status", paragraphs(status, packages))
    for package in sorted(packages):
        terms = Path("/usr/share/doc", package, "copyright").read_text(encoding="utf-8")
        tree.write(Path("/usr/share/doc", package, "copyright"), terms)
        for licence in re.findall(r"/usr/share/common-licenses/[\w.-]*\w", terms):
            tree.take(licence)


def _is_elf(path: Path) -> bool:
    if path.is_symlink():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - Debian's own


def release(tree: Tree, source: Path) -> None:
    """What a release of the action changes."""
    tree.take_files({PACKAGES / path.relative_to(source): path for path in source.rglob("*") if path.is_file()})
    for name, stage in DOORS.items():
        tree.write(f"/usr/local/bin/{name}", DOOR.format(stage), mode=0o755)


def main(packages: Path, source: Path, out: Path) -> None:
    """Write both trees into the folder `out`."""
    layers = Tree(out / "base"), Tree(out / "release")
    base(layers[0], packages, source)
    release(layers[1], source)
    for tree in layers:
        tree.date()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
