"""Parsers of the inputs.

Each function takes the text of one input, trimmed and not empty, and raises ValueError with the reason if the text is
invalid. A message never contains the text of a secret.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from py_aws_oidc.aws.arn import Role
from py_aws_oidc.quoting import quoted
from py_aws_oidc.secret import Secret

# The YAML 1.2 core schema's booleans, which are what actions/toolkit's getBooleanInput takes.
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


@dataclass(frozen=True)
class RoleName:
    """A role by its name alone, perhaps behind its path: its account is that of the caller."""

    name: str


def boolean(text: str) -> bool:
    """One of the six spellings of YAML 1.2."""
    if text not in _BOOLEANS:
        raise ValueError(f"{quoted(text)} is neither true nor false")
    return _BOOLEANS[text]


def region(text: str) -> str:
    """A region's name by its form; which regions there are changes too often to list."""
    if not re.fullmatch(r"[a-z0-9-]+", text):
        raise ValueError(f"{quoted(text)} is not the name of a region, such as us-east-1")
    return text


def any_region(text: str) -> str:
    """A region of a service that is not AWS: one word, since it goes into variables and files."""
    if not re.fullmatch(r"[!-~]{1,128}", text):
        raise ValueError(
            f"{quoted(text)} is not the name of a region; it must be one word of at most 128 ASCII characters"
        )
    return text


def role(text: str) -> Role | RoleName:
    """A role's ARN, or its name with or without a path."""
    if not text.startswith("arn:") and re.fullmatch(r"(?:[!-.0-~]+/)*[\w+=,.@-]{1,64}", text, re.ASCII):
        return RoleName(text)
    return Role.parse(text)


def any_role(text: str) -> Role:
    """The ARN of a role of a service that is not AWS; a name alone would need GetCallerIdentity for its account."""
    return Role.of_other_service(text)


def role_session_name(text: str) -> str:
    """`RoleSessionName` as the STS API Reference limits it."""
    if not re.fullmatch(r"[\w+=,.@-]{2,64}", text, re.ASCII):
        raise ValueError(f"{quoted(text)} must have 2 to 64 characters: letters, digits, or any of _+=,.@-")
    return text


def duration_seconds(text: str) -> int:
    """`DurationSeconds` as the STS API Reference limits it: 15 minutes to 12 hours."""
    shortest, longest = 900, 43_200
    seconds = whole_number(text)
    if not shortest <= seconds <= longest:
        raise ValueError(f"{seconds} is not between {shortest} (15 minutes) and {longest} (12 hours)")
    return seconds


def any_duration_seconds(text: str) -> int:
    """`DurationSeconds` of a service that is not AWS, which has limits of its own."""
    if (seconds := whole_number(text)) < 1:
        raise ValueError(f"{seconds} is not a positive number of seconds")
    return seconds


def whole_number(text: str) -> int:
    """An integer, which may be negative: the caller checks its range."""
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise ValueError(f"{quoted(text)} is not a whole number")
    return int(text)


def attempts(text: str) -> int:
    """Maximum number of attempts; less than 1 is 1, as in the action that this one replaces."""
    return max(1, whole_number(text))


def seconds(text: str) -> int:
    """A time limit in seconds; zero is none."""
    if (number := whole_number(text)) < 0:
        raise ValueError(f"it is {number}, but it must be 0 or more")
    return number


def one_line(text: str) -> str:
    """Printable text on one line, of limited length because it goes into URLs and paths."""
    most = 2048
    if not text.isprintable():
        raise ValueError("it contains characters that cannot be printed, such as a line break")
    if len(text) > most:
        raise ValueError(f"it has {len(text)} characters; the maximum is {most}")
    return text


def lines(text: str) -> tuple[str, ...]:
    """One value per line; blank lines are ignored."""
    return tuple(one_line(line.strip()) for line in re.split(r"\r\n|\r|\n", text) if line.strip())


def external_id(text: str) -> Secret:
    """`ExternalId` as the STS API Reference limits it."""
    if not re.fullmatch(r"[\w+=,.@:/-]{2,1224}", text, re.ASCII):
        raise ValueError("it must have 2 to 1224 characters: letters, digits, or any of _+=,.@:/-")
    return Secret(text)


def key(text: str) -> Secret:
    """A part of AWS credentials: one word, since it goes into variables, files and headers."""
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("it contains white space or other characters that are not allowed in AWS credentials")
    return Secret(text)


def policy(text: str) -> str:
    """A session policy: a JSON object, passed on unchanged."""
    if not isinstance(_json(text), dict):
        raise ValueError('it is not a JSON object such as {"Version": "2012-10-17", "Statement": []}')  # noqa: TRY004 - all are
    return text


