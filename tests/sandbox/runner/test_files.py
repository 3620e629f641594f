"""Environment files, read as the runner's FileCommandManager reads them."""

from __future__ import annotations

import codecs

import pytest

from sandbox.runner.files import FileCommandError, decode, parse, parse_like_act, paths, summary


@pytest.mark.parametrize(
    ("data", "pairs"),
    [
        pytest.param("", [], id="an empty file has no pairs"),
        pytest.param("\n\n", [], id="empty lines are skipped"),
        pytest.param("A=1", [("A", "1")], id="the last line needs no newline"),
        pytest.param("A=1\nB=2\n", [("A", "1"), ("B", "2")], id="each line is a pair"),
        pytest.param("A=1\n\n\nB=2\n", [("A", "1"), ("B", "2")], id="empty lines between are skipped"),
        pytest.param("A=\n", [("A", "")], id="a value may be empty"),
        pytest.param("A=b=c\n", [("A", "b=c")], id="the first equals sign divides"),
        pytest.param("A=b<<c\n", [("A", "b<<c")], id="an equals sign before << makes a plain pair"),
        pytest.param("=v\n", [("", "v")], id="an empty name passes the parser"),
        pytest.param(" K =v \n", [(" K ", "v ")], id="nothing is trimmed"),
        pytest.param("A=1\r\n", [("A", "1\r")], id="a carriage return stays in the value"),
        pytest.param("A=x\ry\n", [("A", "x\ry")], id="a lone carriage return ends no line"),
        pytest.param("A<<E\nx\nE\n", [("A", "x")], id="a heredoc"),
        pytest.param("A<<E\nx\nE", [("A", "x")], id="a heredoc whose delimiter is unterminated"),
        pytest.param("A<<E\nx\ny\nE\n", [("A", "x\ny")], id="a heredoc of two lines"),
        pytest.param("A<<E\nE\n", [("A", "")], id="a heredoc of no line"),
        pytest.param("A<<E\n\nE\n", [("A", "")], id="a heredoc of one empty line"),
        pytest.param("A<<E\n\n\nE\n", [("A", "\n")], id="a heredoc of two empty lines"),
        pytest.param("A<<E\nx\n\nE\n", [("A", "x\n")], id="a heredoc that ends with an empty line"),
        pytest.param("A<<E\nx\r\nE\n", [("A", "x\r")], id="a carriage return in a heredoc stays"),
        pytest.param("A<<E\nB=1\nC<<D\nE\n", [("A", "B=1\nC<<D")], id="a heredoc may look like pairs"),
        pytest.param("A<<E\n E\nE \nE\n", [("A", " E\nE ")], id="the delimiter has to match exactly"),
        pytest.param("A<<=\nx\n=\n", [("A", "x")], id="<< before an equals sign makes a heredoc"),
        pytest.param("A<< E\nx\n E\n", [("A", "x")], id="the delimiter is not trimmed"),
        pytest.param("A<<E<<F\nx\nE<<F\n", [("A", "x")], id="the first << divides"),
        pytest.param("A<<E\nx\nE\nB=2\n", [("A", "x"), ("B", "2")], id="a pair after a heredoc"),
    ],
)
def test_pairs_are_read(data: str, pairs: list[tuple[str, str]]) -> None:
    assert list(parse(data)) == pairs


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("nothing", "Invalid format 'nothing'"),
        ("  \n", "Invalid format '  '"),
        ("\r\n", "Invalid format '\r'"),
        ("<<E\nx\nE\n", "Invalid format '<<E'. Name must not be empty and delimiter must not be empty"),
        ("A<<\nx\n\n", "Invalid format 'A<<'. Name must not be empty and delimiter must not be empty"),
        ("A<<E\n", "Invalid value. Matching delimiter not found 'E'"),
        ("A<<E\nx\n", "Invalid value. Matching delimiter not found 'E'"),
        ("A<<E\nx", "Invalid value. EOF marker missing new line."),
        ("A<<E\r\nx\r\nE\n", "Invalid value. Matching delimiter not found 'E\r'"),
    ],
)
def test_a_bad_line_is_refused_with_the_runners_words(data: str, message: str) -> None:
    with pytest.raises(FileCommandError) as error:
        list(parse(data))

    assert str(error.value) == message


def test_pairs_before_a_bad_line_are_yielded_first() -> None:
    pairs = parse("A=1\nnothing\nB=2\n")

    assert next(pairs) == ("A", "1")
    with pytest.raises(FileCommandError):
        next(pairs)


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_byte_order_mark_decides_the_encoding(mark: bytes, encoding: str) -> None:
    assert list(parse(mark + "A=ä\n".encode(encoding))) == [("A", "ä")]


def test_broken_bytes_become_replacement_characters() -> None:
    assert decode(b"A=\xff\xc3") == "A=\ufffd\ufffd"


def test_path_entries_may_end_in_any_way() -> None:
    assert paths(b"/a\r\n\n/b\r/c \n") == ["/a", "/b", "/c "]


def test_a_summary_is_masked_line_by_line() -> None:
    assert summary(b"one\r\ntwo", str.upper) == "ONE\nTWO\n"


def test_an_empty_summary_is_nothing() -> None:
    assert summary(b"", str.upper) == ""


def test_a_summary_of_a_mebibyte_is_uploaded() -> None:
    assert len(summary(b"x" * 1048576, str)) == 1048577


def test_a_larger_summary_is_refused() -> None:
    with pytest.raises(FileCommandError, match="up to a size of 1024k, got 1025k"):
        summary(b"x" * 1049600, str)


@pytest.mark.parametrize(
    ("data", "pairs"),
    [
        (b"", []),
        (b"A=1\nB=2\n", [("A", "1"), ("B", "2")]),
        (b"A=1\r\n", [("A", "1")]),
        (b"A<<E\nx\n\ny\nE\n", [("A", "x\n\ny")]),
        (b"A<<E\n\n\nx\nE\n", [("A", "x")]),
    ],
)
def test_act_reads_pairs_its_own_way(data: bytes, pairs: list[tuple[str, str]]) -> None:
    assert list(parse_like_act(data)) == pairs


@pytest.mark.parametrize("data", [b"A=1\n\nB=2\n", b"nothing\n", b"A<<E\nx\n"])
def test_act_refuses_blank_lines_and_open_heredocs(data: bytes) -> None:
    with pytest.raises(FileCommandError, match="invalid format"):
        list(parse_like_act(data))
