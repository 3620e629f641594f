"""The README says what the tables of the code say."""

from dataclasses import fields
from pathlib import Path

import pytest

from py_aws_oidc.aws.errors import CODES
from py_aws_oidc.failure import Retryability
from py_aws_oidc.inputs import Inputs, name
from py_aws_oidc.retry import POLICIES
from sandbox import texts

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
LINES = README.splitlines()


def test_the_tables_are_those_of_the_code():
    assert texts.readme(README) == README


def test_a_table_of_another_text_is_replaced():
    old = README.replace(f"| `{name(fields(Inputs)[1])}` |", "| `gone` |")

    assert old != README
    assert texts.readme(old) == README


def test_the_page_of_differences_is_that_of_the_code():
    assert (ROOT / "docs/differences.md").read_text() == texts.differences()


def test_all_files_are_written_in_a_folder(tmp_path):
    (tmp_path / "docs").mkdir()
    for path in ("README.md", "action.yml"):
        (tmp_path / path).write_bytes((ROOT / path).read_bytes())

    assert texts.main(tmp_path) == 0
    for path in ("README.md", "action.yml", "docs/differences.md"):
        assert (tmp_path / path).read_bytes() == (ROOT / path).read_bytes()


def retry_row(kind: Retryability) -> str:
    codes = [
        f"`{row.code}`{f' ({row.message})' if row.message else ''}" for row in CODES if row.retryability is kind
    ]
    examples = "; ".join([POLICIES[kind].examples, *([", ".join(codes)] if codes else [])])
    return f"| {kind.value} | {examples} | {POLICIES[kind].action} |"


def test_every_kind_of_error_is_there():
    start = LINES.index("| kind of error | examples | what the action does |")

    assert LINES[start + 2 : start + 2 + len(Retryability)] == [retry_row(kind) for kind in Retryability]


@pytest.mark.parametrize("command", ["make demo", "make test", "make check", "make image"])
def test_the_commands_of_the_readme_are_targets_of_make(command):
    assert any(
        line.startswith(f"{command.removeprefix('make ')}:")
        for line in (ROOT / "Makefile").read_text().splitlines()
    )
