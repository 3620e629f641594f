"""A token issuer and AWS, really listening on 127.0.0.1, for as long as a `with` block lasts."""

from __future__ import annotations

import functools
import json
import os
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from threading import Thread
from typing import TYPE_CHECKING, Any, Self

import boto3
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from botocore.loaders import Loader
from moto.utilities.utils import get_partition
from werkzeug.serving import WSGIRequestHandler, make_server

from sandbox.aws import Aws
from sandbox.faults import Call, Faults
from sandbox.issuer import GITHUB, Issuer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from wsgiref.types import WSGIApplication

ACCOUNT = "123456789012"
REGION = "us-east-1"
AUDIENCE = "sts.amazonaws.com"


class World:
    """An issuer, AWS, their faults and the calls they got. Every world starts empty.

    `clock` is the time of the tokens, of their check, and of the credentials' expiry; the signing time of a
    request is the client's own and is not compared with it. Two worlds at once in one process share their IAM
    and S3, because moto keeps one state.
    """

    def __init__(self, *, iss: str = GITHUB, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.faults = Faults()
        self.issuer = Issuer(iss, clock=clock, faults=self.faults)
        self.aws_url = ""
        self._issuers: dict[str, str] = {}
        self._aws = Aws(issuers=self._issuers, clock=clock, faults=self.faults)
        self._session = _sealed_session()
        self._servers = ExitStack()

    def __enter__(self) -> Self:
        self.issuer.url = self._issuers[self.issuer.iss] = self._servers.enter_context(_serve(self.issuer.app))
        self.aws_url = self._servers.enter_context(_serve(self._aws.app))
        # Last in, first out: a held answer is let go before its server is asked to end.
        self._servers.callback(self.faults.release)
        return self

    def __exit__(self, *_: object) -> None:
        self._servers.close()

    @property
    def calls(self) -> list[Call]:
        """Every request so far, to the issuer and to AWS, in the order of arrival."""
        return self.faults.calls

    def client(self, service: str, credentials: Mapping[str, Any] | None = None, region: str = REGION) -> Any:  # noqa: ANN401 -- boto3 makes its clients' classes at run time
        """A boto3 client of this world, with `Credentials` as STS answers them, or unsigned without any.

        It tries once, and nothing of the environment or the home directory reaches it.
        """
        given = credentials or {}
        config = Config(
            proxies={},
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"},
            signature_version=None if credentials else UNSIGNED,
        )
        # The service is any string here, where boto3's stubs want one they know.
        client: Callable[..., Any] = self._session.client
        return client(
            service,
            region_name=region,
            endpoint_url=self.aws_url,
            aws_access_key_id=given.get("AccessKeyId"),
            aws_secret_access_key=given.get("SecretAccessKey"),
            aws_session_token=given.get("SessionToken"),
            config=config,
        )

    def admin(self, service: str, account: str = ACCOUNT, region: str = REGION) -> Any:  # noqa: ANN401 -- as above
        """A boto3 client with the permanent key of the account's administrator."""
        key = self._aws.admin(account, get_partition(region))
        return self.client(
            service,
            {"AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret_access_key},
            region,
        )

    def register_provider(
        self,
        *,
        account: str = ACCOUNT,
        audiences: Sequence[str] = (AUDIENCE,),
        issuer: str | None = None,
        region: str = REGION,
    ) -> str:
        """The ARN of an OIDC provider new in IAM; of the world's own issuer, unless another is named."""
        answer = self.admin("iam", account, region).create_open_id_connect_provider(
            Url=issuer or self.issuer.iss, ClientIDList=list(audiences), ThumbprintList=["0" * 40]
        )
        return str(answer["OpenIDConnectProviderArn"])

    def create_role(  # noqa: PLR0913 -- what IAM's own CreateRole asks for
        self,
        name: str,
        *,
        trust: Mapping[str, Any],
        account: str = ACCOUNT,
        max_session_duration: int = 3600,
        path: str = "/",
        region: str = REGION,
    ) -> str:
        """The ARN of a new role; `max_session_duration` in seconds, 3600 to 43200."""
        answer = self.admin("iam", account, region).create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps(trust),
            MaxSessionDuration=max_session_duration,
            Path=path,
        )
        return str(answer["Role"]["Arn"])


def github_trust(
    provider_arn: str, sub: str | list[str] = "repo:octo-org/*", aud: str = AUDIENCE
) -> dict[str, Any]:
    """The trust policy of GitHub's page "Configuring OpenID Connect in Amazon Web Services"."""
    provider = provider_arn.partition(":oidc-provider/")[2]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": provider_arn},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {f"{provider}:aud": aud},
                    "StringLike": {f"{provider}:sub": sub},
                },
            }
        ],
    }


def _sealed_session() -> boto3.session.Session:
    """A session that knows neither environment variables nor files."""
    sealed = {
        name: (in_file, None, default, convert)
        for name, (in_file, _, default, convert) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
    }
    nowhere = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    sealed_session = botocore.session.Session(session_vars=sealed | nowhere)
    sealed_session.register_component("data_loader", _loader())
    return boto3.session.Session(botocore_session=sealed_session)


@functools.cache
def _loader() -> Loader:
    """The services' models, read once: most of the time a client takes to be made goes there."""
    return Loader()


class _Quiet(WSGIRequestHandler):
    """Says nothing of requests; errors still reach the server's log."""

    def log_request(self, *_: object) -> None:
        pass


@contextmanager
def _serve(app: WSGIApplication) -> Iterator[str]:
    """`app` on a free port of 127.0.0.1, by its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
