"""No trust policy that is written lets in the job of another repository, whatever the template of its subject."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_aws_oidc import trust_cli
from py_aws_oidc.aws.arn import Role
from py_aws_oidc.aws.errors import Refused
from py_aws_oidc.explain.evidence import Evidence
from py_aws_oidc.explain.findings import findings
from py_aws_oidc.explain.report import statements
from py_aws_oidc.explain.trust import EXCHANGE, context_of, evaluate, provider_arn, provider_of, read
from sandbox.job import Job

GITHUB = "https://token.actions.githubusercontent.com"
ENTERPRISE_SERVER = "https://ghe.example/_services/token"
OWN_ISSUERS = (GITHUB, f"{GITHUB}/octo-enterprise", "https://token.actions.octo.ghe.com")
ACCOUNT = "123456789012"
AUDIENCE = "sts.amazonaws.com"
OPEN = "NOT limited to one repository"

MALLORY = {"owner": "mallory", "owner_id": "666", "name": "evil", "repository_id": "999"}
NAMES = st.from_regex(r"[A-Za-z0-9-]{1,8}", fullmatch=True).filter(lambda name: name != MALLORY["owner"])
TEXTS = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=12) | st.sampled_from(
    ["production", "x:repository_owner:octo-org", "repo:octo-org/octo-repo", "*", "${*}", "?"]
)
JOBS = st.builds(
    Job,
    owner=NAMES,
    name=NAMES,
    owner_id=st.integers(1, 600).map(str),
    repository_id=st.integers(1, 900).map(str),
    ref=st.sampled_from(["refs/heads/main", "refs/tags/v1", "refs/heads/gh-readonly-queue/main/pr-1-abc"]),
    event_name=st.sampled_from(["push", "pull_request"]),
    environment=st.none() | TEXTS,
    workflow=TEXTS,
    immutable_sub=st.booleans(),
)
KEYS = st.sampled_from(
    [
        *("repo", "context", "environment", "ref", "actor", "workflow", "job_workflow_ref", "event_name"),
        *(
            "repository_owner",
            "repository_owner_id",
            "repository_id",
            "repository_visibility",
            "runner_environment",
        ),
    ]
)
TEMPLATES = st.none() | st.lists(KEYS, min_size=1, max_size=4, unique=True)


def claims_of(job: Job, template: list[str] | None, issuer: str = GITHUB) -> dict[str, Any]:
    """The claims of a job whose repository has this template (`include_claim_keys`); None is the default subject.

    GitHub's "OpenID Connect reference": `repo` stands for the repository, `context` for the end of the default
    subject, and any `:` in a value is written as %3A.
    """
    claims = job.claims() | {"iss": issuer, "aud": AUDIENCE}
    if template is None:
        return claims
    _, repository, context = job.sub.split(":", 2)
    values = {name: value.replace(":", "%3A") for name, value in job.claims().items()} | {"repo": repository}
    parts = [context if key == "context" else f"{key}:{values.get(key, '')}" for key in template]
    return claims | {"sub": ":".join(parts)}


def written_for(claims: dict[str, Any], arn: str = f"arn:aws:iam::{ACCOUNT}:role/deploy"):
    refused = Refused("AssumeRoleWithWebIdentity", "AccessDenied", "No", 403)
    return list(statements(Evidence(refused, Role.parse(arn), AUDIENCE, 3600, "eu-west-1", claims)))


def lets_in(document: Any, claims: dict[str, Any]) -> bool:
    provider = provider_of(claims["iss"])
    context = context_of(claims, provider)
    arn = provider_arn(claims["iss"], ACCOUNT)
    return evaluate(document, principal=arn, action=EXCHANGE, context=context).allowed


@given(JOBS, TEMPLATES, st.sampled_from(OWN_ISSUERS))
def test_no_policy_of_the_summary_lets_in_another_repository_id(job, template, issuer):
    claims = claims_of(job, template, issuer)

    written = written_for(claims)

    assert written
    for title, document in written:
        assert OPEN not in title
        assert lets_in(document, claims), title
        # Even with the very same subject, and the names that the repository had.
        assert not lets_in(document, claims | {"repository_id": "999"}), title
        assert [one.what for one in findings(document) if "does not name the owner" in one.what] == []


@given(JOBS, TEMPLATES, TEMPLATES, TEXTS)
def test_without_the_id_a_policy_that_another_repository_could_use_says_so_and_is_not_the_first(
    job, template, other_template, text
):
    claims = claims_of(job, template)
    del claims["repository_id"]
    stranger = replace(job, **MALLORY)

    for number, (title, document) in enumerate(written_for(claims)):
        if OPEN in title:
            assert number > 0
        else:
            for theirs in (template, other_template):
                for same in (stranger, replace(stranger, environment=text, workflow=text)):
                    assert not lets_in(document, claims_of(same, theirs)), title


@given(JOBS, TEMPLATES, TEMPLATES, TEXTS)
def test_of_an_enterprise_server_a_policy_that_another_repository_could_use_says_so_and_is_not_the_first(
    job, template, other_template, text
):
    claims = claims_of(job, template, ENTERPRISE_SERVER)
    stranger = replace(job, **MALLORY)

    written = written_for(claims)

    assert OPEN not in written[0][0]
    for title, document in written:
        for theirs in (template, other_template):
            for same in (stranger, replace(stranger, environment=text, workflow=text)):
                assert not lets_in(document, claims_of(same, theirs, ENTERPRISE_SERVER)) or OPEN in title


@given(JOBS, TEMPLATES)
def test_in_other_partitions_no_policy_of_the_summary_lets_in_a_stranger(job, template):
    claims = claims_of(job, template)

    for title, document in written_for(claims, f"arn:aws-us-gov:iam::{ACCOUNT}:role/deploy"):
        document["Statement"][0]["Principal"] = {"Federated": provider_arn(GITHUB, ACCOUNT)}
        assert lets_in(document, claims)
        assert not lets_in(document, claims_of(replace(job, **MALLORY), template)), title


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A repository, and the arguments with which a policy for it is written."""
    repository = f"{draw(NAMES)}/{draw(NAMES)}"
    options = draw(st.lists(st.sampled_from(["--branch", "--tag", "--environment"]), min_size=1, max_size=2))
    value = draw(st.sampled_from(["main", "*", "v?", "a*:repository_owner:x"]))
    by_id, by_both = ["--repository-id=74"], ["--owner-id=65", "--repository-id=74", "--forms=both"]
    more = draw(st.sampled_from([[], by_id, by_both]))
    return repository, [f"--repository={repository}", *(f"{option}={value}" for option in options), *more]


