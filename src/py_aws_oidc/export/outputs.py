"""The step's outputs. Only steps that name them see them, so there is nothing to undo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from py_aws_oidc.aws.sts import Session
from py_aws_oidc.export.target import Export, Staged
from py_aws_oidc.github.files import AllOrNothing, CommandFile
from py_aws_oidc.inputs import Inputs
from py_aws_oidc.secret import Secret

STATE = ""
VARIABLES: tuple[str, ...] = ()
# The outputs and their descriptions: `make docs` writes action.yml and the README from them.
OUTPUTS = {
    "aws-account-id": "ID of the AWS account that the credentials belong to.",
    "authenticated-arn": "ARN of the credentials, as STS returns it.",
    "aws-expiration": "Expiration of the credentials, in UTC (ISO 8601). Not set if it is not known.",
    "aws-access-key-id": "Access key ID. Set only with output-credentials.",
    "aws-secret-access-key": "Secret access key. Set only with output-credentials.",
    "aws-session-token": "Session token. Set only with output-credentials.",
}


def prepare(session: Session, inputs: Inputs, environ: Mapping[str, str], _: Mapping[str, str | Secret]) -> Export:
    """Decide on the outputs: who and until when in every mode, and the credentials where they are asked for."""
    expiration = session.credentials.expiration
    keys = session.credentials.variables() if inputs.output_credentials and session.is_new else {}
    outputs: dict[str, str | Secret] = {
        "aws-account-id": session.account,
        "authenticated-arn": session.arn,
        **({"aws-expiration": f"{expiration:%Y-%m-%dT%H:%M:%SZ}"} if expiration else {}),
        **{name.lower().replace("_", "-"): part for name, part in keys.items()},
    }
    blank = [name for name, value in outputs.items() if not value]
    return Export(
        partial(_stage, outputs, environ),
        notes=(f"No value is known for these outputs, so they are blank: {', '.join(blank)}.",) if blank else (),
    )


@contextmanager
def _stage(outputs: Mapping[str, str | Secret], environ: Mapping[str, str]) -> Iterator[Staged]:
    file = CommandFile.named(environ, "GITHUB_OUTPUT")
    with AllOrNothing([file]) as files:
        yield Staged(lambda: files.append(file, outputs))


def undo(*_: object) -> None:
    """Leave the outputs: no step can change those of another."""
