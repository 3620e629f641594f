import json
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import botocore.session
import jwt
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from py_aws_oidc.explain.trust import GITHUB_CLAIM_KEYS
from sandbox.faults import Fault
from sandbox.issuer import GITHUB, new_key
from sandbox.job import Job
from sandbox.world import World, github_trust

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
OTHER = "210987654321"
PROVIDER = "token.actions.githubusercontent.com"


class Clock:
    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now

    def advance(self, **time):
        self.now += timedelta(**time)


def deploy_role(world, **settings):
    return world.create_role("deploy", trust=github_trust(world.register_provider()), **settings)


def trusting(world, **condition):
    """A role whose trust policy has this condition and no other."""
    trust = github_trust(world.register_provider())
    trust["Statement"][0]["Condition"] = condition
    return world.create_role("deploy", trust=trust)


def assume(world, role, token=None, **parameters):
    call = {
        "RoleArn": role,
        "RoleSessionName": "run",
        "WebIdentityToken": token or world.issuer.mint(Job(), "sts.amazonaws.com"),
    }
    return world.client("sts").assume_role_with_web_identity(**call | parameters)


def element(answer, path):
    """The text at `path` of an XML answer, whatever its namespace."""
    steps = "/".join(f"{{*}}{step}" for step in path.split("/"))
    return ET.fromstring(answer.content).findtext(steps)  # noqa: S314 -- our own server's answer


def error(call, *arguments, **parameters):
    with pytest.raises(ClientError) as raised:
        call(*arguments, **parameters)
    answer = raised.value.response
    return (
        answer["ResponseMetadata"]["HTTPStatusCode"],
        answer["Error"]["Code"],
        answer["Error"].get("Message"),
    )


