"""Log commands: mask, group, error, notice, warning.

The grammar is GitHub's ("Workflow commands for GitHub Actions");
how the runner reads a line, its source says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from py_aws_oidc.secret import Secret

# What ends a line for the runner's reader: a lone carriage return too.
_LINE_END = re.compile(r"\r\n|\r|\n")


def escape_data(text: str) -> str:
    """Escape what stands behind the second `::` of a command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """Escape a property's value, such as a title."""
    return escape_data(text).replace(":", "%3A").replace(",", "%2C")


def harmless(line: str) -> str:
    """The line so that the runner finds no command in it, whoever wrote it."""
    # `##[name]` counts anywhere in a line, `::name::` at its start, behind any white space.
    return re.sub(r"^(\s*):(?=:)", r"\1: ", line.replace("##[", "# #["))


@dataclass(frozen=True)
class Log:
    """The step's log.

    It goes to standard output only: the runner does not keep the order between the two streams, and a mask
    must come before what it masks.
    """

    stream: TextIO

    def info(self, text: str = "") -> None:
        """Print text; none of its lines is taken as a command."""
        for line in _LINE_END.split(text):
            self._write(harmless(line))

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        """Fold what is printed inside."""
        self._write(f"::group::{escape_data(title)}")
        try:
            yield
        finally:
            self._write("::endgroup::")

    def mask(self, secret: Secret) -> None:
        """Have the runner show `***` wherever the secret turns up from here on."""
        if secret.reveal().strip():
            self._write(f"::add-mask::{escape_data(secret.reveal())}")

    def error(self, text: str, *, title: str) -> None:
        """Print an error annotation, which is what the page of the run shows."""
        self._write(f"::error title={escape_property(title)}::{escape_data(text)}")

    def notice(self, text: str, *, title: str) -> None:
        """Print a notice annotation."""
        self._write(f"::notice title={escape_property(title)}::{escape_data(text)}")

    def warning(self, text: str, *, title: str) -> None:
        """Print a warning annotation."""
        self._write(f"::warning title={escape_property(title)}::{escape_data(text)}")

    def _write(self, line: str) -> None:
        self.stream.write(f"{line}\n")
        self.stream.flush()
