import json
import re
from collections.abc import Iterator

import pytest

from py_aws_oidc.aws.arn import Role
from py_aws_oidc.aws.errors import Refused
from py_aws_oidc.explain import causes, trust
from py_aws_oidc.explain.causes import CAUSES, NO_TAGS, Cause, Symptom, Weight, ranked
from py_aws_oidc.explain.evidence import MOST_TRIES, Evidence, PolicyFile
from py_aws_oidc.explain.report import explain, statements
from py_aws_oidc.failure import Failure, Retryability

ROLE = Role.parse("arn:aws:iam::123456789012:role/deploy")
PROVIDER = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
CLAIMS = {
    "iss": "https://token.actions.githubusercontent.com",
    "sub": "repo:octo-org/app:ref:refs/heads/main",
    "aud": "sts.amazonaws.com",
}
DENIED = ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")


def evidence(
    code: str,
    message: str = "",
    operation: str = "AssumeRoleWithWebIdentity",
    *,
    role: Role | None = ROLE,
    policy: dict[str, object] | None = None,
    **claims: object,
) -> Evidence:
    file = PolicyFile("trust.json", policy) if policy else None
    refused = Refused(operation, code, message, 403)
    return Evidence(refused, role, "sts.amazonaws.com", 7200, "eu-west-1", CLAIMS | claims, file)


def explained(
    code: str, message: str = "", operation: str = "AssumeRoleWithWebIdentity", **claims: object
) -> Failure:
    return explain(evidence(code, message, operation, **claims))


def trusting(*subjects: str) -> dict[str, object]:
    allow = {
        "Sid": "Main",
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {"token.actions.githubusercontent.com:sub": list(subjects)}},
    }
    return {"Version": "2012-10-17", "Statement": [allow]}


def test_what_aws_said_comes_first():
    assert explained(*DENIED).what == (
        "AWS refused AssumeRoleWithWebIdentity for arn:aws:iam::123456789012:role/deploy: "
        "Not authorized to perform sts:AssumeRoleWithWebIdentity (AccessDenied, HTTP 403)"
    )


def test_a_refused_token_is_told_with_what_the_token_says():
    why = explained(*DENIED).why

    assert "- sub: repo:octo-org/app:ref:refs/heads/main" in why
    assert "- aud: sts.amazonaws.com" in why
    assert "- iss: https://token.actions.githubusercontent.com" in why


def test_a_code_that_nobody_knows_is_not_explained_away():
    assert explained("Novelty", "?").why == "AWS gives no other reason."


OPERATIONS = ("AssumeRoleWithWebIdentity", "AssumeRole", "GetCallerIdentity")


def refusals(cause: Cause) -> Iterator[Evidence]:
    """What AWS says for this cause, by each operation that its symptom does not exclude."""
    symptom = cause.symptom
    for operation in [symptom.operation] if symptom.operation else OPERATIONS:
        yield evidence(symptom.code, f"so {symptom.message} there", operation)


def is_recognised(cause: Cause) -> bool:
    return all({row.symptom for _, row in ranked(refusal)} == {cause.symptom} for refusal in refusals(cause))


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name)
def test_every_symptom_is_recognised_by_every_operation_and_explained(cause):
    assert is_recognised(cause)
    for refusal in refusals(cause):
        assert "$" not in str(explain(refusal)) + explain(refusal).details


def test_a_cause_whose_symptom_another_one_has_first_is_not_recognised(monkeypatch):
    symptom = Symptom("An explicit deny (AccessDenied)", "AccessDenied", "with an explicit deny")
    shadowed = Cause("shadowed", symptom, "Title", "why.", "check.", "fix.")
    position = next(n for n, cause in enumerate(CAUSES) if cause.symptom == NO_TAGS)
    monkeypatch.setattr(causes, "CAUSES", (*CAUSES[:position], shadowed, *CAUSES[position:]))

    assert not is_recognised(shadowed)


def test_claims_that_look_like_placeholders_stay_as_they_are():
    assert "- sub: $account" in explained(*DENIED, sub="$account").why


def test_each_operation_has_its_own_reasons_to_deny():
    assert "cannot assume role deploy" in explained("AccessDenied", "", "AssumeRole").why
    assert explained("AccessDenied", "", "GetCallerIdentity").why == "AWS gives no other reason."


