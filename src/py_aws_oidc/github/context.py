"""The run we are in, as far as the runner's variables and the event's payload tell.

Sources: GitHub's "Variables reference", "Webhook events and payloads" and "Troubleshooting Dependabot on
GitHub Actions".
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

_DEPENDABOT = "dependabot[bot]"


@dataclass(frozen=True)
class Context:
    """Who started the run, and from where."""

    from_fork: bool
    from_dependabot: bool

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables and the event; an event that cannot be read is one that tells nothing."""
        event = _event(environ.get("GITHUB_EVENT_PATH", ""))
        # pull_request_target runs in the base repository with its rights, wherever the branch lies.
        asks_for_pull = environ.get("GITHUB_EVENT_NAME", "").startswith("pull_request")
        trusted = environ.get("GITHUB_EVENT_NAME") == "pull_request_target"
        pull_request = _table(event, "pull_request")
        head = _table(_table(pull_request, "head"), "repo").get("full_name")
        base = _table(_table(pull_request, "base"), "repo").get("full_name", environ.get("GITHUB_REPOSITORY"))
        return cls(
            # A fork that was deleted since leaves the head without a repository.
            from_fork=bool(asks_for_pull and not trusted and pull_request and head != base),
            from_dependabot=_DEPENDABOT in (environ.get("GITHUB_ACTOR"), _table(event, "sender").get("login")),
        )


def _event(path: str) -> Mapping[str, Any]:
    try:
        # A pipe or a device in its place has no end.
        event = json.loads(Path(path).read_bytes()) if os.path.isfile(path) else {}  # noqa: PTH113 - a Path may raise
    except (OSError, ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _table(of: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = of.get(key)
    return value if isinstance(value, dict) else {}
