"""YAML scalars as the strings that inputs become."""

from __future__ import annotations

import pytest

from sandbox.runner.scalars import ManifestError, load, text


@pytest.mark.parametrize(
    ("scalar", "string"),
    [
        ("3600", "3600"),
        ("012345678901", "12345678901"),
        ("1e3", "1000"),
        ("1.50", "1.5"),
        (".5", "0.5"),
        ("-7", "-7"),
        ("+7", "7"),
        ("0x1F", "31"),
        ("0o17", "15"),
        ("1234567890123456", "1.23456789012346E+15"),
        (".inf", "Infinity"),
        ("-.INF", "-Infinity"),
        (".NaN", "NaN"),
        ("true", "true"),
        ("True", "true"),
        ("TRUE", "true"),
        ("False", "false"),
        ("null", ""),
        ("~", ""),
        ("", ""),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("tRUE", "tRUE"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2024-01-02", "2024-01-02"),
        ("'0123'", "0123"),
        ('"true"', "true"),
        ("!!str 0123", "0123"),
        ("arn:aws:iam::1:role/x", "arn:aws:iam::1:role/x"),
        ("|\n  a\n  b\n", "a\nb\n"),
    ],
)
def test_a_scalar_follows_the_core_schema(scalar: str, string: str) -> None:
    assert load(f"key: {scalar}") == {"key": string}


@pytest.mark.parametrize(
    ("value", "string"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (3600, "3600"),
        (0.5, "0.5"),
        (123456789012345678, "1.23456789012346E+17"),
        ("012", "012"),
    ],
)
def test_a_value_of_a_step_becomes_a_string(value: object, string: str) -> None:
    assert text(value) == string


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("a: &x 1\nb: *x", "Anchors are not currently supported."),
        ("a: 1\nA: 2", "'A' is already defined"),
        ("a: [", "while parsing"),
        ("- a", "Expected a mapping"),
    ],
)
def test_a_bad_manifest_is_refused(source: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        load(source)
