"""How many repositories a condition on a token of GitHub lets in: one, those of one owner, or anyone's; pure.

Anyone can give a repository of his own the subject template, the environment, the branch and the workflow that another
repository has ("OpenID Connect reference", "Customizing the token claims"). Owner, repository and their ids are
the claims that nobody else can have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum
from itertools import islice


class Scope(IntEnum):
    """Whose tokens a condition lets in; the narrower is the greater.

    Of several conditions that must hold, the greatest counts; of several values of one condition, the least.
    """

    ANYONE = 0
    OWNER = 1
    REPOSITORY = 2


_NARROW = {
    "repo": Scope.REPOSITORY,  # as a subject has `repository`
    "repository": Scope.REPOSITORY,
    "repository_id": Scope.REPOSITORY,
    "repository_owner": Scope.OWNER,
    "repository_owner_id": Scope.OWNER,
    "enterprise": Scope.OWNER,
    "enterprise_id": Scope.OWNER,
}
"""The claims that tell whose repository it is. `actor` is not one: a person starts runs in repositories of others."""


def of_claim(claim: str, value: str, *, wildcards: bool = False) -> Scope:
    """Whom a condition on this claim lets in; with `wildcards`, the value is a pattern of StringLike."""
    before = fixed(value, wildcards=wildcards)
    return _of_part(claim, before, is_open=before != value)


def of_subject(value: str, *, wildcards: bool = False, encodes_colons: bool = True) -> Scope:
    """Whom a condition on `sub` lets in; with `wildcards`, the value is a pattern of StringLike.

    A subject is made of claims, `NAME:VALUE:NAME:VALUE`, in the order of its template. "Any `:` within the metadata
    values will be replaced with `%3A`" ("OpenID Connect reference"), so that no environment or workflow can be named
    like a claim further on. Where GitHub does not do that (Enterprise Server before 3.16), only the first claim counts.
    What stands behind a wildcard or a policy variable does not count either: it may stand for any part.
    """
    before = fixed(value, wildcards=wildcards)
    claims = _claims(before, is_open=before != value)
    counted = claims if encodes_colons else islice(claims, 1)
    return max((_of_part(claim, part, is_open=is_open) for claim, part, is_open in counted), default=Scope.ANYONE)


def _of_part(claim: str, value: str, *, is_open: bool) -> Scope:
    """Whom this value of a claim lets in, or all values that begin with it."""
    if not is_open:
        return _NARROW.get(claim, Scope.ANYONE) if value else Scope.ANYONE
    # The rest of a name may be open once the owner is told: `octo-org/*`, or `octo-org@*/app` where the id is.
    named = claim in {"repo", "repository"} and re.match(r"[^/@]+(?:@[0-9]+)?/|[^/@]+@\Z", value)
    return Scope.OWNER if named else Scope.ANYONE


def _claims(subject: str, *, is_open: bool) -> Iterator[tuple[str, str, bool]]:
    """The claims in a subject, or in the beginning of one, with their values; the last one may go on."""
    parts = subject.split(":")
    while len(parts) > 1:
        if parts[0] == "pull_request":  # the one part that is a claim by itself
            del parts[0]
            continue
        claim, value, *parts = parts
        yield claim, value, is_open and not parts


def fixed(value: str, *, wildcards: bool = True) -> str:
    """What stands before the first part that can be any text: a policy variable, or a wildcard if there are some.

    The request itself gives the value of a variable such as `${aws:PrincipalOrgID}`. `${*}`, `${?}` and `${$}` are
    characters, as Version 2012-10-17 reads them; before that `${*}` has a wildcard in it.
    """
    parts = re.finditer(r"\$\{[*?$]\}|\$\{|[*?]" if wildcards else r"\$\{[*?$]\}|\$\{", value)
    return value[: next((part.start() for part in parts if not part[0].endswith("}")), len(value))]
