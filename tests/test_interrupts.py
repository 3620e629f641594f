import signal

import pytest

from py_aws_oidc.interrupts import Interrupted, interruptible, uninterrupted


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
def test_what_must_be_whole_is_not_interrupted_and_the_signal_is_dropped(number):
    done = []
    with interruptible():
        with uninterrupted():
            signal.raise_signal(number)
            done.append("first")
        done.append("second")

    assert done == ["first", "second"]