def test_a_token_without_a_claim_says_so():
    assert "sub: (not in the token)" in explained("AccessDenied", sub=None).why.replace(
        "None", "(not in the token)"
    )


def test_a_token_that_nobody_could_read_leaves_nothing_to_paste():
    told = Evidence(Refused("AssumeRoleWithWebIdentity", *DENIED, 403), ROLE, "a", 900)

    assert list(statements(told)) == []
    assert "- sub: (not in the token)" in explain(told).why


def test_a_call_without_a_role_is_explained_too():
    refused = evidence("ExpiredToken", "It is over", "GetCallerIdentity", role=None)

    assert explain(refused).what == "AWS refused GetCallerIdentity: It is over (ExpiredToken, HTTP 403)"
    assert list(statements(refused)) == []


def test_an_explanation_is_worth_as_many_tries_as_the_refusal():
    assert explained(*DENIED).retryability is Retryability.EVENTUAL_CONSISTENCY


def test_causes_stand_in_the_order_of_what_speaks_for_them():
    weights = [weight for weight, _ in ranked(evidence(*DENIED, sub="repo:Octo/app:environment:prod"))]

    assert weights == sorted(weights, reverse=True)
    assert set(weights) == {Weight.LIKELY, Weight.POSSIBLE}
    assert str(weights[0]) == "likely in this run"


def test_a_policy_in_the_repository_leaves_only_what_it_shows():
    told = evidence(
        *DENIED, policy=trusting("repo:octo-org/app:environment:prod"), sub="repo:octo-org/app:pull_request"
    )

    assert [(weight, cause.name) for weight, cause in ranked(told)] == [(Weight.PROVEN, "pull-request")]
    assert (
        "- statement 0 (Main), Allow: does not fit, since StringEquals token.actions.githubusercontent.com:sub wants "
        "'repo:octo-org/app:environment:prod', and the token says 'repo:octo-org/app:pull_request'"
        in explain(told).why
    )


def test_a_policy_says_nothing_of_a_token_that_nobody_could_read():
    policy = PolicyFile("trust.json", trusting("x"))
    told = Evidence(Refused("AssumeRoleWithWebIdentity", *DENIED, 403), ROLE, "a", 900, policy_file=policy)

    assert (
        "trust.json cannot be compared with the token here: what the token says is not known" in explain(told).why
    )


def test_a_policy_says_nothing_of_another_call():
    told = explain(evidence("AccessDenied", "", "AssumeRole", policy=trusting("x")))

    assert "trust.json" not in told.why


def test_a_long_list_of_values_is_cut():
    told = explain(evidence(*DENIED, policy=trusting(*(f"repo:octo-org/{n}:pull_request" for n in range(9)))))

    assert "'repo:octo-org/4:pull_request' or one of 4 more, and the token says" in told.why


# --- limits


