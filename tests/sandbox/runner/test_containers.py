"""A job with real containers: mounts, translation, three kinds of later steps, five modes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.job import Job
from sandbox.runner import Cancel, Engine, JobRun, Mode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.runner import StepResult

    Start = Callable[..., JobRun]
    Write = Callable[..., Path]

pytestmark = pytest.mark.container

BASE = "debian:trixie-slim"
# The shell drops variables with hyphens, the kernel does not.
ENV = "tr '\\0' '\\n' < /proc/1/environ"


def variables(result: StepResult) -> dict[str, str]:
    lines = (line.text.partition("=") for line in result.raw)
    return {name: value for name, _, value in lines}


@pytest.fixture
def probe(
    engine: Engine, probe_image: str, start_job: Start, write_action: Write
) -> Callable[..., tuple[JobRun, StepResult]]:
    """Run a script as a container action in a job of its own."""

    def use(script: str, *, mode: Mode = Mode.HOST, inputs: str = "", **env: str) -> tuple[JobRun, StepResult]:
        run = start_job(mode=mode, engine=engine, env=env)
        action = write_action(inputs)
        return run, run.uses(action, image=probe_image, env={"SCRIPT": script})

    return use


Probe = "Callable[..., tuple[JobRun, StepResult]]"


def test_an_action_sees_the_containers_paths(probe: Probe) -> None:
    run, result = probe(ENV, inputs="inputs: {a-b: {default: '${{ runner.temp }}'}}")

    seen = variables(result)
    assert seen["HOME"] == "/github/home"
    assert seen["RUNNER_TEMP"] == "/github/runner_temp"
    assert seen["GITHUB_WORKSPACE"] == "/github/workspace"
    assert seen["GITHUB_EVENT_PATH"] == "/github/workflow/event.json"
    assert seen["GITHUB_ENV"].startswith("/github/file_commands/set_env_")
    assert seen["INPUT_A-B"] == "/github/runner_temp"
    assert seen["RUNNER_WORKSPACE"] == str(run.layout.runner_workspace)


def test_nothing_of_our_own_environment_reaches_a_container(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "PYTHONPATH", "HOME", "LD_LIBRARY_PATH"):
        monkeypatch.setenv(name, "hostile")

    assert "hostile" not in variables(probe(ENV)[1]).values()


def test_an_action_is_root_in_the_workspace_with_an_empty_stdin(probe: Probe) -> None:
    _, result = probe("id -u; pwd; cat")

    assert [line.text for line in result.raw] == ["0", "/github/workspace"]


def test_host_paths_do_not_exist_in_a_container(probe: Probe) -> None:
    _, result = probe('[ -e "$RUNNER_WORKSPACE" ] && echo there || echo nowhere')

    assert result.raw[0].text == "nowhere"


def test_an_actions_files_reach_every_kind_of_later_step_by_their_host_path(probe: Probe) -> None:
    script = (
        'mkdir "$HOME/.aws"; echo content > "$HOME/.aws/file"; '
        'host="$(dirname "$RUNNER_WORKSPACE")/_temp/_github_home/.aws/file"; echo "F=$host" >> "$GITHUB_ENV"'
    )
    run, _ = probe(script)
    cat = ["sh", "-c", 'cat "$F"']

    assert run.host(cat).raw[0].text == "content"
    assert run.in_job_container(cat, image=BASE).raw[0].text == "content"
    assert run.docker_action(BASE, entrypoint="/bin/sh", args=cat[1:]).raw[0].text == "content"


def test_a_containers_path_means_nothing_to_the_host(probe: Probe) -> None:
    run, _ = probe('echo x > "$HOME/file"; echo "F=$HOME/file" >> "$GITHUB_ENV"')

    assert run.host(["sh", "-c", 'cat "$F"']).outcome == "failure"
    assert run.in_job_container(["sh", "-c", 'cat "$F"'], image=BASE).outcome == "success"


def test_a_private_file_of_root_is_closed_to_a_host_step(probe: Probe) -> None:
    run, _ = probe('umask 077; echo x > "$HOME/file"')

    result = run.host(["sh", "-c", 'cat "$RUNNER_TEMP/_github_home/file"'])
    assert result.outcome == "failure"


def test_a_folder_of_root_is_left_over(engine: Engine, probe_image: str, work: Path, write_action: Write) -> None:
    with JobRun(Job(), work=work, engine=engine) as run:
        script = 'mkdir "$HOME/.aws"; touch "$HOME/.aws/file"'
        run.uses(write_action(), image=probe_image, env={"SCRIPT": script})

    assert "_github_home/.aws/file" in run.leftovers


def test_post_is_a_new_container_with_the_saved_state(
    engine: Engine, probe_image: str, start_job: Start, write_action: Write
) -> None:
    run = start_job(engine=engine)
    scripts = {
        "SCRIPT": 'touch /private; echo main=1 >> "$GITHUB_STATE"',
        "POST_SCRIPT": '[ -e /private ] && echo same || echo "new $STATE_main"',
    }
    run.uses(write_action(), image=probe_image, env=scripts)

    assert run.post()[0].raw[0].text == "new 1"


def test_a_failed_container_fails_the_step_silently(probe: Probe) -> None:
    _, result = probe("exit 9")

    assert (result.outcome, result.exit_code, result.annotations) == ("failure", 9, ())


def test_the_log_shows_names_of_variables_only(probe: Probe) -> None:
    _, result = probe("true", SECRET="s3cret")
    (command,) = [line for line in result.log if line.startswith("##[command]")]

    assert '-e "SECRET"' in command
    assert "s3cret" not in command


def test_a_step_may_not_choose_an_entrypoint_that_the_action_has_chosen(
    engine: Engine, probe_image: str, start_job: Start, write_action: Write
) -> None:
    result = start_job(engine=engine).uses(
        write_action(),
        image=probe_image,
        with_={"entrypoint": "/bin/echo", "args": "args"},
        env={"SCRIPT": "echo mine"},
    )

    assert result.raw[0].text == "mine"


def test_a_step_may_choose_an_entrypoint_that_the_action_left_open(
    engine: Engine, probe_image: str, start_job: Start, write_action: Write
) -> None:
    result = start_job(engine=engine).uses(
        write_action(runs="runs: {using: docker, image: Dockerfile}"),
        image=probe_image,
        with_={"entryPoint": "/bin/echo", "args": 'a "b  c"'},
    )

    assert result.raw[0].text == "a b  c"


def test_an_old_runner_leaves_its_temp_path_as_it_is(probe: Probe) -> None:
    run, result = probe(ENV, mode=Mode.OLD_RUNNER)

    assert variables(result)["RUNNER_TEMP"] == str(run.layout.temp)
    assert "/github/runner_temp" not in "".join(result.log)


def test_an_act_like_runner_shares_no_home(probe: Probe) -> None:
    run, result = probe('echo "$HOME $RUNNER_TEMP $PWD $GITHUB_ENV"; echo A=1 >> "$GITHUB_ENV"', mode=Mode.ACT_LIKE)

    workspace = run.layout.workspace
    assert result.raw[0].text == f"/root /tmp {workspace} /var/run/act/workflow/envs.txt"
    assert result.env == {"A": "1"}


def test_a_job_container_has_its_own_table_and_home(engine: Engine, start_job: Start) -> None:
    run = start_job(engine=engine, mode=Mode.JOB_CONTAINER)

    result = run.in_job_container(["sh", "-c", "tr '\\0' '\\n' < /proc/self/environ; pwd"], image=BASE)
    seen = variables(result)
    assert seen["HOME"] == "/github/home"
    assert seen["RUNNER_TEMP"] == "/__w/_temp"
    assert seen["GITHUB_EVENT_PATH"] == "/github/workflow/event.json"
    assert result.raw[-1].text == "/__w/octo-repo/octo-repo"


def test_a_job_container_is_created_once(engine: Engine, start_job: Start) -> None:
    run = start_job(engine=engine)
    run.in_job_container(["touch", "/mark"], image=BASE)

    assert run.in_job_container(["ls", "/mark"], image=BASE).outcome == "success"


def test_a_job_container_has_added_paths_before_its_own(engine: Engine, start_job: Start) -> None:
    run = start_job(engine=engine)
    run.host(["sh", "-c", 'echo /added >> "$GITHUB_PATH"'])

    result = run.in_job_container(["sh", "-c", 'echo "$PATH"'], image=BASE)
    assert result.raw[0].text.startswith("/added:/usr/local/sbin:")


def test_a_job_container_is_gone_with_its_job(engine: Engine, work: Path) -> None:
    with JobRun(Job(), work=work, engine=engine) as run:
        run.in_job_container(["true"], image=BASE)
        assert engine.need("ps", "--quiet", "--filter", f"volume={work}")

    assert engine.need("ps", "--all", "--quiet", "--filter", f"volume={work}") == ""


def test_a_container_that_ignores_its_signals_is_removed_at_the_end(
    engine: Engine, probe_image: str, work: Path, write_action: Write
) -> None:
    # A shell as the first process of a container has no handlers, so neither signal does anything.
    with JobRun(Job(), work=work, engine=engine, limit=60) as run:
        result = run.uses(
            write_action(),
            image=probe_image,
            env={"SCRIPT": "trap '' INT TERM; echo ready; while :; do sleep 0.1; done"},
            cancel=Cancel(at="ready", waits=(0.2, 0.2)),
        )

    assert (result.outcome, result.exit_code) == ("cancelled", 137)
    assert engine.need("ps", "--all", "--quiet", "--filter", f"volume={work}") == ""


def test_a_container_that_handles_sigint_ends_in_order(
    engine: Engine, probe_image: str, start_job: Start, write_action: Write
) -> None:
    result = start_job(engine=engine).uses(
        write_action(),
        image=probe_image,
        env={"SCRIPT": "trap 'echo bye; exit 5' INT; echo ready; while :; do sleep 0.05; done"},
        cancel=Cancel(at="ready", waits=(20, 20)),
    )

    assert (result.outcome, result.exit_code, result.raw[-1].text) == ("cancelled", 5, "bye")
