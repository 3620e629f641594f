"""An STS that is not AWS's: what its inputs may be, what becomes of its answers, and how its refusals are told.

The answers are in the form that each service's source or documentation shows, with made-up values.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest
from botocore.loaders import Loader
from tests.conftest import Step

from py_aws_oidc.aws.arn import Role, account_of
from py_aws_oidc.aws.endpoints import SUFFIXES, is_aws
from sandbox.faults import Fault
from sandbox.in_process import Run
from sandbox.job import Job
from sandbox.world import github_trust

NAMESPACE = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"'
CEPH_ROLE = "arn:aws:iam:::role/deploy"
AWS_ROLE = "arn:aws:iam::123456789012:role/deploy"


TOKEN = "<SessionToken>session/token==</SessionToken>"
EXPIRATION = "<Expiration>2999-01-01T00:00:00Z</Expiration>"


def answer(assumed: str, *, more: str = "", token: str = TOKEN, expiration: str = EXPIRATION) -> str:
    """An answer of AssumeRoleWithWebIdentity, with this AssumedRoleUser."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<AssumeRoleWithWebIdentityResponse {NAMESPACE}>'
        f"<AssumeRoleWithWebIdentityResult>{assumed}<Credentials><AccessKeyId>KEYID</AccessKeyId>"
        f"<SecretAccessKey>a-secret-key</SecretAccessKey>{token}{expiration}</Credentials>{more}"
        "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    )


def user(arn: str) -> str:
    return f"<AssumedRoleUser><Arn>{arn}</Arn><AssumedRoleId>id:GitHubActions</AssumedRoleId></AssumedRoleUser>"


def error(code: str, message: str) -> str:
    """A refusal in the form of AWS, which MinIO, LocalStack and moto have too."""
    said = f"<Error><Type></Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<ErrorResponse {NAMESPACE}>{said}</ErrorResponse>'


@dataclass(frozen=True)
class Service:
    """A service: its role, its answer, and what the outputs are then."""

    name: str
    role: str
    body: str
    arn: str = ""
    account: str = ""
    inputs: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


SERVICES = [
    # rgw_rest_sts.cc and rgw_sts.cc: no account where there is no tenant, and microseconds in the expiration.
    Service(
        "Ceph",
        CEPH_ROLE,
        answer(
            user("arn:aws:sts:::assumed-role/deploy/GitHubActions"),
            more="<SubjectFromWebIdentityToken>s</SubjectFromWebIdentityToken><Audience>a</Audience>"
            "<PackedPolicySize>0</PackedPolicySize><Provider>p</Provider>",
            expiration="<Expiration>2999-01-01T00:00:00.128454Z</Expiration>",
        ),
        "arn:aws:sts:::assumed-role/deploy/GitHubActions",
        inputs={"aws_region": "default"},
    ),
    Service(
        "Ceph with a tenant and a path",
        "arn:aws:iam::acme:role/team/deploy",
        answer(user("arn:aws:sts::acme:assumed-role/team/deploy/GitHubActions")),
        "arn:aws:sts::acme:assumed-role/team/deploy/GitHubActions",
        "acme",
        inputs={"aws_region": "Zone_Group.1", "allowed_account_ids": "other, acme"},
    ),
    # docs/sts/web-identity.md and sts-datatypes.go: empty elements for what it does not say; 365 days at most.
    Service(
        "MinIO",
        "arn:minio:iam:::role/idmp-abc_DEF-1",
        answer("<AssumedRoleUser><Arn></Arn><AssumeRoleId></AssumeRoleId></AssumedRoleUser>"),
        inputs={"role_duration_seconds": "31536000", "managed_session_policies": "arn:minio:iam:::policy/readonly"},
    ),
    Service("a service that says nothing of the session", CEPH_ROLE, answer("")),
    Service(
        "a service that names what is not to be printed",
        CEPH_ROLE,
        answer(user("arn:aws:sts:::assumed-role/x\n::error::y")),
    ),
    Service(
        "a service that names another account than the role's",
        "arn:aws:iam:::role/deploy",
        answer(user("arn:aws:sts::000000000007:assumed-role/deploy/GitHubActions")),
        "arn:aws:sts::000000000007:assumed-role/deploy/GitHubActions",
        "000000000007",
    ),
    Service(
        "a service whose ARNs have another number of fields", "arn:aws:iam::role/S3", answer(user("a:b")), "a:b"
    ),
    # services/sts/provider.py of LocalStack, which asks moto; moto/sts/responses.py.
    Service(
        "LocalStack",
        "arn:aws:iam::000000000000:role/deploy",
        answer(user("arn:aws:sts::000000000000:assumed-role/deploy/GitHubActions")),
        "arn:aws:sts::000000000000:assumed-role/deploy/GitHubActions",
        "000000000000",
        inputs={"sts_endpoint": "http://localstack.example:4566", "allowed_account_ids": "0"},
    ),
    Service(
        "moto",
        AWS_ROLE,
        answer(
            user("arn:aws:sts::123456789012:assumed-role/deploy/GitHubActions"),
            more="<PackedPolicySize>6</PackedPolicySize>",
            expiration="<Expiration>2999-01-01T00:00:00.638875Z</Expiration>",
        ),
        "arn:aws:sts::123456789012:assumed-role/deploy/GitHubActions",
        "123456789012",
        inputs={"sts_endpoint": "http://moto.example:5000"},
    ),
]


