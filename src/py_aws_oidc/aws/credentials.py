"""AWS credentials: a value, and where a job may already have some."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from py_aws_oidc.failure import Failure
from py_aws_oidc.secret import Secret


@dataclass(frozen=True)
class Credentials:
    """A key and, if it is temporary, its session token; `expiration` is in UTC, None where nobody says it."""

    access_key_id: Secret
    secret_access_key: Secret
    session_token: Secret | None = None
    expiration: datetime | None = None

    def secrets(self) -> tuple[Secret, ...]:
        """Every part that must not be seen."""
        parts = (self.access_key_id, self.secret_access_key, self.session_token)
        return tuple(part for part in parts if part)

    def parameters(self) -> dict[str, Any]:
        """The credentials as boto3 takes them."""
        return {
            "aws_access_key_id": self.access_key_id.reveal(),
            "aws_secret_access_key": self.secret_access_key.reveal(),
            "aws_session_token": self.session_token and self.session_token.reveal(),
        }


def of_the_environment(environ: Mapping[str, str]) -> Credentials | None:
    """What the SDK finds by its own chain: variables, shared files, ECS, EKS, and EC2 instance metadata.

    Raises Failure when the chain is set up in a way that it cannot follow. None when it finds nothing.
    """
    import botocore.session
    from botocore.exceptions import ConfigParseError, ProfileNotFound

    with _lent(environ):
        try:
            found = botocore.session.Session().get_credentials()
            frozen = found and found.get_frozen_credentials()
        except (ProfileNotFound, ConfigParseError) as error:
            raise _unreadable(f"{type(error).__name__}: {error}") from None
        except Exception as error:  # noqa: BLE001 - the chain calls services and programs, whose words may hold a secret
            raise _unreadable(type(error).__name__) from None
    if not frozen or not frozen.access_key or not frozen.secret_key:
        return None
    if not re.fullmatch(r"[!-~]+", f"{frozen.access_key}{frozen.secret_key}{frozen.token or ''}"):
        raise _unreadable("a part of them has white space or other characters that no AWS key has")
    token = Secret(frozen.token) if frozen.token else None
    return Credentials(Secret(frozen.access_key), Secret(frozen.secret_key), token)


def _unreadable(why: str) -> Failure:
    return Failure(
        "The credentials of the job's environment could not be read.",
        why=f"{why}.",
        fix="check the job's AWS_ variables. This action runs in a container: profiles and files of the host are not "
        "there, only those in the workspace and in HOME.",
    )


@contextmanager
def _lent(environ: Mapping[str, str]) -> Iterator[None]:
    """Show the SDK's own variables to the chain for a moment, since it reads them nowhere else.

    A blank variable is no variable, as post leaves it.
    """
    names = [name for name, value in environ.items() if value and (name.startswith("AWS_") or name == "HOME")]
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update({name: environ[name] for name in names})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def nothing_found() -> Failure:
    """What to say of a job that has no credentials at all."""
    return Failure(
        "There are no AWS credentials to start from.",
        why="no keys are given as inputs, and the SDK found none: not in the job's variables, not in a profile, not "
        "at the container or instance metadata services.",
        fix="set role-to-assume and give the job `id-token: write`, or give keys. On a self-hosted runner: this action "
        "runs in a container, which does not see the AWS_ variables of the runner's own process (ECS, EKS) nor files "
        "of the host, and reaches EC2 instance metadata only if its hop limit is 2 or more.",
    )
