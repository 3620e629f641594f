"""One family of errors: what happened, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from py_aws_oidc.quoting import joined
from py_aws_oidc.secret import Secret


class Kind(Enum):
    """What becomes of an error when the call is made again."""

    PASSES = "passes by itself"
    MAY_PASS = "may pass, since IAM is eventually consistent"  # noqa: S105 - a sentence
    NEW_TOKEN = "needs a new token"  # noqa: S105 - a sentence
    ONCE_MORE = "passes for a job that has just started"
    NEVER = "never passes"


class Failure(Exception):  # noqa: N818 - the word that GitHub uses for how such a step ends
    """The step cannot go on, and the person who reads the log can do something about it.

    Each of the three texts is made of whole sentences. A text that is given as a str is one line, whatever its values
    hold: a line break in it is spelt out. Several lines are given one by one. `retry_after` is how many
    seconds the other side asks to wait before the next try; `is_final` is whether it was a "no" when it came, however
    often it was tried; `hidden` is what must be masked before the texts are shown; `details` is what the job's
    summary has besides the three texts, as Markdown.
    """

    hidden: tuple[Secret, ...] = ()
    details: str = ""

    def __init__(
        self,
        what: str,
        *,
        why: str | Iterable[str],
        fix: str | Iterable[str],
        kind: Kind = Kind.NEVER,
        retry_after: float = 0,
    ) -> None:
        self.what, self.why, self.fix = (
            joined([text] if isinstance(text, str) else text) for text in (what, why, fix)
        )
        super().__init__(self.what)
        self.kind = kind
        self.is_final = kind in {Kind.NEVER, Kind.MAY_PASS}
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.what}\n\nWhy: {self.why}\n\nWhat to do: {self.fix}"
