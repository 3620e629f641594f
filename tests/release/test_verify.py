"""A release is verified from its tag to its image; what is unsigned, or signed by another, is refused."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.release import sigstore
from tests.release.conftest import VERSION, Project, built

from release import github, programs, registry, signing, steps
from release.errors import ReleaseError
from release.rehearsal import new_key
from release.signing import Key, Keyless
from release.steps import Release
from sandbox.job import Job
from sandbox.world import World

pytestmark = pytest.mark.registry

REPOSITORY = "octo-org/py-aws-oidc"
JOB = Job(owner="octo-org", name="py-aws-oidc", workflow_file=".github/workflows/release.yml")


def name(address: str, folder: Path) -> str:
    """A name in the registry for one test."""
    return f"{address}/{folder.name.replace('_', '-').lower()}/py-aws-oidc"


@dataclass(frozen=True)
class Released:
    """A project with a release that is tagged and pushed, and as yet without signatures."""

    project: Project
    release: Release

    def verify(self, signer: signing.Signer, *, build_it: bool = False) -> list[str]:
        return list(steps.verify(self.project.repository, "v1.0.0", signer, build_options=() if build_it else None))

    def sign(self, signer: signing.Signer) -> None:
        image = self.release.image
        signing.sign(image.name, image.digest, self.release.bills(), signer)


@pytest.fixture
def released(project: Project, address: str, tmp_path: Path) -> Released:
    project.set_version(VERSION)
    release = Release(tmp_path / "out", VERSION, name(address, tmp_path))
    steps.build(project.root, release.folder, VERSION)
    registry.push(release.layout, release.image)
    steps.tag(project.repository, release)
    return Released(project, release)


def test_a_release_signed_by_the_key_is_verified_with_a_build_of_the_tag(released, key):
    released.sign(key)

    lines = released.verify(key, build_it=True)

    assert len(lines) == 6
    assert any(line == "the registry has it, for amd64, arm64" for line in lines)


def test_verifying_leaves_the_clone_as_it_is(released, key):
    released.sign(key)
    git = released.project.root / ".git"
    before = {path: path.stat().st_mtime_ns for path in git.rglob("*")}
    released.verify(key, build_it=True)

    assert {path: path.stat().st_mtime_ns for path in git.rglob("*")} == before


def test_the_tag_of_the_remote_is_verified_and_not_that_of_the_clone(released, key):
    released.sign(key)
    released.project.repository.git("tag", "v1.0.0", "HEAD")

    assert released.verify(key)


def test_a_tag_that_the_remote_does_not_have_is_told(released, key):
    released.project.repository.git("tag", "v1.0.1", "HEAD")

    with pytest.raises(ReleaseError, match=r"v1\.0\.1 is not released"):
        list(steps.verify(released.project.repository, "v1.0.1", key, build_options=None))


def test_a_program_that_is_missing_is_told_before_the_build(released, key, monkeypatch):
    find = programs.find
    monkeypatch.setattr(programs, "find", lambda program: find("nothing" if program == "gh" else program))

    with pytest.raises(ReleaseError, match="not installed"):
        next(steps.verify(released.project.repository, "v1.0.0", key, provenance_of=REPOSITORY))


def cut(data: Path) -> None:
    """Leave half of each layer."""
    for path in data.rglob("blobs/**/data"):
        if (content := path.read_bytes()).startswith(b"\x1f\x8b"):
            path.write_bytes(content[: len(content) // 2])


def lose_a_manifest(data: Path) -> None:
    """Remove the image for arm64, and leave the index that names it."""
    for path in data.rglob("blobs/**/data"):
        if b'"manifests"' in (content := path.read_bytes()):
            digest = json.loads(content)["manifests"][1]["digest"].removeprefix("sha256:")
            (data / "docker/registry/v2/blobs/sha256" / digest[:2] / digest / "data").unlink()


@pytest.mark.parametrize("damage", [cut, lose_a_manifest])
def test_an_image_that_is_damaged_in_the_registry_is_refused(project, key, tmp_path, damage):
    project.set_version(VERSION)
    with registry.serving(tmp_path / "data") as address:
        release = Release(tmp_path / "out", VERSION, f"{address}/octo-org/py-aws-oidc")
        steps.build(project.root, release.folder, VERSION)
        steps.push(release, key)
        steps.tag(project.repository, release)
        damage(tmp_path / "data")

        with pytest.raises(ReleaseError, match="skopeo copy"):
            Released(project, release).verify(key)


def test_an_unsigned_image_is_refused(released, key):
    with pytest.raises(ReleaseError, match="cosign verify") as failure:
        released.verify(key)
    assert "no signatures found" in str(failure.value)


def test_an_image_with_anothers_signature_is_refused(released, key, tmp_path):
    released.sign(new_key(tmp_path / "another"))

    with pytest.raises(ReleaseError, match="cosign verify"):
        released.verify(key)


def test_an_image_without_a_signed_bill_of_materials_is_refused(released, key):
    signing.sign(released.release.name, released.release.image.digest, {}, key)

    with pytest.raises(ReleaseError, match="verify-attestation"):
        released.verify(key)


def test_a_signed_bill_of_other_packages_is_refused(released, key):
    for path in released.release.bills().values():
        bill = json.loads(path.read_text())
        path.write_text(json.dumps(bill | {"components": bill["components"][1:]}))
    released.sign(key)

    with pytest.raises(ReleaseError, match="is not that of the image"):
        released.verify(key)


def test_a_tag_that_builds_to_another_digest_is_refused(released, key):
    released.sign(key)
    # A commit of main that builds something else, released with the image of the first.
    other = replace(released.release, version=replace(VERSION, patch=1))
    released.project.set_version(other.version)
    image = replace(released.release.image, tag="1.0.1")
    repository = released.project.repository
    repository.publish(other.version, repository.release_commit(repository.commit("HEAD"), other.version, image))

    with pytest.raises(ReleaseError, match="The build has the digest"):
        list(steps.verify(repository, "v1.0.1", key))


def test_the_signed_image_of_an_older_version_is_refused_also_without_a_build(released, key):
    released.sign(key)
    repository, version = released.project.repository, replace(VERSION, patch=1)
    main = released.project.set_version(version)
    image = replace(released.release.image, tag="1.0.1")
    repository.publish(version, repository.release_commit(main, version, image))

    with pytest.raises(ReleaseError, match=r"is that of 1\.0\.0, not of 1\.0\.1"):
        list(steps.verify(repository, "v1.0.1", key, build_options=None))


def test_a_release_that_names_the_image_of_another_version_is_refused(released, key):
    repository = released.project.repository
    image, version = released.release.image, replace(VERSION, patch=1)
    repository.publish(version, repository.release_commit(repository.commit("HEAD"), version, image))

    with pytest.raises(ReleaseError, match=r"names the image of 1\.0\.0"):
        list(steps.verify(repository, "v1.0.1", key, build_options=None))


def test_the_provenance_is_asked_for_last(released, key, monkeypatch):
    released.sign(key)
    monkeypatch.setattr(
        programs, "find", lambda program, find=programs.find: find("git" if program == "gh" else program)
    )
    asked = []
    monkeypatch.setattr(github, "verify_provenance", lambda *given: asked.append(given))

    *_, last = steps.verify(
        released.project.repository, "v1.0.0", key, build_options=None, provenance_of=REPOSITORY
    )

    assert last == f"its provenance says that {REPOSITORY} built it"
    assert asked == [(REPOSITORY, released.release.image)]


def test_a_private_key_is_needed_to_sign_but_not_to_verify(released, key):
    public = Key(key.public)
    released.sign(key)

    assert released.verify(public)
    with pytest.raises(ReleaseError, match="no private key"):
        released.sign(public)


@pytest.mark.parametrize("missing", ["the private key", "cosign"])
def test_what_cannot_be_signed_is_not_pushed(key, address, tmp_path, monkeypatch, missing):
    if missing == "cosign":
        find = programs.find
        monkeypatch.setattr(programs, "find", lambda program: find("nothing" if program == "cosign" else program))
    release = built(tmp_path / "out", name(address, tmp_path))

    with pytest.raises(ReleaseError):
        steps.push(release, key if missing == "cosign" else Key(key.public))
    assert registry.digest_of(f"{release.name}:{VERSION}") is None


@dataclass(frozen=True)
class Actions:
    """GitHub Actions with a Sigstore on loopback."""

    services: sigstore.Sigstore
    world: World
    monkeypatch: pytest.MonkeyPatch

    def start(self, job: Job) -> None:
        """Be in a job."""
        for variable, value in sigstore.in_job(self.world, job).items():
            self.monkeypatch.setenv(variable, value)

    def signer(self, repository: str = REPOSITORY) -> Keyless:
        return Keyless(repository, self.services.url, self.services.url)


@pytest.fixture
def actions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Actions]:
    folder = tmp_path / "trusted"
    folder.mkdir()
    with World() as world, sigstore.listening() as services:
        for variable, value in services.trusted(folder).items():
            monkeypatch.setenv(variable, value)
        yield Actions(services, world, monkeypatch)


def test_the_release_workflow_signs_without_a_key(released, actions):
    actions.start(JOB)
    released.sign(actions.signer())

    lines = released.verify(actions.signer())

    assert f"its signature is that of https://github.com/{REPOSITORY}/{signing.WORKFLOW}" in lines
    assert len(actions.services.entries) == 5  # an index and two images signed, two bills attested


@pytest.mark.parametrize(
    "job",
    [
        replace(JOB, owner="someone"),
        replace(JOB, ref="refs/heads/feature"),
        replace(JOB, workflow_file=".github/workflows/ci.yml"),
    ],
    ids=["another repository", "another branch", "another workflow"],
)
def test_a_signature_of_another_workflow_is_refused(released, actions, job):
    actions.start(job)
    released.sign(actions.signer())

    with pytest.raises(ReleaseError, match="cosign verify") as failure:
        released.verify(actions.signer())
    assert "none of the expected identities matched" in str(failure.value)


def test_a_signature_by_a_key_is_no_keyless_one(released, actions, key):
    released.sign(key)

    with pytest.raises(ReleaseError, match="cosign verify"):
        released.verify(actions.signer())


def test_a_job_without_an_id_token_cannot_sign(released, actions):
    actions.start(JOB)
    actions.monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "another")

    with pytest.raises(ReleaseError, match="cosign sign"):
        released.sign(actions.signer())
    with pytest.raises(ReleaseError, match="cosign verify"):
        released.verify(actions.signer())


def test_sigstores_own_services_are_asked_unless_told_otherwise():
    signer = Keyless(REPOSITORY)

    assert signer.sign == ["--yes"]
    assert signer.verify == ["--certificate-identity", signer.identity, "--certificate-oidc-issuer", signing.ISSUER]


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_the_bill_of_materials_can_be_had_from_the_registry(released, key, architecture):
    released.sign(key)
    (manifest,) = [one for one in released.release.layout.manifests() if one.architecture == architecture]

    bill = signing.attested_bill(released.release.name, manifest.digest, key)

    assert bill == json.loads(released.release.bills()[manifest.digest].read_text())


def test_the_stand_in_is_what_the_project_builds(released, tmp_path):
    assert built(tmp_path / "another", released.release.name).image == released.release.image
