"""`python -m sandbox reliability`: the result of each fault of each call, found by running the action."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Self, TextIO

from werkzeug.serving import make_server

from py_aws_oidc.answers import MOST_BYTES
from py_aws_oidc.aws.errors import CODES, STATUSES
from py_aws_oidc.failure import Retryability
from py_aws_oidc.github.idtoken import _STATUS as ID_TOKEN_STATUSES
from py_aws_oidc.inputs import Inputs
from py_aws_oidc.network import CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS
from py_aws_oidc.retry import POLICIES
from sandbox.faults import Fault
from sandbox.in_process import Run, Stage, Watch, folder, stage
from sandbox.job import Job
from sandbox.proxy import serving
from sandbox.world import _Quiet

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication


class Place(Enum):
    """The two calls of a run, by what the log calls them."""

    ID_TOKEN = "The request for an ID token"  # noqa: S105 - a sentence's beginning
    STS = "AssumeRoleWithWebIdentity"

    @property
    def operation(self) -> str:
        """As the sandbox calls it."""
        return "idtoken" if self is Place.ID_TOKEN else self.value


class _GoneBy(Event):
    """An event for a held answer: the seconds go by on the watch at once."""

    def __init__(self, watch: Watch, seconds: float) -> None:
        super().__init__()
        self._watch = watch
        self._seconds = seconds

    def wait(self, _timeout: float | None = None) -> bool:
        """Never wait."""
        self._watch.seconds += self._seconds
        return True


@dataclass(frozen=True)
class Trouble:
    """A kind of fault, and whether its error must be retried; without a fault, no server listens at the port.

    `seconds` go by on the clock before the fault happens: a time limit of the action, without a real wait.
    """

    about: str
    retryability: Retryability
    fault: Fault | None = field(hash=False)
    seconds: float = 0

    def on(self, watch: Watch) -> Fault:
        """The fault, in the time of this watch."""
        fault = self.fault or Fault()
        return replace(fault, hold=_GoneBy(watch, self.seconds)) if self.seconds else fault


def _code(code: str, message: str) -> str:
    return f"`{code}`: {message}" if message else f"`{code}`"


def _said(code: str, message: str, retryability: Retryability, status: int = 400) -> Trouble:
    return Trouble(_code(code, message), retryability, Fault(status=status, code=code, message=message))


def _status(status: int, retryability: Retryability) -> Trouble:
    return Trouble(f"HTTP {status}", retryability, Fault(status=status, body=""))


_PAGE = "<!DOCTYPE html><html><title>Proxy</title><body>Please wait<br></body></html>"
_ANYWHERE = (
    Trouble("connection refused", Retryability.TRANSIENT, None),
    Trouble(
        f"no connection within {CONNECT_TIMEOUT_SECONDS} s (*)",
        Retryability.TRANSIENT,
        Fault(drop="before"),
        seconds=CONNECT_TIMEOUT_SECONDS,
    ),
    Trouble(
        f"no answer within {READ_TIMEOUT_SECONDS} s (*)",
        Retryability.TRANSIENT,
        Fault(drop="before"),
        seconds=READ_TIMEOUT_SECONDS,
    ),
    Trouble("connection dropped before the answer", Retryability.TRANSIENT, Fault(drop="before")),
    Trouble("connection dropped in the middle of the answer", Retryability.TRANSIENT, Fault(drop="midway")),
    _status(429, Retryability.TRANSIENT),
    Trouble(
        "HTTP 429 with `Retry-After: 7`",
        Retryability.TRANSIENT,
        Fault(status=429, body="", headers={"Retry-After": "7"}),
    ),
    *(_status(status, Retryability.TRANSIENT) for status in (500, 502, 503, 504)),
    Trouble("a web page with HTTP 200", Retryability.TRANSIENT, Fault(body=_PAGE, content_type="text/html")),
    Trouble(
        "a web page with HTTP 500", Retryability.TRANSIENT, Fault(status=500, body=_PAGE, content_type="text/html")
    ),
    Trouble("an answer of more than 1 MiB", Retryability.PERMANENT, Fault(body=b" " * MOST_BYTES)),
    Trouble(
        "a redirect to another host",
        Retryability.PERMANENT,
        Fault(status=307, body="", headers={"Location": "http://127.0.0.2:9/"}),
    ),
)
TROUBLES = {
    Place.ID_TOKEN: (*_ANYWHERE, *(_status(status, Retryability.RETRY_ONCE) for status in (400, 401, 403, 404))),
    Place.STS: (
        *_ANYWHERE,
        *(_status(status, Retryability.PERMANENT) for status in (400, 403)),
        # The status alone would make none of them worth a retry.
        *(_said(row.code, row.message, row.retryability) for row in CODES),
        _said("ThrottlingException", "Rate exceeded", Retryability.TRANSIENT),
        Trouble(
            "`ServiceUnavailable` with `Retry-After: 7`",
            Retryability.TRANSIENT,
            Fault(status=503, code="ServiceUnavailable", headers={"Retry-After": "7"}),
        ),
        _said("InvalidIdentityToken", "No OpenIDConnect provider found in your account", Retryability.PERMANENT),
        _said("InvalidIdentityToken", "Incorrect token audience", Retryability.PERMANENT),
        _said("ValidationError", "1 validation error detected", Retryability.PERMANENT),
        _said("MalformedPolicyDocument", "Syntax errors in policy", Retryability.PERMANENT),
        _said("PackedPolicyTooLarge", "Packed size of session policies consumes 110%", Retryability.PERMANENT),
        _said("RegionDisabledException", "STS is not activated in this region", Retryability.PERMANENT, 403),
    ),
}
LENGTHS = {1: "first call only", 2: "first two calls", None: "every call"}


@dataclass(frozen=True)
class Cell:
    """One trouble at one place, for so many calls; None is every call."""

    place: Place
    trouble: Trouble
    times: int | None

    def __str__(self) -> str:
        return f"{self.place.name} {LENGTHS[self.times]} {self.trouble.about}"


CELLS = tuple(
    Cell(place, trouble, times) for place, troubles in TROUBLES.items() for trouble in troubles for times in LENGTHS
)


@dataclass(frozen=True)
class Outcome:
    """A cell's run, the tries of the faulty call as the log tells them, and how long all took by the clock."""

    run: Run
    tries: int
    seconds: float
    slept: tuple[float, ...]

    @property
    def green(self) -> bool:
        """True if the step succeeded."""
        return self.run.status == 0

    def __str__(self) -> str:
        colour = "green" if self.green else "**red**"
        return f"{colour}, {self.tries} {'call' if self.tries == 1 else 'calls'}, {self.seconds:.1f} s"