def run(step: Step, service: Service, **inputs: str) -> Run:
    """A step with this service's answer; where its host is not this machine's, a proxy leads to it."""
    step.world.faults.script(
        "AssumeRoleWithWebIdentity", Fault(status=200, body=service.body, content_type="text/xml")
    )
    return step(role_to_assume=service.role, http_proxy=step.world.aws_url, **service.inputs | inputs)


@pytest.mark.parametrize("service", SERVICES, ids=str)
def test_the_answer_of_a_service_becomes_credentials_and_what_it_says_the_outputs(step, service):
    ran = run(step, service)

    assert ran.status == 0
    assert ran.credentials == {
        "AccessKeyId": "KEYID",
        "SecretAccessKey": "a-secret-key",
        "SessionToken": "session/token==",
    }
    assert (ran.outputs["authenticated-arn"], ran.outputs["aws-account-id"]) == (service.arn, service.account)
    assert step.calls == ["idtoken", "AssumeRoleWithWebIdentity"]
    blank = [name for name in ("aws-account-id", "authenticated-arn") if not ran.outputs[name]]
    assert [line.endswith(f"so they are blank: {', '.join(blank)}.") for line in ran.log.splitlines()].count(
        True
    ) == bool(blank)
    assert not ran.leaks


def test_the_inputs_reach_the_service_as_they_are(step):
    sent = {"role_duration_seconds": "60", "inline_session_policy": '{ "a": "+ %" }', "aws_region": "EU_West"}

    run(step, SERVICES[0], **sent)

    (call,) = [call for call in step.world.calls if call.operation == "AssumeRoleWithWebIdentity"]
    assert (call.form["RoleArn"], call.form["DurationSeconds"], call.form["Policy"]) == (
        CEPH_ROLE,
        "60",
        '{ "a": "+ %" }',
    )


def test_later_steps_work_in_the_services_own_region(step):
    assert run(step, SERVICES[0], aws_region="EU_West").env["AWS_REGION"] == "EU_West"


def test_credentials_may_have_neither_a_token_nor_an_end(step):
    body = answer("", token="", expiration="")

    ran = run(step, Service("", CEPH_ROLE, body), output_credentials="true")

    assert ran.status == 0
    assert "AWS_SESSION_TOKEN" not in ran.env
    assert "aws-expiration" not in ran.outputs


@pytest.mark.parametrize(
    ("expiration", "said"),
    [
        ("<Expiration>1999-01-01T00:00:00Z</Expiration>", "the credentials have expired already"),
        ("<Expiration>soon</Expiration>", "a time in it cannot be read"),
    ],
)
def test_an_expiration_that_cannot_be_is_an_error(step, expiration, said):
    step.world.faults.script(
        "AssumeRoleWithWebIdentity",
        always=Fault(status=200, body=answer("", expiration=expiration), content_type="text/xml"),
    )

    assert said in step.refused(role_to_assume=CEPH_ROLE)


# --- refusals


# rgw_rest.cc: the error of Ceph stands alone, without a message.
CEPH_DENIED = (
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><RequestId>tx1</RequestId>'
    "<HostId>1-default-default</HostId></Error>"
)


