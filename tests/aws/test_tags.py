import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_aws_oidc.aws.tags import TAGS, problems, sanitised, session_tags, transitive

RUN = {tag.variable: tag.key.lower() for tag in TAGS}


def test_a_run_has_a_tag_for_each_of_its_variables():
    tags = session_tags(RUN, {})

    assert list(tags) == ["GitHub", *(tag.key for tag in TAGS)]
    assert tags["GitHub"] == "Actions"
    assert tags["Branch"] == "branch"


def test_a_variable_that_is_not_set_leaves_out_its_tag():
    assert session_tags({"GITHUB_ACTOR": "", "GITHUB_SHA": "abc"}, {}) == {"GitHub": "Actions", "Commit": "abc"}


def test_droppable_tags_can_be_left_out():
    left = session_tags(RUN, {"Team": "P"}, with_droppable=False)

    assert list(left) == ["GitHub", "Repository", "Workflow", "Action", "Actor", "Commit", "Branch", "Team"]


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("refs/heads/main", "refs/heads/main"),
        ("feature/ünï*cødé?(x)", "feature/ünï_cødé__x_"),
        ("dependabot[bot]", "dependabot_bot_"),
        ('Deploy: "prod" & <test>', "Deploy: _prod_ _ _test_"),
        ("日本 ２ \u00a0", "日本 ２ \u00a0"),
        ("a\nb\tc", "a_b_c"),
        ("🎉", "_"),
    ],
)
def test_other_characters_become_one_underscore_each(text, tag):
    assert sanitised(text) == tag


def test_a_value_ends_after_256_utf_16_units():
    assert sanitised("x" * 300) == "x" * 256
    assert sanitised("𝒜" * 200) == "𝒜" * 128


def test_a_letter_that_the_cut_goes_through_is_left_out_whole():
    assert sanitised("x" + "𝒜" * 128) == "x" + "𝒜" * 127


@given(st.text())
def test_whatever_the_text_it_becomes_a_tag_value(text):
    assert sanitised(sanitised(text)) == sanitised(text)
    assert problems({"Key": sanitised(text)}, {}) == []


def test_only_keys_of_tags_that_are_there_are_transitive():
    assert transitive(["Team", "Gone", "Repository"], {"Repository": "x", "Team": "y"}) == ["Team", "Repository"]


@pytest.mark.parametrize("key", ["GitHub", "github", "Repository", "TRIGGERINGACTOR"])
def test_the_actions_own_tags_cannot_be_replaced(key):
    (problem,) = problems({key: "x"}, {})

    assert "is a tag that the action sets" in problem


@pytest.mark.parametrize("key", ["", "k" * 129, "a*b", "aws:x", "AWS:x"])
def test_a_key_has_the_form_that_aws_takes(key):
    (problem,) = problems({key: "x"}, {})

    assert "is not a tag key" in problem


@pytest.mark.parametrize("value", ["v" * 257, "a*b", "a\nb"])
def test_a_value_has_the_form_that_aws_takes(value):
    (problem,) = problems({"Team": value}, {})

    assert "is not a tag value" in problem


def test_the_longest_key_and_value_are_right():
    assert problems({"k" * 128: "v" * 256, "empty": ""}, {}) == []


@pytest.mark.parametrize("environ", [{}, RUN], ids=["few of its own", "all of its own"])
def test_a_session_takes_fifty_tags_in_all(environ):
    most = 50 - len(session_tags(environ, {}))

    assert problems({f"T{n}": "" for n in range(most)}, environ) == []
    (problem,) = problems({f"T{n}": "" for n in range(most + 1)}, environ)
    assert "more than the maximum of 50" in problem
