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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

_HEAD = re.compile(r"\[(.+)\]")
# All settings that this action writes.
_WRITTEN = {"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "region"}
# Settings whose values are never secret and are common words elsewhere, so that they must not be masked (AWS SDKs and
# Tools Reference Guide, "Settings reference"; AWS CLI User Guide, "Configuration and credential file settings").
_PUBLIC = {
    "region", "output", "role_arn", "role_session_name", "source_profile", "credential_source", "duration_seconds",
    "mfa_serial", "sso_region", "sso_session", "sso_start_url", "sso_account_id", "sso_role_name",
    "sso_registration_scopes", "retry_mode", "max_attempts", "defaults_mode", "sts_regional_endpoints",
    "use_fips_endpoint", "use_dualstack_endpoint", "ignore_configured_endpoint_urls", "parameter_validation",
    "tcp_keepalive", "api_versions", "s3", "cli_auto_prompt", "cli_binary_format", "cli_follow_urlparam",
    "cli_history", "cli_pager", "cli_timestamp_format", "max_concurrent_requests", "max_queue_size",
    "multipart_threshold", "multipart_chunksize", "max_bandwidth", "use_accelerate_endpoint", "addressing_style",
    "payload_signing_enabled", "signature_version", "ca_bundle", "web_identity_token_file", "services",
}  # fmt: skip
_SETTING = re.compile(r"(.*?)\s*[=:]\s*(.*)")
_KEY_LIKE = re.compile(r"(?=.*\d)(?=.*[A-Za-z]).{8,}")
_NEVER_SECRET = re.compile(r"true|false|\d{,8}|.{,3}", re.IGNORECASE)
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
    fingerprint: str


@dataclass(frozen=True)
class Undone:
    """A text with a section as it was before the change; `made` if no file was there before this action's sections."""

    text: str = field(repr=False)
    made: bool


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
    """True if every SDK reads this name as the same profile, unquoted, in both files."""
    # configparser gives what stands in [DEFAULT] to every section, and shows no section of that name.
    return bool(re.fullmatch(r"[!-~]+", profile)) and not set(profile) & set("[]/\\\"'`#;") and profile != "DEFAULT"


def may_be_set(value: str) -> bool:
    """True if every SDK reads this value back as it is written.

    SDKs differ in where they see quotes, inline comments and the end of a line, so nothing is quoted.
    """
    return value.isprintable() and value == value.strip() != "" and not re.search(r"(^|\s)[#;]|^[\"']", value)


def has(text: str, name: str) -> bool:
    """True if the text has a section of this name."""
    return _find(text, name)[0] is not None


def with_section(text: str, name: str, settings: Mapping[str, str]) -> Change:
    """Make these the section's only settings: in its place if there is one, else at the end after a blank line."""
    end_of_line = _end_of_line(text)
    section, next_indent = _find(text, name)
    lines = [f"{next_indent}{key} = {value}" for key, value in settings.items()]
    if section is None:
        joint, new = _joint(text), _lines(f"[{name}]", *lines, end=end_of_line)
        return Change(text + joint + new, None, joint, _fingerprint(new))
    new = _lines(f"{section.indent}[{name}]", *lines, end=end_of_line)
    changed = text[: section.start] + new + text[section.end :]
    return Change(changed, text[section.start : section.end], "", _fingerprint(new))


def put_back(  # noqa: PLR0913  what is kept of one change
    text: str, name: str, before: str | None, joint: str, *, fingerprint: str, made: bool = False
) -> Undone | None:
    """The text with the section as it was before the change; None if nothing of the change is in it.

    `made` says that there was no file before the change. Changes may be undone in any order, and one that is undone
    before a later one leaves traces for it, since the states of the two do not know of each other:

    - The first section of a new file takes the line end behind it along. A section that stands at the beginning of a
      file, without its joint, was then written to such a file.
    - A section that is not the one that was written has been changed by another step, or an earlier change of it was
      undone. ValueError says that it stays, if nothing in it can be ours, or if what was there before looks like
      credentials that this action wrote, and that are to be removed.
    """
    section, _ = _find(text, name)
    if section is None:
        return None
    head, now, tail = text[: section.start], text[section.start : section.end], text[section.end :]
    if now == before:
        return None
    if before is not None and [found.name for found in _sections(before)] != [name]:
        raise ValueError("what was there before is not one section of that name")
    may_be_ours = not _settings(now).keys().isdisjoint(_WRITTEN)
    if _fingerprint(now) != fingerprint and (not may_be_ours or _looks_written(before)):
        raise ValueError("another step has changed it since, so it stays as it is")
    if before is None:
        made = made or bool(joint and not head)
        head, before = head.removesuffix(joint), ""
        if made and not head:
            tail = re.sub(r"\A(\r\n|\n)", "", tail)
    elif not now.endswith(("\n", "\r")):
        # It ended a file without a line end, which was undone first.
        before = re.sub(r"(\r\n|\n|\r)\Z", "", before)
    changed = head
    for part in (before, tail):
        # What was the last line once may have had no end; it is the last no more if others wrote after it.
        unfinished = changed and part and not changed.endswith(("\n", "\r")) and part[0] not in "\r\n"
        changed += (_end_of_line(text) if unfinished else "") + part
    _check(changed)
    return Undone(changed, made)


def secrets(section: str) -> Iterator[str]:
    """All texts of a section that may be secret: values of settings that are not known to be public, and comments.

    A value counts by its lines, and by their words that look like a key. What is short, a number or a boolean does not
    count, since a log in which that is masked cannot be read, and the runner drops job outputs that contain a mask.
    """
    for number, line in enumerate(io.StringIO(section, newline=None)):
        content = line.strip()
        if number == 0 and (head := _HEAD.match(content)):
            yield from _secrets_of_comment(content[head.end() :])
        elif content.startswith(("#", ";")):
            yield from _secrets_of_comment(content)
    for name, value in _settings(section).items():
        first, *nested = value.split("\n")
        yield from _secrets_of_setting(name, first)
        for line in filter(None, map(str.strip, nested)):
            setting = _SETTING.fullmatch(line)
            if setting and {name, setting[1].lower()} <= _PUBLIC:
                yield from _secrets_of_setting(setting[1].lower(), setting[2])
            else:
                yield from _secrets_of_setting("", line)
                yield from _secrets_of_setting("", setting[2]) if setting else ()


def _secrets_of_comment(text: str) -> Iterator[str]:
    comment = text.strip("#; \t")
    # A setting that was commented out still has its value.
    if (setting := _SETTING.fullmatch(comment)) and setting[1]:
        yield from _secrets_of_setting(setting[1].lower(), setting[2])
    if not ((setting and setting[1].lower() in _PUBLIC) or re.fullmatch("[A-Z]?[a-z]*|.{,3}", comment)):
        yield comment


def _secrets_of_setting(name: str, value: str) -> Iterator[str]:
    if name in _PUBLIC:
        # SDKs differ in where they see a comment.
        value = "".join(value.split(maxsplit=1)[1:])
    words = [*value.split(), *re.split(r"[\s\"'=]+", value)]
    if name.startswith("aws_"):
        yield from (value, *words[:1])
    elif not _NEVER_SECRET.fullmatch(value):
        yield value
    yield from filter(_KEY_LIKE.fullmatch, words)


def _settings(section: str) -> dict[str, str]:
    """The settings of a section's text by name, as botocore reads them."""
    parser = configparser.RawConfigParser()
    parser.read_file(io.StringIO(section, newline=None))
    return {name: value for title in parser.sections() for name, value in parser.items(title)}


def _looks_written(section: str | None) -> bool:
    """True if a section has no setting but those that this action writes."""
    return section is not None and set() < _settings(section).keys() <= _WRITTEN


def _fingerprint(section: str) -> str:
    """SHA-256 of a section, by which it is recognised without its values."""
    import hashlib  # only when a profile is written or removed

    return hashlib.sha256(section.strip().encode(errors="surrogateescape")).hexdigest()


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
    """Name in a header: botocore takes `profile  "dev"` for `profile dev`, and other SDKs ignore outer spaces."""
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
    """Separator of a section from the text before it: a blank line, unless there is one."""
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
