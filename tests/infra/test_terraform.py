"""The module says what the template says, for the same variables.

No provider can be had offline, so the module is evaluated by tests/infra/terraform.py; where there is a terraform
program, it evaluates what needs no provider, and must come to the same.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.infra.cloudformation import load, template
from tests.infra.stack import RefusedError
from tests.infra.terraform import MODULE, module
from tests.infra.variants import REFUSED, VARIANTS, variables

PROGRAM = shutil.which("terraform")
needs_terraform = pytest.mark.skipif(PROGRAM is None, reason="no terraform program here")


@pytest.mark.parametrize("name", VARIANTS)
def test_the_module_makes_what_the_template_makes(name):
    assert module(**variables(VARIANTS[name])) == template(**VARIANTS[name])


@pytest.mark.parametrize("name", REFUSED)
def test_the_module_refuses_what_the_template_refuses(name):
    variant, said = REFUSED[name]

    with pytest.raises(RefusedError, match=said.replace("*", r"\*")):
        module(**variables(variant))


@pytest.mark.parametrize("what", ["Branch", "Tag", "Environment"])
@given(value=st.text(min_size=1, max_size=20))
@example(value='main", "repo:*')
@example(value="${aws:username}")
@example(value="main\n")
@example(value="\\u0022")
def test_whatever_is_typed_stays_within_its_subject_or_is_refused(what, value):
    typed = {"Owner": "octo-org", "Repository": "octo-repo", what: value}
    form = {"Branch": "ref:refs/heads/{}", "Tag": "ref:refs/tags/{}", "Environment": "environment:{}"}[what]
    try:
        stack = template(**typed)
    except RefusedError:
        with pytest.raises(RefusedError):
            module(**variables(typed))
    else:
        (statement,) = stack.role.trust["Statement"]
        (subjects,) = statement["Condition"]["StringLike"].values()
        assert subjects == [f"repo:octo-org/octo-repo:{form.format(value)}"]
        assert module(**variables(typed)) == stack


@pytest.mark.parametrize("seconds", [3599, 43201])
def test_a_session_that_iam_would_not_take_is_refused(seconds):
    with pytest.raises(RefusedError, match="3600 to 43200"):
        module(**variables(VARIANTS["branch"]), max_session_duration=seconds)


@pytest.mark.parametrize("name", ["branch", "tag", "environment", "owner_id", "role_name"])
def test_a_blank_text_is_not_taken_for_null(name):
    with pytest.raises(RefusedError, match=name):
        module(**variables(VARIANTS["branch"]) | {name: ""})


def test_the_module_has_the_variables_of_the_template():
    declared = re.findall(r'^variable "(\w+)"', (MODULE / "variables.tf").read_text(), re.MULTILINE)

    assert declared == list(variables(dict.fromkeys(load()["Parameters"], "0")))


def test_the_module_leaves_the_choice_of_account_and_region_to_its_user():
    assert not any(re.search(r"^provider\b", path.read_text(), re.MULTILINE) for path in MODULE.glob("*.tf"))


@needs_terraform
@pytest.mark.parametrize("name", VARIANTS)
def test_terraform_itself_comes_to_the_same_policy(name, tmp_path):
    stack = template(**VARIANTS[name])
    lay_out(tmp_path, VARIANTS[name], stack.provider_arn)

    done = terraform("console", folder=tmp_path, stdin="jsonencode(local.trust)\n")

    assert json.loads(json.loads(done.stdout)) == stack.role.trust


# These three are preconditions of the role, which needs the provider.
@needs_terraform
@pytest.mark.parametrize("name", sorted(REFUSED.keys() - {"nobody", "one id", "the other id"}))
def test_terraform_itself_refuses_the_same(name, tmp_path):
    variant, said = REFUSED[name]
    lay_out(tmp_path, variant)

    done = terraform("plan", "-input=false", "-no-color", folder=tmp_path)

    assert done.returncode == 1
    assert said in " ".join(done.stderr.split())


@needs_terraform
def test_terraform_itself_finds_nothing_to_format():
    done = terraform("fmt", "-check", "-diff", "-recursive", folder=MODULE)

    assert (done.returncode, done.stdout) == (0, "")


def lay_out(folder: Path, variant: dict[str, str], provider_arn: str = "") -> None:
    """The module without what needs the provider, and the variant's values."""
    for file in ("variables.tf", "trust.tf"):
        shutil.copy(MODULE / file, folder)
    (folder / "main.tf").write_text(f'locals {{\n  provider_arn = "{provider_arn}"\n}}\n')
    given = {name: value for name, value in variables(variant).items() if name != "region"}
    (folder / "terraform.tfvars.json").write_text(json.dumps(given))


def terraform(*arguments: str, folder: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A run of the program, which asks nobody for anything."""
    return subprocess.run(
        [PROGRAM, *arguments],
        cwd=folder,
        input=stdin,
        env={"HOME": str(folder), "CHECKPOINT_DISABLE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("path", sorted(MODULE.glob("*.tf")), ids=lambda path: path.name)
def test_the_module_is_formatted_as_terraform_fmt_does(path):
    text = path.read_text()
    lines = text.split("\n")

    assert text.endswith("}\n")
    assert "\t" not in text
    assert not re.search(r"[ \t]$|\n\n\n|\{\n\n|\n\n *\}", text, re.MULTILINE)
    assert badly_indented(lines) == []
    assert misaligned(lines) == []


def badly_indented(lines: list[str]) -> list[str]:
    """The lines that do not stand two blanks in for each bracket that is open; what is in a heredoc is free."""
    wrong, depth, heredoc = [], 0, ""
    for line in lines:
        bare = line.strip()
        if heredoc:
            heredoc = "" if bare == heredoc else heredoc
            continue
        code = re.sub(r'"(?:\\.|[^"\\])*"|#.*', "", bare)
        closed = len(re.match(r"[\])}]*", code)[0])
        if bare and line != "  " * (depth - bool(closed)) + bare:
            wrong.append(line)
        # Brackets that are opened in one line are closed in one line, and count as one.
        opened = len(re.findall(r"[\[({]", code)) - len(re.findall(r"[\])}]", code))
        depth += (opened > 0) - (opened < 0)
        if found := re.search(r"<<-(\w+)$", code):
            heredoc = found[1]
    return wrong


def misaligned(lines: list[str]) -> list[list[str]]:
    """The runs of arguments, one a line, whose equals signs do not stand in one column."""
    runs: list[list[str]] = [[]]
    for line in lines:
        argument = re.match(r"( *)([\w\"${}.:]+?) +=(?= )", line)
        if argument and not re.search(r"[\[({]$", line) and (not runs[-1] or indent(runs[-1][0]) == indent(line)):
            runs[-1].append(line)
        else:
            runs.append([])
    return [run for run in runs if len({line.index(" = ") for line in run}) > 1]


def indent(line: str) -> int:
    return len(line) - len(line.lstrip())
