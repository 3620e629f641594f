"""Faults of a trust policy by itself, whatever the token says; pure.

Most rules are about statements for web identity. They come from the IAM User Guide ("Condition operators", "Set
operators for multivalued context keys", "Available keys for AWS OIDC federation", "Identity-provider controls for
shared OIDC providers", "AWS global condition context keys"), from GitHub's "OpenID Connect reference", and from
policies that let strangers in.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from py_aws_oidc.explain import scope, trust
from py_aws_oidc.explain.scope import Scope, fixed
from py_aws_oidc.explain.trust import (
    ASSUMING,
    DOUBTFUL_CLAIM_KEYS,
    EXCHANGE,
    GITHUB,
    GITHUB_CLAIM_KEYS,
    has_wildcard,
    is_github,
    like,
    listed,
    provider_of,
)

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """Something in a policy that does not do what it seems to, or does more; `where` is its place in the policy.

    An error lets strangers in, or nobody; a warning is about something that may be meant.
    """

    severity: Severity
    where: str
    what: str
    fix: str


def findings(policy: Mapping[str, Any]) -> list[Finding]:
    """All that the rules have to say of a policy, statement by statement.

    Raises InvalidPolicyError for what is no policy.
    """
    trust.check(policy)
    statements = [_Statement.read(where, statement) for where, statement in trust.statements(policy)]
    subjects = [value for one in statements if one.allows for line in one.about("sub") for value in line.values]
    only_names = partial(_only_names, by_ids={_by_names(sub) for sub in subjects if sub != _by_names(sub)})
    line_rules: tuple[_LineRule, ...] = (*ALLOW_LINE_RULES, only_names)
    found: list[Finding] = []
    for statement in statements:
        lets_in = statement.allows and statement.is_for_web_identity
        for rule in (*STATEMENT_RULES, *(ALLOW_STATEMENT_RULES if lets_in else ())):
            found += rule(statement)
        for line in statement.lines:
            for line_rule in (*LINE_RULES, *(line_rules if lets_in else ())):
                found += line_rule(statement, line)
    return found


# --- what the rules look at


@dataclass(frozen=True)
class _Line:
    """One key of one operator; `kind` is the operator without what may stand before and behind it."""

    where: str
    quantifier: str
    kind: str
    if_exists: bool
    key: str
    values: tuple[str, ...]

    @classmethod
    def read(cls, where: str, operator: str, key: str, values: Any) -> _Line:  # noqa: ANN401 - of a JSON document
        quantifier, _, name = operator.rpartition(":")
        kind = name.removesuffix("IfExists")
        return cls(f"{where}.Condition.{operator}.{key}", quantifier, kind, kind != name, key, listed(values))

    @property
    def provider(self) -> str:
        """The identity provider whose claim this is, in small letters, as AWS reads it."""
        return self.key.rpartition(":")[0].lower()

    @property
    def claim(self) -> str:
        """The claim, in small letters, as AWS reads it."""
        return self.key.rpartition(":")[2].lower()

    def names(self, *claims: str) -> bool:
        """True if it names what one of these claims may be, and not what it may not be."""
        named = self.kind in _POSITIVE and self.values
        return bool(self.provider) and self.claim in claims and bool(named)

    @property
    def is_required(self) -> bool:
        """True if a request without the key is refused: "IfExists" and "ForAllValues" hold for such a one."""
        return bool(self.values) and not self.if_exists and self.quantifier != "ForAllValues"

    @property
    def scope(self) -> Scope:
        """Whom it lets in; each of its values is enough."""
        if not (self.is_required and self.provider and self.kind in _POSITIVE):
            return Scope.ANYONE
        return min(map(self.scope_of, self.values))

    def scope_of(self, value: str) -> Scope:
        """Whom this value of it lets in."""
        wildcards = self.kind == "StringLike"
        if self.claim != "sub":
            return scope.of_claim(self.claim, value, wildcards=wildcards)
        # Enterprise Server has come to write %3A with version 3.16, and does not tell its version here.
        return scope.of_subject(value, wildcards=wildcards, encodes_colons=is_github(self.provider))


_POSITIVE = {"StringEquals", "StringEqualsIgnoreCase", "StringLike"}


@dataclass(frozen=True)
class _Statement:
    where: str
    allows: bool
    assumes: bool
    is_for_others: bool
    principal: Any
    federated: tuple[str, ...]
    actions: tuple[str, ...]
    lines: tuple[_Line, ...]

    @classmethod
    def read(cls, where: str, statement: Mapping[str, Any]) -> _Statement:
        principal = statement.get("Principal", {})
        return cls(
            where,
            statement["Effect"] == "Allow",
            any(trust.is_action(statement, action) for action in ASSUMING),
            "NotPrincipal" in statement,
            principal,
            trust.federated(principal),
            listed(statement.get("Action", ())),
            tuple(
                _Line.read(where, operator, key, values)
                for operator, keys in statement.get("Condition", {}).items()
                for key, values in keys.items()
            ),
        )

    @property
    def is_for_web_identity(self) -> bool:
        """True if it is about ID tokens, going by what it names as Principal or as Action."""
        return any(map(_is_oidc, self.federated)) or any("webidentity" in action.lower() for action in self.actions)

    @property
    def providers(self) -> tuple[str, ...]:
        """The identity providers it names, as condition keys do."""
        return tuple(provider_of(arn) for arn in self.federated)

    def about(self, *claims: str) -> list[_Line]:
        """The lines that name what one of these claims may be."""
        return [line for line in self.lines if line.names(*claims)]

    def scope(self, *, of_keys: bool = False) -> Scope:
        """Whom its conditions let in: all of them, or those on other keys than the subject."""
        lines = [line for line in self.lines if not (of_keys and line.claim == "sub")]
        return max((line.scope for line in lines), default=Scope.ANYONE)


_StatementRule = Callable[[_Statement], Iterable[Finding]]
_LineRule = Callable[[_Statement, _Line], Iterable[Finding]]


# The providers that IAM knows without an ARN ("AWS JSON policy elements: Principal").
_BUILT_IN = ("accounts.google.com", "cognito-identity.amazonaws.com", "graph.facebook.com", "www.amazon.com")


def _is_oidc(federated: str) -> bool:
    return ":saml-provider/" not in federated and federated not in _BUILT_IN


def _is_shared(provider: str) -> bool:
    """True if it signs the tokens of everyone on GitHub, and not only those of one enterprise or server.

    GitHub's "OpenID Connect reference" has an issuer for each enterprise that asks for one, and for each on GHE.com.
    """
    return provider.lower() == provider_of(GITHUB)


def _writes_subjects_of_github(provider: str) -> bool:
    return is_github(provider) or provider.endswith("/_services/token")  # the latter is Enterprise Server's


# --- rules on a whole statement


def _not_principal(statement: _Statement) -> Iterator[Finding]:
    # The User Guide once allowed it in trust policies ("NotPrincipal"), so roles may have it still.
    if statement.is_for_others:
        yield Finding(
            "error" if statement.allows else "warning",
            f"{statement.where}.NotPrincipal",
            ("It lets in everybody but those it names. " if statement.allows else "")
            + "IAM supports no NotPrincipal in trust policies.",
            "name whom you mean as Principal.",
        )


def _everyone(statement: _Statement) -> Iterator[Finding]:
    if statement.allows and statement.assumes and _names_everyone(statement.principal):
        tokens = statement.scope() > Scope.ANYONE  # AWS principals do not have the claims of a token
        if not tokens and not any(map(_names_caller, statement.lines)):
            yield Finding(
                "error",
                f"{statement.where}.Principal",
                "It lets in everyone: the Principal is *, which is every AWS account and every identity provider, and "
                "no condition limits who the caller is.",
                "name the accounts, roles or identity providers that may assume the role, or add a condition such as "
                "StringEquals aws:PrincipalOrgID.",
            )


def _names_everyone(principal: object) -> bool:
    """`"*"` and `{"AWS": "*"}` are the same ("AWS JSON policy elements: Principal"); a list may have it too."""
    named = principal.values() if isinstance(principal, Mapping) else [principal]
    return any("*" in listed(values) for values in named)


def _names_caller(line: _Line) -> bool:
    """True if a request is refused unless a certain account, organization, principal or AWS service makes it.

    "AWS global condition context keys", "Properties of the principal" and "Properties of the request". Left out are
    keys whose value any account can choose (aws:PrincipalTag, aws:username, sts:ExternalId, which is no secret), that
    only tell a kind of caller (aws:PrincipalType, aws:PrincipalIsAWSService, aws:MultiFactorAuthPresent), and those of
    the network, which say where a request comes from.
    """
    if not (line.is_required and line.kind in _POSITIVE | {"ArnLike", "ArnEquals"}):
        return False
    as_told = CALLER_KEYS.get(line.key.lower(), _NEVER)
    return all(re.match(as_told, value) or _is_of_the_roles_owner(line.key, value) for value in line.values)


def _is_of_the_roles_owner(key: str, value: str) -> bool:
    """Whether both are of one account or organization, as `aws:ResourceOrgID` of `${aws:PrincipalOrgID}` says."""
    return {key.lower(), value.lower().removeprefix("${").removesuffix("}")} in (
        {"aws:principalaccount", "aws:resourceaccount"},
        {"aws:principalorgid", "aws:resourceorgid"},
    )


def _part_of_principal(statement: _Statement) -> Iterator[Finding]:
    named = statement.principal.values() if isinstance(statement.principal, Mapping) else ()
    for value in (value for values in named for value in listed(values)):
        if _is_partly_open(value):
            yield Finding(
                "error",
                f"{statement.where}.Principal",
                f"{value!r} has a wildcard in it. IAM accepts * only as a whole Principal, and refuses to save such a "
                "policy.",
                "name each account, role or identity provider.",
            )


def _is_partly_open(principal: str) -> bool:
    return principal != "*" and not set(principal).isdisjoint("*?")


def _no_audience(statement: _Statement) -> Iterator[Finding]:
    if not statement.about("aud"):
        yield Finding(
            "warning",
            f"{statement.where}.Condition",
            "No condition is on the audience, so tokens that were made for something else are taken as well.",
            "add to StringEquals the key PROVIDER:aud with the audience that the workflow asks for, which is "
            "sts.amazonaws.com unless its input says else.",
        )


def _no_subject(statement: _Statement) -> Iterator[Finding]:
    shared = any(map(_is_shared, statement.providers))
    # IAM takes job_workflow_ref in the place of sub.
    if statement.about("sub", "job_workflow_ref") or (statement.scope() > Scope.ANYONE and not shared):
        return
    others = [line for line in statement.lines if line.claim != "aud" and not re.search("Not|Null", line.kind)]
    what = "No condition is on the subject, which names the repository"
    if not others:
        who = "on GitHub" if shared else "of this issuer"
        what = f"No condition says which subjects may come in, so every repository {who} may"
    yield Finding(
        "warning" if others and not shared else "error",
        f"{statement.where}.Condition",
        f"{what}; IAM refuses to save such a policy." if shared else f"{what}.",
        "add the key PROVIDER:sub, like repo:OWNER/NAME:ref:refs/heads/main, to StringEquals.",
    )


def _only_owner(statement: _Statement) -> Iterator[Finding]:
    by_subject = max((line.scope for line in statement.about("sub")), default=Scope.ANYONE)
    if by_subject == Scope.ANYONE and statement.scope(of_keys=True) == Scope.OWNER:
        (key, *_) = [line for line in statement.lines if line.scope == Scope.OWNER]
        doubt = (
            " AWS's Service Authorization Reference lists this key, but not every list of the keys that AWS added in "
            "January 2026 does: test that it counts."
        )
        yield Finding(
            "warning",
            key.where,
            f"Only the condition on {key.claim} limits who can assume the role, so every repository of this owner can."
            f"{doubt if key.claim == 'repository_owner_id' else ''}",
            "add PROVIDER:repository_id to StringEquals, or name owner and repository in PROVIDER:sub.",
        )


def _principal(statement: _Statement) -> Iterator[Finding]:
    where = f"{statement.where}.Principal"
    if statement.principal and not statement.federated:
        yield Finding(
            "error",
            where,
            "The Principal is not an identity provider, which is what an ID token comes from.",
            'write {"Federated": "arn:aws:iam::ACCOUNT:oidc-provider/token.actions.githubusercontent.com"}.',
        )
    for federated in filter(_is_oidc, statement.federated):
        if _is_partly_open(federated) or (federated == "*" and statement.scope() == Scope.ANYONE):
            continue  # _part_of_principal and _everyone have it
        if "://" in federated or not re.match(r"arn:aws[\w-]*:iam::[0-9]{12}:oidc-provider/", federated):
            yield Finding(
                "error",
                f"{where}.Federated",
                f"{federated!r} is not the ARN of an identity provider, so no token fits.",
                "write arn:aws:iam::ACCOUNT:oidc-provider/HOST, without https://.",
            )


def _action(statement: _Statement) -> Iterator[Finding]:
    if statement.actions and not any(like(EXCHANGE.lower(), action.lower()) for action in statement.actions):
        yield Finding(
            "error",
            f"{statement.where}.Action",
            f"The Action is {' and '.join(statement.actions)}, which is not what an ID token is exchanged with.",
            f"write {EXCHANGE}.",
        )


# --- rules on one line of a Condition


def _operator(_: _Statement, line: _Line) -> Iterator[Finding]:
    if line.kind not in OPERATORS or line.quantifier not in {"", "ForAnyValue", "ForAllValues"}:
        yield Finding(
            "error",
            line.where,
            f"IAM has no such condition operator; upper and lower case count.{_nearest(line.kind, OPERATORS)}",
            "correct the operator's name.",
        )


def _no_values(_: _Statement, line: _Line) -> Iterator[Finding]:
    if not line.values:
        yield Finding(
            "error",
            line.where,
            "The list of values is empty. AWS's documents differ: the condition holds for every request, or for none.",
            "write the values, or remove the condition.",
        )


def _white_space(_: _Statement, line: _Line) -> Iterator[Finding]:
    for text in (line.key, *line.values):
        if text != text.strip():
            yield Finding(
                "error",
                line.where,
                f"{text!r} begins or ends with white space, which counts like every other character.",
                "take the white space away.",
            )


def _literal_wildcard(_: _Statement, line: _Line) -> Iterator[Finding]:
    comparison = line.kind.removeprefix("String").removeprefix("Not")
    for value in filter(has_wildcard, line.values) if comparison in {"Equals", "EqualsIgnoreCase"} else ():
        yield Finding(
            "error",
            line.where,
            f"{value!r} has a wildcard in it, but {line.kind} compares letter by letter.",
            f"use {line.kind.partition('Equals')[0]}Like for this value, or write it out.",
        )


def _key(statement: _Statement, line: _Line) -> Iterator[Finding]:
    for what, fix in _wrong_key(statement, line) if statement.is_for_web_identity else ():
        yield Finding("error", line.where, f"No request has the condition key {line.key!r}: {what}", fix)


def _wrong_key(statement: _Statement, line: _Line) -> Iterator[tuple[str, str]]:
    provider, claim = line.provider.strip().lower(), line.claim.strip()
    expected = next(iter(statement.providers), provider_of(GITHUB))
    known = ("aud", "sub", *(GITHUB_CLAIM_KEYS if is_github(provider) else ()))
    if provider in _OF_AWS:
        meant = _nearest(line.key, STS_KEYS, cutoff=0.75)  # it may be a new one
        if provider == "sts" and meant and line.key.lower() not in map(str.lower, STS_KEYS):
            yield f"STS does not set it.{meant}", "correct its name."
    elif "://" in provider:
        yield "a key has the provider's host and path, without https://.", f"write {provider_of(provider)}:{claim}."
    elif provider not in map(str.lower, statement.providers or (provider or expected,)):
        yield "it does not begin with the provider that Principal names.", f"write {expected}:{claim or 'sub'}."
    elif is_github(provider) and claim in DOUBTFUL_CLAIM_KEYS:
        yield (
            "the token has this claim, but AWS's Service Authorization Reference does not list it; other lists do.",
            f"use {_ELSE}.",
        )
    elif _writes_subjects_of_github(provider) and claim in _ONLY_IN_TOKENS:
        yield "the token has this claim, but AWS does not look at it.", f"use {_ONLY_IN_TOKENS[claim]}."
    elif _writes_subjects_of_github(provider) and claim not in known:
        yield f"AWS knows {', '.join(known)} of this provider.{_nearest(claim, known)}", "correct its name."


# --- rules on one line of a Condition that lets tokens in


def _for_all_values(_: _Statement, line: _Line) -> Iterator[Finding]:
    if line.quantifier == "ForAllValues":
        yield Finding(
            "error",
            line.where,
            "ForAllValues holds for a token that does not have the claim at all.",
            f"use {line.kind} by itself; a claim has one value.",
        )


def _if_exists(_: _Statement, line: _Line) -> Iterator[Finding]:
    if line.if_exists and line.provider not in _OF_AWS:
        yield Finding(
            "warning",
            line.where,
            "IfExists holds for a token that does not have the claim at all.",
            f"use {line.kind}, unless that is what you mean.",
        )


def _open_audience(_: _Statement, line: _Line) -> Iterator[Finding]:
    for value in line.values if line.names("aud") and line.kind == "StringLike" else ():
        if set(value) <= {"*", "?"}:
            yield Finding(
                "warning",
                line.where,
                f"{value!r} fits every audience, so tokens that were made for something else are taken as well.",
                "write the audience that the workflow asks for, like sts.amazonaws.com.",
            )


def _open_subject(statement: _Statement, line: _Line) -> Iterator[Finding]:
    """What a subject lets in that does not name the repository, and that no other condition holds to one."""
    others = max((other.scope for other in statement.lines if other is not line), default=Scope.ANYONE)
    judged = line.names("sub") and others == Scope.ANYONE
    for value in line.values if judged else ():
        for severity, what, fix in _lets_in(line, value):
            yield Finding(severity, line.where, f"{value!r} {what}", fix)


def _lets_in(line: _Line, value: str) -> Iterator[tuple[Severity, str, str]]:
    is_github_form = _writes_subjects_of_github(line.provider)
    if line.kind == "StringLike" and has_wildcard(value):
        found = [*_lets_in_by_pattern(fixed(value), is_github_form=is_github_form)]
        yield from found
        if found:
            return
    elif has_wildcard(value):
        return  # _literal_wildcard has it: no token fits
    lets_in = line.scope_of(value)
    if is_github_form and lets_in == Scope.ANYONE and fixed(value, wildcards=False) != value:
        yield (
            "error",
            "has a policy variable in place of the owner. Its value comes from the request, so it fits every token.",
            _WHOLE,
        )
    elif is_github_form and lets_in == Scope.ANYONE and not any(_misspellings(value)):
        shared = _is_shared(line.provider)
        whose = "anyone's repository" if shared else "every repository of this issuer"
        yield (
            "error" if shared else "warning",
            f"does not name the owner: {whose} can have the same subject, if its owner sets the same template.",
            _PIN if is_github(line.provider) else _WHOLE,
        )
    elif is_github_form and lets_in == Scope.OWNER:
        yield "warning", "allows every repository of the owner, including future ones.", _PIN


def _lets_in_by_pattern(before: str, *, is_github_form: bool) -> Iterator[tuple[Severity, str, str]]:
    """What a pattern of subjects lets in, by what it has before the first wildcard."""
    owner, slash, rest = before.removeprefix("repo:").partition("/")
    if not before or (is_github_form and "repo:".startswith(before)):
        yield "error", "fits the tokens of everybody.", _WHOLE
    elif is_github_form and before.startswith("repo:") and not slash:
        if owner.endswith("@"):
            yield (
                "warning",
                "leaves the owner's id open, and is no better than the name alone.",
                "write the id out.",
            )
        else:
            yield (
                "error",
                f"fits every owner that begins with {owner!r}, and anybody can register such a name.",
                _WHOLE,
            )
    elif is_github_form and before.startswith("repo:") and ":" not in rest:
        if rest.endswith("@"):
            yield (
                "warning",
                "leaves the repository's id open, and is no better than the name alone.",
                "write the id out.",
            )
        else:
            yield "warning", f"fits more than one repository of {owner}, and those that are yet to be made.", _WHOLE


def _open_workflow(statement: _Statement, line: _Line) -> Iterator[Finding]:
    """What job_workflow_ref lets in where nothing says who may call the workflow."""
    called = line.names("job_workflow_ref") and is_github(line.provider)
    is_open = not statement.about("sub") and statement.scope() == Scope.ANYONE
    for value in line.values if called and is_open else ():
        if line.kind == "StringLike" and has_wildcard(value) and fixed(value).count("/") < _SLASHES:
            yield Finding(
                "error",
                line.where,
                f"{value!r} fits workflows of more than one repository, and no condition is on the subject, so "
                "strangers may come in.",
                "write owner, repository and file out, like octo-org/octo-repo/.github/workflows/deploy.yml@*, and add "
                "the key PROVIDER:sub.",
            )
        else:
            yield Finding(
                "error" if _is_shared(line.provider) else "warning",
                line.where,
                f"{value!r} says which reusable workflow runs, but nothing says who calls it; everybody on GitHub can "
                "call one of a public repository.",
                _PIN,
            )


def _misspelt_subject(_: _Statement, line: _Line) -> Iterator[Finding]:
    for value in line.values if line.names("sub") and _writes_subjects_of_github(line.provider) else ():
        for what, fix in _misspellings(value):
            yield Finding("error", line.where, f"{value!r} {what}", fix)


def _only_names(_: _Statement, line: _Line, by_ids: set[str]) -> Iterator[Finding]:
    for value in line.values if line.names("sub") and is_github(line.provider) else ():
        names = re.match(r"repo:[^/:@*?]+/[^/:@]*(?::|$)", value)
        if names and value not in by_ids and not any(_misspellings(value)):
            yield Finding(
                "warning",
                line.where,
                f"{value!r} names the repository without ids, so it does not fit the tokens of a repository that was "
                "created, renamed or transferred after 15 July 2026.",
                "if it is one of these, or may become one, write repo:OWNER@OWNER-ID/NAME@REPOSITORY-ID: as well.",
            )


# --- the tables


STATEMENT_RULES: tuple[_StatementRule, ...] = (_not_principal, _everyone, _part_of_principal)
"""What is asked of every statement."""

ALLOW_STATEMENT_RULES: tuple[_StatementRule, ...] = (
    _principal,
    _action,
    _no_audience,
    _no_subject,
    _only_owner,
)
"""What is asked besides of those that let tokens in."""

LINE_RULES: tuple[_LineRule, ...] = (
    _operator,
    _no_values,
    _white_space,
    _literal_wildcard,
    _key,
)
"""What is asked of every line of every Condition."""

ALLOW_LINE_RULES: tuple[_LineRule, ...] = (
    _for_all_values,
    _if_exists,
    _open_audience,
    _open_subject,
    _open_workflow,
    _misspelt_subject,
)
"""What is asked besides of those that let tokens in."""

OPERATORS = (
    *("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
    *("StringLike", "StringNotLike", "Null", "Bool", "BinaryEquals", "IpAddress", "NotIpAddress"),
    *("ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"),
    *("NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals"),
    *("NumericGreaterThan", "NumericGreaterThanEquals", "DateEquals", "DateNotEquals"),
    *("DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"),
)
"""IAM User Guide, "Condition operators"."""

_OF_AWS = {"aws", "iam", "sts"}  # iam:ResourceTag is a key of the role

STS_KEYS = (
    *("sts:ExternalId", "sts:RoleAuthorizedByIdp", "sts:RoleSessionName"),
    *("sts:SourceIdentity", "sts:TransitiveTagKeys"),
)
"""Service Authorization Reference, "Condition keys for AWS Security Token Service"; those of trust policies."""

_NEVER = r"(?!)"
_ID = r"[^*?$]+\Z"
_ACCOUNTS_ARN = r"arn:[^:*?]*:[^:*?]*:[^:*?]*:[0-9]{12}:"
CALLER_KEYS = {
    "aws:principalaccount": _ID,
    "aws:principalarn": _ACCOUNTS_ARN,
    "aws:principalorgid": _ID,
    "aws:principalorgpaths": "o-[a-z0-9]+/",
    "aws:principalservicename": _ID,
    "aws:principalservicenameslist": _ID,
    "aws:sourceaccount": _ID,
    "aws:sourcearn": _ACCOUNTS_ARN,
    "aws:sourceorgid": _ID,
    "aws:sourceorgpaths": "o-[a-z0-9]+/",
    "aws:userid": r"[^:*?$]+(:|\Z)",
}
"""The condition keys that tell who calls, and how a value must begin, without an open part, to name one account.

