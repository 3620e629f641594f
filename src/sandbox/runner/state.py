"""What the steps of a job share: the runner's Global context and its masks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.runner.paths import runner_user

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.runner.environment import JobEnvironment
    from sandbox.runner.mask import Masker
    from sandbox.runner.paths import Layout
    from sandbox.runner.values import Outcome

GITHUB_TOKEN = "ghs_" + "sandbox" * 5


@dataclass(kw_only=True)
class JobState:
    """A job between two steps.

    `env` holds the job's `env:` and what steps wrote to GITHUB_ENV: one dictionary, in which the last write
    wins.
    """

    environment: JobEnvironment
    masker: Masker
    env: dict[str, str]
    event: Mapping[str, Any]
    stderr_first: bool = False
    limit: float = 300
    user: int | None = field(default_factory=runner_user)
    path: list[str] = field(default_factory=list)
    outputs: dict[str, dict[str, Mapping[str, str]]] = field(default_factory=dict)
    status: Outcome = "success"

    @property
    def layout(self) -> Layout:
        """Where things lie."""
        return self.environment.layout

    def contexts(self, step: str) -> dict[str, Any]:
        """The contexts of expressions in a step, with the host's paths."""
        github = self.environment.github_context(step)
        return {
            "github": {**github, "token": GITHUB_TOKEN, "event": self.event},
            "runner": self.environment.runner_context(),
            "env": dict(self.env),
            "steps": self.outputs,
            "job": {"status": self.status},
        }

    def prepend_path(self, entries: Sequence[str]) -> None:
        """What a step wrote to GITHUB_PATH: later entries go in front, and none is there twice."""
        for entry in entries:
            self.path = [entry, *(other for other in self.path if other != entry)]
