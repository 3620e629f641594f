"""One family of errors: what happened, why, and what to do."""

from __future__ import annotations


class Failure(Exception):  # noqa: N818 - the word that GitHub uses for how such a step ends
    """The step cannot go on, and the person who reads the log can do something about it.

    Each of the three texts is made of whole sentences and may have several lines.
    """

    def __init__(self, what: str, *, why: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what}\n\nWhy: {self.why}\n\nWhat to do: {self.fix}"
