"""A refusal in words: an error for the log, and a page for the job's summary; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from py_aws_oidc.aws.arn import AssumedRole
from py_aws_oidc.aws.errors import Refused, spoken
from py_aws_oidc.explain import claims, trust
from py_aws_oidc.explain.causes import Cause, Weight, ranked
from py_aws_oidc.explain.claims import Subject
from py_aws_oidc.explain.evidence import Evidence, PolicyFile
from py_aws_oidc.explain.findings import findings
from py_aws_oidc.explain.markdown import code, fenced
from py_aws_oidc.explain.scope import Scope, of_subject
from py_aws_oidc.explain.statements import as_json, literal, policy, statement
from py_aws_oidc.explain.templates import fill
from py_aws_oidc.quoting import shown

_LEADS = {
    Weight.POSSIBLE: "One possible cause:",
    Weight.LIKELY: "The likely cause in this run:",
    Weight.SHOWN: "The cause:",
    Weight.PROVEN: "The cause:",
}
_MOST_VALUES, _MOST_CHARACTERS = 5, 300  # of a condition, in one line of the log
_MOST_LINES = 10  # of statements, and of faults, that an error has


def explain(evidence: Evidence) -> Refused:
    """Explain AWS's refusal; the result is the refusal with other texts, to be raised."""
    refused = evidence.refused
    causes = ranked(evidence)
    if not causes:
        return refused
    weight, first = causes[0]
    said = words(evidence)
    compared = fill(first.symptom.compared, said).splitlines()
    others = "Other causes are possible too. " if len(causes) > 1 else ""
    return refused.replaced(
        name=first.name,
        what=f"AWS refused {refused.operation}{f' for {evidence.role.arn}' if evidence.role else ''}: "
        f"{spoken(refused.code, refused.message, refused.status)}",
        why=[
            *compared,
            *_judgement(evidence),
            f"{_LEADS[weight]} {fill(first.title, said)}. {sentence(fill(first.why, said))}",
        ],
        fix=[
            f"to check, {fill(first.check, said)}",
            f"To fix it, {fill(first.fix, said)}",
            f"{others}The summary on the page of the job has all that is known, ready to copy.",
        ],
        details="\n".join(_details(evidence, causes)),
    )


def words(evidence: Evidence) -> dict[str, str]:
    """What the texts of a cause may name, for one run."""
    role, subject, decision = evidence.role, evidence.subject, evidence.decision
    percentage = re.search(r"[0-9]{1,9} ?%", evidence.refused.message)
    said = claims.said(evidence.claims)
    return {
        "role": role.arn if role else "(no role)",
        "role_name": role.name.rpartition("/")[2] if role else "(no role)",
        "account": role.account if role else "(unknown)",
        "audience": evidence.token_audience,
        "seconds": str(evidence.seconds),
        "region": evidence.region,
        "provider": evidence.provider_arn,
        "issuer": said["iss"],
        "sub": said["sub"],
        "aud": said["aud"],
        "repository": said["repository"],
        "job_workflow_ref": said["job_workflow_ref"],
        "context": subject.context if subject else said["sub"],
        "percentage": percentage[0] if percentage else "too much",
        "policy_file": evidence.policy_file.name if evidence.policy_file else "the trust policy",
        "statement": str(decision.statement) if decision else "(unknown)",
    }


