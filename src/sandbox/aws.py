"""AWS: IAM, STS and S3 by moto, behind a front that checks what AWS checks and moto does not.

The front verifies ID tokens, trust policies and SigV4 signatures, and issues the credentials. What it does not
know is who may do what: identity policies, bucket policies and session policies are never evaluated.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import io
import re
import secrets
import string
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn
from xml.sax.saxutils import escape

import jwt
import requests
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from py_aws_oidc.explain import trust
from sandbox.secrets import made

if TYPE_CHECKING:
    from collections.abc import Mapping
    from wsgiref.types import WSGIApplication

    from jwt.types import Options
    from moto.iam.models import Role

    from sandbox.faults import Fault, Faults

_ROLE_ARN = re.compile(r"arn:(?P<partition>aws[\w-]*):iam::(?P<account>\d{12}):role/[\w+=,.@/-]+")

_SIGNING_ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]
_SIGNATURE_ONLY: Options = {"verify_aud": False, "verify_exp": False, "verify_iat": False, "verify_nbf": False}
_CHAINED_SECONDS = 3600  # "Methods to assume a role": a chained session lasts one hour at most
_FETCH_SECONDS = 5  # what STS grants an identity provider, says AWS' page on InvalidIdentityToken errors


class AwsError(Exception):
    """A refusal in AWS' words."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, kw_only=True)
