"""A process of the runner: its streams as lines, its end, and how the runner cancels it."""

from __future__ import annotations

import io
import queue
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from sandbox.runner.values import RawLine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sandbox.runner.values import Stream

STREAMS_GRACE = 5.0


class HungError(Exception):
    """A process that outlived every limit; it has been killed."""


@dataclass(frozen=True, kw_only=True)
class Cancel:
    """Cancel the step as soon as its output shows `at`.

    The runner sends SIGINT, SIGTERM and SIGKILL with these waits between them (its ProcessInvoker), to the one
    process it started. `timeout_minutes` is for the step's own `timeout-minutes`, which makes it a failure.
    """

    at: str
    waits: tuple[float, float] = (7.5, 2.5)
    timeout_minutes: int | None = None


@dataclass(frozen=True)
class Finished:
    """How it went. A process that a signal ended has 128 and the signal's number, as .NET has it."""

    exit_code: int
    lines: tuple[RawLine, ...]
    cancelled: bool


def run(  # noqa: PLR0913  what a process is made of
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    cwd: Path,
    user: int | None = None,
    hear: Callable[[RawLine], None] = lambda _: None,
    cancel: Cancel | None = None,
    limit: float = 300,
) -> Finished:
    """Run a command to its end with exactly this environment, an empty stdin, and pipes for its output."""
    process = subprocess.Popen(  # noqa: S603  no shell: the command is the caller's
        command,
        env=dict(environment),
        cwd=cwd,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    return _Run(process, hear, cancel, limit).finish()


class _Run:
    """One running process, its two readers and the clock that drives the signals."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        hear: Callable[[RawLine], None],
        cancel: Cancel | None,
        limit: float,
    ) -> None:
        self._process = process
        self._hear = hear
        self._cancel = cancel
        self._events: queue.SimpleQueue[RawLine | None] = queue.SimpleQueue()
        self._until = time.monotonic() + limit
        self._signals: list[tuple[signal.Signals, float]] = []
        self._cancelled = False
        self._lines: list[RawLine] = []

    def finish(self) -> Finished:
        assert self._process.stdout is not None  # noqa: S101  it is a pipe
        assert self._process.stderr is not None  # noqa: S101  it is a pipe
        self._start(self._read, "stdout", self._process.stdout)
        self._start(self._read, "stderr", self._process.stderr)
        self._start(self._wait)
        open_ends = 3
        while open_ends:
            try:
                event = self._events.get(timeout=max(0.0, self._until - time.monotonic()))
            except queue.Empty:
                if self._process.returncode is not None:
                    break  # a child of it still holds the streams; the runner does not wait for that one
                self._escalate()
                continue
            if event is None:
                open_ends -= 1
            else:
                self._take(event)
        code = self._process.wait()
        return Finished(code if code >= 0 else 128 - code, tuple(self._lines), self._cancelled)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=target, args=arguments, daemon=True).start()

    def _read(self, stream: Stream, pipe: IO[bytes]) -> None:
        # Universal newlines are .NET's ReadLine: \n, \r\n and a lone \r.
        with io.TextIOWrapper(pipe, encoding="utf-8", errors="replace", newline=None) as text:
            for line in text:
                self._events.put(RawLine(stream, line.removesuffix("\n")))
        self._events.put(None)

    def _wait(self) -> None:
        self._process.wait()
        self._until = min(self._until, time.monotonic() + STREAMS_GRACE)
        self._events.put(None)

    def _take(self, line: RawLine) -> None:
        self._lines.append(line)
        self._hear(line)
        if self._cancel is not None and not self._cancelled and self._cancel.at in line.text:
            self._cancelled = True
            first, second = self._cancel.waits
            self._signals = [
                (signal.SIGINT, first),
                (signal.SIGTERM, second),
                (signal.SIGKILL, STREAMS_GRACE),
            ]
            self._escalate()

    def _escalate(self) -> None:
        if not self._signals:
            self._process.kill()
            self._process.wait()
            raise HungError(f"{self._process.args!r} had to be killed")
        number, wait = self._signals.pop(0)
        self._process.send_signal(number)
        self._until = time.monotonic() + wait
