"""What the token says, for a person to compare with a trust policy; pure.

The claims are those of GitHub's "OpenID Connect reference" that AWS can look at, or that explain those.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

SHOWN = (
    "iss",
    "aud",
    "sub",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "ref",
    "environment",
    "event_name",
    "job_workflow_ref",
    "runner_environment",
)


def lines(claims: Mapping[str, Any], now: datetime) -> list[str]:
    """One line a claim, and how many seconds the token is still good; never the token."""
    width = max(map(len, SHOWN))
    said = [f"{name:<{width}}  {claims.get(name, '(not in the token)')}" for name in SHOWN]
    return [*said, f"{'expires':<{width}}  in {claims['exp'] - now.timestamp():.0f} s"]
