import json
import re

import hcl2
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from py_aws_oidc.explain.claims import Subject
from py_aws_oidc.explain.findings import findings
from py_aws_oidc.explain.statements import as_cloudformation, as_json, as_terraform, literal, policy, statement
from py_aws_oidc.explain.trust import context_of, evaluate, provider_arn, read
from py_aws_oidc.quoting import visible

GITHUB = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::123456789012:oidc-provider/{GITHUB}"
AUDIENCE = "sts.amazonaws.com"
MAIN = "repo:octo-org/octo-repo:ref:refs/heads/main"
TAGS = "repo:octo-org/octo-repo:ref:refs/tags/v*"


def written(*subjects: str, lets_others_in: bool = True, **claims: str):
    return statement(PROVIDER, AUDIENCE, subjects or [MAIN], lets_others_in=lets_others_in, **claims)


def allows(document, sub, **claims):
    context = context_of({"sub": sub, "aud": AUDIENCE} | claims, GITHUB)
    request = {"principal": PROVIDER, "action": "sts:AssumeRoleWithWebIdentity", "context": context}
    return evaluate(document, **request).allowed


def test_a_statement_is_that_of_githubs_page():
    assert written() == {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{GITHUB}:aud": AUDIENCE, f"{GITHUB}:sub": MAIN}},
    }


def test_several_subjects_are_a_list():
    assert written(MAIN, "x")["Condition"]["StringEquals"][f"{GITHUB}:sub"] == [MAIN, "x"]


def test_a_wildcard_in_one_subject_makes_the_condition_a_like_one():
    condition = written(MAIN, TAGS)["Condition"]

    assert condition["StringLike"] == {f"{GITHUB}:sub": [MAIN, TAGS]}
    assert condition["StringEquals"] == {f"{GITHUB}:aud": AUDIENCE}


@pytest.mark.parametrize("with_id", [True, False])
def test_a_name_may_be_left_open_where_the_repositorys_id_is_a_condition(with_id):
    subjects = ["repo:octo-org/*:ref:refs/heads/main", "repo:octo-org@65/*:ref:refs/heads/main"]
    document = policy(written(*subjects, **({"repository_id": "74"} if with_id else {})))

    assert bool(findings(document)) is not with_id


def test_a_sid_stands_first():
    assert next(iter(written(sid="Main1"))) == "Sid"


def test_a_claim_that_aws_knows_is_a_condition():
    document = policy(written(repository_id="74"))

    assert allows(document, MAIN, repository_id="74")
    assert not allows(document, MAIN, repository_id="75")


@pytest.mark.parametrize(
    "subject",
    [
        "environment:prod",
        "*",
        "repo:octo-org/*",
        "repo:octo-org/octo-repo*",
        "repo:*/octo-repo:ref:x",
        "repository_owner:o",
    ],
)
def test_a_subject_that_other_repositories_can_have_needs_the_repositorys_id(subject):
    with pytest.raises(ValueError, match="does not name one repository; give repository_id as well"):
        written(MAIN, subject, lets_others_in=False)
    assert written(MAIN, subject, lets_others_in=False, repository_id="74")


@pytest.mark.parametrize("subject", [MAIN, TAGS, "repo:o@1/r@2:*", "repository_id:74", "actor:x:repo:o/r"])
def test_a_subject_that_names_one_repository_needs_no_more(subject):
    assert written(subject, lets_others_in=False)


def test_a_subject_of_another_issuer_is_not_read():
    assert statement(provider_arn("https://oidc.example", "1" * 12), "a", ["system:serviceaccount:ci:runner"])


def test_the_owners_id_is_not_written_since_it_lets_in_all_of_the_owners_repositories():
    with pytest.raises(ValueError, match="repository_owner_id lets in every repository"):
        written(repository_owner_id="65")


@pytest.mark.parametrize("name", ["repository_owner", "sub", "run_id", "runner_environment"])
def test_a_claim_that_aws_does_not_know_is_refused(name):
    with pytest.raises(ValueError, match=f"no condition key for the claim '{name}'"):
        written(**{name: "x"})


def test_aws_knows_no_claims_of_other_issuers():
    with pytest.raises(ValueError, match=r"of ghe\.example/_services/token"):
        statement(provider_arn("https://ghe.example/_services/token", "1" * 12), "a", ["s"], repository_id="74")


def test_a_statement_without_a_subject_is_refused():
    with pytest.raises(ValueError, match="would let every repository in"):
        statement(PROVIDER, AUDIENCE, [])


def test_a_sid_has_letters_and_digits():
    with pytest.raises(ValueError, match="'a b' is not a Sid"):
        written(sid="a b")


