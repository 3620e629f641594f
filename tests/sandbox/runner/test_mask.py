"""The masker: exact substrings in many disguises."""

from __future__ import annotations

import json
from base64 import b64encode
from urllib.parse import quote

import pytest

from sandbox.runner.mask import Masker


def test_a_secret_is_hidden_wherever_it_stands() -> None:
    assert Masker(["hush"]).mask("hush, hush and hushed") == "***, *** and ***ed"


def test_case_matters() -> None:
    assert Masker(["hush"]).mask("Hush") == "Hush"


def test_text_without_secrets_stays() -> None:
    assert Masker(["hush"]).mask("quiet") == "quiet"


def test_the_empty_string_hides_nothing() -> None:
    assert Masker([""]).mask("text") == "text"


def test_overlapping_secrets_become_one() -> None:
    assert Masker(["abcd", "cdef"]).mask("-abcdef-") == "-***-"


def test_touching_secrets_become_one() -> None:
    assert Masker(["abc", "def"]).mask("-abcdef-") == "-***-"


def test_a_secret_that_overlaps_itself_is_hidden_whole() -> None:
    assert Masker(["aba"]).mask("ababa!") == "***!"


def test_a_secret_inside_another_does_not_split_it() -> None:
    assert Masker(["b", "abc"]).mask("abc") == "***"


@pytest.mark.parametrize("before", ["", "x", "xy"])
def test_base64_is_recognised_at_every_offset(before: str) -> None:
    encoded = b64encode(f"{before}top secret!".encode()).decode()

    assert Masker(["top secret!"]).mask(encoded).endswith("***")


@pytest.mark.parametrize(
    "encode",
    [
        pytest.param(lambda value: json.dumps(value)[1:-1], id="JSON"),
        pytest.param(lambda value: quote(value, safe="-_.~"), id="URI"),
        pytest.param(lambda value: value.replace('"', '\\"'), id="command line"),
        pytest.param(lambda value: value.replace("'", "''"), id="expression"),
        pytest.param(
            lambda value: (
                value.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").replace("'", "&apos;")
            ),
            id="XML",
        ),
    ],
)
def test_an_encoded_secret_is_hidden(encode: object) -> None:
    secret = "a\"b'c<d&e\\f g"

    assert Masker([secret]).mask(f"[{encode(secret)}]") == "[***]"  # type: ignore[operator]  # a function


def test_a_quoted_secret_is_hidden_without_its_quotes() -> None:
    assert Masker(['"quoted secret"']).mask("quoted secret") == "***"


def test_a_short_quoted_secret_is_hidden_with_its_quotes_only() -> None:
    assert Masker(['"short"']).mask("short") == "short"


def test_each_line_of_a_secret_is_hidden() -> None:
    masker = Masker()
    masker.add_lines("one\r\n  two\n\n")

    assert masker.mask("one|  two|three") == "***|  ***|three"


def test_a_secret_of_one_letter_destroys_the_log() -> None:
    masker = Masker()
    masker.add_lines("{\n}")

    assert masker.mask('{"a": 1}') == '***"a": 1***'
