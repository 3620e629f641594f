#!/usr/bin/env python3
"""The image's file tree: what the action can reach on any of its ways, and nothing else.

Runs under Debian's Python 3.13: in the Dockerfile's build stage on that stage's own files, and for tools/oci-image on
the files of any architecture (`--root`), of which it executes nothing. The packages of requirements/image.txt are in a
folder. It writes two trees, which become the image's two layers:

    base      the interpreter and what it needs, the standard library, the packages, a few programs of Debian's
    release   py_aws_oidc and its two doors

Modules are followed import by import, also into functions, from those of py_aws_oidc on. What is left out on purpose
is in the table NEVER, what no import statement shows in the table HIDDEN.
"""

from __future__ import annotations

import ast
import base64
import csv
import errno
import functools
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from importlib.machinery import ExtensionFileLoader, FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from typing import Any

import elf
from archive import LIBRARY, PACKAGES

ROOT = Path("/")
PYTHON = (3, 13)
HERE = Path(__file__).parent
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
TRIPLETS = {elf.EM_X86_64: "x86_64-linux-gnu", elf.EM_AARCH64: "aarch64-linux-gnu"}
_LINKS_AT_MOST = 40  # as in the kernel, path_resolution(7)
DATE_SECONDS = 315532800  # 1 January 1980, of all files: a layer's digest says what is in it, not when it was made

# The last four: Kubernetes runners (actions/runner-container-hooks), and a person who looks into the image.
PROGRAMS = ("python3", "sh", "cat", "env", "tail")
FILES = (
    CERTIFICATES,
    "/etc/debian_version",
    "/etc/host.conf",
    "/etc/os-release",
    "/usr/lib/ssl/cert.pem",
    "/usr/lib/ssl/certs",
    "/usr/lib/ssl/openssl.cnf",
)
# Files of these names are made when a package is installed, as copies of the ones that the package has.
COPIES = {
    "/etc/group": "/usr/share/base-passwd/group.master",
    "/etc/nsswitch.conf": "/usr/share/libc-bin/nsswitch.conf",
    "/etc/passwd": "/usr/share/base-passwd/passwd.master",
}
CERTIFICATES_OF = "ca-certificates"  # the package that makes CERTIFICATES, so that no package lists it
LIBRARIES = ("libgcc_s.so.1",)  # no file names it: libc loads it when a thread ends, pthread_exit(3)
LINKS = ("/bin", "/lib", "/lib64", "/sbin")  # usr-merge; not every machine has all
FOLDERS = {"/root": 0o700, "/tmp": 0o1777, "/var/tmp": 0o1777}  # noqa: S108 - the image's own
# The services whose models botocore needs, by their names in endpoints.json: STS, and those that its chain of
# credentials asks for a profile with an SSO session. For one with a login it wants botocore[crt] before it asks
# (botocore.credentials), and that is not here.
SERVICES = {"sts": "sts", "sso": "portal.sso", "sso-oidc": "oidc"}
# What is taken of the packages besides modules.
DATA = re.compile(
    rf"""[^/]+\.dist-info/ (METADATA | RECORD | .*\b(AUTHORS|COPYING|LICENCE|LICENSE|NOTICE)\b.*) | botocore/data/ (
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
    "traceback": "the interpreter, for an error that was not caught",
    "xml.etree.ElementPath": "the module in C of xml.etree",
}

# What the interpreter imports before it can import from the image's archives, and the file by which it finds its
# library (Modules/getpath.py, STDLIB_LANDMARKS).
STAY_FILES = (
    "encodings",
    "encodings.aliases",
    "encodings.ascii",
    "encodings.utf_8",
    "os",
    "sitecustomize",
    "warnings",
)

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


def finder(path: Iterable[Path], triplet: str) -> Callable[[str], ModuleSpec | None]:
    """What finds a module in these folders, without importing anything; None for one that is not there.

    Modules in C are those of Debian's Python for the architecture with this triplet, whichever runs this.
    """
    in_c = [f".cpython-{PYTHON[0]}{PYTHON[1]}-{triplet}.so", ".abi3.so", ".so"]
    loaders = (ExtensionFileLoader, in_c), (SourceFileLoader, [".py"])
    top = [str(folder) for folder in path]

    @functools.cache
    def find(module: str) -> ModuleSpec | None:
        parent, _, _ = module.rpartition(".")
        folders = _folders(find(parent)) if parent else top
        if module in sys.builtin_module_names:
            return None
        specs = [spec for folder in folders if (spec := FileFinder(folder, *loaders).find_spec(module))]
        return next((spec for spec in specs if spec.loader), specs[0] if specs else None)

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


def owners(lists: Mapping[str, Collection[str]], paths: Iterable[Path]) -> set[str]:
    """The packages that have these files, by what each one lists; FileNotFoundError for a file of none."""
    of = {path: package for package, listed in lists.items() for path in listed}
    if strangers := [str(path) for path in paths if str(path) not in of]:
        raise FileNotFoundError(f"No package of Debian's has {', '.join(strangers)}")
    return {of[str(path)] for path in paths}


# What scanners read, as far as a package's own control file and dpkg's list of installed packages say the same.
FIELDS = (
    *("Package", "Status", "Priority", "Section", "Maintainer", "Architecture", "Multi-Arch", "Source", "Version"),
    *("Depends", "Pre-Depends", "Description", "Homepage"),
)


def paragraphs(status: str, packages: Collection[str]) -> str:
    """What dpkg's list of installed packages says of these, in one order of packages and fields."""
    named = {}
    for text in status.strip().split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+):[ ]?(.*(?:\n[ \t].*)*)", text, re.MULTILINE))
        named[fields["Package"]] = [f"{name}: {fields[name]}\n" for name in FIELDS if name in fields]
    return "".join(f"{''.join(named[package])}\n" for package in sorted(packages))


