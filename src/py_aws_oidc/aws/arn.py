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
# Of a service that is not AWS: an ARN is printed and sent, so it is one word with an end, whatever else is in it.
_OTHER_ROLE = re.compile(r"(?=[!-~]{3,2048}\Z)(?:arn:aws[a-z-]*:.*:role/.+|(?!arn:aws[a-z-]*:).+:.+)")
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
    def of_other_service(cls, text: str) -> Self:
        """Read a role's ARN of an STS that is not AWS's, which defines its form; ValueError if it cannot be one."""
        if not _OTHER_ROLE.fullmatch(text):
            raise ValueError(
                f"{quoted(text)} is not the ARN of a role; sts-endpoint is not an endpoint of AWS, so give the ARN as "
                "that service shows it, like arn:aws:iam:::role/NAME"
            )
        partition = text.split(":")[1]
        return cls(text, partition, account_of(text), re.split("[:/]", text)[-1])

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


def account_of(arn: str) -> str:
    """The account that an ARN names; empty where it names none, as in Ceph's."""
    fields = arn.split(":", 5)
    return fields[4] if len(fields) == len(("arn", "partition", "service", "region", "account", "resource")) else ""


def is_of_other_service(role: str) -> bool:
    """True if this is the ARN of a role in a form that is not a misspelled one of AWS."""
    if not role.startswith("arn:") or ":role/" not in role:
        return False
    partition = role.split(":")[1]
    return not (re.fullmatch("aws(-[a-z]+)*", partition) and re.fullmatch("[0-9]+", account_of(role)))


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
    form = "a role ARN looks like arn:aws:iam::123456789012:role/NAME"
    if not text.startswith("arn:"):
        return f"{quoted(text)} is not an ARN; {form}"
    if any(character.isspace() for character in text):
        return f"{quoted(text)} contains white space; {form}"
    _, _, service, _, account, resource = (text.split(":", 5) + [""] * 5)[:6]
    if service != "iam" or not resource.startswith("role/"):
        return f"{quoted(text)} is the ARN of another resource, not of an IAM role; {form}"
    if not re.fullmatch(r"[0-9]{12}", account):
        return f"the account ID in {quoted(text)} does not have 12 digits; {form}"
    return f"{quoted(text)} is not a valid role ARN; {form}"
