"""A step with `uses:` of a container action: its main stage and its post stage."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from sandbox.runner.action import input_variables
from sandbox.runner.environment import action_variables
from sandbox.runner.expressions import ExpressionError, fill
from sandbox.runner.paths import job_container_view, translate
from sandbox.runner.step import Step
from sandbox.runner.values import Mode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sandbox.runner.action import Action
    from sandbox.runner.paths import View
    from sandbox.runner.process import Cancel
    from sandbox.runner.state import JobState
    from sandbox.runner.values import StepResult


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What is to be started: variables already translated, arguments never."""

    variables: Mapping[str, str]
    entrypoint: str
    arguments: Sequence[str] | str
    post: bool


class Launcher(Protocol):
    """A way to start an action: in a container, or as a plain process."""

    @property
    def view(self) -> View:
        """What the action sees of the host."""
        ...

    @property
    def private_folders(self) -> bool:
        """True if folders that a container would have for itself have to be made on the host."""
        ...

    def command(self, step: Step, stage: Stage) -> tuple[list[str], Mapping[str, str]]:
        """The process to start and all of its environment."""
        ...


@dataclass(frozen=True, kw_only=True)
class Uses:
    """A step with `uses:`. The stages share its state, as they do the runner's IntraActionState."""

    action: Action
    title: str
    launcher: Launcher
    id: str | None = None
    with_: Mapping[str, object] = field(default_factory=dict)
    env: Mapping[str, object] = field(default_factory=dict)
    state: dict[str, str] = field(default_factory=dict)

    def run(self, job: JobState, *, post: bool = False, cancel: Cancel | None = None) -> StepResult:
        """Run one stage, with inputs and env evaluated now and in fresh files."""
        title = f"{'Post ' if post else ''}Run {self.title}"
        step = Step(job, self.launcher.view, name=self.id or "__self", title=title, env=self.env)
        try:
            self._start(step, post=post, cancel=cancel)
        except ExpressionError as error:
            step.log.fail(str(error))
        result = step.finish()
        for name, value in result.state.items():
            self.state[_first_spelling(self.state, name)] = value
        if post or self.id is None:
            return replace(result, outputs={})
        job.outputs[self.id] = {"outputs": result.outputs}
        return result

    def _start(self, step: Step, *, post: bool, cancel: Cancel | None) -> None:
        environment = step.job.environment
        action, state = self.action, self.state
        if post and environment.act_like:
            # act's post stage gets neither the saved state nor the inputs' defaults.
            action, state = replace(action, inputs=()), {}
        inputs = action.evaluate(self.with_, _step_contexts(step), _default_contexts(step))
        known = {"inputs": inputs}
        self._header(step, inputs, state, post=post)
        with _homes(step, private=self.launcher.private_folders) as (home, forced):
            variables = action_variables(
                env=step.env,
                state=state,
                inputs=input_variables(inputs, act_like=environment.act_like),
                runs_env={name: fill(value, known) for name, value in action.env.items()},
                home=home,
                forced={
                    **forced,
                    **environment.runtime_variables(),
                    **environment.id_token_variables(),
                },
                view=step.view,
            )
            stage = Stage(
                variables=variables,
                entrypoint=action.post_entrypoint
                if post
                else action.entrypoint or _in_any_case(inputs, "entrypoint"),
                arguments=_in_any_case(inputs, "args")
                if action.args is None
                else [fill(one, known) for one in action.args],
                post=post,
            )
            code = step.execute(*self.launcher.command(step, stage), cancel=cancel)
            # All that is said of a container's exit code; its errors have to come from the action itself.
            step.log.debug(f"Docker Action run completed with exit code {code}")

    def _header(self, step: Step, inputs: Mapping[str, str], state: Mapping[str, str], *, post: bool) -> None:
        """What the runner prints first: inputs that are not empty and the env context, or one line in post."""
        if post:
            step.log.write("Post job cleanup.")
            return
        if self.action.pre_entrypoint:
            step.log.issue("warning", f"`pre` execution is not supported for local action from '{self.title}'")
        for warning in self.action.warnings(self.with_):
            step.log.issue("warning", warning)
        saved = {f"STATE_{name}": value for name, value in state.items()}
        shown = {name: value for name, value in inputs.items() if value}
        step.header(step.title, {"with": shown, "env": step.env | saved})


@contextlib.contextmanager
def _homes(step: Step, *, private: bool) -> Iterator[tuple[str | None, dict[str, str]]]:
    """HOME, and the variables that the runner forces.

    act shares neither a home nor a temp folder with its containers. Without a container both are folders
    that are gone afterwards.
    """
    forced = step.variables()
    if not step.job.environment.act_like:
        yield str(step.job.layout.home), forced
    elif not private:
        yield None, forced
    else:
        with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as temp:
            yield home, {**forced, "RUNNER_TEMP": temp}


def _default_contexts(step: Step) -> dict[str, Any]:
    """What an input's default may use. strategy and matrix are empty here, so they are left out."""
    return {name: step.contexts[name] for name in ("github", "runner", "job")}


def _step_contexts(step: Step) -> dict[str, Any]:
    """What the step's own `with:` may use; with a job container the paths are the container's."""
    contexts = dict(step.contexts)
    if step.job.environment.mode is Mode.JOB_CONTAINER:
        table = job_container_view(step.job.layout, "").table
        for name in ("github", "runner"):
            contexts[name] = {
                key: translate(value, table) if isinstance(value, str) else value
                for key, value in contexts[name].items()
            }
    return contexts


def _in_any_case(values: Mapping[str, str], name: str) -> str:
    return next((value for key, value in values.items() if key.lower() == name), "")


def _first_spelling(values: Mapping[str, str], name: str) -> str:
    """State names are case-insensitive and keep the case of their first write."""
    return next((known for known in values if known.lower() == name.lower()), name)
