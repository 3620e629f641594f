"""What is known of a run that AWS refused; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from py_aws_oidc.aws.arn import Role
from py_aws_oidc.aws.errors import Refused
from py_aws_oidc.explain import trust
from py_aws_oidc.explain.claims import Subject

MOST_TRIES = 100
"""How many values of a policy are tried in place of the token's: each is an evaluation of the whole policy or two."""


@dataclass(frozen=True)
class PolicyFile:
    """The role's trust policy as the repository has it, and the file that it stands in."""

    name: str
    document: Mapping[str, Any]


@dataclass(frozen=True)
class Evidence:
    """The refusal, what was asked for, what the token says and, if the workflow names it, the trust policy."""

    refused: Refused
    role: Role | None
    audience: str
    seconds: int
    region: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict)
    policy_file: PolicyFile | None = None
    session_name: str = "GitHubActions"
    gives_external_id: bool = False
    tags_session: bool = True

    @cached_property
    def subject(self) -> Subject | None:
        """The parts of `sub`, if it is as GitHub writes it by itself."""
        return Subject.parse(str(self.claims.get("sub", "")))

    @property
    def token_audience(self) -> str:
        """The audience that the token is for: the one asked for, unless the token is from another source."""
        said = self.claims.get("aud", self.audience)
        audiences = said if isinstance(said, list) else [said]
        return self.audience if self.audience in audiences else str(next(iter(audiences), self.audience))

    @property
    def owner_id(self) -> str:
        """The id of the repository's owner; empty if the token does not tell."""
        return self._id("repository_owner_id")

    @property
    def repository_id(self) -> str:
        """The id of the repository; empty if the token does not tell."""
        return self._id("repository_id")

    def _id(self, claim: str) -> str:
        said = str(self.claims.get(claim))
        return said if re.fullmatch("[0-9]+", said, re.ASCII) else ""

    @property
    def issuer(self) -> str:
        """Who signed the token, as it says itself."""
        return str(self.claims.get("iss", ""))

    @property
    def provider(self) -> str:
        """The issuer as IAM names it, and the beginning of every condition key: host and path."""
        return trust.provider_of(self.issuer)

    @property
    def provider_arn(self) -> str:
        """The identity provider that must be in the role's account."""
        return trust.provider_arn(self.issuer, self.role.account, self.role.partition) if self.role else ""

    @property
    def decision(self) -> trust.Decision | None:
        """What the policy in the repository says to this token; None without one, or one that cannot be judged."""
        return self._judged if isinstance(self._judged, trust.Decision) else None

    @property
    def not_judged(self) -> str:
        """Why there is no decision; empty if there is one."""
        return self._judged if isinstance(self._judged, str) else ""

    @cached_property
    def _judged(self) -> trust.Decision | str:
        if self.policy_file is None:
            return "there is no policy"
        if not self.claims:
            return "what the token says is not known"
        try:
            return self._decide(self.policy_file.document)
        except trust.UnsupportedPolicyError as error:
            return f"it has a {error}"

    def would_allow(self, **claims: str) -> bool:
        """True if the policy in the repository would allow a token that says this instead."""
        return bool(self.policy_file and self._decide(self.policy_file.document, **claims).allowed)

    def _decide(self, policy: Mapping[str, Any], **instead: str) -> trust.Decision:
        context = trust.context_of({**self.claims, **instead}, self.provider, session_name=self.session_name)
        return trust.evaluate(policy, principal=self.provider_arn, action=trust.EXCHANGE, context=context)

    @property
    def meant(self) -> Iterator[trust.Verdict]:
        """The statements that allow such an exchange for this provider, if their conditions hold."""
        for verdict in self.decision.verdicts if self.decision else ():
            if verdict.effect == "Allow" and verdict.principal_fits and verdict.action_fits:
                yield verdict

    @property
    def failing(self) -> Iterator[trust.Test]:
        """Their conditions that do not hold."""
        for verdict in self.meant:
            yield from (test for test in verdict.tests if not test.holds)

    def wanted(self, claim: str) -> list[str]:
        """What the conditions on a claim that do not hold ask for, each once."""
        key = f"{self.provider}:{claim}".lower()
        return [*dict.fromkeys(value for test in self.failing if test.key.lower() == key for value in test.wanted)]

    @cached_property
    def nearest(self) -> Subject | None:
        """The subject that the policy would allow in place of the token's, as near to it as there is one."""
        others = self._others(self.subject) if self.subject and self.decision else ()
        return next((other for other in others if other != self.subject and self.would_allow(sub=str(other))), None)

    def _others(self, subject: Subject) -> Iterator[Subject]:
        ids = (self.owner_id, self.repository_id)
        forms = [subject, subject.by_ids(*ids) if not subject.is_immutable and all(ids) else subject.by_names()]
        for context in (subject.context, *self._contexts_wanted()):
            yield from (replace(form, context=context) for form in forms)

    def _contexts_wanted(self) -> list[str]:
        """What the policy has for the last part of `sub`, with something plain for each wildcard; not too many."""
        ends = (re.search(r":((?:ref|environment):[^:]*|pull_request)\Z", sub) for sub in self.wanted("sub"))
        contexts = dict.fromkeys(re.sub(r"[*?]", "x", match[1]) for match in ends if match)
        return [*contexts][:MOST_TRIES]

    @property
    def would_allow_another_audience(self) -> bool:
        """True if an audience that the policy names, in place of the token's, would be allowed."""
        return any(self.would_allow(aud=audience) for audience in self.wanted("aud")[:MOST_TRIES])
