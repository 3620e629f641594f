"""Every recorded case, replayed: as a process, and in the image where files or paths are touched.

reference-cases.json says what v6.2.3 of the action that this one replaces did. Where ours is deliberately better,
the row gives way to a numbered point, and the tables here say which row, which point, and to what.
"""

import json
import os
import stat
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.issuer import IdTokenRequest
from sandbox.job import Job
from sandbox.runner import JobRun, StepResult, work_folder
from sandbox.runner.paths import give, runner_user

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
REFERENCE = json.loads(Path(__file__).with_name("reference-cases.json").read_text())
REQUEST_TOKEN = REFERENCE["defaults"]["env"]["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
CASES = {case["name"]: case for case in REFERENCE["cases"]}
RECORDED_CALLS = ("oidc", "AssumeRoleWithWebIdentity", "AssumeRole")
FILE_INPUTS = {"aws-profile", "web-identity-token-file"}
WITH_FILES = [name for name, case in CASES.items() if FILE_INPUTS & case["given"].get("inputs", {}).keys()]
POINTS = range(1, 17)

SESSION = {
    "aws-account-id": "123456789012",
    "authenticated-arn": "arn:aws:sts::123456789012:assumed-role/deploy/GitHubActions",
}
USER = {"aws-account-id": "123456789012", "authenticated-arn": "arn:aws:iam::123456789012:user/ci"}


@dataclass(frozen=True)
class Better:
    """A point of "Better, deliberately" that a row gives way to, and the outputs that come to the recorded ones."""

    point: int
    what: str
    outputs: Mapping[str, str] = field(default_factory=dict)


GIVES_WAY = {
    "oidc-wrong-account": Better(1, "no credentials of the forbidden account stay in the environment"),
    "ambient-wrong-account": Better(1, "not even the region is exported"),
    "oidc-outputs-only": Better(3, "who one is, without output-env-credentials", SESSION),
    "oidc-profile": Better(3, "who one is, with aws-profile", SESSION),
    "oidc-profile-default": Better(3, "who one is, with aws-profile", SESSION),
    "oidc-profile-overwrite": Better(3, "who one is, with aws-profile", SESSION),
    "keys-role-profile": Better(3, "who one is, with aws-profile", SESSION),
    "outputs-are-all-false": Better(3, "who one is, without output-env-credentials", USER),
    "use-existing-valid": Better(5, "whose credentials are kept", USER),
}


def points(name: str) -> str:
    """A case's name with the points it gives way to, as the test's name shows it."""
    better = {GIVES_WAY[name].point} if name in GIVES_WAY else set()
    if issues_credentials(CASES[name]):
        better |= {3, 4}
    return f"{name}, better by {sorted(better)}" if better else name


def issues_credentials(case: Mapping[str, Any]) -> bool:
    """Whether AWS issued what the case hands on: by points 3 and 4 its expiry is then an output, in ISO 8601."""
    return bool({"AssumeRole", "AssumeRoleWithWebIdentity"} & case["then"].get("last_call", {}).keys())


def expected_outputs(case: Mapping[str, Any], expiration: str) -> dict[str, str]:
    better = GIVES_WAY.get(case["name"], Better(0, ""))
    expiry = {"aws-expiration": expiration} if issues_credentials(case) else {}
    return {**case["then"]["outputs"], **better.outputs, **expiry}


def given(case: Mapping[str, Any]) -> dict[str, Any]:
    """What a world and a run need of a case."""
    return {
        "faults": case["given"].get("faults"),
        "secrets": case["given"].get("secret_access_keys_issued", ()),
    }


def recorded_form(form: Mapping[str, str], minted: tuple[str, ...]) -> dict[str, str]:
    """A form as it was recorded; an empty field is as good as none."""
    newest = dict.fromkeys(minted[-1:], "<minted>")
    return {name: newest.get(value, value) for name, value in form.items() if value}


def last_calls(calls: tuple[Any, ...], minted: tuple[str, ...]) -> dict[str, Any]:
    """The last call of each recorded kind, as it was recorded."""
    last = {call.operation: call for call in calls if call.operation in RECORDED_CALLS}
    return {
        operation: {**call.query, "authorization": call.authorization}
        if operation == "oidc"
        else {
            "form": recorded_form(call.form, minted),
            "signer": call.signer,
            "session_token": call.session_token,
        }
        for operation, call in last.items()
    }


def recorded_calls(case: Mapping[str, Any]) -> dict[str, Any]:
    return {
        operation: call if operation == "oidc" else {**call, "form": recorded_form(call["form"], ())}
        for operation, call in case["then"].get("last_call", {}).items()
    }


def files_that_hold_anything(folder: Path) -> dict[str, str]:
    """All files under a folder; an empty one, such as a lock, tells nothing."""
    texts = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    return {path: text for path, text in texts.items() if text}


def test_all_sixty_cases_are_here():
    assert len(CASES) == len(REFERENCE["cases"]) == 60


@pytest.mark.parametrize(
    ("name", "better"), GIVES_WAY.items(), ids=lambda value: value if type(value) is str else ""
)
def test_a_row_that_gives_way_is_a_recorded_case_and_says_to_which_point(name, better):
    assert name in CASES
    assert better.point in POINTS
    assert better.what
    assert not better.outputs.keys() & CASES[name]["then"].get("outputs", {}).keys()


@pytest.fixture(scope="module")
def replayed(request, step_of_all):
    """The runs of the cases that are asked for, by name; each is a process of its own, so two go at a time."""

    def replay(name):
        asked = CASES[name]["given"]
        return step_of_all(
            asked.get("inputs"), env=asked.get("env"), files=asked.get("home_files"), **given(CASES[name])
        )

    asking = [item.callspec.params["name"] for item in request.session.items if "replayed" in item.fixturenames]
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield {name: pool.submit(replay, name) for name in asking}


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name]["then"]["succeeds"]], ids=points)
def test_a_case_that_succeeded_has_the_same_results(name, replayed):
    case, ours = CASES[name], replayed[name].result()
    then = case["then"]

    assert (ours.said("error"), ours.status, ours.stderr) == ([], 0, "")
    assert last_calls(ours.calls, ours.minted) == recorded_calls(case)
    assert ours.env == then["env"]
    assert ours.outputs == expected_outputs(case, "".join(ours.expirations[-1:]))
    assert set(then["masked"]) <= ours.masks
    assert ours.profile_files == then["profile_files"]