def sentence(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def _judgement(evidence: Evidence) -> Iterator[str]:
    """What the policy in the repository says to the token, statement by statement and condition by condition."""
    if evidence.policy_file is None or evidence.refused.operation != "AssumeRoleWithWebIdentity":
        return
    if evidence.decision is None:
        yield f"{evidence.policy_file.name} cannot be compared with the token here: {evidence.not_judged}."
        yield from _faults(evidence.policy_file)
        return
    result = "allows" if evidence.decision.allowed else "refuses"
    yield f"{evidence.policy_file.name} {result} this token:"
    yield from _first([f"- {spoken_verdict(verdict)}" for verdict in evidence.decision.verdicts], "statements")
    yield from _faults(evidence.policy_file)


def _faults(file: PolicyFile) -> Iterator[str]:
    """What is wrong with the policy whatever the token says, if that is more than a matter of taste."""
    yield from _first(
        [
            f"- {finding.where}: {finding.what} To fix it, {finding.fix}"
            for finding in findings(file.document)
            if finding.severity == "error"
        ],
        "faults",
    )


def _first(lines: Sequence[str], what: str) -> Iterator[str]:
    yield from lines[:_MOST_LINES]
    if len(lines) > _MOST_LINES:
        yield f"- and {len(lines) - _MOST_LINES} more {what}"


def spoken_verdict(verdict: trust.Verdict) -> str:
    """One line: what the statement says, and what of it does not fit."""
    name = f"statement {verdict.index}{f' ({verdict.sid})' if verdict.sid else ''}, {verdict.effect}"
    if verdict.matches:
        return f"{name}: fits this token"
    misses = [
        *([] if verdict.principal_fits else ["Principal is another one"]),
        *([] if verdict.action_fits else [f"Action is not {trust.EXCHANGE}"]),
        *(
            f"{test.operator} {test.key} wants {_any_of(test.wanted)}, and the "
            f"{'request' if test.key.lower().startswith('sts:') else 'token'} says {_any_of(test.given)}"
            for test in verdict.tests
            if not test.holds
        ),
    ]
    return f"{name}: does not fit, since {'; '.join(misses)}"


def _any_of(values: tuple[str, ...]) -> str:
    # Nothing of it is secret: policies and subjects are for comparing, letter by letter.
    some = " or ".join(repr(shown(value, _MOST_CHARACTERS)) for value in values[:_MOST_VALUES]) or "nothing"
    return f"{some} or one of {len(values) - _MOST_VALUES} more" if len(values) > _MOST_VALUES else some


# --- the job's summary


def _details(evidence: Evidence, causes: list[tuple[Weight, Cause]]) -> Iterator[str]:
    said = words(evidence)
    yield "### Causes that fit this run\n"
    for number, (weight, cause) in enumerate(causes, 1):
        yield f"{number}. **{_on_page(cause.title, said)}** ({weight})"
        yield f"   - why: {_on_page(cause.why, said)}"
        yield f"   - to check: {_on_page(cause.check, said)}"
        yield f"   - to fix it: {_on_page(cause.fix, said)}"
    if evidence.claims:
        yield "\n### What the ID token says\n"
        yield "| claim | value |\n| --- | --- |"
        for name, value in claims.said(evidence.claims).items():
            yield f"| {name} | {code(value)} |"
    if evidence.claims and evidence.role:
        yield "\n### The identity provider that the role's account must have\n"
        yield fenced(shown(evidence.provider_arn))
    written = [(title, document) for title, document in statements(evidence) if trust.fits_into_iam(document)]
    if written:
        yield "\n### What would allow this run\n"
        yield "Each is a whole trust policy. If the role has other statements, add the one in `Statement` to them."
    for number, (title, document) in enumerate(written):
        yield f"\n<details{'' if number else ' open'}><summary>{title}</summary>\n"
        yield f"{fenced(as_json(document), 'json')}\n\n</details>"


def _on_page(text: str, said: Mapping[str, str]) -> str:
    return fill(text, said, as_text=code, as_code=code)


def statements(evidence: Evidence) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The trust policies that allow this run, ready to paste; the first allows the least, each has its reason.

    Each is held to one repository, by its name or its id, or says in its title that it is not and stands behind others.
    """
    if evidence.refused.operation == "AssumeRole":
        yield from _for_caller(evidence)
        return
    sub, subject = evidence.claims.get("sub"), evidence.subject
    if not isinstance(sub, str) or not evidence.role:
        return

    def policy_for(*subjects: str, **more: Any) -> Mapping[str, Any]:  # noqa: ANN401 - as `statement` takes it
        return policy(statement(evidence.provider_arn, evidence.token_audience, subjects, **more))

    if not subject:
        yield from _for_customised(evidence, literal(sub), policy_for)
        return
    owner_id, repository_id = evidence.owner_id, evidence.repository_id
    has_ids = bool(owner_id and repository_id and trust.is_github(evidence.provider))
    # A name can pass to another repository. AWS announced the key for its commercial Regions only.
    by_id = {"repository_id": repository_id} if has_ids and evidence.role.partition == "aws" else {}
    form = "with ids" if subject.is_immutable else "with names"
    yield f"By the subject of this run ({form})", policy_for(literal(sub), **by_id)
    # A merge queue's branch is never there again, but the queue's next ones are.
    queue = re.sub(r"(:ref:refs/heads/gh-readonly-queue/.+/pr-)[^/]*\Z", r"\1*", literal(sub))
    if queue != literal(sub):
        yield (
            "By the merge queue, which is wider than this run: every entry of the queue for this branch",
            policy_for(queue, **by_id),
        )
    if not has_ids:
        return
    forms = [literal(str(form)) for form in (subject.by_names(), subject.by_ids(owner_id, repository_id))]
    yield "By both forms of the subject, with names and with ids", policy_for(*forms, **by_id)
    whatever = [re.sub(r"/[^/:]+:", "/*:", form, count=1) for form in forms]
    yield (
        "By the repository's id, which outlives a new name of the repository",
        policy_for(*whatever, repository_id=repository_id),
    )


def _for_customised(
    evidence: Evidence, sub: str, policy_for: Callable[..., Mapping[str, Any]]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The policies for a subject that is not in GitHub's form, which other repositories may have by their template."""
    has_key = trust.is_github(evidence.provider)
    if has_key and (repository_id := evidence.repository_id):
        yield "By the subject of this run and the repository's id", policy_for(sub, repository_id=repository_id)
        return
    if of_subject(sub, wildcards=True, encodes_colons=has_key) == Scope.REPOSITORY:
        yield "By the subject of this run, which names the repository", policy_for(sub)
        return
    if has_key:
        yield (
            "By the subject of this run and the repository's id, which must be filled in",
            policy_for(sub, repository_id="REPOSITORY-ID"),
        )
    elif default := Subject.by_default(evidence.claims):
        yield (
            "By GitHub's default subject, which this job has once the template is set back to the default",
            policy_for(literal(str(default))),
        )
    yield (
        "By the subject of this run alone. NOT limited to one repository: every token with this subject is accepted",
        policy_for(sub, lets_others_in=True),
    )


def _for_caller(evidence: Evidence) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The policy for credentials that assume a role: AWS's message names whose they are."""
    if caller := re.search(r"User: (arn:\S+) is not authorized", evidence.refused.message):
        arn = caller[1]
        with suppress(ValueError):
            session = AssumedRole.parse(arn)
            arn = f"arn:{arn.split(':')[1]}:iam::{session.account}:role/{session.role}"
        actions = ["sts:AssumeRole", "sts:TagSession"] if evidence.tags_session else "sts:AssumeRole"
        external = {"Condition": {"StringEquals": {"sts:ExternalId": "YOUR-EXTERNAL-ID"}}}
        allow = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": actions}
        title = "By the caller (a role's path, if it has one, must be added before its name)"
        yield title, policy(allow | (external if evidence.gives_external_id else {}))
