"""How each source of identity becomes a session: the calls, in their order, with their retries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from py_aws_oidc.aws import credentials, sts, tags
from py_aws_oidc.aws.arn import AssumedRole, Role
from py_aws_oidc.aws.credentials import Credentials
from py_aws_oidc.aws.errors import Refused
from py_aws_oidc.explain import claims
from py_aws_oidc.failure import Failure, Retryability
from py_aws_oidc.github import idtoken
from py_aws_oidc.github.commands import Log
from py_aws_oidc.github.context import Context
from py_aws_oidc.github.idtoken import IdToken
from py_aws_oidc.inputs import Inputs
from py_aws_oidc.network import Network
from py_aws_oidc.paths import read_text
from py_aws_oidc.plan import Plan, Source
from py_aws_oidc.reading import RoleName
from py_aws_oidc.retry import Retry
from py_aws_oidc.secret import Secret

if TYPE_CHECKING:
    from py_aws_oidc.explain.evidence import PolicyFile

_FRESH_SECONDS = 60  # of life that an ID token must have left when it is sent
_WORKAROUND_TRIES = 12
_LONGEST_TOKEN = 20_000  # characters, says the STS API Reference of WebIdentityToken
_UNCHECKED = "They cannot be checked: sts-endpoint is not AWS's, and GetCallerIdentity is not called there."
_SPECIAL_CHARACTERS = frozenset("!@#$%^&*()_+-=[]{};':\"\\|,.<>/?")


@dataclass
class IdTokens:
    """The job's ID tokens: one is kept as long as it is good, then there is another."""

    request: idtoken.IdTokenRequest
    audience: str
    network: Network
    retry: Retry
    log: Log
    meanwhile: Callable[[], None]
    kept: IdToken | None = None

    def current(self) -> IdToken:
        """A token that is good for another minute at least, unless the runner gives none such."""
        now = self.retry.clock.now()
        if self.kept is None or self.kept.seconds_left(now) < _FRESH_SECONDS:
            self.kept = self.retry.call("The request for an ID token", self._mint)
        return self.kept

    def forget(self) -> None:
        """Take another one the next time."""
        self.kept = None

    def _mint(self) -> IdToken:
        token = idtoken.fetch(self.request, self.audience, self.network, self.meanwhile)
        identity = idtoken.inspect(token, self.audience, self.retry.clock.now())
        self.log.mask(identity.token)
        with self.log.group("What the ID token says"):
            for line in claims.lines(identity.claims, self.retry.clock.now()):
                self.log.info(line)
        return identity


@dataclass(frozen=True)
class TokenFile:
    """A file in which another program renews a web identity token; its claims are not read."""

    path: Path
    workspace: str
    log: Log

    def current(self) -> IdToken:
        """What the file holds now."""
        try:
            text = read_text(self.path, _LONGEST_TOKEN, workspace=self.workspace).strip()
        except ValueError as error:
            raise Failure(
                f"The web identity token file {self.path} cannot be read.",
                name="token-file-unreadable",
                why=f"{error}.",
                fix="check the input web-identity-token-file. This action runs in a container, which sees only the "
                "workspace and HOME of the job: have an earlier step copy the token there, as a file and not "
                "as a link.",
            ) from None
        if not text:
            raise Failure(
                f"The web identity token file {self.path} is empty.",
                name="token-file-empty",
                why="whatever writes the token has not done so yet, or has failed.",
                fix="check the step before this one that should write the token.",
            )
        self.log.mask(Secret(text))
        return IdToken(Secret(text), {})

    def forget(self) -> None:
        """Nothing is kept."""


