"""The part of GitHub's expression language that an action.yml and a step's inputs need."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.runner.scalars import text

_TEMPLATE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)"
    r"|(?P<symbol>==|!=|&&|\|\||[!()]))"
)
_LITERALS = {"true": True, "false": False, "null": None}

Contexts = Mapping[str, Any]
Functions = Mapping[str, Callable[[], bool]]


class ExpressionError(Exception):
    """An expression that cannot be evaluated where it stands."""


def fill(template: str, contexts: Contexts) -> str:
    """A value with its `${{ }}` parts evaluated; the text around them stays."""
    return _TEMPLATE.sub(lambda match: text(evaluate(match[1], contexts)), template)


def evaluate(expression: str, contexts: Contexts, functions: Functions | None = None) -> Any:  # noqa: ANN401  an expression has any type
    """The value of a bare expression."""
    parser = _Parser(expression, contexts, functions or {})
    value = parser.either()
    parser.end()
    return value


def truthy(value: object) -> bool:
    """True if GitHub takes a value for true: everything but false, 0, null and the empty string."""
    return value not in (False, 0, None, "")


class _Parser:
    """One expression on its way from text to value: `||`, `&&`, comparison, `!`, in that order."""

    def __init__(self, expression: str, contexts: Contexts, functions: Functions) -> None:
        self._expression = expression
        self._contexts = contexts
        self._functions = functions
        self._tokens = self._split(expression)

    def _split(self, expression: str) -> list[tuple[str, str]]:
        tokens, position, end = [], 0, len(expression.rstrip())
        while position < end:
            match = _TOKEN.match(expression, position)
            if match is None or match.lastgroup is None:
                raise ExpressionError(f"Unexpected symbol within expression: {expression.strip()}")
            tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()
        return [*tokens, ("end", "")]

    def either(self) -> Any:  # noqa: ANN401  as above
        value = self._both()
        while self._took("||"):
            other = self._both()
            value = value if truthy(value) else other
        return value

    def end(self) -> None:
        self._expect("")

    def _both(self) -> Any:  # noqa: ANN401  as above
        value = self._comparison()
        while self._took("&&"):
            other = self._comparison()
            value = other if truthy(value) else value
        return value

    def _comparison(self) -> Any:  # noqa: ANN401  as above
        value = self._unary()
        if self._took("=="):
            return _equal(value, self._unary())
        if self._took("!="):
            return not _equal(value, self._unary())
        return value

    def _unary(self) -> Any:  # noqa: ANN401  as above
        if self._took("!"):
            return not truthy(self._unary())
        if self._took("("):
            value = self.either()
            self._expect(")")
            return value
        kind, token = self._tokens.pop(0)
        if kind == "string":
            return token[1:-1].replace("''", "'")
        if kind == "number":
            return float(token)
        if kind == "name":
            return self._named(token)
        raise ExpressionError(f"Unexpected symbol: '{token}' within expression: {self._expression.strip()}")

    def _named(self, token: str) -> Any:  # noqa: ANN401  as above
        if self._took("("):
            self._expect(")")
            if token.lower() not in self._functions:
                raise ExpressionError(f"Unrecognized function: '{token}'")
            return self._functions[token.lower()]()
        if token in _LITERALS:
            return _LITERALS[token]
        context, *keys = token.split(".")
        if context.lower() not in self._contexts:
            raise ExpressionError(f"Unrecognized named-value: '{context}'")
        value: Any = self._contexts[context.lower()]
        for key in keys:
            # The env context alone is case-sensitive, as variables are.
            value = _member(value, key, exact=context.lower() == "env")
        return value

    def _took(self, token: str) -> bool:
        if self._tokens[0][1] != token or self._tokens[0][0] != "symbol":
            return False
        self._tokens.pop(0)
        return True

    def _expect(self, token: str) -> None:
        found = self._tokens.pop(0)[1]
        if found != token:
            raise ExpressionError(f"Unexpected symbol: '{found}' within expression: {self._expression.strip()}")


def _member(value: object, key: str, *, exact: bool) -> Any:  # noqa: ANN401  as above
    if not isinstance(value, Mapping):
        return None
    if exact:
        return value.get(key)
    return next((found for name, found in value.items() if str(name).lower() == key.lower()), None)


def _equal(left: object, right: object) -> bool:
    """GitHub's loose equality: strings in any case; values of two types as numbers, where NaN equals nothing."""
    if isinstance(left, str) and isinstance(right, str):
        return left.lower() == right.lower()
    if type(left) is type(right):
        return left == right
    return _as_number(left) == _as_number(right)


def _as_number(value: object) -> float:
    if value is None or value == "":
        return 0.0
    if isinstance(value, bool | int | float | str):
        try:
            return float(value)
        except ValueError:
            return float("nan")
    return float("nan")
