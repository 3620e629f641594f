"""The image's file tree, to look into."""

import tarfile
from collections.abc import Iterator

import pytest

from sandbox import bench
from sandbox.runner.engine import Engine


@pytest.fixture(scope="session")
def tree(engine: Engine, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tarfile.TarFile]:
    """All files of the image, as an archive."""
    path = tmp_path_factory.mktemp("image") / "tree.tar"
    bench.export(engine, image, path)
    with tarfile.open(path) as archive:
        yield archive
