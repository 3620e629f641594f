"""A layout is read only where it is whole."""

import hashlib
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


def test_a_blob_that_is_missing_is_an_error(tmp_path):
    standin.write(tmp_path, "1.0.0")
    layout = Layout(tmp_path / "oci")
    first, _ = layout.manifests()
    (tmp_path / "oci" / "blobs" / first.digest.replace(":", "/")).unlink()

    with pytest.raises(ReleaseError, match="cannot be read"):
        layout.files(first)


@pytest.mark.parametrize("left", [[], [0], [1], [0, 0, 1]], ids=["nothing", "amd64", "arm64", "amd64 twice"])
def test_an_index_without_one_image_for_each_architecture_is_an_error(tmp_path, left):
    standin.write(tmp_path, "1.0.0")
    layout = Layout(tmp_path / "oci")
    index = json.loads(layout.blob(layout.digest))
    content = json.dumps(index | {"manifests": [index["manifests"][number] for number in left]}).encode()
    name = hashlib.sha256(content).hexdigest()
    (tmp_path / "oci" / "blobs" / "sha256" / name).write_bytes(content)
    listed = json.loads((tmp_path / "oci" / "index.json").read_text())
    listed["manifests"][0]["digest"] = f"sha256:{name}"
    (tmp_path / "oci" / "index.json").write_text(json.dumps(listed))

    with pytest.raises(ReleaseError, match="has images for"):
        layout.manifests()


def test_what_is_no_regular_file_is_left_out(tmp_path):
    standin.write(tmp_path, "1.0.0")
    layout = Layout(tmp_path / "oci")
    files = layout.files(layout.manifests()[0])

    assert set(files) == set(standin.FILES)
