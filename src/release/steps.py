"""The steps of a release, and its verification: what the workflow and the rehearsal both call."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from release import commits, github, programs, registry, sbom, signing, versions
from release.commits import Repository
from release.errors import ReleaseError
from release.layout import Layout
from release.registry import Image
from release.versions import Version

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from release.signing import Signer

LAYOUT = "oci"  # the folder that tools/oci-image makes
INPUTS = ("requirements", "src/py_aws_oidc", "tools")  # what decides the digest


@dataclass(frozen=True)
class Release:
    """A built release: its folder, its version and the name that its image has in the registry."""

    folder: Path
    version: Version
    name: str

    @property
    def layout(self) -> Layout:
        """The image."""
        return Layout(self.folder / LAYOUT)

    @property
    def image(self) -> Image:
        """The image's full name, which goes into action.yml."""
        return Image.parse(f"{self.name}:{self.version}@{self.layout.digest}")

    def bills(self) -> dict[str, Path]:
        """The bills of materials by the digests of the images that they are of."""
        return {one.digest: self.folder / f"sbom-{one.architecture}.cdx.json" for one in self.layout.manifests()}


def name_of(repository: str) -> str:
    """The image's name in GitHub's registry; a registry knows no upper case."""
    return f"ghcr.io/{repository.partition('/')[0].lower()}/{sbom.NAME}"


def check(repository: Repository, version: Version, commit: str = "HEAD") -> str:
    """The notes of a version that a commit can be released as."""
    commit = repository.commit(commit)
    files = (repository.text(commit, versions.INIT), repository.text(commit, versions.CHANGELOG))
    return versions.check(version, *files, repository.remote_tags())


