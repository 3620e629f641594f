"""One family of errors: what happened, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, Self

from py_aws_oidc.quoting import joined
from py_aws_oidc.secret import Secret

# Not from GITHUB_ACTION_REPOSITORY: a job can set it, and would then choose what a person opens.
_PAGE = "https://github.com/org/py-aws-oidc/blob/main/docs/troubleshooting.md"


class Retryability(Enum):
    """Whether a call that ended with an error can succeed when it is made again."""

    TRANSIENT = "transient"
    EVENTUAL_CONSISTENCY = "eventual consistency"
    REFRESH_TOKEN = "expired token"  # noqa: S105 - a kind of error
    RETRY_ONCE = "retry once"
    PERMANENT = "permanent"


class Failure(Exception):  # noqa: N818 - the word that GitHub uses for how such a step ends
    """The step cannot go on, and the person who reads the log can do something about it. A value: it never changes.

    `name` is that of its section in docs/troubleshooting.md. `what`, `why` and `fix` are whole sentences. A text that
    is given as a str is one line, whatever its values hold: a line break in it is spelt out. Several lines are given
    one by one. `error` is the same in a few words, for the log line of a retry: a code with its HTTP status, or the
    name of an exception. `retry_after` is how many seconds the other side asks to wait before the next attempt;
    `attempts` is how often the call was made, once no more attempt follows. `lookup` is the ID of the request, and how
    to find the call in the other side's records. `hidden` is what must be masked before the texts are shown; `details`
    is what the job summary has besides them, as Markdown.
    """

    what: str
    name: str
    why: str
    fix: str
    error: str
    retryability: Retryability
    retry_after: float
    attempts: int
    lookup: str
    hidden: tuple[Secret, ...]
    details: str

    def __init__(  # noqa: PLR0913 - all but three are named by few callers
        self,
        what: str,
        *,
        name: str,
        why: str | Iterable[str],
        fix: str | Iterable[str],
        error: str = "",
        retryability: Retryability = Retryability.PERMANENT,
        retry_after: float = 0,
        hidden: tuple[Secret, ...] = (),
    ) -> None:
        super().__init__(what)
        vars(self).update(
            _joined(what=what, why=why, fix=fix),
            name=name,
            error=error,
            retryability=retryability,
            retry_after=retry_after,
            attempts=0,
            lookup="",
            hidden=hidden,
            details="",
        )

    def replaced(self, **changes: Any) -> Self:  # noqa: ANN401 - the attributes' own types
        """A failure like this one with other values, as `dataclasses.replace` makes one."""
        other = type(self).__new__(type(self), *self.args)
        vars(other).update(vars(self) | _joined(**changes))
        return other

    @property
    def is_refusal(self) -> bool:
        """Whether the other side said no, however often it was asked, and not only that it cannot answer."""
        return self.retryability in {Retryability.PERMANENT, Retryability.EVENTUAL_CONSISTENCY}

    @property
    def paragraphs(self) -> Iterator[tuple[str, str]]:
        """The texts in their order, each with its label; the first has none."""
        attempts = f"\nThe call was made {self.attempts} times." if self.attempts > 1 else ""
        yield "", self.what
        yield "Why", f"{self.why}{attempts}"
        yield "What to do", self.fix
        if self.lookup:
            yield "Request ID", self.lookup

    def __str__(self) -> str:
        texts = (f"{label}: {text}" if label else text for label, text in self.paragraphs)
        return "\n\n".join((*texts, f"More: {self.link}"))

    @property
    def link(self) -> str:
        """The section of the documentation that is about this failure."""
        return f"{_PAGE}#{self.name}"

    def __setattr__(self, name: str, value: object) -> None:
        # Python itself sets __traceback__ and the like.
        if not name.startswith("__"):
            message = f"a Failure does not change; replaced({name}=...) makes another one"
            raise AttributeError(message)
        super().__setattr__(name, value)


_TEXTS = frozenset({"what", "why", "fix", "lookup"})


def _joined(**values: Any) -> dict[str, Any]:  # noqa: ANN401 - as Failure takes them
    """The values, with each text as one str whose line breaks are its author's own."""
    return {
        name: joined([value] if isinstance(value, str) else value) if name in _TEXTS else value
        for name, value in values.items()
    }