@given(calls(), TEMPLATES, TEXTS)
def test_no_policy_of_the_command_lets_in_a_stranger(call, template, text):
    repository, arguments = call
    stdout = io.StringIO()
    if trust_cli.main(["write", f"--account={ACCOUNT}", *arguments], io.StringIO(), stdout, io.StringIO()):
        return

    document = read(stdout.getvalue())

    for ref in ("refs/heads/main", "refs/tags/v1"):
        for environment in (None, text, f"{text}:repo:{repository}"):
            stranger = Job(**MALLORY, ref=ref, environment=environment, workflow=text)
            assert not lets_in(document, claims_of(stranger, template))


# --- the cases one by one


@pytest.mark.parametrize(
    "sub",
    [
        pytest.param("environment:production", id="S1"),
        "ref:refs/heads/main",
        "workflow:deploy",
        "runner_environment:github-hosted",
        "event_name:push",
        "repository_visibility:private",
        "job_workflow_ref:octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main",
        "repository_owner:octo-org",
        "",
    ],
)
def test_a_customised_subject_is_written_with_the_repositorys_id(sub):
    ours = claims_of(Job(), None) | {"sub": sub}
    theirs = claims_of(Job(**MALLORY), None) | {"sub": sub}

    ((title, document),) = written_for(ours)

    assert OPEN not in title
    assert lets_in(document, ours)
    assert not lets_in(document, theirs)


