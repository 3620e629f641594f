"""The ID token: the runner's word on which job this is, signed by GitHub.

The request is that of GitHub's "OpenID Connect reference", as actions/toolkit makes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from py_aws_oidc import __version__
from py_aws_oidc.calls import Answer
from py_aws_oidc.failure import Failure, Retryability
from py_aws_oidc.github.context import Context
from py_aws_oidc.interrupts import time_limit
from py_aws_oidc.network import (
    CONNECT_TIMEOUT_SECONDS,
    READ_TIMEOUT_SECONDS,
    WHOLE_CALL_SECONDS,
    Network,
    host_of,
    is_loopback,
    is_permanent,
    is_private,
    is_too_large,
    refused_by_proxy,
)
from py_aws_oidc.secret import Secret

_URL = "ACTIONS_ID_TOKEN_REQUEST_URL"
_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - the name of a variable
_HOSTS = ("githubusercontent.com", "github.com", "ghe.com")
_LATEST = 1e12  # seconds; no clock goes that far, and NaN is not below it
_PERMISSION = ("permissions:", "  id-token: write", "  contents: read")


def offered(environ: Mapping[str, str]) -> bool:
    """True if the job can ask for ID tokens."""
    return bool(environ.get(_URL, "").strip() and environ.get(_TOKEN, "").strip())


@dataclass(frozen=True)
class IdTokenRequest:
    """Where the runner gives ID tokens, and the bearer token that it wants to see."""

    url: str
    token: Secret

    @classmethod
    def read(cls, environ: Mapping[str, str], context: Context) -> IdTokenRequest:
        """Read the runner's two variables; Failure says why they are not there, or cannot be used."""
        if not offered(environ):
            raise no_permission(context)
        url, token = environ[_URL].strip(), environ[_TOKEN].strip()
        if not is_private(url):
            raise Failure(
                "The ID token was not requested, because the URL for the request is not safe.",
                name="token-request-url",
                why=f"{_URL} is neither an https URL nor a URL of this machine, and the request has a bearer token.",
                fix=f"find out what in the job sets {_URL}; GitHub's runner always gives an https URL.",
            )
        return cls(url, Secret(token))


def warning(request: IdTokenRequest, environ: Mapping[str, str]) -> str | None:
    """What must be said before the bearer token goes to a host that is neither GitHub's nor the server's own."""
    host, server = host_of(request.url), host_of(environ.get("GITHUB_SERVER_URL", ""))
    known = (*_HOSTS, *([server] if server else []))
    if is_loopback(request.url) or any(host == name or host.endswith(f".{name}") for name in known):
        return None
    return (
        f"The ID token is asked for at {host}, which is neither GitHub's nor this server's own host. If your runner is "
        f"not GitHub's that may be right; if not, find out what in the job sets {_URL}."
    )


@dataclass(frozen=True)
class IdToken:
    """An ID token and what it says; the claims are not verified here but by STS."""

    token: Secret
    claims: Mapping[str, Any]

    def seconds_left(self, now: datetime) -> float:
        """How long it is still good; without end if it does not say."""
        return float(self.claims.get("exp", math.inf)) - now.timestamp()


def fetch(
    request: IdTokenRequest, audience: str, network: Network, meanwhile: Callable[[], None] = lambda: None
) -> Secret:
    """Ask the runner for an ID token for this audience; Failure if it gives none.

    `meanwhile` begins what can go on while the runner answers.
    """
    import requests
    from urllib3.exceptions import HTTPError

    from py_aws_oidc import answers

    too_slow = _unreachable(request.url, TimeoutError(), network)
    meanwhile()
    try:
        with (
            network.calls.call("The request for an ID token", network.route(request.url)) as seen,
            time_limit(WHOLE_CALL_SECONDS, too_slow),
            answers.limited(),
            requests.Session() as session,
        ):
            session.trust_env = False  # else a netrc file would replace the bearer token
            answer = session.get(
                request.url,
                # As a text it is merged into the URL's own query as it is.
                params=f"audience={quote(audience, safe='')}",
                headers={
                    "Authorization": f"Bearer {request.token.reveal()}",
                    "Accept": "application/json",
                    "Accept-Encoding": "identity",
                    "User-Agent": f"py-aws-oidc/{__version__}",
                },
                timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
                # A redirect would carry the bearer token to where the runner did not send us.
                allow_redirects=False,
                proxies=network.proxies_for(request.url),
                verify=network.verify,
                # requests would unpack the body, and a compressed one can be a thousand times larger than it seems.
                stream=True,
            )
            seen.append(Answer.read(answer.status_code, answer.headers, "X-GitHub-Request-Id"))
            body = b"".join(answer.raw.stream(decode_content=False))
    except (requests.RequestException, HTTPError, ValueError) as error:
        # A ValueError is a URL, a header or a host name that cannot be sent at all.
        raise _unreachable(request.url, error, network) from None
    return _value(seen[-1], body, answer.headers.get("Content-Encoding", "identity"))


