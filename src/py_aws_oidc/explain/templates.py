"""The texts of a cause with the values of a run in them; pure.

A text has placeholders as `string.Template` has them, and its commands and other code between backticks. A placeholder
there is filled with one word for the shell, whatever the value is: users run these commands, and anyone
who can name a branch must not be able to add to them.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from string import Template

from py_aws_oidc.quoting import shown, visible

_MOST_OF_ARGUMENT = 1_000


def fill(
    text: str,
    values: Mapping[str, str],
    *,
    as_text: Callable[[str], str] = shown,
    as_code: Callable[[str], str] = "`{}`".format,
) -> str:
    """The text with these values; `as_text` writes a value, and `as_code` what is between backticks."""
    arguments = {name: argument(name, value) for name, value in values.items()}
    texts = {name: as_text(value) for name, value in values.items()}
    return "".join(
        as_code(Template(part).substitute(arguments)) if number % 2 else Template(part).substitute(texts)
        for number, part in enumerate(text.split("`"))
    )


def argument(name: str, value: str) -> str:
    """The value as one word of a shell's command, which is safe to copy.

    A value with invisible characters is not for copying, and a long one is not to be checked by eye: then its
    name is there in capitals.
    """
    if len(value) > _MOST_OF_ARGUMENT or visible(value) != value:
        return name.upper()
    return shlex.quote(value)
