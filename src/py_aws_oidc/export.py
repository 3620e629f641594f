"""Sessions become what later steps see: variables, outputs, and a state for post.

The order is that of harm: masks before anything can print, then what undoes, then what gives.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from py_aws_oidc.aws.sts import Session
from py_aws_oidc.github.commands import Log
from py_aws_oidc.github.files import CommandFile
from py_aws_oidc.secret import Secret

STATE = "variables_before"


@dataclass(frozen=True)
class Exports:
    """All that a run hands on; made only when everything has succeeded."""

    masks: tuple[Secret, ...]
    state: Mapping[str, str | Secret]
    environment: Mapping[str, str | Secret]
    outputs: Mapping[str, str | Secret]


def exports(  # noqa: PLR0913 - each is a decision of the workflow's author
    session: Session,
    region: str,
    before: Mapping[str, str],
    *,
    to_environment: bool,
    to_outputs: bool,
    mask_account: bool,
) -> Exports:
    """Decide what later steps see of the session; `before` is the environment of this step."""
    credentials = session.credentials
    secrets = {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
    }
    environment: dict[str, str | Secret] = {}
    if to_environment:
        environment = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region, **secrets}
    return Exports(
        masks=(*secrets.values(), *([Secret(session.account), Secret(session.arn)] if mask_account else [])),
        state={STATE: Secret(_variables(before, environment))} if environment else {},
        environment=environment,
        outputs={
            "aws-account-id": session.account,
            "authenticated-arn": session.arn,
            "aws-expiration": iso_8601(credentials.expiration),
            **({_output(name): secret for name, secret in secrets.items()} if to_outputs else {}),
        },
    )


def write(given: Exports, log: Log, environ: Mapping[str, str]) -> None:
    """Carry out the exports, in an order in which a cut in between is harmless.

    Raises Failure when one of the runner's files is missing or cannot be written.
    """
    files = [
        (CommandFile.named(environ, variable), entries)
        for variable, entries in (
            ("GITHUB_STATE", given.state if environ.get("GITHUB_STATE") else {}),
            ("GITHUB_OUTPUT", given.outputs),
            ("GITHUB_ENV", given.environment),
        )
        if entries
    ]
    for secret in given.masks:
        log.mask(secret)
    for file, entries in files:
        file.append(entries)


def iso_8601(moment: datetime) -> str:
    """A moment in UTC, to the second."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _variables(before: Mapping[str, str], names: Iterable[str]) -> str:
    # One state for all, so that post finds all of them or none.
    return json.dumps({name: before.get(name, "") for name in names})


def _output(variable: str) -> str:
    return variable.lower().replace("_", "-")