class Door:
    """A port of this machine that refuses so many connections, each until the next sleep; None is all of them."""

    def __init__(self, app: WSGIApplication, refusals: int | None, watch: Watch) -> None:
        self._app = app
        self._refusals = refusals
        self._watch = watch
        self._socket = socket.socket()
        self._running = ExitStack()

    def __enter__(self) -> Self:
        # A port that is bound without listening cannot be used by another process, and refuses connections.
        self._running.enter_context(self._socket)
        self._socket.bind(("127.0.0.1", 0))
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    @property
    def url(self) -> str:
        """Where the service will be."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def sleep(self, seconds: float) -> None:
        """Sleep as the watch does, and open when all are refused that are to be."""
        self._watch.sleep(seconds)
        if len(self._watch.slept) == self._refusals:
            self._socket.listen()
            server = make_server(
                "127.0.0.1", 0, self._app, request_handler=_Quiet, threaded=True, fd=self._socket.fileno()
            )
            self._running.enter_context(serving(server))


def outcome(cell: Cell, scene: Stage) -> Outcome:
    """Run the cell."""
    watch, started = scene.watch, scene.watch.seconds
    watch.slept.clear()
    with folder() as files:
        run = _refused(cell, scene, files) if cell.trouble.fault is None else _faulty(cell, scene, files)
    tries = 1 + run.log.count(f"{cell.place.value} failed: ")
    return Outcome(run, tries, watch.seconds - started, tuple(watch.slept))


def _faulty(cell: Cell, scene: Stage, files: Path) -> Run:
    faults, fault = scene.world.faults, cell.trouble.on(scene.watch)
    if cell.times:
        faults.script(cell.place.operation, *[fault] * cell.times)
    else:
        faults.script(cell.place.operation, always=fault)
    run = scene.run(files)
    faults.clear()
    return run


def _refused(cell: Cell, scene: Stage, files: Path) -> Run:
    world = scene.world
    app = world.issuer.app if cell.place is Place.ID_TOKEN else world._aws.app  # noqa: SLF001 - as sandbox.tls does
    with Door(app, cell.times, scene.watch) as door:
        clock = replace(scene.watch.clock(), sleep=door.sleep)
        if cell.place is Place.STS:
            return scene.run(files, clock, sts_endpoint=door.url)
        request = world.issuer.start(Job())
        environ = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": request.url.replace(world.issuer.url, door.url),
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": request.token,
        }
        return scene.run(files, clock, environ=environ)


def main(out: TextIO) -> int:
    """Print the page."""
    with stage() as scene:
        out.write(page(lambda cell: outcome(cell, scene)))
    return 0


def page(ends: Callable[[Cell], Outcome]) -> str:
    """docs/reliability.md, given how each cell ends."""
    faults = [
        f"### {place.value}\n\n{_table(_FAULT_HEAD, (_fault_row(place, trouble, ends) for trouble in troubles))}"
        for place, troubles in TROUBLES.items()
    ]
    return _TEXT.format(
        seconds=POLICIES[Retryability.TRANSIENT].seconds,
        attempts=Inputs.retry_max_attempts,
        kinds=_table(
            ("kind of error", "examples", "what the action does"),
            ((kind.value, policy.examples, policy.action) for kind, policy in POLICIES.items()),
        ),
        statuses=_table(
            ("HTTP status", "kind of error", "why"),
            ((str(status), kind.value, why) for status, (why, kind) in ID_TOKEN_STATUSES.items()),
        ),
        codes=_table(
            ("error code", "kind of error", "source"),
            ((_code(row.code, row.message), row.retryability.value, row.source) for row in CODES),
        ),
        passing=", ".join(map(str, sorted(STATUSES))),
        faults="\n".join(faults),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (head, ["---"] * len(head), *rows)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


_FAULT_HEAD = ("the fault", "kind of error", *LENGTHS.values(), "what the log says if it stays")


def _fault_row(place: Place, trouble: Trouble, ends: Callable[[Cell], Outcome]) -> tuple[str, ...]:
    outcomes = [ends(Cell(place, trouble, times)) for times in LENGTHS]
    title, _, _ = outcomes[-1].run.error.partition("\n")
    return trouble.about, trouble.retryability.value, *map(str, outcomes), title


_TEXT = """\
# Reliability

