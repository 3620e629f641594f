"""Choice of the source of identity; pure."""

from __future__ import annotations

from dataclasses import dataclass
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
    """The source, and whether the ID token would have been it if the job could get one."""

    source: Source
    id_token_is_missing: bool = False


def plan(inputs: Inputs, *, id_token_offered: bool) -> Plan:
    """Choose the source, in the order of the action that this one replaces.

    Raises InvalidInputs when the role is a bare name, and nothing says in which account it is.
    """
    if inputs.web_identity_token_file:
        return Plan(Source.TOKEN_FILE)
    if inputs.aws_access_key_id:
        return Plan(Source.KEYS)
    wants_id_token = bool(inputs.role_to_assume) and not (inputs.role_chaining or inputs.force_skip_oidc)
    if not (wants_id_token and id_token_offered):
        return Plan(Source.ENVIRONMENT, id_token_is_missing=wants_id_token)
    if isinstance(inputs.role_to_assume, RoleName):
        raise InvalidInputs(["role-to-assume must be an ARN: an ID token does not name the account of the role"])
    return Plan(Source.ID_TOKEN)
