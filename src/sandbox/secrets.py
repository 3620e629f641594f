"""What must not be seen, and what was: noted where it comes about, for a check that compares the two.

The maker of a secret calls `made`, the runner of the program calls `ran`, and the check calls `take`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.runner.values import StepResult

COMMAND_FILES = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY")
MASK = "::add-mask::"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a run let others see: its log with its masks, and the runner's files, by their variables."""

    log: str
    files: Mapping[str, str]
    failed: bool
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)


_made: dict[str, str] = {}
_shown: list[Shown] = []


def made(what: str, value: str) -> str:
    """The value, once it is noted as a secret."""
    _made[value] = what
    return value


def ran(environ: Mapping[str, str], log: str, *, failed: bool) -> None:
    """Note what a run with this environment showed; the runner's files are read as they are now."""
    paths = {name: Path(environ[name]) for name in COMMAND_FILES if environ.get(name)}
    found = {name: path for name, path in paths.items() if os.path.isfile(path)}  # noqa: PTH113 - a Path raises for a name that is too long
    files = {name: path.read_bytes().decode(errors="replace") for name, path in found.items()}
    _shown.append(Shown(log=log, files=files, failed=failed, environ=dict(environ)))


def stepped(result: StepResult) -> StepResult:
    """The result, once it is noted what the runner shows of it."""
    masks = (line.text for line in result.raw if line.text.startswith(MASK))
    texts = (result.env.values(), result.outputs.values(), result.state.values(), (result.summary,))
    _shown.append(
        Shown(
            log="\n".join((*masks, *result.log, *(note.message for note in result.annotations))),
            files={name: "\n".join(text) for name, text in zip(COMMAND_FILES, texts, strict=True)},
            failed=result.outcome != "success",
        )
    )
    return result


def take() -> tuple[dict[str, str], list[Shown]]:
    """What each secret is, by its value, and the runs, in their order; both are forgotten here."""
    taken = dict(_made), list(_shown)
    _made.clear()
    _shown.clear()
    return taken