DENIED = (403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
NO_KEY = (
    400,
    "InvalidIdentityToken",
    (
        "Couldn't retrieve verification key from your identity provider,  please reference"
        " AssumeRoleWithWebIdentity documentation for requirements"
    ),
)


# --- AssumeRoleWithWebIdentity


def test_a_job_becomes_the_role_that_trusts_it():
    with World(clock=Clock(NOON)) as world:
        answer = assume(world, deploy_role(world))
        role_id = world.admin("iam").get_role(RoleName="deploy")["Role"]["RoleId"]
    assert answer["AssumedRoleUser"] == {
        "Arn": "arn:aws:sts::123456789012:assumed-role/deploy/run",
        "AssumedRoleId": f"{role_id}:run",
    }
    assert answer["Provider"] == f"arn:aws:iam::123456789012:oidc-provider/{PROVIDER}"
    assert answer["Audience"] == "sts.amazonaws.com"
    assert answer["SubjectFromWebIdentityToken"] == "repo:octo-org/octo-repo:ref:refs/heads/main"
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")
    assert answer["Credentials"]["Expiration"] == NOON + timedelta(hours=1)


def test_the_call_goes_out_unsigned_and_the_keys_are_really_fetched():
    with World() as world:
        role = deploy_role(world)
        before = len(world.calls)
        assume(world, role)
        calls = world.calls[before:]
    assert [call.operation for call in calls] == [
        "AssumeRoleWithWebIdentity",
        "openid-configuration",
        "jwks",
    ]
    assert calls[0].scheme is None


def test_the_roles_path_is_not_in_the_session_arn():
    with World() as world:
        answer = assume(world, deploy_role(world, path="/ci/"))
    assert answer["AssumedRoleUser"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/deploy/run"


@pytest.mark.parametrize("iss", [f"{GITHUB}/octo-inc", "https://ghes.example.com/_services/token"])
def test_an_issuer_with_a_path_is_a_provider_of_its_own(iss):
    with World(iss=iss) as world:
        answer = assume(world, deploy_role(world))
    assert answer["Provider"] == f"arn:aws:iam::123456789012:oidc-provider/{iss.removeprefix('https://')}"


def test_a_partition_is_a_world_of_its_own():
    china = {"region": "cn-north-1"}
    with World() as world:
        provider = world.register_provider(audiences=["sts.amazonaws.com.cn"], **china)
        role = world.create_role("deploy", trust=github_trust(provider, aud="sts.amazonaws.com.cn"), **china)
        answer = assume(world, role, world.issuer.mint(Job(), "sts.amazonaws.com.cn"))
        elsewhere = error(assume, world, role.replace("aws-cn", "aws"))
    assert answer["AssumedRoleUser"]["Arn"] == "arn:aws-cn:sts::123456789012:assumed-role/deploy/run"
    assert elsewhere == DENIED


def test_a_token_of_an_unregistered_issuer_finds_no_provider():
    with World() as world:
        role = world.create_role("deploy", trust=github_trust("arn:aws:iam::123456789012:oidc-provider/x"))
        assert error(assume, world, role) == (
            400,
            "InvalidIdentityToken",
            f"No OpenIDConnect provider found in your account for {GITHUB}",
        )


def test_a_provider_of_another_account_does_not_count():
    with World() as world:
        trust = github_trust(world.register_provider())
        role = world.create_role("deploy", trust=trust, account=OTHER)
        assert error(assume, world, role)[1] == "InvalidIdentityToken"


def test_an_audience_the_provider_does_not_list_is_incorrect():
    with World() as world:
        token = world.issuer.mint(Job(), "https://github.com/octo-org")
        expected = (400, "InvalidIdentityToken", "Incorrect token audience")
        assert error(assume, world, deploy_role(world), token) == expected


def test_one_audience_of_many_is_enough():
    with World() as world:
        token = world.issuer.mint(Job(), "x", aud=["x", "sts.amazonaws.com"])
        assert assume(world, deploy_role(world), token)["Audience"] == "sts.amazonaws.com"


def test_a_token_is_good_until_the_second_it_expires():
    clock = Clock(NOON)
    with World(clock=clock) as world:
        role, token = deploy_role(world), world.issuer.mint(Job(), "sts.amazonaws.com")
        clock.advance(seconds=299)
        assume(world, role, token)
        clock.advance(seconds=1)
        now = int(NOON.timestamp()) + 300
        assert error(assume, world, role, token) == (
            400,
            "ExpiredTokenException",
            f"Token expired: current date/time {now} must be before the expiration date/time {now}",
        )


def test_what_is_not_a_jwt_is_told_so():
    with World() as world:
        assert error(assume, world, deploy_role(world), "not.a.token") == (
            400,
            "InvalidIdentityToken",
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
        )


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "exp", "iat"])
def test_a_token_without_a_required_claim_is_invalid(claim):
    with World() as world:
        token = world.issuer.mint(Job(), "sts.amazonaws.com", **{claim: None})
        expected = (400, "InvalidIdentityToken", f"Missing a required claim: {claim}")
        assert error(assume, world, deploy_role(world), token) == expected


def test_a_token_signed_by_another_key_is_invalid():
    with World() as world:
        token = world.issuer.mint(Job(), "sts.amazonaws.com", key=new_key())
        expected = (400, "InvalidIdentityToken", "Token signature invalid")
        assert error(assume, world, deploy_role(world), token) == expected


def test_a_token_with_a_shared_secret_is_invalid():
    with World() as world:
        claims = jwt.decode(world.issuer.mint(Job(), "sts.amazonaws.com"), options={"verify_signature": False})
        kid = jwt.get_unverified_header(world.issuer.mint(Job(), "x"))["kid"]
        token = jwt.encode(claims, "0" * 32, algorithm="HS256", headers={"kid": kid})
        assert error(assume, world, deploy_role(world), token)[2] == "Token signature invalid"


def test_a_token_of_an_unpublished_key_has_no_verification_key():
    with World() as world:
        token = world.issuer.mint(Job(), "sts.amazonaws.com", kid="rotated")
        assert error(assume, world, deploy_role(world), token) == NO_KEY


@pytest.mark.parametrize("document", ["openid-configuration", "jwks"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(drop="before"),
        Fault(body="<html>"),
        Fault(body="{}", content_type="application/json"),
    ],
)
def test_an_issuer_that_does_not_publish_its_keys_cannot_be_verified(document, fault):
    with World() as world:
        role = deploy_role(world)
        world.faults.script(document, fault)
        assert error(assume, world, role) == NO_KEY


