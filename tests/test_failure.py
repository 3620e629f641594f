import pytest

from py_aws_oidc.aws.errors import Refused
from py_aws_oidc.failure import Failure
from py_aws_oidc.inputs import InvalidInputs
from py_aws_oidc.secret import Secret

FAILURES = [
    Failure("What.", name="test", why=["Why.", "More."], fix="Fix."),
    Refused("AssumeRole", "AccessDenied", "No.", 403),
    InvalidInputs(["aws-region is missing"], ["value"]),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("name", ["what", "retryability", "hidden", "details", "attempts", "anything"])
def test_a_failure_does_not_change(failure, name):
    with pytest.raises(AttributeError, match=name):
        setattr(failure, name, None)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_a_replaced_failure_has_the_other_values_and_leaves_the_first_as_it_is(failure):
    before = dict(vars(failure))

    other = failure.replaced(why=["First.", "Second."], hidden=(Secret("hush"),))

    assert vars(failure) == before
    assert vars(other) == before | {"why": "First.\nSecond.", "hidden": (Secret("hush"),)}
    assert type(other) is type(failure)


def test_a_line_break_in_a_replaced_text_is_spelt_out():
    assert FAILURES[0].replaced(what="a\nb").what == "a\\nb"


def test_python_can_add_a_traceback_and_a_note():
    failure = FAILURES[0].replaced()

    failure.add_note("seen")
    failure.__traceback__ = None

    assert failure.__notes__ == ["seen"]
