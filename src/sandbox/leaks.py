"""Where a secret can be seen that should not be: what the runs of a test showed, or those of the fuzz.

The rules:
- A log tells a secret only to have it masked.
- A run that failed has written none for later steps. What another has written for them, it has had masked before.
- A file tells one only if that is what it is for: a command file, a shared file of AWS, a token file.
- What a test itself printed tells none, nor does the text of an exception that ends it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from urllib.parse import unquote

from sandbox.runner import commands
from sandbox.secrets import COMMAND_FILES, Shown

_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_GIVEN = (
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ROLE_EXTERNAL_ID",
    "INPUT_ROLE-EXTERNAL-ID",
    *_KEYS,
    *(f"INPUT_{name.replace('_', '-')}" for name in _KEYS),
)
_PROXIES = ("INPUT_HTTP-PROXY", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy")
_SHARED_FILES = ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE")
_TOKEN_FILES = ("INPUT_WEB-IDENTITY-TOKEN-FILE", "WEB_IDENTITY_TOKEN_FILE")
_LEAST = 8  # characters; fewer stand in any text by chance


def leaks(
    secrets: Mapping[str, str], runs: Sequence[Shown], *, folder: Path | None = None, texts: Mapping[str, str]
) -> Iterator[str]:
    """Where which secret is told, in sentences that do not tell it again.

    `secrets` are those of the whole test, with what each is; `texts` are what the test itself showed.
    """
    masked: set[str] = set()
    for number, run in enumerate(runs, 1):
        masked |= _masks(run.log)
        for where, what in _of_run(run, secrets, masked):
            yield f"{where} of run {number} {what}"
    known = dict(given for run in runs for given in _given(run.environ)) | dict(secrets)
    for where, text in texts.items():
        for what in _told(known, text):
            yield f"{where} tells {what}"
    holders = {path for run in runs for path in _holders(run)}
    for path in sorted(folder.rglob("*") if folder else ()):
        if path.is_file() and not path.is_symlink() and path not in holders:
            for what in _told(known, path.read_bytes().decode(errors="replace")):
                yield f"the file {path.name} tells {what}"


def _of_run(run: Shown, secrets: Mapping[str, str], masked: AbstractSet[str]) -> Iterator[tuple[str, str]]:
    given = dict(_given(run.environ))
    for what in _told(given | dict(secrets), _said(run.log)):
        yield "the log", f"tells {what}"
    for name, text in run.files.items():
        if run.failed or name == "GITHUB_STEP_SUMMARY":
            for what in _told(secrets, text):
                yield name, f"tells {what}"
        elif name != "GITHUB_STATE":  # which is never shown
            for what in _told({s: what for s, what in secrets.items() if s not in masked | given.keys()}, text):
                yield name, f"hands on {what} that was not masked"


def _told(secrets: Mapping[str, str], text: str) -> Iterator[str]:
    yield from dict.fromkeys(what for secret, what in secrets.items() if len(secret) >= _LEAST and secret in text)


def _masks(log: str) -> set[str]:
    found = (commands.parse(line) for line in log.splitlines())
    return {each.data for each in found if each and each.name == "add-mask"}


def _said(log: str) -> str:
    """All lines but the masks, as they stand and as the runner reads them."""
    parsed = [(line, commands.parse(line)) for line in log.splitlines()]
    return "\n".join(f"{line}\n{c.data if c else ''}" for line, c in parsed if not c or c.name != "add-mask")


def _given(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The secrets that a run is given by its variables, with what each is."""
    for name in _GIVEN:
        yield environ.get(name, "").strip(), f"the value of {name}"
    for name in _PROXIES:
        login = environ.get(name, "").rpartition("@")[0].rpartition("://")[2]
        for password in (login.partition(":")[2], unquote(login.partition(":")[2])):
            yield password, f"the password in {name}"


def _holders(run: Shown) -> Iterator[Path]:
    """The files that may hold secrets, as the run was told of them."""
    environ = run.environ
    yield from (Path(environ.get("HOME", ""), ".aws", name) for name in ("credentials", "config"))
    names = (*_SHARED_FILES, *(() if run.failed else COMMAND_FILES))
    yield from (Path(environ[name]) for name in names if environ.get(name))
    workspace = environ.get("GITHUB_WORKSPACE", "")
    for path in (Path(workspace, environ[name]) for name in _TOKEN_FILES if environ.get(name)):
        yield from (path, path.resolve())
