import ast
import io
import re
from collections import Counter
from pathlib import Path

import pytest

import py_aws_oidc
from py_aws_oidc.explain.causes import CAUSES
from py_aws_oidc.failure import Failure
from sandbox import troubleshooting

PAGE = Path(__file__).parent.parent / "docs" / "troubleshooting.md"
SOURCES = sorted(Path(py_aws_oidc.__file__).parent.rglob("*.py"))
# The name of a cause, which is known at run time only.
EXPLAINED = "first.name"


def constructions() -> list[tuple[str, ast.Call]]:
    """Each place where a failure is made or gets another name, with its file."""
    return [(path.name, call) for path in SOURCES for call in calls(ast.parse(path.read_text()))]


def calls(tree: ast.AST) -> list[ast.Call]:
    families = {"Failure"}
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    members = [node for node in classes if families & {ast.unparse(base) for base in node.bases}]
    supers = [
        node
        for member in members
        for node in ast.walk(member)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__"
    ]
    made = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (ast.unparse(node.func) == "Failure" or (ast.unparse(node.func).endswith(".replaced") and name(node)))
    ]
    return supers + made


def name(call: ast.Call) -> str:
    """The name that a failure gets there, as it is written; empty without one."""
    return next((ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg == "name"), "")


NAMES = {ast.literal_eval(name(call)) for _, call in constructions() if name(call) not in {"", EXPLAINED}}


def test_the_page_says_what_the_code_says_now():
    out = io.StringIO()
    troubleshooting.main(out)

    assert PAGE.read_text() == out.getvalue(), "run `make docs`"


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name)
def test_each_cause_has_its_place_under_its_symptom(cause):
    _, _, below = PAGE.read_text().partition(f"\n## {cause.symptom.title}\n")
    section, _, _ = below.partition("\n## ")

    assert section.count(f"\n### {cause.title.split('$')[0]}") == 1


@pytest.mark.parametrize("call", [pytest.param(call, id=f"{file}:{call.lineno}") for file, call in constructions()])
def test_each_failure_has_a_name(call):
    assert name(call) == EXPLAINED or re.fullmatch("'[a-z]+(-[a-z]+)*'", name(call))


def test_a_failure_cannot_be_made_without_a_name():
    with pytest.raises(TypeError, match="name"):
        Failure("What.", why="Why.", fix="Fix.")


def test_each_failure_and_each_cause_has_one_section_and_each_section_is_of_one():
    anchors = Counter(re.findall(r'^<a id="(.*)"></a>$', PAGE.read_text(), re.MULTILINE))

    assert anchors == Counter([*NAMES, *(cause.name for cause in CAUSES)])


def test_each_anchor_stands_right_before_its_heading():
    text = PAGE.read_text()

    assert len(re.findall(r'^<a id=".*"></a>\n\n### .', text, re.MULTILINE)) == text.count("<a id=")


@pytest.mark.parametrize("name", sorted(NAMES))
def test_the_link_of_a_failure_leads_to_its_section(name):
    page, _, anchor = Failure("What.", name=name, why="Why.", fix="Fix.").link.partition("#")

    assert page.endswith(f"/docs/{PAGE.name}")
    assert f'<a id="{anchor}"></a>' in PAGE.read_text()
