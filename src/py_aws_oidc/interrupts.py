"""What ends a run from outside: the runner's signals, and the limits of time.

A handler of a signal runs between any two instructions of the main thread. An exception that it raises is lost in a
callback whose exceptions Python drops, such as those of weak references; in the import system it also leaves a lock
taken, so that the next import waits without end. So a run that is told to end is ended by the handler itself: until
the writes, which no signal interrupts, there is nothing to undo.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType, TracebackType

from py_aws_oidc.failure import Failure

# What the runner sends when a job is cancelled. As process 1 of a container we get SIGTERM only if we ask for it.
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ALL = (*_SIGNALS, signal.SIGALRM)
_LAST_WORDS_SECONDS = 0.5
_AGAIN_SECONDS = 0.05


@dataclass
class Ending:
    """The end of this process before its time: `say` tells why, and `end` ends it with an exit status.

    `begun` is whether it has come to that: where `end` raises, as in a test, the run must not report it again.
    """

    say: Callable[[Failure], None]
    end: Callable[[int], object]
    begun: bool = field(default=False, init=False)

    def on_signal(self, failure: Failure) -> None:
        """End with this failure on the runner's signals."""
        for number in _SIGNALS:
            signal.signal(number, lambda *_: self._now(failure))

    def after(self, seconds: float, failure: Callable[[], Failure]) -> None:
        """End with this failure when the time is up, whatever the run then waits for; 0 is no limit."""
        if seconds:
            signal.signal(signal.SIGALRM, lambda *_: self._now(failure()))
            signal.setitimer(signal.ITIMER_REAL, seconds)

    def silently(self) -> None:
        """From now on, end without a word: the run has failed, and says why itself."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number in _ALL:
            signal.signal(number, lambda *_: self.end(1))

    def _now(self, failure: Failure) -> None:
        self.begun = True
        # If no process reads the log, a write would wait forever.
        self.silently()
        signal.setitimer(signal.ITIMER_REAL, _LAST_WORDS_SECONDS)
        with suppress(Exception):
            self.say(failure)
        self.end(1)


def ignore() -> None:
    """Ignore signals and limits from now on: all is done, and nothing is left to interrupt."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in _ALL:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Keep signals and time limits away from what must be whole, and ignore them once it is.

    The runner itself says "cancelled" then. If the block fails, what was kept away takes effect at its end.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ALL)
    try:
        yield
        ignore()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def pause(seconds: float) -> None:
    """Sleep; within `uninterrupted`, this is where a signal may end the run all the same."""
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, _ALL)
    try:
        time.sleep(seconds)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_to_main_thread() -> None:
    """Have this thread get no signal: only the main thread can keep them away from what must be whole."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


class _TimeIsUp(BaseException):
    """Not an Exception: the libraries would take it for an error of their own."""


class time_limit:  # noqa: N801 - it is used as a function, as those of contextlib
    """Raise the failure when the `with` block takes longer than this, whatever it waits for; 0 is no limit.

    Limits may lie in one another; the one that is reached first counts. A call that is cut may be tried again, so the
    limit raises: again and again until the block ends, since an exception can be lost, and never within an import,
    which waits for nothing.
    """

    def __init__(self, seconds: float, failure: Failure) -> None:
        self._seconds = seconds
        self._failure = failure

    def __enter__(self) -> None:
        self._outer, _ = signal.getitimer(signal.ITIMER_REAL)
        self._counts = self._seconds > 0 and not 0 < self._outer <= self._seconds
        if self._counts:
            self._started = time.monotonic()
            self._before = signal.signal(signal.SIGALRM, self._stop)
            signal.setitimer(signal.ITIMER_REAL, self._seconds, _AGAIN_SECONDS)

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if not self._counts:
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)
        if self._outer:
            left = self._outer - (time.monotonic() - self._started)
            signal.setitimer(signal.ITIMER_REAL, max(left, 0.001), _AGAIN_SECONDS)
        if kind is _TimeIsUp:
            raise self._failure from None

    def _stop(self, _: int, frame: FrameType | None) -> None:
        while frame:
            if frame.f_code in _NOT_IN or frame.f_code.co_filename.startswith("<frozen importlib"):
                return
            frame = frame.f_back
        raise _TimeIsUp


_NOT_IN = (time_limit.__enter__.__code__, time_limit.__exit__.__code__)
