from datetime import UTC, datetime

import pytest

from py_aws_oidc.explain.claims import SHOWN, Subject, lines
from sandbox.job import Job

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def shown(**claims: object) -> dict[str, str]:
    given = Job().claims() | {"iss": "https://issuer", "aud": "a", "exp": int(NOW.timestamp()) + 290} | claims
    return dict(line.split(maxsplit=1) for line in lines(given, NOW))


def test_each_claim_that_matters_has_a_line():
    assert list(shown()) == [*SHOWN, "expires"]
    assert shown()["sub"] == "repo:octo-org/octo-repo:ref:refs/heads/main"


def test_a_claim_that_is_not_there_is_said_not_to_be():
    assert shown()["environment"] == "(not in the token)"


def test_the_time_that_is_left_is_said_in_seconds():
    assert shown()["expires"] == "in 290 s"


@pytest.mark.parametrize(
    "context", ["ref:refs/heads/main", "environment:prod", "pull_request", "environment:a%3Ab"]
)
@pytest.mark.parametrize("repository", ["octo-org/octo-repo", "octo-org@65/octo-repo@74", "a_b/c.d-e"])
def test_a_subject_of_github_has_parts_and_is_made_of_them_again(repository, context):
    sub = f"repo:{repository}:{context}"
    subject = Subject.parse(sub)

    assert str(subject) == sub
    assert subject.context == context
    assert subject.is_immutable == ("@" in repository)


@pytest.mark.parametrize(
    "sub",
    ["", "repository_owner:octo-org", "repo:octo-org/octo-repo", "repo:o@1/r:pull_request", "repo:o/r:branch:x"],
)
def test_a_customised_subject_is_not_taken_apart(sub):
    assert Subject.parse(sub) is None


def test_the_two_forms_of_a_subject_are_one_for_the_other():
    names = Subject("octo-org", "octo-repo", "pull_request")
    ids = names.by_ids("65", "74")

    assert str(ids) == "repo:octo-org@65/octo-repo@74:pull_request"
    assert ids.by_names() == names