@dataclass(frozen=True)
class SignIn:
    """All that the calls of a run have in common."""

    inputs: Inputs
    environ: Mapping[str, str]
    endpoint: sts.Endpoint
    retry: Retry
    log: Log
    policy_file: PolicyFile | None = None

    def existing(self) -> sts.Session | None:
        """The session that the job has already, if it is asked for and AWS accepts it."""
        if not self.inputs.use_existing_credentials:
            return None
        if not self.endpoint.is_aws:
            self.log.notice(f"use-existing-credentials is ignored. {_UNCHECKED}", title="New credentials")
            return None
        session = None
        try:
            if found := self._of_the_environment():
                session = self._caller_identity(found)
        except Failure as failure:
            # An STS that cannot answer has not said no, and another identity is not what was asked for.
            if not failure.is_refusal:
                raise
            self.log.info(f"The job's own credentials cannot be used: {failure.what}")
        if not session:
            self.log.notice(
                "The job has no credentials that AWS accepts, so it gets new ones.", title="New credentials"
            )
            return None
        self.log.notice(f"The credentials of {session.arn} are kept.", title="Existing credentials")
        if (role := self.inputs.role_to_assume) and not _is_of(session, role):
            self.log.warning(
                f"The credentials that are kept are of {session.arn}, not of the role {role.name} in role-to-assume.",
                title="Another role",
            )
        if self.inputs.aws_profile:
            self.log.warning(
                f"No profile {self.inputs.aws_profile} is written for credentials that are kept.",
                title="No profile",
            )
        return replace(session, is_new=False, is_reused=True)

    def by(self, plan: Plan) -> sts.Session:
        """The session of the plan's source; with the workaround, one whose keys have no special characters."""
        self.log.info(f"Starting from {plan.source.value}.")
        self.log.debug(f"Source of identity: {plan.source.value}, because {plan.why}.")
        assume = self._ready(plan)
        if not (self.inputs.special_characters_workaround and self.inputs.role_to_assume):
            return assume()
        for _ in range(_WORKAROUND_TRIES):
            session = assume()
            keys = (session.credentials.access_key_id, session.credentials.secret_access_key)
            if not any(_SPECIAL_CHARACTERS & set(key.reveal()) for key in keys):
                return session
            self.log.info("The secret access key has special characters, so another one is asked for.")
        raise special_characters(self.endpoint.name)

    def _ready(self, plan: Plan) -> Callable[[], sts.Session]:
        """What to call for a session, once all that does not change from call to call is there."""
        if plan.source is Source.ID_TOKEN:
            request = idtoken.IdTokenRequest.read(self.environ, Context.read(self.environ))
            if warning := idtoken.warning(request, self.environ):
                self.log.warning(warning, title="Unknown host")
            service, network = sts.Service(self.endpoint), self.endpoint.network
            tokens = IdTokens(request, self.inputs.audience, network, self.retry, self.log, service.make_ahead)
            return lambda: self._exchange(self._role(), tokens, service)
        if plan.source is Source.TOKEN_FILE:
            workspace = self.environ.get("GITHUB_WORKSPACE", "")
            file = TokenFile(Path(workspace, self.inputs.web_identity_token_file or ""), workspace, self.log)
            service = sts.Service(self.endpoint)
            return lambda: self._exchange(self._role(), file, service)
        source = self._credentials(plan)
        if not self.inputs.role_to_assume:
            return lambda: replace(self._unchanged(source), is_new=plan.source is Source.KEYS)
        role, service = self._role(source), sts.Service(self.endpoint, source)
        return lambda: self._assume_role(role, service)

    def _unchanged(self, source: Credentials) -> sts.Session:
        """The session of credentials that are used as they are."""
        if self.endpoint.is_aws:
            return self._caller_identity(source)
        self.log.info(f"The credentials are used as they are. {_UNCHECKED}")
        return sts.Session(source)

    def _credentials(self, plan: Plan) -> Credentials:
        if plan.source is Source.KEYS:
            return self.inputs.credentials()
        try:
            found = self._of_the_environment()
        except Failure as failure:
            # What is wrong with a profile matters little to a job that wanted an ID token.
            raise (
                idtoken.no_permission(Context.read(self.environ)) if plan.id_token_is_missing else failure
            ) from None
        if found is None and plan.id_token_is_missing:
            raise idtoken.no_permission(Context.read(self.environ))
        if found is None:
            raise credentials.nothing_found()
        if plan.id_token_is_missing:
            self.log.notice(
                "This job cannot get an ID token (it has no `id-token: write`), so the role is assumed with "
                f"{plan.source.value}.",
                title="No ID token",
            )
        return found

    def _of_the_environment(self) -> Credentials | None:
        found = credentials.of_the_environment(
            self.environ,
            self.endpoint.region,
            self.endpoint.network,
            lambda text: self.log.warning(text, title="Ignored profiles"),
        )
        for secret in found.secrets() if found else ():
            self.log.mask(secret)
        return found

    def _role(self, source: Credentials | None = None) -> Role:
        role = self.inputs.role_to_assume
        if isinstance(role, RoleName) and source:
            return Role.named(role.name, self._caller_identity(source).account, self.inputs.aws_region)
        return cast("Role", role)  # the plan sees to it that a bare name comes with a source

    def _exchange(self, role: Role, tokens: IdTokens | TokenFile, service: sts.Service) -> sts.Session:
        now = self.retry.clock.now
        sent: IdToken | None = None

        def exchange() -> sts.Session:
            nonlocal sent
            sent = identity = tokens.current()
            try:
                session = sts.assume_role_with_web_identity(
                    service,
                    self._request(role),
                    identity.token,
                    now(),
                    has_expired=lambda: identity.seconds_left(now()) < 0,
                )
            except Refused as refused:
                if refused.retryability is Retryability.REFRESH_TOKEN:
                    tokens.forget()
                raise
            return self._new(session)

        try:
            return self.retry.call("AssumeRoleWithWebIdentity", exchange)
        except Refused as refused:
            raise self._explained(refused, role, sent) from None

    def _assume_role(self, role: Role, service: sts.Service) -> sts.Session:
        custom = self.inputs.custom_tags or {}
        every = tags.session_tags(self.environ, custom)
        try:
            return self._assume_role_with_tags(role, service, every)
        except Refused as refused:
            fewer = tags.session_tags(self.environ, custom, with_droppable=False)
            if not refused.code.startswith("PackedPolicyTooLarge") or self._skips_tags or fewer == every:
                raise self._explained(refused, role) from None
            dropped = ", ".join(key for key in every if key not in fewer)
            self.log.info(
                f"Session tags and policies exceed the packed size limit of STS. Dropped tags: {dropped}."
            )
        try:
            return self._assume_role_with_tags(role, service, fewer)
        except Refused as refused:
            raise self._explained(refused, role) from None

    @property
    def _skips_tags(self) -> bool:
        return self.inputs.role_skip_session_tagging

    def _assume_role_with_tags(self, role: Role, service: sts.Service, given: Mapping[str, str]) -> sts.Session:
        return self.retry.call(
            "AssumeRole",
            lambda: self._new(
                sts.assume_role(
                    service,
                    self._request(role),
                    self.retry.clock.now(),
                    external_id=self.inputs.role_external_id,
                    tags=None if self._skips_tags else given,
                    transitive_tag_keys=tags.transitive(self.inputs.transitive_tag_keys, given),
                )
            ),
        )

    def _new(self, session: sts.Session) -> sts.Session:
        """The session that STS has just given, with its secrets masked."""
        for secret in session.credentials.secrets():
            self.log.mask(secret)
        return self._masked(session)

    def _masked(self, session: sts.Session) -> sts.Session:
        """The session, after its account is masked if that is required."""
        if self.inputs.mask_aws_account_id:
            self.log.mask(Secret(session.account))
            self.log.mask(Secret(session.arn))
        return session

    def _caller_identity(self, source: Credentials) -> sts.Session:
        service = sts.Service(self.endpoint, source)
        try:
            session = self.retry.call("GetCallerIdentity", lambda: sts.caller_identity(service, source))
        except Refused as refused:
            raise self._explained(refused, None) from None
        return self._masked(session)

    def _request(self, role: Role) -> sts.Request:
        return sts.Request(
            role.arn,
            self.inputs.role_session_name,
            self.inputs.role_duration_seconds,
            self.inputs.inline_session_policy,
            self.inputs.managed_session_policies,
        )

    def _explained(self, refused: Refused, role: Role | None, identity: IdToken | None = None) -> Failure:
        # Most runs are not refused, and start faster without all that can be said of those that are.
        from py_aws_oidc.explain import elsewhere, report
        from py_aws_oidc.explain.evidence import Evidence

        known = (identity.claims or idtoken.claims_of(identity.token)) if identity else {}
        explain = report.explain if self.endpoint.is_aws else elsewhere.explain
        return explain(
            Evidence(
                refused=refused,
                role=role,
                audience=self.inputs.audience,
                seconds=self.inputs.role_duration_seconds,
                region=self.endpoint.region,
                claims=known,
                policy_file=self.policy_file,
                session_name=self.inputs.role_session_name,
                gives_external_id=self.inputs.role_external_id is not None,
                tags_session=not self._skips_tags,
            )
        )