def test_an_issuer_nobody_can_reach_cannot_be_verified():
    with World() as world:
        provider = world.register_provider(issuer="https://gone.example.com")
        role = world.create_role("deploy", trust=github_trust(provider))
        token = world.issuer.mint(Job(), "sts.amazonaws.com", iss="https://gone.example.com")
        assert error(assume, world, role, token) == NO_KEY


def test_a_job_the_trust_policy_does_not_name_is_denied():
    with World() as world:
        trust = github_trust(world.register_provider(), sub="repo:octo-org/else:*")
        assert error(assume, world, world.create_role("deploy", trust=trust)) == DENIED


def test_a_role_that_does_not_exist_is_denied_in_the_same_words():
    with World() as world:
        role = deploy_role(world)
        assert error(assume, world, f"{role}-typo") == DENIED


def test_an_account_that_does_not_exist_is_denied_in_the_same_words():
    with World() as world:
        role = deploy_role(world)
        assert error(assume, world, role.replace("123456789012", OTHER)) == DENIED


def test_an_explicit_deny_in_the_trust_policy_denies():
    with World() as world:
        trust = github_trust(world.register_provider())
        trust["Statement"].append({"Effect": "Deny", "Principal": "*", "Action": "sts:*"})
        assert error(assume, world, world.create_role("deploy", trust=trust)) == DENIED


JOB = Job(environment="prod")


@pytest.mark.parametrize("claim", [key for key in GITHUB_CLAIM_KEYS if key in JOB.claims()])
def test_a_trust_policy_can_ask_for_a_claim_that_is_a_condition_key(claim):
    with World() as world:
        role = trusting(world, StringEquals={f"{PROVIDER}:{claim}": JOB.claims()[claim]})
        assert assume(world, role, world.issuer.mint(JOB, "sts.amazonaws.com"))
        other = world.issuer.mint(JOB, "sts.amazonaws.com", **{claim: "else"})
        assert error(assume, world, role, other) == DENIED


@pytest.mark.parametrize("host", [f"{PROVIDER}/octo-inc", "token.actions.octo-inc.ghe.com"])
def test_githubs_other_issuers_have_the_condition_keys_under_their_own_name(host):
    with World(iss=f"https://{host}") as world:
        assert assume(world, trusting(world, StringEquals={f"{host}:repository": "octo-org/octo-repo"}))


def test_the_enterprise_id_is_a_condition_key_too():
    with World() as world:
        role = trusting(world, StringEquals={f"{PROVIDER}:enterprise_id": "9"})
        assert assume(world, role, world.issuer.mint(Job(), "sts.amazonaws.com", enterprise_id="9"))


@pytest.mark.parametrize("claim", ["repository_owner", "event_name", "sha"])
def test_a_claim_that_is_no_condition_key_is_absent_to_the_trust_policy(claim):
    with World() as world:
        role = trusting(world, StringEquals={f"{PROVIDER}:{claim}": JOB.claims()[claim]})
        assert error(assume, world, role) == DENIED


def test_an_issuer_that_is_not_githubs_own_has_only_audience_and_subject():
    with World(iss="https://ghes.example.com/_services/token") as world:
        role = trusting(world, Null={"ghes.example.com/_services/token:repository": "true"})
        assert assume(world, role)


def test_a_trust_policy_can_ask_for_the_session_name():
    with World() as world:
        role = trusting(world, StringEquals={"sts:RoleSessionName": "run"})
        assert assume(world, role)
        assert error(assume, world, role, RoleSessionName="walk") == DENIED


def test_a_trust_policy_nobody_can_evaluate_says_so():
    with World() as world:
        role = trusting(world, IpAddress={"aws:SourceIp": "127.0.0.1"})
        assert error(assume, world, role) == (
            501,
            "NotImplemented",
            "sandbox: condition operator 'IpAddress'",
        )


def test_a_session_may_last_as_long_as_the_role_allows():
    with World(clock=Clock(NOON)) as world:
        role = deploy_role(world, max_session_duration=7200)
        answer = assume(world, role, DurationSeconds=7200)
        assert answer["Credentials"]["Expiration"] == NOON + timedelta(hours=2)
        assert error(assume, world, role, DurationSeconds=7201) == (
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )


