"""Inputs of the action, typed and checked.

The fields of `Inputs` are the table of inputs: a row is the name, the type, the parser, the default, the help text, and
the environment variable for a blank input. `make docs` writes action.yml, the README and docs/differences.md from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Self, TypeVar, cast

from py_aws_oidc import reading
from py_aws_oidc.aws import tags
from py_aws_oidc.aws.arn import Role, partition_of
from py_aws_oidc.aws.credentials import Credentials
from py_aws_oidc.aws.endpoints import is_aws
from py_aws_oidc.failure import Failure
from py_aws_oidc.reading import RoleName
from py_aws_oidc.secret import Secret

T = TypeVar("T")


class InvalidInputs(Failure):
    """One or more inputs are invalid; `problems` has a sentence for each, and must not show `hidden`."""

    problems: list[str]

    def __init__(self, problems: list[str], hidden: Iterable[str] = ()) -> None:
        count = "1 input" if len(problems) == 1 else f"{len(problems)} inputs"
        super().__init__(
            f"{count} of this step cannot be used, so no call was made.",
            name="invalid-inputs",
            why=["", *(f"- {problem}" for problem in problems)],
            fix="correct the step's `with:` block in the workflow file. If a value comes from a secret or a "
            "variable, check that this job can read it: workflows for pull requests from forks and from Dependabot "
            "get no secrets of GitHub Actions.",
            hidden=tuple(Secret(text) for text in hidden),
        )
        vars(self).update(problems=problems)


def required(
    read: Callable[[str], T],
    about: str,
    *,
    variable: str = "",
    elsewhere: Callable[[str], T] | None = None,
) -> T:
    """Make the row of a required input."""
    metadata = {"read": read, "about": about, "variable": variable, "elsewhere": elsewhere}
    return cast("T", field(metadata=metadata))


def optional(  # noqa: PLR0913 - the columns of the table
    read: Callable[[str], T],
    default: T,
    about: str,
    *,
    written: str = "",
    variable: str = "",
    differs: str = "",
    elsewhere: Callable[[str], T] | None = None,
) -> T:
    """Make the row of an optional input.

    `written` is the default as action.yml writes it, `variable` the environment variable whose value is used for a
    blank input, and `differs` the difference from aws-actions/configure-aws-credentials. `elsewhere` is the parser that
    replaces `read` if the STS is not AWS's.
    """
    metadata = {
        "read": read,
        "default": written,
        "about": about,
        "variable": variable,
        "differs": differs,
        "elsewhere": elsewhere,
    }
    chosen: T = field(default=default, metadata=metadata)
    return chosen


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Values of the step's `with:` block."""

    aws_region: str = required(
        reading.region,
        "AWS Region where the role is assumed and where later steps work, for example us-east-1.",
        variable="AWS_REGION",
        elsewhere=reading.any_region,
    )
    role_to_assume: Role | RoleName | None = optional(
        reading.role,
        None,
        "ARN of the IAM role to assume, or its name if the role is in the account of the credentials used.",
        variable="ROLE_TO_ASSUME",
        differs="A role name is completed to an ARN in the partition of the region. An ARN is checked before any "
        "call.",
        elsewhere=reading.any_role,
    )
    audience: str = optional(
        reading.one_line,
        "sts.amazonaws.com",
        "Audience of the ID token. The identity provider in IAM must list it.",
        written="sts.amazonaws.com",
        variable="AUDIENCE",
    )
    role_session_name: str = optional(
        reading.role_session_name,
        "GitHubActions",
        "Session name, shown in CloudTrail and in the ARN of the assumed role (default: GitHubActions).",
        variable="ROLE_SESSION_NAME",
    )
    role_duration_seconds: int = optional(
        reading.duration_seconds,
        3600,
        "Duration of the session in seconds: 900 to 43200, up to the role's maximum session duration (default: 3600).",
        variable="ROLE_DURATION_SECONDS",
        differs="A value that is not a whole number from 900 to 43200 is an error.",
        elsewhere=reading.any_duration_seconds,
    )
    role_external_id: Secret | None = optional(
        reading.external_id,
        None,
        "External ID that the role's trust policy requires. Not used with an ID token.",
        variable="ROLE_EXTERNAL_ID",
    )
    role_skip_session_tagging: bool = optional(
        reading.boolean,
        False,
        "If true, set no session tags (default: false). Applies to AssumeRole only; an ID token has its own tags.",
        variable="ROLE_SKIP_SESSION_TAGGING",
        differs="A tag is left out if its GitHub variable is not set.",
    )
    transitive_tag_keys: tuple[str, ...] = optional(
        reading.lines,
        (),
        "Keys of session tags that are passed on to chained roles, one per line.",
        variable="TRANSITIVE_TAG_KEYS",
    )
    custom_tags: Mapping[str, str] | None = optional(
        reading.custom_tags,
        None,
        "Additional session tags, as a JSON object whose values are strings, numbers or booleans.",
        differs="Invalid tags are an error before any call, for every source of identity.",
    )
    inline_session_policy: str | None = optional(
        reading.policy,
        None,
        "Session policy (JSON) that limits what the session can do.",
        variable="INLINE_SESSION_POLICY",
    )
    managed_session_policies: tuple[str, ...] = optional(
        reading.policy_arns,
        (),
        "ARNs of managed policies that limit what the session can do, one per line.",
        variable="MANAGED_SESSION_POLICIES",
        elsewhere=reading.any_policy_arns,
    )
    aws_access_key_id: Secret | None = optional(
        reading.key,
        None,
        "Access key ID to use instead of an ID token.",
    )
    aws_secret_access_key: Secret | None = optional(
        reading.key,
        None,
        "Secret access key that belongs to aws-access-key-id.",
    )
    aws_session_token: Secret | None = optional(
        reading.key,
        None,
        "Session token that belongs to aws-access-key-id, if the credentials are temporary.",
    )
    web_identity_token_file: str | None = optional(
        reading.one_line,
        None,
        "File with a web identity token to use instead of the ID token. A relative path starts in the workspace.",
        variable="WEB_IDENTITY_TOKEN_FILE",
    )
    trust_policy_file: str | None = optional(
        reading.one_line,
        None,
        "File with the role's trust policy (JSON). If AWS refuses the ID token, the step names the condition that "
        "failed.",
        differs="This input is new.",
    )
    role_chaining: bool = optional(
        reading.boolean,
        False,
        "If true, assume the role with the credentials that the job already has (default: false).",
        variable="ROLE_CHAINING",
    )
    force_skip_oidc: bool = optional(
        reading.boolean,
        False,
        "If true, never use the ID token (default: false).",
        differs="With a role and no access key, the step assumes the role with the credentials that the job already "
        "has.",
    )
    use_existing_credentials: bool = optional(
        reading.boolean,
        False,
        "If true, keep the credentials that the job already has if AWS accepts them (default: false).",
        variable="USE_EXISTING_CREDENTIALS",
        differs="`false` means false. `allowed-account-ids` applies to existing credentials too, and the step "
        "warns if they are for another role than `role-to-assume`.",
    )
    unset_current_credentials: bool = optional(
        reading.boolean,
        False,
        "If true, clear the job's AWS credential and region variables first (default: false).",
        variable="UNSET_CURRENT_CREDENTIALS",
    )
    output_credentials: bool = optional(
        reading.boolean,
        False,
        "If true, also set the credentials as outputs of the step (default: false).",
        variable="OUTPUT_CREDENTIALS",
    )
    output_env_credentials: bool | None = optional(
        reading.boolean,
        None,
        "If true, export credentials and region as environment variables (default: true; false with aws-profile).",
        differs="The outputs for account, ARN and expiration are set in any case.",
    )
    aws_profile: str | None = optional(
        reading.profile,
        None,
        "Name of a profile to write to the shared config and credentials files.",
        differs="The profile works for later steps of every kind. Other parts of the files do not change. The end of "
        "the job removes the profile.",
    )
    overwrite_aws_profile: bool = optional(
        reading.boolean,
        False,
        "If true, replace an existing profile of the same name (default: false).",
        variable="OVERWRITE_AWS_PROFILE",
    )
    mask_aws_account_id: bool = optional(
        reading.boolean,
        False,
        "If true, mask the AWS account ID in the log (default: false).",
        variable="MASK_AWS_ACCOUNT_ID",
        differs="The account ID is masked for every source of identity, before the first message.",
    )
    allowed_account_ids: tuple[str, ...] = optional(
        reading.account_ids,
        (),
        "IDs of the AWS accounts that the credentials may belong to, separated by commas.",
        differs="The account is checked before anything is exported. Zeros that YAML removed from the start of an ID "
        "are added again.",
        elsewhere=reading.any_account_ids,
    )
    disable_retry: bool = optional(
        reading.boolean,
        False,
        "If true, do not retry failed calls (default: false).",
        variable="DISABLE_RETRY",
    )
    retry_max_attempts: int = optional(
        reading.attempts,
        12,
        "Maximum attempts per call (default: 12).",
        variable="RETRY_MAX_ATTEMPTS",
        differs="Errors that a retry cannot fix are not retried, and there is no wait after the last attempt.",
    )
    special_characters_workaround: bool = optional(
        reading.boolean,
        False,
        "If true, request credentials again until they contain no special characters (default: false).",
        variable="SPECIAL_CHARACTERS_WORKAROUND",
        differs="Credentials are requested at most 12 times.",
    )
    action_timeout_s: int = optional(
        reading.seconds,
        0,
        "Maximum run time of the step in seconds (default: 0, no limit).",
    )
    http_proxy: str | None = optional(
        reading.proxy,
        None,
        "URL of the proxy for all calls.",
        variable="HTTP_PROXY",
        differs="The proxy is used for the ID token too. Variables in lower case are used too, and `HTTPS_PROXY` "
        "takes precedence over `HTTP_PROXY`. Loopback addresses are never proxied.",
    )
    no_proxy: str | None = optional(
        reading.one_line,
        None,
        "Hosts to call without the proxy, separated by commas.",
        variable="NO_PROXY",
    )
    sts_endpoint: str | None = optional(
        reading.endpoint,
        None,
        "URL of the STS endpoint to call instead of the region's own.",
    )
    translate_env_variables: bool = optional(
        reading.boolean,
        True,
        "If true, use environment variables for blank inputs (default: true).",
        differs="`aws-actions/configure-aws-credentials` has this input from version 6.3 on.",
    )

    @property
    def is_for_aws(self) -> bool:
        """True if the STS to call is AWS's."""
        role = self.role_to_assume.arn if isinstance(self.role_to_assume, Role) else ""
        return is_aws(self.sts_endpoint, role, self.aws_region)

    @property
    def exports_variables(self) -> bool:
        """True if later steps get variables: a profile replaces them, unless the inputs ask for both."""
        if self.output_env_credentials is None:
            return self.aws_profile is None
        return self.output_env_credentials

    def secrets(self) -> Iterator[Secret]:
        """Values that must be masked before anything is printed."""
        yield from (value for each in fields(self) if isinstance(value := getattr(self, each.name), Secret))
        if self.mask_aws_account_id:
            yield from map(Secret, self.allowed_account_ids)
            yield from [Secret(self.role_to_assume.account)] if isinstance(self.role_to_assume, Role) else []

    def credentials(self) -> Credentials:
        """Credentials from the inputs; valid only if aws-access-key-id is set."""
        key_id, secret = cast("Secret", self.aws_access_key_id), cast("Secret", self.aws_secret_access_key)
        return Credentials(key_id, secret, self.aws_session_token)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read every INPUT_ variable; InvalidInputs has all problems, not only the first."""
        values: dict[str, Any] = {}
        problems: list[str] = []
        texts = _texts(environ)
        for_aws = is_aws(texts["sts_endpoint"], texts["role_to_assume"], texts["aws_region"])
        for each in fields(cls):
            text = texts[each.name]
            read = each.metadata["read"] if for_aws else each.metadata["elsewhere"] or each.metadata["read"]
            try:
                if text:
                    values[each.name] = read(text)
                elif each.default is MISSING:
                    problems.append(f"{name(each)} is required, but it is missing or empty")
            except ValueError as error:
                problems.append(f"{name(each)}: {error}")
        if not problems:
            inputs = cls(**values)
            problems = list(_contradictions(inputs, environ))
        if problems:
            accounts = re.findall(r"[0-9]{12}", "\n".join(problems)) if values.get("mask_aws_account_id") else []
            raise InvalidInputs(problems, accounts)
        return inputs


def name(input_: Field[Any]) -> str:
    """Name of the input in action.yml."""
    return input_.name.replace("_", "-")


def variable(input_: Field[Any]) -> str:
    """Variable in which the runner passes the input: hyphens stay (GitHub: Metadata syntax)."""
    return f"INPUT_{name(input_).upper()}"


def _texts(environ: Mapping[str, str]) -> dict[str, str]:
    """Text of each input, trimmed; if it is blank, that of its environment variable."""
    texts = {each.name: environ.get(variable(each), "").strip() for each in fields(Inputs)}
    if texts["translate_env_variables"] not in {"false", "False", "FALSE"}:
        # `Network` reads the proxy variables itself, since it decides which of them takes precedence.
        filling = {key: text for key, text in environ.items() if key not in {"HTTP_PROXY", "NO_PROXY"}}
        for each in fields(Inputs):
            texts[each.name] = texts[each.name] or filling.get(each.metadata["variable"], "").strip()
    return texts


def _misplaced(role: Role, region: str, accounts: tuple[str, ...]) -> Iterator[str]:
    """Problems with the partition and the account of an AWS role."""
    if role.partition != partition_of(region):
        yield (
            f"role-to-assume is in the partition {role.partition}, but the region {region} is in "
            f"{partition_of(region)}; credentials are valid in one partition only"
        )
    if accounts and role.account not in accounts:
        yield (
            f"role-to-assume is in account {role.account}, which allowed-account-ids does not list "
            f"({', '.join(accounts)})"
        )


def _contradictions(inputs: Inputs, environ: Mapping[str, str]) -> Iterator[str]:
    """Problems between inputs that are valid by themselves."""
    role = inputs.role_to_assume
    if isinstance(role, Role) and inputs.is_for_aws:
        yield from _misplaced(role, inputs.aws_region, inputs.allowed_account_ids)
    if inputs.aws_access_key_id and not inputs.aws_secret_access_key:
        yield "aws-secret-access-key is required with aws-access-key-id, but it is missing or empty"
    if inputs.web_identity_token_file and not role:
        yield "role-to-assume is required with web-identity-token-file, but it is missing or empty"
    if inputs.web_identity_token_file and isinstance(role, RoleName):
        yield "role-to-assume must be an ARN: a web identity token does not name the account of the role"
    yield from (f"custom-tags: {problem}" for problem in tags.problems(inputs.custom_tags or {}, environ))
