"""One job on an emulated runner: its steps, one after the other, and what is left at its end."""

from __future__ import annotations

import json
import random
import re
import secrets
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sandbox.runner import paths, run_step
from sandbox.runner.action import Action
from sandbox.runner.engine import PATH, NoEngineError, container_name
from sandbox.runner.environment import JobEnvironment
from sandbox.runner.expressions import evaluate, fill, truthy
from sandbox.runner.launchers import InContainer, InProcess
from sandbox.runner.mask import Masker
from sandbox.runner.pull import pull
from sandbox.runner.state import GITHUB_TOKEN, JobState
from sandbox.runner.uses import Launcher, Uses
from sandbox.runner.values import Mode, StepResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    from sandbox.job import Job
    from sandbox.runner.engine import Engine
    from sandbox.runner.environment import IdTokenRequest
    from sandbox.runner.paths import Layout
    from sandbox.runner.process import Cancel


_DOCKER = re.compile("^docker://", re.IGNORECASE)
_STATUS_FUNCTION = re.compile(r"\b(always|cancelled|failure|success)\s*\(", re.IGNORECASE)
_DOCKERFILE = re.compile(r"(^|/)Dockerfile\.|Dockerfile$", re.IGNORECASE)


class JobRun:
    """A job as a context manager: leaving it is the job's end.

    A real job runs its `run:` steps either on the host or in the job's container. Here each step says
    which, so that one job shows what both would see.
    """

    def __init__(  # noqa: PLR0913  a job has many sides, each with a plain default
        self,
        job: Job,
        *,
        work: Path,
        mode: Mode = Mode.HOST,
        engine: Engine | None = None,
        id_token: IdTokenRequest | None = None,
        event: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        host_env: Mapping[str, str] | None = None,
        masks: Iterable[str] = (),
        actions: Mapping[str, Path] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        step_debug: bool = False,
        stderr_first: bool = False,
        limit: float = 300,
    ) -> None:
        """Take the job's `env:`, the environment of the runner itself and the secrets that it knows.

        `actions` are those that its steps use from other repositories: what `uses:` says of each (`org/name@ref`), and
        the folder that it was downloaded to. Their images are pulled before the first step, whether that step runs or
        not, with `sleep` between two tries; `set_up` has the results. `stderr_first` shows all of a step's stderr
        before its stdout: the worst order that the runner's batches can bring about. `limit` is how many seconds any
        one process may take.
        """
        self.leftovers: tuple[str, ...] = ()
        self.set_up: list[StepResult] = []
        self._actions = dict(actions or {})
        self._sleep = sleep
        self._engine = engine
        self._host_env = dict(host_env or {})
        self._label = secrets.token_hex(3)
        self._posts: list[Uses] = []
        self._containers: list[str] = []
        self._job_containers: dict[str, str] = {}
        self._state = JobState(
            environment=JobEnvironment(
                job=job,
                layout=paths.Layout(work, job.name),
                mode=mode,
                id_token=id_token,
                step_debug=step_debug,
            ),
            masker=Masker([GITHUB_TOKEN, *([id_token.token] if id_token else []), *masks]),
            env=dict(env or {}),
            event=event or {},
            stderr_first=stderr_first,
            limit=limit,
        )

    @property
    def layout(self) -> Layout:
        """The job's folders on the host."""
        return self._state.layout

    @property
    def env(self) -> Mapping[str, str]:
        """What the next step's env context will be, without its own `env:`."""
        return dict(self._state.env)

    @property
    def status(self) -> str:
        """`job.status`: the first step that did not succeed decides it."""
        return self._state.status

    def __enter__(self) -> Self:
        """Start the job with an empty temp folder and the event's payload."""
        state = self._state
        self.layout.create(state.user)
        self._empty_temp()
        self.layout.create(state.user)
        event_file = state.environment.event_file
        event_file.write_text(json.dumps(state.event), encoding="utf-8")
        paths.give(event_file, state.user)
        self._home = Path(tempfile.mkdtemp(prefix="runner-home-"))
        paths.give(self._home, state.user)
        self._pull_images()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the job: remove its containers, and empty the temp folder as far as the runner's user can."""
        if self._engine is not None and self._containers:
            self._engine.ask("rm", "--force", *self._containers)
        self._empty_temp()
        self.leftovers = tuple(
            sorted(str(path.relative_to(self.layout.temp)) for path in self.layout.temp.rglob("*"))
        )
        shutil.rmtree(self._home, ignore_errors=True)

    def uses(  # noqa: PLR0913  the keys of a step
        self,
        action_dir: Path | str,
        *,
        if_: str = "always()",
        with_: Mapping[str, object] | None = None,
        env: Mapping[str, object] | None = None,
        id: str | None = "aws",  # noqa: A002  GitHub's key
        image: str = "",
        process: Sequence[str] | None = None,
        cancel: Cancel | None = None,
    ) -> StepResult:
        """Run a container action's main stage, in an image that has been built or that its action.yml names.

        A text is what `uses:` says: `./folder` in the workspace, or an action of another repository that the job was
        given. `if_` is the step's condition; by default it runs whatever the steps before it did.

        With `process` there is no container: that command is the action, on the host's own paths, and it
        gets `post` as an argument in the post stage.
        """
        if not self._holds(if_ if _STATUS_FUNCTION.search(if_) else f"success() && ({if_})"):
            return StepResult(outcome="skipped")
        action = Action.read(self._folder(action_dir))
        step = Uses(
            action=action,
            title=action_dir if isinstance(action_dir, str) else "./",
            launcher=self._launcher(image or _DOCKER.sub("", action.image), process),
            id=id,
            with_=with_ or {},
            env=env or {},
        )
        # Registered when main starts, so that a main that fails has its post too.
        if action.post_entrypoint:
            self._posts.append(step)
        return step.run(self._state, cancel=cancel)

    def docker_action(
        self,
        image: str,
        *,
        entrypoint: str = "",
        args: Sequence[str] = (),
        env: Mapping[str, object] | None = None,
    ) -> StepResult:
        """Run a step with `uses: docker://image`."""
        step = Uses(
            action=Action(image=image, entrypoint=entrypoint, args=tuple(args)),
            title=f"docker://{image}",
            launcher=self._launcher(image, None),
            env=env or {},
        )
        return step.run(self._state)

    def host(self, command: Sequence[str], *, env: Mapping[str, object] | None = None) -> StepResult:
        """Run a `run:` step on the host, as the runner's user and on top of the runner's own environment."""
        return run_step.on_host(self._state, command, env or {}, own={"HOME": str(self._home), **self._host_env})

    def in_job_container(
        self, command: Sequence[str], *, image: str, env: Mapping[str, object] | None = None
    ) -> StepResult:
        """Run a `run:` step in the job's container, which is created for the first such step."""
        engine = self._need_engine()
        if image not in self._job_containers:
            name = container_name(image)
            self._containers.append(name)
            self._job_containers[image] = name
            run_step.start_job_container(engine, name=name, label=self._label, image=image, layout=self.layout)
        return run_step.in_container(self._state, command, env or {}, engine, self._job_containers[image])

    def post(self, *, cancel: Cancel | None = None) -> list[StepResult]:
        """Run the post stages whose condition holds, the last registered first."""
        results = []
        while self._posts:
            step = self._posts.pop()
            if self._holds(step.action.post_if):
                results.append(step.run(self._state, post=True, cancel=cancel))
        return results

    def job_outputs(self, outputs: Mapping[str, str]) -> dict[str, str]:
        """The job's `outputs:` as other jobs get them.

        An empty one is dropped, and so is one in which the masker finds anything to hide (JobExtension).
        """
        contexts = self._state.contexts("")
        values = {name: fill(value, contexts) for name, value in outputs.items()}
        mask = self._state.masker.mask
        return {name: value for name, value in values.items() if value and mask(value) == value}

    def _folder(self, action: Path | str) -> Path:
        """The folder of the action that a step uses."""
        if isinstance(action, Path):
            return action
        if action.startswith("./"):
            return self.layout.workspace / action
        return self._actions[action]

    def _pull_images(self) -> None:
        """Pull the image that each downloaded action names, once for all that name the same (ActionManager)."""
        images = [Action.read(folder).image for folder in self._actions.values()]
        for image in dict.fromkeys(_DOCKER.sub("", image) for image in images if _DOCKER.match(image)):
            if self.status == "success":
                own = {"HOME": str(self._home), **self._host_env}
                step = pull(self._state, self._need_engine(), image, own=own, wait=self._back_off)
                self.set_up.append(step)

    def _back_off(self) -> float:
        """Wait 1 to 10 seconds by chance (the runner's BackoffTimerHelper)."""
        seconds = round(random.uniform(1, 10), 3)  # noqa: S311 - nothing is to be guessed
        self._sleep(seconds)
        return seconds

    def _holds(self, condition: str) -> bool:
        """A condition as a bare expression: nothing is added to a `post-if`, and to a step's `if` by `uses`."""
        status = self._state.status
        functions = {
            "always": lambda: True,
            "success": lambda: status == "success",
            "failure": lambda: status == "failure",
            "cancelled": lambda: status == "cancelled",
        }
        return truthy(evaluate(condition, self._state.contexts("__self"), functions))

    def _launcher(self, image: str, process: Sequence[str] | None) -> Launcher:
        if process is not None:
            return InProcess(process=process, view=paths.host_view(self.layout))
        if _DOCKERFILE.search(image):
            raise ValueError(f"build '{image}' first, and say the name of the image")
        engine, mode = self._need_engine(), self._state.environment.mode
        view = (
            paths.act_view(self.layout, engine.socket)
            if mode is Mode.ACT_LIKE
            else paths.action_view(self.layout, engine.socket, runner_temp=mode is not Mode.OLD_RUNNER)
        )
        return InContainer(engine=engine, image=image, label=self._label, view=view, started=self._containers)

    def _need_engine(self) -> Engine:
        if self._engine is None:
            raise NoEngineError("this step needs a container, and the job was given no engine")
        return self._engine

    def _empty_temp(self) -> None:
        """Empty the temp folder as the runner's user, and go on where that is not allowed, as the runner does."""
        user = self._state.user
        subprocess.run(  # noqa: S603  no shell
            ["find", str(self.layout.temp), "-mindepth", "1", "-delete"],  # noqa: S607  found on PATH
            env={"PATH": PATH},
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            stderr=subprocess.DEVNULL,
            check=False,
        )
