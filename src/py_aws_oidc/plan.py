"""Choice of the source of identity; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from py_aws_oidc.inputs import Inputs, InvalidInputs
from py_aws_oidc.reading import RoleName


class Source(Enum):
    """Where the first identity of a run comes from."""

    ID_TOKEN = "the job's ID token"  # noqa: S105 - a sentence
    TOKEN_FILE = "the web identity token file"  # noqa: S105 - a sentence
    KEYS = "the keys given as inputs"
    ENVIRONMENT = "the credentials of the job's environment"


@dataclass(frozen=True)
class Plan:
    """The source and why it was chosen, and whether it is not the ID token only because the job cannot get one."""

    source: Source
    id_token_is_missing: bool = False
    why: str = field(default="", compare=False)


def plan(inputs: Inputs, *, id_token_offered: bool) -> Plan:
    """Choose the source, in the order of the action that this one replaces.

    Raises InvalidInputs when the role is a bare name, and nothing says in which account it is.
    """
    if inputs.web_identity_token_file:
        return Plan(Source.TOKEN_FILE, why="web-identity-token-file is set")
    if inputs.aws_access_key_id:
        return Plan(Source.KEYS, why="aws-access-key-id is set")
    if not inputs.role_to_assume:
        return Plan(Source.ENVIRONMENT, why="role-to-assume is not set")
    if inputs.role_chaining or inputs.force_skip_oidc:
        name = "role-chaining" if inputs.role_chaining else "force-skip-oidc"
        return Plan(Source.ENVIRONMENT, why=f"{name} is true")
    if not id_token_offered:
        return Plan(Source.ENVIRONMENT, id_token_is_missing=True, why="the job cannot get an ID token")
    if isinstance(inputs.role_to_assume, RoleName):
        raise InvalidInputs(["role-to-assume must be an ARN: an ID token does not name the account of the role"])
    return Plan(Source.ID_TOKEN, why="the job can get an ID token, and role-to-assume is set")
