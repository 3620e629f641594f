"""The demo: a role in AWS, a workflow's step, what the steps after it can do, and a refusal."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from sandbox.job import Job
from sandbox.runner import Engine, JobRun, NoEngineError, StepResult
from sandbox.world import World, github_trust

IMAGE = "py-aws-oidc:dev"
ROOT = Path(__file__).resolve().parents[2]
BUCKET = "octo-reports"
WORKFLOW = """\
permissions:
  id-token: write
  contents: read
steps:
  - uses: org/py-aws-oidc@v1
    with:
      aws-region: us-east-1
      role-to-assume: {role}
  - run: python report.py
"""
# A later step: it knows nothing of the action, only what boto3 finds in the environment.
LATER_STEP = f"""\
import boto3

print("I am", boto3.client("sts").get_caller_identity()["Arn"])
s3 = boto3.client("s3")
s3.put_object(Bucket="{BUCKET}", Key="report.txt", Body=b"all is well")
for found in s3.list_objects_v2(Bucket="{BUCKET}")["Contents"]:
    print("s3://{BUCKET}/" + found["Key"], found["Size"], "bytes")
"""


def main(out: TextIO) -> int:
    """Tell the story on `out`; the exit status is 0 when all went as told."""
    tell = Teller(out)
    with World() as world:
        engine = _engine(tell)
        tell.chapter("In AWS, an administrator creates three resources, once")
        provider = world.register_provider()
        job = Job()
        role = world.create_role("deploy", trust=github_trust(provider, job.sub))
        world.admin("s3").create_bucket(Bucket=BUCKET)
        tell.lines(f"identity provider  {provider}")
        tell.lines(f"role               {role}")
        tell.lines(f"  which trusts     {job.sub}")
        tell.lines(f"bucket             s3://{BUCKET}")

        tell.chapter(f"The workflow in {job.repository} has this step, and no secret")
        tell.lines(WORKFLOW.format(role=role))
        tell.lines(f"\nand report.py is\n\n{textwrap.indent(LATER_STEP, '  ')}")
        tell.lines("In the logs below, sts-endpoint says that AWS is on this machine today.")

        tell.chapter("A push to main: the step's log, as GitHub shows it")
        with _job(world, job, engine) as run:
            signed_in = _step(run, world, role, engine)
            tell.log(signed_in)

            tell.chapter("A later step works with these credentials: report.py asks who it is, and uses S3")
            later = _later_step(run, world)
            tell.lines(later.stdout + later.stderr)

            tell.chapter("The end of the job: the action puts the variables back")
            for post in run.post():
                tell.log(post)
            put_back = not any(run.env.get(name) for name in signed_in.env)

        tell.chapter("A push to another branch: the same step is refused, and says why")
        feature = replace(job, ref="refs/heads/feature")
        with _job(world, feature, engine) as run:
            tell.lines(f"The role trusts  {job.sub}")
            tell.lines(f"This token says  {feature.sub}\n")
            refused = _step(run, world, role, engine)
            tell.log(refused)

            tell.chapter("The page of that job has more: what was compared, and what would let it in")
            tell.lines(refused.summary)

    right = [
        ("the step on main signed in", signed_in.outcome == "success"),
        ("the later step used the credentials", later.returncode == 0),
        ("the end of the job put the variables back", put_back),
        ("the step on the other branch failed", refused.outcome == "failure"),
        ("and left nothing behind", not (refused.env or refused.outputs or refused.state)),
        ("but a page on what would let it in", feature.sub in refused.summary),
    ]
    tell.chapter("All that, in short")
    for sentence, true in right:
        tell.lines(f"{'yes' if true else 'NO '}  {sentence}")
    return 0 if all(true for _, true in right) else 1


@dataclass
class Teller:
    """Prints the story in numbered chapters."""

    out: TextIO
    chapters: int = 0

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        self.chapters += 1
        self.out.write(f"\n{self.chapters}. {title}\n\n")
        self.out.flush()

    def lines(self, text: str) -> None:
        """Print text, indented."""
        self.out.write(textwrap.indent(text.rstrip("\n"), "   ") + "\n")
        self.out.flush()

    def log(self, step: StepResult) -> None:
        """Print a step's log in the colours of GitHub's page, as far as plain text goes."""
        for line in step.log:
            # The docker line is as long as it is exact; the tests look at it.
            self.lines(re.sub(r"^(##\[command\]\S+ run ).*", r"\1...", line))


def _engine(tell: Teller) -> Engine | None:
    tell.chapter("Where this runs")
    try:
        engine = Engine.require(run_args=("--network", "host"))
        engine.need("image", "inspect", IMAGE)
    except NoEngineError as error:
        tell.lines(
            f"No image of the action can be run ({error}),\nso the action runs as a process: python -m py_aws_oidc"
        )
        engine = None
    else:
        tell.lines(f"A Docker engine answers, so the action runs in its real image, {IMAGE}.")
    tell.lines("GitHub's token issuer, AWS (IAM, STS, S3) and the runner are the sandbox's, on this machine alone.")
    return engine


@contextmanager
def _job(world: World, job: Job, engine: Engine | None) -> Iterator[JobRun]:
    with (
        tempfile.TemporaryDirectory(prefix="sandbox-") as folder,
        JobRun(job, work=Path(folder) / "work", engine=engine, id_token=world.issuer.start(job)) as run,
    ):
        yield run


def _step(run: JobRun, world: World, role: str, engine: Engine | None) -> StepResult:
    return run.uses(
        ROOT,
        with_={"aws-region": "us-east-1", "role-to-assume": role, "sts-endpoint": world.aws_url},
        image=IMAGE,
        process=None if engine else [sys.executable, "-m", "py_aws_oidc"],
    )


def _later_step(run: JobRun, world: World) -> subprocess.CompletedProcess[str]:
    # Only AWS_ENDPOINT_URL tells boto3 that AWS is on this machine today.
    return subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", LATER_STEP],
        env={**run.env, "AWS_ENDPOINT_URL": world.aws_url, "AWS_EC2_METADATA_DISABLED": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
