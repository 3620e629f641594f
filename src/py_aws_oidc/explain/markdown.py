"""Markdown of texts that anybody may have written, such as the name of a branch; pure.

What GitHub's "Flavored Markdown Spec" makes of a text must never be markup that stands in a value.
"""

from __future__ import annotations

import re

from py_aws_oidc.quoting import visible


def code(value: str) -> str:
    """The text as inline code, on one line, in a table too."""
    # As an entity a character is never markup, neither of Markdown nor of HTML.
    return f"<code>{re.sub(r'[^0-9A-Za-z /-]', lambda found: f'&#{ord(found[0])};', visible(value))}</code>"


def text(words: str) -> str:
    """The words as they are, line by line."""
    words = "\n".join(map(visible, words.split("\n")))
    # At the beginning of a line a hyphen makes a list.
    escaped = re.sub(r"[^0-9A-Za-z \n.,:;/()'-]|(?<![^\n])-", lambda found: f"&#{ord(found[0])};", words)
    indented = re.sub("^ +", lambda found: "&nbsp;" * len(found[0]), escaped, flags=re.MULTILINE)
    return indented.replace("\n", "<br>\n")


def fenced(block: str, language: str = "") -> str:
    """The text as a block of code, whatever stands in it."""
    longest = max((len(run) for run in re.findall("`+", block)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{block}\n{fence}"
