"""What the template and the module ask IAM for, as one value, and IAM's answer in a world."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.utilities.utils import get_partition

from sandbox.world import ACCOUNT

MADE_UP = "made-up"  # the name of a role that was given none


class RefusedError(Exception):
    """The parameters, or the variables, are not taken; in the words that their user sees."""


@dataclass(frozen=True)
class Provider:
    url: str
    audiences: tuple[str, ...]
    thumbprints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Role:
    name: str
    path: str
    description: str
    max_session_duration: int
    trust: Mapping[str, object]
    policies: frozenset[str]
    boundary: str | None


@dataclass(frozen=True)
class Stack:
    provider: Provider | None
    role: Role
    role_arn: str
    provider_arn: str
    snippet: str

    def create(self, iam: Any) -> str:
        """The ARN of the role, after this client of IAM has made all of it."""
        if self.provider:
            iam.create_open_id_connect_provider(
                Url=self.provider.url,
                ClientIDList=list(self.provider.audiences),
                # moto's IAM asks for some.
                ThumbprintList=list(self.provider.thumbprints or ("0" * 40,)),
            )
        boundary = {"PermissionsBoundary": self.role.boundary} if self.role.boundary else {}
        answer = iam.create_role(
            RoleName=self.role.name,
            Path=self.role.path,
            Description=self.role.description,
            MaxSessionDuration=self.role.max_session_duration,
            AssumeRolePolicyDocument=json.dumps(self.role.trust),
            **boundary,
        )
        for arn in self.role.policies:
            iam.attach_role_policy(RoleName=self.role.name, PolicyArn=arn)
        return answer["Role"]["Arn"]


def provider_arn(issuer: str, region: str) -> str:
    """The ARN that IAM gives to a new identity provider."""
    return f"arn:{get_partition(region)}:iam::{ACCOUNT}:oidc-provider/{issuer}"


def role_arn(name: str, path: str, region: str) -> str:
    """The ARN that IAM gives to a new role."""
    return f"arn:{get_partition(region)}:iam::{ACCOUNT}:role{path}{name}"
