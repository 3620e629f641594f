"""Where things lie on the runner's host, and how a container sees them."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RUNNER_UID = 1001

Table = tuple[tuple[str, str], ...]


def runner_user() -> int | None:
    """The user to become when the runner acts: 1001 as on hosted runners, or None for whom we are already.

    The group has the same number. A runner that is root would hide what files of root do to a real one.
    """
    return RUNNER_UID if os.geteuid() == 0 else None


@dataclass(frozen=True)
class Layout:
    """The folders of one job under the runner's work folder."""

    work: Path
    repository: str

    @property
    def temp(self) -> Path:
        """`runner.temp`, emptied before and after every job."""
        return self.work / "_temp"

    @property
    def home(self) -> Path:
        """HOME of every container of the job."""
        return self.temp / "_github_home"

    @property
    def workflow(self) -> Path:
        """Where the event's payload lies."""
        return self.temp / "_github_workflow"

    @property
    def file_commands(self) -> Path:
        """Where GITHUB_ENV and its kin lie."""
        return self.temp / "_runner_file_commands"

    @property
    def runner_workspace(self) -> Path:
        """`runner.workspace`, which no container sees."""
        return self.work / self.repository

    @property
    def workspace(self) -> Path:
        """`github.workspace`."""
        return self.runner_workspace / self.repository

    @property
    def actions(self) -> Path:
        """Where the runner unpacks actions."""
        return self.work / "_actions"

    @property
    def tools(self) -> Path:
        """The tool cache, where self-hosted runners have it."""
        return self.work / "_tool"

    @property
    def act(self) -> Path:
        """What an act-like runner shares with its containers as /var/run/act."""
        return self.work / "_act"

    def create(self, user: int | None) -> None:
        """Make all folders, owned by the runner's user."""
        folders = [self.temp, self.home, self.workflow, self.file_commands, self.runner_workspace]
        folders += [self.workspace, self.actions, self.tools, self.act, self.act / "workflow"]
        for folder in (self.work, *folders):
            folder.mkdir(exist_ok=True)
            give(folder, user)


def give(path: Path, user: int | None) -> None:
    """Hand a file or folder to the runner's user."""
    if user is not None:
        os.chown(path, user, user)


@contextlib.contextmanager
def work_folder() -> Iterator[Path]:
    """A work folder that the runner's user can reach; pytest's own folders are closed to other users."""
    root = Path(tempfile.mkdtemp(prefix="runner-"))
    try:
        root.chmod(0o755)
        work = root / "work"
        work.mkdir()
        yield work
    finally:
        _remove(root)


def _remove(root: Path) -> None:
    """Remove a folder, with what is in it and closed to its owner; what is not ours stays."""
    for folder, names, _ in os.walk(root):
        for inner in (Path(folder, name) for name in names):
            if not inner.is_symlink():
                with contextlib.suppress(PermissionError):
                    inner.chmod(0o700)
    shutil.rmtree(root, ignore_errors=True)


@dataclass(frozen=True, kw_only=True)
class View:
    """What a container sees of the host: its mounts, its translation table and its working directory."""

    mounts: Table
    table: Table
    workdir: str

    def inside(self, path: Path) -> str:
        """Where a file of the host is seen; the innermost mount has it."""
        nearest_first = sorted(self.mounts, key=lambda mount: len(mount[0]), reverse=True)
        return translate(str(path), nearest_first)

    def outside(self, path: str) -> str:
        """The host's path of a container's path, as annotations need it (TranslateToHostPath)."""
        return translate(path, [(container, host) for host, container in self.table])


def translate(value: str, table: Sequence[tuple[str, str]]) -> str:
    """A whole value that is a known path, or begins with one, in the container's words.

    The first entry that fits decides; nothing inside a value is looked for (the runner's
    ContainerInfo.TranslateToContainerPath).
    """
    for host, container in table:
        if value == host or value.startswith(f"{host}/"):
            return container + value.removeprefix(host)
    return value


def host_view(layout: Layout) -> View:
    """No container at all: everything is what it is."""
    return View(mounts=(), table=(), workdir=str(layout.workspace))


def action_view(layout: Layout, socket: str, *, runner_temp: bool = True) -> View:
    """A container action's view (ContainerActionHandler); `runner_temp` is seen since runner 2.329."""
    temp = (str(layout.temp), "/github/runner_temp")
    home = (str(layout.home), "/github/home")
    workflow = (str(layout.workflow), "/github/workflow")
    file_commands = (str(layout.file_commands), "/github/file_commands")
    workspace = (str(layout.workspace), "/github/workspace")
    shared = (temp,) if runner_temp else ()
    return View(
        mounts=((socket, "/var/run/docker.sock"), *shared, home, workflow, file_commands, workspace),
        # Each mapping is put before the others, so the table is the mounts from the last to the first.
        table=(workspace, file_commands, workflow, home, *shared),
        workdir="/github/workspace",
    )


def act_view(layout: Layout, socket: str) -> View:
    """nektos/act's view: the workspace where it is on the host, own file commands, no translation."""
    workspace = str(layout.workspace)
    return View(
        mounts=(
            (socket, "/var/run/docker.sock"),
            (workspace, workspace),
            (str(layout.act), "/var/run/act"),
        ),
        table=(),
        workdir=workspace,
    )


def job_container_view(layout: Layout, socket: str) -> View:
    """A job container's view (ContainerOperationProvider), without the read-only folder of Node.js."""
    work = (str(layout.work), "/__w")
    tools = (str(layout.tools), "/__t")
    home = (str(layout.home), "/github/home")
    workflow = (str(layout.workflow), "/github/workflow")
    return View(
        mounts=(
            (socket, "/var/run/docker.sock"),
            work,
            (str(layout.temp), "/__w/_temp"),
            (str(layout.actions), "/__w/_actions"),
            tools,
            home,
            workflow,
        ),
        table=(workflow, home, work, tools),
        workdir=translate(str(layout.workspace), [work]),
    )
