"""GitHub's token service: it signs a job's claims, and publishes the keys to check the signature with."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from werkzeug.exceptions import BadRequest, NotFound, Unauthorized
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from sandbox.faults import FAULT, Fault, Faults
from sandbox.secrets import made

if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import WSGIApplication

    from sandbox.job import Job

T = TypeVar("T")

GITHUB = "https://token.actions.githubusercontent.com"
"""The issuer of github.com; an enterprise may add its slug, and a GitHub Enterprise Server has its own."""

_SERVICE = Map(
    [
        Rule("/.well-known/openid-configuration", endpoint="openid-configuration", methods=["GET"]),
        Rule("/.well-known/jwks", endpoint="jwks", methods=["GET"]),
        Rule("/jobs/<job_id>/idtoken", endpoint="idtoken", methods=["GET"]),
    ]
)


@dataclass(frozen=True)
class IdTokenRequest:
    """What the runner gives a job with `id-token: write`: ACTIONS_ID_TOKEN_REQUEST_URL and _TOKEN."""

    url: str
    token: str = field(repr=False)


def new_key() -> rsa.RSAPrivateKey:
    """A key that is not published yet."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def once(make: Callable[[], T]) -> Callable[[], T]:
    """Make something at the first call only, also when threads call at once: `functools.cache` alone does not wait."""
    lock, made = Lock(), functools.cache(make)

    def first() -> T:
        with lock:
            return made()

    return first


signing_key = once(new_key)
"""The issuer's key: the same for the whole process, because making one takes as long as a test."""


class Issuer:
    """One issuer: its jobs in progress, and the service at `url` once a world has put it on the network."""

    def __init__(
        self,
        iss: str = GITHUB,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        faults: Faults | None = None,
    ) -> None:
        self.iss = iss
        self.url = ""
        self.faults = faults or Faults()
        self._clock = clock
        self._jobs: dict[str, tuple[Job, str]] = {}

    def start(self, job: Job) -> IdTokenRequest:
        """Begin a job that may ask for ID tokens, with a request token of its own."""
        job_id = str(uuid.uuid4())
        token = made("a request token", secrets.token_urlsafe(32))
        self._jobs[job_id] = (job, token)
        return IdTokenRequest(f"{self.url}/jobs/{job_id}/idtoken?api-version=2.0", token)

    def mint(
        self,
        job: Job,
        audience: str,
        *,
        key: rsa.RSAPrivateKey | None = None,
        kid: str | None = None,
        issued_at: datetime | None = None,
        **claims: object,
    ) -> str:
        """An ID token of `job`, as GitHub signs it unless told otherwise.

        It is valid from ten minutes before `issued_at` until five minutes after it, as in the samples of
        GitHub's page "OpenID Connect reference". `claims` go over the job's own; None leaves one out. With a
        foreign `key` the header still names the issuer's `kid`, as a forger's would.
        """
        iat = int((issued_at or self._clock()).timestamp())
        standard = {"iss": self.iss, "aud": audience, "jti": str(uuid.uuid4())}
        times = {"iat": iat, "nbf": iat - 600, "exp": iat + 300}
        payload: dict[str, Any] = {**job.claims(), **standard, **times, **claims}
        public = _public_jwk()
        token = jwt.encode(
            {name: value for name, value in payload.items() if value is not None},
            key or signing_key(),
            algorithm="RS256",
            headers={"kid": kid or public["kid"], "x5t": public["x5t"]},
        )
        return made("an ID token", token)

    @property
    def app(self) -> WSGIApplication:
        """The service: discovery document, keys, and the runner's token endpoint."""
        return self.faults.front(self._answer, operation=_operation, refuse=_refuse)

    def _answer(self, request: Request) -> Response:
        endpoint, arguments = _SERVICE.bind_to_environ(request.environ).match()
        if endpoint == "openid-configuration":
            return _json(_discovery_document(self.iss))
        if endpoint == "jwks":
            return _json({"keys": [_public_jwk()]})
        return self._id_token(request, arguments["job_id"])

    def _id_token(self, request: Request, job_id: str) -> Response:
        if job_id not in self._jobs:
            raise NotFound("no such job")
        job, token = self._jobs[job_id]
        # The scheme is case-insensitive (RFC 9110, section 11.1), and cosign writes it in lower case.
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or given != token:
            raise Unauthorized("the request token is missing or not this job's")
        if "api-version" not in request.args:
            raise BadRequest("No api-version was supplied for the request.")
        fault = request.environ.get(FAULT, Fault())
        audience = request.args.get("audience") or f"{job.server_url}/{job.owner}"
        value = self.mint(job, audience, key=fault.key, **fault.claims)
        return _json({"count": len(value), "value": value})


def _operation(request: Request) -> str:
    return request.path.rpartition("/")[2]


def _refuse(_request: Request, fault: Fault) -> Response:
    error = {"message": fault.message} | ({} if fault.code is None else {"typeKey": fault.code})
    return _json(error, status=fault.status or 400)


def _json(value: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(value), status=status, content_type="application/json; charset=utf-8")


def _discovery_document(iss: str) -> dict[str, Any]:
    """OpenID Connect Discovery 1.0, section 3, as far as GitHub fills it in."""
    return {
        "issuer": iss,
        "jwks_uri": f"{iss}/.well-known/jwks",
        "subject_types_supported": ["public", "pairwise"],
        "response_types_supported": ["id_token"],
        "claims_supported": ["sub", "aud", "exp", "iat", "iss", "jti", "nbf"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid"],
    }


@once
def certificate() -> bytes:
    """The certificate of the issuer's key (DER), as self-signed as GitHub's; Ceph verifies tokens by it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "token issuer")])
    made_at = datetime.now(UTC)
    return (
        x509.CertificateBuilder(name, name, signing_key().public_key(), x509.random_serial_number())
        .not_valid_before(made_at - timedelta(days=1))
        .not_valid_after(made_at + timedelta(days=365))
        .sign(signing_key(), hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


@functools.cache
def _public_jwk() -> dict[str, Any]:
    x5c = base64.b64encode(certificate()).decode()
    digest = hashlib.sha1(certificate()).digest()  # noqa: S324 -- x5t is SHA-1 by definition: RFC 7517, section 4.8
    x5t = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(signing_key().public_key(), as_dict=True)
    return {**jwk, "alg": "RS256", "use": "sig", "kid": x5t, "x5t": x5t, "x5c": [x5c]}
