"""A session becomes what later steps see: variables, outputs, a profile, and a state for post.

Whatever is secret has been masked by now. The order is that of harm: first what undoes, then what gives.
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
# All the variables that a run may set, and so all that post may put back.
VARIABLES = (*REGION, *KEYS, *FILES, "AWS_PROFILE")


@dataclass(frozen=True)
class Profile:
    """A profile to write, and where."""

    name: str
    places: profiles.Places
    settings: Mapping[str, Secret]
    overwrite: bool


@dataclass(frozen=True)
class Exports:
    """All that a run hands on; made only when everything has succeeded."""

    environment: Mapping[str, str | Secret]
    outputs: Mapping[str, str | Secret]
    state: Mapping[str, str | Secret] = field(default_factory=dict)
    profile: Profile | None = None
    kept_secrets: tuple[Secret, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What must be said of where the profile goes."""
        return self.profile.places.remarks if self.profile else ()


def exports(session: Session, inputs: Inputs, before: Mapping[str, str]) -> Exports:
    """Decide what later steps see of the session; `before` is the environment of this step.

    Raises Failure when the profile cannot be put where later steps find it.
    """
    keys: dict[str, Secret] = _keys(session.credentials)
    environment: dict[str, str | Secret] = {}
    if to_environment(inputs):
        if inputs.unset_current_credentials:
            environment |= dict.fromkeys(KEYS, "")
        environment |= dict.fromkeys(REGION, inputs.aws_region)
        if session.is_new:
            # A token that is left from other credentials would spoil a key that has none.
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
    """Whether later steps get variables: a profile is there instead of them, unless both are asked for."""
    if inputs.output_env_credentials is None:
        return inputs.aws_profile is None
    return inputs.output_env_credentials


def write(given: Exports, region: str, environ: Mapping[str, str], mask: Callable[[Secret], None]) -> None:
    """Carry out the exports, all or none of them, in an order in which a cut in between is harmless.

    Raises Failure when a file is missing or cannot be written.
    """
    outputs = CommandFile.named(environ, "GITHUB_OUTPUT")
    environment = CommandFile.named(environ, "GITHUB_ENV") if given.environment else None
    # Under nektos/act and its kin there may be no state.
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
    """A secret as it is, and as the state's JSON spells it."""
    yield secret
    if (spelled := json.dumps(secret.reveal())[1:-1]) != secret.reveal():
        yield Secret(spelled)


def without_unset(environ: Mapping[str, str], inputs: Inputs) -> Mapping[str, str]:
    """The environment as the calls are to see it, once unset-current-credentials has blanked its part."""
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
