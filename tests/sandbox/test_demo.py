import io
import runpy
import sys

import pytest

from sandbox import demo

pytestmark = pytest.mark.slow


def told(monkeypatch: pytest.MonkeyPatch, docker_host: str) -> tuple[int, str]:
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    out = io.StringIO()
    return demo.main(out), out.getvalue()


@pytest.fixture
def story(monkeypatch):
    """The demo on a machine where no engine answers."""
    status, text = told(monkeypatch, "unix:///nowhere/docker.sock")
    assert status == 0
    return text


def test_the_story_ends_well_and_says_how_it_was_run(story):
    assert "so the action runs as a process: python -m py_aws_oidc" in story
    assert story.count("   yes  ") == 6


def test_the_story_shows_what_the_issue_is_about(story):
    assert "I am arn:aws:sts::123456789012:assumed-role/deploy/GitHubActions" in story
    assert "s3://octo-reports/report.txt 11 bytes" in story
    assert "- sub: repo:octo-org/octo-repo:ref:refs/heads/feature" in story


def test_the_story_holds_no_secret(story):
    assert "ASIA" not in story
    assert "::add-mask::" not in story


@pytest.mark.container
@pytest.mark.usefixtures("image")
def test_with_an_engine_the_story_is_told_in_the_real_image(engine, monkeypatch):
    status, text = told(monkeypatch, engine.host or "unix:///var/run/docker.sock")

    assert status == 0
    assert "so the action runs in its real image, py-aws-oidc:dev." in text


def test_a_wrong_call_is_told_the_right_one(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["sandbox", "story"])

    with pytest.raises(
        SystemExit,
        match=r"usage: python -m sandbox demo \| reliability \| troubleshooting \| texts \| soak \| fuzz",
    ):
        runpy.run_module("sandbox", run_name="__main__")
