"""`python -m sandbox signals [IMAGE]`: signals and time limits at random moments of many runs.

Each run is the program as a process with the image's own entrypoint, or the image with the runner's `docker run`. It
gets one of the runner's two signals at a moment between its start and a little after its usual end; or its limit of
time, for the step or for a call, is so short that it is reached at such a moment. A container's start is that of its
process: a signal that comes before is lost between the docker client and the engine.

A run must end within a second of the signal. It fails with nothing exported, or, when the signal comes during or after
the writes, it succeeds with all.
"""

from __future__ import annotations

import ast
import json
import signal
import sys
import tempfile
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
CALLS_SECONDS = 10.0  # of a run whose calls have a limit below a second and three tries each
LIMIT_SECONDS = 150
EXPORTED = {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Stands for the program, or for the docker client, which hands the signal on: {at} and {number} are the signal's.
_SENDER = """\
#!{python} -IS
import json, os, signal, subprocess, sys, time

command = {command!r} + sys.argv[1:]
client = {client!r}
if client and command[1] != "run":
    os.execv(client, command)
signal.signal(signal.SIGINT, signal.SIG_DFL)  # what is started in the background ignores it
began = time.time()
process = subprocess.Popen(command)
file = os.environ["GITHUB_ENV"]
if client:
    for argument in command:
        host, _, folder = argument.rpartition(":")
        if host and file.startswith(folder + "/"):
            file = host + file.removeprefix(folder)
            break
    name = command[command.index("--name") + 1]
    filters = ["--filter", "container=" + name, "--filter", "event=start", "--filter", "event=die"]
    watch = [client, "events", "--since", str(began), *filters, "--format", "{{{{.TimeNano}}}}"]
    events = subprocess.Popen(watch, stdout=subprocess.PIPE)
    began = int(events.stdout.readline()) / 1e9
sent = None
try:
    process.wait({at!r})
except subprocess.TimeoutExpired:
    sent = time.time()
    process.send_signal({number!r})
status = process.wait()
ended = time.time()
if client:
    # The engine takes its time to remove the container, which is not the program's.
    ended = int(events.stdout.readline()) / 1e9
    events.kill()
    events.wait()
seen = dict(began=began, sent=sent, ended=ended, written=os.stat(file).st_mtime)
with open({report!r}, "w") as report:
    json.dump(seen, report)
os._exit(status if status >= 0 else 128 - status)
"""
# A limit is of whole seconds, and a run takes less than one; so a shorter one is put in its place. It is reached so
# long after it is set, which the file says.
_STEP_LIMIT = """\
import time
from py_aws_oidc.interrupts import Ending
def after(ending, _, failure, after=Ending.after):
    with open({report!r}, "w") as report:
        report.write(str(time.time() + {seconds}))
    after(ending, {seconds}, failure)
Ending.after = after
"""
_CALL_LIMIT = """\
from py_aws_oidc import network
network.WHOLE_CALL_SECONDS = {seconds}
"""
LIMITS = {"step": _STEP_LIMIT, "call": _CALL_LIMIT}


@dataclass(frozen=True)
class Shot:
    """A run and what it gets: a signal at a moment, or a limit of so many seconds in the place of another."""

    at: float
    number: int = 0
    limit: str = ""

    def __str__(self) -> str:
        limited = (f"limit of a {name}" for name, text in LIMITS.items() if text == self.limit)
        return f"{next(limited, f'signal {self.number}')} at {self.at:.3f} s"


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
        calls = self.shot.limit == LIMITS["call"]
        faults = {
            "exported a part": self.exported not in (set(), EXPORTED),
            "failed and exported": bool(self.status and self.exported),
            "succeeded and exported nothing": not self.status and not self.exported,
            f"exported {self.written:.3f} s after the signal": self.exported and self.written > WRITES_SECONDS,
            f"ended {self.took:.3f} s after the signal": self.took > MOST_SECONDS,
            f"took {self.seconds:.3f} s": calls and self.seconds > CALLS_SECONDS,
            "did not say why": "Unexpected error" in self.said,
        }
        return ", ".join(fault for fault, is_there in faults.items() if is_there)


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
            sender, door, report, limit = (Path(folder, name) for name in ("docker", "door", "report", "limit"))
            client = self.engine.client if self.engine else ""
            door.write_text(program(shot, limit))
            door.chmod(0o755)
            text = _SENDER.format(
                python=sys.executable,
                command=[client or str(door)],
                client=client,
                at=LIMIT_SECONDS if shot.limit else shot.at,
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
            seen: dict[str, float] = json.loads(report.read_text())
            if limit.exists():
                seen["sent"] = float(limit.read_text())
            return ended(shot, step, seen)


def program(shot: Shot, report: Path) -> str:
    """The image's entrypoint, with this interpreter and this program."""
    # Read, not imported: rootfs.py imports the modules beside it.
    source = ast.parse((ROOT / "tools" / "rootfs.py").read_text())
    template = next(
        ast.literal_eval(node.value)
        for node in source.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DOOR"
    )
    door: str = template.format("main")
    path = f"sys.path.insert(0, {str(Path(py_aws_oidc.__file__).parents[1])!r})\n"
    door = door.replace("/usr/bin/python3", sys.executable, 1)
    limit = shot.limit.format(seconds=shot.at, report=str(report))
    return door.replace("from py_aws_oidc", f"{path}{limit}from py_aws_oidc", 1)


def ended(shot: Shot, step: StepResult, seen: Mapping[str, float | None]) -> End:
    """The end of a run, of which the sender has seen the times."""
    began, end, written = (float(seen[name] or 0) for name in ("began", "ended", "written"))
    from_ = seen["sent"] or end
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
            yield Shot(at, limit=chance.choice(list(LIMITS.values())))
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
    cuts = quantiles(took, n=100) if len(took) > 1 else [max(took, default=0.0)] * 99
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
        if not number:
            continue
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
