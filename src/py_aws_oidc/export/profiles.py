"""A profile in AWS's shared files, until post removes it or restores the one that it replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from py_aws_oidc.aws.sts import Session
from py_aws_oidc.export.target import NOTHING, Export, Staged
from py_aws_oidc.failure import Failure
from py_aws_oidc.github.commands import Log
from py_aws_oidc.github.files import owner
from py_aws_oidc.inputs import Inputs
from py_aws_oidc.secret import Secret

if TYPE_CHECKING:
    from py_aws_oidc.aws.profiles import ProfilePaths

STATE = "PY_AWS_OIDC_PROFILE"
VARIABLES = ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_PROFILE")


def prepare(
    session: Session, inputs: Inputs, environ: Mapping[str, str], _: Mapping[str, str | Secret]
) -> Export | None:
    """Decide on the profile; Failure when it cannot be put where later steps find it."""
    name = inputs.aws_profile
    if not name or session.is_reused:
        return None
    from py_aws_oidc.export import profile_paths

    paths = profile_paths.locate(environ)
    return Export(
        partial(_stage, name, paths, session, inputs, environ),
        variables={**paths.exported_paths, **({"AWS_PROFILE": name} if inputs.exports_variables else {})},
        notes=(f"Later steps get the profile {name}.",),
        warnings=paths.warnings,
        title="Profile",
    )


@contextmanager
def _stage(
    name: str, paths: ProfilePaths, session: Session, inputs: Inputs, environ: Mapping[str, str]
) -> Iterator[Staged]:
    from py_aws_oidc.aws import profiles

    settings = {variable.lower(): secret for variable, secret in session.credentials.variables().items()}
    with profiles.editing(paths, owner(environ)) as edit:
        edit.add(name, settings, inputs.aws_region, overwrite=inputs.overwrite_aws_profile)
        yield Staged(edit.write, Secret(edit.undo), edit.kept_secrets)


def undo(state: str, environ: Mapping[str, str], log: Log, _: object) -> Callable[[], None] | None:
    """Remove the profile, or restore the one that was there before the step."""
    return partial(_restore, state, environ, log) if state not in {"", NOTHING} else None


def _restore(state: str, environ: Mapping[str, str], log: Log) -> None:
    from py_aws_oidc.aws import profiles
    from py_aws_oidc.export import profile_paths

    def warn(text: str) -> None:
        log.warning(text, title="Profile left behind")

    def check(path: str) -> None:
        # Any step may have set the variable that stands for a state, and the variables that name the files.
        try:
            profile_paths.check(path, environ)
        except Failure as failure:
            raise ValueError(failure.why.removesuffix(".")) from None

    for profile in profiles.put_back(state, owner(environ), check=check, warn=warn):
        log.info(f"Removed the profile {profile}, or restored the one that was there before.")
