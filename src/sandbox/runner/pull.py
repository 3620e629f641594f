"""The step in which the runner pulls the image of an action, before the first step of the job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.runner.paths import host_view
from sandbox.runner.step import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.runner.engine import Engine
    from sandbox.runner.state import JobState
    from sandbox.runner.values import StepResult

TRIES = 3


def pull(
    job: JobState,
    engine: Engine,
    image: str,
    *,
    own: Mapping[str, str],
    wait: Callable[[], float],
) -> StepResult:
    """Pull an image, as the runner's ActionManager.PullActionContainerAsync does: three tries, and no login.

    What the action.yml says after `docker://` goes to the client unchanged. `own` is the environment of the runner
    itself: its user's own Docker configuration counts. `wait` waits between two tries, and says how long in seconds.
    """
    step = Step(job, host_view(job.layout), name="__pull", title=f"Pull {image}", env={})
    step.log.write(f"##[group]Pull down action image '{image}'")
    code = None
    for number in range(1, TRIES + 1):
        step.log.write(f"##[command]{engine.client} pull {image}")
        code = step.execute([engine.client, "pull", image], engine.environment(own))
        if code == 0:
            break
        if number < TRIES:
            message = f"Docker pull failed with exit code {code}, back off {wait()} seconds before retry."
            step.log.issue("warning", message)
    step.log.write("##[endgroup]")
    if code != 0:
        step.log.fail(f"Docker pull failed with exit code {code}")
    return step.finish()
