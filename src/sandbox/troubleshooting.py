"""`python -m sandbox troubleshooting`: the page of all causes by symptom, in the words of the log."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator
from string import Template
from typing import TextIO

from py_aws_oidc.explain.causes import CAUSES, Cause
from py_aws_oidc.explain.markdown import fenced
from py_aws_oidc.explain.report import sentence
from py_aws_oidc.failure import Failure
from py_aws_oidc.github.context import Context
from py_aws_oidc.github.idtoken import no_permission
from py_aws_oidc.inputs import Inputs, InvalidInputs

_ACCOUNT = "arn:aws:iam::123456789012"


def main(out: TextIO) -> int:
    """Write the page docs/troubleshooting.md."""
    out.write("\n".join(_page()))
    return 0


def _page() -> Iterator[str]:
    yield _BEGINNING
    yield "## Before AWS is asked\n"
    for title, failure in _before():
        said = (textwrap.fill(line, 100, replace_whitespace=False) for line in str(failure).splitlines())
        yield f"### {title}\n\n{fenced(chr(10).join(said))}\n"
    for symptom, causes in itertools.groupby(CAUSES, key=lambda cause: cause.symptom):
        yield f"## {symptom.title}\n"
        if symptom.compared:
            yield f"{_filled(symptom.compared)}\n"
        yield from map(_section, causes)


def _section(cause: Cause) -> str:
    check, fix = _filled(cause.check), _filled(cause.fix)
    return f"### {_filled(cause.title)}\n\n{sentence(_filled(cause.why))}\n\n- to check: {check}\n- to fix: {fix}\n"


def _before() -> Iterator[tuple[str, Failure]]:
    """Errors before any call, with their full text."""
    dependabot, fork, push = Context(False, True), Context(True, False), Context(False, False)  # noqa: FBT003
    yield "The permission is missing", no_permission(push)
    yield "A pull request from a fork", no_permission(fork)
    yield "A run of Dependabot", no_permission(dependabot)
    provider = f"{_ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    yield "The ARN is not that of a role", _refused(role=provider)
    yield "The ARN contains white space", _refused(role=f"{_ACCOUNT}:role/my role")
    yield "The role is in another partition", _refused(role=f"{_ACCOUNT}:role/deploy", region="cn-north-1")
    yield "The role is in another account", _refused(role=f"{_ACCOUNT}:role/deploy", accounts="210987654321")


def _refused(role: str, region: str = "us-east-1", accounts: str = "") -> Failure:
    given = {"INPUT_ROLE-TO-ASSUME": role, "INPUT_AWS-REGION": region, "INPUT_ALLOWED-ACCOUNT-IDS": accounts}
    try:
        raise AssertionError(Inputs.read(given))
    except InvalidInputs as refused:
        return refused


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
