"""The template, applied: its role decides about real tokens of real jobs.

moto's CloudFormation has no AWS::IAM::OIDCProvider, and spells a removed item of Fn::Join as "None"; so
tests/infra/cloudformation.py resolves the functions, and IAM makes what comes out. Where both of moto's gaps are out of
the way, moto's own CreateStack says the same.
"""

import json

import pytest
import yaml
from botocore.exceptions import ClientError
from tests.infra.cloudformation import load, template
from tests.infra.stack import RefusedError, Stack
from tests.infra.variants import ALL, GITHUB, IDS, POLICY, REFUSED, REPOSITORY, VARIANTS

from sandbox.in_process import Stage, Watch
from sandbox.job import Job
from sandbox.world import World

PULL_REQUEST = {"event_name": "pull_request", "ref": "refs/pull/7/merge"}
JOBS = {
    "main": Job(),
    "a branch": Job(ref="refs/heads/feature"),
    "a branch that begins with main": Job(ref="refs/heads/main-2"),
    "a branch named like the ref": Job(ref="refs/heads/refs/heads/main"),
    "Main": Job(ref="refs/heads/Main"),
    "release/1.2": Job(ref="refs/heads/release/1.2"),
    "a tag": Job(ref="refs/tags/v1.2.3"),
    "a tag named main": Job(ref="refs/tags/main"),
    "production": Job(environment="production"),
    "Production": Job(environment="Production"),
    "production-2": Job(environment="production-2"),
    "production: eu west": Job(environment="production: eu west"),
    "a tag in production": Job(environment="production", ref="refs/tags/v1.2.3"),
    # A fork's is like any other, if it gets a token at all: `sub` names the repository that the request is made to.
    "a pull request": Job(**PULL_REQUEST),
    "a pull request in production": Job(environment="production", **PULL_REQUEST),
    "main, by ids": Job(immutable_sub=True),
    "a branch, by ids": Job(immutable_sub=True, ref="refs/heads/feature"),
    "a tag, by ids": Job(immutable_sub=True, ref="refs/tags/v1.2.3"),
    "production, by ids": Job(immutable_sub=True, environment="production"),
    "a pull request, by ids": Job(immutable_sub=True, **PULL_REQUEST),
}
STRANGERS = {
    "fork": {"owner": "eve", "owner_id": "66", "repository_id": "99"},
    "look-alike": {"owner": "octo-org-evil", "owner_id": "66", "repository_id": "99"},
    "look-alike in front": {"owner": "evil-octo-org", "owner_id": "66", "repository_id": "99"},
    "owner in upper case": {"owner": "Octo-Org", "owner_id": "66", "repository_id": "99"},
    "repository in upper case": {"name": "Octo-Repo", "repository_id": "75"},
    "another repository": {"name": "octo-repo-2", "repository_id": "75"},
    "a new owner of the name": {"owner_id": "66", "repository_id": "99", "immutable_sub": True},
    "a new repository of the name": {"repository_id": "75", "immutable_sub": True},
    "a longer id": {"owner_id": "655", "repository_id": "744", "immutable_sub": True},
}
JOBS |= {
    f"{who}: {what}": Job(**stranger, **job)
    for who, stranger in STRANGERS.items()
    for what, job in {
        "main": {},
        "production": {"environment": "production"},
        "a tag": {"ref": "refs/tags/v1.2.3"},
        "a pull request": PULL_REQUEST,
    }.items()
}
PRODUCTION = {"production", "a tag in production", "a pull request in production"}
ALLOWED = {
    "branch": {"main"},
    "branches": {"release/1.2"},
    "every branch": {
        "main",
        "a branch",
        "a branch that begins with main",
        "a branch named like the ref",
        "Main",
        "release/1.2",
    },
    "tags": {"a tag"},
    "environment": PRODUCTION,
    "environment with a colon and a blank": {"production: eu west"},
    "pull requests": {"a pull request"},
    "branch and environment": {"main", *PRODUCTION},
    "all": {"main", "a tag", *PRODUCTION, "a pull request"},
    "branch, with ids": {"main", "main, by ids"},
    "all, with ids": {
        "main",
        "a tag",
        *PRODUCTION,
        "a pull request",
        "main, by ids",
        "a tag, by ids",
        "production, by ids",
        "a pull request, by ids",
    },
    "existing provider": {"main"},
    "GitHub Enterprise Server": {"main"},
    "enterprise's own issuer, existing": PRODUCTION,
    "another audience": {"main"},
    "China": {"main"},
    "China, existing provider": {"main"},
    "all about the role": {"main"},
}


NOTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}


class Account:
    """An account in which the template was applied."""

    def __init__(self, world: World, variant: dict[str, str], *, audiences: tuple[str, ...] = ()) -> None:
        self.issuer = world.issuer
        self.region = variant.get("region", "us-east-1")
        self.audience = variant.get("Audience", "sts.amazonaws.com")
        self.stack = template(**variant)
        if not self.stack.provider:
            world.register_provider(audiences=(self.audience, *audiences), region=self.region)
        self.iam = world.admin("iam", region=self.region)
        self.sts = world.client("sts", region=self.region)
        for arn in (*self.stack.role.policies, *filter(None, [self.stack.role.boundary])):
            self.iam.create_policy(PolicyName=arn.rpartition("/")[2], PolicyDocument=json.dumps(NOTHING))
        self.role = self.stack.create(self.iam)

    def session(self, job: Job, audience: str = "") -> str:
        """The ARN of the session that the job's token gets. Raises ClientError."""
        answer = self.sts.assume_role_with_web_identity(
            RoleArn=self.role,
            RoleSessionName="GitHubActions",
            WebIdentityToken=self.issuer.mint(job, audience or self.audience),
        )
        return answer["AssumedRoleUser"]["Arn"]

    def has(self, job: Job) -> bool:
        """Whether the job gets the role; any refusal but that of the trust policy is a failure."""
        try:
            return bool(self.session(job))
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDenied":
                raise
            return False


