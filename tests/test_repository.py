"""The archive of the repository, which a runner downloads in each job that uses the action."""

import gzip
import shutil
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from tests.container.place import sources

ROOT = Path(__file__).parents[1]
GIT = shutil.which("git")


@pytest.fixture(scope="module")
def archive() -> bytes:
    """The archive of the last commit, as git makes it for GitHub."""
    options = ("-c", f"safe.directory={ROOT}", "-C", ROOT)
    if not GIT or subprocess.run([GIT, *options, "rev-parse"], capture_output=True, check=False).returncode:
        pytest.skip("this is not a clone of the repository")
    command = [GIT, *options, "archive", "--worktree-attributes", "HEAD"]
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def files(archive) -> set[str]:
    with tarfile.open(fileobj=BytesIO(archive)) as entries:
        return {entry.name for entry in entries if entry.isreg()}


def test_a_job_downloads_little(archive):
    assert len(gzip.compress(archive)) < 150_000  # four fifths are py_aws_oidc


def test_a_job_downloads_what_the_image_is_built_from(files):
    needed = [name for name in sources() if name not in files]

    assert [name for name in needed if not any(file.startswith(f"{name}/") for file in files)] == []
    assert "src/py_aws_oidc/__main__.py" in files


def test_a_job_downloads_the_action_and_its_terms(files):
    assert files >= {"action.yml", "README.md", "LICENSE", "SECURITY.md"}


@pytest.mark.parametrize("folder", [".github", "docs", "examples", "infra", "src/release", "src/sandbox", "tests"])
def test_a_job_does_not_download(files, folder):
    assert (ROOT / folder).exists()
    assert [name for name in files if name.startswith(f"{folder}/")] == []
