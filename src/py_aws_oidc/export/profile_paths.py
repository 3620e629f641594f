"""Where a profile goes so that every kind of later step finds it: what AWS expects, and what GitHub's runner mounts.

Sources: AWS SDKs and Tools Reference Guide, "Location of the shared config and credentials files"; the runner's
ContainerActionHandler.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from py_aws_oidc.aws.profiles import ProfilePaths
from py_aws_oidc.failure import Failure
from py_aws_oidc.paths import is_in, is_really_in

# HOME of a container action on GitHub's runner, and the folder of all its mounts (Runner.Worker,
# ContainerActionHandler).
_CONTAINER_HOME, _MOUNTS = "/github/home", "/github/"
# What the runner hands to a step by file ("Workflow commands", "Variables reference").
_RUNNERS_FILES = (
    "GITHUB_ENV",
    "GITHUB_OUTPUT",
    "GITHUB_STATE",
    "GITHUB_PATH",
    "GITHUB_STEP_SUMMARY",
    "GITHUB_EVENT_PATH",
)
# Runners whose container actions have a home of their own, which is lost with the container.
_ACT = ("ACT", "GITEA_ACTIONS", "FORGEJO_ACTIONS")


def locate(environ: Mapping[str, str]) -> ProfilePaths:
    """Where the two files are; Failure if later steps could not, or should not, find them there.

    HOME of a container action is the folder `_temp/_github_home` of the host. The runner translates a host path on
    its way into each container, and never the other way round: so the host path is what later steps are told.
    """
    home = environ.get("HOME", "")
    if not home.startswith("/"):
        raise Failure(
            "There is no place for a profile.",
            name="no-home",
            why="the shared credentials and config files lie under HOME, and HOME is not set to an absolute path.",
            fix="set HOME, or leave aws-profile blank.",
        )
    exported_paths: dict[str, str] = {}
    host_home = _host_home(environ)

    def place(variable: str, name: str) -> Path:
        if environ.get(variable, "").strip():
            return _given_place(variable, environ[variable], environ)
        if host_home:
            exported_paths[variable] = str(host_home / ".aws" / name)
        return _refuse_reserved(_plain(home) / ".aws" / name, environ)

    credentials = place("AWS_SHARED_CREDENTIALS_FILE", "credentials")
    config = place("AWS_CONFIG_FILE", "config")
    return ProfilePaths(credentials, config, exported_paths, _warnings(environ, host_home))


def check(path: str, environ: Mapping[str, str]) -> None:
    """Raise Failure if `locate` would not accept a path, whatever the variables of AWS are now.

    HOME, RUNNER_TEMP and the variables that begin with GITHUB_ are the runner's: no step of a job can change them for
    a container action.
    """
    home = environ.get("HOME", "")
    if home.startswith("/") and Path(path) in (_plain(home) / ".aws" / name for name in ("credentials", "config")):
        _refuse_reserved(Path(path), environ)
    else:
        _given_place("The state of this step", path, environ)


def _host_home(environ: Mapping[str, str]) -> Path | None:
    """The host's path of a container action's HOME, if this is one and the runner tells."""
    workspace = environ.get("RUNNER_WORKSPACE", "")
    if environ["HOME"] != _CONTAINER_HOME or not workspace.startswith("/"):
        return None
    return _plain(workspace).parent / "_temp" / "_github_home"


def _given_place(source: str, given: str, environ: Mapping[str, str]) -> Path:
    """The path of a file that a variable, or the state of the step, names."""
    if not given.startswith("/") or ".." in given.split("/") or "$" in given:
        raise Failure(
            f"{source} is not a plain absolute path: {given}.",
            name="path-not-absolute",
            why="a path that is relative, begins with ~, or has .. or $ in it may mean another file elsewhere.",
            fix=f"set {source} to the absolute path of a file, or leave it unset.",
        )
    path = _refuse_reserved(_plain(given), environ)
    # An older runner mounts no temporary folder, and has its host path in RUNNER_TEMP.
    home, temp = environ.get("HOME", ""), environ.get("RUNNER_TEMP", "")
    mounts = [folder for folder in (home, temp) if folder.startswith(_MOUNTS)]
    if home == _CONTAINER_HOME and not any(is_really_in(path.parent, mount) for mount in mounts):
        raise Failure(
            f"{source} names {path}, a file of the host that this action's container cannot see.",
            name="path-not-mounted",
            why="a container action sees only the folders that the runner mounts, and whatever it makes elsewhere is "
            "lost with the container.",
            fix=f"leave {source} unset: the file is then made in the HOME that the job's containers share, and later "
            "steps are told where that is on the host. Or set it to a path under ${{ runner.temp }}.",
        )
    return path


def _refuse_reserved(path: Path, environ: Mapping[str, str]) -> Path:
    """The path, unless it is in the workspace or is one of the runner's own files for this step."""
    if is_in(path, environ.get("GITHUB_WORKSPACE", "")):
        raise Failure(
            f"{path} is in the workspace, where no credentials should be.",
            name="path-in-workspace",
            why="files of the workspace end up in artifacts, caches, images and commits.",
            fix="let AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE name files elsewhere, or leave them unset.",
        )
    for variable in _RUNNERS_FILES:
        if _is_same(path, environ.get(variable, "")):
            raise Failure(
                f"{path} is the runner's own file {variable}, which cannot hold a profile.",
                name="path-of-runner",
                why=f"the runner reads {variable} after the step, and a profile in it would be an error.",
                fix="let AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE name other files, or leave them unset.",
            )
    return path


def _is_same(path: Path, other: str) -> bool:
    """True if both are one file: by where links lead, and by what the system says, which knows of mounts."""
    if not other.startswith("/"):
        return False
    with suppress(OSError):
        return path.samefile(other)
    return os.path.realpath(path) == os.path.realpath(other)


def _plain(path: str) -> Path:
    """An absolute path with single slashes, at its beginning too, where two would be kept."""
    return Path("/" + os.path.normpath(path).lstrip("/"))


def _warnings(environ: Mapping[str, str], host_home: Path | None) -> tuple[str, ...]:
    if any(environ.get(runner) == "true" for runner in _ACT):
        why = (
            "The containers of this runner share no home with other steps, so later steps will not see the profile"
        )
    elif environ["HOME"] == _CONTAINER_HOME and not host_home:
        why = "The runner does not tell where its folders are, so steps outside of containers will not see the profile"
    else:
        return ()
    return (f"{why}: use output-env-credentials: true.",)