class AccessKey:
    """An access key and who it stands for. `token`, `expires` and `role_arn` belong to temporary ones."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    account: str
    arn: str
    user_id: str
    token: str | None = field(default=None, repr=False)
    expires: datetime | None = None
    role_arn: str | None = None

    def __post_init__(self) -> None:
        made("an access key id", self.access_key_id)
        made("a secret access key", self.secret_access_key)
        made("a session token", self.token or "")


@dataclass(frozen=True)
class _Authorization:
    """The Authorization header of Signature Version 4 ("Authenticating Requests", IAM User Guide)."""

    access_key_id: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str

    @classmethod
    def of(cls, request: Request) -> _Authorization | None:
        header = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request,"
            r" ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})",
            request.headers.get("Authorization", ""),
        )
        if header is None:
            return None
        access_key_id, region, service, signed_headers, signature = header.groups()
        return cls(access_key_id, region, service, tuple(signed_headers.split(";")), signature)


class Aws:
    """The accounts, their access keys, and the one endpoint that serves them all.

    `issuers` says where on loopback an issuer's documents are, in place of DNS.
    """

    def __init__(self, *, issuers: Mapping[str, str], clock: Callable[[], datetime], faults: Faults) -> None:
        self._issuers = issuers
        self._clock = clock
        self._faults = faults
        self._keys: dict[str, AccessKey] = {}
        self._admins: dict[tuple[str, str], AccessKey] = {}
        Client(_moto()).post("/moto-api/reset")  # moto's state is the process's, not ours

    def admin(self, account: str, partition: str = "aws") -> AccessKey:
        """The permanent key of the account's administrator; an account exists once this was asked for."""
        if (account, partition) not in self._admins:
            key = AccessKey(
                access_key_id=_random_id("AKIA"),
                secret_access_key=secrets.token_urlsafe(30),
                account=account,
                arn=f"arn:{partition}:iam::{account}:user/admin",
                user_id=_random_id("AIDA"),
            )
            self._keys[key.access_key_id] = self._admins[account, partition] = key
        return self._admins[account, partition]

    @property
    def app(self) -> WSGIApplication:
        """The endpoint of all services; S3 by path."""
        return self._faults.front(self._answer, operation=_operation, refuse=_refuse)

    def _answer(self, request: Request) -> Response:
        try:
            return self._serve(request)
        except AwsError as error:
            return _error_response(request, error)
        except (trust.InvalidPolicyError, trust.UnsupportedPolicyError) as error:
            # 501, because an SDK would try again after a 500 and hide the reason for a while.
            return _error_response(request, AwsError("NotImplemented", f"sandbox: {error}", 501))

    def _serve(self, request: Request) -> Response:
        operation = _operation(request)
        if operation == "AssumeRoleWithWebIdentity":
            return _sts_response(operation, self._assume_role_with_web_identity(request.values.to_dict()))
        key = self._authenticate(request)
        if operation == "AssumeRole":
            return _sts_response(operation, self._assume_role(request.values.to_dict(), key))
        if operation == "GetCallerIdentity":
            return _sts_response(operation, {"Arn": key.arn, "UserId": key.user_id, "Account": key.account})
        return _pass_on(request, key.account)

    # --- who signs

    def _authenticate(self, request: Request) -> AccessKey:
        """The key that signed the request.

        The codes are those of the pages "Common errors" (STS, IAM) and "Error responses" (S3).
        """
        s3 = _service(request) == "s3"
        if "Authorization" not in request.headers:
            if s3:
                raise AwsError("AccessDenied", "Access Denied", 403)
            raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
        authorization = _Authorization.of(request)
        if authorization is None:
            raise AwsError("IncompleteSignature", "Authorization header is not in Signature Version 4 form")
        key = self._keys.get(authorization.access_key_id) or _iam_key(authorization.access_key_id)
        if key is None and s3:
            message = "The AWS Access Key Id you provided does not exist in our records."
            raise AwsError("InvalidAccessKeyId", message, 403)
        if key is None or request.headers.get("X-Amz-Security-Token") != key.token:
            if s3:
                raise AwsError("InvalidToken", "The provided token is malformed or otherwise invalid.")
            message = "The security token included in the request is invalid."
            raise AwsError("InvalidClientTokenId", message, 403)
        if not hmac.compare_digest(_signature(request, authorization, key), authorization.signature):
            message = (
                "The request signature we calculated does not match the signature you provided."
                " Check your AWS Secret Access Key and signing method. Consult the service documentation for"
                " details."
            )
            raise AwsError("SignatureDoesNotMatch", message, 403)
        if key.expires is not None and self._clock() >= key.expires:
            if s3:
                raise AwsError("ExpiredToken", "The provided token has expired.")
            raise AwsError("ExpiredToken", "The security token included in the request is expired", 403)
        return key

    # --- who may be whom

    def _assume_role_with_web_identity(self, call: Mapping[str, str]) -> dict[str, Any]:
        """STS API Reference, "AssumeRoleWithWebIdentity".

        AWS does not say in which order it checks. Here: the request by itself, the token by itself, the
        provider, the token against the provider, the role; what only the role's owner should learn comes last.
        """
        seconds = _checked(call, "WebIdentityToken")
        claims = _claims(call["WebIdentityToken"])
        iss = claims["iss"]
        account, partition = _account(call["RoleArn"])
        denied = AwsError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403)
        if (account, partition) not in self._admins:
            raise denied
        provider_arn = trust.provider_arn(iss, account, partition)
        provider = iam_backends[account][partition].open_id_providers.get(provider_arn)
        if provider is None:
            _invalid(f"No OpenIDConnect provider found in your account for {iss}")
        audience = next((aud for aud in _audiences(claims) if aud in provider.client_id_list), None)
        if audience is None:
            _invalid("Incorrect token audience")
        now = int(self._clock().timestamp())
        if now >= claims["exp"]:
            message = (
                f"Token expired: current date/time {now} must be before the expiration date/time {claims['exp']}"
            )
            raise AwsError("ExpiredTokenException", message)
        _verify(call["WebIdentityToken"], self._published_keys(iss))
        role = self._role(call["RoleArn"])
        context = trust.context_of(
            claims, trust.provider_of(iss), session_name=call["RoleSessionName"], audience=audience
        )
        if role is None or not _trusts(role, provider_arn, "sts:AssumeRoleWithWebIdentity", context):
            raise denied
        return self._session(role, call["RoleSessionName"], seconds) | {
            "Provider": provider_arn,
            "Audience": audience,
            "SubjectFromWebIdentityToken": claims["sub"],
        }

    def _assume_role(self, call: Mapping[str, str], caller: AccessKey) -> dict[str, Any]:
        """STS API Reference, "AssumeRole"; for tags and source identity the trust policy is asked as well."""
        seconds = _checked(call)
        role = self._role(call["RoleArn"])
        tags = _tags(call)
        context: dict[str, str | list[str]] = {
            "aws:PrincipalArn": caller.role_arn or caller.arn,
            "aws:PrincipalAccount": caller.account,
            "sts:RoleSessionName": call["RoleSessionName"],
            **{f"aws:RequestTag/{name}": value for name, value in tags.items()},
            "aws:TagKeys": list(tags),
            "sts:TransitiveTagKeys": _members(call, "TransitiveTagKeys.member."),
        }
        if "ExternalId" in call:
            context["sts:ExternalId"] = call["ExternalId"]
        if "SourceIdentity" in call:
            context["sts:SourceIdentity"] = call["SourceIdentity"]
        actions = {
            "sts:AssumeRole": True,
            "sts:TagSession": bool(tags),
            "sts:SetSourceIdentity": "SourceIdentity" in call,
        }
        names = (caller.arn,) if caller.role_arn is None else (caller.arn, caller.role_arn)
        asked = [action for action, is_asked in actions.items() if is_asked]
        refused = asked if role is None else [a for a in asked if not _trusts(role, names, a, context)]
        if role is None or refused:
            what = f"perform: {refused[0]} on resource: {call['RoleArn']}"
            raise AwsError("AccessDenied", f"User: {caller.arn} is not authorized to {what}", 403)
        if caller.role_arn is not None and seconds > _CHAINED_SECONDS:
            message = (
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
            )
            raise AwsError("ValidationError", message)
        return self._session(role, call["RoleSessionName"], seconds)

    def _role(self, role_arn: str) -> Role | None:
        account, partition = _account(role_arn)
        if (account, partition) not in self._admins:
            return None
        roles = iam_backends[account][partition].get_roles()
        return next((role for role in roles if role.arn == role_arn), None)

    def _published_keys(self, iss: str) -> dict[str, jwt.PyJWK]:
        """The issuer's keys by kid, fetched as STS does: discovery document first, then the key set.

        "Create an OpenID Connect (OIDC) identity provider in IAM". Whatever goes wrong here, AWS has one message.
        """
        try:
            with requests.Session() as session:
                session.trust_env = False  # a proxy of the environment has no business on loopback
                document = self._fetch(session, iss, f"{iss}/.well-known/openid-configuration")
                keys = self._fetch(session, iss, document["jwks_uri"])
            return {key.key_id: key for key in jwt.PyJWKSet.from_dict(keys).keys if key.key_id is not None}
        except (requests.RequestException, KeyError, jwt.PyJWTError):
            return {}

    def _fetch(self, session: requests.Session, iss: str, url: str) -> dict[str, Any]:
        answer = session.get(url.replace(iss, self._issuers[iss], 1), timeout=_FETCH_SECONDS)
        answer.raise_for_status()
        document: dict[str, Any] = answer.json()
        return document

    def _session(self, role: Role, name: str, seconds: int) -> dict[str, Any]:
        if seconds > int(role.max_session_duration or _CHAINED_SECONDS):
            message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            raise AwsError("ValidationError", message)
        key = AccessKey(
            access_key_id=_random_id("ASIA"),
            secret_access_key=secrets.token_urlsafe(30),
            account=role.account_id,
            arn=f"arn:{role.partition}:sts::{role.account_id}:assumed-role/{role.name}/{name}",
            user_id=f"{role.id}:{name}",
            token=secrets.token_urlsafe(256),
            expires=self._clock() + timedelta(seconds=seconds),
            role_arn=role.arn,
        )
        self._keys[key.access_key_id] = key
        return {
            "Credentials": {
                "AccessKeyId": key.access_key_id,
                "SecretAccessKey": key.secret_access_key,
                "SessionToken": key.token,
                "Expiration": f"{key.expires.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if key.expires else "",
            },
            "AssumedRoleUser": {"AssumedRoleId": key.user_id, "Arn": key.arn},
        }


