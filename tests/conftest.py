"""The Docker engine and the image, for the tests that run the action as the runner does."""

import itertools
import os
import platform
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

from py_aws_oidc.clock import Clock
from release import programs, registry
from release.layout import Layout
from release.registry import Image
from release.steps import LAYOUT
from sandbox.in_process import Run, Stage, Watch, signals_kept
from sandbox.job import Job
from sandbox.runner.engine import Engine, NoEngineError
from sandbox.world import World, github_trust

pytest_plugins = ["tests.leaks"]

ROOT = Path(__file__).parent.parent

# How long an example takes, and how many are thrown away on the way, says nothing of the program.
settings.register_profile(
    "suite", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
settings.load_profile("suite")

# What is started in the background ignores SIGINT, and so would every process that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """A run of the program leaves its handlers of signals behind, as its process ends next."""
    with signals_kept():
        yield


@cache
def reason_for_no_engine() -> str:
    """Why no engine answers; empty if one does. Asked once for all tests."""
    try:
        Engine.require()
    except NoEngineError as error:
        return f"{error}; tools/engine start starts one"
    return ""


@cache
def reason_for_no_ceph() -> str:
    """Which of Ceph's programs are not installed; empty if all are. Asked once for all tests."""
    answer = subprocess.run([ROOT / "tools" / "ceph", "missing"], stdout=subprocess.PIPE, text=True, check=True)
    missing = ", ".join(answer.stdout.split())
    return missing and f"not installed: {missing}; as root on Debian, REQUIRE_CEPH=1 lets tools/ceph install them"


@cache
def reason_for_no_registry() -> str:
    """What of the programs is missing that the tests marked `registry` call; empty if nothing is."""
    missing = ", ".join(programs.missing())
    return missing and f"not installed: {missing}; sudo tools/release setup installs them"


def pytest_runtest_setup(item: pytest.Item) -> None:
    # Where Ceph is required, tools/ceph installs it, or says why it cannot.
    if (
        item.get_closest_marker("ceph")
        and os.environ.get("REQUIRE_CEPH") != "1"
        and (reason := reason_for_no_ceph())
    ):
        pytest.skip(reason)
    for marker, why in {"container": reason_for_no_engine, "registry": reason_for_no_registry}.items():
        if item.get_closest_marker(marker) and (reason := why()):
            unavailable(reason)


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine that the tests marked `container` use."""
    return Engine.require()


@pytest.fixture(scope="session")
def image(request: pytest.FixtureRequest) -> str:
    """The id of the image that the tests marked `container` run.

    With IMAGE=prebuilt it is the image of tools/oci-image, pushed to a registry on loopback and pulled again as a
    release is. Without, it is built from the Dockerfile.
    """
    if os.environ.get("IMAGE") != "prebuilt":
        return str(request.getfixturevalue("dockerfile_image"))
    pushed, engine = request.getfixturevalue("pushed_image"), request.getfixturevalue("engine")
    registry.pull(pushed)
    return str(engine.need("image", "inspect", "--format", "{{.Id}}", str(pushed)).strip())


@pytest.fixture(scope="session")
def dockerfile_image() -> str:
    """The id of the image, built from the Dockerfile and the tree as it is now."""
    build = subprocess.run([ROOT / "tools" / "image"], stdout=subprocess.PIPE, text=True, check=True)
    return build.stdout.strip()


def unavailable(reason: str) -> NoReturn:
    """Skip a test that cannot run here, or fail it where that is asked for."""
    if os.environ.get("REQUIRE_CONTAINER") == "1":
        pytest.fail(f"REQUIRE_CONTAINER=1, but {reason}", pytrace=False)
    pytest.skip(reason)


def oci_image(out: Path) -> str:
    """Build the image's OCI layout into a folder: its digest."""
    sudo = () if os.geteuid() == 0 else ("sudo", "--non-interactive")
    if sudo and subprocess.run([*sudo, "true"], capture_output=True, check=False).returncode:
        unavailable("tools/oci-image runs as root, and sudo asks for a password")
    if platform.machine() != "x86_64" or not shutil.which("apt-get"):
        unavailable("tools/oci-image runs on Debian's and Ubuntu's amd64")
    command = [*sudo, ROOT / "tools" / "oci-image", "--allow-newer", out]
    digest = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    if sudo:
        subprocess.run([*sudo, "chown", "--recursive", str(os.getuid()), out], check=True)
    return digest


@pytest.fixture(scope="session")
def oci_layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """The image for amd64 and arm64 as an OCI image layout, built from the tree as it is now."""
    out = tmp_path_factory.mktemp("oci-image")
    oci_image(out)
    return Layout(out / LAYOUT)


@pytest.fixture(scope="session")
def pushed_image(oci_layout: Layout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The prebuilt image in a registry on loopback, by tag and digest."""
    with registry.serving(tmp_path_factory.mktemp("registry") / "data") as address:
        pushed = Image(f"{address}/py-aws-oidc", "1.2.3", oci_layout.digest)
        registry.push(oci_layout, pushed)
        yield pushed
        registry.remove(pushed)


MAIN = "repo:octo-org/octo-repo:ref:refs/heads/main"


@dataclass(frozen=True)
class Step:
    """A job in a world where its role may be assumed from main."""

    world: World
    role: str
    provider: str
    folder: Path
    slept: list[float] = field(default_factory=list)

    def __call__(
        self,
        job: Job | None = None,
        *,
        environ: dict[str, str] | None = None,
        clock: Clock | None = None,
        **inputs: str,
    ) -> Run:
        ticks = itertools.count(0, 0.01)
        clock = clock or Clock(monotonic=lambda: next(ticks), sleep=self.slept.append, uniform=lambda _, most: most)
        return Stage(self.world, self.role, Watch()).run(self.folder, clock, job, environ=environ, **inputs)

    def refused(self, job: Job | None = None, *, environ: dict[str, str] | None = None, **inputs: str) -> str:
        """The error of a run that must fail and leave nothing behind."""
        run = self(job, environ=environ, **inputs)
        assert run.status == 1
        assert (run.env, run.outputs, run.state) == ({}, {}, {})
        return run.error

    @property
    def calls(self) -> list[str]:
        """What the run asked for, without the setting up."""
        return [call.operation for call in self.world.calls if call.operation in {"idtoken", *OPERATIONS}]


OPERATIONS = ("AssumeRoleWithWebIdentity", "AssumeRole", "GetCallerIdentity")


@pytest.fixture
def step(tmp_path: Path) -> Iterator[Step]:
    with World() as world:
        provider = world.register_provider()
        role = world.create_role("deploy", trust=github_trust(provider, MAIN))
        yield Step(world, role, provider, tmp_path)
