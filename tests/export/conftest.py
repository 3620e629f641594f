"""A session, what a run decides to export of it, and the runner's files, for the tests of all ways to export."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from py_aws_oidc.aws.credentials import Credentials
from py_aws_oidc.aws.sts import Session
from py_aws_oidc.export import handover
from py_aws_oidc.inputs import Inputs
from py_aws_oidc.secret import Secret
from sandbox.runner.files import parse

ARN = "arn:aws:sts::123456789012:assumed-role/deploy/GitHubActions"
TEMPORARY = Credentials(
    Secret("ASIAKEY"), Secret("secret/key+"), Secret("token=="), datetime(2026, 11, 23, 13, tzinfo=UTC)
)
LONG_LIVED = Credentials(Secret("AKIAKEY"), Secret("secret"))
FILES = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STATE")
KEPT = {"is_new": False, "is_reused": True}


def prepare(
    environ: Mapping[str, str] | None = None,
    *,
    credentials: Credentials = TEMPORARY,
    session: Mapping[str, bool] | None = None,
    **inputs: str,
) -> handover.Exports:
    """What a run with these inputs decides to export."""
    given = {"aws_region": "eu-west-1"} | inputs
    read = Inputs.read({f"INPUT_{name.upper().replace('_', '-')}": text for name, text in given.items()})
    return handover.prepare(Session(credentials, ARN, "123456789012", **(session or {})), read, environ or {})


def apply(environ: Mapping[str, str], **options) -> None:
    """Prepare the exports, and carry them out."""
    handover.apply(prepare(environ, **options), environ, lambda _: None)


def plain(entries: Mapping[str, str | Secret]) -> dict[str, str]:
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in entries.items()}


def runner_files(folder: Path, *names: str) -> dict[str, str]:
    """Files of the runner with an entry of another step in each, and HOME."""
    for name in names:
        (folder / name).write_text("BEFORE=1\n")
    return {"HOME": str(folder)} | {name: str(folder / name) for name in names}


def written(folder: Path, name: str) -> dict[str, str]:
    """What was added to a file of the runner."""
    return {key: value for key, value in parse((folder / name).read_text()) if key != "BEFORE"}
