"""Role trust policies: read, and evaluated as IAM does; pure.

A policy and a request go in, a decision comes out, with what each statement and each condition said to it. The rules
are those of the IAM User Guide, pages "Grammar of the IAM JSON policy language", "Policy evaluation logic", "AWS JSON
policy elements: Principal", "IAM JSON policy elements: Action", "IAM JSON policy elements: Condition operators",
"Conditions with multiple context keys or values", "Set operators for multivalued context keys" and "IAM policy
elements: Variables and tags".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NoReturn

from py_aws_oidc.quoting import quoted

EXCHANGE = "sts:AssumeRoleWithWebIdentity"
"""The action with which an ID token becomes credentials."""

ASSUMING = ("sts:AssumeRole", "sts:AssumeRoleWithSAML", EXCHANGE)
"""The actions that make a session of a role ("Actions defined by AWS Security Token Service")."""

GITHUB = "https://token.actions.githubusercontent.com"
"""The issuer of github.com's ID tokens ("OpenID Connect reference")."""

GITHUB_CLAIM_KEYS = (
    "actor",
    "actor_id",
    "enterprise_id",
    "environment",
    "job_workflow_ref",
    "ref",
    "repository",
    "repository_id",
    "repository_owner_id",
    "workflow",
)
"""The claims that are condition keys besides `aud` and `sub`, for GitHub's own issuers only.

Service Authorization Reference, "Condition keys for AWS Security Token Service". Others, such as
`repository_owner`, are in the token but not in the request context.
"""

DOUBTFUL_CLAIM_KEYS = ("runner_environment",)
"""The claims that this reference does not list for GitHub, but other lists of the keys of January 2026 do."""

ABSENT_KEYS = (
    "aws:AssumedRoot",
    "aws:CalledVia",
    "aws:ChatbotSourceArn",
    "aws:Ec2InstanceSourcePrivateIPv4",
    "aws:Ec2InstanceSourceVpc",
    "aws:IsMcpServiceAction",
    "aws:MultiFactorAuthAge",
    "aws:MultiFactorAuthPresent",
    "aws:PrincipalServiceName",
    "aws:Referer",
    "aws:RequestTag/",
    "aws:SignInSessionArn",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceIdentity",
    "aws:SourceOrgID",
    "aws:SourceOrgPaths",
    "aws:TagKeys",
    "aws:TokenIssueTime",
    "aws:username",
    "sts:AWSServiceName",
    "sts:DurationSeconds",
    "sts:ExternalId",
    "sts:IdentityTokenAudience",
    "sts:RequestContext/",
    "sts:RequestContextProviders",
    "sts:SigningAlgorithm",
    "sts:SourceIdentity",
    "sts:TaskPolicyArn",
    "sts:TransitiveTagKeys",
)
"""Prefixes of the AWS condition keys that AssumeRoleWithWebIdentity with a token of GitHub never has.

IAM User Guide, "AWS global condition context keys", the "Availability" of each: a session has them, an AWS service
that calls has them, or the caller gives them, as parameters of other actions or as tags, of which GitHub's tokens have
none. The others are there without the caller's doing, with values that only AWS knows (aws:SourceIp, aws:ViaAWSService,
aws:PrincipalAccount, aws:FederatedProvider, aws:ResourceTag/...), or may be there: aws:PrincipalArn is in "all
signed requests", which this one is not.
"""

MOST_CHARACTERS = 100_000
"""Of a policy's text, which may have much white space, and other properties of the role around it."""

QUOTA = 8_192
"""Characters of a trust policy that IAM takes at most, where it does not count white space.

IAM User Guide, "IAM and AWS STS quotas": the role trust policy length is 2,048 by default, and can be raised to this.
"""

_GITHUB_PROVIDER = re.compile(
    r"token\.actions\.(githubusercontent|[\w-]+\.ghe)\.com(/[^/]+)?|github\.com/enterprises/[^/]+", re.ASCII
)
_ABSENT = tuple(key.lower() for key in ABSENT_KEYS)
_OF_AWS = ("aws:", "iam:", "sts:")
_VERSIONS = ("2008-10-17", "2012-10-17")

_Values = tuple[str, ...]


