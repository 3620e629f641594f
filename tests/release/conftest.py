"""A small repository that can be released, a registry and a key."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.release import standin

from release import programs, registry, sbom
from release.commits import Repository
from release.rehearsal import new_key
from release.signing import Key
from release.steps import Release
from release.versions import Version

ROOT = Path(__file__).parents[2]
VERSION = Version(1, 0, 0)
WHO = ("-c", "user.name=tester", "-c", "user.email=tester@example.com")
CHANGELOG = "# Changelog\n\n## Unreleased\n\n- Something.\n"
IMAGE_TOOL = f"""\
#!/bin/sh
version=$(sed -n 's/^__version__ = "\\(.*\\)"$/\\1/p' src/py_aws_oidc/__init__.py)
exec {sys.executable} {standin.__file__} "$1" "$version"
"""


@dataclass(frozen=True)
class Project:
    """A clone of a small repository, whose image is a stand-in."""

    repository: Repository

    @property
    def root(self) -> Path:
        return self.repository.folder

    def commit(self, message: str = "Change something", **files: str) -> str:
        """Commit files to main and push them; the commit."""
        for name, text in files.items():
            (self.root / name).write_text(text)
        self.repository.git("add", "--all")
        self.repository.git(*WHO, "commit", "--quiet", "--allow-empty", "--message", message)
        self.repository.git("push", "--quiet", "origin", "main")
        return self.repository.commit("HEAD")

    def set_version(self, version: Version) -> str:
        """Commit what the pull request of a version has; the commit."""
        files = {
            "src/py_aws_oidc/__init__.py": f'__version__ = "{version}"\n',
            "CHANGELOG.md": f"# Changelog\n\n## {version} - 2026-12-01\n\n- Something.\n",
        }
        return self.commit(f"Set the version to {version}", **files)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A repository on main with all that a release reads, and a bare remote."""
    root = tmp_path / "project"
    (root / "src" / "py_aws_oidc").mkdir(parents=True)
    (root / "src" / "py_aws_oidc" / "__init__.py").write_text('"""About."""\n\n__version__ = "0.1.0"\n')
    (root / "tools").mkdir()
    (root / "tools" / "oci-image").write_text(IMAGE_TOOL)
    (root / "tools" / "oci-image").chmod(0o755)
    (root / "CHANGELOG.md").write_text(CHANGELOG)
    shutil.copy(ROOT / "action.yml", root)
    bare = tmp_path / "remote.git"
    for command in (
        ("init", "--quiet", "--bare", "--initial-branch=main", bare),
        ("init", "--quiet", "--initial-branch=main", root),
        ("-C", root, "remote", "add", "origin", bare),
    ):
        programs.run("git", *map(str, command))
    made = Project(Repository(root))
    made.commit("Begin")
    return made


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry on loopback: its host and port."""
    with registry.serving(tmp_path_factory.mktemp("registry") / "data") as address:
        yield address


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    """A pair of keys of cosign's."""
    return new_key(tmp_path_factory.mktemp("key") / "pair")


def built(folder: Path, name: str, version: Version = VERSION) -> Release:
    """A stand-in for a build."""
    standin.write(folder, str(version))
    release = Release(folder, version, name)
    for one in release.layout.manifests():
        text = sbom.document(release.layout.files(one), one, str(version))
        release.bills()[one.digest].write_text(text)
    return release
