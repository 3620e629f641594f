from datetime import UTC, datetime

import jwt
import pytest
import requests
import responses
from responses import matchers

from py_aws_oidc.failure import Failure, Retryability
from py_aws_oidc.github import idtoken
from py_aws_oidc.github.context import Context
from py_aws_oidc.github.idtoken import IdTokenRequest
from py_aws_oidc.network import Network
from py_aws_oidc.secret import Secret

URL = "https://pipelines.actions.githubusercontent.com/abc/idtoken?api-version=2.0"
REQUEST = IdTokenRequest(URL, Secret("request-token"))
DIRECT = Network()
NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
ANYONE = Context(from_fork=False, from_dependabot=False)


def token(**claims: object) -> Secret:
    """A token with these claims; who signed it is not for this room to judge."""
    given = {"aud": "sts.amazonaws.com", "exp": int(NOW.timestamp()) + 300, "sub": "repo:octo-org/app:x"} | claims
    return Secret(jwt.encode(given, "k" * 32, algorithm="HS256"))


def request(**variables: str) -> IdTokenRequest:
    given = {"ACTIONS_ID_TOKEN_REQUEST_URL": URL, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"} | variables
    return IdTokenRequest.read(given, ANYONE)


def answered(**answer: object) -> Secret:
    """What comes of a request that the runner answers like this."""
    with responses.RequestsMock() as runner:
        runner.get(f"{URL}&audience=sts.amazonaws.com", **answer)
        return idtoken.fetch(REQUEST, "sts.amazonaws.com", DIRECT)


def failure(**answer: object) -> Failure:
    with pytest.raises(Failure) as caught:
        answered(**answer)
    return caught.value


def test_the_request_is_the_one_that_the_runner_expects():
    with responses.RequestsMock() as runner:
        runner.get(
            "https://pipelines.actions.githubusercontent.com/abc/idtoken",
            json={"count": 1, "value": "a.b.c"},
            match=[
                matchers.query_param_matcher({"api-version": "2.0", "audience": "sts.amazonaws.com"}),
                matchers.header_matcher(
                    {
                        "Authorization": "Bearer request-token",
                        "Accept": "application/json",
                        "Accept-Encoding": "identity",
                    }
                ),
            ],
        )

        assert idtoken.fetch(REQUEST, "sts.amazonaws.com", DIRECT) == Secret("a.b.c")


@pytest.mark.parametrize("audience", ["https://aud.example/a b?x=1&y=2", "é%+#/", "a&audience=b"])
def test_any_audience_arrives_as_it_was_written(audience):
    with responses.RequestsMock() as runner:
        runner.get(
            "https://pipelines.actions.githubusercontent.com/abc/idtoken",
            json={"value": "a.b.c"},
            match=[matchers.query_param_matcher({"api-version": "2.0", "audience": audience})],
        )

        idtoken.fetch(REQUEST, audience, DIRECT)


def test_a_url_without_a_query_gets_one():
    with responses.RequestsMock() as runner:
        runner.get("https://runner.example/idtoken?audience=a", json={"value": "a.b.c"})

        idtoken.fetch(IdTokenRequest("https://runner.example/idtoken", Secret("t")), "a", DIRECT)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status):
    refused = failure(status=status, headers={"Location": "https://evil.example/"})

    assert f"HTTP status {status}" in refused.what
    assert "not followed" in refused.why


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503, 504])
def test_a_refusal_is_told_with_its_status(status):
    assert f"HTTP status {status}" in failure(status=status, body="secret things").what


def test_the_body_of_a_refusal_is_never_shown():
    assert "secret things" not in str(failure(status=500, body="secret things"))


@pytest.mark.parametrize(
    "body", ["", "<html>", "[]", "null", "{}", '{"value": null}', '{"value": ""}', '{"value": 1}', "[" * 100_000]
)
def test_an_answer_without_a_token_is_told(body):
    assert "has no token" in failure(body=body).what


@pytest.mark.parametrize(
    "error", [requests.ConnectionError, requests.Timeout, requests.TooManyRedirects, requests.exceptions.SSLError]
)
def test_a_request_that_does_not_arrive_is_told_without_its_url(error):
    told = failure(body=error("https://pipelines.example/?token=x"))

    assert f"pipelines.actions.githubusercontent.com ended with {error.__name__}" in told.why
    assert "token=x" not in str(told)


def test_the_two_variables_of_the_runner_make_a_request():
    assert request() == IdTokenRequest(URL, Secret("t"))


@pytest.mark.parametrize("missing", ["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
def test_without_one_of_them_the_permission_is_missing(missing):
    with pytest.raises(Failure) as caught:
        request(**{missing: " "})

    assert "`id-token: write` is missing" in caught.value.why
    assert "permissions:\n  id-token: write" in caught.value.fix


def test_a_fork_is_told_that_it_gets_no_token():
    with pytest.raises(Failure) as caught:
        IdTokenRequest.read({}, Context(from_fork=True, from_dependabot=False))

    assert "pull request from a fork" in caught.value.why


def test_dependabot_is_told_what_its_runs_may_do():
    with pytest.raises(Failure) as caught:
        IdTokenRequest.read({}, Context(from_fork=False, from_dependabot=True))

    assert "Dependabot started this run" in caught.value.why


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/x", "http://localhost/x", "http://[::1]:1/x", URL])
def test_the_request_goes_to_https_or_to_this_machine(url):
    assert request(ACTIONS_ID_TOKEN_REQUEST_URL=url).url == url


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.1/x", "http://localhost.evil.example/x", "file:///etc/passwd", "x", "http://[", "https://"],
)
def test_the_request_goes_nowhere_else(url):
    with pytest.raises(Failure, match="the URL for the request is not safe"):
        request(ACTIONS_ID_TOKEN_REQUEST_URL=url)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        (URL, ""),
        ("https://run-actions-1-azure-eastus.actions.githubusercontent.com/x", "https://github.com"),
        ("https://pipelines.octo.ghe.com/x", ""),
        ("https://ghes.example/_services/x", "https://ghes.example"),
        ("https://pipelines.ghes.example/x", "https://ghes.example"),
        ("http://127.0.0.1:1/x", "http://["),
    ],
)
def test_nothing_is_said_of_githubs_and_the_servers_own_hosts(url, server):
    assert idtoken.warning(IdTokenRequest(url, Secret("t")), {"GITHUB_SERVER_URL": server}) is None