@dataclass(frozen=True)
class Root:
    """The file tree that files are taken from: this machine's own, or one of Debian's packages, unpacked."""

    top: Path = ROOT

    def at(self, path: Path | str) -> Path:
        """Where a path of the tree is on this machine."""
        return self.top / Path(path).relative_to(ROOT)

    def path_of(self, place: Path) -> Path:
        """What a path of this machine is in the tree."""
        return ROOT / place.relative_to(self.top)

    def leads_to(self, path: Path | str) -> Path:
        """Follow the links of a path as they are followed in the tree; OSError where they go round in circles."""
        done, ahead, links = ROOT, list(Path(path).relative_to(ROOT).parts), 0
        while ahead:
            part = ahead.pop(0)
            if part == "..":
                done = done.parent
                continue
            place = self.at(done / part)
            if not place.is_symlink():
                done /= part
                continue
            links += 1
            if links > _LINKS_AT_MOST:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
            target = place.readlink()
            ahead = [*(target.parts[1:] if target.is_absolute() else target.parts), *ahead]
            done = ROOT if target.is_absolute() else done
        return done

    def program(self, name: str) -> Path:
        """Where a program is; FileNotFoundError if it is not there."""
        return self._first(("/usr/bin", "/usr/sbin", "/bin", "/sbin"), name, "the image")

    def library(self, name: str, search: Iterable[str], triplet: str, needed_by: Path | str) -> Path:
        """Where the loader finds a library (ld.so(8)); FileNotFoundError if it does not."""
        origin = str(Path(needed_by).parent)
        folders = [re.sub(r"\$(ORIGIN|\{ORIGIN\})", origin, folder) for folder in search]
        return self._first([*folders, f"/usr/lib/{triplet}", "/usr/lib"], name, needed_by)

    def _first(self, folders: Iterable[str], name: str, needed_by: Path | str) -> Path:
        for path in (Path(folder, name) for folder in folders):
            if self.at(self.leads_to(path)).is_file():
                return path
        raise FileNotFoundError(
            f"{needed_by} needs {name}, and it is not in {self.top}: "
            "install the package that has it where tools/rootfs.py runs"
        )

    def packages(self) -> dict[str, set[str]]:
        """The files of each of Debian's packages, by dpkg's lists."""
        return {
            place.stem.partition(":")[0]: set(place.read_text(encoding="utf-8").splitlines())
            for place in sorted(self.at("/var/lib/dpkg/info").glob("*.list"))
        }


@dataclass(frozen=True)
class Tree:
    """A file tree that grows under `top`; what is in it has the path here that it will have in the image."""

    top: Path
    root: Root = Root()

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
        """Copy a file to where it is in the root, or a link and the file that it leads to."""
        path = self.root.leads_to(Path(path).parent) / Path(path).name
        source, place = self.root.at(path), self.room(path)
        if place.is_symlink() or place.exists():
            return
        shutil.copyfile(source, place, follow_symlinks=False)
        if source.is_symlink():
            end = self.root.leads_to(path)
            if self.root.at(end).is_file():
                self.take(path.parent / source.readlink())
        else:
            shutil.copymode(source, place)

    def take_files(self, files: Mapping[Path, Path]) -> None:
        """Copy files, by their new places."""
        for path, source in sorted(files.items()):
            place = self.room(path)
            shutil.copyfile(source, place)
            place.chmod(0o644)  # whatever the mask of who checked the files out

    def write(self, path: Path | str, text: str, mode: int = 0o644) -> None:
        """Write a file."""
        place = self.room(path)
        place.write_text(text, encoding="utf-8")
        place.chmod(mode)

    def archive(self, path: Path) -> None:
        """Compile the tree's modules, and put them into the archive of this name."""
        options = ("-SB", "-Xpycache_prefix=/nonexistent")
        command = (sys.executable, *options, HERE / "archive.py", self.top, path, *STAY_FILES)
        subprocess.run(command, env={"PYTHONHASHSEED": "0"}, check=True)  # noqa: S603 - as archive.py wants it
        for suffix in ("zip", "index"):
            self.at(f"{path}.{suffix}").chmod(0o644)

    def date(self) -> None:
        """Give all files and folders the same date."""
        for place in (self.top, *self.top.rglob("*")):
            os.utime(place, (DATE_SECONDS, DATE_SECONDS), follow_symlinks=False)


