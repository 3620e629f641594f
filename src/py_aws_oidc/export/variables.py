"""AWS's variables in the environment of later steps, by GITHUB_ENV, until post restores them.

A variable cannot be removed from a job, and the SDKs take a blank one for none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from py_aws_oidc.aws.credentials import KEYS
from py_aws_oidc.aws.sts import Session
from py_aws_oidc.export.target import NOTHING, Export, Staged
from py_aws_oidc.github.commands import Log
from py_aws_oidc.github.files import AllOrNothing, CommandFile
from py_aws_oidc.inputs import Inputs
from py_aws_oidc.secret import Secret

STATE = "PY_AWS_OIDC_VARIABLES"
REGION = ("AWS_REGION", "AWS_DEFAULT_REGION")
VARIABLES = (*REGION, *KEYS)


def without_unset(environ: Mapping[str, str], inputs: Inputs) -> Mapping[str, str]:
    """Environment of the calls, without the variables that unset-current-credentials clears."""
    return {**environ, **dict.fromkeys(VARIABLES, "")} if inputs.unset_current_credentials else environ


def prepare(
    session: Session, inputs: Inputs, environ: Mapping[str, str], variables: Mapping[str, str | Secret]
) -> Export | None:
    """Decide on the variables: region and credentials, and what later steps need to find the other exports."""
    own = _of_session(session, inputs, environ) if inputs.exports_variables else {}
    if not (exported := {**own, **variables}):
        return None
    return Export(partial(_stage, exported, environ), exported, notes=(f"Later steps get {', '.join(exported)}.",))


def _of_session(session: Session, inputs: Inputs, environ: Mapping[str, str]) -> dict[str, str | Secret]:
    variables: dict[str, str | Secret] = dict.fromkeys(KEYS, "") if inputs.unset_current_credentials else {}
    variables |= dict.fromkeys(REGION, inputs.aws_region)
    if session.is_new:
        # A session token of other credentials would make a key without one invalid.
        variables |= {"AWS_SESSION_TOKEN": ""} if environ.get("AWS_SESSION_TOKEN") else {}
        variables |= session.credentials.variables()
    return variables


@contextmanager
def _stage(variables: Mapping[str, str | Secret], environ: Mapping[str, str]) -> Iterator[Staged]:
    before = {name: environ.get(name, "") for name in variables}
    secrets = tuple(Secret(before[name]) for name in KEYS if before.get(name))
    file = CommandFile.named(environ, "GITHUB_ENV")
    with AllOrNothing([file]) as files:
        # One state for all, so that post finds all of them or none.
        yield Staged(lambda: files.append(file, variables), Secret(json.dumps(before)), secrets)


def undo(state: str, environ: Mapping[str, str], log: Log, variables: Collection[str]) -> Callable[[], None] | None:
    """Restore the variables of before the step, blank where there was none."""
    before = {name: value for name, value in _read(state).items() if name in variables and _is_possible(value)}
    return partial(_restore, before, environ, log) if before else None


def _restore(before: Mapping[str, str], environ: Mapping[str, str], log: Log) -> None:
    file = CommandFile.named(environ, "GITHUB_ENV")
    with AllOrNothing([file]) as files:
        files.append(file, before)
    was_set = [name for name, value in before.items() if value]
    was_not = [name for name, value in before.items() if not value]
    if was_set:
        log.info(f"Restored to the values before this step: {', '.join(was_set)}.")
    if was_not:
        log.info(f"Cleared: {', '.join(was_not)}.")


def _read(state: str) -> Mapping[str, Any]:
    try:
        before = json.loads(state or NOTHING)
    except (ValueError, RecursionError):
        return {}
    return before if isinstance(before, dict) else {}


def _is_possible(value: object) -> bool:
    """True if it is a text that a variable can have had, which not every text of JSON is."""
    if not isinstance(value, str):
        return False
    try:
        value.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return False
    return True
