"""Workflow commands in a step's output: how the runner's ActionCommand recognises one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

COMMANDS = frozenset(
    {
        "add-mask",
        "add-matcher",
        "add-path",
        "debug",
        "echo",
        "endgroup",
        "error",
        "group",
        "notice",
        "remove-matcher",
        "save-state",
        "set-env",
        "set-output",
        "stop-commands",
        "warning",
    }
)

# The percent sign comes last: `%250A` is the text `%0A`, not a newline.
_DATA = (("%0D", "\r"), ("%0A", "\n"), ("%25", "%"))
_PROPERTY = (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"))
_FIRST_VERSION = (("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"), ("%25", "%"))


@dataclass(frozen=True)
class Command:
    """A command with its name and property names in lower case: they are case-insensitive."""

    name: str
    properties: Mapping[str, str]
    data: str


def parse(line: str, registered: Collection[str] = COMMANDS) -> Command | None:
    """The command that a line is, or None for plain output; a name that is not registered is none.

    `::name key=value,key=value::data` has to begin the line, blanks aside; `##[name key=value;key=value]data`
    is found anywhere in it.
    """
    return _parse_current(line.lstrip(), registered) or _parse_first_version(line, registered)


def _parse_current(line: str, registered: Collection[str]) -> Command | None:
    if not line.startswith("::"):
        return None
    head, found, data = line.removeprefix("::").partition("::")
    name, _, properties = head.partition(" ")
    if not found or name.lower() not in registered:
        return None
    pairs = _properties(properties.strip().split(","), _PROPERTY)
    return Command(name.lower(), pairs, _unescape(data, _DATA))


def _parse_first_version(line: str, registered: Collection[str]) -> Command | None:
    _, _, rest = line.partition("##[")
    head, found, data = rest.partition("]")
    name, _, properties = head.partition(" ")
    if not found or name.lower() not in registered:
        return None
    pairs = _properties(properties.split(";"), _FIRST_VERSION)
    return Command(name.lower(), pairs, _unescape(data, _FIRST_VERSION))


def _properties(items: Sequence[str], escapes: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The pairs; a property without a value is dropped, and an `=` at the front is not seen."""
    pairs = (item.lstrip("=").partition("=") for item in items)
    return {name.lower(): _unescape(value, escapes) for name, _, value in pairs if value}


def _unescape(text: str, escapes: Sequence[tuple[str, str]]) -> str:
    for escaped, character in escapes:
        text = text.replace(escaped, character)
    return text
