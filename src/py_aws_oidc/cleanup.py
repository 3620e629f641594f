"""Post: put back what was there before the step.

Posts run in the reverse order of their steps, so several steps of this action in one job unwind like a stack.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from py_aws_oidc.export import STATE
from py_aws_oidc.github.commands import Log
from py_aws_oidc.github.files import CommandFile


def run(environ: Mapping[str, str], log: Log) -> None:
    """Write the variables of before the step to GITHUB_ENV, blank where there was none.

    A variable cannot be taken away from a job, and the SDKs take a blank one for none. Raises Failure when
    GITHUB_ENV is missing or cannot be written.
    """
    if environ.get("AWS_SKIP_CLEANUP_STEP") == "true":
        log.info("AWS_SKIP_CLEANUP_STEP is true: the AWS variables stay as they are.")
        return
    before = _variables(environ.get(f"STATE_{STATE}", ""))
    if not before:
        # A step that failed, or that had output-env-credentials: false, has left nothing to put back.
        log.info("This step changed no AWS variables, so there is nothing to put back.")
        return
    CommandFile.named(environ, "GITHUB_ENV").append(before)
    put_back = [name for name, value in before.items() if value]
    blanked = [name for name, value in before.items() if not value]
    if put_back:
        log.info(f"Put back as before this step: {', '.join(put_back)}.")
    if blanked:
        log.info(f"Blanked: {', '.join(blanked)}.")


def _variables(state: str) -> dict[str, str]:
    try:
        before = json.loads(state or "{}")
    except ValueError:
        return {}
    if not isinstance(before, dict):
        return {}
    return {name: value for name, value in before.items() if isinstance(value, str)}
