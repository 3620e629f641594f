"""How the calls leave the machine: proxy and certificates, decided once from the inputs and the environment."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from py_aws_oidc import reading
from py_aws_oidc.calls import CallLog
from py_aws_oidc.failure import Failure

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 10
# The two above are for a silence each; an answer that comes a byte a second has them again with every byte.
WHOLE_CALL_SECONDS = 30

# Debian's store, where a machine's own certificate authorities are added (update-ca-certificates(8)).
_SYSTEM_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# First come, first served: the SDKs' own variable, then those of requests and OpenSSL.
_CERTIFICATE_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
# One proxy for both schemes, as in the action that this one replaces; lower case goes first, as in curl.
_PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY")
# What OpenSSL, urllib3 and http.client say of such things.
_HOPELESS = (
    "CERTIFICATE_VERIFY_FAILED",
    "X509",
    "NO_CERTIFICATE",
    "WRONG_VERSION_NUMBER",
    "doesn't match",
    "mismatch",
    "Tunnel connection failed: 4",
)
_NO_PROXY_VARIABLES = ("no_proxy", "NO_PROXY")
# Why OpenSSL refuses a certificate: X509_V_ERR_ in its x509_vfy.h.
_NOT_YET_VALID, _EXPIRED = 9, 10
_UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})
_OTHER_HOST = frozenset({62, 64})


@dataclass(frozen=True)
class Distrust:
    """Why a certificate is not trusted, and what to do about that."""

    why: str
    fix: str


@dataclass(frozen=True)
class Network:
    """The proxy and what names it, the hosts it is not for, the file of trusted certificates and what names that.

    `missing` names the variables whose certificate file does not exist, with the file. `calls` logs the calls.
    """

    proxy: str | None = field(default=None, repr=False)  # it may hold a password
    proxy_from: str = ""
    no_proxy: str = ""
    certificates: str | None = None
    certificates_from: str = ""
    missing: tuple[tuple[str, str], ...] = ()
    calls: CallLog = field(default=CallLog(), repr=False, compare=False)

    @classmethod
    def read(
        cls,
        environ: Mapping[str, str],
        *,
        proxy: str | None = None,
        no_proxy: str | None = None,
        calls: CallLog = CallLog(),  # noqa: B008 - a frozen value
    ) -> Self:
        """Read the variables of proxies and certificates; what the inputs say goes before them."""

        def first(variables: tuple[str, ...]) -> tuple[str, str]:
            return next(((text, v) for v in variables if (text := environ.get(v, "").strip())), ("", ""))

        named = [(v, environ[v]) for v in _CERTIFICATE_VARIABLES if environ.get(v)]
        candidates = (*named, ("the system's default", _SYSTEM_CERTIFICATES))
        found = [(v, file) for v, file in candidates if os.path.isfile(file)]  # noqa: PTH113 - a Path raises for a name that is too long
        given, variable = (proxy, "http-proxy") if proxy else first(_PROXY_VARIABLES)
        return cls(
            proxy=given or None,
            proxy_from=variable,
            no_proxy=no_proxy or first(_NO_PROXY_VARIABLES)[0],
            certificates=found[0][1] if found else None,
            certificates_from=found[0][0] if found else "",
            missing=tuple(row for row in named if row not in found),
            calls=calls,
        )

    def proxies_for(self, url: str) -> dict[str, str]:
        """The proxies for a call to this URL: none for loopback and for what no_proxy lists."""
        if not self.proxy or self._bypassed_by(url):
            return {}
        try:
            proxy = reading.proxy(self.proxy)
        except ValueError as error:
            raise Failure(
                f"The proxy that {self.proxy_from} names cannot be used.",
                name="proxy",
                why=f"{error}.",
                fix="correct the variable or the input, or list the host in NO_PROXY. A user name and a password with "
                "special characters must be percent-encoded.",
            ) from None
        return {"http": proxy, "https": proxy}

    def _bypassed_by(self, url: str) -> str:
        """Why a call to this URL does not use the proxy; empty if it does."""
        from requests.utils import should_bypass_proxies

        if is_loopback(url):
            return "the host is this machine"
        return "NO_PROXY lists the host" if should_bypass_proxies(_with_port(url), self.no_proxy) else ""

    def route(self, url: str) -> str:
        """Describe in a debug line where a call to this URL goes: without its query, and with proxy and CA bundle."""
        if proxies := self.proxies_for(url):
            proxy = f"proxy {_address(proxies['https'])} ({self.proxy_from})"
        else:
            proxy = f"no proxy ({self._bypassed_by(url) if self.proxy else 'none is set'})"
        source = f" ({self.certificates_from})" if self.certificates_from else ""
        return f"{_address(url)}{urlsplit(url).path}, {proxy}, CA bundle: {self.verified_by}{source}"

    def distrust(self, error: Exception, host: str) -> Distrust | None:
        """Why the certificate was refused, if that ended the call to this host; None for any other error."""
        import ssl

        from urllib3.exceptions import ProxyError
        from urllib3.util.ssl_match_hostname import CertificateError

        below = tuple(causes(error))
        # botocore has urllib3 compare the names, requests has OpenSSL do it.
        names_differ = any(isinstance(each, CertificateError) for each in below)
        refused = next((each for each in below if isinstance(each, ssl.SSLCertVerificationError)), None)
        if not refused and not names_differ:
            return None
        whose = "the proxy" if any(isinstance(each, ProxyError) for each in below) else host
        code, message = (refused.verify_code, refused.verify_message) if refused else (0, "")
        if names_differ or code in _OTHER_HOST:
            return Distrust(
                f"the certificate that {whose} presented is for another host.",
                "check the URL, the proxy and the name resolution of the runner: another server may answer in the "
                "place of this one, and may read what is sent. Do not trust its certificate.",
            )
        if code == _EXPIRED:
            return Distrust(
                f"the certificate of {whose}, or of an authority that signed it, has expired.",
                "check the runner's clock. If it is right, the owner of the server must renew the certificate.",
            )
        if code == _NOT_YET_VALID:
            return Distrust(
                f"the certificate of {whose}, or of an authority that signed it, is not valid yet.",
                "check the runner's clock. If it is right, the owner of the server must replace the certificate.",
            )
        if code in _UNKNOWN_AUTHORITY:
            return Distrust(
                f"the certificate of {whose} is not signed by an authority in {self.verified_by} ({message}).",
                "if a proxy or an endpoint of your own has a certificate of your own authority, put the authority's "
                "certificate into a file in the workspace and name it in AWS_CA_BUNDLE. Otherwise another server may "
                "answer in the place of this one: do not trust its certificate.",
            )
        return Distrust(
            f"OpenSSL refused the certificate of {whose}: {message}.",
            "the owner of the server must replace the certificate.",
        )

    @property
    def verified_by(self) -> str:
        """Which certificates are trusted, for a message."""
        return self.certificates or "the certificates of certifi"

    @property
    def verify(self) -> str | bool:
        """The `verify` of requests and boto3: a file, or True for the certificates that they bring."""
        return self.certificates or True


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and those below it: requests and urllib3 keep them in `args` and `reason`, botocore in `kwargs`."""
    yield error
    for below in (*error.args, getattr(error, "reason", None), getattr(error, "kwargs", {}).get("error")):
        if isinstance(below, BaseException):
            yield from causes(below)


