"""Which errors pass by themselves, and how long to wait for them.

One loop decides; the retries of the libraries are off. Waiting is exponential back-off with full jitter
("Exponential Backoff And Jitter", AWS Architecture Blog), so that jobs that fail at once do not come back at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from py_aws_oidc.clock import Clock
from py_aws_oidc.failure import Failure, Kind

T = TypeVar("T")


@dataclass(frozen=True)
class Limit:
    """How often an error of a kind is met in one call at most, and how many seconds after the first the last may be.

    `examples` and `what` are for people: errors of that kind, and what is done about them.
    """

    tries: int
    seconds: float
    examples: str
    what: str


LIMITS = {
    Kind.PASSES: Limit(
        tries=1_000_000,
        seconds=120,
        examples="no connection, a cut or silent one, half an answer, HTTP 429, 500, 502, 503 or 504",
        what="back-off with full jitter up to 10 s, or as long as Retry-After says; retry-max-attempts tries in all, "
        "and 120 s at most",
    ),
    Kind.MAY_PASS: Limit(
        tries=3, seconds=10, examples="a role or a trust policy that is new", what="3 tries within 10 s"
    ),
    Kind.NEW_TOKEN: Limit(tries=2, seconds=120, examples="an ID token that got old", what="a new token, once"),
    Kind.ONCE_MORE: Limit(
        tries=2, seconds=120, examples="HTTP 400, 401, 403 or 404 for the ID token", what="one more try after 1 s"
    ),
    Kind.NEVER: Limit(
        tries=1,
        seconds=0,
        examples="everything else: a wrong value, a missing provider, another audience",
        what="said at once",
    ),
}
_BASE_SECONDS, _CAP_SECONDS, _ALL_SECONDS = 0.2, 10.0, 120.0


@dataclass(frozen=True)
class Retry:
    """How often to try a call in all, where each retry is told, and when the run began: two minutes are for all."""

    tries: int
    clock: Clock
    say: Callable[[str], None]
    began: float

    def call(self, name: str, make: Callable[[], T]) -> T:
        """Make the call until it succeeds; raises its Failure when another try is not worth it, without waiting."""
        seen: dict[Kind, list[float]] = {}
        tries = 1
        while True:
            try:
                return make()
            except Failure as failure:
                now = self.clock.monotonic()
                of_kind = seen.setdefault(failure.kind, [])
                of_kind.append(now)
                limit = LIMITS[failure.kind]
                wait = max(failure.retry_after, self._wait(failure.kind, len(of_kind)))
                late = now + wait > min(of_kind[0] + limit.seconds, self.began + _ALL_SECONDS)
                if tries >= self.tries or len(of_kind) >= limit.tries or late:
                    raise _given_up(failure, tries) from None
                kind = failure.kind
            tries += 1
            self.say(f"{name} failed with an error that {kind.value}; try {tries} follows in {wait:.1f} s.")
            self.clock.sleep(wait)

    def _wait(self, kind: Kind, tries: int) -> float:
        if kind is Kind.NEW_TOKEN:
            return 0.0
        if kind is Kind.ONCE_MORE:
            return 1.0
        return self.clock.uniform(0, min(_CAP_SECONDS, _BASE_SECONDS * 2**tries))


def seconds(retry_after: str) -> float:
    """What a Retry-After header asks for in seconds; 0 for a date, which clocks that differ would make nonsense of."""
    return float(retry_after) if re.fullmatch(r"[0-9]{1,4}", retry_after) else 0.0


def _given_up(failure: Failure, tries: int) -> Failure:
    """The failure as the last word: a call around this one must not begin anew."""
    failure.kind = Kind.NEVER
    if tries > 1:
        failure.why += f"\nIt was tried {tries} times."
    return failure
