"""A version is released only where the files and the tags agree on it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release.errors import ReleaseError
from release.versions import Version, check, notes, of_init, released

INIT = '"""About."""\n\n__version__ = "1.2.3"\n'
CHANGELOG = (
    "# Changelog\n\n## Unreleased\n\n## 1.2.3 - 2026-12-01\n\n### Fixed\n\n- A.\n\n## 1.2.2 - 2026-11-01\n\n- B.\n"
)


@given(st.builds(Version, *[st.integers(0, 10**6)] * 3))
def test_a_version_is_read_from_its_own_text_and_its_tag(version):
    assert Version.parse(str(version)) == Version.parse(version.tag) == version


@pytest.mark.parametrize("text", ["", "1.2", "1.2.3.4", "v1", "1.2.3-rc1", "01.2.3", "1.2.3\n", "V1.2.3", "1.2.٣"])
def test_anything_else_is_no_version(text):
    with pytest.raises(ReleaseError, match="not a version"):
        Version.parse(text)


def test_versions_are_ordered_by_number():
    assert released(["v1.10.0", "v1.9.0", "v1", "latest", "v2.0.0-rc1"]) == [Version(1, 9, 0), Version(1, 10, 0)]


def test_a_major_version_has_a_branch_and_a_tag_that_moves():
    assert (Version(1, 2, 3).branch, Version(1, 2, 3).moving_tag) == ("releases/v1", "v1")


def test_versions_0_have_no_tag_that_moves():
    assert Version(0, 9, 0).moving_tag is None


def test_the_notes_are_the_section_of_the_version():
    assert notes(CHANGELOG, Version(1, 2, 3)) == "### Fixed\n\n- A."
    assert notes(CHANGELOG, Version(1, 2, 2)) == "- B."


@pytest.mark.parametrize(
    "changelog",
    [
        "# Changelog\n",
        "## 1.2.3\n\n- No date.\n",
        "## 1.2.3 - soon\n\n- A.\n",
        "## 1.2.3 - 2026-12-01\n\n## 1.2.2\n",
    ],
)
def test_a_section_that_is_missing_or_incomplete_stops_the_release(changelog):
    with pytest.raises(ReleaseError):
        notes(changelog, Version(1, 2, 3))


def test_files_and_tags_that_agree_give_the_notes():
    assert check(Version(1, 2, 3), INIT, CHANGELOG, ["v1", "v1.2.2", "v2.0.0"]) == "### Fixed\n\n- A."


def test_a_version_that_is_tagged_can_be_run_again():
    assert check(Version(1, 2, 3), INIT, CHANGELOG, ["v1.2.3"])


def test_another_version_in_the_package_stops_the_release():
    with pytest.raises(ReleaseError, match=r"says 1\.2\.3, not 1\.2\.2"):
        check(Version(1, 2, 2), INIT, CHANGELOG, [])


def test_a_version_before_the_newest_of_its_major_stops_the_release():
    with pytest.raises(ReleaseError, match=r"older than 1\.3\.0"):
        check(Version(1, 2, 3), INIT, CHANGELOG, ["v1.3.0"])


@pytest.mark.parametrize("text", ["", '__version__ = "1"\n__version__ = "2"\n'])
def test_a_package_without_one_version_stops_the_release(text):
    with pytest.raises(ReleaseError, match="does not say the version"):
        of_init(text)
