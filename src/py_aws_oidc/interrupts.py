"""What ends a run from outside: the runner's signals, and the limit that the workflow's author sets."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from py_aws_oidc.failure import Failure

# What the runner sends when a job is cancelled. As process 1 of a container we get SIGTERM only if we ask for it.
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """The runner wants the step to end. Not an Exception: the libraries would take it for an error of their own."""


class _TimeIsUp(BaseException):
    """Not an Exception, for the same reason."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted on the runner's signals."""

    def stop(*_: object) -> None:
        raise Interrupted

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Keep the runner's signals away from what must be whole.

    One that comes meanwhile is dropped: what was to be cancelled is done, and the runner itself says "cancelled".
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        while signal.sigtimedwait(_SIGNALS, 0):
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raise Failure when what is inside takes longer than this, whatever it waits for; 0 is no limit."""

    def stop(*_: object) -> None:
        raise _TimeIsUp

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _TimeIsUp:
        raise Failure(
            f"The step gave up after {seconds} seconds.",
            why="the input action-timeout-s is the limit for all that it does.",
            fix="look at the lines above for what it was waiting for; raise the limit, or run the job again.",
        ) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