SUBJECTS = st.builds(
    Subject,
    st.from_regex(r"[\w-]+", fullmatch=True),
    st.from_regex(r"[\w.-]+", fullmatch=True),
    st.text(max_size=20).map(lambda text: f"environment:a{text.replace(':', '%3A')}b"),
).map(str)


@given(SUBJECTS, st.text(max_size=20), st.text(max_size=20))
def test_the_statement_for_a_text_allows_this_subject_and_no_other(sub, other, workflow):
    document = read(as_json(policy(written(literal(sub), workflow=workflow))))

    assert allows(document, sub, workflow=workflow)
    assert allows(document, sub + other, workflow=workflow) is (not other)
    assert allows(document, sub, workflow=workflow + other) is (not other)


@given(st.lists(SUBJECTS.map(literal), min_size=1, max_size=3))
def test_what_is_written_has_no_error(subjects):
    assert not [finding for finding in findings(policy(written(*subjects))) if finding.severity == "error"]


def test_json_is_in_ascii():
    document = policy(written("repo:o/r:environment:é\u2028"))

    assert as_json(document).isascii()
    assert json.loads(as_json(document)) == document


# --- CloudFormation


class Loader(yaml.SafeLoader):
    """YAML in which CloudFormation's short forms are pairs of function and argument."""


Loader.add_multi_constructor("!", lambda loader, tag, node: (tag, loader.construct_scalar(node)))


def resources(text: str):
    return yaml.load(text, Loader)["Resources"]  # noqa: S506 -- it is a SafeLoader


def trusted(text: str):
    return resources(text)["Role"]["Properties"]["AssumeRolePolicyDocument"]


def test_a_template_has_a_role_with_the_policy_in_the_account_it_is_deployed_to():
    document = policy(written(MAIN, TAGS, repository_id="74", sid="Main"), written())

    (first, second) = trusted(as_cloudformation(document))["Statement"]

    arn = f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:oidc-provider/{GITHUB}"
    assert first == {**document["Statement"][0], "Principal": {"Federated": ("Sub", arn)}}
    assert second == {**document["Statement"][1], "Principal": {"Federated": ("Sub", arn)}}


def test_a_template_has_the_identity_provider_if_that_is_asked_for():
    text = as_cloudformation(policy(written(), statement(PROVIDER, "other", [MAIN])), with_provider=True)

    assert resources(text)["Provider"] == {
        "Type": "AWS::IAM::OIDCProvider",
        "Properties": {"Url": f"https://{GITHUB}", "ClientIdList": ["other", AUDIENCE]},
    }
    assert trusted(text)["Statement"][0]["Principal"] == {"Federated": ("Ref", "Provider")}


def test_a_template_is_written_like_this():
    assert as_cloudformation(policy(written(MAIN, "x"))) == (
        f"""\
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Role:
    Type: "AWS::IAM::Role"
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: "Allow"
            Principal:
              Federated: !Sub "arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:oidc-provider/{GITHUB}"
            Action: "sts:AssumeRoleWithWebIdentity"
            Condition:
              StringEquals:
                "{GITHUB}:aud": "sts.amazonaws.com"
                "{GITHUB}:sub":
                  - "{MAIN}"
                  - "x"
Outputs:
  RoleArn:
    Value: !GetAtt "Role.Arn\""""
    )


def test_a_text_in_an_issuer_is_not_a_parameter_of_the_template():
    document = policy(statement(provider_arn("https://x/${y}", "1" * 12), "a", ["s"]))
    (one,) = trusted(as_cloudformation(document))["Statement"]
    assert one["Principal"]["Federated"][1].endswith(":oidc-provider/x/${!y}")


def test_an_operator_that_yaml_would_take_for_nothing_is_a_text():
    one = written()
    one["Condition"]["Null"] = {f"{GITHUB}:environment": "false"}
    assert trusted(as_cloudformation(policy(one)))["Statement"][0]["Condition"] == one["Condition"]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_text_comes_through_a_template(sub):
    (one,) = trusted(as_cloudformation(policy(written(sub, sub))))["Statement"]
    assert one["Condition"] == written(sub, sub)["Condition"]


# --- Terraform


def block(body, *labels):
    """The block with these labels in what the parser makes of a file."""
    kind, *names = labels
    for candidate in body[kind]:
        for name in names:
            candidate = candidate.get(f'"{name}"', {})  # noqa: PLW2901 -- one step further in
        if candidate:
            return candidate
    raise AssertionError(labels)


