"""What a job is run as, and what a step leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Level = Literal["error", "warning", "notice"]
Outcome = Literal["success", "failure", "cancelled", "skipped"]
Stream = Literal["stdout", "stderr"]


class Mode(Enum):
    """The runners and jobs that an action meets in the field."""

    HOST = "a job on the runner itself"
    JOB_CONTAINER = "a job with `container:`"
    OLD_RUNNER = "a runner before 2.329: RUNNER_TEMP is neither mounted nor translated"
    ACT_LIKE = "nektos/act and its kin: no shared home, a private /tmp, own file names"
    NO_ID_TOKEN = "a job without `id-token: write`"  # noqa: S105  a sentence


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """What GitHub shows next to a run; `file` is relative to the workspace where it lies in it."""

    level: Level
    message: str
    title: str = ""
    file: str = ""
    line: str = ""


@dataclass(frozen=True)
class RawLine:
    """A line as the process wrote it, before commands and masks."""

    stream: Stream
    text: str


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """All that a step showed and changed.

    `exit_code` is None when nothing was started, for instance when an input's default cannot be evaluated.
    """

    outcome: Outcome
    exit_code: int | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    state: Mapping[str, str] = field(default_factory=dict)
    annotations: tuple[Annotation, ...] = ()
    summary: str = ""
    log: tuple[str, ...] = ()
    raw: tuple[RawLine, ...] = ()
