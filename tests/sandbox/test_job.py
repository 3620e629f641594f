import pytest

from sandbox.job import Job


@pytest.mark.parametrize(
    ("job", "sub"),
    [
        (Job(), "repo:octo-org/octo-repo:ref:refs/heads/main"),
        (Job(ref="refs/tags/v1"), "repo:octo-org/octo-repo:ref:refs/tags/v1"),
        (Job(event_name="pull_request"), "repo:octo-org/octo-repo:pull_request"),
        (Job(event_name="pull_request", environment="a:b"), "repo:octo-org/octo-repo:environment:a%3Ab"),
        (Job(immutable_sub=True), "repo:octo-org@65/octo-repo@74:ref:refs/heads/main"),
    ],
    ids=["branch", "tag", "pull request", "environment", "immutable"],
)
def test_the_subject_says_where_the_job_comes_from(job, sub):
    assert job.sub == sub
    assert job.claims()["sub"] == sub


def test_claims_and_variables_agree():
    claims, variables = Job().claims(), Job().variables()

    for name in ("actor", "event_name", "ref", "ref_type", "repository", "repository_id", "run_id", "sha"):
        assert claims[name] == variables[f"GITHUB_{name.upper()}"]
