"""Export of a session to later steps: variables, outputs, a profile, and the state for post.

All secrets have been masked before. The state, which undoes the exports, is written before them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from py_aws_oidc.aws.credentials import Credentials
from py_aws_oidc.aws.sts import Session
from py_aws_oidc.github.files import AllOrNothing, CommandFile, owner
from py_aws_oidc.inputs import Inputs
from py_aws_oidc.interrupts import uninterrupted
from py_aws_oidc.secret import Secret

if TYPE_CHECKING:
    from py_aws_oidc.aws import profiles

VARIABLES_BEFORE = "variables_before"
PROFILE_BEFORE = "profile_before"
# A state that says so: without one, post would get what another step wrote to GITHUB_ENV under the state's name.
NOTHING = "{}"
REGION = ("AWS_REGION", "AWS_DEFAULT_REGION")
FILES = ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE")
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
# All variables that a run can set, and so all that post can restore.
VARIABLES = (*REGION, *KEYS, *FILES, "AWS_PROFILE")
# The outputs and their descriptions: `make docs` writes action.yml and the README from them.
OUTPUTS = {
    "aws-account-id": "ID of the AWS account that the credentials belong to.",
    "authenticated-arn": "ARN of the credentials, as STS returns it.",
    "aws-expiration": "Expiration of the credentials, in UTC (ISO 8601). Not set if it is not known.",
    "aws-access-key-id": "Access key ID. Set only with output-credentials.",
    "aws-secret-access-key": "Secret access key. Set only with output-credentials.",
    "aws-session-token": "Session token. Set only with output-credentials.",
}


@dataclass(frozen=True)
class Profile:
    """A profile to write, and where."""

    name: str
    places: profiles.Places
    settings: Mapping[str, Secret]
    overwrite: bool


@dataclass(frozen=True)
class Exports:
    """All that a run exports; made only when everything has succeeded."""

    environment: Mapping[str, str | Secret]
    outputs: Mapping[str, str | Secret]
    state: Mapping[str, str | Secret] = field(default_factory=dict)
    profile: Profile | None = None
    kept_secrets: tuple[Secret, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about the place of the profile."""
        return self.profile.places.warnings if self.profile else ()


def exports(session: Session, inputs: Inputs, before: Mapping[str, str]) -> Exports:
    """Decide what later steps get of the session; `before` is the environment of this step.

    Raises Failure if the profile cannot be written to a place where later steps find it.
    """
    keys: dict[str, Secret] = _keys(session.credentials)
    environment: dict[str, str | Secret] = {}
    if to_environment(inputs):
        if inputs.unset_current_credentials:
            environment |= dict.fromkeys(KEYS, "")
        environment |= dict.fromkeys(REGION, inputs.aws_region)
        if session.is_new:
            # A session token of other credentials would make a key without one invalid.
            environment |= {"AWS_SESSION_TOKEN": ""} if before.get("AWS_SESSION_TOKEN") else {}
            environment |= keys
    profile = None
    if inputs.aws_profile and not session.is_reused:
        from py_aws_oidc import places

        settings = {name.lower(): secret for name, secret in keys.items()}
        profile = Profile(
            inputs.aws_profile, places.locate(before), settings, overwrite=inputs.overwrite_aws_profile
        )
        environment |= profile.places.announced
        environment |= {"AWS_PROFILE": inputs.aws_profile} if to_environment(inputs) else {}
    was = {name: before.get(name, "") for name in environment}
    return Exports(
        environment=environment,
        outputs=_outputs(session, keys if inputs.output_credentials and session.is_new else {}),
        # One state for all, so that post finds all of them or none.
        state={VARIABLES_BEFORE: Secret(json.dumps(was))},
        profile=profile,
        kept_secrets=tuple(Secret(was[name]) for name in KEYS if was.get(name)),
    )


def to_environment(inputs: Inputs) -> bool:
    """True if later steps get variables: a profile replaces them, unless the inputs ask for both."""
    if inputs.output_env_credentials is None:
        return inputs.aws_profile is None
    return inputs.output_env_credentials


def write(given: Exports, region: str, environ: Mapping[str, str], mask: Callable[[Secret], None]) -> None:
    """Write the exports, all or none of them, in an order in which an interruption does no harm.

    Raises Failure if a file is missing or cannot be written.
    """
    outputs = CommandFile.named(environ, "GITHUB_OUTPUT")
    environment = CommandFile.named(environ, "GITHUB_ENV") if given.environment else None
    # nektos/act and similar runners may have no state.
    state = CommandFile.named(environ, "GITHUB_STATE") if environ.get("GITHUB_STATE") else None
    with (
        uninterrupted(),
        _profile(given.profile, region, environ) as edit,
        AllOrNothing(filter(None, (state, outputs, environment))) as files,
    ):
        # With step debugging on, the runner shows the state that it saves.
        for secret in given.kept_secrets + (edit.kept_secrets if edit else ()):
            for form in _forms(secret):
                mask(form)
        if state:
            files.append(state, {**given.state, PROFILE_BEFORE: Secret(edit.undo if edit else NOTHING)})
        if edit:
            edit.write()
        files.append(outputs, given.outputs)
        if environment:
            files.append(environment, given.environment)


@contextmanager
def _profile(profile: Profile | None, region: str, environ: Mapping[str, str]) -> Iterator[profiles.Edit | None]:
    if profile is None:
        yield None
        return
    from py_aws_oidc.aws import profiles

    with profiles.editing(profile.places, owner(environ)) as edit:
        edit.add(profile.name, profile.settings, region, overwrite=profile.overwrite)
        yield edit


def _forms(secret: Secret) -> Iterator[Secret]:
    """Yield a secret as it is, and as the JSON of the state writes it."""
    yield secret
    if (spelled := json.dumps(secret.reveal())[1:-1]) != secret.reveal():
        yield Secret(spelled)


def without_unset(environ: Mapping[str, str], inputs: Inputs) -> Mapping[str, str]:
    """Environment of the calls, without the variables that unset-current-credentials clears."""
    return {**environ, **dict.fromkeys((*KEYS, *REGION), "")} if inputs.unset_current_credentials else environ


def iso_8601(moment: datetime) -> str:
    """A moment in UTC, to the second."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _keys(credentials: Credentials) -> dict[str, Secret]:
    parts = (credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
    return {name: part for name, part in zip(KEYS, parts, strict=True) if part}


def _outputs(session: Session, keys: Mapping[str, Secret]) -> dict[str, str | Secret]:
    expiration = session.credentials.expiration
    return {
        "aws-account-id": session.account,
        "authenticated-arn": session.arn,
        **({"aws-expiration": iso_8601(expiration)} if expiration else {}),
        **{name.lower().replace("_", "-"): part for name, part in keys.items()},
    }