A run of this action makes two calls: it requests an ID token from the runner, and it exchanges the token for
credentials with AWS STS. This page says what happens if one of them fails. `make docs` writes its tables: the first
three from the code, and the last two from runs of the action against a token service and an STS on the same machine,
which fail in each of these ways. A test compares the page with the result.

## What is promised

- A run succeeds with everything exported, or fails with nothing exported: no variable, no output, no profile. That
  holds in each cell below, and `make soak` checks it in 1,000 runs against services with random faults.
- A call that fails with a transient error is retried, but not later than {seconds} s after its first attempt. A
  permanent error ends the step at once. There is no wait after the last attempt.
- Each retry is a line in the log with the error, the number of the attempt and the wait. The error at the end says what
  happened, why, and what to do.
- No token and no key is in the log, except in the command that tells the runner to mask it.

## Which errors are retried

{kinds}
Answers of the runner's token service. Any other status except 200 is a permanent error:

{statuses}
Refusals of AWS STS, by the beginning of their error code. Any other error is transient if its HTTP status is one of
{passing}, and permanent if not:

{codes}
## Faults and results

A cell has the result of the run, the number of attempts, and the maximum wait: it is measured with a clock that only
waiting moves, and each wait is as long as possible (with full jitter, the average is half of that). The duration of the
calls is not included. `retry-max-attempts` is {attempts}, its default.

(*) A time limit of the action. The test does not wait for it: the connection is dropped, and the clock is moved on.

{faults}"""
