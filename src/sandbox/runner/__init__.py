"""An honest emulator of GitHub's runner, for one job at a time.

What it does is what actions/runner does where an action could notice: the environment and its order, the
mounts and the translation of paths, the parsing of output and of environment files, masks, post stages.
"""

from sandbox.runner.engine import Engine, NoEngineError
from sandbox.runner.environment import IdTokenRequest
from sandbox.runner.job_run import JobRun
from sandbox.runner.paths import work_folder
from sandbox.runner.process import Cancel, HungError
from sandbox.runner.values import Annotation, Mode, RawLine, StepResult

__all__ = [
    "Annotation",
    "Cancel",
    "Engine",
    "HungError",
    "IdTokenRequest",
    "JobRun",
    "Mode",
    "NoEngineError",
    "RawLine",
    "StepResult",
    "work_folder",
]
