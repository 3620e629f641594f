"""A certificate authority and a transparency log on loopback, which stand for Sigstore's Fulcio and Rekor.

They speak as much of the two protocols as `cosign sign` and `cosign verify` use. Fulcio checks the ID token against the
keys of the sandbox's issuer, and the proof that the caller has the private key; what it certifies is in a log of
certificates (RFC 6962) too. So cosign runs unchanged, with all of its checks.
"""

import hashlib
import json
import struct
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.issuer import GITHUB, signing_key
from sandbox.job import Job
from sandbox.proxy import serving
from sandbox.world import World

# Fulcio's own extensions (fulcio/docs/oid-info.md): the issuer, as plain text and as a UTF8String.
ISSUER_V1 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
ISSUER_V2 = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
TIMESTAMPS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def signed(key: ec.EllipticCurvePrivateKey, content: bytes) -> bytes:
    return key.sign(content, ec.ECDSA(SHA256()))


def der(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def pem(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@dataclass
class Sigstore:
    """The two services; `variables` make cosign trust them and ask the sandbox's issuer for an ID token."""

    root: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    certificates: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    log: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    entries: list[dict] = field(default_factory=list)
    url: str = ""

    def authority(self) -> x509.Certificate:
        """The root certificate."""
        name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "a Fulcio on loopback")])
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder(name, name, self.root.public_key(), 1)
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self.root, SHA256())
        )

    def certify(self, token: str, request: Mapping) -> tuple[str, str]:
        """The chain for the caller's key, if the ID token and the proof are right (Fulcio's /api/v1/signingCert)."""
        claims = jwt.decode(token, signing_key().public_key(), ["RS256"], audience="sigstore", issuer=GITHUB)
        content = b64decode(request["publicKey"]["content"])
        key = load_pem_public_key(content)
        proof = b64decode(request["signedEmailAddress"])
        key.verify(proof, claims["sub"].encode(), ec.ECDSA(SHA256()))
        authority, now = self.authority(), datetime.now(UTC)
        identity = f"https://github.com/{claims['job_workflow_ref']}"
        issuer = claims["iss"].encode()
        builder = (
            x509.CertificateBuilder(authority.subject, x509.Name([]), key, x509.random_serial_number())
            .not_valid_before(now - timedelta(seconds=1))
            .not_valid_after(now + timedelta(minutes=10))
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)]), critical=True)
            .add_extension(x509.UnrecognizedExtension(ISSUER_V1, issuer), critical=False)
            .add_extension(
                x509.UnrecognizedExtension(ISSUER_V2, b"\x0c" + bytes([len(issuer)]) + issuer), critical=False
            )
        )
        logged = self.timestamp(builder.sign(self.root, SHA256()).tbs_certificate_bytes, now)
        leaf = builder.add_extension(x509.UnrecognizedExtension(TIMESTAMPS, logged), critical=False)
        chain = (leaf.sign(self.root, SHA256()), authority)
        return "".join(one.public_bytes(Encoding.PEM).decode() for one in chain)

    def timestamp(self, certificate: bytes, now: datetime) -> bytes:
        """The list of one signed certificate timestamp (RFC 6962, 3.2 and 3.3), as the extension has it."""
        milliseconds = struct.pack(">Q", int(now.timestamp() * 1000))
        issuer = hashlib.sha256(der(self.root.public_key())).digest()
        entry = struct.pack(">H", 1) + issuer + struct.pack(">I", len(certificate))[1:] + certificate
        signature = signed(self.certificates, b"\0\0" + milliseconds + entry + b"\0\0")
        log = hashlib.sha256(der(self.certificates.public_key())).digest()
        one = b"\0" + log + milliseconds + b"\0\0\x04\x03" + struct.pack(">H", len(signature)) + signature
        listed = struct.pack(">HH", len(one) + 2, len(one)) + one
        return b"\x04" + (bytes([len(listed)]) if len(listed) < 128 else b"\x81" + bytes([len(listed)])) + listed

    def enter(self, proposed: Mapping) -> dict:
        """The entry of a signature in the log (Rekor's /api/v1/log/entries), with a promise that it is there."""
        body = b64encode(json.dumps(proposed, separators=(",", ":"), sort_keys=True).encode()).decode()
        entry = {
            "body": body,
            "integratedTime": int(datetime.now(UTC).timestamp()),
            "logID": hashlib.sha256(der(self.log.public_key())).hexdigest(),
            "logIndex": len(self.entries),
        }
        promise = signed(self.log, json.dumps(entry, separators=(",", ":"), sort_keys=True).encode())
        self.entries.append(entry)
        leaf = hashlib.sha256(b"\0" + b64decode(body)).hexdigest()
        proof = {"checkpoint": "", "hashes": [], "logIndex": 0, "rootHash": leaf, "treeSize": 1}
        verification = {"inclusionProof": proof, "signedEntryTimestamp": b64encode(promise).decode()}
        return {leaf: {**entry, "verification": verification}}

    def trusted(self, folder: Path) -> dict[str, str]:
        """The variables with which cosign trusts these services in place of Sigstore's."""
        files = {
            "SIGSTORE_ROOT_FILE": self.authority().public_bytes(Encoding.PEM),
            "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": pem(self.certificates.public_key()),
            "SIGSTORE_REKOR_PUBLIC_KEY": pem(self.log.public_key()),
        }
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return {name: str(folder / name) for name in files}


@contextmanager
def listening() -> Iterator[Sigstore]:
    """Let them listen on 127.0.0.1."""
    services = Sigstore()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path.endswith("/signingCert"):
                kind = "application/pem-certificate-chain"
                body = services.certify(self.headers["Authorization"].removeprefix("Bearer "), asked)
            else:
                kind, body = "application/json", json.dumps(services.enter(asked))
            self.send_response(201)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", f"{services.url}{self.path}/0")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    services.url = f"http://127.0.0.1:{server.server_port}"
    with serving(server):
        yield services


def in_job(world: World, job: Job) -> dict[str, str]:
    """The variables from which cosign knows that it runs in GitHub Actions, and asks for the job's ID token."""
    request = world.issuer.start(job)
    return {
        "GITHUB_ACTIONS": "true",
        "ACTIONS_ID_TOKEN_REQUEST_URL": request.url,
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": request.token,
    }
