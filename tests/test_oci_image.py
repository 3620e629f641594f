"""How tools/oci-image is called."""

import subprocess

import pytest
from tests.tool import TOOLS


@pytest.mark.parametrize("arguments", [(), ("--nonsense",), ("one", "two"), ("--allow-newer",)])
def test_other_arguments_print_the_usage_and_fail(tmp_path, arguments):
    called = subprocess.run(
        [TOOLS / "oci-image", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (called.returncode, called.stdout) == (2, "")
    assert "tools/oci-image OUT" in called.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_release_of_debian_comes_with_its_updates_from_the_same_date():
    lines = subprocess.check_output(
        [TOOLS / "debian-sources", "trixie", "20261126T000000Z"], text=True
    ).splitlines()

    assert lines == [
        f"deb [check-valid-until=no] http://snapshot.debian.org/archive/{archive}/20261126T000000Z {suite} main"
        for archive, suite in (
            ("debian", "trixie"),
            ("debian", "trixie-updates"),
            ("debian-security", "trixie-security"),
        )
    ]