def inspect(token: Secret, audience: str, now: datetime) -> IdToken:
    """Look at the token before it is used, for its audience and its time; Failure if either is wrong.

    The signature is not verified: the token came straight from the runner, and STS verifies it.
    """
    import jwt

    try:
        claims = jwt.decode(token.reveal(), options={"verify_signature": False})
    except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
        raise Failure(
            "The runner's answer has an ID token that cannot be read.",
            name="id-token-unreadable",
            why=f"it is not a JSON Web Token ({type(error).__name__}).",
            fix=_TRY_AGAIN,
        ) from None
    audiences = claims["aud"] if isinstance(claims.get("aud"), list) else [claims.get("aud")]
    if audience not in audiences:
        raise Failure(
            "The ID token was not used, because it has another audience than the request.",
            name="id-token-audience",
            why=f"the request has the audience {audience!r}, but the claim aud is {claims.get('aud')!r}.",
            fix="if the runner is not GitHub's own, check that it uses the parameter `audience`.",
        )
    expiry = claims.get("exp")
    if not isinstance(expiry, int | float) or not -_LATEST < expiry < _LATEST:
        raise Failure(
            "The ID token was not used, because it has no valid expiry.",
            name="id-token-expiry",
            why=f"its exp claim is missing or not a number ({expiry!r}).",
            fix=_TRY_AGAIN,
        )
    if expiry <= now.timestamp():
        raise Failure(
            "The ID token was not used, because it has expired.",
            name="id-token-expired",
            why=f"its exp is {_moment(expiry)}, and this machine's clock says {now:%Y-%m-%d %H:%M:%S} UTC.",
            fix="check the runner's clock (GitHub's tokens are good for five minutes); run the job again.",
        )
    return IdToken(token, claims)


def claims_of(token: Secret) -> Mapping[str, Any]:
    """Claims of a token from another source, for a message only; empty if it cannot be read."""
    import jwt

    try:
        claims: Mapping[str, Any] = jwt.decode(token.reveal(), options={"verify_signature": False})
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        return {}
    return claims


_TRY_AGAIN = "run the job again; if it keeps failing, look at https://www.githubstatus.com."


def _value(answer: Answer, body: bytes, encoding: str) -> Secret:
    if answer.status != 200:  # noqa: PLR2004 - OK, the only good answer
        why, retryability = _STATUS.get(answer.status, _OTHER_STATUS)
        raise Failure(
            f"The token service of the runner refused the request for an ID token with HTTP status {answer.status}.",
            name="token-service-refused",
            why=why,
            fix=_TRY_AGAIN,
            error=f"HTTP {answer.status}",
            retryability=retryability,
            retry_after=answer.retry_after,
        )
    if encoding != "identity":
        raise _not_a_token("it is compressed, although the request asked for plain text", Retryability.PERMANENT)
    import json

    try:
        value = json.loads(body)["value"]
    except (ValueError, TypeError, KeyError, RecursionError):
        value = None
    if not isinstance(value, str) or not value.strip():
        raise _not_a_token(
            f"{len(body)} bytes came, but no JSON object with a string `value`", Retryability.TRANSIENT
        )
    return Secret(value.strip())


