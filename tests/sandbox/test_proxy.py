import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import requests

from sandbox.faults import Fault
from sandbox.job import Job
from sandbox.proxy import Proxy
from sandbox.tls import SecureWorld
from sandbox.world import World

WHOAMI = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}
STS = "http://sts.sandbox.test"


def send(proxy, method, url, *, login="", **options):
    way = proxy.url.replace("//", f"//{login}@") if login else proxy.url
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, proxies={"http": way, "https": way}, timeout=5, **options)


def talk(proxy, text):
    """What the proxy answers to these words, until it hangs up."""
    with connection(proxy) as client:
        client.sendall(text.encode())
        return heard(client)


def connection(proxy):
    host, _, port = proxy.address.partition(":")
    return socket.create_connection((host, int(port)), timeout=5)


def heard(client):
    return b"".join(iter(lambda: client.recv(1024), b"")).decode()


@contextmanager
def echo():
    """A service that repeats what it hears first, by its URL."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        server.settimeout(5)

        def repeat():
            client, _ = server.accept()
            with client:
                client.sendall(client.recv(1024))

        pool.submit(repeat)
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def closed_port():
    """A URL where nobody listens, and nobody else will as long as this lasts."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def test_a_plain_request_reaches_the_service_that_its_name_stands_for():
    with World() as world, Proxy({"token.sandbox.test:80": world.issuer.url}) as proxy:
        request = world.issuer.start(Job())
        url = request.url.replace(world.issuer.url, "http://token.sandbox.test")
        answer = send(proxy, "GET", url, headers={"Authorization": f"Bearer {request.token}"})
        (call,) = world.calls
    assert answer.json()["value"]
    assert (call.path, call.query) == (
        request.url.partition("?")[0].removeprefix(world.issuer.url),
        {"api-version": "2.0"},
    )
    assert call.headers["host"] == "token.sandbox.test"


def test_a_plain_request_has_its_body_with_it():
    with World() as world, Proxy({"sts.sandbox.test:80": world.aws_url}) as proxy:
        send(proxy, "POST", STS, data=WHOAMI)
        (call,) = world.calls
    assert (call.path, call.form) == ("/", WHOAMI)


def test_the_service_hears_of_the_proxy_but_nothing_that_was_meant_for_it():
    with World() as world, Proxy({"sts.sandbox.test:80": world.aws_url}) as proxy:
        send(proxy, "POST", STS, data=WHOAMI, login="me:secret", headers={"Keep-Alive": "timeout=5"})
        (call,) = world.calls
    assert (call.headers["via"], call.headers["connection"]) == ("1.1 sandbox", "close")
    assert not {"proxy-authorization", "proxy-connection", "keep-alive"} & set(call.headers)


def test_an_answer_that_breaks_off_breaks_off_for_the_client_too():
    with World() as world, Proxy({"sts.sandbox.test:80": world.aws_url}) as proxy:
        world.faults.script("GetCallerIdentity", Fault(body="x" * 1000, drop="midway"))
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
            send(proxy, "POST", STS, data=WHOAMI)


def test_a_tunnel_carries_tls_that_the_client_verifies(tmp_path):
    with (
        SecureWorld(tmp_path, "sts.sandbox.test") as world,
        Proxy({"sts.sandbox.test:443": world.secure_aws_url}) as proxy,
    ):
        answer = send(proxy, "POST", "https://sts.sandbox.test", data=WHOAMI, verify=str(world.bundle))
    assert "MissingAuthenticationToken" in answer.text


def test_a_tunnel_carries_anything():
    with echo() as url, Proxy({"echo.sandbox.test:7": url}) as proxy, connection(proxy) as client:
        client.sendall(b"CONNECT echo.sandbox.test:7 HTTP/1.1\r\n\r\nspoken too early")
        assert heard(client) == "HTTP/1.0 200 Connection established\r\n\r\nspoken too early"


