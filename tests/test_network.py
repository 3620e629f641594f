import pytest

from py_aws_oidc.failure import Failure
from py_aws_oidc.network import Network, is_permanent, is_private, refused_by_proxy

STS = "https://sts.us-east-1.amazonaws.com"


def proxies(url: str = STS, **environ: str) -> dict[str, str]:
    return Network.read(environ).proxies_for(url)


def test_without_a_proxy_the_call_is_direct():
    assert proxies() == {}


BOTH = {"http": "http://p:1", "https": "http://p:1"}
OTHER = "http://other:1"


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"])
def test_one_proxy_is_for_both_schemes(variable):
    assert proxies(**{variable: "http://p:1"}) == BOTH


def test_lower_case_goes_before_capitals_and_https_before_http():
    assert proxies(https_proxy="http://p:1", HTTPS_PROXY=OTHER, http_proxy=OTHER) == BOTH
    assert proxies(HTTPS_PROXY="http://p:1", http_proxy=OTHER) == BOTH
    assert proxies(http_proxy="http://p:1", HTTP_PROXY=OTHER) == BOTH


def test_the_inputs_go_before_the_variables():
    network = Network.read({"https_proxy": OTHER, "no_proxy": "*"}, proxy="http://p:1", no_proxy="example.com")

    assert network.proxies_for(STS) == BOTH


def test_a_blank_variable_is_none():
    assert proxies(https_proxy="  ", HTTPS_PROXY="") == {}


@pytest.mark.parametrize("url", ["http://127.0.0.1:80", "http://127.9.9.9", "http://localhost:1", "http://[::1]:1"])
def test_loopback_is_never_proxied(url):
    assert proxies(url, http_proxy="http://p:1") == {}


@pytest.mark.parametrize("no_proxy", ["amazonaws.com", ".amazonaws.com", "x,sts.us-east-1.amazonaws.com", "*"])
def test_hosts_in_no_proxy_are_not_proxied(no_proxy):
    assert proxies(https_proxy="http://p:1", no_proxy=no_proxy) == {}


@pytest.mark.parametrize("no_proxy", ["example.com", "s3.amazonaws.com", ""])
def test_other_hosts_are(no_proxy):
    assert proxies(https_proxy="http://p:1", NO_PROXY=no_proxy) == BOTH


def test_the_environment_of_the_process_itself_is_not_asked(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")

    assert proxies(https_proxy="http://p:1") == BOTH


def test_the_first_certificate_file_that_is_there_is_trusted(tmp_path):
    (tmp_path / "ca.pem").touch()

    network = Network.read({"AWS_CA_BUNDLE": "/no/such.pem", "REQUESTS_CA_BUNDLE": str(tmp_path / "ca.pem")})

    assert network.verify == str(tmp_path / "ca.pem")
    assert network.missing == (("AWS_CA_BUNDLE", "/no/such.pem"),)


@pytest.mark.parametrize("name", ["x" * 5000, "-----BEGIN CERTIFICATE-----\nMII=", "\0"])
def test_what_can_be_no_file_is_a_file_that_is_missing(name):
    assert Network.read({"AWS_CA_BUNDLE": name}).missing == (("AWS_CA_BUNDLE", name),)


def test_without_any_file_the_libraries_own_certificates_are_trusted():
    assert Network().verify is True


@pytest.mark.parametrize("junk", ["http://us er:hunter2@x", ":::", "ftp://x"])
def test_a_proxy_that_cannot_be_used_is_told_by_its_variable_and_without_its_password(junk):
    with pytest.raises(Failure, match="The proxy that HTTP_PROXY names cannot be used") as caught:
        proxies(HTTP_PROXY=junk)

    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(Network.read({"HTTP_PROXY": junk}))


@pytest.mark.parametrize("url", [STS, "http://127.0.0.1/x", "http://localhost:8080", "http://[::1]/"])
def test_a_secret_may_go_by_https_or_stay_on_this_machine(url):
    assert is_private(url)


@pytest.mark.parametrize(
    "url", ["http://sts.example.com", "ftp://localhost", "localhost", "http://[", "https://", ""]
)
def test_a_secret_may_go_nowhere_else(url):
    assert not is_private(url)


@pytest.mark.parametrize(
    "said", ["[SSL: CERTIFICATE_VERIFY_FAILED]", "[X509] PEM lib", "Tunnel connection failed: 407 Who are you?"]
)
def test_a_certificate_or_a_refusal_by_the_proxy_is_permanent(said):
    assert is_permanent(OSError(said))
    assert is_permanent(ValueError())


@pytest.mark.parametrize(
    "said", ["Connection reset by peer", "Tunnel connection failed: 502 Bad Gateway", "timed out"]
)
def test_a_dropped_connection_is_not_permanent(said):
    assert not is_permanent(OSError(said))


def test_a_proxy_that_says_no_is_named():
    assert (
        refused_by_proxy(OSError("Tunnel connection failed: 407 Who are you?"))
        == ", because the proxy answered HTTP 407"
    )
    assert refused_by_proxy(OSError("timed out")) == ""
