"""The user's words, typed and checked.

The fields of `Inputs` are the table of inputs: a row is the name, the type, how its text is read, the default, the
help, and whether a variable may stand in for a blank input. action.yml and the README are checked against it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
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
    """One or more inputs cannot be used; `problems` has a sentence for each, and must not show `hidden`."""

    def __init__(self, problems: list[str], hidden: Iterable[str] = ()) -> None:
        self.problems = problems
        self.hidden = tuple(Secret(text) for text in hidden)
        count = "1 input" if len(problems) == 1 else f"{len(problems)} inputs"
        super().__init__(
            f"{count} of this step cannot be used, so nothing was tried.",
            why=["", *(f"- {problem}" for problem in problems)],
            fix="correct the step's `with:` block in the workflow file. If a value comes from a secret or a "
            "variable, it must be set where this job can see it; pull requests from forks and from Dependabot see "
            "no secrets of Actions.",
        )


def needed(
    read: Callable[[str], T],
    because: str,
    about: str,
    *,
    variable: str = "",
    elsewhere: Callable[[str], T] | None = None,
) -> T:
    """A row for an input that there is no doing without; `because` finishes the sentence that says so."""
    metadata = {"read": read, "needed": because, "about": about, "variable": variable, "elsewhere": elsewhere}
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
    """A row for an input that may be absent.

    `written` is its default as action.yml writes it, `variable` the environment variable that fills a blank one, and
    `differs` says what is other than in aws-actions/configure-aws-credentials. `elsewhere` reads the text in place of
    `read` where the STS is not AWS's.
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
    """What the step's `with:` block says."""

    aws_region: str = needed(
        reading.region,
        "it says in which region the role is assumed and later steps work, like us-east-1",
        "AWS Region in which the role is assumed and in which later steps work, like us-east-1.",
        variable="AWS_REGION",
        elsewhere=reading.any_region,
    )
    role_to_assume: Role | RoleName | None = optional(
        reading.role,
        None,
        "ARN of the IAM role to assume, or its name if it is in the account of the credentials used.",
        variable="ROLE_TO_ASSUME",
        differs="a bare name takes the partition of the region; an ARN is checked before any call",
        elsewhere=reading.any_role,
    )
    audience: str = optional(
        reading.one_line,
        "sts.amazonaws.com",
        "Audience of the ID token; the identity provider in IAM must list it.",
        written="sts.amazonaws.com",
        variable="AUDIENCE",
    )
    role_session_name: str = optional(
        reading.role_session_name,
        "GitHubActions",
        "Name of the session, seen in CloudTrail and in the assumed role's ARN (default: GitHubActions).",
        variable="ROLE_SESSION_NAME",
    )
    role_duration_seconds: int = optional(
        reading.duration_seconds,
        3600,
        "Seconds the credentials are good for: 900 to 43200, and the role's maximum at most (default: 3600).",
        variable="ROLE_DURATION_SECONDS",
        differs="anything but a number from 900 to 43200 is an error",
        elsewhere=reading.any_duration_seconds,
    )
    role_external_id: Secret | None = optional(
        reading.external_id,
        None,
        "External id that the role's trust policy asks for; not for ID tokens.",
        variable="ROLE_EXTERNAL_ID",
    )
    role_skip_session_tagging: bool = optional(
        reading.boolean,
        False,
        "Whether the session gets no tags (default: false); only for AssumeRole, as an ID token brings its own.",
        variable="ROLE_SKIP_SESSION_TAGGING",
        differs="a variable that is not set leaves out its tag",
    )
    transitive_tag_keys: tuple[str, ...] = optional(
        reading.lines,
        (),
        "Keys of session tags that pass on to chained roles, one a line.",
        variable="TRANSITIVE_TAG_KEYS",
    )
    custom_tags: Mapping[str, str] | None = optional(
        reading.custom_tags,
        None,
        "More session tags, as a JSON object of texts, numbers and booleans.",
        differs="wrong tags are told before any call, whatever the source of identity",
    )
    inline_session_policy: str | None = optional(
        reading.policy,
        None,
        "Session policy, as JSON, that narrows what the session may do.",
        variable="INLINE_SESSION_POLICY",
    )
    managed_session_policies: tuple[str, ...] = optional(
        reading.policy_arns,
        (),
        "ARNs of managed policies, one a line, that narrow what the session may do.",
        variable="MANAGED_SESSION_POLICIES",
        elsewhere=reading.any_policy_arns,
    )
    aws_access_key_id: Secret | None = optional(
        reading.key,
        None,
        "Access key id to start from instead of the ID token.",
    )
    aws_secret_access_key: Secret | None = optional(
        reading.key,
        None,
        "Secret access key that belongs to aws-access-key-id.",
    )
    aws_session_token: Secret | None = optional(
        reading.key,
        None,
        "Session token that belongs to aws-access-key-id, if it is temporary.",
    )
    web_identity_token_file: str | None = optional(
        reading.one_line,
        None,
        "File with a web identity token to use instead of the ID token; a relative path starts in the workspace.",
        variable="WEB_IDENTITY_TOKEN_FILE",
    )
    trust_policy_file: str | None = optional(
        reading.one_line,
        None,
        "File with the role's trust policy (JSON), from which a refusal of an ID token names the condition that fails.",
        differs="new",
    )
    role_chaining: bool = optional(
        reading.boolean,
        False,
        "Whether the role is assumed with the credentials that the job has already (default: false).",
        variable="ROLE_CHAINING",
    )
    force_skip_oidc: bool = optional(
        reading.boolean,
        False,
        "Whether the ID token is never used (default: false).",
        differs="with a role and no keys, the environment's identity is used",
    )
    use_existing_credentials: bool = optional(
        reading.boolean,
        False,
        "Whether credentials that the job has already are kept if AWS accepts them (default: false).",
        variable="USE_EXISTING_CREDENTIALS",
        differs="false means false; allowed-account-ids counts, and another role is warned of",
    )
    unset_current_credentials: bool = optional(
        reading.boolean,
        False,
        "Whether the job's AWS variables are blanked first (default: false).",
        variable="UNSET_CURRENT_CREDENTIALS",
    )
    output_credentials: bool = optional(
        reading.boolean,
        False,
        "Whether the credentials are outputs of the step as well (default: false).",
        variable="OUTPUT_CREDENTIALS",
    )
    output_env_credentials: bool | None = optional(
        reading.boolean,
        None,
        "Whether credentials and region become variables of later steps (default: true; false with aws-profile).",
        differs="account, ARN and expiration are outputs in any case",
    )
    aws_profile: str | None = optional(
        reading.profile,
        None,
        "Name of a profile to write to the shared credentials and config files.",
        differs="works for later steps of every kind, leaves the rest of the files alone, goes at the end of the job",
    )
    overwrite_aws_profile: bool = optional(
        reading.boolean,
        False,
        "Whether a profile of that name may be there already (default: false).",
        variable="OVERWRITE_AWS_PROFILE",
    )
    mask_aws_account_id: bool = optional(
        reading.boolean,
        False,
        "Whether the AWS account id is masked in the log (default: false).",
        variable="MASK_AWS_ACCOUNT_ID",
        differs="in every mode, and before the first message",
    )
    allowed_account_ids: tuple[str, ...] = optional(
        reading.account_ids,
        (),
        "Ids of the AWS accounts that the credentials may be for, separated by commas.",
        differs="checked before anything is exported; an id that YAML shortened is filled up with zeros",
        elsewhere=reading.any_account_ids,
    )
    disable_retry: bool = optional(
        reading.boolean,
        False,
        "Whether a call that fails is never tried again (default: false).",
        variable="DISABLE_RETRY",
    )
    retry_max_attempts: int = optional(
        reading.attempts,
        12,
        "How often a call is tried in all (default: 12).",
        variable="RETRY_MAX_ATTEMPTS",
        differs="errors of the caller's making are not tried again, and there is no wait after the last try",
    )
    special_characters_workaround: bool = optional(
        reading.boolean,
        False,
        "Whether credentials are asked for again until they have no special characters (default: false).",
        variable="SPECIAL_CHARACTERS_WORKAROUND",
        differs="at most 12 times",
    )
    action_timeout_s: int = optional(
        reading.seconds,
        0,
        "Seconds after which the step gives up, whatever it is doing (default: 0, which is no limit).",
    )
    http_proxy: str | None = optional(
        reading.proxy,
        None,
        "URL of the proxy for all calls.",
        variable="HTTP_PROXY",
        differs="for the ID token too; variables in lower case count; loopback is never proxied",
    )
    no_proxy: str | None = optional(
        reading.one_line,
        None,
        "Hosts that are called without the proxy, separated by commas.",
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
        "Whether an environment variable of an input's name fills a blank input (default: true).",
        differs="from version 6.3 on in the other action",
    )

    @property
    def is_for_aws(self) -> bool:
        """Whether the STS to call is AWS's."""
        role = self.role_to_assume.arn if isinstance(self.role_to_assume, Role) else ""
        return is_aws(self.sts_endpoint, role, self.aws_region)

    def secrets(self) -> Iterator[Secret]:
        """What must be masked before anything can be printed."""
        yield from (value for each in fields(self) if isinstance(value := getattr(self, each.name), Secret))
        if self.mask_aws_account_id:
            yield from map(Secret, self.allowed_account_ids)
            yield from [Secret(self.role_to_assume.account)] if isinstance(self.role_to_assume, Role) else []

    def credentials(self) -> Credentials:
        """The keys that are given; to be asked for only where aws-access-key-id is."""
        key_id, secret = cast("Secret", self.aws_access_key_id), cast("Secret", self.aws_secret_access_key)
        return Credentials(key_id, secret, self.aws_session_token)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Read every INPUT_ variable; InvalidInputs names all that is wrong, not the first."""
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
                elif "needed" in each.metadata:
                    problems.append(f"{name(each)} is absent or empty; {each.metadata['needed']}")
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
    """The input's name in action.yml."""
    return input_.name.replace("_", "-")


