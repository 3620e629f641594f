"""Each fault of each call, one cell of docs/reliability.md each."""

import io
from functools import cache
from pathlib import Path

import pytest

from py_aws_oidc.aws.errors import CODES
from py_aws_oidc.failure import Retryability
from sandbox import reliability, soak
from sandbox.in_process import Run, stage
from sandbox.reliability import CELLS, TROUBLES, Cell, Outcome, Place, Trouble

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parent.parent / "docs" / "reliability.md"
# How often a call that never succeeds is made at most; retry-max-attempts is 12.
TRIES = {
    Retryability.TRANSIENT: 12,
    Retryability.EVENTUAL_CONSISTENCY: 3,
    Retryability.REFRESH_TOKEN: 2,
    Retryability.RETRY_ONCE: 2,
    Retryability.PERMANENT: 1,
}
LIMIT, LONGEST_WAIT = 120, 10


@pytest.fixture(scope="module")
def ends():
    """How a cell ends; each is run once."""
    with stage() as scene:
        yield cache(lambda cell: reliability.outcome(cell, scene))


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_fault_ends_as_its_kind_says(cell, ends):
    end = ends(cell)

    passes = cell.times is not None and cell.times < TRIES[cell.trouble.retryability]
    assert end.green == passes
    assert end.tries == (cell.times + 1 if passes else tries_in_time(cell.trouble))
    assert arrived(end, cell.place) == end.tries - refused(cell, end)
    assert len(end.slept) == end.tries - 1  # so there is no wait after the last try
    assert end.seconds <= LIMIT + LONGEST_WAIT
    assert bool(end.run.exported) == end.green
    assert not end.run.leaks


def tries_in_time(trouble: Trouble) -> int:
    """How many tries fit into the limit, as every wait takes the longest."""
    waits = [max(min(10, 0.2 * 2**n), retry_after(trouble)) for n in range(1, 12)]
    starts = [sum(waits[:n]) + n * trouble.seconds for n in range(12)]
    return min(TRIES[trouble.retryability], sum(start <= LIMIT for start in starts))


def retry_after(trouble: Trouble) -> int:
    return int(trouble.fault.headers.get("Retry-After", "0")) if trouble.fault else 0


def arrived(end: Outcome, place: Place) -> int:
    return [call.operation for call in end.run.calls].count(place.operation)


def refused(cell: Cell, end: Outcome) -> int:
    if cell.trouble.fault:
        return 0
    return end.tries if cell.times is None else cell.times


@pytest.mark.parametrize(
    "cell", [cell for cell in CELLS if cell.trouble.retryability is Retryability.REFRESH_TOKEN], ids=str
)
def test_a_token_that_got_old_is_replaced(cell, ends):
    sent = [call.form["WebIdentityToken"] for call in ends(cell).run.calls if "WebIdentityToken" in call.form]

    assert len(set(sent)) == 2


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.times == 2 and retry_after(cell.trouble)], ids=str)
def test_the_wait_that_the_other_side_asks_for_is_kept(cell, ends):
    assert ends(cell).slept == (7, 7)


@pytest.mark.parametrize("row", CODES, ids=lambda row: row.code)
def test_each_code_that_is_retried_has_a_run_in_which_only_the_code_says_so(row):
    faults = [trouble.fault for trouble in TROUBLES[Place.STS] if trouble.retryability is row.retryability]

    assert (row.code, 400) in {(fault.code, fault.status) for fault in faults if fault}


def test_the_page_says_what_the_runs_do(ends):
    assert PAGE.read_text() == reliability.page(ends), "make docs writes it anew"


def test_the_page_can_be_printed(monkeypatch, ends):
    monkeypatch.setattr(reliability, "outcome", lambda cell, _: ends(cell))
    out = io.StringIO()

    assert reliability.main(out) == 0
    assert out.getvalue() == PAGE.read_text()


def run(log: str) -> Run:
    return Run(0, log, {}, {}, {}, (), frozenset({"hush"}))


@pytest.mark.parametrize("log", ["all is well\n::add-mask::hush", "::add-mask::word\nanother"])
def test_a_secret_may_be_told_to_the_mask(log):
    assert not run(log).leaks


@pytest.mark.parametrize(
    "log",
    ["hush", "::add-mask::hush\n::debug::hush", "::add-mask::word\nword", "eyJhbGciOi.e30.x", "ASIA" + "X" * 16],
)
def test_a_secret_anywhere_else_is_a_leak(log):
    assert run(log).leaks


def test_runs_that_meet_faults_at_random_leave_all_or_nothing():
    out = io.StringIO()

    assert soak.main(["--runs", "25", "--seed", "2"], out) == 0
    assert out.getvalue().startswith("25 runs, each call failing with a chance of 30%: ")
    assert ", 0 half done, 0 with a secret in the log; the longest took " in out.getvalue()
    assert out.getvalue().endswith("; seed 2.\n")


def test_a_run_that_is_half_done_is_told():
    only_the_state = (frozenset(), frozenset(), frozenset({"PY_AWS_OIDC_VARIABLES"}), frozenset())
    ends = [soak.End(0, soak.ALL, leaks=False, seconds=1), soak.End(1, only_the_state, leaks=False, seconds=9)]
    out = io.StringIO()

    assert soak.tell(ends, 7, out) == 1
    assert out.getvalue() == (
        "Run 2 ended with status 1 and left PY_AWS_OIDC_VARIABLES.\n"
        "2 runs, each call failing with a chance of 30%: 1 green, 1 red, 1 half done, 0 with a secret in the log; "
        "the longest took 9.0 s by the clock; seed 7.\n"
    )


def test_a_run_that_tells_a_secret_is_told():
    out = io.StringIO()

    assert soak.tell([soak.End(1, soak.NOTHING, leaks=True, seconds=0)], 7, out) == 1
    assert out.getvalue().startswith("Run 1 ended with status 1 and left nothing. A secret is in its log.\n")