@pytest.mark.parametrize("name", [name for name in CASES if not CASES[name]["then"]["succeeds"]], ids=points)
def test_a_case_that_failed_fails_and_leaves_nothing(name, replayed):
    ours = replayed[name].result()

    assert ours.failed_and_left_nothing
    assert ours.stderr == ""
    assert files_that_hold_anything(ours.home) == CASES[name]["given"].get("home_files", {})


@dataclass(frozen=True)
class InTheImage:
    """A step of the image on the emulated runner, and what it left there."""

    result: StepResult
    home: Path
    files_before: Mapping[str, str]
    files_after: Mapping[str, str]
    profile_files: Mapping[str, Mapping[str, Any]]
    access: Mapping[str, tuple[str, int]]
    leftovers: tuple[str, ...]
    calls: tuple[Any, ...]
    minted: tuple[str, ...]
    expirations: tuple[str, ...]


def put(files: Mapping[str, str], *, home: Path, workspace: Path) -> None:
    """Write a case's files where the runner has HOME and the workspace, as the runner's user."""
    for name, text in files.items():
        path = workspace / name.removeprefix("work/") if name.startswith("work/") else home / name
        if not path.parent.exists():
            path.parent.mkdir()
            give(path.parent, runner_user())
        path.write_text(text)
        give(path, runner_user())


def access(folder: Path) -> dict[str, tuple[str, int]]:
    """Mode and owner of the shared files."""
    found = {name: (folder / name).stat() for name in ("credentials", "config") if (folder / name).exists()}
    return {name: (stat.filemode(status.st_mode), status.st_uid) for name, status in found.items()}


@pytest.fixture
def in_the_image(engine, image, new_world, profile_files_in):
    """Runs a case's step in the image, and looks at the files before the job ends."""
    # The one departure from the runner's line: the world listens on the host's loopback.
    near = replace(engine, run_args=("--network", "host"))

    def run(case):
        with new_world(**given(case)) as world, work_folder() as work:
            request = IdTokenRequest(f"{world.url}/token?api-version=2.0", REQUEST_TOKEN)
            with JobRun(Job(), work=work, engine=near, id_token=request) as job:
                home = job.layout.home
                put(case["given"].get("home_files", {}), home=home, workspace=job.layout.workspace)
                files_before = files_that_hold_anything(home)
                inputs = {**REFERENCE["defaults"]["inputs"], **case["given"].get("inputs", {})}
                result = job.uses(
                    ROOT,
                    with_={
                        name: value.replace("{home}", str(home)).replace("{sts}", world.url)
                        for name, value in inputs.items()
                    },
                    env=case["given"].get("env"),
                    id="__py-aws-oidc",
                    image=image,
                )
                files_after = files_that_hold_anything(home)
                profile_files, rights = profile_files_in(home / ".aws"), access(home / ".aws")
            return InTheImage(
                result=result,
                home=home,
                files_before=files_before,
                files_after=files_after,
                profile_files=profile_files,
                access=rights,
                leftovers=job.leftovers,
                calls=tuple(world.calls),
                minted=tuple(world.minted),
                expirations=tuple(world.expirations),
            )

    return run


@pytest.mark.container
@pytest.mark.parametrize("name", [name for name in WITH_FILES if CASES[name]["then"]["succeeds"]], ids=points)
def test_a_case_with_files_has_the_same_results_in_the_image(name, in_the_image):
    case = CASES[name]
    then = case["then"]
    runner = os.getuid() if runner_user() is None else runner_user()

    ours = in_the_image(case)

    assert (ours.result.outcome, ours.result.exit_code) == ("success", 0)
    assert last_calls(ours.calls, ours.minted) == recorded_calls(case)
    # Steps on the host have another HOME: that is why the files are announced, with the host's paths.
    announced = {
        f"AWS_{variable}": str(ours.home / ".aws" / file)
        for variable, file in (("SHARED_CREDENTIALS_FILE", "credentials"), ("CONFIG_FILE", "config"))
        if then["profile_files"]
    }
    assert ours.result.env == then["env"] | announced
    assert ours.result.outputs == expected_outputs(case, "".join(ours.expirations[-1:]))
    assert ours.profile_files == then["profile_files"]
    assert ours.access == dict.fromkeys(then["profile_files"], ("-rw-------", runner))
    assert ours.leftovers == ()


@pytest.mark.container
@pytest.mark.parametrize("name", [name for name in WITH_FILES if not CASES[name]["then"]["succeeds"]])
def test_a_case_with_files_that_failed_fails_and_leaves_nothing_in_the_image(name, in_the_image):
    ours = in_the_image(CASES[name])

    assert (ours.result.outcome, ours.result.exit_code) == ("failure", 1)
    assert (ours.result.env, ours.result.outputs) == ({}, {})
    assert len([note for note in ours.result.annotations if note.level == "error"]) == 1
    assert ours.files_after == ours.files_before
    assert ours.leftovers == ()
