import contextlib
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_aws_oidc.aws.arn import Role
from py_aws_oidc.inputs import Inputs, InvalidInputs, name, variable
from py_aws_oidc.reading import RoleName, boolean
from py_aws_oidc.secret import Secret

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
    assert inputs.output_env_credentials is None
    assert inputs.retry_max_attempts == 12
    assert inputs.action_timeout_s == 0
    assert inputs.translate_env_variables is True
    assert inputs.mask_aws_account_id is False
    assert inputs.sts_endpoint is None


def test_a_blank_input_is_an_absent_one():
    assert Inputs.read(environ(audience="  ", sts_endpoint="")) == Inputs.read(environ())


def test_white_space_around_a_value_is_taken_off():
    assert Inputs.read(environ(role_to_assume=f" {ROLE}\n")).role_to_assume.arn == ROLE


BOOLEANS = [field.name for field in fields(Inputs) if field.metadata["read"] is boolean]


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "false", "False", "FALSE"])
@pytest.mark.parametrize("name", BOOLEANS)
def test_a_boolean_has_six_spellings(name, text):
    assert getattr(Inputs.read(environ(**{name: text})), name) is (text.lower() == "true")


@pytest.mark.parametrize("text", ["yes", "no", "1", "0", "on", "tRuE", "true;"])
@pytest.mark.parametrize("name", BOOLEANS)
def test_any_other_spelling_of_a_boolean_is_an_error(name, text):
    assert problems(**{name: text}) == [f"{name.replace('_', '-')}: {text!r} is neither true nor false"]


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

    assert problem == "audience: it contains characters that cannot be printed, such as a line break"


WRONG = {
    "aws_region": "",
    "role_to_assume": "arn:aws:s3:::bucket",
    "audience": "a\nb",
    "role_session_name": "x",
    "role_duration_seconds": "soon",
    "role_external_id": "?",
    "role_skip_session_tagging": "yes",
    "transitive_tag_keys": "a\x07",
    "custom_tags": "{",
    "inline_session_policy": "[]",
    "managed_session_policies": "ReadOnly",
    "aws_access_key_id": "A B",
    "aws_secret_access_key": "s\ns",
    "aws_session_token": "é",
    "web_identity_token_file": "a\nb",
    "trust_policy_file": "a\nb",
    "role_chaining": "no",
    "force_skip_oidc": "0",
    "use_existing_credentials": "1",
    "unset_current_credentials": "on",
    "output_credentials": "off",
    "output_env_credentials": "n",
    "aws_profile": "a/b",
    "overwrite_aws_profile": "y",
    "mask_aws_account_id": "t",
    "allowed_account_ids": "12345678901x",
    "disable_retry": "f",
    "retry_max_attempts": "many",
    "special_characters_workaround": "-",
    "action_timeout_s": "-1",
    "http_proxy": "ftp://nowhere",
    "no_proxy": "a\nb",
    "sts_endpoint": "nowhere",
    "translate_env_variables": "2",
}


def test_a_text_that_goes_into_a_url_has_an_end():
    assert problems(audience="a" * 2049) == ["audience: it has 2049 characters; the maximum is 2048"]


def test_every_problem_is_reported_at_once():
    wrong = problems(**WRONG)

    assert [problem.replace(":", " ").split()[0] for problem in wrong] == [name(field) for field in fields(Inputs)]


@pytest.mark.parametrize(
    "secret", ["aws_access_key_id", "aws_secret_access_key", "aws_session_token", "role_external_id"]
)
def test_a_secret_is_never_repeated_in_a_message(secret):
    (problem, *_) = problems(**{secret: "hunter2 é?"})

    assert "hunter2" not in problem


def test_a_password_in_a_url_is_never_repeated_in_a_message():
    assert "hunter2" not in problems(http_proxy="http://user:hunter2@host:99999")[0]
    assert "hunter2" not in problems(sts_endpoint="https://user:hunter2@host")[0]


@pytest.mark.parametrize("text", ["a b", "a]", "a/b", "a\\b", "DEFAULT", "é", "a#b"])
def test_a_profile_has_a_name_that_every_sdk_reads_the_same(text):
    (problem,) = problems(aws_profile=text)

    assert problem.startswith("aws-profile: ")


def test_a_proxy_without_a_scheme_speaks_http():
    assert Inputs.read(environ(http_proxy="proxy.example:3128")).http_proxy == "http://proxy.example:3128"


