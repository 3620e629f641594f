"""What is read of an ELF file."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tool import tool

elf = tool("elf")

ADDRESS = 0x400000
NAMES = st.text("abc/$.{}-", min_size=1, max_size=8)


def written(machine: int, interpreter: str | None = None, needed=(), rpath=(), runpath=()) -> bytes:
    """A file with the parts that elf(5) describes, the dynamic section's strings at an address of its own."""
    strings = b"\0"
    entries = []
    texts = [(1, name) for name in needed]
    texts += [(tag, ":".join(folders)) for tag, folders in ((15, rpath), (29, runpath)) if folders]
    for tag, text in texts:
        entries.append((tag, len(strings)))
        strings += text.encode() + b"\0"
    count = 3 if interpreter is not None else 2
    start = 64 + count * 56
    path = b"" if interpreter is None else interpreter.encode() + b"\0"
    dynamic = b"".join(struct.pack("<qQ", *entry) for entry in [(5, ADDRESS), *entries, (0, 0), (1, 1)])
    at_strings, at_dynamic = start + len(path), start + len(path) + len(strings)

    def header(kind: int, offset: int, size: int) -> bytes:
        address = ADDRESS + offset - at_strings
        return struct.pack("<IIQQQQQQ", kind, 0, offset, address, address, size, size, 1)

    headers = [header(1, at_strings, len(strings)), header(2, at_dynamic, len(dynamic))]
    headers += [header(3, start, len(path))] if interpreter is not None else []
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 3, machine, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0)
    return head + b"".join(headers) + path + strings + dynamic


def read(folder: Path, content: bytes):
    path = folder / "file"
    path.write_bytes(content)
    return elf.read(path)


FILES = st.builds(elf.Elf, st.integers(0, 65535), st.none() | NAMES, *[st.lists(NAMES).map(tuple)] * 2)


@given(FILES, st.integers(0))
def test_what_is_written_is_read(tmp_path_factory, file, split):
    rpath, runpath = file.search[:split], file.search[split:]
    content = written(file.machine, file.interpreter, file.needed, rpath, runpath)

    assert read(tmp_path_factory.mktemp("elf"), content) == file


@given(st.data())
def test_a_file_that_is_cut_off_is_an_error_that_names_it(tmp_path_factory, data):
    whole = written(elf.EM_X86_64, "/lib/ld.so", ["libc.so.6"])
    length = data.draw(st.integers(0, len(whole) - 1))

    with pytest.raises(ValueError, match="file is not an ELF file that can be read"):
        read(tmp_path_factory.mktemp("elf"), whole[:length])


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(b"\x7fELF\1\1", id="32 bits"),
        pytest.param(b"\x7fELF\2\2", id="big-endian"),
        pytest.param(b"#!/bin/sh\n", id="no ELF file"),
        pytest.param(b"", id="empty"),
    ],
)
def test_other_files_are_an_error(tmp_path, begin):
    with pytest.raises(ValueError, match="magic number"):
        read(tmp_path, begin + written(elf.EM_X86_64)[len(begin) :] if begin else b"")


@pytest.mark.parametrize(
    ("content", "answer"), [(b"\x7fELF\2\1", True), (b"\x7fEL", False), (b"", False), (b"!<arch>", False)]
)
def test_an_elf_file_is_known_by_how_it_begins(tmp_path, content, answer):
    (tmp_path / "file").write_bytes(content)

    assert elf.is_elf(tmp_path / "file") == answer