def is_too_large(error: Exception) -> bool:
    """True if the call ended since its answer has no end, or more bytes than are read."""
    from py_aws_oidc.answers import AnswerTooLargeError

    return any(isinstance(each, AnswerTooLargeError) for each in causes(error))


def is_permanent(error: Exception) -> bool:
    """True if a retry cannot fix this error: a certificate or a proxy's refusal stays the same."""
    return isinstance(error, ValueError) or any(sign in str(error) for sign in _HOPELESS)


def refused_by_proxy(error: Exception) -> str:
    """What to add to an error's name when it was the proxy that said no."""
    found = re.search(r"Tunnel connection failed: ([0-9]{3})", str(error))
    return f", because the proxy answered HTTP {found[1]}" if found else ""


def _address(url: str) -> str:
    """The URL's scheme, host and port: no user name, password, path or query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _with_port(url: str) -> str:
    """The URL with its port said, so that `host:443` in no_proxy is found."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].removesuffix(f':{parts.port}')}:{port}"


def is_private(url: str) -> bool:
    """True if a secret may be sent there: by https, or without leaving this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    # Parsers do not agree on where a host begins behind a backslash, and a user name would replace the bearer token.
    if not re.fullmatch(r"[!-\[\]-~]+", url) or "@" in parts.netloc or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url))


def host_of(url: str) -> str:
    """The URL's host, empty if it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_loopback(url: str) -> bool:
    """True if the URL's host is this machine itself, by name or by address."""
    host = host_of(url)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
