"""The five kinds of runners and jobs, without containers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.runner import Mode

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.runner import JobRun, StepResult

    Start = Callable[..., JobRun]
    Write = Callable[..., Path]

PRINT = {"process": ["/bin/sh", "-c", "tr '\\0' '\\n' < /proc/self/environ", "action"]}
INPUTS = "inputs: {region: {default: eu-west-1}, role: {}, temp: {default: '${{ runner.temp }}'}}"


@dataclass(frozen=True)
class Request:
    url: str = "http://127.0.0.1:1/idtoken?api-version=2.0"
    token: str = "request-token"


def variables(result: StepResult) -> dict[str, str]:
    lines = (line.text.partition("=") for line in result.raw)
    return {name: value for name, _, value in lines}


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.NO_ID_TOKEN])
def test_a_job_that_may_ask_for_a_token_is_told_where(start_job: Start, write_action: Write, mode: Mode) -> None:
    seen = variables(start_job(mode=mode, id_token=Request()).uses(write_action(), **PRINT))

    assert seen["ACTIONS_ID_TOKEN_REQUEST_URL"] == Request().url
    assert seen["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] == Request().token


@pytest.mark.parametrize("options", [{"mode": Mode.NO_ID_TOKEN, "id_token": Request()}, {"mode": Mode.HOST}])
def test_any_other_job_is_not(start_job: Start, write_action: Write, options: dict[str, Any]) -> None:
    seen = variables(start_job(**options).uses(write_action(), **PRINT))

    assert not [name for name in seen if name.startswith("ACTIONS_ID_TOKEN")]
    assert "ACTIONS_RUNTIME_TOKEN" in seen


def test_the_request_token_is_the_runtimes_and_is_masked(start_job: Start, write_action: Write) -> None:
    result = start_job(id_token=Request()).uses(write_action(), **PRINT)

    assert variables(result)["ACTIONS_RUNTIME_TOKEN"] == Request().token
    assert not [line for line in result.log if Request().token in line]


def test_a_host_step_may_ask_for_a_token_too(start_job: Start) -> None:
    seen = variables(start_job(id_token=Request()).host(PRINT["process"]))

    assert seen["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] == Request().token
    assert "ACTIONS_RUNTIME_TOKEN" not in seen


def test_with_a_job_container_a_steps_own_paths_are_the_containers(start_job: Start, write_action: Write) -> None:
    run = start_job(mode=Mode.JOB_CONTAINER)

    result = run.uses(write_action(INPUTS), with_={"role": "${{ runner.temp }}"}, **PRINT)
    seen = variables(result)
    assert seen["INPUT_ROLE"] == "/__w/_temp"
    assert seen["INPUT_TEMP"] == str(run.layout.temp)


def test_an_act_like_runner_has_fewer_variables(start_job: Start, write_action: Write) -> None:
    seen = variables(start_job(mode=Mode.ACT_LIKE).uses(write_action(INPUTS), **PRINT))

    assert seen["ACT"] == "true"
    assert seen["INPUT_TEMP"] == "/tmp"
    assert not {"RUNNER_WORKSPACE", "RUNNER_NAME", "RUNNER_ENVIRONMENT"} & seen.keys()


def test_an_act_like_runners_home_and_temp_are_private_and_lost(start_job: Start, write_action: Write) -> None:
    run = start_job(mode=Mode.ACT_LIKE)

    seen = variables(run.uses(write_action(), **PRINT))
    for name in ("HOME", "RUNNER_TEMP"):
        assert not Path(seen[name]).exists()
        assert not seen[name].startswith(str(run.layout.work))


def test_an_act_like_runner_names_its_files_its_own_way(start_job: Start, write_action: Write) -> None:
    run = start_job(mode=Mode.ACT_LIKE, event={"number": 7})

    result = run.uses(
        write_action(),
        process=["/bin/sh", "-c", 'echo A=1 >> "$GITHUB_ENV"; echo "$GITHUB_ENV"; cat "$GITHUB_EVENT_PATH"'],
    )
    assert result.env == {"A": "1"}
    assert [line.text for line in result.raw] == [
        str(run.layout.act / "workflow" / "envs.txt"),
        '{"number": 7}',
    ]


def test_an_act_like_runner_refuses_a_blank_line(start_job: Start, write_action: Write) -> None:
    result = start_job(mode=Mode.ACT_LIKE).uses(
        write_action(), process=["/bin/sh", "-c", 'printf "A=1\\n\\n" >> "$GITHUB_ENV"']
    )

    assert (result.outcome, result.env) == ("failure", {"A": "1"})


def test_an_act_like_runners_post_has_no_state_and_no_defaults(start_job: Start, write_action: Write) -> None:
    run = start_job(mode=Mode.ACT_LIKE)
    script = 'echo key=1 >> "$GITHUB_STATE"; tr "\\0" "\\n" < /proc/self/environ'
    run.uses(write_action(INPUTS), with_={"role": "arn"}, process=["/bin/sh", "-c", script, "action"])

    seen = variables(run.post()[0])
    assert seen["INPUT_ROLE"] == "arn"
    assert not {"STATE_key", "INPUT_REGION", "INPUT_TEMP"} & seen.keys()
