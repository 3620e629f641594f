"""The template's functions, parameters and rules, as the CloudFormation User Guide describes them."""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from moto.utilities.utils import get_partition
from tests.infra import stack
from tests.infra.stack import MADE_UP, Provider, RefusedError, Role, Stack

from sandbox.world import ACCOUNT

TEMPLATE = Path(__file__).parents[2] / "infra" / "cloudformation" / "github-actions-role.yaml"
_NO_VALUE = object()


class _Loader(yaml.SafeLoader):
    """YAML with the short forms of the functions."""


def _function(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    name = tag if tag in {"Ref", "Condition"} else f"Fn::{tag}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".") if tag == "GetAtt" else value}
    return {name: loader.construct_sequence(node, deep=True)}


_Loader.add_multi_constructor("!", _function)


@cache
def load() -> dict[str, Any]:
    """The template in the long form, as JSON has it."""
    return yaml.load(TEMPLATE.read_text(), Loader=_Loader)  # noqa: S506 -- a SafeLoader


def template(region: str = "us-east-1", **parameters: str) -> Stack:
    """What a stack of these parameters would have in it. Raises RefusedError."""
    source = load()
    values = {name: _parameter(name, parameters, about) for name, about in source["Parameters"].items()}
    lists = [name for name, about in source["Parameters"].items() if about["Type"] == "CommaDelimitedList"]
    split = {name: [item.strip() for item in values[name].split(",")] for name in lists}
    here = {"AWS::Region": region, "AWS::Partition": get_partition(region), "AWS::AccountId": ACCOUNT}
    resolve = _Resolver(source["Conditions"], values | split | here)
    for rule in source["Rules"].values():
        for assertion in rule["Assertions"]:
            if not resolve(assertion["Assert"]):
                raise RefusedError(assertion["AssertDescription"])
    resources = source["Resources"]

    provider = None
    if resolve({"Condition": resources["Provider"]["Condition"]}):
        asked = resolve(resources["Provider"]["Properties"])
        provider = Provider(asked["Url"], tuple(asked["ClientIdList"]), tuple(asked.get("ThumbprintList", ())))
        resolve.known["Provider.Arn"] = stack.provider_arn(provider.url.removeprefix("https://"), region)
    asked = resolve(resources["Role"]["Properties"])
    role = Role(
        name=asked.get("RoleName", MADE_UP),
        path=asked["Path"],
        description=asked["Description"],
        max_session_duration=int(asked["MaxSessionDuration"]),
        trust=json.loads(asked["AssumeRolePolicyDocument"]),
        policies=frozenset(asked.get("ManagedPolicyArns", ())),
        boundary=asked.get("PermissionsBoundary"),
    )
    resolve.known["Role.Arn"] = stack.role_arn(role.name, role.path, region)
    outputs = {name: resolve(output["Value"]) for name, output in source["Outputs"].items()}
    return Stack(provider, role, outputs["RoleArn"], outputs["ProviderArn"], outputs["WorkflowSnippet"])


def _parameter(name: str, given: Mapping[str, str], about: Mapping[str, Any]) -> str:
    """The value of a parameter, checked."""
    if name not in given and "Default" not in about:
        raise RefusedError(f"Parameters: [{name}] must have values")
    value = str(given.get(name, about.get("Default")))
    fits = (
        re.fullmatch(about.get("AllowedPattern", "(?s:.*)"), value)
        and value in about.get("AllowedValues", [value])
        and len(value) <= about.get("MaxLength", len(value))
        and ("MinValue" not in about or about["MinValue"] <= int(value) <= about["MaxValue"])
    )
    if not fits:
        raise RefusedError(f"Parameter {name} failed to satisfy constraint: {about.get('ConstraintDescription')}")
    return value


class _Resolver:
    """Values of functions; `known` is what Ref and GetAtt find."""

    def __init__(self, conditions: Mapping[str, Any], known: dict[str, Any]) -> None:
        self.known = known
        self._conditions = conditions
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": lambda name: _NO_VALUE if name == "AWS::NoValue" else self.known[name],
            "Condition": lambda name: self(self._conditions[name]),
            "Fn::GetAtt": lambda path: self.known[".".join(path)],
            "Fn::If": lambda parts: self(parts[1 if self({"Condition": parts[0]}) else 2]),
            "Fn::Equals": lambda parts: self(parts[0]) == self(parts[1]),
            "Fn::Not": lambda parts: not self(parts[0]),
            "Fn::And": lambda parts: all(map(self, parts)),
            "Fn::Or": lambda parts: any(map(self, parts)),
            "Fn::Join": lambda parts: parts[0].join(self(parts[1])),
            "Fn::Split": lambda parts: self(parts[1]).split(parts[0]),
            "Fn::Select": lambda parts: self(parts[1])[int(parts[0])],
            "Fn::Sub": self._sub,
        }

    def __call__(self, node: Any) -> Any:
        if isinstance(node, list):
            return [value for value in map(self, node) if value is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, argument),) = node.items()
            if name in self._functions:
                return self._functions[name](argument)
        values = {name: self(value) for name, value in node.items()}
        return {name: value for name, value in values.items() if value is not _NO_VALUE}

    def _sub(self, argument: Any) -> str:
        text, own = argument if isinstance(argument, list) else (argument, {})
        names = self.known | {name: self(value) for name, value in own.items()}
        return re.sub(r"\$\{([\w.:]+)\}", lambda match: names[match[1]], text)
