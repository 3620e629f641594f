"""The two ways to start an action: the runner's `docker run`, or a command on the host in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.runner.engine import PATH, container_name, quoted_arguments, run_line, split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.runner.engine import Engine
    from sandbox.runner.paths import View
    from sandbox.runner.step import Step
    from sandbox.runner.uses import Stage


@dataclass(frozen=True, kw_only=True)
class InContainer:
    """Every stage is a new container of the image; `started` collects the names."""

    engine: Engine
    image: str
    label: str
    view: View
    started: list[str]
    private_folders: bool = False

    def command(self, step: Step, stage: Stage) -> tuple[list[str], dict[str, str]]:
        """The docker client with the runner's line, which the log shows; values travel in its environment."""
        name = container_name(self.image)
        self.started.append(name)
        line = run_line(
            name=name,
            label=self.label,
            view=self.view,
            variables=stage.variables,
            image=self.image,
            entrypoint=stage.entrypoint,
            arguments=stage.arguments if isinstance(stage.arguments, str) else quoted_arguments(stage.arguments),
            run_args=self.engine.run_args,
        )
        step.log.write(f"##[command]{self.engine.client} {line}")
        return [self.engine.client, *split(line)], self.engine.environment(stage.variables)


@dataclass(frozen=True, kw_only=True)
class InProcess:
    """A command stands for the image's entrypoint, as our own user as root would in the container."""

    process: Sequence[str]
    view: View
    private_folders: bool = True

    def command(self, _: Step, stage: Stage) -> tuple[list[str], dict[str, str]]:
        """The command, `post` in the post stage, and the action's arguments."""
        arguments = split(stage.arguments) if isinstance(stage.arguments, str) else stage.arguments
        command = [*self.process, *(["post"] if stage.post else []), *arguments]
        return command, {"PATH": PATH, "CI": "true", **stage.variables, "GITHUB_ACTIONS": "true"}
