"""Log commands: mask, group, debug, error, notice, warning.

The grammar is GitHub's ("Workflow commands for GitHub Actions");
how the runner reads a line, its source says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from py_aws_oidc.quoting import MOST_OF_ANNOTATION, MOST_OF_TEXT, joined, shown
from py_aws_oidc.secret import Secret


def escape_data(text: str) -> str:
    """Escape what stands behind the second `::` of a command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """Escape a property's value, such as a title."""
    return escape_data(text).replace(":", "%3A").replace(",", "%2C")


def harmless(line: str) -> str:
    """The line, changed so that the runner finds no command in it."""
    # `##[name]` counts anywhere in a line, `::name::` at its start, behind any white space.
    return re.sub(r"^(\s*):(?=:)", r"\1: ", line.replace("##[", "# #["))


def accounts(text: str) -> list[Secret]:
    """The ids of AWS accounts in a text, each once: whatever has twelve digits."""
    return [Secret(found) for found in dict.fromkeys(re.findall(r"[0-9]{12}", text))]


@dataclass(frozen=True)
class Log:
    """The step's log.

    It goes to standard output only: the runner does not keep the order between the two streams, and a mask
    must come before what it masks.

    Every text is made visible and cut, whatever its source. A text that is given as a str is one line; an annotation of
    several lines is given line by line. With `hides_accounts`, each account id is masked before it is printed.
    """

    stream: TextIO
    hides_accounts: bool = False
    _hidden: set[Secret] = field(default_factory=set, repr=False)

    def info(self, text: str = "") -> None:
        """Print one line, which is not taken as a command."""
        self._write(harmless(self._ready(shown(text, MOST_OF_TEXT))))

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        """Fold what is printed inside."""
        self._write(f"::group::{escape_data(self._ready(shown(title)))}")
        try:
            yield
        finally:
            self._write("::endgroup::")

    def mask(self, secret: Secret) -> None:
        """Have the runner show `***` wherever the secret turns up from here on."""
        if secret.reveal().strip():
            self._write(f"::add-mask::{escape_data(secret.reveal())}")

    def debug(self, text: str) -> None:
        """Print a line that the runner shows only in step debug logging (ACTIONS_STEP_DEBUG)."""
        self._write(f"::debug::{escape_data(self._ready(shown(text, MOST_OF_TEXT)))}")

    def error(self, text: str | Iterable[str], *, title: str) -> None:
        """Print an error annotation, which is what the page of the run shows."""
        self._annotate("error", text, title)

    def error_at_once(self, text: str, *, title: str) -> None:
        """Print an error annotation from a signal handler, whatever was being printed when the signal came.

        A stream refuses a write within a write, so this goes to its descriptor, on a line of its own.
        """
        line = f"\n::error title={escape_property(title)}::{escape_data(text)}\n"
        try:
            descriptor = self.stream.fileno()
        except OSError:  # a stream in memory
            self.stream.write(line)
        else:
            os.write(descriptor, line.encode(errors="backslashreplace"))

    def notice(self, text: str | Iterable[str], *, title: str) -> None:
        """Print a notice annotation."""
        self._annotate("notice", text, title)

    def warning(self, text: str | Iterable[str], *, title: str) -> None:
        """Print a warning annotation."""
        self._annotate("warning", text, title)

    def _annotate(self, command: str, text: str | Iterable[str], title: str) -> None:
        data = self._ready(joined([text] if isinstance(text, str) else text, MOST_OF_ANNOTATION))
        self._write(f"::{command} title={escape_property(self._ready(shown(title)))}::{escape_data(data)}")

    def _ready(self, text: str) -> str:
        """The text, after the account IDs in it are masked, if they must be hidden."""
        for account in accounts(text) if self.hides_accounts else ():
            if account not in self._hidden:
                self.mask(account)
                self._hidden.add(account)
        return text

    def _write(self, line: str) -> None:
        self.stream.write(f"{line}\n")
        self.stream.flush()
