"""The image in a job: the runner's own `docker run` line, its five kinds of job, and the steps after it."""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
from tests.container.place import Place

from sandbox.faults import Fault
from sandbox.job import Job
from sandbox.runner import Cancel, Engine, JobRun, Mode, StepResult

pytestmark = pytest.mark.container

ROOT = Path(__file__).parents[2]
ARN = "arn:aws:sts::123456789012:assumed-role/deploy/GitHubActions"
VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
WITH_ID_TOKEN = [Mode.HOST, Mode.JOB_CONTAINER, Mode.OLD_RUNNER, Mode.ACT_LIKE]


class Runner(Place):
    """A place in which jobs run."""

    @contextmanager
    def job(self, job: Job | None = None, *, mode: Mode = Mode.HOST, **more: object) -> Iterator[JobRun]:
        job = job or Job()
        request = self.world.issuer.start(job)
        with JobRun(job, work=self.work, mode=mode, engine=self.engine, id_token=request, **more) as run:
            yield run

    def step(
        self, run: JobRun, *, env: dict[str, object] | None = None, cancel: Cancel | None = None, **inputs: object
    ) -> StepResult:
        given = {
            "aws_region": "us-east-1",
            "role_to_assume": self.role,
            "sts_endpoint": self.world.aws_url,
        } | inputs
        return run.uses(
            ROOT,
            with_={name.replace("_", "-"): value for name, value in given.items()},
            env=env,
            image=self.image,
            cancel=cancel,
        )

    def who(self, later: StepResult) -> str:
        """Whose credentials a later step saw, by asking AWS with what it printed of its environment."""
        seen = dict(line.text.split("=", 1) for line in later.raw if line.text.startswith("AWS_"))
        keys = {
            "AccessKeyId": seen["AWS_ACCESS_KEY_ID"],
            "SecretAccessKey": seen["AWS_SECRET_ACCESS_KEY"],
            "SessionToken": seen["AWS_SESSION_TOKEN"],
        }
        return self.world.client("sts", keys).get_caller_identity()["Arn"]


@pytest.fixture
def place(engine: Engine, image: str) -> Iterator[Runner]:
    with Runner.made(engine, image) as place:
        yield place


@pytest.mark.parametrize("mode", WITH_ID_TOKEN, ids=lambda mode: mode.name)
def test_the_step_signs_in_on_every_kind_of_runner(place, mode):
    with place.job(mode=mode) as run:
        step = place.step(run)

    assert step.outcome == "success"
    assert step.annotations == ()
    assert step.outputs["authenticated-arn"] == ARN
    assert set(step.env) == set(VARIABLES)


def test_without_the_permission_the_step_says_so_and_exports_nothing(place):
    with place.job(mode=Mode.NO_ID_TOKEN) as run:
        step = place.step(run)

    assert step.outcome == "failure"
    assert (step.env, step.outputs, step.state) == ({}, {}, {})
    (annotation,) = step.annotations
    assert annotation.level == "error"
    assert "`id-token: write` is missing" in annotation.message


@pytest.mark.parametrize(
    ("job", "event", "said"),
    [
        (
            Job(event_name="pull_request", ref="refs/pull/1/merge"),
            {"pull_request": {"head": {"repo": {"full_name": "someone/octo-repo"}}}},
            "pull request from a fork",
        ),
        (Job(actor="dependabot[bot]"), {}, "Dependabot started this run"),
    ],
    ids=["fork", "Dependabot"],
)
def test_who_gets_no_token_is_told_why(place, job, event, said):
    with place.job(job, mode=Mode.NO_ID_TOKEN, event=event) as run:
        step = place.step(run)

    assert said in step.annotations[0].message


def test_a_refused_step_writes_a_page_whose_policy_lets_the_same_job_in(place):
    feature = Job(ref="refs/heads/feature", environment="prod", immutable_sub=True)
    with place.job(feature) as run:
        refused = place.step(run)
        policy = re.search(r"```json\n(.*?)\n```", refused.summary, re.DOTALL)[1]
        place.world.admin("iam").update_assume_role_policy(RoleName="deploy", PolicyDocument=policy)
        allowed = place.step(run)

    assert (refused.outcome, allowed.outcome) == ("failure", "success")
    assert "The subject has IDs" in refused.annotations[0].message
    assert allowed.summary == ""


