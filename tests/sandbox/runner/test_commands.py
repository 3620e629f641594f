"""Workflow commands, recognised as the runner's ActionCommand does it."""

from __future__ import annotations

import pytest

from sandbox.runner.commands import Command, parse


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("::error::boom", Command("error", {}, "boom")),
        ("  \t::error::boom", Command("error", {}, "boom")),
        ("::ERROR::boom", Command("error", {}, "boom")),
        ("::error::  a::b ", Command("error", {}, "  a::b ")),
        ("::endgroup::", Command("endgroup", {}, "")),
        ("::error file=a.py,line=1::x", Command("error", {"file": "a.py", "line": "1"}, "x")),
        ("::error TITLE=T::x", Command("error", {"title": "T"}, "x")),
        ("::error   title=T::x", Command("error", {"title": "T"}, "x")),
        ("::error title=,line=2::x", Command("error", {"line": "2"}, "x")),
        ("::error title::x", Command("error", {}, "x")),
        ("::set-output name=a=b::x", Command("set-output", {"name": "a=b"}, "x")),
        ("::error title=a%3Ab%2Cc%0A%25::x", Command("error", {"title": "a:b,c\n%"}, "x")),
        ("::error::a%0D%0Ab%25%3A", Command("error", {}, "a\r\nb%%3A")),
        ("::error::%250A", Command("error", {}, "%0A")),
        ("##[error]boom", Command("error", {}, "boom")),
        ("text ##[error]boom", Command("error", {}, "boom")),
        ("##[error title=T;line=2]boom", Command("error", {"title": "T", "line": "2"}, "boom")),
        ("##[error]a%3Bb%5D%0A%25", Command("error", {}, "a;b]\n%")),
    ],
)
def test_a_command_is_recognised(line: str, command: Command) -> None:
    assert parse(line) == command


@pytest.mark.parametrize(
    "line",
    [
        "",
        "plain",
        "text ::error::boom",
        "::error",
        "::unknown::x",
        "::error title=a",
        "##[error",
        "##[unknown]x",
        ":: error::x",
    ],
)
def test_any_other_line_is_plain_output(line: str) -> None:
    assert parse(line) is None


def test_a_registered_token_is_a_command_too() -> None:
    assert parse("::Token::", {"token"}) == Command("token", {}, "")
