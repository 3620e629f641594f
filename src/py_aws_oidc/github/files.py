"""GITHUB_ENV, GITHUB_OUTPUT, GITHUB_STATE, GITHUB_STEP_SUMMARY: the files through which a step speaks to the runner.

The format is GitHub's ("Workflow commands for GitHub Actions", multiline strings); the delimiter is random
so that no value can end its own entry.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from py_aws_oidc.failure import Failure
from py_aws_oidc.secret import Secret

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)


@dataclass(frozen=True)
class CommandFile:
    """One of the runner's files, by the variable that names it."""

    variable: str
    path: str

    @classmethod
    def named(cls, environ: Mapping[str, str], variable: str) -> CommandFile:
        """The file that the variable names; Failure if the runner gave none."""
        if path := environ.get(variable):
            return cls(variable, path)
        raise Failure(
            f"The runner's file {variable} is missing, so there is nowhere to put results.",
            name="command-file-missing",
            why=f"the variable {variable} is not set, as it is in every step of a GitHub Actions job.",
            fix="run this program as a step of a workflow, or set the variable to an existing empty file.",
        )


class AllOrNothing:
    """Several of the runner's files, all open for appending; leaving the block with an error empties them again.

    They are opened before anything is written, since a file that cannot be is the commonest fault.
    """

    def __init__(self, files: Iterable[CommandFile]) -> None:
        self._files = tuple(files)
        self._open: dict[CommandFile, tuple[int, int]] = {}

    def __enter__(self) -> Self:
        try:
            for file in self._files:
                self._open[file] = _opened(file)
        except BaseException:
            self._close()
            raise
        return self

    def append(self, file: CommandFile, entries: Mapping[str, str | Secret]) -> None:
        """Append entries in one write; Failure when that cannot be done."""
        data = render(entries).encode(errors="surrogateescape")  # as os.environ decoded it
        descriptor, _ = self._open[file]
        try:
            written = os.write(descriptor, data)
        except OSError as error:
            raise _cannot_be_written(file, error) from None
        if written != len(data):
            raise _cannot_be_written(file, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind:
            for descriptor, size in self._open.values():
                with suppress(OSError):  # one that cannot be cut must not keep the others whole
                    os.ftruncate(descriptor, size)
        self._close()

    def _close(self) -> None:
        for descriptor, _ in self._open.values():
            os.close(descriptor)


def append_summary(environ: Mapping[str, str], markdown: str) -> None:
    """Add to the page that GitHub shows of the job; Failure when that cannot be done.

    The runner puts *** for what is masked there too, line by line.
    """
    file = CommandFile.named(environ, "GITHUB_STEP_SUMMARY")
    descriptor, _ = _opened(file)
    with os.fdopen(descriptor, "wb") as summary:
        summary.write(markdown.encode(errors="backslashreplace"))


def owner(environ: Mapping[str, str]) -> tuple[int, int] | None:
    """Whose files later steps can read: the runner's user and group, as the owner of its own file.

    None if that is our user, or if we cannot change the owner.
    """
    try:
        found = os.stat(environ.get("GITHUB_ENV", ""))  # noqa: PTH116 - a blank path must not be the folder
    except OSError:
        return None
    return (found.st_uid, found.st_gid) if os.geteuid() == 0 else None


def render(entries: Mapping[str, str | Secret], delimiter: Callable[[], str] = lambda: os.urandom(16).hex()) -> str:
    """The entries as the runner reads them: always the multiline form, never a blank line between."""
    return "".join(_entry(name, value, f"ghadelimiter_{delimiter()}") for name, value in entries.items())


def _entry(name: str, value: str | Secret, delimiter: str) -> str:
    text = value.reveal() if isinstance(value, Secret) else value
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a name for a file command")
    if delimiter in text:
        raise ValueError(f"the value of {name} contains its own delimiter")
    return f"{name}<<{delimiter}\n{text}\n{delimiter}\n"


def _opened(file: CommandFile) -> tuple[int, int]:
    """The descriptor and the size of what the file holds already."""
    # The runner made the file: it is neither created here nor reached through a link, and it is no pipe to wait for.
    flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(file.path, flags)
    except (OSError, ValueError) as error:
        raise _cannot_be_written(file, error) from None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise _cannot_be_written(file, ValueError("it is not a regular file"))
    return descriptor, found.st_size


def _cannot_be_written(file: CommandFile, error: OSError | ValueError) -> Failure:
    return Failure(
        f"The runner's file {file.variable} cannot be written.",
        name="command-file-not-written",
        why=f"{getattr(error, 'strerror', None) or error} ({file.path}).",
        fix="the runner makes this file for every step: check that nothing in the job changed it or the variable, "
        "and that the runner's disk is not full.",
    )
