"""Role trust policies, evaluated as IAM does: a policy and a request in, a decision out.

The rules are those of the IAM User Guide, pages "Policy evaluation logic", "AWS JSON policy elements:
Principal", "IAM JSON policy elements: Action", "IAM JSON policy elements: Condition operators" and "Set
operators for multivalued context keys".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_Values = tuple[str, ...]


class UnsupportedPolicyError(ValueError):
    """The policy says something this evaluator does not know; guessing an answer would be worse than none."""


@dataclass(frozen=True)
class Decision:
    """What a policy says to a request.

    `effect` is None when no statement matched: an implicit deny. `statement` is the index of the statement
    that decided.
    """

    effect: Literal["Allow", "Deny"] | None
    statement: int | None = None

    @property
    def allowed(self) -> bool:
        """Whether the request may go ahead."""
        return self.effect == "Allow"


def evaluate(
    policy: Mapping[str, Any],
    *,
    principal: str | tuple[str, ...],
    action: str,
    context: Mapping[str, str | list[str]],
) -> Decision:
    """What a trust policy says to `principal` asking for `action`.

    `principal` is the caller's ARN; a role session has two names, its own ARN and its role's. `context` holds
    the request's condition keys, in any case; a key that is absent there is absent from the request.

    An explicit Deny wins over any Allow, and without an Allow the answer is no ("Policy evaluation logic").

    Raises UnsupportedPolicyError for an operator, effect or policy variable this evaluator does not know.
    """
    names = (principal,) if isinstance(principal, str) else principal
    request = {key.lower(): _listed(value) for key, value in context.items()}
    verdicts = [
        Decision(_effect(statement), index)
        for index, statement in enumerate(_statements(policy))
        if _matches(statement, names, action, request)
    ]
    return next((verdict for verdict in verdicts if verdict.effect == "Deny"), next(iter(verdicts), NO_MATCH))


NO_MATCH = Decision(None)
"""The implicit deny."""


def _statements(policy: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    statements = policy["Statement"]
    return statements if isinstance(statements, list) else [statements]


def _effect(statement: Mapping[str, Any]) -> Literal["Allow", "Deny"]:
    effect = statement.get("Effect")
    if effect == "Allow":
        return "Allow"
    if effect == "Deny":
        return "Deny"
    raise UnsupportedPolicyError(f"effect {effect!r}")


def _matches(statement: Mapping[str, Any], names: _Values, action: str, request: Mapping[str, _Values]) -> bool:
    # Conditions come first, so that one this evaluator does not know is never skipped for a matching reason.
    return (
        _conditions_hold(statement.get("Condition", {}), request)
        and _is_principal(statement, names)
        and _is_action(statement, action)
    )


def _is_principal(statement: Mapping[str, Any], names: _Values) -> bool:
    """Whether the statement speaks of the caller: itself, its role, its whole account, or everyone.

    "AWS JSON policy elements: Principal": `"*"` and `{"AWS": "*"}` are the same, an account is named by its
    id or the ARN of its root, and no other wildcard is allowed.
    """
    if "NotPrincipal" in statement:
        return not _is_principal({"Principal": statement["NotPrincipal"]}, names)
    named = statement.get("Principal", {})
    if named == "*" or "*" in _listed(named.get("AWS", ())):
        return True
    if _is_federated(names[0]):
        return not set(names).isdisjoint(_listed(named.get("Federated", ())))
    _, partition, _, _, account, _ = names[0].split(":", 5)
    known_as = {*names, account, f"arn:{partition}:iam::{account}:root"}
    return not known_as.isdisjoint(_listed(named.get("AWS", ())))


def _is_federated(principal: str) -> bool:
    return ":oidc-provider/" in principal or ":saml-provider/" in principal


def _is_action(statement: Mapping[str, Any], action: str) -> bool:
    """Actions are case-insensitive, with `*` and `?` ("IAM JSON policy elements: Action")."""
    if "NotAction" in statement:
        return not _is_action({"Action": statement["NotAction"]}, action)
    return any(_like(action.lower(), glob.lower()) for glob in _listed(statement.get("Action", ())))


def _conditions_hold(conditions: Mapping[str, Mapping[str, Any]], request: Mapping[str, _Values]) -> bool:
    """Every operator and every key must hold; of a key's values one is enough."""
    # All are looked up before any is judged, so that an unknown operator is never hidden by a false one.
    tests = [
        (_operator(name), request.get(key.lower(), ()), _wanted(wanted))
        for name, keys in conditions.items()
        for key, wanted in keys.items()
    ]
    return all(test(given, wanted) for test, given, wanted in tests)


def _operator(name: str) -> Callable[[_Values, _Values], bool]:
    """The test behind `[ForAnyValue:|ForAllValues:]<operator>[IfExists]`.

    Of an absent key, positive operators are false, negated ones true, those with IfExists true; ForAllValues
    is true and ForAnyValue false ("Condition operators", "Set operators for multivalued context keys").
    """
    if name == "Null":
        return lambda given, wanted: str(not given).lower() in wanted
    parts = re.fullmatch(r"(?:(ForAnyValue|ForAllValues):)?String(Not)?(\w+?)(IfExists)?", name)
    if parts is None or parts[3] not in _COMPARISONS:
        raise UnsupportedPolicyError(f"condition operator {name!r}")
    quantifier, negated, comparison, if_exists = parts.groups()
    same = _COMPARISONS[comparison]

    def suits(given: str, wanted: _Values) -> bool:
        return any(same(given, value) for value in wanted) != bool(negated)

    def holds(given: _Values, wanted: _Values) -> bool:
        if not given and if_exists:
            return True
        if quantifier == "ForAnyValue" or (quantifier is None and not negated):
            return any(suits(value, wanted) for value in given)
        return all(suits(value, wanted) for value in given)

    return holds


def _like(given: str, glob: str) -> bool:
    """`*` stands for any text, `?` for one character; nothing else is special."""
    pattern = re.escape(glob).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(pattern, given, re.DOTALL) is not None


_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "Equals": lambda given, wanted: given == wanted,
    "EqualsIgnoreCase": lambda given, wanted: given.lower() == wanted.lower(),
    "Like": _like,
}


def _wanted(values: object) -> _Values:
    wanted = _listed(values)
    for value in wanted:
        if "${" in value:
            raise UnsupportedPolicyError(f"policy variable in {value!r}")
    return wanted


def _listed(values: object) -> _Values:
    """One or many, as a tuple; a JSON boolean is spelled as JSON spells it."""
    many = values if isinstance(values, (list, tuple)) else (values,)
    return tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in many)
