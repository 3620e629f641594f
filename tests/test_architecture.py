"""`lint-imports` (in `make check`) must fail for an import that breaks a rule of the architecture."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

BREAKS = {
    "aws imports github": ("aws/tags.py", "from py_aws_oidc.github import context"),
    "github imports aws": ("github/context.py", "from py_aws_oidc.aws import arn"),
    "a lower layer imports a higher one": ("network.py", "from py_aws_oidc import action"),
    "a pure module reads the environment": ("plan.py", "import os"),
    "a pure module reads the environment inside a function": ("explain/claims.py", "def f():\n    import os"),
    "a second module imports boto3": ("signin.py", "import boto3"),
    "a second module imports requests": ("aws/arn.py", "import requests"),
    "the action imports the sandbox": ("action.py", "import sandbox.world"),
    "a way to export imports another one": ("export/outputs.py", "from py_aws_oidc.export import variables"),
    "a module in no layer": ("new_module.py", ""),
    "a module of exports in no layer": ("export/new_module.py", ""),
}


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def copy_of_the_project(root: Path) -> Path:
    shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def test_the_project_keeps_its_rules(tmp_path):
    result = lint_imports(copy_of_the_project(tmp_path))
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(("file", "line"), BREAKS.values(), ids=BREAKS)
def test_an_import_that_breaks_a_rule_is_an_error(file, line, tmp_path):
    module = copy_of_the_project(tmp_path) / "src" / "py_aws_oidc" / file
    with module.open("a") as source:
        source.write(f"\n{line}\n")
    assert lint_imports(tmp_path).returncode == 1
