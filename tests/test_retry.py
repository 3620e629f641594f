import pytest

from py_aws_oidc.clock import Clock
from py_aws_oidc.failure import Failure, Retryability
from py_aws_oidc.retry import Retry

TRANSIENT, EVENTUAL_CONSISTENCY, REFRESH_TOKEN, RETRY_ONCE, PERMANENT = Retryability


class Story:
    """A call that fails with these kinds before it succeeds, on a clock that only sleeping moves."""

    def __init__(
        self, *kinds: Retryability, tries: int = 12, retry_after: float = 0, luck: float = 1.0, error: str = "E"
    ) -> None:
        self.kinds = list(kinds)
        self.error = error
        self.retry_after = retry_after
        self.slept: list[float] = []
        self.said: list[str] = []
        clock = Clock(
            monotonic=lambda: sum(self.slept), sleep=self.slept.append, uniform=lambda _, most: luck * most
        )
        self.retry = Retry(tries, clock, self.said.append, began=0)

    def make(self) -> str:
        if self.kinds:
            raise Failure(
                "No.",
                name="test",
                why="Why.",
                fix="Fix.",
                error=self.error,
                retryability=self.kinds.pop(0),
                retry_after=self.retry_after,
            )
        return "done"

    def run(self) -> str:
        return self.retry.call("The call", self.make)


def test_what_succeeds_is_called_once():
    story = Story()

    assert story.run() == "done"
    assert story.said == []


def test_waits_grow_to_ten_seconds():
    story = Story(*[TRANSIENT] * 8)

    assert story.run() == "done"
    assert story.slept == pytest.approx([0.4, 0.8, 1.6, 3.2, 6.4, 10, 10, 10])


def test_chance_spreads_the_waits_from_zero_on():
    story = Story(TRANSIENT, TRANSIENT, luck=0)

    assert story.run() == "done"
    assert story.slept == [0, 0]


def test_each_retry_names_the_error_and_the_attempt():
    story = Story(TRANSIENT, TRANSIENT, tries=3)

    story.run()

    assert [line.partition(" Such")[0] for line in story.said] == [
        "The call failed: E. Attempt 1 of 3.",
        "The call failed: E. Attempt 2 of 3.",
    ]
    assert story.said[0].endswith("next attempt in 0.4 s.")


def test_an_error_without_a_short_form_is_named_by_what_happened():
    story = Story(TRANSIENT, error="")

    story.run()

    assert story.said[0].startswith("The call failed: No. Attempt 1 of 12.")


@pytest.mark.parametrize(
    ("kinds", "most"),
    [
        ([EVENTUAL_CONSISTENCY], 3),
        ([RETRY_ONCE], 2),
        ([REFRESH_TOKEN], 2),
        ([TRANSIENT, TRANSIENT, RETRY_ONCE], 4),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else ", ".join(kind.name for kind in value),
)
def test_the_number_of_attempts_is_that_of_the_error(kinds, most):
    story = Story(*kinds)

    story.run()

    assert f"Attempt {len(kinds)} of {most}." in story.said[-1]


def test_the_last_error_is_kept_without_a_line_of_its_own():
    story = Story(*[TRANSIENT] * 3, tries=3)

    with pytest.raises(Failure):
        story.run()

    assert len(story.said) == 2
    assert story.retry.errors[-1] == "The call failed: E. Attempt 3 of 3."


@pytest.mark.parametrize(
    ("kind", "tries", "waits"),
    [
        (PERMANENT, 1, []),
        (RETRY_ONCE, 2, [1]),
        (REFRESH_TOKEN, 2, [0]),
        (EVENTUAL_CONSISTENCY, 3, [0.4, 0.8]),
    ],
)
def test_a_kind_has_its_own_number_of_tries(kind, tries, waits):
    story = Story(*[kind] * 100)

    with pytest.raises(Failure):
        story.run()

    assert 100 - len(story.kinds) == tries
    assert story.slept == pytest.approx(waits)


def test_there_is_no_wait_after_the_last_try():
    story = Story(*[TRANSIENT] * 100, tries=3)

    with pytest.raises(Failure):
        story.run()

    assert len(story.slept) == 2


def test_retries_end_after_two_minutes():
    story = Story(*[TRANSIENT] * 1000, tries=1000)

    with pytest.raises(Failure):
        story.run()

    assert 110 < sum(story.slept) <= 120


def test_the_wait_that_is_asked_for_is_kept():
    story = Story(TRANSIENT, retry_after=7)

    story.run()

    assert story.slept == [7]


def test_a_wait_that_is_too_long_is_not_begun():
    story = Story(TRANSIENT, retry_after=3600)

    with pytest.raises(Failure):
        story.run()

    assert story.slept == []


def test_a_call_that_gave_up_is_not_made_again_by_the_call_around_it():
    story = Story(*[TRANSIENT] * 100, tries=2)

    with pytest.raises(Failure) as caught:
        story.retry.call("The call around it", story.run)

    assert len(story.kinds) == 98
    assert caught.value.retryability is TRANSIENT


@pytest.mark.parametrize(
    "kinds",
    [
        [TRANSIENT, TRANSIENT, REFRESH_TOKEN],
        [
            TRANSIENT,
            TRANSIENT,
            TRANSIENT,
            EVENTUAL_CONSISTENCY,
            EVENTUAL_CONSISTENCY,
        ],
        [TRANSIENT, RETRY_ONCE, TRANSIENT],
    ],
    ids=lambda kinds: ", ".join(kind.name for kind in kinds),
)
def test_each_kind_of_error_has_its_own_tries(kinds):
    assert Story(*kinds).run() == "done"


def test_all_calls_of_a_run_share_two_minutes():
    story = Story(*[TRANSIENT] * 1000, tries=8)

    for _ in range(3):
        with pytest.raises(Failure):
            story.run()

    assert sum(story.slept) <= 120


def test_the_failure_says_how_often_the_call_was_made():
    story = Story(*[TRANSIENT] * 100, tries=3)

    with pytest.raises(Failure) as caught:
        story.run()

    assert caught.value.attempts == 3
    assert "3 times" in str(caught.value)
