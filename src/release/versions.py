"""Versions, and whether the files of the repository agree on one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from release.errors import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Iterable

INIT = "src/py_aws_oidc/__init__.py"
CHANGELOG = "CHANGELOG.md"

_VERSION = re.compile(r"v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", re.ASCII)
_IN_INIT = re.compile(r'^__version__ = "([^"]*)"$', re.MULTILINE)
_HEADING = re.compile(r"^## (\S+)(?: - (\S+))?$", re.MULTILINE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, order=True)
class Version:
    """Three numbers (Semantic Versioning 2.0.0, without pre-releases)."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """The version in `1.2.3` or in the tag `v1.2.3`."""
        if not (found := _VERSION.fullmatch(text)):
            raise ReleaseError(
                f"'{text}' is not a version.",
                why="A version is three numbers, like 1.2.3; pre-releases are not supported.",
                fix="Give a version like 1.2.3 or its tag, v1.2.3.",
            )
        return cls(*map(int, found.groups()))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def tag(self) -> str:
        """The tag, which never moves."""
        return f"v{self}"

    @property
    def branch(self) -> str:
        """The branch of the release commits of this major version."""
        return f"releases/v{self.major}"

    @property
    def moving_tag(self) -> str | None:
        """The tag that is at the newest release of the major version; 0.x promises no compatibility and has none."""
        return f"v{self.major}" if self.major else None


def of_init(text: str) -> Version:
    """The `__version__` of the package."""
    found = _IN_INIT.findall(text)
    if len(found) != 1:
        raise ReleaseError(
            f"{INIT} does not say the version.",
            why="It must have one line `__version__ = ...`.",
            fix="Add that line.",
        )
    return Version.parse(found[0])


def notes(changelog: str, version: Version) -> str:
    """What the changelog says of a version, without its heading."""
    for heading in _HEADING.finditer(changelog):
        if heading[1] == str(version):
            following = _HEADING.search(changelog, heading.end())
            text = changelog[heading.end() : following.start() if following else None].strip()
            if not text or not _DATE.fullmatch(heading[2] or ""):
                raise ReleaseError(
                    f"The section {version} of {CHANGELOG} is not complete.",
                    why="It needs a date in its heading and at least one line.",
                    fix=f"Write it as `## {version} - YYYY-MM-DD`, with the changes under it.",
                )
            return text
    raise ReleaseError(
        f"{CHANGELOG} has no section for {version}.",
        why="The section becomes the text of the release.",
        fix=f"Rename `## Unreleased` to `## {version} - YYYY-MM-DD` in a pull request.",
    )


def agree(version: Version, init: str) -> None:
    """ReleaseError if the package says another version."""
    if (said := of_init(init)) != version:
        raise ReleaseError(
            f"{INIT} says {said}, not {version}.",
            why="The version is part of the image, and comes by pull request before the release.",
            fix=f"Set `__version__` to {version} in a pull request, or release {said}.",
        )


def check(version: Version, init: str, changelog: str, tags: Iterable[str]) -> str:
    """The notes of a version that can be released; ReleaseError if files and tags do not agree on it."""
    agree(version, init)
    text = notes(changelog, version)
    newer = max((other for other in released(tags) if other.major == version.major), default=version)
    if newer > version:
        raise ReleaseError(
            f"{version} is older than {newer}, which is released.",
            why=f"Releases of a major version follow one another on the branch {version.branch}.",
            fix=f"Release a version after {newer}.",
        )
    return text


def released(tags: Iterable[str]) -> list[Version]:
    """The versions among tags, oldest first."""
    return sorted(Version.parse(tag) for tag in tags if tag.startswith("v") and _VERSION.fullmatch(tag))
