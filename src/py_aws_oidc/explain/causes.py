"""Why AWS refuses: one table of causes, for the log, the job's summary and docs/troubleshooting.md; pure.

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
    """How much speaks for a cause."""

    POSSIBLE = 1
    LIKELY = 2
    SHOWN = 3
    PROVEN = 4

    def __str__(self) -> str:
        return ("possible", "likely in this run", "certain", "certain")[self - 1]


@dataclass(frozen=True)
class Symptom:
    """What AWS says: the error code as it begins, a part of the message, the operation if it matters.

    `title` is the whole of it where it is always the same; `compared` says in words what AWS looked at.
    """

    title: str
    code: str
    message: str = ""
    operation: str = ""
    compared: str = ""

    def fits(self, refused: Refused) -> bool:
        """Whether this is what AWS said."""
        return (
            refused.code.startswith(self.code)
            and self.message in refused.message
            and self.operation in {"", refused.operation}
        )


Weigh = Callable[[Evidence], Weight | None]


def possible(_: Evidence) -> Weight:
    """POSSIBLE, whatever the run."""
    return Weight.POSSIBLE


def certain(_: Evidence) -> Weight:
    """PROVEN, whatever the run: AWS says it itself."""
    return Weight.PROVEN


@dataclass(frozen=True)
class Cause:
    """One reason for a refusal: how to see whether it is the one, and what to do then.

    `weigh` says what speaks for it in a run; None when it cannot be. The texts may name what `report.words` has, and
    their commands stand between backticks: see `templates.fill`.
    """

    name: str
    symptom: Symptom
    title: str
    why: str
    check: str
    mend: str
    weigh: Weigh = possible


def judged(by_policy: Weigh, without: Weigh) -> Weigh:
    """What the policy in the repository says, where there is one; else what the run says."""
    return lambda evidence: (by_policy if evidence.decision else without)(evidence)


def likely(if_: Callable[[Evidence], bool]) -> Weigh:
    """LIKELY in such runs, and impossible in others."""
    return lambda evidence: Weight.LIKELY if if_(evidence) else None


def likely_or_possible(if_: Callable[[Evidence], bool]) -> Weigh:
    """LIKELY in such runs, and possible in others."""
    return lambda evidence: Weight.LIKELY if if_(evidence) else Weight.POSSIBLE


def proven(if_: Callable[[Evidence], bool]) -> Weigh:
    """PROVEN in such runs, and impossible in others."""
    return lambda evidence: Weight.PROVEN if if_(evidence) else None


def never(_: Evidence) -> Weight | None:
    """Nothing but the policy itself could show it."""
    return None


# --- what a run, or a policy, says for a cause


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
    """Whether the policy wants another kind of context than the token's."""
    return lambda evidence: bool(
        _has_context(start)(evidence) and evidence.nearest and not evidence.nearest.context.startswith(start)
    )


def _has_capitals(evidence: Evidence) -> bool:
    repository = str(evidence.claims.get("repository", ""))
    return repository != repository.lower()


