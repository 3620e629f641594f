"""What is known of Debian's packages in the image, and the lock that names them."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tool import tool

debian = tool("debian")
rootfs = tool("rootfs")

DPKG_DEB = shutil.which("dpkg-deb")
VERSIONS = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9.+-]*:(amd64|arm64|all)", fullmatch=True),
    st.from_regex(r"([0-9]+:)?[0-9][A-Za-z0-9.+~-]*", fullmatch=True),
)


def status(packages: dict[str, str]) -> str:
    """What dpkg's list of installed packages says of these."""
    named = ((*name.split(":"), version) for name, version in packages.items())
    return "".join(
        f"Package: {name}\nArchitecture: {architecture}\nVersion: {version}\nDescription: a\n b: c\n\n"
        for name, architecture, version in named
    )


def tree(top: Path, packages: dict[str, str]) -> str:
    """A tree whose base has these packages."""
    place = top / "base" / debian.STATUS
    place.parent.mkdir(parents=True)
    place.write_text(status(packages))
    return str(top)


@given(VERSIONS.filter(bool))
def test_what_is_locked_is_what_is_read_from_the_lock(tmp_path_factory, packages):
    folder = tmp_path_factory.mktemp("lock")
    top = tree(folder / "tree", packages)

    assert debian.main(["lock", str(folder / "lock"), top]) == 0
    assert debian.locked((folder / "lock").read_text()) == packages
    assert debian.main(["compare", str(folder / "lock"), top]) == 0


def test_what_differs_from_the_lock_is_named_with_both_versions(tmp_path, capsys):
    before = tree(tmp_path / "before", {"a:amd64": "1", "b:amd64": "1", "c:amd64": "1"})
    after = tree(tmp_path / "after", {"a:amd64": "1", "b:amd64": "2", "d:amd64": "1"})
    debian.main(["lock", str(tmp_path / "lock"), before])
    capsys.readouterr()

    assert debian.main(["compare", str(tmp_path / "lock"), after]) == 1
    assert capsys.readouterr().err.split("\n") == [
        "  b:amd64: 1 -> 2",
        "  c:amd64: 1 -> nothing",
        "  d:amd64: nothing -> 1",
        "",
    ]


def test_a_package_of_two_architectures_has_a_version_in_each(tmp_path):
    trees = [tree(tmp_path / name, {f"a:{name}": version}) for name, version in (("amd64", "1"), ("arm64", "1+b1"))]

    debian.main(["lock", str(tmp_path / "lock"), *trees])

    assert debian.locked((tmp_path / "lock").read_text()) == {"a:amd64": "1", "a:arm64": "1+b1"}


def test_a_lock_that_is_right_is_not_written_again(tmp_path):
    top = tree(tmp_path / "tree", {"a:amd64": "1"})
    (tmp_path / "lock").write_text("# of another day\na:amd64=1\n")

    debian.main(["lock", str(tmp_path / "lock"), top])

    assert (tmp_path / "lock").read_text() == "# of another day\na:amd64=1\n"


@pytest.mark.parametrize("arguments", [[], ["compare"], ["other", "x", "y"], ["unpacked"]])
def test_other_arguments_are_a_failure(arguments):
    assert debian.main(arguments) == 2


@pytest.mark.skipif(not DPKG_DEB, reason="only Debian has dpkg-deb")
def test_an_unpacked_root_has_the_lists_that_dpkg_would_have_written(tmp_path):
    source, root = tmp_path / "source", tmp_path / "root"
    (source / "DEBIAN").mkdir(parents=True)
    (source / "DEBIAN" / "control").write_text(
        "Package: a\nVersion: 1\nArchitecture: arm64\nMaintainer: M <m@example.com>\nDescription: A\n more\n"
    )
    (source / "usr" / "bin").mkdir(parents=True)
    (source / "usr" / "bin" / "a").write_text("")
    archives, certificates = root / "var/cache/apt/archives", root / "usr/share/ca-certificates/mozilla"
    for folder in (archives, certificates, root / "etc/ssl/certs"):
        folder.mkdir(parents=True)
    subprocess.run([DPKG_DEB, "--build", "--root-owner-group", source, archives / "a.deb"], check=True)
    (certificates / "B.crt").write_text("b")
    (certificates / "A.crt").write_text("a\n")

    assert debian.main(["unpacked", str(root)]) == 0

    assert rootfs.Root(root).packages() == {"a": {"/", "/usr", "/usr/bin", "/usr/bin/a"}}
    assert rootfs.paragraphs((root / debian.STATUS).read_text(), {"a"}) == (
        "Package: a\nStatus: install ok installed\nMaintainer: M <m@example.com>\nArchitecture: arm64\nVersion: 1\n"
        "Description: A\n more\n\n"
    )
    assert (root / "etc/ssl/certs/ca-certificates.crt").read_text() == "a\nb\n"
