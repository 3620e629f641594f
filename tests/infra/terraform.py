"""The module's blocks and expressions, as the Terraform Language documentation describes them."""

import itertools
import json
import operator
import re
import textwrap
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import hcl2
from lark import Token, Tree
from tests.infra import stack
from tests.infra.stack import MADE_UP, Provider, RefusedError, Role, Stack

MODULE = Path(__file__).parents[2] / "infra" / "terraform"

Scope = Mapping[str, Any]
Children = list[Any]


def module(region: str = "us-east-1", **variables: object) -> Stack:
    """What an account would have of the module with these variables. Raises RefusedError."""
    blocks = _blocks()
    scope: dict[str, Any] = {"data": {"aws_region": {"current": {"region": region}}}}
    scope["var"] = _variables(blocks, variables)
    scope["local"] = _Locals(blocks["locals"], scope)

    provider = None
    about = blocks["resource", "aws_iam_openid_connect_provider", "github"]
    made = []
    if _value(about["count"], scope):
        thumbprints = _value(about["thumbprint_list"], scope) or ()
        audiences = _value(about["client_id_list"], scope)
        provider = Provider(_value(about["url"], scope), tuple(audiences), tuple(thumbprints))
        made = [{"arn": stack.provider_arn(provider.url.removeprefix("https://"), region)}]
    scope["aws_iam_openid_connect_provider"] = {"github": made}

    about = blocks["resource", "aws_iam_role", "github"]
    for condition in about["lifecycle"][0]["precondition"]:
        _check(condition, scope)
    attached = blocks["resource", "aws_iam_role_policy_attachment", "github"]
    role = Role(
        name=_value(about["name"], scope) or MADE_UP,
        path=_value(about["path"], scope),
        description=_value(about["description"], scope),
        max_session_duration=_value(about["max_session_duration"], scope),
        trust=json.loads(_value(about["assume_role_policy"], scope)),
        policies=frozenset(
            _value(attached["policy_arn"], {"each": {"value": one}}) for one in _value(attached["for_each"], scope)
        ),
        boundary=_value(about["permissions_boundary"], scope),
    )
    scope["aws_iam_role"] = {"github": {"arn": stack.role_arn(role.name, role.path, region)}}
    outputs = [_value(blocks["output", name]["value"], scope) for name in ("role_arn", "provider_arn")]
    return Stack(provider, role, *outputs, _value(blocks["output", "workflow_snippet"]["value"], scope))


def _variables(blocks: Mapping[Any, Any], given: Mapping[str, object]) -> dict[str, Any]:
    """The value of every variable, checked."""
    declared = {path[1]: about for path, about in blocks.items() if path[0] == "variable"}
    assert given.keys() <= declared.keys()
    values = {
        name: given[name] if name in given else _value(about["default"], {}) for name, about in declared.items()
    }
    for about in declared.values():
        for validation in about.get("validation", ()):
            _check(validation, {"var": values})
    return values


def _check(condition: Mapping[str, Tree], scope: Scope) -> None:
    if not _value(condition["condition"], scope):
        raise RefusedError(_value(condition["error_message"], scope))


class _Locals(dict[str, Any]):
    """Local values, each evaluated when it is asked for."""

    def __init__(self, expressions: Mapping[str, Tree], scope: Scope) -> None:
        super().__init__()
        self._expressions = expressions
        self._scope = scope

    def __missing__(self, name: str) -> Any:
        return _value(self._expressions[name], self._scope)


# --- blocks


@cache
def _blocks() -> dict[Any, Any]:
    """The module's blocks by type and labels; all locals in one."""
    blocks: dict[Any, Any] = {"locals": {}}
    for path in MODULE.glob("*.tf"):
        for block in _pruned(hcl2.parses_to_tree(path.read_text())).children[0].children:
            *labels, body = block.children
            key = tuple(_label(label) for label in labels)
            if key == ("locals",):
                blocks["locals"] |= _body(body)
            else:
                blocks[key] = _body(body)
    return blocks


def _body(body: Tree) -> dict[str, Any]:
    """A body's attributes, and under each type of nested block the list of their bodies."""
    content: dict[str, Any] = {}
    for item in body.children:
        name = _label(item.children[0])
        if item.data == "attribute":
            content[name] = item.children[1]
        else:
            content.setdefault(name, []).append(_body(item.children[-1]))
    return content


def _label(node: Tree) -> str:
    """A name, or what is between two quotes."""
    return str(node.children[0].children[0] if node.data == "string" else node.children[0])


