"""`python -m sandbox.bench IMAGE [REFERENCE]`: what a run takes, beside that of another action if one is given.

With `--layout FOLDER` (`tools/oci-image`) also what it takes on a fresh runner, from the pull or the build on.

Ours is a process in the image's own file tree, exported and entered by chroot, which needs root; the reference is
`node REFERENCE` on this machine. Both get token and session from services on loopback, which answer at once, or 100 ms
later, with what the sandbox said when it was asked the same. They run in turn, so that what else happens on the
machine happens to both; a ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any, TextIO

from release.layout import Layout
from release.steps import LAYOUT
from sandbox.cold import Cold
from sandbox.in_process import FILES, folder
from sandbox.job import Job
from sandbox.proxy import serving
from sandbox.runner import Engine
from sandbox.world import AUDIENCE, World, github_trust

ROUNDS = 15
COLD_ROUNDS = 5
ROOT = Path(__file__).parents[2]
LATE_SECONDS = 0.1
DOOR = "/usr/local/bin/py-aws-oidc"
IN_IMAGE = Path("/tmp")  # noqa: S108 - where a step's files are, in the image
# A process is counted the memory of the one that started it until its own is more (getrusage(2)), so a small one does.
_MEASURE = """
import os, sys, time
began = time.perf_counter()
process = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(process, 0)
wall = time.perf_counter() - began
print(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Sample:
    """What one run took: seconds by the clock, seconds of computing, and the most memory at once in bytes."""

    wall: float
    cpu: float
    memory: float


@dataclass
class Services:
    """The issuer and STS: what they say by the operation, how many seconds they take for it, the calls they got."""

    role: str
    answers: Mapping[str, bytes] = field(repr=False)
    sleep: Callable[[float], None] = time.sleep
    late: float = 0
    url: str = ""
    calls: list[str] = field(default_factory=list)

    def answer(self, form: bytes) -> bytes:
        """What is said to a request with this form; one without asks for an ID token."""
        operation = next((name for name in self.answers if f"Action={name}".encode() in form.split(b"&")), "")
        self.calls.append(operation)
        self.sleep(self.late)
        return self.answers[operation]


def recorded(job: Job) -> Services:
    """The services as the sandbox's own spoke to a job whose token is good for a day."""
    said: list[bytes] = []

    def call(client: Any, operation: str, **parameters: str) -> Any:  # noqa: ANN401 - as boto3's
        client.meta.events.register(
            "before-parse.sts", lambda response_dict, **_: said.append(response_dict["body"])
        )
        return getattr(client, operation)(**parameters)

    with World() as world:
        role = world.create_role("deploy", trust=github_trust(world.register_provider(), job.sub))
        token = world.issuer.mint(job, AUDIENCE, exp=(datetime.now(UTC) + timedelta(days=1)).timestamp())
        asked = {"RoleArn": role, "RoleSessionName": "GitHubActions", "WebIdentityToken": token}
        session = call(world.client("sts"), "assume_role_with_web_identity", **asked)
        call(world.client("sts", session["Credentials"]), "get_caller_identity")
    assumed, identity = said
    return Services(
        role,
        {
            "AssumeRoleWithWebIdentity": assumed,
            "GetCallerIdentity": identity,
            "": json.dumps({"count": len(token), "value": token}).encode(),
        },
    )


@contextmanager
def listening(services: Services) -> Iterator[None]:
    """Let the services listen on 127.0.0.1, at their `url`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # head and body leave together

        def do_GET(self) -> None:
            body = services.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    services.url = f"http://127.0.0.1:{server.server_port}"
    with serving(server):
        yield


def variables(job: Job, services: Services, files: Path) -> dict[str, str]:
    """The variables of a step of the job whose files are in a folder, where the step sees it."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(files),
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTION": "aws",
        "GITHUB_WORKSPACE": str(files),
        **job.variables(),
        **{name: str(files / name) for name in FILES},
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{services.url}/idtoken?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "a-request-token",
        "INPUT_AWS-REGION": "us-east-1",
        "INPUT_ROLE-TO-ASSUME": services.role,
        "INPUT_AUDIENCE": AUDIENCE,
        "INPUT_STS-ENDPOINT": services.url,
    }


@dataclass(frozen=True)
class Subject:
    """A program, its variables, and the folder in which we find its job's files."""

    command: tuple[str, ...]
    variables: Mapping[str, str]
    files: Path

    def run(self) -> Sample:
        """Run it as a step; RuntimeError if it exports no credentials."""
        for name in FILES:
            (self.files / name).write_text("")
        sample, log = measure(self.command, self.variables)
        if "AWS_SESSION_TOKEN" not in (self.files / "GITHUB_ENV").read_text():
            raise RuntimeError(f"{self.command[0]} exported no credentials:\n{log}")
        return sample


