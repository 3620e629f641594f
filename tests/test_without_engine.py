"""What the suite does on a machine without a Docker engine: say so, or fail where that is asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
ONE = "tests/container/test_image.py::test_the_image_is_root"


def suite(tmp_path: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run one test of the image where no engine answers."""
    given = {"PATH": "/usr/bin:/bin", "DOCKER_HOST": f"unix://{tmp_path}/nobody.sock", **environ}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", ONE]
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False, timeout=120)


def test_a_test_of_the_image_is_reported_as_not_run_with_the_reason(tmp_path):
    run = suite(tmp_path)

    assert run.returncode == 0
    assert "1 skipped" in run.stdout
    assert "tools/engine start starts one" in run.stdout


def test_where_the_image_is_required_that_is_a_failure(tmp_path):
    run = suite(tmp_path, REQUIRE_CONTAINER="1")

    assert run.returncode == 1
    assert "REQUIRE_CONTAINER=1, but " in run.stdout
