"""Causes of a refusal by AWS: one table for the log, the job summary and docs/troubleshooting.md; pure.

AWS's own messages are terse on purpose. The causes are those of the IAM User Guide ("Troubleshoot OIDC federation",
"Troubleshoot IAM roles"), of the STS API Reference, of GitHub's "OpenID Connect reference", and of users' reports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from py_aws_oidc.aws.errors import Refused
from py_aws_oidc.explain import trust
from py_aws_oidc.explain.evidence import Evidence


class Weight(IntEnum):
    """Strength of the evidence for a cause."""

    POSSIBLE = 1
    LIKELY = 2
    SHOWN = 3
    PROVEN = 4

    def __str__(self) -> str:
        return ("possible", "likely in this run", "certain", "certain")[self - 1]


@dataclass(frozen=True)
class Symptom:
    """An error of AWS: how its code begins, a part of its message, and the operation if it matters.

    `title` is the whole message if it is always the same; `compared` says what AWS compared.
    """

    title: str
    code: str
    message: str = ""
    operation: str = ""
    compared: str = ""

    def fits(self, refused: Refused) -> bool:
        """True if this is the error of AWS."""
        return (
            refused.code.startswith(self.code)
            and self.message in refused.message
            and self.operation in {"", refused.operation}
        )


Weigh = Callable[[Evidence], Weight | None]


def possible(_: Evidence) -> Weight:
    """POSSIBLE for every run."""
    return Weight.POSSIBLE


def certain(_: Evidence) -> Weight:
    """PROVEN for every run: AWS names the cause itself."""
    return Weight.PROVEN


@dataclass(frozen=True)
class Cause:
    """One possible cause of a refusal, how to check it, and how to fix it.

    `weigh` gives the evidence for it in a run, or None if it is impossible. The texts can use the names of
    `report.words`, and have commands in backticks: see `templates.fill`.
    """

    name: str
    symptom: Symptom
    title: str
    why: str
    check: str
    fix: str
    weigh: Weigh = possible


def judged(by_policy: Weigh, without: Weigh) -> Weigh:
    """Decide by the policy in the repository if there is one, else by the run."""
    return lambda evidence: (by_policy if evidence.decision else without)(evidence)


def likely(if_: Callable[[Evidence], bool]) -> Weigh:
    """LIKELY in these runs, and impossible in others."""
    return lambda evidence: Weight.LIKELY if if_(evidence) else None


def likely_or_possible(if_: Callable[[Evidence], bool]) -> Weigh:
    """LIKELY in these runs, and possible in others."""
    return lambda evidence: Weight.LIKELY if if_(evidence) else Weight.POSSIBLE


def proven(if_: Callable[[Evidence], bool]) -> Weigh:
    """PROVEN in these runs, and impossible in others."""
    return lambda evidence: Weight.PROVEN if if_(evidence) else None


def never(_: Evidence) -> Weight | None:
    """Never without the policy, which alone can show the cause."""
    return None


# --- evidence for a cause, from the run or the policy


_QUEUE = "ref:refs/heads/gh-readonly-queue/"


def _is_immutable(evidence: Evidence) -> bool:
    return bool(evidence.subject and evidence.subject.is_immutable)


def _is_by_names(evidence: Evidence) -> bool:
    return bool(evidence.subject and not evidence.subject.is_immutable)


def _wants_names(evidence: Evidence) -> bool:
    return bool(_is_immutable(evidence) and evidence.nearest and not evidence.nearest.is_immutable)


def _wants_ids(evidence: Evidence) -> bool:
    return bool(_is_by_names(evidence) and evidence.nearest and evidence.nearest.is_immutable)


def _has_context(start: str) -> Callable[[Evidence], bool]:
    return lambda evidence: bool(evidence.subject and evidence.subject.context.startswith(start))


def _wants_other_context(start: str) -> Callable[[Evidence], bool]:
    """True if the policy requires another kind of context than the token has."""
    return lambda evidence: bool(
        _has_context(start)(evidence) and evidence.nearest and not evidence.nearest.context.startswith(start)
    )


def _has_capitals(evidence: Evidence) -> bool:
    repository = str(evidence.claims.get("repository", ""))
    return repository != repository.lower()


def _misses(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    """Conditions that do not hold: the operator, the value of the token, and the required value."""
    for test in evidence.failing:
        yield from ((test.operator, given, wanted) for given in test.given for wanted in test.wanted)


def _wants_other_letters(evidence: Evidence) -> bool:
    return any(
        trust.like(given.lower(), wanted.lower()) and not trust.like(given, wanted)
        for _, given, wanted in _misses(evidence)
    )


def _wants_wildcard(evidence: Evidence) -> bool:
    return any(
        "StringEquals" in operator and trust.has_wildcard(wanted) and trust.like(given, wanted)
        for operator, given, wanted in _misses(evidence)
    )


def _is_reusable(evidence: Evidence) -> bool:
    called, caller = (evidence.claims.get(name) for name in ("job_workflow_ref", "workflow_ref"))
    return bool(called and caller) and called != caller


def _is_customised(evidence: Evidence) -> bool:
    return trust.is_github(evidence.provider) and evidence.subject is None


def _has_other_audience(evidence: Evidence) -> bool:
    return evidence.token_audience not in {"sts.amazonaws.com", "sts.amazonaws.com.cn"}


def _wants_other_audience(evidence: Evidence) -> bool:
    return evidence.would_allow_another_audience


def _is_of_another_issuer(evidence: Evidence) -> bool:
    return evidence.issuer not in {"", trust.GITHUB}


def _allows(evidence: Evidence) -> bool:
    return bool(evidence.decision and evidence.decision.allowed)


def _denies(evidence: Evidence) -> bool:
    return bool(evidence.decision and evidence.decision.effect == "Deny")


def _names_no_such_action(evidence: Evidence) -> bool:
    verdicts = evidence.decision.verdicts if evidence.decision else ()
    return not any(verdict.action_fits for verdict in verdicts if verdict.effect == "Allow")


def _names_another_provider(evidence: Evidence) -> bool:
    return not _names_no_such_action(evidence) and not any(evidence.meant)


def _asks_for_what_is_not_there(evidence: Evidence) -> bool:
    return any(not test.given for test in evidence.failing)


def _has_another_condition(evidence: Evidence) -> Weight | None:
    # Everything else that the policy shows is more precise.
    return Weight.SHOWN if any(evidence.failing) else None


# --- errors of AWS

NO_PROVIDER = Symptom(
    "No OpenIDConnect provider found in your account for ... (InvalidIdentityToken)",
    "InvalidIdentityToken",
    "No OpenIDConnect provider found",
    compared="AWS found no identity provider for the token's issuer, $issuer, in account $account.",
)
AUDIENCE = Symptom(
    "Incorrect token audience (InvalidIdentityToken)",
    "InvalidIdentityToken",
    "Incorrect token audience",
    compared="AWS compared the token's audience, $aud, with the audiences that the identity provider lists.",
)
UNVERIFIED = Symptom(
    "Couldn't retrieve verification key, or another InvalidIdentityToken",
    "InvalidIdentityToken",
    compared="AWS checked the token with the keys that its issuer, $issuer, publishes.",
)
THUMBPRINT = Symptom(
    "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint (InvalidIdentityToken)",
    "InvalidIdentityToken",
    "thumbprint",
    compared="AWS compared the certificate of $issuer with the thumbprints that the identity provider lists.",
)
EXPIRED_TOKEN = Symptom(
    "Token expired (ExpiredTokenException)",
    "ExpiredTokenException",
    operation="AssumeRoleWithWebIdentity",
    compared="AWS compared the expiry of the token with its own clock.",
)
NO_TAGS = Symptom(
    "User ... is not authorized to perform sts:TagSession (AccessDenied)",
    "AccessDenied",
    "sts:TagSession",
    "AssumeRole",
    "AWS looked for sts:TagSession in the caller's policy and in the trust policy of role $role_name.",
)
NO_ASSUME = Symptom(
    "User ... is not authorized to perform sts:AssumeRole (AccessDenied)",
    "AccessDenied",
    "",
    "AssumeRole",
    "AWS looked for sts:AssumeRole on $role in the caller's policy, and for the caller in the role's trust policy. "
    "AWS does not say which of the two failed, or whether the role exists.",
)
NOT_TRUSTED = Symptom(
    "Not authorized to perform sts:AssumeRoleWithWebIdentity (AccessDenied)",
    "AccessDenied",
    "",
    "AssumeRoleWithWebIdentity",
    "AWS compared the trust policy of role $role_name in account $account with the token: Principal with the "
    "identity provider of its issuer ($provider), Action with sts:AssumeRoleWithWebIdentity, and every Condition with "
    "the claims of the token. AWS does not say which of them failed, or whether the role exists.\n"
    "The token says:\n- sub: $sub\n- aud: $aud\n- iss: $issuer",
)

_STATEMENT = "add the statement from the job summary to the role's trust policy"
_SHOW = "`aws iam get-role --role-name=$role_name --query Role.AssumeRolePolicyDocument`"

# The first symptom that matches is used, so a specific symptom comes before a more general one. Of causes with equal
# weight, the first one is reported first.
CAUSES = (
    # --- no identity provider
    Cause(
        "enterprise-issuer",
        NO_PROVIDER,
        "The token has the issuer $issuer, which is not GitHub's usual one",
        why="each issuer needs its own identity provider. A GitHub Enterprise Server is an issuer, and so is an "
        "enterprise with its own path after token.actions.githubusercontent.com.",
        check="check that the account has the provider: `aws iam list-open-id-connect-providers`. AWS must also "
        "reach $issuer/.well-known/openid-configuration from the internet.",
        fix="create the identity provider $provider in account $account, with the audience $audience, and name it as "
        "Principal in the role's trust policy.",
        weigh=likely(_is_of_another_issuer),
    ),
    Cause(
        "no-provider",
        NO_PROVIDER,
        "Account $account has no identity provider for GitHub",
        why="each account needs an identity provider to trust tokens of $issuer.",
        check="check that $account in role-to-assume is the right account, and that it has the provider: "
        "`aws iam list-open-id-connect-providers`. The ARN must be exactly $provider.",
        fix="correct the account in role-to-assume, or create the provider: "
        "`aws iam create-open-id-connect-provider --url=$issuer --client-id-list=$audience`",
        weigh=likely(lambda evidence: not _is_of_another_issuer(evidence)),
    ),
    # --- the provider does not accept the token
    Cause(
        "provider-audience",
        AUDIENCE,
        "The identity provider does not list the audience $aud",
        why="the token is for the audience $aud, and the identity provider $provider does not list it.",
        check="list its audiences: `aws iam get-open-id-connect-provider --open-id-connect-provider-arn=$provider`",
        fix="add this audience to the identity provider, or set the input audience to one that it lists "
        "(sts.amazonaws.com, or sts.amazonaws.com.cn in China, is usual).",
        weigh=certain,
    ),
    Cause(
        "thumbprint",
        THUMBPRINT,
        "The thumbprints of the identity provider do not match the issuer's certificate",
        why="AWS uses the thumbprints of a provider if it does not know the authority of the issuer's certificate, as "
        "for some GitHub Enterprise Servers.",
        check="run `aws iam get-open-id-connect-provider --open-id-connect-provider-arn=$provider`.",
        fix="run `aws iam update-open-id-connect-provider-thumbprint` with the thumbprint of the authority that "
        "signed the issuer's certificate.",
        weigh=certain,
    ),
    Cause(
        "issuer-keys",
        UNVERIFIED,
        "AWS does not accept the token, or could not verify its signature by $issuer",
        why="the message of AWS says which. The issuer may not publish the key that signed the token, or AWS could not "
        "fetch the keys.",
        check="if this is GitHub Enterprise Server, check that AWS reaches $issuer/.well-known/openid-configuration "
        "and the keys it names from the internet, with a certificate of a public authority.",
        fix="make these two URLs available from the internet; for github.com, run the job again.",
    ),
    Cause(
        "expired-token",
        EXPIRED_TOKEN,
        "The ID token had expired when AWS checked it",
        why="an ID token is valid for five minutes.",
        check="check the clock of the runner.",
        fix="run the job again; if it fails again, set the clock of the runner.",
        weigh=certain,
    ),
    Cause(
        "issuer-unreachable",
        Symptom("The identity provider could not be reached (IDPCommunicationError)", "IDPCommunicationError"),
        "AWS could not fetch the keys of $issuer in time",
        why="AWS fetches them itself, from the internet.",
        check="fetch $issuer/.well-known/openid-configuration, and the keys it names, from outside your network.",
        fix="make these two URLs available from the internet; for github.com, run the job again.",
        weigh=certain,
    ),
    Cause(
        "rejected-claim",
        Symptom("The identity provider rejected the token (IDPRejectedClaim)", "IDPRejectedClaim"),
        "The issuer says that the token is no longer valid",
        why="AWS returns this error for tokens that have expired or were revoked.",
        check="check the clock of the runner.",
        fix="run the job again.",
        weigh=certain,
    ),
    # --- the trust policy does not allow the token
    Cause(
        "denied",
        NOT_TRUSTED,
        "A Deny statement in the trust policy applies to this run",
        why="a statement with the effect Deny matches this token, and Deny takes precedence over Allow.",
        check="look at statement $statement (counted from 0) of $policy_file.",
        fix="change its conditions so that they do not match this run, or remove it.",
        weigh=judged(proven(_denies), never),
    ),
    Cause(
        "customised-subject",
        NOT_TRUSTED,
        "The subject is customised",
        why="the organization or the repository has a custom template for `sub`, so `sub` does not have the form that "
        "policies usually name. It is $sub.",
        check="ask GitHub for the template: `gh api repos/$repository/actions/oidc/customization/sub`",
        fix=f"{_STATEMENT}, which has this `sub` and the repository's id, since other repositories can have the same "
        "`sub`; or reset the template to the default.",
        weigh=judged(
            proven(lambda evidence: _is_customised(evidence) and any(evidence.wanted("sub"))),
            likely(_is_customised),
        ),
    ),
    Cause(
        "immutable-subject",
        NOT_TRUSTED,
        "The subject has IDs, and the policy probably has only names",
        why="repositories that were created, renamed or transferred after 15 July 2026 have the IDs of owner and "
        "repository in `sub`, so a policy that has only their names no longer matches.",
        check=f"check whether the policy's condition on sub has an @: {_SHOW}",
        fix=f"{_STATEMENT}: it has the `sub` with IDs.",
        weigh=judged(proven(_wants_names), likely(_is_immutable)),
    ),
    Cause(
        "environment",
        NOT_TRUSTED,
        "The job has an environment, so the subject does not name the branch",
        why="with `environment: NAME` in the job, `sub` ends in environment:NAME and has no branch or tag.",
        check=f"check that the policy's condition on sub ends in $context: {_SHOW}",
        fix=f"{_STATEMENT}, or remove `environment:` from the job.",
        weigh=judged(proven(_wants_other_context("environment:")), likely(_has_context("environment:"))),
    ),
    Cause(
        "pull-request",
        NOT_TRUSTED,
        "The run is for a pull request, so the subject does not name the branch",
        why="for the event pull_request, `sub` ends in pull_request, whatever the branch.",
        check=f"check that the policy's condition on sub ends in `pull_request`: {_SHOW}",
        fix=f"if every pull request of this repository can assume the role, {_STATEMENT}; else run this step on push.",
        weigh=judged(proven(_wants_other_context("pull_request")), likely(_has_context("pull_request"))),
    ),
    Cause(
        "merge-queue",
        NOT_TRUSTED,
        "The run is for a merge queue, which has its own branches",
        why="a merge queue tests each group of pull requests on a new branch, so `sub` ends in $context.",
        check=f"check that the policy's condition on sub has gh-readonly-queue: {_SHOW}",
        fix=f"{_STATEMENT}: use the one for the merge queue, since each entry has its own branch. The code that runs "
        "there is not merged yet.",
        weigh=judged(proven(_wants_other_context(_QUEUE)), likely(_has_context(_QUEUE))),
    ),
    Cause(
        "tag",
        NOT_TRUSTED,
        "The run is for a tag, not for a branch",
        why="for a tag, `sub` ends in $context, but policies usually name refs/heads/...",
        check=f"check that the policy's condition on sub has refs/tags/: {_SHOW}",
        fix=f"{_STATEMENT}; for several tags, use StringLike with a pattern such as refs/tags/v*.",
        weigh=judged(proven(_wants_other_context("ref:refs/tags/")), likely(_has_context("ref:refs/tags/"))),
    ),
    Cause(
        "letters",
        NOT_TRUSTED,
        "Case mismatch: IAM compares the subject case-sensitively",
        why="for GitHub, Octo-Org and octo-org are the same name; for IAM, they are different. `sub` has the case "
        "that the owner chose.",
        check=f"check that the policy's condition on sub has the same case as $sub: {_SHOW}",
        fix=f"{_STATEMENT}: it has the case of the token.",
        weigh=judged(proven(_wants_other_letters), likely(_has_capitals)),
    ),
    Cause(
        "condition-key",
        NOT_TRUSTED,
        "The policy has a condition on a key that AWS does not find in the token",
        why="a condition on a missing key does not hold. AWS makes condition keys of only some claims (actor, "
        "actor_id, enterprise_id, environment, job_workflow_ref, ref, repository, repository_id, repository_owner_id, "
        "workflow, besides aud and sub), and a misspelled key is missing too.",
        check="in the folder src of a clone of this action, run "
        "`python3 -m py_aws_oidc trust check POLICY --sub=$sub --aud=$aud`. Instead of --sub and --aud, --claims FILE "
        'reads the lines of the log under "What the ID token says".',
        fix=f"correct the key, or {_STATEMENT}.",
        weigh=judged(proven(_asks_for_what_is_not_there), never),
    ),
    Cause(
        "condition",
        NOT_TRUSTED,
        "The policy's conditions do not match: for example, they name another repository, branch or environment",
        why="the trust policy must allow the claims of the token.",
        check=f"compare the policy's conditions with the claims of the token: {_SHOW}",
        fix=f"if this run should be able to assume the role, {_STATEMENT}.",
        weigh=judged(_has_another_condition, possible),
    ),
    Cause(
        "no-role",
        NOT_TRUSTED,
        "The role does not exist, or has another trust policy than you expect",
        why="AWS returns the same error for a role that does not exist and for one that does not trust the token. A "
        "change to IAM takes effect after a few seconds.",
        check=f"check that the role exists in account $account: {_SHOW}",
        fix="correct role-to-assume (account, path and name), or deploy the right policy.",
        weigh=judged(proven(_allows), possible),
    ),
    Cause(
        "names-subject",
        NOT_TRUSTED,
        "The subject has only names, and the policy has IDs",
        why="`sub` has the IDs of owner and repository only in repositories created, renamed or transferred after "
        "15 July 2026, or in which immutable subjects were enabled.",
        check=f"check whether the policy's condition on sub has an @: {_SHOW}",
        fix=f"{_STATEMENT}: use the one for both forms.",
        weigh=judged(proven(_wants_ids), lambda evidence: Weight.POSSIBLE if _is_by_names(evidence) else None),
    ),
    Cause(
        "reusable-workflow",
        NOT_TRUSTED,
        "The job is in a reusable workflow",
        why="`sub` names the calling repository, but job_workflow_ref names the called file and its ref: "
        "$job_workflow_ref.",
        check=f"check whether the policy has a condition on job_workflow_ref, and which file and ref it names: {_SHOW}",
        fix="change the condition to this file and ref (StringLike with @* at the end allows every ref), or "
        f"{_STATEMENT}, which has no such condition.",
        weigh=judged(
            proven(lambda evidence: any(evidence.wanted("job_workflow_ref")) and _is_reusable(evidence)),
            lambda evidence: Weight.POSSIBLE if _is_reusable(evidence) else None,
        ),
    ),
    Cause(
        "called-workflow",
        NOT_TRUSTED,
        "The policy requires another workflow file",
        why="the policy has a condition on job_workflow_ref, and this job is in $job_workflow_ref.",
        check=f"check which file and ref the condition names: {_SHOW}",
        fix=f"call the named file as a reusable workflow, or {_STATEMENT}.",
        weigh=judged(
            proven(lambda evidence: any(evidence.wanted("job_workflow_ref")) and not _is_reusable(evidence)), never
        ),
    ),
    Cause(
        "policy-audience",
        NOT_TRUSTED,
        "The policy's condition on aud names another audience",
        why="the token is for the audience $aud: the identity provider lists it, but the role's trust policy may not.",
        check=f"check the policy's condition on aud: {_SHOW}",
        fix=f"{_STATEMENT}, or set the input audience to the audience in the policy.",
        weigh=judged(proven(_wants_other_audience), likely_or_possible(_has_other_audience)),
    ),
    Cause(
        "other-provider",
        NOT_TRUSTED,
        "The policy's Principal is another identity provider",
        why="the token is from $issuer, so Principal.Federated must be $provider: the same host, path, account and "
        "partition, without https://.",
        check=f"check Principal.Federated: {_SHOW}",
        fix=f"{_STATEMENT}.",
        weigh=judged(proven(_names_another_provider), likely_or_possible(_is_of_another_issuer)),
    ),
    Cause(
        "action",
        NOT_TRUSTED,
        "The policy does not allow the action",
        why="no statement allows sts:AssumeRoleWithWebIdentity; sts:AssumeRole is another action.",
        check=f"check Action: {_SHOW}",
        fix=f"{_STATEMENT}.",
        weigh=judged(proven(_names_no_such_action), possible),
    ),
    Cause(
        "wildcard",
        NOT_TRUSTED,
        "StringEquals does not support wildcards",
        why="`*` and `?` are wildcards only in StringLike; StringEquals compares them as characters.",
        check=f"check the policy's conditions for `*` and `?`: {_SHOW}",
        fix=f"use StringLike instead of StringEquals for this condition, or {_STATEMENT}.",
        weigh=judged(proven(_wants_wildcard), possible),
    ),
    # --- credentials that assume a role
    Cause(
        "tag-session",
        NO_TAGS,
        "sts:TagSession is not allowed",
        why="the action sets session tags (repository, workflow, commit and so on), which needs sts:TagSession.",
        check=f"check that the role's trust policy has sts:TagSession: {_SHOW}",
        fix="add sts:TagSession to the trust policy's Action, after sts:AssumeRole (and to the caller's own policy), "
        "or set role-skip-session-tagging: true.",
        weigh=certain,
    ),
    Cause(
        "assume-role",
        NO_ASSUME,
        "The credentials cannot assume role $role_name",
        why="the caller's policy does not allow sts:AssumeRole on $role, or the role's trust policy does not name the "
        "caller or requires an external ID, or the role does not exist.",
        check=f"check both policies. The trust policy of the role: {_SHOW}",
        fix="name the caller in the role's trust policy, with sts:AssumeRole and sts:TagSession (or set "
        "role-skip-session-tagging: true); for an external ID, set the input role-external-id.",
    ),
    Cause(
        "unknown-key",
        Symptom(
            "The security token included in the request is invalid (InvalidClientTokenId)", "InvalidClientTokenId"
        ),
        "AWS does not know the access key ID",
        why="it was deleted or deactivated, belongs to another partition, or belongs to temporary credentials whose "
        "session token is missing.",
        check="check the access key in the inputs, or in the environment of the job.",
        fix="use an active access key; temporary credentials also need aws-session-token. An ID token needs no key.",
    ),
    Cause(
        "signature",
        Symptom("The request signature does not match (SignatureDoesNotMatch)", "SignatureDoesNotMatch"),
        "The secret access key is wrong",
        why="it does not belong to the access key ID, or the clock of this machine is wrong.",
        check="check the secret for missing characters and white space, and check the clock of the runner.",
        fix="store the secret access key again, without a line break; or set the clock.",
    ),
    Cause(
        "expired-keys",
        Symptom("The security token included in the request is expired (ExpiredToken)", "ExpiredToken"),
        "The temporary credentials that were used have expired",
        why="they were created in an earlier step or outside the job.",
        check="check when the step that created them ran, and its role-duration-seconds.",
        fix="get new ones in an earlier step, with a longer role-duration-seconds if the job is long.",
        weigh=certain,
    ),
    # --- values of the request
    Cause(
        "packed-policy",
        Symptom("Packed size of policies and tags too large (PackedPolicyTooLarge)", "PackedPolicyTooLarge"),
        "Session policies and session tags together are too large",
        why="AWS compresses them, and reports only how much of the limit they use: $percentage.",
        check="check inline-session-policy, managed-session-policies, custom-tags and transitive-tag-keys.",
        fix="shorten inline-session-policy and custom-tags, use fewer managed-session-policies, or set "
        "role-skip-session-tagging: true.",
        weigh=certain,
    ),
    Cause(
        "session-policy",
        Symptom("The policy is malformed (MalformedPolicyDocument)", "MalformedPolicyDocument"),
        "inline-session-policy is valid JSON, but not a valid policy",
        why="IAM checks its elements, actions and ARNs.",
        check="run `aws accessanalyzer validate-policy --policy-type IDENTITY_POLICY --policy-document "
        "file://policy.json`.",
        fix="correct the elements that this command reports.",
        weigh=certain,
    ),
    Cause(
        "duration",
        Symptom(
            "DurationSeconds exceeds the MaxSessionDuration set for this role (ValidationError)",
            "ValidationError",
            "MaxSessionDuration",
        ),
        "The requested session is longer than the role allows",
        why="the requested duration of $seconds seconds is more than the maximum session duration of $role.",
        check="run `aws iam get-role --role-name=$role_name --query Role.MaxSessionDuration`.",
        fix="lower the input role-duration-seconds, or raise the role's maximum session duration in IAM.",
        weigh=certain,
    ),
    Cause(
        "chained-duration",
        Symptom(
            "DurationSeconds exceeds the 1 hour session limit for role chaining (ValidationError)",
            "ValidationError",
            "role chaining",
        ),
        "With role chaining, a session lasts at most one hour",
        why="the requested duration is $seconds seconds, but the credentials used are those of a role.",
        check="check role-duration-seconds, and the source of the step's credentials.",
        fix="set role-duration-seconds: 3600 or less, or assume the role with the ID token itself.",
        weigh=certain,
    ),
    Cause(
        "value",
        Symptom("Any other ValidationError", "ValidationError"),
        "AWS does not accept one of the values of the request",
        why="the message of AWS names the value.",
        check="check the inputs role-to-assume, role-session-name and role-duration-seconds.",
        fix="correct this value.",
        weigh=certain,
    ),
    Cause(
        "region",
        Symptom("STS is not activated in this region (RegionDisabledException)", "RegionDisabledException"),
        "STS is not activated in this region for account $account",
        why="opt-in regions are disabled by default, and each region has its own STS.",
        check="run `aws account get-region-opt-status --region-name=$region`.",
        fix="activate the region (IAM console, Account settings), or use another aws-region.",
        weigh=certain,
    ),
)


def ranked(evidence: Evidence) -> list[tuple[Weight, Cause]]:
    """Causes that are possible, the one with most evidence first; a proven one excludes those that are only possible.

    Empty if the error of AWS is not in the table.
    """
    symptom = next((cause.symptom for cause in CAUSES if cause.symptom.fits(evidence.refused)), None)
    weighed = [
        (weight, cause) for cause in CAUSES if cause.symptom == symptom and (weight := cause.weigh(evidence))
    ]
    best = max((weight for weight, _ in weighed), default=Weight.POSSIBLE)
    least = best if best >= Weight.SHOWN else Weight.POSSIBLE
    return sorted((row for row in weighed if row[0] >= least), key=lambda row: row[0], reverse=True)
