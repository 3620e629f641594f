"""The claims of the token, for a person to compare with a trust policy; pure.

The claims are those of GitHub's "OpenID Connect reference" that AWS can look at, or that explain those.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from py_aws_oidc.quoting import shown

SHOWN = (
    "iss",
    "aud",
    "sub",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "ref",
    "environment",
    "event_name",
    "job_workflow_ref",
    "runner_environment",
)
ABSENT = "(not in the token)"
_SUBJECT = re.compile(
    r"repo:(?P<owner>[\w-]+)(?:@(?P<owner_id>[0-9]+))?/(?P<name>[\w.-]+)(?:@(?P<repository_id>[0-9]+))?"
    r":(?P<context>pull_request|(?:environment|ref):[^:]+)",  # a colon in a name is written as %3A
    re.ASCII,
)


def said(claims: Mapping[str, Any]) -> dict[str, str]:
    """The value of each claim that matters."""
    return {name: str(claims.get(name, ABSENT)) for name in SHOWN}


def lines(claims: Mapping[str, Any], now: datetime) -> list[str]:
    """One line a claim, and how many seconds the token is still good; never the token."""
    width = max(map(len, SHOWN))
    # A value is one line, so that none can look like another claim.
    told = [f"{name:<{width}}  {shown(value)}" for name, value in said(claims).items()]
    return [*told, f"{'expires':<{width}}  in {claims['exp'] - now.timestamp():.0f} s"]


@dataclass(frozen=True)
class Subject:
    """A `sub` as GitHub writes it unless it is customised.

    `context` is `environment:NAME`, `pull_request` or `ref:REF`. The ids are there in the immutable form, which
    repositories have that were created, renamed or transferred after 15 July 2026.
    """

    owner: str
    name: str
    context: str
    owner_id: str | None = None
    repository_id: str | None = None

    @classmethod
    def parse(cls, sub: str) -> Self | None:
        """The parts of a `sub`; None when it is in neither of the two forms."""
        match = _SUBJECT.fullmatch(sub)
        if not match or bool(match["owner_id"]) != bool(match["repository_id"]):
            return None
        return cls(**match.groupdict())

    @classmethod
    def by_default(cls, claims: Mapping[str, Any]) -> Self | None:
        """The subject by names that a job of these claims has without a template; None when they do not tell."""
        if claims.get("environment"):
            context = f"environment:{str(claims['environment']).replace(':', '%3A')}"
        else:
            context = "pull_request" if claims.get("event_name") == "pull_request" else f"ref:{claims.get('ref')}"
        return cls.parse(f"repo:{claims.get('repository')}:{context}") if claims.get("ref") else None

    def __str__(self) -> str:
        if self.is_immutable:
            return f"repo:{self.owner}@{self.owner_id}/{self.name}@{self.repository_id}:{self.context}"
        return f"repo:{self.owner}/{self.name}:{self.context}"

    @property
    def is_immutable(self) -> bool:
        """True if it stays the same when the repository is renamed."""
        return self.owner_id is not None

    def by_names(self) -> Self:
        """The same without ids."""
        return replace(self, owner_id=None, repository_id=None)

    def by_ids(self, owner_id: str, repository_id: str) -> Self:
        """The same in the immutable form."""
        return replace(self, owner_id=owner_id, repository_id=repository_id)
