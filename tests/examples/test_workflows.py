"""The steps of the examples that use the action, run in accounts that have what the examples' headers ask for."""

import configparser
import itertools
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from sandbox.in_process import KEYS
from sandbox.issuer import GITHUB
from sandbox.job import Job
from sandbox.runner import JobRun, Mode, work_folder
from sandbox.runner.expressions import fill
from sandbox.world import World, github_trust

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FILES = {path.name: path.read_text() for path in sorted((ROOT / "examples" / "workflows").glob("*.yml"))}
# As texts all of it, so that `on` stays a word and an account id keeps its zeros.
WORKFLOWS = {name: yaml.load(text, Loader=yaml.BaseLoader) for name, text in FILES.items()}  # noqa: S506 -- a safe one
CALLED = {name for name, workflow in WORKFLOWS.items() if "workflow_call" in workflow["on"]}


@dataclass(frozen=True)
class Header:
    """What an example says that AWS needs: who trusts whom, by way of which workflow, and who has a key."""

    issuer: str
    roles: tuple[tuple[str, str, str], ...]
    users: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> "Header":
        (issuer,) = re.findall(r"^#   (https://\S+) is the issuer$", text, re.MULTILINE) or [GITHUB]
        roles = re.findall(r"^#   (arn:\S+) trusts (\S+)(?:\n#     by (\S+))?$", text, re.MULTILINE)
        return cls(issuer, tuple(roles), tuple(re.findall(r"^#   (arn:\S+) has the key$", text, re.MULTILINE)))

    def create(self, world: World) -> dict[str, str]:
        """The secrets of the repository, after IAM has made all of it."""
        providers: dict[str, str] = {}
        for role, trusted, by in self.roles:
            account, name = role.split(":")[4], role.rpartition("/")[2]
            if trusted.startswith("repo:"):
                if account not in providers:
                    providers[account] = world.register_provider(account=account)
                trust = github_trust(providers[account], trusted)
                if by:
                    key = f"{providers[account].partition(':oidc-provider/')[2]}:job_workflow_ref"
                    trust["Statement"][0]["Condition"]["StringEquals"][key] = by
            else:
                actions = ["sts:AssumeRole", "sts:TagSession"]
                statement = {"Effect": "Allow", "Principal": {"AWS": trusted}, "Action": actions}
                trust = {"Version": "2012-10-17", "Statement": [statement]}
            assert world.create_role(name, trust=trust, account=account) == role
        secrets = {}
        for user in self.users:
            iam, name = world.admin("iam", user.split(":")[4]), user.rpartition("/")[2]
            iam.create_user(UserName=name)
            key = iam.create_access_key(UserName=name)["AccessKey"]
            secrets = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        return secrets


@dataclass(frozen=True)
class Planned:
    """A job of an example: what GitHub knows of it, and its steps with this action."""

    job: Job
    may_have_id_token: bool
    steps: tuple[Mapping[str, Any], ...]
    inputs: Mapping[str, str]


def planned(name: str) -> Iterator[Planned]:
    """The jobs of a workflow that GitHub starts by itself, with those that it calls in their place."""
    workflow = WORKFLOWS[name]
    event = workflow["on"] if isinstance(workflow["on"], str) else next(iter(workflow["on"]))
    tags = workflow["on"][event].get("tags") if event == "push" else None
    ref = f"refs/tags/{tags[0].replace('*', '1.2.3')}" if tags else "refs/heads/main"
    enterprise = Header.of(FILES[name]).issuer != GITHUB
    facts = {
        "event_name": event,
        "ref": ref,
        "server_url": "https://github.example.com" if enterprise else "https://github.com",
    }
    for body in workflow["jobs"].values():
        grants = body["permissions"].get("id-token") == "write"
        if "uses" not in body:
            yield Planned(Job(environment=body.get("environment"), **facts), grants, action_steps(body), {})
            continue
        file, _, version = body["uses"].partition("@")
        called = WORKFLOWS[file.rpartition("/")[2]]
        declared = called["on"]["workflow_call"]["inputs"]
        defaults = {key: about["default"] for key, about in declared.items() if "default" in about}
        for inner in called["jobs"].values():
            both = grants and inner["permissions"].get("id-token") == "write"
            job = Job(job_workflow_ref=f"{file}@refs/tags/{version}", **facts)
            yield Planned(job, both, action_steps(inner), defaults | body["with"])


