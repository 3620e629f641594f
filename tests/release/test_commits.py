"""The release in git: what the commit changes, where its tag goes, and how the tag of the major version moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.release.conftest import ROOT, WHO, Project

from release.commits import Repository, image_of, pinned
from release.errors import ReleaseError
from release.registry import Image
from release.versions import Version

FIRST, SECOND = Version(1, 0, 0), Version(1, 0, 1)
ACTION = (ROOT / "action.yml").read_text()


def image(version: Version = FIRST, letter: str = "a") -> Image:
    return Image("ghcr.io/octo-org/py-aws-oidc", str(version), f"sha256:{letter * 64}")


def release(project: Project, version: Version, letter: str = "a") -> str:
    """Release main as it is now; the commit."""
    made = project.repository.release_commit(project.repository.commit("HEAD"), version, image(version, letter))
    project.repository.check_release(made)
    project.repository.publish(version, made)
    return made


def parents(project: Project, commit: str) -> list[str]:
    return project.repository.git("show", "--no-patch", "--format=%P", commit).split()


def test_a_release_names_the_image_by_tag_and_digest():
    changed = pinned(ACTION, image()).splitlines()

    assert [line for line in changed if line not in ACTION.splitlines()] == [
        f"  image: docker://ghcr.io/octo-org/py-aws-oidc:1.0.0@sha256:{'a' * 64}"
    ]
    assert len(changed) == len(ACTION.splitlines())


@given(st.sampled_from([FIRST, SECOND]), st.sampled_from("abc"))
def test_the_image_of_a_release_is_read_back_from_its_action(version, letter):
    assert image_of(pinned(ACTION, image(version, letter))) == image(version, letter)


@pytest.mark.parametrize("action", ["", ACTION.replace("image: Dockerfile", "image: Dockerfile.new"), ACTION * 2])
def test_an_action_without_one_line_for_the_dockerfile_cannot_be_released(action):
    with pytest.raises(ReleaseError, match="lines `image: Dockerfile`"):
        pinned(action, image())


def test_the_action_of_main_names_no_image():
    with pytest.raises(ReleaseError, match="does not name a prebuilt image"):
        image_of(ACTION)


def test_the_release_commit_is_mains_tree_and_one_line(project):
    made = release(project, FIRST)

    assert project.repository.git("diff", "--numstat", "HEAD", made) == "1\t1\taction.yml"
    assert f"+  image: docker://{image()}" in project.repository.git("diff", "HEAD", made)


def test_the_first_release_is_a_commit_on_main(project):
    assert parents(project, release(project, FIRST)) == [project.repository.commit("HEAD")]


def test_a_later_release_follows_the_one_before_and_names_mains_commit(project):
    first = release(project, FIRST)
    main = project.commit("Change", README="text")
    second = release(project, SECOND, "b")

    assert parents(project, second) == [first, main]
    assert project.repository.remote_refs()["refs/heads/releases/v1"] == second


def test_branch_and_tag_are_pushed_and_main_stays_as_it_is(project):
    main = project.repository.commit("HEAD")
    made = release(project, FIRST)

    assert project.repository.remote_refs() == {
        "refs/heads/main": main,
        "refs/heads/releases/v1": made,
        "refs/tags/v1.0.0": made,
    }
    assert project.repository.git("status", "--porcelain") == ""


def test_a_release_that_is_run_again_is_the_same_commit(project):
    assert release(project, FIRST) == release(project, FIRST)


def test_a_tag_never_moves(project):
    release(project, FIRST)
    project.commit("Change", README="text")

    with pytest.raises(ReleaseError, match=r"tag v1\.0\.0 is already at"):
        release(project, FIRST, "b")


@pytest.mark.parametrize(
    ("name", "text"),
    [("CHANGELOG.md", "another"), ("new", "file"), ("action.yml", pinned(ACTION, image()) + "\n# more\n")],
)
def test_a_release_that_changes_more_is_refused(project, name, text):
    main = project.repository.commit("HEAD")
    made = release(project, FIRST)
    project.repository.git("checkout", "--quiet", made)
    (project.root / name).write_text(text)
    project.repository.git("add", "--all")
    tree = project.repository.git("write-tree")
    who = {f"GIT_{role}_{key}": "a@example.com" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    forged = project.repository.git("commit-tree", tree, "-p", main, "-m", "Release 1.0.0", env=who)

    with pytest.raises(ReleaseError, match="more than the image's line"):
        project.repository.check_release(forged)


def test_a_file_that_becomes_executable_is_refused(project):
    made = release(project, FIRST)
    project.repository.git("checkout", "--quiet", made)
    (project.root / "action.yml").chmod(0o755)
    project.repository.git("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qa", "--amend", "-mx")

    with pytest.raises(ReleaseError, match="more than the image's line"):
        project.repository.check_release("HEAD")


def test_a_commit_that_is_not_on_main_cannot_be_released(project):
    project.repository.git("checkout", "--quiet", "-b", "feature")
    (project.root / "README").write_text("not reviewed")
    project.repository.git("add", "--all")
    project.repository.git(*WHO, "commit", "--quiet", "--message", "Change")

    with pytest.raises(ReleaseError, match="is not on main"):
        release(project, FIRST)
    assert project.repository.remote_tags() == {}


def test_a_release_of_a_commit_that_main_has_moved_on_from_is_valid(project):
    made = release(project, FIRST)
    project.commit("Change", README="text")

    assert project.repository.check_release(made)[1] == image()


def test_the_moving_tag_follows_a_release_and_goes_back(project):
    first = release(project, FIRST)
    assert project.repository.move(FIRST) is None
    project.commit("Change", README="text")
    second = release(project, SECOND, "b")

    assert project.repository.move(SECOND) == "v1.0.0"
    assert project.repository.remote_tags()["v1"] == second
    assert project.repository.move(FIRST) == "v1.0.1"
    assert project.repository.remote_tags() == {"v1": first, "v1.0.0": first, "v1.0.1": second}


def test_a_moving_tag_that_was_elsewhere_is_told_by_its_commit(project):
    main = project.repository.commit("HEAD")
    project.repository.git("push", "--quiet", "origin", "HEAD:refs/tags/v1")
    release(project, FIRST)

    assert project.repository.move(FIRST) == main


def test_a_version_that_is_not_released_cannot_be_moved_to(project):
    with pytest.raises(ReleaseError, match="is not released"):
        project.repository.move(FIRST)


def test_versions_0_have_nothing_to_move(project):
    release(project, Version(0, 9, 0))

    with pytest.raises(ReleaseError, match="no moving tag"):
        project.repository.move(Version(0, 9, 0))


def test_an_annotated_tag_stands_for_its_commit(project):
    project.repository.git(
        "-c", "user.name=a", "-c", "user.email=a@example.com", "tag", "-a", "v1.0.0", "-m", "Annotated"
    )
    project.repository.git("push", "--quiet", "origin", "v1.0.0")

    assert project.repository.remote_tags() == {"v1.0.0": project.repository.commit("HEAD")}


def test_a_git_command_that_fails_says_what_git_said(tmp_path):
    with pytest.raises(ReleaseError, match="not a git repository"):
        Repository(tmp_path).commit("HEAD")
