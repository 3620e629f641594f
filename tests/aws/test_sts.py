"""What nothing around us may change about a call to STS."""

import socket
from threading import Event, Thread

import boto3
import pytest

from py_aws_oidc.aws import sts
from py_aws_oidc.aws.arn import partition_of
from py_aws_oidc.aws.credentials import Credentials
from py_aws_oidc.aws.errors import Refused
from py_aws_oidc.failure import Failure, Retryability
from py_aws_oidc.network import Network
from py_aws_oidc.secret import Secret
from sandbox.faults import Fault
from sandbox.tls import SecureWorld
from sandbox.world import World

KEYS = Credentials(Secret("AKIA"), Secret("secret"))


def client(environ: dict[str, str] | None = None, credentials: Credentials | None = None, **more: object):
    endpoint = sts.Endpoint.read(environ or {}, "eu-west-1", None, Network(**more))
    return sts.Service(endpoint, credentials).client()


def test_the_regions_own_endpoint_is_called():
    assert client().meta.endpoint_url == "https://sts.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("variable", "host"),
    [
        ("AWS_USE_FIPS_ENDPOINT", "sts-fips.eu-west-1.amazonaws.com"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "sts.eu-west-1.api.aws"),
    ],
)
def test_the_variables_for_endpoints_of_a_kind_are_honored(variable, host):
    assert client({variable: " TRUE "}).meta.endpoint_url == f"https://{host}"
    assert client({variable: "perhaps"}).meta.endpoint_url == "https://sts.eu-west-1.amazonaws.com"


def test_the_timeouts_are_ours_and_there_is_no_second_try():
    config = client().meta.config

    assert (config.connect_timeout, config.read_timeout) == (5, 10)
    assert config.retries["total_max_attempts"] == 1


def test_the_proxy_is_the_networks():
    assert client().meta.config.proxies == {}
    assert client(proxy="http://p:1").meta.config.proxies == {"http": "http://p:1", "https": "http://p:1"}
    assert client(proxy="http://p:1", no_proxy=".amazonaws.com").meta.config.proxies == {}


def test_the_certificates_are_the_networks(tmp_path):
    made = client(certificates=str(tmp_path / "ca.pem"))

    assert made._endpoint.http_session._verify == str(tmp_path / "ca.pem")  # noqa: SLF001 - nothing else shows it


@pytest.mark.parametrize("credentials", [None, KEYS], ids=["unsigned", "signed"])
def test_files_and_variables_of_the_machine_change_nothing(tmp_path, monkeypatch, credentials):
    (tmp_path / "config").write_text(
        "[default]\nretry_mode = bogus\nmax_attempts = many\nendpoint_url = http://evil\n"
    )
    (tmp_path / "credentials").write_text("[default\nbroken")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")

    assert client(credentials=credentials).meta.endpoint_url == "https://sts.eu-west-1.amazonaws.com"


def test_without_credentials_nobody_is_asked_for_some(monkeypatch):
    def asked(*_: object) -> None:
        raise AssertionError("the chain was walked")

    monkeypatch.setattr("botocore.credentials.CredentialResolver.load_credentials", asked)

    client()


def test_a_client_that_was_begun_ahead_is_the_one_that_is_used():
    service = sts.Service(sts.Endpoint("eu-west-1", None, Network()))
    service.make_ahead()
    service.make_ahead()

    assert service.client() is service.client()


def test_where_no_thread_can_be_started_the_client_is_made_when_it_is_asked_for(monkeypatch):
    def start(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Thread, "start", start)
    service = sts.Service(sts.Endpoint("eu-west-1", None, Network()))
    service.make_ahead()

    assert service.client() is service.client()


def test_a_client_that_is_not_made_in_time_is_a_failure(monkeypatch):
    held = Event()
    monkeypatch.setattr(sts, "_client", lambda *_: held.wait(20))
    monkeypatch.setattr(sts, "WHOLE_CALL_SECONDS", 0.01)
    service = sts.Service(sts.Endpoint("eu-west-1", None, Network()), KEYS)
    service.make_ahead()
    try:
        with pytest.raises(Failure, match=r"AWS STS could not be reached\."):
            sts.caller_identity(service, KEYS)
    finally:
        held.set()


