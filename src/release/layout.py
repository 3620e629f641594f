"""An OCI image layout on disk: an index, and a manifest for each platform (OCI Image Specification 1.1)."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from release.errors import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

INDEX = "application/vnd.oci.image.index.v1+json"
ARCHITECTURES = ("amd64", "arm64")


@dataclass(frozen=True)
class Manifest:
    """One platform's image in the index."""

    architecture: str
    digest: str


@dataclass(frozen=True)
class Layout:
    """The folder of a layout that has one index."""

    folder: Path

    @property
    def digest(self) -> str:
        """The digest of the index: what a release is pinned to."""
        try:
            listed = json.loads((self.folder / "index.json").read_bytes())["manifests"]
        except (OSError, ValueError, KeyError) as error:
            raise ReleaseError(
                f"{self.folder} is not an OCI image layout.",
                why=f"Its index.json cannot be read: {error}",
                fix="Build it first: tools/release build.",
            ) from error
        if len(listed) != 1 or listed[0].get("mediaType") != INDEX:
            raise ReleaseError(
                f"{self.folder} has not one image index.",
                why="A release is one index, with a manifest for each platform.",
                fix="Build it anew: tools/release build.",
            )
        return str(listed[0]["digest"])

    def blob(self, digest: str) -> bytes:
        """A blob, whose content was compared with its digest."""
        algorithm, _, name = digest.partition(":")
        try:
            content = (self.folder / "blobs" / algorithm / name).read_bytes()
        except OSError as error:
            raise ReleaseError(
                f"The blob {digest} in {self.folder} cannot be read.",
                why=str(error),
                fix="Build the layout anew: tools/release build.",
            ) from error
        if algorithm != "sha256" or hashlib.sha256(content).hexdigest() != name:
            raise ReleaseError(
                f"The blob {digest} in {self.folder} has another content than its name says.",
                why="The file was changed or damaged after the build.",
                fix="Build the layout anew: tools/release build.",
            )
        return content

    def manifests(self) -> list[Manifest]:
        """The images of the index, in its order."""
        index = json.loads(self.blob(self.digest))
        found = [
            Manifest(one.get("platform", {}).get("architecture", ""), one["digest"]) for one in index["manifests"]
        ]
        if tuple(one.architecture for one in found) != ARCHITECTURES:
            raise ReleaseError(
                f"The index {self.digest} has images for {', '.join(one.architecture for one in found) or 'nothing'}.",
                why=f"A release has one image for each of {', '.join(ARCHITECTURES)}.",
                fix="Build the layout anew: tools/release build.",
            )
        return found

    def files(self, manifest: Manifest) -> dict[str, bytes]:
        """The regular files of an image by their paths without the first slash; an upper layer replaces a lower one."""
        parsed: dict[str, Any] = json.loads(self.blob(manifest.digest))
        return dict(file for layer in parsed["layers"] for file in _files(self.blob(layer["digest"])))


def _files(layer: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer))) as archive:
        for member in archive:
            if member.isreg() and (content := archive.extractfile(member)):
                yield member.name.removeprefix("./").removeprefix("/"), content.read()
