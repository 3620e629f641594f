import gc
import importlib
import signal
import sys
import time
import weakref
from contextlib import suppress
from itertools import count

import pytest

from py_aws_oidc import interrupts
from py_aws_oidc.failure import Failure
from py_aws_oidc.interrupts import Ending, leave_to_main_thread, pause, time_limit, uninterrupted

CANCEL = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


def failure(text: str) -> Failure:
    return Failure(text, name="test", why="Why.", fix="Fix.")


class Ends:
    """An ending that ends this process by an exception, and says nothing but to the test."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.ending = Ending(lambda failure: self.said.append(failure.what), sys.exit)


@CANCEL
def test_a_signal_ends_the_process_with_a_failure(number):
    run = Ends()
    run.ending.on_signal(failure("cancelled"))

    with pytest.raises(SystemExit, match="1"):
        signal.raise_signal(number)
    assert run.said == ["cancelled"]
    assert run.ending.begun


def test_a_signal_ends_the_process_wherever_python_drops_exceptions():
    # As in importlib: what a callback of a weak reference raises is lost.
    statuses = []
    Ending(lambda _: None, statuses.append).on_signal(failure("cancelled"))

    class Watched:
        pass

    watched = Watched()
    reference = weakref.ref(watched, lambda _: signal.raise_signal(signal.SIGTERM))
    del watched
    gc.collect()

    assert reference() is None
    assert set(statuses) == {1}  # more than one where the end takes longer than the last words may


def test_what_cannot_be_said_ends_the_process_all_the_same():
    def say(_: Failure) -> None:
        raise BrokenPipeError

    Ending(say, sys.exit).on_signal(failure("cancelled"))

    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGTERM)


def test_a_log_that_nobody_reads_does_not_keep_the_process(monkeypatch):
    monkeypatch.setattr(interrupts, "_LAST_WORDS_SECONDS", 0.01)
    began = time.monotonic()
    Ending(lambda _: time.sleep(30), sys.exit).on_signal(failure("cancelled"))

    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGTERM)
    assert time.monotonic() - began < 20


def test_a_second_signal_does_not_wait_for_the_first():
    def say(_: Failure) -> None:
        signal.raise_signal(signal.SIGTERM)
        said.append("never")

    said: list[str] = []
    Ending(say, sys.exit).on_signal(failure("cancelled"))

    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGINT)
    assert said == []


def test_a_run_that_has_failed_is_ended_without_a_word():
    run = Ends()
    run.ending.on_signal(failure("cancelled"))
    run.ending.after(30, lambda: failure("too long"))
    run.ending.silently()

    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGTERM)
    assert run.said == []
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@CANCEL
def test_what_must_be_whole_is_not_interrupted_nor_what_follows(number):
    run, done = Ends(), []
    run.ending.on_signal(failure("cancelled"))
    with uninterrupted():
        signal.raise_signal(number)
        done.append("first")
    signal.raise_signal(number)
    done.append("second")

    assert done == ["first", "second"]
    assert run.said == []


def test_what_failed_to_become_whole_is_interrupted_at_its_end():
    run, undone = Ends(), []
    run.ending.on_signal(failure("cancelled"))

    with pytest.raises(SystemExit), uninterrupted():
        try:
            signal.raise_signal(signal.SIGTERM)
            raise KeyError
        finally:
            undone.append("all")
    assert undone == ["all"]


def test_what_failed_to_become_whole_can_be_interrupted_again():
    run = Ends()
    run.ending.on_signal(failure("cancelled"))

    with suppress(KeyError), uninterrupted():
        raise KeyError
    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGTERM)


def test_a_pause_of_what_must_be_whole_can_be_interrupted():
    run = Ends()
    run.ending.on_signal(failure("cancelled"))

    with pytest.raises(SystemExit), uninterrupted():
        signal.raise_signal(signal.SIGTERM)
        pause(0)


def test_after_a_pause_nothing_interrupts_again():
    run, done = Ends(), []
    run.ending.on_signal(failure("cancelled"))

    with uninterrupted():
        pause(0)
        signal.raise_signal(signal.SIGTERM)
        done.append("all")
    assert done == ["all"]


def test_the_limit_of_the_step_ends_the_process():
    run = Ends()
    run.ending.after(0.01, lambda: failure("too long"))

    with pytest.raises(SystemExit):
        time.sleep(20)
    assert run.said == ["too long"]


def test_without_a_limit_of_the_step_no_timer_runs():
    Ends().ending.after(0, lambda: failure("too long"))

    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@pytest.mark.parametrize(("step", "call", "said"), [(0.01, 30, ["too long"]), (30, 0.01, [])])
def test_of_the_limits_of_step_and_call_the_one_that_is_reached_first_counts(step, call, said):
    run = Ends()
    run.ending.after(step, lambda: failure("too long"))

    with pytest.raises((SystemExit, Failure)), time_limit(call, failure("call")):
        time.sleep(20)
    assert run.said == said


def test_a_thread_can_be_kept_from_all_signals():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    try:
        leave_to_main_thread()
        assert {signal.SIGTERM, signal.SIGALRM} < signal.pthread_sigmask(signal.SIG_BLOCK, [])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.mark.parametrize(("outer", "inner", "said"), [(0.05, 30, "outer"), (30, 0.05, "inner"), (0, 0.05, "inner")])
def test_of_two_limits_the_one_that_is_reached_first_counts(outer, inner, said):
    with (
        pytest.raises(Failure, match=said),
        time_limit(outer, failure("outer")),
        time_limit(inner, failure("inner")),
    ):
        time.sleep(20)


def test_a_limit_inside_leaves_the_one_outside_as_it_was():
    with pytest.raises(Failure, match="outer"), time_limit(1, failure("outer")):
        with pytest.raises(Failure, match="inner"), time_limit(0.05, failure("inner")):
            time.sleep(20)
        time.sleep(20)


def test_a_limit_outside_that_is_reached_inside_counts_at_the_end_of_the_inside():
    with pytest.raises(Failure, match="outer"), time_limit(0.02, failure("outer")):
        with suppress(Failure), time_limit(0.01, failure("inner")):
            time.sleep(20)
        time.sleep(20)


def test_what_is_quick_is_not_limited():
    with time_limit(30, failure("outer")), time_limit(20, failure("inner")):
        pass

    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_a_limit_whose_exception_is_lost_is_raised_again():
    with pytest.raises(Failure, match="outer"), time_limit(0.01, failure("outer")):
        with suppress(BaseException):
            time.sleep(20)
        time.sleep(20)


def test_a_limit_in_an_import_counts_after_the_import(tmp_path, monkeypatch):
    name = f"slow_{next(NUMBERS)}"
    (tmp_path / f"{name}.py").write_text("import time\ntime.sleep(0.02)\nis_whole = True\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(Failure, match="late"), time_limit(0.01, failure("late")):
        importlib.import_module(name)
        time.sleep(20)

    assert sys.modules.pop(name).is_whole


NUMBERS = count()


@pytest.mark.parametrize("method", [time_limit.__enter__, time_limit.__exit__])
def test_a_limit_that_is_reached_at_the_edge_of_a_block_is_not_raised_there(method, monkeypatch):
    """The exception would leave the block with the timer still running, or as one that nobody knows."""
    limit = time_limit(30, failure("outer"))
    set_timer = signal.setitimer

    def setting(*arguments: float) -> tuple[float, float]:
        signal.raise_signal(signal.SIGALRM)
        return set_timer(*arguments)

    if method is time_limit.__exit__:
        limit.__enter__()
    monkeypatch.setattr(signal, "setitimer", setting)
    method(*([limit] if method is time_limit.__enter__ else [limit, None, None, None]))
    monkeypatch.undo()
    limit.__exit__(None, None, None)
