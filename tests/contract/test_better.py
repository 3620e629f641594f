"""The sixteen points in which this action is deliberately better than the one that it replaces."""

import re
from itertools import repeat

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
OWN_KEY = "ASIAAMBIENT000000001"
JOBS_OWN = {"AWS_ACCESS_KEY_ID": OWN_KEY, "AWS_SECRET_ACCESS_KEY": "s" * 40, "AWS_SESSION_TOKEN": "ambient-token"}
KEEP = BY_TOKEN | {"use-existing-credentials": "true"}
FIVE = ("AWS_REGION", "AWS_DEFAULT_REGION", *JOBS_OWN)
BY_IDENTITY = "AssumeRoleWithWebIdentity"
ISO_8601 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"
TEMPORARY = {"status": 500, "code": "InternalFailure", "message": "try again"}


def test_point_1_nothing_is_exported_when_the_account_is_known_last_and_is_not_allowed(step):
    ours = step(KEYS | {"allowed-account-ids": "111111111111", "output-credentials": "true", "aws-profile": "dev"})

    assert len(ours.made("GetCallerIdentity")) == 1
    assert ours.failed_and_left_nothing
    assert ours.profile_files == {}


def test_point_1_nothing_is_exported_when_the_profile_cannot_be_written(step):
    old = {".aws/credentials": "[dev]\naws_access_key_id = AKIAOLD\naws_secret_access_key = old\n"}

    ours = step(BY_TOKEN | {"aws-profile": "dev", "output-env-credentials": "true"}, files=old)

    assert ours.failed_and_left_nothing
    assert (ours.home / ".aws/credentials").read_text() == old[".aws/credentials"]


@pytest.mark.parametrize("inputs", [BY_TOKEN, BY_KEYS], ids=["ID token", "keys"])
def test_point_2_an_sts_without_get_caller_identity_will_do(inputs, step):
    unknown = {"status": 400, "code": "InvalidAction", "message": "GetCallerIdentity is not known here"}

    ours = step(inputs, faults={"GetCallerIdentity": repeat(unknown)})

    assert ours.said("error") == []
    assert ours.made("GetCallerIdentity") == []
    assert ours.outputs["authenticated-arn"] == SESSION_ARN


@pytest.mark.parametrize("inputs", [{"aws-profile": "dev"}, {"output-env-credentials": "false"}], ids=str)
def test_point_3_who_one_is_and_until_when_are_outputs_in_every_mode_and_masked_if_told(inputs, step):
    ours = step(BY_TOKEN | inputs | {"mask-aws-account-id": "true"})

    assert ours.outputs == {
        "aws-account-id": ACCOUNT,
        "authenticated-arn": SESSION_ARN,
        "aws-expiration": ours.expirations[-1],
    }
    assert {ACCOUNT, SESSION_ARN} <= ours.masks


def test_point_4_the_expiration_is_iso_8601_in_utc(step):
    ours = step(BY_TOKEN | {"role-duration-seconds": "900"})

    assert re.fullmatch(ISO_8601, ours.outputs["aws-expiration"])
    assert ours.outputs["aws-expiration"] == ours.expirations[-1]


def test_point_5_not_to_use_existing_credentials_means_not_to_use_them(step):
    ours = step(KEEP | {"use-existing-credentials": "false"}, env=JOBS_OWN)

    assert ours.outputs["authenticated-arn"] == SESSION_ARN


def test_point_5_one_notice_says_whose_credentials_are_reused(step):
    ours = step(KEEP, env=JOBS_OWN, callers={OWN_KEY: SESSION_ARN})

    (notice,) = ours.said("notice")
    assert SESSION_ARN in notice
    assert ours.said("warning") == []
    assert ours.outputs == {"aws-account-id": ACCOUNT, "authenticated-arn": SESSION_ARN}


def test_point_5_a_warning_says_that_reused_credentials_are_not_of_the_role_asked_for(step):
    ours = step(KEEP, env=JOBS_OWN, callers={OWN_KEY: f"arn:aws:sts::{ACCOUNT}:assumed-role/other/GitHubActions"})

    assert len(ours.said("notice")) == 1
    (warning,) = ours.said("warning")
    assert "deploy" in warning


