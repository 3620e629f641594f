import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from py_aws_oidc import trust_cli
from py_aws_oidc.explain import claims as explained
from py_aws_oidc.explain.findings import findings
from py_aws_oidc.explain.markdown import code
from py_aws_oidc.explain.statements import policy, statement
from py_aws_oidc.explain.trust import provider_arn, read
from sandbox.job import Job

GITHUB = "token.actions.githubusercontent.com"
ACCOUNT = "123456789012"
MAIN = "repo:octo-org/octo-repo:ref:refs/heads/main"
AUDIENCE = "sts.amazonaws.com"
IDS = ("--owner-id", "65", "--repository-id", "74")


def called(*arguments, stdin=""):
    stdout, stderr = io.StringIO(), io.StringIO()
    status = trust_cli.main(arguments, io.StringIO(stdin), stdout, stderr)
    return status, stdout.getvalue(), stderr.getvalue()


def wrong(*arguments, stdin=""):
    """The one line that a wrong call is answered with."""
    status, stdout, stderr = called(*arguments, stdin=stdin)
    assert (status, stdout) == (2, "")
    assert stderr.startswith("py-aws-oidc trust: ")
    assert stderr.count("\n") == 1
    return stderr


# --- write


def write(*arguments, repository="octo-org/octo-repo", account=("--account", ACCOUNT)):
    return called("write", "--repository", repository, *account, *arguments)


def written(*arguments, **more):
    status, stdout, _ = write(*arguments, **more)
    assert status == 0
    return read(stdout)["Statement"][0]


def subjects(*arguments):
    (keys,) = [
        keys[f"{GITHUB}:sub"] for keys in written(*arguments)["Condition"].values() if f"{GITHUB}:sub" in keys
    ]
    return keys


def test_a_policy_is_written_for_a_branch():
    assert written("--branch", "main") == statement(provider_arn(GITHUB, ACCOUNT), AUDIENCE, [MAIN])


@pytest.mark.parametrize(
    ("arguments", "context"),
    [
        (("--branch", "feature/x"), "ref:refs/heads/feature/x"),
        (("--tag", "v1.2"), "ref:refs/tags/v1.2"),
        (("--environment", "prod"), "environment:prod"),
        (("--environment", "a:b c"), "environment:a%3Ab c"),
        (("--branch", "a${b}"), "ref:refs/heads/a${$}{b}"),
        (("--pull-request",), "pull_request"),
        (("--branch", "release/*"), "ref:refs/heads/release/*"),
    ],
)
def test_a_subject_has_what_the_jobs_are_named_by(arguments, context):
    assert subjects(*arguments) == f"repo:octo-org/octo-repo:{context}"


def test_several_names_are_several_subjects():
    given_names = ("--branch", "main", "--branch", "next", "--tag", "v?", "--pull-request")

    contexts = [sub.removeprefix("repo:octo-org/octo-repo:") for sub in subjects(*given_names)]

    assert contexts == ["ref:refs/heads/main", "ref:refs/heads/next", "ref:refs/tags/v?", "pull_request"]


def test_a_wildcard_is_one():
    condition = written("--branch", "release/*")["Condition"]
    assert condition["StringLike"] == {f"{GITHUB}:sub": "repo:octo-org/octo-repo:ref:refs/heads/release/*"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (IDS, "repo:octo-org@65/octo-repo@74:pull_request"),
        ((*IDS, "--forms", "ids"), "repo:octo-org@65/octo-repo@74:pull_request"),
        ((*IDS, "--forms", "names"), "repo:octo-org/octo-repo:pull_request"),
        (
            (*IDS, "--forms", "both"),
            ["repo:octo-org/octo-repo:pull_request", "repo:octo-org@65/octo-repo@74:pull_request"],
        ),
        (("--repository-id", "74"), "repo:octo-org/octo-repo:pull_request"),
    ],
)
def test_ids_make_the_immutable_form(arguments, expected):
    assert subjects("--pull-request", *arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "has_condition"),
    [
        (("--repository-id", "74"), True),
        ((*IDS, "--forms", "names"), True),
        ((*IDS, "--forms", "both"), True),
        (IDS, False),
        ((), False),
    ],
)
def test_where_the_subject_has_names_the_repositorys_id_is_a_condition(arguments, has_condition):
    condition = written("--pull-request", *arguments)["Condition"]["StringEquals"]
    assert condition.get(f"{GITHUB}:repository_id") == ("74" if has_condition else None)