def test_a_step_that_starts_from_keys_says_nothing_but_its_own_words(place):
    iam = place.world.admin("iam")
    iam.create_user(UserName="ci")
    key = iam.create_access_key(UserName="ci")["AccessKey"]
    with place.job(mode=Mode.NO_ID_TOKEN, masks=[key["AccessKeyId"], key["SecretAccessKey"]]) as run:
        step = place.step(
            run,
            role_to_assume="",
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )

    assert step.outcome == "success"
    assert not [line.text for line in step.raw if "Warning" in line.text]


def test_a_step_on_the_host_sees_credentials_that_work(place):
    with place.job() as run:
        place.step(run)
        later = run.host(["sh", "-c", "id -u; env"])

    assert place.who(later) == ARN
    # On the machine of a test that is root, the runner is another user, as it is at GitHub.
    assert later.raw[0].text == ("1001" if os.getuid() == 0 else str(os.getuid()))


def test_a_step_in_the_jobs_container_sees_credentials_that_work(place):
    with place.job(mode=Mode.JOB_CONTAINER) as run:
        place.step(run)
        later = run.in_job_container(["env"], image=place.image)

    assert place.who(later) == ARN


@pytest.mark.parametrize("mode", WITH_ID_TOKEN, ids=lambda mode: mode.name)
def test_another_container_action_sees_credentials_that_work(place, mode):
    with place.job(mode=mode) as run:
        place.step(run)
        later = run.docker_action(place.image, entrypoint="/usr/bin/env")

    assert place.who(later) == ARN


def test_a_later_action_with_boto3_needs_nothing_but_the_environment(place):
    ask = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    with place.job(env={"AWS_ENDPOINT_URL_STS": place.world.aws_url}) as run:
        place.step(run)
        later = run.docker_action(place.image, entrypoint="/usr/bin/python3", args=["-I", "-c", ask])

    assert later.raw[-1].text == ARN


def test_the_next_steps_log_shows_no_secret(place):
    with place.job() as run:
        step = place.step(run)
        later = run.host(["env"])

    shown = "\n".join((*step.log, *later.log))
    assert "AWS_SECRET_ACCESS_KEY: ***" in shown
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        assert step.env[name] not in shown


def test_the_log_is_safe_in_whatever_order_the_runner_reads_the_streams(place):
    with place.job(stderr_first=True) as run:
        step = place.step(run, output_credentials="true")

    assert all(line.stream == "stdout" for line in step.raw)
    assert not any(step.env["AWS_SECRET_ACCESS_KEY"] in line for line in step.log)


def test_posts_unwind_like_a_stack(place):
    with place.job(env={"AWS_REGION": "eu-west-1"}) as run:
        first = place.step(run, role_session_name="first")
        place.step(run, role_session_name="second")
        posts = run.post()

    assert [post.outcome for post in posts] == ["success", "success"]
    assert {name: posts[0].env[name] for name in VARIABLES} == dict(first.env)
    assert dict(posts[1].env) == dict.fromkeys(VARIABLES, "") | {"AWS_REGION": "eu-west-1"}


def test_post_after_a_failed_step_leaves_the_step_before_alone(place):
    with place.job() as run:
        place.step(run)
        place.step(run, role_to_assume="arn:aws:iam::123456789012:role/gone")
        failed, first = run.post()

    assert failed.outcome == "success"
    assert failed.env == {}
    assert set(first.env) == set(VARIABLES)


def test_post_puts_up_with_a_runner_that_keeps_no_state(place):
    with place.job(mode=Mode.ACT_LIKE) as run:
        place.step(run)
        (post,) = run.post()

    assert post.outcome == "success"
    assert post.annotations == ()


def test_cleaning_up_can_be_switched_off(place):
    with place.job(env={"AWS_SKIP_CLEANUP_STEP": "true"}) as run:
        place.step(run)

        assert run.post() == []


@pytest.mark.parametrize("mode", WITH_ID_TOKEN, ids=lambda mode: mode.name)
def test_nothing_is_left_on_the_runner(place, mode):
    with place.job(mode=mode) as run:
        place.step(run)
        run.post()

    assert run.leftovers == ()
    assert list(run.layout.workspace.iterdir()) == []


