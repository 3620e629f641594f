"""The calls of a run as debug lines tell them: where each goes, how long it takes, and what its answer's headers say.

The runner shows such lines only when the secret or variable ACTIONS_STEP_DEBUG is true ("Enabling debug logging",
GitHub Docs). No line has a query, a user name, a password, a token or a body.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from py_aws_oidc.clock import Clock

_YEARS = range(2000, 9000)  # of clocks; arithmetic with other dates can end beyond the calendar


@dataclass(frozen=True)
class Answer:
    """The status of an answer, and what its headers say: seconds to wait, the request's ID, the server's time."""

    status: int
    retry_after: float = 0
    request_id: str = ""
    date: datetime | None = None

    @classmethod
    def read(cls, status: int, headers: Mapping[str, str], request_id: str) -> Answer:
        """Read the headers, whose names are in any case; `request_id` is the name of the service's own header."""
        return cls(
            status, seconds(headers.get("Retry-After", "")), plain_id(headers.get(request_id)), _date(headers)
        )


@dataclass(frozen=True)
class CallLog:
    """Where debug lines go, and the clock that calls are timed by."""

    debug: Callable[[str], None] = lambda _: None
    clock: Clock = field(default_factory=Clock)

    @contextmanager
    def call(self, name: str, route: str) -> Iterator[list[Answer]]:
        """Log where a call goes and, at the end of the block, how it ended: by the last answer in the list."""
        self.debug(f"{name}: {route}")
        began = self.clock.monotonic()
        answers: list[Answer] = []
        try:
            yield answers
        finally:
            took = round(1000 * (self.clock.monotonic() - began))
            facts = self._facts(answers[-1]) if answers else ["no answer"]
            self.debug(f"{name}: {', '.join(facts)}, {took} ms")

    def _facts(self, answer: Answer) -> Iterator[str]:
        yield f"HTTP {answer.status}"
        if answer.request_id:
            yield f"request ID {answer.request_id}"
        if answer.date:
            ahead = (self.clock.now() - answer.date).total_seconds()
            yield f"this machine's clock is {ahead:+.1f} s from the server's Date header"


def seconds(retry_after: str) -> float:
    """Read the seconds of a Retry-After header; 0 for a date, since two clocks can differ."""
    return float(retry_after) if re.fullmatch(r"[0-9]{1,4}", retry_after) else 0.0


def plain_id(value: object) -> str:
    """The ID of a request as its service gives it; empty if it has other characters than such IDs have."""
    return value if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9-]{1,128}", value) else ""


def versions(modules: Mapping[str, object]) -> str:
    """The versions of the libraries that are loaded; `modules` is sys.modules."""
    known = {"boto3": "boto3", "botocore": "botocore", "requests": "requests", "urllib3": "urllib3", "PyJWT": "jwt"}
    loaded = {name: getattr(modules.get(module), "__version__", None) for name, module in known.items()}
    return ", ".join(f"{name} {version}" for name, version in loaded.items() if version)


def _date(headers: Mapping[str, str]) -> datetime | None:
    from email.utils import parsedate_to_datetime  # by now, the library of the call has imported it

    with suppress(ValueError, TypeError, OverflowError):  # a server may send anything
        date = parsedate_to_datetime(headers.get("Date", ""))
        return date.astimezone(UTC) if date.tzinfo and date.year in _YEARS else None
    return None
