"""Limit of the bytes that are read of an answer, whatever its headers say.

requests and botocore, its chain of credentials included, make their calls with urllib3, which reads each answer from a
response of http.client. The limit is set there, so it covers status line, headers, chunk sizes, trailers and body, and
the answers of proxies.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from socket import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MOST_BYTES = 1024 * 1024  # an answer with an ID token or with credentials has a few kilobytes


class AnswerTooLargeError(HTTPException):
    """The answer has more than MOST_BYTES. urllib3 takes it for a broken connection, and closes it."""


@contextmanager
def limited() -> Iterator[None]:
    """Limit the answers to all connections that are made inside."""
    from urllib3.connection import HTTPConnection

    before = HTTPConnection.response_class
    HTTPConnection.response_class = _LimitedResponse
    try:
        yield
    finally:
        HTTPConnection.response_class = before


class _LimitedResponse(HTTPResponse):
    def __init__(
        self, sock: socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.fp = io.BufferedReader(_Limited(self.fp.detach()))


class _Limited(io.RawIOBase):
    """Bytes from the socket, up to MOST_BYTES."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self._left = MOST_BYTES

    def readable(self) -> bool:
        """Say yes, as BufferedReader asks."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        """Read what there is; AnswerTooLargeError if that is more than is left."""
        count = self._raw.readinto(buffer)
        self._left -= count or 0
        if self._left < 0:
            raise AnswerTooLargeError
        return count

    def close(self) -> None:
        """Close the socket's file too."""
        self._raw.close()
        super().close()
