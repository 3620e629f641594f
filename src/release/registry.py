"""A container registry: push by digest, look up, pull as a job does, and one on loopback for tests and rehearsals."""

from __future__ import annotations

import hashlib
import re
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from release import programs
from release.errors import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from release.layout import Layout

START_SECONDS = 30
# A registry knows no upper case in names (OCI Distribution Specification 1.1, "Pulling manifests").
_IMAGE = re.compile(
    r"([a-z0-9.-]+(?::\d+)?(?:/[a-z0-9][a-z0-9._-]*)+):(\w[\w.-]{0,127})@(sha256:[0-9a-f]{64})", re.ASCII
)
CONFIG = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}}}, delete: {{enabled: true}}}}
http: {{addr: "{address}"}}
{more}
"""


@dataclass(frozen=True)
class Image:
    """A repository of a registry, a tag and the digest that the tag must have."""

    name: str
    tag: str
    digest: str

    def __str__(self) -> str:
        return f"{self.name}:{self.tag}@{self.digest}"

    @property
    def by_digest(self) -> str:
        """The address by digest alone."""
        return f"{self.name}@{self.digest}"

    @classmethod
    def parse(cls, text: str) -> Image:
        """The image in `ghcr.io/org/name:1.2.3@sha256:...`."""
        if not (found := _IMAGE.fullmatch(text)):
            raise ReleaseError(
                f"'{text}' does not name an image by tag and digest.",
                why="The form is REGISTRY/NAME:VERSION@sha256:DIGEST: a name in lower case, and 64 hexadecimal digits.",
                fix="Copy the name from what `tools/release push` prints, or from the action.yml of a release.",
            )
        return cls(*found.groups())


def is_loopback(name: str) -> bool:
    """Whether a registry is on this machine, where it speaks plain HTTP."""
    return name.partition("/")[0].partition(":")[0] in {"127.0.0.1", "localhost"}


def _tls(name: str, option: str = "--tls-verify") -> list[str]:
    return [f"{option}=false"] if is_loopback(name) else []


def digest_of(reference: str) -> str | None:
    """The digest that a registry has under a reference; None if it has nothing there, or nothing for this caller.

    A registry that hides private images may deny access to what does not exist.
    """
    ended = programs.call("skopeo", "inspect", "--raw", *_tls(reference), f"docker://{reference}")
    if ended.returncode == 0:
        return f"sha256:{hashlib.sha256(ended.stdout.encode()).hexdigest()}"
    absent = ("manifest unknown", "name unknown", "not found", "denied", "unauthorized")
    if any(text in ended.stderr for text in absent):
        return None
    raise ReleaseError(
        f"The registry does not say what {reference} is.",
        why=ended.stderr.strip().splitlines()[-1] if ended.stderr.strip() else "skopeo printed nothing.",
        fix="Check the name and that the registry can be reached; a private package needs `skopeo login`. "
        "If the registry answers 429 or 5xx, run the same command again later.",
    )


def push(layout: Layout, image: Image) -> None:
    """Push the index with all its images. The tag of a release never changes."""
    if (there := digest_of(f"{image.name}:{image.tag}")) not in {None, image.digest}:
        raise ReleaseError(
            f"{image.name}:{image.tag} is already in the registry with the digest {there}.",
            why=f"The build has the digest {image.digest}, and the image of a version is never replaced.",
            fix="Release the next version.",
        )
    destination = f"docker://{image.name}:{image.tag}"
    programs.run(
        *("skopeo", "copy", "--all", "--preserve-digests", *_tls(image.name, "--dest-tls-verify")),
        *(f"oci:{layout.folder}", destination),
        fix="Check that the registry can be reached, and log in with `skopeo login`.",
    )
    if (found := digest_of(f"{image.name}:{image.tag}")) != image.digest:
        raise ReleaseError(
            f"The registry has {found} under {image.name}:{image.tag}, not {image.digest}.",
            why="Something else wrote to the tag, or changed the manifest on its way.",
            fix="Delete the tag in the registry and find out who writes to it.",
        )


def pull(image: Image) -> None:
    """Pull by tag and digest without login, as the runner does before a job's first step."""
    with tempfile.TemporaryDirectory() as nothing:
        programs.run(
            *("docker", "pull", "--quiet", str(image)),
            env={"DOCKER_CONFIG": nothing},
            fix="If the registry answers `denied` or `unauthorized`, make the package public. If the manifest is "
            "unknown or a layer fails verification, push the image again. If no Docker engine answers, start one.",
        )


def remove(image: Image) -> None:
    """Remove a pulled image from the engine, which knows it by its digest alone."""
    programs.call("docker", "image", "rm", image.by_digest)


@contextmanager
def serving(folder: Path, more: str = "") -> Iterator[str]:
    """Run Debian's docker-registry on a free port of 127.0.0.1 with its data in a folder; its host and port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    folder.mkdir(parents=True, exist_ok=True)
    config = folder.parent / f"{folder.name}.yml"
    config.write_text(CONFIG.format(folder=folder, address=address, more=more))
    with (folder.parent / f"{folder.name}.log").open("w+") as log:
        server = subprocess.Popen(  # noqa: S603 - no shell, and the program's full path
            [programs.find("docker-registry"), "serve", str(config)], stdout=log, stderr=log
        )
        try:
            _wait_for(address, server, Path(log.name))
            yield address
        finally:
            server.terminate()
            server.wait()


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(f"http://{address}/v2/", timeout=1).close()
        except urllib.error.HTTPError as error:
            error.close()
            return  # it answers, and wants a login
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise ReleaseError(
        "docker-registry did not start.",
        why=log.read_text()[-500:] or "It logged nothing.",
        fix="See its log above.",
    )