def policy_arns(text: str) -> tuple[str, ...]:
    """ARNs of managed policies, one per line; at most ten (STS API Reference)."""
    arns, most = lines(text), 10
    for arn in arns:
        if not re.fullmatch(r"arn:aws(?:-[a-z]+)*:iam::(?:aws|[0-9]{12}):policy/[!-~]+", arn):
            raise ValueError(f"{quoted(arn)} is not the ARN of a policy")
    if len(arns) > most:
        raise ValueError(f"it has {len(arns)} policies; the maximum is {most}")
    return arns


def any_policy_arns(text: str) -> tuple[str, ...]:
    """ARNs of policies of a service that is not AWS, one per line."""
    arns = lines(text)
    for arn in arns:
        if not re.fullmatch(r"[!-~]+:[!-~]+", arn):
            raise ValueError(f"{quoted(arn)} is not the ARN of a policy")
    return arns


def custom_tags(text: str) -> dict[str, str]:
    """Session tags as a JSON object of scalars; its limits are those of the STS API Reference (Tag)."""
    given = _json(text)
    if not isinstance(given, dict):
        raise ValueError('it is not a JSON object such as {"Team": "Platform"}')  # noqa: TRY004 - as above
    return {name: _scalar(name, value) for name, value in given.items()}


def account_ids(text: str) -> tuple[str, ...]:
    """AWS account IDs, separated by commas.

    A YAML number loses its leading zeros, so they are added again.
    """
    parts = _parts(text)
    for number, part in enumerate(parts, 1):
        if re.fullmatch(r"[0-9.]+E\+?[0-9]+", part, re.IGNORECASE):
            raise ValueError(
                f"ID {number} in {quoted(text)} was changed by YAML, which read a number; put it in quotes"
            )
        if not re.fullmatch(r"[0-9]{1,12}", part):
            raise ValueError(f"ID {number} in {quoted(text)} is not an account ID, which has 12 digits")
    return tuple(part.zfill(12) for part in parts)


def any_account_ids(text: str) -> tuple[str, ...]:
    """Accounts or tenants of a service that is not AWS, separated by commas; those of digits alone as for AWS."""
    parts = _parts(text)
    for number, part in enumerate(parts, 1):
        if not re.fullmatch(r"[!-~]+", part):
            raise ValueError(
                f"ID {number} in {quoted(text)} is not an account ID: it must be one word of ASCII characters"
            )
    return tuple(part.zfill(12) if part.isdecimal() else part for part in parts)


def _parts(text: str) -> list[str]:
    """The IDs of a list. A message shows the whole list: the runner does not mask a part of a secret."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        # A check against expressions that are all empty must not allow every account.
        raise ValueError("it contains no account ID")
    return parts


def profile(text: str) -> str:
    """Name of a profile that all SDKs read in the same way in a section header."""
    if not re.fullmatch(r"[!-~]+", text) or set(text) & set("[]/\\\"'`#;"):
        raise ValueError(
            f"{quoted(text)} contains white space, brackets, slashes, quotes or another character that is not allowed"
        )
    if text == "DEFAULT":
        raise ValueError(
            "'DEFAULT' is not allowed, since some SDKs apply it to all profiles; use 'default' for the default profile"
        )
    return text


def url(text: str) -> str:
    """An http or https URL with a host, and without a query or a fragment; its text may hold a password."""
    try:
        parts = urlsplit(text)
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_right = urlsplit(""), False
    # Parsers do not agree on what a backslash is.
    plain = re.fullmatch(r"[!-\[\]-~]+", text)
    if not (parts.scheme in {"http", "https"} and parts.hostname and port_is_right and plain):
        raise ValueError("it is not a URL such as https://host.example:8080")
    if parts.query or parts.fragment:
        raise ValueError("it must not contain a query or a fragment")
    return text


def proxy(text: str) -> str:
    """The URL of a proxy; `host:port` alone is one that speaks http, as in curl."""
    return url(text if "://" in text else f"http://{text}")


def endpoint(text: str) -> str:
    """The URL of a service."""
    if urlsplit(url(text)).username is not None:
        raise ValueError("it must not contain a user name")
    return text


def _json(text: str) -> object:
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise ValueError("it is not valid JSON") from None


def _no_number(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


def _scalar(name: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"the number in {quoted(name)} is too large")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # JSON has one kind of number: 12.0 is 12
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"the value of {quoted(name)} is not a string, number or boolean")