class InvalidPolicyError(ValueError):
    """Not a trust policy that IAM would take; the text says where and why."""


class UnsupportedPolicyError(ValueError):
    """The policy says something this evaluator does not know; guessing an answer would be worse than none."""


@dataclass(frozen=True)
class Test:
    """One line of a Condition: an operator on one key; `given` is empty when the request does not have the key."""

    operator: str
    key: str
    wanted: _Values
    given: _Values
    holds: bool


@dataclass(frozen=True)
class Verdict:
    """Result of one statement for a request."""

    index: int
    sid: str
    effect: Literal["Allow", "Deny"]
    principal_fits: bool
    action_fits: bool
    tests: tuple[Test, ...]

    @property
    def matches(self) -> bool:
        """True if the statement matches this request."""
        return self.principal_fits and self.action_fits and all(test.holds for test in self.tests)


@dataclass(frozen=True)
class Decision:
    """Result of a policy for a request.

    `effect` is None when no statement matched: an implicit deny. `statement` is the index of the statement
    that decided.
    """

    effect: Literal["Allow", "Deny"] | None
    statement: int | None = None
    verdicts: tuple[Verdict, ...] = ()

    @property
    def allowed(self) -> bool:
        """True if the request is allowed."""
        return self.effect == "Allow"


# --- read


def read(text: str) -> Mapping[str, Any]:
    """The trust policy in a JSON text: the document itself, or what `aws iam get-role` prints.

    Raises InvalidPolicyError for what is no policy; see `check`.
    """
    if len(text) > MOST_CHARACTERS:
        raise InvalidPolicyError(f"it has {len(text)} characters, which is more than any trust policy has")
    document = _json(text.removeprefix("\ufeff"))
    for wrapping in ("Role", "AssumeRolePolicyDocument"):
        if isinstance(document, dict) and wrapping in document:
            document = document[wrapping]
    check(document)
    policy: Mapping[str, Any] = document
    if not fits_into_iam(policy):
        raise InvalidPolicyError(
            f"the policy has more than {QUOTA} characters without white space, which is what IAM takes at most"
        )
    return policy


def fits_into_iam(policy: Mapping[str, Any]) -> bool:
    """True if the policy is within the largest quota that an account can have."""
    text = json.dumps(policy, ensure_ascii=False)
    return len(text) - sum(map(str.isspace, text)) <= QUOTA


def check(policy: Any) -> None:  # noqa: ANN401 - anything may stand in a file
    """Raise InvalidPolicyError unless this has the form that IAM's grammar gives to a trust policy."""
    _elements(policy, "the policy", ("Version", "Id", "Statement"))
    if policy.get("Version", _VERSIONS[0]) not in _VERSIONS:
        raise InvalidPolicyError(f"Version is {_shown(policy['Version'])}, and not one of {', '.join(_VERSIONS)}")
    if not policy.get("Statement"):
        raise InvalidPolicyError("the policy has no Statement")
    for where, statement in statements(policy):
        _check_statement(statement, where)


