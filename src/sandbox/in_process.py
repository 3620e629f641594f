"""The program's `main` in this very process, on a clock that only sleeping moves.

A job's variables go in; what the runner would find in its files, and the log, come out.
"""

from __future__ import annotations

import re
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import TextIO
from unittest.mock import patch

from botocore.loaders import Loader

from py_aws_oidc.__main__ import main
from py_aws_oidc.clock import Clock
from sandbox.faults import Call
from sandbox.job import Job
from sandbox.runner.files import parse
from sandbox.secrets import MASK, ran
from sandbox.world import World, github_trust

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
FILES = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STATE")
SUMMARY = "GITHUB_STEP_SUMMARY"
# Access key ids, JSON Web Tokens, and the sandbox's own keys and tokens, whether this run is known to have had them.
_LOOKS_SECRET = re.compile(r"ASIA[A-Z0-9]{12}|eyJ[\w-]+\.|[\w-]{40}")


@dataclass
class Watch:
    """A time of day that runs ahead of the real one by all that was slept; `slept` is each sleep."""

    slept: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def now(self) -> datetime:
        """The time of day."""
        return datetime.now(UTC) + timedelta(seconds=self.seconds)

    def sleep(self, seconds: float) -> None:
        """Sleep without taking the time for it."""
        self.slept.append(seconds)
        self.seconds += seconds

    def clock(self) -> Clock:
        """The clock of a run; chance always takes the most there is."""
        return Clock(self.now, monotonic=lambda: self.seconds, sleep=self.sleep, uniform=lambda _, most: most)


@dataclass(frozen=True)
class Run:
    """What a run left behind, the calls it made, and its secrets as far as they are known from outside."""

    status: int
    log: str
    env: Mapping[str, str]
    outputs: Mapping[str, str]
    state: Mapping[str, str]
    calls: tuple[Call, ...]
    secrets: frozenset[str] = field(repr=False)
    summary: str = ""

    @property
    def credentials(self) -> dict[str, str]:
        """The credentials that were exported, as STS answers them."""
        names = {"AccessKeyId": KEYS[0], "SecretAccessKey": KEYS[1], "SessionToken": KEYS[2]}
        return {name: self.env[variable] for name, variable in names.items() if self.env.get(variable)}

    @property
    def masked(self) -> list[str]:
        """What the log asks the runner to mask, in order."""
        return [line.removeprefix(MASK) for line in self.log.splitlines() if line.startswith(MASK)]

    @property
    def error(self) -> str:
        """The text of the one error annotation."""
        (line,) = [line for line in self.log.splitlines() if line.startswith("::error ")]
        return line.partition("::error title=No AWS credentials::")[2].replace("%0A", "\n").replace("%25", "%")

    @property
    def exported(self) -> list[str]:
        """The names of all that later steps and the end of the job would see."""
        return [*self.env, *self.outputs, *self.state]

    @property
    def leaks(self) -> bool:
        """True if a secret stands in the log or the summary, other than where the runner is told to mask it."""
        lines = [*self.log.splitlines(), *self.summary.splitlines()]
        said = "\n".join(line for line in lines if not line.startswith(MASK))
        return any(secret in said for secret in {*self.secrets, *self.masked}) or bool(_LOOKS_SECRET.search(said))


@dataclass(frozen=True)
class Stage:
    """A world with a role that a push to main may assume, and the watch that all go by."""

    world: World
    role: str
    watch: Watch

    def run(
        self,
        folder: Path,
        clock: Clock | None = None,
        job: Job | None = None,
        /,
        *,
        environ: Mapping[str, str] | None = None,
        **inputs: str,
    ) -> Run:
        """A step of `job` with its files in `folder`; `environ` goes over the job's own variables."""
        job = job or Job()
        request = self.world.issuer.start(job)
        files = {name: folder / name for name in (*FILES, SUMMARY)}
        for path in files.values():
            path.write_text("")
        given = {
            "aws_region": "us-east-1",
            "role_to_assume": self.role,
            "sts_endpoint": self.world.aws_url,
        } | inputs
        variables = (
            job.variables()
            | {"ACTIONS_ID_TOKEN_REQUEST_URL": request.url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": request.token}
            | {name: str(path) for name, path in files.items()}
            | {f"INPUT_{name.upper().replace('_', '-')}": value for name, value in given.items()}
            | dict(environ or {})
        )
        log = StringIO()
        before = len(self.world.calls)
        status = call([], variables, log, clock or self.watch.clock())
        ran(variables, log.getvalue(), failed=status != 0)
        calls = tuple(self.world.calls[before:])
        sent = {call.form["WebIdentityToken"] for call in calls if "WebIdentityToken" in call.form}
        env, outputs, state = (dict(parse(files[name].read_bytes())) for name in FILES)
        summary = files[SUMMARY].read_text()
        secrets = frozenset({variables["ACTIONS_ID_TOKEN_REQUEST_TOKEN"], *sent})
        return Run(status, log.getvalue(), env, outputs, state, calls, secrets, summary)


def call(arguments: Sequence[str], environ: Mapping[str, str], stdout: TextIO, clock: Clock = Clock()) -> int:  # noqa: B008 - a frozen value
    """The exit status of the program, also where a signal or a limit ends it; this process goes on."""
    with signals_kept():
        try:
            return main(arguments, dict(environ), stdout, clock, end=sys.exit)
        except SystemExit as ended:
            return int(ended.code or 0)


@contextmanager
def signals_kept() -> Iterator[None]:
    """Have the handlers of signals afterwards as they were, and no timer that runs."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stage() -> Iterator[Stage]:
    """Set up a world with all that a run needs."""
    watch = Watch()
    with models_read_once(), World(clock=watch.now) as world:
        role = world.create_role("deploy", trust=github_trust(world.register_provider(), Job().sub))
        yield Stage(world, role, watch)


@contextmanager
def models_read_once() -> Iterator[None]:
    """Read the services' models once for many runs: to do it anew is most of what a run costs."""
    loader = Loader()
    with patch("botocore.session.create_loader", lambda *_: loader):
        yield


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="sandbox-") as path:
        yield Path(path)
