"""The pages and the workflows say what the code does."""

import re

import pytest
import yaml
from tests.release.conftest import ROOT

from release import signing
from release.__main__ import parser

README = (ROOT / "README.md").read_text()
PAGE = (ROOT / "docs" / "release.md").read_text()
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
ROLLBACK = yaml.safe_load((ROOT / ".github" / "workflows" / "rollback.yml").read_text())
JOBS = WORKFLOW["jobs"]
COMMANDS = set(parser()._subparsers._group_actions[0].choices)  # noqa: SLF001 - argparse has no other way to ask


def test_the_readme_verifies_with_the_identity_that_signs():
    assert signing.Keyless("org/py-aws-oidc").identity in README
    assert f"--certificate-oidc-issuer {signing.ISSUER}" in README


def test_the_page_has_every_identity_right():
    assert signing.Keyless("OWNER/py-aws-oidc").identity in PAGE


@pytest.mark.parametrize(
    "text", [README, PAGE, (ROOT / "SECURITY.md").read_text()], ids=["README", "page", "SECURITY"]
)
def test_the_commands_of_the_pages_exist(text):
    assert set(re.findall(r"tools/release ([a-z]+)", text)) <= COMMANDS


def scripts(job: str) -> str:
    return "\n".join(step.get("run", "") for step in JOBS[job]["steps"])


def test_the_workflow_calls_only_commands_that_exist():
    called = {command for job in JOBS for command in re.findall(r"tools/release ([a-z]+)", scripts(job))}

    assert called <= COMMANDS
    assert called >= {"check", "build", "push", "pull", "action", "tag", "publish", "verify"}


@pytest.mark.parametrize("job", ["build", "rebuild", "try", "verify"])
def test_a_job_that_builds_or_runs_the_image_can_write_nothing(job):
    writes = {scope for scope, level in JOBS[job]["permissions"].items() if level == "write"}

    assert writes <= {"id-token"}  # for AWS


@pytest.mark.parametrize(("job", "environment"), [("push", "release-gate"), ("release", "release")])
def test_a_job_that_writes_waits_for_a_reviewer_and_builds_nothing(job, environment):
    assert JOBS[job]["environment"] == environment
    assert "tools/release build" not in scripts(job)


def test_only_the_workflow_named_in_the_certificate_signs():
    assert signing.WORKFLOW == ".github/workflows/release.yml@refs/heads/main"
    assert JOBS["build"]["if"] == "github.ref == 'refs/heads/main'"


def test_a_roll_back_does_not_wait_for_a_release_that_waits_for_its_reviewer():
    assert ROLLBACK["concurrency"]["group"] != WORKFLOW["concurrency"]["group"]


def test_no_job_logs_in_where_the_image_must_be_public():
    assert "login" not in scripts("try")
    assert "packages" not in JOBS["try"]["permissions"]
