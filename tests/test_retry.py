import pytest

from py_aws_oidc.clock import Clock
from py_aws_oidc.failure import Failure, Kind
from py_aws_oidc.retry import Retry, seconds


class Story:
    """A call that fails with these kinds before it succeeds, on a clock that only sleeping moves."""

    def __init__(self, *kinds: Kind, tries: int = 12, retry_after: float = 0, luck: float = 1.0) -> None:
        self.kinds = list(kinds)
        self.retry_after = retry_after
        self.slept: list[float] = []
        self.said: list[str] = []
        clock = Clock(
            monotonic=lambda: sum(self.slept), sleep=self.slept.append, uniform=lambda _, most: luck * most
        )
        self.retry = Retry(tries, clock, self.said.append, began=0)

    def make(self) -> str:
        if self.kinds:
            raise Failure("No.", why="Why.", fix="Fix.", kind=self.kinds.pop(0), retry_after=self.retry_after)
        return "done"

    def run(self) -> str:
        return self.retry.call("The call", self.make)


def test_what_succeeds_is_called_once():
    story = Story()

    assert story.run() == "done"
    assert story.said == []


def test_waits_grow_to_ten_seconds():
    story = Story(*[Kind.PASSES] * 8)

    assert story.run() == "done"
    assert story.slept == pytest.approx([0.4, 0.8, 1.6, 3.2, 6.4, 10, 10, 10])


def test_chance_spreads_the_waits_from_zero_on():
    story = Story(Kind.PASSES, Kind.PASSES, luck=0)

    assert story.run() == "done"
    assert story.slept == [0, 0]


def test_each_retry_is_told():
    story = Story(Kind.PASSES)

    story.run()

    assert story.said == ["The call failed with an error that passes by itself; try 2 follows in 0.4 s."]


@pytest.mark.parametrize(
    ("kind", "tries", "waits"),
    [
        (Kind.NEVER, 1, []),
        (Kind.ONCE_MORE, 2, [1]),
        (Kind.NEW_TOKEN, 2, [0]),
        (Kind.MAY_PASS, 3, [0.4, 0.8]),
    ],
)
def test_a_kind_has_its_own_number_of_tries(kind, tries, waits):
    story = Story(*[kind] * 100)

    with pytest.raises(Failure):
        story.run()

    assert 100 - len(story.kinds) == tries
    assert story.slept == pytest.approx(waits)


def test_there_is_no_wait_after_the_last_try():
    story = Story(*[Kind.PASSES] * 100, tries=3)

    with pytest.raises(Failure):
        story.run()

    assert len(story.slept) == 2


def test_retries_end_after_two_minutes():
    story = Story(*[Kind.PASSES] * 1000, tries=1000)

    with pytest.raises(Failure):
        story.run()

    assert 110 < sum(story.slept) <= 120


def test_the_wait_that_is_asked_for_is_kept():
    story = Story(Kind.PASSES, retry_after=7)

    story.run()

    assert story.slept == [7]


def test_a_wait_that_is_too_long_is_not_begun():
    story = Story(Kind.PASSES, retry_after=3600)

    with pytest.raises(Failure):
        story.run()

    assert story.slept == []


def test_who_gave_up_is_not_called_again_from_outside():
    story = Story(*[Kind.PASSES] * 100, tries=2)

    with pytest.raises(Failure) as caught:
        story.run()

    assert caught.value.kind is Kind.NEVER


@pytest.mark.parametrize(
    "kinds",
    [
        [Kind.PASSES, Kind.PASSES, Kind.NEW_TOKEN],
        [Kind.PASSES, Kind.PASSES, Kind.PASSES, Kind.MAY_PASS, Kind.MAY_PASS],
        [Kind.PASSES, Kind.ONCE_MORE, Kind.PASSES],
    ],
    ids=lambda kinds: ", ".join(kind.name for kind in kinds),
)
def test_each_kind_of_error_has_its_own_tries(kinds):
    assert Story(*kinds).run() == "done"


def test_all_calls_of_a_run_share_two_minutes():
    story = Story(*[Kind.PASSES] * 1000, tries=8)

    for _ in range(3):
        with pytest.raises(Failure):
            story.run()

    assert sum(story.slept) <= 120


def test_the_last_word_says_how_often_it_was_tried():
    story = Story(*[Kind.PASSES] * 100, tries=3)

    with pytest.raises(Failure) as caught:
        story.run()

    assert caught.value.why == "Why.\nIt was tried 3 times."


@pytest.mark.parametrize(("header", "wait"), [("7", 7), ("", 0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0), ("-1", 0)])
def test_retry_after_is_a_number_of_seconds(header, wait):
    assert seconds(header) == wait
