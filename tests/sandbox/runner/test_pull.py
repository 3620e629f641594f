"""An action with a prebuilt image: pulled before the first step, by a client that is a script here, and for real."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.release import standin

from release import registry
from release.layout import Layout
from release.registry import Image
from sandbox.runner import Engine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.runner import JobRun

    Start = Callable[..., JobRun]
    Write = Callable[..., Path]

IMAGE = f"ghcr.io/org/py-aws-oidc:1.2.3@sha256:{'a' * 64}"
# Pulls fail with status 1 as often as the file `failures` has lines; a run echoes its script.
CLIENT = """\
#!/bin/sh
echo "$@" >>{folder}/calls
env >>{folder}/environment
case $1 in
    pull) [ ! -s {folder}/failures ] || {{ sed -i 1d {folder}/failures; echo denied >&2; exit 1; }} ;;
esac
"""


def runs(image: str) -> str:
    return f"runs: {{using: docker, image: '{image}', post-entrypoint: /post}}"


@pytest.fixture
def client(tmp_path: Path) -> Path:
    """The folder of a docker client that is a script."""
    folder = tmp_path / "client"
    folder.mkdir()
    (folder / "docker").write_text(CLIENT.format(folder=folder))
    (folder / "docker").chmod(0o755)
    return folder


@pytest.fixture
def start(client: Path, start_job: Start, write_action: Write) -> Callable[..., JobRun]:
    """Start a job that uses `org/py-aws-oidc@v1`, whose image fails to be pulled so many times."""

    def start(failures: int = 0, image: str = f"docker://{IMAGE}", **options: Any) -> JobRun:
        (client / "failures").write_text("failure\n" * failures)
        actions = {"org/py-aws-oidc@v1": write_action(runs=runs(image))}
        engine = Engine(client=str(client / "docker"))
        return start_job(**{"engine": engine, "actions": actions, "sleep": lambda _: None, **options})

    return start


def calls(client: Path) -> list[str]:
    return (client / "calls").read_text().splitlines() if (client / "calls").exists() else []


def test_the_image_is_pulled_before_the_first_step_as_the_action_names_it(start, client):
    run = start()

    (step,) = run.set_up
    assert step.outcome == "success"
    assert calls(client) == [f"pull {IMAGE}"]


def test_it_is_pulled_also_where_the_step_is_skipped(start, client):
    run = start()
    step = run.uses("org/py-aws-oidc@v1", if_="false")

    assert step.outcome == "skipped"
    assert run.post() == []
    assert calls(client) == [f"pull {IMAGE}"]


def test_the_step_runs_the_image_that_was_pulled(start, client):
    run = start()
    step = run.uses("org/py-aws-oidc@v1")
    run.post()

    assert step.outcome == "success"
    assert "##[group]Run org/py-aws-oidc@v1" in step.log
    assert [call.split()[0] for call in calls(client)] == ["pull", "run", "run"]
    assert all(IMAGE in call for call in calls(client))


@pytest.mark.parametrize("failures", [1, 2])
def test_a_pull_is_tried_three_times(start, client, failures):
    slept = []
    run = start(failures, sleep=slept.append)

    (step,) = run.set_up
    assert step.outcome == "success"
    assert len(calls(client)) == failures + 1
    assert len(slept) == failures
    assert all(1 <= seconds <= 10 for seconds in slept)
    assert [note.level for note in step.annotations] == ["warning"] * failures


def test_a_pull_that_always_fails_fails_the_job_and_its_steps_do_not_run(start, client):
    run = start(3)

    (step,) = run.set_up
    assert (step.outcome, run.status) == ("failure", "failure")
    assert step.annotations[-1].message == "Docker pull failed with exit code 1"
    assert run.uses("org/py-aws-oidc@v1", if_="true").outcome == "skipped"
    assert calls(client) == [f"pull {IMAGE}"] * 3


def test_a_step_for_failures_runs_after_a_pull_that_failed(start):
    run = start(3)

    assert run.uses("org/py-aws-oidc@v1", if_="failure()").outcome == "success"


def test_two_actions_with_one_image_are_pulled_once_and_not_after_a_failure(start, client, write_action):
    other = "docker://other:1"
    actions = {
        name: write_action(runs=runs(image))
        for name, image in {"a/a@v1": f"docker://{IMAGE}", "b/b@v1": f"DOCKER://{IMAGE}", "c/c@v1": other}.items()
    }
    start(actions=actions)
    assert calls(client) == [f"pull {IMAGE}", "pull other:1"]

    (client / "calls").unlink()
    assert len(start(3, actions=actions).set_up) == 1
    assert calls(client) == [f"pull {IMAGE}"] * 3


def test_an_action_with_a_dockerfile_is_not_pulled(start, client):
    run = start(image="Dockerfile")

    assert (run.set_up, calls(client)) == ([], [])


def test_only_the_docker_configuration_of_the_runners_own_user_counts(start, client, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", "/ours")
    monkeypatch.setenv("HOME", "/ours")
    start(env={"DOCKER_CONFIG": "/job", "DOCKER_AUTH_CONFIG": "job"}, host_env={"DOCKER_CONFIG": "/runner"})

    seen = (client / "environment").read_text().splitlines()
    assert "DOCKER_CONFIG=/runner" in seen
    assert not [line for line in seen if "ours" in line or "job" in line.partition("=")[2]]


def test_an_action_in_a_folder_of_the_workspace_is_not_pulled_ahead(start_job, client):
    run = start_job(engine=Engine(client=str(client / "docker")))
    folder = run.layout.workspace / "released"
    folder.mkdir()
    (folder / "action.yml").write_text(runs(f"docker://{IMAGE}"))
    step = run.uses("./released")

    assert run.set_up == []
    assert step.outcome == "success"
    (call,) = calls(client)
    assert call.startswith("run ")
    # The client of `docker run` has the container's HOME, where no login is.
    assert "HOME=/github/home" in (client / "environment").read_text().splitlines()


def test_an_action_that_was_not_downloaded_cannot_be_used(start_job):
    with pytest.raises(KeyError):
        start_job().uses("org/py-aws-oidc@v1")


PRIVATE = "auth: {htpasswd: {realm: test, path: %s}}"


@pytest.mark.container
@pytest.mark.registry
class TestForReal:
    @pytest.fixture
    def image(self, tmp_path: Path) -> Any:
        """An image in a registry on loopback."""
        digest = standin.write(tmp_path / "out", tmp_path.name)
        with registry.serving(tmp_path / "data") as address:
            image = Image(f"{address}/py-aws-oidc", "1.0.0", digest)
            registry.push(Layout(tmp_path / "out" / "oci"), image)
            yield image

    def test_an_image_is_pulled_by_tag_and_digest(self, engine, start_job, write_action, image):
        actions = {"org/py-aws-oidc@v1": write_action(runs=runs(f"docker://{image}"))}
        run = start_job(engine=engine, actions=actions)

        (step,) = run.set_up
        assert step.outcome == "success"
        found = json.loads(engine.need("image", "inspect", str(image)))
        assert image.by_digest in found[0]["RepoDigests"]
        engine.ask("image", "rm", "--force", image.by_digest)

    def test_a_private_image_fails_the_job(self, engine, start_job, write_action, tmp_path):
        with registry.serving(tmp_path / "data", PRIVATE % (tmp_path / "users")) as address:
            image = f"docker://{address}/py-aws-oidc:1.0.0"
            actions = {"org/py-aws-oidc@v1": write_action(runs=runs(image))}
            run = start_job(engine=engine, actions=actions, sleep=lambda _: None)

        (step,) = run.set_up
        assert (step.outcome, run.status) == ("failure", "failure")
        assert sum("no basic auth credentials" in line.text for line in step.raw) >= 1