def refuse(step: Step, body: str, status: int, **inputs: str) -> Run:
    fault = Fault(status=status, body=body, content_type="application/xml")
    for operation in ("AssumeRoleWithWebIdentity", "AssumeRole"):
        step.world.faults.script(operation, always=fault)
    given = {"role_to_assume": CEPH_ROLE} | inputs
    ran = step(**given)
    assert (ran.status, ran.exported) == (1, [])
    assert "AWS refused" not in ran.log + ran.summary
    assert "aws iam" not in ran.log + ran.summary
    assert not ran.leaks
    return ran


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (CEPH_DENIED, 403, "AccessDenied (HTTP 403)"),
        # sts-errors.go of MinIO.
        (
            error("InvalidParameterValue", "Role does not exist."),
            400,
            "Role does not exist. (InvalidParameterValue",
        ),
        (error("ExpiredToken", "The token is expired."), 400, "The token is expired. (ExpiredToken, HTTP 400)"),
        (error("InvalidIdentityToken", "Not valid."), 400, "Not valid. (InvalidIdentityToken, HTTP 400)"),
    ],
    ids=["Ceph", "MinIO, role", "MinIO, expired", "LocalStack"],
)
def test_a_refusal_is_told_as_the_services_with_what_the_token_says(step, body, status, said):
    ran = refuse(step, body, status)

    host = step.world.aws_url.removeprefix("http://")
    assert ran.error.startswith(
        f"The STS at {host} refused AssumeRoleWithWebIdentity for arn:aws:iam:::role/deploy: {said}"
    )
    for claim in (
        "- iss: https://token.actions.githubusercontent.com",
        f"- sub: {Job().sub}",
        "- aud: ",
        "- exp: 2",
    ):
        assert claim in ran.error
    assert "An OpenID Connect provider for https://token.actions.githubusercontent.com" in ran.error
    assert "### What to check" in ran.summary
    assert "### What the ID token says" in ran.summary


def test_refused_keys_are_told_without_a_token(step):
    keys = {"aws_access_key_id": "KEYID", "aws_secret_access_key": "a-secret-key"}

    tagged = refuse(step, CEPH_DENIED, 403, **keys)
    untagged = refuse(step, CEPH_DENIED, 403, **keys, role_skip_session_tagging="true")

    assert "refused AssumeRole for arn:aws:iam:::role/deploy" in tagged.error
    assert "the token says" not in tagged.error + tagged.summary
    assert "set role-skip-session-tagging: true" in tagged.error
    assert "role-skip-session-tagging" not in untagged.error


def test_a_refused_token_of_a_file_is_told_whatever_it_is(step, tmp_path):
    (tmp_path / "token").write_text("no JSON Web Token")

    ran = refuse_with_workspace(step, tmp_path)

    assert "the token says" not in ran.error
    assert "An OpenID Connect provider for the token's issuer" in ran.error


def refuse_with_workspace(step: Step, folder: object, **inputs: str) -> Run:
    step.world.faults.script(
        "AssumeRoleWithWebIdentity", always=Fault(status=403, body=CEPH_DENIED, content_type="application/xml")
    )
    given = {"role_to_assume": CEPH_ROLE, "web_identity_token_file": "token"} | inputs
    ran = step(environ={"GITHUB_WORKSPACE": str(folder)}, **given)
    assert (ran.status, ran.exported) == (1, [])
    return ran


def test_a_trust_policy_file_is_not_compared_and_that_is_told(step, tmp_path):
    (tmp_path / "token").write_text(step.world.issuer.mint(Job(), "sts.amazonaws.com", exp=None))
    (tmp_path / "trust.json").write_text(json.dumps(github_trust(step.provider)))

    ran = refuse_with_workspace(step, tmp_path, trust_policy_file="trust.json")

    assert "trust.json was not compared with the token" in ran.error
    assert "- exp: (not in the token)" in ran.error


@pytest.mark.parametrize("exp", [1e300, "soon", float("nan"), ["x"], -(10**30), True])
def test_an_expiration_that_is_no_time_is_told_as_it_is(step, tmp_path, exp):
    (tmp_path / "token").write_text(step.world.issuer.mint(Job(), "sts.amazonaws.com", exp=exp))

    assert "- exp: " in refuse_with_workspace(step, tmp_path).error


