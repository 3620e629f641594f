"""`python -m sandbox soak`: many runs against services that fail at random; each must leave all or nothing."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Sequence
from configparser import ConfigParser
from dataclasses import dataclass, replace
from itertools import takewhile
from random import Random
from secrets import randbits
from typing import TextIO

from py_aws_oidc.export.handover import STATES
from sandbox.faults import Fault
from sandbox.in_process import Stage, folder, stage
from sandbox.reliability import TROUBLES
from sandbox.secrets import take

SHARE = 0.3
MOST_RUNS = 10_000
MOST_SECONDS = 1800
# More calls than a run can make: two loops of tries for the ID token, and one for STS.
_CALLS = 40
_INPUTS = {"output_credentials": "true", "output_env_credentials": "true", "aws_profile": "soak"}

Left = tuple[frozenset[str], ...]
"""The names in GITHUB_ENV, GITHUB_OUTPUT and GITHUB_STATE, and the profiles."""

NOTHING: Left = (frozenset(), frozenset(), frozenset(), frozenset())
ALL: Left = (
    frozenset({"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"})
    | {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"},
    frozenset({"aws-account-id", "authenticated-arn", "aws-expiration"})
    | {"aws-access-key-id", "aws-secret-access-key", "aws-session-token"},
    frozenset(STATES),
    frozenset({"soak"}),
)


@dataclass(frozen=True)
class End:
    """How a run ended: its exit status, what it left, whether the log tells a secret, its seconds by the clock."""

    status: int
    left: Left
    leaks: bool
    seconds: float

    @property
    def half_done(self) -> bool:
        """True if anything but all was left by success, or anything at all by failure."""
        return self.left != (NOTHING if self.status else ALL)


def main(arguments: Sequence[str], out: TextIO) -> int:
    """Print how the runs ended; the exit status is 1 if any was half done, or told a secret."""
    parser = ArgumentParser("python -m sandbox soak", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, metavar="N", help=f"at most {MOST_RUNS}; default: 1000")
    parser.add_argument("--seed", type=int, default=randbits(32), metavar="S", help="repeats the runs of this seed")
    given = parser.parse_args(arguments)
    chance = Random(given.seed)  # noqa: S311 - of faults, not of secrets
    with stage() as scene:
        until = time.monotonic() + MOST_SECONDS
        runs = takewhile(lambda _: time.monotonic() < until, range(min(given.runs, MOST_RUNS)))
        ends = [one(scene, chance) for _ in runs]
    return tell(ends, given.seed, out)


def one(scene: Stage, chance: Random) -> End:
    """One run, in which each call fails with a chance of 30 %."""
    for place, troubles in TROUBLES.items():
        faults = [trouble.on(scene.watch) for trouble in troubles if trouble.fault]
        drawn = [chance.choice(faults) if chance.random() < SHARE else Fault() for _ in range(_CALLS)]
        scene.world.faults.script(place.operation, *drawn)
    started = scene.watch.seconds
    with folder() as home:
        clock = replace(scene.watch.clock(), uniform=chance.uniform)
        run = scene.run(home, clock, environ={"HOME": str(home)}, **_INPUTS)
        profiles = ConfigParser()
        profiles.read(home / ".aws" / "credentials")
    scene.world.faults.clear()
    take()  # is for a check that looks at a few runs; of many it would grow too large
    files = (run.env, run.outputs, run.state)
    left = (*(frozenset(name for name in file if file[name]) for file in files), frozenset(profiles.sections()))
    return End(run.status, left, run.leaks, scene.watch.seconds - started)


def tell(ends: Sequence[End], seed: int, out: TextIO) -> int:
    """Print the runs that should not have ended so, then one line with the figures."""
    wrong = [(number, end) for number, end in enumerate(ends, 1) if end.half_done or end.leaks]
    for number, end in wrong:
        left = ", ".join(sorted(name for names in end.left for name in names)) or "nothing"
        told = " A secret is in its log." if end.leaks else ""
        out.write(f"Run {number} ended with status {end.status} and left {left}.{told}\n")
    green = sum(end.status == 0 for end in ends)
    out.write(
        f"{len(ends)} runs, each call failing with a chance of {SHARE:.0%}: {green} green, {len(ends) - green} red, "
        f"{sum(end.half_done for end in ends)} half done, {sum(end.leaks for end in ends)} with a secret in the log; "
        f"the longest took {max((end.seconds for end in ends), default=0):.1f} s by the clock; seed {seed}.\n"
    )
    return 1 if wrong else 0
