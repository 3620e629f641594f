"""What ends a run from outside: the runner's signals, and the limit that the workflow's author sets."""

from __future__ import annotations

import signal
import time
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
    """Keep signals and time limits away from what must be whole.

    Once it is, nothing is left to be interrupted: from then on, until `interruptible` ends, the runner's signals are
    ignored, and the runner itself says "cancelled".
    """
    blocked = (*_SIGNALS, signal.SIGALRM)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    try:
        yield
        for number in blocked:
            signal.signal(number, signal.SIG_IGN)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def time_limit(seconds: float, failure: Failure) -> Iterator[None]:
    """Raise the failure when what is inside takes longer than this, whatever it waits for; 0 is no limit.

    Limits may lie in one another; the one that is reached first counts.
    """
    outer, _ = signal.getitimer(signal.ITIMER_REAL)
    if not seconds or 0 < outer <= seconds:
        yield
        return
    started = time.monotonic()

    def stop(*_: object) -> None:
        raise _TimeIsUp

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except _TimeIsUp:
        raise failure from None
    finally:
        signal.signal(signal.SIGALRM, before)
        if outer:
            signal.setitimer(signal.ITIMER_REAL, max(outer - (time.monotonic() - started), 0.001))
