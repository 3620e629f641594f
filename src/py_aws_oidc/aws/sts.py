"""The Security Token Service: a web identity goes in, a session comes out (boto3).

Names and limits are those of the AWS STS API Reference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from py_aws_oidc import __version__
from py_aws_oidc.aws.arn import account_of
from py_aws_oidc.aws.credentials import Credentials
from py_aws_oidc.aws.errors import Refused, retryability_of
from py_aws_oidc.calls import Answer, plain_id
from py_aws_oidc.failure import Failure, Retryability
from py_aws_oidc.interrupts import leave_to_main_thread, time_limit
from py_aws_oidc.network import (
    CONNECT_TIMEOUT_SECONDS,
    READ_TIMEOUT_SECONDS,
    WHOLE_CALL_SECONDS,
    Network,
    is_permanent,
    is_too_large,
    refused_by_proxy,
)
from py_aws_oidc.secret import Secret

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

_AROUND = timedelta(minutes=5)  # of a call, where CloudTrail has it


@dataclass(frozen=True)
class Session:
    """Credentials with who they make us, as STS says it.

    `arn` and `account` are empty where it does not: services that are not AWS may leave out either. `is_new` when this
    run hands the credentials to the job, `is_reused` when it was asked to keep those that are there.
    """

    credentials: Credentials
    arn: str = ""
    account: str = ""
    is_new: bool = True
    is_reused: bool = False


@dataclass(frozen=True)
class Endpoint:
    """Which STS to call, and how: `url` replaces the region's own endpoint, and may be a service that is not AWS."""

    region: str
    url: str | None
    network: Network
    use_fips: bool = False
    use_dualstack: bool = False
    is_aws: bool = True

    @property
    def name(self) -> str:
        """Who answers there, as the subject of a sentence."""
        return service_name(None if self.is_aws else self.url)

    @property
    def chosen_by(self) -> str:
        """What the choice of the endpoint depends on, for a debug line."""
        if self.url:
            return "the input sts-endpoint"
        fips, dualstack = ("on" if on else "off" for on in (self.use_fips, self.use_dualstack))
        return f"the region {self.region}, FIPS {fips}, dual-stack {dualstack}"

    @classmethod
    def read(
        cls, environ: Mapping[str, str], region: str, url: str | None, network: Network, *, is_aws: bool = True
    ) -> Endpoint:
        """Use the only two AWS_ variables that choose among the region's own endpoints.

        AWS SDKs and Tools Reference Guide, "Dual-stack and FIPS endpoints": `true` in any case switches on.
        """
        fips, dualstack = (
            environ.get(f"AWS_USE_{kind}_ENDPOINT", "").strip().lower() == "true" for kind in ("FIPS", "DUALSTACK")
        )
        return cls(region, url, network, use_fips=fips, use_dualstack=dualstack, is_aws=is_aws)


def service_name(url: str | None) -> str:
    """AWS, or the STS of another service by its host and port."""
    return f"The STS at {urlsplit(url).netloc}" if url else "AWS"


@dataclass(frozen=True)
class Request:
    """What both ways to assume a role are told; `policy` and `policy_arns` are session policies."""

    role_arn: str
    role_session_name: str
    duration_seconds: int
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()

    def parameters(self) -> dict[str, Any]:
        """The request as boto3 takes it."""
        return {
            "RoleArn": self.role_arn,
            "RoleSessionName": self.role_session_name,
            "DurationSeconds": self.duration_seconds,
            **({"Policy": self.policy} if self.policy else {}),
            **({"PolicyArns": [{"arn": arn} for arn in self.policy_arns]} if self.policy_arns else {}),
        }


class Service:
    """STS at an endpoint, as one identity calls it; unsigned without credentials.

    To import the SDK and to make its client takes as long as many a call: `make_ahead` begins it in a thread, while
    something else is waited for.
    """

    def __init__(self, endpoint: Endpoint, credentials: Credentials | None = None) -> None:
        self.endpoint = endpoint
        self.credentials = credentials
        self._made: Future[STSClient] | None = None

    def make_ahead(self) -> None:
        """Begin to make the client, unless that has been done."""
        if self._made is None:
            made: Future[STSClient] = Future()
            with suppress(RuntimeError):  # where there can be no other thread, it is made when it is asked for
                Thread(target=self._make, args=(made,), daemon=True).start()
                self._made = made

    def client(self) -> STSClient:
        """The client, which is made once; raises what its making raised, TimeoutError if that takes too long."""
        if self._made is None:
            client = _client(self.endpoint, self.credentials)
            self._made = Future()
            self._made.set_result(client)
        return self._made.result(WHOLE_CALL_SECONDS)

    def _make(self, made: Future[STSClient]) -> None:
        leave_to_main_thread()
        try:
            made.set_result(_client(self.endpoint, self.credentials))
        except BaseException as error:  # noqa: BLE001 - it is raised where the client is asked for
            made.set_exception(error)


