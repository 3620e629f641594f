"""The check that runs after every test, on leaks that are made up for it."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from sandbox import secrets
from sandbox.leaks import leaks
from sandbox.runner.values import RawLine, StepResult
from sandbox.secrets import Shown

pytestmark = pytest.mark.slow

TOKEN = "the-session-token-of-this-test"
MASK = f"::add-mask::{TOKEN}"
ROOT = Path(__file__).parent.parent


def found(
    log: str = "",
    *,
    failed: bool = False,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    texts: Mapping[str, str] | None = None,
    **files: str,
) -> list[str]:
    """What the check finds of one run, in a test whose secret is TOKEN."""
    run = Shown(log=log, files=files, failed=failed, environ=environ or {})
    return list(leaks({TOKEN: "a session token"}, [run], folder=folder, texts=texts or {}))


def test_a_mask_is_no_leak():
    assert found(f"before\n{MASK}\nafter") == []


@pytest.mark.parametrize(
    "line",
    [
        TOKEN,
        f"got {TOKEN}.",
        f"::error title=No::{TOKEN}",
        f"::warning::{TOKEN}",
        f"# {MASK}",
    ],
)
@pytest.mark.parametrize(
    "log", ["{line}", "{line}\n{mask}", "{mask}\n{line}"], ids=["no mask", "mask late", "mask"]
)
def test_a_secret_in_any_other_line_of_the_log_is_a_leak(line, log):
    assert found(log.format(line=line, mask=MASK)) == ["the log of run 1 tells a session token"]


def test_a_secret_that_is_escaped_in_an_annotation_is_a_leak():
    assert list(
        leaks({"100%secret": "a key"}, [Shown(log="::error::100%25secret", files={}, failed=True)], texts={})
    )


@pytest.mark.parametrize("file", ["GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"])
def test_a_secret_that_a_run_which_failed_has_written_is_a_leak(file):
    assert found(MASK, failed=True, **{file: f"x={TOKEN}"}) == [f"{file} of run 1 tells a session token"]


@pytest.mark.parametrize("file", ["GITHUB_ENV", "GITHUB_OUTPUT"])
def test_a_secret_that_is_handed_on_must_have_been_masked(file):
    said = f"{file} of run 1 hands on a session token that was not masked"

    assert found(**{file: TOKEN}) == [said]
    assert found(MASK, **{file: TOKEN}) == []


def test_a_summary_tells_no_secret_that_was_masked_either():
    assert found(MASK, GITHUB_STEP_SUMMARY=TOKEN) == ["GITHUB_STEP_SUMMARY of run 1 tells a session token"]


def test_what_an_earlier_run_of_the_job_has_masked_is_masked():
    runs = [Shown(log=MASK, files={}, failed=False), Shown(log="", files={"GITHUB_ENV": TOKEN}, failed=False)]

    assert list(leaks({TOKEN: "a token"}, runs, texts={})) == []
    assert list(leaks({TOKEN: "a token"}, runs[::-1], texts={})) != []


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-token", "request-token"),
        ("INPUT_ROLE-EXTERNAL-ID", " external-id ", "external-id"),
        ("INPUT_AWS-SECRET-ACCESS-KEY", "secret-key", "secret-key"),
        ("AWS_SESSION_TOKEN", "ambient-token", "ambient-token"),
        ("HTTPS_PROXY", "http://me:open%20sesame@proxy:8080", "open sesame"),
        ("http_proxy", "me:opensesame@proxy:8080", "opensesame"),
    ],
)
def test_what_a_run_is_given_is_secret_too(name, value, secret):
    assert found(f"-{secret}-", environ={name: value}) != []
    assert found("nothing", environ={name: value}) == []


def test_a_secret_in_a_file_is_a_leak(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "copy").write_bytes(b"\xff" + TOKEN.encode())

    assert found(folder=tmp_path) == ["the file copy tells a session token"]


def test_a_file_that_is_there_for_secrets_may_hold_them(tmp_path):
    environ = {
        "HOME": str(tmp_path),
        "GITHUB_ENV": str(tmp_path / "env"),
        "GITHUB_WORKSPACE": str(tmp_path),
        "INPUT_WEB-IDENTITY-TOKEN-FILE": "token",
    }
    (tmp_path / ".aws").mkdir()
    for name in (".aws/credentials", "env", "token"):
        (tmp_path / name).write_text(TOKEN)

    assert found(environ=environ, folder=tmp_path) == []
    assert found(environ=environ, folder=tmp_path, failed=True) == ["the file env tells a session token"]


def test_what_the_test_shows_itself_tells_no_secret():
    assert found(texts={"the exception": f"KeyError: {TOKEN}"}) == ["the exception tells a session token"]


def test_what_is_too_short_to_be_told_from_other_words_is_left_alone():
    assert found("as the log says", environ={"AWS_SECRET_ACCESS_KEY": "s"}) == []


def test_a_leak_is_told_without_the_secret():
    assert TOKEN not in "".join(found(TOKEN, failed=True, GITHUB_ENV=TOKEN))


def test_the_sandbox_notes_every_secret_that_it_makes(step):
    run = step(output_credentials="true")
    made, (shown,) = secrets.take()

    assert {*run.masked} <= made.keys()
    assert shown.environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] in made
    assert shown.log == run.log


def test_the_runner_notes_what_it_shows_of_a_step():
    secrets.stepped(
        StepResult(
            outcome="failure",
            exit_code=1,
            outputs={"key": TOKEN},
            env={},
            state={},
            annotations=(),
            summary="",
            log=("shown",),
            raw=(RawLine("stdout", MASK), RawLine("stdout", "raw")),
        )
    )
    _, (shown,) = secrets.take()

    assert list(leaks({TOKEN: "a token"}, [shown], texts={})) == ["GITHUB_OUTPUT of run 1 tells a token"]


LEAKING = """
from sandbox.secrets import ran
from sandbox.world import World
from sandbox.job import Job

def test_that_passes(tmp_path):
    with World() as world:
        token = world.issuer.start(Job()).token
    {leak}
"""


@pytest.mark.parametrize(
    ("leak", "said"),
    [
        ("pass", ""),
        ("print(token)", "what the test printed tells a request token"),
        ("ran({}, token, failed=False)", "the log of run 1 tells a request token"),
        ("(tmp_path / 'x').write_text(token)", "the file x tells a request token"),
        ("raise KeyError(token)", "the exception tells a request token"),
    ],
)
def test_a_test_that_passes_fails_if_it_leaks(tmp_path, leak, said):
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["tests.leaks"]\n')
    (tmp_path / "test_it.py").write_text(LEAKING.format(leak=leak))

    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", "/dev/null", str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

    assert (run.returncode, said in run.stdout) == (1 if said else 0, True), run.stdout
