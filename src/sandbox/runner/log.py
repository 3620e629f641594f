"""A step's log and annotations: the part of the runner's ExecutionContext that people see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.runner.values import Annotation

if TYPE_CHECKING:
    from sandbox.runner.mask import Masker
    from sandbox.runner.values import Level

MESSAGE_LIMIT = 4096
ANNOTATIONS_PER_LEVEL = 10


class StepLog:
    """Everything one step shows, masked when it is written and with the masks of that moment."""

    def __init__(self, masker: Masker, *, step_debug: bool = False) -> None:
        """Begin an empty log."""
        self.masker = masker
        self.step_debug = step_debug
        self.lines: list[str] = []
        self.annotations: list[Annotation] = []
        self.failed = False

    def write(self, text: str) -> None:
        """One entry; its own newlines make further lines."""
        self.lines.extend(self.masker.mask(text).split("\n"))

    def debug(self, text: str) -> None:
        """A line that only step debug logging shows."""
        if self.step_debug:
            self.write(f"##[debug]{text}")

    def issue(self, level: Level, message: str, *, title: str = "", file: str = "", line: str = "") -> None:
        """An annotation and its log line.

        A message is cut at 4096 characters; a step has ten annotations of each level, the log has them all
        (the runner's ExecutionContext.AddIssue).
        """
        message = self.masker.mask(message)[:MESSAGE_LIMIT]
        self.write(f"##[{level}]{message}")
        if sum(annotation.level == level for annotation in self.annotations) < ANNOTATIONS_PER_LEVEL:
            title, file = self.masker.mask(title), self.masker.mask(file)
            self.annotations.append(Annotation(level=level, message=message, title=title, file=file, line=line))

    def fail(self, *messages: str) -> None:
        """Error annotations that fail the step, which an `::error::` alone does not."""
        for message in messages:
            self.issue("error", message)
        self.failed = True