def test_a_role_is_an_arn_or_a_name():
    assert Inputs.read(environ(role_to_assume="path/deploy")).role_to_assume == RoleName("path/deploy")
    assert isinstance(Inputs.read(environ()).role_to_assume, Role)


def test_lists_are_one_value_a_line():
    inputs = Inputs.read(environ(transitive_tag_keys=" Repository \n\n Workflow\r\nActor"))

    assert inputs.transitive_tag_keys == ("Repository", "Workflow", "Actor")


def test_more_session_policies_than_ten_are_too_many():
    arns = "\n".join(f"arn:aws:iam::aws:policy/P{n}" for n in range(11))

    assert problems(managed_session_policies=arns) == [
        "managed-session-policies: it has 11 policies; the maximum is 10"
    ]


def test_custom_tags_are_scalars():
    given = Inputs.read(environ(custom_tags='{"Team": "P", "Cost": 12, "Half": 0.5, "Whole": 12.0, "Live": true}'))

    assert given.custom_tags == {"Team": "P", "Cost": "12", "Half": "0.5", "Whole": "12", "Live": "true"}


@pytest.mark.parametrize("value", ["null", "[]", "{}"])
def test_other_values_of_custom_tags_are_errors(value):
    (problem,) = problems(custom_tags=f'{{"Team": {value}}}')

    assert "is not a string, number or boolean" in problem


@pytest.mark.parametrize("text", ["[]", "1", '"x"'])
def test_custom_tags_are_an_object(text):
    (problem,) = problems(custom_tags=text)

    assert "is not a JSON object" in problem


def test_custom_tags_do_not_replace_the_actions_own():
    (problem,) = problems(custom_tags='{"repository": "x"}')

    assert problem == "custom-tags: 'repository' is a tag that the action sets (Repository)"


def test_an_account_id_that_yaml_shortened_is_filled_up():
    given = Inputs.read(environ(role_to_assume="", allowed_account_ids="12345678901, 000000000001 ,"))

    assert given.allowed_account_ids == ("012345678901", "000000000001")


