"""Error answers of STS, and which of them are retried; pure."""

from __future__ import annotations

from dataclasses import dataclass

from py_aws_oidc.failure import Failure, Retryability
from py_aws_oidc.quoting import shown


class Refused(Failure):
    """STS answered with an error: its code, its message and the HTTP status.

    `token_expired` is whether the token that was sent has expired since.
    """

    by: str
    operation: str
    code: str
    message: str
    status: int

    def __init__(  # noqa: PLR0913 - what the answer says
        self,
        operation: str,
        code: str,
        message: str,
        status: int,
        retry_after: float = 0,
        *,
        by: str = "AWS",
        request_id: str = "",
        token_expired: bool = False,
    ) -> None:
        super().__init__(
            f"{by} refused {operation}: {spoken(code, message, status)}",
            name="refused",
            why=f"{by} gives no other reason.",
            fix=f"look up the code in the AWS STS API Reference ({operation}, Errors).",
            error=f"{shown(code)} (HTTP {status}{f', request ID {request_id}' if request_id else ''})",
            retryability=retryability_of(code, message, status, operation, token_expired=token_expired),
            retry_after=retry_after,
        )
        vars(self).update(by=by, operation=operation, code=code, message=message, status=status)


@dataclass(frozen=True)
class Code:
    """Error codes that are retried, by their beginning and a part of the message, and the source of the rule."""

    code: str
    retryability: Retryability
    source: str
    message: str = ""


_RETRY_BEHAVIOR = "AWS SDKs and Tools Reference Guide, Retry behavior"
_COMMON_ERRORS = "AWS STS API Reference, Common Errors"
_WEB_IDENTITY = "AWS STS API Reference, AssumeRoleWithWebIdentity"
CODES = (
    Code("Throttling", Retryability.TRANSIENT, _RETRY_BEHAVIOR),
    Code("TooManyRequests", Retryability.TRANSIENT, _RETRY_BEHAVIOR),
    Code("RequestLimitExceeded", Retryability.TRANSIENT, _RETRY_BEHAVIOR),
    Code("InternalFailure", Retryability.TRANSIENT, _COMMON_ERRORS),
    Code("InternalError", Retryability.TRANSIENT, _RETRY_BEHAVIOR),
    Code("ServiceUnavailable", Retryability.TRANSIENT, _COMMON_ERRORS),
    Code("IDPCommunicationError", Retryability.TRANSIENT, _WEB_IDENTITY),
    Code(
        "InvalidIdentityToken",
        Retryability.TRANSIENT,
        "users' reports: many jobs at once, and the next try succeeds",
        message="Couldn't retrieve verification key",
    ),
    Code(
        "AccessDenied",
        Retryability.EVENTUAL_CONSISTENCY,
        "IAM User Guide, Troubleshoot IAM",
    ),
    Code("ExpiredTokenException", Retryability.REFRESH_TOKEN, _WEB_IDENTITY),
)
STATUSES = frozenset({429, 500, 502, 503, 504})


def spoken(code: str, message: str, status: int) -> str:
    """The answer of AWS on one line, cut if it is long."""
    return f"{shown(message)} ({shown(code)}, HTTP {status})" if message else f"{shown(code)} (HTTP {status})"


def retryability_of(
    code: str,
    message: str,
    status: int,
    operation: str = "AssumeRoleWithWebIdentity",
    *,
    token_expired: bool = False,
) -> Retryability:
    """Whether an error of STS is retried."""
    if token_expired and code == "InvalidIdentityToken":
        return Retryability.REFRESH_TOKEN
    for row in CODES:
        if code.startswith(row.code) and row.message in message:
            # Only roles and their trust policies become visible late, and only an ID token can be requested again.
            only_for = {
                Retryability.EVENTUAL_CONSISTENCY: "AssumeRole",
                Retryability.REFRESH_TOKEN: "AssumeRoleWithWebIdentity",
            }.get(row.retryability, "")
            return row.retryability if operation.startswith(only_for) else Retryability.PERMANENT
    return Retryability.TRANSIENT if status in STATUSES else Retryability.PERMANENT
