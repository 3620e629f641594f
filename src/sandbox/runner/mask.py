"""The runner's SecretMasker: what it hides, and in which disguises it still finds it."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_LINE_ENDS = re.compile("[\r\n]")


def _base64(value: str, shift: int) -> str:
    """What base64 makes of the value when `shift` bytes of it fell to the group of three before."""
    data = value.encode("utf-8", "surrogatepass")
    return b64encode(data[shift:] if len(data) > shift else data).decode("ascii")


def _without_quotes(value: str) -> str:
    shortest = 8
    quoted = len(value) > shortest and value.startswith('"') and value.endswith('"')
    return value[1:-1] if quoted else ""


_ENCODERS: tuple[Callable[[str], str], ...] = (
    lambda value: _base64(value, 0),
    lambda value: _base64(value, 1),
    lambda value: _base64(value, 2),
    lambda value: value.replace('"', '\\"'),
    lambda value: value.replace("'", "''"),
    lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    lambda value: quote(value, safe="-_.~", errors="surrogatepass"),
    lambda value: escape(value, {'"': "&quot;", "'": "&apos;"}),
    _without_quotes,
)


def variants(value: str) -> set[str]:
    """The value and its encoded forms that the runner hides too (HostContext's list of ValueEncoders)."""
    return {value, *(encoder(value) for encoder in _ENCODERS)} - {""}


class Masker:
    """The secrets of one job. They only ever grow: a mask lasts until the job ends."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Begin with what the server marks as secret."""
        self._variants: set[str] = set()
        for secret in secrets:
            self.add(secret)

    def add(self, value: str) -> None:
        """Hide a value and its encoded forms."""
        if value:
            self._variants |= variants(value)

    def add_lines(self, value: str) -> None:
        """Hide a value and each of its lines, trimmed: what `::add-mask::` does, with no least length."""
        self.add(value)
        for line in _LINE_ENDS.split(value):
            self.add(line.strip())

    def mask(self, text: str) -> str:
        """The text with every range that a secret covers as `***`; ranges that touch become one."""
        ranges = sorted(
            (start, start + len(secret)) for secret in self._variants for start in _positions(text, secret)
        )
        merged: list[tuple[int, int]] = []
        for start, end in ranges:
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        for start, end in reversed(merged):
            text = f"{text[:start]}***{text[end:]}"
        return text


def _positions(text: str, secret: str) -> Iterable[int]:
    """Where the secret begins, overlapping occurrences included."""
    start = text.find(secret)
    while start >= 0:
        yield start
        start = text.find(secret, start + 1)