def counted(told: Evidence, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often the policy is evaluated to explain this."""
    calls: list[object] = []
    evaluate = trust.evaluate
    monkeypatch.setattr(trust, "evaluate", lambda *args, **named: calls.append(args) or evaluate(*args, **named))
    explain(told)
    return len(calls)


def wanting(operator: str, **values: list[str]) -> dict[str, object]:
    document = trusting("x")
    keys = {f"token.actions.githubusercontent.com:{claim}": of for claim, of in values.items()}
    return document | {"Statement": [document["Statement"][0] | {"Condition": {operator: keys}}]}


@pytest.mark.parametrize(
    "policy",
    [
        wanting("StringLike", sub=[f"x*:ref:{number}" for number in range(500)]),
        wanting("StringEquals", sub=["nobody"], aud=[f"a{number}" for number in range(700)]),
        wanting("StringLike", sub=[f"{'*a' * 40}b:ref:{number}" for number in range(80)]),
    ],
    ids=["subjects", "audiences", "patterns"],
)
def test_a_policy_is_evaluated_a_limited_number_of_times(monkeypatch, policy):
    assert counted(evidence(*DENIED, policy=policy), monkeypatch) <= 2 * MOST_TRIES + 5


def test_the_same_context_is_tried_once(monkeypatch):
    policy = trusting(*(f"repo:octo-org/{number}:environment:prod" for number in range(150)))

    assert counted(evidence(*DENIED, policy=policy), monkeypatch) < 10


def test_a_pattern_is_compiled_once_for_all_requests():
    policy = wanting("StringLike", sub=[f"x{number}*:ref:{number}" for number in range(300)])
    before = trust.pattern.cache_info().misses

    explain(evidence(*DENIED, policy=policy))

    # Those of the policy; and each in small letters, which are the same.
    assert trust.pattern.cache_info().misses - before <= 310


def test_no_more_than_some_faults_and_statements_are_told():
    statement = trusting("repo:octo-org/app ")["Statement"][0]
    told = explain(evidence(*DENIED, policy={"Version": "2012-10-17", "Statement": [statement] * 30}))

    assert "\n- and 20 more statements\n" in told.why
    assert told.why.count("- Statement[") == 10
    assert re.search(r"\n- and \d+ more faults\n", told.why)


def test_a_value_of_a_policy_is_not_cut_in_the_middle_of_a_word():
    told = explain(evidence(*DENIED, policy=trusting(f"arn:aws:iam::111122223333:role/{'x' * 400}")))

    compared = next(line for line in told.why.split("\n") if " wants " in line)
    assert "wants '(cut: 431 characters in all)'" in compared
    assert "111122223333" not in compared


@pytest.mark.parametrize("size", [5_000, 5_000_000])
@pytest.mark.parametrize("space", ["", " "])
def test_a_long_message_and_long_claims_are_cut(size, space):
    long = f"a{space}" * size
    told = explained("AccessDenied", f"{long} 5%", sub=f"repo:o/r:environment:{long}", aud=long, iss=long)

    assert len(str(told)) < 60_000
    assert len(told.details) < 500_000
    assert "characters in all)" in told.what
    assert "```json" not in told.details


def test_digits_without_end_are_no_percentage():
    told = explained("PackedPolicyTooLarge", "1" * 5_000_000)

    assert "they use: too much" in told.why


@pytest.mark.parametrize("claim", ["sub", "aud", "iss"])
def test_a_claim_cannot_look_like_another_line(claim):
    told = explained(*DENIED, **{claim: "x\n- sub: repo:octo-org/app:ref:refs/heads/main\r\n- aud: y"})

    lines = told.why.split("\n")
    assert [line.partition(":")[0] for line in lines if line.startswith("- ")] == ["- sub", "- aud", "- iss"]


@pytest.mark.parametrize(
    "shown", ["a\nb", "a\u202eb\u2066", "a\x1b[1m", "a\u200b\u00ad", "a\u2028\u2029"], ids=ascii
)
def test_what_others_wrote_is_visible_in_the_error_and_on_the_page(shown):
    policy = PolicyFile(f"trust{shown}.json", trusting(f"repo:{shown}"))
    refused = Refused("AssumeRoleWithWebIdentity", f"AccessDenied{shown}", f"Not{shown}", 403)
    names = ("iss", "sub", "aud", "repository", "job_workflow_ref")
    told = explain(Evidence(refused, ROLE, shown, 900, shown, dict.fromkeys(names, shown), policy))

    for line in f"{told}\n{told.details}".split("\n"):
        assert line.isprintable(), ascii(line)
    assert "```\narn:aws:iam::123456789012:oidc-provider/a" in told.details


def test_a_role_with_a_path_is_named_to_the_command_line_without_it():
    told = explain(evidence(*DENIED, role=Role.parse("arn:aws:iam::123456789012:role/ci/deploy")))

    assert "aws iam get-role --role-name=deploy " in told.fix


def test_a_subject_with_wildcard_characters_is_pasted_as_itself():
    ((_, document), *_) = statements(evidence(*DENIED, sub="repo:octo-org/app:environment:a*b"))

    assert "environment:a${*}b" in json.dumps(document)


def test_a_subject_of_another_issuer_has_one_form():
    issuer = "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE"
    told = evidence(*DENIED, iss=issuer, sub="system:serviceaccount:ci:runner", repository_id="74")

    ((title, document),) = statements(told)
    assert "NOT limited to one repository" in title
    assert "system:serviceaccount:ci:runner" in json.dumps(document)
    assert title in explain(told).details


def test_a_customised_subject_has_one_form():
    told = evidence(*DENIED, sub="repository_owner:octo-org", repository_id="74", repository_owner_id="65")

    assert [title for title, _ in statements(told)] == ["By the subject of this run and the repository's id"]


def test_a_caller_that_aws_does_not_name_gets_no_policy():
    assert list(statements(evidence("AccessDenied", "No", "AssumeRole"))) == []