def variable(input_: Field[Any]) -> str:
    """The variable in which the runner hands the input over: hyphens stay (GitHub: Metadata syntax)."""
    return f"INPUT_{name(input_).upper()}"


def _texts(environ: Mapping[str, str]) -> dict[str, str]:
    """The text of each input, trimmed; a blank one is filled from its environment variable."""
    texts = {each.name: environ.get(variable(each), "").strip() for each in fields(Inputs)}
    if texts["translate_env_variables"] not in {"false", "False", "FALSE"}:
        # Which of the proxies' variables goes first is for the network to say, and it reads them itself.
        filling = {key: text for key, text in environ.items() if key not in {"HTTP_PROXY", "NO_PROXY"}}
        for each in fields(Inputs):
            texts[each.name] = texts[each.name] or filling.get(each.metadata["variable"], "").strip()
    return texts


def _misplaced(role: Role, region: str, accounts: tuple[str, ...]) -> Iterator[str]:
    """What is wrong with where an AWS role is."""
    if role.partition != partition_of(region):
        yield (
            f"role-to-assume is in the partition {role.partition}, but the region {region} is in "
            f"{partition_of(region)}: no credentials of one are good in the other"
        )
    if accounts and role.account not in accounts:
        yield (
            f"role-to-assume is in account {role.account}, which allowed-account-ids does not list "
            f"({', '.join(accounts)})"
        )


def _contradictions(inputs: Inputs, environ: Mapping[str, str]) -> Iterator[str]:
    """What is wrong between inputs that are right by themselves."""
    role = inputs.role_to_assume
    if isinstance(role, Role) and inputs.is_for_aws:
        yield from _misplaced(role, inputs.aws_region, inputs.allowed_account_ids)
    if inputs.aws_access_key_id and not inputs.aws_secret_access_key:
        yield "aws-secret-access-key is absent or empty, but aws-access-key-id is given"
    if inputs.web_identity_token_file and not role:
        yield "role-to-assume is absent or empty, but web-identity-token-file is given"
    if inputs.web_identity_token_file and isinstance(role, RoleName):
        yield "role-to-assume must be an ARN: a web identity token does not say in which account the role is"
    yield from (f"custom-tags: {problem}" for problem in tags.problems(inputs.custom_tags or {}, environ))