def text_of(expression: str) -> str:
    """The text that a quoted template of HCL stands for, if nothing in it is interpolated.

    HCL Native Syntax Specification, "Template Literals" and "Quoted templates".
    """
    assert not re.search(r"(?<!\$)\$(\$\$)*\{|(?<!%)%(%%)*\{", expression)
    plain = expression[1:-1].replace("$${", "${").replace("%%{", "%{")
    escape = re.compile(r"\\(?:u([0-9a-f]{4})|U([0-9a-f]{8})|(.))")
    return escape.sub(lambda match: match[3] or chr(int(match[1] or match[2], 16)), plain)


def parsed(text: str):
    return block(hcl2.loads(text + "\n"), "data", "aws_iam_policy_document", "trust")["statement"]


def conditions(one):
    return [
        (text_of(each["test"]), text_of(each["variable"]), [text_of(value) for value in each["values"]])
        for each in one["condition"]
    ]


def test_a_data_source_says_what_the_policy_says():
    (one, other) = parsed(as_terraform(policy(written(MAIN, TAGS, sid="Main", repository_id="74"), written())))

    assert (one["sid"], one["effect"], one["actions"]) == (
        '"Main"',
        '"Allow"',
        ['"sts:AssumeRoleWithWebIdentity"'],
    )
    assert conditions(one) == [
        ("StringEquals", f"{GITHUB}:aud", [AUDIENCE]),
        ("StringEquals", f"{GITHUB}:repository_id", ["74"]),
        ("StringLike", f"{GITHUB}:sub", [MAIN, TAGS]),
    ]
    assert "sid" not in other


def test_a_data_source_is_written_as_terraform_fmt_does():
    partition, account = "${data.aws_partition.current.partition}", "${data.aws_caller_identity.current.account_id}"
    assert as_terraform(policy(written())) == (
        f"""\
data "aws_caller_identity" "current" {{}}

data "aws_partition" "current" {{}}

data "aws_iam_policy_document" "trust" {{
  statement {{
    effect  = "Allow"
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {{
      type        = "Federated"
      identifiers = ["arn:{partition}:iam::{account}:oidc-provider/{GITHUB}"]
    }}

    condition {{
      test     = "StringEquals"
      variable = "{GITHUB}:aud"
      values   = ["sts.amazonaws.com"]
    }}

    condition {{
      test     = "StringEquals"
      variable = "{GITHUB}:sub"
      values   = ["{MAIN}"]
    }}
  }}
}}"""
    )


def test_a_module_has_the_identity_provider_if_that_is_asked_for():
    text = as_terraform(policy(written()), with_provider=True)

    provider = block(hcl2.loads(text + "\n"), "resource", "aws_iam_openid_connect_provider", "trusted")
    assert (provider["url"], provider["client_id_list"]) == (f'"https://{GITHUB}"', [f'"{AUDIENCE}"'])
    assert "identifiers = [aws_iam_openid_connect_provider.trusted.arn]" in text
    assert "data.aws_caller_identity" not in text


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("a${b}", "a$${b}"),
        ("a%{b}", "a%%{b}"),
        ("$${b}", r"$\u0024{b}"),
        ("%${b}", r"%\u0024{b}"),
        ("$%{b}", r"$\u0025{b}"),
        ('"\\', r"\"\\"),
        ("\n\x7f", r"\u000a\u007f"),
        ("é", "é"),
        ("\U000e0001", r"\U000e0001"),
    ],
)
def test_what_hcl_would_interpolate_is_escaped(text, spelled):
    assert f'values   = ["{spelled}"]' in as_terraform(policy(written(text)))


def test_what_terraform_would_take_for_a_policy_variable_is_refused():
    with pytest.raises(ValueError, match="which Terraform takes for a policy variable; use JSON"):
        as_terraform(policy(written("repo:o/r:ref:refs/heads/a&{b}")))


@settings(max_examples=30)  # the parser takes its time
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: "&{" not in text))
def test_every_text_comes_through_a_data_source(sub):
    (one,) = parsed(as_terraform(policy(written(sub, sub))))
    assert conditions(one)[-1][2] == [sub, sub]


@pytest.mark.parametrize("write", [as_cloudformation, as_terraform])
def test_a_role_here_trusts_one_identity_provider(write):
    other = statement(provider_arn("https://gitlab.com", "123456789012"), "a", ["s"])
    with pytest.raises(ValueError, match=r"one identity provider, and not gitlab\.com and token"):
        write(policy(written(), other))


@pytest.mark.parametrize("write", [as_json, as_cloudformation, as_terraform])
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: "&{" not in text))
@example("repo:octo-org/octo-repo:environment:a\u3164b\ufe0fc\u202ed")
def test_no_character_that_nobody_can_see_is_written(write, sub):
    text = write(policy(written(sub)))

    assert all(visible(line) == line for line in text.split("\n"))