@pytest.mark.parametrize(
    ("arguments", "audience"),
    [
        ((), AUDIENCE),
        (("--partition", "aws-cn"), "sts.amazonaws.com.cn"),
        (("--partition", "aws-us-gov"), AUDIENCE),
        (("--audience", "own*"), "own${*}"),
    ],
)
def test_there_is_always_a_condition_on_the_audience(arguments, audience):
    one = written("--branch", "main", *arguments)
    assert one["Condition"]["StringEquals"][f"{GITHUB}:aud"] == audience


def test_the_identity_provider_is_that_of_the_issuer():
    one = written("--branch", "main", "--issuer", "https://ghe.example/_services/token/", "--partition", "aws-cn")

    provider = "ghe.example/_services/token"
    assert one["Principal"]["Federated"] == f"arn:aws-cn:iam::{ACCOUNT}:oidc-provider/{provider}"
    assert list(one["Condition"]["StringEquals"]) == [f"{provider}:aud", f"{provider}:sub"]


def test_names_and_ids_of_another_issuer_need_no_condition_that_aws_does_not_know():
    issuer = ("--issuer", "https://ghe.example/_services/token")
    assert len(written("--branch", "main", *IDS, "--forms", "both", *issuer)["Condition"]["StringEquals"]) == 2


@pytest.mark.parametrize("form", ["cloudformation", "terraform"])
@pytest.mark.parametrize("more", [(), ("--with-provider",)])
def test_templates_need_no_account(form, more):
    status, stdout, stderr = write("--branch", "main", *IDS, "--format", form, *more, account=())

    assert (status, stderr) == (0, "")
    assert "repo:octo-org@65/octo-repo@74:ref:refs/heads/main" in stdout
    assert "000000000000" not in stdout
    assert ("client_id_list" in stdout or "ClientIdList" in stdout) is bool(more)


def test_what_is_to_be_said_of_a_policy_is_not_in_the_policy():
    status, stdout, stderr = write("--branch", "main")

    assert (status, json.loads(stdout)["Version"]) == (0, "2012-10-17")
    assert stderr.startswith(f"\nwarning in Statement[0].Condition.StringEquals.{GITHUB}:sub\n")
    assert "created, renamed or transferred after 15 July 2026" in stderr