def base(tree: Tree, packages: Path, source: Path) -> None:
    """What a release of the action does not change: all that py_aws_oidc, in the folder `source`, runs on."""
    root = tree.root
    for link in LINKS:
        if root.at(link).is_symlink():
            tree.room(link).symlink_to(root.at(link).readlink())
    for path in FILES:
        tree.take(path)
    for path, original in COPIES.items():
        tree.write(path, root.at(original).read_text(encoding="utf-8"))
    for program in PROGRAMS:
        tree.take(root.program(program))
    machine = elf.read(root.at(root.leads_to(root.program("python3")))).machine
    triplet = TRIPLETS[machine]
    library = root.at(LIBRARY)
    find = finder([library, library / "lib-dynload", packages, source], triplet)
    found = reachable([*HIDDEN, *modules(source)], find, NEVER).values()
    for place in found:
        if place.is_relative_to(library):
            tree.take(root.path_of(place))
    _packages(tree, packages, {path for path in found if path.is_relative_to(packages)})
    _libraries(tree, machine)
    _list_of_debian(tree)
    tree.write(LIBRARY / "sitecustomize.py", (HERE / "archived.py").read_text(encoding="utf-8"))
    tree.archive(LIBRARY / "modules")
    for folder, mode in FOLDERS.items():
        tree.at(folder).mkdir(parents=True, exist_ok=True)
        tree.at(folder).chmod(mode)


def _libraries(tree: Tree, machine: int) -> None:
    """Take what the tree's programs and modules in C need, and what that needs in turn."""
    for name in LIBRARIES:
        tree.take(tree.root.library(name, (), TRIPLETS[machine], "the image"))
    seen: set[Path] = set()
    while wanted := {path for path in tree.files() if not tree.at(path).is_symlink()} - seen:
        seen |= wanted
        for path in sorted(wanted):
            if not elf.is_elf(tree.at(path)):
                continue
            file = elf.read(tree.at(path))
            if file.machine != machine:
                raise ValueError(f"{path} is for machine {file.machine} of elf(5), and the image for {machine}")
            for name in file.needed:
                tree.take(tree.root.library(name, file.search, TRIPLETS[machine], path))
            if file.interpreter:
                tree.take(file.interpreter)


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
        Path(COPIES.get(str(path), path))
        for path in tree.files()
        if path != CERTIFICATES and not path.is_relative_to("/usr/local")
    ]
    packages = owners(tree.root.packages(), listed) | {CERTIFICATES_OF}
    status = tree.root.at("/var/lib/dpkg/status").read_text(encoding="utf-8")
    tree.write("/var/lib/dpkg/status", paragraphs(status, packages))
    for package in sorted(packages):
        path = tree.root.leads_to(f"/usr/share/doc/{package}/copyright")
        terms = tree.root.at(path).read_text(encoding="utf-8")
        tree.write(Path("/usr/share/doc", package, "copyright"), terms)
        for licence in re.findall(r"/usr/share/common-licenses/[\w.-]*\w", terms):
            tree.take(licence)


def release(tree: Tree, source: Path) -> None:
    """What a release of the action changes."""
    tree.take_files({PACKAGES / path.relative_to(source): path for path in source.rglob("*") if path.is_file()})
    for name, stage in DOORS.items():
        tree.write(f"/usr/local/bin/{name}", DOOR.format(stage), mode=0o755)
    tree.archive(PACKAGES.parent / "modules")


def main(arguments: Sequence[str]) -> None:
    """Write both trees into the folder OUT."""
    parser = ArgumentParser("rootfs.py", description="Write the file trees of the image's two layers.")
    parser.add_argument(
        "packages", type=Path, metavar="PACKAGES", help="a folder with those of requirements/image.txt"
    )
    parser.add_argument("source", type=Path, metavar="SOURCE", help="the folder that py_aws_oidc is in")
    parser.add_argument("out", type=Path, metavar="OUT", help="where the folders base and release are made")
    parser.add_argument("--root", type=Path, default=ROOT, help="where Debian's files are (default: /)")
    given = parser.parse_args(arguments)
    if sys.version_info[:2] != PYTHON:
        parser.error(f"the image's bytecode is made by Python {PYTHON[0]}.{PYTHON[1]}, and this is another one")
    root = Root(given.root)
    layers = Tree(given.out / "base", root), Tree(given.out / "release", root)
    base(layers[0], given.packages, given.source)
    release(layers[1], given.source)
    for tree in layers:
        tree.date()


if __name__ == "__main__":
    main(sys.argv[1:])
