"""Files that several steps may change at the same time, from several containers, as several users.

Their folder is locked, a file is replaced as a whole, and no link is followed. Everything here goes by the
descriptor of the locked folder. OSError is the caller's to tell; UnfitError tells itself.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from py_aws_oidc.failure import Failure
from py_aws_oidc.interrupts import pause

Owner = tuple[int, int]
Opener = Callable[[Path, ExitStack], int]

_PRIVATE, _PRIVATE_FOLDER = 0o600, 0o700
_STAGED = ".py-aws-oidc-"
_LOCK_SECONDS, _LOCK_EVERY_SECONDS = 30.0, 0.02


class UnfitError(Failure):
    """A file or folder is not what it should be."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"{path} cannot hold a profile.",
            name="file-not-usable",
            why=f"it is {why}.",
            fix="find out which step made it so; remove it, or let another file be used.",
        )


@dataclass(eq=False)
class File:
    """A file in a locked folder, as it was; `before` is None if there was none. `text` is for the caller to change."""

    path: Path
    folder: int
    before: bytes | None = field(default=None, repr=False)
    mode: int = _PRIVATE
    owner: Owner | None = None
    text: str = field(default="", repr=False)

    @classmethod
    def read(cls, path: Path, folder: int) -> File:
        """Read a file, if there is one; a byte that is not UTF-8 is a surrogate in its text."""
        with ExitStack() as held:
            try:
                # A pipe must not keep us waiting for its other end.
                descriptor = _open(path, os.O_NONBLOCK, held, folder)
            except FileNotFoundError:
                return cls(path, folder)
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UnfitError(path, "not a regular file")
            with open(descriptor, "rb", closefd=False) as file:
                data = file.read()
        owner = (status.st_uid, status.st_gid)
        return cls(path, folder, data, stat.S_IMODE(status.st_mode), owner, data.decode(errors="surrogateescape"))

    def is_same(self, other: File) -> bool:
        """True if both are one file, by whatever names."""
        return self.path.name == other.path.name and _identity(self.folder) == _identity(other.folder)

    def stage(self, owner: Owner | None, leftovers: ExitStack) -> str:
        """Write the text beside the file, readable by its owner only, and return the name of that file."""
        data = self.text.encode(errors="surrogateescape")
        return self._stage(data, _PRIVATE, owner or self.owner, leftovers)

    def stage_before(self, leftovers: ExitStack) -> str | None:
        """Write what was there before beside the file, so that it can come back without room on the disk."""
        return None if self.before is None else self._stage(self.before, self.mode, self.owner, leftovers)

    def become(self, staged: str | None) -> None:
        """Let what was staged take the file's place; None takes the file away."""
        if staged is None:
            os.unlink(self.path.name, dir_fd=self.folder)
        else:
            os.replace(staged, self.path.name, src_dir_fd=self.folder, dst_dir_fd=self.folder)

    def _stage(self, data: bytes, mode: int, owner: Owner | None, leftovers: ExitStack) -> str:
        name = f"{_STAGED}{os.urandom(8).hex()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(name, flags, _PRIVATE, dir_fd=self.folder)
        leftovers.callback(_remove, name, self.folder)
        try:
            _give(descriptor, owner)
            os.fchmod(descriptor, mode)
            while data:
                data = data[os.write(descriptor, data) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return name


@contextmanager
def locked(folders: Iterable[Path], opener: Opener, ours: list[Path]) -> Iterator[dict[Path, int]]:
    """Hold the folders' locks; in the end, those that are ours and empty go, if they are still as we make them.

    The lock is on the folder itself, so that no lock file stays behind and a file can be replaced under it.
    """
    while True:
        with ExitStack() as held:
            opened = {folder: opener(folder, held) for folder in folders}
            # One folder may have two names. All who lock several take them in one order, so that none waits for
            # one who waits for it.
            for _, descriptor in sorted({_identity(d): d for d in opened.values()}.items()):
                _lock(descriptor)
            # The process that had the lock before may have removed the folder.
            if not all(_is_there(folder, descriptor) for folder, descriptor in opened.items()):
                continue
            # Files are staged under the lock only, so what is staged now is of a step that was killed.
            for descriptor in opened.values():
                _sweep(descriptor)
            try:
                yield opened
            finally:
                for folder in reversed(ours):
                    with suppress(OSError, ValueError):
                        if stat.S_IMODE(folder.lstat().st_mode) == _PRIVATE_FOLDER:
                            folder.rmdir()
            return


def _lock(descriptor: int) -> None:
    """Take a folder's lock as soon as it is free; Failure if that takes too long."""
    until = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise still_locked() from None
            pause(_LOCK_EVERY_SECONDS)
        else:
            return


def still_locked() -> Failure:
    """The failure when another process does not release a folder's lock."""
    return Failure(
        f"The folder of the AWS files was locked by another process for {_LOCK_SECONDS:g} seconds.",
        name="aws-files-locked",
        why="another step of this action is writing a profile and has not finished.",
        fix="find out which step that is, or let the two steps use different files.",
    )


def _sweep(folder: int) -> None:
    for name in os.listdir(folder):
        if name.startswith(_STAGED):
            _remove(name, folder)


def open_folder(folder: Path, held: ExitStack) -> int:
    """Open a folder."""
    return _open(folder, os.O_DIRECTORY, held)


def open_or_make_folder(owner: Owner | None, made: list[Path], folder: Path, held: ExitStack) -> int:
    """Open a folder; if it does not exist, create it and its parents for the owner only."""
    with suppress(FileNotFoundError):
        return open_folder(folder, held)
    try:
        # Links above the folder are the machine's own business, such as a HOME on another disk.
        parent = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        held.callback(os.close, parent)
    except FileNotFoundError:
        parent = open_or_make_folder(owner, made, folder.parent, held)
    with suppress(FileExistsError):  # another step was faster
        os.mkdir(folder.name, _PRIVATE_FOLDER, dir_fd=parent)
        made.append(folder)
    descriptor = _open(folder, os.O_DIRECTORY, held, parent)
    if folder in made:
        _give(descriptor, owner)
    return descriptor


def _open(path: Path, flags: int, held: ExitStack, folder: int | None = None) -> int:
    name = path if folder is None else path.name
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and path.is_symlink():
            raise UnfitError(path, "a symbolic link, which may lead anywhere") from None
        raise
    held.callback(os.close, descriptor)
    return descriptor


def _give(descriptor: int, owner: Owner | None) -> None:
    if owner is None:
        return
    try:
        os.fchown(descriptor, *owner)
    except OSError as error:
        # Not ours to give, or to a user whom this container's user namespace does not know.
        if error.errno not in (errno.EPERM, errno.EINVAL):
            raise


def _remove(name: str, folder: int) -> None:
    with suppress(OSError):  # it has taken the file's place
        os.unlink(name, dir_fd=folder)


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _is_there(folder: Path, descriptor: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(folder.lstat(), os.fstat(descriptor))
    return False
