"""One step while it runs: its log, its files, its process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.runner import process
from sandbox.runner.expressions import fill
from sandbox.runner.log import StepLog
from sandbox.runner.processor import Processor
from sandbox.runner.scalars import text
from sandbox.runner.step_files import StepFiles
from sandbox.runner.values import StepResult
from sandbox.secrets import stepped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.runner.paths import View
    from sandbox.runner.process import Cancel, Finished
    from sandbox.runner.state import JobState
    from sandbox.runner.values import Outcome, RawLine


class Step:
    """One stage of one step, from its fresh files to its result."""

    def __init__(self, job: JobState, view: View, *, name: str, title: str, env: Mapping[str, object]) -> None:
        """Make the files, and the env context: the step's own `env:` goes before GITHUB_ENV."""
        self.job = job
        self.view = view
        self.name = name
        self.title = title
        self.log = StepLog(job.masker, step_debug=job.environment.step_debug)
        self.files = StepFiles.create(job.layout, job.user, act_like=job.environment.act_like)
        self.contexts = job.contexts(name)
        own = {key: fill(text(value), self.contexts) for key, value in env.items()}
        self.env = {**job.env, **own}
        self.contexts["env"] = self.env
        self._processor = Processor(self.log, to_host=self._to_workspace, env=self.env)
        self._finished: Finished | None = None
        self._cancel: Cancel | None = None

    def variables(self) -> dict[str, str]:
        """The variables that the runner forces on this step, before translation."""
        return self.job.environment.step_variables(self.name, self.files, self.view)

    def header(self, title: str, sections: Mapping[str, Mapping[str, str]], *between: str) -> None:
        """The folded group at the top of a step's log; an empty section is left out."""
        self.log.write(f"##[group]{title}")
        for line in between:
            self.log.write(line)
        for section, values in sections.items():
            if values:
                self.log.write(f"{section}:")
            for key, value in values.items():
                self.log.write(f"  {key}: {value}")
        self.log.write("##[endgroup]")

    def execute(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        user: int | None = None,
        cancel: Cancel | None = None,
    ) -> int | None:
        """Run the step's process, obey its output, and say its exit code; None if it could not be started."""
        self._cancel = cancel
        cwd = self.job.layout.workspace
        try:
            self._finished = process.run(
                command,
                environment=environment,
                cwd=cwd,
                user=user,
                hear=_ignore if self.job.stderr_first else self._hear,
                cancel=cancel,
                limit=self.job.limit,
            )
        except OSError as error:
            self.log.fail(
                f"An error occurred trying to start process '{command[0]}' with working directory '{cwd}'. "
                f"{error.strerror}"
            )
            return None
        if self.job.stderr_first:
            for line in sorted(self._finished.lines, key=lambda line: line.stream == "stdout"):
                self._hear(line)
        return self._finished.exit_code

    def finish(self) -> StepResult:
        """Read the files, whatever became of the process, and hand on what they ask for."""
        effects = self.files.collect(self.log)
        for name, value in effects.state.items():
            self.log.debug(f"Save intra-action state {name} = {value}")
        outcome = self._outcome()
        env = self._processor.env | effects.env
        self.job.env |= env
        self.job.prepend_path([*self._processor.path, *effects.path])
        if self.job.status == "success":
            self.job.status = outcome
        result = StepResult(
            outcome=outcome,
            exit_code=None if self._finished is None else self._finished.exit_code,
            outputs=self._processor.outputs | effects.outputs,
            env=env,
            state=self._processor.state | effects.state,
            annotations=tuple(self.log.annotations),
            summary=effects.summary,
            log=tuple(self.log.lines),
            raw=() if self._finished is None else self._finished.lines,
        )
        return stepped(result)

    def _outcome(self) -> Outcome:
        finished, cancel = self._finished, self._cancel
        if finished is not None and finished.cancelled and cancel is not None:
            if cancel.timeout_minutes is None:
                self.log.issue("error", "The operation was canceled.")
                return "cancelled"
            # A cancelled step's exit code counts for nothing.
            self.log.fail(f"The action '{self.title}' has timed out after {cancel.timeout_minutes} minutes.")
        failed = self.log.failed or finished is None or finished.exit_code != 0
        return "failure" if failed else "success"

    def _hear(self, line: RawLine) -> None:
        self._processor.line(line.text)

    def _to_workspace(self, file: str) -> str:
        """An annotation's file on the host, relative to the workspace if it lies in it."""
        return self.view.outside(file).removeprefix(f"{self.job.layout.workspace}/")


def _ignore(_: RawLine) -> None:
    pass
