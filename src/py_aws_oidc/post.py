"""Post: restore what was there before the step.

Posts run in the reverse order of their steps, so several steps of this action in one job unwind like a stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

from py_aws_oidc.export.handover import TARGETS, VARIABLES
from py_aws_oidc.github.commands import Log
from py_aws_oidc.interrupts import uninterrupted


def run(environ: Mapping[str, str], log: Log) -> None:
    """Undo all exports of the step, the last one first. Raises Failure when a file cannot be written."""
    if environ.get("AWS_SKIP_CLEANUP_STEP") == "true":
        log.info("AWS_SKIP_CLEANUP_STEP is true: the AWS variables and profiles stay as they are.")
        return
    states = ((target, environ.get(f"STATE_{target.STATE}", "")) for target in TARGETS)
    undos = [undo for target, state in states if (undo := target.undo(state, environ, log, VARIABLES))]
    if not undos:
        # A step that failed has left nothing to restore.
        log.info("This step changed no AWS variables, so there is nothing to restore.")
    with uninterrupted(), ExitStack() as last_first:
        for undo in undos:
            # One that raises does not keep the others from being called.
            last_first.callback(undo)
