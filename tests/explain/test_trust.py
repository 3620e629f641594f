"""The evaluator against the documents: each row of the tables says which page it comes from."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from py_aws_oidc.explain import trust
from py_aws_oidc.explain.trust import (
    GITHUB_CLAIM_KEYS,
    InvalidPolicyError,
    UnsupportedPolicyError,
    context_of,
    evaluate,
    has_wildcard,
    like,
    provider_arn,
    provider_of,
    read,
)

# Pages of the IAM User Guide.
ACTION = "IAM JSON policy elements: Action"
CONDITION = "IAM JSON policy elements: Condition"
EVALUATION = "Policy evaluation logic"
GRAMMAR = "Grammar of the IAM JSON policy language"
LOGIC = "Conditions with multiple context keys or values"
NOT_ACTION = "IAM JSON policy elements: NotAction"
NOT_PRINCIPAL = "IAM JSON policy elements: NotPrincipal"
OPERATORS = "IAM JSON policy elements: Condition operators"
PRINCIPAL = "AWS JSON policy elements: Principal"
SETS = "Set operators for multivalued context keys"
VARIABLES = "IAM policy elements: Variables and tags"
VERSION = "IAM JSON policy elements: Version"

GITHUB = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::123456789012:oidc-provider/{GITHUB}"
SUB = f"{GITHUB}:sub"
EXCHANGE = "sts:AssumeRoleWithWebIdentity"
MAIN = "repo:octo-org/octo-repo:ref:refs/heads/main"
SESSION = "arn:aws:sts::123456789012:assumed-role/deploy/run"
ROLE = "arn:aws:iam::123456789012:role/ci/deploy"
USER = "arn:aws:iam::123456789012:user/eve"


def statement(effect="Allow", principal=None, action=EXCHANGE, condition=None):
    return {
        "Effect": effect,
        "Principal": principal or {"Federated": PROVIDER},
        "Action": action,
        "Condition": condition or {},
    }


def policy(*statements, version="2012-10-17"):
    return {"Version": version, "Statement": list(statements)}


def decide(*statements, principal=PROVIDER, action=EXCHANGE, context=None):
    return evaluate(policy(*statements), principal=principal, action=action, context=context or {})


def holds(condition, context, version="2012-10-17"):
    only = policy(statement(condition=condition), version=version)
    return evaluate(only, principal=PROVIDER, action=EXCHANGE, context=context).allowed


# --- the decision


@pytest.mark.parametrize(
    ("page", "statements", "effect", "decided_by"),
    [
        (EVALUATION, [statement()], "Allow", 0),
        (EVALUATION, [statement("Deny")], "Deny", 0),
        (EVALUATION, [statement(action="sts:AssumeRole")], None, None),
        (EVALUATION, [statement("Deny", action="sts:AssumeRole")], None, None),
        (EVALUATION, [statement(), statement("Deny")], "Deny", 1),
        (EVALUATION, [statement("Deny"), statement()], "Deny", 0),
        (EVALUATION, [statement(), statement("Deny", action="sts:AssumeRole")], "Allow", 0),
        (GRAMMAR, [statement(action="s3:*"), statement(), statement()], "Allow", 1),
    ],
)
def test_an_explicit_deny_wins_and_nothing_that_matches_is_a_deny_too(page, statements, effect, decided_by):
    decision = decide(*statements)
    assert (decision.allowed, decision.effect, decision.statement) == (effect == "Allow", effect, decided_by), page


def test_a_policy_may_have_one_statement_outside_a_list():
    one = {"Statement": statement()}
    assert evaluate(one, principal=PROVIDER, action=EXCHANGE, context={}).allowed


def test_each_statement_says_why_it_does_or_does_not_fit():
    condition = {"StringLike": {SUB: ["repo:a/*", "repo:b/*"]}, "Null": {"sts:ExternalId": True}}
    other = statement("Deny", {"AWS": ROLE}, "sts:AssumeRole") | {"Sid": "Other"}

    decision = decide(statement(condition=condition), other, context={SUB: MAIN})

    assert decision.verdicts == (
        trust.Verdict(
            0,
            "",
            "Allow",
            principal_fits=True,
            action_fits=True,
            tests=(
                trust.Test("StringLike", SUB, ("repo:a/*", "repo:b/*"), (MAIN,), holds=False),
                trust.Test("Null", "sts:ExternalId", ("true",), (), holds=True),
            ),
        ),
        trust.Verdict(1, "Other", "Deny", principal_fits=False, action_fits=False, tests=()),
    )
    assert [verdict.matches for verdict in decision.verdicts] == [False, False]


# --- Action and Principal


@pytest.mark.parametrize(
    ("page", "action", "expected"),
    [
        (ACTION, EXCHANGE, True),
        (ACTION, "sts:assumerolewithwebidentity", True),
        (ACTION, ["sts:TagSession", EXCHANGE], True),
        (ACTION, "sts:*", True),
        (ACTION, "*", True),
        (ACTION, "sts:AssumeRoleWith???Identity", True),
        (ACTION, "sts:AssumeRole", False),
        (ACTION, "sts:AssumeRoleWith.*", False),
        (ACTION, [], False),
    ],
)
def test_an_action_matches_by_name_or_glob_in_any_case(page, action, expected):
    assert decide(statement(action=action)).allowed is expected, page


@pytest.mark.parametrize(
    ("page", "action", "expected"),
    [
        (NOT_ACTION, EXCHANGE, True),
        (NOT_ACTION, "sts:AssumeRole", False),
        (NOT_ACTION, "sts:TagSession", False),
    ],
)
def test_not_action_matches_every_other_action(page, action, expected):
    allow = statement() | {"NotAction": ["sts:assumerole", "sts:Tag*"]}
    del allow["Action"]
    assert decide(allow, action=action).allowed is expected, page


@pytest.mark.parametrize(
    ("page", "element", "principal", "expected"),
    [
        (PRINCIPAL, {"Federated": PROVIDER}, PROVIDER, True),
        (PRINCIPAL, {"Federated": ["arn:aws:iam::123456789012:saml-provider/x", PROVIDER]}, PROVIDER, True),
        (PRINCIPAL, {"Federated": PROVIDER + "/octo"}, PROVIDER, False),
        (PRINCIPAL, {"Federated": "*"}, PROVIDER, False),
        (PRINCIPAL, {"Federated": PROVIDER.upper()}, PROVIDER, False),
        (PRINCIPAL, {"AWS": "123456789012"}, PROVIDER, False),
        (PRINCIPAL, "*", PROVIDER, True),
        (PRINCIPAL, {"AWS": "*"}, PROVIDER, True),
        (PRINCIPAL, {"AWS": "*"}, (SESSION, ROLE), True),
        (PRINCIPAL, {"AWS": SESSION}, (SESSION, ROLE), True),
        (PRINCIPAL, {"AWS": ROLE}, (SESSION, ROLE), True),
        (PRINCIPAL, {"AWS": "123456789012"}, (SESSION, ROLE), True),
        (PRINCIPAL, {"AWS": "arn:aws:iam::123456789012:root"}, (SESSION, ROLE), True),
        (PRINCIPAL, {"AWS": "arn:aws:iam::210987654321:root"}, (SESSION, ROLE), False),
        (PRINCIPAL, {"AWS": "arn:aws-cn:iam::123456789012:root"}, (SESSION, ROLE), False),
        (PRINCIPAL, {"AWS": "arn:aws:iam::123456789012:role/ci/*"}, (SESSION, ROLE), False),
        (PRINCIPAL, {"Service": "ec2.amazonaws.com"}, (SESSION, ROLE), False),
        (PRINCIPAL, {"Service": "ec2.amazonaws.com", "AWS": ROLE}, (SESSION, ROLE), True),
    ],
)
def test_a_principal_is_named_exactly_or_by_its_account_or_as_everyone(page, element, principal, expected):
    assert decide(statement(principal=element), principal=principal).allowed is expected, page


@pytest.mark.parametrize(
    ("page", "principal", "effect"),
    [(NOT_PRINCIPAL, (SESSION, ROLE), "Allow"), (NOT_PRINCIPAL, USER, "Deny"), (NOT_PRINCIPAL, PROVIDER, "Deny")],
)
def test_not_principal_denies_everyone_but_the_one_named(page, principal, effect):
    deny = {"Effect": "Deny", "NotPrincipal": {"AWS": ROLE}, "Action": "*"}
    assert decide(statement(principal="*"), deny, principal=principal).effect == effect, page


# --- Condition


@pytest.mark.parametrize(
    ("page", "operator", "wanted", "expected"),
    [
        (OPERATORS, "StringEquals", MAIN, True),
        (LOGIC, "StringEquals", ["x", MAIN], True),
        (OPERATORS, "StringEquals", "repo:octo-org/*", False),
        (OPERATORS, "StringEquals", MAIN.upper(), False),
        (OPERATORS, "StringNotEquals", MAIN, False),
        (OPERATORS, "StringNotEquals", MAIN.upper(), True),
        (LOGIC, "StringNotEquals", ["x", MAIN], False),
        (LOGIC, "StringNotEquals", ["x", "y"], True),
        (OPERATORS, "StringEqualsIgnoreCase", MAIN.upper(), True),
        (OPERATORS, "StringEqualsIgnoreCase", "x", False),
        (OPERATORS, "StringNotEqualsIgnoreCase", MAIN.upper(), False),
        (OPERATORS, "StringNotEqualsIgnoreCase", "x", True),
        (OPERATORS, "StringLike", "repo:octo-org/*", True),
        (OPERATORS, "StringLike", "repo:octo-org/octo-rep?:*", True),
        (OPERATORS, "StringLike", "*", True),
        (OPERATORS, "StringLike", "repo:octo-org", False),
        (OPERATORS, "StringLike", MAIN + "?", False),
        (OPERATORS, "StringLike", MAIN + "*", True),
        (OPERATORS, "StringLike", "REPO:*", False),
        (OPERATORS, "StringLike", "repo.octo-org/*", False),
        (LOGIC, "StringLike", ["repo:else/*", "repo:*:ref:refs/heads/*"], True),
        (OPERATORS, "StringNotLike", "repo:octo-org/*", False),
        (OPERATORS, "StringNotLike", "repo:else/*", True),
        (LOGIC, "StringNotLike", ["repo:else/*", "repo:octo-org/*"], False),
        (OPERATORS, "StringEqualsIfExists", MAIN, True),
        (OPERATORS, "StringEqualsIfExists", "x", False),
        (OPERATORS, "StringNotEqualsIfExists", MAIN, False),
        (OPERATORS, "StringEqualsIgnoreCaseIfExists", MAIN.upper(), True),
        (OPERATORS, "StringNotEqualsIgnoreCaseIfExists", "x", True),
        (OPERATORS, "StringLikeIfExists", "repo:else/*", False),
        (OPERATORS, "StringNotLikeIfExists", "repo:*", False),
        (OPERATORS, "Null", "false", True),
        (OPERATORS, "Null", False, True),
        (OPERATORS, "Null", "true", False),
    ],
)
def test_an_operator_on_a_key_of_the_request(page, operator, wanted, expected):
    assert holds({operator: {SUB: wanted}}, {SUB: MAIN}) is expected, page


@pytest.mark.parametrize(
    ("page", "operator", "expected"),
    [
        (OPERATORS, "StringEquals", False),
        (OPERATORS, "StringEqualsIgnoreCase", False),
        (OPERATORS, "StringLike", False),
        (OPERATORS, "StringNotEquals", True),
        (OPERATORS, "StringNotEqualsIgnoreCase", True),
        (OPERATORS, "StringNotLike", True),
        (OPERATORS, "ArnLike", False),
        (OPERATORS, "ArnNotEquals", True),
        (OPERATORS, "Bool", False),
        (OPERATORS, "StringEqualsIfExists", True),
        (OPERATORS, "StringLikeIfExists", True),
        (OPERATORS, "StringEqualsIgnoreCaseIfExists", True),
        (OPERATORS, "StringNotEqualsIfExists", True),
        (OPERATORS, "BoolIfExists", True),
        (SETS, "ForAllValues:StringEquals", True),
        (SETS, "ForAllValues:StringLike", True),
        (SETS, "ForAllValues:StringNotEquals", True),
        (SETS, "ForAnyValue:StringEquals", False),
        (SETS, "ForAnyValue:StringNotEquals", False),
        (SETS, "ForAnyValue:StringEqualsIfExists", True),
        (OPERATORS, "Null", False),
    ],
)
def test_an_operator_on_a_key_the_request_does_not_have(page, operator, expected):
    assert holds({operator: {SUB: "false"}}, {}) is expected, page


@pytest.mark.parametrize("value", ["true", "True", "TRUE"])
def test_null_reads_its_value_in_any_case(value):
    assert holds({"Null": {"x": value}}, {})
    assert not holds({"Null": {"x": value}}, {"x": "y"})


def test_null_true_holds_for_a_key_the_request_does_not_have():
    assert holds({"Null": {SUB: "true"}}, {})


@pytest.mark.parametrize(
    ("page", "operator", "wanted", "expected"),
    [
        (SETS, "ForAllValues:StringEquals", ["team", "stage", "x"], True),
        (SETS, "ForAllValues:StringEquals", ["team"], False),
        (SETS, "ForAnyValue:StringEquals", ["team"], True),
        (SETS, "ForAnyValue:StringEquals", ["x"], False),
        (SETS, "ForAllValues:StringNotEquals", ["x"], True),
        (SETS, "ForAllValues:StringNotEquals", ["team"], False),
        (SETS, "ForAnyValue:StringNotEquals", ["team"], True),
        (SETS, "ForAnyValue:StringNotEquals", ["team", "stage"], False),
        (SETS, "ForAllValues:StringLike", "*", True),
        (SETS, "ForAllValues:StringEqualsIgnoreCase", ["TEAM", "Stage"], True),
        (SETS, "ForAnyValue:StringNotLike", ["t*"], True),
        (SETS, "ForAnyValue:StringLikeIfExists", "st*", True),
    ],
)
def test_a_set_operator_asks_about_every_value_or_any(page, operator, wanted, expected):
    assert holds({operator: {"aws:TagKeys": wanted}}, {"aws:TagKeys": ["team", "stage"]}) is expected, page


@pytest.mark.parametrize(
    ("page", "operator", "expected"),
    [
        (SETS, "ForAllValues:StringEquals", True),
        (SETS, "ForAnyValue:StringEquals", False),
        (OPERATORS, "StringEquals", False),
    ],
)
def test_an_empty_text_is_an_empty_set_to_set_operators(page, operator, expected):
    assert holds({operator: {SUB: "x"}}, {SUB: ""}) is expected, page


@pytest.mark.parametrize(
    ("page", "operator", "wanted", "expected"),
    [
        (OPERATORS, "ArnEquals", ROLE, True),
        (OPERATORS, "ArnLike", "arn:aws:iam::123456789012:role/*", True),
        (OPERATORS, "ArnEquals", "arn:aws:iam::*:role/ci/deplo?", True),
        (OPERATORS, "ArnLike", "arn:aws:iam:*:role/ci/deploy", False),
        (OPERATORS, "ArnLike", "*", False),
        (OPERATORS, "ArnNotLike", "arn:aws:iam::123456789012:role/*", False),
        (OPERATORS, "ArnNotEquals", USER, True),
        (OPERATORS, "ForAnyValue:ArnLikeIfExists", ROLE, True),
    ],
)
def test_an_arn_is_compared_component_by_component(page, operator, wanted, expected):
    assert holds({operator: {"aws:PrincipalArn": wanted}}, {"aws:PrincipalArn": ROLE}) is expected, page


@pytest.mark.parametrize(
    ("page", "wanted", "expected"),
    [(OPERATORS, "true", True), (OPERATORS, True, True), (OPERATORS, "false", False)],
)
def test_a_boolean_is_true_or_false(page, wanted, expected):
    context = {"aws:MultiFactorAuthPresent": "true"}
    assert holds({"Bool": {"aws:MultiFactorAuthPresent": wanted}}, context) is expected, page


def test_condition_keys_are_case_insensitive():
    assert holds({"StringEquals": {SUB.upper(): MAIN}}, {SUB.title(): MAIN}), CONDITION


def test_every_key_and_every_operator_must_hold():
    context = {SUB: MAIN, "sts:RoleSessionName": "run"}
    both = {"StringLike": {SUB: "repo:*"}, "StringEquals": {"sts:RoleSessionName": "run"}}
    assert holds(both, context), LOGIC
    assert not holds(both | {"StringEquals": {"sts:RoleSessionName": "run", SUB: "x"}}, context), LOGIC


def test_numbers_in_a_policy_are_texts_in_a_request():
    assert holds({"StringEquals": {f"{GITHUB}:repository_id": 74}}, {f"{GITHUB}:repository_id": "74"}), GRAMMAR


# --- wildcards and variables


@pytest.mark.parametrize(
    ("given_text", "wanted", "expected"),
    [
        ("a\nb", "a*", True),
        ("a\nb", "a?b", True),
        ("a/b/c", "a/*c", True),
        ("ab", "a?b", False),
        ("", "*", True),
        ("", "?", False),
        ("", "", True),
        ("abcabc", "*abc", True),
        ("aXbXc", "a*b*c", True),
        ("acb", "a*b*c", False),
        ("ab", "ab*b", False),
        ("a.b", "a.b", True),
        ("a+b", "a.b", False),
        ("[x]", "[x]", True),
        ("x", "[x]", False),
    ],
)
def test_a_star_is_any_text_and_a_question_mark_one_character(given_text, wanted, expected):
    assert like(given_text, wanted) is expected, OPERATORS


def test_a_pattern_of_many_stars_takes_no_longer_than_a_short_one():
    assert not like("a" * 20_000, "*a" * 200 + "b"), "this would not end if every way were tried"


@pytest.mark.parametrize(
    ("page", "operator", "wanted", "given_text", "expected"),
    [
        (VARIABLES, "StringLike", "a${*}b", "a*b", True),
        (VARIABLES, "StringLike", "a${*}b", "axb", False),
        (VARIABLES, "StringLike", "a${?}*", "a?b", True),
        (VARIABLES, "StringLike", "a${?}", "ab", False),
        (VARIABLES, "StringLike", "${$}{x}*", "${x}y", True),
        (VARIABLES, "StringEquals", "a${*}b", "a*b", True),
        (VARIABLES, "StringEquals", "${$}{a}", "${a}", True),
        (VARIABLES, "StringEqualsIgnoreCase", "A${?}", "a?", True),
        (VARIABLES, "StringNotEquals", "a${*}b", "a*b", False),
        (VARIABLES, "ArnLike", "arn:aws:iam::1:role/${*}", "arn:aws:iam::1:role/*", True),
        (VARIABLES, "StringEquals", "$x", "$x", True),
        (VARIABLES, "StringEquals", "{x}", "{x}", True),
    ],
)
def test_the_three_special_characters_have_variables_of_their_own(page, operator, wanted, given_text, expected):
    assert holds({operator: {SUB: wanted}}, {SUB: given_text}) is expected, page


@pytest.mark.parametrize(
    ("page", "operator", "wanted", "given_text"),
    [
        (VERSION, "StringEquals", "${aws:username}", "${aws:username}"),
        (VERSION, "StringEquals", "${*}", "${*}"),
        (VERSION, "StringLike", "${*}", "${x}"),
        (VERSION, "StringLike", "a${", "a${"),
    ],
)
@pytest.mark.parametrize("version", ["2008-10-17", None])
def test_before_version_2012_a_variable_is_literal_text(page, operator, wanted, given_text, version):
    old = policy(statement(condition={operator: {SUB: wanted}}), version=version)
    if version is None:
        del old["Version"]
    assert evaluate(old, principal=PROVIDER, action=EXCHANGE, context={SUB: given_text}).allowed, page


@pytest.mark.parametrize(
    "wanted", ["repo:${aws:PrincipalTag/org}/*", ["x", "${aws:username, 'anonymous'}"], "${", "${*}${x}", "${}"]
)
def test_a_policy_variable_is_refused_loudly(wanted):
    with pytest.raises(UnsupportedPolicyError, match="policy variable"):
        holds({"StringLike": {SUB: wanted}}, {SUB: MAIN})


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a*", True), ("?", True), ("a", False), ("${*}", False), ("${?}*", True), ("${$}", False)],
)
def test_a_wildcard_is_one_unless_it_is_spelled_as_a_character(value, expected):
    assert has_wildcard(value) is expected


# --- what it does not know


@pytest.mark.parametrize(
    "operator",
    [
        "stringequals",  # IAM: "MalformedPolicyDocument: Invalid Condition type"
        "StringEqualsIgnoreCaseIfExist",
        "ForSome:StringEquals",
        "NullIfExists",
        "BoolNot",
        "BoolEquals",
        "NumericEquals",
        "DateGreaterThan",
        "IpAddress",
        "BinaryEquals",
        "String",
        "Arn",
        "",
    ],
)
def test_an_operator_nobody_taught_it_is_refused_loudly(operator):
    with pytest.raises(UnsupportedPolicyError, match=f"condition operator '{operator}'"):
        holds({operator: {SUB: MAIN}}, {SUB: MAIN})


def test_an_unknown_operator_is_refused_even_behind_a_false_condition():
    with pytest.raises(UnsupportedPolicyError):
        holds({"StringEquals": {SUB: "x"}, "IpAddress": {"x": "0.0.0.0/0"}}, {SUB: MAIN})


def test_an_unknown_operator_is_refused_even_in_a_statement_for_someone_else():
    other = statement(principal={"AWS": "123456789012"}, condition={"NumericEquals": {"x": "1"}})
    with pytest.raises(UnsupportedPolicyError):
        decide(statement("Deny"), other)


# "AWS global condition context keys": "Availability" of each.
ALWAYS = (
    *("aws:CurrentTime", "aws:EpochTime", "aws:RequestedRegion", "aws:SecureTransport", "aws:UserAgent"),
    *("aws:ViaAWSService", "aws:PrincipalType", "aws:PrincipalAccount", "aws:userid", "aws:FederatedProvider"),
)
BY_NETWORK_OR_ROLE = (
    *("aws:SourceIp", "aws:SourceVpc", "aws:SourceVpcArn", "aws:SourceVpce", "aws:VpcSourceIp"),
    *("aws:VpceAccount", "aws:VpceOrgID", "aws:VpceOrgPaths"),
    *("aws:ResourceAccount", "aws:ResourceOrgID", "aws:ResourceOrgPaths", "aws:ResourceTag/x", "iam:ResourceTag/x"),
)
NOT_SURE = (
    *("aws:PrincipalArn", "aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:PrincipalTag/x"),
    *("aws:PrincipalIsAWSService", "aws:ViaAWSMCPService", "sts:RoleAuthorizedByIdp"),
    *("aws:SomethingNew", "sts:SomethingNew"),
)


@pytest.mark.parametrize("key", [*ALWAYS, *BY_NETWORK_OR_ROLE, *NOT_SURE, "AWS:requestedregion"])
@pytest.mark.parametrize(("operator", "wanted"), [("StringEquals", "x"), ("Bool", "false"), ("Null", "true")])
@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_there_is_no_verdict_where_a_key_is_in_the_request_with_a_value_that_only_aws_knows(
    key, operator, wanted, effect
):
    with pytest.raises(UnsupportedPolicyError, match=key):
        decide(statement(), statement(effect, condition={operator: {key: wanted}}), context={SUB: MAIN})


@pytest.mark.parametrize(
    "key",
    [
        *("aws:TokenIssueTime", "aws:MultiFactorAuthPresent", "aws:MultiFactorAuthAge", "aws:username"),
        *("aws:CalledVia", "aws:CalledViaFirst", "aws:CalledViaLast", "aws:CalledViaAWSMCP", "aws:referer"),
        *("aws:SourceArn", "aws:SourceAccount", "aws:SourceOrgID", "aws:PrincipalServiceName"),
        *("aws:RequestTag/x", "aws:TagKeys", "sts:ExternalId", "sts:SourceIdentity"),
    ],
)
def test_a_key_that_only_other_requests_have_is_absent(key):
    assert holds({"Null": {key: "true"}}, {SUB: MAIN})


@pytest.mark.parametrize("provider", [GITHUB, f"{GITHUB}/octo", "token.actions.octo.ghe.com"])
def test_there_is_no_verdict_on_a_claim_that_lists_of_condition_keys_differ_on(provider):
    with pytest.raises(UnsupportedPolicyError, match="runner_environment"):
        holds({"StringEquals": {f"{provider}:runner_environment": "github-hosted"}}, {SUB: MAIN})


@pytest.mark.parametrize("operator", ["StringEquals", "StringNotEquals", "ForAllValues:StringLike", "Null", "Bool"])
@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_there_is_no_verdict_on_an_empty_list_of_values(operator, effect):
    with pytest.raises(UnsupportedPolicyError, match="without a value"):
        decide(statement(), statement(effect, condition={operator: {SUB: []}}), context={SUB: MAIN})


def test_a_key_that_is_told_is_known():
    assert holds({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}, {"aws:RequestedRegion": "us-east-1"})


# --- reading


def without(element):
    return {name: value for name, value in statement().items() if name != element}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1 is not valid JSON"),
        ("{\n,", "line 2 is not valid JSON"),
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        ('{"a": NaN}', "NaN is not JSON"),
        (f'{{"a": {"9" * 5000}}}', "it is not valid JSON"),
        ("[" * 90_000, "it is not valid JSON"),
        (" " * 100_001, "100001 characters"),
        ("[]", "the policy is a list, and not a JSON object"),
        ('"x"', "the policy is 'x', and not a JSON object"),
        ("null", "the policy is null, and not a JSON object"),
        ("{}", "the policy has no Statement"),
        ('{"Statement": []}', "the policy has no Statement"),
        ('{"Statement": [1]}', "Statement[0] is 1, and not a JSON object"),
        ('{"statement": []}', "the policy has 'statement', and not only Version, Id, Statement"),
        ('{"Version": "2024-01-01", "Statement": []}', "Version is '2024-01-01', and not one of"),
        ('{"Version": [], "Statement": []}', "Version is a list, and not one of"),
        ('{"Role": {"AssumeRolePolicyDocument": "x"}}', "the policy is 'x'"),
    ],
)
def test_what_is_no_policy_is_said_to_be_none(text, why):
    with pytest.raises(InvalidPolicyError) as error:
        read(text)
    assert why in str(error.value)


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (statement("allow"), "Statement[1].Effect is 'allow', neither 'Allow' nor 'Deny'"),
        (statement(["Allow"]), "Statement[1].Effect is a list"),
        (without("Effect"), "Statement[1].Effect is null"),
        (without("Action"), "Statement[1] must have either Action or NotAction"),
        (without("Principal"), "Statement[1] must have either Principal or NotPrincipal"),
        (statement() | {"NotAction": "x"}, "Statement[1] must have either Action or NotAction"),
        (statement() | {"Resource": "*"}, "Statement[1] has 'Resource', and not only"),
        (statement() | {"Sid": 1}, "Statement[1].Sid is 1, and not only letters and digits"),
        (statement() | {"Sid": ["x"]}, "Statement[1].Sid is a list, and not only letters"),
        (statement() | {"Sid": "a b-c"}, "Statement[1].Sid is 'a b-c', and not only letters"),
        (statement(action={"x": 1}), "Statement[1].Action is an object, and not a text"),
        (statement(action=["x", None]), "Statement[1].Action is a list, and not a text"),
        (statement(principal="x"), "Statement[1].Principal is 'x', and not a JSON object"),
        (statement(principal={"Aws": "*"}), "Statement[1].Principal has 'Aws', and not only"),
        (statement(principal={"AWS": 12}), "Statement[1].Principal.AWS is 12, and not a text"),
        (statement() | {"Condition": []}, "Statement[1].Condition is a list, and not a JSON object"),
        (statement(condition={"Null": "x"}), "Statement[1].Condition.Null is 'x', and not a JSON object"),
        (statement(condition={"Null": {"x": None}}), "Statement[1].Condition.Null.x is null, and not a text"),
        (statement(condition={"Null": {"x": [{}]}}), "Statement[1].Condition.Null.x is a list, and not a text"),
    ],
)
def test_what_is_no_statement_is_said_where_it_stands(one, why):
    with pytest.raises(InvalidPolicyError) as error:
        read(json.dumps(policy(statement(), one)))
    assert why in str(error.value)


def test_what_is_no_policy_is_not_evaluated_either():
    with pytest.raises(InvalidPolicyError, match="neither 'Allow' nor 'Deny'"):
        decide(statement("allow"))


@pytest.mark.parametrize("around", [(), ("AssumeRolePolicyDocument",), ("Role", "AssumeRolePolicyDocument")])
def test_a_policy_is_read_from_what_the_command_line_of_aws_prints(around):
    document = policy(statement())
    for name in reversed(around):
        document = {"RoleName": "deploy", name: document}
    assert read("\ufeff" + json.dumps(document)) == policy(statement())


# --- the request


def test_the_claims_of_github_are_condition_keys():
    claims = {"aud": "a", "sub": MAIN, "repository_id": 74, "repository_owner": "octo-org", "environment": None}

    assert context_of(claims, GITHUB, session_name="run") == {
        f"{GITHUB}:aud": "a",
        f"{GITHUB}:sub": MAIN,
        f"{GITHUB}:repository_id": "74",
        "sts:RoleSessionName": "run",
    }


@pytest.mark.parametrize(
    "provider",
    [GITHUB, f"{GITHUB}/octo-enterprise", "token.actions.octo.ghe.com", "github.com/enterprises/octo-enterprise"],
)
def test_every_issuer_of_githubs_own_has_these_keys(provider):
    claims = dict.fromkeys(GITHUB_CLAIM_KEYS, "x")
    assert set(context_of(claims, provider)) == {f"{provider}:{name}" for name in claims} | {"sts:RoleSessionName"}


@pytest.mark.parametrize(
    "provider", ["ghe.example/_services/token", "gitlab.com", "token.actions.githubusercontent.com.evil.example"]
)
def test_of_other_issuers_aws_looks_at_audience_and_subject_only(provider):
    context = context_of({"aud": ["a", "b"], "sub": "s", "repository": "r"}, provider)
    assert context == {
        f"{provider}:aud": ["a", "b"],
        f"{provider}:sub": "s",
        "sts:RoleSessionName": "GitHubActions",
    }


def test_the_audience_that_the_provider_lists_is_the_one_that_counts():
    assert context_of({"aud": ["a", "b"]}, GITHUB, audience="b")[f"{GITHUB}:aud"] == "b"


def test_a_provider_has_the_same_name_as_issuer_and_as_arn():
    issuer = "https://ghe.example/_services/token"
    arn = provider_arn(issuer, "123456789012", "aws-cn")

    assert arn == "arn:aws-cn:iam::123456789012:oidc-provider/ghe.example/_services/token"
    assert provider_of(arn) == provider_of(issuer) == "ghe.example/_services/token"


# --- whatever the values

TEXTS = st.text(max_size=20)
PLAIN = TEXTS.filter(lambda text: "${" not in text)
STRING_OPERATORS = st.sampled_from(
    [
        f"{quantifier}String{comparison}{if_exists}"
        for quantifier in ("", "ForAnyValue:", "ForAllValues:")
        for comparison in ("Equals", "NotEquals", "EqualsIgnoreCase", "NotEqualsIgnoreCase", "Like", "NotLike")
        for if_exists in ("", "IfExists")
    ]
)
CONDITIONS = st.dictionaries(
    STRING_OPERATORS,
    st.dictionaries(st.sampled_from([SUB, "x"]), PLAIN | st.lists(PLAIN, min_size=1, max_size=3), max_size=2),
)
STATEMENTS = st.builds(
    statement,
    st.sampled_from(["Allow", "Deny"]),
    st.sampled_from(["*", {"Federated": PROVIDER}, {"AWS": ROLE}]),
    st.sampled_from([EXCHANGE, "*", ["sts:AssumeRole"]]),
    CONDITIONS,
)


@given(PLAIN.filter(bool), st.lists(PLAIN, max_size=3))
def test_a_tokens_own_value_is_equal_to_it(value, others):
    assert holds({"StringEquals": {SUB: [*others, value]}}, {SUB: value})


@given(st.lists(STATEMENTS, min_size=1, max_size=3), TEXTS)
def test_a_deny_that_matches_refuses_whatever_else_is_allowed(statements, value):
    deny = statement("Deny", condition={"StringLike": {SUB: "*"}})
    assert decide(*statements, deny, context={SUB: value}).effect == "Deny"


@given(TEXTS, TEXTS.filter(lambda text: not set("*?") & set(text) and "${" not in text))
@example("a", "a")
def test_without_a_wildcard_like_is_equal(value, wanted):
    context = {SUB: value}
    assert holds({"StringLike": {SUB: wanted}}, context) is holds({"StringEquals": {SUB: wanted}}, context)


@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_a_text_is_like_its_parts_with_stars_between_them(parts):
    assert like("".join(parts), "*".join(part.replace("${", "${$}{") for part in parts))


@given(st.sampled_from(["Equals", "NotEquals", "Like", "NotLike"]), st.lists(PLAIN, min_size=1, max_size=3))
def test_for_all_values_holds_for_a_key_that_is_not_there(comparison, wanted):
    assert holds({f"ForAllValues:String{comparison}": {SUB: wanted}}, {})


@given(TEXTS, TEXTS, st.sampled_from(["Equals", "EqualsIgnoreCase", "Like"]))
def test_a_negated_operator_says_the_contrary(value, wanted, comparison):
    wanted, context = wanted.replace("${", "$"), {SUB: value}
    positive = holds({f"String{comparison}": {SUB: wanted}}, context)
    negated = f"String{'NotEquals' + comparison.removeprefix('Equals') if 'Equals' in comparison else 'NotLike'}"
    assert holds({negated: {SUB: wanted}}, context) is not positive


@given(st.lists(STATEMENTS, min_size=1, max_size=3), st.dictionaries(st.sampled_from([SUB, "x"]), TEXTS))
def test_a_policy_that_was_written_and_read_decides_the_same(statements, context):
    request = {"principal": PROVIDER, "action": EXCHANGE, "context": context}
    assert evaluate(read(json.dumps(policy(*statements))), **request) == evaluate(policy(*statements), **request)


@given(st.text(max_size=200))
@example('{"Statement": {"Effect": "Allow", "Principal": {}, "Action": []}}')
def test_any_text_is_a_policy_or_is_said_not_to_be_one(text):
    try:
        trust.check(read(text))
    except InvalidPolicyError as error:
        assert str(error)  # noqa: PT017 - a property has two sides
