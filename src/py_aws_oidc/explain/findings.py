"""What is wrong with a trust policy by itself, whoever asks; pure.

The rules are about statements for web identity. They come from the IAM User Guide ("Condition operators", "Set
operators for multivalued context keys", "Available keys for AWS OIDC federation", "Identity-provider controls for
shared OIDC providers"), from GitHub's "OpenID Connect reference", and from policies that let strangers in.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from py_aws_oidc.explain import trust
from py_aws_oidc.explain.trust import (
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
        """The identity provider whose claim this is; empty for a key of AWS's own."""
        return self.key.rpartition(":")[0]

    @property
    def claim(self) -> str:
        """The claim, in small letters, as AWS reads it."""
        return self.key.rpartition(":")[2].lower()

    def names(self, *claims: str) -> bool:
        """Whether it names what one of these claims may be, and not what it may not be."""
        positive = {"StringEquals", "StringEqualsIgnoreCase", "StringLike"}
        return bool(self.provider) and self.claim in claims and self.kind in positive


@dataclass(frozen=True)
class _Statement:
    where: str
    allows: bool
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
        """Whether it is about ID tokens, going by what it names as Principal or as Action."""
        return any(map(_is_oidc, self.federated)) or any("webidentity" in action.lower() for action in self.actions)

    @property
    def providers(self) -> tuple[str, ...]:
        """The identity providers it names, as condition keys do."""
        return tuple(provider_of(arn) for arn in self.federated)

    def about(self, *claims: str) -> list[_Line]:
        """The lines that name what one of these claims may be."""
        return [line for line in self.lines if line.names(*claims)]

    @property
    def holds_on(self) -> bool:
        """Whether a condition holds on to the repository or its owner, so that the subject need not do it."""
        return any(not any(map(has_wildcard, line.values)) for line in self.about(*_PINS))


_StatementRule = Callable[[_Statement], Iterable[Finding]]
_LineRule = Callable[[_Statement, _Line], Iterable[Finding]]


# The providers that IAM knows without an ARN ("AWS JSON policy elements: Principal").
_BUILT_IN = ("accounts.google.com", "cognito-identity.amazonaws.com", "graph.facebook.com", "www.amazon.com")


def _is_oidc(federated: str) -> bool:
    return ":saml-provider/" not in federated and federated not in _BUILT_IN


def _is_shared(provider: str) -> bool:
    return provider == provider_of(GITHUB)


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
    if statement.about("sub", "job_workflow_ref") or (statement.holds_on and not shared):
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
    if provider in {"aws", "sts"}:
        meant = _nearest(line.key, STS_KEYS, cutoff=0.75)  # it may be a new one
        if provider == "sts" and meant and line.key.lower() not in map(str.lower, STS_KEYS):
            yield f"STS does not set it.{meant}", "correct its name."
    elif "://" in provider:
        yield "a key has the provider's host and path, without https://.", f"write {provider_of(provider)}:{claim}."
    elif provider not in map(str.lower, statement.providers or (provider or expected,)):
        yield "it does not begin with the provider that Principal names.", f"write {expected}:{claim or 'sub'}."
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
    if line.if_exists and line.provider.lower() not in {"aws", "sts"}:
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
    """What a pattern of subjects lets in, by what it has before the first wildcard."""
    judged = line.names("sub") and line.kind == "StringLike" and not statement.holds_on
    for value in line.values if judged else ():
        fixed = _fixed(value)
        for severity, what, fix in _lets_in(fixed, line.provider) if fixed != value else ():
            yield Finding(severity, line.where, f"{value!r} {what}", fix)


def _lets_in(fixed: str, provider: str) -> Iterator[tuple[Severity, str, str]]:
    whole = "write owner and name out, like repo:octo-org/octo-repo:ref:refs/heads/main."
    is_github_form = _writes_subjects_of_github(provider)
    owner, slash, rest = fixed.removeprefix("repo:").partition("/")
    if not fixed or (is_github_form and "repo:".startswith(fixed)):
        yield "error", "fits the tokens of everybody.", whole
    elif is_github_form and fixed.startswith("repo:") and not slash:
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
                whole,
            )
    elif is_github_form and fixed.startswith("repo:") and ":" not in rest:
        if rest.endswith("@"):
            yield (
                "warning",
                "leaves the repository's id open, and is no better than the name alone.",
                "write the id out.",
            )
        else:
            yield "warning", f"fits more than one repository of {owner}, and those that are yet to be made.", whole


def _open_workflow(statement: _Statement, line: _Line) -> Iterator[Finding]:
    """What job_workflow_ref lets in where nothing says who may call the workflow."""
    called = line.names("job_workflow_ref") and is_github(line.provider)
    for value in line.values if called and not statement.about("sub") and not statement.holds_on else ():
        if line.kind == "StringLike" and has_wildcard(value) and _fixed(value).count("/") < _SLASHES:
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
                "warning",
                line.where,
                f"{value!r} says which reusable workflow runs, but nothing says who calls it; everybody on GitHub can "
                "call one of a public repository.",
                "add the key PROVIDER:sub, or PROVIDER:repository_owner_id.",
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


STATEMENT_RULES: tuple[_StatementRule, ...] = (_not_principal,)
"""What is asked of every statement."""

ALLOW_STATEMENT_RULES: tuple[_StatementRule, ...] = (
    _principal,
    _action,
    _no_audience,
    _no_subject,
)
"""What is asked besides of those that let tokens in."""

LINE_RULES: tuple[_LineRule, ...] = (
    _operator,
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

STS_KEYS = ("sts:ExternalId", "sts:RoleSessionName", "sts:SourceIdentity", "sts:TransitiveTagKeys")
"""Service Authorization Reference, "Condition keys for AWS Security Token Service"; those of trust policies."""

_PINS = ("repository", "repository_id", "repository_owner_id")
_SLASHES = 2  # behind the owner and behind the repository, in job_workflow_ref
_ELSE = f"sub, or one of {', '.join(GITHUB_CLAIM_KEYS)}"
_ONLY_IN_TOKENS = {
    **dict.fromkeys(("base_ref", "event_name", "head_ref", "job_workflow_sha", "jti", "ref_type", "run_id"), _ELSE),
    **dict.fromkeys(("ref_protected", "repository_visibility", "runner_environment", "sha", "workflow_sha"), _ELSE),
    "enterprise": "enterprise_id",
    "iss": "the Principal, which names the issuer",
    "repository_owner": "repository_owner_id, or the owner in sub",
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


def _fixed(pattern: str) -> str:
    """What stands before the first wildcard, as Version 2012-10-17 reads it; before that `${*}` has one in it."""
    wildcards = (match.start() for match in re.finditer(r"\$\{[*?$]\}|[*?]", pattern) if match[0] in {"*", "?"})
    return pattern[: next(wildcards, len(pattern))]


def _by_names(subject: str) -> str:
    return re.sub(r"@[0-9*?]+(?=[/:])", "", subject)
