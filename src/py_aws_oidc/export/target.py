"""The shape that all ways to export have.

A way to export is a module of this package with the parts of `Target`, and a row in `handover.TARGETS`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from py_aws_oidc.aws.sts import Session
from py_aws_oidc.github.commands import Log
from py_aws_oidc.inputs import Inputs
from py_aws_oidc.secret import Secret

# The state of a target that has nothing to undo. It is saved too: without a state, post would get what another step
# wrote to GITHUB_ENV under the state's name.
NOTHING = "{}"


@dataclass(frozen=True)
class Staged:
    """An export whose files are open, and locked where others write them too; `apply` writes them.

    `state` is what undoes it after that, and `secrets` are the secrets in the state.
    """

    apply: Callable[[], None]
    state: Secret = Secret(NOTHING)  # noqa: RUF009 - it cannot be changed
    secrets: tuple[Secret, ...] = ()


@dataclass(frozen=True)
class Export:
    """What a run exports in one way. Nothing is opened, locked or changed yet: `stage` begins with that.

    If the block of `stage` raises, even after `apply`, the files become what they were. `variables` are all that later
    steps get with it; `notes` are lines for the log, and `title` is that of the warnings.
    """

    stage: Callable[[], AbstractContextManager[Staged]] = field(repr=False)
    variables: Mapping[str, str | Secret] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    title: str = ""


class Target(Protocol):
    """A way to export, and to undo it at the end of the job."""

    @property
    def STATE(self) -> str:  # noqa: N802 - a constant of the module
        """The name of what `undo` needs in GITHUB_STATE; empty if nothing can be undone.

        In capital letters, since Windows makes all names of variables so.
        """

    @property
    def VARIABLES(self) -> tuple[str, ...]:  # noqa: N802 - as above
        """All variables that later steps may get by it."""

    def prepare(
        self, session: Session, inputs: Inputs, environ: Mapping[str, str], variables: Mapping[str, str | Secret], /
    ) -> Export | None:
        """Decide what is exported; `variables` are those of the targets before this one.

        None if the inputs do not ask for it. Raises Failure if it cannot be done.
        """

    def undo(
        self, state: str, environ: Mapping[str, str], log: Log, variables: Collection[str], /
    ) -> Callable[[], None] | None:
        """Read a state; what undoes the export, or None if there is nothing to undo.

        The state may be planted: a step that failed saved none, and any other step may have set the variable that the
        runner has for it. Only `variables` may be changed.
        """
