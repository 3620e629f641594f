"""A container action's action.yml and a step's inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.runner.action import Action, Input, input_variables
from sandbox.runner.expressions import ExpressionError
from sandbox.runner.scalars import ManifestError

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = """
name: Credentials
inputs:
  role-to-assume: {description: A role}
  duration: {default: 3600, required: true}
  old name: {deprecationMessage: use the new one}
  temp: {default: "host:${{ runner.temp }}!"}
  bare:
runs:
  using: Docker
  image: docker://example.org/image@sha256:0
  entrypoint: /main
  pre-entrypoint: /pre
  post-entrypoint: /post
  post-if: env.SKIP != 'true'
  args: [a, 1, "${{ inputs.duration }}"]
  env: {A: 1}
"""
CONTEXTS = {"runner": {"temp": "/t"}, "env": {"R": "arn"}}


def test_a_manifest_is_read_whole() -> None:
    assert Action.parse(MANIFEST) == Action(
        name="Credentials",
        inputs=(
            Input(name="role-to-assume"),
            Input(name="duration", default="3600"),
            Input(name="old name", deprecation="use the new one"),
            Input(name="temp", default="host:${{ runner.temp }}!"),
            Input(name="bare"),
        ),
        image="docker://example.org/image@sha256:0",
        entrypoint="/main",
        pre_entrypoint="/pre",
        post_entrypoint="/post",
        post_if="env.SKIP != 'true'",
        args=("a", "1", "${{ inputs.duration }}"),
        env={"A": "1"},
    )


def test_post_runs_always_unless_told_otherwise() -> None:
    assert Action.parse("runs: {using: docker, image: Dockerfile}").post_if == "always()"


def test_args_that_are_not_there_are_left_to_the_step() -> None:
    assert Action.parse("runs: {using: docker, image: Dockerfile}").args is None


@pytest.mark.parametrize("name", ["action.yml", "action.yaml"])
def test_either_file_name_is_found(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(MANIFEST, encoding="utf-8")

    assert Action.read(tmp_path).name == "Credentials"


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"Can't find 'action\.yml'"):
        Action.read(tmp_path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("runs: {using: node24}", "'node24' is not a container action"),
        ("name: x", "'' is not a container action"),
        ("runs: {using: docker}", "an image is not provided"),
        ("runs: [docker]", "A mapping was expected for 'runs'"),
        ("{runs: {using: docker, image: i}, inputs: {x: y}}", "A mapping was expected for 'x'"),
        ("runs: {using: docker, image: i, args: x}", "A sequence was expected for 'args'"),
    ],
)
def test_what_is_no_container_action_is_refused(source: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        Action.parse(source)


def test_a_step_goes_before_the_defaults_whatever_the_case() -> None:
    inputs = Action.parse(MANIFEST).evaluate({"DURATION": 900, "extra": True}, CONTEXTS, CONTEXTS)

    assert inputs == {
        "DURATION": "900",
        "extra": "true",
        "role-to-assume": "",
        "old name": "",
        "temp": "host:/t!",
        "bare": "",
    }


def test_a_steps_expressions_are_evaluated() -> None:
    inputs = Action.parse(MANIFEST).evaluate({"role-to-assume": "${{ env.R }}"}, CONTEXTS, CONTEXTS)

    assert inputs["role-to-assume"] == "arn"


def test_a_default_cannot_use_every_context() -> None:
    action = Action(inputs=(Input(name="x", default="${{ env.R }}"),))

    with pytest.raises(ExpressionError, match="Unrecognized named-value: 'env'"):
        action.evaluate({}, CONTEXTS, {"runner": {}})


def test_input_variables_keep_their_hyphens() -> None:
    assert input_variables({"role-to-assume": "a", "old name": "b", "a.b": "c"}) == {
        "INPUT_ROLE-TO-ASSUME": "a",
        "INPUT_OLD_NAME": "b",
        "INPUT_A.B": "c",
    }


def test_act_writes_underscores_for_other_characters() -> None:
    assert input_variables({"role-to.assume x": "a"}, act_like=True) == {"INPUT_ROLE-TO_ASSUME_X": "a"}


def test_unexpected_inputs_are_warned_of() -> None:
    action = Action(inputs=(Input(name="role"),))

    assert action.warnings({"Role": "", "one": "", "two": "", "ARGS": ""}) == [
        "Unexpected input(s) 'one', 'two', valid inputs are ['entryPoint', 'args', 'role']"
    ]


def test_deprecated_inputs_are_warned_of() -> None:
    action = Action(inputs=(Input(name="old", deprecation="use new"),))

    assert action.warnings({"OLD": ""}) == ["Input 'OLD' has been deprecated with message: use new"]
