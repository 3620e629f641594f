"""A value that must not be spelled by accident."""

from __future__ import annotations

from typing import final


@final
class Secret:
    """A secret whose `repr`, `str` and `format` show `***`.

    A log line, an exception or a debugger can hold it without telling it; only `reveal` does.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself: call it only where it is masked, sent or written."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)
