import pytest

from py_aws_oidc.aws.arn import Role
from py_aws_oidc.aws.errors import Refused
from py_aws_oidc.explain.report import CAUSES, explain
from py_aws_oidc.failure import Failure, Kind

ROLE = Role.parse("arn:aws:iam::123456789012:role/deploy")
CLAIMS = {
    "iss": "https://token.actions.githubusercontent.com",
    "sub": "repo:octo-org/app:ref:refs/heads/main",
    "aud": "sts.amazonaws.com",
}


def explained(code: str, message: str, operation: str = "AssumeRoleWithWebIdentity", **claims: object) -> Failure:
    refused = Refused(operation, code, message, 403)
    return explain(refused, role=ROLE, audience="sts.amazonaws.com", seconds=7200, claims=CLAIMS | claims)


def test_what_aws_said_comes_first():
    assert explained("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity").what == (
        "AWS refused AssumeRoleWithWebIdentity for arn:aws:iam::123456789012:role/deploy: "
        "Not authorized to perform sts:AssumeRoleWithWebIdentity (AccessDenied, HTTP 403)"
    )


def test_a_refused_token_is_told_with_what_the_token_says():
    why = explained("AccessDenied", "Not authorized").why

    assert "- sub: repo:octo-org/app:ref:refs/heads/main" in why
    assert "- aud: sts.amazonaws.com" in why
    assert "- iss: https://token.actions.githubusercontent.com" in why


def test_a_missing_provider_is_named_by_its_arn():
    fix = explained("InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://x").fix

    assert "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" in fix


def test_the_audience_that_was_refused_is_named():
    assert "audience other, and" in explained("InvalidIdentityToken", "Incorrect token audience", aud="other").why


def test_a_duration_that_is_too_long_is_named():
    told = explained(
        "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    )

    assert told.why.startswith("7200 seconds were asked for")


def test_a_code_that_nobody_knows_is_not_explained_away():
    assert explained("Novelty", "?").why == "AWS gives no more reason than that."


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: f"{cause.code} {cause.message} {cause.operation}")
def test_every_cause_can_be_told(cause):
    told = explained(cause.code, f"so {cause.message} there", cause.operation or "AssumeRole")

    assert "$" not in f"{told.why}{told.fix}"


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: f"{cause.code} {cause.message} {cause.operation}")
def test_no_cause_stands_behind_one_that_says_less(cause):
    refused = Refused(cause.operation or "AssumeRole", cause.code, cause.message, 400)

    assert next(each for each in CAUSES if each.fits(refused)) is cause


def test_claims_that_look_like_placeholders_stay_as_they_are():
    assert "- sub: $account" in explained("AccessDenied", "", sub="$account").why


def test_each_operation_has_its_own_reasons_to_deny():
    assert "may not assume role deploy" in explained("AccessDenied", "", "AssumeRole").why
    assert explained("AccessDenied", "", "GetCallerIdentity").why == "AWS gives no more reason than that."


def test_a_token_without_a_claim_says_so():
    refused = Refused("AssumeRoleWithWebIdentity", "AccessDenied", "", 403)

    assert "sub: (not in the token)" in explain(refused, role=ROLE, audience="a", seconds=1, claims={}).why


def test_an_explanation_is_worth_as_many_tries_as_the_refusal():
    assert explained("AccessDenied", "").kind is Kind.MAY_PASS
