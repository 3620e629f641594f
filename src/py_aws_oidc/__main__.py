"""The two doors the runner knows: main and post.

`python -m py_aws_oidc` is main, `python -m py_aws_oidc post` is post.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping, Sequence
from datetime import UTC, datetime
from io import TextIOWrapper
from typing import TextIO

from py_aws_oidc import __version__, action, cleanup
from py_aws_oidc.failure import Failure
from py_aws_oidc.github.commands import Log

USAGE = f"""\
py-aws-oidc {__version__}: turns a workflow's OIDC identity into short-lived AWS credentials.

usage: python -m py_aws_oidc          what the action's step does
       python -m py_aws_oidc post     what the action does at the end of the job

Both take their inputs from the environment, as GitHub's runner sets it: INPUT_AWS-REGION, INPUT_ROLE-TO-ASSUME,
GITHUB_ENV and so on. README.md has the inputs.
"""


def main(
    arguments: Sequence[str], environ: MutableMapping[str, str] = os.environ, stdout: TextIO = sys.stdout
) -> int:
    """Run one stage; the exit status is 0 when it succeeded, 1 when it failed and 2 for a wrong call."""
    stage = arguments[0] if arguments else "main"
    if stage not in {"main", "post"}:
        stdout.write(USAGE)
        return 0 if stage in {"-h", "--help"} else 2
    if isinstance(stdout, TextIOWrapper):
        # Whatever LANG says, and whatever bytes a variable holds, a message must come through.
        stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    given = dict(environ)
    # Some forty variables steer botocore, requests and OpenSSL (AWS_PROFILE, AWS_MAX_ATTEMPTS, AWS_ENDPOINT_URL,
    # BOTOCORE_EXPERIMENTAL__PLUGINS, SSLKEYLOGFILE ...), and any earlier step of the job can set them. The
    # libraries see none; what they are to know is handed to them by name.
    environ.clear()
    log = Log(stdout)
    try:
        if stage == "post":
            cleanup.run(given, log)
        else:
            action.run(given, log, clock=lambda: datetime.now(UTC))
    except Exception as error:  # noqa: BLE001 - the last door: whatever happened, a person is to understand it
        _tell(error, log, show_stack_trace=given.get("SHOW_STACK_TRACE") == "true")
        return 1
    return 0


def _tell(error: Exception, log: Log, *, show_stack_trace: bool) -> None:
    if show_stack_trace:
        import traceback

        log.info("".join(traceback.format_exception(error)))
    if not isinstance(error, Failure):
        # Its text may hold anything; its name cannot.
        error = Failure(
            f"py-aws-oidc {__version__} failed in a way that it should not ({type(error).__name__}).",
            why="this is a fault of the action, not of your workflow.",
            fix="set SHOW_STACK_TRACE: true in the step's env, run it again, and report what the log then shows.",
        )
    log.error(str(error), title="No AWS credentials")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
