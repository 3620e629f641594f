"""The two doors the runner knows: main and post.

`python3 -m py_aws_oidc` is main, `python3 -m py_aws_oidc post` is post; `python3 -m py_aws_oidc trust` is for people.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import suppress
from io import TextIOWrapper
from typing import TextIO

from py_aws_oidc import __version__, interrupts
from py_aws_oidc.clock import Clock
from py_aws_oidc.failure import Failure
from py_aws_oidc.github.commands import Log
from py_aws_oidc.github.files import append_summary
from py_aws_oidc.interrupts import Ending
from py_aws_oidc.quoting import MOST_OF_PAGE

USAGE = f"""\
py-aws-oidc {__version__}: turns a workflow's OIDC identity into short-lived AWS credentials.

usage: python3 -m py_aws_oidc          what the action's step does
       python3 -m py_aws_oidc post     what the action does at the end of the job
       python3 -m py_aws_oidc trust    write and check trust policies; trust --help has the rest
       python3 -m py_aws_oidc --version

The first two take their inputs from the environment, as GitHub's runner sets it: INPUT_AWS-REGION,
INPUT_ROLE-TO-ASSUME, GITHUB_ENV and so on. README.md has the inputs.
"""
TITLES = {"main": "No AWS credentials", "post": "AWS variables not restored"}


def main(
    arguments: Sequence[str],
    environ: MutableMapping[str, str] = os.environ,
    stdout: TextIO = sys.stdout,
    clock: Clock = Clock(),  # noqa: B008 - a frozen value
    end: Callable[[int], object] = os._exit,
) -> int:
    """Run one stage; the exit status is 0 when it succeeded, 1 when it failed and 2 for a wrong call.

    A signal or the time limit of the step does not come back to the caller: it calls `end`. The handlers of signals
    stay as they are after the run, since the process ends next.
    """
    stage = arguments[0] if arguments else "main"
    if isinstance(stdout, TextIOWrapper):
        # Whatever LANG says, and whatever bytes a variable holds, a message must come through.
        stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    if stage == "trust":
        from py_aws_oidc import trust_cli

        return trust_cli.main(arguments[1:], sys.stdin, stdout, sys.stderr)
    if stage == "--version":
        stdout.write(f"py-aws-oidc {__version__}\n")
        return 0
    if stage not in TITLES:
        stdout.write(USAGE)
        return 0 if stage in {"-h", "--help"} else 2
    given = dict(environ)
    log = Log(stdout)
    ending = Ending(lambda failure: _cut_in(failure, stage, given, log), end)
    try:
        ending.on_signal(_cancelled(stage))
        # Some forty variables steer botocore, requests and OpenSSL (AWS_PROFILE, AWS_MAX_ATTEMPTS, SSLKEYLOGFILE,
        # AWS_ENDPOINT_URL, BOTOCORE_EXPERIMENTAL__PLUGINS ...), and any earlier step of the job can set them. The
        # libraries see none; what they are to know is handed to them by name.
        environ.clear()
        if stage == "post":
            from py_aws_oidc import post

            post.run(given, log)
        else:
            from py_aws_oidc import action

            action.run(given, log, clock, ending)
        interrupts.ignore()
    except BaseException as error:  # whatever happened, a person understands it
        if ending.begun:
            raise
        ending.silently()
        try:
            _report(error, stage, given, log)
        except Exception:  # noqa: BLE001 - Python would print it with the texts of all that led here
            with suppress(Exception):
                sys.stderr.write("py-aws-oidc: the log (standard output) cannot be written, so the step failed.\n")
            # The interpreter's own end would try to write what is left of the log.
            end(1)
        return 1
    return 0


def _report(error: BaseException, stage: str, environ: Mapping[str, str], log: Log) -> None:
    if environ.get("SHOW_STACK_TRACE") == "true":
        for line in _stack(error):
            log.info(line)
    failure = _failure(error)
    for secret in failure.hidden:
        log.mask(secret)
    log.error(str(failure).split("\n"), title=TITLES[stage])
    # Where there is no page to write, or it cannot be written, the log has said the most of it.
    with suppress(Failure, OSError):
        from py_aws_oidc.explain import markdown

        said = _summary(TITLES[stage], failure, markdown.text)
        append_summary(environ, f"{said}{markdown.cut(failure.details, MOST_OF_PAGE - len(said))}\n")


def _cut_in(failure: Failure, stage: str, environ: Mapping[str, str], log: Log) -> None:
    """Report a failure in the middle of anything else, so without an import; its texts are our own."""
    log.error_at_once(str(failure), title=TITLES[stage])
    append_summary(environ, _summary(TITLES[stage], failure, str))


def _summary(title: str, failure: Failure, escape: Callable[[str], str]) -> str:
    texts = [(f"**{label}:** " if label else "", escape(text.strip("\n"))) for label, text in failure.paragraphs]
    return "".join(
        (f"## {title}\n\n", *(f"{label}{text}\n\n" for label, text in texts), f"**More:** {failure.link}\n\n")
    )


def _cancelled(stage: str) -> Failure:
    what = {
        "main": "The step was cancelled, and nothing was exported.",
        "post": "The cleanup of this step was cancelled, so its AWS variables or its profile may still be there.",
    }
    return Failure(
        what[stage],
        name="cancelled",
        why="the job was cancelled, or a time limit of the workflow was reached.",
        fix="if this was not intended, check timeout-minutes and read the lines above.",
    )


def _failure(error: BaseException) -> Failure:
    if isinstance(error, Failure):
        return error
    # Its text may hold anything; its name cannot.
    return Failure(
        f"Unexpected error ({type(error).__name__}) in py-aws-oidc {__version__}.",
        name="unexpected-error",
        why="this is a bug in the action, not in your workflow.",
        fix="set SHOW_STACK_TRACE: true in the step's env, run the job again, and report the log at "
        "https://github.com/org/py-aws-oidc/issues.",
    )


def _stack(error: BaseException | None) -> Iterator[str]:
    """Where it happened, from the first cause on; without the texts of exceptions, which may hold a secret."""
    import traceback

    if error is None:
        return
    yield from _stack(error.__cause__ or error.__context__)
    yield type(error).__name__
    yield from "".join(traceback.format_tb(error.__traceback__)).splitlines()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
