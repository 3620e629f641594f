"""A certificate authority that is trusted only where it is configured, and a world that answers by https."""

from __future__ import annotations

import ipaddress
import ssl
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from werkzeug.serving import WSGIRequestHandler, make_server

from sandbox.proxy import serving
from sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from wsgiref.types import WSGIApplication


class Authority:
    """A certificate authority with a day to live; `bundle` is the file that AWS_CA_BUNDLE may name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("sandbox CA")
        self.bundle = folder / "ca.pem"
        certificate = (
            _certificate(self._name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_SIGNS_CERTIFICATES, critical=True)
            .sign(self._key, SHA256())
        )
        self.bundle.write_bytes(certificate.public_bytes(Encoding.PEM))

    def context(
        self,
        *names: str,
        begins: timedelta = timedelta(hours=-1),
        ends: timedelta = timedelta(days=1),
        purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    ) -> ssl.SSLContext:
        """A server's side of TLS, with a new certificate for these hosts: names or addresses.

        It is valid from `begins` to `ends`, as seen from now.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _certificate(_name("sandbox"), self._name, key.public_key(), begins, ends)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(issued_by, critical=False)
            .sign(self._key, SHA256())
        )
        # ssl takes keys from files alone.
        file = self._folder / "server.pem"
        file.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + certificate.public_bytes(Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


class SecureWorld(World):
    """A world that answers by https as well, to these names, with certificates that `bundle` vouches for."""

    def __init__(self, folder: Path, *names: str) -> None:
        super().__init__()
        authority = Authority(folder)
        self.bundle = authority.bundle
        self.secure_issuer_url = ""
        self.secure_aws_url = ""
        self._context = authority.context(*names)

    def __enter__(self) -> Self:
        super().__enter__()
        self.secure_issuer_url = self._servers.enter_context(serve(self.issuer.app, self._context))
        self.secure_aws_url = self._servers.enter_context(serve(self._aws.app, self._context))
        return self


@contextmanager
def serve(app: WSGIApplication, context: ssl.SSLContext) -> Iterator[str]:
    """`app` over TLS on a free port of 127.0.0.1, by its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    # Not by make_server: then the thread that accepts would shake hands too, and wait for a client that does not.
    server.ssl_context = context
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with serving(server):
        yield f"https://127.0.0.1:{server.port}"


class _Quiet(WSGIRequestHandler):
    """Says nothing: not of requests, and not of clients that do not trust us, which is theirs to say."""

    def log(self, *_: object) -> None:
        pass


_SIGNS_CERTIFICATES = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=False,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    begins: timedelta = timedelta(hours=-1),
    ends: timedelta = timedelta(days=1),
) -> x509.CertificateBuilder:
    """What RFC 5280 wants in every certificate, and OpenSSL's strict mode with it."""
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
