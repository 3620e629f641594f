import pytest

from sandbox.trust import UnsupportedPolicyError, evaluate

PROVIDER = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
SUB = "token.actions.githubusercontent.com:sub"
ACTION = "sts:AssumeRoleWithWebIdentity"
MAIN = "repo:octo-org/octo-repo:ref:refs/heads/main"


def statement(effect="Allow", principal=None, action=ACTION, condition=None):
    return {
        "Effect": effect,
        "Principal": principal or {"Federated": PROVIDER},
        "Action": action,
        "Condition": condition or {},
    }


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def decide(*statements, principal=PROVIDER, action=ACTION, context=None):
    return evaluate(policy(*statements), principal=principal, action=action, context=context or {})


def holds(condition, context):
    return decide(statement(condition=condition), context=context).allowed


def test_a_statement_that_matches_allows():
    decision = decide(statement())
    assert (decision.allowed, decision.effect, decision.statement) == (True, "Allow", 0)


def test_a_policy_may_have_one_statement_outside_a_list():
    one = {"Statement": statement()}
    assert evaluate(one, principal=PROVIDER, action=ACTION, context={}).allowed


def test_nothing_that_matches_is_an_implicit_deny():
    decision = decide(statement(action="sts:AssumeRole"))
    assert (decision.allowed, decision.effect, decision.statement) == (False, None, None)


def test_an_explicit_deny_wins_over_an_allow_before_it():
    decision = decide(statement(), statement("Deny"))
    assert (decision.allowed, decision.effect, decision.statement) == (False, "Deny", 1)


def test_the_first_allow_is_the_one_that_decides():
    assert decide(statement(action="s3:*"), statement(), statement()).statement == 1


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (ACTION, True),
        ("sts:assumerolewithwebidentity", True),
        (["sts:TagSession", ACTION], True),
        ("sts:*", True),
        ("*", True),
        ("sts:AssumeRoleWith???Identity", True),
        ("sts:AssumeRole", False),
        ("sts:AssumeRoleWith.*", False),
        ([], False),
    ],
)
def test_an_action_matches_by_name_or_glob_in_any_case(action, expected):
    assert decide(statement(action=action)).allowed is expected


def test_not_action_matches_every_other_action():
    allow = statement() | {"NotAction": "sts:AssumeRole"}
    assert decide(allow).allowed
    assert not decide(allow, action="sts:AssumeRole").allowed


SESSION = "arn:aws:sts::123456789012:assumed-role/deploy/run"
ROLE = "arn:aws:iam::123456789012:role/ci/deploy"


@pytest.mark.parametrize(
    ("element", "principal", "expected"),
    [
        ({"Federated": PROVIDER}, PROVIDER, True),
        ({"Federated": ["arn:aws:iam::123456789012:saml-provider/x", PROVIDER]}, PROVIDER, True),
        ({"Federated": PROVIDER + "/octo"}, PROVIDER, False),
        ({"Federated": "*"}, PROVIDER, False),
        ({"AWS": "123456789012"}, PROVIDER, False),
        ("*", PROVIDER, True),
        ({"AWS": "*"}, PROVIDER, True),
        ({"AWS": "*"}, (SESSION, ROLE), True),
        ({"AWS": SESSION}, (SESSION, ROLE), True),
        ({"AWS": ROLE}, (SESSION, ROLE), True),
        ({"AWS": "123456789012"}, (SESSION, ROLE), True),
        ({"AWS": "arn:aws:iam::123456789012:root"}, (SESSION, ROLE), True),
        ({"AWS": "arn:aws:iam::210987654321:root"}, (SESSION, ROLE), False),
        ({"AWS": "arn:aws-cn:iam::123456789012:root"}, (SESSION, ROLE), False),
        ({"AWS": "arn:aws:iam::123456789012:role/ci/*"}, (SESSION, ROLE), False),
        ({"Service": "ec2.amazonaws.com"}, (SESSION, ROLE), False),
    ],
)
def test_a_principal_is_named_exactly_or_by_its_account_or_as_everyone(element, principal, expected):
    assert decide(statement(principal=element), principal=principal).allowed is expected


def test_not_principal_denies_everyone_but_the_one_named():
    deny = {"Effect": "Deny", "NotPrincipal": {"AWS": ROLE}, "Action": "*"}
    allow = statement(principal="*")
    assert decide(allow, deny, principal=(SESSION, ROLE)).allowed
    assert decide(allow, deny, principal="arn:aws:iam::123456789012:user/eve").effect == "Deny"


