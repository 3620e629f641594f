"""Export of a session to later steps: in all ways or in none.

All secrets of the session have been masked before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

from py_aws_oidc.aws.sts import Session
from py_aws_oidc.export import outputs, profiles, variables
from py_aws_oidc.export.target import NOTHING, Export, Target
from py_aws_oidc.github.files import AllOrNothing, CommandFile
from py_aws_oidc.inputs import Inputs
from py_aws_oidc.interrupts import uninterrupted
from py_aws_oidc.secret import Secret

# In the order in which they are carried out; post undoes them in reverse. The variables are last: by them, later steps
# find what the others made.
TARGETS: tuple[Target, ...] = (profiles, outputs, variables)
# A step that succeeds saves all of them.
STATES = tuple(target.STATE for target in TARGETS if target.STATE)
# All variables that a run can set, and so all that post can restore.
VARIABLES = tuple(name for target in TARGETS for name in target.VARIABLES)

Exports = Mapping[Target, Export]


def prepare(session: Session, inputs: Inputs, environ: Mapping[str, str]) -> Exports:
    """Decide what later steps get of the session; `environ` is the environment of this step.

    Raises Failure if a target cannot export it.
    """
    exports: dict[Target, Export] = {}
    exported: dict[str, str | Secret] = {}
    for target in TARGETS:
        if export := target.prepare(session, inputs, environ, exported):
            exports[target] = export
            exported.update(export.variables)
    return exports


def apply(exports: Exports, environ: Mapping[str, str], mask: Callable[[Secret], None]) -> None:
    """Write the exports, all or none of them, in an order in which an interruption does no harm.

    The states, which undo the exports, are written before them. Raises Failure if a file is missing or cannot be
    written.
    """
    # nektos/act and similar runners may have no state.
    file = CommandFile.named(environ, "GITHUB_STATE") if environ.get("GITHUB_STATE") else None
    with uninterrupted(), ExitStack() as opened:
        state_file = opened.enter_context(AllOrNothing([file] if file else []))
        staged = {target: opened.enter_context(export.stage()) for target, export in exports.items()}
        # With step debugging on, the runner shows the state that it saves.
        for secret in (secret for export in staged.values() for secret in export.secrets):
            for form in _forms(secret):
                mask(form)
        if file:
            states = {target.STATE: export.state for target, export in staged.items()}
            state_file.append(file, {name: states.get(name, Secret(NOTHING)) for name in STATES})
        for export in staged.values():
            export.apply()


def _forms(secret: Secret) -> Iterator[Secret]:
    """Yield a secret as it is, and as the JSON of the state writes it."""
    yield secret
    if (spelled := json.dumps(secret.reveal())[1:-1]) != secret.reveal():
        yield Secret(spelled)
