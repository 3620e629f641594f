"""The bill of materials names what the image lists, and is the same for the same image."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.release import standin

from release import sbom
from release.errors import ReleaseError
from release.layout import Layout, Manifest

AMD64 = Manifest("amd64", "sha256:" + "a" * 64)
FILES = {
    "usr/lib/os-release": b'ID=debian\nVERSION_ID="13"\n',
    "var/lib/dpkg/status": b"Package: libc6\nSource: glibc\nVersion: 2.41-12\nArchitecture: amd64\n\n",
    "usr/local/lib/python3.13/dist-packages/jmespath-1.0.1.dist-info/METADATA": b"Name: jmespath\nVersion: 1.0.1\n\n",
}


def purls(files: dict[str, bytes]) -> list[str]:
    return [one["purl"] for one in json.loads(sbom.document(files, AMD64, "1.2.3"))["components"]]


def test_packages_of_debian_and_of_python_are_named():
    assert purls(FILES) == [
        "pkg:deb/debian/libc6@2.41-12?arch=amd64&distro=debian-13&upstream=glibc",
        "pkg:pypi/jmespath@1.0.1",
    ]


def test_the_bill_says_of_which_image_and_version_it_is():
    component = json.loads(sbom.document(FILES, AMD64, "1.2.3"))["metadata"]["component"]

    assert component["version"] == "1.2.3"
    assert component["purl"] == f"pkg:oci/py-aws-oidc@sha256%3A{'a' * 64}?arch=amd64"


def test_the_same_image_has_the_same_bill_and_another_has_another():
    other = Manifest("amd64", "sha256:" + "b" * 64)

    assert sbom.document(FILES, AMD64, "1") == sbom.document(dict(reversed(FILES.items())), AMD64, "1")
    assert sbom.document(FILES, AMD64, "1") != sbom.document(FILES, other, "1")


def test_a_source_of_another_version_is_named_with_it():
    (package,) = sbom.debian("Package: a\nSource: b (1:2-3)\nVersion: 4\nArchitecture: all\n", "debian-13")

    assert package.purl == "pkg:deb/debian/a@4?arch=all&distro=debian-13&upstream=b%401:2-3"


@pytest.mark.parametrize("name", ["Some_Package", "some.package", "SOME--Package"])
def test_a_package_of_python_has_its_normalized_name(name):
    assert sbom.python(f"Name: {name}\nVersion: 1\n").purl == "pkg:pypi/some-package@1"


@pytest.mark.parametrize("path", ["var/lib/dpkg/status", "usr/lib/os-release"])
def test_an_image_without_its_lists_has_no_bill(path):
    with pytest.raises(ReleaseError, match=path):
        purls({name: content for name, content in FILES.items() if name != path})


def test_a_package_without_a_version_is_an_error():
    with pytest.raises(ReleaseError, match="no field Version"):
        sbom.python("Name: a\n")


@given(st.from_regex(r"[0-9][0-9A-Za-z.+~:-]{0,12}", fullmatch=True))
def test_a_version_never_breaks_out_of_its_place_in_the_address(version):
    (package,) = sbom.debian(f"Package: a\nVersion: {version}\nArchitecture: all\n", "debian-13")

    assert package.purl.count("@") == package.purl.count("?") == 1
    assert "+" not in package.purl


def test_the_files_are_read_from_the_layers_of_the_platform(tmp_path):
    standin.write(tmp_path, "1.0.0")
    layout = Layout(tmp_path / "oci")
    amd64, arm64 = layout.manifests()

    assert [amd64.architecture, arm64.architecture] == ["amd64", "arm64"]
    assert b"Architecture: arm64" in layout.files(arm64)["var/lib/dpkg/status"]
    assert "?arch=amd64" in sbom.document(layout.files(amd64), amd64, "1.0.0")
