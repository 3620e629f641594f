"""Trust policies written: the statement that lets certain tokens in and no others; pure.

Always with a condition on the audience and on the subject, and never with ForAllValues, which holds for a token that
does not have the claim. For GitHub's issuers with the name or the id of one repository, unless the caller says that
others are meant too. The form is that of GitHub's page "Configuring OpenID Connect in Amazon Web Services".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from py_aws_oidc.explain.scope import Scope, of_subject
from py_aws_oidc.explain.trust import EXCHANGE, GITHUB_CLAIM_KEYS, has_wildcard, is_github, is_sid, provider_of
from py_aws_oidc.quoting import quoted, visible


def statement(
    provider_arn: str,
    audience: str,
    subjects: Sequence[str],
    *,
    sid: str = "",
    lets_others_in: bool = False,
    **claims: str,
) -> dict[str, Any]:
    """The statement that allows tokens of this audience whose subject is one of these and whose claims are these.

    A subject is a pattern: `*` and `?` are wildcards in it, and make the condition a StringLike; see `literal`. The
    claims are `repository_id`, `job_workflow_ref` or another one that AWS knows of GitHub's issuers; ValueError for
    any other, for a sid with other characters than IAM takes, and for no subject at all. ValueError too for a subject
    that other repositories can have, without `repository_id`; `lets_others_in` says that this is meant.
    """
    provider = provider_of(provider_arn)
    if not subjects:
        raise ValueError("a statement without a subject would let every repository in")
    if not is_sid(sid):
        raise ValueError(f"{quoted(sid)} is not a Sid; one has letters and digits only")
    for name in claims:
        if name not in GITHUB_CLAIM_KEYS or not is_github(provider):
            raise ValueError(f"AWS has no condition key for the claim {quoted(name)} of {provider}")
        if name == "repository_owner_id":
            raise ValueError("repository_owner_id lets in every repository of the owner; give repository_id")
    if is_github(provider) and not lets_others_in and "repository_id" not in claims:
        for subject in subjects:
            if of_subject(subject, wildcards=True) < Scope.REPOSITORY:
                raise ValueError(f"{quoted(subject)} does not name one repository; give repository_id as well")
    operator = "StringLike" if any(map(has_wildcard, subjects)) else "StringEquals"
    exact = {f"{provider}:{name}": literal(value) for name, value in {"aud": audience, **claims}.items()}
    condition: dict[str, dict[str, Any]] = {"StringEquals": exact}
    condition.setdefault(operator, {})[f"{provider}:sub"] = subjects[0] if len(subjects) == 1 else [*subjects]
    return {
        **({"Sid": sid} if sid else {}),
        "Effect": "Allow",
        "Principal": {"Federated": provider_arn},
        "Action": EXCHANGE,
        "Condition": condition,
    }


def literal(text: str) -> str:
    """The pattern that fits this text and no other.

    IAM User Guide, "IAM policy elements: Variables and tags": `${*}`, `${?}` and `${$}` stand for the characters.
    """
    return re.sub(r"[*?]|\$(?=\{)", lambda match: f"${{{match[0]}}}", text)


def policy(*statements: Mapping[str, Any]) -> dict[str, Any]:
    """The trust policy with these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def as_json(document: Mapping[str, Any]) -> str:
    """A policy or a statement as JSON, in ASCII."""
    return json.dumps(document, indent=2)


# --- CloudFormation


@dataclass(frozen=True)
class _Call:
    """A short form of CloudFormation's functions."""

    function: str
    argument: str


def as_cloudformation(policy: Mapping[str, Any], *, with_provider: bool = False) -> str:
    """A CloudFormation template, in YAML, of a role with this trust policy, and of the identity provider if asked.

    The account and the partition are those it is deployed to, whatever the policy says: a role can trust only the
    identity providers of its own account. ValueError for a policy that names several.
    """
    provider = _provider(policy)
    plain = provider.replace("${", "${!")
    arn = _Call("!Sub", f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:oidc-provider/{plain}")
    resources: dict[str, Any] = {}
    if with_provider:
        properties = {"Url": f"https://{provider}", "ClientIdList": _audiences(policy)}
        resources["Provider"] = {"Type": "AWS::IAM::OIDCProvider", "Properties": properties}
        arn = _Call("!Ref", "Provider")
    statements = [{**one, "Principal": {"Federated": arn}} for one in policy["Statement"]]
    resources["Role"] = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": {**policy, "Statement": statements}},
    }
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": resources,
        "Outputs": {"RoleArn": {"Value": _Call("!GetAtt", "Role.Arn")}},
    }
    return "\n".join(_yaml(template))


