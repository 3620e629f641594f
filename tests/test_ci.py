"""For whose changes CI runs the action with the real role."""

from pathlib import Path

import pytest
import yaml

from sandbox.runner.expressions import evaluate, truthy

CI = yaml.safe_load((Path(__file__).parent.parent / ".github" / "workflows" / "ci.yml").read_text())
HERE, DEPENDABOT = "octo-org/py-aws-oidc", "dependabot[bot]"


def runs(
    *, actor: str = "octocat", author: str = "", head: str = HERE, role: str = "arn:aws:iam::1:role/ci"
) -> bool:
    """Whether the job runs for a push by this actor, or for a pull request if it has an author."""
    request = {"user": {"login": author}, "head": {"repo": {"full_name": head}}}
    github = {
        "actor": actor,
        "event_name": "pull_request" if author else "push",
        "event": {"pull_request": request} if author else {},
        "repository": HERE,
    }
    return truthy(evaluate(CI["jobs"]["use"]["if"], {"github": github, "vars": {"AWS_ROLE_TO_ASSUME": role}}))


def test_the_job_with_the_role_runs_for_people_of_the_repository():
    assert runs()
    assert runs(author="octocat")


def test_it_does_not_run_without_a_role_nor_for_a_fork():
    assert not runs(role="")
    assert not runs(author="mallory", head="mallory/py-aws-oidc")


@pytest.mark.parametrize(
    "event",
    [
        {"actor": DEPENDABOT},
        {"actor": DEPENDABOT, "author": DEPENDABOT},
        {"actor": "octocat", "author": DEPENDABOT},
        {"actor": DEPENDABOT, "author": "octocat"},
    ],
    ids=["its push", "its pull request", "its pull request, updated by a person", "its push to a person's branch"],
)
def test_it_does_not_run_for_what_dependabot_made(event):
    assert not runs(**event)


def test_only_the_job_with_the_role_may_have_an_id_token():
    allowed = [name for name, job in CI["jobs"].items() if "id-token" in job["permissions"]]

    assert (CI["permissions"], allowed) == ({}, ["use"])
