import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_aws_oidc.explain import findings as module
from py_aws_oidc.explain.findings import OPERATORS, Finding, findings
from py_aws_oidc.explain.trust import GITHUB_CLAIM_KEYS, InvalidPolicyError

GITHUB = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::123456789012:oidc-provider/{GITHUB}"
GHES = "ghe.example/_services/token"
SAML = "arn:aws:iam::123456789012:saml-provider/x"
SUB, AUD = f"{GITHUB}:sub", f"{GITHUB}:aud"
MAIN = "repo:octo-org@65/octo-repo@74:ref:refs/heads/main"
NAMES = "repo:octo-org/octo-repo:ref:refs/heads/main"
EXCHANGE = "sts:AssumeRoleWithWebIdentity"


def statement(condition=None, effect="Allow", principal=None, action=EXCHANGE):
    good = {"StringEquals": {AUD: "sts.amazonaws.com", SUB: MAIN}}
    return {
        "Effect": effect,
        "Principal": principal or {"Federated": PROVIDER},
        "Action": action,
        "Condition": good if condition is None else condition,
    }


def found(*statements):
    return findings({"Version": "2012-10-17", "Statement": list(statements)})


def of_subject(value, operator="StringLike", provider=GITHUB, **more):
    """What is found of a subject in a statement that is good else."""
    condition = {
        operator: {f"{provider}:sub": value},
        "StringEquals": {f"{provider}:aud": "sts.amazonaws.com"} | more,
    }
    if operator == "StringEquals":
        condition[operator][f"{provider}:sub"] = value
    arn = f"arn:aws:iam::123456789012:oidc-provider/{provider}"
    return found(statement(condition, principal={"Federated": arn}))


def with_lines(**conditions):
    """What is found where these are added to a good condition."""
    good = {AUD: "sts.amazonaws.com", SUB: MAIN}
    return found(statement(conditions | {"StringEquals": good | conditions.get("StringEquals", {})}))


def only(found):
    (finding,) = found
    return finding


def test_a_good_policy_has_no_findings():
    assert found(statement()) == []


def test_a_finding_says_where_what_and_what_to_do():
    assert only(with_lines(**{"ForAllValues:StringEquals": {f"{GITHUB}:environment": "prod"}})) == Finding(
        "error",
        f"Statement[0].Condition.ForAllValues:StringEquals.{GITHUB}:environment",
        "ForAllValues holds for a token that does not have the claim at all.",
        "use StringEquals by itself; a claim has one value.",
    )


def test_every_statement_is_looked_at():
    bad = statement({"StringEquals": {SUB: MAIN}})
    assert [finding.where for finding in found(bad, statement(), bad)] == [
        "Statement[0].Condition",
        "Statement[2].Condition",
    ]


def test_what_is_no_policy_has_no_findings():
    with pytest.raises(InvalidPolicyError):
        findings({})


# --- what is missing


@pytest.mark.parametrize("operator", ["StringNotEquals", "StringNotLike", "Null"])
def test_without_a_condition_on_the_audience_other_tokens_are_taken(operator):
    condition = {operator: {AUD: "true"}, "StringEquals": {SUB: MAIN}}
    finding = only(found(statement(condition)))
    assert (finding.severity, finding.what[:33]) == ("warning", "No condition is on the audience, ")


@pytest.mark.parametrize(
    ("provider", "who"),
    [
        (GITHUB, "on GitHub may; IAM refuses"),
        (GHES, "of this issuer may"),
        (f"{GITHUB}/octo", "of this issuer may"),
    ],
)
def test_without_a_condition_on_the_subject_everybody_comes_in(provider, who):
    arn = f"arn:aws:iam::123456789012:oidc-provider/{provider}"
    condition = {"StringEquals": {f"{provider}:aud": "a"}, "StringNotEquals": {f"{provider}:sub": "x"}}
    finding = only(found(statement(condition, principal={"Federated": arn})))
    assert finding.severity == "error"
    assert who in finding.what


@pytest.mark.parametrize(
    "other",
    [f"{GITHUB}:actor", f"{GITHUB}:environment", f"{GITHUB}:repository_id", f"{GITHUB}:repository_owner", "sub"],
)
@pytest.mark.parametrize("operator", ["StringEquals", "stringEquals"])
def test_where_another_condition_stands_nobody_is_said_to_come_in(other, operator):
    condition = {"StringLike": {AUD: "a"}, operator: {other: "x"}}
    finding = found(statement(condition))[0]
    assert (finding.severity, finding.where) == ("error", "Statement[0].Condition")
    assert finding.what == (
        "No condition is on the subject, which names the repository; IAM refuses to save such a policy."
    )


