"""Where a test runs the image: a world, and an engine whose containers reach it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from sandbox.job import Job
from sandbox.runner import Engine, work_folder
from sandbox.world import World, github_trust


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
