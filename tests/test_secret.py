import traceback

import pytest

from py_aws_oidc.secret import Secret


@pytest.mark.parametrize("template", ["{}", "{!s}", "{!r}", "{!a}", "{0.__class__} {0}"])
def test_a_secret_hides_however_it_is_shown(template):
    assert "hunter2" not in template.format(Secret("hunter2"))
    assert "hunter2" not in template.format([Secret("hunter2")])


def test_a_secret_hides_in_an_exception():
    text = "".join(traceback.format_exception(ValueError(Secret("hunter2"))))

    assert "***" in text
    assert "hunter2" not in text


def test_a_secret_tells_itself_only_when_asked():
    assert Secret("hunter2").reveal() == "hunter2"


def test_secrets_are_equal_when_they_hide_the_same():
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