def test_without_the_id_the_first_policy_is_one_to_fill_in_and_lets_nobody_in():
    claims = claims_of(Job(), ["actor"])
    del claims["repository_id"]

    (first, document), (second, open_document) = written_for(claims)

    assert "must be filled in" in first
    assert not lets_in(document, claims_of(Job(), ["actor"]))
    assert OPEN in second
    assert lets_in(open_document, claims)


@pytest.mark.parametrize("template", [None, ["actor"]])
@pytest.mark.parametrize("immutable", [True, False])
@pytest.mark.parametrize("repository_id", [None, "", True, ["74"], "*", "seventy-four"])
def test_what_is_no_id_is_written_into_no_policy(repository_id, template, immutable):
    claims = claims_of(Job(immutable_sub=immutable), template) | {"repository_id": repository_id}

    documents = [document for title, document in written_for(claims) if "must be filled in" not in title]

    assert documents
    assert not [document for document in documents if ":repository_id" in str(document)]
    assert all(lets_in(document, claims) for document in documents)


def test_an_id_may_be_a_number():
    claims = claims_of(Job(), ["actor"]) | {"repository_id": 74}

    ((_, document),) = written_for(claims)

    assert lets_in(document, claims)


def test_a_customised_subject_that_names_the_repository_needs_no_id():
    claims = claims_of(Job(), ["repo", "actor"])
    del claims["repository_id"]

    ((title, document),) = written_for(claims)

    assert OPEN not in title
    assert lets_in(document, claims)


@pytest.mark.parametrize(
    ("job", "sub"),
    [
        (Job(), "repo:octo-org/octo-repo:ref:refs/heads/main"),
        (Job(event_name="pull_request"), "repo:octo-org/octo-repo:pull_request"),
        (Job(environment="a:b"), "repo:octo-org/octo-repo:environment:a%3Ab"),
    ],
)
def test_of_an_enterprise_server_the_first_policy_is_for_the_default_subject(job, sub):
    ours = claims_of(job, ["actor"], ENTERPRISE_SERVER)

    (_, document), (title, _) = written_for(ours)

    assert lets_in(document, ours | {"sub": sub})
    assert not lets_in(document, ours)
    assert OPEN in title


def test_an_owner_behind_an_environment_counts_only_where_colons_are_encoded():
    sub = "environment:x:repository_id:74"
    claims = {"aud": AUDIENCE, "sub": sub}

    assert [OPEN in title for title, _ in written_for(claims | {"iss": GITHUB})] == [False]
    assert [OPEN in title for title, _ in written_for(claims | {"iss": ENTERPRISE_SERVER})] == [True]


# --- merge queues

QUEUED = Job(ref="refs/heads/gh-readonly-queue/main/pr-7-0123")


@pytest.mark.parametrize("immutable", [True, False])
@pytest.mark.parametrize("ref", [QUEUED.ref, pytest.param("refs/heads/gh-readonly-queue/main/pr-1-evil", id="S11")])
def test_the_first_policy_of_a_merge_queue_is_for_this_run_alone(immutable, ref):
    job = replace(QUEUED, ref=ref, immutable_sub=immutable)
    next_one = claims_of(replace(job, ref="refs/heads/gh-readonly-queue/main/pr-8-4567"), None)

    wide = [title for title, document in written_for(claims_of(job, None)) if lets_in(document, next_one)]

    first, second, *_ = [title for title, _ in written_for(claims_of(job, None))]
    assert wide == [second]
    assert second != first
    assert "wider than this run" in second


def test_the_policy_of_a_merge_queue_is_for_the_queue_of_one_branch():
    (_, (_, document), *_) = written_for(claims_of(QUEUED, None))

    for ref in ("gh-readonly-queue/other/pr-7-0123", "gh-readonly-queue/main/x", "main"):
        assert not lets_in(document, claims_of(replace(QUEUED, ref=f"refs/heads/{ref}"), None))


def test_only_the_branch_of_a_merge_queue_has_a_wider_policy():
    for ref in ("refs/heads/main", "refs/heads/gh-readonly-queue/pr-7", "refs/tags/gh-readonly-queue/main/pr-7"):
        assert not [title for title, _ in written_for(claims_of(Job(ref=ref), None)) if "queue" in title]