def test_what_neither_the_sdk_nor_sts_says_is_not_explained_away():
    def broken(**_: object) -> None:
        raise MemoryError

    service = sts.Service(sts.Endpoint("eu-west-1", "http://127.0.0.1:9", Network()), KEYS)
    service.client().meta.events.register("before-send.sts", broken)

    with pytest.raises(MemoryError):
        sts.caller_identity(service, KEYS)


def test_what_goes_wrong_ahead_is_raised_where_the_client_is_asked_for():
    service = sts.Service(sts.Endpoint("eu-west-1", "no URL", Network()))
    service.make_ahead()

    with pytest.raises(ValueError, match="Invalid endpoint"):
        service.client()


def test_a_region_that_is_misspelt_is_told_with_the_name_that_cannot_be_resolved(monkeypatch):
    def resolve(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)  # a test does not ask the network for names

    with pytest.raises(sts.Failure) as caught:
        sts.caller_identity(sts.Service(sts.Endpoint("us-esat-1", None, Network()), KEYS), KEYS)

    why = caught.value.why
    assert (
        "https://sts.us-esat-1.amazonaws.com/ ended with EndpointConnectionError, because the name cannot be resolved"
        in why
    )
    assert "check that the region 'us-esat-1' exists" in caught.value.fix


def test_the_partitions_of_regions_are_those_of_botocore():
    session = boto3.session.Session()
    known = [
        (region, partition)
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("sts", partition)
    ]

    assert len(known) > 30
    assert [(region, partition_of(region)) for region, _ in known if "-" in region] == [
        pair for pair in known if "-" in pair[0]
    ]


def test_a_call_to_a_region_that_cannot_be_is_told_at_once():
    endpoint = sts.Endpoint.read({}, "-", None, Network())

    with pytest.raises(sts.Failure, match="could not be reached") as caught:
        sts.caller_identity(sts.Service(endpoint, KEYS), KEYS)

    assert caught.value.retryability is Retryability.PERMANENT


def test_a_certificate_of_an_authority_that_is_named_is_trusted(tmp_path):
    with SecureWorld(tmp_path, "localhost") as world:
        network = Network(certificates=str(world.bundle))
        url = world.secure_aws_url.replace("127.0.0.1", "localhost")
        endpoint = sts.Endpoint.read({}, "eu-west-1", url, network)

        with pytest.raises(Refused, match="InvalidClientTokenId"):
            sts.caller_identity(sts.Service(endpoint, KEYS), KEYS)


def test_an_answer_that_is_not_of_aws_is_not_taken_for_a_refusal():
    with World() as world:
        world.faults.script("GetCallerIdentity", Fault(status=502, body="", headers={"Retry-After": "3"}))
        endpoint = sts.Endpoint.read({}, "eu-west-1", world.aws_url, Network())

        with pytest.raises(sts.Failure, match="Another server answered in place of AWS STS") as caught:
            sts.caller_identity(sts.Service(endpoint, KEYS), KEYS)

    assert (caught.value.retryability, caught.value.retry_after) == (Retryability.TRANSIENT, 3)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (500, Retryability.TRANSIENT),
        (503, Retryability.TRANSIENT),
        (403, Retryability.PERMANENT),
        (307, Retryability.PERMANENT),
    ],
)
def test_an_answer_that_is_no_xml_is_worth_another_try_by_its_status(status, kind):
    with World() as world:
        fault = Fault(status=status, body="<html>", content_type="text/html", headers={"Retry-After": "3"})
        world.faults.script("GetCallerIdentity", fault)
        endpoint = sts.Endpoint.read({}, "eu-west-1", world.aws_url, Network())

        with pytest.raises(sts.Failure, match=f"HTTP status {status}") as caught:
            sts.caller_identity(sts.Service(endpoint, KEYS), KEYS)

    assert (caught.value.retryability, caught.value.retry_after) == (kind, 3)


@pytest.mark.parametrize("status", [200, 201])
def test_half_an_answer_may_be_whole_the_next_time(status):
    with World() as world:
        world.faults.script("GetCallerIdentity", Fault(status=status, body="<html>", content_type="text/html"))
        endpoint = sts.Endpoint.read({}, "eu-west-1", world.aws_url, Network())

        with pytest.raises(sts.Failure, match="it is not the XML of STS") as caught:
            sts.caller_identity(sts.Service(endpoint, KEYS), KEYS)

    assert caught.value.retryability is Retryability.TRANSIENT