@pytest.mark.parametrize("status", [400, 403, 405])
@pytest.mark.parametrize("body", ["", "<html>", '{"error": "x"}'])
def test_an_answer_that_is_not_of_sts_is_told_as_that_of_the_service(step, status, body):
    ran = refuse(step, body, status)

    assert f"answered with HTTP status {status} and without an error of STS" in ran.error
    assert "sts-endpoint" in ran.error


def test_a_service_that_does_not_answer_is_told_by_its_address(step):
    said = step.refused(role_to_assume=CEPH_ROLE, sts_endpoint="http://127.0.0.1:9")

    assert said.startswith("The STS at 127.0.0.1:9 could not be reached.")
    assert "check that sts-endpoint is right" in said


# --- what AWS alone can say


def test_accounts_that_are_allowed_refuse_a_session_without_one(step):
    ran = run(step, SERVICES[0], allowed_account_ids="123456789012")

    assert (ran.status, ran.exported) == (1, [])
    assert "did not say for which account the credentials are" in ran.error


def test_accounts_that_are_allowed_refuse_a_session_of_another(step):
    ran = run(step, SERVICES[1], allowed_account_ids="other")

    assert (ran.status, ran.exported) == (1, [])
    assert ran.error.startswith("The credentials are for account acme, which is not allowed here")


def test_an_account_that_is_blank_masks_nothing(step):
    ran = run(step, SERVICES[0], mask_aws_account_id="true")

    assert all(ran.masked)
    assert SERVICES[0].arn in ran.masked


def test_a_tenant_is_masked_like_an_account(step):
    assert "acme" in run(step, SERVICES[1], mask_aws_account_id="true").masked


def test_keys_without_a_role_are_exported_without_a_check_and_that_is_told(step):
    keys = {"aws_access_key_id": "KEYID", "aws_secret_access_key": "a-secret-key"}

    ran = step(role_to_assume="", sts_endpoint="http://minio.example:9000", **keys)

    assert ran.status == 0
    assert step.calls == []
    assert ran.env["AWS_ACCESS_KEY_ID"] == "KEYID"
    assert (ran.outputs["aws-account-id"], ran.outputs["authenticated-arn"]) == ("", "")
    assert "They cannot be checked" in ran.log


def test_credentials_that_the_job_has_are_replaced_since_nobody_can_check_them(step):
    environ = {"AWS_ACCESS_KEY_ID": "OLD", "AWS_SECRET_ACCESS_KEY": "old-secret-key"}
    step.world.faults.script(
        "AssumeRoleWithWebIdentity", Fault(status=200, body=SERVICES[0].body, content_type="text/xml")
    )

    ran = step(role_to_assume=CEPH_ROLE, use_existing_credentials="true", environ=environ)

    assert step.calls == ["idtoken", "AssumeRoleWithWebIdentity"]
    assert ran.env["AWS_ACCESS_KEY_ID"] == "KEYID"
    assert "use-existing-credentials is ignored" in ran.log


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("role_to_assume", "deploy"),
        ("role_to_assume", "arn:aws:s3:::bucket"),
        ("role_to_assume", "arn:aws:iam::123456789012:user/ci"),
        ("role_to_assume", "arn:aws:iam:::role/de ploy"),
        ("role_to_assume", "arn:aws:iam:::role/d\u202eploy"),
        ("role_to_assume", "arn:aws:iam:::role/" + "x" * 2048),
        ("aws_region", "eu west"),
        ("aws_region", "\u00e9"),
        ("aws_region", "x" * 129),
        ("role_duration_seconds", "0"),
        ("role_duration_seconds", "soon"),
        ("managed_session_policies", "ReadOnly"),
        ("allowed_account_ids", ","),
        ("allowed_account_ids", "a b"),
    ],
)
def test_what_no_service_can_take_is_told_before_any_call(step, name, text):
    given = {"sts_endpoint": "https://ceph.example", "aws_region": "default", "role_to_assume": CEPH_ROLE} | {
        name: text
    }

    assert f"{name.replace('_', '-')}: " in step.refused(**given)
    assert step.calls == []


