"""The list of Debian's packages that the image is built from, beside what Debian has now."""

from pathlib import Path

import pytest

from release import programs, updates
from release.errors import ReleaseError
from release.updates import Candidate

LOCK = "# Comment\nca-certificates:all=1\nlibc6:amd64=2\nlibc6:arm64=2\nzlib1g:amd64=1:1.3\n"
POLICY = """\
ca-certificates:
  Installed: (none)
  Candidate: 1
  Version table:
     1 500
        500 http://deb.debian.org/debian trixie/main amd64 Packages
libc6:
  Installed: (none)
  Candidate: 3
  Version table:
     3 500
        500 http://deb.debian.org/debian-security trixie-security/main amd64 Packages
     2 500
        500 http://deb.debian.org/debian trixie/main amd64 Packages
libc6:arm64:
  Installed: (none)
  Candidate: 2
  Version table:
     2 500
        500 http://deb.debian.org/debian trixie/main arm64 Packages
zlib1g:
  Installed: (none)
  Candidate: (none)
  Version table:
"""
NOW = {
    "ca-certificates": Candidate("1", is_security=False),
    "libc6": Candidate("3", is_security=True),
    "libc6:arm64": Candidate("2", is_security=False),
}


def test_the_list_is_read():
    assert updates.locked(LOCK) == {
        "ca-certificates:all": "1",
        "libc6:amd64": "2",
        "libc6:arm64": "2",
        "zlib1g:amd64": "1:1.3",
    }


def test_the_newest_versions_are_read_from_what_apt_says():
    assert updates.candidates(POLICY) == NOW


def test_packages_with_another_version_are_named_and_others_are_not():
    assert list(updates.different(updates.locked(LOCK), NOW)) == [
        "libc6:amd64 2: Debian has 3 (security)",
        "zlib1g:amd64 1:1.3: Debian trixie no longer has this package",
    ]


def test_an_update_that_is_no_security_update_is_told_too():
    now = {"libc6:arm64": Candidate("3", is_security=False)}

    assert list(updates.different({"libc6:arm64": "2"}, now)) == ["libc6:arm64 2: Debian has 3"]


def test_one_architecture_does_not_speak_for_the_other():
    assert list(updates.different({"libc6:arm64": "2"}, {"libc6": Candidate("2", is_security=False)})) == [
        "libc6:arm64 2: Debian trixie no longer has this package"
    ]


def test_without_the_list_nothing_can_be_said(tmp_path):
    with pytest.raises(ReleaseError, match=r"debian\.txt is not there"):
        updates.due(tmp_path)


def test_apt_is_asked_in_a_folder_of_its_own(tmp_path, monkeypatch):
    root, seen = tmp_path / "root", []
    (root / "requirements").mkdir(parents=True)
    (root / "requirements" / "debian.txt").write_text(LOCK)

    def run(program: str, *arguments: str, **_: object) -> str:
        seen.append((Path(program).name, [one for one in arguments if not one.startswith("-o")]))
        assert all(not one.startswith("-oDir") or "/etc/apt" not in one for one in arguments)
        return POLICY if program == "apt-cache" else "deb http://deb.debian.org/debian trixie main\n"

    monkeypatch.setattr(programs, "run", run)

    assert len(updates.due(root)) == 2
    assert seen == [
        ("debian-sources", ["trixie"]),
        ("apt-get", ["update", "-qq"]),
        ("apt-cache", ["policy", "ca-certificates", "libc6", "libc6:arm64", "zlib1g"]),
    ]
