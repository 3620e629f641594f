"""The environment files of one step: made before it, read after it (the runner's FileCommandManager)."""

from __future__ import annotations

import os
import stat
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.runner import files
from sandbox.runner.paths import give

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from sandbox.runner.log import StepLog
    from sandbox.runner.paths import Layout

# In the order in which the runner reads them; the key is what GITHUB_ is put before.
_NAMES = {
    "path": ("add_path", "pathcmd.txt"),
    "env": ("set_env", "envs.txt"),
    "step_summary": ("step_summary", "SUMMARY.md"),
    "state": ("save_state", "statecmd.txt"),
    "output": ("set_output", "outputcmd.txt"),
}


@dataclass
class Effects:
    """What a step's files ask for."""

    path: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    state: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StepFiles:
    """The files of one step by their context name, such as `env` for GITHUB_ENV."""

    paths: Mapping[str, Path]
    user: int | None
    parse: Callable[[bytes], Iterator[tuple[str, str]]]

    @classmethod
    def create(cls, layout: Layout, user: int | None, *, act_like: bool) -> StepFiles:
        """Empty files that the runner owns and others may read, with one new GUID in all their names."""
        guid = uuid.uuid4()
        paths = {
            context: layout.act / "workflow" / act_name if act_like else layout.file_commands / f"{prefix}_{guid}"
            for context, (prefix, act_name) in _NAMES.items()
        }
        for path in paths.values():
            path.unlink(missing_ok=True)
            path.touch()
            path.chmod(0o644)
            give(path, user)
        return cls(paths, user, files.parse_like_act if act_like else files.parse)

    def collect(self, log: StepLog) -> Effects:
        """What the files ask for; one that is refused fails the step, and the others are read all the same."""
        effects = Effects()
        readers: dict[str, Callable[[bytes], None]] = {
            "path": lambda data: effects.path.extend(files.paths(data)),
            "env": lambda data: _take_env(self.parse(data), effects.env, log),
            "step_summary": lambda data: _take_summary(data, effects, log),
            "state": lambda data: _take(self.parse(data), effects.state),
            "output": lambda data: _take(self.parse(data), effects.outputs, named=True),
        }
        for context, reader in readers.items():
            try:
                reader(self._read(self.paths[context]))
            except files.FileCommandError as error:
                log.fail(f"Unable to process file command '{context}' successfully.", str(error))
        return effects

    def _read(self, path: Path) -> bytes:
        """The file's bytes if the runner's user may read them; a file that was removed is an empty one."""
        if not path.is_file():
            return b""
        # Root could read it all the same, which the runner's user could not.
        readable = os.access(path, os.R_OK) if self.user is None else _readable(path.stat(), self.user)
        if not readable:
            raise files.FileCommandError(f"Access to the path '{path}' is denied.")
        return path.read_bytes()


def _readable(status: os.stat_result, user: int) -> bool:
    if status.st_uid == user:
        return bool(status.st_mode & stat.S_IRUSR)
    return bool(status.st_mode & (stat.S_IRGRP if status.st_gid == user else stat.S_IROTH))


def _take_env(pairs: Iterator[tuple[str, str]], env: dict[str, str], log: StepLog) -> None:
    for name, value in pairs:
        if name.upper() == "NODE_OPTIONS":
            log.issue("error", "Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command.")
        else:
            env[_not_empty(name)] = value


def _take(pairs: Iterator[tuple[str, str]], store: dict[str, str], *, named: bool = False) -> None:
    # One by one: what comes before a bad line counts.
    for name, value in pairs:
        store[_not_empty(name) if named else name] = value


def _not_empty(name: str) -> str:
    if not name:
        raise files.FileCommandError("Value cannot be null. (Parameter 'name')")
    return name


def _take_summary(data: bytes, effects: Effects, log: StepLog) -> None:
    try:
        effects.summary = files.summary(data, log.masker.mask)
    except files.FileCommandError as error:
        log.issue("error", str(error))
