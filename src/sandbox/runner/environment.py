"""The variables of a step, in the order in which the runner lays them over each other."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sandbox.runner.paths import translate
from sandbox.runner.values import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sandbox.job import Job
    from sandbox.runner.paths import Layout, View
    from sandbox.runner.step_files import StepFiles

_ARCHITECTURES = {"x86_64": "X64", "aarch64": "ARM64", "arm64": "ARM64"}
_NOT_IN_ACT = frozenset({"workspace", "name", "environment"})
ACT_TEMP = "/tmp"  # noqa: S108  the value that act sets


class IdTokenRequest(Protocol):
    """Where a job asks for its ID token, and with which bearer token."""

    @property
    def url(self) -> str:
        """ACTIONS_ID_TOKEN_REQUEST_URL."""
        ...

    @property
    def token(self) -> str:
        """ACTIONS_ID_TOKEN_REQUEST_TOKEN, the same as ACTIONS_RUNTIME_TOKEN."""
        ...


@dataclass(frozen=True, kw_only=True)
class JobEnvironment:
    """The values that are the same for every step of a job."""

    job: Job
    layout: Layout
    mode: Mode
    id_token: IdTokenRequest | None
    step_debug: bool = False

    @property
    def event_file(self) -> Path:
        """The event's payload, which GITHUB_EVENT_PATH names."""
        return (self.layout.act / "workflow" if self.act_like else self.layout.workflow) / "event.json"

    @property
    def act_like(self) -> bool:
        """True if the runner is like act."""
        return self.mode is Mode.ACT_LIKE

    def runner_context(self) -> dict[str, str]:
        """The runner context, with the host's paths."""
        context = {
            "os": "Linux",
            "arch": _ARCHITECTURES.get(platform.machine(), platform.machine().upper()),
            "name": "sandbox",
            "environment": self.job.runner_environment,
            "tool_cache": str(self.layout.tools),
            "temp": ACT_TEMP if self.act_like else str(self.layout.temp),
            "workspace": str(self.layout.runner_workspace),
        }
        if self.step_debug:
            context["debug"] = "1"
        return {key: value for key, value in context.items() if not (self.act_like and key in _NOT_IN_ACT)}

    def github_context(self, step: str) -> dict[str, str]:
        """The part of the github context that becomes GITHUB_ variables, with the host's paths.

        GITHUB_ACTION_REPOSITORY and GITHUB_ACTION_REF are empty for `run:` and for local actions.
        """
        described = {name.removeprefix("GITHUB_").lower(): value for name, value in self.job.variables().items()}
        return described | {
            "action": step,
            "action_ref": "",
            "action_repository": "",
            "event_path": str(self.event_file),
            "workspace": str(self.layout.workspace),
        }

    def step_variables(self, step: str, files: StepFiles, view: View) -> dict[str, str]:
        """GITHUB_ and RUNNER_ variables: they overwrite all other values."""
        github = self.github_context(step)
        github["event_path"] = view.inside(self.event_file)
        github |= {context: view.inside(path) for context, path in files.paths.items()}
        variables = {f"GITHUB_{key.upper()}": value for key, value in github.items()}
        variables |= {f"RUNNER_{key.upper()}": value for key, value in self.runner_context().items()}
        return variables | ({"ACT": "true"} if self.act_like else {})

    def id_token_variables(self) -> dict[str, str]:
        """The two variables that only a job with `id-token: write` has."""
        if self.id_token is None or self.mode is Mode.NO_ID_TOKEN:
            return {}
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": self.id_token.url,
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.id_token.token,
        }

    def runtime_variables(self) -> dict[str, str]:
        """Variables that only actions get: the runtime's address and token."""
        if self.act_like:
            return {}
        token = "runtime-token" if self.id_token is None else self.id_token.token
        return {"ACTIONS_RUNTIME_URL": "https://runtime.invalid/", "ACTIONS_RUNTIME_TOKEN": token}


def action_variables(  # noqa: PLR0913  the layers, in their order
    *,
    env: Mapping[str, str],
    state: Mapping[str, str],
    inputs: Mapping[str, str],
    runs_env: Mapping[str, str],
    home: str | None,
    forced: Mapping[str, str],
    view: View,
) -> dict[str, str]:
    """A container action's variables, translated (the runner's ContainerActionHandler).

    Inputs are laid over the env context and the saved state; `runs.env` only fills gaps; HOME and what the
    runner itself knows are forced.
    """
    variables = {**env, **{f"STATE_{name}": value for name, value in state.items()}, **inputs}
    variables = {**runs_env, **variables}
    variables |= {} if home is None else {"HOME": home}
    variables |= forced
    return {name: translate(value, view.table) for name, value in variables.items() if name}
