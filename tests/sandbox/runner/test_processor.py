"""What the runner does with a step's output, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.runner.values import Annotation

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.runner.log import StepLog
    from sandbox.runner.processor import Processor

    Make = Callable[..., tuple[Processor, StepLog]]


def feed(made: tuple[Processor, StepLog], *lines: str) -> StepLog:
    commands, log = made
    for line in lines:
        commands.line(line)
    return log


def test_a_plain_line_is_shown(processor: Make) -> None:
    assert feed(processor(), "hello").lines == ["hello"]


def test_an_unknown_command_is_shown_as_it_is(processor: Make) -> None:
    assert feed(processor(), "::what::x").lines == ["::what::x"]


def test_a_mask_is_swallowed_and_hides_from_then_on(processor: Make) -> None:
    assert feed(processor(), "hush", "::add-mask::hush", "hush!").lines == ["hush", "***!"]


def test_a_mask_hides_each_of_its_lines(processor: Make) -> None:
    log = feed(processor(), "::add-mask::one%0A  two %0D%0A", "one", "two", "three")

    assert log.lines == ["***", "***", "three"]


def test_a_blank_mask_is_only_a_warning(processor: Make) -> None:
    log = feed(processor(), "::add-mask::  ")

    assert not log.failed
    assert log.lines == ["##[warning]Can't add secret mask for empty string in ##[add-mask] command."]


def test_a_group_is_shown_with_its_marker(processor: Make) -> None:
    log = feed(processor(), "::group::Title", "::endgroup::ignored")

    assert log.lines == ["##[group]Title", "##[endgroup]"]


@pytest.mark.parametrize("level", ["error", "warning", "notice"])
def test_an_issue_becomes_an_annotation_and_a_line(processor: Make, level: str) -> None:
    log = feed(processor(), f"::{level} title=T,line=3::one%0Atwo")

    assert log.lines == [f"##[{level}]one", "two"]
    assert log.annotations == [Annotation(level=level, message="one\ntwo", title="T", line="3")]  # type: ignore[arg-type]  # a level


def test_an_error_command_does_not_fail_the_step(processor: Make) -> None:
    assert not feed(processor(), "::error::boom").failed


def test_an_annotations_file_is_translated(processor: Make) -> None:
    log = feed(processor(to_host=lambda file: file.removeprefix("/in/")), "::error file=/in/a.py::x")

    assert log.annotations[0].file == "a.py"


def test_a_message_is_cut_at_4096_characters(processor: Make) -> None:
    log = feed(processor(), f"::error::{'x' * 5000}")

    assert len(log.annotations[0].message) == 4096


def test_ten_annotations_of_each_level_are_kept_and_all_are_logged(processor: Make) -> None:
    log = feed(processor(), *["::error::e"] * 12, "::notice::n")

    assert [one.level for one in log.annotations] == ["error"] * 10 + ["notice"]
    assert log.lines.count("##[error]e") == 12


def test_annotations_are_masked(processor: Make) -> None:
    log = feed(processor(), "::add-mask::hush", "::error title=hush::say hush")

    assert log.annotations == [Annotation(level="error", message="say ***", title="***")]


def test_debug_is_hidden(processor: Make) -> None:
    assert feed(processor(), "::debug::x").lines == []


def test_debug_is_shown_in_step_debug(processor: Make) -> None:
    assert feed(processor(step_debug=True), "::debug::x").lines == ["##[debug]x"]


def test_commands_are_echoed_on_request(processor: Make) -> None:
    log = feed(processor(), "::echo::on", "::group::T", "::echo::OFF", "::group::U")

    assert log.lines == ["::group::T", "##[group]T", "::echo::OFF", "##[group]U"]


def test_a_mask_is_never_echoed(processor: Make) -> None:
    assert feed(processor(step_debug=True), "::add-mask::hush").lines == ["::add-mask::***"]


def test_an_issue_is_not_echoed(processor: Make) -> None:
    assert feed(processor(step_debug=True), "::error::x").lines == ["##[error]x"]


def test_a_bad_echo_fails_the_step(processor: Make) -> None:
    log = feed(processor(), "::echo::maybe")

    assert log.failed
    assert [one.message for one in log.annotations] == [
        "Unable to process command '::echo::maybe' successfully.",
        "Invalid echo command value. Possible values can be: 'on', 'off'. Current value is: 'maybe'.",
    ]


@pytest.mark.parametrize("line", ["::set-env name=A::1", "::add-path::/x"])
def test_unsecure_commands_fail_the_step(processor: Make, line: str) -> None:
    log = feed(processor(), line)

    assert log.failed
    assert log.annotations[0].message == f"Unable to process command '{line}' successfully."
    assert "command is disabled" in log.annotations[1].message


def test_unsecure_commands_work_where_they_are_allowed(processor: Make) -> None:
    made = processor(env={"ACTIONS_ALLOW_UNSECURE_COMMANDS": "True"})
    log = feed(made, "::set-env name=A::1", "::add-path::/x", "::set-env name=NODE_OPTIONS::1")

    assert not log.failed
    assert (made[0].env, made[0].path) == ({"A": "1"}, ["/x"])
    assert len(log.annotations) == 1


def test_set_output_and_save_state_still_work_with_a_warning(processor: Make) -> None:
    made = processor()
    log = feed(made, "::set-output name=a::1", "::save-state name=b::2")

    assert (made[0].outputs, made[0].state) == ({"a": "1"}, {"b": "2"})
    assert [one.level for one in log.annotations] == ["warning", "warning"]


def test_an_output_without_a_name_fails_the_step(processor: Make) -> None:
    log = feed(processor(), "::set-output::1")

    assert log.failed
    assert log.annotations[-1].message == "Required field 'name' is missing in ##[set-output] command."


def test_problem_matchers_are_swallowed(processor: Make) -> None:
    assert feed(processor(), "::add-matcher::m.json").lines == []


def test_nothing_is_obeyed_while_commands_are_stopped(processor: Make) -> None:
    log = feed(processor(), "::stop-commands::t0", "::add-mask::hush", "hush", "::T0::", "::group::G")

    assert log.lines == ["::stop-commands::t0", "::add-mask::hush", "hush", "::T0::", "##[group]G"]


def test_a_long_stop_token_is_masked(processor: Make) -> None:
    log = feed(processor(), "::stop-commands::tokentoken", "::tokentoken::")

    assert log.lines == ["::stop-commands::***", "::***::"]


@pytest.mark.parametrize("token", ["", "pause-logging", "Add-Mask"])
def test_a_weak_stop_token_fails_the_step_and_stops_nothing(processor: Make, token: str) -> None:
    log = feed(processor(), f"::stop-commands::{token}", "::group::G")

    assert log.failed
    assert log.lines[-1] == "##[group]G"
