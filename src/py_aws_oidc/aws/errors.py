"""What STS says when it refuses, and what becomes of that when the call is made again; pure."""

from __future__ import annotations

from dataclasses import dataclass

from py_aws_oidc.failure import Failure, Kind
from py_aws_oidc.quoting import shown


class Refused(Failure):
    """STS answered with an error: its code, its message and the HTTP status."""

    def __init__(  # noqa: PLR0913 - what the answer says
        self, operation: str, code: str, message: str, status: int, retry_after: float = 0, *, by: str = "AWS"
    ) -> None:
        super().__init__(
            f"{by} refused {operation}: {spoken(code, message, status)}",
            why=f"{by} gives no more reason than that.",
            fix=f"look the code up in the AWS STS API Reference ({operation}, Errors).",
            kind=kind_of(code, message, status, operation),
            retry_after=retry_after,
        )
        self.by = by
        self.operation = operation
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True)
class Code:
    """Error codes that are worth another try, by how they begin and by a part of the message; and who says so."""

    code: str
    kind: Kind
    source: str
    message: str = ""


_RETRY_BEHAVIOR = "AWS SDKs and Tools Reference Guide, Retry behavior"
_COMMON_ERRORS = "AWS STS API Reference, Common Errors"
_WEB_IDENTITY = "AWS STS API Reference, AssumeRoleWithWebIdentity"
CODES = (
    Code("Throttling", Kind.PASSES, _RETRY_BEHAVIOR),
    Code("TooManyRequests", Kind.PASSES, _RETRY_BEHAVIOR),
    Code("RequestLimitExceeded", Kind.PASSES, _RETRY_BEHAVIOR),
    Code("InternalFailure", Kind.PASSES, _COMMON_ERRORS),
    Code("InternalError", Kind.PASSES, _RETRY_BEHAVIOR),
    Code("ServiceUnavailable", Kind.PASSES, _COMMON_ERRORS),
    Code("IDPCommunicationError", Kind.PASSES, _WEB_IDENTITY),
    Code(
        "InvalidIdentityToken",
        Kind.PASSES,
        "users' reports: many jobs at once, and the next try succeeds",
        message="Couldn't retrieve verification key",
    ),
    Code("AccessDenied", Kind.MAY_PASS, "IAM User Guide, Troubleshoot IAM: changes are not always visible at once"),
    Code("ExpiredTokenException", Kind.NEW_TOKEN, _WEB_IDENTITY),
)
STATUSES = frozenset({429, 500, 502, 503, 504})


def spoken(code: str, message: str, status: int) -> str:
    """What AWS said, on one line, and cut if it is long."""
    return f"{shown(message)} ({shown(code)}, HTTP {status})" if message else f"{shown(code)} (HTTP {status})"


def kind_of(code: str, message: str, status: int, operation: str = "AssumeRoleWithWebIdentity") -> Kind:
    """What becomes of an error of STS when the call is made again."""
    for row in CODES:
        if code.startswith(row.code) and row.message in message:
            # Only roles and their trust policies become visible late, and only an ID token can be had anew.
            only_for = {Kind.MAY_PASS: "AssumeRole", Kind.NEW_TOKEN: "AssumeRoleWithWebIdentity"}.get(row.kind, "")
            return row.kind if operation.startswith(only_for) else Kind.NEVER
    return Kind.PASSES if status in STATUSES else Kind.NEVER
