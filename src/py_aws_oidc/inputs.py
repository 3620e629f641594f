"""The user's words, typed and checked.

The fields of `Inputs` are the table of inputs: a row is the name, the type, how its text is read, the default
and the help. action.yml and the README are checked against it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, Self, TypeVar, cast
from urllib.parse import urlsplit

from py_aws_oidc.aws.arn import Role
from py_aws_oidc.failure import Failure

T = TypeVar("T")

# The YAML 1.2 core schema's booleans, which are what actions/toolkit's getBooleanInput takes.
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_SHOWN = 60  # characters of a rejected value that a message repeats


class InvalidInputs(Failure):
    """One or more inputs cannot be used; `problems` has a sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        count = "1 input" if len(problems) == 1 else f"{len(problems)} inputs"
        super().__init__(
            f"{count} of this step cannot be used, so nothing was tried.",
            why="".join(f"\n- {problem}" for problem in problems),
            fix="correct the step's `with:` block in the workflow file. If a value comes from a secret or a "
            "variable, it must be set where this job can see it; pull requests from forks and from Dependabot see "
            "no secrets of Actions.",
        )


def boolean(text: str) -> bool:
    """One of the six spellings of YAML 1.2."""
    if text not in _BOOLEANS:
        raise ValueError(f"{_quoted(text)} is neither true nor false")
    return _BOOLEANS[text]


def region(text: str) -> str:
    """A region's name by its form; which regions there are changes too often to list."""
    if not re.fullmatch(r"[a-z0-9-]+", text):
        raise ValueError(f"{_quoted(text)} is not a region; a region looks like us-east-1")
    return text


def role_session_name(text: str) -> str:
    """`RoleSessionName` as the STS API Reference limits it."""
    if not re.fullmatch(r"[\w+=,.@-]{2,64}", text, re.ASCII):
        raise ValueError(f"{_quoted(text)} is not 2 to 64 letters, digits or characters of _+=,.@-")
    return text


def duration_seconds(text: str) -> int:
    """`DurationSeconds` as the STS API Reference limits it: 15 minutes to 12 hours."""
    shortest, longest = 900, 43_200
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"{_quoted(text)} is not a whole number of seconds")
    if not shortest <= int(text) <= longest:
        raise ValueError(f"{int(text)} is not between {shortest} (15 minutes) and {longest} (12 hours)")
    return int(text)


def audience(text: str) -> str:
    """Any text on one line: what an audience is, the identity provider decides."""
    if not text.isprintable():
        raise ValueError("it has characters that cannot be printed, such as a line break")
    return text


def endpoint(text: str) -> str:
    """An http or https URL with a host."""
    try:
        parts = urlsplit(text)
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_right = urlsplit(""), False
    printable = text.isprintable() and " " not in text
    if not (parts.scheme in {"http", "https"} and parts.hostname and port_is_right and printable):
        raise ValueError(f"{_quoted(text)} is not a URL like https://sts.us-east-1.amazonaws.com")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("it must be a plain URL, without a user name, a query or a fragment")
    return text


def needed(read: Callable[[str], T], because: str, about: str) -> T:
    """A row for an input that there is no doing without; `because` finishes the sentence that says so."""
    return cast("T", field(metadata={"read": read, "needed": because, "about": about}))


def optional(read: Callable[[str], T], default: T, about: str, *, written: str = "") -> T:
    """A row for an input that may be absent; `written` is its default as action.yml writes it."""
    metadata = {"read": read, "default": written, "about": about}
    chosen: T = field(default=default, metadata=metadata)
    return chosen


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the step's `with:` block says."""

    aws_region: str = needed(
        region,
        "it says in which region the role is assumed and later steps work, like us-east-1",
        "AWS Region in which the role is assumed and in which later steps work, like us-east-1.",
    )
    role_to_assume: Role = needed(
        Role.parse,
        "it says which role to assume, like arn:aws:iam::123456789012:role/NAME",
        "ARN of the IAM role to assume, like arn:aws:iam::123456789012:role/NAME.",
    )
    audience: str = optional(
        audience,
        "sts.amazonaws.com",
        "Audience of the ID token; the identity provider in IAM must list it.",
        written="sts.amazonaws.com",
    )
    role_session_name: str = optional(
        role_session_name,
        "GitHubActions",
        "Name of the session, seen in CloudTrail and in the assumed role's ARN (default: GitHubActions).",
    )
    role_duration_seconds: int = optional(
        duration_seconds,
        3600,
        "Seconds the credentials are good for: 900 to 43200, and the role's maximum at most (default: 3600).",
    )
    output_credentials: bool = optional(
        boolean, False, "Whether the credentials are outputs of the step as well (default: false)."
    )
    output_env_credentials: bool = optional(
        boolean,
        True,
        "Whether credentials and region become environment variables of later steps (default: true).",
    )
    mask_aws_account_id: bool = optional(
        boolean, False, "Whether the AWS account id is masked in the log (default: false)."
    )
    sts_endpoint: str | None = optional(
        endpoint, None, "URL of the STS endpoint to call instead of the region's own."
    )

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read every INPUT_ variable; InvalidInputs names all that is wrong, not the first."""
        values: dict[str, object] = {}
        problems: list[str] = []
        for each in fields(cls):
            text = environ.get(variable(each), "").strip()
            try:
                if text:
                    values[each.name] = each.metadata["read"](text)
                elif "needed" in each.metadata:
                    problems.append(f"{name(each)} is absent or empty; {each.metadata['needed']}")
            except ValueError as error:
                problems.append(f"{name(each)}: {error}")
        if problems:
            raise InvalidInputs(problems)
        return cls(**cast("dict[str, Any]", values))


def name(input_: Field[Any]) -> str:
    """The input's name in action.yml."""
    return input_.name.replace("_", "-")


def variable(input_: Field[Any]) -> str:
    """The variable in which the runner hands the input over: hyphens stay (GitHub: Metadata syntax)."""
    return f"INPUT_{name(input_).upper()}"


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