@pytest.mark.parametrize(
    ("operator", "wanted", "expected"),
    [
        ("StringEquals", MAIN, True),
        ("StringEquals", ["x", MAIN], True),
        ("StringEquals", "repo:octo-org/*", False),
        ("StringEquals", MAIN.upper(), False),
        ("StringNotEquals", MAIN, False),
        ("StringNotEquals", ["x", MAIN], False),
        ("StringNotEquals", ["x", "y"], True),
        ("StringEqualsIgnoreCase", MAIN.upper(), True),
        ("StringEqualsIgnoreCase", "x", False),
        ("StringNotEqualsIgnoreCase", MAIN.upper(), False),
        ("StringNotEqualsIgnoreCase", "x", True),
        ("StringLike", "repo:octo-org/*", True),
        ("StringLike", "repo:octo-org/octo-rep?:*", True),
        ("StringLike", "repo:octo-org", False),
        ("StringLike", "REPO:*", False),
        ("StringLike", "repo.octo-org/*", False),
        ("StringNotLike", "repo:octo-org/*", False),
        ("StringNotLike", "repo:else/*", True),
        ("StringEqualsIfExists", MAIN, True),
        ("StringEqualsIfExists", "x", False),
        ("StringNotLikeIfExists", "repo:*", False),
        ("Null", "false", True),
        ("Null", False, True),
        ("Null", "true", False),
    ],
)
def test_an_operator_on_a_key_of_the_request(operator, wanted, expected):
    assert holds({operator: {SUB: wanted}}, {SUB: MAIN}) is expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", False),
        ("StringEqualsIgnoreCase", False),
        ("StringLike", False),
        ("StringNotEquals", True),
        ("StringNotEqualsIgnoreCase", True),
        ("StringNotLike", True),
        ("StringEqualsIfExists", True),
        ("StringLikeIfExists", True),
        ("StringNotEqualsIfExists", True),
        ("ForAllValues:StringEquals", True),
        ("ForAllValues:StringNotEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("ForAnyValue:StringEqualsIfExists", True),
        ("Null", False),
    ],
)
def test_an_operator_on_a_key_the_request_does_not_have(operator, expected):
    assert holds({operator: {SUB: "false"}}, {}) is expected


def test_null_true_holds_for_a_key_the_request_does_not_have():
    assert holds({"Null": {SUB: "true"}}, {})


@pytest.mark.parametrize(
    ("operator", "wanted", "expected"),
    [
        ("ForAllValues:StringEquals", ["team", "stage", "x"], True),
        ("ForAllValues:StringEquals", ["team"], False),
        ("ForAnyValue:StringEquals", ["team"], True),
        ("ForAnyValue:StringEquals", ["x"], False),
        ("ForAllValues:StringNotEquals", ["x"], True),
        ("ForAllValues:StringNotEquals", ["team"], False),
        ("ForAnyValue:StringNotEquals", ["team"], True),
        ("ForAnyValue:StringNotEquals", ["team", "stage"], False),
        ("ForAllValues:StringLike", "*", True),
        ("ForAnyValue:StringLikeIfExists", "st*", True),
    ],
)
def test_a_set_operator_asks_about_every_value_or_any(operator, wanted, expected):
    assert holds({operator: {"aws:TagKeys": wanted}}, {"aws:TagKeys": ["team", "stage"]}) is expected


def test_condition_keys_are_case_insensitive():
    assert holds({"StringEquals": {SUB.upper(): MAIN}}, {SUB.title(): MAIN})


def test_every_key_and_every_operator_must_hold():
    context = {SUB: MAIN, "sts:RoleSessionName": "run"}
    both = {"StringLike": {SUB: "repo:*"}, "StringEquals": {"sts:RoleSessionName": "run"}}
    assert holds(both, context)
    assert not holds(both | {"StringEquals": {"sts:RoleSessionName": "run", SUB: "x"}}, context)


@pytest.mark.parametrize(
    "operator",
    ["ArnLike", "stringequals", "StringEqualsIgnoreCaseIfExist", "ForSome:StringEquals", "NullIfExists", "Bool"],
)
def test_an_operator_nobody_taught_it_is_refused_loudly(operator):
    with pytest.raises(UnsupportedPolicyError, match=operator):
        holds({operator: {SUB: MAIN}}, {SUB: MAIN})


def test_an_unknown_operator_is_refused_even_behind_a_false_condition():
    with pytest.raises(UnsupportedPolicyError):
        holds({"StringEquals": {SUB: "x"}, "Bool": {"aws:SecureTransport": "true"}}, {SUB: MAIN})


def test_an_unknown_operator_is_refused_even_in_a_statement_for_someone_else():
    other = statement(principal={"AWS": "123456789012"}, condition={"Bool": {"x": "true"}})
    with pytest.raises(UnsupportedPolicyError):
        decide(statement("Deny"), other)


def test_a_policy_variable_is_refused_loudly():
    with pytest.raises(UnsupportedPolicyError, match="policy variable"):
        holds({"StringLike": {SUB: "repo:${aws:PrincipalTag/org}/*"}}, {SUB: MAIN})


def test_an_effect_other_than_allow_and_deny_is_refused_loudly():
    with pytest.raises(UnsupportedPolicyError, match="effect 'allow'"):
        decide(statement("allow"))