@pytest.mark.parametrize(
    ("parameter", "value", "constraint"),
    [
        ("RoleSessionName", "a:b", r"Member must satisfy regular expression pattern: [\w+=,.@-]*"),
        ("RoleSessionName", "é" * 2, r"Member must satisfy regular expression pattern: [\w+=,.@-]*"),
        ("RoleSessionName", "a" * 65, "Member must have length less than or equal to 64"),
        ("RoleArn", "arn:aws:iam::1:" + "x" * 2048, "Member must have length less than or equal to 2048"),
        ("DurationSeconds", 43201, "Member must have value less than or equal to 43200"),
    ],
)
def test_a_parameter_outside_its_constraint_is_told_with_value_and_name(parameter, value, constraint):
    name = parameter[0].lower() + parameter[1:]
    with World() as world:
        assert error(assume, world, deploy_role(world), **{parameter: value}) == (
            400,
            "ValidationError",
            f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {constraint}",
        )


def test_every_violation_is_told_at_once():
    with World() as world:
        form = {"Action": "AssumeRoleWithWebIdentity", "RoleArn": "x" * 20, "DurationSeconds": "899"}
        answer = requests.post(world.aws_url, data=form | {"RoleSessionName": "a"}, timeout=5)
    assert answer.status_code == 400
    assert element(answer, "Error/Message") == (
        "3 validation errors detected: "
        "Value null at 'webIdentityToken' failed to satisfy constraint: Member must not be null; "
        "Value 'a' at 'roleSessionName' failed to satisfy constraint: "
        "Member must have length greater than or equal to 2; "
        "Value '899' at 'durationSeconds' failed to satisfy constraint: "
        "Member must have value greater than or equal to 900"
    )


def test_what_is_no_role_arn_is_invalid():
    with World() as world:
        role = "arn:aws:iam::123456789012:user/deploy"
        assert error(assume, world, role) == (400, "ValidationError", "Request ARN is invalid")


def test_an_error_has_the_envelope_and_the_request_id_of_sts():
    with World() as world:
        form = {"Action": "AssumeRoleWithWebIdentity"}
        answer = requests.post(world.aws_url, data=form, timeout=5)
    assert answer.text.startswith('<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">')
    assert (answer.headers["Content-Type"], element(answer, "Error/Type")) == ("text/xml", "Sender")
    assert element(answer, "RequestId") == answer.headers["x-amzn-RequestId"]


# --- signed calls


def test_temporary_credentials_are_the_assumed_role():
    with World() as world:
        answer = assume(world, deploy_role(world))
        identity = world.client("sts", answer["Credentials"]).get_caller_identity()
    assert identity["Account"] == "123456789012"
    assert identity["Arn"] == answer["AssumedRoleUser"]["Arn"]
    assert identity["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]


@pytest.mark.parametrize("account", ["123456789012", OTHER])
def test_an_administrator_belongs_to_its_account(account):
    with World() as world:
        identity = world.admin("sts", account).get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == (account, f"arn:aws:iam::{account}:user/admin")


def test_a_key_that_iam_made_is_its_user():
    with World() as world:
        iam = world.admin("iam", OTHER)
        user = iam.create_user(UserName="ci")["User"]
        key = iam.create_access_key(UserName="ci")["AccessKey"]
        identity = world.client("sts", key).get_caller_identity()
    assert (identity["Arn"], identity["UserId"], identity["Account"]) == (user["Arn"], user["UserId"], OTHER)


def test_a_key_that_iam_deactivated_is_invalid():
    with World() as world:
        iam = world.admin("iam")
        iam.create_user(UserName="ci")
        key = iam.create_access_key(UserName="ci")["AccessKey"]
        iam.update_access_key(UserName="ci", AccessKeyId=key["AccessKeyId"], Status="Inactive")
        assert error(world.client("sts", key).get_caller_identity)[1] == "InvalidClientTokenId"


def test_s3_puts_gets_and_lists_with_temporary_credentials():
    with World() as world:
        s3 = world.client("s3", assume(world, deploy_role(world))["Credentials"])
        s3.create_bucket(Bucket="artifacts")
        s3.put_object(Bucket="artifacts", Key="a b/ü+%.txt", Body=b"body")
        s3.head_object(Bucket="artifacts", Key="a b/ü+%.txt")
        keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket="artifacts", Prefix="a b/")["Contents"]]
        body = s3.get_object(Bucket="artifacts", Key=keys[0])["Body"].read()
        operations = [call.operation for call in world.calls[-5:]]
    assert (keys, body) == (["a b/ü+%.txt"], b"body")
    assert operations == ["CreateBucket", "PutObject", "HeadObject", "ListObjectsV2", "GetObject"]


