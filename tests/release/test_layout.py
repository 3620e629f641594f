"""A layout is read only where it is whole."""

import json

import pytest
from tests.release import standin

from release.errors import ReleaseError
from release.layout import Layout


def test_the_digest_is_that_of_the_index(tmp_path):
    digest = standin.write(tmp_path, "1.0.0")

    assert Layout(tmp_path / "oci").digest == digest


def test_a_folder_that_is_no_layout_is_an_error(tmp_path):
    with pytest.raises(ReleaseError, match="not an OCI image layout"):
        _ = Layout(tmp_path).digest


@pytest.mark.parametrize("listed", [[], [{"mediaType": "application/vnd.oci.image.manifest.v1+json"}]])
def test_a_layout_without_one_index_is_an_error(tmp_path, listed):
    (tmp_path / "index.json").write_text(json.dumps({"manifests": listed}))

    with pytest.raises(ReleaseError, match="not one image index"):
        _ = Layout(tmp_path).digest


def test_a_blob_that_was_changed_is_an_error(tmp_path):
    digest = standin.write(tmp_path, "1.0.0")
    blob = tmp_path / "oci" / "blobs" / "sha256" / digest.removeprefix("sha256:")
    blob.write_bytes(blob.read_bytes() + b" ")

    with pytest.raises(ReleaseError, match="another content"):
        Layout(tmp_path / "oci").manifests()


def test_what_is_no_regular_file_is_left_out(tmp_path):
    standin.write(tmp_path, "1.0.0")
    layout = Layout(tmp_path / "oci")
    files = layout.files(layout.manifests()[0])

    assert set(files) == set(standin.FILES)