def _calls(subject: Subject, services: Services) -> int:
    services.calls.clear()
    subject.run()
    return len(services.calls)


def _opened(subject: Subject, _: Services) -> str:
    """How many files a run opens, where there is a strace to tell."""
    strace = shutil.which("strace")
    if strace is None:
        return "-"
    with folder() as traced:
        options = ("-f", "-qq", "-e", "trace=open,openat", "-o", str(traced / "calls"))
        replace(subject, command=(strace, *options, *subject.command)).run()
        with (traced / "calls").open() as calls:
            return str(sum("open" in call and " = -1 " not in call for call in calls))


def measure(command: Sequence[str], environment: Mapping[str, str]) -> tuple[Sample, str]:
    """Run a command with these variables: what it took, and what it printed. RuntimeError if it fails."""
    call = [sys.executable, "-I", "-S", "-c", _MEASURE, *command]
    ended = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    if ended.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{ended.stdout}{ended.stderr}")
    return Sample(*map(float, ended.stderr.splitlines()[-1].split())), ended.stdout


def in_turn(rounds: int, *runs: Callable[[], Sample]) -> tuple[tuple[Sample, ...], ...]:
    """Rounds of samples, one of each run, after a round to warm up."""
    return tuple(tuple(run() for run in runs) for _ in range(rounds + 1))[1:]


def export(engine: Engine, image: str, archive: Path) -> None:
    """Write the image's file tree as an archive."""
    container = engine.need("create", image).strip()
    try:
        engine.need("export", "--output", str(archive), container)
    finally:
        engine.need("rm", container)


@contextmanager
def exported(engine: Engine, image: str) -> Iterator[Path]:
    """The image's file tree, in a folder that is gone afterwards."""
    with folder() as around:
        tree, archive = around / "tree", around / "tree.tar"
        export(engine, image, archive)
        with tarfile.open(archive) as files:
            files.extractall(tree, filter="fully_trusted")  # noqa: S202 - the image is ours
        yield tree


@dataclass(frozen=True)
class Sizes:
    """An image in bytes: as `docker save | gzip -9`, and the files of each of its layers."""

    packed: int
    layers: tuple[int, ...]


def sizes(engine: Engine, image: str) -> Sizes:
    """Weigh an image."""
    with folder() as around:
        saved = around / "image.tar"
        engine.need("save", "--output", str(saved), image)
        packed = len(gzip.compress(saved.read_bytes(), 9))
        with tarfile.open(saved) as archive:
            archive.extractall(around, filter="data")
        (manifest,) = json.loads((around / "manifest.json").read_bytes())
        layers = []
        for name in manifest["Layers"]:
            with tarfile.open(around / name) as files:
                layers.append(sum(file.size for file in files))
    return Sizes(packed, tuple(layers))


@dataclass(frozen=True)
class Row:
    """A line of the table: what is measured, ours, the reference's, their ratio, and the goal for it."""

    what: str
    ours: str
    reference: str = "-"
    ratio: str = "-"
    goal: str = "-"


def timed(what: str, rounds: Sequence[Sequence[Sample]], goals: Sequence[str]) -> Iterator[Row]:
    """The rows on the time and the memory of our runs, the first of each round, and of the reference's, the second."""
    kinds: tuple[tuple[str, Callable[[Sample], float], str, float], ...] = (
        ("wall", lambda sample: sample.wall, "ms", 1e-3),
        ("CPU", lambda sample: sample.cpu, "ms", 1e-3),
        ("peak memory", lambda sample: sample.memory, "MB", 1e6),
    )
    for (name, of, unit, size), goal in zip(kinds, goals, strict=True):
        ours, *theirs = [f"{median(map(of, samples)) / size:.0f} {unit}" for samples in zip(*rounds, strict=True)]
        ratio = f"{median(of(one) / of(other) for one, other in rounds):.2f}" if theirs else "-"
        yield Row(f"{name}, {what}", ours, "".join(theirs) or "-", ratio, goal)


