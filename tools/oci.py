"""An image index in an OCI image layout: the same bytes for the same file trees, at any time and on any machine.

The formats are those of the OCI Image Specification 1.1 (image-layout.md, image-index.md, manifest.md, config.md,
layer.md).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
import tarfile
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATE = "1980-01-01T00:00:00Z"
DATE_SECONDS = 315532800  # the same: of all files
LAYERS = ("base", "release")
# As the Dockerfile has them. No commit and no date: the digest says what is in the image, and nothing else does.
LABELS = {
    "org.opencontainers.image.title": "py-aws-oidc",
    "org.opencontainers.image.description": (
        "A GitHub Action that turns a workflow's OIDC identity into short-lived AWS credentials"
    ),
    "org.opencontainers.image.licenses": "MIT",
}
CONFIG = {
    "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    "Entrypoint": ["/usr/local/bin/py-aws-oidc"],
    "Labels": LABELS,
}

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

Descriptor = dict[str, Any]


def archive(tree: Path) -> bytes:
    """A file tree as a tar file: names in order, one date, all files root's; only modes are the tree's own."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as files:
        for place in sorted(tree.rglob("*")):
            entry = files.gettarinfo(place, str(place.relative_to(tree)))
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            entry.mtime = DATE_SECONDS
            if entry.islnk():  # to a file of the tree that came before
                entry.type, entry.linkname, entry.size = tarfile.REGTYPE, "", place.stat().st_size
            if not (entry.isreg() or entry.isdir() or entry.issym()):
                raise ValueError(f"{place} is no file, folder or symbolic link")
            if entry.isreg():
                with place.open("rb") as content:
                    files.addfile(entry, content)
            else:
                files.addfile(entry)
    return out.getvalue()


def digest(content: bytes) -> str:
    """Name content by its hash, as OCI does."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True)
class Layout:
    """An image layout that grows in the folder `top`."""

    top: Path

    def blob(self, kind: str, content: bytes) -> Descriptor:
        """Write a blob, and describe it."""
        name = digest(content)
        place = self.top / "blobs" / name.replace(":", "/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return {"mediaType": kind, "digest": name, "size": len(content)}

    def json(self, kind: str, value: Mapping[str, Any]) -> Descriptor:
        """Write a blob in JSON, and describe it."""
        return self.blob(kind, _json(value))

    def image(self, architecture: str, trees: Iterable[Path]) -> Descriptor:
        """Write the image for an architecture whose layers are these trees, and describe its manifest."""
        archives = [archive(tree) for tree in trees]
        config = {
            "created": DATE,
            "architecture": architecture,
            "os": "linux",
            "config": CONFIG,
            "rootfs": {"type": "layers", "diff_ids": [digest(one) for one in archives]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self.json(_CONFIG, config),
            "layers": [self.blob(_LAYER, gzip.compress(one, 9, mtime=0)) for one in archives],
            "annotations": LABELS,
        }
        return {
            **self.json(_MANIFEST, manifest),
            "platform": {"architecture": architecture, "os": "linux"},
        }

    def index(self, images: Sequence[Descriptor]) -> str:
        """Write the index of these images and the files that make the folder a layout; the index's digest."""
        content = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": images, "annotations": LABELS}
        described = self.json(_INDEX, content)
        (self.top / "index.json").write_bytes(
            _json({"schemaVersion": 2, "mediaType": _INDEX, "manifests": [described]})
        )
        (self.top / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))
        return str(described["digest"])


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def main(arguments: Sequence[str]) -> None:
    """Write the layout, and print the digest of the index in it."""
    parser = ArgumentParser("oci.py", description="Write an OCI image layout of file trees, and print its digest.")
    parser.add_argument("out", type=Path, metavar="OUT", help="the layout's folder")
    parser.add_argument(
        "trees",
        nargs="+",
        metavar="ARCHITECTURE=FOLDER",
        help=f"the folder in which {' and '.join(LAYERS)} are, by the architecture: amd64, arm64",
    )
    given = parser.parse_args(arguments)
    layout = Layout(given.out)
    trees = (tree.partition("=") for tree in given.trees)
    images = [layout.image(name, [Path(folder, layer) for layer in LAYERS]) for name, _, folder in trees]
    sys.stdout.write(f"{layout.index(images)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
