"""action.yml, the table of inputs and what the program does say the same."""

from dataclasses import MISSING, fields
from pathlib import Path

import pytest
import yaml

from py_aws_oidc.export.outputs import OUTPUTS
from py_aws_oidc.inputs import Inputs, name
from sandbox import texts

TEXT = (Path(__file__).parent.parent / "action.yml").read_text()
ACTION = yaml.safe_load(TEXT)
ROWS = {name(field): field for field in fields(Inputs)}


def test_inputs_and_outputs_are_those_that_make_docs_writes():
    assert texts.action_yml(TEXT) == TEXT


def test_the_rest_of_action_yml_stays_as_it_is():
    text = "name: x\ninputs:\n  gone:\n    required: true\noutputs: {}\n# A comment.\nruns:\n  using: docker\n"

    assert texts.action_yml(text).startswith("name: x\ninputs:\n  aws-region:\n")
    assert texts.action_yml(text).endswith("\nruns:\n  using: docker\n")


def test_the_outputs_are_those_of_the_table():
    assert ACTION["outputs"] == {output: {"description": about} for output, about in OUTPUTS.items()}


def test_action_yml_has_the_inputs_of_the_table_in_its_order():
    assert list(ACTION["inputs"]) == list(ROWS)


@pytest.mark.parametrize("input_", ROWS)
def test_an_input_has_the_description_of_the_table(input_):
    assert ACTION["inputs"][input_]["description"] == ROWS[input_].metadata["about"]


@pytest.mark.parametrize("input_", ROWS)
def test_an_input_is_required_when_it_has_no_default(input_):
    assert ACTION["inputs"][input_]["required"] is (ROWS[input_].default is MISSING)


@pytest.mark.parametrize("input_", ROWS)
def test_a_default_of_action_yml_is_the_default_of_the_table(input_):
    written = ACTION["inputs"][input_].get("default", "")

    assert written == ROWS[input_].metadata.get("default", "")
    assert not written or ROWS[input_].metadata["read"](written) == ROWS[input_].default


def test_the_runner_finds_the_two_entry_points_of_the_image():
    assert ACTION["runs"] == {
        "using": "docker",
        "image": "Dockerfile",
        "entrypoint": "/usr/local/bin/py-aws-oidc",
        "post-entrypoint": "/usr/local/bin/py-aws-oidc-post",
        "post-if": "env.AWS_SKIP_CLEANUP_STEP != 'true'",
    }
