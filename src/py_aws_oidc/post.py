"""Post: put back what was there before the step.

Posts run in the reverse order of their steps, so several steps of this action in one job unwind like a stack.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from py_aws_oidc import places
from py_aws_oidc.aws import profiles
from py_aws_oidc.export import NOTHING, PROFILE_BEFORE, VARIABLES, VARIABLES_BEFORE
from py_aws_oidc.failure import Failure
from py_aws_oidc.github.commands import Log
from py_aws_oidc.github.files import AllOrNothing, CommandFile, owner
from py_aws_oidc.interrupts import uninterrupted


def run(environ: Mapping[str, str], log: Log) -> None:
    """Write the variables of before the step to GITHUB_ENV, blank where there was none, and undo the profile.

    A variable cannot be taken away from a job, and the SDKs take a blank one for none. Raises Failure when a file
    cannot be written.
    """
    if environ.get("AWS_SKIP_CLEANUP_STEP") == "true":
        log.info("AWS_SKIP_CLEANUP_STEP is true: the AWS variables and profiles stay as they are.")
        return
    before = _variables(environ.get(f"STATE_{VARIABLES_BEFORE}", ""))
    undo = environ.get(f"STATE_{PROFILE_BEFORE}") or NOTHING
    if not before and undo == NOTHING:
        # A step that failed has left nothing to put back.
        log.info("This step changed no AWS variables, so there is nothing to put back.")
    with uninterrupted():
        try:
            _variables_back(before, environ, log)
        finally:
            # Variables that cannot be put back must not keep the profile, nor the other way round.
            _profile_back(undo, environ, log)


def _variables_back(before: Mapping[str, str], environ: Mapping[str, str], log: Log) -> None:
    if not before:
        return
    file = CommandFile.named(environ, "GITHUB_ENV")
    with AllOrNothing([file]) as files:
        files.append(file, before)
    was_set = [name for name, value in before.items() if value]
    was_not = [name for name, value in before.items() if not value]
    if was_set:
        log.info(f"Put back as before this step: {', '.join(was_set)}.")
    if was_not:
        log.info(f"Blanked: {', '.join(was_not)}.")


def _profile_back(undo: str, environ: Mapping[str, str], log: Log) -> None:
    if undo == NOTHING:
        return

    def warn(text: str) -> None:
        log.warning(text, title="Profile left behind")

    def check(path: str) -> None:
        # Any step may have set the variable that stands for a state, and the variables that name the files.
        try:
            places.check(path, environ)
        except Failure as failure:
            raise ValueError(failure.why.removesuffix(".")) from None

    for profile in profiles.put_back(undo, owner(environ), check=check, warn=warn):
        log.info(f"Took away the profile {profile}, or made it what it was before.")


def _variables(state: str) -> dict[str, str]:
    try:
        before = json.loads(state or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(before, dict):
        return {}
    # The state may be planted: a step that failed left none, and any other step may have set this variable.
    return {name: value for name, value in before.items() if name in VARIABLES and _is_of_an_environment(value)}


def _is_of_an_environment(value: object) -> bool:
    """True if it is a text that a variable can have had, which not every text of JSON is."""
    if not isinstance(value, str):
        return False
    try:
        value.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return False
    return True
