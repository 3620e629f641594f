"""An STS that is not AWS's, for real: a Ceph object gateway, started by tools/ceph."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from tests.conftest import ROOT

from sandbox.faults import Fault
from sandbox.in_process import Run, Stage, Watch
from sandbox.issuer import certificate, new_key
from sandbox.job import Job
from sandbox.runner import Engine, JobRun, StepResult, work_folder
from sandbox.world import AUDIENCE, World

pytestmark = [pytest.mark.ceph, pytest.mark.slow]

REGION = "default"
# Ceph 16 does not read `+` as a space in what it is sent, as boto3 would write one.
COMPACT = (",", ":")
EVERYTHING = {"Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}]}


@dataclass(frozen=True)
class Ceph:
    """A gateway and its administrator's key."""

    url: str
    key_id: str
    secret: str

    def client(self, service: str, keys: Mapping[str, str] | None = None) -> Any:
        """A client of the gateway: the administrator's, or one with the variables of a step."""
        given = keys or {"AWS_ACCESS_KEY_ID": self.key_id, "AWS_SECRET_ACCESS_KEY": self.secret}
        config = Config(proxies={}, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=given.get("AWS_SESSION_TOKEN") or None,
            config=config,
        )


@pytest.fixture(scope="module")
def ceph() -> Iterator[Ceph]:
    script = ROOT / "tools" / "ceph"
    started = subprocess.run([script, "start"], stdout=subprocess.PIPE, text=True, check=True)
    try:
        yield Ceph(*re.findall("^export CEPH_[A-Z_]+=(.+)$", started.stdout, re.MULTILINE))
    finally:
        subprocess.run([script, "stop"], check=True)


@dataclass(frozen=True)
class Site:
    """A gateway that knows the issuer of a world, and has a role for its tokens."""

    ceph: Ceph
    world: World
    role: str

    @property
    def name(self) -> str:
        """The role's name."""
        return self.role.rpartition("/")[2]

    def run(self, folder: Path, job: Job | None = None, **inputs: str) -> Run:
        """A step as a process of this machine runs it, with its workspace in `folder`."""
        given = {"aws_region": REGION, "sts_endpoint": self.ceph.url} | inputs
        stage = Stage(self.world, self.role, Watch())
        return stage.run(folder, None, job, environ={"GITHUB_WORKSPACE": str(folder)}, **given)

    def stores(self, keys: Mapping[str, str]) -> bool:
        """Whether an object that is put with a step's variables is there afterwards."""
        s3 = self.ceph.client("s3", keys)
        bucket = f"of-{self.name}"
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="greeting", Body=b"hello")
        return s3.get_object(Bucket=bucket, Key="greeting")["Body"].read() == b"hello"

    def old_token(self) -> str:
        """A token that expired an hour ago."""
        return self.world.issuer.mint(Job(), AUDIENCE, issued_at=datetime.now(UTC) - timedelta(hours=1))


@pytest.fixture
def site(ceph: Ceph) -> Iterator[Site]:
    with World() as world:
        # Ceph fetches the keys itself, so the issuer must be where it says that it is.
        world.issuer.iss = world.issuer.url
        iam = ceph.client("iam")
        provider = iam.create_open_id_connect_provider(
            Url=world.issuer.url,
            ClientIDList=[AUDIENCE],
            ThumbprintList=[hashlib.sha1(certificate()).hexdigest()],  # noqa: S324 - what Ceph compares
        )["OpenIDConnectProviderArn"]
        name = f"role-{world.issuer.url.rpartition(':')[2]}"
        trusted = {
            "Effect": "Allow",
            "Principal": {"Federated": [provider]},
            "Action": ["sts:AssumeRoleWithWebIdentity"],
            "Condition": {"StringEquals": {f"{provider.partition('/')[2]}:app_id": AUDIENCE}},
        }
        owner = {
            "Effect": "Allow",
            "Principal": {"AWS": ["arn:aws:iam:::user/admin"]},
            "Action": ["sts:AssumeRole"],
        }
        trust = {"Version": "2012-10-17", "Statement": [trusted, owner]}
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust, separators=COMPACT))
        document = json.dumps({"Version": "2012-10-17", **EVERYTHING}, separators=COMPACT)
        iam.put_role_policy(RoleName=name, PolicyName="everything", PolicyDocument=document)
        yield Site(ceph, world, role["Role"]["Arn"])


