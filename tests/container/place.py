"""Where a test runs the image: a world, and an engine whose containers reach it. What the image is built from."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from sandbox.job import Job
from sandbox.runner import Engine, work_folder
from sandbox.world import World, github_trust

ROOT = Path(__file__).parents[2]


def sources() -> list[str]:
    """What a build of the image is given of the repository: its Dockerfile, and what that copies."""
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    return ["Dockerfile", ".dockerignore", *(name for line in copied for name in line.split())]


def copy_sources(folder: Path) -> None:
    """Copy what a build of the image is given of the repository, and nothing else of it."""
    for name in sources():
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)


@dataclass(frozen=True)
class Place:
    """A world whose role trusts main, an engine with an image, and a runner's folder."""

    world: World
    role: str
    engine: Engine
    image: str
    work: Path

    @classmethod
    @contextmanager
    def made(cls, engine: Engine, image: str) -> Iterator[Self]:
        """Set it up for a while."""
        with World() as world, work_folder() as work:
            role = world.create_role("deploy", trust=github_trust(world.register_provider(), Job().sub))
            # The one departure from the runner's line: the sandbox listens on the host's loopback.
            yield cls(world, role, replace(engine, run_args=("--network", "host")), image, work)
