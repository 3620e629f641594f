"""AWS credentials: a value, and where a job may already have some."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from py_aws_oidc.failure import Failure
from py_aws_oidc.interrupts import time_limit
from py_aws_oidc.network import CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS, WHOLE_CALL_SECONDS, Network
from py_aws_oidc.paths import is_in, read_text
from py_aws_oidc.secret import Secret

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@dataclass(frozen=True)
class Credentials:
    """A key and, if it is temporary, its session token; `expiration` is in UTC, None if it is not known."""

    access_key_id: Secret
    secret_access_key: Secret
    session_token: Secret | None = None
    expiration: datetime | None = None

    def secrets(self) -> tuple[Secret, ...]:
        """Every part that must not be seen."""
        return tuple(self.variables().values())

    def variables(self) -> dict[str, Secret]:
        """The parts that there are, by the names of their variables."""
        parts = (self.access_key_id, self.secret_access_key, self.session_token)
        return {name: part for name, part in zip(KEYS, parts, strict=True) if part}

    def parameters(self) -> dict[str, Any]:
        """The credentials as boto3 takes them."""
        return {
            "aws_access_key_id": self.access_key_id.reveal(),
            "aws_secret_access_key": self.secret_access_key.reveal(),
            "aws_session_token": self.session_token and self.session_token.reveal(),
        }


def of_the_environment(
    environ: Mapping[str, str], region: str, network: Network, warn: Callable[[str], None] = lambda _: None
) -> Credentials | None:
    """What the SDK finds by its own chain: variables, shared files, ECS, EKS, and EC2 instance metadata.

    Shared files in the workspace are ignored, and `warn` is called for each. Raises Failure when the chain is set up in
    a way that it cannot follow. None when it finds nothing.
    """
    key_id, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if key_id and secret:
        # Variables go before all else, whatever state the rest is in.
        network.calls.debug("Credentials of the environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set.")
        return _checked(key_id, secret, environ.get("AWS_SESSION_TOKEN"))

    workspace = environ.get("GITHUB_WORKSPACE", "")
    for name in ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        _check_token_file(environ.get(name, ""), name, workspace)
    too_slow = _unreadable("the service or program that should give them did not answer in time")
    # Imported before HOME is lent: else models of services in HOME would go before the SDK's own, endpoints included.
    import botocore.loaders

    with _lent(environ, region, network, warn):
        # When it is imported, botocore decides where HOME is, and with it the tokens of SSO.
        import botocore.session
        from botocore.config import Config
        from botocore.exceptions import ClientError, ConfigParseError, ProfileNotFound

        from py_aws_oidc import answers

        try:
            with time_limit(WHOLE_CALL_SECONDS, too_slow), answers.limited():
                session = botocore.session.Session()
                # A profile may not choose where a token goes: the file can be one that an earlier step wrote.
                session.set_config_variable("ignore_configured_endpoint_urls", value=True)
                config = Config(
                    connect_timeout=CONNECT_TIMEOUT_SECONDS,
                    read_timeout=READ_TIMEOUT_SECONDS,
                    retries={"total_max_attempts": 2, "mode": "standard"},
                )
                session.set_default_client_config(config)
                for name, file in _token_files(session.full_config["profiles"], session.profile or "default"):
                    _check_token_file(file, f"the profile {name}", workspace)
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
    if not found or not frozen or not frozen.access_key or not frozen.secret_key:
        return None
    network.calls.debug(f"Credentials of the environment: the SDK found them by the method {found.method}.")
    return _checked(frozen.access_key, frozen.secret_key, frozen.token)


def _token_files(profiles: Mapping[str, Mapping[str, Any]], name: str) -> Iterator[tuple[str, str]]:
    """The web identity token files of a profile, and of those that it starts from by `source_profile`."""
    left = dict(profiles)
    while profile := left.pop(name, None):
        yield name, profile.get("web_identity_token_file", "")
        name = profile.get("source_profile", "")


def _check_token_file(file: str, named_by: str, workspace: str) -> None:
    """Raise Failure for a token file that leads to something else: the chain would send whatever it holds."""
    if os.path.exists(file):  # noqa: PTH110 - a Path raises for a name that is too long
        try:
            read_text(Path(file), _LONGEST_TOKEN, workspace=workspace)
        except ValueError as error:
            raise _unreadable(f"{named_by} names {file}, but {error}") from None


def _checked(key_id: str, secret: str, token: str | None) -> Credentials:
    if not re.fullmatch(r"[!-~]+", f"{key_id}{secret}{token or ''}"):
        raise _unreadable("a part of them has white space or other characters that no AWS key has")
    return Credentials(Secret(key_id), Secret(secret), Secret(token) if token else None)


def _unreadable(why: str) -> Failure:
    return Failure(
        "The credentials of the job's environment could not be read.",
        name="environment-credentials",
        why=f"{why}.",
        fix="check the job's AWS_ variables, profiles and files. This action runs in a container: profiles and files "
        "of the host are not there, and profiles in the workspace are ignored: have an earlier step copy what is "
        "needed to HOME of this action, which is _github_home in the folder that RUNNER_TEMP names.",
    )


@contextmanager
def _lent(environ: Mapping[str, str], region: str, network: Network, warn: Callable[[str], None]) -> Iterator[None]:
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
        _leave_out_workspace(environ.get("GITHUB_WORKSPACE", ""), warn)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _leave_out_workspace(workspace: str, warn: Callable[[str], None]) -> None:
    """Name the shared files to the chain by their paths, but those in the workspace: a profile can start a program.

    Anyone who opens a pull request writes the files of the workspace, and a link to one of them is no better.
    """
    for name, default in _SHARED_FILES.items():
        # As botocore.configloader reads the variable.
        path = os.path.expanduser(os.path.expandvars(os.environ.get(name, default)))  # noqa: PTH111 - a Path raises for an unknown user
        os.environ[name] = path
        if is_in(path, workspace):
            os.environ[name] = os.devnull
            if os.path.exists(path):  # noqa: PTH110 - as above
                warn(
                    f"{path} is in the workspace, so its profiles are ignored: anyone who opens a pull request can "
                    "change the files there, and a profile can start programs. Have an earlier step copy the file to "
                    "HOME of this action, which is _github_home in the folder that RUNNER_TEMP names."
                )
    if any(is_in(os.path.expanduser(folder), workspace) for folder in ("~", "~/.aws")):  # noqa: PTH111 - as above
        os.environ["HOME"] = os.devnull


_LONGEST_TOKEN = 20_000  # characters, says the STS API Reference of WebIdentityToken
_SHARED_FILES = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}
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
        name="no-credentials",
        why="no keys are given as inputs, and the SDK found none: not in the job's variables, not in a profile, not "
        "at the container or instance metadata services.",
        fix="set role-to-assume and give the job `id-token: write`, or give keys. On a self-hosted runner: this action "
        "runs in a container, which does not see the AWS_ variables of the runner's own process (ECS, EKS) nor files "
        "of the host, and reaches EC2 instance metadata only if its hop limit is 2 or more.",
    )
