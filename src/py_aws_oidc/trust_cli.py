"""Command line for trust policies: `python3 -m py_aws_oidc trust write` and `trust check`.

This module has the input and output; `explain` decides what they say. A run of the action never imports it.
"""

from __future__ import annotations

import html
import json
import os
import re
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any, NoReturn, TextIO

from py_aws_oidc.explain import statements, trust
from py_aws_oidc.explain.claims import ABSENT, SHOWN, Subject
from py_aws_oidc.explain.findings import Finding, findings
from py_aws_oidc.explain.trust import GITHUB, is_github, provider_arn, provider_of
from py_aws_oidc.quoting import visible, was_changed

_MOST_CHARACTERS = 1_000_000


class WrongCallError(Exception):
    """The arguments or files of the command are wrong; a sentence says what, why and what to do."""


def main(arguments: Sequence[str], stdin: TextIO, stdout: TextIO, stderr: TextIO) -> int:
    """Run `trust` with these arguments; the exit status is 2 for wrong arguments or an unreadable file.

    Else it is 0, or 1 if `check` finds that the policy refuses the token.
    """
    try:
        status = _run(arguments, stdin, stdout, stderr)
        stdout.flush()
    except WrongCallError as error:
        stderr.write(f"py-aws-oidc trust: {visible(str(error))}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has had enough; what is left in the buffer would be an error at the interpreter's end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
        return 2
    return status


def _run(arguments: Sequence[str], stdin: TextIO, stdout: TextIO, stderr: TextIO) -> int:
    try:
        with redirect_stdout(stdout):
            given = _parser().parse_args(arguments)
    except SystemExit:
        return 0  # help was asked for; what is wrong raises WrongCallError
    status: int = given.run(given, stdin, stdout, stderr)
    return status


# --- the command line


class _Parser(ArgumentParser):
    """An argument parser that raises WrongCallError."""

    def error(self, message: str) -> NoReturn:
        raise WrongCallError(f"{message}; {self.prog} --help shows the usage.")


def _parser() -> ArgumentParser:
    parser = _Parser(
        prog="python3 -m py_aws_oidc trust",
        description="Write and check trust policies of IAM roles for ID tokens of GitHub Actions.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar="write|check", parser_class=_Parser)
    _add_write(
        commands.add_parser(
            "write", **_described("Write a trust policy that allows the jobs that you name.", _WRITE)
        )
    )
    _add_check(commands.add_parser("check", **_described("Check whether a trust policy allows a token.", _CHECK)))
    return parser


_WRITE = """\
example:
  python3 -m py_aws_oidc trust write --repository octo-org/app --branch main --account 123456789012 > trust.json
  aws iam create-role --role-name deploy --assume-role-policy-document file://trust.json

The policy is written to standard output, findings to standard error. With several of --branch, --tag, --environment and
--pull-request, the policy allows the jobs that match one of them. The subject of a job with an environment does not
have its branch. In branches, tags and environments, * and ? are wildcards.

The IDs are those of the token's claims repository_owner_id and repository_id; `gh api repos/OWNER/NAME` shows them.
"""
_CHECK = """\
examples:
  aws iam get-role --role-name deploy | python3 -m py_aws_oidc trust check - --claims claims.json
  python3 -m py_aws_oidc trust check trust.json --sub repo:octo-org/app:ref:refs/heads/main --aud sts.amazonaws.com

The claims are a JSON object, or lines that you copied from the action's log, its error or its summary. The exit status
is 0 if the token is allowed, 1 if it is refused, and 2 if the result is not known.
"""


def _described(description: str, epilog: str) -> dict[str, Any]:
    return {
        "help": description,
        "description": description,
        "epilog": epilog,
        "formatter_class": RawDescriptionHelpFormatter,
        "allow_abbrev": False,
    }


def _add_write(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--repository", required=True, metavar="OWNER/NAME", help="the repository of the jobs")
    add("--branch", action="append", default=[], metavar="NAME", help="jobs on this branch")
    add("--tag", action="append", default=[], metavar="NAME", help="jobs on this tag")
    add("--environment", action="append", default=[], metavar="NAME", help="jobs with this environment")
    add("--pull-request", action="store_true", help="jobs that a pull request started")
    add("--owner-id", metavar="ID", help="the owner's ID; with --repository-id for subjects with IDs")
    add("--repository-id", metavar="ID", help="the repository's ID; alone, it becomes a condition of its own")
    add(
        "--forms",
        choices=("names", "ids", "both"),
        help="the forms of the subject (default: ids if both IDs are set)",
    )
    add("--audience", metavar="TEXT", help="the audience of the tokens (default: sts.amazonaws.com)")
    add("--issuer", default=GITHUB, metavar="URL", help="the issuer of the tokens (default: GitHub)")
    add("--account", metavar="ID", help="the account of the role; for json only")
    add("--partition", default="aws", metavar="NAME", help="its partition (default: aws)")
    add("--format", choices=("json", "cloudformation", "terraform"), default="json", help="(default: json)")
    add("--with-provider", action="store_true", help="also write the identity provider; not for json")
    parser.set_defaults(run=_write)


def _add_check(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "policy",
        metavar="POLICY",
        help="file with the policy, or with the output of `aws iam get-role`; - is standard input",
    )
    add("--claims", metavar="FILE", help="file with the claims of the token; - is standard input")
    add("--sub", metavar="TEXT", help="the token's subject, instead of --claims")
    add("--aud", metavar="TEXT", help="the token's audience, instead of --claims")
    add("--issuer", metavar="URL", help="the token's issuer, if the claims do not have it (default: GitHub)")
    add("--account", metavar="ID", help="the role's account (default: the account in the policy)")
    add("--partition", default="aws", metavar="NAME", help="its partition (default: aws)")
    add("--action", default=trust.EXCHANGE, metavar="NAME", help="(default: %(default)s)")
    add("--role-session-name", default="GitHubActions", metavar="NAME", help="(default: %(default)s)")
    parser.set_defaults(run=_check)


# --- write


def _write(given: Namespace, _: TextIO, stdout: TextIO, stderr: TextIO) -> int:
    issuer, partition = _issuer(given.issuer), _partition(given.partition)
    usual = "sts.amazonaws.com.cn" if partition == "aws-cn" else "sts.amazonaws.com"
    forms = _forms(given, provider_of(issuer))
    # The claim stays the same if the repository is renamed; AWS has it for GitHub's own issuers only.
    by_id = given.repository_id and "names" in forms and is_github(provider_of(issuer))
    policy = statements.policy(
        statements.statement(
            provider_arn(issuer, _account(given), partition),
            _plain(usual if given.audience is None else given.audience, "--audience"),
            [_subject(given, context, form) for form in forms for context in _contexts(given)],
            **({"repository_id": given.repository_id} if by_id else {}),
        )
    )
    try:
        stdout.write(_written(given, policy) + "\n")
    except ValueError as error:
        raise WrongCallError(f"{error}.") from None
    _print(_told(findings(policy)), stderr)
    return 0


def _written(given: Namespace, policy: Mapping[str, Any]) -> str:
    if given.format == "json":
        return statements.as_json(policy)
    write = statements.as_cloudformation if given.format == "cloudformation" else statements.as_terraform
    return write(policy, with_provider=given.with_provider)


def _account(given: Namespace) -> str:
    """The account to name; CloudFormation and Terraform know theirs."""
    if given.format == "json":
        if given.with_provider:
            raise WrongCallError(
                "--with-provider is not for json: a trust policy cannot create an identity provider."
            )
        if given.account is None:
            raise WrongCallError(
                "--account is missing: the policy names the identity provider in the role's account."
            )
        return _id(given.account, "--account", 12)
    if given.account is not None:
        raise WrongCallError(
            f"--account is not for {given.format}: the template uses the account in which it is deployed."
        )
    return "0" * 12


def _id(text: str, option: str, digits: int | None = None) -> str:
    if not re.fullmatch(f"[0-9]{{{digits}}}" if digits else "[0-9]+", text):
        form = f"an ID of {digits} digits" if digits else "a number"
        raise WrongCallError(f"{option} is {text!r}, but it must be {form}.")
    return text


def _partition(text: str) -> str:
    if not re.fullmatch(r"aws(-[a-z]+)*", text):
        raise WrongCallError(
            f"--partition is {text!r}, but it must be a partition such as aws, aws-cn or aws-us-gov."
        )
    return text


def _issuer(text: str, name: str = "--issuer") -> str:
    if not re.fullmatch(r"https://[\w.-]+(:[0-9]+)?(/[\w.~-]+)*/?", text, re.ASCII):
        raise WrongCallError(f"{name} is {text!r}, but it must be a URL such as {GITHUB}.")
    return text.rstrip("/")


def _forms(given: Namespace, provider: str) -> tuple[str, ...]:
    """The forms of the subject that the policy must have."""
    for option in ("owner_id", "repository_id"):
        if (value := getattr(given, option)) is not None:
            _id(value, f"--{option.replace('_', '-')}")
    forms = given.forms or ("ids" if given.owner_id and given.repository_id else "names")
    if (given.owner_id or forms != "names") and not (given.owner_id and given.repository_id):
        raise WrongCallError("A subject has both IDs or none: use --owner-id together with --repository-id.")
    if forms == "names" and given.repository_id and not is_github(provider):
        raise WrongCallError(
            f"--repository-id cannot be a condition for {provider}: AWS supports this claim for GitHub's own issuers "
            "only. Remove this option."
        )
    return ("names", "ids") if forms == "both" else (forms,)


def _contexts(given: Namespace) -> Iterable[str]:
    """The parts of the subject after the repository ("OpenID Connect reference", "Example subject claims")."""
    contexts = [
        *(f"ref:refs/heads/{_ref(name, '--branch')}" for name in given.branch),
        *(f"ref:refs/tags/{_ref(name, '--tag')}" for name in given.tag),
        *(f"environment:{_name(name, '--environment')}" for name in given.environment),
        *(["pull_request"] if given.pull_request else []),
    ]
    if not contexts:
        raise WrongCallError(
            "No jobs are named. A role should not trust every branch: use --branch, --tag, --environment or "
            "--pull-request."
        )
    return contexts


def _ref(name: str, option: str) -> str:
    if name.startswith("refs/") or any(map(str.isspace, name)):
        raise WrongCallError(f"{option} is {name!r}, but it must be a name only, such as main or v1.2.")
    return _name(name, option)


def _name(name: str, option: str) -> str:
    """A name as the subject has it, and as a pattern: a colon is %3A, and a `${` must not be a policy variable."""
    return _plain(name, option).replace(":", "%3A").replace("${", "${$}{")


def _plain(text: str, option: str) -> str:
    if not text.isprintable() or text != text.strip() or not text:
        raise WrongCallError(
            f"{option} is {text!r}, but it must be one line of text without white space around it."
        )
    return text


def _subject(given: Namespace, context: str, form: str) -> str:
    if set(given.repository) & set("*?"):
        raise WrongCallError(
            f"--repository is {given.repository!r}, but with a wildcard, other people could register a name that "
            "matches: name one repository, and write one statement for each."
        )
    match = re.fullmatch(r"([\w-]+)/([\w.-]+)", given.repository, re.ASCII)
    if not match:
        raise WrongCallError(
            f"--repository is {given.repository!r}, but it must be OWNER/NAME, such as octo-org/app."
        )
    subject = Subject(match[1], match[2], context)
    return str(subject if form == "names" else subject.by_ids(given.owner_id, given.repository_id))


# --- check


@dataclass(frozen=True)
class _Token:
    """A token: its claims, and the names of all claims of which it is known whether the token has them."""

    claims: Mapping[str, Any]
    known: frozenset[str] | None = None

    def knows(self, claim: str) -> bool:
        """True if the token does not have the claim when it is not in `claims`."""
        return self.known is None or claim in self.known


def _check(given: Namespace, stdin: TextIO, stdout: TextIO, stderr: TextIO) -> int:
    if given.policy == "-" == given.claims:
        raise WrongCallError(
            "POLICY and --claims are both -, but there is only one standard input: use a file for one of them."
        )
    try:
        policy = trust.read(_text(given.policy, stdin))
    except trust.InvalidPolicyError as error:
        raise WrongCallError(f"{_named(given.policy)} is not a trust policy: {error}.") from None
    token = _token(given, stdin)
    issuer = _issuer(_claim(token, "iss", given.issuer or GITHUB), "the issuer")
    provider = provider_of(issuer)
    for claim in ("sub", "aud"):
        _claim(token, claim)
    principal = _principal(given, policy, issuer)
    try:
        decision = trust.evaluate(
            policy,
            principal=principal,
            action=given.action,
            context=trust.context_of(token.claims, provider, session_name=given.role_session_name),
        )
        _require_known(token, provider, decision)
    except trust.UnsupportedPolicyError as error:
        # A finding can be the reason: for example, an operator that IAM does not have either.
        _print(_told(findings(policy)), stderr)
        raise WrongCallError(f"Cannot evaluate {_named(given.policy)}, because of the {error}.") from None
    _print(_reported(policy, principal, given.action, decision), stdout)
    _print(_told(findings(policy)), stdout)
    return 0 if decision.allowed else 1


def _text(name: str, stdin: TextIO) -> str:
    try:
        if name == "-":
            text = stdin.read(_MOST_CHARACTERS + 1)
        else:
            with open(name, encoding="utf-8") as file:  # noqa: PTH123 - a Path would change the user's text
                text = file.read(_MOST_CHARACTERS + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise WrongCallError(f"{_named(name)} cannot be read: {why}.") from None
    if len(text) > _MOST_CHARACTERS:
        raise WrongCallError(f"{_named(name)} is too large: it has more than {_MOST_CHARACTERS:,} characters.")
    return text.removeprefix("\ufeff")


def _named(name: str) -> str:
    return "standard input" if name == "-" else repr(name)


def _token(given: Namespace, stdin: TextIO) -> _Token:
    told = {"sub": given.sub, "aud": given.aud}
    missing = [f"--{claim}" for claim, value in told.items() if value is None]
    if given.claims is not None and len(missing) < len(told):
        raise WrongCallError("The claims are set twice: use --claims, or --sub and --aud.")
    if given.claims is None and missing:
        what = missing[0] if len(missing) < len(told) else "--claims, or --sub and --aud,"
        raise WrongCallError(f"{what} is missing: the check compares the policy with the claims of a token.")
    if given.claims is None:
        return _Token(told, frozenset(told))
    text, name = _text(given.claims, stdin), _named(given.claims)
    if re.search(r"eyJ[\w-]+\.[\w-]+\.", text):
        raise WrongCallError(
            f"{name} contains a token, not only its claims. Anyone who has the token can use it until it expires: "
            "delete the file, and use the lines that the action's log shows."
        )
    if not text.lstrip().startswith("{"):
        return _of_lines(text, name)
    try:
        claims = json.loads(text)
    except (ValueError, RecursionError):
        raise WrongCallError(f"{name} is not valid JSON: it must be an object of claims.") from None
    return _Token(claims)


# A claim in the log as `explain.claims.lines` writes it, in the error, or in the table of the summary; before it what
# `gh run view --log` and the log's page put in front. Each part takes all that it can, so that no line takes long.
_CLAIM = "|".join(SHOWN)
_LINE = re.compile(
    r"(?:[^\t]*+\t[^\t]*+\t)??\s*+(?:\d++\s*+)?"
    r"(?:(?:\d{4}-\d\d-\d\dT[\d:.]++Z|\w{3}, \d\d \w{3} \d{4} [\d:]++ GMT)\s*+)?"
    rf"(?P<name>(?:{_CLAIM})(?:  +|\t)|- (?:{_CLAIM}): |\| (?:{_CLAIM}) \| )(?P<value>.*)"
)


def _of_lines(text: str, name: str) -> _Token:
    """Read the claims from lines of the action, and the names of all claims that the lines have."""
    said: dict[str, str] = {}
    for match in filter(None, map(_LINE.fullmatch, map(str.strip, text.split("\n")))):
        claim, value = match["name"].strip("-|: \t"), match["value"].strip()
        if code := re.fullmatch(r"<code>(.*)</code> \|", value):
            value = html.unescape(code[1])
        if was_changed(value):
            raise WrongCallError(
                f"{name} does not have the exact value of {claim}, which the log has cut or written with escapes: "
                "use a JSON object with the claims."
            )
        if said.setdefault(claim, value) != value:
            raise WrongCallError(
                f"{name} has two values of {claim}: it has the lines of more than one step. Keep only one."
            )
    if not said:
        raise WrongCallError(
            f"{name} has no claims: use a JSON object, or the lines of the action's log under "
            '"What the ID token says".'
        )
    return _Token({claim: value for claim, value in said.items() if value != ABSENT}, frozenset(said))


def _claim(token: _Token, name: str, default: str = "") -> str:
    value = token.claims.get(name, default)
    if isinstance(value, list) and name == "aud":
        value = next(iter(value), "")
    if not isinstance(value, str) or not value:
        raise WrongCallError(
            f"The claims have no {name}, or it is not a string: they are not those of an ID token."
        )
    return value


def _principal(given: Namespace, policy: Mapping[str, Any], issuer: str) -> str:
    """ARN of the identity provider: in the account of --account, else the one in the policy."""
    if given.account is not None:
        return provider_arn(issuer, _id(given.account, "--account", 12), _partition(given.partition))
    named = {
        arn
        for _, statement in trust.statements(policy)
        for element in ("Principal", "NotPrincipal")
        for arn in trust.federated(statement.get(element))
        if provider_of(arn) == provider_of(issuer)
    }
    if len(named) > 1:
        raise WrongCallError("The policy names the identity provider in several accounts: use --account.")
    return next(iter(named), provider_arn(issuer, "ACCOUNT", _partition(given.partition)))


def _require_known(token: _Token, provider: str, decision: trust.Decision) -> None:
    """Raise UnsupportedPolicyError if the policy needs a claim that the token may or may not have."""
    for verdict in decision.verdicts:
        for test in verdict.tests:
            of, _, claim = test.key.lower().rpartition(":")
            if of == provider.lower() and claim in trust.GITHUB_CLAIM_KEYS and not token.knows(claim):
                raise trust.UnsupportedPolicyError(
                    f"claim {claim}: it is not known whether the token has it. Use a JSON object with all claims"
                )


def _reported(policy: Mapping[str, Any], principal: str, action: str, decision: trust.Decision) -> Iterator[str]:
    by = f"Statement[{decision.statement}]"
    if decision.allowed:
        yield f"allowed by {by}"
    else:
        yield f"refused by the Deny in {by}" if decision.effect else "refused: no statement allows it"
    for verdict, (where, statement) in zip(decision.verdicts, trust.statements(policy), strict=True):
        yield ""
        yield f"{where} ({verdict.effect}) {'matches' if verdict.matches else 'does not match'}"
        yield from _compared(verdict.principal_fits, *_element(statement, "Principal"), principal)
        yield from _compared(verdict.action_fits, *_element(statement, "Action"), action)
        for test in verdict.tests:
            given = " and ".join(test.given) or ABSENT
            yield from _compared(test.holds, f"{test.operator} {test.key}", " or ".join(test.wanted), given)


def _element(statement: Mapping[str, Any], name: str) -> tuple[str, str]:
    name = name if name in statement else f"Not{name}"
    return name, statement[name] if isinstance(statement[name], str) else json.dumps(statement[name])


def _compared(fits: bool, what: str, policy: str, token: str) -> Iterator[str]:  # noqa: FBT001 - of a verdict
    yield f"  {'holds' if fits else 'FAILS'}  {what}"
    yield f"         policy: {policy}"
    yield f"         token:  {token}"


def _told(found: Sequence[Finding]) -> Iterator[str]:
    for finding in found:
        yield ""
        yield f"{finding.severity} in {finding.where}"
        yield f"  {finding.what}"
        yield f"  What to do: {finding.fix}"


def _print(lines: Iterable[str], to: TextIO) -> None:
    to.writelines(f"{visible(line)}\n" for line in lines)
