"""What can go wrong between a client and a service, on order; and a record of what was really asked."""

from __future__ import annotations

import re
import socket
from collections import deque
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import TYPE_CHECKING, Literal

from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from wsgiref.types import WSGIApplication

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

FAULT = "sandbox.fault"
"""Where in a request's WSGI environment the fault stands that is about to happen to it."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong, or several at once: `Fault(hold=event, status=503)` is a late 503.

    - `code`, `message`: an error in the service's own form: XML for AWS, JSON for the ID token endpoint.
    - `body`, `content_type`: an answer word for word, 200 unless `status` says otherwise.
    - `headers`: added to the answer, be it the real one or a faulty one: Retry-After, Location.
    - `drop`: hang up "before" the answer, or "midway" through its body.
    - `hold`: answer only once this event is set; the world sets it when it ends.
    - `claims`, `key`: the ID token is minted with these claims (None leaves one out), or signed with this
      key.
    """

    status: int | None = None
    code: str | None = None
    message: str = ""
    body: str | bytes | None = None
    content_type: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: Literal["before", "midway"] | None = None
    hold: Event | None = None
    claims: Mapping[str, object] = field(default_factory=dict)
    key: RSAPrivateKey | None = None


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request as it came in. `form` and `query` keep a name's first value; header names are lower-case."""

    operation: str
    method: str
    path: str
    query: Mapping[str, str] = field(repr=False)
    form: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @property
    def scheme(self) -> str | None:
        """The scheme of the Authorization header: `Bearer`, `AWS4-HMAC-SHA256`; None without the header."""
        return self.headers.get("authorization", "").partition(" ")[0] or None

    @property
    def access_key_id(self) -> str | None:
        """Whose key signed the request, if one did."""
        signer = re.search(r"Credential=([^/]+)/", self.headers.get("authorization", ""))
        return signer and signer[1]

    @property
    def security_token(self) -> str | None:
        """The session token of temporary credentials, if the request carries one."""
        return self.headers.get("x-amz-security-token")


class Faults:
    """The faults to come, by operation, and the calls that came.

    Operations are called as AWS calls its own (`AssumeRoleWithWebIdentity`, `PutObject`); those of the issuer
    are `idtoken`, `openid-configuration` and `jwks`.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._scripts: dict[str, deque[Fault]] = {}
        self._always: dict[str, Fault] = {}
        self._holds: list[Event] = []
        self._lock = Lock()

    def script(self, operation: str, *faults: Fault, always: Fault | None = None) -> None:
        """Let the next calls of `operation` meet these faults, one each; after them `always`, or none."""
        with self._lock:
            self._scripts.setdefault(operation, deque()).extend(faults)
            if always is not None:
                self._always[operation] = always
            self._holds += [fault.hold for fault in (*faults, always) if fault and fault.hold]

    def clear(self) -> None:
        """Forget every fault still to come; what is held stays held."""
        with self._lock:
            self._scripts.clear()
            self._always.clear()

    def release(self) -> None:
        """Let every held answer go."""
        with self._lock:
            for hold in self._holds:
                hold.set()

    def front(
        self,
        app: Callable[[Request], Response],
        *,
        operation: Callable[[Request], str],
        refuse: Callable[[Request, Fault], Response],
    ) -> WSGIApplication:
        """`app` as a WSGI application that records its calls and meets its faults.

        `operation` names a request; `refuse` puts a fault's `code` and `message` into the service's form.
        """

        def answer(request: Request) -> Response:
            request.get_data()  # read before a hang-up, or the client sees a reset while it still writes
            name = operation(request)
            with self._lock:
                self.calls.append(_call(name, request))
                script = self._scripts.get(name)
                fault = script.popleft() if script else self._always.get(name)
            return app(request) if fault is None else _suffer(fault, request, app, refuse)

        return Request.application(answer)


def _call(operation: str, request: Request) -> Call:
    return Call(
        operation=operation,
        method=request.method,
        path=request.path,
        query=request.args.to_dict(),
        form=request.form.to_dict(),
        headers={name.lower(): value for name, value in request.headers},
    )


def _suffer(
    fault: Fault,
    request: Request,
    app: Callable[[Request], Response],
    refuse: Callable[[Request, Fault], Response],
) -> Response:
    if fault.hold is not None:
        fault.hold.wait()
    if fault.drop == "before":
        _hang_up(request)
    request.environ[FAULT] = fault
    if fault.body is not None:
        response = Response(fault.body, status=fault.status or 200, content_type=fault.content_type)
    elif fault.code is not None or fault.status is not None:
        response = refuse(request, fault)
    else:
        response = app(request)
    response.headers.update(fault.headers)
    return _truncated(request, response) if fault.drop == "midway" else response


def _hang_up(request: Request) -> None:
    request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("the fault asked to hang up")


def _truncated(request: Request, response: Response) -> Response:
    whole = response.get_data()

    def half() -> Iterator[bytes]:
        yield whole[: len(whole) // 2]
        _hang_up(request)

    response.response = half()
    response.headers["Content-Length"] = str(len(whole))
    return response
