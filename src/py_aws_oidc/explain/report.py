"""Why AWS refused, in words that a person can act on.

AWS's own messages are terse on purpose; the causes are those of the IAM User Guide ("Troubleshoot OIDC
federation", "Troubleshoot IAM roles") and of the STS API Reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from typing import Any

from py_aws_oidc.aws.arn import Role
from py_aws_oidc.aws.errors import Refused, spoken
from py_aws_oidc.failure import Failure


@dataclass(frozen=True)
class Cause:
    """One way for AWS to refuse: the error code, a part of the message, and what is to be said of it.

    The texts may name $role, $role_name, $account, $partition, $audience, $seconds, $sub, $aud, $issuer (as the
    token has it) and $provider (its ARN).
    """

    code: str
    message: str
    why: str
    fix: str
    operation: str = ""

    def fits(self, refused: Refused) -> bool:
        """Whether this is what AWS said."""
        return (
            refused.code.startswith(self.code)
            and self.message in refused.message
            and self.operation in {"", refused.operation}
        )


# The first that fits is told, so the row that says more of the message stands before the one that says less.
CAUSES = (
    Cause(
        "InvalidIdentityToken",
        "No OpenIDConnect provider found",
        why="account $account has no identity provider for the issuer of this token, $issuer.",
        fix="check that role-to-assume names the right account; if it does, create the identity provider there: "
        "$provider, with the audience $audience.",
    ),
    Cause(
        "InvalidIdentityToken",
        "Incorrect token audience",
        why="the token is for the audience $aud, and the identity provider $provider does not list it.",
        fix="add this audience to the identity provider, or set the input audience to one that it lists "
        "(sts.amazonaws.com, or sts.amazonaws.com.cn in China, is usual).",
    ),
    Cause(
        "InvalidIdentityToken",
        "",
        why="AWS could not verify that $issuer signed this token: the keys that it publishes are not the ones "
        "the token was signed with, or AWS could not fetch them.",
        fix="if this is GitHub Enterprise Server, check that AWS reaches $issuer/.well-known/openid-configuration "
        "from the internet; else run the job again.",
    ),
    Cause(
        "ExpiredTokenException",
        "",
        why="the ID token had expired when AWS looked at it; it is good for five minutes.",
        fix="run the job again; if it keeps failing, check the runner's clock.",
    ),
    Cause(
        "AccessDenied",
        "sts:TagSession",
        why="the trust policy of role $role_name does not allow sts:TagSession, and the action tags the session.",
        fix="add sts:TagSession beside sts:AssumeRole to the trust policy's Action (and to the caller's own policy), "
        "or set role-skip-session-tagging: true.",
        operation="AssumeRole",
    ),
    Cause(
        "AccessDenied",
        "",
        why="the credentials used may not assume role $role_name in account $account: either their own policy does "
        "not allow sts:AssumeRole on $role, or the role's trust policy does not name them, or asks for an external "
        "id, or there is no such role.",
        fix="check both policies; for an external id, set the input role-external-id. The trust policy must also "
        "allow sts:TagSession, or role-skip-session-tagging must be true.",
        operation="AssumeRole",
    ),
    Cause(
        "AccessDenied",
        "",
        why="the trust policy of role $role_name in account $account does not allow this token, or there is no "
        "such role: AWS does not tell the two apart.\n"
        "The token says:\n- sub: $sub\n- aud: $aud\n- iss: $issuer",
        fix="compare the trust policy with these, letter by letter:\n"
        "- Principal.Federated must be $provider\n"
        "- Action must be sts:AssumeRoleWithWebIdentity\n"
        "- Condition must allow exactly this sub and aud; upper and lower case count, and * is a wildcard only "
        "in StringLike\n"
        "and check that $role is the role you mean.",
        operation="AssumeRoleWithWebIdentity",
    ),
    Cause(
        "InvalidClientTokenId",
        "",
        why="AWS does not know the access key id: it was deleted or switched off, is of another partition, or belongs "
        "to temporary credentials whose session token is missing.",
        fix="check the keys given, or those of the job's environment; temporary ones need aws-session-token too.",
    ),
    Cause(
        "SignatureDoesNotMatch",
        "",
        why="the secret access key is not the one of the access key id, or this machine's clock is wrong.",
        fix="check the secret for a missing character or a blank, and the runner's clock.",
    ),
    Cause(
        "ExpiredToken",
        "",
        why="the temporary credentials that were used have expired.",
        fix="get new ones in an earlier step, with a longer role-duration-seconds if the job is long.",
    ),
    Cause(
        "PackedPolicyTooLarge",
        "",
        why="session policies and session tags together take more room than a session has; AWS compresses them, so "
        "its percentage is the only measure.",
        fix="shorten inline-session-policy and custom-tags, use fewer managed-session-policies, or set "
        "role-skip-session-tagging: true.",
    ),
    Cause(
        "MalformedPolicyDocument",
        "",
        why="inline-session-policy is JSON, but not a policy that IAM understands.",
        fix="check it with IAM Access Analyzer: aws accessanalyzer validate-policy --policy-type IDENTITY_POLICY.",
    ),
    Cause(
        "ValidationError",
        "MaxSessionDuration",
        why="$seconds seconds were asked for, which is more than the maximum session duration of $role.",
        fix="lower the input role-duration-seconds, or raise the role's maximum session duration in IAM.",
    ),
    Cause(
        "ValidationError",
        "",
        why="AWS does not take one of the values that it was given.",
        fix="its message names the value; look at the inputs role-to-assume, role-session-name and "
        "role-duration-seconds.",
    ),
    Cause(
        "RegionDisabledException",
        "",
        why="STS is switched off in this region for account $account.",
        fix="switch the region's STS endpoint on (IAM console, Account settings), or use another aws-region.",
    ),
)


def explain(
    refused: Refused, *, role: Role | None, audience: str, seconds: int, claims: Mapping[str, Any]
) -> Failure:
    """Put AWS's refusal into words; the result is to be raised, and is worth as many tries as the refusal was."""
    cause = next((cause for cause in CAUSES if cause.fits(refused)), None)
    if cause is None:
        return refused
    said = {name: str(claims.get(claim, "(not in the token)")) for name, claim in _CLAIMS.items()}
    words = {"audience": audience, "seconds": seconds, **said}
    if role:
        issuer = said["issuer"].removeprefix("https://")
        provider = f"arn:{role.partition}:iam::{role.account}:oidc-provider/{issuer}"
        words |= {"role": role.arn, "role_name": role.name, "account": role.account, "provider": provider}
    explained = Failure(
        f"AWS refused {refused.operation}{f' for {role.arn}' if role else ''}: "
        f"{spoken(refused.code, refused.message, refused.status)}",
        why=Template(cause.why).safe_substitute(words),
        fix=Template(cause.fix).safe_substitute(words),
        kind=refused.kind,
        retry_after=refused.retry_after,
    )
    explained.is_final = refused.is_final
    return explained


_CLAIMS = {"sub": "sub", "aud": "aud", "issuer": "iss"}
