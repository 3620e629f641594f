"""A refusal by an STS that is not AWS's; pure.

What such a service compares, and the names of its condition keys, are its own. What is said here holds for all of them;
it follows the documentation of Ceph ("STS in Ceph", "OpenID Connect Provider in RGW") and MinIO (STS API).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

from py_aws_oidc.aws.errors import Refused, spoken
from py_aws_oidc.explain import claims
from py_aws_oidc.explain.evidence import Evidence
from py_aws_oidc.explain.markdown import code, text
from py_aws_oidc.quoting import shown


def explain(evidence: Evidence) -> Refused:
    """Explain the refusal; the result is the refusal with other texts, to be raised."""
    refused = evidence.refused
    checks = list(_checks(evidence))
    said = [f"- {name}: {shown(value)}" for name, value in _said(evidence).items()]
    return refused.replaced(
        name="refused-by-other-service",
        what=f"{refused.by} refused {refused.operation}{f' for {evidence.role.arn}' if evidence.role else ''}: "
        f"{spoken(refused.code, refused.message, refused.status)}",
        why=[
            *(["the token says:", *said] if said else ()),
            "This service is not AWS: its own log and documentation say what it compared.",
        ],
        fix=["check these on the service:", *(f"- {check}" for check in checks)],
        details="\n".join(_details(evidence, checks)),
    )


def _said(evidence: Evidence) -> dict[str, str]:
    """The claims that a service compares, with the expiration as a time."""
    if not evidence.claims:
        return {}
    said = {name: str(evidence.claims.get(name, claims.ABSENT)) for name in ("iss", "sub", "aud", "exp")}
    with suppress(ValueError, OverflowError):  # a token of a file may say anything
        said["exp"] = f"{datetime.fromtimestamp(float(said['exp']), UTC):%Y-%m-%dT%H:%M:%SZ}"
    return said


def _checks(evidence: Evidence) -> Iterator[str]:
    role = evidence.role.arn if evidence.role else "the role"
    if evidence.refused.operation == "AssumeRoleWithWebIdentity":
        issuer, audience = shown(evidence.issuer) or "the token's issuer", shown(evidence.token_audience)
        yield f"The role {role} exists, and role-to-assume is its ARN, letter by letter."
        yield f"An OpenID Connect provider for {issuer} is registered, with the audience {audience}."
        yield (
            f"The service reaches {issuer}/.well-known/openid-configuration and the keys that it names. If the "
            "provider has thumbprints, they are those of the issuer's certificates."
        )
        yield (
            "The role's trust policy allows sts:AssumeRoleWithWebIdentity for this provider, and each condition holds "
            "for the claims above. The service may have other condition keys than AWS."
        )
        yield "The token has not expired, and the clocks of the service and the runner are right."
    else:
        yield "The access key id and the secret access key are of this service, and have not expired."
        yield f"The role {role} exists, and role-to-assume is its ARN, letter by letter."
        yield "The role's trust policy allows sts:AssumeRole for the owner of these keys."
        if evidence.tags_session:
            yield "The service supports session tags. If not, set role-skip-session-tagging: true."
    yield f"It allows sessions of {evidence.seconds} seconds (role-duration-seconds)."
    if evidence.policy_file:
        yield f"{evidence.policy_file.name} was not compared with the token: this action knows the rules of AWS only."


def _details(evidence: Evidence, checks: list[str]) -> Iterator[str]:
    yield "### What to check\n"
    yield from (f"{number}. {text(check)}" for number, check in enumerate(checks, 1))
    if evidence.claims:
        yield "\n### What the ID token says\n"
        yield "| claim | value |\n| --- | --- |"
        yield from (f"| {name} | {code(value)} |" for name, value in claims.said(evidence.claims).items())
