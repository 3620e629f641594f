"""The image's process 1 meets a signal, at the point where it connects and at those where it writes for later steps."""

import secrets
import shutil
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from tests.container.place import Place

from sandbox.job import Job
from sandbox.runner import Engine, JobRun, StepResult

pytestmark = pytest.mark.container

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 30
CONNECTS_TO_STS, WRITES_OUTPUTS, WRITES_ENV = "connect 2", "write 2", "write 3"
# No shell: it would drop variables that have a hyphen in their names.
ENTRYPOINT = """\
#!/usr/bin/python3 -IBuWignore
import runpy

runpy.run_path("/usr/local/bin/points.py", run_name="__main__")
"""


class Holding(Place):
    """A place in which the program is held at a point."""

    def ended(self, at: str, number: str) -> tuple[StepResult, dict[str, str]]:
        """What is left by a step that gets the signal at a point, and the variables that post puts back."""
        request = self.world.issuer.start(Job())
        inputs = {"aws-region": "us-east-1", "role-to-assume": self.role, "sts-endpoint": self.world.aws_url}
        with (
            socket.create_server(("127.0.0.1", 0)) as held,
            ThreadPoolExecutor(1) as beside,
            JobRun(Job(), work=self.work, engine=self.engine, id_token=request, limit=LIMIT_SECONDS) as run,
        ):
            held.settimeout(LIMIT_SECONDS)
            killed = beside.submit(self._kill, held, number)
            env = {"AT": at, "HELD_PORT": held.getsockname()[1]}
            step = run.uses(ROOT, with_=inputs, env=env, image=self.image)
            with suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)  # nobody comes any more
            killed.result()
            (post,) = run.post()
        assert post.outcome == "success"
        return step, dict(post.env)

    def _kill(self, held: socket.socket, number: str) -> None:
        with held.accept()[0]:
            container = self.engine.need("ps", "--quiet", "--filter", f"ancestor={self.image}")
            self.engine.need("kill", "--signal", number, container.strip())


@pytest.fixture(scope="module")
def held_image(engine: Engine, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The action's image, its program within reach of the test."""
    folder = tmp_path_factory.mktemp("held")
    (folder / "Dockerfile").write_text(f"FROM {image}\nCOPY points.py py-aws-oidc /usr/local/bin/\n")
    (folder / "py-aws-oidc").write_text(ENTRYPOINT)
    (folder / "py-aws-oidc").chmod(0o755)
    shutil.copy(ROOT / "tests" / "points.py", folder)
    name = f"held-{secrets.token_hex(4)}"
    engine.need("build", "--quiet", "--tag", name, str(folder))
    yield name
    engine.need("rmi", "--force", name)


@pytest.fixture
def place(engine: Engine, held_image: str) -> Iterator[Holding]:
    with Holding.made(engine, held_image) as place:
        yield place


@pytest.mark.parametrize(
    ("at", "left"),
    [
        (CONNECTS_TO_STS, ()),
        (WRITES_OUTPUTS, ("state",)),
        (WRITES_ENV, ("state", "outputs")),
    ],
)
def test_a_container_that_is_killed_leaves_whole_files_or_none(place, at, left):
    step, put_back = place.ended(at, "KILL")

    assert (step.outcome, step.exit_code) == ("failure", 137)
    assert tuple(name for name in ("state", "outputs", "env") if getattr(step, name)) == left
    assert len(step.outputs) in {0, 3}
    assert bool(put_back) == bool(left)
    assert set(put_back.values()) <= {""}


@pytest.mark.parametrize("number", ["INT", "TERM"])
def test_a_container_that_is_cancelled_before_it_writes_leaves_nothing(place, number):
    step, put_back = place.ended(CONNECTS_TO_STS, number)

    assert (step.outcome, step.exit_code) == ("failure", 1)
    assert (step.env, step.outputs, step.state, put_back) == ({}, {}, {}, {})
    assert "The step was cancelled" in step.annotations[0].message


@pytest.mark.parametrize("number", ["INT", "TERM"])
def test_a_container_that_is_cancelled_while_it_writes_leaves_all(place, number):
    step, put_back = place.ended(WRITES_OUTPUTS, number)

    assert (step.outcome, step.annotations) == ("success", ())
    assert len(step.outputs) == 3
    assert put_back == dict.fromkeys(step.env, "")
