"""The whole run on one page: environment, inputs, ID token, session, exports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from py_aws_oidc import export
from py_aws_oidc.aws import sts
from py_aws_oidc.explain import report
from py_aws_oidc.github import idtoken
from py_aws_oidc.github.commands import Log
from py_aws_oidc.github.context import Context
from py_aws_oidc.inputs import Inputs
from py_aws_oidc.network import Network
from py_aws_oidc.secret import Secret
from py_aws_oidc.surroundings import remarks


def run(environ: Mapping[str, str], log: Log, clock: Callable[[], datetime]) -> None:
    """Exchange the job's ID token for AWS credentials and hand them to later steps.

    Everything that can fail comes before the first export. Raises Failure; `clock` tells the time in UTC.
    """
    inputs = Inputs.read(environ)
    role = inputs.role_to_assume
    if inputs.mask_aws_account_id:
        log.mask(Secret(role.account))  # before any message can name the role
    network = Network.read(environ)
    for remark in remarks(environ, network):
        log.warning(remark, title="Not used")

    request = idtoken.IdTokenRequest.read(environ, Context.read(environ))
    token = idtoken.fetch(request, inputs.audience, network)
    log.mask(token)
    identity = idtoken.inspect(token, inputs.audience, clock())

    try:
        session = sts.assume_role_with_web_identity(
            sts.Endpoint.read(environ, inputs.aws_region, inputs.sts_endpoint, network),
            role_arn=role.arn,
            role_session_name=inputs.role_session_name,
            web_identity_token=identity.token,
            duration_seconds=inputs.role_duration_seconds,
            now=clock(),
        )
    except sts.Refused as refused:
        raise report.explain(
            refused,
            role=role,
            audience=inputs.audience,
            seconds=inputs.role_duration_seconds,
            claims=identity.claims,
        ) from refused

    exports = export.exports(
        session,
        inputs.aws_region,
        environ,
        to_environment=inputs.output_env_credentials,
        to_outputs=inputs.output_credentials,
        mask_account=inputs.mask_aws_account_id,
    )
    export.write(exports, log, environ)
    log.info(f"Signed in to AWS account {session.account} as {session.arn}")
    log.info(f"in {inputs.aws_region}, until {session.credentials.expiration:%Y-%m-%d %H:%M:%S} UTC.")
    if exports.environment:
        log.info(f"Later steps have {', '.join(exports.environment)}.")
