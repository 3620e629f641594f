"""An action.yml of a container action, and the inputs that a step gives it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.runner.expressions import fill
from sandbox.runner.scalars import ManifestError, load, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sandbox.runner.expressions import Contexts


@dataclass(frozen=True, kw_only=True)
class Input:
    """An input that the action declares. `required` is not here: the runner does not enforce it."""

    name: str
    default: str = ""
    deprecation: str = ""


@dataclass(frozen=True, kw_only=True)
class Action:
    """What the runner knows of a container action. `args` of None leaves them to the step's `with: args`."""

    name: str = ""
    inputs: tuple[Input, ...] = ()
    image: str = ""
    entrypoint: str = ""
    pre_entrypoint: str = ""
    post_entrypoint: str = ""
    post_if: str = "always()"
    args: tuple[str, ...] | None = None
    env: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Action:
        """The action of a folder, from action.yml or else action.yaml."""
        for name in ("action.yml", "action.yaml"):
            if (folder / name).is_file():
                return cls.parse((folder / name).read_text(encoding="utf-8"))
        raise ManifestError(f"Can't find 'action.yml', 'action.yaml' or 'Dockerfile' under '{folder}'.")

    @classmethod
    def parse(cls, source: str) -> Action:
        """The action that a manifest describes (the runner's ActionManifestManager)."""
        manifest = load(source)
        runs, inputs = _mapping(manifest, "runs"), _mapping(manifest, "inputs")
        if str(runs.get("using", "")).lower() != "docker":
            raise ManifestError(f"'{runs.get('using', '')}' is not a container action")
        if not runs.get("image"):
            raise ManifestError("You are using a Container Action but an image is not provided")
        return cls(
            name=manifest.get("name", ""),
            inputs=tuple(_input(name, _mapping(inputs, name)) for name in inputs),
            image=runs["image"],
            entrypoint=runs.get("entrypoint", ""),
            pre_entrypoint=runs.get("pre-entrypoint", ""),
            post_entrypoint=runs.get("post-entrypoint", ""),
            post_if=runs.get("post-if", "always()"),
            args=_sequence(runs, "args") if "args" in runs else None,
            env=_mapping(runs, "env"),
        )

    def evaluate(
        self, with_: Mapping[str, object], contexts: Contexts, default_contexts: Contexts
    ) -> dict[str, str]:
        """All inputs of a step: what it gives, in its own spelling, then the defaults of the others.

        A default knows fewer contexts than the step (the schema action_yaml.json of the runner).
        """
        values = {name: fill(text(value), contexts) for name, value in with_.items()}
        given = {name.lower() for name in values}
        for declared in self.inputs:
            if declared.name.lower() not in given:
                values[declared.name] = fill(declared.default, default_contexts)
        return values

    def warnings(self, with_: Mapping[str, object]) -> list[str]:
        """What the runner's ActionRunner says of deprecated and unexpected inputs."""
        deprecated = {one.name.lower(): one.deprecation for one in self.inputs if one.deprecation}
        found = [
            f"Input '{name}' has been deprecated with message: {deprecated[name.lower()]}"
            for name in with_
            if name.lower() in deprecated
        ]
        valid = ["entryPoint", "args", *(one.name for one in self.inputs)]
        known = {name.lower() for name in valid}
        if unexpected := [name for name in with_ if name.lower() not in known]:
            found.append(f"Unexpected input(s) '{_listed(unexpected)}', valid inputs are ['{_listed(valid)}']")
        return found


def input_variables(values: Mapping[str, str], *, act_like: bool = False) -> dict[str, str]:
    """INPUT_ and the name in upper case with underscores for blanks; hyphens stay (the runner's Handler).

    nektos/act puts an underscore for every other character too.
    """
    other = re.compile("[^A-Z0-9-]") if act_like else re.compile(" ")
    return {f"INPUT_{other.sub('_', name.upper())}": value for name, value in values.items()}


def _input(name: str, body: Mapping[str, str]) -> Input:
    return Input(name=name, default=body.get("default", ""), deprecation=body.get("deprecationMessage", ""))


def _mapping(parent: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = parent.get(key) or {}
    if not isinstance(value, dict):
        raise ManifestError(f"A mapping was expected for '{key}'")
    return value


def _sequence(parent: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = parent[key] or []
    if not isinstance(value, list):
        raise ManifestError(f"A sequence was expected for '{key}'")
    return tuple(value)


def _listed(names: list[str]) -> str:
    return "', '".join(names)
