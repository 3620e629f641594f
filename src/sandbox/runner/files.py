"""What a step wrote to its environment files, read as the runner's FileCommandManager reads it."""

from __future__ import annotations

import codecs
import re
from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SUMMARY_LIMIT = 1024 * 1024

_OPERATOR = re.compile("=|<<")
_KIB = 1024
# UTF-32's little-endian mark begins with UTF-16's, so the longer one is asked for first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class FileCommandError(Exception):
    """An environment file that the runner refuses; the message is the runner's."""


def decode(data: bytes) -> str:
    """The text of a file as .NET reads it: a byte order mark decides, broken bytes become U+FFFD."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    return data.decode("utf-8", "replace")


def parse(data: bytes | str) -> Iterator[tuple[str, str]]:
    r"""The pairs of a GITHUB_ENV, GITHUB_OUTPUT or GITHUB_STATE file, one by one.

    Lazy as in the runner: what stands before a bad line is applied before the error is raised. A line ends
    at `\n` alone, nothing is trimmed, and whichever of `=` and `<<` comes first decides its kind.
    """
    text = data if isinstance(data, str) else decode(data)
    position = 0
    while cut := _cut(text, position):
        line, position, _ = cut
        if not line:
            continue
        operator = _OPERATOR.search(line)
        if operator is None:
            raise FileCommandError(f"Invalid format '{line}'")
        name, rest = line[: operator.start()], line[operator.end() :]
        if operator[0] == "<<":
            if not name or not rest:
                raise FileCommandError(
                    f"Invalid format '{line}'. Name must not be empty and delimiter must not be empty"
                )
            rest, position = _heredoc(text, position, rest)
        yield name, rest


def parse_like_act(data: bytes) -> Iterator[tuple[str, str]]:
    r"""The pairs as nektos/act and Forgejo's runner read them (their parse_env_file.go).

    A blank line is an error there, a heredoc's leading blank lines are lost, and a line's last `\r` is cut.
    """
    text = data.decode("utf-8", "replace").removesuffix("\n")
    rest = iter([line.removesuffix("\r") for line in text.split("\n")] if text else [])
    for line in rest:
        operator = _OPERATOR.search(line)
        if operator is None:
            raise FileCommandError(f"invalid format '{line}', expected a line with '=' or '<<'")
        name, value = line[: operator.start()], line[operator.end() :]
        if operator[0] == "<<":
            value = _heredoc_like_act(rest, value)
        yield name, value


def paths(data: bytes) -> list[str]:
    """The entries of a GITHUB_PATH file: any line ending, empty lines skipped, no other rule."""
    return [line for line in lines(decode(data)) if line]


def summary(data: bytes, mask: Callable[[str], str]) -> str:
    """The job summary that is uploaded: masked line by line, each ended with a newline.

    The runner's CreateStepSummaryCommand: too large a file is an error annotation, but fails nothing.
    """
    if len(data) > SUMMARY_LIMIT:
        raise FileCommandError(
            "$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of "
            f"{SUMMARY_LIMIT // _KIB}k, got {len(data) // _KIB}k. For more information see: "
            "https://docs.github.com/actions/using-workflows/workflow-commands-for-github-actions"
            "#adding-a-markdown-summary"
        )
    return "".join(f"{mask(line)}\n" for line in lines(decode(data)))


def lines(text: str) -> list[str]:
    r"""Lines as .NET's ReadLine cuts them: `\n`, `\r\n` and a lone `\r` end one, and nothing else does."""
    return [line.removesuffix("\n") for line in StringIO(text, newline=None)]


def _heredoc_like_act(rest: Iterator[str], delimiter: str) -> str:
    value = ""
    for line in rest:
        if line == delimiter:
            return value
        value = f"{value}\n{line}" if value else line
    raise FileCommandError(f"invalid format delimiter '{delimiter}' not found before end of file")


def _cut(text: str, start: int) -> tuple[str, int, bool] | None:
    """The line at `start`, where the next one begins, and whether a newline ended it."""
    if start >= len(text):
        return None
    end = text.find("\n", start)
    return (text[start:], len(text), False) if end < 0 else (text[start:end], end + 1, True)


def _heredoc(text: str, start: int, delimiter: str) -> tuple[str, int]:
    """The value up to the line that is the delimiter, without its last newline, and where to read on."""
    end = position = start
    while cut := _cut(text, position):
        line, position, ended = cut
        if line == delimiter:
            return text[start:end], position
        if not ended:
            raise FileCommandError("Invalid value. EOF marker missing new line.")
        end = position - 1
    raise FileCommandError(f"Invalid value. Matching delimiter not found '{delimiter}'")
