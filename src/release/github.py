"""The release on GitHub, by its own command gh: a draft with its assets first, then published and immutable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from release import programs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from release.registry import Image
    from release.versions import Version


def publish(repository: str, version: Version, notes: str, assets: Sequence[Path]) -> None:
    """Publish a release. Assets cannot be added to an immutable one, so they are there before it is published.

    (GitHub: "Using immutable releases and tags to manage your action's releases".)
    """
    where = ("--repo", repository)
    seen = programs.call("gh", "release", "view", version.tag, "--json", "isDraft", *where)
    if seen.returncode == 0:
        if not json.loads(seen.stdout)["isDraft"]:
            return
        programs.run("gh", "release", "delete", version.tag, "--yes", *where)  # of an earlier try: maybe incomplete
    programs.run(
        *("gh", "release", "create", version.tag, "--draft", "--verify-tag", "--title", str(version)),
        *("--notes-file", "-", *where, *map(str, assets)),
        stdin=notes,
    )
    programs.run("gh", "release", "edit", version.tag, "--draft=false", *where)


def verify_provenance(repository: str, image: Image) -> None:
    """Check that the release workflow of the repository built the image (SLSA provenance, by gh)."""
    programs.run(
        *("gh", "attestation", "verify", f"oci://{image.by_digest}", "--repo", repository),
        *("--signer-workflow", f"{repository}/.github/workflows/release.yml", "--source-ref", "refs/heads/main"),
        fix="gh must be 2.49 or newer, and logged in (gh auth login). If it is, do not use this image: ask the "
        "repository's maintainers who made it.",
    )