def test_buckets_belong_to_the_account_of_the_credentials():
    with World() as world:
        world.admin("s3", OTHER).create_bucket(Bucket="theirs")
        names = [
            [bucket["Name"] for bucket in world.admin("s3", account).list_buckets()["Buckets"]]
            for account in (OTHER, "123456789012")
        ]
    assert names == [["theirs"], []]


def made_up(**changes):
    return {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "secret"} | changes


INVALID = (403, "InvalidClientTokenId", "The security token included in the request is invalid.")


def test_a_key_nobody_issued_is_invalid():
    with World() as world:
        assert error(world.client("sts", made_up()).get_caller_identity) == INVALID
        assert error(world.client("iam", made_up()).list_roles) == INVALID


def test_s3_says_in_its_own_words_that_nobody_issued_a_key():
    with World() as world:
        assert error(world.client("s3", made_up()).list_buckets) == (
            403,
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        )


@pytest.mark.parametrize("token", [None, "another"])
def test_temporary_credentials_need_their_session_token(token):
    with World() as world:
        credentials = assume(world, deploy_role(world))["Credentials"] | {"SessionToken": token}
        assert error(world.client("sts", credentials).get_caller_identity) == INVALID
        assert error(world.client("s3", credentials).list_buckets)[:2] == (400, "InvalidToken")


@pytest.mark.parametrize(("service", "call"), [("sts", "get_caller_identity"), ("s3", "list_buckets")])
def test_a_wrong_secret_makes_a_wrong_signature(service, call):
    with World() as world:
        credentials = assume(world, deploy_role(world))["Credentials"] | {"SecretAccessKey": "wrong"}
        assert error(getattr(world.client(service, credentials), call))[:2] == (403, "SignatureDoesNotMatch")


def test_credentials_are_good_until_the_second_they_expire():
    clock = Clock(NOON)
    with World(clock=clock) as world:
        credentials = assume(world, deploy_role(world))["Credentials"]
        clock.advance(seconds=3599)
        world.client("sts", credentials).get_caller_identity()
        clock.advance(seconds=1)
        expected = (403, "ExpiredToken", "The security token included in the request is expired")
        assert error(world.client("sts", credentials).get_caller_identity) == expected
        expected = (400, "ExpiredToken", "The provided token has expired.")
        assert error(world.client("s3", credentials).list_buckets) == expected


def test_an_unsigned_call_misses_its_authentication_token():
    with World() as world:
        expected = (403, "MissingAuthenticationToken", "Request is missing Authentication Token")
        assert error(world.client("sts").get_caller_identity) == expected
        assert error(world.client("iam").list_roles) == expected


def test_an_unsigned_call_to_s3_is_denied():
    with World() as world:
        assert error(world.client("s3").list_buckets) == (403, "AccessDenied", "Access Denied")


def test_an_authorization_of_another_scheme_is_incomplete():
    with World() as world:
        form = {"Action": "GetCallerIdentity"}
        headers = {"Authorization": "AWS AKIAIOSFODNN7EXAMPLE:sig"}
        answer = requests.post(world.aws_url, data=form, headers=headers, timeout=5)
    assert (answer.status_code, "IncompleteSignature" in answer.text) == (400, True)