@given(
    st.lists(st.sampled_from(["--branch", "--tag", "--environment"]), min_size=1),
    st.text(min_size=1),
    st.sampled_from([(), IDS, ("--repository-id", "74"), (*IDS, "--forms", "both")]),
)
def test_what_is_written_is_never_in_error(options, name, ids):
    status, stdout, _ = write(*[argument for option in options for argument in (f"{option}={name}",)], *ids)
    assert status in {0, 2}
    assert not [one for one in (findings(read(stdout)) if stdout else ()) if one.severity == "error"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "No jobs are named. A role should not trust every branch: use --branch"),
        (("--branch", "refs/heads/main"), "--branch is 'refs/heads/main', but it must be a name only"),
        (("--branch", "a b"), "--branch is 'a b', but it must be a name only"),
        (("--tag", "refs/tags/v1"), "--tag is 'refs/tags/v1', but it must be a name only"),
        (("--branch", ""), "--branch is '', but it must be one line of text"),
        (("--environment", " a"), "--environment is ' a', but it must be one line of text"),
        (("--environment", "a\nb"), r"--environment is 'a\nb', but it must be one line of text"),
        (("--pull-request", "--audience", ""), "--audience is '', but it must be one line of text"),
        (("--pull-request", "--audience", "a\x1b"), r"--audience is 'a\x1b', but"),
        (("--pull-request", "--owner-id", "65"), "A subject has both IDs or none: use --owner-id together with"),
        (("--pull-request", "--forms", "ids", "--repository-id", "74"), "A subject has both IDs or none"),
        (("--pull-request", "--forms", "both"), "A subject has both IDs or none"),
        (("--pull-request", "--repository-id", "x"), "--repository-id is 'x', but it must be a number"),
        (("--pull-request", "--owner-id", "-1"), "--owner-id is '-1', but it must be a number"),
        (("--pull-request", "--owner-id", "--forms"), "expected one argument"),
        (("--pull-request", "--account", "12"), "--account is '12', but it must be an ID of 12 digits"),
        (("--pull-request", "--partition", "AWS"), "--partition is 'AWS', but it must be a partition such as aws"),
        (
            ("--pull-request", "--issuer", "http://x"),
            "--issuer is 'http://x', but it must be a URL such as https:",
        ),
        (("--pull-request", "--issuer", "https://x/?y"), "but it must be a URL"),
        (
            ("--pull-request", "--issuer", "https://gitlab.com", "--repository-id", "74"),
            "--repository-id cannot be a condition for gitlab.com: AWS supports this claim for GitHub's own",
        ),
        (("--pull-request", "--with-provider"), "--with-provider is not for json: a trust policy cannot create"),
        (
            ("--pull-request", "--format", "terraform"),
            "--account is not for terraform: the template uses the account",
        ),
        (("--pull-request", "--format", "yaml"), "invalid choice: 'yaml'"),
        (("--pull", "x"), "unrecognized arguments: --pull x; python3 -m py_aws_oidc trust"),
        (("--br\x1b[2J",), r"--br\x1b[2J"),
    ],
)
def test_what_cannot_be_written_is_said_in_a_sentence(arguments, why):
    assert why in wrong("write", "--repository", "o/r", "--account", ACCOUNT, *arguments)


@pytest.mark.parametrize(
    ("repository", "why"),
    [
        ("octo-*/app", "with a wildcard, other people could register a name that"),
        ("octo-org/ap?", "with a wildcard, other people"),
        ("octo-org", "but it must be OWNER/NAME, such as octo-org/app"),
        ("https://github.com/octo-org/app", "but it must be OWNER/NAME"),
        ("octo-org@65/app@74", "but it must be OWNER/NAME"),
        ("octo-org/app:x", "but it must be OWNER/NAME"),
        ("", "but it must be OWNER/NAME"),
    ],
)
def test_a_repository_is_named_whole(repository, why):
    assert why in wrong("write", "--repository", repository, "--branch", "main", "--account", ACCOUNT)


def test_a_policy_needs_an_account():
    assert "--account is missing: the policy names" in wrong("write", "--repository", "o/r", "--branch", "main")


def test_what_terraform_cannot_say_is_not_written():
    arguments = ("write", "--repository", "o/r", "--branch", "a&{b}", "--format", "terraform")
    assert "which Terraform takes for a policy variable; use JSON." in wrong(*arguments)


# --- check


def trusting(*subs, condition=None, account=ACCOUNT, **more):
    one = statement(provider_arn(GITHUB, account), AUDIENCE, subs or [MAIN], lets_others_in=True) | more
    return json.dumps(policy(one if condition is None else one | {"Condition": condition}))


def check(document, *arguments):
    return called("check", "-", *arguments, stdin=document)


TOKEN = ("--sub", MAIN, "--aud", AUDIENCE)


