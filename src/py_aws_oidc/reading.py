"""How the text of one input is read.

Every function takes the text, trimmed and not empty, and raises ValueError with a sentence that says why it cannot
be used. The texts of secrets are never repeated.
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
    """A role by its name alone, perhaps behind its path: its account is that of whoever assumes it."""

    name: str


def boolean(text: str) -> bool:
    """One of the six spellings of YAML 1.2."""
    if text not in _BOOLEANS:
        raise ValueError(f"{quoted(text)} is neither true nor false")
    return _BOOLEANS[text]


def region(text: str) -> str:
    """A region's name by its form; which regions there are changes too often to list."""
    if not re.fullmatch(r"[a-z0-9-]+", text):
        raise ValueError(f"{quoted(text)} is not a region; a region looks like us-east-1")
    return text


def any_region(text: str) -> str:
    """A region of a service that is not AWS: one word, since it goes into variables and files."""
    if not re.fullmatch(r"[!-~]{1,128}", text):
        raise ValueError(f"{quoted(text)} is not a region; it must be one word of at most 128 ASCII characters")
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
        raise ValueError(f"{quoted(text)} is not 2 to 64 letters, digits or characters of _+=,.@-")
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
    """A number without a fraction; below zero is for those who read it to judge."""
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise ValueError(f"{quoted(text)} is not a whole number")
    return int(text)


def attempts(text: str) -> int:
    """How often to try in all; less than once is once, as in the action that this one replaces."""
    return max(1, whole_number(text))


def seconds(text: str) -> int:
    """A time limit in seconds; zero is none."""
    if (number := whole_number(text)) < 0:
        raise ValueError(f"{number} is less than no time")
    return number


def one_line(text: str) -> str:
    """Any text that can be printed on one line; it goes into URLs and paths, so it has an end."""
    most = 2048
    if not text.isprintable():
        raise ValueError("it has characters that cannot be printed, such as a line break")
    if len(text) > most:
        raise ValueError(f"it has {len(text)} characters, which is more than {most}")
    return text


def lines(text: str) -> tuple[str, ...]:
    """One value a line; blank lines count for nothing."""
    return tuple(one_line(line.strip()) for line in re.split(r"\r\n|\r|\n", text) if line.strip())


def external_id(text: str) -> Secret:
    """`ExternalId` as the STS API Reference limits it."""
    if not re.fullmatch(r"[\w+=,.@:/-]{2,1224}", text, re.ASCII):
        raise ValueError("it is not 2 to 1224 letters, digits or characters of _+=,.@:/-")
    return Secret(text)


def key(text: str) -> Secret:
    """A part of AWS credentials: one word, since it goes into variables, files and headers."""
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("it has white space or other characters that no AWS key has")
    return Secret(text)


def policy(text: str) -> str:
    """A session policy: a JSON object, handed on as it was written."""
    if not isinstance(_json(text), dict):
        raise ValueError('it is not a JSON object like {"Version": "2012-10-17", "Statement": []}')  # noqa: TRY004 - all are
    return text


def policy_arns(text: str) -> tuple[str, ...]:
    """ARNs of managed policies, one a line; at most ten (STS API Reference)."""
    arns, most = lines(text), 10
    for arn in arns:
        if not re.fullmatch(r"arn:aws(?:-[a-z]+)*:iam::(?:aws|[0-9]{12}):policy/[!-~]+", arn):
            raise ValueError(f"{quoted(arn)} is not the ARN of a policy")
    if len(arns) > most:
        raise ValueError(f"{len(arns)} policies are more than the {most} that a session takes")
    return arns


def any_policy_arns(text: str) -> tuple[str, ...]:
    """ARNs of policies of a service that is not AWS, one a line."""
    arns = lines(text)
    for arn in arns:
        if not re.fullmatch(r"[!-~]+:[!-~]+", arn):
            raise ValueError(f"{quoted(arn)} is not the ARN of a policy")
    return arns


def custom_tags(text: str) -> dict[str, str]:
    """Session tags as a JSON object of scalars; its limits are those of the STS API Reference (Tag)."""
    given = _json(text)
    if not isinstance(given, dict):
        raise ValueError('it is not a JSON object like {"Team": "Platform"}')  # noqa: TRY004 - as above
    return {name: _scalar(name, value) for name, value in given.items()}


def account_ids(text: str) -> tuple[str, ...]:
    """AWS account ids, separated by commas.

    A YAML number loses its leading zeros on the way, so a shorter one is filled up with them.
    """
    accounts = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        if re.fullmatch(r"[0-9.]+E\+?[0-9]+", part, re.IGNORECASE):
            raise ValueError(f"{quoted(part)} is an id that YAML took for a number; put it in quotes")
        if not re.fullmatch(r"[0-9]{1,12}", part):
            raise ValueError(f"{quoted(part)} is not an account id; one has 12 digits")
        accounts.append(part.zfill(12))
    if not accounts:
        # Else a guard whose expressions are all empty would stand open.
        raise ValueError("there is no account id in it")
    return tuple(accounts)


def any_account_ids(text: str) -> tuple[str, ...]:
    """Accounts or tenants of a service that is not AWS, separated by commas; those of digits alone as for AWS."""
    parts = tuple(filter(None, (part.strip() for part in text.split(","))))
    if not parts:
        raise ValueError("there is no account id in it")
    for part in parts:
        if not re.fullmatch(r"[!-~]+", part):
            raise ValueError(f"{quoted(part)} is not an account id; it must be one word of ASCII characters")
    return tuple(part.zfill(12) if part.isdecimal() else part for part in parts)


def profile(text: str) -> str:
    """A profile's name that every SDK reads the same in a section's head."""
    if not re.fullmatch(r"[!-~]+", text) or set(text) & set("[]/\\\"'`#;"):
        raise ValueError(f"{quoted(text)} has white space, brackets, slashes, quotes or other such characters")
    if text == "DEFAULT":
        raise ValueError("'DEFAULT' would be taken for settings of every profile; the default profile is 'default'")
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
        raise ValueError("it is not a URL like https://host.example:8080")
    if parts.query or parts.fragment:
        raise ValueError("it must be a plain URL, without a query or a fragment")
    return text


def proxy(text: str) -> str:
    """The URL of a proxy; `host:port` alone is one that speaks http, as in curl."""
    return url(text if "://" in text else f"http://{text}")


def endpoint(text: str) -> str:
    """The URL of a service."""
    if urlsplit(url(text)).username is not None:
        raise ValueError("it must not have a user name in it")
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
        raise ValueError(f"the value of {quoted(name)} is too large a number")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # JSON has one kind of number: 12.0 is 12
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"the value of {quoted(name)} is neither a text nor a number nor true or false")