# --- the request by itself


_Constraint = tuple[str, Callable[[str], bool]]


def _pattern(pattern: str) -> list[_Constraint]:
    fits = re.compile(pattern, re.ASCII).fullmatch
    return [(f"satisfy regular expression pattern: {pattern}", lambda value: fits(value) is not None)]


def _length(least: int, most: int) -> list[_Constraint]:
    return [
        (f"have length greater than or equal to {least}", lambda value: len(value) >= least),
        (f"have length less than or equal to {most}", lambda value: len(value) <= most),
    ]


def _range(least: int, most: int) -> list[_Constraint]:
    return [
        (f"have value greater than or equal to {least}", lambda value: int(value) >= least),
        (f"have value less than or equal to {most}", lambda value: int(value) <= most),
    ]


_CONSTRAINTS = {
    "RoleArn": _length(20, 2048),
    "RoleSessionName": _pattern(r"[\w+=,.@-]*") + _length(2, 64),
    "DurationSeconds": _range(900, 43200),
    "ExternalId": _pattern(r"[\w+=,.@:\/-]*") + _length(2, 1224),
    "SourceIdentity": _pattern(r"[\w+=,.@-]*") + _length(2, 64),
}
"""What the STS API Reference asks of a parameter: the constraint in AWS' words, and the test."""


