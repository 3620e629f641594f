"""Signatures and signed bills of materials, by cosign: keyless in GitHub Actions, with a key on loopback."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from release import programs
from release.errors import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ISSUER = "https://token.actions.githubusercontent.com"
WORKFLOW = ".github/workflows/release.yml@refs/heads/main"


class Signer(Protocol):
    """Who signs: the options of cosign to sign with, and to verify."""

    @property
    def sign(self) -> list[str]:
        """The options of `cosign sign` and `cosign attest`."""
        ...

    @property
    def verify(self) -> list[str]:
        """The options of `cosign verify` and `cosign verify-attestation`."""
        ...


@dataclass(frozen=True)
class Keyless:
    """The release workflow of a repository: Fulcio certifies its ID token, Rekor logs the signature.

    The addresses are for a Sigstore of one's own; blank ones are the public good instance's.
    """

    repository: str
    fulcio: str = ""
    rekor: str = ""

    @property
    def identity(self) -> str:
        """The workflow, as the certificate names it."""
        return f"https://github.com/{self.repository}/{WORKFLOW}"

    @property
    def sign(self) -> list[str]:
        """No key: cosign asks the runner for an ID token."""
        fulcio = ["--fulcio-url", self.fulcio] if self.fulcio else []
        rekor = ["--rekor-url", self.rekor] if self.rekor else []
        return ["--yes", *fulcio, *rekor]

    @property
    def verify(self) -> list[str]:
        """The exact identity, not a pattern: this workflow file, on main."""
        rekor = ["--rekor-url", self.rekor] if self.rekor else []
        return ["--certificate-identity", self.identity, "--certificate-oidc-issuer", ISSUER, *rekor]


@dataclass(frozen=True)
class Key:
    """A pair of keys of `cosign generate-key-pair`; nothing is logged in public."""

    public: Path
    private: Path | None = None

    @property
    def sign(self) -> list[str]:
        """The private key, whose password is in COSIGN_PASSWORD."""
        if self.private is None:
            raise ReleaseError(
                "There is no private key.", why="Only the public key was given.", fix="Pass --key too."
            )
        return ["--yes", "--key", str(self.private), "--tlog-upload=false"]

    @property
    def verify(self) -> list[str]:
        """The public key."""
        return ["--key", str(self.public), "--insecure-ignore-tlog=true"]


def sign(name: str, digest: str, bills: Mapping[str, Path], signer: Signer) -> None:
    """Sign an index and its images, and attest the bill of materials of each image, by digest."""
    programs.run("cosign", "sign", "--recursive", *signer.sign, f"{name}@{digest}")
    for manifest, bill in bills.items():
        options = ("--type", "cyclonedx", "--predicate", str(bill))
        programs.run("cosign", "attest", *options, *signer.sign, f"{name}@{manifest}")


def verify_signature(name: str, digest: str, signer: Signer) -> None:
    """Check the signature of an index or image; ReleaseError if there is none, or only another's."""
    programs.run(
        *("cosign", "verify", *signer.verify, f"{name}@{digest}"),
        fix="Do not use this image. Ask the repository's maintainers who made it.",
    )


def attested_bill(name: str, manifest: str, signer: Signer) -> dict[str, Any]:
    """The bill of materials that is signed for an image; ReleaseError if there is none, or only another's."""
    said = programs.run(
        *("cosign", "verify-attestation", "--type", "cyclonedx", *signer.verify, f"{name}@{manifest}"),
        fix="Do not trust the bill of materials of this image. Ask the repository's maintainers who made it.",
    )
    envelope = json.loads(said.splitlines()[-1])
    bill: dict[str, Any] = json.loads(b64decode(envelope["payload"]))["predicate"]
    return bill
