"""The one error of this package."""

from __future__ import annotations


class ReleaseError(Exception):
    """A release cannot go on. The message says what happened, why, and what to do."""

    def __init__(self, what: str, *, why: str, fix: str) -> None:
        super().__init__(f"{what}\nWhy: {why}\nWhat to do: {fix}")
        self.what = what
