"""Markdown of texts that any user can have written, such as the name of a branch; pure.

What GitHub's "Flavored Markdown Spec" makes of a text must never be markup that stands in a value.
"""

from __future__ import annotations

import re

from py_aws_oidc.quoting import shown, visible

_CUT = "\n\n**The rest of this page was cut: GitHub shows at most 1 MiB of a step's summary.**"
# Where a row, a list item, a section or a folded block begins, outside of every block of code.
_BOUNDARY = re.compile(rb"\n(?=\n?(?:### |<details|\| |[0-9]+\. \*\*))")


def code(value: str) -> str:
    """The text as inline code, on one line, in a table too; cut if it is long."""
    # As an entity a character is never markup, neither of Markdown nor of HTML.
    return f"<code>{re.sub(r'[^0-9A-Za-z /-]', lambda found: f'&#{ord(found[0])};', shown(value))}</code>"


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


def cut(page: str, most: int) -> str:
    """The page, or the parts of it that fit into so many bytes, and a line that says that the rest was cut."""
    data = page.encode(errors="backslashreplace")
    if len(data) <= most:
        return page
    boundaries = [found.start() for found in _BOUNDARY.finditer(data, 0, max(0, most - len(_CUT)))]
    return f"{data[: boundaries[-1] if boundaries else 0].decode()}{_CUT}"
