"""Expressions as far as action.yml and steps need them."""

from __future__ import annotations

import pytest

from sandbox.runner.expressions import ExpressionError, evaluate, fill, truthy

CONTEXTS = {
    "env": {"X": "true", "empty": ""},
    "runner": {"temp": "/t"},
    "steps": {"aws": {"outputs": {"Account": "1"}}},
}
FUNCTIONS = {"always": lambda: True, "failure": lambda: False}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("env.X", "true"),
        ("env.x", None),
        ("env.MISSING", None),
        ("RUNNER.TEMP", "/t"),
        ("steps.aws.outputs.account", "1"),
        ("steps.other.outputs.account", None),
        ("env.X != 'true'", False),
        ("env.X != 'TRUE'", False),
        ("env.MISSING != 'true'", True),
        ("env.MISSING == ''", True),
        ("env.MISSING == null", True),
        ("env.X == true", False),
        ("'1' == true", True),
        ("1.5 == '1.5'", True),
        ("'it''s'", "it's"),
        ("always()", True),
        ("Always( )", True),
        ("!failure()", True),
        ("failure() || always()", True),
        ("always() || failure()", True),
        ("always() && failure()", False),
        ("failure() && always()", False),
        ("(failure() || always()) && env.X == 'true'", True),
        ("always", ExpressionError),
        ("inputs.x", ExpressionError),
        ("hashFiles()", ExpressionError),
        ("always(", ExpressionError),
        ("always() env.X", ExpressionError),
        ("env.X ==", ExpressionError),
        ("#", ExpressionError),
        ("", ExpressionError),
    ],
)
def test_an_expression_has_its_value(expression: str, value: object) -> None:
    if value is ExpressionError:
        with pytest.raises(ExpressionError):
            evaluate(expression, CONTEXTS, FUNCTIONS)
    else:
        assert evaluate(expression, CONTEXTS, FUNCTIONS) == value


def test_an_object_equals_no_string() -> None:
    assert evaluate("env == 'x'", CONTEXTS) is False


def test_a_template_keeps_the_text_around_its_expressions() -> None:
    assert fill("host:${{ runner.temp }}/${{ env.MISSING }}.", CONTEXTS) == "host:/t/."


@pytest.mark.parametrize("value", [False, 0, 0.0, None, ""])
def test_falsy_values(value: object) -> None:
    assert not truthy(value)


@pytest.mark.parametrize("value", [True, 1, "false", "0"])
def test_truthy_values(value: object) -> None:
    assert truthy(value)