def action_steps(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    return tuple(step for step in body["steps"] if step.get("uses") == "org/py-aws-oidc@v1")


def sessions(name: str, header: Header) -> Iterator[tuple[str, str]]:
    """For each step the role that it asks for, if any, and the ARN of the credentials that the steps after it find."""
    with World(iss=header.issuer) as world:
        secrets = header.create(world)
        for plan in planned(name):
            contexts = {"inputs": plan.inputs, "secrets": secrets}
            with work_folder() as work, job_run(plan, world, work, secrets) as run:
                for step in plan.steps:
                    inputs = {key: fill(value, contexts) for key, value in step["with"].items()}
                    result = run.uses(
                        ROOT,
                        with_=inputs | {"sts-endpoint": world.aws_url},
                        id=step.get("id"),
                        process=[sys.executable, "-m", "py_aws_oidc"],
                    )
                    assert result.outcome == "success", result.annotations
                    yield inputs.get("role-to-assume", ""), who(world, run, inputs.get("aws-profile", ""))


def job_run(plan: Planned, world: World, work: Path, secrets: Mapping[str, str]) -> JobRun:
    mode = Mode.HOST if plan.may_have_id_token else Mode.NO_ID_TOKEN
    return JobRun(plan.job, work=work, mode=mode, id_token=world.issuer.start(plan.job), masks=secrets.values())


def who(world: World, run: JobRun, profile: str) -> str:
    """The ARN of the credentials in the variables, or in the profile."""
    found = run.env
    if profile:
        file = configparser.ConfigParser()
        file.read(run.layout.home / ".aws" / "credentials")
        found = {key.upper(): value for key, value in file[profile].items()}
    names = {"AccessKeyId": KEYS[0], "SecretAccessKey": KEYS[1], "SessionToken": KEYS[2]}
    credentials = {name: found.get(key) for name, key in names.items()}
    return world.client("sts", credentials).get_caller_identity()["Arn"]


def role_of(arn: str) -> str:
    """The ARN of the role that a session is of; a user's ARN as it is."""
    return re.sub(r"arn:aws:sts::(\d+):assumed-role/(.+)/.+", r"arn:aws:iam::\1:role/\2", arn)


@pytest.mark.parametrize("name", sorted(FILES.keys() - CALLED))
def test_every_step_with_the_action_gets_what_the_header_says(name):
    header = Header.of("".join(FILES[file] for file in sorted({name, *called_by(name)})))
    got = []
    for asked, arn in sessions(name, header):
        got.append(role_of(arn))
        assert asked in {"", got[-1]}

    assert sorted(got) == sorted([role for role, _, _ in header.roles] + list(header.users))


def called_by(name: str) -> set[str]:
    """The examples that the jobs of an example are."""
    uses = [body["uses"] for body in WORKFLOWS[name]["jobs"].values() if "uses" in body]
    return {one.partition("@")[0].rpartition("/")[2] for one in uses}


def test_each_called_workflow_is_run_by_an_example_that_calls_it():
    assert {called for name in FILES for called in called_by(name)} == CALLED


def test_the_role_of_the_reusable_workflow_is_not_had_without_it():
    header = Header.of(FILES["reusable-workflow.yml"])
    with World() as world:
        header.create(world)
        token = world.issuer.mint(Job(), "sts.amazonaws.com")

        with pytest.raises(ClientError, match="AccessDenied"):
            world.client("sts").assume_role_with_web_identity(
                RoleArn=header.roles[0][0], RoleSessionName="GitHubActions", WebIdentityToken=token
            )


@pytest.mark.parametrize("name", FILES)
def test_an_example_begins_with_what_it_is_for(name):
    lines = list(itertools.takewhile(lambda line: line.startswith("# "), FILES[name].split("\n")))

    assert 2 <= len(lines) <= 6


@pytest.mark.parametrize("name", FILES)
def test_a_value_that_a_user_must_change_says_so(name):
    _, body = FILES[name].split("\nname: ")
    made_up = re.compile(r"\d{12}|octo-|E1A2B3C4D5E6F7|(us|eu)-\w+-\d|cron|deploy\.sh")

    assert [line for line in body.split("\n") if made_up.search(line) and not line.endswith(" # yours")] == []


@pytest.mark.parametrize("name", FILES)
def test_a_job_has_no_more_permissions_than_it_says(name):
    assert WORKFLOWS[name]["permissions"] == {}
    assert all("permissions" in body for body in WORKFLOWS[name]["jobs"].values())


@pytest.mark.parametrize("name", FILES)
def test_a_job_has_a_time_limit(name):
    assert all("timeout-minutes" in body for body in WORKFLOWS[name]["jobs"].values() if "steps" in body)


@pytest.mark.parametrize("name", FILES)
def test_an_example_is_listed(name):
    assert f"](workflows/{name})" in (ROOT / "examples" / "README.md").read_text()
