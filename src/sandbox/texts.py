"""`python -m sandbox texts`: write the inputs and outputs into action.yml, the README and docs/differences.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from py_aws_oidc.env_policy import TABLE
from py_aws_oidc.export.outputs import OUTPUTS
from py_aws_oidc.inputs import Inputs, name


def main(root: Path) -> int:
    """Write the texts of the tables into the files below a folder."""
    for path, rewrite in ((root / "action.yml", action_yml), (root / "README.md", readme)):
        path.write_text(rewrite(path.read_text()))
    (root / "docs/differences.md").write_text(differences())
    return 0


def action_yml(text: str) -> str:
    """Replace all between the lines `inputs:` and `runs:`."""
    block = "".join(
        ["inputs:\n", *map(_input_entry, fields(Inputs)), "outputs:\n"]
        + [f"  {output}:\n    description: {_scalar(about)}\n" for output, about in OUTPUTS.items()]
    )
    return re.sub(r"^inputs:\n.*(?=^runs:)", lambda _: block, text, count=1, flags=re.MULTILINE | re.DOTALL)


def readme(text: str) -> str:
    """Replace the first table below each of the three headings."""
    text = _with_table(text, "Inputs", ("input", "meaning", "variable"), map(_input_row, fields(Inputs)))
    outputs = ((f"`{output}`", about) for output, about in OUTPUTS.items())
    text = _with_table(text, "Outputs", ("output", "meaning"), outputs)
    return _with_table(text, "Environment variables", ("variables", "used", "why"), _variable_rows())


def differences() -> str:
    """Make the page of the differences from configure-aws-credentials, input by input."""
    rows = ((f"`{name(row)}`", row.metadata["differs"]) for row in fields(Inputs) if row.metadata.get("differs"))
    return f"{_DIFFERENCES}\n{_table(('input', 'difference'), rows)}"


def _input_entry(row: Field[Any]) -> str:
    required = row.default is MISSING
    default = row.metadata.get("default")
    return (
        f"  {name(row)}:\n"
        f"    description: {_scalar(row.metadata['about'])}\n"
        f"    required: {'true' if required else 'false'}\n"
    ) + (f"    default: {default}\n" if default else "")


def _scalar(text: str) -> str:
    """The text as YAML: plain where it can be, else in double quotes, which are those of JSON."""
    return json.dumps(text) if ": " in text or " #" in text else text


def _input_row(row: Field[Any]) -> tuple[str, ...]:
    required = " (required)" if row.default is MISSING else ""
    default = f" Default: `{row.metadata['default']}`." if row.metadata.get("default") else ""
    variable = f"`{row.metadata['variable']}`" if row.metadata["variable"] else ""
    return f"`{name(row)}`{required}", f"{row.metadata['about']}{default}", variable


def _variable_rows() -> Iterator[tuple[str, ...]]:
    for row in TABLE:
        names = ", ".join(f"`{variable}`" for variable in row.names)
        yield names, f"{row.honored}{', with a warning' if row.warns else ''}", row.why


def _with_table(text: str, heading: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    pattern = rf"(^## {re.escape(heading)}\n(?:(?!\||#).*\n)*)(?:\|.*\n)+"
    return re.sub(pattern, lambda match: match[1] + _table(head, rows), text, count=1, flags=re.MULTILINE)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, ["---"] * len(head), *rows))


_DIFFERENCES = """\
# Differences from configure-aws-credentials

This action has every input and output of `aws-actions/configure-aws-credentials` v6.2.3. The table has the inputs that
are new or work in a different way. The values of all inputs are checked before the first call, and one that cannot be
valid is an error.
"""
