"""The prebuilt image as a release names it: pulled from a registry by the runner, on both architectures."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.container.place import Place

from release import programs, steps
from release.layout import Layout
from release.registry import Image
from sandbox.job import Job
from sandbox.runner import Engine, JobRun

pytestmark = [pytest.mark.container, pytest.mark.registry]

ROOT = Path(__file__).parents[2]
ARN = "arn:aws:sts::123456789012:assumed-role/deploy/GitHubActions"


@pytest.fixture
def place(engine: Engine, pushed_image: Image) -> Iterator[Place]:
    with Place.made(engine, str(pushed_image)) as place:
        yield place


def inputs(place: Place) -> dict[str, object]:
    return {"aws-region": "us-east-1", "role-to-assume": place.role, "sts-endpoint": place.world.aws_url}


def job(place: Place, **options: object) -> JobRun:
    return JobRun(Job(), work=place.work, engine=place.engine, id_token=place.world.issuer.start(Job()), **options)


def test_a_job_pulls_a_release_by_tag_and_digest_and_runs_it(place, pushed_image, tmp_path):
    steps.write_action(ROOT, tmp_path, pushed_image)
    with job(place, actions={"org/py-aws-oidc@v1": tmp_path}) as run:
        step = run.uses("org/py-aws-oidc@v1", with_=inputs(place))
        (post,) = run.post()

    assert [one.outcome for one in (*run.set_up, step, post)] == ["success"] * 3
    assert run.set_up[0].log[1].endswith(f" pull {pushed_image}")
    assert step.outputs["authenticated-arn"] == ARN
    assert run.leftovers == ()


def test_a_release_is_run_from_a_folder_of_the_workspace_before_it_is_published(place, pushed_image):
    with job(place) as run:
        steps.write_action(ROOT, run.layout.workspace / "released", pushed_image)
        step = run.uses("./released", with_=inputs(place))

    assert (run.set_up, step.outcome) == ([], "success")


def test_the_image_for_arm64_runs(place, pushed_image, tmp_path):
    if not programs.runs_arm64():
        pytest.skip("this machine runs no programs of arm64: `tools/release setup` says why")
    layout = Layout(tmp_path / "oci")
    source = ("--src-tls-verify=false", "--all", f"docker://{pushed_image.by_digest}")
    programs.run("skopeo", "copy", "--quiet", *source, f"oci:{layout.folder}:image")
    (arm64,) = [one for one in layout.manifests() if one.architecture == "arm64"]
    image = f"{pushed_image.name}@{arm64.digest}"
    with job(place) as run:
        step = run.uses(ROOT, with_=inputs(place), image=image)
        (post,) = run.post()
    found = json.loads(place.engine.need("image", "inspect", image))
    place.engine.ask("image", "rm", "--force", image)

    assert found[0]["Architecture"] == "arm64"
    assert (step.outcome, post.outcome) == ("success", "success")
    assert step.outputs["authenticated-arn"] == ARN
