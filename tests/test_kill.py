"""A run that ends at any point leaves all or nothing.

A point is a call that reaches outside of the process: a line of the log, a connection, what is sent and received, and
whatever is done to a file. The program is ended before each in turn, and what then stands there is the runner's:

- GITHUB_ENV holds none of the step's variables or all of them, and so does GITHUB_OUTPUT with its outputs.
- GITHUB_STATE may be there while the others are not: post then puts back what is there anyway. Without it nothing of
  the others is there, and no profile.
- Each of the two shared files of AWS is the old one or the new one.
- A secret that stands in any of them is masked in the log, and no other line of the log has it.
- Post makes of what it finds the variables and the files of before the step, and leaves no file beside them.

A run that SIGKILL ends has no exit status. One that gets SIGINT or SIGTERM ends with 1 and leaves nothing, or, once
it has begun to write, with 0 and leaves all.
"""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pytest
from botocore.configloader import raw_config_parse

from py_aws_oidc.aws.credentials import KEYS
from py_aws_oidc.export import variables
from py_aws_oidc.export.handover import VARIABLES
from sandbox.job import Job
from sandbox.runner.files import parse
from sandbox.secrets import ran
from sandbox.world import World, github_trust

pytestmark = pytest.mark.slow

POINTS = Path(__file__).with_name("points.py")
FILES = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STATE")
LIMIT_SECONDS = 10
NO_SIGNAL = (0, signal.SIGKILL)
CANCEL = [signal.SIGINT, signal.SIGTERM]
CREDENTIALS = """\
# ours
[dev]
aws_access_key_id = AKIAOLD
aws_secret_access_key = old # secret

[other]
aws_access_key_id = AKIAOTHER
"""


@dataclass(frozen=True)
class Before:
    """What a job had before the step: its variables and the shared files in its HOME."""

    variables: Mapping[str, str] = field(default_factory=dict)
    shared: Mapping[str, str] = field(default_factory=dict)


NOTHING = Before()
EVERYTHING = Before(
    variables=dict.fromkeys(variables.VARIABLES, "old-value") | {"AWS_PROFILE": "other"},
    shared={"credentials": CREDENTIALS, "config": "[profile dev]\nregion = eu-west-1\n[default]\noutput = json\n"},
)
BEFORE = pytest.mark.parametrize("before", [NOTHING, EVERYTHING], ids=["nothing before", "everything before"])


@dataclass(frozen=True)
class Left:
    """What a run left behind, and the points that it came to."""

    status: int
    log: str
    env: Mapping[str, str]
    outputs: Mapping[str, str]
    state: Mapping[str, str]
    shared: Mapping[str, str]
    points: tuple[str, ...]

    @property
    def secrets(self) -> list[str]:
        """The credentials, as the log has them masked: access key id, secret access key, session token."""
        masks = [
            line.removeprefix("::add-mask::") for line in self.log.splitlines() if line.startswith("::add-mask")
        ]
        return masks[1:4]  # behind the ID token, and before those that were there before


