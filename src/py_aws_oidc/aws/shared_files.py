"""The text of a shared credentials file or shared config file, changed one section at a time.

The grammar is that of the AWS SDKs and Tools Reference Guide ("Shared config and credentials files"), as botocore
reads it: with Python's configparser. A text is never written anew from what was read of it, because comments,
order, nested settings and line ends would not survive that. A byte that is not UTF-8 is a surrogate in it.

Where a text cannot be read or changed, ValueError says why in a clause that spells no line of it, for such a line
may hold a secret.
"""

from __future__ import annotations

import configparser
import io
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

_HEAD = re.compile(r"\[(.+)\]")
_TROUBLES: dict[type[configparser.Error], str] = {
    configparser.DuplicateSectionError: "line {} begins a section for the second time",
    configparser.DuplicateOptionError: "line {} makes a setting for the second time in its section",
    configparser.MissingSectionHeaderError: "line {} stands before the first section",
    configparser.ParsingError: "line {} is neither a setting nor the head of a section",
}


@dataclass(frozen=True)
class Change:
    """A text with a section written, and what takes it back: the section that was there, or how ours was joined."""

    text: str = field(repr=False)
    before: str | None = field(repr=False)
    joint: str


@dataclass(frozen=True)
class _Section:
    """A section's place in a text, from its head to its last setting.

    The comments and blank lines after that lead up to what comes next.
    """

    name: str
    indent: str
    start: int
    end: int


def credentials_section(profile: str) -> str:
    """The name of a profile's section in the shared credentials file."""
    return profile


def config_section(profile: str) -> str:
    """The name of a profile's section in the shared config file; `default` alone stands without its prefix."""
    return profile if profile == "default" else f"profile {profile}"


def may_be_named(profile: str) -> bool:
    """Whether every SDK takes this name for the same profile, unquoted, in both files."""
    # configparser gives what stands in [DEFAULT] to every section, and shows no section of that name.
    return bool(re.fullmatch(r"[!-~]+", profile)) and not set(profile) & set("[]/\\\"'`#;") and profile != "DEFAULT"


def may_be_set(value: str) -> bool:
    """Whether every SDK reads this value back as it is written.

    SDKs differ in where they see quotes, inline comments and the end of a line, so nothing is quoted.
    """
    return value.isprintable() and value == value.strip() != "" and not re.search(r"(^|\s)[#;]|^[\"']", value)


def has(text: str, name: str) -> bool:
    """Whether the text has a section of this name."""
    return _find(text, name)[0] is not None


def with_section(text: str, name: str, settings: Mapping[str, str]) -> Change:
    """Make these the section's only settings: in its place if there is one, else at the end after a blank line."""
    end_of_line = _end_of_line(text)
    section, next_indent = _find(text, name)
    lines = [f"{next_indent}{key} = {value}" for key, value in settings.items()]
    if section is None:
        joint = _joint(text)
        return Change(text + joint + _lines(f"[{name}]", *lines, end=end_of_line), None, joint)
    new = _lines(f"{section.indent}[{name}]", *lines, end=end_of_line)
    return Change(text[: section.start] + new + text[section.end :], text[section.start : section.end], "")


def put_back(text: str, name: str, before: str | None, joint: str) -> str | None:
    """The text with the section as it was before the change; None if there is no such section any more."""
    section, _ = _find(text, name)
    if section is None:
        return None
    head, tail = text[: section.start], text[section.end :]
    if before is None:
        head, before = head.removesuffix(joint), ""
    changed = head
    for part in (before, tail):
        # What was the last line once may have had no end; it is the last no more if others wrote after it.
        unfinished = changed and part and not changed.endswith(("\n", "\r"))
        changed += (_end_of_line(text) if unfinished else "") + part
    _check(changed)
    return changed


def _find(text: str, name: str) -> tuple[_Section | None, str]:
    """The section of this name, and the indentation of the next one's head."""
    sections = _sections(text)
    found = [index for index, section in enumerate(sections) if section.name == name]
    if len(found) > 1:
        raise ValueError(f"the section [{name}] is there more than once")
    if not found:
        return None, ""
    # A head that is indented more than the setting before it would be a part of that setting's value.
    following = sections[found[0] + 1 : found[0] + 2]
    return sections[found[0]], following[0].indent if following else ""


def _sections(text: str) -> list[_Section]:
    """All sections, found as configparser finds them."""
    _check(text)
    sections: list[_Section] = []
    level, in_setting, end = 0, False, 0
    for line in io.StringIO(text, newline=""):
        start, end = end, end + len(line)
        content = line.strip()
        if not content or content[0] in "#;":
            continue
        indent = line[: len(line) - len(line.lstrip())]
        continues = in_setting and len(indent) > level
        head = None if continues else _HEAD.match(content)
        if not continues:
            level, in_setting = len(indent), not head
        if head:
            sections.append(_Section(_name(head[1]), indent, start, end))
        else:
            sections[-1] = replace(sections[-1], end=end)
    return sections


def _name(head: str) -> str:
    """What a head names: botocore takes `profile  "dev"` for `profile dev`, and other SDKs ignore outer spaces."""
    try:
        words = shlex.split(head)
    except ValueError:
        words = []
    match words:
        case [prefix, profile] if prefix.startswith("profile"):
            return config_section(profile)
    return head.strip()


def _check(text: str) -> None:
    """ValueError if botocore could not read the text."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_file(io.StringIO(text, newline=None))
    except configparser.Error as error:
        trouble = next(text for kind, text in _TROUBLES.items() if isinstance(error, kind))
        line = getattr(error, "lineno", None) or getattr(error, "errors", [(0, "")])[0][0]
        raise ValueError(trouble.format(line)) from None
    for section in parser.sections():
        for value in dict(parser.items(section)).values():
            if value.startswith("\n") and any(line.strip() and "=" not in line for line in value.splitlines()):
                raise ValueError("a nested setting has no equals sign")


def _joint(text: str) -> str:
    """What separates a section at the end from the text before it: a blank line, unless there is one."""
    lines = list(io.StringIO(text, newline=""))
    if not lines:
        return ""
    is_unfinished, is_blank = not lines[-1].endswith(("\n", "\r")), not lines[-1].strip()
    return _end_of_line(text) * (is_unfinished + (not is_blank))


def _end_of_line(text: str) -> str:
    """The line end that the text uses."""
    first = next(io.StringIO(text, newline=""), "")
    return "\r\n" if first.endswith("\r\n") else "\n"


def _lines(*lines: str, end: str) -> str:
    return "".join(line + end for line in lines)