def assume_role_with_web_identity(
    service: Service,
    request: Request,
    token: Secret,
    now: datetime,
    *,
    has_expired: Callable[[], bool] = lambda: False,
) -> Session:
    """Exchange a web identity token for a session of the role.

    `has_expired` is asked after a refusal, since the token may expire on the way. Raises Refused when STS says no,
    Failure when it cannot be reached or its answer cannot be used.
    """
    return _call(
        service,
        "AssumeRoleWithWebIdentity",
        {**request.parameters(), "WebIdentityToken": token.reveal()},
        lambda answer: _session(answer, now, service.endpoint),
        token_expired=has_expired,
    )


def assume_role(  # noqa: PLR0913 - the operation's own parameters
    service: Service,
    request: Request,
    now: datetime,
    *,
    external_id: Secret | None = None,
    tags: Mapping[str, str] | None = None,
    transitive_tag_keys: Sequence[str] = (),
) -> Session:
    """Assume the role as this identity; without `tags` the session has none. Raises as above."""
    parameters = {
        **request.parameters(),
        **({"ExternalId": external_id.reveal()} if external_id else {}),
        **({"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]} if tags else {}),
        **({"TransitiveTagKeys": list(transitive_tag_keys)} if tags and transitive_tag_keys else {}),
    }
    return _call(service, "AssumeRole", parameters, lambda answer: _session(answer, now, service.endpoint))


def caller_identity(service: Service, credentials: Credentials) -> Session:
    """Whose credentials these are, with which the service is called. Raises as above."""
    return _call(service, "GetCallerIdentity", {}, lambda answer: _identified(answer, credentials))


def _identified(answer: Mapping[str, Any], credentials: Credentials) -> Session:
    arn, account = answer.get("Arn"), answer.get("Account")
    if not arn or not account or not re.fullmatch(r"[!-~]+", arn) or not re.fullmatch(r"[0-9]{12}", account):
        raise _not_an_answer("GetCallerIdentity named no ARN or no account")
    return Session(credentials, arn, account)


def _session(answer: Mapping[str, Any], now: datetime, endpoint: Endpoint) -> Session:
    said = (answer.get("AssumedRoleUser") or {}).get("Arn") or ""
    # It is printed and becomes an output.
    arn = said if re.fullmatch(r"[!-~]{1,2048}", said) else ""
    return Session(_credentials(answer, now, endpoint), arn, account_of(arn))


def _call(
    service: Service,
    operation: str,
    parameters: Mapping[str, Any],
    read: Callable[[Mapping[str, Any]], Session],
    *,
    token_expired: Callable[[], bool] = lambda: False,
) -> Session:
    """Make the call and read its answer; a Failure that follows an answer says how to find the call at AWS."""
    answers: list[Answer] = []
    try:
        return read(_send(service, operation, parameters, answers, token_expired))
    except Failure as failure:
        raise failure.replaced(lookup=_lookup(service.endpoint, operation, answers)) from None


def _send(
    service: Service,
    operation: str,
    parameters: Mapping[str, Any],
    seen: list[Answer],
    token_expired: Callable[[], bool],
) -> Mapping[str, Any]:
    from botocore import xform_name
    from botocore.exceptions import BotoCoreError, ClientError

    from py_aws_oidc import answers

    endpoint = service.endpoint
    too_slow = _unreachable(endpoint, TimeoutError())
    try:
        client = service.client()
    except TimeoutError:
        raise too_slow from None
    except (BotoCoreError, ValueError) as error:
        raise _unreachable(endpoint, error, is_permanent=True) from None
    calls = endpoint.network.calls
    route = f"{endpoint.network.route(client.meta.endpoint_url)}, endpoint chosen by {endpoint.chosen_by}"
    with calls.call(operation, route) as logged:

        def see(response_dict: Mapping[str, Any], **_: object) -> None:
            answer = Answer.read(response_dict["status_code"], response_dict["headers"], "x-amzn-RequestId")
            seen.append(answer)
            logged.append(answer)

        # An answer that cannot be parsed has a status all the same, and botocore tells it only here.
        client.meta.events.register("before-parse.sts", see)
        try:
            with time_limit(WHOLE_CALL_SECONDS, too_slow), answers.limited():
                result: Mapping[str, Any] = getattr(client, xform_name(operation))(**parameters)
        except ClientError as error:
            seen[-1] = replace(seen[-1], request_id=seen[-1].request_id or _request_id(error.response))
            raise _refused(endpoint, operation, error.response, seen[-1], token_expired=token_expired()) from None
        except (BotoCoreError, ValueError) as error:
            if seen and isinstance(error, ValueError):
                raise _not_an_answer("a time in it cannot be read") from None
            raise _unreachable(endpoint, error, is_permanent=is_permanent(error)) from None
        except Exception:
            if not seen:
                raise  # the time is up, or something of ours is broken
            # botocore's parser raises whatever it trips over, with the answer in its text.
            if seen[-1].status in range(200, 300):
                raise _not_an_answer("it is not the XML of STS", Retryability.TRANSIENT) from None
            raise _not_of_sts(endpoint, seen[-1]) from None
        finally:
            client.meta.events.unregister("before-parse.sts", see)
    return result


def _request_id(response: Mapping[str, Any]) -> str:
    """The request's ID as the body of an error has it: within an ErrorResponse, or beside the error itself."""
    metadata: Mapping[str, Any] = response.get("ResponseMetadata") or {}
    return plain_id(metadata.get("RequestId")) or plain_id(response.get("RequestId"))


def _lookup(endpoint: Endpoint, operation: str, answers: Sequence[Answer]) -> Iterator[str]:
    """The request's ID, and how to find the call in CloudTrail (AWS CLI Command Reference, `lookup-events`)."""
    answer = answers[-1] if answers else Answer(0)
    if not answer.request_id:
        return
    if not endpoint.is_aws:
        yield f"{answer.request_id} ({operation})"
        return
    at, window = "", ""
    if answer.date:
        start, end = answer.date - _AROUND, answer.date + _AROUND
        at = f" at {answer.date:%Y-%m-%d %H:%M:%S} UTC"
        window = f" --start-time={start:%Y-%m-%dT%H:%M:%SZ} --end-time={end:%Y-%m-%dT%H:%M:%SZ}"
    yield f"{answer.request_id} ({operation} in {endpoint.region}{at}). To find this requestID in CloudTrail, run:"
    yield (
        f"aws cloudtrail lookup-events --region={endpoint.region} "
        f"--lookup-attributes=AttributeKey=EventName,AttributeValue={operation}{window}"
    )


def _client(endpoint: Endpoint, credentials: Credentials | None) -> STSClient:
    import boto3
    import botocore.session
    from botocore import UNSIGNED
    from botocore.config import Config

    keys = credentials.parameters() if credentials else {}
    session = botocore.session.Session()
    # The files of the user of this machine are not used for this call.
    session.set_config_variable("config_file", os.devnull)
    session.set_config_variable("credentials_file", os.devnull)
    # A token must not go where a variable sends it that any earlier step can set.
    session.set_config_variable("ignore_configured_endpoint_urls", value=True)

    def client(proxies: Mapping[str, str]) -> STSClient:
        config = Config(
            # Unsigned, botocore looks for no credentials: not in files, not at the instance metadata service.
            signature_version=None if credentials else UNSIGNED,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"total_max_attempts": 1, "mode": "standard"},
            proxies=proxies,
            use_fips_endpoint=endpoint.use_fips,
            use_dualstack_endpoint=endpoint.use_dualstack,
            parameter_validation=False,  # what a parameter may be, STS itself says better
            user_agent_extra=f"py-aws-oidc/{__version__}",
        )
        return boto3.Session(botocore_session=session).client(
            "sts",
            # botocore takes names of the form of AWS's only; the real one goes into the signature.
            region_name=endpoint.region if endpoint.is_aws else "us-east-1",
            endpoint_url=endpoint.url,
            config=config,
            verify=endpoint.network.verify,
            **keys,
        )

    made = client({})
    # Only botocore knows the endpoint's host, and the host decides whether a proxy is asked.
    if proxies := endpoint.network.proxies_for(made.meta.endpoint_url):
        made = client(proxies)
    if not endpoint.is_aws:
        made.meta.events.register("before-call.sts", partial(_adapt, endpoint.region))
    return made


def _adapt(region: str, *, params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    """Sign for the service's own region, and write a space as %20: Ceph 16 does not read the `+` of HTML forms."""
    context["signing"] = {**context.get("signing", {}), "region": region}
    params["body"] = urlencode(params["body"], quote_via=quote)


def _credentials(answer: Mapping[str, Any], now: datetime, endpoint: Endpoint) -> Credentials:
    given = answer.get("Credentials") or {}

    def has(name: str) -> bool:
        # Credentials of AWS have both a token and an expiration; those of other services may be good without.
        return endpoint.is_aws or bool(given.get(name))

    return Credentials(
        expiration=_future(given.get("Expiration"), now) if has("Expiration") else None,
        access_key_id=_word(given, "AccessKeyId"),
        secret_access_key=_word(given, "SecretAccessKey"),
        session_token=_word(given, "SessionToken") if has("SessionToken") else None,
    )


def _future(expiration: object, now: datetime) -> datetime:
    try:
        # The calendar ends with the year 9999, and a moment without an offset cannot be compared.
        if isinstance(expiration, datetime) and expiration > now:
            return expiration.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass
    raise _not_an_answer("the credentials have expired already, or it does not say when they will")


def _word(given: Mapping[str, Any], name: str) -> Secret:
    text = given.get(name)
    # It is handed to shells, files and headers: nothing but visible characters may stand in it.
    if not isinstance(text, str) or not re.fullmatch(r"[!-~]+", text):
        raise _not_an_answer(f"its {name} is missing or malformed")
    return Secret(text)


def _refused(
    endpoint: Endpoint, operation: str, response: Mapping[str, Any], answer: Answer, *, token_expired: bool
) -> Failure:
    # The error of Ceph stands alone, as in S3; that of AWS is within an ErrorResponse.
    error: Mapping[str, Any] = response.get("Error") or response
    code = error.get("Code") or ""
    # botocore makes a code of the status where the answer has none.
    if not code or code.isdecimal():
        return _not_of_sts(endpoint, answer)
    return Refused(
        operation,
        code,
        error.get("Message") or "",
        answer.status,
        answer.retry_after,
        by=endpoint.name,
        request_id=answer.request_id,
        token_expired=token_expired,
    )


def _not_of_sts(endpoint: Endpoint, answer: Answer) -> Failure:
    if not endpoint.is_aws:
        return Failure(
            f"{endpoint.name} answered with HTTP status {answer.status} and without an error of STS.",
            name="not-an-sts",
            why="the answer is not the XML of STS: the server there may not be an STS, or a proxy or another server on "
            "the way answered.",
            fix="check that sts-endpoint is the address at which the service answers AssumeRoleWithWebIdentity, with "
            "its path if it has one; then check the proxy (http-proxy, HTTPS_PROXY, NO_PROXY).",
            error=f"HTTP {answer.status} without an error of STS",
            retryability=retryability_of("", "", answer.status),
            retry_after=answer.retry_after,
        )
    return Failure(
        f"Another server answered in place of AWS STS, with HTTP status {answer.status}.",
        name="not-aws-sts",
        why="the answer is not the XML of STS; a proxy or another server on the way gave it.",
        fix="check the proxy (http-proxy, HTTPS_PROXY, NO_PROXY), its user name and password, and sts-endpoint.",
        error=f"HTTP {answer.status} without an error of STS",
        retryability=retryability_of("", "", answer.status),
        retry_after=answer.retry_after,
    )


def _unreachable(endpoint: Endpoint, error: Exception, *, is_permanent: bool = False) -> Failure:
    said = getattr(error, "kwargs", {})
    where = endpoint.url or said.get("endpoint_url") or f"STS in {endpoint.region}"
    unresolved = ", because the name cannot be resolved" if "Failed to resolve" in str(said.get("error")) else ""
    ended = f"{type(error).__name__}{unresolved}{refused_by_proxy(error)}"
    name = "AWS STS" if endpoint.is_aws else endpoint.name
    if is_too_large(error):
        return _not_an_answer(f"the answer of {where} has more than 1 MiB, and the rest was not read")
    if distrust := endpoint.network.distrust(error, where):
        return Failure(
            f"{name} was not called, because TLS certificate verification failed.",
            name="sts-certificate",
            why=distrust.why,
            fix=distrust.fix,
        )
    return Failure(
        f"{name} could not be reached.",
        name="sts-unreachable",
        why=f"the call to {where} ended with {ended} (CA bundle: {endpoint.network.verified_by}).",
        fix=f"check that {f'the region {endpoint.region!r} exists' if endpoint.is_aws else 'sts-endpoint is right'}, "
        "and that the runner reaches the endpoint, also through its proxy (http-proxy, HTTPS_PROXY, NO_PROXY).",
        error=ended,
        retryability=Retryability.PERMANENT if is_permanent else Retryability.TRANSIENT,
    )


def _not_an_answer(why: str, retryability: Retryability = Retryability.PERMANENT) -> Failure:
    return Failure(
        "The answer of STS cannot be used, so nothing was exported.",
        name="sts-answer",
        why=f"{why}.",
        fix="run the job again; if the input sts-endpoint is set, check that an STS answers there, and check "
        "the runner's clock.",
        error=f"the answer cannot be used, because {why}",
        retryability=retryability,
    )
