"""Environment variables of the job, and which of them the action uses.

A variable that is not in the table has no effect: `__main__` hides the environment from the libraries before one of
them is imported. The README has this table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from py_aws_oidc.network import Network, is_private

_OWN = "for the credentials of the job"


@dataclass(frozen=True)
class Variables:
    """Variables with one rule; `warns` if the step warns that a variable which is set is ignored."""

    names: tuple[str, ...]
    honored: str
    why: str
    warns: bool = False


TABLE = (
    Variables(
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        honored=_OWN,
        why="a run can start from them; the exchange of an ID token is not signed",
    ),
    Variables(
        ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
        honored=_OWN,
        why="the SDK's credential provider chain reads profiles, and a profile can start a program "
        "(credential_process); files in the workspace are ignored, with a warning; endpoint_url and services are "
        "ignored in all files; aws-profile writes to the files that the last two variables name",
    ),
    Variables(
        ("AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        honored=_OWN,
        why="the SDK's chain exchanges such a token (EKS); it must be in a regular file, and a link must stay in its "
        "folder",
    ),
    Variables(
        (
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        ),
        honored=_OWN,
        why="the SDK's chain calls the container service (ECS, EKS Pod Identity); the same rule applies to the file",
    ),
    Variables(
        (
            "AWS_EC2_METADATA_DISABLED",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
        ),
        honored=_OWN,
        why="the SDK's chain calls the instance metadata service last",
    ),
    Variables(("AWS_REGION",), honored="yes", why="it is used for a blank aws-region"),
    Variables(("AWS_DEFAULT_REGION",), honored="no", why="the input aws-region sets the region"),
    Variables(
        ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"),
        honored="no",
        why="an earlier step could use it to send the token to another host; use the input sts-endpoint",
        warns=True,
    ),
    Variables(
        ("AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"),
        honored="no",
        why="the retries of the SDK are off; use the input retry-max-attempts",
    ),
    Variables(
        ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"),
        honored="yes",
        why="`true` selects an endpoint of the region",
    ),
    Variables(
        ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"),
        honored="yes",
        why="the first one that names an existing file; the step warns if a file is not in the container",
    ),
    Variables(
        ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"),
        honored="yes",
        why="for all calls, in lower case too, unless http-proxy and no-proxy are set; loopback is never proxied; "
        "translate-env-variables does not turn them off",
    ),
)


class Warned(NamedTuple):
    """A warning and its title."""

    title: str
    text: str


def warnings(environ: Mapping[str, str], network: Network, sts_endpoint: str | None = None) -> Iterator[Warned]:
    """Yield the warnings about the variables and about the endpoint, before any call."""
    if sts_endpoint and not is_private(sts_endpoint):
        yield Warned(
            "Insecure endpoint",
            f"sts-endpoint is {sts_endpoint}, which does not use https and is not on this machine: the token and the "
            "credentials are sent over the network in clear text.",
        )
    for row in TABLE:
        for name in row.names:
            if row.warns and environ.get(name):
                yield Warned("Ignored variable", f"{name} is set, but it is ignored: {row.why}.")
    for variable, file in network.missing:
        yield Warned(
            "Ignored variable",
            f"{variable} names {file}, which does not exist here, so the variable is ignored. This action runs in a "
            "container, which has only the workspace and HOME of the job: copy the file there.",
        )