@pytest.mark.parametrize("host", ["evil.example", "notgithub.com", "github.com.evil.example"])
def test_another_host_is_warned_of(host):
    said = idtoken.warning(
        IdTokenRequest(f"https://{host}/x", Secret("t")), {"GITHUB_SERVER_URL": "https://github.com"}
    )

    assert said is not None
    assert said.startswith(f"The ID token is asked for at {host}, which is neither GitHub's")


def test_a_good_token_comes_with_what_it_says():
    seen = idtoken.inspect(token(), "sts.amazonaws.com", NOW)

    assert seen.token == token()
    assert seen.claims["sub"] == "repo:octo-org/app:x"


def test_a_token_may_be_for_several_audiences():
    assert idtoken.inspect(token(aud=["other", "sts.amazonaws.com"]), "sts.amazonaws.com", NOW)


@pytest.mark.parametrize("aud", ["https://github.com/octo-org", ["a", "b"], [], None])
def test_a_token_for_another_audience_is_not_used(aud):
    with pytest.raises(Failure) as caught:
        idtoken.inspect(token(aud=aud), "sts.amazonaws.com", NOW)

    assert repr(aud) in caught.value.why


@pytest.mark.parametrize("seconds", [0, -1, -86_400])
def test_a_token_that_has_expired_is_not_used(seconds):
    with pytest.raises(Failure) as caught:
        idtoken.inspect(token(exp=int(NOW.timestamp()) + seconds), "sts.amazonaws.com", NOW)

    assert "this machine's clock says 2026-11-23 12:00:00 UTC" in caught.value.why


@pytest.mark.parametrize("exp", [None, "soon", float("nan"), float("inf"), 10**400], ids=lambda exp: str(exp)[:9])
def test_a_token_that_does_not_say_when_it_expires_is_not_used(exp):
    with pytest.raises(Failure, match="has no valid expiry"):
        idtoken.inspect(token(exp=exp), "sts.amazonaws.com", NOW)


@pytest.mark.parametrize("exp", [-1e11, 0, True])
def test_a_time_long_ago_is_a_time(exp):
    with pytest.raises(Failure, match="because it has expired"):
        idtoken.inspect(token(exp=exp), "sts.amazonaws.com", NOW)


def test_a_token_tells_how_long_it_is_good():
    assert idtoken.inspect(token(), "sts.amazonaws.com", NOW).seconds_left(NOW) == 300


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, Retryability.PERMANENT),
        (400, Retryability.RETRY_ONCE),
        (401, Retryability.RETRY_ONCE),
        (403, Retryability.RETRY_ONCE),
        (404, Retryability.RETRY_ONCE),
        (414, Retryability.PERMANENT),
        (429, Retryability.TRANSIENT),
        (500, Retryability.TRANSIENT),
        (502, Retryability.TRANSIENT),
        (503, Retryability.TRANSIENT),
        (504, Retryability.TRANSIENT),
    ],
)
def test_a_status_tells_whether_another_try_is_worth_it(status, kind):
    assert failure(status=status).retryability is kind


def test_the_wait_that_the_runner_asks_for_is_honored():
    assert failure(status=503, headers={"Retry-After": "7"}).retry_after == 7
    assert failure(status=503, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}).retry_after == 0


@pytest.mark.parametrize(
    "url", ["https://a..b/x?api-version=2.0", f"https://{'a' * 300}.example/x", "https://h:99999/x"]
)
def test_a_url_that_cannot_be_called_is_told(url):
    with pytest.raises(Failure, match="could not be reached") as caught:
        idtoken.fetch(IdTokenRequest(url, Secret("t")), "a", DIRECT)

    assert caught.value.retryability is Retryability.PERMANENT


def test_a_request_token_that_no_header_can_hold_is_told():
    with pytest.raises(Failure, match="could not be reached"):
        idtoken.fetch(IdTokenRequest("https://127.0.0.1:9/x", Secret("é€")), "a", DIRECT)


def test_timeouts_and_certificates_are_those_of_the_network(tmp_path, monkeypatch):
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine pipelines.actions.githubusercontent.com login evil password evil\n")
    network = Network(proxy="http://p:1", certificates=str(tmp_path / "netrc"))
    sent = {"timeout": (5, 10), "verify": network.certificates}
    proxies = {"http": "http://p:1", "https": "http://p:1"}
    with responses.RequestsMock() as runner:
        runner.get(
            f"{URL}&audience=a",
            json={"value": "a.b.c"},
            match=[
                matchers.request_kwargs_matcher(sent | {"proxies": proxies, "stream": True, "cert": None}),
                matchers.header_matcher({"Authorization": "Bearer request-token"}),
            ],
        )

        idtoken.fetch(REQUEST, "a", network)


@pytest.mark.parametrize("text", ["\ud800", "a.b.\udcff", "x", "a.b.c", "e30.", "é.é.é", "..", "W10.W10.x"])
def test_what_is_no_token_is_not_used(text):
    with pytest.raises(Failure, match="cannot be read"):
        idtoken.inspect(Secret(text), "sts.amazonaws.com", NOW)
