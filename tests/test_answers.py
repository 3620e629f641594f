"""Answers that are larger than any that a service gives: no more than 1 MiB of them is read."""

import contextlib
import gzip
import itertools
import socketserver
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from py_aws_oidc.answers import MOST_BYTES
from py_aws_oidc.aws import credentials, sts
from py_aws_oidc.aws.credentials import Credentials
from py_aws_oidc.failure import Failure, Retryability
from py_aws_oidc.github import idtoken
from py_aws_oidc.github.idtoken import IdTokenRequest
from py_aws_oidc.network import Network
from py_aws_oidc.secret import Secret
from sandbox.job import Job
from sandbox.proxy import serving

KEYS = Credentials(Secret("AKIA"), Secret("secret"))
MEBIBYTE = 1024 * 1024
ROLE = "arn:aws:iam::123456789012:role/deploy"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
# Each gives up to 64 MiB to a client that takes it, and more memory than that to one that unpacks it.
PACKED = gzip.compress(bytes(64 * MEBIBYTE))
ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "a body without a length": (OK + b"\r\n", b"x" * 65536),
    "a body with a length": (OK + b"Content-Length: 99999999999\r\n\r\n", b"x" * 65536),
    "chunks": (CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    "one chunk": (CHUNKED + b"fffffffff\r\n", b"x" * 65536),
    "tiny chunks": (CHUNKED, b"1\r\nx\r\n" * 10_000),
    "trailers": (CHUNKED + b"2\r\n{}\r\n0\r\n", b"Name: value\r\n" * 5_000),
    "informational answers": (b"", b"HTTP/1.1 100 Continue\r\nName: value\r\n\r\n" * 1_000),
    "a refusal": (b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/xml\r\n\r\n", b"<a>" * 20_000),
    "a failure": (b"HTTP/1.1 503 Busy\r\n\r\n", b"x" * 65536),
}


@contextlib.contextmanager
def server(head: bytes, rest: Iterable[bytes]) -> Iterator[str]:
    """A server that gives each client this answer, as far as it takes it."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            length = 0
            while line := self.rfile.readline().strip():
                name, _, value = line.lower().partition(b":")
                length = int(value) if name == b"content-length" else length
            self.rfile.read(length)
            with contextlib.suppress(OSError):
                self.wfile.write(head)
                for part in rest:
                    self.wfile.write(part)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as listening, serving(listening):
        yield f"http://127.0.0.1:{listening.server_address[1]}"


def endless(kind: str) -> contextlib.AbstractContextManager[str]:
    head, part = ENDLESS[kind]
    return server(head, list(itertools.repeat(part, 64 * MEBIBYTE // len(part))))


def ask_for_an_id_token(url: str) -> Secret:
    return idtoken.fetch(IdTokenRequest(f"{url}/?api-version=2.0", Secret("request-token")), "a", Network())


def call_sts(url: str) -> sts.Session:
    return sts.caller_identity(sts.Service(sts.Endpoint("eu-west-1", url, Network()), KEYS), KEYS)


CALLS = pytest.mark.parametrize("call", [ask_for_an_id_token, call_sts])


@CALLS
@pytest.mark.parametrize("kind", ENDLESS)
def test_an_answer_without_an_end_is_given_up_for_good(call, kind):
    with endless(kind) as url, pytest.raises(Failure, match=r"ID token|The answer of STS") as caught:
        call(url)

    assert "more than 1 MiB" in caught.value.why
    assert caught.value.retryability is Retryability.PERMANENT


@CALLS
def test_an_answer_of_a_proxy_without_an_end_is_given_up_for_good(call, monkeypatch):
    """For http the proxy answers in the service's place."""
    with endless("chunks") as url, pytest.raises(Failure) as caught:
        monkeypatch.setattr(Network, "proxies_for", lambda *_: {"http": url, "https": url})
        call("http://service.example.test")

    assert "more than 1 MiB" in caught.value.why


def answer_of(size: int) -> bytes:
    """An answer with an ID token that has so many bytes in all, its head included."""
    head = OK + b"Content-Length: %8d\r\n\r\n"
    body = b'{"value": "a.b.c", "more": "%s"}'
    filling = size - len(head % 0) - len(body % b"")
    return head % (filling + len(body % b"")) + body % (b"x" * filling)


def test_an_answer_of_just_the_limit_is_read():
    with server(answer_of(MOST_BYTES), ()) as url:
        assert ask_for_an_id_token(url) == Secret("a.b.c")


def test_an_answer_of_a_byte_more_is_not():
    with server(answer_of(MOST_BYTES + 1), ()) as url, pytest.raises(Failure, match="ID token"):
        ask_for_an_id_token(url)


def packed(status: bytes = b"200 OK", body: bytes = PACKED) -> contextlib.AbstractContextManager[str]:
    head = b"HTTP/1.1 %s\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
    return server(head + body, ())


def test_an_id_token_is_not_unpacked():
    with packed(body=gzip.compress(b'{"value": "a.b.c"}')) as url, pytest.raises(Failure) as caught:
        ask_for_an_id_token(url)

    assert "compressed" in caught.value.why
    assert caught.value.retryability is Retryability.PERMANENT


def test_a_refusal_that_is_compressed_is_a_refusal():
    with packed(b"503 Busy") as url, pytest.raises(Failure, match="HTTP status 503") as caught:
        ask_for_an_id_token(url)

    assert caught.value.retryability is Retryability.TRANSIENT


def test_the_limit_holds_for_the_services_of_the_chain_too(monkeypatch):
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    head, part = ENDLESS["chunks"]
    left = itertools.repeat(part, 64 * MEBIBYTE // len(part))
    with server(head, left) as url, pytest.raises(Failure, match="could not be read"):
        environ = {"HOME": "/nowhere", "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/"}
        credentials.of_the_environment(environ, "eu-west-1", Network())

    assert next(left, None)


def test_other_connections_of_the_process_have_their_own_limits():
    import http.client

    import urllib3.connection

    with endless("chunks") as url, contextlib.suppress(Failure):
        call_sts(url)

    assert urllib3.connection.HTTPConnection.response_class is http.client.HTTPResponse


# A run that gets 1 GiB of memory at most, and says at its end what it took at its peak.
DRIVER = """\
import re, resource, sys

resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
from py_aws_oidc.__main__ import main

status = main([])
with open("/proc/self/status") as file:
    print(re.search("VmHWM:\\s*([0-9]+)", file.read())[1], file=sys.stderr)
sys.exit(status)
"""


def peak_megabytes(environ: dict[str, str], folder: Path) -> int:
    """How much memory a run takes that must fail with an error of its own."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        env=environ,
        cwd=folder,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "more than 1 MiB" in done.stdout or "compressed" in done.stdout, done.stdout
    return int(done.stderr) // 1024


def step(folder: Path, **inputs: str) -> dict[str, str]:
    files = {name: folder / name for name in ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY")}
    for path in files.values():
        path.write_text("")
    return (
        Job().variables()
        | {name: str(path) for name, path in files.items()}
        | {"HOME": str(folder), "GITHUB_WORKSPACE": str(folder)}
        | {"INPUT_AWS-REGION": "us-east-1", "INPUT_ROLE-TO-ASSUME": ROLE, "INPUT_DISABLE-RETRY": "true"}
        | inputs
    )


def runner(url: str) -> dict[str, str]:
    return {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
    }


MOST_MEGABYTES = 100


def test_a_compressed_id_token_fills_no_memory(tmp_path):
    """Of 4 MB there were 8 GB once."""
    bomb = gzip.compress(bytes(MEBIBYTE)) * 4_000  # members follow each other, as RFC 1952 allows
    with packed(body=bomb) as url:
        assert peak_megabytes(step(tmp_path) | runner(url), tmp_path) < MOST_MEGABYTES


def test_an_id_token_without_an_end_fills_no_memory(tmp_path):
    with server(CHUNKED, itertools.repeat(ENDLESS["chunks"][1])) as url:
        assert peak_megabytes(step(tmp_path) | runner(url), tmp_path) < MOST_MEGABYTES


def test_an_answer_of_sts_without_an_end_fills_no_memory(tmp_path):
    (tmp_path / "token").write_text("a.b.c")
    with server(CHUNKED, itertools.repeat(ENDLESS["chunks"][1])) as url:
        inputs = {"INPUT_WEB-IDENTITY-TOKEN-FILE": "token", "INPUT_STS-ENDPOINT": url}
        assert peak_megabytes(step(tmp_path, **inputs), tmp_path) < MOST_MEGABYTES