def _yaml(value: Mapping[str, Any]) -> Iterable[str]:
    for name, content in value.items():
        key = name if re.fullmatch(r"(?!Null$)[A-Za-z][A-Za-z0-9]*", name) else _string(name)
        if isinstance(content, Mapping):
            yield f"{key}:"
            yield from _indented(_yaml(content))
        elif isinstance(content, list):
            yield f"{key}:"
            for item in content:
                first, *rest = _yaml(item) if isinstance(item, Mapping) else [_scalar(item)]
                yield f"  - {first}"
                yield from _indented(_indented(rest))
        else:
            yield f"{key}: {_scalar(content)}"


def _scalar(value: str | _Call) -> str:
    return _string(value) if isinstance(value, str) else f"{value.function} {_string(value.argument)}"


# --- Terraform


def as_terraform(policy: Mapping[str, Any], *, with_provider: bool = False) -> str:
    """The data source `aws_iam_policy_document.trust`, as `terraform fmt` writes it, and the provider if asked.

    The account and the partition are those that Terraform works in, as above. ValueError for a policy that names
    several providers, and for a value with `&{` in it, which this data source takes for a policy variable.
    """
    provider = _provider(policy)
    if with_provider:
        attributes = {"url": _hcl(f"https://{provider}"), "client_id_list": _hcl_list(_audiences(policy))}
        around = [_block('resource "aws_iam_openid_connect_provider" "trusted"', attributes)]
        arn = "aws_iam_openid_connect_provider.trusted.arn"
    else:
        around = [['data "aws_caller_identity" "current" {}'], ['data "aws_partition" "current" {}']]
        partition = "${data.aws_partition.current.partition}"
        account = "${data.aws_caller_identity.current.account_id}"
        arn = f'"arn:{partition}:iam::{account}:oidc-provider/{_hcl(provider)[1:]}'
    statements = [_hcl_statement(one, arn) for one in policy["Statement"]]
    document = _block('data "aws_iam_policy_document" "trust"', {}, *statements)
    return "\n\n".join("\n".join(block) for block in (*around, document))


def _hcl_statement(one: Mapping[str, Any], arn: str) -> Iterable[str]:
    attributes = {"sid": _hcl(one["Sid"])} if "Sid" in one else {}
    attributes |= {"effect": _hcl(one["Effect"]), "actions": _hcl_list(one["Action"])}
    principals = _block("principals", {"type": _hcl("Federated"), "identifiers": f"[{arn}]"})
    conditions = [
        _block("condition", {"test": _hcl(test), "variable": _hcl(key), "values": _hcl_list(values)})
        for test, keys in one["Condition"].items()
        for key, values in keys.items()
    ]
    return _block("statement", attributes, principals, *conditions)


def _block(head: str, attributes: Mapping[str, str], *blocks: Iterable[str]) -> Iterable[str]:
    width = max(map(len, attributes), default=0)
    yield f"{head} {{"
    yield from (f"  {name:<{width}} = {value}" for name, value in attributes.items())
    for number, block in enumerate(blocks):
        if number or attributes:
            yield ""
        yield from _indented(block)
    yield "}"


def _hcl_list(values: str | Sequence[str]) -> str:
    return f"[{', '.join(map(_hcl, [values] if isinstance(values, str) else values))}]"


def _hcl(text: str) -> str:
    if "&{" in text:
        raise ValueError(f"{quoted(text)} has '&{{' in it, which Terraform takes for a policy variable; use JSON")
    return re.sub(r"([$%]+)\{", _not_interpolated, _string(text))


def _not_interpolated(match: re.Match[str]) -> str:
    """`$${` and `%%{` are how HCL spells `${` and `%{`; behind another `$` or `%` that is ambiguous."""
    signs = match[1]
    return f"{signs * 2}{{" if len(signs) == 1 else f"{signs[:-1]}\\u{ord(signs[-1]):04x}{{"


# --- both


def _provider(policy: Mapping[str, Any]) -> str:
    providers = sorted({provider_of(one["Principal"]["Federated"]) for one in policy["Statement"]})
    if len(providers) > 1:
        raise ValueError(f"one role here trusts one identity provider, and not {' and '.join(providers)}")
    return providers[0]


def _audiences(policy: Mapping[str, Any]) -> list[str]:
    key = f"{_provider(policy)}:aud"
    return sorted({one["Condition"]["StringEquals"][key] for one in policy["Statement"]})


def _string(text: str) -> str:
    """A text in double quotes, as YAML and HCL both read it; JSON's escapes are not quite the same as theirs."""
    return f'"{"".join(map(_character, text))}"'


def _character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if visible(character) == character:
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"  # noqa: PLR2004 - four hex digits


def _indented(lines: Iterable[str]) -> Iterable[str]:
    return (f"  {line}" if line else line for line in lines)
