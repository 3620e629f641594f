"""The whole run on one page: environment, inputs, plan, session, exports."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from py_aws_oidc import __version__, env_policy
from py_aws_oidc.aws import sts
from py_aws_oidc.calls import CallLog, versions
from py_aws_oidc.clock import Clock
from py_aws_oidc.export import handover
from py_aws_oidc.export.variables import without_unset
from py_aws_oidc.failure import Failure
from py_aws_oidc.github import idtoken
from py_aws_oidc.github.commands import Log, accounts
from py_aws_oidc.inputs import Inputs
from py_aws_oidc.interrupts import Ending
from py_aws_oidc.network import Network
from py_aws_oidc.plan import plan
from py_aws_oidc.retry import Retry
from py_aws_oidc.signin import SignIn, read_policy


def run(environ: Mapping[str, str], log: Log, clock: Clock, ending: Ending) -> None:
    """Get AWS credentials as the inputs say, and hand them to later steps.

    Everything that can fail comes before the first export. Raises Failure; at the limit of action-timeout-s, it ends.
    """
    inputs = Inputs.read(environ)
    log = replace(log, hides_accounts=inputs.mask_aws_account_id)
    retry = Retry(1 if inputs.disable_retry else inputs.retry_max_attempts, clock, log.info, clock.monotonic())
    ending.after(inputs.action_timeout_s, lambda: too_long(inputs.action_timeout_s, retry.errors[-1:]))
    with _reported(inputs, log):
        for secret in inputs.secrets():
            log.mask(secret)
        calls = CallLog(log.debug, retry.clock)
        network = Network.read(environ, proxy=inputs.http_proxy, no_proxy=inputs.no_proxy, calls=calls)
        for warning in env_policy.warnings(environ, network, inputs.sts_endpoint):
            log.warning(warning.text, title=warning.title)
        chosen = plan(inputs, id_token_offered=idtoken.offered(environ))
        endpoint = sts.Endpoint.read(
            environ, inputs.aws_region, inputs.sts_endpoint, network, is_aws=inputs.is_for_aws
        )
        policy_file = read_policy(inputs, environ)
        sign_in = SignIn(inputs, without_unset(environ, inputs), endpoint, retry, log, policy_file)

        session = sign_in.existing() or sign_in.by(chosen)
        check_account(session, inputs, endpoint.name)
        exports = handover.prepare(session, inputs, environ)
        tell(session, exports, inputs, log)
        handover.apply(exports, environ, log.mask)


@contextmanager
def _reported(inputs: Inputs, log: Log) -> Iterator[None]:
    """Hide the account IDs in a failure of this block if they must be masked, and log versions at its end."""
    try:
        yield
    except Failure as failure:
        if not inputs.mask_aws_account_id:
            raise
        # Of the caller in AWS's message, of the trust policy, of a file's name: it need not be the role's account.
        hidden = (*failure.hidden, *accounts(f"{failure}{failure.details}"))
        raise failure.replaced(hidden=hidden) from None
    finally:
        python = ".".join(map(str, sys.version_info[:3]))
        log.debug(f"Versions: py-aws-oidc {__version__}, Python {python}, {versions(sys.modules)}")


def check_account(session: sts.Session, inputs: Inputs, service: str) -> None:
    """Raise Failure when the credentials are for an account that the workflow did not mean."""
    allowed = inputs.allowed_account_ids
    if allowed and not session.account:
        raise Failure(
            f"{service} did not say for which account the credentials are, so nothing was exported.",
            name="account-unknown",
            why=f"allowed-account-ids lists {', '.join(allowed)}, and without an account it cannot be checked.",
            fix="remove allowed-account-ids from this step: it needs a service whose roles are in accounts or tenants.",
        )
    if allowed and session.account not in allowed:
        kind = "AWS account" if inputs.is_for_aws else "account"
        raise Failure(
            f"The credentials are for {kind} {session.account}, which is not allowed here; nothing was exported.",
            name="account-not-allowed",
            why=f"allowed-account-ids lists {', '.join(allowed)}.",
            fix="use a role or keys of an account in this list, or add the account to it.",
        )


def tell(session: sts.Session, exports: handover.Exports, inputs: Inputs, log: Log) -> None:
    """Say to a person who they are now, where, until when, and what later steps get of it.

    That comes before the exports: nothing that fails may come after them.
    """
    for export in exports.values():
        for warning in export.warnings:
            log.warning(warning, title=export.title)
    expiration = session.credentials.expiration
    until = f", until {expiration:%Y-%m-%d %H:%M:%S} UTC" if expiration else ""
    where = "AWS" if inputs.is_for_aws else inputs.sts_endpoint
    account = f" account {session.account}" if session.account else ""
    log.info(f"Signed in to {where}{account}{f' as {session.arn}' if session.arn else ''}")
    log.info(f"in {inputs.aws_region}{until}.")
    for export in exports.values():
        for note in export.notes:
            log.info(note)


def too_long(seconds: int, last_errors: Sequence[str]) -> Failure:
    """The failure at the limit of action-timeout-s, with the last error of a call if there was one."""
    return Failure(
        f"The step was stopped after {seconds} seconds.",
        name="action-timeout",
        why=[
            "this is the limit that the input action-timeout-s sets for the whole step.",
            *(f"The last error: {error}" for error in last_errors),
        ],
        fix="read the lines above to see what the step waited for. Raise the limit, or run the job again.",
    )