@pytest.mark.parametrize(("claim", "severities"), [("repository_id", []), ("actor", ["warning"])])
def test_an_issuer_of_ones_own_needs_no_condition_on_the_subject(claim, severities):
    own = f"{GITHUB}/octo"
    condition = {"StringEquals": {f"{own}:aud": "a", f"{own}:{claim}": "74"}}
    principal = {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{own}"}
    assert [finding.severity for finding in found(statement(condition, principal=principal))] == severities


# --- reusable workflows

WORKFLOW = "octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main"


def of_workflow(value, operator="StringLike", **more):
    """What is found of a reusable workflow where nothing is said of the subject."""
    key = f"{GITHUB}:job_workflow_ref"
    return found(statement({"StringEquals": {AUD: "a"} | more, operator: {AUD: "a", key: value} | more}))


@pytest.mark.parametrize(
    "value", ["*", "octo-*", "octo-org/*", "*/octo-repo/.github/workflows/deploy.yml@*", "o/r*"]
)
def test_a_pattern_of_workflows_of_several_repositories_lets_strangers_in(value):
    finding = only(of_workflow([value]))
    assert (finding.severity, finding.where) == (
        "error",
        f"Statement[0].Condition.StringLike.{GITHUB}:job_workflow_ref",
    )
    assert finding.what.startswith(f"{value!r} fits workflows of more than one repository, ")


@pytest.mark.parametrize(
    ("value", "operator"),
    [(WORKFLOW, "StringEquals"), (WORKFLOW, "StringLike"), ("octo-org/octo-repo/*", "StringLike")],
)
def test_a_workflow_says_nothing_of_who_calls_it(value, operator):
    finding = only(of_workflow(value, operator))
    assert finding.severity == "error"
    assert "nothing says who calls it" in finding.what


def test_where_all_callers_are_of_one_enterprise_a_workflow_alone_is_a_warning():
    own = f"{GITHUB}/octo"
    condition = {"StringEquals": {f"{own}:aud": "a", f"{own}:job_workflow_ref": WORKFLOW}}
    principal = {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{own}"}
    assert only(found(statement(condition, principal=principal))).severity == "warning"


@pytest.mark.parametrize("claim", ["sub", "repository", "repository_id"])
@pytest.mark.parametrize("value", ["*", WORKFLOW])
def test_a_workflow_may_be_any_where_the_caller_is_known(claim, value):
    assert of_workflow(value, **{f"{GITHUB}:{claim}": MAIN}) == []


def test_a_statement_without_any_condition_lacks_both():
    bare = {name: value for name, value in statement().items() if name != "Condition"}
    assert [finding.severity for finding in found(bare)] == ["warning", "error"]


@pytest.mark.parametrize(
    "other",
    [
        statement({}, effect="Deny"),
        statement({}, principal={"AWS": "123456789012"}, action="sts:AssumeRole"),
        statement({}, principal={"Service": "ec2.amazonaws.com"}, action="sts:AssumeRole"),
        statement({}, principal={"Federated": SAML}, action="sts:AssumeRoleWithSAML"),
        statement({}, principal="*", action=["sts:TagSession"]),
    ],
)
def test_nothing_is_missing_where_no_token_is_let_in(other):
    assert found(other) == []


# --- Principal and Action


@pytest.mark.parametrize("principal", ["*", {"AWS": "*"}, {"AWS": "arn:aws:iam::123456789012:root"}])
def test_a_token_does_not_come_from_a_principal_of_aws(principal):
    finding = only(found(statement(principal=principal)))
    assert (finding.severity, finding.where) == ("error", "Statement[0].Principal")


@pytest.mark.parametrize(
    "federated",
    [
        GITHUB,
        f"https://{GITHUB}",
        f"arn:aws:iam::123456789012:oidc-provider/https://{GITHUB}",
        f"arn:aws:iam::12345:oidc-provider/{GITHUB}",
    ],
)
def test_an_identity_provider_has_an_arn(federated):
    finding = found(statement(principal={"Federated": [PROVIDER, federated]}))
    assert only(finding).what == f"{federated!r} is not the ARN of an identity provider, so no token fits."


def test_an_identity_provider_of_awss_own_has_none():
    condition = {"StringEquals": {"accounts.google.com:aud": "a", "accounts.google.com:sub": "s"}}
    assert found(statement(condition, principal={"Federated": "accounts.google.com"})) == []


@pytest.mark.parametrize(
    ("effect", "severity", "what"),
    [
        (
            "Allow",
            "error",
            "It lets in everybody but those it names. IAM supports no NotPrincipal in trust policies.",
        ),
        ("Deny", "warning", "IAM supports no NotPrincipal in trust policies."),
    ],
)
@pytest.mark.parametrize("action", [EXCHANGE, "sts:AssumeRole"])
def test_not_principal_has_no_place_in_a_trust_policy(effect, severity, what, action):
    one = statement(effect=effect, action=action) | {"NotPrincipal": {"Federated": PROVIDER}}
    del one["Principal"]
    finding = only(found(one))
    assert (finding.severity, finding.where, finding.what) == (severity, "Statement[0].NotPrincipal", what)


@pytest.mark.parametrize("action", ["sts:AssumeRole", ["sts:TagSession", "sts:AssumeRoleWithSAML"]])
def test_a_token_is_exchanged_by_an_action_of_its_own(action):
    finding = only(found(statement(action=action)))
    assert (finding.where, finding.fix) == ("Statement[0].Action", f"write {EXCHANGE}.")


@pytest.mark.parametrize("action", ["sts:*", "*", ["sts:TagSession", EXCHANGE.lower()]])
def test_an_action_may_be_a_pattern(action):
    assert found(statement(action=action)) == []


# --- operators and keys


@pytest.mark.parametrize(
    ("operator", "meant"),
    [
        ("stringEquals", " Is it meant to be StringEquals?"),
        ("StringLikes", " Is it meant to be StringLike?"),
        ("ForAnyValues:StringLike", " Is it meant to be StringLike?"),
        ("Whatever", ""),
    ],
)
@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_an_operator_that_iam_does_not_have_is_found(operator, meant, effect):
    condition = {"StringEquals": {AUD: "a", SUB: MAIN}, operator: {"sts:RoleSessionName": "x"}}
    finding = only(found(statement(condition, effect)))
    assert finding.what == f"IAM has no such condition operator; upper and lower case count.{meant}"


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_that_iam_has_is_none_to_find(operator):
    assert with_lines(**{operator: {"aws:x": "1"}, f"ForAnyValue:{operator}IfExists": {"aws:x": "1"}}) == []


@pytest.mark.parametrize(
    ("key", "why", "fix"),
    [
        (f"https://{GITHUB}:sub", "without https://.", f"write {GITHUB}:sub."),
        ("gitlab.com:sub", "with the provider that Principal names.", f"write {GITHUB}:sub."),
        ("sub", "with the provider that Principal names.", f"write {GITHUB}:sub."),
        (f"{GITHUB}:repository_owner", "AWS does not look at it.", "use repository_id"),
        (f"{GITHUB}:event_name", "AWS does not look at it.", "use sub, or one of actor, "),
        (f"{GITHUB}:subject", " Is it meant to be sub?", "correct"),
        (f"{GITHUB}:enviroment", " Is it meant to be environment?", "correct"),
        (f"{GITHUB}:whatever", "AWS knows aud, sub, actor, ", "correct"),
        ("sts:SessionName", " Is it meant to be sts:RoleSessionName?", "correct"),
    ],
)
@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_a_key_that_no_request_has_is_found(key, why, fix, effect):
    condition = {"StringEquals": {AUD: "a", SUB: MAIN}, "StringLike": {key: "x"}}
    finding = only(found(statement(condition, effect)))
    assert finding.what.startswith(f"No request has the condition key {key!r}: ")
    assert why in finding.what
    assert finding.fix.startswith(fix)


@pytest.mark.parametrize(
    "key",
    [
        *(f"{GITHUB}:{claim}" for claim in GITHUB_CLAIM_KEYS),
        SUB.upper(),
        "aws:SourceIp",
        "sts:rolesessionname",
        "sts:RoleAuthorizedByIdp",
        "iam:ResourceTag/team",
        "sts:SomethingNew",
    ],
)
def test_a_key_that_a_request_may_have_is_none_to_find(key):
    assert with_lines(StringLike={key: "x"}) == []


def test_what_aws_knows_of_other_issuers_is_not_listed_here():
    other = {"Federated": "arn:aws:iam::123456789012:oidc-provider/oidc.example/org"}
    condition = {"StringEquals": {f"oidc.example/org:{name}": "x" for name in ("aud", "sub", "project-id")}}
    assert found(statement(condition, principal=other)) == []


def test_the_provider_is_compared_with_the_principal_in_any_case():
    other = {"Federated": "arn:aws:iam::123456789012:oidc-provider/OIDC.example"}
    condition = {"StringEquals": {"oidc.example:aud": "x", "oidc.example:sub": "x"}}
    assert found(statement(condition, principal=other)) == []


def test_keys_of_statements_for_others_are_left_alone():
    others = statement({"StringEquals": {"x:y": "z"}}, principal={"AWS": "1" * 12}, action="sts:AssumeRole")
    assert found(others) == []


def test_a_key_counts_where_the_principal_names_no_provider():
    condition = {"StringEquals": {AUD: "a", SUB: MAIN, "sub": "x"}}
    assert [finding.where for finding in found(statement(condition, principal="*"))] == [
        "Statement[0].Principal",
        "Statement[0].Condition.StringEquals.sub",
    ]


# --- values


@pytest.mark.parametrize("value", ["sts.amazonaws.com ", "\tx", "x\n"])
def test_white_space_around_a_value_is_found(value):
    finding = only(with_lines(StringLike={f"{GITHUB}:actor": ["a", value]}))
    assert finding.what == f"{value!r} begins or ends with white space, which counts like every other character."


def test_white_space_around_a_key_is_found():
    assert only(with_lines(StringLike={f"{GITHUB}:actor ": "x"})).fix == "take the white space away."


@pytest.mark.parametrize(
    ("operator", "better"),
    [
        ("StringEquals", "StringLike"),
        ("StringNotEquals", "StringNotLike"),
        ("StringEqualsIgnoreCase", "StringLike"),
        ("StringNotEqualsIgnoreCaseIfExists", "StringNotLike"),
    ],
)
def test_a_wildcard_is_one_only_in_like(operator, better):
    condition = {"StringLike": {AUD: "a", SUB: MAIN}, operator: {f"{GITHUB}:ref": "refs/heads/*"}}
    (finding, *_) = found(statement(condition))
    assert "compares letter by letter" in finding.what
    assert finding.fix == f"use {better} for this value, or write it out."


@pytest.mark.parametrize("value", ["${*}", "a${?}", "x"])
def test_a_character_that_is_spelled_as_a_variable_is_no_wildcard(value):
    assert with_lines(StringEqualsIgnoreCase={f"{GITHUB}:actor": value}) == []


@pytest.mark.parametrize("key", [SUB, AUD, f"{GITHUB}:environment"])
def test_if_exists_lets_in_who_does_not_have_the_claim(key):
    finding = only(with_lines(StringEqualsIfExists={key: MAIN}))
    assert (finding.severity, finding.fix) == ("warning", "use StringEquals, unless that is what you mean.")


def test_if_exists_of_awss_own_keys_is_left_alone():
    assert with_lines(StringEqualsIfExists={"sts:RoleSessionName": "x", "aws:x": "y"}) == []


@pytest.mark.parametrize("operator", ["ForAllValues:StringLike", "StringNotEqualsIfExists"])
def test_in_a_deny_sets_and_if_exists_are_the_safe_way(operator):
    assert found(statement({operator: {SUB: MAIN}}, "Deny")) == []


@pytest.mark.parametrize(("value", "number"), [("*", 1), ("?*", 1), ("sts.*", 0), ("${*}", 0)])
def test_an_audience_that_is_all_wildcards_is_none(value, number):
    condition = {"StringLike": {AUD: value}, "StringEquals": {SUB: MAIN}}
    assert len(found(statement(condition))) == number


# --- subjects


@pytest.mark.parametrize(
    ("value", "severity", "what"),
    [
        ("*", "error", "the tokens of everybody"),
        ("repo:*", "error", "the tokens of everybody"),
        ("re?o:octo-org/octo-repo:*", "error", "the tokens of everybody"),
        ("*:ref:refs/heads/main", "error", "the tokens of everybody"),
        (
            "repo:octo-org*",
            "error",
            "every owner that begins with 'octo-org', and anybody can register such a name",
        ),
        ("repo:octo-?rg/octo-repo:*", "error", "every owner that begins with 'octo-'"),
        ("repo:octo-org@6*/octo-repo@74:*", "error", "every owner that begins with 'octo-org@6'"),
        ("repo:octo-org@*/octo-repo@74:*", "warning", "leaves the owner's id open"),
        ("repo:octo-org@65/octo-repo@*:*", "warning", "leaves the repository's id open"),
        ("repo:octo-org@65/*", "warning", "more than one repository of octo-org@65"),
        ("repo:octo-org@65/octo-*:ref:refs/heads/main", "warning", "more than one repository of octo-org@65"),
    ],
)
@pytest.mark.parametrize("provider", [GITHUB, GHES, "token.actions.octo.ghe.com"])
def test_a_pattern_that_lets_in_more_than_a_repository_is_found(value, severity, what, provider):
    finding = only(of_subject(["repo:o@1/r@2:pull_request", value], provider=provider))
    assert finding.severity == severity
    assert finding.what.startswith(f"{value!r} ")
    assert what in finding.what


@pytest.mark.parametrize(
    "value",
    [
        MAIN,
        "repo:octo-org@65/octo-repo@74:*",
        "repo:octo-org@65/octo-repo@74:ref:*",
        "repo:octo-org@65/octo-repo@74:ref:refs/heads/*",
        "repo:octo-org@65/octo-repo@74:ref:refs/t*",
        "repo:octo-org@65/octo-repo@74:environment:prod*",
        "repo:octo-org@65/octo-repo@74:environment:a%3Ab",
        "repo:octo-org@65/octo-repo@74:environment:prod:actor:octocat",
        "repo:octo-org@65/octo-repo@74:environment:prod:runner_environment:*",
        "repo:octo-org@65/octo-repo@74:pull_request",
        "repo:octo-org@65/octo-repo@74:job_workflow_ref:o/r/.github/workflows/w.yml@refs/heads/main",
        "repository_owner_id:65:repository_id:74",
        "repo:octo-org@65/octo-${*}@74:pull_request",
    ],
)
def test_a_subject_of_one_repository_is_none_to_find(value):
    assert of_subject(value) == []


@pytest.mark.parametrize("operator", ["StringEquals", "StringLike"])
@pytest.mark.parametrize(
    "value", ["repository_owner:octo-org", "repository_owner_id:65:ref:refs/heads/main", "enterprise:octo"]
)
def test_a_subject_that_names_the_owner_alone_is_a_warning(operator, value):
    assert only(of_subject(value, operator)).severity == "warning"


@pytest.mark.parametrize("operator", ["StringEquals", "StringLike", "StringEqualsIgnoreCase"])
@pytest.mark.parametrize(
    "value",
    [
        f"${{{SUB}}}",
        f"repo:${{{GITHUB}:repository}}:ref:refs/heads/main",
        f"repository_id:${{{GITHUB}:repository_id}}",
        f"environment:production:repository_owner_id:${{{GITHUB}:repository_owner_id}}",
        "repo:octo-${aws:username}/octo-repo:*",
    ],
)
def test_a_policy_variable_in_a_subject_names_no_owner(operator, value):
    assert "error" in {finding.severity for finding in of_subject(value, operator)}


def test_a_policy_variable_behind_the_repository_is_none_to_find():
    assert of_subject("repo:octo-org@65/octo-repo@74:${aws:username}") == []


def test_a_policy_variable_holds_on_to_no_repository():
    variable = {f"{GITHUB}:repository_id": f"${{{GITHUB}:repository_id}}"}
    assert only(of_subject("environment:production", **variable)).severity == "error"


@pytest.mark.parametrize("claim", ["repository", "repository_id"])
def test_a_subject_may_be_open_where_another_condition_holds_on_to_the_repository(claim):
    assert of_subject("repo:*:ref:refs/heads/main", **{f"{GITHUB}:{claim}": "74"}) == []


@pytest.mark.parametrize(
    "value",
    [
        "environment:production",
        "ref:refs/heads/main",
        "actor:octocat",
        "workflow:deploy",
        "runner_environment:github-hosted",
        "event_name:push",
        "repository_visibility:private",
        "pull_request",
        "job_workflow_ref:octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main",
        "context:ref:refs/heads/main",
        "repository_owner_id",
        "environment:prod%3Arepository_owner%3Aocto-org",
        "sub:repo:octo-org/octo-repo",
    ],
)
@pytest.mark.parametrize("operator", ["StringEquals", "StringLike", "StringEqualsIgnoreCase"])
def test_a_subject_that_names_no_owner_lets_strangers_in(value, operator):
    finding = only(of_subject(value, operator))
    assert (finding.severity, finding.where) == ("error", f"Statement[0].Condition.{operator}.{SUB}")
    assert finding.what.startswith(f"{value!r} does not name the owner")
    assert "PROVIDER:repository_id" in finding.fix


def test_a_subject_that_names_no_owner_is_found_however_the_key_is_spelled():
    finding = only(found(statement({"StringEquals": {AUD: "a", SUB.upper(): "environment:production"}})))
    assert (finding.severity, finding.what[:44]) == ("error", "'environment:production' does not name the o")


@pytest.mark.parametrize(
    "value",
    [
        "environment:*",
        "environment:prod*",
        "environment:*:repository_owner:octo-org",
        "*:repository_owner_id:65",
        "repository_owner:octo-*",
        "repository_owner_id:6*",
        "repository_owner_id:65*",
        "repository_id:7?",
        "repository:octo-*/octo-repo",
        "environment:prod:repository_owner:octo-?rg",
        "environment:prod:repo:octo-org*",
    ],
)
def test_a_pattern_that_names_no_owner_in_full_lets_strangers_in(value):
    assert [finding.severity for finding in of_subject(value)] == ["error"]


@pytest.mark.parametrize("provider", [GHES, f"{GITHUB}/octo", "token.actions.octo.ghe.com"])
def test_where_all_repositories_are_of_one_enterprise_a_subject_without_owner_is_a_warning(provider):
    finding = only(of_subject("environment:production", "StringEquals", provider=provider))
    assert finding.severity == "warning"
    assert ("repository_id" in finding.fix) is (provider != GHES)


@pytest.mark.parametrize(
    "value",
    [
        "repo:octo-org@65/octo-repo@74:actor:octocat",
        "repository:octo-org/octo-repo:environment:prod",
        "repository_id:74:environment:prod",
        "repository_owner:octo-org:environment:prod",
        "repository_owner_id:65:ref:refs/heads/main",
        "environment:prod:repository_owner:octo-org",
        "environment:prod:repository_owner:octo-org:*",
        "pull_request:repository_owner_id:65",
        "ref:refs/heads/main:actor:octocat:repo:octo-org/octo-repo",
        "enterprise_id:9:environment:prod",
    ],
)
@pytest.mark.parametrize("operator", ["StringEquals", "StringLike"])
def test_a_subject_that_names_the_owner_anywhere_keeps_strangers_out(value, operator):
    if operator == "StringLike" or "*" not in value:
        assert [finding for finding in of_subject(value, operator) if finding.severity == "error"] == []


def test_on_a_server_that_may_not_encode_colons_only_the_first_claim_of_a_subject_counts():
    value = "environment:prod:repository_owner:octo-org"
    assert only(of_subject(value, "StringEquals", provider=GHES)).severity == "warning"


OPEN = "environment:production"


@pytest.mark.parametrize(
    ("operator", "claim", "value", "pins"),
    [
        ("StringEquals", "repository_id", "74", True),
        ("StringEquals", "repository_id", ["74", "75"], True),
        ("StringEqualsIgnoreCase", "repository", "octo-org/octo-repo", True),
        ("StringLike", "repository_id", "74", True),
        ("StringLike", "repository", "octo-org/*", True),
        ("StringLike", "repository", ["octo-org/*", "*/octo-repo"], False),
        ("StringLike", "repository_id", "7*", False),
        ("StringLike", "repository_id", ["74", "*"], False),
        ("StringEquals", "repository_id", [], False),
        ("StringEquals", "environment", "production", False),
        ("StringEquals", "actor_id", "12", False),
        ("StringEquals", "job_workflow_ref", WORKFLOW, False),
        ("StringEqualsIfExists", "repository_id", "74", False),
        ("ForAllValues:StringEquals", "repository_id", "74", False),
        ("ForAnyValue:StringEquals", "repository_id", "74", True),
        ("StringNotEquals", "repository_id", "75", False),
        ("StringNotLike", "repository", "mallory/*", False),
        ("Null", "repository_id", "false", False),
    ],
)
def test_a_condition_beside_the_subject_counts_if_it_always_names_a_repository(operator, claim, value, pins):
    condition = {"StringEquals": {AUD: "a", SUB: OPEN}}
    condition.setdefault(operator, {})[f"{GITHUB}:{claim}"] = value
    findings = [finding for finding in found(statement(condition)) if "does not name the owner" in finding.what]
    assert bool(findings) is not pins


def test_each_value_of_a_subject_is_enough_to_come_in():
    findings = of_subject([MAIN, OPEN], "StringEquals")
    assert only(findings).what.startswith(f"{OPEN!r} does not name the owner")


def test_of_two_conditions_on_the_subject_one_may_name_the_owner():
    condition = {"StringEquals": {AUD: "a", SUB: MAIN}, "StringLike": {SUB: "*:ref:refs/heads/main"}}
    assert found(statement(condition)) == []


def test_what_one_statement_names_does_not_count_for_another():
    open_one = statement({"StringEquals": {AUD: "a", SUB: OPEN}})
    assert [finding.where for finding in found(statement(), open_one)] == [
        f"Statement[1].Condition.StringEquals.{SUB}"
    ]


@pytest.mark.parametrize(("claim", "doubtful"), [("repository_owner_id", True), ("enterprise_id", False)])
def test_an_owner_that_alone_keeps_strangers_out_is_said(claim, doubtful):
    finding = only(of_subject(OPEN, "StringEquals", **{f"{GITHUB}:{claim}": "65"}))
    assert (finding.severity, finding.where) == ("warning", f"Statement[0].Condition.StringEquals.{GITHUB}:{claim}")
    assert ("not every list" in finding.what) is doubtful


def test_an_owner_beside_a_subject_that_names_the_repository_is_none_to_find():
    assert with_lines(StringEquals={f"{GITHUB}:repository_owner_id": "65"}) == []


def test_a_claim_that_lists_of_condition_keys_differ_on_is_found():
    finding = only(with_lines(StringLike={f"{GITHUB}:runner_environment": "github-hosted"}))
    assert finding.severity == "error"
    assert "Service Authorization Reference does not list it; other lists do" in finding.what


# --- everyone as Principal

CALLER = {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}


def for_everyone(action="sts:AssumeRole", principal="*", condition=None, **elements):
    one = {"Effect": "Allow", "Principal": principal, "Action": action, "Condition": condition or {}} | elements
    return found({name: value for name, value in one.items() if value is not None})


@pytest.mark.parametrize(
    "principal",
    ["*", {"AWS": "*"}, {"AWS": ["123456789012", "*"]}, {"Federated": "*"}, {"Federated": [PROVIDER, "*"]}],
)
@pytest.mark.parametrize(
    "action",
    [
        *("sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML"),
        *("*", "sts:*", "STS:*", "sts:assumerole", "sts:Assume?ole", "STS:assume*", "s*", "*WithSAML"),
        ["sts:TagSession", "sts:AssumeRole"],
    ],
)
def test_a_role_that_everyone_may_assume_is_found_however_the_action_is_spelled(principal, action):
    findings = [one for one in for_everyone(action, principal) if one.what.startswith("It lets in everyone")]
    assert (only(findings).severity, only(findings).where) == ("error", "Statement[0].Principal")


@pytest.mark.parametrize("others", ["sts:TagSession", ["s3:*", "sts:AssumeRole"]])
def test_a_role_that_everyone_may_assume_by_a_not_action_is_found(others):
    finding = only(for_everyone(None, "*", NotAction=others))
    assert (finding.severity, finding.where) == ("error", "Statement[0].Principal")


@pytest.mark.parametrize(
    "one",
    [
        statement({}, principal="*", action="sts:TagSession"),
        statement({}, principal={"AWS": "*"}, action=["sts:SetSourceIdentity", "s3:*"]),
        {"Effect": "Allow", "Principal": "*", "NotAction": "sts:*"},
        statement({}, effect="Deny", principal="*", action="*"),
        statement({}, principal={"AWS": "123456789012"}, action="*"),
    ],
)
def test_who_cannot_assume_the_role_is_not_everyone(one):
    assert found(one) == []


@pytest.mark.parametrize(
    ("condition", "pins"),
    [
        ({"StringEquals": CALLER}, True),
        ({"StringEquals": {"AWS:principalorgid": "o-a1b2c3d4e5"}}, True),
        ({"StringEquals": {"aws:PrincipalAccount": ["123456789012", "210987654321"]}}, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/*"}}, True),
        ({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/deploy"}}, True),
        ({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-a1b2c3d4e5/*"}}, True),
        ({"StringLike": {"aws:userid": "AROAEXAMPLE:*"}}, True),
        ({"StringEquals": {"aws:SourceAccount": "123456789012"}}, True),
        ({"StringEquals": {"aws:PrincipalServiceName": "ec2.amazonaws.com"}}, True),
        ({"StringEquals": {"aws:ResourceOrgID": "${aws:PrincipalOrgID}"}}, True),
        ({"StringEquals": {"AWS:PrincipalAccount": "${aws:resourceaccount}"}}, True),
        ({"StringEquals": {"aws:PrincipalOrgID": "${aws:PrincipalOrgID}"}}, False),
        ({"StringEquals": {"aws:PrincipalOrgID": "${aws:ResourceAccount}"}}, False),
        ({"StringEquals": {"aws:userid": "${aws:userid}"}}, False),
        ({"ArnLike": {"aws:PrincipalArn": "${aws:PrincipalArn}"}}, False),
        ({"StringEqualsIfExists": {"aws:ResourceOrgID": "${aws:PrincipalOrgID}"}}, False),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/deploy"}}, False),
        ({"StringLike": {"aws:PrincipalArn": "*"}}, False),
        ({"StringLike": {"aws:PrincipalAccount": "*"}}, False),
        ({"StringLike": {"aws:PrincipalOrgID": "o-*"}}, False),
        ({"StringLike": {"aws:userid": "AROA*"}}, False),
        ({"StringEquals": {"aws:PrincipalAccount": []}}, False),
        ({"StringEqualsIfExists": CALLER}, False),
        ({"ForAllValues:StringEquals": {"aws:PrincipalOrgPaths": "o-a1b2c3d4e5/"}}, False),
        ({"StringNotEquals": {"aws:PrincipalAccount": "123456789012"}}, False),
        ({"Null": {"aws:PrincipalOrgID": "false"}}, False),
        ({"StringEquals": {"sts:ExternalId": "x"}}, False),
        ({"StringEquals": {"aws:PrincipalType": "AssumedRole"}}, False),
        ({"StringEquals": {"aws:PrincipalTag/team": "x"}}, False),
        ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, False),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"StringEquals": {f"{GITHUB}:repository_id": "74"}}, True),
        ({"StringEquals": {SUB: OPEN}}, False),
    ],
)
def test_everyone_is_let_in_unless_a_condition_says_who_the_caller_must_be(condition, pins):
    findings = [one for one in for_everyone("sts:*", condition=condition) if "everyone" in one.what]
    assert bool(findings) is not pins


# --- lists without values


@pytest.mark.parametrize("operator", ["StringEquals", "StringNotLike", "ForAllValues:StringLike", "Bool"])
@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_an_empty_list_of_values_is_found(operator, effect):
    condition = {"StringEquals": {AUD: "a", SUB: MAIN}}
    condition.setdefault(operator, {})["aws:SourceAccount"] = []
    finding = only([one for one in found(statement(condition, effect)) if "ForAll" not in one.what])
    assert finding.severity == "error"
    assert finding.what.startswith("The list of values is empty.")


def test_an_empty_list_of_subjects_is_no_condition_on_the_subject():
    findings = found(statement({"StringEquals": {AUD: "a", SUB: []}}))
    assert [finding.where for finding in findings] == [
        "Statement[0].Condition",
        f"Statement[0].Condition.StringEquals.{SUB}",
    ]


def test_a_pattern_holds_on_to_nothing():
    condition = {"StringLike": {SUB: "repo:*", f"{GITHUB}:repository_id": "7*"}, "StringEquals": {AUD: "a"}}
    assert only(found(statement(condition))).what == "'repo:*' fits the tokens of everybody."


@pytest.mark.parametrize(("value", "number"), [("*", 1), ("system:serviceaccount:*", 0), ("repo:*", 0)])
def test_of_other_issuers_only_a_star_alone_is_everybody(value, number):
    assert len(of_subject(value, provider="oidc.example")) == number


@pytest.mark.parametrize(
    "context",
    [
        "ref:main",
        "ref:heads/main",
        "ref:refs/main",
        "refs/heads/main",
        "branch:main",
        "tag:v1",
        "ref:m*",
        "ref:refs/heads",
    ],
)
def test_a_ref_that_github_never_writes_is_found(context):
    finding = only(of_subject(f"repo:octo-org@65/octo-repo@74:{context}"))
    assert finding.what.endswith(" does not have the ref as GitHub writes it.")


@pytest.mark.parametrize("operator", ["StringEquals", "StringLike"])
def test_a_colon_in_an_environments_name_is_found(operator):
    finding = only(of_subject("repo:octo-org@65/octo-repo@74:environment:a:b", operator))
    assert finding.fix == "write %3A for the colon, like environment:a%3Ab."


@pytest.mark.parametrize(
    ("value", "fix"),
    [
        ("octo-org/octo-repo:ref:refs/heads/main", "write repo: in front of it."),
        ("octo-org@65/octo-repo@74:*", "write repo: in front of it."),
        ("repo:https://github.com/octo-org/octo-repo:ref:refs/heads/main", "write repo:OWNER/NAME: and what"),
        ("https://github.com/octo-org/octo-repo", "write repo:OWNER/NAME: and what"),
        ("github.com/octo-org/octo-repo:*", "write repo:OWNER/NAME: and what"),
        ("repo:git@github.com:octo-org/octo-repo", "write repo:OWNER/NAME: and what"),
        ("repo:octo-org/octo-repo", "write :ref:refs/heads/BRANCH, :environment:NAME or :pull_request behind"),
        (
            "repo:octo-org@65/octo-repo@74:",
            "write :ref:refs/heads/BRANCH, :environment:NAME or :pull_request behind",
        ),
        ("repo:octo-org/octo-repo:pull-request", "write pull_request behind the repository"),
        ("repo:octo-org/octo-repo:pull_requests", "write pull_request behind the repository"),
        ("repo:octo-org/octo-repo:Pull_Request:x", "write pull_request behind the repository"),
        ("repo:octo-org/octo-repo:pullrequest", "write pull_request behind the repository"),
        ("repo:octo-org/octo-repo:env:prod", "write environment:NAME behind the repository"),
        ("repo:octo-org/octo-repo:Environment:prod", "write environment:NAME behind the repository"),
        ("repo:octo-org/octo-repo:environments:*", "write environment:NAME behind the repository"),
        ("repo:octo-org/octo-repo:branch:main", "write ref:refs/heads/BRANCH or ref:refs/tags/TAG behind"),
        ("repo:octo-org/octo-repo:Tags:v*", "write ref:refs/heads/BRANCH or ref:refs/tags/TAG behind"),
        ("repo:octo-org/octo-repo:heads/main", "write ref:refs/heads/BRANCH or ref:refs/tags/TAG behind"),
        ("repo:octo-org/octo-repo:refs/heads/main", "write ref:refs/heads/BRANCH or ref:refs/tags/TAG behind"),
        ("refs/heads/main", "write ref:refs/heads/BRANCH or ref:refs/tags/TAG behind"),
        ("environment:a:b", "write %3A for the colon"),
    ],
)
@pytest.mark.parametrize("provider", [GITHUB, GHES])
def test_a_subject_that_github_never_writes_is_found_as_that_alone(value, fix, provider):
    operator = "StringLike" if "*" in value else "StringEquals"
    finding = only(of_subject(value, operator, provider=provider))
    assert finding.severity == "error"
    assert finding.fix.startswith(fix)


def test_a_subject_may_have_two_faults():
    assert len(of_subject("octo-org/octo-repo:branch:main")) == 2


@pytest.mark.parametrize(
    "value",
    [
        "repo:octo-org/*:refs/heads/main",
        "repo:octo-*/octo-repo",
        "repo:octo-org@65/octo-repo@74:*:branch:main",
        "repo:octo-org@65/octo-repo@74:environment:a*:b",
        "repo:octo-org@65/octo-repo@74:environment:a:*",
        "repo:octo-org@65/octo-repo@74:pull_request:actor:octocat",
        "repo:octo-org@65/octo-repo@74:env*",
        "ref:refs/heads/main",
        "environment:prod:repository_owner:octo-org",
        "job_workflow_ref:octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main",
    ],
)
def test_a_wildcard_or_a_template_of_ones_own_is_not_misspelt(value):
    assert [finding for finding in of_subject(value) if "GitHub" in finding.what] == []


@pytest.mark.parametrize("context", ["ref:main", "environment:a:b"])
def test_subjects_of_other_issuers_are_not_read(context):
    assert of_subject(f"repo:octo-org@65/octo-repo@74:{context}", provider="oidc.example") == []


@pytest.mark.parametrize(
    "value",
    [
        NAMES,
        "repo:octo-org/octo-repo:*",
    ],
)
def test_a_subject_by_names_alone_does_not_fit_new_repositories(value):
    finding = only(of_subject(value))
    assert finding.severity == "warning"
    assert "after 15 July 2026" in finding.what


def test_a_pattern_of_an_owner_by_name_does_not_fit_new_repositories_either():
    assert [finding.what.split("'")[2][:6] for finding in of_subject("repo:octo-org/*")] == [" fits ", " names"]


@pytest.mark.parametrize("provider", [GHES, "oidc.example"])
def test_names_are_all_that_other_issuers_have(provider):
    assert of_subject(NAMES, provider=provider) == []


@pytest.mark.parametrize("operator", ["StringEquals", "StringLike"])
def test_both_forms_side_by_side_fit_all(operator):
    assert of_subject([NAMES, MAIN], operator) == []


def test_both_forms_may_stand_in_two_statements():
    assert found(statement({"StringEquals": {AUD: "a", SUB: NAMES}}), statement()) == []


def test_ids_that_are_denied_do_not_count():
    assert len(found(statement({"StringEquals": {AUD: "a", SUB: NAMES}}), statement(effect="Deny"))) == 1


# --- whatever the policy

TEXTS = st.sampled_from([GITHUB, SUB, AUD, MAIN, NAMES, "*", "", "repo:", ":", "@", "https://", "$", "{"])
MIXED = st.lists(TEXTS | st.text(max_size=3), max_size=4).map("".join)
VALUES = MIXED | st.lists(MIXED | st.booleans() | st.integers(), max_size=2)


@given(
    st.dictionaries(
        st.sampled_from([*OPERATORS, "ForAllValues:StringLike"]) | MIXED, st.dictionaries(MIXED, VALUES)
    ),
    st.sampled_from(["Allow", "Deny"]),
    st.sampled_from(["*"]) | st.dictionaries(st.sampled_from(["AWS", "Federated"]), MIXED | st.lists(MIXED)),
    MIXED | st.lists(MIXED),
)
def test_whatever_a_policy_says_every_finding_is_in_sentences(condition, effect, principal, action):
    for finding in found(statement(condition, effect, principal, action)):
        assert finding.severity in {"error", "warning"}
        assert finding.where.startswith("Statement[0]")
        assert finding.what[-1] in ".?"
        assert finding.fix[-1] in ".}"


@pytest.mark.parametrize("kind", ["AWS", "Federated", "Service"])
@pytest.mark.parametrize(
    "named", ["arn:aws:iam::*:root", f"{PROVIDER}*", "arn:aws:iam::123456789012:role/*", "12345678901?", "**"]
)
def test_a_wildcard_in_a_principal_is_found(kind, named):
    findings = found({"Effect": "Allow", "Principal": {kind: ["x", named]}, "Action": "sts:AssumeRole"})

    (finding,) = [finding for finding in findings if repr(named) in finding.what]
    assert (finding.severity, finding.where) == ("error", "Statement[0].Principal")


def test_every_rule_is_in_a_table():
    tables = (module.STATEMENT_RULES, module.ALLOW_STATEMENT_RULES, module.LINE_RULES, module.ALLOW_LINE_RULES)
    assert len({rule for table in tables for rule in table}) == 19
