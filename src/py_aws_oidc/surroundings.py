"""The job's variables that bear on the two calls, each decided once.

Whatever is not listed as heeded means nothing to this program: `__main__` takes the environment away from the
libraries before one of them is imported. The README shows this table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from py_aws_oidc.network import Network, is_private


@dataclass(frozen=True)
class Variables:
    """Variables that share a fate; `said` when a person who set one must be told that it is not heeded."""

    names: tuple[str, ...]
    heeded: bool
    why: str
    said: bool = False


TABLE = (
    Variables(
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        heeded=False,
        why="the exchange of an ID token is not signed; only role-chaining and a job without ID token use them",
    ),
    Variables(
        ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
        heeded=False,
        why="no shared file is read, but by role-chaining and in a job without ID token",
    ),
    Variables(("AWS_REGION",), heeded=True, why="it fills a blank aws-region"),
    Variables(("AWS_DEFAULT_REGION",), heeded=False, why="the input aws-region says it"),
    Variables(
        ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"),
        heeded=False,
        why="any step of the job could send the ID token elsewhere with it; the input sts-endpoint says it",
        said=True,
    ),
    Variables(("AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"), heeded=False, why="the SDK's own retries are off"),
    Variables(
        ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"),
        heeded=True,
        why="`true` chooses among the region's own endpoints",
    ),
    Variables(
        ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"),
        heeded=True,
        why="the first that names a file which is there; a file outside the container is said to be missing",
    ),
    Variables(
        ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"),
        heeded=True,
        why="for all calls, in lower case too, unless http-proxy and no-proxy say else; loopback is never proxied",
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
