import io
import os
import signal
import subprocess
import sys

import pytest

from py_aws_oidc import __version__, action, post
from py_aws_oidc.__main__ import main
from py_aws_oidc.failure import Failure
from py_aws_oidc.github.commands import Log
from py_aws_oidc.quoting import MOST_OF_PAGE
from sandbox.in_process import call


def called(*arguments: str, environ: dict[str, str] | None = None) -> tuple[int, str]:
    stdout = io.StringIO()
    return call(arguments, {} if environ is None else environ, stdout), stdout.getvalue()


def raising(error: Exception):
    def run(*_: object, **__: object) -> None:
        raise error

    return run


def test_main_without_inputs_is_one_error():
    status, log = called()

    assert status == 1
    assert log.startswith("::error title=No AWS credentials::1 input of this step cannot be used")
    assert log.count("\n") == 1


def test_what_a_message_names_is_masked_before_it_is_shown():
    inputs = {
        "INPUT_AWS-REGION": "us-east-1",
        "INPUT_MASK-AWS-ACCOUNT-ID": "true",
        "INPUT_ROLE-TO-ASSUME": "arn:aws:iam::123456789012:role/deploy",
        "INPUT_ALLOWED-ACCOUNT-IDS": "111111111111",
    }

    log = called(environ=inputs)[1]

    for account in ("123456789012", "111111111111"):
        assert log.index(f"::add-mask::{account}") < log.index("::error")


def test_a_page_that_would_be_too_long_for_github_keeps_its_first_part_and_says_that_it_was_cut(
    monkeypatch, tmp_path
):
    failure = Failure("What.", name="test", why=["Why."] * 100_000, fix="Fix.")
    failure = failure.replaced(details="### Section\n\ntext\n" * 200_000)
    monkeypatch.setattr(action, "run", raising(failure))
    page = tmp_path / "page"
    page.touch()

    called(environ={"GITHUB_STEP_SUMMARY": str(page)})

    assert MOST_OF_PAGE * 0.9 < page.stat().st_size <= MOST_OF_PAGE + 1
    assert "**Why:** Why." in page.read_text()
    assert "**What to do:** Fix." in page.read_text()
    assert page.read_text().endswith(
        "### Section\n\ntext\n\n**The rest of this page was cut: GitHub shows at most 1 MiB "
        "of a step's summary.**\n"
    )


def test_post_without_a_state_is_no_error():
    assert called("post")[0] == 0


def test_help_is_given_to_who_asks():
    status, text = called("--help")

    assert status == 0
    assert "python3 -m py_aws_oidc post" in text


def test_version_prints_the_version():
    assert called("--version") == (0, f"py-aws-oidc {__version__}\n")


def test_a_wrong_call_is_answered_with_help():
    status, text = called("deploy")

    assert status == 2
    assert "usage:" in text


def test_trust_is_handed_over_to_the_desk():
    status, text = called("trust", "write", "--help")

    assert status == 0
    assert "python3 -m py_aws_oidc trust write" in text


def test_the_actions_own_run_does_not_load_the_desk():
    loaded = "import sys; from py_aws_oidc.__main__ import main; main([]); print(*sys.modules, sep=chr(10))"
    run = subprocess.run([sys.executable, "-c", loaded], capture_output=True, env={}, check=True, text=True)

    assert "py_aws_oidc.action" in run.stdout.splitlines()
    assert {"argparse", "py_aws_oidc.trust_cli"}.isdisjoint(run.stdout.splitlines())


@pytest.mark.parametrize("stage", ["main", "post"])
def test_the_libraries_see_nothing_of_the_jobs_environment(stage):
    environ = {"AWS_PROFILE": "gone", "PYTHONPATH": "x"}

    main([stage], environ, io.StringIO())

    assert environ == {}


def test_a_fault_of_the_program_is_an_error_without_a_traceback(monkeypatch):
    monkeypatch.setattr(action, "run", raising(KeyError("s3cret")))

    status, log = called()

    assert status == 1
    assert "Unexpected error (KeyError)" in log
    assert "Traceback" not in log
    assert "s3cret" not in log


@pytest.mark.parametrize("stage", ["main", "post"])
def test_where_it_happened_is_shown_to_who_asks_but_no_text_of_an_exception(monkeypatch, stage):
    monkeypatch.setattr(action if stage == "main" else post, "run", raising(KeyError("s3cret")))

    log = called(stage, environ={"SHOW_STACK_TRACE": "true"})[1]

    assert "KeyError\n  File " in log
    assert "s3cret" not in log


