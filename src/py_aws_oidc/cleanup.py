"""Post: put back what was there before the step.

Posts run in the reverse order of their steps, so several steps of this action in one job unwind like a stack.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from py_aws_oidc.aws import profiles
from py_aws_oidc.export import PROFILE_BEFORE, VARIABLES, VARIABLES_BEFORE
from py_aws_oidc.github.commands import Log
from py_aws_oidc.github.files import AllOrNothing, CommandFile, owner
from py_aws_oidc.interrupts import uninterrupted


def run(environ: Mapping[str, str], log: Log) -> None:
    """Write the variables of before the step to GITHUB_ENV, blank where there was none, and undo the profile.

    A variable cannot be taken away from a job, and the SDKs take a blank one for none. Raises Failure when a file
    cannot be written.
    """
    if environ.get("AWS_SKIP_CLEANUP_STEP") == "true":
        log.info("AWS_SKIP_CLEANUP_STEP is true: the AWS variables stay as they are.")
        return
    before = _variables(environ.get(f"STATE_{VARIABLES_BEFORE}", ""))
    undo = environ.get(f"STATE_{PROFILE_BEFORE}", "")
    for profile in profiles.put_back(undo, owner(environ)) if undo else []:
        log.info(f"Took away the profile {profile}, or made it what it was before.")
    if before:
        file = CommandFile.named(environ, "GITHUB_ENV")
        with uninterrupted(), AllOrNothing([file]) as files:
            files.append(file, before)
        put_back = [name for name, value in before.items() if value]
        blanked = [name for name, value in before.items() if not value]
        if put_back:
            log.info(f"Put back as before this step: {', '.join(put_back)}.")
        if blanked:
            log.info(f"Blanked: {', '.join(blanked)}.")
    elif not undo:
        # A step that failed has left nothing to put back.
        log.info("This step changed no AWS variables, so there is nothing to put back.")


def _variables(state: str) -> dict[str, str]:
    try:
        before = json.loads(state or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(before, dict):
        return {}
    # A step that failed left no state, and any step may have set the variable that stands for it.
    return {name: value for name, value in before.items() if name in VARIABLES and isinstance(value, str)}