def signed(world, service, method, path, *, body=b"", **headers):
    """A request that is signed by an IAM user and not sent."""
    iam = world.admin("iam")
    iam.create_user(UserName="ci")
    key = iam.create_access_key(UserName="ci")["AccessKey"]
    request = AWSRequest(method=method, url=f"{world.aws_url}{path}", data=body, headers=headers)
    credentials = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    SigV4Auth(credentials, service, "us-east-1").add_auth(request)
    return requests.Request(method, request.url, headers=dict(request.headers), data=body).prepare()


def send(request):
    with requests.Session() as session:
        session.trust_env = False
        return session.send(request, timeout=5)


def test_a_body_changed_after_signing_does_not_match_its_signature():
    with World() as world:
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        request = signed(world, "sts", "POST", "/", body=b"Action=GetCallerIdentity", **headers)
        assert send(request).status_code == 200
        request.prepare_body(b"Action=GetCallerIdentity&Version=1", None)
        answer = send(request)
    assert (answer.status_code, "SignatureDoesNotMatch" in answer.text) == (403, True)


def test_a_query_changed_after_signing_does_not_match_its_signature():
    with World() as world:
        request = signed(world, "sts", "GET", "/?Action=GetCallerIdentity")
        assert send(request).status_code == 200
        request.url += "&Version=2011-06-15"
        assert "SignatureDoesNotMatch" in send(request).text


def test_a_body_that_is_not_what_its_hash_says_is_refused():
    with World() as world:
        request = signed(world, "s3", "PUT", "/bucket", body=b"x", **{"X-Amz-Content-SHA256": "0" * 64})
        answer = send(request)
    assert (answer.status_code, element(answer, "Code")) == (400, "XAmzContentSHA256Mismatch")


def test_moto_s_own_interface_is_not_reachable():
    with World() as world:
        deploy_role(world)
        assert requests.post(f"{world.aws_url}/moto-api/reset", timeout=5).status_code == 403
        assert world.admin("iam").get_role(RoleName="deploy")


# --- AssumeRole


def trust_of(principal, action="sts:AssumeRole", **condition):
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, "Condition": condition}
        ],
    }


def chain(world, role, **parameters):
    """Assume `role` from a job's own session."""
    first = assume(world, deploy_role(world, max_session_duration=43200))["Credentials"]
    return world.client("sts", first).assume_role(**{"RoleArn": role, "RoleSessionName": "hop"} | parameters)


SESSION = "arn:aws:sts::123456789012:assumed-role/deploy/run"


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        "123456789012",
        "arn:aws:iam::123456789012:root",
        "arn:aws:iam::123456789012:role/deploy",
        SESSION,
    ],
)
def test_a_session_becomes_a_role_that_trusts_it(principal):
    with World() as world:
        answer = chain(world, world.create_role("target", trust=trust_of(principal), account=OTHER))
        identity = world.client("sts", answer["Credentials"]).get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == (OTHER, f"arn:aws:sts::{OTHER}:assumed-role/target/hop")


def test_a_role_that_does_not_trust_the_caller_denies_by_name():
    with World() as world:
        role = world.create_role("target", trust=trust_of(f"arn:aws:iam::{OTHER}:root"))
        assert error(chain, world, role) == (
            403,
            "AccessDenied",
            f"User: {SESSION} is not authorized to perform: sts:AssumeRole on resource: {role}",
        )


@pytest.mark.parametrize("account", ["123456789012", OTHER])
def test_a_role_that_does_not_exist_denies_by_name_too(account):
    with World() as world:
        role = f"arn:aws:iam::{account}:role/none"
        assert error(chain, world, role)[2].endswith(f"perform: sts:AssumeRole on resource: {role}")


def test_an_external_id_must_be_the_one_the_role_asks_for():
    with World() as world:
        trust = trust_of("123456789012", StringEquals={"sts:ExternalId": "4711"})
        role = world.create_role("target", trust=trust)
        assume_role = world.admin("sts").assume_role
        call = {"RoleArn": role, "RoleSessionName": "hop"}
        assert assume_role(**call, ExternalId="4711")
        assert error(assume_role, **call, ExternalId="4712")[1] == "AccessDenied"
        assert error(assume_role, **call)[1] == "AccessDenied"


