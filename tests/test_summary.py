"""The page that GitHub shows of a job: a step that fails says there why."""

import json
import os
import re

import pytest

from py_aws_oidc.explain.claims import SHOWN
from py_aws_oidc.quoting import MOST_OF_PAGE
from sandbox.faults import Fault
from sandbox.job import Job
from sandbox.world import github_trust

FEATURE = Job(ref="refs/heads/feature")


def test_a_step_that_fails_says_so_on_the_page_of_the_job(step):
    run = step(aws_region="", role_to_assume="arn:aws:iam::123456789012:user/me")

    assert run.summary.startswith("## No AWS credentials\n\n2 inputs of this step cannot be used")
    assert "**What to do:** correct the step's" in run.summary


def test_a_step_that_succeeds_leaves_the_page_alone(step):
    assert step().summary == ""


def test_the_page_of_a_refusal_has_what_was_compared_and_what_to_paste(step):
    page = step(FEATURE).summary

    assert "| sub | <code>repo&#58;octo-org/octo-repo&#58;ref&#58;refs/heads/feature</code> |" in page
    assert (
        "\n1. **The policy's conditions do not match: for example, they name another repository, branch or "
        "environment**" in page
    )
    assert "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" in page
    assert page.count("<details>") == 2
    assert page.count("<details open>") == 1


def test_what_somebody_else_named_is_no_markup_on_the_page(step):
    page = step(Job(ref="refs/heads/<img src=x>`|![a](b)")).summary

    outside = re.sub(r"```json\n.*?\n```", "", page, flags=re.DOTALL)
    assert "img src" in outside
    assert not any(markup in outside for markup in ("<img", "![", "|!"))


def test_the_page_has_no_secret(step):
    run = step(FEATURE)

    assert run.summary
    assert not run.leaks


def test_what_stands_on_the_page_already_stays(step, tmp_path):
    page = tmp_path / "page"
    page.write_text("Already here\n")

    step(FEATURE, environ={"GITHUB_STEP_SUMMARY": str(page)})

    assert page.read_text().startswith("Already here\n## No AWS credentials")


@pytest.mark.parametrize("kind", ["", "missing", "folder", "pipe", "link", "full"])
def test_a_page_that_cannot_be_written_hides_nothing(step, tmp_path, kind):
    page = tmp_path / "page"
    if kind == "folder":
        page.mkdir()
    elif kind == "pipe":
        os.mkfifo(page)
    elif kind == "link":
        page.symlink_to(tmp_path / "other")
        (tmp_path / "other").touch()
    elif kind == "full":
        page = "/dev/full"

    run = step(FEATURE, environ={"GITHUB_STEP_SUMMARY": str(page) if kind else ""})

    assert run.status == 1
    assert "Not authorized" in run.error


def test_letters_that_no_page_can_have_do_not_spoil_it(step):
    page = step(aws_region="\udc80").summary

    assert page.startswith("## No AWS credentials")


# --- the trust policy in the repository


def trusting(sub: str) -> bytes:
    return json.dumps(github_trust("arn:aws:iam::123456789012:oidc-provider/x", sub), indent=8).encode()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file or directory"),
        (b"{", "line 1 is not valid JSON"),
        (b"\xff", "it is not a text"),
        (b" " * 100_001, "it has more than 100000 characters"),
        (trusting("x" * 8_192), "the policy has more than 8192 characters without white space"),
        (b"[]", "the policy is a list, and not a JSON object"),
    ],
)
def test_a_trust_policy_that_cannot_be_read_is_told_before_any_call(step, tmp_path, content, why):
    if content is not None:
        (tmp_path / "trust.json").write_bytes(content)

    error = step.refused(environ={"GITHUB_WORKSPACE": str(tmp_path)}, trust_policy_file="trust.json")

    assert error.startswith("The trust policy file trust.json cannot be used, so nothing was tried.")
    assert f"Why: {why}" in error
    assert step.calls == []


def test_a_trust_policy_must_be_a_file(step, tmp_path):
    assert "Why: it is not a regular file." in step.refused(trust_policy_file=str(tmp_path))


