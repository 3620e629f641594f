import contextlib
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_aws_oidc.inputs import Inputs, InvalidInputs, name, variable

ROLE = "arn:aws:iam::123456789012:role/deploy"


def environ(**inputs: str) -> dict[str, str]:
    """The least that works, with these inputs on top; an underscore stands for a hyphen."""
    given = {"aws_region": "us-east-1", "role_to_assume": ROLE} | inputs
    return {f"INPUT_{key.upper().replace('_', '-')}": value for key, value in given.items()}


def problems(**inputs: str) -> list[str]:
    with pytest.raises(InvalidInputs) as caught:
        Inputs.read(environ(**inputs))
    return caught.value.problems


def test_the_defaults_are_those_of_the_action_it_replaces():
    inputs = Inputs.read(environ())

    assert inputs.audience == "sts.amazonaws.com"
    assert inputs.role_session_name == "GitHubActions"
    assert inputs.role_duration_seconds == 3600
    assert inputs.output_credentials is False
    assert inputs.output_env_credentials is True
    assert inputs.mask_aws_account_id is False
    assert inputs.sts_endpoint is None


def test_a_blank_input_is_an_absent_one():
    assert Inputs.read(environ(audience="  ", sts_endpoint="")) == Inputs.read(environ())


def test_white_space_around_a_value_is_taken_off():
    assert Inputs.read(environ(role_to_assume=f" {ROLE}\n")).role_to_assume.arn == ROLE


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "false", "False", "FALSE"])
def test_a_boolean_has_six_spellings(text):
    assert Inputs.read(environ(output_credentials=text)).output_credentials is (text.lower() == "true")


@pytest.mark.parametrize("text", ["yes", "no", "1", "0", "on", "tRuE", "true;"])
def test_any_other_spelling_of_a_boolean_is_an_error(text):
    assert problems(output_credentials=text) == [f"output-credentials: {text!r} is neither true nor false"]


@pytest.mark.parametrize("seconds", ["900", "43200"])
def test_a_duration_may_be_15_minutes_to_12_hours(seconds):
    assert Inputs.read(environ(role_duration_seconds=seconds)).role_duration_seconds == int(seconds)


@pytest.mark.parametrize("text", ["899", "43201", "soon", "3600.5", "-900", "1e3", "9" * 30, "٣٦٠٠"])
def test_any_other_duration_is_an_error(text):
    (problem,) = problems(role_duration_seconds=text)

    assert problem.startswith("role-duration-seconds: ")


@pytest.mark.parametrize("text", ["US-EAST-1", "us east 1", "us-east-1;id", "https://x", "é"])
def test_a_region_is_small_letters_digits_and_hyphens(text):
    (problem,) = problems(aws_region=text)

    assert problem.startswith("aws-region: ")


@pytest.mark.parametrize("text", ["a", "a" * 65, "with space", "tab\tin", "slash/in", "é" * 5])
def test_a_session_name_has_the_form_that_sts_takes(text):
    (problem,) = problems(role_session_name=text)

    assert problem.startswith("role-session-name: ")


@pytest.mark.parametrize(
    "text",
    [
        "sts.example.com",
        "ftp://sts.example.com",
        "https://",
        "https://user@sts.example.com",
        "https://sts.example.com?x=1",
        "https://sts.example.com:port",
        "https://sts.example.com:0",
        "https://sts example.com",
        "https://[",
    ],
)
def test_an_endpoint_is_a_plain_url(text):
    (problem,) = problems(sts_endpoint=text)

    assert problem.startswith("sts-endpoint: ")


def test_an_audience_stands_on_one_line():
    (problem,) = problems(audience="a\nb")

    assert problem == "audience: it has characters that cannot be printed, such as a line break"


def test_every_problem_is_reported_at_once():
    wrong = problems(
        aws_region="",
        role_to_assume="deploy",
        audience="a\nb",
        role_session_name="x",
        role_duration_seconds="soon",
        output_credentials="yes",
        output_env_credentials="no",
        mask_aws_account_id="1",
        sts_endpoint="nowhere",
    )

    assert [problem.replace(":", " ").split()[0] for problem in wrong] == [name(field) for field in fields(Inputs)]


def test_the_message_counts_the_inputs_that_are_wrong():
    with pytest.raises(InvalidInputs, match=r"^1 input of this step"):
        Inputs.read(environ(aws_region=""))
    with pytest.raises(InvalidInputs, match=r"^2 inputs of this step"):
        Inputs.read(environ(aws_region="", role_to_assume=""))


def test_a_long_value_is_not_repeated_whole():
    (problem,) = problems(aws_region="X" * 5000)

    assert len(problem) < 200


@given(st.dictionaries(st.sampled_from([variable(field) for field in fields(Inputs)]), st.text()))
def test_whatever_the_inputs_they_are_read_or_their_problems_are_told(given_inputs):
    with contextlib.suppress(InvalidInputs):
        assert isinstance(Inputs.read(given_inputs), Inputs)
