"""What a job pays for the action on a fresh runner: the image pulled or built, then a run of it.

The pull is from a registry on loopback, so what a network adds is not in it. The engine has no layer of what is pulled:
it is the same image with one more, empty file in its first layer.
"""

from __future__ import annotations

import gzip
import json
import platform
import secrets
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from release import registry
from release.layout import INDEX, Layout
from release.registry import Image
from release.sbom import NAME
from sandbox.in_process import folder
from sandbox.runner import Engine

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def unknown(layout: Layout, out: Path, mark: str) -> Layout:
    """Write this machine's image of a layout, with an empty file of this name in its first layer."""
    (image,) = [one for one in layout.manifests() if one.architecture == _ARCHITECTURES[platform.machine()]]
    manifest: dict[str, Any] = json.loads(layout.blob(image.digest))
    config: dict[str, Any] = json.loads(layout.blob(manifest["config"]["digest"]))
    blobs = out / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def add(kind: str, content: bytes) -> dict[str, Any]:
        name = sha256(content).hexdigest()
        (blobs / name).write_bytes(content)
        return {"mediaType": kind, "digest": f"sha256:{name}", "size": len(content)}

    entry = tarfile.TarInfo(mark).tobuf(tarfile.USTAR_FORMAT)
    layers = [(one["mediaType"], layout.blob(one["digest"])) for one in manifest["layers"]]
    kind, first = layers[0]
    # An archive may begin with another entry, and gzip's format is that of one or more members (RFC 1952, 2.2).
    layers[0] = kind, gzip.compress(entry, mtime=0) + first
    config["rootfs"]["diff_ids"][0] = f"sha256:{sha256(entry + gzip.decompress(first)).hexdigest()}"
    manifest["layers"] = [add(*layer) for layer in layers]
    manifest["config"] = add(manifest["config"]["mediaType"], json.dumps(config).encode())
    made = add(manifest["mediaType"], json.dumps(manifest).encode())
    made["platform"] = {"architecture": image.architecture, "os": "linux"}
    index = add(INDEX, json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [made]}).encode())
    (out / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [index]}))
    (out / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return Layout(out)


@dataclass(frozen=True)
class Cold:
    """An engine, a registry, and the layout that is pulled from it."""

    engine: Engine
    layout: Layout
    registry: str

    @classmethod
    @contextmanager
    def made(cls, engine: Engine, layout: Layout) -> Iterator[Cold]:
        """Run the registry for a while."""
        with folder() as around, registry.serving(around / "data") as address:
            yield cls(engine, layout, address)

    def start(self, pull: Callable[[str], float], run: Callable[[str], float]) -> tuple[float, float]:
        """Seconds to pull an image that is new to the engine, and to run it; it is gone afterwards."""
        mark = secrets.token_hex(8)
        with folder() as around:
            layout = unknown(self.layout, around / "oci", f".{mark}")
            image = Image(f"{self.registry}/{NAME}", mark, layout.digest)
            registry.push(layout, image)
        try:
            return pull(str(image)), run(str(image))
        finally:
            self.engine.need("image", "rm", image.by_digest)