_SIGN = re.compile("[LR](BRACE|SQB|PAR)|COMMA|DBLQUOTE|INTERP_START|QMARK|COLON|EQ|DOT|FOR|IN|NL_OR_COMMENT")


def _pruned(tree: Tree) -> Tree:
    """The tree without comments, line ends, and the signs that its shape stands for."""
    kept = [child for child in tree.children if not _is_sign(child)]
    return Tree(tree.data, [_pruned(child) if isinstance(child, Tree) else child for child in kept])


def _is_sign(node: Tree | Token) -> bool:
    return node.data == "new_line_or_comment" if isinstance(node, Tree) else bool(_SIGN.fullmatch(node.type))


# --- expressions


def _value(expression: Tree, scope: Scope) -> Any:
    """The value of an expression; a KeyError names what nobody taught this evaluator."""
    return _RULES[expression.data](expression.children, scope)


def _binary(parts: Children, scope: Scope) -> Any:
    sign, right = parts[1].children
    return _OPERATORS[sign.children[0]](_value(parts[0], scope), _value(right, scope))


def _call(parts: Children, scope: Scope) -> Any:
    name = parts[0].children[0]
    if name == "can":
        return _can(parts[1].children[0], scope)
    return _FUNCTIONS[name](*(_value(argument, scope) for argument in parts[1].children))


def _can(expression: Tree, scope: Scope) -> bool:
    try:
        _value(expression, scope)
    except (LookupError, TypeError):
        return False
    return True


def _regex(pattern: str, text: str) -> str:
    # In RE2, unlike here, $ is not before a last line end.
    found = re.search(re.sub(r"\$$", r"\\Z", pattern), text)
    if not found:
        raise LookupError(pattern)
    return found[0]


def _each(parts: Children, scope: Scope) -> list[Any]:
    name, items = parts[0].children
    return [_value(parts[1], {**scope, name.children[0]: item}) for item in _value(items, scope)]


def _object(elements: Children, scope: Scope) -> dict[str, Any]:
    return {
        _key(element.children[0].children[0], scope): _value(element.children[1], scope) for element in elements
    }


def _key(expression: Tree, scope: Scope) -> str:
    (term,) = expression.children
    return str(term.children[0]) if term.data == "identifier" else _value(term, scope)


def _part(parts: Children, scope: Scope) -> str:
    (part,) = parts
    return json.loads(f'"{part}"') if isinstance(part, Token) else str(_value(part, scope))


def _heredoc(parts: Children, scope: Scope) -> str:
    _, *lines, _ = parts[0].rstrip("\n").split("\n")
    text = textwrap.dedent("\n".join(lines)) + "\n"
    quoted = text.replace("\n", "\\n")
    (attribute,) = _pruned(hcl2.parses_to_tree(f'text = "{quoted}"\n')).children[0].children
    return _value(attribute.children[1], scope)


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<=": operator.le,
    "&&": lambda left, right: left and right,
    "||": lambda left, right: left or right,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "compact": lambda texts: [text for text in texts if text],
    "jsonencode": json.dumps,
    "length": len,
    "regex": _regex,
    "setproduct": lambda *lists: list(itertools.product(*lists)),
    "split": lambda separator, text: text.split(separator),
    "toset": lambda items: sorted(set(items)),
}
_RULES: dict[str, Callable[[Children, Scope], Any]] = {
    "expr_term": lambda parts, scope: _value(parts[0], scope),
    "interpolation": lambda parts, scope: _value(parts[0], scope),
    "conditional": lambda parts, scope: _value(parts[1 if _value(parts[0], scope) else 2], scope),
    "binary_op": _binary,
    "function_call": _call,
    "for_tuple_expr": _each,
    "tuple": lambda parts, scope: [_value(part, scope) for part in parts],
    "object": _object,
    "identifier": lambda parts, scope: scope[parts[0]],
    "get_attr_expr_term": lambda parts, scope: _value(parts[0], scope)[parts[1].children[0].children[0]],
    "index_expr_term": lambda parts, scope: _value(parts[0], scope)[_value(parts[1].children[0], scope)],
    "literal_value": lambda parts, _: {"null": None, "true": True, "false": False}[parts[0]],
    "int_lit": lambda parts, _: int(parts[0]),
    "string": lambda parts, scope: "".join(_value(part, scope) for part in parts),
    "string_part": _part,
    "heredoc_template_trim": _heredoc,
}
