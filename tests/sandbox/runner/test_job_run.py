"""A job without containers: small shell scripts stand for the action."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.job import Job
from sandbox.runner import Annotation, Cancel, JobRun, NoEngineError
from sandbox.runner.paths import runner_user

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Start = Callable[..., JobRun]
    Write = Callable[..., Path]

INPUTS = """
inputs:
  role-to-assume: {}
  region: {default: eu-west-1}
  temp: {default: "host:${{ runner.temp }}"}
"""
ENV = "tr '\\0' '\\n' < /proc/self/environ"


def sh(script: str) -> dict[str, Any]:
    """An action that is a shell script; its first argument is `post` in the post stage."""
    return {"process": ["/bin/sh", "-c", script, "action"]}


def variables(result: object) -> dict[str, str]:
    """The variables that a step which printed them had."""
    lines = (line.text.partition("=") for line in result.raw)  # type: ignore[attr-defined]  # a result
    return {name: value for name, _, value in lines}


class TestInputsAndVariables:
    def test_inputs_arrive_with_their_hyphens(self, start_job: Start, write_action: Write) -> None:
        run = start_job()

        seen = variables(run.uses(write_action(INPUTS), with_={"Role-To-Assume": "arn"}, **sh(ENV)))
        assert seen["INPUT_ROLE-TO-ASSUME"] == "arn"
        assert seen["INPUT_REGION"] == "eu-west-1"
        assert seen["INPUT_TEMP"] == f"host:{run.layout.temp}"

    def test_a_process_has_the_hosts_paths(self, start_job: Start, write_action: Write) -> None:
        run = start_job()

        seen = variables(run.uses(write_action(), **sh(ENV)))
        assert seen["HOME"] == str(run.layout.home)
        assert seen["RUNNER_TEMP"] == str(run.layout.temp)
        assert seen["GITHUB_WORKSPACE"] == str(run.layout.workspace)
        assert seen["GITHUB_ENV"].startswith(f"{run.layout.file_commands}/set_env_")

    def test_a_process_starts_in_the_workspace(self, start_job: Start, write_action: Write) -> None:
        run = start_job()

        assert run.uses(write_action(), **sh("pwd")).raw[0].text == str(run.layout.workspace)

    def test_a_process_has_nothing_of_our_own_environment(
        self, start_job: Start, write_action: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hostile = ["AWS_ACCESS_KEY_ID", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "PYTHONPATH", "LD_LIBRARY_PATH"]
        for name in hostile:
            monkeypatch.setenv(name, "hostile")
        monkeypatch.setenv("HOME", "/hostile")

        seen = variables(start_job().uses(write_action(), **sh(ENV)))
        assert "hostile" not in seen.values()
        assert "/hostile" not in seen.values()

    def test_the_job_describes_itself(self, start_job: Start, write_action: Write) -> None:
        seen = variables(start_job().uses(write_action(), **sh(ENV)))

        assert Job().variables().items() <= seen.items()
        assert (seen["GITHUB_ACTIONS"], seen["CI"]) == ("true", "true")

    def test_inputs_go_before_the_env_of_the_same_name(self, start_job: Start, write_action: Write) -> None:
        run = start_job(env={"INPUT_REGION": "env", "HOME": "/env", "GITHUB_SHA": "env", "CI": "no"})

        seen = variables(run.uses(write_action(INPUTS), **sh(ENV)))
        assert seen["INPUT_REGION"] == "eu-west-1"
        assert seen["HOME"] == str(run.layout.home)
        assert seen["GITHUB_SHA"] == Job().sha
        assert seen["CI"] == "no"

    def test_the_actions_own_env_only_fills_gaps(self, start_job: Start, write_action: Write) -> None:
        action = write_action(
            INPUTS,
            "runs: {using: docker, image: Dockerfile, env: {A: action, B: '${{ inputs.region }}'}}",
        )

        seen = variables(start_job(env={"A": "job"}).uses(action, **sh(ENV)))
        assert (seen["A"], seen["B"]) == ("job", "eu-west-1")

    def test_the_steps_env_goes_before_the_jobs(self, start_job: Start, write_action: Write) -> None:
        run = start_job(env={"A": "job", "B": "job"})

        seen = variables(run.uses(write_action(), env={"A": "${{ env.B }}!", "N": 1e3}, **sh(ENV)))
        assert (seen["A"], seen["B"], seen["N"]) == ("job!", "job", "1000")

    def test_arguments_come_from_the_action(self, start_job: Start, write_action: Write) -> None:
        action = write_action(INPUTS, "runs: {using: docker, image: Dockerfile, args: ['', '${{ inputs.temp }}']}")
        run = start_job()

        result = run.uses(action, **sh('printf "%s|" "$@"'))
        assert result.raw[0].text == f"|host:{run.layout.temp}|"

    def test_arguments_the_action_leaves_open_come_from_the_step(
        self, start_job: Start, write_action: Write
    ) -> None:
        result = start_job().uses(write_action(), with_={"ARGS": 'a "b c"'}, **sh('printf "%s|" "$@"'))

        assert result.raw[0].text == "a|b c|"

    def test_step_debug_is_told(self, start_job: Start, write_action: Write) -> None:
        result = start_job(step_debug=True).uses(write_action(), **sh(f"{ENV}; echo ::debug::x; exit 3"))

        assert variables(result)["RUNNER_DEBUG"] == "1"
        assert result.log[-2:] == (
            "##[debug]x",
            "##[debug]Docker Action run completed with exit code 3",
        )

    def test_the_event_is_a_file(self, start_job: Start, write_action: Write) -> None:
        run = start_job(event={"number": 7})

        result = run.uses(write_action(), **sh('cat "$GITHUB_EVENT_PATH"'))
        assert json.loads(result.raw[0].text) == {"number": 7}


class TestFiles:
    def test_env_reaches_later_steps(self, start_job: Start, write_action: Write) -> None:
        run = start_job(env={"A": "job"})

        result = run.uses(write_action(), **sh('echo A=file >> "$GITHUB_ENV"'))
        assert result.env == {"A": "file"}
        assert run.env == {"A": "file"}
        assert variables(run.host(["sh", "-c", ENV]))["A"] == "file"

    def test_a_later_steps_own_env_goes_before_it(self, start_job: Start, write_action: Write) -> None:
        run = start_job()
        run.uses(write_action(), **sh('echo A=file >> "$GITHUB_ENV"'))

        assert variables(run.host(["sh", "-c", ENV], env={"A": "step"}))["A"] == "step"

    def test_outputs_are_handed_on_by_the_steps_id(self, start_job: Start, write_action: Write) -> None:
        run = start_job()
        result = run.uses(write_action(), id="creds", **sh('echo account=1 >> "$GITHUB_OUTPUT"'))

        assert result.outputs == {"account": "1"}
        later = run.host(["sh", "-c", ENV], env={"B": "${{ steps.creds.outputs.account }}"})
        assert variables(later)["B"] == "1"

    def test_outputs_of_a_step_without_an_id_are_dropped(self, start_job: Start, write_action: Write) -> None:
        result = start_job().uses(write_action(), id=None, **sh('echo a=1 >> "$GITHUB_OUTPUT"'))

        assert result.outputs == {}

    def test_outputs_and_state_may_come_as_commands_too(self, start_job: Start, write_action: Write) -> None:
        result = start_job().uses(write_action(), **sh("echo ::set-output name=a::1; echo ::save-state name=b::2"))

        assert (result.outputs, result.state) == ({"a": "1"}, {"b": "2"})

    def test_a_failed_steps_files_are_read(self, start_job: Start, write_action: Write) -> None:
        run = start_job()

        result = run.uses(write_action(), **sh('echo A=1 >> "$GITHUB_ENV"; exit 1'))
        assert (result.outcome, result.exit_code, result.env) == ("failure", 1, {"A": "1"})
        assert run.status == "failure"

    def test_a_container_actions_exit_code_adds_no_annotation(self, start_job: Start, write_action: Write) -> None:
        assert start_job().uses(write_action(), **sh("exit 1")).annotations == ()

    def test_a_bad_file_fails_the_step_with_two_annotations(self, start_job: Start, write_action: Write) -> None:
        script = 'printf "A=1\\nbad\\nB=2\\n" >> "$GITHUB_ENV"; echo o=1 >> "$GITHUB_OUTPUT"'
        result = start_job().uses(write_action(), **sh(script))

        assert (result.outcome, result.exit_code) == ("failure", 0)
        assert (result.env, result.outputs) == ({"A": "1"}, {"o": "1"})
        assert result.annotations == (
            Annotation(level="error", message="Unable to process file command 'env' successfully."),
            Annotation(level="error", message="Invalid format 'bad'"),
        )

    @pytest.mark.parametrize("file", ["ENV", "OUTPUT"])
    def test_a_name_may_not_be_empty(self, start_job: Start, write_action: Write, file: str) -> None:
        result = start_job().uses(write_action(), **sh(f'echo =v >> "$GITHUB_{file}"'))

        assert result.outcome == "failure"
        assert result.annotations[1].message == "Value cannot be null. (Parameter 'name')"

    def test_node_options_are_refused_without_failing(self, start_job: Start, write_action: Write) -> None:
        result = start_job().uses(write_action(), **sh('echo Node_Options=x >> "$GITHUB_ENV"'))

        assert (result.outcome, result.env) == ("success", {})
        assert result.annotations[0].message == (
            "Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command."
        )

    def test_a_removed_file_is_an_empty_one(self, start_job: Start, write_action: Write) -> None:
        result = start_job().uses(write_action(), **sh('rm "$GITHUB_ENV" "$GITHUB_STEP_SUMMARY"'))

        assert result.outcome == "success"

    def test_a_file_that_the_runner_may_not_read_fails_the_step(
        self, start_job: Start, write_action: Write
    ) -> None:
        # To a runner that is not root, root's files are as closed as its own without any mode.
        script = 'rm "$GITHUB_ENV"; touch "$GITHUB_ENV"; chmod 0 "$GITHUB_ENV"'
        result = start_job().uses(write_action(), **sh(script))

        assert result.outcome == "failure"
        assert result.annotations[1].message.endswith("is denied.")

    def test_the_files_are_the_runners_and_open_to_read(self, start_job: Start, write_action: Write) -> None:
        result = start_job().uses(write_action(), **sh('stat -c "%u %a %s" "$GITHUB_ENV"'))

        assert result.raw[0].text == f"{runner_user() or os.geteuid()} 644 0"

    def test_each_step_has_files_of_its_own(self, start_job: Start, write_action: Write) -> None:
        run, action = start_job(), write_action()

        first, second = (run.uses(action, **sh('echo "$GITHUB_ENV"')).raw[0].text for _ in range(2))
        assert first != second

    def test_the_summary_is_masked(self, start_job: Start, write_action: Write) -> None:
        script = 'echo ::add-mask::hush; echo "# hush" >> "$GITHUB_STEP_SUMMARY"'

        assert start_job().uses(write_action(), **sh(script)).summary == "# ***\n"

    def test_a_summary_that_is_too_large_fails_nothing(self, start_job: Start, write_action: Write) -> None:
        script = 'head -c 1048577 /dev/zero >> "$GITHUB_STEP_SUMMARY"'
        result = start_job().uses(write_action(), **sh(script))

        assert (result.outcome, result.summary) == ("success", "")
        assert result.annotations[0].message.startswith("$GITHUB_STEP_SUMMARY upload aborted")

    def test_paths_reach_host_steps_the_last_one_first(self, start_job: Start, write_action: Write) -> None:
        run = start_job()
        run.uses(write_action(), **sh('printf "/a\\n/b\\n/a\\n" >> "$GITHUB_PATH"'))

        assert variables(run.host(["/bin/sh", "-c", ENV]))["PATH"].startswith("/a:/b:/usr/local/sbin:")

    def test_paths_do_not_reach_container_actions(self, start_job: Start, write_action: Write) -> None:
        run, action = start_job(), write_action()
        run.uses(action, **sh('echo /a >> "$GITHUB_PATH"'))

        assert not variables(run.uses(action, **sh(ENV)))["PATH"].startswith("/a")


class TestLog:
    def test_the_header_shows_inputs_and_env(self, start_job: Start, write_action: Write) -> None:
        run = start_job(env={"J": "1"})

        result = run.uses(write_action(INPUTS), with_={"region": "x"}, env={"S": "2"}, **sh("echo hi"))
        assert result.log == (
            "##[group]Run ./",
            "with:",
            "  region: x",
            f"  temp: host:{run.layout.temp}",
            "env:",
            "  J: 1",
            "  S: 2",
            "##[endgroup]",
            "hi",
        )

    def test_the_header_of_the_next_step_is_masked(self, start_job: Start, write_action: Write) -> None:
        run = start_job()
        run.uses(write_action(), **sh('echo ::add-mask::hush; echo A=hush >> "$GITHUB_ENV"'))

        assert "  A: ***" in run.host(["true"]).log

    def test_a_secret_that_was_not_masked_shows_in_the_next_header(
        self, start_job: Start, write_action: Write
    ) -> None:
        run = start_job()
        run.uses(write_action(), **sh('echo A=hush >> "$GITHUB_ENV"'))

        assert "  A: hush" in run.host(["true"]).log

    def test_what_the_server_knows_as_secret_is_masked(self, start_job: Start, write_action: Write) -> None:
        result = start_job(masks=["hush"]).uses(write_action(), **sh("echo hush"))

        assert (result.log[-1], result.raw[0].text) == ("***", "hush")

    def test_unexpected_inputs_are_annotated(self, start_job: Start, write_action: Write) -> None:
        result = start_job().uses(write_action(INPUTS), with_={"rôle": "x"}, **sh("true"))

        assert result.annotations[0].message == (
            "Unexpected input(s) 'rôle', valid inputs are "
            "['entryPoint', 'args', 'role-to-assume', 'region', 'temp']"
        )

    def test_a_local_actions_pre_stage_is_not_run(self, start_job: Start, write_action: Write) -> None:
        action = write_action(runs="runs: {using: docker, image: Dockerfile, pre-entrypoint: /pre}")

        result = start_job().uses(action, **sh("true"))
        assert result.annotations[0].message == ("`pre` execution is not supported for local action from './'")

    def test_an_annotations_file_is_relative_to_the_workspace(self, start_job: Start, write_action: Write) -> None:
        result = start_job().uses(write_action(), **sh('echo "::error file=$GITHUB_WORKSPACE/a.py::x"'))

        assert result.annotations[0].file == "a.py"

    def test_stderr_may_be_shown_first(self, start_job: Start, write_action: Write) -> None:
        result = start_job(stderr_first=True).uses(write_action(), **sh("echo ::add-mask::hush; echo hush >&2"))

        assert result.log[-1] == "hush"

    def test_an_input_that_cannot_be_evaluated_fails_the_step(self, start_job: Start, write_action: Write) -> None:
        action = write_action("inputs: {x: {default: '${{ secrets.X }}'}}")

        result = start_job().uses(action, **sh("true"))
        assert (result.outcome, result.exit_code, result.raw) == ("failure", None, ())
        assert result.annotations[0].message == "Unrecognized named-value: 'secrets'"

    def test_a_command_that_cannot_be_started_fails_the_step(self, start_job: Start, write_action: Write) -> None:
        result = start_job().uses(write_action(), process=["/nonexistent/action"])

        assert (result.outcome, result.exit_code) == ("failure", None)
        assert "error occurred trying to start process '/nonexistent/action'" in result.annotations[0].message


class TestPost:
    def test_post_gets_state_inputs_and_the_jobs_env_in_fresh_files(
        self, start_job: Start, write_action: Write
    ) -> None:
        script = f'[ "$1" = post ] && {ENV} || echo Key=1 >> "$GITHUB_STATE"'
        run = start_job()
        main = run.uses(write_action(INPUTS), with_={"region": "${{ env.R }}"}, **sh(script))
        run.host(["sh", "-c", 'echo R=late >> "$GITHUB_ENV"'])

        (post,) = run.post()
        seen = variables(post)
        assert main.state == {"Key": "1"}
        assert (seen["STATE_Key"], seen["INPUT_REGION"], seen["R"]) == ("1", "late", "late")

    def test_step_debug_shows_the_state_that_is_saved(self, start_job: Start, write_action: Write) -> None:
        result = start_job(step_debug=True).uses(write_action(), **sh('echo Key=1 >> "$GITHUB_STATE"'))

        assert "##[debug]Save intra-action state Key = 1" in result.log

    def test_post_shows_one_line_for_a_header(self, start_job: Start, write_action: Write) -> None:
        run = start_job(env={"A": "1"})
        run.uses(write_action(INPUTS), **sh("true"))

        assert run.post()[0].log == ("Post job cleanup.",)

    def test_posts_run_in_reverse_and_once(self, start_job: Start, write_action: Write) -> None:
        run, action = start_job(), write_action()
        for name in ("first", "second"):
            run.uses(action, id=name, **sh('echo "$GITHUB_ACTION"'))

        assert [result.log[-1] for result in run.post()] == ["second", "first"]
        assert run.post() == []

    def test_post_runs_after_a_main_that_failed(self, start_job: Start, write_action: Write) -> None:
        run = start_job()
        run.uses(write_action(), **sh("exit 1"))

        assert len(run.post()) == 1

    def test_an_action_without_a_post_entrypoint_has_no_post(self, start_job: Start, write_action: Write) -> None:
        run = start_job()
        run.uses(write_action(runs="runs: {using: docker, image: Dockerfile}"), **sh("true"))

        assert run.post() == []

    def test_outputs_of_post_are_dropped(self, start_job: Start, write_action: Write) -> None:
        run = start_job()
        run.uses(write_action(), **sh('echo "a=$1" >> "$GITHUB_OUTPUT"'))

        assert run.post()[0].outputs == {}

    def test_state_names_keep_their_first_spelling(self, start_job: Start, write_action: Write) -> None:
        script = f'[ "$1" = post ] && {ENV}; printf "Key=1\\nKEY=2\\n" >> "$GITHUB_STATE"'
        run = start_job()
        run.uses(write_action(), **sh(script))

        assert variables(run.post()[0])["STATE_Key"] == "2"

    @pytest.mark.parametrize(
        ("condition", "exit_code", "runs"),
        [
            ("always()", 1, 1),
            ("success()", 0, 1),
            ("success()", 1, 0),
            ("failure()", 1, 1),
            ("cancelled()", 1, 0),
            ("env.SKIP != 'true'", 1, 1),
            ("env.SKIP == 'true'", 0, 0),
        ],
    )
    def test_post_if_decides(
        self, start_job: Start, write_action: Write, condition: str, exit_code: int, runs: int
    ) -> None:
        action = write_action(
            runs=f'runs: {{using: docker, image: Dockerfile, post-entrypoint: /p, post-if: "{condition}"}}'
        )
        run = start_job()
        run.uses(action, **sh(f"exit {exit_code}"))

        assert len(run.post()) == runs

    def test_what_a_later_step_exports_decides_too(self, start_job: Start, write_action: Write) -> None:
        action = write_action(
            runs="runs: {using: docker, image: Dockerfile, post-entrypoint: /p, post-if: env.SKIP != 'true'}"
        )
        run = start_job()
        run.uses(action, **sh("true"))
        run.host(["sh", "-c", 'echo SKIP=true >> "$GITHUB_ENV"'])

        assert run.post() == []


class TestCancel:
    SCRIPT = "trap 'echo A=1 >> \"$GITHUB_ENV\"; exit 0' INT; echo ready; while :; do sleep 0.01; done"

    def test_a_cancelled_steps_files_are_read_and_its_exit_code_is_not(
        self, start_job: Start, write_action: Write
    ) -> None:
        run = start_job()

        result = run.uses(write_action(), cancel=Cancel(at="ready"), **sh(self.SCRIPT))
        assert (result.outcome, run.status, result.env) == ("cancelled", "cancelled", {"A": "1"})
        assert result.annotations[-1].message == "The operation was canceled."

    def test_post_runs_after_a_cancelled_step(self, start_job: Start, write_action: Write) -> None:
        run = start_job()
        script = f'[ "$1" = post ] && exit; {self.SCRIPT}'
        run.uses(write_action(), cancel=Cancel(at="ready"), **sh(script))

        assert [post.outcome for post in run.post()] == ["success"]

    def test_a_timeout_is_a_failure(self, start_job: Start, write_action: Write) -> None:
        cancel = Cancel(at="ready", timeout_minutes=5)
        result = start_job().uses(write_action(), cancel=cancel, **sh(self.SCRIPT))

        assert result.outcome == "failure"
        assert result.annotations[-1].message == "The action 'Run ./' has timed out after 5 minutes."


class TestHost:
    def test_a_host_step_is_the_runners_user_without_other_groups(self, start_job: Start) -> None:
        result = start_job().host(["sh", "-c", "id -u; id -G"])
        user = runner_user()

        lines = [line.text for line in result.raw]
        assert lines[0] == str(user or os.geteuid())
        assert user is None or lines[1] == str(user)

    def test_a_host_step_inherits_the_runners_environment_and_no_more(
        self, start_job: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_PROFILE", "hostile")

        seen = variables(start_job(host_env={"PIP_X": "1"}, env={"J": "2"}).host(["sh", "-c", ENV]))
        assert (seen["PIP_X"], seen["J"]) == ("1", "2")
        assert "AWS_PROFILE" not in seen

    def test_a_host_step_has_a_home_that_is_not_the_containers(self, start_job: Start) -> None:
        run = start_job()

        seen = variables(run.host(["sh", "-c", f'touch "$HOME/x" && {ENV}']))
        assert seen["HOME"] != str(run.layout.home)
        assert seen["RUNNER_TEMP"] == str(run.layout.temp)

    def test_a_host_step_says_its_exit_code(self, start_job: Start) -> None:
        result = start_job().host(["sh", "-c", "exit 3"])

        assert result.outcome == "failure"
        assert result.log[-1] == "##[error]Process completed with exit code 3."

    def test_a_host_steps_header_shows_its_script(self, start_job: Start) -> None:
        assert start_job().host(["echo", "a b"]).log == (
            "##[group]Run echo 'a b'",
            "\x1b[36;1mecho 'a b'\x1b[0m",
            "shell: /usr/bin/bash -e {0}",
            "##[endgroup]",
            "a b",
        )


class TestEnd:
    def test_what_the_runner_can_remove_is_removed(self, work: Path) -> None:
        with JobRun(Job(), work=work) as run:
            run.host(["sh", "-c", 'mkdir "$RUNNER_TEMP/mine"; touch "$RUNNER_TEMP/mine/file"'])

        assert run.leftovers == ()

    def test_what_the_runner_cannot_remove_is_reported(self, work: Path, write_action: Write) -> None:
        # Root's folders are closed to the runner; to an ordinary user so is one without any mode.
        script = 'mkdir "$HOME/.aws"; touch "$HOME/.aws/credentials"; chmod 500 "$HOME/.aws"'
        with JobRun(Job(), work=work) as run:
            run.uses(write_action(), **sh(script))

        assert run.leftovers == (
            "_github_home",
            "_github_home/.aws",
            "_github_home/.aws/credentials",
        )

    def test_a_new_job_begins_with_an_empty_temp_folder(self, work: Path) -> None:
        with JobRun(Job(), work=work) as run:
            pass
        (run.layout.temp / "old").touch()
        run.layout.temp.chmod(0o777)

        with JobRun(Job(), work=work) as second:
            assert not (second.layout.temp / "old").exists()

    def test_a_container_step_needs_an_engine(self, start_job: Start, write_action: Write) -> None:
        with pytest.raises(NoEngineError, match="was given no engine"):
            start_job().uses(write_action(), image="x")

    def test_an_image_has_to_be_built_first(self, start_job: Start, write_action: Write) -> None:
        with pytest.raises(ValueError, match="build 'Dockerfile' first"):
            start_job().uses(write_action())

    def test_job_outputs_with_secrets_are_dropped(self, start_job: Start, write_action: Write) -> None:
        run = start_job()
        run.uses(
            write_action(),
            **sh('echo ::add-mask::hush; printf "a=1\\nb=hushed\\n" >> "$GITHUB_OUTPUT"'),
        )
        outputs = {name: f"${{{{ steps.aws.outputs.{name} }}}}" for name in ("a", "b", "c")}

        assert run.job_outputs(outputs) == {"a": "1"}