def test_the_first_cause_is_shown_first(monkeypatch):
    error = ValueError("b")
    error.__cause__ = KeyError("a")
    monkeypatch.setattr(action, "run", raising(error))

    log = called(environ={"SHOW_STACK_TRACE": "true"})[1]

    assert log.index("KeyError") < log.index("ValueError")


def test_a_post_that_fails_does_not_say_that_there_are_no_credentials(monkeypatch):
    monkeypatch.setattr(post, "run", raising(Failure("No.", name="test", why="Why.", fix="Fix.")))

    assert called("post")[1].startswith("::error title=AWS variables not restored::No.")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_of_the_runner_is_an_error_and_no_traceback(monkeypatch, number):
    monkeypatch.setattr(action, "run", lambda *_: signal.raise_signal(number))

    status, log = called()

    assert status == 1
    assert "The step was cancelled, and nothing was exported." in log
    assert "Traceback" not in log


def test_a_message_is_utf_8_whatever_the_locale_says():
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")

    main([], {"INPUT_AWS-REGION": "\u65e5\udcff"}, stdout)

    assert "\u65e5\\udcff".encode() in stdout.detach().getvalue()


def test_bytes_that_are_no_text_do_not_stop_a_message():
    run = subprocess.run(
        [sys.executable, "-m", "py_aws_oidc"],
        env={b"INPUT_AWS-REGION": b"\xff\xc3\xa9", b"LANG": b"xx_YY.latin1"},
        capture_output=True,
        check=False,
    )

    assert run.returncode == 1
    assert run.stderr == b""
    assert b"is not the name of a region" in run.stdout


def test_the_real_environment_is_the_default():
    assert main.__defaults__ is not None
    assert main.__defaults__[0] is os.environ


PROGRAM = [sys.executable, "-u", "-m", "py_aws_oidc"]


def full() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def without_a_reader() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def ended_without_a_log(command: list[str], stdout: int) -> subprocess.CompletedProcess[str]:
    environ = {"INPUT_AWS-REGION": "s3cret", "SHOW_STACK_TRACE": "true"}
    try:
        return subprocess.run(command, env=environ, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(stdout)


@pytest.mark.parametrize("log", [full, without_a_reader])
@pytest.mark.parametrize("arguments", [[], ["post"]], ids=["main", "post"])
def test_a_log_that_cannot_be_written_is_a_failure_in_one_line(log, arguments):
    run = ended_without_a_log([*PROGRAM, *arguments], log())

    assert run.returncode == 1
    assert run.stderr == "py-aws-oidc: the log (standard output) cannot be written, so the step failed.\n"


@pytest.mark.parametrize(("closed", "lines"), [(">&-", 1), (">&- 2>&-", 0), (">&- 2>&- <&-", 0)])
@pytest.mark.parametrize("arguments", [[], ["post"]], ids=["main", "post"])
def test_without_a_stream_for_the_log_the_step_fails_without_a_traceback(closed, lines, arguments):
    run = ended_without_a_log(["sh", "-c", f'"$@" {closed}', "sh", *PROGRAM, *arguments], full())

    assert run.returncode == 1
    assert len(run.stderr.splitlines()) == lines


def test_a_log_that_ends_in_the_middle_leaves_nothing_for_later_steps(step, monkeypatch, capsys):
    write, gone = Log._write, []  # noqa: SLF001 - all that is printed passes here

    def ending(log: Log, line: str) -> None:
        gone.extend(["gone"] if "Signed in" in line else [])
        if gone:
            raise BrokenPipeError
        write(log, line)

    monkeypatch.setattr(Log, "_write", ending)
    run = step()

    assert run.status == 1
    assert run.exported == []
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("stage", ["main", "post"])
def test_a_signal_while_a_line_is_written_ends_the_step_on_a_line_of_its_own(stage, tmp_path, monkeypatch):
    # Python refuses a write to a stream within a write to it.
    class Cut(io.RawIOBase):
        is_cut = False

        def writable(self) -> bool:
            return True

        def fileno(self) -> int:
            return log.fileno()

        def write(self, data: bytes) -> int:
            if not self.is_cut:  # it is written again when the stream is closed
                self.is_cut = True
                log.write(data[:5])
                signal.raise_signal(signal.SIGTERM)
            return len(data)

    monkeypatch.setattr(action if stage == "main" else post, "run", lambda _, log, *__: log.info("A line."))
    with (tmp_path / "log").open("wb", buffering=0) as log:
        status = call([stage], {}, io.TextIOWrapper(io.BufferedWriter(Cut())))

    said = (tmp_path / "log").read_text()
    assert status == 1
    assert said.startswith("A lin\n::error title=")
    assert said.count("\n") == 2