Wildcards in ids of accounts and organizations have no use ("Sensitive condition keys").
"""

_WHOLE = "write owner and name out, like repo:octo-org/octo-repo:ref:refs/heads/main."
_PIN = "add the repository's id, which `gh api repos/OWNER/NAME --jq .id` prints, as PROVIDER:repository_id."
_SLASHES = 2  # behind the owner and behind the repository, in job_workflow_ref
_ELSE = f"sub, or one of {', '.join(GITHUB_CLAIM_KEYS)}"
_ONLY_IN_TOKENS = {
    **dict.fromkeys(("base_ref", "event_name", "head_ref", "job_workflow_sha", "jti", "ref_type", "run_id"), _ELSE),
    **dict.fromkeys(("ref_protected", "repository_visibility", "runner_environment", "sha", "workflow_sha"), _ELSE),
    "enterprise": "enterprise_id",
    "iss": "the Principal, which names the issuer",
    "repository_owner": "repository_id, or the owner in sub",
    "workflow_ref": "job_workflow_ref",
}
"""Claims of GitHub's tokens ("OpenID Connect reference") that are no condition keys, and what to use instead."""

_REFS = ("refs/heads/", "refs/tags/", "refs/pull/")
# With a wildcard in it, a ref is right as far as the wildcard.
_REF = "|".join([*_REFS, *(f"{ref[:length]}[*?]" for ref in _REFS for length in range(len(ref)))])
_CLAIM = "|".join([*GITHUB_CLAIM_KEYS, *_ONLY_IN_TOKENS])
_BEHIND = r"(?:(?:repo:)?[^/:*?]+/[^/:*?]+:)?"  # a wildcard before the context can stand for a part of it
MISSPELT = (
    (
        r"(?:repo:)?(?:https?://|git@|github\.com/)",
        "has the repository's address in it, where GitHub writes owner and name.",
        "write repo:OWNER/NAME: and what the job runs for.",
    ),
    (
        r"[^/:*?]+/[^/:*?]+(?::|$)",
        "does not begin with repo:, as GitHub's subjects do.",
        "write repo: in front of it.",
    ),
    (
        r"(?:repo:)?[^/:*?]+/[^/:*?]+:?$",
        "ends behind the repository, where GitHub writes what the job runs for, unless the subject is customised.",
        "write :ref:refs/heads/BRANCH, :environment:NAME or :pull_request behind the repository.",
    ),
    (
        rf"{_BEHIND}(?!ref:(?:{_REF}))(?i:refs?[:/]|heads/|branch(?:es)?:|tags?:)",
        "does not have the ref as GitHub writes it.",
        "write ref:refs/heads/BRANCH or ref:refs/tags/TAG behind the repository.",
    ),
    (
        rf"{_BEHIND}(?!pull_request(?::|$))(?i:pull[-_]?requests?)(?::|$)",
        "does not have the pull request as GitHub writes it.",
        "write pull_request behind the repository, and nothing more.",
    ),
    (
        rf"{_BEHIND}(?!environment:)(?i:env(?:ironments?)?):",
        "does not have the environment as GitHub writes it.",
        "write environment:NAME behind the repository, with a small e.",
    ),
    (
        rf"{_BEHIND}environment:[^:*?]*:(?![^:]*[*?]|(?:{_CLAIM})(?::|$))",
        "has a colon in the environment's name, where GitHub writes %3A.",
        "write %3A for the colon, like environment:a%3Ab.",
    ),
)
"""What GitHub never writes in a subject, as a pattern of how it begins; what is wrong with it, and the right form.

"OpenID Connect reference", "Example subject claims".
"""


def _misspellings(value: str) -> Iterator[tuple[str, str]]:
    return ((what, fix) for pattern, what, fix in MISSPELT if re.match(pattern, value))


def _nearest(name: str, known: Sequence[str], cutoff: float = 0.6) -> str:
    spelled = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower(), spelled, n=1, cutoff=cutoff)
    return f" Is it meant to be {spelled[near[0]]}?" if near else ""


def _by_names(subject: str) -> str:
    return re.sub(r"@[0-9*?]+(?=[/:])", "", subject)