def test_a_trust_policy_that_is_a_device_is_not_waited_for(step, tmp_path):
    (tmp_path / "trust.json").symlink_to("/dev/zero")

    error = step.refused(environ={"GITHUB_WORKSPACE": str(tmp_path)}, trust_policy_file="trust.json")

    assert "Why: it is not a regular file." in error
    assert step.calls == []


def test_white_space_in_a_trust_policy_does_not_count(step, tmp_path):
    (tmp_path / "trust.json").write_bytes(trusting("x").replace(b" ", b" " * 100))

    error = step.refused(FEATURE, environ={"GITHUB_WORKSPACE": str(tmp_path)}, trust_policy_file="trust.json")

    assert "trust.json refuses this token" in error


# --- limits, and what nobody can see


LONG = "a " * 300_000


@pytest.mark.parametrize(
    "long", [LONG, LONG.replace(" ", "b"), "\u202e" * 200_000], ids=["words", "word", "unseen"]
)
def test_a_long_message_of_aws_leaves_log_and_page_readable(step, long):
    step.world.faults.script(
        "AssumeRoleWithWebIdentity", always=Fault(status=403, code="AccessDenied", message=long)
    )

    run = step()

    assert run.status == 1
    assert len(re.sub("::add-mask::.*", "", run.log)) < 100_000
    assert len(run.summary.encode()) < MOST_OF_PAGE
    assert "characters in all" in run.error
    assert "### What would allow this run" in run.summary


@pytest.mark.parametrize("claim", ["sub", "environment", "job_workflow_ref"])
def test_a_long_claim_leaves_log_and_page_readable(step, claim):
    step.world.faults.script("idtoken", always=Fault(claims={claim: "\U0001f600" * 40_000}))
    denied = Fault(status=403, code="AccessDenied", message="Not authorized")
    step.world.faults.script("AssumeRoleWithWebIdentity", always=denied)

    run = step()

    assert run.status == 1
    assert len(re.sub("::add-mask::.*", "", run.log)) < 100_000
    assert len(run.summary.encode()) < MOST_OF_PAGE


UNSEEN = "a\u202eb\u2066c\u2069d\u200be\u00adf\u2028g\u2029h\x1b[31mi\nj\rk\x85l\u3164m"


def test_what_nobody_can_see_is_spelt_out_wherever_it_is_shown(step, tmp_path):
    claims = dict.fromkeys(SHOWN[2:], UNSEEN)
    (tmp_path / "trust.json").write_bytes(trusting(UNSEEN))
    step.world.faults.script("idtoken", always=Fault(claims=claims))
    message = UNSEEN.replace("\x1b", "")  # which no XML can have
    denied = Fault(status=403, code="AccessDenied", message=message)
    step.world.faults.script("AssumeRoleWithWebIdentity", always=denied)

    run = step(
        environ={"GITHUB_WORKSPACE": str(tmp_path), "SHOW_STACK_TRACE": "true"}, trust_policy_file="trust.json"
    )

    assert r"a\u202eb\u2066c\u2069d\u200be\xadf\u2028g\u2029h" in run.error
    for line in f"{run.log}\n{run.summary}".split("\n"):
        assert line.isprintable(), ascii(line)
        assert "\u3164" not in line
    assert [line[:5] for line in run.error.split("\n") if line.startswith(("- sub", "- aud", "- iss"))] == [
        *("- sub", "- aud", "- iss")
    ]


# --- the token of somebody else


def test_a_token_file_is_explained_by_what_its_token_says(step, tmp_path):
    (tmp_path / "token").write_text(step.world.issuer.mint(FEATURE, "sts.amazonaws.com"))

    error = step.refused(web_identity_token_file=str(tmp_path / "token"))

    assert "- sub: repo:octo-org/octo-repo:ref:refs/heads/feature" in error


def test_a_token_file_that_nobody_can_read_is_explained_all_the_same(step, tmp_path):
    (tmp_path / "token").write_text("no-token-at-all")
    denied = Fault(status=403, code="AccessDenied", message="Not authorized")
    step.world.faults.script("AssumeRoleWithWebIdentity", always=denied)

    run = step(web_identity_token_file=str(tmp_path / "token"))

    assert "- sub: (not in the token)" in run.error
    assert "```json" not in run.summary
