"""The image for two architectures that tools/oci-image builds, beside the one that the Dockerfile builds."""

from __future__ import annotations

import gzip
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import pytest
from tests.conftest import oci_image
from tests.tool import tool

from release.layout import Layout
from sandbox.runner.engine import Engine

elf = tool("elf")
oci = tool("oci")

pytestmark = pytest.mark.slow

CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
STATUS = "var/lib/dpkg/status"
MACHINES = {"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}


@dataclass(frozen=True)
class Entry:
    """What a layer says of a file, a folder or a link."""

    kind: bytes
    mode: int
    owner: tuple[int, int]
    date: float
    target: str
    content: bytes


def entries(layers: list[bytes]) -> dict[str, Entry]:
    """The files of layers, each a tar file, by their paths."""
    return {name: entry for layer in layers for name, entry in _entries(layer)}


def _entries(layer: bytes) -> Iterator[tuple[str, Entry]]:
    with tarfile.open(fileobj=BytesIO(layer)) as files:
        for one in files:
            content = files.extractfile(one).read() if one.isreg() else b""
            mode = one.mode & 0o7777  # an engine writes the kind of the file too
            yield (
                one.name.rstrip("/"),
                Entry(one.type, mode, (one.uid, one.gid), one.mtime, one.linkname, content),
            )


@pytest.fixture(scope="module")
def trees(oci_layout: Layout) -> dict[str, dict[str, Entry]]:
    """The files of both architectures."""

    def blob(digest: str) -> bytes:
        return (oci_layout.folder / "blobs" / digest.replace(":", "/")).read_bytes()

    found = {}
    for image in json.loads(blob(oci_layout.digest))["manifests"]:
        layers = json.loads(blob(image["digest"]))["layers"]
        found[image["platform"]["architecture"]] = entries([gzip.decompress(blob(one["digest"])) for one in layers])
    return found


def saved(engine: Engine, image: str, folder: Path) -> list[bytes]:
    """The layers of an engine's image."""
    archive = folder / "image.tar"
    engine.need("save", "--output", str(archive), image)
    with tarfile.open(archive) as files:
        (manifest,) = json.load(files.extractfile("manifest.json"))
        return [files.extractfile(name).read() for name in manifest["Layers"]]


def test_two_builds_have_one_digest(oci_layout, tmp_path):
    assert oci_image(tmp_path) == oci_layout.digest


@pytest.mark.container
def test_the_dockerfile_builds_the_same_files(engine, dockerfile_image, trees, tmp_path):
    ours, theirs = trees["amd64"], entries(saved(engine, dockerfile_image, tmp_path))
    if theirs[STATUS] != ours[STATUS]:
        pytest.skip("the base image has other versions of Debian's packages than its archive has now")
    # What the base adds to Debian's certificates, the Dockerfile's image has, and that for anyone has not.
    assert theirs[CERTIFICATES].content.startswith(ours[CERTIFICATES].content)
    theirs = {name: without_certificates(entry) for name, entry in theirs.items()}
    ours = {name: without_certificates(entry) for name, entry in ours.items()}

    assert {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)} == set()


def without_certificates(entry: Entry) -> Entry:
    """An entry without the certificates and without the hash of their file in a RECORD."""
    if b"BEGIN CERTIFICATE" in entry.content:
        return replace(entry, content=b"")
    return replace(entry, content=re.sub(rb"(?m)^(.*/cacert\.pem),.*$", rb"\1,,", entry.content))


@pytest.mark.container
def test_the_dockerfile_says_the_same_of_the_image(engine, dockerfile_image):
    config = json.loads(engine.need("image", "inspect", "--format", "{{json .Config}}", dockerfile_image))

    assert {name: config[name] for name in oci.CONFIG} == oci.CONFIG


def test_both_architectures_have_the_same_files(trees):
    amd64, arm64 = ({plain(name) for name in trees[one] if name not in {"lib64", "usr/lib64"}} for one in MACHINES)

    assert amd64 == arm64


def plain(name: str) -> str:
    """A path without what names an architecture in it; amd64 has a folder of its own for its loader."""
    name = re.sub(r"(x86_64|aarch64)-linux-gnu", "TRIPLET", name)
    return re.sub(r"ld-linux-(x86-64\.so\.2|aarch64\.so\.1)$", "LOADER", name).replace("usr/lib64/", "usr/lib/")


@pytest.mark.parametrize("architecture", MACHINES)
def test_each_program_and_library_is_for_the_architecture_of_its_image(trees, architecture, tmp_path):
    found = set()
    for number, entry in enumerate(trees[architecture].values()):
        if entry.content.startswith(b"\x7fELF"):
            path = tmp_path / str(number)
            path.write_bytes(entry.content)
            found.add(elf.read(path).machine)

    assert found == {MACHINES[architecture]}


def test_modules_are_the_same_for_both_architectures(trees):
    amd64, arm64 = (trees[one] for one in MACHINES)
    archives = [name for name in amd64 if name.endswith(("modules.zip", "modules.index"))]

    assert len(archives) == 4
    assert [name for name in archives if amd64[name] != arm64[name]] == []


def test_what_differs_between_architectures_is_binary_or_says_so(trees):
    amd64, arm64 = ({plain(name): entry for name, entry in trees[one].items()} for one in MACHINES)
    differ = {
        name
        for name in amd64.keys() & arm64.keys()
        if amd64[name] != arm64[name] and not amd64[name].content.startswith(b"\x7fELF")
    }

    assert differ == {STATUS, "usr/lib/LOADER"}
