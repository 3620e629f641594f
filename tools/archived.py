"""The import of modules from the image's archives, in which it is /usr/lib/python3.13/sitecustomize.py.

`site` imports that at each start of the interpreter (docs.python.org, "site"). An archive is a zip file, uncompressed,
of the modules' files by the paths that they would have under /: sources and bytecode. Beside it is an index, which
tells where in it the bytecode of each module is. So an image of a thousand files has one instead, and an import is one
read without a search for files. Modules keep their paths: what lies beside them, such as botocore's data, is found
there, and a traceback has the lines of the source.

tools/archive.py writes both files. What the interpreter imports before this lies in the image as it always does.
"""

import marshal
import posix
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import SourceFileLoader

TYPE_CHECKING = False  # typing is in an archive
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType, ModuleType

ARCHIVES = ("/usr/local/lib/python3.13/modules", "/usr/lib/python3.13/modules")


class Archive:
    """A finder (sys.meta_path) of the modules in an archive."""

    def __init__(self, path: str) -> None:
        self.path = f"{path}.zip"
        with open(f"{path}.index", "rb") as index:  # noqa: PTH123 - pathlib takes longer to import than all of this
            self._modules: dict[str, tuple[str, int, int]] = marshal.load(index)  # noqa: S302 - the image's own
        self._file = posix.open(self.path, posix.O_RDONLY | posix.O_CLOEXEC)

    def find_spec(self, name: str, path: object = None, target: "ModuleType | None" = None) -> ModuleSpec | None:
        """Find a module of the archive by its whole name."""
        del path, target
        found = self._modules.get(name)
        if found is None:
            return None
        source = found[0]
        folder, _, file = source.rpartition("/")
        # As importlib.util.spec_from_file_location does, which takes longer to find out what is known here.
        spec = ModuleSpec(name, Loader(name, source, self), origin=source)
        spec.has_location = True
        if file == "__init__.py":
            spec.submodule_search_locations = [folder]
        return spec

    def code(self, name: str) -> "CodeType":
        """Read a module's bytecode."""
        _, offset, size = self._modules[name]
        return marshal.loads(posix.pread(self._file, size, offset))  # noqa: S302 - the image's own


class Loader(SourceFileLoader):
    """A loader that has a module's bytecode and source from an archive, and what lies beside it from its folder."""

    def __init__(self, name: str, path: str, archive: Archive) -> None:
        super().__init__(name, path)
        self._archive = archive

    def get_code(self, fullname: str) -> "CodeType":
        """Read the module's bytecode."""
        return self._archive.code(fullname)

    def get_data(self, path: str) -> bytes:
        """Read the module's source, for tracebacks; or a file beside it."""
        if path != self.path:
            return super().get_data(path)
        from zipimport import zipimporter

        return zipimporter(self._archive.path).get_data(path.removeprefix("/"))


def install(archives: "Iterable[str]") -> None:
    """Import from these archives: behind the modules that are built in and frozen, before those that are files."""
    sys.meta_path[2:2] = [Archive(path) for path in archives]


if __name__ == "sitecustomize":
    install(ARCHIVES)
