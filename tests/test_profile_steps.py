"""Several steps with profiles in one job: whatever their order, their posts leave what was there before, or say so."""

import io
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from py_aws_oidc import post
from py_aws_oidc.aws.credentials import Credentials
from py_aws_oidc.aws.sts import Session
from py_aws_oidc.export import handover, profiles
from py_aws_oidc.failure import Failure
from py_aws_oidc.github.commands import Log
from py_aws_oidc.inputs import Inputs
from py_aws_oidc.secret import Secret
from sandbox.runner.files import parse

ARN = "arn:aws:sts::123456789012:assumed-role/deploy/GitHubActions"
NAMES = ("dev", "other", "default")
FILES = ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE")
RUNNERS_FILES = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STATE")


@dataclass(frozen=True)
class Main:
    """A step with a profile; `at` is the time of its post among the posts and the steps."""

    profile: str
    at: int
    overwrite: bool = True
    region: str = "us-east-1"


@dataclass(frozen=True)
class Changed:
    """Another step, which sets a variable to a path in the job's folder, or to a blank."""

    variable: str
    path: str


@dataclass
class JobOf:
    """A job in a folder, in one process."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    log: io.StringIO = field(default_factory=io.StringIO)

    def __post_init__(self) -> None:
        for home in ("home", "home2"):
            (self.folder / home).mkdir()

    def main(self, number: int, main: Main) -> dict[str, str] | None:
        """The state of a step; None if it failed."""
        inputs = Inputs.read(
            {
                "INPUT_AWS-REGION": main.region,
                "INPUT_AWS-PROFILE": main.profile,
                "INPUT_OVERWRITE-AWS-PROFILE": str(main.overwrite).lower(),
            }
        )
        keys = (Secret(f"ASIALIVE{number}"), Secret(f"live-secret-{number}"), Secret(f"live-token-{number}"))
        environ = self._environ()
        try:
            exports = handover.prepare(Session(Credentials(*keys), ARN, "123456789012"), inputs, environ)
            handover.apply(exports, environ, lambda _: None)
        except Failure:
            return None
        return self._read("GITHUB_STATE")

    def post(self, state: dict[str, str]) -> None:
        environ = self._environ() | {f"STATE_{name}": value for name, value in state.items()}
        post.run(environ, Log(self.log))
        self._read("GITHUB_ENV")

    def seen(self) -> dict[str, bytes | None]:
        """Every file and every .aws of the job; not the runner's files."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() if path.is_file() else None
            for path in self.folder.rglob("*")
            if (path.is_file() or path.name == ".aws") and path.name not in RUNNERS_FILES
        }

    @property
    def warnings(self) -> list[str]:
        return [line for line in self.log.getvalue().splitlines() if line.startswith("::warning")]

    def _environ(self) -> dict[str, str]:
        for name in RUNNERS_FILES:
            (self.folder / name).write_text("")
        files = {name: str(self.folder / name) for name in RUNNERS_FILES}
        named = {name: path and str(self.folder / path) for name, path in self.variables.items()}
        return {"HOME": str(self.folder / "home"), "GITHUB_WORKSPACE": str(self.folder / "work"), **named, **files}

    def _read(self, name: str) -> dict[str, str]:
        return dict(parse((self.folder / name).read_bytes()))


SECTIONS = [
    "[dev]\naws_access_key_id = AKIAOLD\n# mine\naws_secret_access_key = old\n",
    "[profile dev]\nregion = eu-west-1\n",
    "[profile dev]\nregion = eu-west-1\noutput = json\n",
    "[other]\ncredential_process = x\n",
    "[x]\ny = z\n",
    "[profile other]\nregion = us-east-1\ns3 =\n  max_queue_size = 1\n",
    "[default]\nregion = us-east-2\noutput = text\n",
    "# a comment\n",
    "\n",
]
TEXTS = st.builds(
    lambda sections, end, rest: "".join(sections).removesuffix(rest).replace("\n", end),
    st.lists(st.sampled_from(SECTIONS), unique_by=lambda text: text.split("\n")[0], max_size=4),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\n"]),
)
PATHS = ["home/.aws/credentials", "home/.aws/config", "second/.aws/c", "third/deep/er/c"]
MAINS = st.builds(
    Main, st.sampled_from(NAMES), st.integers(0, 9), st.booleans(), st.sampled_from(["us-east-1", "eu-west-1"])
)
CHANGES = st.builds(Changed, st.sampled_from(FILES), st.sampled_from(["", *PATHS])) | st.builds(
    Changed, st.just("HOME"), st.sampled_from(["home", "home2"])
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(PATHS), TEXTS), st.lists(MAINS | CHANGES, min_size=1, max_size=8))
@example({}, [Main("dev", 2), Main("other", 3)])
@example({PATHS[0]: ""}, [Main("dev", 2), Main("other", 3)])
@example({PATHS[0]: "[x]\ny = z"}, [Main("dev", 2), Main("other", 3)])
@example({PATHS[0]: SECTIONS[0].rstrip()}, [Main("other", 1), Main("dev", 0)])
@example({PATHS[0]: SECTIONS[0]}, [Main("dev", 2), Main("dev", 3, region="eu-west-1")])
def test_posts_in_any_order_leave_what_was_there_or_say_what_is_left(files, steps):
    with tempfile.TemporaryDirectory() as folder:
        job = JobOf(Path(folder))
        for path, text in files.items():
            (job.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (job.folder / path).write_text(text)
        before = job.seen()
        waiting: dict[int, tuple[int, dict[str, str]]] = {}
        for time in range(max(len(steps), 10)):
            if time < len(steps):
                match steps[time]:
                    case Changed() as change:
                        job.variables[change.variable] = change.path
                    case main:
                        state = job.main(time, main)
                        if state is not None:
                            waiting[time] = (max(main.at, time), state)
            for number in [number for number, (at, _) in waiting.items() if at == time]:
                job.post(waiting.pop(number)[1])
        assert not waiting

        after = job.seen()
        event(f"warnings: {len(job.warnings)}")
        if not job.warnings:
            assert after == before
        for path, data in after.items():
            if data is not None and b"live-" in data:
                assert any(path in line for line in job.warnings)


def test_posts_in_the_reverse_order_leave_all_as_it_was():
    with tempfile.TemporaryDirectory() as folder:
        job = JobOf(Path(folder))
        before = job.seen()
        states = [job.main(n, Main(name, 0)) for n, name in enumerate(("dev", "other", "dev"))]
        assert all(states)
        assert json.loads(states[2][profiles.STATE])["sections"]
        for state in reversed(states):
            job.post(state)

        assert job.warnings == []
        assert job.seen() == before
