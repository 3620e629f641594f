"""`python -m sandbox troubleshooting`: a section for each failure and each cause of a refusal."""

from __future__ import annotations

import itertools
import ssl
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from io import StringIO
from pathlib import Path
from string import Template
from typing import TextIO

import jwt

from py_aws_oidc import action, signin
from py_aws_oidc.__main__ import _cancelled, _failure
from py_aws_oidc.aws import credentials, locked_files, sts
from py_aws_oidc.aws.arn import Role
from py_aws_oidc.aws.errors import Refused
from py_aws_oidc.aws.profiles import ProfilePaths, editing
from py_aws_oidc.calls import Answer
from py_aws_oidc.explain import elsewhere
from py_aws_oidc.explain.causes import CAUSES, Cause
from py_aws_oidc.explain.evidence import Evidence
from py_aws_oidc.explain.markdown import fenced
from py_aws_oidc.explain.report import sentence
from py_aws_oidc.export import profile_paths
from py_aws_oidc.failure import Failure
from py_aws_oidc.github import files, idtoken
from py_aws_oidc.github.commands import Log
from py_aws_oidc.github.context import Context
from py_aws_oidc.inputs import Inputs
from py_aws_oidc.network import Network
from py_aws_oidc.secret import Secret

_ACCOUNT = "arn:aws:iam::123456789012"
_ROLE = f"{_ACCOUNT}:role/deploy"
_NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
_TOKEN_URL = "https://run-actions-1-azure-eastus.actions.githubusercontent.com/1/idtoken"  # noqa: S105 - no secret
_KEYS = credentials.Credentials(Secret("AKIAIOSFODNN7EXAMPLE"), Secret("example"))  # of AWS's documentation


def main(out: TextIO) -> int:
    """Write the page docs/troubleshooting.md."""
    out.write("\n".join(_page()))
    return 0


def _page() -> Iterator[str]:
    yield _BEGINNING
    for part, failures in _failures():
        yield f"## {part}\n"
        for name, alike in itertools.groupby(failures, key=lambda row: row[1].name):
            for number, (title, failure) in enumerate(alike):
                anchor = "" if number else f'<a id="{name}"></a>\n\n'
                yield f"{anchor}### {title}\n\n{fenced(_words(failure))}\n"
    for symptom, causes in itertools.groupby(CAUSES, key=lambda cause: cause.symptom):
        yield f"## {symptom.title}\n"
        if symptom.compared:
            yield f"{_filled(symptom.compared)}\n"
        yield from map(_section, causes)


def _section(cause: Cause) -> str:
    check, fix = _filled(cause.check), _filled(cause.fix)
    return (
        f'<a id="{cause.name}"></a>\n\n'
        f"### {_filled(cause.title)}\n\n{sentence(_filled(cause.why))}\n\n- to check: {check}\n- to fix: {fix}\n"
    )


def _words(failure: Failure) -> str:
    """The texts of a failure as the log has them, but for the link to this page."""
    texts = (f"{label}: {text}" if label else text for label, text in failure.paragraphs)
    lines = "\n\n".join(texts).splitlines()
    return "\n".join(textwrap.fill(line, 100, replace_whitespace=False) for line in lines)


def _failures() -> Iterator[tuple[str, list[tuple[str, Failure]]]]:
    """The failures that are not refusals by AWS, part by part; those of one name stand together."""
    yield "ID token", list(_of_id_token())
    yield "Inputs", list(_of_inputs())
    yield "Source of identity", list(_of_source())
    yield "Calls to AWS", list(_of_sts())
    yield "Exports and profiles", list(_of_exports())
    yield "The step itself", list(_of_step())