def _checked(call: Mapping[str, str], *required: str) -> int:
    """The requested duration in seconds, once every parameter is as the service model demands.

    All violations are told in one message, as AWS does.
    """
    missing = [
        f"Value null at '{_member(name)}' failed to satisfy constraint: Member must not be null"
        for name in ("RoleArn", "RoleSessionName", *required)
        if name not in call
    ]
    unfit = [
        f"Value '{call[name]}' at '{_member(name)}' failed to satisfy constraint: Member must {constraint}"
        for name, constraints in _CONSTRAINTS.items()
        for constraint, holds in constraints
        if name in call and not holds(call[name])
    ]
    violations = missing + unfit
    if violations:
        errors = "error" if len(violations) == 1 else "errors"
        message = f"{len(violations)} validation {errors} detected: {'; '.join(violations)}"
        raise AwsError("ValidationError", message)
    return int(call.get("DurationSeconds", "3600"))


def _member(parameter: str) -> str:
    return parameter[0].lower() + parameter[1:]


def _account(role_arn: str) -> tuple[str, str]:
    """The role's account and partition."""
    arn = _ROLE_ARN.fullmatch(role_arn)
    if arn is None:
        raise AwsError("ValidationError", "Request ARN is invalid")
    return arn["account"], arn["partition"]


def _members(call: Mapping[str, str], prefix: str, suffix: str = "") -> list[str]:
    """A list as the query protocol spells it: `Tags.member.1.Key`, `Tags.member.2.Key`, ..."""
    pattern = re.compile(re.escape(prefix) + r"(\d+)" + re.escape(suffix))
    numbered = {int(name[1]): value for key, value in call.items() if (name := pattern.fullmatch(key))}
    return [numbered[number] for number in sorted(numbered)]


def _tags(call: Mapping[str, str]) -> dict[str, str]:
    keys, values = (_members(call, "Tags.member.", f".{part}") for part in ("Key", "Value"))
    return dict(zip(keys, values, strict=True))


# --- the token


def _claims(token: str) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        _invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
    for name in ("iss", "sub", "aud", "exp", "iat"):
        if name not in claims:
            _invalid(f"Missing a required claim: {name}")
    return claims


def _audiences(claims: Mapping[str, Any]) -> list[str]:
    return claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]


def _verify(token: str, keys: Mapping[str, jwt.PyJWK]) -> None:
    key = keys.get(jwt.get_unverified_header(token).get("kid", ""))
    if key is None:
        _invalid(
            "Couldn't retrieve verification key from your identity provider,  please reference"
            " AssumeRoleWithWebIdentity documentation for requirements"
        )
    try:
        jwt.decode(token, key, algorithms=_SIGNING_ALGORITHMS, options=_SIGNATURE_ONLY)
    except jwt.InvalidTokenError:
        # The one wording here that no published message of AWS was found for.
        _invalid("Token signature invalid")


def _invalid(message: str) -> NoReturn:
    raise AwsError("InvalidIdentityToken", message)


# --- the role


def _trusts(
    role: Role, principal: str | tuple[str, ...], action: str, context: Mapping[str, str | list[str]]
) -> bool:
    policy = trust.read(role.assume_role_policy_document)
    return trust.evaluate(policy, principal=principal, action=action, context=context).allowed


# --- the signature


def _iam_key(access_key_id: str) -> AccessKey | None:
    """A key that IAM's CreateAccessKey made and that is active."""
    for account, partitions in list(iam_backends.items()):
        for iam in list(partitions.values()):
            user = iam.get_user_from_access_key_id(access_key_id)
            if user is not None and iam.access_keys[access_key_id].status == "Active":
                return AccessKey(
                    access_key_id=access_key_id,
                    secret_access_key=iam.access_keys[access_key_id].secret_access_key,
                    account=account,
                    arn=user.arn,
                    user_id=user.id,
                )
    return None