def table(rows: Iterable[Row]) -> str:
    """The rows in Markdown."""
    lines = [("", "ours", "reference", "ratio", "goal"), ("---",) * 5, *map(astuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    return "".join(f"| {' | '.join(map(str.ljust, line, widths))} |\n" for line in lines)


def rows(image: str, reference: str | None, rounds: int, layout: Layout | None = None) -> Iterator[Row]:
    """Measure, and say what was found."""
    engine, job = Engine.require(), Job()
    services = recorded(job)
    with listening(services), exported(engine, image) as tree, folder() as files:
        ours = Subject(("chroot", str(tree), DOOR), variables(job, services, IN_IMAGE), tree / IN_IMAGE.name)
        theirs = Subject(("node", reference or ""), variables(job, services, files), files)
        subjects = (ours, theirs) if reference else (ours,)
        runs = [subject.run for subject in subjects]
        yield from timed("instant services", in_turn(rounds, *runs), ("0.85", "-", "0.6"))
        services.late = LATE_SECONDS
        yield from timed("100 ms a call", in_turn(rounds, *runs), ("0.6", "-", "-"))
        services.late = 0
        for what, count, goal in (("calls on the wire", _calls, "2"), ("files opened", _opened, "-")):
            one, *other = [str(count(subject, services)) for subject in subjects]
            yield Row(what, one, "".join(other) or "-", goal=goal)

        in_container = _in_container(engine, image, ours.files, ours.variables)
        nothing = (engine.client, "run", "--rm", "--network", "host", "--entrypoint", "/bin/sh", image, "-c", ":")
        environment = engine.environment({})
        found = in_turn(rounds, ours.run, in_container.run, lambda: measure(nothing, environment)[0])
        more = [(inside.wall - empty.wall, outside.wall) for outside, inside, empty in found]
        yield Row(
            "`docker run` less one of nothing, and the process alone",
            f"{median(inside for inside, _ in more) * 1e3:.0f} ms",
            f"{median(outside for _, outside in more) * 1e3:.0f} ms",
            f"{median(inside / outside for inside, outside in more):.2f}",
            "1.2",
        )
        if layout:
            yield from _cold(engine, layout, rounds, ours, theirs if reference else None, services)
    weight = sizes(engine, image)
    yield Row("image, packed", f"{weight.packed / 1e6:.1f} MB", goal="15 MB")
    yield Row("image, unpacked", f"{sum(weight.layers) / 1e6:.1f} MB", goal="45 MB")
    for number, layer in enumerate(weight.layers, 1):
        yield Row(f"layer {number}", f"{layer / 1e6:.1f} MB")


def _cold(  # noqa: PLR0913, PLR0917 - all that a run on a fresh runner needs
    engine: Engine, layout: Layout, rounds: int, ours: Subject, theirs: Subject | None, services: Services
) -> Iterator[Row]:
    """The rows on the first run of a fresh runner: the image pulled, or built from the Dockerfile, then run."""

    def pull(image: str) -> float:
        return measure((engine.client, "pull", "--quiet", image), engine.environment({}))[0].wall

    def run(image: str) -> float:
        return _in_container(engine, image, ours.files, ours.variables).run().wall

    def reference() -> float:
        return theirs.run().wall if theirs else 0

    with Cold.made(engine, layout) as cold:
        for what, late, goal in (("instant services", 0.0, "8"), ("100 ms a call", LATE_SECONDS, "4")):
            services.late = late
            found = [(*cold.start(pull, run), reference()) for _ in range(min(rounds, COLD_ROUNDS))]
            totals = [(pulled + ran, other) for pulled, ran, other in found]
            yield _first_run(f"first run, image pulled, {what}", totals, goal)
            yield Row("of that, the pull", f"{median(pulled for pulled, _, _ in found) * 1e3:.0f} ms")
    services.late = 0
    build = (engine.client, "build", "--no-cache", "--quiet", str(ROOT))
    sample, built = measure(build, engine.environment({}))
    totals = [(sample.wall + run(built.strip()), reference())]
    yield _first_run("first run, image built, instant services", totals, "-")


def _first_run(what: str, totals: Sequence[tuple[float, float]], goal: str) -> Row:
    """A row on runs of ours, each beside one of the reference (0 where there is none)."""
    ours, other = (f"{median(times) * 1e3:.0f} ms" for times in zip(*totals, strict=True))
    if not all(one for _, one in totals):
        return Row(what, ours, goal=goal)
    return Row(what, ours, other, f"{median(one / another for one, another in totals):.2f}", goal)


def _in_container(engine: Engine, image: str, files: Path, given: Mapping[str, str]) -> Subject:
    """The same step by `docker run`; values travel in the client's environment, as the runner has it."""
    names = [word for name in given if name != "PATH" for word in ("--env", name)]
    mount = ("--volume", f"{files}:{IN_IMAGE}")
    command = (engine.client, "run", "--rm", "--network", "host", *mount, *names, image)
    return Subject(command, engine.environment(given), files)


def main(arguments: Sequence[str], out: TextIO) -> int:
    """Print the table; the exit status is 0."""
    parser = ArgumentParser("python -m sandbox.bench", description=__doc__)
    parser.add_argument("image", metavar="IMAGE", help="the action's image, by name or id")
    parser.add_argument("reference", nargs="?", metavar="REFERENCE", help="another action's dist/index.js")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help=f"default: {ROUNDS}")
    parser.add_argument("--layout", type=Path, metavar="FOLDER", help="what tools/oci-image wrote")
    given = parser.parse_args(arguments)
    if os.geteuid():
        parser.error("only root can enter the image's file tree (chroot): run it with sudo")
    layout = Layout(given.layout / LAYOUT) if given.layout else None
    out.write(table(rows(given.image, given.reference, given.rounds, layout)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdout))