def test_point_5_credentials_of_an_account_that_is_not_allowed_are_not_reused(step):
    ours = step(
        KEEP | {"allowed-account-ids": ACCOUNT},
        env=JOBS_OWN,
        callers={OWN_KEY: "arn:aws:iam::210987654321:user/ci"},
    )

    assert ours.failed_and_left_nothing or ours.outputs["aws-account-id"] == ACCOUNT


def test_point_6_force_skip_oidc_with_a_role_uses_the_environments_identity(step):
    ours = step(BY_TOKEN | {"force-skip-oidc": "true"}, env=JOBS_OWN)

    assert [call.operation for call in ours.calls] == ["AssumeRole"]
    assert ours.last("AssumeRole").signer == OWN_KEY
    assert ours.last("AssumeRole").session_token == "ambient-token"


def test_point_7_keys_and_a_role_need_no_detour_through_the_environment(step):
    ours = step(BY_KEYS | {"output-env-credentials": "false", "output-credentials": "true"}, env=JOBS_OWN)

    assert ours.last("AssumeRole").signer == KEYS["aws-access-key-id"]
    assert ours.env == {}
    assert ours.outputs["aws-access-key-id"].startswith("ASIA")


def test_point_8_a_missing_variable_leaves_out_its_tag_and_is_no_error(step):
    ours = step(BY_KEYS, env={"GITHUB_REPOSITORY": None, "GITHUB_SHA": None, "GITHUB_WORKSPACE": None})

    assert ours.status == 0
    assert not {"Repository", "Commit"} & set(ours.last("AssumeRole").tags)


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-central-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_point_9_a_bare_role_name_takes_the_partition_of_the_region(region, partition, step):
    ours = step(KEYS | {"role-to-assume": "deploy", "aws-region": region})

    assert ours.last("AssumeRole").form["RoleArn"] == f"arn:{partition}:iam::{ACCOUNT}:role/deploy"


@pytest.mark.parametrize("variable", ["http_proxy", "https_proxy"])
def test_point_10_lower_case_proxies_count_but_not_for_loopback(variable, step):
    ours = step(BY_TOKEN | {"sts-endpoint": "http://sts.example"}, env={variable: "{sts}"})

    assert ours.last(BY_IDENTITY).through_proxy
    assert not ours.last("oidc").through_proxy


def test_point_10_loopback_is_never_proxied(step):
    ours = step(BY_TOKEN | {"http-proxy": "{sts}"}, env={"HTTPS_PROXY": "{sts}", "https_proxy": "{sts}"})

    assert ours.status == 0
    assert not any(call.through_proxy for call in ours.calls)


def test_point_10_the_request_for_the_id_token_goes_by_the_same_rules(step):
    ours = step(
        BY_TOKEN | {"disable-retry": "true"},
        env={"https_proxy": "{sts}", "ACTIONS_ID_TOKEN_REQUEST_URL": "https://token.example/?api-version=2.0"},
    )

    assert ours.failed_and_left_nothing
    assert [call.operation for call in ours.calls] == ["CONNECT"]


CONFIG = """\
# who may do what
[default]
region = eu-west-1   ; ours

[profile dev]
# to be overwritten
region = eu-west-2
output = json

; kept
[profile other]
s3 =
    max_concurrent_requests = 20
    # nested
    addressing_style = path
region=eu-west-3

[sso-session corp]
sso_region = us-east-2
"""


def test_point_11_only_the_profiles_own_section_of_the_files_changes(step):
    ours = step(BY_TOKEN | {"aws-profile": "dev", "overwrite-aws-profile": "true"}, files={".aws/config": CONFIG})

    config = (ours.home / ".aws/config").read_text()
    kept_before, _, rest = CONFIG.partition("[profile dev]\n")
    kept_after = rest[rest.index("[profile other]") :]
    assert config.startswith(kept_before)
    assert kept_after.strip() in config
    assert ours.profile_files["config"]["profile dev"]["region"] == "us-east-1"
    assert ours.profile_files["config"]["profile other"]["s3"]["max_concurrent_requests"] == "20"
    assert {name: (ours.home / ".aws" / name).stat().st_mode & 0o777 for name in ("config", "credentials")} == {
        "config": 0o600,
        "credentials": 0o600,
    }