def statements(policy: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The statements of a policy, and where each stands in it: `Statement[0]`."""
    many = policy["Statement"]
    return [(f"Statement[{index}]", one) for index, one in enumerate(many if isinstance(many, list) else [many])]


def federated(principal: object) -> _Values:
    """The identity providers that a Principal names."""
    return listed(principal.get("Federated", ())) if isinstance(principal, Mapping) else ()


def listed(values: object) -> _Values:
    """One or many, as a tuple; a JSON boolean is spelled as JSON spells it."""
    many = values if isinstance(values, (list, tuple)) else (values,)
    return tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in many)


_STATEMENT = ("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Condition")
_PRINCIPALS = ("AWS", "Federated", "Service", "CanonicalUser")


def _check_statement(statement: Any, where: str) -> None:  # noqa: ANN401 - as above
    _elements(statement, where, _STATEMENT)
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise InvalidPolicyError(f"{where}.Effect is {_shown(statement.get('Effect'))}, neither 'Allow' nor 'Deny'")
    for element in ("Principal", "Action"):
        if (element in statement) == (f"Not{element}" in statement):
            raise InvalidPolicyError(f"{where} must have either {element} or Not{element}")
    if not is_sid(statement.get("Sid", "")):
        raise InvalidPolicyError(f"{where}.Sid is {_shown(statement['Sid'])}, and not only letters and digits")
    for element in ("Action", "NotAction"):
        _check_values(statement.get(element, ""), f"{where}.{element}", str)
    for element in ("Principal", "NotPrincipal"):
        _check_principal(statement.get(element, "*"), f"{where}.{element}")
    for operator, keys in _object(statement.get("Condition", {}), f"{where}.Condition").items():
        for key, values in _object(keys, f"{where}.Condition.{operator}").items():
            _check_values(values, f"{where}.Condition.{operator}.{key}", (str, int, float))


def is_sid(value: object) -> bool:
    """True if IAM accepts this as a Sid ("IAM JSON policy elements: Sid"); other services take more."""
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9]*", value) is not None


def _check_principal(named: Any, where: str) -> None:  # noqa: ANN401 - as above
    if named != "*":
        _elements(named, where, _PRINCIPALS)
        for kind, values in named.items():
            _check_values(values, f"{where}.{kind}", str)


def _object(value: Any, where: str) -> Mapping[str, Any]:  # noqa: ANN401 - as above
    if not isinstance(value, Mapping):
        raise InvalidPolicyError(f"{where} is {_shown(value)}, and not a JSON object")
    return value


def _elements(value: Any, where: str, known: Sequence[str]) -> None:  # noqa: ANN401 - as above
    for name in _object(value, where):
        if name not in known:
            raise InvalidPolicyError(f"{where} has {quoted(name)}, and not only {', '.join(known)}")


def _check_values(values: object, where: str, kind: type | tuple[type, ...]) -> None:
    for value in values if isinstance(values, list) else [values]:
        if not isinstance(value, kind):
            raise InvalidPolicyError(f"{where} is {_shown(values)}, and not a text or a list of texts")


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return quoted(value) if isinstance(value, str) else json.dumps(value)


def _json(text: str) -> Any:  # noqa: ANN401 - as above
    try:
        return json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise InvalidPolicyError(f"line {error.lineno} is not valid JSON: {error.msg}") from None
    except InvalidPolicyError:
        raise
    except (ValueError, RecursionError):
        raise InvalidPolicyError("it is not valid JSON") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """IAM refuses an element that stands twice in another one ("Policy grammar notes"), where JSON takes the last."""
    document: dict[str, Any] = {}
    for name, value in pairs:
        if name in document:
            raise InvalidPolicyError(f"{quoted(name)} stands twice in one JSON object")
        document[name] = value
    return document


def _no_constant(text: str) -> NoReturn:
    raise InvalidPolicyError(f"{text} is not JSON")


# --- the request


def is_github(provider: str) -> bool:
    """True if AWS knows the claims of this provider's tokens as condition keys: GitHub's own issuers."""
    return _GITHUB_PROVIDER.fullmatch(provider) is not None


def provider_of(name: str) -> str:
    """An identity provider as condition keys name it, host and path, of its issuer's URL or of its ARN."""
    return name.rpartition(":oidc-provider/")[2].removeprefix("https://")


def provider_arn(issuer: str, account: str, partition: str = "aws") -> str:
    """The ARN of the identity provider for this issuer; it is always in the account of the role."""
    return f"arn:{partition}:iam::{account}:oidc-provider/{provider_of(issuer)}"


def context_of(
    claims: Mapping[str, Any],
    provider: str,
    *,
    session_name: str = "GitHubActions",
    audience: str | None = None,
) -> dict[str, str | list[str]]:
    """The condition keys of AssumeRoleWithWebIdentity with a token of these claims.

    `provider` is the issuer's host and path. `audience` is the one of the token's audiences that the identity
    provider lists, where the token has several. IAM User Guide, "Available keys for AWS OIDC federation".
    """
    said = {**claims, "aud": claims.get("aud") if audience is None else audience}
    names = ("aud", "sub", *(GITHUB_CLAIM_KEYS if is_github(provider) else ()))
    context = {f"{provider}:{name}": _spelled(said[name]) for name in names if said.get(name) is not None}
    return {**context, "sts:RoleSessionName": session_name}


def _spelled(claim: object) -> str | list[str]:
    return [*listed(claim)] if isinstance(claim, list) else listed(claim)[0]


# --- evaluate


def evaluate(
    policy: Mapping[str, Any],
    *,
    principal: str | tuple[str, ...],
    action: str,
    context: Mapping[str, str | list[str]],
) -> Decision:
    """Evaluate a trust policy for the action of a principal.

    `principal` is the caller's ARN; a role session has two names, its own ARN and its role's. `context` holds
    the request's condition keys, in any case; a key that is absent there is absent from the request.

    An explicit Deny wins over any Allow, and without an Allow the answer is no ("Policy evaluation logic").

    Raises InvalidPolicyError for what is no policy, and UnsupportedPolicyError for an operator, a condition key or a
    policy variable that this evaluator does not know, and for a condition without values, wherever in the policy it
    stands.
    """
    check(policy)
    names = (principal,) if isinstance(principal, str) else principal
    request = {key.lower(): listed(value) for key, value in context.items()}
    version = policy.get("Version", _VERSIONS[0])
    verdicts = tuple(
        Verdict(
            index,
            statement.get("Sid", ""),
            statement["Effect"],
            _is_principal(statement, names),
            is_action(statement, action),
            tuple(_tests(statement.get("Condition", {}), request, version)),
        )
        for index, (_, statement) in enumerate(statements(policy))
    )
    matching = [verdict for verdict in verdicts if verdict.matches]
    deciding = next((verdict for verdict in matching if verdict.effect == "Deny"), next(iter(matching), None))
    return Decision(deciding.effect, deciding.index, verdicts) if deciding else Decision(None, None, verdicts)


def _is_principal(statement: Mapping[str, Any], names: _Values) -> bool:
    """True if the statement names the caller: itself, its role, its whole account, or everyone.

    "AWS JSON policy elements: Principal": `"*"` and `{"AWS": "*"}` are the same, an account is named by its
    id or the ARN of its root, and no other wildcard is allowed.
    """
    if "NotPrincipal" in statement:
        return not _is_principal({"Principal": statement["NotPrincipal"]}, names)
    named = statement["Principal"]
    if named == "*" or "*" in listed(named.get("AWS", ())):
        return True
    if _is_federated(names[0]):
        return not set(names).isdisjoint(federated(named))
    _, partition, _, _, account, _ = names[0].split(":", 5)
    known_as = {*names, account, f"arn:{partition}:iam::{account}:root"}
    return not known_as.isdisjoint(listed(named.get("AWS", ())))


def _is_federated(principal: str) -> bool:
    return ":oidc-provider/" in principal or ":saml-provider/" in principal


def is_action(statement: Mapping[str, Any], action: str) -> bool:
    """True if the statement is about this action; "IAM JSON policy elements: Action": any case, with `*` and `?`."""
    if "NotAction" in statement:
        return not is_action({"Action": statement["NotAction"]}, action)
    return any(like(action.lower(), glob.lower()) for glob in listed(statement["Action"]))


def _tests(
    conditions: Mapping[str, Mapping[str, Any]], request: Mapping[str, _Values], version: str
) -> Iterable[Test]:
    """Every key of every operator; all must hold, and of a key's values one is enough.

    Each is tested, so that one this evaluator does not know is never hidden by a false one.
    """
    for operator, keys in conditions.items():
        holds = _operator(operator)
        for key, values in keys.items():
            wanted, given = listed(values), request.get(key.lower(), ())
            if not wanted:
                raise UnsupportedPolicyError(f"condition on {key!r} without a value, which holds always or never")
            if not given:
                _require_absent(key)
            yield Test(operator, key, wanted, given, holds(given, _without_variables(wanted, version)))


def _require_absent(key: str) -> None:
    """Raise UnsupportedPolicyError unless a key that nothing was told of is sure to be absent from the request."""
    name = key.lower()
    provider, _, claim = name.rpartition(":")
    if name.startswith(_OF_AWS) and not name.startswith(_ABSENT):
        raise UnsupportedPolicyError(f"condition key {key!r}, whose value only AWS knows")
    if is_github(provider) and claim in DOUBTFUL_CLAIM_KEYS:
        raise UnsupportedPolicyError(f"condition key {key!r}, which not every list of AWS's condition keys has")


def _without_variables(wanted: _Values, version: str) -> _Values:
    """The values as Version 2012-10-17 spells them; before that, `${` was text like any other ("Version")."""
    if version == _VERSIONS[0]:
        return tuple(value.replace("${", "${$}{") for value in wanted)
    for value in wanted:
        if "${" in _SPECIAL.sub("", value):
            raise UnsupportedPolicyError(f"policy variable in {value!r}")
    return wanted


def _operator(name: str) -> Callable[[_Values, _Values], bool]:
    """The test behind `[ForAnyValue:|ForAllValues:]<operator>[IfExists]`.

    Of an absent key, positive operators are false, negated ones true, those with IfExists true; ForAllValues
    is true and ForAnyValue false, and so they are of an empty text ("Condition operators", "Set operators for
    multivalued context keys").
    """
    if name == "Null":
        # What IAM makes of "True" is documented neither here nor for Bool; both are read alike.
        return lambda given, wanted: str(not given).lower() in map(str.lower, wanted)
    parts = re.fullmatch(r"(?:(ForAnyValue|ForAllValues):)?(String|Arn|Bool)(Not)?(\w*?)(IfExists)?", name)
    if parts is None or parts[2] + parts[4] not in _COMPARISONS or parts[2] + (parts[3] or "") == "BoolNot":
        raise UnsupportedPolicyError(f"condition operator {name!r}")
    quantifier, kind, negated, comparison, if_exists = parts.groups()
    same = _COMPARISONS[kind + comparison]

    def suits(given: str, wanted: _Values) -> bool:
        return any(same(given, value) for value in wanted) != bool(negated)

    def holds(given: _Values, wanted: _Values) -> bool:
        if not given and if_exists:
            return True
        values = tuple(filter(None, given)) if quantifier else given
        if quantifier == "ForAnyValue" or (quantifier is None and not negated):
            return any(suits(value, wanted) for value in values)
        return all(suits(value, wanted) for value in values)

    return holds


# The three characters that a policy can only spell as a variable ("Variables and tags", "Special characters").
_SPECIAL = re.compile(r"\$\{([*?$])\}")


def has_wildcard(value: str) -> bool:
    """True if StringLike finds a wildcard in this value."""
    return bool(set("*?") & set(_SPECIAL.sub("", value)))


def like(given: str, wanted: str) -> bool:
    """StringLike: `*` stands for any text, `?` for one character, `${*}`, `${?}` and `${$}` for these themselves."""
    return pattern(wanted).fullmatch(given) is not None


# A policy is compared with several requests, and making a pattern takes far longer than matching it.
@lru_cache(maxsize=1024)
def pattern(glob: str) -> re.Pattern[str]:
    """Pattern of the texts that StringLike matches with this value."""
    first, *rest = _pieces(glob)
    if not rest:
        return re.compile(first, re.DOTALL)
    # Each piece is looked for once, from where the last one ended, so that no pattern takes long.
    middle = "".join(f"(?>.*?{piece})" for piece in rest[:-1])
    return re.compile(f"{first}{middle}.*{rest[-1]}", re.DOTALL)


def _pieces(glob: str) -> list[str]:
    """Patterns of the parts between the `*`."""
    pieces = [""]
    for part in re.split(r"(\$\{[*?$]\}|[*?])", glob):
        if part == "*":
            pieces.append("")
        else:
            pieces[-1] += "." if part == "?" else re.escape(_SPECIAL.sub(r"\1", part))
    return pieces


def _equals(given: str, wanted: str) -> bool:
    return given == _SPECIAL.sub(r"\1", wanted)


def _equals_ignore_case(given: str, wanted: str) -> bool:
    return _equals(given.lower(), wanted.lower())


def _arn_like(given: str, wanted: str) -> bool:
    """Each of the six components by itself, with `*` and `?`."""
    components, globs = given.split(":", 5), wanted.split(":", 5)
    return len(components) == len(globs) and all(map(like, components, globs))


_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": _equals,
    "StringEqualsIgnoreCase": _equals_ignore_case,
    "StringLike": like,
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": _equals_ignore_case,
}
