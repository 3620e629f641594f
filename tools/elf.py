"""What an ELF file says of itself: the machine it is for, its loader, and the libraries it needs.

Read here and not by ldd(1), which starts the file's loader and so works for the machine's own architecture alone.
Names and numbers are those of elf(5) and of the System V ABI, "Dynamic Section".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

EM_X86_64 = 62
EM_AARCH64 = 183

_MAGIC = b"\x7fELF"
_64_BITS_LITTLE_ENDIAN = b"\2\1"
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_DYNAMIC = struct.Struct("<qQ")
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_RPATH, _DT_RUNPATH = 0, 1, 5, 15, 29


@dataclass(frozen=True)
class Elf:
    """The parts of an ELF file that say where it can run."""

    machine: int
    interpreter: str | None = None
    needed: tuple[str, ...] = ()
    search: tuple[str, ...] = ()  # the folders of RPATH and RUNPATH


@dataclass(frozen=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


def is_elf(path: Path) -> bool:
    """Whether a file begins as an ELF file does."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def read(path: Path) -> Elf:
    """Read an ELF file; ValueError if it is none, is cut off, or is not one of 64 bits, little-endian."""
    try:
        return _parsed(path.read_bytes())
    except (ValueError, struct.error) as error:
        raise ValueError(f"{path} is not an ELF file that can be read: {error}") from error


def _parsed(content: bytes) -> Elf:
    if not content.startswith(_MAGIC + _64_BITS_LITTLE_ENDIAN):
        raise ValueError("it does not begin with the magic number of a 64-bit little-endian file")
    _, _, machine, _, _, table, _, _, _, size, count, *_ = _HEADER.unpack_from(content)
    segments = [_segment(content, table + number * size) for number in range(count)]
    interpreter = next((_bytes(content, one) for one in segments if one.kind == _PT_INTERP), None)
    dynamic = [entry for one in segments if one.kind == _PT_DYNAMIC for entry in _entries(_bytes(content, one))]
    strings = next((_offset(segments, value) for tag, value in dynamic if tag == _DT_STRTAB), 0)

    def texts(*tags: int) -> Iterator[str]:
        return (_text(content, strings + value) for tag, value in dynamic if tag in tags)

    return Elf(
        machine,
        None if interpreter is None else interpreter.rstrip(b"\0").decode(),
        tuple(texts(_DT_NEEDED)),
        tuple(folder for text in texts(_DT_RPATH, _DT_RUNPATH) for folder in text.split(":")),
    )


def _segment(content: bytes, offset: int) -> _Segment:
    kind, _, start, address, _, size, _, _ = _PROGRAM_HEADER.unpack_from(content, offset)
    return _Segment(kind, start, address, size)


def _bytes(content: bytes, segment: _Segment) -> bytes:
    found = content[segment.offset : segment.offset + segment.size]
    if len(found) != segment.size:
        raise ValueError("it is cut off")
    return found


def _entries(dynamic: bytes) -> Iterator[tuple[int, int]]:
    for tag, value in _DYNAMIC.iter_unpack(dynamic):
        if tag == _DT_NULL:
            return
        yield tag, value


def _offset(segments: list[_Segment], address: int) -> int:
    """Where in the file is what will be at this address."""
    for one in segments:
        if one.kind == _PT_LOAD and one.address <= address < one.address + one.size:
            return address - one.address + one.offset
    raise ValueError(f"no segment is loaded at {address:#x}")


def _text(content: bytes, offset: int) -> str:
    return content[offset : content.index(b"\0", offset)].decode()
