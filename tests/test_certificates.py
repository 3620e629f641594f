"""What is said of a certificate that is refused: by a real handshake, for the ID token and for STS."""

import contextlib
import ssl
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from werkzeug.wrappers import Response

from py_aws_oidc.aws import sts
from py_aws_oidc.aws.credentials import Credentials
from py_aws_oidc.failure import Failure, Retryability
from py_aws_oidc.github import idtoken
from py_aws_oidc.github.idtoken import IdTokenRequest
from py_aws_oidc.network import Network
from py_aws_oidc.secret import Secret
from sandbox.tls import Authority, serve

KEYS = Credentials(Secret("AKIA"), Secret("secret"))
HOUR = timedelta(hours=1)


def ask_for_an_id_token(url: str, network: Network) -> None:
    idtoken.fetch(IdTokenRequest(f"{url}/?api-version=2.0", Secret("request-token")), "a", network)


def call_sts(url: str, network: Network) -> None:
    sts.caller_identity(sts.Service(sts.Endpoint("eu-west-1", url, network), KEYS), KEYS)


Call = Callable[[str, Network], None]
CALLS = pytest.mark.parametrize("call", [ask_for_an_id_token, call_sts])


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@contextlib.contextmanager
def server(context: ssl.SSLContext) -> Iterator[tuple[str, list[str]]]:
    """A server's URL, and the requests that came through its TLS."""
    asked: list[str] = []

    def app(environ, start_response):
        asked.append(environ["PATH_INFO"])
        return Response("{}")(environ, start_response)

    with serve(app, context) as url:
        yield url, asked


def refused(call: Call, context: ssl.SSLContext, authority: Authority) -> Failure:
    """What comes of a call to a server with this certificate, to which no request may go."""
    with server(context) as (url, asked), pytest.raises(Failure, match="certificate verification failed") as caught:
        call(url, Network(certificates=str(authority.bundle)))
    assert asked == []
    assert caught.value.retryability is Retryability.PERMANENT
    return caught.value


@CALLS
def test_a_certificate_that_is_trusted_gets_the_request(call, authority):
    with server(authority.context("127.0.0.1")) as (url, asked):
        with pytest.raises(Failure):
            call(url, Network(certificates=str(authority.bundle)))
        assert len(asked) == 1


@CALLS
def test_an_expired_certificate_is_said_to_have_expired(call, authority):
    told = refused(call, authority.context("127.0.0.1", begins=-2 * HOUR, ends=-HOUR), authority)

    assert "has expired" in told.why
    assert "clock" in told.fix
    assert "AWS_CA_BUNDLE" not in str(told)


@CALLS
def test_a_certificate_that_is_not_valid_yet_is_said_to_be_early(call, authority):
    told = refused(call, authority.context("127.0.0.1", begins=HOUR), authority)

    assert "not valid yet" in told.why
    assert "clock" in told.fix
    assert "AWS_CA_BUNDLE" not in str(told)


@CALLS
@pytest.mark.parametrize("name", ["example.com", "127.0.0.2"])
def test_a_certificate_for_another_host_is_not_to_be_trusted(call, authority, name):
    told = refused(call, authority.context(name), authority)

    assert "another host" in told.why
    assert "AWS_CA_BUNDLE" not in str(told)


@CALLS
def test_an_expired_certificate_for_another_host_is_not_to_be_trusted(call, authority):
    told = refused(call, authority.context("example.com", begins=-2 * HOUR, ends=-HOUR), authority)

    assert "AWS_CA_BUNDLE" not in str(told)


@CALLS
def test_only_for_an_unknown_authority_is_there_advice_on_the_file_of_authorities(call, authority, tmp_path):
    (tmp_path / "other").mkdir()

    told = refused(call, Authority(tmp_path / "other").context("127.0.0.1"), authority)

    assert f"not signed by an authority in {authority.bundle}" in told.why
    assert "AWS_CA_BUNDLE" in told.fix


@CALLS
def test_without_a_file_the_authorities_are_those_of_the_libraries(call, authority):
    with server(authority.context("127.0.0.1")) as (url, _), pytest.raises(Failure) as caught:
        call(url, Network())

    assert "not signed by an authority in the certificates of certifi" in caught.value.why


@CALLS
def test_any_other_verdict_is_told_in_the_words_of_openssl(call, authority):
    told = refused(call, authority.context("127.0.0.1", purpose=ExtendedKeyUsageOID.CLIENT_AUTH), authority)

    assert "OpenSSL refused the certificate" in told.why
    assert "purpose" in told.why
    assert "AWS_CA_BUNDLE" not in str(told)


@CALLS
def test_a_refused_certificate_of_a_proxy_is_said_to_be_the_proxys(call, authority):
    with server(authority.context("example.com")) as (proxy, asked), pytest.raises(Failure) as caught:
        call("https://sts.example.test", Network(proxy=proxy, certificates=str(authority.bundle)))

    assert asked == []
    assert "the certificate that the proxy presented is for another host" in caught.value.why