class Program:
    """The program, many times: forked off one process that has imported it."""

    def __init__(self, world: World, folder: Path) -> None:
        self.role = world.create_role("deploy", trust=github_trust(world.register_provider(), Job().sub))
        self._world = world
        self._folder = folder
        self._server = subprocess.Popen(
            [sys.executable, POINTS, "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            process_group=0,
        )

    def close(self) -> None:
        """End it, and whatever it has started."""
        os.killpg(self._server.pid, signal.SIGKILL)
        self._server.communicate()

    def step(self, before: Before, at: tuple[int, int] = NO_SIGNAL) -> Left:
        """Run main in a new home that holds what was before."""
        shared = self._home / ".aws"
        for path in shared.glob("*"):
            path.unlink()
        if shared.exists():
            shared.rmdir()
        if before.shared:
            shared.mkdir(parents=True)
        for name, text in before.shared.items():
            (shared / name).write_text(text)
        request = self._world.issuer.start(Job())
        inputs = {
            "AWS-PROFILE": "dev",
            "AWS-REGION": "us-east-1",
            "DISABLE-RETRY": "true",
            "OUTPUT-CREDENTIALS": "true",
            "OUTPUT-ENV-CREDENTIALS": "true",
            "OVERWRITE-AWS-PROFILE": "true",
            "ROLE-TO-ASSUME": self.role,
            "STS-ENDPOINT": self._world.aws_url,
        }
        token = {"ACTIONS_ID_TOKEN_REQUEST_URL": request.url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": request.token}
        given = {f"INPUT_{name}": value for name, value in inputs.items()}
        return self._run([], Job().variables() | before.variables | given | token, at)

    def post(self, before: Before, after: Left, at: tuple[int, int] = NO_SIGNAL) -> Left:
        """Run post as the runner does, with the step's state and the variables that it left."""
        state = {f"STATE_{name}": value for name, value in after.state.items()}
        return self._run(["post"], {**before.variables, **after.env, **state}, at)

    @property
    def _home(self) -> Path:
        return self._folder / "home"

    def _run(self, arguments: list[str], variables: Mapping[str, str], at: tuple[int, int]) -> Left:
        files = {name: self._folder / name for name in FILES}
        for path in files.values():
            path.write_text("")
        log, trace = self._folder / "log", self._folder / "trace"
        environ = {**variables, "HOME": str(self._home), **{name: str(path) for name, path in files.items()}}
        request = {"arguments": arguments, "environ": environ, "log": str(log), "trace": str(trace)}
        status = self._answer(request | {"at": at[0], "number": at[1]})
        said = log.read_text()
        log.unlink()
        ran(environ, said, failed=status > 0)
        return Left(
            status,
            said,
            *(dict(parse(path.read_bytes())) for path in files.values()),
            shared={path.name: path.read_text() for path in sorted((self._home / ".aws").glob("*"))},
            points=tuple(trace.read_text().split()),
        )

    def _answer(self, request: Mapping[str, object]) -> int:
        asked, answers = self._server.stdin, self._server.stdout
        assert asked
        assert answers
        asked.write(f"{json.dumps(request)}\n".encode())
        assert select.select([answers], [], [], LIMIT_SECONDS)[0], "the run did not end"
        return int(answers.readline())


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    with World() as world:
        started = Program(world, tmp_path)
        try:
            yield started
        finally:
            started.close()


def at_every_point(run: Callable[[int], Left]) -> Iterator[Left]:
    """What is left by runs that are ended at one point after the other; the last one comes to its own end."""
    for n in count(1):
        left = run(n)
        yield left
        if len(left.points) < n:
            assert n > 10
            assert left.status == 0, left.log
            return


def sections(shared: Mapping[str, str], name: str, folder: Path) -> dict[str, dict[str, str]]:
    """A shared file as botocore reads it."""
    (folder / "read").write_text(shared.get(name, ""))
    return raw_config_parse(str(folder / "read"))


def is_written(before: Before, left: Left, name: str, folder: Path) -> bool:
    """Whether a shared file is the new one; it must be the old one then."""
    if left.shared.get(name) == before.shared.get(name):
        return False
    key = dict(zip(("aws_access_key_id", "aws_secret_access_key", "aws_session_token"), left.secrets, strict=True))
    section, new = {"credentials": ("dev", key), "config": ("profile dev", {"region": "us-east-1"})}[name]
    assert sections(left.shared, name, folder) == {**sections(before.shared, name, folder), section: new}
    return True


def is_all_or_nothing(before: Before, left: Left, whole: Left, folder: Path) -> None:
    written = [name for name in ("credentials", "config") if is_written(before, left, name, folder)]
    assert set(left.env) in (set(), set(whole.env))
    assert set(left.outputs) in (set(), set(whole.outputs))
    assert set(left.state) in (set(), set(whole.state))
    if left.env or left.outputs or written:
        assert left.state
    for values in (left.env, {name.upper().replace("-", "_"): value for name, value in left.outputs.items()}):
        if values:
            assert [values[name] for name in KEYS] == left.secrets


def is_as_before(before: Before, *runs: Left) -> None:
    job: dict[str, str] = {**before.variables}
    for left in runs:
        job |= left.env
    assert {n: job.get(n, "") for n in VARIABLES} == {n: before.variables.get(n, "") for n in VARIABLES}
    assert {name: text for name, text in runs[-1].shared.items() if not name.startswith(".")} == before.shared


@BEFORE
def test_a_run_that_is_killed_leaves_all_or_nothing_and_post_puts_it_back(program, before, tmp_path):
    whole = program.step(before)
    for left in at_every_point(lambda n: program.step(before, (n, signal.SIGKILL))):
        assert left.status in {-signal.SIGKILL, 0}
        is_all_or_nothing(before, left, whole, tmp_path)
        post = program.post(before, left)
        assert post.status == 0, post.log
        is_as_before(before, left, post)


def test_after_post_nothing_is_left_beside_the_shared_files(program):
    for left in at_every_point(lambda n: program.step(EVERYTHING, (n, signal.SIGKILL))):
        assert program.post(EVERYTHING, left).shared == EVERYTHING.shared


@BEFORE
@pytest.mark.parametrize("number", CANCEL, ids=lambda number: number.name)
def test_a_run_that_is_cancelled_fails_with_nothing_or_succeeds_with_all(program, before, number, tmp_path):
    whole = program.step(before)
    for left in at_every_point(lambda n: program.step(before, (n, number))):
        is_all_or_nothing(before, left, whole, tmp_path)
        written = [name for name in ("credentials", "config") if is_written(before, left, name, tmp_path)]
        assert "Traceback" not in left.log
        if left.status == 1:
            assert (left.env, left.outputs, left.state, left.shared) == ({}, {}, {}, before.shared)
            assert "::error title=No AWS credentials::The step was cancelled" in left.log
        else:
            assert left.status == 0
            assert (set(left.env), set(left.outputs)) == (set(whole.env), set(whole.outputs))
            assert written == ["credentials", "config"]
            assert "::error" not in left.log


@pytest.mark.parametrize("number", [signal.SIGKILL, *CANCEL], ids=lambda number: number.name)
def test_a_post_that_is_ended_puts_back_all_variables_or_none_and_no_half_of_a_profile(program, number, tmp_path):
    steps = []

    def post(n: int) -> Left:
        steps.append(program.step(EVERYTHING))
        return program.post(EVERYTHING, steps[-1], (n, number))

    for ended in at_every_point(post):
        assert set(ended.env) in (set(), set(steps[-1].env))
        for name in ("credentials", "config"):
            is_written(EVERYTHING, replace(ended, log=steps[-1].log), name, tmp_path)
        if ended.status == 0:
            is_as_before(EVERYTHING, steps[-1], ended)
