"""Which errors are retried, and how long to wait before each attempt.

One loop decides; the retries of the libraries are off. Waiting is exponential back-off with full jitter
("Exponential Backoff And Jitter", AWS Architecture Blog), so that jobs that fail at once do not come back at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from py_aws_oidc.clock import Clock
from py_aws_oidc.failure import Failure, Retryability

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """How often one call is made that fails with this kind of error, and within how many seconds.

    `notice` begins the sentence in the log that says when the next attempt follows. `examples` and `action` are for
    the documentation: errors of this kind, and what the action does about them.
    """

    attempts: int
    seconds: float
    notice: str
    examples: str
    action: str


POLICIES = {
    Retryability.TRANSIENT: RetryPolicy(
        attempts=1_000_000,
        seconds=120,
        notice="Such errors are usually temporary",
        examples="no connection, a dropped or silent connection, half an answer, HTTP 429, 500, 502, 503 or 504",
        action="retries with back-off and full jitter up to 10 s, or after the time in Retry-After; at most "
        "retry-max-attempts attempts within 120 s",
    ),
    Retryability.EVENTUAL_CONSISTENCY: RetryPolicy(
        attempts=3,
        seconds=10,
        notice="IAM changes can take a few seconds to be visible",
        examples="a role or a trust policy that is new",
        action="makes 3 attempts within 10 s",
    ),
    Retryability.REFRESH_TOKEN: RetryPolicy(
        attempts=2,
        seconds=120,
        notice="The next attempt uses a new ID token",
        examples="an ID token that has expired",
        action="requests a new token, once",
    ),
    Retryability.RETRY_ONCE: RetryPolicy(
        attempts=2,
        seconds=120,
        notice="The token service can refuse a job that has just started",
        examples="HTTP 400, 401, 403 or 404 for the ID token",
        action="makes one more attempt after 1 s",
    ),
    Retryability.PERMANENT: RetryPolicy(
        attempts=1,
        seconds=0,
        notice="",
        examples="everything else: a wrong value, a missing provider, another audience",
        action="fails at once",
    ),
}
_BASE_SECONDS, _CAP_SECONDS, _ALL_SECONDS = 0.2, 10.0, 120.0


@dataclass(frozen=True)
class Retry:
    """How often to make a call at most, where each retry is logged, and when the run began: 120 s are for all calls.

    `errors` has what went wrong so far, the last error at its end.
    """

    attempts: int
    clock: Clock
    log: Callable[[str], None]
    began: float
    errors: list[str] = field(default_factory=list)

    def call(self, name: str, make: Callable[[], T]) -> T:
        """Make the call until it succeeds. Raises its last Failure, with the number of attempts, without waiting."""
        times: dict[Retryability, list[float]] = {}
        attempt = 1
        while True:
            try:
                return make()
            except Failure as failure:
                if failure.attempts:  # a call inside this one gave up
                    raise
                now = self.clock.monotonic()
                of_kind = times.setdefault(failure.retryability, [])
                of_kind.append(now)
                policy = POLICIES[failure.retryability]
                wait = max(failure.retry_after, self._wait(failure.retryability, len(of_kind)))
                late = now + wait > min(of_kind[0] + policy.seconds, self.began + _ALL_SECONDS)
                most = min(self.attempts, attempt + policy.attempts - len(of_kind))
                error = f"{name} failed: {failure.error or failure.what.rstrip('.')}. Attempt {attempt} of {most}."
                self.errors.append(error)
                if attempt >= most or late:
                    raise failure.replaced(attempts=attempt) from None
            attempt += 1
            self.log(f"{error} {policy.notice}; next attempt in {wait:.1f} s.")
            self.clock.sleep(wait)

    def _wait(self, retryability: Retryability, count: int) -> float:
        if retryability is Retryability.REFRESH_TOKEN:
            return 0.0
        if retryability is Retryability.RETRY_ONCE:
            return 1.0
        return self.clock.uniform(0, min(_CAP_SECONDS, _BASE_SECONDS * 2**count))