@pytest.mark.parametrize("text", [",", " , ,"])
def test_a_list_of_accounts_without_any_is_no_guard_but_an_error(text):
    assert problems(allowed_account_ids=text) == ["allowed-account-ids: it contains no account ID"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400"])
def test_a_number_that_is_none_is_no_tag(number):
    (problem,) = problems(custom_tags=f'{{"Team": {number}}}')

    assert problem.startswith("custom-tags: ")


def test_accounts_that_a_message_names_are_hidden_when_that_is_asked_for():
    with pytest.raises(InvalidInputs) as caught:
        Inputs.read(environ(mask_aws_account_id="true", allowed_account_ids="111111111111"))

    assert set(caught.value.hidden) == {Secret("123456789012"), Secret("111111111111")}


def test_an_account_id_that_yaml_took_for_a_number_is_told():
    (problem,) = problems(allowed_account_ids="1.23456789012E+11")

    assert "put it in quotes" in problem


@pytest.mark.parametrize("text", ["0", "-3"])
def test_less_than_one_try_is_one(text):
    assert Inputs.read(environ(retry_max_attempts=text)).retry_max_attempts == 1


def test_role_and_region_lie_in_one_partition():
    (problem,) = problems(aws_region="cn-north-1")

    assert problem.startswith("role-to-assume is in the partition aws, but the region cn-north-1 is in aws-cn")


def test_a_role_in_an_account_that_is_not_allowed_is_told_before_any_call():
    (problem,) = problems(allowed_account_ids="111111111111")

    assert problem.startswith("role-to-assume is in account 123456789012, which allowed-account-ids does not list")


def test_a_key_needs_its_secret():
    assert problems(aws_access_key_id="AKIA") == [
        "aws-secret-access-key is required with aws-access-key-id, but it is missing or empty"
    ]


def test_a_token_file_needs_the_arn_of_a_role():
    assert "role-to-assume is required" in problems(web_identity_token_file="t", role_to_assume="")[0]
    assert "must be an ARN" in problems(web_identity_token_file="t", role_to_assume="deploy")[0]


FILLED = {name(field): field for field in fields(Inputs) if field.metadata.get("variable")}


def test_the_variables_that_fill_blank_inputs_are_those_of_the_action_it_replaces():
    assert sorted(field.metadata["variable"] for field in FILLED.values()) == sorted(
        [
            "AWS_REGION",
            "ROLE_TO_ASSUME",
            "WEB_IDENTITY_TOKEN_FILE",
            "ROLE_CHAINING",
            "AUDIENCE",
            "HTTP_PROXY",
            "MASK_AWS_ACCOUNT_ID",
            "ROLE_DURATION_SECONDS",
            "ROLE_EXTERNAL_ID",
            "ROLE_SESSION_NAME",
            "ROLE_SKIP_SESSION_TAGGING",
            "TRANSITIVE_TAG_KEYS",
            "INLINE_SESSION_POLICY",
            "MANAGED_SESSION_POLICIES",
            "OUTPUT_CREDENTIALS",
            "UNSET_CURRENT_CREDENTIALS",
            "DISABLE_RETRY",
            "RETRY_MAX_ATTEMPTS",
            "SPECIAL_CHARACTERS_WORKAROUND",
            "USE_EXISTING_CREDENTIALS",
            "NO_PROXY",
            "OVERWRITE_AWS_PROFILE",
        ]
    )


def test_a_variable_fills_a_blank_input():
    assert Inputs.read(environ(aws_region=" ") | {"AWS_REGION": "eu-west-1"}).aws_region == "eu-west-1"


def test_an_input_goes_before_its_variable():
    assert Inputs.read(environ() | {"AWS_REGION": "eu-west-1"}).aws_region == "us-east-1"


def test_the_variables_can_be_switched_off():
    given = environ(translate_env_variables="false") | {"ROLE_SESSION_NAME": "other"}

    assert Inputs.read(given).role_session_name == "GitHubActions"


def test_what_is_secret_is_known_before_anything_is_printed():
    given = Inputs.read(environ(aws_access_key_id="AKIA", aws_secret_access_key="s", mask_aws_account_id="true"))

    assert set(given.secrets()) == {Secret("AKIA"), Secret("s"), Secret("123456789012")}


def test_the_message_counts_the_inputs_that_are_wrong():
    with pytest.raises(InvalidInputs, match=r"^1 input of this step"):
        Inputs.read(environ(aws_region=""))
    with pytest.raises(InvalidInputs, match=r"^2 inputs of this step"):
        Inputs.read(environ(aws_region="", role_session_name="x"))


def test_a_long_value_is_not_repeated():
    (problem,) = problems(aws_region="X" * 5000)

    assert "XX" not in problem
    assert "5000" in problem


@pytest.mark.parametrize(
    "wrong",
    [
        {"role_to_assume": "arn:aws:iam::12345678901:role/production-deployment-role-for-eu"},
        {"role_to_assume": "arn:aws:iam::123456789012:instance-profile/" + "ProductionDeploymentOfTheShop/" * 3},
        {"managed_session_policies": "arn:aws:iam::12345678901:policy/" + "ReadOnlyAccessToTheBuckets" * 3},
        {"role_session_name": f"deploy-{'0123456789' * 4}-{'abcdef' * 9}"},
        {"allowed_account_ids": ",".join(["111122223333"] * 9 + ["12345678901x"])},
    ],
)
def test_a_wrong_value_is_shown_whole_to_its_author(wrong):
    (problem,) = problems(**wrong)

    assert next(iter(wrong.values())) in problem


KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    "secret", [KEY, f"AKIAIOSFODNN7EXAMPLE:{KEY}", "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln"]
)
@pytest.mark.parametrize("input_", ["aws_region", "disable_retry", "allowed_account_ids", "retry_max_attempts"])
def test_a_secret_in_the_wrong_input_is_not_shown(input_, secret):
    (problem,) = problems(**{input_: secret})

    assert secret[-10:] not in problem
    assert f"{len(secret)} characters" in problem


def test_no_part_of_a_list_is_shown_alone():
    (problem,) = problems(allowed_account_ids="pass,word")

    assert "'pass,word'" in problem
    assert "'pass'" not in problem


@pytest.mark.parametrize("text", ["arn:" + "x" * 5000, "arn:aws:" + "s" * 5000 + ":::x", "a b" * 5000])
def test_a_long_role_is_not_repeated_whole(text):
    (problem,) = problems(role_to_assume=text)

    assert len(problem) < 250


@given(st.dictionaries(st.sampled_from([variable(field) for field in fields(Inputs)]), st.text()))
def test_whatever_the_inputs_they_are_read_or_their_problems_are_told(given_inputs):
    with contextlib.suppress(InvalidInputs):
        assert isinstance(Inputs.read(given_inputs), Inputs)