def test_a_chained_session_lasts_an_hour_at_most():
    with World() as world:
        role = world.create_role("target", trust=trust_of("123456789012"), max_session_duration=43200)
        assert error(chain, world, role, DurationSeconds=3601) == (
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        )


def test_a_permanent_key_may_ask_for_more_than_an_hour():
    with World(clock=Clock(NOON)) as world:
        role = world.create_role("target", trust=trust_of("123456789012"), max_session_duration=43200)
        answer = world.admin("sts").assume_role(RoleArn=role, RoleSessionName="hop", DurationSeconds=43200)
    assert answer["Credentials"]["Expiration"] == NOON + timedelta(hours=12)


def test_the_roles_own_limit_holds_for_a_permanent_key_too():
    with World() as world:
        role = world.create_role("target", trust=trust_of("123456789012"))
        call = {"RoleArn": role, "RoleSessionName": "hop", "DurationSeconds": 3601}
        assert "MaxSessionDuration" in error(world.admin("sts").assume_role, **call)[2]


@pytest.mark.parametrize(
    ("parameters", "action"),
    [
        ({"Tags": [{"Key": "team", "Value": "x"}]}, "sts:TagSession"),
        ({"SourceIdentity": "octocat"}, "sts:SetSourceIdentity"),
    ],
)
def test_what_a_session_carries_must_be_allowed_by_the_trust_policy_as_well(parameters, action):
    with World() as world:
        role = world.create_role("target", trust=trust_of("123456789012"))
        open_role = world.create_role("open", trust=trust_of("123456789012", ["sts:AssumeRole", action]))
        assert f"perform: {action} on resource" in error(chain, world, role, **parameters)[2]
        call = {"RoleArn": open_role, "RoleSessionName": "hop"} | parameters
        assert world.admin("sts").assume_role(**call)


def test_a_trust_policy_can_ask_for_session_tags():
    with World() as world:
        condition = {
            "StringEquals": {"aws:RequestTag/team": "x"},
            "ForAllValues:StringEquals": {"aws:TagKeys": ["team", "stage"], "sts:TransitiveTagKeys": ["team"]},
        }
        trust = trust_of("123456789012", ["sts:AssumeRole", "sts:TagSession"], **condition)
        role = world.create_role("target", trust=trust)
        call = {"RoleArn": role, "RoleSessionName": "hop", "TransitiveTagKeys": ["team"]}
        tags = [{"Key": "team", "Value": "x"}, {"Key": "stage", "Value": "y"}]
        assume_role = world.admin("sts").assume_role
        assert assume_role(**call, Tags=tags)
        assert error(assume_role, **call, Tags=[*tags, {"Key": "z", "Value": "z"}])[1] == "AccessDenied"


# --- the world


def test_every_world_starts_empty():
    with World() as world:
        deploy_role(world)
    with World() as world:
        assert world.admin("iam").list_roles()["Roles"] == []


def test_the_environments_own_configuration_does_not_reach_a_client(monkeypatch, tmp_path):
    config = tmp_path / "config"
    config.write_text("[default]\nregion = nowhere\nmax_attempts = abc\nendpoint_url = http://127.0.0.1:9\n")
    hostile = {
        "AWS_PROFILE": "missing",
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(config),
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_MAX_ATTEMPTS": "abc",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    with World() as world:
        answer = assume(world, deploy_role(world))
        assert world.client("sts", answer["Credentials"]).get_caller_identity()


def test_a_client_of_the_users_own_making_works_as_well():
    with World() as world:
        credentials = assume(world, deploy_role(world))["Credentials"]
        client = botocore.session.Session().create_client(
            "sts",
            region_name="eu-central-1",
            endpoint_url=world.aws_url,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )
        assert client.get_caller_identity()["Account"] == "123456789012"


def test_githubs_trust_policy_names_provider_audience_and_subject():
    trust = github_trust(f"arn:aws:iam::123456789012:oidc-provider/{PROVIDER}", sub="repo:o/r:*", aud="a")
    assert json.dumps(trust["Statement"][0]["Condition"]) == json.dumps(
        {"StringEquals": {f"{PROVIDER}:aud": "a"}, "StringLike": {f"{PROVIDER}:sub": "repo:o/r:*"}}
    )
