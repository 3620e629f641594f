"""The whole run at the wire: real tokens, a real STS protocol, the runner's real files."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from py_aws_oidc.export import variables
from py_aws_oidc.export.handover import STATES
from sandbox.faults import Fault
from sandbox.issuer import new_key
from sandbox.job import Job
from sandbox.world import github_trust


def test_later_steps_get_credentials_that_work(step):
    run = step()

    identity = step.world.client("sts", run.credentials).get_caller_identity()
    assert run.status == 0
    assert identity["Arn"] == "arn:aws:sts::123456789012:assumed-role/deploy/GitHubActions"


def test_the_outputs_say_who_and_until_when(step):
    run = step(role_duration_seconds="900")

    expiration = datetime.fromisoformat(run.outputs.pop("aws-expiration"))
    assert run.outputs == {
        "aws-account-id": "123456789012",
        "authenticated-arn": "arn:aws:sts::123456789012:assumed-role/deploy/GitHubActions",
    }
    assert timedelta(minutes=14) < expiration - datetime.now(UTC) <= timedelta(minutes=15)


def test_a_person_reads_in_the_log_who_they_are_and_until_when(step):
    run = step(aws_region="eu-west-1")

    assert "Signed in to AWS account 123456789012 as arn:aws:sts::123456789012:assumed-role/deploy/" in run.log
    assert "in eu-west-1, until 20" in run.log


def test_what_the_token_says_is_folded_into_the_log_before_the_exchange(step):
    log = step(Job(environment="prod")).log

    start, end = log.index("::group::What the ID token says"), log.index("::endgroup::")
    assert "sub                  repo:octo-org/octo-repo:environment:prod\n" in log[start:end]
    assert end < log.index("::error")


def test_a_claim_cannot_speak_to_the_runner(step):
    step.world.faults.script("idtoken", Fault(claims={"environment": "x\n::endgroup::\n::error::y"}))

    assert "::error::y" not in [line.lstrip() for line in step().log.splitlines()]


# --- accounts that nobody is to see


def assert_masked(run, *accounts):
    """Each account stands in the log, and was masked before."""
    for account in accounts:
        assert run.log.index(account) == run.log.index(f"::add-mask::{account}") + len("::add-mask::")


OTHER_ACCOUNT = "arn:aws:iam::210987654321:oidc-provider/token.actions.githubusercontent.com"


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(github_trust(OTHER_ACCOUNT, "repo:333333333333")),
        json.dumps(github_trust(OTHER_ACCOUNT, "repo:333333333333")).replace(
            "210987654321", r"\u0032\u003110987654321"
        ),
        json.dumps(github_trust(OTHER_ACCOUNT, "${333333333333}210987654321")),
        json.dumps(github_trust(OTHER_ACCOUNT, "333333333333")).replace("2012-10-17", "210987654321/333333333333"),
    ],
    ids=["compared", "escaped", "not compared", "refused"],
)
def test_accounts_of_the_trust_policy_and_of_its_name_are_masked(step, tmp_path, content):
    (tmp_path / "444444444444.json").write_text(content)

    run = step(
        Job(ref="refs/heads/other"),
        environ={"GITHUB_WORKSPACE": str(tmp_path)},
        trust_policy_file="444444444444.json",
        mask_aws_account_id="true",
    )

    assert run.status == 1
    assert_masked(run, "333333333333", "444444444444")
    for account in re.findall("[0-9]{12}", run.error + run.summary):
        assert_masked(run, account)


def test_an_account_in_the_name_of_a_file_is_masked(step):
    run = step(web_identity_token_file="/no/555555555555", mask_aws_account_id="true")

    assert run.status == 1
    assert_masked(run, "555555555555")


def test_an_account_in_a_message_of_aws_is_masked_even_when_the_message_is_cut(step):
    message = f"User: arn:aws:sts::{'6' * 12}:assumed-role/x/y is not authorized {'x' * 5_000}{'7' * 12} {'8' * 12}"
    step.world.faults.script(
        "AssumeRoleWithWebIdentity", always=Fault(status=403, code="AccessDenied", message=message)
    )

    run = step(mask_aws_account_id="true", disable_retry="true")

    assert_masked(run, "6" * 12)
    assert "7777" not in run.log + run.summary
    assert "8888" not in run.log + run.summary


def test_two_calls_are_made_and_no_more(step):
    step()

    assert step.calls == ["idtoken", "AssumeRoleWithWebIdentity"]


def test_the_request_to_sts_is_not_signed_and_holds_what_the_inputs_say(step):
    step(role_session_name="release-42", role_duration_seconds="1200")

    call = next(call for call in step.world.calls if call.operation == "AssumeRoleWithWebIdentity")
    assert call.access_key_id is None
    assert call.form["RoleSessionName"] == "release-42"
    assert call.form["DurationSeconds"] == "1200"


def test_every_secret_is_masked_before_it_is_written(step):
    run = step(output_credentials="true")

    masked = [line.removeprefix("::add-mask::") for line in run.log.splitlines() if line.startswith("::add-mask::")]
    token = next(call for call in step.world.calls if call.form.get("WebIdentityToken")).form["WebIdentityToken"]
    assert masked == [token, *(run.outputs[name] for name in SECRET_OUTPUTS)]


SECRET_OUTPUTS = ("aws-access-key-id", "aws-secret-access-key", "aws-session-token")


def test_the_account_is_masked_before_anything_names_it(step):
    run = step(mask_aws_account_id="true")

    assert run.log.startswith("::add-mask::123456789012\n")


def test_the_account_is_masked_in_a_run_that_fails_too(step):
    run = step(mask_aws_account_id="true", role_session_name="ok", environ={"ACTIONS_ID_TOKEN_REQUEST_URL": ""})

    assert run.log.startswith("::add-mask::123456789012\n")


def test_credentials_can_be_outputs_alone(step):
    run = step(output_credentials="true", output_env_credentials="false")

    assert run.env == {}
    assert run.state == dict.fromkeys(STATES, "{}")
    assert run.outputs["aws-access-key-id"].startswith("ASIA")


def test_an_immutable_subject_is_a_subject_like_any_other(step):
    role = step.world.create_role(
        "immutable", trust=github_trust(step.provider, "repo:octo-org@65/octo-repo@74:ref:refs/heads/main")
    )

    assert step(Job(immutable_sub=True), role_to_assume=role).status == 0
    assert step(Job(), role_to_assume=role).status == 1


def test_an_answer_without_an_arn_leaves_the_outputs_blank_and_asks_nobody(step):
    step.world.faults.script("AssumeRoleWithWebIdentity", Fault(status=200, body=NAMELESS, content_type="text/xml"))

    run = step()

    assert step.calls == ["idtoken", "AssumeRoleWithWebIdentity"]
    assert (run.outputs["authenticated-arn"], run.outputs["aws-account-id"]) == ("", "")
    assert run.env["AWS_ACCESS_KEY_ID"] == "AKIAX"


STS = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"'
NAMELESS = f"""<AssumeRoleWithWebIdentityResponse {STS}><AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>AKIAX</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>
<Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""
SOMEBODY = f"""<GetCallerIdentityResponse {STS}><GetCallerIdentityResult>
<Arn>arn:aws:sts::000000000007:assumed-role/ceph/x</Arn><Account>000000000007</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("<html>not xml of sts", "it is not the XML of STS"),
        (NAMELESS.replace("<SecretAccessKey>secret", "<SecretAccessKey>"), "its SecretAccessKey is missing"),
        (NAMELESS.replace("AKIAX", "AKIA X"), "its AccessKeyId is missing or malformed"),
        (NAMELESS.replace("2999", "1999"), "the credentials have expired already"),
        (f"<AssumeRoleWithWebIdentityResponse {STS}/>", "it is not the XML of STS"),
        (
            re.sub(r"<Credentials>.*</Credentials>", "", NAMELESS, flags=re.DOTALL),
            "or it does not say when they will",
        ),
    ],
    ids=["no XML", "no secret", "space in the key", "expired", "empty", "no credentials"],
)
def test_an_answer_that_cannot_be_is_an_error(step, answer, said):
    fault = Fault(status=200, body=answer, content_type="text/xml")
    step.world.faults.script("AssumeRoleWithWebIdentity", always=fault)

    assert said in step.refused()


MOMENTS = (
    "9999-12-31T23:59:59-14:00",
    "9999-12-31T23:59:59.999999-00:01",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "2999-01-01T00:00:00",
    "2999-01-01T00:00:00+24:00",
    "2999-01-01T00:00:00-99:99",
    "99999999999",
    "253402300799",
    "-99999999999999",
    "1e99",
    "10000-01-01T00:00:00Z",
    "2999-13-01T00:00:00Z",
    "nan",
    "9" * 400,
)


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment[:40])
def test_a_moment_at_the_edge_of_the_calendar_is_used_or_refused(step, moment):
    body = NAMELESS.replace("2999-01-01T00:00:00Z", moment)
    step.world.faults.script(
        "AssumeRoleWithWebIdentity", always=Fault(status=200, body=body, content_type="text/xml")
    )
    step.world.faults.script("GetCallerIdentity", Fault(status=200, body=SOMEBODY, content_type="text/xml"))

    run = step()

    if run.status == 1:
        assert run.exported == []
        assert re.search("expired already|not the XML of STS|cannot be read", run.error)
    else:
        assert run.outputs["aws-expiration"] > "2999"


def test_a_caller_without_a_name_is_an_error(step):
    nobody = SOMEBODY.replace("<Account>000000000007</Account>", "")
    step.world.faults.script("GetCallerIdentity", Fault(status=200, body=nobody, content_type="text/xml"))
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret"}

    assert "GetCallerIdentity named no ARN or no account" in step.refused(role_to_assume="", **keys)


def test_the_branch_that_the_trust_policy_does_not_allow_is_told_what_its_token_says(step):
    error = step.refused(Job(ref="refs/heads/feature"))

    assert "Not authorized to perform sts:AssumeRoleWithWebIdentity (AccessDenied, HTTP 403)" in error
    assert "- sub: repo:octo-org/octo-repo:ref:refs/heads/feature" in error
    assert f"the identity provider of its issuer ({step.provider})" in error


def test_a_role_that_does_not_exist_is_refused_like_one_that_does_not_trust(step):
    error = step.refused(role_to_assume="arn:aws:iam::123456789012:role/gone")

    assert "does not say which of them failed, or whether the role exists" in error


def test_a_token_for_another_audience_is_refused_by_the_provider(step):
    error = step.refused(audience="sts.example.com")

    assert "The token is for the audience sts.example.com" in error


def test_a_token_for_another_audience_than_asked_for_is_not_sent(step):
    step.world.faults.script("idtoken", Fault(claims={"aud": "https://github.com/octo-org"}))

    assert "the claim aud is 'https://github.com/octo-org'" in step.refused()
    assert step.calls == ["idtoken"]


def test_a_token_that_has_expired_is_not_sent(step):
    step.world.faults.script("idtoken", Fault(claims={"exp": 1_700_000_000}))

    assert "its exp is 2023-11-14 22:13:20 UTC" in step.refused()
    assert step.calls == ["idtoken"]


def test_a_token_that_expired_on_the_way_is_refused_by_aws(step):
    expired = Fault(
        status=400, code="ExpiredTokenException", message="Token expired: current date/time 2 must be ..."
    )
    step.world.faults.script("AssumeRoleWithWebIdentity", always=expired)

    assert "The ID token had expired when AWS checked it" in step.refused()
    assert step.calls == ["idtoken", "AssumeRoleWithWebIdentity"] * 2


def test_a_token_that_somebody_else_signed_is_refused(step):
    step.world.faults.script("idtoken", always=Fault(key=new_key()))

    assert "could not verify its signature by https://token.actions.githubusercontent.com" in step.refused()


def test_an_account_without_the_identity_provider_is_told_its_arn(step):
    role = step.world.create_role("deploy", trust=github_trust(step.provider), account="210987654321")

    error = step.refused(role_to_assume=role)

    assert "The ARN must be exactly arn:aws:iam::210987654321:oidc-provider/token.actions." in error


def test_a_duration_above_the_roles_maximum_is_told(step):
    assert "requested duration of 7200 seconds is more" in step.refused(role_duration_seconds="7200")


def test_a_missing_permission_is_told_before_any_call(step):
    assert "`id-token: write` is missing" in step.refused(environ={"ACTIONS_ID_TOKEN_REQUEST_TOKEN": ""})
    assert step.calls == []


def test_every_invalid_input_is_told_in_one_error(step):
    error = step.refused(aws_region="Ohio", role_to_assume="arn:", role_duration_seconds="soon")

    assert error.startswith("3 inputs of this step cannot be used")
    assert step.calls == []


def test_an_endpoint_where_nobody_listens_is_told(step):
    error = step.refused(sts_endpoint="http://127.0.0.1:9")

    assert "the call to http://127.0.0.1:9 ended with EndpointConnectionError" in error


def test_a_connection_that_is_cut_is_told(step):
    step.world.faults.script("AssumeRoleWithWebIdentity", always=Fault(drop="before"))

    assert "ended with ConnectionClosedError" in step.refused()


def test_a_server_error_without_the_xml_of_sts_is_told(step):
    step.world.faults.script("AssumeRoleWithWebIdentity", always=Fault(status=500, body="oops"))

    assert "Another server answered in place of AWS STS, with HTTP status 500" in step.refused()


def test_the_variables_of_before_are_kept_for_post(step):
    first = step()
    second = step(role_session_name="again", environ=first.env)

    assert first.env["AWS_ACCESS_KEY_ID"] in second.state[variables.STATE]


def test_an_endpoint_from_the_environment_does_not_redirect_the_call(step):
    run = step(environ={"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9"})

    assert run.status == 0
    assert "::warning title=Ignored variable::AWS_ENDPOINT_URL is set, but it is ignored" in run.log


@pytest.mark.parametrize("job", [Job(), replace(Job(), environment="prod")], ids=["branch", "environment"])
def test_the_job_decides_the_subject(step, job):
    role = step.world.create_role("subject", trust=github_trust(step.provider, job.sub))

    assert step(job, role_to_assume=role).status == 0
