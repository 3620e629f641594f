"""The job's variables that bear on the two calls, each decided once.

Whatever is not listed as heeded means nothing to this program: `__main__` takes the environment away from the
libraries before one of them is imported. The README shows this table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from py_aws_oidc.network import Network, is_private

_OWN = "for the job's own credentials"


@dataclass(frozen=True)
class Variables:
    """Variables that share a fate; `said` when a person who set one must be told that it is not heeded."""

    names: tuple[str, ...]
    heeded: str
    why: str
    said: bool = False


TABLE = (
    Variables(
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        heeded=_OWN,
        why="a run may start from them; the exchange of an ID token is not signed",
    ),
    Variables(
        ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
        heeded=_OWN,
        why="the SDK's chain reads profiles, and a profile may start a program (credential_process); files in the "
        "workspace are ignored, with a warning, and so are endpoint_url and services in any file; aws-profile writes "
        "to the files that the last two name",
    ),
    Variables(
        ("AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        heeded=_OWN,
        why="the SDK's chain exchanges such a token (EKS); the file must be a regular one, and a link may not lead out "
        "of its folder",
    ),
    Variables(
        (
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        ),
        heeded=_OWN,
        why="the SDK's chain asks the container service (ECS, EKS Pod Identity); for the file the same holds",
    ),
    Variables(
        (
            "AWS_EC2_METADATA_DISABLED",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
        ),
        heeded=_OWN,
        why="the SDK's chain asks the instance metadata service last",
    ),
    Variables(("AWS_REGION",), heeded="yes", why="it fills a blank aws-region"),
    Variables(("AWS_DEFAULT_REGION",), heeded="no", why="the input aws-region says it"),
    Variables(
        ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"),
        heeded="no",
        why="any step of the job could send tokens elsewhere with it; the input sts-endpoint says it",
        said=True,
    ),
    Variables(("AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"), heeded="no", why="the SDK's own retries are off"),
    Variables(
        ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"),
        heeded="yes",
        why="`true` chooses among the region's own endpoints",
    ),
    Variables(
        ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"),
        heeded="yes",
        why="the first that names a file which is there; a file outside the container is said to be missing",
    ),
    Variables(
        ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"),
        heeded="yes",
        why="for all calls, in lower case too, unless http-proxy and no-proxy say else; loopback is never proxied; "
        "translate-env-variables does not switch them off",
    ),
)


def remarks(environ: Mapping[str, str], network: Network, sts_endpoint: str | None = None) -> Iterator[str]:
    """What must be said of the variables, and of where the calls go, before they are made."""
    if sts_endpoint and not is_private(sts_endpoint):
        yield (
            f"sts-endpoint is {sts_endpoint}, which is neither https nor on this machine: the token and the "
            "credentials go over the network in clear text."
        )
    for row in TABLE:
        for name in row.names:
            if row.said and environ.get(name):
                yield f"{name} is set, but this step does not heed it: {row.why}."
    for variable, file in network.missing:
        yield (
            f"{variable} names {file}, and there is no such file here, so it is not heeded. This action runs in a "
            "container, which sees only the workspace and HOME of the job: put the file there."
        )
