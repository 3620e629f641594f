"""Processes of the runner: streams, exit codes and the way it cancels them."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from sandbox.runner import Cancel, HungError, RawLine, process
from sandbox.runner.process import Finished, run

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}
QUICK = (0.2, 0.2)


def sh(script: str, cwd: Path, **options: object) -> Finished:
    return run(["sh", "-c", script], environment=ENVIRONMENT, cwd=cwd, **{"limit": 30, **options})  # type: ignore[arg-type]  # passed on


def test_lines_end_in_three_ways(tmp_path: Path) -> None:
    finished = sh(r"printf 'a\nb\r\nc\rd\n\ne'", tmp_path)

    assert [line.text for line in finished.lines] == ["a", "b", "c", "d", "", "e"]


def test_broken_bytes_become_replacement_characters(tmp_path: Path) -> None:
    assert sh(r"printf 'a\377b'", tmp_path).lines == (RawLine("stdout", "a\ufffdb"),)


def test_both_streams_are_heard(tmp_path: Path) -> None:
    assert set(sh("echo out; echo err >&2", tmp_path).lines) == {
        RawLine("stdout", "out"),
        RawLine("stderr", "err"),
    }


def test_lines_are_heard_in_their_streams_order(tmp_path: Path) -> None:
    heard: list[RawLine] = []
    finished = sh("for i in 1 2 3; do echo $i; done", tmp_path, hear=heard.append)

    assert heard == list(finished.lines) == [RawLine("stdout", str(i)) for i in (1, 2, 3)]


def test_the_exit_code_is_told(tmp_path: Path) -> None:
    assert sh("exit 7", tmp_path).exit_code == 7


def test_a_signal_is_an_exit_code_above_128(tmp_path: Path) -> None:
    assert sh("kill -KILL $$", tmp_path).exit_code == 137


def test_stdin_is_empty(tmp_path: Path) -> None:
    assert sh("cat", tmp_path).lines == ()


def test_nothing_of_our_own_environment_is_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "hostile")

    names = {line.text.partition("=")[0] for line in sh("env", tmp_path).lines}
    assert names <= {"PATH", "PWD", "SHLVL", "_", "OLDPWD"}


def test_a_process_starts_in_its_folder(tmp_path: Path) -> None:
    assert sh("pwd -P", tmp_path).lines[0].text == os.path.realpath(tmp_path)


def test_a_process_that_never_ends_is_killed(tmp_path: Path) -> None:
    with pytest.raises(HungError, match="had to be killed"):
        run(["sleep", "100"], environment=ENVIRONMENT, cwd=tmp_path, limit=0.1)


def test_a_child_that_holds_the_streams_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STREAMS_GRACE", 0.1)
    start = time.monotonic()

    # The child ends by itself a little later, so that nothing is left behind.
    assert sh("sleep 2 & echo started", tmp_path).lines == (RawLine("stdout", "started"),)
    assert time.monotonic() - start < 2


def test_cancelling_begins_with_sigint(tmp_path: Path) -> None:
    script = "trap 'echo int; exit 3' INT; echo ready; while :; do sleep 0.01; done"

    finished = sh(script, tmp_path, cancel=Cancel(at="ready", waits=(20, 20)))
    assert (finished.cancelled, finished.exit_code) == (True, 3)
    assert finished.lines[-1].text == "int"


def test_sigterm_follows_where_sigint_did_nothing(tmp_path: Path) -> None:
    script = "trap '' INT; trap 'echo term; exit 4' TERM; echo ready; while :; do sleep 0.01; done"

    finished = sh(script, tmp_path, cancel=Cancel(at="ready", waits=(0.1, 20)))
    assert (finished.exit_code, finished.lines[-1].text) == (4, "term")


def test_sigkill_ends_what_ignores_both(tmp_path: Path) -> None:
    script = "trap '' INT TERM; echo ready; while :; do sleep 0.01; done"

    assert sh(script, tmp_path, cancel=Cancel(at="ready", waits=QUICK)).exit_code == 137


def test_a_process_that_never_says_the_word_is_not_cancelled(tmp_path: Path) -> None:
    assert not sh("echo other", tmp_path, cancel=Cancel(at="ready")).cancelled
