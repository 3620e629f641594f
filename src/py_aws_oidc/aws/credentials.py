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
from py_aws_oidc.interrupts import time_limit
from py_aws_oidc.network import CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS, WHOLE_CALL_SECONDS, Network
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


def of_the_environment(environ: Mapping[str, str], region: str, network: Network) -> Credentials | None:
    """What the SDK finds by its own chain: variables, shared files, ECS, EKS, and EC2 instance metadata.

    Raises Failure when the chain is set up in a way that it cannot follow. None when it finds nothing.
    """
    key_id, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if key_id and secret:
        # Variables go before all else, whatever state the rest is in.
        return _checked(key_id, secret, environ.get("AWS_SESSION_TOKEN"))

    too_slow = _unreadable("the service or program that should give them did not answer in time")
    with _lent(environ, region, network):
        # When it is imported, botocore decides where HOME is, and with it the tokens of SSO.
        import botocore.session
        from botocore.config import Config
        from botocore.exceptions import ClientError, ConfigParseError, ProfileNotFound

        from py_aws_oidc import answers

        try:
            with time_limit(WHOLE_CALL_SECONDS, too_slow), answers.limited():
                session = botocore.session.Session()
                config = Config(
                    connect_timeout=CONNECT_TIMEOUT_SECONDS,
                    read_timeout=READ_TIMEOUT_SECONDS,
                    retries={"total_max_attempts": 2, "mode": "standard"},
                )
                session.set_default_client_config(config)
                found = session.get_credentials()
                frozen = found and found.get_frozen_credentials()
        except Failure:
            raise
        except (ProfileNotFound, ConfigParseError) as error:
            raise _unreadable(f"{type(error).__name__}: {error}") from None
        except ClientError as error:
            code = re.sub(r"\W", "", str(error.response.get("Error", {}).get("Code", "")))
            raise _unreadable(f"AWS refused {error.operation_name} ({code})") from None
        except Exception as error:  # noqa: BLE001 - the chain calls services and programs, whose words may hold a secret
            raise _unreadable(type(error).__name__) from None
    if not frozen or not frozen.access_key or not frozen.secret_key:
        return None
    return _checked(frozen.access_key, frozen.secret_key, frozen.token)


def _checked(key_id: str, secret: str, token: str | None) -> Credentials:
    if not re.fullmatch(r"[!-~]+", f"{key_id}{secret}{token or ''}"):
        raise _unreadable("a part of them has white space or other characters that no AWS key has")
    return Credentials(Secret(key_id), Secret(secret), Secret(token) if token else None)


def _unreadable(why: str) -> Failure:
    return Failure(
        "The credentials of the job's environment could not be read.",
        why=f"{why}.",
        fix="check the job's AWS_ variables, profiles and files. This action runs in a container: profiles and files "
        "of the host are not there, only those in the workspace and in HOME.",
    )


@contextmanager
def _lent(environ: Mapping[str, str], region: str, network: Network) -> Iterator[None]:
    """Show the chain for a moment the variables that say where credentials are, since it reads them nowhere else.

    Variables that steer calls (AWS_ENDPOINT_URL, AWS_MAX_ATTEMPTS ...) are not among them; proxy, certificates and
    region are the run's own. A blank variable is no variable, as post leaves it. Besides `__main__` this is the only
    place that knows os.environ.
    """
    lent = {name: environ[name] for name in CHAIN if environ.get(name)}
    lent |= {"AWS_DEFAULT_REGION": region, "AWS_REGION": region, "AWS_CA_BUNDLE": network.certificates or ""}
    lent |= {"HTTPS_PROXY": network.proxy, "NO_PROXY": network.no_proxy} if network.proxy else {}
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update({name: value for name, value in lent.items() if value})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


# AWS SDKs and Tools Reference Guide, "Environment variables": those that say where credentials are.
CHAIN = (
    "HOME",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
)


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
