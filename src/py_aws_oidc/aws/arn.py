"""ARNs, accounts, partitions.

The forms are those of the AWS General Reference ("Amazon Resource Names") and of the IAM User Guide
("IAM identifiers", "IAM and AWS STS quotas").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

_ROLE = re.compile(
    r"arn:(?P<partition>aws(?:-[a-z]+)*):iam::(?P<account>[0-9]{12})"
    r":role/(?P<path>(?:[!-.0-~]+/)*)(?P<name>[\w+=,.@-]{1,64})",
    re.ASCII,
)
_ASSUMED_ROLE = re.compile(
    r"arn:aws(?:-[a-z]+)*:sts::(?P<account>[0-9]{12})"
    r":assumed-role/(?P<role>[\w+=,.@-]{1,64})/(?P<session>[\w+=,.@-]{2,64})",
    re.ASCII,
)


@dataclass(frozen=True)
class Role:
    """An IAM role, by its ARN."""

    arn: str
    partition: str
    account: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a role's ARN; ValueError says in a sentence why it is none."""
        if match := _ROLE.fullmatch(text):
            return cls(text, match["partition"], match["account"], match["name"])
        raise ValueError(_why_no_role(text))


@dataclass(frozen=True)
class AssumedRole:
    """A role in a session, as `GetCallerIdentity` and CloudTrail name it."""

    arn: str
    account: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an assumed role's ARN; ValueError if it is none."""
        if match := _ASSUMED_ROLE.fullmatch(text):
            return cls(text, match["account"])
        raise ValueError(f"{text!r} is not the ARN of an assumed role")


def _why_no_role(text: str) -> str:
    form = "a role's ARN looks like arn:aws:iam::123456789012:role/NAME"
    if not text.startswith("arn:"):
        return f"{text!r} is not an ARN; {form}"
    if any(character.isspace() for character in text):
        return f"{text!r} has white space in it; {form}"
    _, _, service, _, account, resource = (text.split(":", 5) + [""] * 5)[:6]
    if service != "iam" or not resource.startswith("role/"):
        kind = f"{service}, {resource.partition('/')[0]}".strip(", ")
        return f"{text!r} is not the ARN of an IAM role but of something else ({kind}); {form}"
    if not re.fullmatch(r"[0-9]{12}", account):
        return f"{text!r} has no account id of 12 digits but {account!r}; {form}"
    return f"{text!r} is not a valid role ARN; {form}"
