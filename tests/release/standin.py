"""Writes a small image index into FOLDER/oci: it stands for the real build, which takes minutes.

Run as `standin.py FOLDER VERSION`. Each image has the lists that scanners read, and a file with the version.
"""

import gzip
import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path

OCI = "application/vnd.oci.image"
FILES = {
    "usr/lib/os-release": 'ID=debian\nVERSION_ID="13"\n',
    "var/lib/dpkg/status": "Package: libc6\nStatus: install ok installed\nSource: glibc\nArchitecture: {0}\n"
    "Version: 2.41-12\n\nPackage: zlib1g\nSource: zlib (1:1.3)\nArchitecture: {0}\nVersion: 1:1.3.dfsg+really1.3.1-1\n",
    "site/Some_Package-1.0.dist-info/METADATA": "Metadata-Version: 2.4\nName: Some_Package\nVersion: 1.0\n\nText: a\n",
    "version": "{1}",
}


def layer(architecture: str, version: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as files:
        folder = tarfile.TarInfo("usr")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        files.addfile(folder)
        for name, text in FILES.items():
            content = text.format(architecture, version).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            files.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def write(folder: Path, version: str) -> str:
    """Write the layout; the digest of its index."""
    blobs = folder / "oci" / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(kind: str, content: bytes) -> dict:
        name = hashlib.sha256(content).hexdigest()
        (blobs / name).write_bytes(content)
        return {"mediaType": f"{OCI}.{kind}", "digest": f"sha256:{name}", "size": len(content)}

    def document(kind: str, value: dict) -> dict:
        return blob(kind, json.dumps(value).encode())

    images = []
    for architecture in ("amd64", "arm64"):
        tar = layer(architecture, version)
        diff = f"sha256:{hashlib.sha256(tar).hexdigest()}"
        config = {"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff]}}
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": document("config.v1+json", config),
            "layers": [blob("layer.v1.tar+gzip", gzip.compress(tar, mtime=0))],
        }
        platform = {"architecture": architecture, "os": "linux"}
        images.append({**document("manifest.v1+json", manifest), "platform": platform})
    index = document(
        "index.v1+json", {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": images}
    )
    (folder / "oci" / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [index]}))
    (folder / "oci" / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return index["digest"]


if __name__ == "__main__":
    sys.stdout.write(write(Path(sys.argv[1]), sys.argv[2]))
