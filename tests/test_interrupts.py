import signal
from threading import Event

import pytest

from py_aws_oidc.failure import Failure
from py_aws_oidc.interrupts import Interrupted, interruptible, time_limit, uninterrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_interrupts(number):
    with pytest.raises(Interrupted), interruptible():
        signal.raise_signal(number)


def test_the_handlers_of_before_come_back():
    before = signal.getsignal(signal.SIGTERM)

    with interruptible():
        pass

    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_must_be_whole_is_not_interrupted_nor_what_follows(number):
    done = []
    with interruptible():
        with uninterrupted():
            signal.raise_signal(number)
            done.append("first")
        signal.raise_signal(number)
        done.append("second")

    assert done == ["first", "second"]


def test_what_failed_to_become_whole_is_interrupted_again():
    with pytest.raises(Interrupted), interruptible():
        with pytest.raises(KeyError), uninterrupted():
            raise KeyError
        signal.raise_signal(signal.SIGTERM)


def failure(text: str) -> Failure:
    return Failure(text, why="Why.", fix="Fix.")


@pytest.mark.parametrize(("outer", "inner", "said"), [(0.05, 30, "outer"), (30, 0.05, "inner"), (0, 0.05, "inner")])
def test_of_two_limits_the_one_that_is_reached_first_counts(outer, inner, said):
    with (
        pytest.raises(Failure, match=said),
        time_limit(outer, failure("outer")),
        time_limit(inner, failure("inner")),
    ):
        Event().wait(20)


def test_a_limit_inside_leaves_the_one_outside_as_it_was():
    with pytest.raises(Failure, match="outer"), time_limit(1, failure("outer")):
        with pytest.raises(Failure, match="inner"), time_limit(0.05, failure("inner")):
            Event().wait(20)
        Event().wait(20)


def test_what_is_quick_is_not_limited():
    with time_limit(30, failure("outer")), time_limit(20, failure("inner")):
        pass

    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
