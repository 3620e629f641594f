"""YAML as the runner reads an action.yml: YAML 1.2's core schema, and every scalar as the string it becomes."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"
_CORE = {
    "null": re.compile(r"^(?:~|null|Null|NULL|)$"),
    "bool": re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"),
    "int": re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"),
    "float": re.compile(
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
}
_BASES = {"0o": 8, "0x": 16}


class ManifestError(Exception):
    """An action.yml that the runner would not load."""


def text(value: object) -> str:
    """A value of a workflow as the string that an input becomes.

    Numbers are doubles with fifteen significant digits (.NET's "G15"), so `1e3` is `1000` and a long account
    id is not what it was; true is `true`, nothing is the empty string.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return _number(float(value))
    return str(value)


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return f"{value:.15G}"


class _CoreLoader(yaml.SafeLoader):
    """The core schema without YAML 1.1's yes, no, on, off, octal and sexagesimal numbers."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  PyYAML's own class attribute, replaced as it intends

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse what the runner's YamlObjectReader refuses."""
        event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it untyped
        if getattr(event, "anchor", None) is not None:
            raise ManifestError("Anchors are not currently supported.")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002  PyYAML's signature
        """A mapping whose keys are unique, whatever their case."""
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = str(self.construct_object(key_node, deep=True))
            if key.lower() in seen:
                raise ManifestError(f"'{key}' is already defined")
            seen.add(key.lower())
        return super().construct_mapping(node, deep=deep)


def _integer(_: _CoreLoader, node: yaml.ScalarNode) -> str:
    literal = str(node.value)
    return _number(float(int(literal, _BASES.get(literal[:2], 10))))


def _float(_: _CoreLoader, node: yaml.ScalarNode) -> str:
    # YAML puts a dot before inf and nan, and Python does not.
    literal = str(node.value).lower().replace(".inf", "inf").replace(".nan", "nan")
    return _number(float(literal))


for _name, _pattern in _CORE.items():
    _CoreLoader.add_implicit_resolver(f"{_TAG}{_name}", _pattern, None)
_CoreLoader.add_constructor(f"{_TAG}null", lambda _loader, _node: "")
_CoreLoader.add_constructor(f"{_TAG}bool", lambda _loader, node: str(node.value).lower())
_CoreLoader.add_constructor(f"{_TAG}int", _integer)
_CoreLoader.add_constructor(f"{_TAG}float", _float)


def load(source: str) -> dict[str, Any]:
    """A manifest's mapping, with strings for every scalar; a number is what .NET prints of the double."""
    try:
        tree = yaml.load(source, Loader=_CoreLoader)  # noqa: S506  derives from SafeLoader
    except yaml.YAMLError as error:
        raise ManifestError(str(error)) from error
    if not isinstance(tree, dict):
        raise ManifestError("Expected a mapping")
    return tree
