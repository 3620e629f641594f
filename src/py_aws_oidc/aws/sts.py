"""The Security Token Service: a web identity goes in, a session comes out (boto3).

Names and limits are those of the AWS STS API Reference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from py_aws_oidc import __version__
from py_aws_oidc.aws.arn import AssumedRole
from py_aws_oidc.failure import Failure
from py_aws_oidc.network import CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS, Network
from py_aws_oidc.secret import Secret

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient


@dataclass(frozen=True)
class Credentials:
    """Temporary credentials, as STS issues them; `expiration` is in UTC."""

    access_key_id: Secret
    secret_access_key: Secret
    session_token: Secret
    expiration: datetime

    def parameters(self) -> dict[str, Any]:
        """The credentials as boto3 takes them."""
        return {
            "aws_access_key_id": self.access_key_id.reveal(),
            "aws_secret_access_key": self.secret_access_key.reveal(),
            "aws_session_token": self.session_token.reveal(),
        }


@dataclass(frozen=True)
class Session:
    """Credentials with who they make us: `arn` is what GetCallerIdentity would say."""

    credentials: Credentials
    arn: str
    account: str


class Refused(Exception):  # noqa: N818 - AWS's own word in its messages is "denied"; it covers more than that
    """STS answered with an error: its code, its message and the HTTP status."""

    def __init__(self, operation: str, code: str, message: str, status: int) -> None:
        super().__init__(f"{operation}: {code} ({status}): {message}")
        self.operation = operation
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True)
class Endpoint:
    """Which STS to call, and how: `url` replaces the region's own endpoint."""

    region: str
    url: str | None
    network: Network
    use_fips: bool = False
    use_dualstack: bool = False

    @classmethod
    def read(cls, environ: Mapping[str, str], region: str, url: str | None, network: Network) -> Endpoint:
        """Heed the only two AWS_ variables that choose among the region's own endpoints.

        AWS SDKs and Tools Reference Guide, "Dual-stack and FIPS endpoints": `true` in any case switches on.
        """
        fips, dualstack = (
            environ.get(f"AWS_USE_{kind}_ENDPOINT", "").strip().lower() == "true" for kind in ("FIPS", "DUALSTACK")
        )
        return cls(region, url, network, use_fips=fips, use_dualstack=dualstack)


def assume_role_with_web_identity(  # noqa: PLR0913 - the operation's own parameters
    endpoint: Endpoint,
    *,
    role_arn: str,
    role_session_name: str,
    web_identity_token: Secret,
    duration_seconds: int,
    now: datetime,
) -> Session:
    """Exchange the token for a session of the role.

    Raises Refused when STS says no, Failure when it cannot be reached or its answer is not one.
    """
    answer = _call(
        endpoint,
        None,
        "assume_role_with_web_identity",
        RoleArn=role_arn,
        RoleSessionName=role_session_name,
        WebIdentityToken=web_identity_token.reveal(),
        DurationSeconds=duration_seconds,
    )
    credentials = _credentials(answer, now)
    try:
        identity = AssumedRole.parse(answer.get("AssumedRoleUser", {}).get("Arn", ""))
    except ValueError:
        # Some other services with an STS interface leave it out.
        return _with_caller_identity(endpoint, credentials)
    return Session(credentials, identity.arn, identity.account)


def _with_caller_identity(endpoint: Endpoint, credentials: Credentials) -> Session:
    answer = _call(endpoint, credentials, "get_caller_identity")
    arn, account = answer.get("Arn"), answer.get("Account")
    if not arn or not account:
        raise _not_an_answer("GetCallerIdentity named no ARN or no account")
    return Session(credentials, arn, account)


def _call(
    endpoint: Endpoint, credentials: Credentials | None, operation: str, **parameters: object
) -> Mapping[str, Any]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client = _client(endpoint, credentials)
        answer: Mapping[str, Any] = getattr(client, operation)(**parameters)
    except ClientError as error:
        said = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        raise Refused(error.operation_name, said.get("Code", ""), said.get("Message", ""), status) from error
    except (BotoCoreError, ValueError) as error:
        raise Failure(
            "AWS STS could not be reached.",
            why=f"the call to {endpoint.url or 'STS in ' + endpoint.region} ended in {type(error).__name__}.",
            fix=f"check that the region {endpoint.region!r} exists, and that the runner reaches the endpoint, "
            "also through its proxy (HTTPS_PROXY, NO_PROXY).",
        ) from error
    except Exception as error:
        # botocore's parser raises whatever it trips over: ResponseParserError, KeyError, TypeError.
        raise _not_an_answer("it is not the XML of STS") from error
    return answer


def _client(endpoint: Endpoint, credentials: Credentials | None) -> STSClient:
    import boto3
    import botocore.session
    from botocore import UNSIGNED
    from botocore.config import Config

    keys = credentials.parameters() if credentials else {}
    session = botocore.session.Session()
    # The files of whoever owns this machine are no part of this call.
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
            region_name=endpoint.region,
            endpoint_url=endpoint.url,
            config=config,
            verify=endpoint.network.verify,
            **keys,
        )

    direct = client({})
    # Only botocore knows the endpoint's host, and the host decides whether a proxy is asked.
    proxies = endpoint.network.proxies_for(direct.meta.endpoint_url)
    return client(proxies) if proxies else direct


def _credentials(answer: Mapping[str, Any], now: datetime) -> Credentials:
    given = answer.get("Credentials", {})
    expiration = given.get("Expiration")
    if not isinstance(expiration, datetime) or expiration <= now:
        raise _not_an_answer("the credentials have expired already, or it does not say when they will")
    return Credentials(
        access_key_id=_word(given, "AccessKeyId"),
        secret_access_key=_word(given, "SecretAccessKey"),
        session_token=_word(given, "SessionToken"),
        expiration=expiration.astimezone(UTC),
    )


def _word(given: Mapping[str, Any], name: str) -> Secret:
    text = given.get(name)
    # It is handed to shells, files and headers: nothing but visible characters may stand in it.
    if not isinstance(text, str) or not re.fullmatch(r"[!-~]+", text):
        raise _not_an_answer(f"its {name} is missing or malformed")
    return Secret(text)


def _not_an_answer(why: str) -> Failure:
    return Failure(
        "The answer of STS cannot be used, so nothing was exported.",
        why=f"{why}.",
        fix="run the job again; if the input sts-endpoint is set, check that an STS answers there, and check "
        "the runner's clock.",
    )