HOSTILE = {
    "PATH": "utter-nonsense",
    "PYTHONPATH": "/github/workspace",
    "PYTHONHOME": "/github/workspace",
    "PYTHONSTARTUP": "/github/workspace/requests.py",
    "LD_LIBRARY_PATH": "/opt/hostedtoolcache/Python/3.12.1/x64/lib",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "AWS_PROFILE": "missing",
    "AWS_MAX_ATTEMPTS": "abc",
    "AWS_RETRY_MODE": "bogus",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
    "AWS_CONFIG_FILE": "/github/workspace/config",
    "AWS_CA_BUNDLE": "/home/runner/ca.pem",
    "REQUESTS_CA_BUNDLE": "/home/runner/ca.pem",
    "AWS_ACCESS_KEY_ID": "AKIAEXPIRED",
    "AWS_SECRET_ACCESS_KEY": "a\nb",
    "AWS_STS_REGIONAL_ENDPOINTS": "sideways",
    "AWS_DEFAULTS_MODE": "none such",
    "AWS_USE_FIPS_ENDPOINT": "perhaps",
    "BOTOCORE_EXPERIMENTAL__PLUGINS": "evil=requests",
    "SSLKEYLOGFILE": "/github/workspace/keys",
    "NETRC": "/github/workspace/netrc",
    "TZ": "Nowhere/Land",
    "LANG": "xx_YY.latin1",
}
MODULES = ("requests", "boto3", "botocore", "jwt", "json", "sitecustomize", "usercustomize", "py_aws_oidc")


def hostile_workspace(run: JobRun) -> None:
    for module in MODULES:
        (run.layout.workspace / f"{module}.py").write_text("print('HIJACKED')\nraise SystemExit(0)\n")
    (run.layout.workspace / "config").write_text("[default]\nretry_mode = bogus\nmax_attempts = many\n[broken")
    (run.layout.workspace / "netrc").write_text("machine 127.0.0.1 login evil password evil\n")