def _not_a_token(why: str, retryability: Retryability) -> Failure:
    return Failure(
        "The answer to the request for an ID token has no token.",
        name="token-service-answer",
        why=f"{why}.",
        fix=f"check which server answers at this address, and whether a proxy is on the way; {_TRY_AGAIN}",
        error="the answer has no token",
        retryability=retryability,
    )


_MOVED = (
    "it redirected the request. Redirects are not followed, because the request has a bearer token.",
    Retryability.PERMANENT,
)
_BUSY = ("the token service has a problem at the moment.", Retryability.TRANSIENT)
_OTHER_STATUS = ("GitHub's token service does not give this answer.", Retryability.PERMANENT)
# A job that has just started can be refused once: the runner waits a second at most for it to be marked as running.
_STATUS = {
    301: _MOVED,
    302: _MOVED,
    307: _MOVED,
    308: _MOVED,
    400: ("it does not understand the request.", Retryability.RETRY_ONCE),
    401: (
        "it does not accept the job's request token, perhaps because the job has ended or been cancelled.",
        Retryability.RETRY_ONCE,
    ),
    403: ("it does not let this job have a token.", Retryability.RETRY_ONCE),
    404: (
        "it does not know this job, perhaps because the job has ended or been cancelled.",
        Retryability.RETRY_ONCE,
    ),
    429: ("it had too many requests.", Retryability.TRANSIENT),
    500: _BUSY,
    502: _BUSY,
    503: _BUSY,
    504: _BUSY,
}


def _moment(exp: float) -> str:
    try:
        return f"{datetime.fromtimestamp(exp, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, OSError, ValueError):
        return repr(exp)


def _unreachable(url: str, error: Exception, network: Network) -> Failure:
    host = host_of(url)
    if is_too_large(error):
        return _not_a_token(
            f"the answer of {host} has more than 1 MiB, and the rest was not read", Retryability.PERMANENT
        )
    if distrust := network.distrust(error, host):
        return Failure(
            "The ID token was not requested, because TLS certificate verification failed.",
            name="token-service-certificate",
            why=distrust.why,
            fix=distrust.fix,
        )
    # The exception's own text repeats the whole URL; its name and the host say enough.
    ended = f"{type(error).__name__}{refused_by_proxy(error)}"
    return Failure(
        "The token service of the runner could not be reached.",
        name="token-service-unreachable",
        why=f"the request to {host} ended with {ended}.",
        fix="check that the runner reaches this host, also through its proxy (http-proxy, HTTPS_PROXY, NO_PROXY), and "
        f"that AWS_CA_BUNDLE, if it is set, has the right certificates; {_TRY_AGAIN}",
        error=ended,
        retryability=Retryability.PERMANENT if is_permanent(error) else Retryability.TRANSIENT,
    )


def no_permission(context: Context) -> Failure:
    """What to say of a job that can get no ID token."""
    what = "This job cannot get an ID token, which is what AWS exchanges for credentials."
    if context.from_dependabot:
        return Failure(
            what,
            name="no-id-token-dependabot",
            why="Dependabot started this run, and GitHub gives such runs read-only permissions unless the "
            "workflow raises them.",
            fix=[
                "leave this step out for Dependabot (if: github.actor != 'dependabot[bot]'), or add this to the job:",
                *_PERMISSION,
                "Note that such a run sees Dependabot's secrets, not those of Actions.",
            ],
        )
    if context.from_fork:
        return Failure(
            what,
            name="no-id-token-fork",
            why="this run is for a pull request from a fork, and GitHub never gives such a run an ID token: "
            "else anyone could sign in to your AWS account with a pull request.",
            fix="leave this step out for forks (if: github.event.pull_request.head.repo.full_name == "
            "github.repository), and run what needs AWS after the merge.",
        )
    return Failure(
        what,
        name="no-id-token-permission",
        why=f"the permission `id-token: write` is missing, so the runner did not set {_URL}.",
        fix=[
            "add this to the job, or to the top of the workflow:",
            *_PERMISSION,
            "If the job is in a reusable workflow, the job that calls it needs the permission too.",
        ],
    )