def test_point_11_nothing_is_left_beside_the_two_files(step):
    before = {".aws/config": CONFIG, ".aws/spare": CONFIG}

    ours = step(BY_TOKEN | {"aws-profile": "new"}, files=before)

    folder = ours.home / ".aws"
    assert {path.name for path in folder.iterdir() if path.read_text()} == {"config", "credentials", "spare"}
    assert ours.profile_files["config"]["profile new"] == {"region": "us-east-1"}


@pytest.mark.parametrize(
    ("role", "region"),
    [
        (ROLE, "cn-north-1"),
        (ROLE, "us-gov-east-1"),
        (f"arn:aws-cn:iam::{ACCOUNT}:role/deploy", "us-east-1"),
        (f"arn:aws-us-gov:iam::{ACCOUNT}:role/deploy", "cn-northwest-1"),
        (f"arn:aws:iam::{ACCOUNT}:user/ci", "us-east-1"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/me", "us-east-1"),
        (f"arn:aws:iam::{ACCOUNT}:role/", "us-east-1"),
        ("arn:aws:iam::1234:role/deploy", "us-east-1"),
    ],
)
def test_point_12_a_role_that_cannot_be_is_told_before_any_call(role, region, step):
    ours = step({"role-to-assume": role, "aws-region": region})

    assert ours.failed_and_left_nothing
    assert "role-to-assume" in ours.error
    assert ours.calls == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("role-duration-seconds", text) for text in ("soon", "899", "43201", "3600.5", "1e3", "-900", "3600s")),
        ("retry-max-attempts", "many"),
        ("action-timeout-s", "soon"),
    ],
)
def test_point_13_a_bad_number_is_an_error(name, text, step):
    ours = step(BY_TOKEN | {name: text})

    assert ours.failed_and_left_nothing
    assert name in ours.error
    assert ours.calls == ()


@pytest.mark.parametrize("code", ["ValidationError", "MalformedPolicyDocument", "RegionDisabledException"])
def test_point_14_an_error_of_the_callers_making_is_not_retried(code, step):
    ours = step(BY_TOKEN, faults={BY_IDENTITY: repeat({"status": 400, "code": code, "message": "no"})})

    assert ours.failed_and_left_nothing
    assert len(ours.made(BY_IDENTITY)) == 1


def test_point_14_there_is_no_waiting_after_the_last_try(step):
    later = {"status": 503, "code": "ServiceUnavailable", "headers": {"Retry-After": "59"}}

    ours = step(BY_TOKEN | {"retry-max-attempts": "1"}, faults={BY_IDENTITY: repeat(later)})

    assert ours.failed_and_left_nothing
    assert ours.seconds < 20


def test_point_14_a_token_with_less_than_a_minute_left_is_not_used_again(step):
    ours = step(BY_TOKEN, lifetimes=[50, 300], faults={BY_IDENTITY: [TEMPORARY]})

    assert ours.said("error") == []
    assert len(ours.minted) == 2
    assert ours.last(BY_IDENTITY).form["WebIdentityToken"] == ours.minted[-1]


def test_point_15_an_account_id_without_its_leading_zeros_is_the_same_account_or_explained(step):
    callers = {"AKIAEXAMPLE000000001": "arn:aws:iam::001234567890:user/ci"}

    ours = step(KEYS | {"allowed-account-ids": "1234567890"}, callers=callers)

    assert ours.status == 0 or ("YAML" in ours.error and "quotes" in ours.error)


def test_point_15_an_account_id_that_yaml_took_for_a_number_is_explained(step):
    ours = step(KEYS | {"allowed-account-ids": "1.23456789012E+11"})

    assert ours.failed_and_left_nothing
    assert "YAML" in ours.error


def test_point_16_post_puts_back_what_was_there_before(step):
    before = {**JOBS_OWN, "AWS_REGION": "eu-west-1"}
    main = step(BY_TOKEN, env=before)
    assert set(main.env) == set(FIVE)

    post = step.post(main, BY_TOKEN)

    assert post.status == 0
    assert post.env == {**before, "AWS_DEFAULT_REGION": ""}
