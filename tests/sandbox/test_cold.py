"""An image is cold where no layer of it is in the engine."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.release import standin

from release.layout import Layout
from sandbox.cold import Cold, unknown
from sandbox.runner import Engine


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    standin.write(tmp_path / "out", tmp_path.name)
    return Layout(tmp_path / "out" / "oci")


def images(layout: Layout) -> list[dict[str, Any]]:
    """The entries of a layout's index; that of a cold image has one, where a release has one per architecture."""
    return json.loads(layout.blob(layout.digest))["manifests"]


def layers(layout: Layout) -> list[bytes]:
    """The layers of a layout's first image, unpacked; they must be those that its configuration names."""
    manifest = json.loads(layout.blob(images(layout)[0]["digest"]))
    unpacked = [gzip.decompress(layout.blob(one["digest"])) for one in manifest["layers"]]
    config = json.loads(layout.blob(manifest["config"]["digest"]))
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in unpacked]
    return unpacked


def names(layer: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(layer)) as files:
        return files.getnames()


def test_the_first_layer_has_one_more_file_and_is_otherwise_the_same(layout, tmp_path):
    (before,) = layers(layout)
    (after,) = layers(unknown(layout, tmp_path / "cold", ".mark"))

    assert names(after) == [".mark", *names(before)]
    assert after.endswith(before)


def test_the_image_is_that_of_this_machine_alone(layout, tmp_path):
    (image,) = images(unknown(layout, tmp_path / "cold", ".mark"))

    assert image["platform"]["architecture"] in {one.architecture for one in layout.manifests()}


def test_each_mark_is_another_image(layout, tmp_path):
    one, other = (unknown(layout, tmp_path / mark, mark).digest for mark in ("one", "other"))

    assert one != other


@pytest.mark.container
@pytest.mark.registry
def test_an_image_is_pulled_whole_each_time_and_gone_afterwards(engine: Engine, layout):
    pulled: list[str] = []

    def pull(image: str) -> float:
        pulled.append(image)
        said = engine.need("pull", image)
        assert "Already exists" not in said
        assert "Pull complete" in said
        return 1.0

    with Cold.made(engine, layout) as cold:
        assert [cold.start(pull, lambda _: 2.0) for _ in range(2)] == [(1.0, 2.0)] * 2

    assert all(engine.ask("image", "inspect", image).returncode for image in pulled)
