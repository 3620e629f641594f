import json

import pytest

from py_aws_oidc.github.context import Context


def read(tmp_path, event: object = None, **variables: str) -> Context:
    path = tmp_path / "event.json"
    path.write_text(event if isinstance(event, str) else json.dumps(event))
    return Context.read({"GITHUB_EVENT_PATH": str(path), "GITHUB_REPOSITORY": "octo-org/app", **variables})


def pull_request(head: str | None, base: str | None = "octo-org/app") -> dict[str, object]:
    def side(full_name: str | None) -> dict[str, object]:
        return {"repo": {"full_name": full_name} if full_name else None}

    return {"pull_request": {"head": side(head), "base": side(base)}}


def test_a_pull_request_from_another_repository_is_from_a_fork(tmp_path):
    assert read(tmp_path, pull_request("someone/app"), GITHUB_EVENT_NAME="pull_request").from_fork


def test_a_pull_request_from_a_fork_that_was_deleted_is_from_a_fork(tmp_path):
    assert read(tmp_path, pull_request(None), GITHUB_EVENT_NAME="pull_request").from_fork


def test_a_pull_request_from_the_repository_itself_is_not(tmp_path):
    assert not read(tmp_path, pull_request("octo-org/app"), GITHUB_EVENT_NAME="pull_request").from_fork


def test_the_repository_stands_in_for_a_base_that_the_event_leaves_out(tmp_path):
    assert not read(tmp_path, pull_request("octo-org/app", None), GITHUB_EVENT_NAME="pull_request").from_fork


def test_a_review_of_a_forks_pull_request_is_from_a_fork(tmp_path):
    assert read(tmp_path, pull_request("someone/app"), GITHUB_EVENT_NAME="pull_request_review").from_fork


def test_pull_request_target_runs_with_the_rights_of_the_base(tmp_path):
    assert not read(tmp_path, pull_request("someone/app"), GITHUB_EVENT_NAME="pull_request_target").from_fork


def test_a_push_is_from_no_fork(tmp_path):
    assert not read(tmp_path, {}, GITHUB_EVENT_NAME="push").from_fork


def test_dependabot_is_known_by_the_actor(tmp_path):
    assert read(tmp_path, {}, GITHUB_ACTOR="dependabot[bot]").from_dependabot


def test_dependabot_is_known_by_the_sender_of_the_event(tmp_path):
    assert read(tmp_path, {"sender": {"login": "dependabot[bot]"}}, GITHUB_ACTOR="octocat").from_dependabot


@pytest.mark.parametrize(
    "event", ["", "not json", "[1]", "\xff", '{"sender": 1, "pull_request": []}', "[" * 100_000]
)
def test_an_event_that_cannot_be_read_tells_nothing(tmp_path, event):
    assert read(tmp_path, event, GITHUB_EVENT_NAME="pull_request") == Context(
        from_fork=False, from_dependabot=False
    )


def test_a_run_without_an_event_tells_nothing():
    assert Context.read({}) == Context(from_fork=False, from_dependabot=False)
    assert Context.read({"GITHUB_EVENT_PATH": "nowhere"}) == Context(from_fork=False, from_dependabot=False)
