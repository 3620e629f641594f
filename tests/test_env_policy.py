from py_aws_oidc.aws.credentials import CHAIN
from py_aws_oidc.env_policy import TABLE, warnings
from py_aws_oidc.network import Network


def said(**environ: str) -> list[str]:
    return [text for _, text in warnings(environ, Network.read(environ))]


def test_nothing_is_said_of_a_clean_environment():
    assert said() == []


def test_an_endpoint_from_the_environment_is_said_not_to_be_honored():
    assert said(AWS_ENDPOINT_URL="https://x", AWS_ENDPOINT_URL_STS="https://y") == [
        f"{name} is set, but it is ignored: an earlier step could use it to send the token to another host; use the "
        "input sts-endpoint."
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS")
    ]


def test_what_cannot_matter_is_passed_over_in_silence():
    assert said(AWS_PROFILE="gone", AWS_MAX_ATTEMPTS="abc", AWS_ACCESS_KEY_ID="x") == []


def test_a_certificate_file_outside_the_container_is_said_to_be_missing():
    (warning,) = said(AWS_CA_BUNDLE="/home/runner/ca.pem")

    assert warning.startswith("AWS_CA_BUNDLE names /home/runner/ca.pem, which does not exist here")


def test_each_variable_is_decided_once():
    names = [name for row in TABLE for name in row.names]

    assert len(names) == len(set(names))


def test_every_variable_that_the_chain_gets_is_in_the_table():
    own = {name for row in TABLE for name in row.names if row.honored == "for the credentials of the job"}

    assert set(CHAIN) - {"HOME"} <= own
