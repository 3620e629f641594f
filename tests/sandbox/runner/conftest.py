"""Factories: a job on an emulated runner, an action of a few lines, a small image."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.job import Job
from sandbox.runner import Engine, JobRun, work_folder
from sandbox.runner.log import StepLog
from sandbox.runner.mask import Masker
from sandbox.runner.processor import Processor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

RUNS = """
runs:
  using: docker
  image: Dockerfile
  entrypoint: /usr/local/bin/probe
  post-entrypoint: /usr/local/bin/probe
"""


@pytest.fixture
def work() -> Iterator[Path]:
    with work_folder() as folder:
        yield folder


@pytest.fixture
def start_job(work: Path) -> Iterator[Callable[..., JobRun]]:
    """Start a job; it ends with the test."""
    with contextlib.ExitStack() as stack:

        def start(**options: Any) -> JobRun:
            return stack.enter_context(JobRun(Job(), work=work, **{"limit": 60, **options}))

        yield start


@pytest.fixture
def write_action(tmp_path: Path) -> Callable[..., Path]:
    """Write an action.yml from its inputs and runs."""

    def write(inputs: str = "", runs: str = RUNS) -> Path:
        folder = tmp_path / f"action-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        (folder / "action.yml").write_text(f"name: probe\n{inputs}\n{runs}\n", encoding="utf-8")
        return folder

    return write


@pytest.fixture
def processor() -> Callable[..., tuple[Processor, StepLog]]:
    """A step's command processor and its log."""

    def make(*, step_debug: bool = False, **options: Any) -> tuple[Processor, StepLog]:
        log = StepLog(Masker(), step_debug=step_debug)
        return Processor(log, **options), log

    return make


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine of this machine, with the one departure from the runner's line."""
    return Engine.require(run_args=("--network", "host"))


@pytest.fixture(scope="session")
def probe_image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image whose entrypoint runs the shell script in its SCRIPT or POST_SCRIPT variable."""
    folder = tmp_path_factory.mktemp("probe")
    probe = folder / "probe"
    probe.write_text(
        '#!/bin/sh\nif [ -n "$STATE_main" ]; then eval "$POST_SCRIPT"; else eval "$SCRIPT"; fi\n',
        encoding="utf-8",
    )
    probe.chmod(0o755)
    (folder / "Dockerfile").write_text(
        "FROM debian:trixie-slim\nCOPY probe /usr/local/bin/probe\n", encoding="utf-8"
    )
    image = f"runner-probe-{secrets.token_hex(4)}"
    engine.need("build", "--quiet", "--tag", image, str(folder))
    shutil.rmtree(folder)
    yield image
    engine.need("rmi", "--force", image)
