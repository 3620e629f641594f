"""Debug lines, and the ID of a request: what a support thread asks for, and nothing secret."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_aws_oidc.calls import Answer, CallLog, plain_id, seconds, versions
from py_aws_oidc.clock import Clock
from py_aws_oidc.network import Network
from sandbox.faults import Fault

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ID = "7f1e3c9a-1234"
HOSTILE = ["", "a b", "x\n::error::y", "ä", "a" * 200, "${{ x }}", None, 7]


@pytest.mark.parametrize(("header", "wait"), [("7", 7), ("", 0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0), ("-1", 0)])
def test_retry_after_is_a_number_of_seconds(header, wait):
    assert seconds(header) == wait


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
def test_an_id_with_other_characters_than_ids_have_is_dropped(value):
    assert plain_id(value) == ""


@pytest.mark.parametrize(
    "date",
    [
        "",
        "soon",
        "Thu, 26 Nov 2026 12:00:00 -0000",
        "Mon, 01 Jan 0100 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Thu, 99 Nov 2026 12:00:00 GMT",
        "Thu, 26 Nov 99999999 12:00:00 GMT",
    ],
)
def test_a_date_that_is_no_moment_is_dropped(date):
    assert Answer.read(200, {"Date": date}, "x").date is None


def test_an_answer_has_what_its_headers_say():
    headers = {"Date": format_datetime(NOW, usegmt=True), "Retry-After": "3", "x-amzn-RequestId": ID}

    assert Answer.read(503, headers, "x-amzn-RequestId") == Answer(503, 3, ID, NOW)


@given(st.dictionaries(st.sampled_from(["Date", "Retry-After", "x-amzn-RequestId"]), st.text()))
def test_no_header_breaks_the_answer_or_its_line(headers):
    answer = Answer.read(500, headers, "x-amzn-RequestId")

    assert answer.retry_after >= 0
    assert all(line.isprintable() for line in logged(answer))


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_date_is_a_moment_from_which_minutes_can_be_counted(date):
    read = Answer.read(200, {"Date": format_datetime(date, usegmt=True)}, "x").date

    if read:
        assert read - timedelta(minutes=5) < read + timedelta(minutes=5)


def logged(answer: Answer | None) -> list[str]:
    """The debug lines of a call that takes a quarter of a second, by a clock that is 90 seconds ahead."""
    lines, times = [], iter([10, 10.25])
    clock = Clock(now=lambda: NOW + timedelta(seconds=90), monotonic=lambda: next(times))
    with CallLog(lines.append, clock).call("AssumeRole", "https://h/") as answers:
        answers.extend([answer] if answer else [])
    return lines


def test_a_call_is_logged_with_its_answer_its_time_and_the_difference_of_the_clocks():
    before, after = logged(Answer(200, 0, ID, NOW))

    assert before == "AssumeRole: https://h/"
    for fact in ("HTTP 200", f"request ID {ID}", "+90.0 s", "250 ms"):
        assert fact in after


def test_what_an_answer_does_not_say_is_left_out():
    assert logged(Answer(500))[1] == "AssumeRole: HTTP 500, 250 ms"


def test_a_call_without_an_answer_is_logged_with_its_time():
    assert logged(None)[1] == "AssumeRole: no answer, 250 ms"


def test_the_versions_are_those_of_the_libraries_that_are_loaded():
    modules = {"jwt": SimpleNamespace(__version__="2.1"), "requests": SimpleNamespace(), "other": None}

    assert versions(modules) == "PyJWT 2.1"


@pytest.mark.parametrize(
    ("url", "environ", "facts"),
    [
        ("https://h.example:8443/a?key=secret", {}, ["https://h.example:8443/a, ", "no proxy (none is set)"]),
        ("https://h/", {"HTTPS_PROXY": "http://user:secret@p:1/x"}, ["proxy http://p:1 (HTTPS_PROXY)"]),
        ("https://h/", {"http_proxy": "user:secret@p:1"}, ["proxy http://p:1 (http_proxy)"]),
        ("https://h/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "h"}, ["no proxy (NO_PROXY lists the host)"]),
        ("http://127.0.0.1:1/", {"HTTPS_PROXY": "http://p:1"}, ["no proxy (the host is this machine)"]),
        ("https://h/", {"AWS_CA_BUNDLE": __file__}, [f"CA bundle: {__file__} (AWS_CA_BUNDLE)"]),
    ],
)
def test_a_route_names_proxy_and_ca_bundle_and_what_chose_them(url, environ, facts):
    route = Network.read(environ).route(url)

    for fact in facts:
        assert fact in route
    assert "secret" not in route
    assert "?" not in route


def test_a_route_without_a_ca_bundle_names_the_one_of_the_library():
    assert Network().route("https://h/").endswith("CA bundle: the certificates of certifi")


# --- in a whole run


def debug(run) -> str:
    return "\n".join(line for line in run.log.splitlines() if line.startswith("::debug::"))


def test_the_debug_lines_of_a_run_say_what_a_support_thread_asks(step):
    step.world.faults.script("AssumeRoleWithWebIdentity", Fault(headers={"x-amzn-RequestId": ID}))

    lines = debug(step())

    for fact in (
        "the job can get an ID token",
        f"AssumeRoleWithWebIdentity: {step.world.aws_url}",
        "the input sts-endpoint",
        "no proxy (none is set)",
        "CA bundle: ",
        f"HTTP 200, request ID {ID}, ",
        "Date header",
        " ms",
        "Python 3.",
        "botocore 1.",
        "PyJWT 2.",
    ):
        assert fact in lines


def test_the_place_of_the_credentials_of_the_environment_is_named(step, tmp_path):
    file = tmp_path / "aws"
    file.write_text("[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = example\n")
    nowhere = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nowhere"}
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}

    in_file = step(role_chaining="true", environ={**nowhere, "AWS_SHARED_CREDENTIALS_FILE": str(file)})
    in_variables = step(role_chaining="true", environ={**nowhere, **keys})

    assert "because role-chaining is true" in debug(in_file)
    assert "by the method shared-credentials-file" in debug(in_file)
    assert "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set" in debug(in_variables)


def test_no_debug_line_has_a_query(step):
    assert "api-version" not in step().log


def test_a_run_that_fails_before_any_call_says_its_versions(step):
    assert "::debug::Versions: py-aws-oidc " in step(web_identity_token_file="nowhere").log


def test_the_endpoint_of_a_region_says_what_chose_it(step):
    environ = {"AWS_USE_FIPS_ENDPOINT": "true", "HTTPS_PROXY": "http://127.0.0.1:9"}

    run = step(sts_endpoint="", disable_retry="true", environ=environ)

    assert "https://sts-fips.us-east-1.amazonaws.com, proxy http://127.0.0.1:9 (HTTPS_PROXY)" in debug(run)
    assert "region us-east-1, FIPS on, dual-stack off" in debug(run)


def test_an_account_that_is_to_be_masked_is_masked_before_any_debug_line_has_it(step):
    step.world.faults.script("AssumeRoleWithWebIdentity", Fault(headers={"x-amzn-RequestId": "1-123456789012"}))

    log = step(mask_aws_account_id="true").log

    assert 0 <= log.index("::add-mask::123456789012") < log.index("request ID 1-123456789012")


# --- the ID of a request that AWS refused


def refusal(**headers: str) -> Fault:
    return Fault(
        status=403, code="AccessDenied", headers={name.replace("_", "-"): v for name, v in headers.items()}
    )


def test_a_refusal_has_its_request_id_in_each_retry_in_the_error_and_in_the_summary(step):
    step.world.faults.script("AssumeRoleWithWebIdentity", always=refusal(x_amzn_RequestId=ID))

    run = step()

    assert f"failed: AccessDenied (HTTP 403, request ID {ID}). Attempt 1 of 3." in run.log
    assert f"Request ID: {ID} (AssumeRoleWithWebIdentity in us-east-1 at " in run.error
    assert f"**Request ID:** {ID} " in run.summary


def test_the_command_for_cloudtrail_has_the_event_and_the_time_of_the_server(step):
    step.world.faults.script("AssumeRoleWithWebIdentity", always=refusal(x_amzn_RequestId=ID))

    error = step.refused()

    moment = r"(\d{4}-\d\d-\d\d).(\d\d:\d\d:\d\d)"
    at, start, end = (
        datetime.fromisoformat(f"{day}T{time}Z")
        for pattern in (f" at {moment} UTC", f"--start-time={moment}Z", f"--end-time={moment}Z")
        for day, time in re.findall(pattern, error)
    )
    assert "AttributeValue=AssumeRoleWithWebIdentity " in error
    assert end - at == at - start == timedelta(minutes=5)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500, body="", headers={"x-amzn-RequestId": ID}),
        Fault(status=200, body="<html>", headers={"x-amzn-RequestId": ID}),
        Fault(status=400, code="Novelty", headers={"x-amzn-RequestId": ID}),
        Fault(status=400, code="PackedPolicyTooLarge", headers={"x-amzn-RequestId": ID}),
    ],
    ids=["without the XML of STS", "a web page", "an unknown code", "another code"],
)
def test_every_error_that_follows_an_answer_of_aws_has_the_request_id(step, fault):
    step.world.faults.script("AssumeRoleWithWebIdentity", always=fault)

    assert f"Request ID: {ID} (" in step.refused()


ERROR_RESPONSE = (
    '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
    "<Code>AccessDenied</Code><Message>No</Message></Error><RequestId>{}</RequestId></ErrorResponse>"
)
ERROR_ALONE = "<Error><Code>AccessDenied</Code><Message>No</Message><RequestId>{}</RequestId></Error>"


@pytest.mark.parametrize("body", [ERROR_RESPONSE, ERROR_ALONE], ids=["of AWS", "of Ceph"])
def test_the_request_id_can_be_in_the_body_alone(step, body):
    fault = Fault(status=403, body=body.format(ID), content_type="text/xml")
    step.world.faults.script("AssumeRoleWithWebIdentity", always=fault)

    run = step()

    assert f"AccessDenied (HTTP 403, request ID {ID})" in run.log
    assert f"Request ID: {ID} (" in run.error


@pytest.mark.parametrize("header", ["", "a b", "x'::error::y", "a" * 200])
def test_an_error_has_no_request_id_that_is_not_one(step, header):
    body = ERROR_RESPONSE.format(header)
    fault = Fault(status=403, body=body, content_type="text/xml", headers={"x-amzn-RequestId": header})
    step.world.faults.script("AssumeRoleWithWebIdentity", always=fault)

    run = step()

    assert "Request ID" not in run.error
    assert not re.search(r"request ID", run.log)


def test_a_service_that_is_not_aws_has_its_request_id_and_no_cloudtrail(step):
    step.world.faults.script("AssumeRoleWithWebIdentity", always=refusal(x_amzn_RequestId=ID))

    error = step.refused(aws_region="default", role_to_assume="arn:aws:iam:::role/deploy")

    assert f"\n\nRequest ID: {ID} (AssumeRoleWithWebIdentity)\n\n" in error


def test_an_answer_without_a_date_gives_a_command_without_times(step):
    step.world.faults.script("AssumeRoleWithWebIdentity", always=refusal(x_amzn_RequestId=ID, Date="soon"))

    error = step.refused()

    assert f"{ID} (AssumeRoleWithWebIdentity in us-east-1)." in error
    assert "--start-time" not in error