def test_a_token_that_the_policy_lets_in_is_allowed():
    status, stdout, stderr = check(trusting(), *TOKEN)

    assert (status, stderr) == (0, "")
    arn = provider_arn(GITHUB, ACCOUNT)
    assert stdout.startswith(
        f"""\
allowed by Statement[0]

Statement[0] (Allow) matches
  holds  Principal
         policy: {{"Federated": "{arn}"}}
         token:  {arn}
  holds  Action
         policy: sts:AssumeRoleWithWebIdentity
         token:  sts:AssumeRoleWithWebIdentity
  holds  StringEquals {GITHUB}:aud
         policy: {AUDIENCE}
         token:  {AUDIENCE}
  holds  StringEquals {GITHUB}:sub
         policy: {MAIN}
         token:  {MAIN}

warning in Statement[0].Condition.StringEquals.{GITHUB}:sub
"""
    )


def test_a_token_that_the_policy_does_not_let_in_is_refused():
    status, stdout, _ = check(trusting("repo:a/b:*", "repo:a/c:*"), *TOKEN)

    assert status == 1
    assert stdout.startswith(
        "refused: no statement allows it\n\nStatement[0] (Allow) does not match\n  holds  Principal"
    )
    assert (
        f"  FAILS  StringLike {GITHUB}:sub\n         policy: repo:a/b:* or repo:a/c:*\n         token:  {MAIN}\n"
        in stdout
    )


def test_a_deny_is_told_as_one():
    one = json.loads(trusting())["Statement"][0]
    status, stdout, _ = check(json.dumps(policy(one, one | {"Effect": "Deny"})), *TOKEN)
    assert (status, stdout.partition("\n")[0]) == (1, "refused by the Deny in Statement[1]")


def test_a_claim_that_is_not_there_is_told_so():
    claims = json.dumps({"sub": MAIN, "aud": AUDIENCE})
    condition = {"StringEquals": {f"{GITHUB}:environment": "prod", f"{GITHUB}:sub": MAIN}}

    status, stdout, _ = called("check", "-", "--claims", os.devnull, stdin=trusting(condition=condition))
    assert status == 2

    status, stdout, _ = checked_with(claims, trusting(condition=condition))
    assert status == 1
    assert (
        f"  FAILS  StringEquals {GITHUB}:environment\n         policy: prod\n         token:  (not in the token)\n"
        in stdout
    )


def checked_with(claims, document, *arguments):
    """`check` with the claims on standard input and the policy in a file."""
    read_end, write_end = os.pipe()
    os.write(write_end, document.encode())
    os.close(write_end)
    try:
        return called("check", f"/dev/fd/{read_end}", "--claims", "-", *arguments, stdin=claims)
    finally:
        os.close(read_end)


def of_log(**claims):
    """The lines of the action's log, as the runner and its interface show them."""
    now = datetime(2026, 11, 23, tzinfo=UTC)
    said = Job().claims() | {"iss": f"https://{GITHUB}", "aud": AUDIENCE, "exp": now.timestamp() + 290} | claims
    return explained.lines(said, now)


@pytest.mark.parametrize(
    "shown",
    [
        *("{}", "  {}", "{}\r"),
        *("2026-11-23T12:00:00.1234567Z {}", "deploy\tSign in\t2026-11-23T12:00:00.1234567Z {}"),
        *("12 {}", "  12\t{}", "12{}", "12 2026-11-23T12:00:00.1234567Z {}", "12 Mon, 23 Nov 2026 12:00:00 GMT {}"),
    ],
)
def test_the_claims_may_be_lines_of_the_actions_log(shown):
    condition = {
        "StringEquals": {f"{GITHUB}:sub": MAIN, f"{GITHUB}:repository_id": "74"},
        "Null": {f"{GITHUB}:environment": "true"},
    }
    lines = ["##[group]What the ID token says", *of_log(), "##[endgroup]", "Signed in to AWS account x as y"]

    status, stdout, _ = checked_with("\n".join(map(shown.format, lines)), trusting(condition=condition))

    assert (status, stdout.partition("\n")[0]) == (0, "allowed by Statement[0]")