def _of_id_token() -> Iterator[tuple[str, Failure]]:
    dependabot, fork, push = Context(False, True), Context(True, False), Context(False, False)  # noqa: FBT003
    yield "The permission is missing", idtoken.no_permission(push)
    yield "A pull request from a fork", idtoken.no_permission(fork)
    yield "A run of Dependabot", idtoken.no_permission(dependabot)
    variables = {"ACTIONS_ID_TOKEN_REQUEST_URL": "http://example.com/", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x"}
    yield "The URL is not safe", _raised(lambda: idtoken.IdTokenRequest.read(variables, push))
    unreachable = partial(idtoken._unreachable, _TOKEN_URL)  # noqa: SLF001 - a run would name a port
    yield "The token service cannot be reached", unreachable(ConnectionError(), Network())
    yield "The certificate of the token service is not trusted", unreachable(_expired_certificate(), Network())
    value = partial(idtoken._value, encoding="identity")  # noqa: SLF001 - as above
    yield "The token service refuses the request", _raised(lambda: value(Answer(403), b""))
    yield "The answer has no token", _raised(lambda: value(Answer(200), b"<html>"))
    yield "The token is not a JWT", _inspected("token")
    yield "The token is for another audience", _inspected(_jwt(aud="https://github.com/octo-org"))
    yield "The token has no expiry", _inspected(_jwt(aud="sts.amazonaws.com"))
    yield "The token has expired", _inspected(_jwt(aud="sts.amazonaws.com", exp=_NOW.timestamp() - 60))


def _of_inputs() -> Iterator[tuple[str, Failure]]:
    provider = f"{_ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    yield "The ARN is not that of a role", _refused(role=provider)
    yield "The ARN contains white space", _refused(role=f"{_ACCOUNT}:role/my role")
    yield "The role is in another partition", _refused(role=_ROLE, region="cn-north-1")
    yield "The role is in another account", _refused(role=_ROLE, accounts="210987654321")
    inputs = _inputs(trust_policy_file="infra/trust.json")
    yield "The trust policy file cannot be used", _raised(lambda: signin.read_policy(inputs, {}))
    proxy = Network(proxy="http://user:pass word@proxy", proxy_from="HTTPS_PROXY")
    yield "The proxy cannot be used", _raised(lambda: proxy.proxies_for("https://sts.us-east-1.amazonaws.com"))


def _of_source() -> Iterator[tuple[str, Failure]]:
    with _folder("/github/workspace") as (folder, raised):
        (folder / "token").write_text("")
        empty, missing = (signin.TokenFile(folder / name, "", Log(StringIO())) for name in ("token", "missing"))
        yield "The web identity token file cannot be read", raised(missing.current)
        yield "The web identity token file is empty", raised(empty.current)
    yield "There are no credentials", credentials.nothing_found()
    unreadable = credentials._unreadable  # noqa: SLF001 - else the instance metadata service would be asked
    yield (
        "The credentials of the environment cannot be read",
        unreadable("AWS refused GetRoleCredentials (Expired)"),
    )
    yield "No secret access key without special characters", signin.special_characters("AWS")


def _of_sts() -> Iterator[tuple[str, Failure]]:
    endpoint = sts.Endpoint("us-east-1", None, Network(certificates="/etc/ssl/certs/ca-certificates.crt"))
    other = sts.Endpoint("default", "https://ceph.example.com", Network(), is_aws=False)
    unreachable, not_of_sts = sts._unreachable, sts._not_of_sts  # noqa: SLF001 - a run would name a port
    yield "AWS STS cannot be reached", unreachable(endpoint, ConnectionError())
    yield "The certificate of AWS STS is not trusted", unreachable(endpoint, _expired_certificate())
    yield "Another server answers in place of AWS STS", not_of_sts(endpoint, Answer(502))
    yield "The server at sts-endpoint is not an STS", not_of_sts(other, Answer(404))
    yield "The answer of STS cannot be used", sts._not_an_answer("its SessionToken is missing or malformed")  # noqa: SLF001 - as above
    refused = Refused("AssumeRole", "NewCode", "An error that this action does not know", 400)
    yield "AWS refuses the call with an error that this action does not explain", refused
    denied = Refused("AssumeRole", "AccessDenied", "Access denied", 403, by=other.name)
    evidence = Evidence(denied, Role.parse("arn:aws:iam::123456789012:role/deploy"), "sts.amazonaws.com", 3600)
    yield "An STS that is not AWS's refuses the call", elsewhere.explain(evidence)
    inputs = _inputs(allowed_account_ids="210987654321")
    arn = f"{_ACCOUNT.replace('iam', 'sts')}:assumed-role/deploy/GitHubActions"
    known, unknown = sts.Session(_KEYS, arn, "123456789012"), sts.Session(_KEYS)
    yield "The account is not allowed", _raised(lambda: action.check_account(known, inputs, "AWS"))
    yield "The account is not known", _raised(lambda: action.check_account(unknown, inputs, other.name))


def _of_exports() -> Iterator[tuple[str, Failure]]:
    env = files.CommandFile("GITHUB_ENV", "/github/file_commands/set_env")
    yield "A command file is missing", _raised(lambda: files.CommandFile.named({}, "GITHUB_ENV"))
    full = OSError(28, "No space left on device")
    yield "A command file cannot be written", files._cannot_be_written(env, full)  # noqa: SLF001 - no disk is full here
    home = {"HOME": "/github/home", "GITHUB_WORKSPACE": "/github/workspace", "GITHUB_ENV": "/github/env"}

    def located(**variables: str) -> Failure:
        return _raised(lambda: profile_paths.locate(home | variables))

    yield "HOME is not set", located(HOME="")
    yield "The path of a shared file is not absolute", located(AWS_CONFIG_FILE="~/.aws/config")
    yield "The path of a shared file is outside of the container", located(AWS_CONFIG_FILE="/home/runner/config")
    yield "The path of a shared file is in the workspace", located(AWS_CONFIG_FILE="/github/workspace/config")
    yield "The path of a shared file is a command file", located(AWS_CONFIG_FILE="/github/env")
    yield from _of_profiles()


def _of_profiles() -> Iterator[tuple[str, Failure]]:
    with _folder("/github/home/.aws") as (folder, raised):
        config = folder / "config"

        def added(text: str = "", name: str = "deploy", value: str = "x", file: str = "credentials") -> Failure:
            path = folder / file
            if text:
                path.write_text(text)

            def add() -> None:
                with editing(ProfilePaths(path, config, {}), None) as edit:
                    edit.add(name, {"aws_access_key_id": value}, "us-east-1", overwrite=False)

            return raised(add)

        yield "The profile exists", added("[deploy]\n")
        yield "The name of the profile is not supported", added(name="my profile")
        yield "A value cannot be in a profile", added(value="a\nb")
        yield "A shared file cannot be read", added("[deploy\n")
        (folder / "folder").mkdir()
        yield "A shared file is not a file", added(file="folder")
        (folder / "file").write_text("")
        yield "The profile cannot be written", added(file="file/credentials")
    yield "The shared files are locked", locked_files.still_locked()


def _of_step() -> Iterator[tuple[str, Failure]]:
    error = "AssumeRoleWithWebIdentity failed: ServiceUnavailable (HTTP 503). Attempt 5 of 12."
    yield "The time limit of the step", action.too_long(60, [error])
    yield "The step is cancelled", _cancelled("main")
    yield "An unexpected error", _failure(KeyError())


def _raised(call: Callable[[], object]) -> Failure:
    try:
        raise AssertionError(call())
    except Failure as failure:
        return failure


@contextmanager
def _folder(name: str) -> Iterator[tuple[Path, Callable[[Callable[[], object]], Failure]]]:
    """An empty folder, and how to call something there so that its failure has this name for it."""
    with tempfile.TemporaryDirectory() as path:

        def raised(call: Callable[[], object]) -> Failure:
            failure = _raised(call)
            texts = {text: getattr(failure, text).replace(path, name) for text in ("what", "why", "fix")}
            return failure.replaced(**{text: value.split("\n") for text, value in texts.items()})

        yield Path(path), raised


def _expired_certificate() -> Exception:
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = 10, "certificate has expired"
    return error


def _jwt(**claims: object) -> str:
    return jwt.encode(claims, "a key that is not used to verify anything", algorithm="HS256")


def _inspected(token: str) -> Failure:
    return _raised(lambda: idtoken.inspect(Secret(token), "sts.amazonaws.com", _NOW))


def _inputs(**inputs: str) -> Inputs:
    given = {"aws_region": "us-east-1"} | inputs
    return Inputs.read({f"INPUT_{name.upper().replace('_', '-')}": value for name, value in given.items()})


def _refused(role: str, region: str = "us-east-1", accounts: str = "") -> Failure:
    return _raised(lambda: _inputs(role_to_assume=role, aws_region=region, allowed_account_ids=accounts))


def _filled(template: str) -> str:
    """A text of the table, with a name in place of each value of a run."""
    return "`".join(
        _named(part) if number % 2 else _named(part).replace("<", "&lt;")
        for number, part in enumerate(template.split("`"))
    )


def _named(part: str) -> str:
    names = Template(part).get_identifiers()
    return Template(part).substitute({name: f"<{name.replace('_', '-')}>" for name in names})


_BEGINNING = """\
# Troubleshooting

Find the message of the step's error below. If AWS refused, the headings are the messages of AWS. This page and the log
come from one table: the log has the same texts with the values of your run, and the most likely cause first. The job
summary (on the page of the run, below the graph) has more: the claims of the ID token, the identity provider that must
exist, all possible causes, and a trust policy that allows exactly this run, ready to paste.

With the input `trust-policy-file`, the step compares the role's trust policy in your repository with the token and
names the condition that failed. `python3 -m py_aws_oidc trust check POLICY --claims FILE` does the same on your own
machine, in the folder `src` of a clone of this action, with Python 3.11 or newer. POLICY is the output of
`aws iam get-role`, and FILE has the lines of the log under "What the ID token says".
"""