def test_every_request_is_recorded_in_order():
    with World() as world, Proxy({"sts.sandbox.test:80": world.aws_url}) as proxy:
        send(proxy, "POST", STS, data=WHOAMI)
        send(proxy, "GET", "http://STS.sandbox.test:8080/x?y", login="me:secret")
        talk(proxy, "CONNECT [fd00::1]:443 HTTP/1.1\r\n\r\n")
    assert [(str(asked), asked.authorization) for asked in proxy.asked] == [
        ("POST sts.sandbox.test:80", False),
        ("GET sts.sandbox.test:8080", True),
        ("CONNECT [fd00::1]:443", False),
    ]


def test_a_name_that_the_proxy_does_not_know_is_a_bad_gateway():
    with Proxy() as proxy:
        assert send(proxy, "GET", STS).status_code == 502
        with pytest.raises(requests.exceptions.ProxyError, match="502 Bad Gateway"):
            send(proxy, "GET", "https://sts.sandbox.test")


def test_a_service_that_does_not_listen_is_a_bad_gateway():
    with closed_port() as url, Proxy({"sts.sandbox.test:80": url}) as proxy:
        assert send(proxy, "GET", STS).status_code == 502


@pytest.mark.parametrize("login", ["", "me:wrong", "you:secret"])
def test_a_proxy_with_a_login_lets_nobody_else_through(login):
    with World() as world, Proxy({"sts.sandbox.test:80": world.aws_url}, login="me:secret") as proxy:
        answer = send(proxy, "POST", STS, data=WHOAMI, login=login)
        with pytest.raises(requests.exceptions.ProxyError, match="407 Proxy Authentication Required"):
            send(proxy, "GET", "https://sts.sandbox.test", login=login)
        assert world.calls == []
    assert (answer.status_code, answer.headers["Proxy-Authenticate"]) == (407, 'Basic realm="sandbox"')


def test_a_proxy_with_a_login_lets_its_owner_through():
    with World() as world, Proxy({"sts.sandbox.test:80": world.aws_url}, login="me:s:é t") as proxy:
        send(proxy, "POST", STS, data=WHOAMI, headers={"Proxy-Authorization": "Basic bWU6czrDqSB0"})
        assert [call.operation for call in world.calls] == ["GetCallerIdentity"]


@pytest.mark.parametrize(
    "line",
    [
        "GET / HTTP/1.1",
        "GET ftp://sts.sandbox.test/ HTTP/1.1",
        "GET http:// HTTP/1.1",
        "GET http://sts.sandbox.test:http/ HTTP/1.1",
        "CONNECT sts.sandbox.test HTTP/1.1",
        "CONNECT / HTTP/1.1",
        "this is no request HTTP/1.1",
    ],
)
def test_what_no_proxy_can_be_asked_is_a_bad_request(line):
    with Proxy() as proxy:
        assert "400 Bad" in talk(proxy, f"{line}\r\n\r\n")
    assert proxy.asked == []


def test_many_are_served_at_once():
    with World() as world, Proxy({"sts.sandbox.test:80": world.aws_url}) as proxy, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: send(proxy, "POST", STS, data=WHOAMI), range(32)))
    assert {answer.status_code for answer in answers} == {403}
    assert len(proxy.asked) == 32


def test_one_who_waits_does_not_hold_up_the_others():
    with Proxy() as proxy, connection(proxy):
        assert send(proxy, "GET", STS).status_code == 502


def test_one_who_leaves_without_a_word_is_not_recorded():
    with Proxy() as proxy:
        connection(proxy).close()
    assert proxy.asked == []


def test_the_end_of_the_proxy_is_the_end_of_its_connections():
    with socket.create_server(("127.0.0.1", 0)) as server:
        names = {"silent.sandbox.test:1": f"tcp://127.0.0.1:{server.getsockname()[1]}"}
        with Proxy(names) as proxy:
            silent, tunnel = connection(proxy), connection(proxy)
            tunnel.sendall(b"CONNECT silent.sandbox.test:1 HTTP/1.1\r\n\r\n")
            tunnel.recv(1024)
    with silent, tunnel:
        assert heard(silent) == ""
        assert heard(tunnel) == ""


def test_afterwards_nobody_listens():
    with Proxy() as proxy:
        pass
    with pytest.raises(ConnectionRefusedError):
        connection(proxy)