@pytest.mark.parametrize("row", ["| {} | {} |", "{}\t{}"])
@pytest.mark.parametrize("environment", [None, "a | b: c  d", "&amp; <code>", "sub"])
def test_the_claims_may_be_the_table_of_the_summary(row, environment):
    claims = Job(environment=environment).claims() | {"iss": f"https://{GITHUB}", "aud": AUDIENCE}
    said = {**explained.said(claims), "event_name": "<code>x</code>"}
    table = [row.format(name, code(value) if "|" in row else value) for name, value in said.items()]
    name = f"{GITHUB}:environment"
    condition = {"StringEquals": {name: environment}} if environment else {"Null": {name: "true"}}

    lines = [row.format("claim", "value"), row.format("---", "---"), *table]

    assert checked_with("\n".join(lines), trusting(condition=condition))[0] == 0


ERROR = f"""\
Error: AWS refused AssumeRoleWithWebIdentity for arn:aws:iam::{ACCOUNT}:role/deploy: Not authorized
- sub: {MAIN}
- aud: {AUDIENCE}
- iss: https://{GITHUB}
To check: look at sub: and ref:  the rest
"""


def test_the_claims_may_be_lines_of_the_actions_error():
    assert checked_with(ERROR, trusting())[0] == 0


@pytest.mark.parametrize("environment", ["prod " * 2_000, "p" * 10_000, "prod\n", "prod\u202e", "prod\U000e0100"])
def test_a_claim_that_the_log_does_not_show_as_it_is_cannot_be_compared(environment):
    lines = "\n".join(of_log(environment=environment))

    assert "does not have the exact value of environment" in refused_lines(lines, trusting())


def test_an_error_does_not_say_what_other_claims_are():
    document = trusting(condition={"StringEquals": {f"{GITHUB}:environment": "prod", f"{GITHUB}:sub": MAIN}})
    assert "the claim environment: it is not known whether" in refused_lines(ERROR, document)


@pytest.mark.parametrize(
    "line", ["  ref: v4", "repository: octo-org/tools", "| sub: x", "- sub  x", "subject  x", "sub x"]
)
def test_other_lines_of_the_log_are_no_claims(line):
    assert checked_with("\n".join([*of_log(), line]), trusting())[0] == 0
    assert "standard input has no claims" in refused_claims(line)


@pytest.mark.parametrize(
    "line", ["x" + "\t" * 200_000 + "x", "1" + " " * 200_000 + "x", "1" * 200_000, "sub" + " " * 200_000]
)
def test_no_line_takes_long(line):
    assert "standard input has no claims" in refused_claims(line)


def test_the_same_claims_twice_are_the_claims():
    assert checked_with("\n".join([*of_log(), *of_log()]), trusting())[0] == 0


def refused_lines(claims, document):
    status, stdout, stderr = checked_with(claims, document)
    assert (status, stdout) == (2, "")
    return stderr


def refused_claims(claims):
    error = refused_lines(claims, trusting())
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        (
            "\n".join([*of_log(), *of_log(sub="x")]),
            "standard input has two values of sub: it has the lines of more than",
        ),
        ("", "standard input has no claims: use a JSON object, or the lines of the action's log"),
        ("[]", "standard input has no claims"),
        ("{", "standard input is not valid JSON: it must be an object of claims"),
        ('{"a":' * 100_000, "standard input is not valid JSON"),
        ("{}", "The claims have no sub"),
        ('{"sub": "x"}', "The claims have no aud"),
        ('{"sub": 1, "aud": "x"}', "The claims have no sub, or it is not a string"),
        ('{"sub": "x", "aud": []}', "The claims have no aud"),
        ('{"sub": "x", "aud": "x", "iss": 1}', "The claims have no iss, or it is not a string"),
        ('{"sub": "x", "aud": "x", "iss": "x"}', "the issuer is 'x', but it must be a URL"),
        (" " * 1_000_001, "standard input is too large: it has more than 1,000,000 characters"),
    ],
)
def test_claims_that_are_none_are_said_to_be_none(claims, why):
    assert why in refused_claims(claims)


