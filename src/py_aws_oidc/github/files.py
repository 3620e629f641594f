"""GITHUB_ENV, GITHUB_OUTPUT, GITHUB_STATE: the files through which a step speaks to the runner.

The format is GitHub's ("Workflow commands for GitHub Actions", multiline strings); the delimiter is random
so that no value can end its own entry.
"""

from __future__ import annotations

import errno
import os
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
            why=f"the variable {variable} is not set, as it is in every step of a GitHub Actions job.",
            fix="run this program as a step of a workflow, or set the variable to an existing empty file.",
        )

    def append(self, entries: Mapping[str, str | Secret]) -> None:
        """Append all entries in one write, or none of them.

        Raises Failure when the file cannot be written; what it held before stays as it was.
        """
        data = render(entries).encode(errors="surrogateescape")  # as os.environ decoded it
        try:
            # The runner made the file: it is neither created here nor reached through a link.
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                _write_all_or_nothing(descriptor, data)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise Failure(
                f"The runner's file {self.variable} could not be written.",
                why=f"{error.strerror or error} ({self.path}).",
                fix="check that the runner's disk is not full and that nothing in the job changed this file.",
            ) from error


def render(entries: Mapping[str, str | Secret], delimiter: Callable[[], object] = uuid.uuid4) -> str:
    """The entries as the runner reads them: always the multiline form, never a blank line between."""
    return "".join(_entry(name, value, f"ghadelimiter_{delimiter()}") for name, value in entries.items())


def _entry(name: str, value: str | Secret, delimiter: str) -> str:
    text = value.reveal() if isinstance(value, Secret) else value
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a name for a file command")
    if delimiter in text:
        raise ValueError(f"the value of {name} contains its own delimiter")
    return f"{name}<<{delimiter}\n{text}\n{delimiter}\n"


def _write_all_or_nothing(descriptor: int, data: bytes) -> None:
    size = os.fstat(descriptor).st_size
    if os.write(descriptor, data) != len(data):
        os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
