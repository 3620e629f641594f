"""ARNs, accounts, partitions.

The forms are those of the AWS General Reference ("Amazon Resource Names") and of the IAM User Guide
("IAM identifiers", "IAM and AWS STS quotas").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from py_aws_oidc.quoting import quoted

_ROLE = re.compile(
    r"arn:(?P<partition>aws(?:-[a-z]+)*):iam::(?P<account>[0-9]{12})"
    r":role/(?:[!-.0-~]+/)*(?P<name>[\w+=,.@-]{1,64})",
    re.ASCII,
)
_ASSUMED_ROLE = re.compile(
    r"arn:aws(?:-[a-z]+)*:sts::(?P<account>[0-9]{12})"
    r":assumed-role/(?P<role>[\w+=,.@-]{1,64})/[\w+=,.@-]{2,64}",
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

    @classmethod
    def named(cls, name: str, account: str, region: str) -> Self:
        """The role of this name, which may have its path before it, in the account and the region's partition."""
        return cls.parse(f"arn:{partition_of(region)}:iam::{account}:role/{name}")


@dataclass(frozen=True)
class AssumedRole:
    """A role in a session, as `GetCallerIdentity` and CloudTrail name it."""

    arn: str
    account: str
    role: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an assumed role's ARN; ValueError if it is none."""
        if match := _ASSUMED_ROLE.fullmatch(text):
            return cls(text, match["account"], match["role"])
        raise ValueError(f"{quoted(text)} is not the ARN of an assumed role")


# By the beginning of a region's name; every other region is in the partition aws (botocore's partitions.json).
_PARTITIONS = (
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
    ("eusc-", "aws-eusc"),
)


def partition_of(region: str) -> str:
    """The partition in which a region lies."""
    return next((partition for start, partition in _PARTITIONS if region.startswith(start)), "aws")


def _why_no_role(text: str) -> str:
    form = "a role's ARN looks like arn:aws:iam::123456789012:role/NAME"
    if not text.startswith("arn:"):
        return f"{quoted(text)} is not an ARN; {form}"
    if any(character.isspace() for character in text):
        return f"{quoted(text)} has white space in it; {form}"
    _, _, service, _, account, resource = (text.split(":", 5) + [""] * 5)[:6]
    if service != "iam" or not resource.startswith("role/"):
        kind = quoted(f"{service}, {resource.partition('/')[0]}".strip(", "))
        return f"{quoted(text)} is not the ARN of an IAM role but of something else ({kind}); {form}"
    if not re.fullmatch(r"[0-9]{12}", account):
        return f"{quoted(text)} has no account id of 12 digits but {quoted(account)}; {form}"
    return f"{quoted(text)} is not a valid role ARN; {form}"