@pytest.mark.parametrize("around", ["{}", '{{"value": "{}"}}', "ACTIONS_ID_TOKEN={}\n"])
def test_a_token_is_not_taken_for_its_claims(around):
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"
    error = refused_claims(around.format(token))
    assert "contains a token, not only its claims. Anyone who has the token can use it until it expires" in error
    assert token not in error


@pytest.mark.parametrize("form", ["log", "sub"])
def test_a_claim_that_nobody_told_is_not_taken_to_be_absent(form):
    document = trusting(condition={"StringNotEquals": {f"{GITHUB}:ACTOR": "eve"}})
    run = checked_with("\n".join(of_log()), document) if form == "log" else check(document, *TOKEN)
    assert run[:2] == (2, "")
    error = run[2].splitlines()[-1]
    assert "because of the claim actor: it is not known whether" in error


def test_several_audiences_are_compared_each():
    assert checked_with(json.dumps({"sub": MAIN, "aud": ["x", AUDIENCE]}), trusting())[0] == 0


def test_the_issuer_is_the_one_that_the_claims_name():
    claims = json.dumps({"sub": MAIN, "aud": AUDIENCE, "iss": f"https://{GITHUB}/octo"})
    status, stdout, _ = checked_with(claims, trusting(), "--issuer", f"https://{GITHUB}")
    assert status == 1
    assert f"         token:  arn:aws:iam::ACCOUNT:oidc-provider/{GITHUB}/octo\n" in stdout


def test_the_issuer_may_be_told():
    assert check(trusting(), *TOKEN, "--issuer", "https://gitlab.com")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((), 0),
        (("--account", ACCOUNT), 0),
        (("--account", "210987654321"), 1),
        (("--account", ACCOUNT, "--partition", "aws-cn"), 1),
        (("--action", "sts:AssumeRole"), 1),
        (("--action", "sts:assumerolewithwebidentity"), 0),
    ],
)
def test_account_and_action_may_be_told(arguments, status):
    assert check(trusting(), *TOKEN, *arguments)[0] == status


@pytest.mark.parametrize(("name", "status"), [("GitHubActions", 1), ("deploy", 0)])
def test_the_session_may_have_a_name(name, status):
    document = trusting(condition={"StringEquals": {"sts:RoleSessionName": "deploy"}})
    assert check(document, *TOKEN, "--role-session-name", name)[0] == status


def test_two_accounts_of_one_provider_are_not_guessed_between():
    principal = {"Federated": [provider_arn(GITHUB, ACCOUNT), provider_arn(GITHUB, "2" * 12)]}
    document = trusting(Principal=principal)

    assert "The policy names the identity provider in several accounts: use --account." in wrong(
        "check", "-", *TOKEN, stdin=document
    )
    assert check(document, *TOKEN, "--account", "2" * 12)[0] == 0


def test_a_policy_that_names_everyone_is_checked_all_the_same():
    assert check(trusting(Principal="*"), *TOKEN)[0] == 0


EVERYONE = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*"}]}


@pytest.mark.parametrize(
    ("element", "value"),
    [
        pytest.param("Principal", "*", id="S2"),
        ("Principal", {"AWS": "*"}),
        ("Action", "sts:AssumeRole"),
        ("Action", "STS:assume*"),
    ],
)
def test_a_policy_that_lets_everyone_in_is_checked_with_an_error(element, value):
    one = EVERYONE["Statement"][0] | {element: value}
    _, stdout, _ = check(json.dumps(policy(one)), *TOKEN)
    assert "error in Statement[0].Principal\n  It lets in everyone:" in stdout


