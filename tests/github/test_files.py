import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_aws_oidc.failure import Failure
from py_aws_oidc.github.files import AllOrNothing, CommandFile, owner, render
from py_aws_oidc.secret import Secret
from sandbox.runner.files import parse

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]*", fullmatch=True)
VALUES = st.text(st.characters(codec="utf-8"))


@given(st.dictionaries(NAMES, VALUES))
def test_the_runner_reads_what_was_written(entries):
    assert dict(parse(render(entries))) == entries


def test_a_secret_is_written_as_it_is():
    assert dict(parse(render({"A": Secret("s3cret")}))) == {"A": "s3cret"}


def test_no_blank_line_stands_between_entries():
    # nektos/act takes a blank line for an error.
    assert "\n\n" not in render({"A": "1", "B": "2"})


def test_a_value_that_holds_its_own_delimiter_is_refused():
    with pytest.raises(ValueError, match="its own delimiter"):
        render({"A": "x\nghadelimiter_d\nEVIL=1"}, delimiter=lambda: "d")


@pytest.mark.parametrize("name", ["", "A=B", "A<<B", "A\nB", "1A", "é", "A B"])
def test_a_name_that_could_be_something_else_is_refused(name):
    with pytest.raises(ValueError, match="is not a name for a file command"):
        render({name: "x"})


def file(tmp_path, content: str = "", name: str = "env") -> CommandFile:
    path = tmp_path / name
    path.write_text(content)
    return CommandFile.named({"GITHUB_ENV": str(path)}, "GITHUB_ENV")


def append(target: CommandFile, entries: dict[str, str]) -> None:
    with AllOrNothing([target]) as files:
        files.append(target, entries)


def test_entries_are_appended_to_what_is_there(tmp_path):
    target = file(tmp_path, "BEFORE=1\n")

    append(target, {"A": "x"})

    assert dict(parse((tmp_path / "env").read_text())) == {"BEFORE": "1", "A": "x"}


def test_bytes_that_are_no_text_are_written_as_they_came(tmp_path):
    append(file(tmp_path), {"A": os.fsdecode(b"\xff")})

    assert b"\xff" in (tmp_path / "env").read_bytes()


def test_a_variable_that_names_no_file_is_told():
    with pytest.raises(Failure, match="GITHUB_ENV is missing"):
        CommandFile.named({"GITHUB_ENV": ""}, "GITHUB_ENV")


def test_a_file_that_is_not_there_is_not_made(tmp_path):
    target = CommandFile("GITHUB_ENV", str(tmp_path / "nowhere"))

    with pytest.raises(Failure, match="cannot be written"):
        append(target, {"A": "x"})

    assert not (tmp_path / "nowhere").exists()


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").touch()
    (tmp_path / "env").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(Failure, match="cannot be written"):
        append(CommandFile("GITHUB_ENV", str(tmp_path / "env")), {"A": "x"})

    assert (tmp_path / "elsewhere").read_text() == ""


def test_a_write_that_was_cut_short_is_taken_back(tmp_path, monkeypatch):
    whole = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: whole(descriptor, data[:5]))
    target = file(tmp_path, "BEFORE=1\n")

    with pytest.raises(Failure, match=os.strerror(errno.ENOSPC)):
        append(target, {"A": "x"})

    assert (tmp_path / "env").read_text() == "BEFORE=1\n"


def test_what_was_written_is_taken_back_when_something_later_fails(tmp_path):
    first, second = file(tmp_path, "BEFORE=1\n"), file(tmp_path, name="other")

    with pytest.raises(KeyError), AllOrNothing([first, second]) as files:
        files.append(first, {"A": "x"})
        raise KeyError

    assert (tmp_path / "env").read_text() == "BEFORE=1\n"


def test_a_write_that_fails_is_told(tmp_path, monkeypatch):
    def full(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    target = file(tmp_path)
    monkeypatch.setattr(os, "write", full)

    with pytest.raises(Failure, match=os.strerror(errno.EIO)):
        append(target, {"A": "x"})


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_regular_file_is_refused(tmp_path, make):
    make(tmp_path / "env")

    with pytest.raises(Failure, match="cannot be written"):
        append(CommandFile("GITHUB_ENV", str(tmp_path / "env")), {"A": "x"})


def test_a_pipe_with_a_reader_is_refused_too(tmp_path):
    os.mkfifo(tmp_path / "env")
    reader = os.open(tmp_path / "env", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(Failure, match="it is not a regular file"):
            append(CommandFile("GITHUB_ENV", str(tmp_path / "env")), {"A": "x"})
    finally:
        os.close(reader)


def test_the_owner_is_who_owns_the_runners_file(tmp_path, monkeypatch):
    path = file(tmp_path).path
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    assert owner({"GITHUB_ENV": path}) == (os.stat(path).st_uid, os.stat(path).st_gid)  # noqa: PTH116 - as the code does


def test_nobody_else_can_own_our_files_when_we_are_not_root(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1001)

    assert owner({"GITHUB_ENV": file(tmp_path).path}) is None


def test_without_the_runners_file_there_is_no_owner():
    assert owner({}) is None
