"""Values in messages: visible, on one line, and not too long; and the limits of what is shown."""

from __future__ import annotations

import re
from collections.abc import Iterable

MOST_OF_VALUE = 4_096
"""Characters of one value, such as a claim or AWS's message.

The runner cuts the message of a whole annotation at as many (`ExecutionContext.cs` in actions/runner); the log and the
summary show the rest.
"""

MOST_OF_TEXT = 16_384
"""Characters of a line of the log, or of one of the three texts of an error."""

MOST_OF_ANNOTATION = 65_536
"""Characters of an annotation, which is one line of the log: all three texts of an error, and more."""

MOST_OF_PAGE = 1_000_000
"""Bytes of what a step adds to the job's summary.

GitHub takes 1 MiB ("Workflow commands for GitHub Actions", "Step isolation and limits"), and shows nothing of more.
"""

_MOST_QUOTED = 2_048
# Letters and marks that Python takes for printable, but that have no shape: fillers, selectors, an empty pattern.
_BLANK = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# JSON Web Tokens, tokens of GitHub, private keys. An ID of an access key is not a secret.
_TOKEN = re.compile(r"eyJ[\w-]{8}|gh[a-z]_\w{16}|github_pat_|PRIVATE KEY", re.ASCII)
_BASE64 = re.compile(r"[A-Za-z0-9/+]{40,}")
_SPELT_OUT = re.compile(r"\\(?:[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
_CUT = re.compile(r"\(cut: \d+ characters in all\)\Z", re.ASCII)


def quoted(text: str) -> str:
    """The text in quotes, or only its length if it is long or looks like a secret.

    A part of it is never shown: the runner masks a secret that is whole, and not a part of one.
    """
    if len(text) > _MOST_QUOTED or looks_secret(text):
        return f"a value of {len(text)} characters"
    return repr(text)


def looks_secret(text: str) -> bool:
    """True if a part of the text has the form of a secret access key, a session token or another token.

    A user may have put a secret into the wrong input, and the runner masks only what it knows to be a secret. AWS's
    keys and session tokens are base64, from 40 characters on; a name of a resource in an ARN can have that form too.
    """
    runs = () if text.startswith("arn:") else _BASE64.findall(text)
    # A commit's hash, or a path in lower case, has letters of one case only.
    return _TOKEN.search(text) is not None or any(run not in {run.lower(), run.upper()} for run in runs)


def visible(text: str) -> str:
    """The text without characters that end its line, steer a terminal, or cannot be seen: they are spelt out."""
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
    return _BLANK.sub(lambda found: ascii(found[0])[1:-1], text)


def shown(text: str, most: int = MOST_OF_VALUE) -> str:
    """The text on one line, visible, and cut if it is longer than this.

    It is cut at a space only: a key, a token, an ARN or an account id has none, so no part of one is left, which the
    runner would not mask.
    """
    line = visible(text[: most + 1])
    if len(line) <= most:
        return line
    head = line[:most].rpartition(" ")[0]
    return f"{head}{' ... ' if head else ''}(cut: {len(text)} characters in all)"


def was_changed(text: str) -> bool:
    """True if `shown` may have cut the text or written a character as an escape."""
    return (_CUT.search(text) or _SPELT_OUT.search(text)) is not None


def joined(lines: Iterable[str], most: int = MOST_OF_TEXT) -> str:
    """The lines, each visible, as one text, which ends with how many are left out if it would be longer than this.

    Only the caller's own lines are lines of the text: a line break in a value is spelt out.
    """
    lines = list(lines)
    kept: list[str] = []
    left = most
    for number, line in enumerate(lines):
        if left <= 0:
            kept.append(f"... (cut: {len(lines) - number} more lines)")
            break
        kept.append(shown(line, left))
        left -= len(kept[-1]) + 1
    return "\n".join(kept)
