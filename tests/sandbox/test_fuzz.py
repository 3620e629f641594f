import io
import socket
from threading import Event

import pytest

from sandbox import fuzz
from sandbox.fuzz import Chance, Ended, Fuzz
from sandbox.in_process import stage
from sandbox.runner.files import FileCommandError


def fuzzed(*arguments: str, **more: object) -> tuple[int, str]:
    out = io.StringIO()
    return fuzz.main(arguments, out, **more), out.getvalue()


@pytest.mark.slow
def test_random_jobs_end_as_they_should():
    status, said = fuzzed("--runs", "60", "--seed", "20261126")

    assert status == 0, said
    assert "60 runs of main and of post: " in said
    assert "0 wrong" in said


def ended(status: int = 0, log: str = "", **more: float) -> Ended:
    return Ended(status, log, **({"slept": 0.0, "seconds": 0.0} | more))


@pytest.mark.parametrize(
    ("end", "fault"),
    [
        (ended(2, "::error::No."), "status 2 and 1 errors"),
        (ended(1), "status 1 and 0 errors"),
        (ended(0, "::error::No."), "status 0 and 1 errors"),
        (ended(1, "::error::Unexpected error (KeyError) in py-aws-oidc"), "failed inside"),
        (ended(0, "Traceback (most recent call last):"), "failed inside"),
        (ended(0, "::set-env name=PATH::x"), "printed a stray command"),
        (ended(0, f"a line\r::warning::{fuzz.PLANTED}"), "printed a stray command"),
        (ended(0, f"a line ##[debug]{fuzz.PLANTED}"), "printed a stray command"),
        (ended(0, slept=200), "retried for 200 s"),
        (ended(0, seconds=99), "took 99 s"),
    ],
)
def test_a_stage_that_does_not_end_as_it_should_is_found(end, fault):
    (found,) = fuzz.faulty(end)

    assert fault in found


def test_a_stage_that_ends_as_it_should_has_no_fault():
    assert fuzz.faulty(ended(0, "::group::x\nline\n::endgroup::\n::add-mask::x")) == []
    assert fuzz.faulty(ended(1, "::warning::x\n::error title=No::x")) == []


def test_what_a_failed_run_has_left_is_found():
    assert fuzz.left({"a": b"", "b": b""}, {"a": b"x", "c": b""}, ended(1)) == [
        "failed and left a",
        "failed and left b",
        "failed and left c",
    ]


def test_a_half_and_a_staged_file_are_found_after_success():
    after = {"GITHUB_ENV": b"AWS_ACCESS_KEY_ID=x\n", "home/.aws/.py-aws-oidc-1": b""}

    assert fuzz.left({}, after, ended(0)) == ["exported half of a key", "left home/.aws/.py-aws-oidc-1"]


@pytest.fixture
def scene():
    with stage() as scene, fuzz.sealed():
        yield scene


def test_what_post_has_left_is_found(scene, tmp_path, monkeypatch):
    (tmp_path / "GITHUB_ENV").write_text("AWS_REGION=new\n")
    monkeypatch.setattr(fuzz, "call", lambda *_: 0)
    chance = Chance("1")
    chance.areas = frozenset()

    found = Fuzz(scene, 1).post(tmp_path, {}, {}, ended(0), chance)

    assert found == ["left AWS_REGION"]


def test_a_file_that_the_runner_refuses_is_found(scene, tmp_path):
    (tmp_path / "GITHUB_ENV").write_text("no assignment\n")
    with pytest.raises(FileCommandError):
        dict(fuzz._pairs(tmp_path / "GITHUB_ENV"))  # noqa: SLF001 - what is found below

    (found,) = Fuzz(scene, 1).post(tmp_path, {}, {}, ended(0), Chance("1"))

    assert "the runner refuses" in found


def test_an_exception_that_comes_out_is_a_fault_and_the_run_can_be_repeated(monkeypatch):
    def call(*_: object) -> int:
        raise KeyError("s3cret")

    monkeypatch.setattr(fuzz, "call", call)
    status, said = fuzzed("--seed", "5", "--only", "2")

    assert status == 1
    assert f"Run 2: main ended with status {fuzz.CRASHED} and 0 errors." in said
    assert "--seed 5 --only" in said
    assert "s3cret" not in said


def test_the_same_seed_makes_the_same_job():
    drawn = [(Chance("1 2").areas, Chance("1 2").text(), fuzz.job(Chance("1 2"))) for _ in range(2)]

    assert drawn[0] == drawn[1]
    assert Chance("1 3").random() != Chance("1 2").random()


def test_a_run_that_hangs_ends_the_fuzz(monkeypatch):
    ends, over = [], Event()

    def end(status: int) -> None:
        ends.append(status)
        over.set()

    monkeypatch.setattr(Fuzz, "run", lambda *_: over.wait(20) and (0, []))
    _, said = fuzzed("--runs", "1", end=end, seconds=0.01)

    assert ends == [1]
    assert "Run 1 hangs." in said


def test_there_is_no_way_out():
    with fuzz.sealed(), socket.socket() as it:
        with pytest.raises(OSError, match="no way out"):
            it.connect(("192.0.2.1", 80))
        with pytest.raises(socket.gaierror):
            socket.getaddrinfo("example.com", 80)
        assert socket.getaddrinfo("127.0.0.1", 80)


@pytest.mark.parametrize("mutate", fuzz.MUTATIONS, ids=range(len(fuzz.MUTATIONS)))
@pytest.mark.parametrize("text", [fuzz.ANSWER, ""], ids=["an answer", "nothing"])
def test_every_answer_can_be_changed(mutate, text):
    assert isinstance(mutate(Chance("1"), text), str)


@pytest.mark.parametrize("odd", fuzz.ODD)
def test_odd_files_can_be_compared(odd, tmp_path):
    (tmp_path / "home").mkdir()
    for name in ("GITHUB_ENV", "GITHUB_OUTPUT"):
        (tmp_path / name).touch()
    odd(tmp_path)

    assert fuzz.changed(fuzz.contents(tmp_path), fuzz.contents(tmp_path)) == []
    assert fuzz.changed(fuzz.contents(tmp_path), {}) != []


def test_a_state_can_be_damaged():
    assert {fuzz.damaged(Chance(str(n)), '{"a": "/b"}') for n in range(20)} > {'{"a": "/../b"}'}
