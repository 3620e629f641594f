"""How many repositories a condition on a token of GitHub lets in: one, those of one owner, or anyone's; pure.

Anyone can give a repository of his own the subject template, the environment, the branch and the workflow that another
repository has ("OpenID Connect reference", "Customizing the token claims"). Owner, repository and their ids are
the claims that nobody else can have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum


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
    before = fixed(value) if wildcards else value
    if before == value:
        return _NARROW.get(claim, Scope.ANYONE) if value else Scope.ANYONE
    # The rest of a name may be open once the owner is told: `octo-org/*`, or `octo-org@*/app` where the id is.
    named = claim in {"repo", "repository"} and re.match(r"[^/@]+(?:@[0-9]+)?/|[^/@]+@\Z", before)
    return Scope.OWNER if named else Scope.ANYONE


def of_subject(value: str, *, wildcards: bool = False, encodes_colons: bool = True) -> Scope:
    """Whom a condition on `sub` lets in; with `wildcards`, the value is a pattern of StringLike.

    A subject is made of claims, `NAME:VALUE:NAME:VALUE`, in the order of its template. "Any `:` within the metadata
    values will be replaced with `%3A`" ("OpenID Connect reference"), so that no environment or workflow can be named
    like a claim further on. Where GitHub does not do that (Enterprise Server before 3.16), only the first claim counts.
    What stands behind a wildcard does not count either: the wildcard may stand for any part.
    """
    return max(
        (of_claim(claim, part, wildcards=wildcards) for claim, part in _claims(value, wildcards, encodes_colons)),
        default=Scope.ANYONE,
    )


def _claims(value: str, wildcards: bool, all_of_them: bool) -> Iterator[tuple[str, str]]:  # noqa: FBT001 - as told
    """The claims in a subject with their values, as far as the one that has the first wildcard in it."""
    before = fixed(value) if wildcards else value
    parts = before.split(":")
    while len(parts) > 1:
        if parts[0] == "pull_request":  # the one part that is a claim by itself
            del parts[0]
            continue
        claim, part, *parts = parts
        yield claim, part if parts or before == value else f"{part}*"
        if not all_of_them:
            return


def fixed(pattern: str) -> str:
    """What stands before the first wildcard, as Version 2012-10-17 reads it; before that `${*}` has one in it."""
    wildcards = (match.start() for match in re.finditer(r"\$\{[*?$]\}|[*?]", pattern) if match[0] in {"*", "?"})
    return pattern[: next(wildcards, len(pattern))]