def test_a_hostile_environment_does_no_harm(place):
    with place.job(env=HOSTILE) as run:
        hostile_workspace(run)
        step = place.step(run)
        (post,) = run.post()

    assert "HIJACKED" not in json.dumps([line.text for line in (*step.raw, *post.raw)])
    assert step.outcome == "success"
    assert step.outputs["authenticated-arn"] == ARN
    assert {
        name: post.env[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    } == {
        "AWS_ACCESS_KEY_ID": "AKIAEXPIRED",
        "AWS_SECRET_ACCESS_KEY": "a\nb",
        "AWS_SESSION_TOKEN": "",
    }
    assert {note.message.split()[0] for note in step.annotations} == {
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_STS",
        "AWS_CA_BUNDLE",
        "REQUESTS_CA_BUNDLE",
    }


def test_every_input_invalid_at_once_is_one_message(place):
    with place.job() as run:
        step = place.step(
            run,
            aws_region="us-east-1\nEVIL=1",
            role_to_assume="arn:aws:s3:::bucket",
            audience="a\nb",
            role_session_name="::add-mask::x",
            role_duration_seconds="soon",
            output_credentials="yes",
            output_env_credentials="no",
            mask_aws_account_id="1",
            sts_endpoint="nowhere",
        )

    (annotation,) = step.annotations
    assert annotation.message.startswith("9 inputs of this step cannot be used")
    assert (step.env, step.outputs, step.state) == ({}, {}, {})


def other_account(place: Place) -> str:
    """A role in another account that the first role may assume."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": place.role},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
    }
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    return place.world.create_role("audit", trust=trust, account="210987654321")


def named(place: Place, later: StepResult) -> str:
    """Whose credentials the profile holds that a later step found, by asking AWS with what it printed."""
    assert later.outcome == "success", later.log
    seen = dict(line.text.split(" = ", 1) for line in later.raw if line.text.startswith("aws_"))
    keys = {
        "AccessKeyId": seen["aws_access_key_id"],
        "SecretAccessKey": seen["aws_secret_access_key"],
        "SessionToken": seen["aws_session_token"],
    }
    return place.world.client("sts", keys).get_caller_identity()["Arn"]


SHOW_PROFILE = ["sh", "-c", 'cat "$AWS_SHARED_CREDENTIALS_FILE"; env']
AUDIT = "arn:aws:sts::210987654321:assumed-role/audit/GitHubActions"
PROFILE = "arn:aws:sts::123456789012:assumed-role/deploy/profile"


@pytest.mark.parametrize("mode", [Mode.HOST, Mode.JOB_CONTAINER, Mode.OLD_RUNNER], ids=lambda mode: mode.name)
def test_three_steps_serve_three_kinds_of_later_steps_and_unwind(place, mode):
    with place.job(mode=mode) as run:
        first = place.step(run)
        second = place.step(run, role_to_assume=other_account(place), role_chaining=True)
        third = place.step(run, aws_profile="deploy", role_session_name="profile")
        later = [
            run.host(SHOW_PROFILE),
            run.in_job_container(SHOW_PROFILE, image=place.image),
            run.docker_action(place.image, entrypoint="/bin/sh", args=SHOW_PROFILE[1:]),
        ]
        posts = run.post()

    assert [step.outcome for step in (first, second, third)] == ["success"] * 3
    assert [place.who(step) for step in later] == [AUDIT] * 3
    assert [named(place, step) for step in later] == [PROFILE] * 3
    assert [post.outcome for post in posts] == ["success"] * 3
    assert dict(posts[0].env) == {"AWS_SHARED_CREDENTIALS_FILE": "", "AWS_CONFIG_FILE": ""}
    assert {name: posts[1].env[name] for name in VARIABLES} == dict(first.env)
    assert dict(posts[2].env) == dict.fromkeys(VARIABLES, "")
    assert run.leftovers == ()


def test_a_profile_is_the_runners_own_file_that_nobody_else_may_read(place):
    with place.job() as run:
        place.step(run, aws_profile="deploy")
        folder = run.layout.temp / "_github_home" / ".aws"
        modes = {
            path.name: (path.stat().st_mode & 0o777, path.stat().st_uid) for path in (folder, *folder.iterdir())
        }
        owner = run.layout.temp.stat().st_uid
        run.post()

        assert not folder.exists()

    assert modes == {".aws": (0o700, owner), "credentials": (0o600, owner), "config": (0o600, owner)}


def test_sdks_read_the_profile_in_another_container_action(place):
    ask = "import boto3; print(boto3.Session(profile_name='deploy').client('sts').get_caller_identity()['Arn'])"
    with place.job(env={"AWS_ENDPOINT_URL_STS": place.world.aws_url}) as run:
        place.step(run, aws_profile="deploy")
        later = run.docker_action(place.image, entrypoint="/usr/bin/python3", args=["-I", "-c", ask])

    assert later.raw[-1].text == ARN


def test_two_profiles_stand_side_by_side_and_go_one_by_one(place):
    with place.job() as run:
        place.step(run, aws_profile="one")
        place.step(run, aws_profile="two")
        file = run.layout.temp / "_github_home" / ".aws" / "credentials"
        both = file.read_text()
        second, first = run.post()

    assert both.index("[one]") < both.index("[two]")
    assert any("Removed the profile two" in line for line in second.log)
    assert any("Removed the profile one" in line for line in first.log)
    assert run.leftovers == ()


@pytest.mark.parametrize("path", ["", "/elsewhere", "relative", "{home}/other"])
@pytest.mark.parametrize("mode", [Mode.HOST, Mode.OLD_RUNNER], ids=lambda mode: mode.name)
def test_a_profile_goes_also_when_a_later_step_changes_the_variables_that_name_its_files(place, mode, path):
    with place.job(mode=mode) as run:
        home = run.layout.temp / "_github_home"
        place.step(run, aws_profile="deploy")
        for variable in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
            run.host(["sh", "-c", f'echo "{variable}={path.format(home=home)}" >> "$GITHUB_ENV"'])
        (post,) = run.post()

        assert not (home / ".aws").exists()

    assert post.outcome == "success"
    assert post.annotations == ()


def test_a_profile_in_the_runners_temporary_folder_goes_when_its_variables_are_blanked(place):
    with place.job() as run:
        files = {
            name: str(run.layout.temp / "aws" / name) for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE")
        }
        for name, file in files.items():
            run.host(["sh", "-c", f'echo "{name}={file}" >> "$GITHUB_ENV"'])
        step = place.step(run, aws_profile="deploy")
        written = sorted(path.name for path in (run.layout.temp / "aws").iterdir())
        for name in files:
            run.host(["sh", "-c", f'echo "{name}=" >> "$GITHUB_ENV"'])
        (post,) = run.post()

        assert not (run.layout.temp / "aws").exists()

    assert step.outcome == "success"
    assert written == sorted(files)
    assert post.annotations == ()


def plant(run: JobRun, file: str) -> None:
    """Let a step write a state for post to GITHUB_ENV, which removes the section [a] of a file."""
    section = {"file": file, "made": True, "profile": "a", "section": "a", "before": None, "joint": ""}
    found = hashlib.sha256(b"[a]\nb = c").hexdigest()
    state = json.dumps({"sections": [section | {"fingerprint": found}], "folders": []})
    run.host(["sh", "-c", f"echo 'STATE_PY_AWS_OIDC_PROFILE={state}' >> \"$GITHUB_ENV\""])


def test_a_state_that_another_step_plants_does_not_count_for_a_step_that_succeeded(place):
    with place.job() as run:
        file = run.layout.temp / "_github_home" / "x"
        run.host(["sh", "-c", f"printf '[a]\\nb = c\\n' > {file}"])
        place.step(run)
        plant(run, "/github/home/x")
        (post,) = run.post()

        assert file.read_text() == "[a]\nb = c\n"

    assert post.outcome == "success"


@pytest.mark.parametrize("path", ["/github/workspace/x", "/github/home/../workspace/x", "/github/home/link/x"])
def test_a_state_that_another_step_plants_reaches_no_file_of_the_workspace(place, path):
    with place.job(mode=Mode.NO_ID_TOKEN) as run:
        file = run.layout.workspace / "x"
        run.host(["sh", "-c", f"printf '[a]\\nb = c\\n' > {file}"])
        run.host(["ln", "-s", "/github/workspace", str(run.layout.temp / "_github_home" / "link")])
        failed = place.step(run)
        plant(run, path)
        (post,) = run.post()

        assert file.read_text() == "[a]\nb = c\n"

    assert failed.outcome == "failure"
    assert path in post.annotations[0].message


def test_step_debug_shows_no_secret_of_a_profile_that_is_replaced(place):
    credentials = (
        "[dev]\naws_access_key_id: OLDKEY0123456789\nAWS_SECRET_ACCESS_KEY = old/s3cret\n# was old-c0mment\n"
    )
    config = "[profile dev]\ncredential_process = x --token old-t0ken\nregion = eu-west-1\n"
    with place.job(step_debug=True) as run:
        folder = run.layout.temp / "_github_home" / ".aws"
        run.host(["mkdir", str(folder)])
        for name, text in (("credentials", credentials), ("config", config)):
            run.host(["sh", "-c", f"printf '%s' \"$TEXT\" > {folder / name}"], env={"TEXT": text})
        step = place.step(run, aws_profile="dev", overwrite_aws_profile=True)
        run.post()

        assert ((folder / "credentials").read_text(), (folder / "config").read_text()) == (credentials, config)

    (state,) = [line for line in step.log if "Save intra-action state PY_AWS_OIDC_PROFILE" in line]
    assert "eu-west-1" in state
    for secret in ("OLDKEY0123456789", "old/s3cret", "old-c0mment", "old-t0ken"):
        assert not any(secret in line for line in step.log)


def test_a_profile_that_is_there_already_is_refused_and_stays(place):
    with place.job() as run:
        place.step(run, aws_profile="one", role_session_name="first")
        again = place.step(run, aws_profile="one", role_session_name="second")
        kept = named(place, run.host(SHOW_PROFILE))

    assert again.outcome == "failure"
    assert (again.env, again.outputs, again.state) == ({}, {}, {})
    assert kept.endswith("/first")


def test_a_token_file_outside_of_the_container_is_told_with_the_way_out(place):
    with place.job() as run:
        step = place.step(run, web_identity_token_file="/var/run/secrets/eks.amazonaws.com/serviceaccount/token")

    assert "which sees only the workspace and HOME of the job" in step.annotations[0].message


def test_a_token_file_in_the_workspace_is_exchanged(place):
    with place.job() as run:
        token = place.world.issuer.mint(Job(), "sts.amazonaws.com")
        (run.layout.workspace / "token").write_text(token)
        step = place.step(run, web_identity_token_file="token")

    assert step.outputs["authenticated-arn"] == ARN


def test_a_shared_credentials_file_of_the_host_is_told_to_be_out_of_reach(place):
    with place.job(env={"AWS_SHARED_CREDENTIALS_FILE": "/home/runner/.aws/credentials"}) as run:
        step = place.step(run, aws_profile="one")

    assert step.outcome == "failure"
    assert "/home/runner/.aws/credentials" in step.annotations[0].message


@pytest.mark.parametrize("number", ["INT", "TERM"])
def test_a_step_that_is_cancelled_ends_at_once_and_exports_nothing(place, number):
    waits = (0.0, 30.0) if number == "TERM" else (30.0, 30.0)
    held = Event()
    place.world.faults.script("AssumeRoleWithWebIdentity", always=Fault(hold=held))
    try:
        with place.job(step_debug=True) as run:
            step = place.step(run, cancel=Cancel(at="Starting from", waits=waits))
    finally:
        held.set()

    assert step.outcome == "cancelled"
    assert step.exit_code == 1
    assert (step.env, step.outputs, step.state) == ({}, {}, {})