def issuer(stack: Stack) -> str:
    return f"https://{stack.provider_arn.partition(':oidc-provider/')[2]}"


@pytest.mark.parametrize("name", VARIANTS)
def test_these_jobs_and_no_others_may_have_the_role(name):
    with World(iss=issuer(template(**VARIANTS[name]))) as world:
        account = Account(world, VARIANTS[name])

        assert {job for job in JOBS if account.has(JOBS[job])} == ALLOWED[name]


@pytest.mark.parametrize("name", VARIANTS)
def test_what_the_outputs_name_is_there(name):
    variant = VARIANTS[name]
    with World(iss=issuer(template(**variant))) as world:
        account = Account(world, variant)

        assert account.role == account.stack.role_arn
        assert account.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [
            {"Arn": account.stack.provider_arn}
        ]


@pytest.mark.parametrize("name", ["branch", "China", "GitHub Enterprise Server", "all about the role"])
def test_the_snippet_pasted_into_a_job_gets_the_role(name, tmp_path):
    with World(iss=issuer(template(**VARIANTS[name]))) as world:
        account = Account(world, VARIANTS[name])
        pasted = yaml.safe_load(account.stack.snippet)
        (step,) = pasted["steps"]
        inputs = {key.replace("-", "_"): value for key, value in step["with"].items()}

        run = Stage(world, account.role, Watch()).run(tmp_path, **inputs)

    assert pasted["permissions"]["id-token"] == "write"
    assert run.status == 0
    assert f":assumed-role/{account.stack.role.name}/" in run.outputs["authenticated-arn"]


def test_a_token_for_another_audience_of_the_provider_is_refused():
    with World() as world:
        account = Account(world, VARIANTS["existing provider"], audiences=("https://github.com/octo-org",))

        with pytest.raises(ClientError, match="AccessDenied"):
            account.session(Job(), "https://github.com/octo-org")


def test_a_token_for_an_audience_that_the_provider_does_not_know_is_refused():
    with World() as world:
        account = Account(world, VARIANTS["branch"])

        with pytest.raises(ClientError, match="Incorrect token audience"):
            account.session(Job(), "https://github.com/octo-org")


def test_a_token_of_another_issuer_is_refused():
    with World() as world:
        account = Account(world, VARIANTS["GitHub Enterprise Server"])
        world.register_provider()

        with pytest.raises(ClientError, match="AccessDenied"):
            account.session(Job())


@pytest.mark.parametrize("name", VARIANTS)
def test_the_policy_has_one_statement_with_audience_and_subject(name):
    stack = template(**VARIANTS[name])
    host = issuer(stack).removeprefix("https://")
    (statement,) = stack.role.trust["Statement"]

    assert statement["Effect"] == "Allow"
    assert statement["Principal"] == {"Federated": stack.provider_arn}
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"].keys() == {"StringEquals", "StringLike"}
    assert statement["Condition"]["StringEquals"].keys() == {f"{host}:aud"}
    assert statement["Condition"]["StringLike"].keys() == {f"{host}:sub"}


def test_the_role_may_do_nothing_unless_told():
    role = template(**VARIANTS["branch"]).role

    assert (role.policies, role.boundary, role.max_session_duration) == (frozenset(), None, 3600)


def test_the_role_may_do_what_it_was_told():
    with World() as world:
        account = Account(world, VARIANTS["all about the role"])
        role = account.iam.get_role(RoleName="deploy")["Role"]
        attached = account.iam.list_attached_role_policies(RoleName="deploy")["AttachedPolicies"]

    assert {policy["PolicyArn"] for policy in attached} == {f"{POLICY}/upload", f"{POLICY}/invalidate"}
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == f"{POLICY}/boundary"
    assert role["MaxSessionDuration"] == 43200
    assert role["Arn"] == "arn:aws:iam::123456789012:role/ci/deploy"


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_open_the_role_or_shut_it_is_refused_in_words(name):
    variant, said = REFUSED[name]

    with pytest.raises(RefusedError, match=said.replace("*", r"\*")):
        template(**variant)


@pytest.mark.parametrize("seconds", ["3599", "43201"])
def test_a_session_that_iam_would_not_take_is_refused(seconds):
    with pytest.raises(RefusedError, match="MaxSessionDuration"):
        template(**VARIANTS["branch"], MaxSessionDuration=seconds)


def test_the_provider_outlives_the_stack():
    provider = load()["Resources"]["Provider"]

    assert (provider["DeletionPolicy"], provider["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_motos_cloudformation_makes_the_same_role_of_it():
    with World() as world:
        parameters = {**REPOSITORY, **ALL, **IDS, "RoleName": "deploy", "ProviderArn": world.register_provider()}
        cloudformation = world.admin("cloudformation")
        cloudformation.create_stack(
            StackName="github-actions-role",
            TemplateBody=json.dumps(load()),
            Parameters=[{"ParameterKey": name, "ParameterValue": parameters[name]} for name in parameters],
        )
        (made,) = cloudformation.describe_stacks(StackName="github-actions-role")["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in made["Outputs"]}
        role = world.admin("iam").get_role(RoleName="deploy")["Role"]
        stack = template(**parameters)

    assert role["AssumeRolePolicyDocument"] == stack.role.trust
    assert role["Arn"] == outputs["RoleArn"] == stack.role_arn
    assert outputs["ProviderArn"] == stack.provider_arn == f"arn:aws:iam::123456789012:oidc-provider/{GITHUB}"
    assert outputs["WorkflowSnippet"] == stack.snippet
