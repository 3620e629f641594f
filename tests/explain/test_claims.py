from datetime import UTC, datetime

from py_aws_oidc.explain.claims import SHOWN, lines
from sandbox.job import Job

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def shown(**claims: object) -> dict[str, str]:
    given = Job().claims() | {"iss": "https://issuer", "aud": "a", "exp": int(NOW.timestamp()) + 290} | claims
    return dict(line.split(maxsplit=1) for line in lines(given, NOW))


def test_each_claim_that_matters_has_a_line():
    assert list(shown()) == [*SHOWN, "expires"]
    assert shown()["sub"] == "repo:octo-org/octo-repo:ref:refs/heads/main"


def test_a_claim_that_is_not_there_is_said_not_to_be():
    assert shown()["environment"] == "(not in the token)"


def test_the_time_that_is_left_is_said_in_seconds():
    assert shown()["expires"] == "in 290 s"
