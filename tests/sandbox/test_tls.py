import socket
import ssl

import pytest
import requests

from sandbox.job import Job
from sandbox.tls import SecureWorld


def get(url, verify):
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=5, verify=verify)


def documents(world):
    return f"{world.secure_issuer_url}/.well-known/jwks"


def port(url):
    return int(url.rpartition(":")[2])


def test_the_issuer_and_aws_answer_by_https(tmp_path):
    with SecureWorld(tmp_path, "127.0.0.1") as world:
        assert get(documents(world), str(world.bundle)).json()["keys"]
        assert get(world.secure_aws_url, str(world.bundle)).status_code == 403


def test_a_secure_world_answers_by_http_as_every_world_does(tmp_path):
    with SecureWorld(tmp_path, "sts.sandbox.test") as world:
        assert world.issuer.start(Job()).url.startswith("http://127.0.0.1:")
        assert world.admin("sts").get_caller_identity()["Account"] == "123456789012"


def test_nobody_trusts_its_certificates_who_was_not_told_to(tmp_path):
    with SecureWorld(tmp_path, "127.0.0.1") as world, pytest.raises(requests.exceptions.SSLError):
        get(documents(world), verify=True)


def test_its_certificates_are_for_its_names_alone(tmp_path):
    with SecureWorld(tmp_path, "sts.sandbox.test") as world, pytest.raises(requests.exceptions.SSLError):
        get(documents(world), str(world.bundle))


def test_its_certificates_are_good_in_the_strict_mode_that_newer_pythons_use(tmp_path):
    with SecureWorld(tmp_path, "token.sandbox.test", "sts.sandbox.test") as world:
        context = ssl.create_default_context(cafile=world.bundle)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        with (
            socket.create_connection(("127.0.0.1", port(world.secure_aws_url)), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname="sts.sandbox.test") as secure,
        ):
            certificate = secure.getpeercert()
    assert certificate["subjectAltName"] == (("DNS", "token.sandbox.test"), ("DNS", "sts.sandbox.test"))


def test_one_who_never_shakes_hands_does_not_hold_up_the_others(tmp_path):
    with (
        SecureWorld(tmp_path, "127.0.0.1") as world,
        socket.create_connection(("127.0.0.1", port(world.secure_issuer_url)), timeout=5),
    ):
        assert get(documents(world), str(world.bundle)).status_code == 200
