"""Two releases and a roll back on this machine, from one commit of the repository."""

import pytest

from release import rehearsal
from release.errors import ReleaseError

pytestmark = [pytest.mark.registry, pytest.mark.container]


def test_two_releases_move_v1_and_a_roll_back_moves_it_back(project):
    before = project.repository.remote_refs()

    lines = list(rehearsal.rehearse(project.root))

    assert [line for line in lines if line.startswith("Moved")] == [
        "Moved v1 from nowhere to v1.0.0",
        "Moved v1 from v1.0.0 to v1.0.1",
        "Moved v1 from v1.0.1 to v1.0.0",
        "Moved v1 from v1.0.0 to v1.0.1",
    ]
    assert [line.split(" as ")[0] for line in lines if line.startswith("Released")] == [
        "Released 1.0.0",
        "Released 1.0.1",
    ]
    assert sum("a build of the tag has this digest" in line for line in lines) == 2
    assert lines[-1].startswith("Not rehearsed: ")
    assert project.repository.remote_refs() == before
    assert project.repository.git("status", "--porcelain") == ""


def test_a_docker_engine_that_does_not_answer_is_told_before_the_build(project, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")

    with pytest.raises(ReleaseError, match="docker version"):
        next(rehearsal.rehearse(project.root))


def test_a_repository_that_cannot_be_released_fails_the_rehearsal(project):
    project.commit("Break it", **{"action.yml": "runs: {using: docker, image: Dockerfile}\n"})

    with pytest.raises(ReleaseError, match="lines `image: Dockerfile`"):
        list(rehearsal.rehearse(project.root, build_again=False))
