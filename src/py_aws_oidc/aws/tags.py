"""Session tags that AssumeRole gets from the run.

Limits are those of the STS API Reference (Tag) and of the IAM User Guide ("Pass session tags in AWS STS").
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from py_aws_oidc.quoting import quoted

_KEY_LENGTH, _VALUE_LENGTH, _MOST = 128, 256, 50


@dataclass(frozen=True)
class Tag:
    """A tag that the action sets itself, from one of the runner's variables.

    A droppable one goes when AWS finds the session's tags and policies too large.
    """

    key: str
    variable: str
    droppable: bool = False


TAGS = (
    Tag("Repository", "GITHUB_REPOSITORY"),
    Tag("Workflow", "GITHUB_WORKFLOW"),
    Tag("Action", "GITHUB_ACTION"),
    Tag("Actor", "GITHUB_ACTOR"),
    Tag("Commit", "GITHUB_SHA"),
    Tag("Branch", "GITHUB_REF"),
    Tag("EventName", "GITHUB_EVENT_NAME", droppable=True),
    Tag("BaseRef", "GITHUB_BASE_REF", droppable=True),
    Tag("HeadRef", "GITHUB_HEAD_REF", droppable=True),
    Tag("RunId", "GITHUB_RUN_ID", droppable=True),
    Tag("Job", "GITHUB_JOB", droppable=True),
    Tag("TriggeringActor", "GITHUB_TRIGGERING_ACTOR", droppable=True),
)
_CONSTANT = {"GitHub": "Actions"}


def session_tags(
    environ: Mapping[str, str], custom: Mapping[str, str], *, with_droppable: bool = True
) -> dict[str, str]:
    """The session's tags; a variable that is not set leaves out its tag."""
    own = {
        tag.key: sanitised(environ[tag.variable])
        for tag in TAGS
        if environ.get(tag.variable) and (with_droppable or not tag.droppable)
    }
    return {**_CONSTANT, **own, **custom}


def transitive(keys: Iterable[str], tags: Mapping[str, str]) -> list[str]:
    """Those of the keys that there is a tag for: STS refuses others."""
    return [key for key in keys if key in tags]


def problems(custom: Mapping[str, str], environ: Mapping[str, str]) -> list[str]:
    """Problems with the tags of the user, each as a sentence."""
    # AWS treats keys that differ only in case as one key.
    own = {key.lower(): key for key in (*_CONSTANT, *(tag.key for tag in TAGS))}
    found = []
    for key, value in custom.items():
        if key.lower() in own:
            found.append(f"{quoted(key)} is a tag that the action sets ({own[key.lower()]})")
        if not 1 <= len(key) <= _KEY_LENGTH or sanitised(key) != key or key.lower().startswith("aws:"):
            found.append(
                f"{quoted(key)} is not a tag key: it must have 1 to {_KEY_LENGTH} letters, digits, spaces or _.:/=+-@, "
                "and not begin with aws:"
            )
        if sanitised(value) != value:
            found.append(
                f"the value of {quoted(key)} is not a tag value: it must have up to {_VALUE_LENGTH} letters, digits, "
                "spaces or _.:/=+-@"
            )
    others = len(session_tags(environ, {}))
    if others + len(custom) > _MOST:
        found.append(f"{len(custom)} tags and the {others} tags of the action are more than the maximum of {_MOST}")
    return found


def sanitised(text: str) -> str:
    """The text as a tag value: other characters become `_`, and it ends after 256 UTF-16 units."""
    allowed = "".join(
        character if unicodedata.category(character)[0] in "LZN" or character in "_.:/=+-@" else "_"
        for character in text
    )
    # A character beyond the 16 bits that the cut goes through is left out whole.
    return allowed.encode("utf-16-le")[: 2 * _VALUE_LENGTH].decode("utf-16-le", errors="ignore")
