"""What infra/README.md tells its reader to type is what the template and the module take."""

import re
from pathlib import Path

import hcl2
from tests.infra.cloudformation import load, template
from tests.infra.terraform import module
from tests.infra.variants import variables

README = (Path(__file__).parents[2] / "infra" / "README.md").read_text()


def test_every_parameter_is_there():
    assert [name for name in load()["Parameters"] if f"`{name}`" not in README] == []


def test_the_table_pairs_each_parameter_with_its_variable():
    rows = re.findall(r"^\| (`[A-Z].*?`) \| (`.*?`) \|", README, re.MULTILINE)
    parameters, names = (re.findall(r"`(\w+)`", " ".join(column)) for column in zip(*rows, strict=True))

    assert list(variables(dict.fromkeys(parameters, "0"))) == names


def test_both_ways_make_the_same():
    typed = re.search(r"--parameter-overrides (.*?)\naws", README, re.DOTALL)[1]
    parameters = dict(re.findall(r"(\w+)=(\S+)", typed))
    (block,) = hcl2.loads(re.search(r"```hcl\n(.*?)```", README, re.DOTALL)[1])["module"]
    written = {name: value for name, value in block['"github_actions"'].items() if not name.startswith("__")}
    assert written.pop("source") == '"./infra/terraform"'

    assert module(**unquoted(written)) == template(**parameters)


def unquoted(value):
    if isinstance(value, dict):
        return {name: unquoted(one) for name, one in value.items()}
    return [unquoted(one) for one in value] if isinstance(value, list) else value.strip('"')
