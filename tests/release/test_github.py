"""What gh is asked to do, by a program that stands for it and keeps a release as files."""

import json
from pathlib import Path

import pytest
from tests.release.conftest import Project, built

from release import github, steps
from release.errors import ReleaseError
from release.registry import Image
from release.steps import Release
from release.versions import Version

REPOSITORY = "octo-org/py-aws-oidc"
GH = """\
#!/bin/sh
cd {folder}
echo "$@" >>calls
case "$1 $2" in
    "release view") cat state || exit 1 ;;
    "release create") [ ! -e state ] || exit 1; cat >notes; echo '{{"isDraft": true}}' >state ;;
    "release edit") echo '{{"isDraft": false}}' >state ;;
    "release delete") rm state ;;
    "attestation verify") [ -e attested ] || {{ echo 'Error: no attestations found' >&2; exit 1; }} ;;
esac
"""
IMAGE = Image("ghcr.io/octo-org/py-aws-oidc", "1.0.0", f"sha256:{'a' * 64}")


@pytest.fixture
def gh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what stands for gh: its calls, its release."""
    folder = tmp_path / "gh"
    folder.mkdir()
    (folder / "gh").write_text(GH.format(folder=folder))
    (folder / "gh").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return folder


def calls(gh: Path) -> list[str]:
    return (gh / "calls").read_text().splitlines()


def test_a_release_is_a_draft_with_its_assets_before_it_is_published(gh):
    github.publish(REPOSITORY, Version(1, 0, 0), "What changed.\n", [Path("a.json"), Path("b.json")])

    where = f"--repo {REPOSITORY}"
    assert calls(gh) == [
        f"release view v1.0.0 --json isDraft {where}",
        f"release create v1.0.0 --draft --verify-tag --title 1.0.0 --notes-file - {where} a.json b.json",
        f"release edit v1.0.0 --draft=false {where}",
    ]
    assert (gh / "notes").read_text() == "What changed.\n"


def test_the_draft_of_an_earlier_try_is_made_anew(gh):
    (gh / "state").write_text('{"isDraft": true}')
    github.publish(REPOSITORY, Version(1, 0, 0), "", [])

    assert [call.split()[1] for call in calls(gh)] == ["view", "delete", "create", "edit"]


def test_a_release_that_is_published_is_left_alone(gh):
    (gh / "state").write_text('{"isDraft": false}')
    github.publish(REPOSITORY, Version(1, 0, 0), "", [])

    assert [call.split()[1] for call in calls(gh)] == ["view"]


def test_provenance_must_be_of_the_release_workflow_on_main(gh):
    (gh / "attested").touch()
    github.verify_provenance(REPOSITORY, IMAGE)

    (call,) = calls(gh)
    assert call.startswith(f"attestation verify oci://{IMAGE.by_digest} --repo {REPOSITORY} ")
    assert call.endswith(
        f" --signer-workflow {REPOSITORY}/.github/workflows/release.yml --source-ref refs/heads/main"
    )


@pytest.mark.usefixtures("gh")
def test_an_image_without_provenance_is_refused():
    with pytest.raises(ReleaseError, match="gh attestation") as failure:
        github.verify_provenance(REPOSITORY, IMAGE)
    assert "no attestations found" in str(failure.value)


@pytest.mark.parametrize(("version", "moved"), [(Version(1, 0, 0), True), (Version(0, 9, 0), False)])
def test_the_moving_tag_follows_the_published_release(project: Project, gh, tmp_path, version, moved):
    project.set_version(version)
    release = Release(built(tmp_path / "out", IMAGE.name, version).folder, version, IMAGE.name)
    steps.tag(project.repository, release)
    steps.publish(project.repository, release, REPOSITORY)

    assert json.loads((gh / "state").read_text()) == {"isDraft": False}
    assert (gh / "notes").read_text() == f"- Something.\n\nImage: `{release.image}`\n"
    assert {Path(name).name for name in calls(gh)[1].split() if name.startswith("/")} == {
        "image.txt",
        "sbom-amd64.cdx.json",
        "sbom-arm64.cdx.json",
    }
    assert ("v1" in project.repository.remote_tags()) == moved