def test_a_policy_for_a_subject_that_strangers_can_have_is_checked_with_an_error():
    status, stdout, _ = check(
        trusting("environment:production"), "--sub", "environment:production", "--aud", AUDIENCE
    )
    assert status == 0
    assert (
        f"error in Statement[0].Condition.StringEquals.{GITHUB}:sub\n  'environment:production' does not" in stdout
    )


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        pytest.param(
            {"Bool": {"aws:ViaAWSService": "false"}}, "'aws:ViaAWSService', whose value only AWS", id="S7"
        ),
        ({"StringEquals": {f"{GITHUB}:sub": []}}, f"condition on '{GITHUB}:sub' without a value"),
        (
            {"StringEquals": {f"{GITHUB}:runner_environment": "x"}},
            "which not every list of AWS's condition keys has",
        ),
    ],
)
def test_what_only_aws_can_say_is_not_guessed(condition, why):
    deny = {"Effect": "Deny", "Principal": "*", "Action": "*", "Condition": condition}
    status, stdout, stderr = check(json.dumps(policy(*json.loads(trusting())["Statement"], deny)), *TOKEN)
    assert (status, stdout) == (2, "")
    assert why in stderr


def test_not_principal_is_shown_as_what_it_is():
    one = {
        "Effect": "Deny",
        "NotPrincipal": {"Federated": provider_arn(GITHUB, ACCOUNT)},
        "NotAction": "sts:TagSession",
    }
    status, stdout, _ = check(json.dumps(policy(one)), *TOKEN)
    assert status == 1
    assert "  FAILS  NotPrincipal\n" in stdout
    assert "  holds  NotAction\n         policy: sts:TagSession\n" in stdout


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("", "standard input is not a trust policy: line 1 is not valid JSON"),
        ("{}", "standard input is not a trust policy: the policy has no Statement."),
        (trusting(Effect="allow"), "Statement[0].Effect is 'allow', neither 'Allow' nor 'Deny'."),
        (trusting(Sid="a\nb"), r"Statement[0].Sid is 'a\nb', and not only letters and digits."),
        (trusting(**{"a\nb": 1}), r"Statement[0] has 'a\nb', and not only"),
        (trusting(condition={"a\nb\u2028": 1}), r"Statement[0].Condition.a\nb\u2028 is 1"),
    ],
)
def test_what_is_no_policy_is_said_in_a_line(document, why):
    assert why in wrong("check", "-", *TOKEN, stdin=document)


def test_what_cannot_be_judged_is_said_with_what_is_found():
    status, stdout, stderr = check(trusting(condition={"stringEquals": {f"{GITHUB}:sub": MAIN}}), *TOKEN)

    assert (status, stdout) == (2, "")
    assert "Is it meant to be StringEquals?" in stderr
    assert stderr.endswith("Cannot evaluate standard input, because of the condition operator 'stringEquals'.\n")


def test_hostile_texts_stay_on_their_lines():
    hostile = "x\n\rallowed\x1b[2J\u2028\u202e\x00"
    document = trusting(hostile, Action=["sts:AssumeRoleWithWebIdentity", hostile])

    status, stdout, stderr = check(document, "--sub", hostile, "--aud", hostile)

    assert (status, stderr) == (1, "")
    assert [line for line in stdout.splitlines() if line.startswith("allowed")] == []
    assert all(character.isprintable() for line in stdout.split("\n") for character in line)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "the following arguments are required: POLICY; python3 -m py_aws_oidc trust check --help shows"),
        (
            ("-",),
            ": --claims, or --sub and --aud, is missing: the check compares the policy with the claims of a token.",
        ),
        (("-", "--sub", "x"), ": --aud is missing: the check"),
        (("-", "--aud", "x"), ": --sub is missing: the check"),
        (("-", "--claims", "x", *TOKEN), "The claims are set twice: use --claims, or --sub and --aud."),
        (("-", "--claims", "x", "--aud", "x"), "The claims are set twice"),
        (("-", "--claims", "-"), "POLICY and --claims are both -, but there is only one standard input"),
        (("-", *TOKEN, "--account", "1"), "--account is '1', but it must be an ID of 12 digits"),
        (("-", *TOKEN, "--account", ACCOUNT, "--partition", "x"), "--partition is 'x'"),
        (("-", *TOKEN, "--issuer", "x"), "the issuer is 'x'"),
        (("no\nsuch", *TOKEN), r"'no\nsuch' cannot be read: No such file or directory."),
        (("/", *TOKEN), "'/' cannot be read: Is a directory."),
        (("-", "--claims", "/no-such"), "'/no-such' cannot be read: No such file or directory."),
    ],
)
def test_a_wrong_check_is_said_in_a_sentence(arguments, why):
    assert why in wrong("check", *arguments, stdin=trusting())


