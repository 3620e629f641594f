"""The image layout that the OCI Image Specification describes, as tools/oci.py writes it."""

import gzip
import hashlib
import json
import os
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from tests.tool import tool

oci = tool("oci")


def tree(top: Path, *, mtime: int = 1) -> Path:
    """A file tree of two layers with a file, a program, a link and folders."""
    for layer in oci.LAYERS:
        (top / layer / "usr" / "bin").mkdir(parents=True)
        (top / layer / "usr" / "bin" / "program").write_text(layer)
        (top / layer / "usr" / "bin" / "program").chmod(0o755)
        (top / layer / "usr" / "text").write_text("")
        (top / layer / "usr" / "text").chmod(0o644)
        (top / layer / "bin").symlink_to("usr/bin")
        (top / layer / "tmp").mkdir()
        (top / layer / "tmp").chmod(0o1777)
        for place in (top / layer).rglob("*"):
            os.utime(place, (mtime, mtime), follow_symlinks=False)
    return top


def layout(top: Path, *trees: str, capsys) -> str:
    """Write a layout, and return the digest that is printed."""
    oci.main([str(top), *trees])
    return capsys.readouterr().out.strip()


def blob(top: Path, digest: str) -> bytes:
    content = (top / "blobs" / digest.replace(":", "/")).read_bytes()
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == digest
    return content


def described(top: Path, descriptor: dict) -> dict:
    """The JSON that a descriptor is of."""
    content = blob(top, descriptor["digest"])
    assert len(content) == descriptor["size"]
    found = json.loads(content)
    assert found.get("mediaType", descriptor["mediaType"]) == descriptor["mediaType"]
    return found


def test_two_writes_of_the_same_files_have_one_digest(tmp_path, capsys):
    one, two = tree(tmp_path / "one"), tree(tmp_path / "two", mtime=2)

    digests = {layout(tmp_path / name, f"amd64={top}", capsys=capsys) for name, top in (("a", one), ("b", two))}

    assert len(digests) == 1


def test_a_file_that_differs_gives_another_digest(tmp_path, capsys):
    one, two = tree(tmp_path / "one"), tree(tmp_path / "two")
    (two / "base" / "usr" / "text").write_text("x")

    digests = {layout(tmp_path / name, f"amd64={top}", capsys=capsys) for name, top in (("a", one), ("b", two))}

    assert len(digests) == 2


def test_the_layout_leads_from_the_index_to_each_file(tmp_path, capsys):
    top = tree(tmp_path / "tree")
    out = tmp_path / "out"
    digest = layout(out, f"amd64={top}", f"arm64={top}", capsys=capsys)

    assert json.loads((out / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    (entry,) = json.loads((out / "index.json").read_bytes())["manifests"]
    assert entry["digest"] == digest
    index = described(out, entry)
    assert index["annotations"] == oci.LABELS
    assert [one["platform"] for one in index["manifests"]] == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "arm64", "os": "linux"},
    ]
    for one in index["manifests"]:
        manifest = described(out, one)
        config = described(out, manifest["config"])
        assert config["architecture"] == one["platform"]["architecture"]
        assert config["config"] == oci.CONFIG
        archives = [gzip.decompress(blob(out, layer["digest"])) for layer in manifest["layers"]]
        assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in archives]
        for layer, archive in zip(oci.LAYERS, archives, strict=True):
            with tarfile.open(fileobj=BytesIO(archive)) as files:
                assert files.extractfile("usr/bin/program").read() == layer.encode()


def test_an_archive_has_modes_and_links_of_the_tree_and_nothing_of_who_wrote_it(tmp_path):
    content = oci.archive(tree(tmp_path) / "base")

    with tarfile.open(fileobj=BytesIO(content)) as files:
        entries = files.getmembers()

    assert [(one.name, oct(one.mode)) for one in entries if not one.issym()] == [
        ("tmp", "0o1777"),
        ("usr", "0o755"),
        ("usr/bin", "0o755"),
        ("usr/bin/program", "0o755"),
        ("usr/text", "0o644"),
    ]
    assert [(one.name, one.linkname) for one in entries if one.issym()] == [("bin", "usr/bin")]
    assert {(one.uid, one.gid, one.uname, one.gname, one.mtime) for one in entries} == {
        (0, 0, "", "", oci.DATE_SECONDS)
    }


def test_what_is_no_file_folder_or_link_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(ValueError, match="pipe is no file"):
        oci.archive(tmp_path)


def test_files_with_the_same_inode_are_two_files(tmp_path):
    (tmp_path / "a").write_text("text")
    (tmp_path / "b").hardlink_to(tmp_path / "a")

    with tarfile.open(fileobj=BytesIO(oci.archive(tmp_path))) as files:
        assert [one.isreg() for one in files.getmembers()] == [True, True]


def test_the_date_is_the_one_of_the_files():
    assert oci.DATE_SECONDS == tool("rootfs").DATE_SECONDS