def build(root: Path, folder: Path, version: Version, *, expected: str = "", options: Sequence[str] = ()) -> Layout:
    """Build the image of a source tree into a new folder, with a bill of materials for each platform.

    `options` are those of tools/oci-image. ReleaseError if a digest is expected and the build has another.
    """
    Repository(root).check_clean(*INPUTS)
    versions.agree(version, (root / versions.INIT).read_text(encoding="utf-8"))
    if folder.exists() and any(folder.iterdir()):
        raise ReleaseError(
            f"{folder} is not empty.", why="A build never mixes with another.", fix="Name a new folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    programs.run(str(root / "tools" / "oci-image"), str(folder), *options, cwd=root)
    layout = Layout(folder / LAYOUT)
    for manifest in layout.manifests():
        text = sbom.document(layout.files(manifest), manifest, str(version))
        (folder / f"sbom-{manifest.architecture}.cdx.json").write_text(text, encoding="utf-8")
    _same(layout.digest, expected or layout.digest, "The build has the digest")
    return layout


def push(release: Release, signer: Signer) -> None:
    """Push the image, then sign it and its bills of materials by digest."""
    _find("cosign", "skopeo")
    _ = signer.sign  # without a key, fail before the push
    registry.push(release.layout, release.image)
    signing.sign(release.name, release.image.digest, release.bills(), signer)


def write_action(root: Path, folder: Path, image: Image) -> None:
    """Write the action.yml of the release into a folder, to run it before anything is published."""
    folder.mkdir(parents=True, exist_ok=True)
    action = (root / commits.ACTION).read_text(encoding="utf-8")
    (folder / commits.ACTION).write_text(commits.pinned(action, image), encoding="utf-8")


def tag(repository: Repository, release: Release, commit: str = "HEAD") -> str:
    """Make the release commit of a commit of main, check it, and push it with its tag."""
    check(repository, release.version, commit)
    made = repository.release_commit(repository.commit(commit), release.version, release.image)
    repository.check_release(made)
    repository.publish(release.version, made)
    return made


def publish(repository: Repository, release: Release, github_repository: str, commit: str = "HEAD") -> None:
    """Publish the release on GitHub, then move the tag of its major version to it."""
    notes = f"{check(repository, release.version, commit)}\n\nImage: `{release.image}`\n"
    name = release.folder / "image.txt"
    name.write_text(f"{release.image}\n", encoding="utf-8")
    github.publish(github_repository, release.version, notes, [name, *release.bills().values()])
    if release.version.moving_tag:
        repository.move(release.version)


def verify(
    repository: Repository,
    tag: str,
    signer: Signer,
    *,
    build_options: Sequence[str] | None = (),
    provenance_of: str = "",
) -> Iterator[str]:
    """Check a release from its tag to its image; a line for each thing that was found right.

    ReleaseError at the first that is not. The tag is that of the remote, which jobs use. `build_options` are those of
    tools/oci-image; None leaves the build out. `provenance_of` is the repository on GitHub that must have built it.
    """
    version = Version.parse(tag)
    _find("cosign", "skopeo", *(["gh"] if provenance_of else []))
    with tempfile.TemporaryDirectory() as folder:
        source = repository.copied(Path(folder) / "source")
        commit = source.released(version)
        main, image = source.check_release(commit)
        yield f"{version.tag} is commit {commit}: main's {main} and one line of {commits.ACTION}"
        yield f"that line names {image}"
        if image.tag != str(version):
            raise ReleaseError(
                f"{version.tag} names the image of {image.tag}.",
                why="A release names the image of its own version.",
                fix="Do not use this release. Ask the repository's maintainers who made it.",
            )
        if build_options is not None:
            source.git("checkout", "--quiet", "--detach", commit)
            build(source.folder, Path(folder) / "out", version, expected=image.digest, options=build_options)
            yield "a build of the tag has this digest"
    with tempfile.TemporaryDirectory() as folder:
        pulled = Layout(Path(folder))
        programs.run(
            *("skopeo", "copy", "--quiet", "--all", "--preserve-digests"),
            *(["--src-tls-verify=false"] if registry.is_loopback(image.name) else []),
            *(f"docker://{image.by_digest}", f"oci:{pulled.folder}:release"),
            fix="Check that the registry can be reached and that the image is public.",
        )
        _same(pulled.digest, image.digest, "The registry's image has the digest")
        manifests = pulled.manifests()
        yield f"the registry has it, for {', '.join(one.architecture for one in manifests)}"
        for digest in (image.digest, *(one.digest for one in manifests)):
            signing.verify_signature(image.name, digest, signer)
        yield f"its signature is that of {_who(signer)}"
        for one in manifests:
            found = sbom.packages(json.loads(sbom.document(pulled.files(one), one, str(version))))
            bill = signing.attested_bill(image.name, one.digest, signer)
            if (signed := bill["metadata"]["component"]["version"]) != str(version):
                raise ReleaseError(
                    f"The image for {one.architecture} is that of {signed}, not of {version}.",
                    why="Its signed bill of materials names that version.",
                    fix="Do not use this release. Ask the repository's maintainers who made it.",
                )
            if sbom.packages(bill) != found:
                raise ReleaseError(
                    f"The signed bill of materials for {one.architecture} is not that of the image.",
                    why="It names other packages or versions than the image has.",
                    fix="Do not trust it. Ask the repository's maintainers who made it.",
                )
        yield "its signed bills of materials name the packages that are in it"
    if provenance_of:
        github.verify_provenance(provenance_of, image)
        yield f"its provenance says that {provenance_of} built it"


def _find(*names: str) -> None:
    """ReleaseError if a program is missing, before a step begins with the others."""
    for name in names:
        programs.find(name)


def _same(found: str, expected: str, what: str) -> None:
    if found != expected:
        raise ReleaseError(
            f"{what} {found}, not {expected}.",
            why="The source, the build's tools or its inputs (requirements, Debian's packages) differ.",
            fix="Compare the two images file by file before you use this release (docs/release.md).",
        )


def _who(signer: Signer) -> str:
    return signer.identity if isinstance(signer, signing.Keyless) else "the given key"
