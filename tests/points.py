"""The program as a process that a signal meets at a chosen point: before the n-th call that reaches outside of it.

With `serve` it takes requests on stdin, a JSON object a line, and runs each in a fork of its own, since that spares
the imports; it answers with the exit status, below zero for a signal. Else it is the program, held at the point that
AT names, as in `write 2`, until a signal is there; it says so at the port HELD_PORT of this machine's loopback.
"""

import fcntl
import io
import json
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import boto3
import botocore.session
import jwt  # noqa: F401 - as requests: before the fork
import requests  # noqa: F401
from botocore.loaders import Loader

from py_aws_oidc.__main__ import main

FILES = ("open", "write", "close", "replace", "unlink", "mkdir", "rmdir", "fchown", "fchmod", "fsync", "ftruncate")
SOCKETS = ("connect", "send", "sendall", "recv_into")
LIMIT_SECONDS = 30

Point = Callable[[str], None]


class Log(io.TextIOWrapper):
    """Standard output, each line of which is a point."""

    def __init__(self, point: Point) -> None:
        super().__init__(io.FileIO(1, "w", closefd=False), write_through=True)
        self._point = point

    def write(self, text: str) -> int:
        self._point("log")
        return super().write(text)


def install(point: Point) -> None:
    """Have all that reaches outside of the process pass the point first."""

    def passing(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def passed(*arguments: object, **options: object) -> object:
            point(name)
            return call(*arguments, **options)

        return passed

    for module, names in ((os, FILES), (socket.socket, SOCKETS), (fcntl, ("flock",))):
        for name in names:
            setattr(module, name, passing(name, getattr(module, name)))


def run(arguments: list[str], environ: dict[str, str], *, log: str, trace: str, at: int, number: int) -> int:  # noqa: PLR0913 - a request
    """Send ourselves the signal before the call `at`, counted from 1; `trace` gets the name of each."""
    say = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    write, kill, names = os.write, os.kill, []

    def point(name: str) -> None:
        names.append(name)
        write(say, f"{name}\n".encode())
        if len(names) == at:
            kill(os.getpid(), number)

    os.environ.clear()
    os.environ.update(environ)
    install(point)
    return main(arguments, stdout=Log(point))


def serve() -> None:
    loader = Loader()
    botocore.session.create_loader = lambda *_: loader
    boto3.client("sts", region_name="us-east-1")  # its imports and its models
    for line in sys.stdin:
        if not (child := os.fork()):
            os._exit(run(**json.loads(line)))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201 - the answer


def hold(at: str, port: int) -> Point:
    """Wait at the point until a signal ends us, or is there and has to wait."""
    seen: Counter[str] = Counter()
    until = time.monotonic() + LIMIT_SECONDS

    def point(name: str) -> None:
        seen[name] += 1
        if f"{name} {seen[name]}" == at:
            with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port)) as held:
                held.recv(1)
            while not signal.sigpending() and time.monotonic() < until:
                time.sleep(0.01)

    return point


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        held = hold(os.environ.pop("AT", ""), int(os.environ.pop("HELD_PORT", "0")))
        install(held)
        sys.exit(main(sys.argv[1:], stdout=Log(held)))