def test_a_file_that_is_no_text_is_said_to_be_none(tmp_path):
    (tmp_path / "policy").write_bytes(b"\xff")
    assert "cannot be read: it is not text in UTF-8." in wrong("check", str(tmp_path / "policy"), *TOKEN)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=50) | st.builds(trusting, st.text(max_size=20)), st.text(max_size=50), st.text(max_size=10))
def test_whatever_is_checked_there_is_a_status_and_no_traceback(document, sub, aud):
    status, stdout, stderr = check(document, f"--sub={sub}", f"--aud={aud}")
    assert status in {0, 1, 2}
    assert bool(stdout) is (status != 2)
    assert bool(stderr) is (status == 2)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
)


@given(st.fixed_dictionaries({"sub": JSON, "aud": JSON, "iss": JSON | st.just(f"https://{GITHUB}"), "actor": JSON}))
def test_whatever_the_claims_are_there_is_a_status_and_no_traceback(claims):
    document = trusting(condition={"StringLike": {f"{GITHUB}:{claim}": "*" for claim in claims}})
    status, stdout, stderr = checked_with(json.dumps(claims), document)
    assert status in {0, 1, 2}
    assert bool(stdout) is not bool(stderr)


# --- both


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--help",), "{write,check}"),
        (("write", "--help"), "python3 -m py_aws_oidc trust write --repository octo-org/app --branch main"),
        (("check", "-h"), "aws iam get-role --role-name deploy | python3 -m py_aws_oidc trust check - --claims"),
    ],
)
def test_help_has_an_example(arguments, text):
    status, stdout, stderr = called(*arguments)
    assert (status, stderr) == (0, "")
    assert text.replace("{write,check}", "write|check") in stdout


@pytest.mark.parametrize("arguments", [(), ("read",)])
def test_a_wrong_command_is_said_in_a_line(arguments):
    assert "python3 -m py_aws_oidc trust --help shows the usage." in wrong(*arguments)


def test_an_interrupt_ends_it_quietly():
    class Interrupted(io.StringIO):
        def read(self, *_):
            raise KeyboardInterrupt

    assert trust_cli.main(["check", "-", *TOKEN], Interrupted(), io.StringIO(), io.StringIO()) == 130


def process(*arguments, **more):
    command = [sys.executable, "-m", "py_aws_oidc", "trust", *arguments]
    return subprocess.run(command, capture_output=True, check=False, text=True, **more)


def test_what_is_written_is_checked_by_the_command_itself():
    policy = process("write", "--repository", "octo-org/octo-repo", "--branch", "main", *IDS, "--account", ACCOUNT)
    sub = "repo:octo-org@65/octo-repo@74:ref:refs/heads/main"

    check = process("check", "-", "--sub", sub, "--aud", AUDIENCE, input=policy.stdout)

    assert (policy.returncode, policy.stderr) == (0, "")
    assert (check.returncode, check.stderr) == (0, "")
    assert check.stdout.startswith("allowed by Statement[0]\n")


def test_a_reader_that_has_enough_gets_no_traceback():
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "py_aws_oidc", "trust", "check", "-", *TOKEN]

    run = subprocess.run(command, input=trusting().encode(), stdout=write_end, stderr=subprocess.PIPE, check=False)

    os.close(write_end)
    assert (run.returncode, run.stderr) == (2, b"")