def _misses(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    """The conditions that do not hold: the operator, what the token says, and what is wanted of it."""
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
    # Whatever else the policy shows says more than this.
    return Weight.SHOWN if any(evidence.failing) else None


# --- what AWS says

NO_PROVIDER = Symptom(
    "No OpenIDConnect provider found in your account for ... (InvalidIdentityToken)",
    "InvalidIdentityToken",
    "No OpenIDConnect provider found",
    compared="AWS looked in account $account for an identity provider of the token's issuer, $issuer, and found none.",
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
    compared="AWS looked at the token, and at the keys that its issuer, $issuer, publishes.",
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
    compared="AWS compared the token's time with its own clock.",
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
    "It does not say which of the two failed, or whether there is such a role.",
)
NOT_TRUSTED = Symptom(
    "Not authorized to perform sts:AssumeRoleWithWebIdentity (AccessDenied)",
    "AccessDenied",
    "",
    "AssumeRoleWithWebIdentity",
    "AWS compared the trust policy of role $role_name in account $account with the token: Principal with the "
    "identity provider of its issuer ($provider), Action with sts:AssumeRoleWithWebIdentity, and every Condition with "
    "what the token says. It does not tell which of them failed, or whether there is such a role.\n"
    "The token says:\n- sub: $sub\n- aud: $aud\n- iss: $issuer",
)

_STATEMENT = "put the statement from the summary into the role's trust policy"
_SHOW = "`aws iam get-role --role-name=$role_name --query Role.AssumeRolePolicyDocument`"

# For each symptom, the first that fits is what AWS said; so the row that says more stands before the one that says
# less. Of equal weight, the first cause is told first.
CAUSES = (
    # --- no identity provider
    Cause(
        "enterprise-issuer",
        NO_PROVIDER,
        "The token is not from GitHub's usual issuer but from $issuer",
        why="another issuer needs an identity provider of its own: a GitHub Enterprise Server is one, and so is an "
        "enterprise with a path of its own behind token.actions.githubusercontent.com.",
        check="look whether the account has the provider: `aws iam list-open-id-connect-providers`. AWS must also "
        "reach $issuer/.well-known/openid-configuration from the internet.",
        mend="create the identity provider $provider in account $account, with the audience $audience, and name it as "
        "Principal in the role's trust policy.",
        weigh=likely(_is_of_another_issuer),
    ),
    Cause(
        "no-provider",
        NO_PROVIDER,
        "Account $account has no identity provider for GitHub",
        why="IAM must be told once in each account that tokens of $issuer are to be believed.",
        check="compare the account $account in role-to-assume with the one you mean; then look whether it has the "
        "provider: `aws iam list-open-id-connect-providers`. It must be $provider, letter by letter.",
        mend="correct the account in role-to-assume, or create the provider: "
        "`aws iam create-open-id-connect-provider --url=$issuer --client-id-list=$audience`",
        weigh=likely(lambda evidence: not _is_of_another_issuer(evidence)),
    ),
    # --- the provider does not take the token
    Cause(
        "provider-audience",
        AUDIENCE,
        "The identity provider does not list the audience $aud",
        why="the token is for the audience $aud, and the identity provider $provider does not list it.",
        check="list what it takes: `aws iam get-open-id-connect-provider --open-id-connect-provider-arn=$provider`",
        mend="add this audience to the identity provider, or set the input audience to one that it lists "
        "(sts.amazonaws.com, or sts.amazonaws.com.cn in China, is usual).",
        weigh=certain,
    ),
    Cause(
        "thumbprint",
        THUMBPRINT,
        "The identity provider lists other certificates than the issuer has",
        why="the thumbprints of a provider count where the issuer's certificate is of no authority that AWS knows, as "
        "in some GitHub Enterprise Servers.",
        check="run `aws iam get-open-id-connect-provider --open-id-connect-provider-arn=$provider`.",
        mend="run `aws iam update-open-id-connect-provider-thumbprint` with the thumbprint of the authority that "
        "signed the issuer's certificate.",
        weigh=certain,
    ),
    Cause(
        "issuer-keys",
        UNVERIFIED,
        "AWS does not take the token, or could not verify that $issuer signed it",
        why="AWS's message says which; the keys that the issuer publishes may not be those it was signed with, "
        "or AWS could not fetch them.",
        check="if this is GitHub Enterprise Server, check that AWS reaches $issuer/.well-known/openid-configuration "
        "and the keys it names from the internet, with a certificate that everybody trusts.",
        mend="open these two addresses to the internet; for github.com, run the job again.",
    ),
    Cause(
        "expired-token",
        EXPIRED_TOKEN,
        "The ID token had expired when AWS looked at it",
        why="an ID token is good for five minutes.",
        check="compare the runner's clock with the right time.",
        mend="run the job again; if it keeps failing, mend the runner's clock.",
        weigh=certain,
    ),
    Cause(
        "issuer-unreachable",
        Symptom("The identity provider could not be reached (IDPCommunicationError)", "IDPCommunicationError"),
        "AWS could not fetch the keys of $issuer in time",
        why="AWS fetches them itself, from the internet.",
        check="fetch $issuer/.well-known/openid-configuration, and the keys it names, from outside of your network.",
        mend="open these two addresses to the internet; for github.com, run the job again.",
        weigh=certain,
    ),
    Cause(
        "rejected-claim",
        Symptom("The identity provider rejected the token (IDPRejectedClaim)", "IDPRejectedClaim"),
        "The issuer says that the token is no longer good",
        why="AWS says this of tokens that have expired or were revoked.",
        check="compare the runner's clock with the right time.",
        mend="run the job again.",
        weigh=certain,
    ),
    # --- the trust policy does not let the token in
    Cause(
        "denied",
        NOT_TRUSTED,
        "A Deny in the trust policy stops this run",
        why="a statement with the effect Deny fits this token, and a Deny goes before every Allow.",
        check="look at statement $statement (counted from 0) of $policy_file.",
        mend="narrow its conditions, so that they leave this run out, or take it away.",
        weigh=judged(proven(_denies), never),
    ),
    Cause(
        "customised-subject",
        NOT_TRUSTED,
        "The subject is customised",
        why="the organisation or the repository has a template of its own for `sub`, so it has neither form that "
        "policies usually name, but is $sub.",
        check="ask GitHub for the template: `gh api repos/$repository/actions/oidc/customization/sub`",
        mend=f"{_STATEMENT}, which has this `sub` and the repository's id, since other repositories can have the same "
        "`sub`; or set the template back to the default.",
        weigh=judged(
            proven(lambda evidence: _is_customised(evidence) and any(evidence.wanted("sub"))),
            likely(_is_customised),
        ),
    ),
    Cause(
        "immutable-subject",
        NOT_TRUSTED,
        "The subject has ids, and the policy probably has names only",
        why="repositories that were created, renamed or transferred after 15 July 2026 have the ids of owner and "
        "repository in `sub`, so that a policy with the names alone no longer fits.",
        check=f"look for an @ in the policy's condition on sub: {_SHOW}",
        mend=f"{_STATEMENT}: it has the `sub` with ids.",
        weigh=judged(proven(_wants_names), likely(_is_immutable)),
    ),
    Cause(
        "environment",
        NOT_TRUSTED,
        "The job has an environment, so the subject does not name the branch",
        why="with `environment: NAME` in the job, `sub` ends in environment:NAME; no branch or tag is in it.",
        check=f"look whether the policy's condition on sub ends in $context: {_SHOW}",
        mend=f"{_STATEMENT}, or take `environment:` out of the job.",
        weigh=judged(proven(_wants_other_context("environment:")), likely(_has_context("environment:"))),
    ),
    Cause(
        "pull-request",
        NOT_TRUSTED,
        "The run is for a pull request, so the subject does not name the branch",
        why="for the event pull_request, `sub` ends in pull_request, whatever the branch.",
        check=f"look whether the policy's condition on sub ends in `pull_request`: {_SHOW}",
        mend=f"if every pull request of this repository may have the role, {_STATEMENT}; else run this step on push.",
        weigh=judged(proven(_wants_other_context("pull_request")), likely(_has_context("pull_request"))),
    ),
    Cause(
        "merge-queue",
        NOT_TRUSTED,
        "The run is for a merge queue, whose branches have names of their own",
        why="a merge queue tests each group of pull requests on a branch that it makes for them, so `sub` ends in "
        "$context.",
        check=f"look whether the policy's condition on sub has gh-readonly-queue: {_SHOW}",
        mend=f"{_STATEMENT}: take the one for the merge queue, as each entry has a branch of its own. What runs there "
        "is not merged yet.",
        weigh=judged(proven(_wants_other_context(_QUEUE)), likely(_has_context(_QUEUE))),
    ),
    Cause(
        "tag",
        NOT_TRUSTED,
        "The run is for a tag, not for a branch",
        why="`sub` ends in $context for a tag, where policies usually name refs/heads/...",
        check=f"look whether the policy's condition on sub has refs/tags/: {_SHOW}",
        mend=f"{_STATEMENT}; for all tags of a kind, StringLike with refs/tags/v* is a way.",
        weigh=judged(proven(_wants_other_context("ref:refs/tags/")), likely(_has_context("ref:refs/tags/"))),
    ),
    Cause(
        "letters",
        NOT_TRUSTED,
        "Capital letters: the policy may have the same words in other letters",
        why="GitHub does not tell Octo-Org and octo-org apart, but IAM does, and `sub` has the letters that the "
        "owner chose.",
        check=f"compare the policy's condition on sub with $sub letter by letter: {_SHOW}",
        mend=f"{_STATEMENT}: it has the token's letters.",
        weigh=judged(proven(_wants_other_letters), likely(_has_capitals)),
    ),
    Cause(
        "condition-key",
        NOT_TRUSTED,
        "The policy asks for something that AWS does not find in the token",
        why="a condition on a key that is absent does not hold. AWS makes keys of only some claims (actor, actor_id, "
        "enterprise_id, environment, job_workflow_ref, ref, repository, repository_id, repository_owner_id, workflow, "
        "besides aud and sub), and a key that is misspelt is absent too.",
        check="in the folder src of a clone of this action, run "
        "`python3 -m py_aws_oidc trust check POLICY --sub=$sub --aud=$aud`; in place of --sub and --aud, --claims FILE "
        'takes a file with the lines of the log under "What the ID token says".',
        mend=f"correct the key, or {_STATEMENT}.",
        weigh=judged(proven(_asks_for_what_is_not_there), never),
    ),
    Cause(
        "condition",
        NOT_TRUSTED,
        "The policy's conditions name something else: another repository, branch or environment, say",
        why="the trust policy must allow exactly what the token says.",
        check=f"compare the policy's conditions with it letter by letter: {_SHOW}",
        mend=f"if this run is meant to have the role, {_STATEMENT}.",
        weigh=judged(_has_another_condition, possible),
    ),
    Cause(
        "no-role",
        NOT_TRUSTED,
        "There is no such role, or it has another policy than you think",
        why="AWS says the same of a role that is not there as of one that does not trust the token; a change to IAM "
        "takes some seconds until it counts.",
        check=f"look whether the role is there, in account $account: {_SHOW}",
        mend="correct role-to-assume (its account, its path and its name), or deploy the policy that you mean.",
        weigh=judged(proven(_allows), possible),
    ),
    Cause(
        "names-subject",
        NOT_TRUSTED,
        "The subject has names only, and the policy has ids",
        why="a `sub` has the ids of owner and repository only in repositories created, renamed or transferred "
        "after 15 July 2026, or where somebody has switched it on.",
        check=f"look for an @ in the policy's condition on sub: {_SHOW}",
        mend=f"{_STATEMENT} in the form for both.",
        weigh=judged(proven(_wants_ids), lambda evidence: Weight.POSSIBLE if _is_by_names(evidence) else None),
    ),
    Cause(
        "reusable-workflow",
        NOT_TRUSTED,
        "The job is in a reusable workflow",
        why="`sub` names the repository that calls, but job_workflow_ref the called file with its ref: "
        "$job_workflow_ref.",
        check=f"look whether the policy has a condition on job_workflow_ref, and which file and ref it names: {_SHOW}",
        mend="let the condition name this file and ref (StringLike with @* at its end allows every ref), or "
        f"{_STATEMENT}, which has none.",
        weigh=judged(
            proven(lambda evidence: any(evidence.wanted("job_workflow_ref")) and _is_reusable(evidence)),
            lambda evidence: Weight.POSSIBLE if _is_reusable(evidence) else None,
        ),
    ),
    Cause(
        "called-workflow",
        NOT_TRUSTED,
        "The policy wants the job to be in another workflow file",
        why="the policy has a condition on job_workflow_ref, and this job is in $job_workflow_ref.",
        check=f"look which file and ref the condition names: {_SHOW}",
        mend=f"call the file that it names as a reusable workflow, or {_STATEMENT}.",
        weigh=judged(
            proven(lambda evidence: any(evidence.wanted("job_workflow_ref")) and not _is_reusable(evidence)), never
        ),
    ),
    Cause(
        "policy-audience",
        NOT_TRUSTED,
        "The policy's condition on aud names another audience",
        why="the token is for the audience $aud: the identity provider lists it, but the role's trust policy may not.",
        check=f"look at the policy's condition on aud: {_SHOW}",
        mend=f"{_STATEMENT}, or set the input audience to what the policy names.",
        weigh=judged(proven(_wants_other_audience), likely_or_possible(_has_other_audience)),
    ),
    Cause(
        "other-provider",
        NOT_TRUSTED,
        "The policy's Principal is another identity provider",
        why="the token is from $issuer, so Principal.Federated must be $provider: the same host and path, account and "
        "partition, and no https:// in it.",
        check=f"compare Principal.Federated with it: {_SHOW}",
        mend=f"{_STATEMENT}.",
        weigh=judged(proven(_names_another_provider), likely_or_possible(_is_of_another_issuer)),
    ),
    Cause(
        "action",
        NOT_TRUSTED,
        "The policy does not allow the action",
        why="no statement allows sts:AssumeRoleWithWebIdentity; sts:AssumeRole is another action.",
        check=f"look at Action: {_SHOW}",
        mend=f"{_STATEMENT}.",
        weigh=judged(proven(_names_no_such_action), possible),
    ),
    Cause(
        "wildcard",
        NOT_TRUSTED,
        "A wildcard in StringEquals",
        why="in StringEquals, `*` is a letter like any other; it stands for any text only in StringLike.",
        check=f"look for `*` and `?` in the policy's conditions: {_SHOW}",
        mend=f"move that condition from StringEquals to StringLike, or {_STATEMENT}.",
        weigh=judged(proven(_wants_wildcard), possible),
    ),
    # --- credentials that assume a role
    Cause(
        "tag-session",
        NO_TAGS,
        "sts:TagSession is not allowed",
        why="the action tags the session with repository, workflow, commit and so on, which is an action of its own.",
        check=f"look for sts:TagSession in the role's trust policy: {_SHOW}",
        mend="add sts:TagSession beside sts:AssumeRole to the trust policy's Action (and to the caller's own policy), "
        "or set role-skip-session-tagging: true.",
        weigh=certain,
    ),
    Cause(
        "assume-role",
        NO_ASSUME,
        "The credentials used may not assume role $role_name",
        why="either their own policy does not allow sts:AssumeRole on $role, or the role's trust policy does not name "
        "them, or asks for an external id, or there is no such role.",
        check=f"check both policies; the role's: {_SHOW}",
        mend="name the caller in the role's trust policy, with sts:AssumeRole and sts:TagSession (or set "
        "role-skip-session-tagging: true); for an external id, set the input role-external-id.",
    ),
    Cause(
        "unknown-key",
        Symptom(
            "The security token included in the request is invalid (InvalidClientTokenId)", "InvalidClientTokenId"
        ),
        "AWS does not know the access key id",
        why="it was deleted or switched off, is of another partition, or belongs to temporary credentials whose "
        "session token is missing.",
        check="look at the keys given, or at those of the job's environment.",
        mend="use keys that are active; temporary ones need aws-session-token too. An ID token needs none.",
    ),
    Cause(
        "signature",
        Symptom("The request signature does not match (SignatureDoesNotMatch)", "SignatureDoesNotMatch"),
        "The secret access key does not fit",
        why="it is not the one of the access key id, or this machine's clock is wrong.",
        check="check the secret for a missing character or a blank, and the runner's clock.",
        mend="store the secret access key anew, without a line end; or mend the clock.",
    ),
    Cause(
        "expired-keys",
        Symptom("The security token included in the request is expired (ExpiredToken)", "ExpiredToken"),
        "The temporary credentials that were used have expired",
        why="they were made in an earlier step, or outside of the job, and their time is over.",
        check="look when the step that made them ran, and at its role-duration-seconds.",
        mend="get new ones in an earlier step, with a longer role-duration-seconds if the job is long.",
        weigh=certain,
    ),
    # --- what was asked for
    Cause(
        "packed-policy",
        Symptom("Packed size of policies and tags too large (PackedPolicyTooLarge)", "PackedPolicyTooLarge"),
        "Session policies and session tags together are too large",
        why="AWS compresses them, and says only how much of the room they take: $percentage.",
        check="look at inline-session-policy, managed-session-policies, custom-tags and transitive-tag-keys.",
        mend="shorten inline-session-policy and custom-tags, use fewer managed-session-policies, or set "
        "role-skip-session-tagging: true.",
        weigh=certain,
    ),
    Cause(
        "session-policy",
        Symptom("The policy is malformed (MalformedPolicyDocument)", "MalformedPolicyDocument"),
        "inline-session-policy is JSON, but not a policy that IAM understands",
        why="IAM checks its elements, actions and ARNs.",
        check="run `aws accessanalyzer validate-policy --policy-type IDENTITY_POLICY --policy-document "
        "file://policy.json`.",
        mend="correct what that names.",
        weigh=certain,
    ),
    Cause(
        "duration",
        Symptom(
            "DurationSeconds exceeds the MaxSessionDuration set for this role (ValidationError)",
            "ValidationError",
            "MaxSessionDuration",
        ),
        "The session would be longer than the role allows",
        why="$seconds seconds were asked for, which is more than the maximum session duration of $role.",
        check="run `aws iam get-role --role-name=$role_name --query Role.MaxSessionDuration`.",
        mend="lower the input role-duration-seconds, or raise the role's maximum session duration in IAM.",
        weigh=certain,
    ),
    Cause(
        "chained-duration",
        Symptom(
            "DurationSeconds exceeds the 1 hour session limit for role chaining (ValidationError)",
            "ValidationError",
            "role chaining",
        ),
        "A chained session lasts one hour at most",
        why="$seconds seconds were asked for, but the credentials used are of a role themselves.",
        check="look at role-duration-seconds, and at where the step's credentials come from.",
        mend="set role-duration-seconds: 3600 or less, or assume the role with the ID token itself.",
        weigh=certain,
    ),
    Cause(
        "value",
        Symptom("Any other ValidationError", "ValidationError"),
        "AWS does not take one of the values that it was given",
        why="its message names the value.",
        check="look at the inputs role-to-assume, role-session-name and role-duration-seconds.",
        mend="correct the one that it names.",
        weigh=certain,
    ),
    Cause(
        "region",
        Symptom("STS is not activated in this region (RegionDisabledException)", "RegionDisabledException"),
        "STS is switched off in this region for account $account",
        why="some regions are off until somebody switches them on, and each has its own STS.",
        check="run `aws account get-region-opt-status --region-name=$region`.",
        mend="switch the region on (IAM console, Account settings), or use another aws-region.",
        weigh=certain,
    ),
)


def ranked(evidence: Evidence) -> list[tuple[Weight, Cause]]:
    """The causes that fit, the one with most evidence first; what is proven leaves no room for what is only possible.

    Empty when AWS said something that nobody knows.
    """
    symptom = next((cause.symptom for cause in CAUSES if cause.symptom.fits(evidence.refused)), None)
    weighed = [
        (weight, cause) for cause in CAUSES if cause.symptom == symptom and (weight := cause.weigh(evidence))
    ]
    best = max((weight for weight, _ in weighed), default=Weight.POSSIBLE)
    least = best if best >= Weight.SHOWN else Weight.POSSIBLE
    return sorted((row for row in weighed if row[0] >= least), key=lambda row: row[0], reverse=True)
