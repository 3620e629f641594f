"""Files that inputs and variables name, and where they really are."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_KERNELS = (
    "/proc",
    "/sys",
)  # their files are regular ones by name only: some hold secrets, some wait for the kernel


def is_in(path: str | Path, folder: str) -> bool:
    """True if the path is this absolute folder or in it, by its name or by where links lead."""
    return is_named_in(path, folder) or is_really_in(path, folder)


def is_named_in(path: str | Path, folder: str) -> bool:
    """True if the path is this absolute folder or in it, if no part of it is a link."""
    return folder.startswith("/") and _contains(os.path.abspath(folder), os.path.abspath(path))  # noqa: PTH100 - a Path keeps `..`


def is_really_in(path: str | Path, folder: str) -> bool:
    """True if the path is this absolute folder or in it, once all links are followed."""
    return folder.startswith("/") and _contains(os.path.realpath(folder), os.path.realpath(path))


def read_text(path: Path, most: int, *, workspace: str, leaves_its_folder: bool = False) -> str:
    """What a regular file holds, if it is a text of so many characters at most; ValueError says in a sentence why not.

    A link is followed only within the folder that it lies in, as Kubernetes makes them for projected tokens; one that
    may leave its folder, within the workspace. No path in the workspace leads out of it.

    The file is opened without being touched (O_PATH, open(2)), and what is open is what is judged and read: it does not
    help to replace the path in between.
    """
    try:
        opened = os.open(path, os.O_PATH)
        try:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                raise ValueError("it is not a regular file")
            itself = f"/proc/self/fd/{opened}"
            real = os.readlink(itself)  # noqa: PTH115 - a Path has no use here
            if any(_contains(folder, real) for folder in _KERNELS):
                raise ValueError("it is a file of the kernel")
            for folder in _limits(path, workspace, leaves_its_folder=leaves_its_folder):
                if not _contains(os.path.realpath(folder), real):
                    raise ValueError(f"it is a link that leads out of {folder}")
            with open(itself, encoding="utf-8") as file:  # noqa: PTH123 - as above
                text = file.read(most + 1)
        finally:
            os.close(opened)
    except UnicodeDecodeError:
        raise ValueError("it is not a text") from None
    except OSError as error:
        raise ValueError(error.strerror or error) from None
    if len(text) > most:
        raise ValueError(f"it has more than {most} characters")
    return text


def _limits(path: Path, workspace: str, *, leaves_its_folder: bool) -> list[str]:
    """The folders that the path may not lead out of."""
    limits = [workspace] if is_named_in(path, workspace) else []
    return limits if limits and leaves_its_folder else [*limits, str(path.parent)]


def _contains(folder: str, path: str) -> bool:
    return os.path.commonpath((folder, path)) == os.path.commonpath((folder,))  # which makes one slash of two
