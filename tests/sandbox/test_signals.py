import io
import signal
from dataclasses import replace

import pytest

from sandbox import signals
from sandbox.signals import EXPORTED, LIMITS, End, Shot


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """A test's machine may be busy; a signal that is lost takes longer than this, or exports."""
    monkeypatch.setattr(signals, "MOST_SECONDS", 15)


@pytest.mark.slow
def test_a_signal_or_a_limit_at_any_moment_ends_a_process_at_once():
    out = io.StringIO()
    assert signals.main(["--processes", "20", "--limits", "10", "--seed", "1"], out) == 0, out.getvalue()

    assert "Signals to the process: 20 runs" in out.getvalue()
    assert "Time limits of the process: 10 runs" in out.getvalue()


RED = End(
    Shot(0.1, signal.SIGTERM),
    outcome="failure",
    status=1,
    seconds=0.2,
    took=0.1,
    written=-0.1,
    exported=frozenset(),
    said="::error::No.",
)
GREEN = replace(RED, outcome="success", status=0, exported=frozenset(EXPORTED), said="")


@pytest.mark.parametrize(
    ("end", "fault"),
    [
        (RED, ""),
        (GREEN, ""),
        (replace(GREEN, exported=frozenset({"AWS_REGION"})), "exported a part"),
        (replace(GREEN, status=143), "failed and exported"),
        (replace(RED, status=0), "succeeded and exported nothing"),
        (replace(GREEN, written=0.4), "exported 0.400 s after the signal"),
        (replace(RED, took=121), "ended 121.000 s after the signal"),
        (replace(RED, shot=Shot(0.1, limit=LIMITS["call"]), seconds=30), "took 30.000 s"),
        (replace(RED, said="Unexpected error (KeyError) in py-aws-oidc"), "did not say why"),
    ],
)
def test_how_a_run_must_not_end(end, fault):
    assert end.wrong == fault


def test_what_went_wrong_is_told_with_its_moment():
    out = io.StringIO()
    wrong = [replace(RED, took=121), replace(RED, shot=Shot(0.5, limit=LIMITS["step"]), took=99)]

    assert signals.tell("Runs", [GREEN, RED, *wrong], out) == 2
    assert "signal 15 at 0.100 s: ended 121.000 s after the signal; status 1." in out.getvalue()
    assert "limit of a step at 0.500 s: ended 99.000 s" in out.getvalue()
    assert "4 runs, 1 green, 3 red" in out.getvalue()


def test_without_an_engine_no_container_is_started():
    out = io.StringIO()

    assert signals.main(["an-image", "--processes", "0", "--limits", "0"], out, find=lambda: None) == 0
    assert "container" not in out.getvalue()


@pytest.mark.container
@pytest.mark.parametrize("number", signals.SIGNALS)
@pytest.mark.parametrize("at", [0.1, 0.3])
def test_a_signal_ends_a_container_at_once(number, at, engine, image):
    with signals.open_range(image, engine) as place:
        end = place.fire(Shot(at, number))

    assert end.wrong == ""


@pytest.mark.container
def test_containers_can_be_measured(engine, image):
    out = io.StringIO()

    signals.main([image, "--processes", "0", "--limits", "0", "--containers", "1"], out, find=lambda: engine)

    assert "Signals to the container: 1 runs" in out.getvalue()
