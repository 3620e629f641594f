"""A step with `run:`, on the host or in the job's container."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from sandbox.runner.engine import PATH, create_line, split
from sandbox.runner.paths import host_view, job_container_view, translate
from sandbox.runner.step import Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.runner.engine import Engine
    from sandbox.runner.paths import Layout
    from sandbox.runner.state import JobState
    from sandbox.runner.values import StepResult


def on_host(
    job: JobState, command: Sequence[str], env: Mapping[str, object], *, own: Mapping[str, str]
) -> StepResult:
    """Run a command as the runner's user; `own` is the environment of the runner itself, which it inherits."""
    step = Step(job, host_view(job.layout), name="__run", title=_title(command), env=env)
    inherited = {"PATH": PATH, "LANG": "C.UTF-8", "CI": "true", **own}
    variables = {**inherited, **_variables(step), "GITHUB_ACTIONS": "true"}
    variables["PATH"] = ":".join([*job.path, variables["PATH"]])
    return _run(step, command, command, variables, user=job.user)


def in_container(
    job: JobState, command: Sequence[str], env: Mapping[str, object], engine: Engine, container: str
) -> StepResult:
    """Run a command with the runner's `docker exec`, every value translated (its ContainerStepHost)."""
    view = job_container_view(job.layout, engine.socket)
    step = Step(job, view, name="__run", title=_title(command), env=env)
    variables = {name: translate(value, view.table) for name, value in _variables(step).items()}
    options = [option for name in variables for option in ("-e", name)]
    if job.path:
        options += ["-e", f"PATH={':'.join([*job.path, engine.path_of(container)])}"]
    line = ["exec", "-i", "--workdir", view.workdir, *options, container, *command]
    return _run(step, command, [engine.client, *line], engine.environment(variables))


def start_job_container(engine: Engine, *, name: str, label: str, image: str, layout: Layout) -> None:
    """Create the job's container and let it sleep (the runner's ContainerOperationProvider)."""
    view = job_container_view(layout, engine.socket)
    line = create_line(name=name, label=label, view=view, image=image, run_args=engine.run_args)
    engine.need(*split(line))
    engine.need("start", name)


def _title(command: Sequence[str]) -> str:
    return f"Run {shlex.join(command).partition(chr(10))[0]}"


def _variables(step: Step) -> dict[str, str]:
    """The env context, and what the runner forces on it."""
    return {**step.env, **step.variables(), **step.job.environment.id_token_variables()}


def _run(
    step: Step,
    shown: Sequence[str],
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    user: int | None = None,
) -> StepResult:
    """The header, the process, and the error that says its exit code, which a container action does not get."""
    script = shlex.join(shown)
    step.header(
        step.title,
        {"env": step.env},
        f"\x1b[36;1m{script}\x1b[0m",
        "shell: /usr/bin/bash -e {0}",
    )
    if code := step.execute(command, environment, user=user):
        step.log.fail(f"Process completed with exit code {code}.")
    return step.finish()