def read_policy(inputs: Inputs, environ: Mapping[str, str]) -> PolicyFile | None:
    """The role's trust policy as the repository has it, if the workflow names the file; Failure if it is none."""
    if not (name := inputs.trust_policy_file):
        return None
    from py_aws_oidc.explain import trust
    from py_aws_oidc.explain.evidence import PolicyFile

    workspace = environ.get("GITHUB_WORKSPACE", "")
    try:
        text = read_text(Path(workspace, name), trust.MOST_CHARACTERS, workspace=workspace, leaves_its_folder=True)
        return PolicyFile(name, trust.read(text))
    except ValueError as error:
        raise Failure(
            f"The trust policy file {name} cannot be used, so nothing was tried.",
            name="trust-policy-file",
            why=f"{error}.",
            fix="check the input trust-policy-file: it names a file in the workspace (so a step with actions/checkout "
            "comes first) with the role's trust policy as JSON, as `aws iam get-role` prints it, for instance.",
        ) from None


def special_characters(service: str) -> Failure:
    """The failure when special-characters-workaround got no key that it wants."""
    return Failure(
        f"{service} gave {_WORKAROUND_TRIES} secret access keys, and each had special characters.",
        name="special-characters",
        why="special-characters-workaround asks for a key without them, and about one key in three has none.",
        fix="run the job again, or find out which tool cannot use such keys: AWS's own tools can.",
    )


def _is_of(session: sts.Session, role: Role | RoleName) -> bool:
    try:
        assumed = AssumedRole.parse(session.arn)
    except ValueError:
        return False
    here = isinstance(role, RoleName) or assumed.account == role.account
    return here and assumed.role == role.name.rpartition("/")[2]
