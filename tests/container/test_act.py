"""The action under nektos/act, which reads the same action.yml and builds the same Dockerfile."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from tests.container.place import copy_sources

from sandbox.job import Job
from sandbox.runner import Engine
from sandbox.world import World, github_trust

pytestmark = pytest.mark.container

ROOT = Path(__file__).parents[2]
BASE = "debian:trixie-slim"
ACT = Path(sysconfig.get_path("scripts")) / "act"
WORKFLOW = """\
on: push
jobs:
  deploy:
    runs-on: ubuntu-latest
    permissions:
      id-token: write
    steps:
      - uses: ./
        id: aws
        with:
          aws-region: us-east-1
          role-to-assume: {role}
          sts-endpoint: {sts}
      - run: |
          env | grep ^AWS_ > seen
          echo "ARN=${{{{ steps.aws.outputs.authenticated-arn }}}}" >> seen
        shell: sh
"""


def act(folder: Path, world: World, role: str, engine: Engine) -> subprocess.CompletedProcess[str]:
    """Run the workflow on a copy of the action, with Debian standing for ubuntu-latest."""
    copy_sources(folder)
    shutil.copy(ROOT / "action.yml", folder)
    workflow = folder / ".github" / "workflows" / "deploy.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(WORKFLOW.format(role=role, sts=world.aws_url))
    request = world.issuer.start(Job())
    options = ["--bind", "--rm", "--pull=false", "--network", "host", "--platform", f"ubuntu-latest={BASE}"]
    variables = {"ACTIONS_ID_TOKEN_REQUEST_URL": request.url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": request.token}
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder.parent / "home"),
        "DOCKER_BUILDKIT": "0",
        **({"DOCKER_HOST": engine.host} if engine.host else {}),
    }
    return subprocess.run(
        [ACT, "push", *options, *(f"--env={name}={value}" for name, value in variables.items())],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.mark.usefixtures("dockerfile_image")  # which makes sure of its base
def test_a_run_step_after_the_action_sees_working_credentials(tmp_path, engine):
    folder = tmp_path / "octo-repo"
    folder.mkdir()
    with World() as world:
        role = world.create_role("deploy", trust=github_trust(world.register_provider(), Job().sub))

        run = act(folder, world, role, engine)

        assert run.returncode == 0, run.stdout + run.stderr
        seen = dict(line.split("=", 1) for line in (folder / "seen").read_text().splitlines())
        (
            folder / "seen"
        ).unlink()  # no file but the runner's own is to hold credentials, and this one is the test's
        keys = {
            "AccessKeyId": seen["AWS_ACCESS_KEY_ID"],
            "SecretAccessKey": seen["AWS_SECRET_ACCESS_KEY"],
            "SessionToken": seen["AWS_SESSION_TOKEN"],
        }
        assert world.client("sts", keys).get_caller_identity()["Arn"] == seen["ARN"]
        assert seen["AWS_SECRET_ACCESS_KEY"] not in run.stdout
