"""How the two calls leave the machine: proxies and certificates, decided once from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 10

# Debian's store, where a machine's own certificate authorities are added (update-ca-certificates(8)).
_SYSTEM_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# First come, first served: the SDKs' own variable, then those of requests and OpenSSL.
_CERTIFICATE_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


@dataclass(frozen=True)
class Network:
    """Proxies by scheme, the hosts they are not for, and the file of trusted certificates.

    `missing` names the variables whose certificate file is not there, with the file.
    """

    proxies: Mapping[str, str]
    no_proxy: str
    certificates: str | None
    missing: tuple[tuple[str, str], ...] = ()

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the proxy and certificate variables; in lower case they go before those in capitals."""

        def either(variable: str) -> str:
            return (environ.get(variable) or environ.get(variable.upper()) or "").strip()

        named = [(v, environ[v]) for v in _CERTIFICATE_VARIABLES if environ.get(v)]
        found = [file for _, file in (*named, ("", _SYSTEM_CERTIFICATES)) if Path(file).is_file()]
        return cls(
            proxies={s: either(f"{s}_proxy") for s in ("http", "https") if either(f"{s}_proxy")},
            no_proxy=either("no_proxy"),
            certificates=found[0] if found else None,
            missing=tuple((variable, file) for variable, file in named if not Path(file).is_file()),
        )

    def proxies_for(self, url: str) -> dict[str, str]:
        """The proxies for a call to this URL: none for loopback and for what no_proxy lists."""
        from requests.utils import should_bypass_proxies

        if not self.proxies or is_loopback(url) or should_bypass_proxies(url, self.no_proxy):
            return {}
        return dict(self.proxies)

    @property
    def verify(self) -> str | bool:
        """The `verify` of requests and boto3: a file, or True for the certificates that they bring."""
        return self.certificates or True


def is_private(url: str) -> bool:
    """Whether a secret may be sent there: by https, or without leaving this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url)))


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine itself, by name or by address."""
    import ipaddress

    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
