"""The README says what the tables of the code say."""

from dataclasses import MISSING, fields
from pathlib import Path

import pytest
import yaml

from py_aws_oidc.aws.errors import CODES
from py_aws_oidc.failure import Kind
from py_aws_oidc.inputs import Inputs, name
from py_aws_oidc.retry import LIMITS
from py_aws_oidc.surroundings import TABLE

ROOT = Path(__file__).parent.parent
LINES = (ROOT / "README.md").read_text().splitlines()
OUTPUTS = yaml.safe_load((ROOT / "action.yml").read_text())["outputs"]


def section(title: str) -> list[str]:
    """The rows of the table under a heading."""
    start = LINES.index(f"## {title}")
    table = [line for line in LINES[start + 1 :] if line.startswith(("|", "#"))]
    end = next((i for i, line in enumerate(table) if line.startswith("#")), len(table))
    return table[2:end]


def input_row(field) -> str:
    required = " (required)" if field.default is MISSING else ""
    default = f" Default: `{field.metadata['default']}`." if field.metadata.get("default") else ""
    variable = f"`{field.metadata['variable']}`" if field.metadata["variable"] else ""
    differs = field.metadata.get("differs", "")
    return f"| `{name(field)}`{required} | {field.metadata['about']}{default} | {variable} | {differs} |"


def test_every_input_is_there():
    assert section("Inputs") == [input_row(field) for field in fields(Inputs)]


def test_every_output_is_there():
    assert section("Outputs") == [f"| `{key}` | {OUTPUTS[key]['description']} |" for key in OUTPUTS]


def test_every_variable_that_was_decided_is_there():
    assert section("What the environment changes") == [
        f"| {', '.join(f'`{variable}`' for variable in row.names)} "
        f"| {row.heeded}{', with a warning' if row.said else ''} | {row.why} |"
        for row in TABLE
    ]


def retry_row(kind: Kind) -> str:
    codes = [f"`{row.code}`{f' ({row.message})' if row.message else ''}" for row in CODES if row.kind is kind]
    examples = "; ".join([LIMITS[kind].examples, *([", ".join(codes)] if codes else [])])
    return f"| {kind.value} | {examples} | {LIMITS[kind].what} |"


def test_every_kind_of_error_is_there():
    start = LINES.index("| the error | examples | what is done |")

    assert LINES[start + 2 : start + 2 + len(Kind)] == [retry_row(kind) for kind in Kind]


@pytest.mark.parametrize("command", ["make demo", "make test", "make check", "make image"])
def test_the_commands_of_the_readme_are_targets_of_make(command):
    assert any(
        line.startswith(f"{command.removeprefix('make ')}:")
        for line in (ROOT / "Makefile").read_text().splitlines()
    )
