"""The rules of the action that this one replaces, beyond its recorded cases: process in; files, log and wire out."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/deploy"
SESSION_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/GitHubActions"
BY_TOKEN = {"role-to-assume": ROLE}
KEYS = {
    "aws-access-key-id": "AKIAEXAMPLE000000001",
    "aws-secret-access-key": "abcdEFGHijklMNOPqrstUVWXyz0123456789abcd",
}
BY_KEYS = KEYS | BY_TOKEN
JOBS_OWN = {
    "AWS_ACCESS_KEY_ID": "ASIAAMBIENT000000001",
    "AWS_SECRET_ACCESS_KEY": "s" * 40,
    "AWS_SESSION_TOKEN": "ambient-token",
}
NO_ID_TOKEN = {"ACTIONS_ID_TOKEN_REQUEST_URL": None, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": None}
SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
FIVE = ("AWS_REGION", "AWS_DEFAULT_REGION", *SECRETS)
POLICY = '{"Version":"2012-10-17","Statement":[]}'
POLICY_ARN = "arn:aws:iam::aws:policy/ReadOnlyAccess"
OLD_PROFILE = {".aws/credentials": "[dev]\naws_access_key_id = AKIAOLD\naws_secret_access_key = old\n"}
TEMPORARY = {"status": 500, "code": "InternalFailure", "message": "try again"}
TOO_LARGE = {"status": 400, "code": "PackedPolicyTooLarge", "message": "Packed size consumes 110% of the space."}
BY_IDENTITY = "AssumeRoleWithWebIdentity"


# A blank input is filled from the environment variable of its name


@dataclass(frozen=True)
class Filled:
    """A variable that fills a blank input: what is then seen, in a step that is otherwise given this."""

    variable: str
    value: str
    sees: Callable[[Any], object]
    seen: object
    inputs: Mapping[str, str] = field(default_factory=lambda: BY_TOKEN)
    env: Mapping[str, str | None] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


def form(name: str, operation: str = BY_IDENTITY) -> Callable[[Any], object]:
    return lambda ours: ours.last(operation).form.get(name)


FILLED = [
    Filled(
        "AWS_REGION", "eu-west-3", lambda ours: ours.env["AWS_REGION"], "eu-west-3", BY_TOKEN | {"aws-region": ""}
    ),
    Filled("ROLE_TO_ASSUME", ROLE, form("RoleArn"), ROLE, {}),
    Filled(
        "WEB_IDENTITY_TOKEN_FILE",
        "{home}/token",
        form("WebIdentityToken"),
        "file.jwt.value",
        more={"files": {"token": "file.jwt.value"}},
    ),
    Filled(
        "ROLE_CHAINING", "true", lambda ours: ours.last("AssumeRole").signer, "ASIAAMBIENT000000001", env=JOBS_OWN
    ),
    Filled(
        "AUDIENCE",
        "aud.example",
        lambda ours: ours.last("oidc").query["audience"],
        ["aud.example"],
        BY_TOKEN | {"audience": ""},
    ),
    Filled(
        "HTTP_PROXY",
        "{sts}",
        lambda ours: ours.last(BY_IDENTITY).through_proxy,
        seen=True,
        inputs=BY_TOKEN | {"sts-endpoint": "http://sts.example"},
    ),
    Filled(
        "HTTPS_PROXY",
        "{sts}",
        lambda ours: ours.last(BY_IDENTITY).through_proxy,
        seen=True,
        inputs=BY_TOKEN | {"sts-endpoint": "http://sts.example"},
        env={"HTTP_PROXY": "http://127.0.0.1:9"},
    ),
    Filled("MASK_AWS_ACCOUNT_ID", "True", lambda ours: ACCOUNT in ours.masks, seen=True),
    Filled("ROLE_DURATION_SECONDS", "1500", form("DurationSeconds"), "1500"),
    Filled("ROLE_EXTERNAL_ID", "ext-1", form("ExternalId", "AssumeRole"), "ext-1", BY_KEYS),
    Filled("ROLE_SESSION_NAME", "from-env", form("RoleSessionName"), "from-env"),
    Filled("ROLE_SKIP_SESSION_TAGGING", "TRUE", lambda ours: ours.last("AssumeRole").tags, {}, BY_KEYS),
    Filled(
        "TRANSITIVE_TAG_KEYS",
        "Actor\nBranch",
        lambda ours: ours.last("AssumeRole").transitive_tag_keys,
        ["Actor", "Branch"],
        BY_KEYS,
    ),
    Filled("INLINE_SESSION_POLICY", POLICY, form("Policy"), POLICY),
    Filled("MANAGED_SESSION_POLICIES", POLICY_ARN, form("PolicyArns.member.1.arn"), POLICY_ARN),
    Filled("OUTPUT_CREDENTIALS", "true", lambda ours: "aws-session-token" in ours.outputs, seen=True),
    Filled("UNSET_CURRENT_CREDENTIALS", "true", lambda ours: ours.status, 1, {}, JOBS_OWN | NO_ID_TOKEN),
    Filled(
        "DISABLE_RETRY",
        "true",
        lambda ours: len(ours.made(BY_IDENTITY)),
        1,
        more={"faults": {BY_IDENTITY: repeat(TEMPORARY)}},
    ),
    Filled(
        "RETRY_MAX_ATTEMPTS",
        "2",
        lambda ours: len(ours.made(BY_IDENTITY)),
        2,
        more={"faults": {BY_IDENTITY: repeat(TEMPORARY)}},
    ),
    Filled(
        "SPECIAL_CHARACTERS_WORKAROUND",
        "true",
        lambda ours: ours.env["AWS_SECRET_ACCESS_KEY"],
        "b" * 40,
        more={"secrets": ["a/+" + "a" * 37, "b" * 40]},
    ),
    Filled("USE_EXISTING_CREDENTIALS", "true", lambda ours: ours.made(BY_IDENTITY), [], env=JOBS_OWN),
    Filled(
        "NO_PROXY",
        "0.0.0.0",  # noqa: S104 - this machine, by an address that is not loopback
        lambda ours: ours.last(BY_IDENTITY).through_proxy,
        seen=False,
        inputs=BY_TOKEN | {"sts-endpoint": "http://0.0.0.0:{port}", "http-proxy": "{sts}"},
    ),
    Filled(
        "OVERWRITE_AWS_PROFILE",
        "true",
        lambda ours: ours.profile_files["credentials"]["dev"]["aws_access_key_id"][:4],
        "ASIA",
        BY_TOKEN | {"aws-profile": "dev"},
        more={"files": OLD_PROFILE},
    ),
]


@pytest.mark.parametrize("row", FILLED, ids=lambda row: row.variable)
def test_a_blank_input_is_filled_from_the_variable_of_its_name(row, step):
    ours = step(row.inputs, env={**row.env, row.variable: row.value}, **row.more)

    assert row.sees(ours) == row.seen


def test_no_variable_fills_an_input_when_that_is_switched_off(step):
    wrong = dict.fromkeys((row.variable for row in FILLED), "not; for\nany input")
    proxies = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "nowhere"}

    ours = step(BY_TOKEN | {"translate-env-variables": "false"}, env=wrong | proxies)

    assert ours.said("error") == []
    assert ours.last(BY_IDENTITY).form == {
        "RoleArn": ROLE,
        "RoleSessionName": "GitHubActions",
        "WebIdentityToken": ours.minted[-1],
        "DurationSeconds": "3600",
    }
    assert set(ours.env) == set(FIVE)


def test_without_the_variables_a_blank_region_is_missing(step):
    ours = step(BY_TOKEN | {"aws-region": "", "translate-env-variables": "FALSE"}, env={"AWS_REGION": "eu-west-3"})

    assert ours.failed_and_left_nothing
    assert "aws-region" in ours.error


def test_an_input_goes_before_its_variable_and_a_blank_variable_fills_nothing(step):
    ours = step(
        BY_TOKEN | {"role-session-name": "given"},
        env={"ROLE_SESSION_NAME": "from-env", "AWS_REGION": "eu-west-3", "ROLE_DURATION_SECONDS": "  "},
    )

    assert ours.env["AWS_REGION"] == "us-east-1"
    assert ours.last(BY_IDENTITY).form["RoleSessionName"] == "given"
    assert ours.last(BY_IDENTITY).form["DurationSeconds"] == "3600"


def test_inputs_are_trimmed_and_blank_ones_count_as_absent(step):
    ours = step(
        {
            "role-to-assume": f"  {ROLE}\n",
            "aws-region": " us-east-1 ",
            "role-session-name": " \t ",
            "role-duration-seconds": "",
            "output-credentials": " ",
            "custom-tags": "\n",
            "aws-access-key-id": " ",
            "aws-profile": " ",
        }
    )

    assert ours.status == 0
    assert ours.last(BY_IDENTITY).form["RoleArn"] == ROLE
    assert ours.last(BY_IDENTITY).form["RoleSessionName"] == "GitHubActions"
    assert ours.env["AWS_REGION"] == "us-east-1"


# Booleans

BOOLEANS = [
    "role-skip-session-tagging",
    "role-chaining",
    "force-skip-oidc",
    "unset-current-credentials",
    "use-existing-credentials",
    "output-credentials",
    "output-env-credentials",
    "overwrite-aws-profile",
    "mask-aws-account-id",
    "disable-retry",
    "special-characters-workaround",
    "translate-env-variables",
]


@pytest.mark.parametrize("name", BOOLEANS)
def test_a_boolean_input_is_true_or_false_and_nothing_else(name, step):
    ours = step(BY_TOKEN | {name: "yes"})

    assert ours.failed_and_left_nothing
    assert name in ours.error
    assert ours.calls == ()


@pytest.mark.parametrize("text", ["1", "0", "on", "no", "tRUE", "fALSE", "true false", "null"])
def test_a_boolean_has_six_spellings_and_no_more(text, step):
    assert step(BY_TOKEN | {"output-credentials": text}).failed_and_left_nothing


@pytest.mark.parametrize("text", ["true", "True", "TRUE"])
def test_a_true_boolean_is_written_in_three_ways(text, step):
    names = ("output-credentials", "mask-aws-account-id", "output-env-credentials", "role-skip-session-tagging")

    ours = step(BY_KEYS | dict.fromkeys(names, text))

    assert ours.status == 0
    assert "aws-secret-access-key" in ours.outputs
    assert ACCOUNT in ours.masks
    assert set(ours.env) == set(FIVE)
    assert ours.last("AssumeRole").tags == {}


@pytest.mark.parametrize("text", ["false", "False", "FALSE"])
def test_a_false_boolean_is_written_in_three_ways(text, step):
    ours = step(BY_TOKEN | dict.fromkeys(BOOLEANS, text), env={"OUTPUT_CREDENTIALS": "true"})

    assert ours.status == 0
    assert set(ours.outputs) == {"aws-account-id", "authenticated-arn", "aws-expiration"}
    assert ours.env == {}
    assert ACCOUNT not in ours.masks
    assert len(ours.made(BY_IDENTITY)) == 1


# Which identity


def test_the_id_token_goes_before_the_credentials_in_the_environment(step):
    ours = step(BY_TOKEN, env=JOBS_OWN)

    assert [call.operation for call in ours.calls] == ["oidc", BY_IDENTITY]
    assert ours.last(BY_IDENTITY).signer is None


def test_given_keys_go_before_the_id_token_and_the_environment(step):
    ours = step(BY_KEYS, env=JOBS_OWN)

    assert ours.last("AssumeRole").signer == KEYS["aws-access-key-id"]
    assert ours.last("AssumeRole").session_token is None
    assert ours.made("oidc") == []


def test_a_given_session_token_signs_with_its_keys(step):
    ours = step(BY_KEYS | {"aws-session-token": "given-token"})

    assert ours.last("AssumeRole").session_token == "given-token"
    assert "given-token" in ours.masks


def test_keys_without_a_role_are_checked_and_exported_as_they_are(step):
    ours = step(KEYS)

    assert {call.operation for call in ours.calls} == {"GetCallerIdentity"}
    assert {call.signer for call in ours.calls} == {KEYS["aws-access-key-id"]}
    assert ours.env["AWS_ACCESS_KEY_ID"] == KEYS["aws-access-key-id"]


def test_keys_that_aws_does_not_know_are_not_exported(step):
    refused = {"status": 403, "code": "InvalidClientTokenId", "message": "The security token is invalid."}

    ours = step(KEYS | {"retry-max-attempts": "2"}, faults={"GetCallerIdentity": repeat(refused)})

    assert ours.failed_and_left_nothing


def test_a_token_file_goes_before_the_id_token(step):
    ours = step(BY_TOKEN | {"web-identity-token-file": "{home}/token"}, files={"token": "file.jwt.value\n"})

    assert [call.operation for call in ours.calls] == [BY_IDENTITY]
    assert ours.last(BY_IDENTITY).form["WebIdentityToken"] == "file.jwt.value"
    assert ours.last(BY_IDENTITY).signer is None


@pytest.mark.parametrize(
    ("env", "where"),
    [
        ({"AWS_PROFILE": "ci"}, ".aws/credentials"),
        ({"AWS_PROFILE": "ci", "AWS_SHARED_CREDENTIALS_FILE": "{home}/shared/keys"}, "shared/keys"),
    ],
    ids=["a profile in HOME", "a file of its own"],
)
def test_chaining_starts_from_a_profile_of_the_environment_as_sdks_do(env, where, step):
    keys = "[ci]\naws_access_key_id = AKIAPROFILE000000001\naws_secret_access_key = pppp\naws_session_token = tok\n"

    ours = step(BY_TOKEN | {"role-chaining": "true"}, env=env, files={where: keys})

    assert ours.last("AssumeRole").signer == "AKIAPROFILE000000001"
    assert ours.last("AssumeRole").session_token == "tok"
    assert ours.made("oidc") == []


def test_chaining_starts_from_the_default_profile_if_the_environment_says_nothing(step):
    keys = "[default]\naws_access_key_id = AKIADEFAULT000000001\naws_secret_access_key = dddd\n"

    ours = step(BY_TOKEN | {"role-chaining": "true"}, files={".aws/credentials": keys})

    assert ours.last("AssumeRole").signer == "AKIADEFAULT000000001"


@pytest.mark.parametrize("env", [{}, dict.fromkeys(JOBS_OWN, "")], ids=["absent", "blank"])
def test_chaining_without_credentials_in_the_environment_fails(env, step):
    ours = step(BY_TOKEN | {"role-chaining": "true"}, env=env)

    assert ours.failed_and_left_nothing
    assert ours.calls == ()


def test_without_a_role_and_keys_the_environments_identity_is_checked(step):
    ours = step(env=JOBS_OWN)

    assert {call.operation for call in ours.calls} == {"GetCallerIdentity"}
    assert ours.last("GetCallerIdentity").signer == "ASIAAMBIENT000000001"
    assert ours.last("GetCallerIdentity").session_token == "ambient-token"
    assert set(ours.env) <= set(FIVE)
    assert {name: ours.env.get(name, value) for name, value in JOBS_OWN.items()} == JOBS_OWN


def test_a_job_whose_id_token_variables_are_blank_has_none(step):
    ours = step(BY_TOKEN, env=JOBS_OWN | dict.fromkeys(NO_ID_TOKEN, ""))

    assert [call.operation for call in ours.calls] == ["AssumeRole"]
    assert ours.last("AssumeRole").signer == "ASIAAMBIENT000000001"


def test_without_any_identity_the_step_fails(step):
    assert step(env=NO_ID_TOKEN).failed_and_left_nothing


def test_a_bare_role_name_needs_an_account_which_an_id_token_does_not_name(step):
    ours = step({"role-to-assume": "deploy"})

    assert ours.failed_and_left_nothing
    assert ours.made(BY_IDENTITY) == []


def test_a_bare_role_name_is_in_the_account_of_the_source_identity(step):
    callers = {"AKIAEXAMPLE000000001": "arn:aws:iam::210987654321:user/ci"}

    ours = step(KEYS | {"role-to-assume": "team/deploy"}, callers=callers)

    assert ours.last("AssumeRole").form["RoleArn"] == "arn:aws:iam::210987654321:role/team/deploy"
    assert ours.outputs["aws-account-id"] == "210987654321"


# force-skip-oidc


def test_force_skip_oidc_without_a_role_checks_the_environments_identity(step):
    ours = step({"force-skip-oidc": "true"}, env=JOBS_OWN)

    assert ours.status == 0
    assert {call.operation for call in ours.calls} == {"GetCallerIdentity"}


def test_force_skip_oidc_with_a_token_file_uses_the_file(step):
    ours = step(
        BY_TOKEN | {"force-skip-oidc": "true", "web-identity-token-file": "token"},
        files={"work/token": "file.jwt.value"},
    )

    assert [call.operation for call in ours.calls] == [BY_IDENTITY]


def test_force_skip_oidc_with_nothing_else_fails_without_asking_for_a_token(step):
    ours = step(BY_TOKEN | {"force-skip-oidc": "true"})

    assert ours.failed_and_left_nothing
    assert ours.calls == ()


# Tokens from files


@pytest.mark.parametrize("text", ["", " \n\t"], ids=["empty", "blank"])
def test_a_token_file_without_a_token_is_an_error(text, step):
    ours = step(
        BY_TOKEN | {"web-identity-token-file": "token", "disable-retry": "true"}, files={"work/token": text}
    )

    assert ours.failed_and_left_nothing
    assert ours.calls == ()


def test_a_folder_is_no_token_file(step):
    ours = step(BY_TOKEN | {"web-identity-token-file": "{home}/temp", "disable-retry": "true"})

    assert ours.failed_and_left_nothing
    assert ours.calls == ()


def test_a_token_of_a_file_is_masked(step):
    ours = step(BY_TOKEN | {"web-identity-token-file": "token"}, files={"work/token": "file.jwt.value"})

    assert "file.jwt.value" in ours.masks


# Session tags

TAGS = {
    "GitHub": "Actions",
    "Repository": "octo-org/octo-repo",
    "Workflow": "deploy",
    "Action": "__py-aws-oidc",
    "Actor": "octocat",
    "Commit": "0123456789abcdef0123456789abcdef01234567",
    "Branch": "refs/heads/main",
    "EventName": "push",
    "BaseRef": "main",
    "HeadRef": "topic",
    "RunId": "4242",
    "Job": "deploy",
    "TriggeringActor": "octocat",
}
DROPPABLE = ("EventName", "BaseRef", "HeadRef", "RunId", "Job", "TriggeringActor")
REFS = {"GITHUB_BASE_REF": "main", "GITHUB_HEAD_REF": "topic"}
VARIABLES = {
    "Repository": "GITHUB_REPOSITORY",
    "Workflow": "GITHUB_WORKFLOW",
    "Action": "GITHUB_ACTION",
    "Actor": "GITHUB_ACTOR",
    "Commit": "GITHUB_SHA",
    "Branch": "GITHUB_REF",
    "EventName": "GITHUB_EVENT_NAME",
    "BaseRef": "GITHUB_BASE_REF",
    "HeadRef": "GITHUB_HEAD_REF",
    "RunId": "GITHUB_RUN_ID",
    "Job": "GITHUB_JOB",
    "TriggeringActor": "GITHUB_TRIGGERING_ACTOR",
}


def without(tags: Mapping[str, str], *keys: str) -> dict[str, str]:
    return {key: value for key, value in tags.items() if key not in keys}


def test_all_tags_are_there_in_their_order(step):
    tags = step(BY_KEYS, env=REFS).last("AssumeRole").tags

    assert list(tags.items()) == list(TAGS.items())


def test_each_tag_says_its_own_variable(step):
    values = {variable: f"value of {tag}" for tag, variable in VARIABLES.items()}

    tags = step(BY_KEYS, env=values).last("AssumeRole").tags

    assert tags == {"GitHub": "Actions"} | {tag: f"value of {tag}" for tag in VARIABLES}


@pytest.mark.parametrize(
    ("left_out", "value"),
    [(tuple(VARIABLES)[::2], None), (tuple(VARIABLES)[1::2], "")],
    ids=["missing", "blank"],
)
def test_a_tag_whose_variable_is_not_set_is_left_out(left_out, value, step):
    ours = step(BY_KEYS, env=REFS | {VARIABLES[tag]: value for tag in left_out})

    assert ours.last("AssumeRole").tags == without(TAGS, *left_out)


SANITISED = {
    "Workflow": ("aZ09 _.:/=+-@", "aZ09 _.:/=+-@"),
    "Action": ("ünïcødé 日本 Ⅷ½²\u00a0\u3000", "ünïcødé 日本 Ⅷ½²\u00a0\u3000"),
    "Actor": ("a*b?c,d(e)[f]{g}#h&i;j<k>l\"m'n!o", "a_b_c_d_e__f__g__h_i_j_k_l_m_n_o"),
    "Commit": ("line\nbreak\ttab\x7f", "line_break_tab_"),
    "Branch": ("e\u0301", "e_"),
    "Job": ("\U0001f600\U0001d49c", "_\U0001d49c"),
}
CUT = {
    "Workflow": ("w" * 257, "w" * 256),
    "Action": ("\U0001d49c" * 129, "\U0001d49c" * 128),
    "Actor": ("\U0001f600" * 257, "_" * 256),
    # Half a letter is none.
    "Branch": ("a" + "\U0001d49c" * 129, "a" + "\U0001d49c" * 127),
}


def test_each_code_point_that_a_tag_cannot_hold_becomes_one_underscore(step):
    # Between letters, so that no trimming is seen.
    ours = step(BY_KEYS, env={VARIABLES[tag]: f"x{text}x" for tag, (text, _) in SANITISED.items()})

    tags = ours.last("AssumeRole").tags
    assert {tag: tags[tag] for tag in SANITISED} == {tag: f"x{text}x" for tag, (_, text) in SANITISED.items()}


def test_a_tag_is_cut_at_256_units_of_utf_16_after_that(step):
    ours = step(BY_KEYS, env={VARIABLES[tag]: text for tag, (text, _) in CUT.items()})

    assert {tag: ours.last("AssumeRole").tags[tag] for tag in CUT} == {tag: text for tag, (_, text) in CUT.items()}


def test_custom_tags_come_after_the_others_with_scalars_as_texts(step):
    custom = (
        '{"Team": "Plattform Süd", "Cost": 12, "Half": 1.5, "Whole": 12.0, "Live": true, "Old": false, "None": ""}'
    )

    tags = step(BY_KEYS | {"custom-tags": custom}, env=REFS).last("AssumeRole").tags

    assert list(tags.items())[len(TAGS) :] == [
        ("Team", "Plattform Süd"),
        ("Cost", "12"),
        ("Half", "1.5"),
        ("Whole", "12"),
        ("Live", "true"),
        ("Old", "false"),
        ("None", ""),
    ]


@pytest.mark.parametrize(
    ("env", "own"),
    [(REFS, TAGS), ({}, without(TAGS, "BaseRef", "HeadRef"))],
    ids=["a pull request, with all own tags", "a push, with fewer"],
)
def test_custom_tags_may_be_as_long_and_as_many_as_aws_takes(env, own, step):
    custom = {"k" * 128: "v" * 256} | {f"tag{n}": "x" for n in range(49 - len(own))}

    tags = step(BY_KEYS | {"custom-tags": json.dumps(custom)}, env=env).last("AssumeRole").tags

    assert len(tags) == 50
    assert tags == own | custom


@pytest.mark.parametrize(
    "custom",
    [
        {"": "x"},
        {"k" * 129: "x"},
        {"k": "v" * 257},
        {"k*": "x"},
        {"k": "a*b"},
        {"k": None},
        {"k": ["x"]},
        {"k": {"x": "y"}},
        ["k"],
        "k",
        {f"tag{n}": "x" for n in range(38)},
    ],
    ids=[
        "key empty",
        "key too long",
        "value too long",
        "key illegal",
        "value illegal",
        "null",
        "list",
        "object",
        "no object but a list",
        "no object but a text",
        "51 in all",
    ],
)
def test_custom_tags_that_aws_would_refuse_are_an_error(custom, step):
    ours = step(BY_KEYS | {"custom-tags": json.dumps(custom), "disable-retry": "true"}, env=REFS)

    assert ours.failed_and_left_nothing
    assert "custom-tags" in ours.error
    assert ours.made("AssumeRole") == []


@pytest.mark.parametrize("name", TAGS)
def test_a_custom_tag_never_has_the_name_of_one_of_the_actions_own(name, step):
    ours = step(BY_KEYS | {"custom-tags": json.dumps({name: "x"}), "disable-retry": "true"})

    assert ours.failed_and_left_nothing
    assert name in ours.error


def test_only_keys_of_tags_that_are_sent_pass_on(step):
    ours = step(
        BY_KEYS
        | {"transitive-tag-keys": " Repository \n\nTeam\nHeadRef\nrepository", "custom-tags": '{"Team": "x"}'}
    )

    assert ours.last("AssumeRole").transitive_tag_keys == ["Repository", "Team"]


def test_without_session_tagging_there_are_no_custom_tags_either(step):
    ours = step(BY_KEYS | {"role-skip-session-tagging": "true", "custom-tags": '{"Team": "x"}'})

    assert ours.last("AssumeRole").tags == {}


def test_an_id_token_brings_its_own_tags(step):
    ours = step(
        BY_TOKEN | {"custom-tags": '{"Team": "x"}', "transitive-tag-keys": "Team", "role-external-id": "ext-1"}
    )

    assert set(ours.last(BY_IDENTITY).form) == {"RoleArn", "RoleSessionName", "WebIdentityToken", "DurationSeconds"}


def test_droppable_tags_go_once_when_all_are_too_large_and_custom_tags_stay(step):
    ours = step(
        BY_KEYS | {"custom-tags": '{"Team": "x"}', "transitive-tag-keys": "RunId\nTeam"},
        env=REFS,
        faults={"AssumeRole": [TOO_LARGE]},
    )

    first, second = ours.made("AssumeRole")
    assert first.tags == TAGS | {"Team": "x"}
    assert second.tags == without(TAGS, *DROPPABLE) | {"Team": "x"}
    assert second.transitive_tag_keys == ["Team"]


def test_tags_that_are_too_large_without_the_droppable_ones_are_an_error(step):
    ours = step(BY_KEYS, faults={"AssumeRole": repeat(TOO_LARGE)})

    assert ours.failed_and_left_nothing
    assert len(ours.made("AssumeRole")) == 2


# Session policies


def test_session_policies_narrow_an_assumed_role_too(step):
    inputs = {"inline-session-policy": POLICY, "managed-session-policies": f"{POLICY_ARN}\n\n {POLICY_ARN}2 \n"}

    sent = step(BY_KEYS | inputs).last("AssumeRole").form

    assert sent["Policy"] == POLICY
    assert [sent[f"PolicyArns.member.{n}.arn"] for n in (1, 2)] == [POLICY_ARN, f"{POLICY_ARN}2"]


# Retries


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("oidc", {"status": 503}),
        ("oidc", {"close": True}),
        ("oidc", {"status": 200, "body": "<html>", "type": "text/html"}),
        (BY_IDENTITY, {"status": 500, "code": "InternalFailure"}),
        (BY_IDENTITY, {"status": 400, "code": "Throttling", "message": "Rate exceeded"}),
        (BY_IDENTITY, {"status": 503, "body": "", "type": "text/html"}),
        (BY_IDENTITY, {"status": 200, "body": "<html>", "type": "text/html"}),
        (BY_IDENTITY, {"close": True}),
        ("AssumeRole", TEMPORARY),
        ("GetCallerIdentity", TEMPORARY),
    ],
    ids=str,
)
def test_an_error_that_passes_by_itself_is_retried(operation, fault, step):
    inputs = {"AssumeRole": BY_KEYS, "GetCallerIdentity": KEYS}.get(operation, BY_TOKEN)

    ours = step(inputs | {"retry-max-attempts": "2"}, faults={operation: [fault]})

    assert ours.said("error") == []
    assert len(ours.made(operation)) == 2


@pytest.mark.parametrize("operation", ["oidc", BY_IDENTITY])
def test_no_call_is_tried_more_often_than_said(operation, step):
    ours = step(BY_TOKEN | {"retry-max-attempts": "2"}, faults={operation: repeat(TEMPORARY)})

    assert ours.failed_and_left_nothing
    assert len(ours.made(operation)) == 2


@pytest.mark.parametrize("operation", ["oidc", BY_IDENTITY])
def test_disable_retry_means_one_try(operation, step):
    ours = step(
        BY_TOKEN | {"disable-retry": "true", "retry-max-attempts": "5"}, faults={operation: repeat(TEMPORARY)}
    )

    assert ours.failed_and_left_nothing
    assert len(ours.made(operation)) == 1


def test_a_role_that_was_made_just_now_may_be_denied_at_first(step):
    denied = {"status": 403, "code": "AccessDenied", "message": "Not authorized to perform this"}

    assert step(BY_TOKEN, faults={BY_IDENTITY: [denied]}).status == 0


def test_secrets_are_asked_for_again_until_they_have_no_special_characters(step):
    ours = step(
        BY_KEYS | {"special-characters-workaround": "true"}, secrets=["a+" + "a" * 38, "b/" + "b" * 38, "c" * 40]
    )

    assert ours.env["AWS_SECRET_ACCESS_KEY"] == "c" * 40
    assert len(ours.made("AssumeRole")) == 3


def test_secrets_with_special_characters_are_taken_unless_told_otherwise(step):
    assert step(BY_TOKEN, secrets=["a+/" + "a" * 37]).env["AWS_SECRET_ACCESS_KEY"] == "a+/" + "a" * 37


def test_the_search_for_secrets_without_special_characters_ends(step):
    ours = step(BY_TOKEN | {"special-characters-workaround": "true"}, secrets=repeat("a/+" + "a" * 37))

    assert ours.failed_and_left_nothing
    assert 2 <= len(ours.made(BY_IDENTITY)) <= 12


@pytest.mark.parametrize(
    ("operation", "inputs", "env"),
    [
        ("oidc", BY_TOKEN, {}),
        (BY_IDENTITY, BY_TOKEN, {}),
        ("GetCallerIdentity", {}, JOBS_OWN),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_actions_own_time_limit_holds_for_every_call(operation, inputs, env, step):
    ours = step(dict(inputs) | {"action-timeout-s": "1"}, env=env, faults={operation: repeat({"hold": True})})

    assert ours.failed_and_left_nothing
    assert ours.seconds < 9  # a call alone would wait for ten


# Which account


def test_the_right_account_is_found_in_a_list_with_blanks(step):
    assert step(KEYS | {"allowed-account-ids": f" 111111111111 ,, {ACCOUNT} ,"}).status == 0


def test_keys_of_another_account_are_refused(step):
    ours = step(KEYS | {"allowed-account-ids": "111111111111,222222222222"})

    assert ours.failed_and_left_nothing
    assert ACCOUNT in ours.error


def test_a_chained_role_in_another_account_is_refused(step):
    inputs = {"role-to-assume": "arn:aws:iam::210987654321:role/deploy", "role-chaining": "true"}

    assert step(inputs | {"allowed-account-ids": ACCOUNT}, env=JOBS_OWN).failed_and_left_nothing
    assert step(inputs | {"allowed-account-ids": "210987654321"}, env=JOBS_OWN).status == 0


def test_an_account_id_that_is_none_is_an_error(step):
    ours = step(KEYS | {"allowed-account-ids": "my-account"})

    assert ours.failed_and_left_nothing
    assert ours.calls == ()


@pytest.mark.parametrize("inputs", [KEYS, BY_TOKEN, BY_KEYS], ids=["keys", "ID token", "role by keys"])
def test_the_account_is_masked_if_told(inputs, step):
    ours = step(inputs | {"mask-aws-account-id": "true"})

    assert ACCOUNT in ours.masks
    assert ours.outputs["aws-account-id"] == ACCOUNT


# use-existing-credentials and unset-current-credentials


def test_without_credentials_in_the_environment_there_are_none_to_keep(step):
    ours = step(BY_TOKEN | {"use-existing-credentials": "true"})

    assert ours.outputs["authenticated-arn"] == SESSION_ARN


def test_kept_credentials_are_not_exported_again(step):
    ours = step({"use-existing-credentials": "true"} | BY_TOKEN, env=JOBS_OWN)

    assert [call.operation for call in ours.calls] == ["GetCallerIdentity"]
    assert ours.last("GetCallerIdentity").session_token == "ambient-token"
    assert ours.env == {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}


def test_unset_credentials_are_no_source_of_identity(step):
    ours = step(BY_TOKEN | {"unset-current-credentials": "true"}, env=JOBS_OWN | NO_ID_TOKEN)

    assert ours.failed_and_left_nothing
    assert ours.calls == ()


def test_unset_credentials_leave_nothing_of_before(step):
    ours = step(KEYS | {"unset-current-credentials": "true"}, env=JOBS_OWN)

    assert ours.env == {
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": KEYS["aws-access-key-id"],
        "AWS_SECRET_ACCESS_KEY": KEYS["aws-secret-access-key"],
        "AWS_SESSION_TOKEN": "",
    }


# Where the credentials go


@pytest.mark.parametrize("profile", ["", "dev"], ids=["no profile", "a profile"])
@pytest.mark.parametrize("environment", ["", "true", "false"], ids=["env by default", "env", "no env"])
def test_the_credentials_go_where_the_inputs_say_and_nowhere_else(environment, profile, step):
    ours = step(
        BY_TOKEN | {"output-env-credentials": environment, "aws-profile": profile, "output-credentials": "true"}
    )

    in_environment = environment == "true" or (environment == "" and not profile)
    expected = {*FIVE, *(["AWS_PROFILE"] if profile else [])} if in_environment else set()
    assert set(ours.env) == expected
    assert list(ours.profile_files.get("credentials", {})) == ([profile] if profile else [])
    assert ours.outputs["aws-secret-access-key"] in ours.masks


@pytest.mark.parametrize("name", ["a/b", "a\\b", "a]b", "[a", "a\nb"], ids=repr)
def test_a_profile_that_cannot_stand_in_the_files_is_an_error(name, step):
    ours = step(BY_TOKEN | {"aws-profile": name, "output-env-credentials": "true"})

    assert ours.failed_and_left_nothing
    assert ours.profile_files == {}


@pytest.mark.parametrize(
    ("inputs", "env"),
    [(BY_TOKEN, {}), (BY_KEYS, {}), (KEYS, {}), (BY_TOKEN | {"role-chaining": "true"}, JOBS_OWN)],
    ids=["ID token", "role by keys", "keys", "chained"],
)
def test_no_secret_is_in_the_log_but_to_be_masked(inputs, env, step):
    ours = step(dict(inputs) | {"output-credentials": "true"}, env=env)
    secret = {*(ours.env[name] for name in SECRETS if name in ours.env), *ours.minted, *KEYS.values()}

    told = [line for line in ours.log.splitlines() if not line.startswith("::add-mask::")]
    assert not [line for line in told for each in secret if each in line]
    assert {ours.env["AWS_SECRET_ACCESS_KEY"], *ours.minted} <= ours.masks


# Numbers and names at their limits


@pytest.mark.parametrize("seconds", ["900", "43200"])
def test_a_duration_at_its_limits_is_sent_as_it_is(seconds, step):
    ours = step(BY_TOKEN | {"role-duration-seconds": seconds})

    assert ours.last(BY_IDENTITY).form["DurationSeconds"] == seconds


@pytest.mark.parametrize("name", ["xy", "x" * 64, "a_=,.@-+Z9"])
def test_a_session_may_have_any_name_that_aws_takes(name, step):
    assert step(BY_TOKEN | {"role-session-name": name}).last(BY_IDENTITY).form["RoleSessionName"] == name


@pytest.mark.parametrize("name", ["x:y", "ünïcode", "a b"])
def test_a_session_name_that_aws_would_refuse_is_an_error(name, step):
    assert step(BY_TOKEN | {"role-session-name": name}).failed_and_left_nothing


# Post


def after(before: Mapping[str, str], *steps: Any) -> dict[str, str]:
    """The AWS variables of the job after these stages."""
    job = dict(before)
    for each in steps:
        job |= each.env
    return {name: job.get(name, "") for name in (*FIVE, "AWS_PROFILE")}


def test_post_blanks_what_the_step_exported(step):
    inputs = BY_TOKEN | {"aws-profile": "dev", "output-env-credentials": "true"}
    main = step(inputs)

    post = step.post(main, inputs)

    assert (post.status, post.said("error"), post.calls) == (0, [], ())
    assert set(main.env) == {*FIVE, "AWS_PROFILE"}
    assert set(after({}, main, post).values()) == {""}


def test_post_changes_nothing_if_the_step_exported_nothing(step):
    inputs = BY_TOKEN | {"output-env-credentials": "false"}
    main = step(inputs)

    post = step.post(main, inputs, env=JOBS_OWN)

    assert (post.status, post.env) == (0, {})


def test_post_changes_nothing_if_cleaning_up_is_switched_off(step):
    main = step(BY_TOKEN)

    post = step.post(main, BY_TOKEN, env={"AWS_SKIP_CLEANUP_STEP": "true"})

    assert (post.status, post.env) == (0, {})


def test_post_changes_nothing_after_a_step_that_failed(step):
    inputs = BY_TOKEN | {"allowed-account-ids": "111111111111"}
    main = step(inputs)

    post = step.post(main, inputs, env=JOBS_OWN)

    assert (post.status, post.env) == (0, {})


def test_post_leaves_kept_credentials_to_the_job(step):
    inputs = BY_TOKEN | {"use-existing-credentials": "true"}
    main = step(inputs, env=JOBS_OWN)

    post = step.post(main, inputs, env=JOBS_OWN)

    assert after(JOBS_OWN, main, post) == after(JOBS_OWN)


def test_post_removes_the_profile_and_leaves_the_others(step):
    inputs = BY_TOKEN | {"aws-profile": "dev"}
    others = {
        ".aws/credentials": "[other]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = keep\n",
        ".aws/config": "[profile other]\nregion = eu-west-2\n",
    }
    main = step(inputs, files=others)
    assert set(main.profile_files["credentials"]) == {"dev", "other"}

    post = step.post(main, inputs)

    assert post.status == 0
    assert post.profile_files == {
        "credentials": {"other": {"aws_access_key_id": "AKIAOTHER", "aws_secret_access_key": "keep"}},
        "config": {"profile other": {"region": "eu-west-2"}},
    }
