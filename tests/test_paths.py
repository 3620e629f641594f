"""Which files are read that an input names, and how much of them: with real links, pipes and devices."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_aws_oidc.paths import is_in, is_named_in, is_really_in, read_text


def text_of(path: Path, workspace: Path | str = "", *, most: int = 1_000, leaves_its_folder: bool = False) -> str:
    return read_text(path, most, workspace=str(workspace), leaves_its_folder=leaves_its_folder)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


def written(path: Path, text: str = "a.b.c") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def projected(folder: Path) -> Path:
    """A token as Kubernetes projects it, where one rename of `..data` replaces all files at once."""
    written(folder / "..2026_11_26" / "token")
    (folder / "..data").symlink_to("..2026_11_26")
    (folder / "token").symlink_to("..data/token")
    return folder / "token"


def test_a_regular_file_is_read(tmp_path):
    assert text_of(written(tmp_path / "token")) == "a.b.c"


def test_a_file_of_just_so_many_characters_is_read_and_one_of_more_is_not(tmp_path):
    file = written(tmp_path / "token", "é" * 10)

    assert text_of(file, most=10) == "é" * 10
    with pytest.raises(ValueError, match="more than 9 characters"):
        text_of(file, most=9)


def test_a_projected_token_of_kubernetes_is_read(tmp_path, workspace):
    assert text_of(projected(tmp_path / "serviceaccount"), workspace) == "a.b.c"
    assert text_of(projected(workspace / "serviceaccount"), workspace) == "a.b.c"


def test_the_folder_of_a_projected_token_may_be_reached_by_a_link(tmp_path, workspace):
    """As /var/run is one to /run."""
    projected(tmp_path / "run" / "serviceaccount")
    (tmp_path / "var-run").symlink_to("run")

    assert text_of(tmp_path / "var-run" / "serviceaccount" / "token", workspace) == "a.b.c"


def test_a_link_out_of_its_folder_is_not_followed(workspace):
    written(workspace / "secret")
    link = workspace / "folder" / "token"
    link.parent.mkdir()
    link.symlink_to("../secret")

    with pytest.raises(ValueError, match="a link that leads out of"):
        text_of(link, workspace)
    with pytest.raises(ValueError, match="a link that leads out of"):
        text_of(link)


def test_a_link_that_may_leave_its_folder_stays_in_the_workspace(tmp_path, workspace):
    written(workspace / "shared" / "trust.json")
    written(tmp_path / "outside.json")
    inside, outside = workspace / "inside.json", workspace / "outside.json"
    inside.symlink_to("shared/trust.json")
    outside.symlink_to(tmp_path / "outside.json")

    assert text_of(inside, workspace, leaves_its_folder=True) == "a.b.c"
    with pytest.raises(ValueError, match="a link that leads out of"):
        text_of(outside, workspace, leaves_its_folder=True)


def test_outside_of_the_workspace_no_link_leaves_its_folder(tmp_path, workspace):
    written(tmp_path / "secret")
    link = tmp_path / "folder" / "trust.json"
    link.parent.mkdir()
    link.symlink_to("../secret")

    with pytest.raises(ValueError, match="a link that leads out of"):
        text_of(link, workspace, leaves_its_folder=True)


@pytest.mark.parametrize("leaves_its_folder", [False, True])
def test_no_folder_of_the_workspace_is_a_way_out_of_it(tmp_path, workspace, leaves_its_folder):
    written(tmp_path / "outside" / "token")
    (workspace / "folder").symlink_to(tmp_path / "outside")

    for path in (workspace / "folder" / "token", workspace / "folder" / ".." / "outside" / "token"):
        with pytest.raises(ValueError, match="a link that leads out of"):
            text_of(path, workspace, leaves_its_folder=leaves_its_folder)


def test_a_workspace_that_is_a_link_itself_is_the_workspace(tmp_path, workspace):
    written(workspace / "token")
    (tmp_path / "link").symlink_to(workspace)

    assert text_of(tmp_path / "link" / "token", tmp_path / "link") == "a.b.c"


@pytest.mark.parametrize("target", ["/proc/self/environ", "/proc/version", "/proc/self/task/../environ"])
@pytest.mark.parametrize("is_link", [False, True])
def test_a_file_of_the_kernel_is_not_read(workspace, target, is_link):
    (workspace / "token").symlink_to(target)

    with pytest.raises(ValueError, match="a file of the kernel"):
        text_of(workspace / "token" if is_link else Path(target), workspace)


def other_kinds(folder: Path) -> dict[str, Path]:
    """One of each kind of file that is none, which open(2) could wait for, or act upon."""
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(folder / "socket"))
    devices = {name: Path("/dev") / name for name in ("zero", "tty", "null")}
    return {name: folder / name for name in ("pipe", "folder", "socket")} | devices


@pytest.mark.parametrize("name", ["pipe", "folder", "socket", "zero", "tty", "null"])
def test_what_is_no_regular_file_is_not_opened_for_reading(workspace, name):
    target = other_kinds(workspace)[name]
    (workspace / "token").symlink_to(target)

    for path in (target, workspace / "token"):
        with pytest.raises(ValueError, match="not a regular file"):
            text_of(path, workspace)


def test_what_is_not_there_is_told_with_the_systems_words(workspace):
    (workspace / "loop").symlink_to("loop")

    with pytest.raises(ValueError, match="No such file"):
        text_of(workspace / "token")
    with pytest.raises(ValueError, match="symbolic links"):
        text_of(workspace / "loop")
    with pytest.raises(ValueError, match="too long"):
        text_of(workspace / ("x" * 5_000))
    with pytest.raises(ValueError, match="null"):
        text_of(workspace / "\0")


def test_what_is_no_text_is_told(workspace):
    (workspace / "token").write_bytes(b"\xff")

    with pytest.raises(ValueError, match="not a text"):
        text_of(workspace / "token")


def test_every_file_that_was_opened_is_closed(workspace):
    written(workspace / "token")
    before = len(list(Path("/proc/self/fd").iterdir()))

    text_of(workspace / "token")
    with pytest.raises(ValueError, match="regular"):
        text_of(workspace)

    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_path_is_in_a_folder_by_its_name_or_by_where_links_lead(tmp_path, workspace):
    (tmp_path / "link").symlink_to(workspace)
    (workspace / "out").symlink_to(tmp_path)

    assert is_in(workspace, str(workspace))
    assert is_in(workspace / "x" / ".." / "y", str(workspace))
    assert (
        is_named_in(tmp_path / "link" / "x", str(workspace)),
        is_in(tmp_path / "link" / "x", str(workspace)),
    ) == (
        False,
        True,
    )
    assert (
        is_really_in(workspace / "out" / "x", str(workspace)),
        is_in(workspace / "out" / "x", str(workspace)),
    ) == (
        False,
        True,
    )
    assert is_in(f"/{workspace}/x", str(workspace))
    assert is_in(workspace, f"/{workspace}")
    assert not is_in(tmp_path / "workspace-2", str(workspace))
    assert not is_in(workspace, "")


@given(st.lists(st.sampled_from(["a", "b", "..", ".", ""])), st.lists(st.sampled_from(["a", "b"]), min_size=1))
def test_where_there_are_no_links_both_ways_to_judge_agree(parts, folder):
    path, place = "/no/such/" + "/".join(parts), "/no/such/" + "/".join(folder)

    assert is_named_in(path, place) == is_really_in(path, place)
