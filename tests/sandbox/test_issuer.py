from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import jwt
import pytest
import requests

from sandbox.issuer import GITHUB, Issuer, new_key, once
from sandbox.job import Job
from sandbox.world import World

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)


def ask(id_token_request, audience=None, **changes):
    parameters = {} if audience is None else {"audience": audience}
    asked = {"url": id_token_request.url, "token": id_token_request.token} | changes
    headers = {} if asked["token"] is None else {"Authorization": f"Bearer {asked['token']}"}
    return requests.get(asked["url"], params=parameters, headers=headers, timeout=5)


def read(token):
    return jwt.decode(token, options={"verify_signature": False})


def documents(world):
    urls = (f"{world.issuer.url}/.well-known/{name}" for name in ("openid-configuration", "jwks"))
    return [requests.get(url, timeout=5).json() for url in urls]


def test_a_job_gets_a_token_that_the_published_key_verifies():
    with World() as world:
        token = ask(world.issuer.start(Job()), "sts.amazonaws.com").json()["value"]
        key = jwt.PyJWKSet.from_dict(documents(world)[1])[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["RS256"], audience="sts.amazonaws.com", issuer=GITHUB)
    assert claims.items() >= Job().claims().items()


def test_there_is_one_key_also_for_threads_that_ask_at_once():
    key, together = once(new_key), Barrier(4)

    def ask_for_the_key(_: int) -> object:
        together.wait(timeout=10)
        return key()

    with ThreadPoolExecutor(4) as threads:
        assert len(set(map(id, threads.map(ask_for_the_key, range(4))))) == 1


def test_the_answer_has_the_shape_of_the_runner_service():
    with World() as world:
        answer = ask(world.issuer.start(Job()))
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.json() == {"count": len(answer.json()["value"]), "value": answer.json()["value"]}


def test_the_header_names_type_algorithm_and_key():
    header = jwt.get_unverified_header(Issuer().mint(Job(), "a"))
    assert (header["typ"], header["alg"], set(header)) == ("JWT", "RS256", {"typ", "alg", "kid", "x5t"})


def test_a_token_is_valid_from_ten_minutes_before_until_five_after_its_issue():
    claims = read(Issuer(clock=lambda: NOON).mint(Job(), "a"))
    now = int(NOON.timestamp())
    assert (claims["nbf"], claims["iat"], claims["exp"]) == (now - 600, now, now + 300)


def test_every_token_has_an_id_of_its_own():
    issuer = Issuer()
    assert read(issuer.mint(Job(), "a"))["jti"] != read(issuer.mint(Job(), "a"))["jti"]


def test_without_an_audience_the_owner_is_the_audience():
    with World() as world:
        token = ask(world.issuer.start(Job(owner="octo-org"))).json()["value"]
    assert read(token)["aud"] == "https://github.com/octo-org"


def test_an_audience_of_any_characters_arrives_unchanged():
    audience = "https://a:1/?b=c&d+e %é"
    with World() as world:
        token = ask(world.issuer.start(Job()), audience).json()["value"]
    assert read(token)["aud"] == audience


def test_the_request_url_carries_the_api_version_already():
    with World() as world:
        assert world.issuer.start(Job()).url.endswith("/idtoken?api-version=2.0")


def test_every_job_has_a_request_token_of_its_own():
    with World() as world:
        first, second = (world.issuer.start(Job()) for _ in range(2))
        assert ask(first, token=second.token).status_code == 401
        assert ask(second).status_code == 200


@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_without_the_jobs_request_token_there_is_no_id_token(token):
    with World() as world:
        assert ask(world.issuer.start(Job()), token=token).status_code == 401


def test_without_an_api_version_the_request_is_bad():
    with World() as world:
        request = world.issuer.start(Job())
        assert ask(request, url=request.url.partition("?")[0]).status_code == 400


def test_a_job_nobody_started_is_not_found():
    with World() as world:
        request = world.issuer.start(Job())
        assert ask(request, url=f"{world.issuer.url}/jobs/none/idtoken?api-version=2.0").status_code == 404


def test_the_request_token_stays_out_of_the_repr():
    request = Issuer().start(Job())
    assert request.token not in repr(request)


@pytest.mark.parametrize("iss", [GITHUB, f"{GITHUB}/octo-inc", "https://ghes.example.com/_services/token"])
def test_discovery_names_the_issuer_and_its_keys(iss):
    with World(iss=iss) as world:
        document, keys = documents(world)
    assert (document["issuer"], document["jwks_uri"]) == (iss, f"{iss}/.well-known/jwks")
    assert {name: keys["keys"][0][name] for name in ("kty", "alg", "use")} == {
        "kty": "RSA",
        "alg": "RS256",
        "use": "sig",
    }
    assert "d" not in keys["keys"][0]


def test_a_minted_token_can_be_of_another_time():
    assert read(Issuer().mint(Job(), "a", issued_at=NOON))["iat"] == int(NOON.timestamp())


def test_a_minted_token_can_have_other_claims_or_miss_one():
    claims = read(Issuer().mint(Job(), "a", sub="else", actor=None))
    assert claims["sub"] == "else"
    assert "actor" not in claims


def test_a_token_of_a_foreign_key_claims_the_issuers_key_id():
    issuer = Issuer()
    forged, real = (jwt.get_unverified_header(issuer.mint(Job(), "a", key=key)) for key in (new_key(), None))
    assert forged == real


def test_a_minted_token_can_name_another_key_id():
    assert jwt.get_unverified_header(Issuer().mint(Job(), "a", kid="rotated"))["kid"] == "rotated"