# --- whose STS it is


@pytest.mark.parametrize(
    "host",
    [
        "sts.amazonaws.com",
        "STS.eu-west-1.amazonaws.com",
        "sts.us-east-1.amazonaws.com.",
        "sts-fips.us-east-1.amazonaws.com",
        "sts.us-gov-west-1.amazonaws.com",
        "sts.eu-west-1.api.aws",
        "sts-fips.us-east-1.api.aws",
        "sts.cn-north-1.amazonaws.com.cn",
        "sts.cn-north-1.api.amazonwebservices.com.cn",
        "sts.us-iso-east-1.c2s.ic.gov",
        "vpce-0a1b-2c3d.sts.us-east-1.vpce.amazonaws.com",
        "vpce-0a1b-2c3d-us-east-1a.sts.us-east-1.vpce.amazonaws.com",
    ],
)
def test_an_endpoint_of_aws_is_known_by_its_name(host):
    assert is_aws(f"https://{host}", CEPH_ROLE, "default")
    assert is_aws(f"https://{host}:443/", "", "")


@pytest.mark.parametrize(
    "host",
    [
        "ceph.example",
        "sts.example.com",
        "sts.us-east-1.amazonaws.com.example",
        "xsts.us-east-1.amazonaws.com",
        "sts-123.eu-west-1.elb.amazonaws.com",
        "ec2-198-51-100-1.compute-1.amazonaws.com",
        "abc.execute-api.us-east-1.amazonaws.com",
        "sts.eu-west-1.notamazonaws.com",
        "localstack",
        "172.17.0.1",
    ],
)
def test_any_other_host_is_not_aws_whatever_the_role(host):
    assert not is_aws(f"https://{host}", AWS_ROLE, "us-east-1")


def test_without_an_endpoint_it_is_aws():
    assert is_aws(None, CEPH_ROLE, "default")


@pytest.mark.parametrize("url", ["http://127.0.0.1:4566", "http://localhost", "http://[::1]:1", "nowhere"])
def test_on_this_machine_role_and_region_decide(url):
    assert is_aws(url, AWS_ROLE, "us-east-1")
    assert is_aws(url, "", "cn-north-1")
    assert is_aws(url, "arn:aws:iam::1234:role/misspelt", "US_EAST_1!")
    assert not is_aws(url, CEPH_ROLE, "us-east-1")
    assert not is_aws(url, "arn:minio:iam:::role/x", "us-east-1")
    assert not is_aws(url, AWS_ROLE, "default")


def test_an_endpoint_of_aws_takes_roles_of_aws_alone(step):
    given = {"sts_endpoint": "https://sts.eu-west-1.amazonaws.com", "role_to_assume": CEPH_ROLE}

    assert "does not have 12 digits" in step.refused(**given)


def test_the_suffixes_are_those_of_botocore():
    outputs = [partition["outputs"] for partition in Loader().load_data("partitions")["partitions"]]

    assert {row[name] for row in outputs for name in ("dnsSuffix", "dualStackDnsSuffix")} == set(SUFFIXES)


@pytest.mark.parametrize(
    ("arn", "account"),
    [
        ("arn:aws:sts::123456789012:assumed-role/a/b", "123456789012"),
        ("arn:aws:sts:::assumed-role/a/b", ""),
        ("arn:aws:iam::ten$ant:role/a:b", "ten$ant"),
        ("arn:aws:iam::role/x", ""),
        ("", ""),
    ],
)
def test_the_account_of_an_arn_is_its_fifth_field(arn, account):
    assert account_of(arn) == account


@pytest.mark.parametrize(
    ("arn", "partition", "account", "name"),
    [
        (CEPH_ROLE, "aws", "", "deploy"),
        ("arn:minio:iam:::role/idmp-1", "minio", "", "idmp-1"),
        ("arn:aws:iam::acme:role/a/path/deploy", "aws", "acme", "deploy"),
        ("arn:aws:iam::role/S3", "aws", "", "S3"),
        ("urn:ecs:iam::space:role/r", "ecs", "space", "r"),
    ],
)
def test_the_arn_of_a_services_role_is_kept_as_it_is(arn, partition, account, name):
    assert Role.of_other_service(arn) == Role(arn, partition, account, name)
