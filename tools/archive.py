"""Put a file tree's Python modules into one archive, for tools/archived.py: `archive.py TOP PATH MODULE...`.

TOP is the file tree, PATH what the archive is called in it, without a suffix, and a MODULE one that stays a file, with
its bytecode beside it, because the interpreter imports it before it can import from archives.

Bytecode depends on what the process that writes it did before: an object that something else refers to is written
another way (Python/marshal.c, FLAG_REF). So rootfs.py starts this as a process of its own, which compiles the same
modules in the same order wherever it runs, and does not itself run from bytecode, which may be there or not.
"""

import marshal
import py_compile
import sys
import zipfile
from collections.abc import Collection
from pathlib import Path

LIBRARY = Path("/usr/lib/python3.13")
PACKAGES = Path("/usr/local/lib/python3.13/dist-packages")
_DATE = (1980, 1, 1, 0, 0, 0)
_HEADER_BYTES = 16  # of bytecode, PEP 552
_ENTRY_BYTES = 30  # of what a zip file has before an entry's name, APPNOTE 4.3.7


def module(path: Path) -> str:
    """The name of the module that a path in one of the folders is of."""
    name = path.with_suffix("")
    return ".".join(name.parts[:-1] if name.name == "__init__" else name.parts)


def compiled(top: Path, source: Path) -> Path:
    """Compile a module; its bytecode is valid whatever happens to the files' times (PEP 552, unchecked hash)."""
    place = top / source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
    py_compile.compile(
        str(top / source),
        cfile=str(place),
        dfile=f"/{source}",
        doraise=True,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    return place


def write(archive: zipfile.ZipFile, top: Path, file: Path) -> tuple[int, int]:
    """Move a file into an archive; where its content is there, and how long that is."""
    content = file.read_bytes()
    entry = zipfile.ZipInfo(str(file.relative_to(top)), _DATE)
    archive.writestr(entry, content)
    file.unlink()
    return entry.header_offset + _ENTRY_BYTES + len(entry.filename.encode()), len(content)


def main(top: Path, path: Path, files: Collection[str]) -> None:
    """Write the archive and its index, and remove from the tree what is in it."""
    index = {}
    place = top / path.relative_to("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    folders = [top / folder.relative_to("/") for folder in (LIBRARY, PACKAGES)]
    with zipfile.ZipFile(f"{place}.zip", "w") as archive:
        for folder, source in ((one, source) for one in folders for source in sorted(one.rglob("*.py"))):
            relative = source.relative_to(top)
            bytecode = compiled(top, relative)
            name = module(source.relative_to(folder))
            if name not in files:
                offset, size = write(archive, top, bytecode)
                index[name] = (f"/{relative}", offset + _HEADER_BYTES, size - _HEADER_BYTES)
                write(archive, top, source)
    Path(f"{place}.index").write_bytes(marshal.dumps(index))
    for folder in sorted((one for top in folders for one in top.rglob("*") if one.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
