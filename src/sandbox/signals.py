"""`python -m sandbox signals [IMAGE]`: signals and time limits at random moments of many runs.

Each run is the program as a process with the image's own entrypoint, or the image with the runner's `docker run`. It
gets one of the runner's two signals at a moment between its start and a little after its usual end; or its limit of
time, for the step or for a call, is so short that it is reached at such a moment.

A run must end within a second of the signal. It fails with nothing exported, or, when the signal comes during or after
the writes, it succeeds with all.
"""

from __future__ import annotations

import json
import runpy
import signal
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from secrets import randbits
from statistics import median, quantiles
from typing import TextIO

import py_aws_oidc
from sandbox.job import Job
from sandbox.runner import Engine, JobRun, StepResult, work_folder
from sandbox.secrets import take
from sandbox.world import World, github_trust

ROOT = Path(__file__).resolve().parents[2]
MOST_SECONDS = 1.0
# A signal that comes during the writes does not stop them, and they take this long at most, on a busy machine too.
WRITES_SECONDS = 0.1
CALL_SECONDS = 5.0  # with three tries
LIMIT_SECONDS = 150
EXPORTED = {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Stands for the program, or for the docker client, which hands the signal on: {at} and {number} are the signal's.
_SENDER = """\
#!{python} -IS
import json, os, signal, subprocess, sys, time

command = {command!r} + sys.argv[1:]
if command[1:2] != ["run"] and {client!r}:
    os.execv(command[0], command)
began = time.time()
process = subprocess.Popen(command)
sent = None
try:
    process.wait({at!r})
except subprocess.TimeoutExpired:
    sent = time.time()
    process.send_signal({number!r})
status = process.wait()
ended = time.time()
folders = [argument.rpartition(":") for argument in command]
file = os.environ["GITHUB_ENV"]
for host, _, folder in folders:
    if folder and file.startswith(folder + "/"):
        file = host + file.removeprefix(folder)
        break
seen = dict(began=began, sent=sent, ended=ended, written=os.stat(file).st_mtime)
with open({report!r}, "w") as report:
    json.dump(seen, report)
os._exit(status if status >= 0 else 128 - status)
"""
# Limits are whole seconds, and a run takes less than one; so a shorter one is put in their place.
_STEP_LIMIT = """\
from py_aws_oidc.interrupts import Ending
after = Ending.after
Ending.after = lambda ending, _, failure: after(ending, {seconds}, failure)
"""
_CALL_LIMIT = """\
from py_aws_oidc import network
network.WHOLE_CALL_SECONDS = {seconds}
"""


@dataclass(frozen=True)
class Shot:
    """A run and what it gets: a signal at a moment, or a limit of so many seconds in the place of another."""

    at: float
    number: int = 0
    limit: str = ""

    def __str__(self) -> str:
        what = (
            f"signal {self.number}" if self.number else f"limit of a {'step' if 'Ending' in self.limit else 'call'}"
        )
        return f"{what} at {self.at:.3f} s"


@dataclass(frozen=True)
class End:
    """How it ended: its seconds in all, from the signal or limit to the end, and from there to the last export."""

    shot: Shot
    outcome: str
    status: int
    seconds: float
    took: float
    written: float
    exported: frozenset[str]
    said: str

    @property
    def wrong(self) -> str:
        """What should not be, in a few words; empty if nothing."""
        if self.exported not in (set(), EXPORTED):
            return "exported a part"
        if self.status and self.exported:
            return "failed and exported"
        if not self.status and not self.exported:
            return "succeeded and exported nothing"
        if self.exported and self.written > WRITES_SECONDS and "network" not in self.shot.limit:
            return f"exported {self.written:.3f} s after the signal"
        if self.took > (CALL_SECONDS if "network" in self.shot.limit else MOST_SECONDS):
            return f"ended {self.took:.3f} s after the signal"
        return "did not say why" if "in a way that it should not" in self.said else ""


@dataclass(frozen=True)
class Range:
    """Where runs are started: an image of an engine, or the program as a process where there is none."""

    world: World
    role: str
    work: Path
    image: str = ""
    engine: Engine | None = None

    def fire(self, shot: Shot) -> End:
        """One run."""
        with tempfile.TemporaryDirectory(prefix="signals-") as folder:
            sender, report = Path(folder, "docker"), Path(folder, "report")
            process = [sys.executable, "-IBuWignore", "-c", program(shot)]
            command = [self.engine.client] if self.engine else process
            # A limit is not counted from the start of the interpreter, but where the program sets it.
            at = LIMIT_SECONDS if shot.limit else shot.at
            text = _SENDER.format(
                python=sys.executable,
                command=command,
                client=bool(self.engine),
                at=at,
                number=int(shot.number),
                report=str(report),
            )
            sender.write_text(text)
            sender.chmod(0o755)
            engine = self.engine and replace(self.engine, client=str(sender))
            request = self.world.issuer.start(Job())
            with JobRun(Job(), work=self.work, engine=engine, id_token=request, limit=2 * LIMIT_SECONDS) as run:
                step = run.uses(
                    ROOT,
                    with_={
                        "aws-region": "us-east-1",
                        "role-to-assume": self.role,
                        "sts-endpoint": self.world.aws_url,
                        "retry-max-attempts": "3",
                        "action-timeout-s": "100",
                    },
                    image=self.image,
                    process=None if engine else [str(sender)],
                )
            return ended(shot, step, json.loads(report.read_text()))


def program(shot: Shot) -> str:
    """The image's entrypoint, which imports this program."""
    door: str = runpy.run_path(str(ROOT / "tools" / "rootfs.py"))["DOOR"].format("main")
    path = f"sys.path.insert(0, {str(Path(py_aws_oidc.__file__).parents[1])!r})\n"
    return door.replace("from py_aws_oidc", f"{path}{shot.limit.format(seconds=shot.at)}from py_aws_oidc", 1)


def ended(shot: Shot, step: StepResult, seen: Mapping[str, float | None]) -> End:
    """The end of a run, of which the sender has seen the times."""
    began, end, written = (float(seen[name] or 0) for name in ("began", "ended", "written"))
    from_ = seen["sent"] or (began + shot.at if shot.limit else end)
    return End(
        shot,
        outcome=step.outcome,
        status=step.exit_code or 0,
        seconds=end - began,
        took=end - from_,
        written=written - from_,
        exported=frozenset(step.env),
        said="\n".join(line.text for line in step.raw),
    )


@contextmanager
def open_range(image: str = "", engine: Engine | None = None) -> Iterator[Range]:
    """Set up what runs need."""
    with World() as world, work_folder() as work:
        role = world.create_role("deploy", trust=github_trust(world.register_provider(), Job().sub))
        # The sandbox listens on the host's loopback.
        reached = engine and replace(engine, run_args=("--network", "host"))
        yield Range(world, role, work, image, reached)


def shots(chance: Random, usual: float, number: int, *, limits: bool = False) -> Iterator[Shot]:
    """So many, at moments up to a little after the usual end of a run."""
    for _ in range(number):
        at = chance.uniform(0.001, 1.1 * usual)
        if limits:
            yield Shot(at, limit=chance.choice([_STEP_LIMIT, _CALL_LIMIT]))
        else:
            yield Shot(at, chance.choice(SIGNALS))


def series(place: Range, number: int, chance: Random, *, limits: bool = False) -> list[End]:
    """Runs with signals, or with limits; take the time of a run first."""
    usual = median(place.fire(Shot(LIMIT_SECONDS)).seconds for _ in range(3))
    ends = []
    for shot in shots(chance, usual, number, limits=limits):
        ends.append(place.fire(shot))
        take()  # is for a check that looks at a few runs; of many it would grow too large
    return ends


def tell(title: str, ends: Sequence[End], out: TextIO) -> int:
    """Print the runs that ended wrong, then a line with the figures; how many were wrong."""
    wrong = [end for end in ends if end.wrong]
    out.writelines(f"{end.shot}: {end.wrong}; status {end.status}.\n" for end in wrong)
    took = sorted(max(end.took, 0.0) for end in ends)
    cuts = quantiles(took, n=100) if len(took) > 1 else took * 99
    out.write(
        f"{title}: {len(ends)} runs, {sum(end.status == 0 for end in ends)} green, "
        f"{sum(end.status != 0 for end in ends)} red, {sum('::error' in end.said for end in ends)} said why, "
        f"{sum('Traceback' in end.said or 'ignored in' in end.said for end in ends)} with a traceback; "
        f"seconds to the end: median {cuts[49]:.3f}, 95 % {cuts[94]:.3f}, 99 % {cuts[98]:.3f}, "
        f"most {max(took, default=0):.3f}; {len(wrong)} wrong.\n"
    )
    return len(wrong)


def main(arguments: Sequence[str], out: TextIO, find: Callable[[], Engine | None] = Engine.find) -> int:
    """Print how the runs ended; the exit status is 1 if any was wrong."""
    parser = ArgumentParser("python -m sandbox signals", description=__doc__)
    parser.add_argument(
        "image", nargs="?", default="", metavar="IMAGE", help="of the engine; default: no containers"
    )
    parser.add_argument("--processes", type=int, default=1000, metavar="N", help="default: 1000")
    parser.add_argument("--limits", type=int, default=300, metavar="N", help="of time, for processes; default: 300")
    parser.add_argument("--containers", type=int, default=300, metavar="N", help="default: 300")
    parser.add_argument(
        "--seed", type=int, default=randbits(32), metavar="S", help="repeats the moments of this seed"
    )
    given = parser.parse_args(arguments)
    out.write(f"Seed {given.seed}.\n")
    wrong = 0
    for title, number, limits, engine in _plan(given.processes, given.limits, given.containers, given.image, find):
        with open_range(given.image if engine else "", engine) as place:
            wrong += tell(title, series(place, number, Random(f"{given.seed} {title}"), limits=limits), out)  # noqa: S311 - of moments, not of secrets
    return 1 if wrong else 0


def _plan(
    processes: int, limits: int, containers: int, image: str, find: Callable[[], Engine | None]
) -> Iterable[tuple[str, int, bool, Engine | None]]:
    yield "Signals to the process", processes, False, None
    yield "Time limits of the process", limits, True, None
    if image and (engine := find()):
        yield "Signals to the container", containers, False, engine