def _signature(request: Request, authorization: _Authorization, key: AccessKey) -> str:
    """The signature the request should carry, made again over what arrived.

    The body of a request that says its own hash is checked against it; of a chunked upload only the headers
    are signed here, its chunks are not looked at.
    """
    body = request.get_data()
    said = request.headers.get("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD")
    if re.fullmatch(r"[0-9a-f]{64}", said) and said != hashlib.sha256(body).hexdigest():
        message = "The provided 'x-amz-content-sha256' header does not match what was computed."
        raise AwsError("XAmzContentSHA256Mismatch", message)
    received = AWSRequest(
        method=request.method,
        url=request.host_url.rstrip("/") + request.environ["REQUEST_URI"],
        data=body,
        headers={name: request.headers.get(name, "") for name in authorization.signed_headers},
    )
    received.context["timestamp"] = request.headers.get("X-Amz-Date", "")
    scheme = S3SigV4Auth if authorization.service == "s3" else SigV4Auth
    signer = scheme(
        Credentials(key.access_key_id, key.secret_access_key), authorization.service, authorization.region
    )
    return str(signer.signature(signer.string_to_sign(received, signer.canonical_request(received)), received))


# --- the wire


@functools.cache
def _moto() -> DomainDispatcherApplication:
    return DomainDispatcherApplication(create_backend_app)


def _pass_on(request: Request, account: str) -> Response:
    body = request.get_data()
    environ = request.environ | {
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_X_MOTO_ACCOUNT_ID": account,
        "wsgi.input": io.BytesIO(body),
    }
    return Response.from_app(_moto(), environ, buffered=True)


_S3_OPERATIONS = {
    ("GET", 0): "ListBuckets",
    ("GET", 1): "ListObjectsV2",
    ("GET", 2): "GetObject",
    ("HEAD", 1): "HeadBucket",
    ("HEAD", 2): "HeadObject",
    ("PUT", 1): "CreateBucket",
    ("PUT", 2): "PutObject",
    ("DELETE", 1): "DeleteBucket",
    ("DELETE", 2): "DeleteObject",
}
"""S3's operations by method and depth of the path: no name, a bucket, a key. Subresources are not told apart."""


def _service(request: Request) -> str:
    authorization = _Authorization.of(request)
    if authorization is not None:
        return authorization.service
    return "sts" if "Action" in request.values else "s3"


def _operation(request: Request) -> str:
    if _service(request) == "s3":
        depth = len(request.path.strip("/").split("/", 1)) if request.path.strip("/") else 0
        return _S3_OPERATIONS.get((request.method, depth), request.method)
    return request.values.get("Action", request.method)


_NAMESPACES = {
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
}


def _sts_response(operation: str, result: Mapping[str, Any]) -> Response:
    request_id = str(uuid.uuid4())
    content = {f"{operation}Result": result, "ResponseMetadata": {"RequestId": request_id}}
    return _xml_response(f"{operation}Response", content, request_id, namespace=_NAMESPACES["sts"])


def _refuse(request: Request, fault: Fault) -> Response:
    error = AwsError(fault.code or "InternalFailure", fault.message, fault.status or 400)
    return _error_response(request, error)


def _error_response(request: Request, error: AwsError) -> Response:
    """The error in the service's own envelope: S3's, or that of the query protocol."""
    request_id = str(uuid.uuid4())
    what = {"Code": error.code, "Message": error.message}
    service = _service(request)
    if service == "s3":
        content: dict[str, Any] = what | {"RequestId": request_id}
        return _xml_response("Error", content, request_id, status=error.status)
    fault = {"Type": "Sender" if error.status < HTTPStatus.INTERNAL_SERVER_ERROR else "Receiver"}
    content = {"Error": fault | what, "RequestId": request_id}
    namespace = _NAMESPACES.get(service, "")
    return _xml_response("ErrorResponse", content, request_id, namespace=namespace, status=error.status)


def _xml_response(
    root: str, content: Mapping[str, Any], request_id: str, *, namespace: str = "", status: int = 200
) -> Response:
    attributes = f' xmlns="{namespace}"' if namespace else ""
    return Response(
        f"<{root}{attributes}>{_xml(content)}</{root}>",
        status=status,
        content_type="text/xml",
        headers={"x-amzn-RequestId": request_id, "x-amz-request-id": request_id},
    )


def _xml(content: object) -> str:
    if isinstance(content, dict):
        return "".join(f"<{name}>{_xml(value)}</{name}>" for name, value in content.items())
    return escape(str(content))


def _random_id(prefix: str) -> str:
    return prefix + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))
