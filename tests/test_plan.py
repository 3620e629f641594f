import pytest

from py_aws_oidc.inputs import Inputs, InvalidInputs
from py_aws_oidc.plan import Plan, Source, plan

ROLE = {"ROLE-TO-ASSUME": "arn:aws:iam::123456789012:role/deploy"}
KEYS = {"AWS-ACCESS-KEY-ID": "AKIA", "AWS-SECRET-ACCESS-KEY": "s"}
FILE = {"WEB-IDENTITY-TOKEN-FILE": "token"}
CHAINING = {"ROLE-CHAINING": "true"}
SKIP = {"FORCE-SKIP-OIDC": "true"}


def planned(given: dict[str, str], *, id_token_offered: bool = True) -> Plan:
    inputs = Inputs.read(
        {"INPUT_AWS-REGION": "us-east-1"} | {f"INPUT_{name}": text for name, text in given.items()}
    )
    return plan(inputs, id_token_offered=id_token_offered)


@pytest.mark.parametrize(
    ("given", "source"),
    [
        (ROLE, Source.ID_TOKEN),
        (ROLE | FILE, Source.TOKEN_FILE),
        (ROLE | FILE | KEYS, Source.TOKEN_FILE),
        (ROLE | KEYS, Source.KEYS),
        (ROLE | KEYS | CHAINING, Source.KEYS),
        (ROLE | KEYS | SKIP, Source.KEYS),
        (KEYS, Source.KEYS),
        (ROLE | CHAINING, Source.ENVIRONMENT),
        (ROLE | SKIP, Source.ENVIRONMENT),
        ({}, Source.ENVIRONMENT),
    ],
    ids=str,
)
def test_the_inputs_decide_where_a_run_starts_from(given, source):
    assert planned(given).source is source


def test_without_an_id_token_a_run_starts_from_the_environment_and_knows_why():
    assert planned(ROLE, id_token_offered=False) == Plan(Source.ENVIRONMENT, id_token_is_missing=True)


@pytest.mark.parametrize("given", [{}, ROLE | CHAINING, ROLE | SKIP], ids=str)
def test_an_id_token_that_nobody_wants_is_not_missing(given):
    assert planned(given, id_token_offered=False) == Plan(Source.ENVIRONMENT)


def test_an_id_token_does_not_go_with_a_bare_role_name():
    with pytest.raises(InvalidInputs, match="must be an ARN"):
        planned({"ROLE-TO-ASSUME": "deploy"})