def test_an_id_token_becomes_credentials_that_store_an_object(site, tmp_path):
    run = site.run(tmp_path)

    assert run.status == 0
    assert site.role == f"arn:aws:iam:::role/{site.name}"
    assert run.outputs["authenticated-arn"] == f"arn:aws:sts:::assumed-role/{site.name}/GitHubActions"
    assert run.outputs["aws-account-id"] == ""
    assert "so they are blank: aws-account-id." in run.log
    assert not run.leaks
    assert site.stores(run.env)


def refused(run: Run, site: Site) -> str:
    assert (run.status, run.exported) == (1, [])
    assert run.error.startswith(f"The STS at {site.ceph.url.removeprefix('http://')} refused")
    assert "AWS refused" not in run.log + run.summary
    return run.error


def test_a_token_for_an_audience_that_the_provider_does_not_list_is_refused(site, tmp_path):
    error = refused(site.run(tmp_path, audience="another"), site)

    assert "- aud: another" in error
    assert "with the audience another" in error


def test_a_token_that_has_expired_is_refused(site, tmp_path):
    (tmp_path / "token").write_text(site.old_token())

    error = refused(site.run(tmp_path, web_identity_token_file="token"), site)

    assert "- exp: " in error
    assert "The token has not expired" in error


def test_a_token_that_another_key_has_signed_is_refused(site, tmp_path):
    site.world.faults.script("idtoken", always=Fault(key=new_key()))

    refused(site.run(tmp_path), site)


def test_a_role_that_is_not_there_is_refused(site, tmp_path):
    refused(site.run(tmp_path, role_to_assume="arn:aws:iam:::role/nobody"), site)


def test_a_session_policy_narrows_the_session(site, tmp_path):
    reading = {"Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::*"]}]}
    # With a space in it, which Ceph 16 does not read as `+`.
    run = site.run(tmp_path, inline_session_policy=json.dumps({"Version": "2012-10-17", **reading}))

    assert run.status == 0
    with pytest.raises(Exception, match="AccessDenied"):
        site.stores(run.env)


def test_keys_of_the_gateway_assume_a_role(site, tmp_path):
    keys = {"aws_access_key_id": site.ceph.key_id, "aws_secret_access_key": site.ceph.secret}

    run = site.run(tmp_path, **keys, role_skip_session_tagging="true")

    assert run.status == 0
    assert site.stores(run.env)


@dataclass(frozen=True)
class InImage:
    """Steps of one job on a runner with an engine."""

    site: Site
    run: JobRun
    image: str

    def step(self, **inputs: object) -> StepResult:
        given = {
            "aws_region": REGION,
            "role_to_assume": self.site.role,
            "sts_endpoint": self.site.ceph.url,
        } | inputs
        by_name = {name.replace("_", "-"): value for name, value in given.items()}
        return self.run.uses(ROOT, with_=by_name, image=self.image)


@pytest.fixture
def job(site: Site, engine: Engine, image: str) -> Iterator[InImage]:
    request = site.world.issuer.start(Job())
    on_host = replace(engine, run_args=("--network", "host"))
    with work_folder() as work, JobRun(Job(), work=work, engine=on_host, id_token=request) as run:
        yield InImage(site, run, image)


@pytest.mark.container
def test_the_image_signs_in_and_a_later_step_stores_an_object(site, job):
    step = job.step()

    assert step.outcome == "success"
    assert step.outputs["authenticated-arn"] == f"arn:aws:sts:::assumed-role/{site.name}/GitHubActions"
    assert site.stores(step.env)


@pytest.mark.container
def test_the_image_tells_a_refused_audience_and_an_expired_token_and_exports_nothing(site, job):
    (job.run.layout.workspace / "token").write_text(site.old_token())

    for step in (job.step(audience="another"), job.step(web_identity_token_file="token")):
        assert (step.outcome, step.env, step.outputs, step.state) == ("failure", {}, {}, {})
        (error,) = step.annotations
        assert error.message.startswith("The STS at 127.0.0.1:")
        assert "AWS refused" not in error.message
