"""Two releases and a roll back, against a bare repository and a registry on loopback."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from release import programs, registry, sbom, signing, steps, versions
from release.commits import Repository
from release.steps import Release
from release.versions import Version

VERSIONS = (Version(1, 0, 0), Version(1, 0, 1))
DATE = "2000-01-01"
NOT_REHEARSED = "the release on GitHub, keyless signing, GitHub's provenance and the visibility of the package"


@dataclass(frozen=True)
class Stage:
    """Where a rehearsal plays: a clone of the repository, its bare remote, a registry, and a pair of keys."""

    folder: Path
    repository: Repository
    registry: str
    signer: signing.Key

    @classmethod
    @contextmanager
    def made(cls, source: Path, commit: str = "HEAD") -> Iterator[Stage]:
        """Set it up from a commit of a repository, and take it down."""
        with tempfile.TemporaryDirectory(prefix="rehearsal-") as name:
            folder = Path(name)
            bare, clone = folder / "remote.git", folder / "clone"
            programs.run("git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
            programs.run("git", "clone", "--quiet", "--no-local", str(source), str(clone))
            repository = Repository(clone)
            commit = Repository(source).commit(commit)
            repository.git("checkout", "--quiet", "-B", "main", commit)
            repository.git("remote", "set-url", "origin", str(bare))
            with registry.serving(folder / "registry") as address:
                yield cls(folder, repository, address, new_key(folder / "keys"))

    def commit_version(self, version: Version) -> None:
        """Commit to main what the pull request of a version has: `__version__` and a section of the changelog."""
        root = self.repository.folder
        init, changelog = root / versions.INIT, root / versions.CHANGELOG
        init.write_text(re.sub('(?m)^__version__ = ".*"$', f'__version__ = "{version}"', init.read_text()))
        section = f"\n\n## {version} - {DATE}\n\n- A rehearsal.\n\n## "
        changelog.write_text(changelog.read_text().replace("\n\n## ", section, 1))
        who = ("-c", "user.name=rehearsal", "-c", "user.email=rehearsal@example.com")
        self.repository.git(*who, "commit", "--quiet", "--all", "--message", f"Set the version to {version}")
        self.repository.git("push", "--quiet", "origin", "main")

    def release(self, version: Version) -> Release:
        """Release a version as the workflow does, as far as that needs no GitHub."""
        steps.check(self.repository, version)
        release = Release(self.folder / version.tag, version, f"{self.registry}/{sbom.NAME}")
        steps.build(self.repository.folder, release.folder, version)
        steps.push(release, self.signer)
        steps.write_action(self.repository.folder, release.folder / "released", release.image)
        registry.pull(release.image)
        registry.remove(release.image)
        steps.tag(self.repository, release)
        return release


def new_key(folder: Path) -> signing.Key:
    """A pair of keys without a password."""
    folder.mkdir()
    os.environ.setdefault("COSIGN_PASSWORD", "")
    programs.run("cosign", "generate-key-pair", cwd=folder)
    return signing.Key(folder / "cosign.pub", folder / "cosign.key")


def rehearse(source: Path, *, build_again: bool = True) -> Iterator[str]:
    """Release twice, move `v1` with each release, and roll back; a line for each thing that went right."""
    options = () if build_again else None
    programs.run(  # before a build that takes minutes
        *("docker", "version", "--format", "{{.Server.Version}}"),
        fix="Start a Docker engine. With sudo, pass on where it is: sudo --preserve-env=DOCKER_HOST.",
    )
    with Stage.made(source) as stage:
        for version in VERSIONS:
            stage.commit_version(version)
            release = stage.release(version)
            yield f"Released {version} as {release.image}"
            for line in steps.verify(stage.repository, version.tag, stage.signer, build_options=options):
                yield f"  {line}"
            yield _moved(stage, version)
        first, second = VERSIONS
        yield _moved(stage, first)
        yield _moved(stage, second)
    yield f"Not rehearsed: {NOT_REHEARSED}"


def _moved(stage: Stage, version: Version) -> str:
    before = stage.repository.move(version)
    return f"Moved v{version.major} from {before or 'nowhere'} to {version.tag}"
