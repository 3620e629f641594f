"""A forward proxy, really listening on 127.0.0.1: requests in absolute form, and CONNECT tunnels."""

from __future__ import annotations

import base64
import functools
import socket
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer, ThreadingTCPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_LIMIT_SECONDS = 30
_LONGEST_LINE = 65536
_CHUNK = 65536
# RFC 9110, section 7.6.1. Transfer-Encoding is one too, but the body passes as it is, and so must its framing.
_HOP_BY_HOP = {"connection", "keep-alive", "proxy-authorization", "proxy-connection", "te", "upgrade"}


@dataclass(frozen=True)
class Asked:
    """A request to the proxy: `authority` is host:port, `authorization` whether a Proxy-Authorization came."""

    method: str
    authority: str
    authorization: bool

    def __str__(self) -> str:
        return f"{self.method} {self.authority}"


class Proxy:
    """A proxy that knows some names and nothing else: what is not in `names`, it cannot reach (502).

    `names` stands in for DNS, by host:port, and says at which URL on loopback the service is that is meant. With
    a `login`, `user:password`, the proxy refuses all others (407). `asked` is the record.
    """

    def __init__(self, names: Mapping[str, str] | None = None, *, login: str = "") -> None:
        self.names = names or {}
        self.login = login
        self.asked: list[Asked] = []
        self.address = ""
        self._running = ExitStack()

    def __enter__(self) -> Self:
        server = _Server(("127.0.0.1", 0), functools.partial(_Handler, self))
        self._running.enter_context(serving(server))
        self.address = f"127.0.0.1:{server.server_address[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    @property
    def url(self) -> str:
        """The proxy, as HTTPS_PROXY names it."""
        return f"http://{self.address}"


@contextmanager
def serving(server: BaseServer) -> Iterator[None]:
    """Let the server answer in a thread of its own; afterwards it is closed."""
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingTCPServer):
    """A thread for each connection; the end of the server is the end of them all."""

    def __init__(self, *arguments: Any) -> None:  # noqa: ANN401 -- those of the class above
        self._clients: set[socket.socket] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 -- as socketserver has it
        self._clients.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 -- as socketserver has it
        self._clients.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        for client in list(self._clients):
            _end(client)
        super().server_close()  # waits for the threads


class _Handler(BaseHTTPRequestHandler):
    """One connection, one request."""

    timeout = _LIMIT_SECONDS

    def __init__(self, proxy: Proxy, *arguments: Any) -> None:  # noqa: ANN401 -- those of the class above
        self._proxy = proxy
        super().__init__(*arguments)

    def handle(self) -> None:
        # A client that is gone, or that sent no request, gets no answer.
        with suppress(OSError):
            self.raw_requestline = self.rfile.readline(_LONGEST_LINE)
            if self.parse_request():
                self._serve()

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self) -> None:
        authority, origin_form = _target(self.command, self.path)
        if not authority:
            self._refuse(HTTPStatus.BAD_REQUEST)
            return
        authorization = self.headers["Proxy-Authorization"]
        self._proxy.asked.append(Asked(self.command, authority, authorization is not None))
        if self._proxy.login and authorization != _basic(self._proxy.login):
            self._refuse(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, {"Proxy-Authenticate": 'Basic realm="sandbox"'})
            return
        upstream = self._connect(authority)
        if upstream is None:
            self._refuse(HTTPStatus.BAD_GATEWAY)
            return
        with upstream:
            if self.command == "CONNECT":
                self.send_response_only(HTTPStatus.OK, "Connection established")
                self.end_headers()
            else:
                upstream.sendall(self._head(origin_form))
            self._relay(upstream)

    def _connect(self, authority: str) -> socket.socket | None:
        if authority not in self._proxy.names:
            return None
        service = urlsplit(self._proxy.names[authority])
        with suppress(OSError):
            return socket.create_connection((service.hostname, service.port), timeout=_LIMIT_SECONDS)
        return None

    def _head(self, origin_form: str) -> bytes:
        """The request's head for the service itself, which is to hang up after its answer."""
        passed_on = [f"{name}: {value}" for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP]
        lines = [f"{self.command} {origin_form} HTTP/1.1", *passed_on, "Via: 1.1 sandbox", "Connection: close"]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _relay(self, upstream: socket.socket) -> None:
        """Pass bytes both ways until one side ends, which ends the other."""
        there = Thread(target=_pump, args=(self.rfile.read1, upstream, self.connection))
        there.start()
        _pump(upstream.recv, self.connection, upstream)
        there.join()

    def _refuse(self, status: HTTPStatus, headers: Mapping[str, str] | None = None) -> None:
        body = f"<html><title>{status.value} {status.phrase}</title></html>".encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Type": "text/html", "Content-Length": len(body)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)


def _target(method: str, target: str) -> tuple[str, str]:
    """The host:port of a request's target, and its path and query; empty if a proxy cannot be asked that.

    RFC 9112, section 3.2: CONNECT has the authority form, and all others come to a proxy in absolute form.
    """
    try:
        url = urlsplit(f"//{target}" if method == "CONNECT" else target)
        port = url.port or (80 if url.scheme == "http" else None)
    except ValueError:
        return "", ""
    if not url.hostname or port is None or url.scheme not in {"", "http"}:
        return "", ""
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return f"{host}:{port}", f"{url.path or '/'}{'?' if url.query else ''}{url.query}"


def _basic(login: str) -> str:
    return f"Basic {base64.b64encode(login.encode()).decode()}"


def _pump(read: Callable[[int], bytes], to: socket.socket, source: socket.socket) -> None:
    with suppress(OSError):
        while data := read(_CHUNK):
            to.sendall(data)
    _end(to)
    _end(source)


def _end(connection: socket.socket) -> None:
    """Wake the threads that wait for this connection; its owner closes it."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
