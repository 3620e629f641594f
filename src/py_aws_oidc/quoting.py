"""How a message repeats what it was given."""

from __future__ import annotations

_MOST = 60


def quoted(text: str) -> str:
    """The text in quotes, or only how long it is.

    A part of a long one is not shown: the runner masks a secret that is whole, and none that was cut.
    """
    return repr(text) if len(text) <= _MOST else f"a value of {len(text)} characters"


def visible(text: str) -> str:
    """The text without characters that could end its line or steer a terminal: they are spelt out."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
