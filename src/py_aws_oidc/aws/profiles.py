"""Named profiles in the shared credentials file and the shared config file: written, and taken back.

What these files are and where they lie is said by the AWS SDKs and Tools Reference Guide ("Shared config and
credentials files", "Location of the shared config and credentials files").
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from py_aws_oidc.aws import shared_files
from py_aws_oidc.aws.locked_files import File, Owner, UnfitError, locked, open_folder, open_or_make_folder
from py_aws_oidc.failure import Failure
from py_aws_oidc.secret import Secret


@dataclass(frozen=True)
class Places:
    """The two files as this process sees them, the variables that tell later steps of them, sentences to warn with."""

    credentials: Path
    config: Path
    announced: Mapping[str, str]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Written:
    """A section that was written, and what takes it back; `made` if there was no file before."""

    file: str
    made: bool
    profile: str
    section: str
    before: str | None = field(repr=False)
    joint: str

    def is_sound(self) -> bool:
        """Whether it was read from what we wrote."""
        texts = (self.file, self.profile, self.section, self.joint)
        is_typed = all(isinstance(text, str) for text in texts) and isinstance(self.before, str | None)
        return is_typed and self.file.startswith("/")


@contextmanager
def editing(places: Places, owner: Owner | None) -> Iterator[Edit]:
    """Lock both files for an edit; their folders are made if need be.

    If the body raises, even after the write, the files become what they were. Raises Failure.
    """
    made: list[Path] = []
    paths = (places.credentials, places.config)
    with ExitStack() as held:
        with _telling(*paths):
            opener = partial(open_or_make_folder, owner, made)
            folders = held.enter_context(locked([path.parent for path in paths], opener, made))
            credentials, config = (File.read(path, folders[path.parent]) for path in paths)
        if credentials.is_same(config):
            config = credentials
        edit = Edit(credentials, config, owner, made, held.enter_context(ExitStack()))
        try:
            yield edit
        except BaseException:
            edit.take_back()
            raise


class Edit:
    """Profiles on their way into both files, which stay locked as long as `editing` lasts."""

    def __init__(
        self, credentials: File, config: File, owner: Owner | None, made: list[Path], leftovers: ExitStack
    ) -> None:
        self._credentials = credentials
        self._config = config
        self._owner = owner
        self._made = made
        self._leftovers = leftovers
        self._sections: list[_Written] = []
        self._replaced: list[tuple[File, str | None]] = []

    def add(self, profile: str, settings: Mapping[str, str | Secret], region: str, *, overwrite: bool) -> None:
        """Prepare a profile: the settings for the shared credentials file, the region for the shared config file.

        Raises Failure when the profile is there already and not to be overwritten, or when a file cannot hold it.
        """
        plain = {name: value.reveal() if isinstance(value, Secret) else value for name, value in settings.items()}
        _refuse_what_cannot_stand(profile, plain | {"region": region})
        # Both variables may name one file, where the profile `default` has one section for all of its settings.
        sections = {(self._credentials, shared_files.credentials_section(profile)): plain}
        sections.setdefault((self._config, shared_files.config_section(profile)), {})["region"] = region
        for file, section in sections:
            if _has(file, section) and not overwrite:
                raise Failure(
                    f"The profile {profile} is there already.",
                    why=f"{file.path} has a section [{section}].",
                    fix="choose another name for aws-profile, or set overwrite-aws-profile: true to replace it.",
                )
        for (file, section), values in sections.items():
            change = shared_files.with_section(file.text, section, values)
            file.text = change.text
            made = file.before is None
            self._sections.append(_Written(str(file.path), made, profile, section, change.before, change.joint))

    @property
    def undo(self) -> str:
        """What `put_back` needs; it holds the secrets of profiles that are overwritten."""
        sections = [asdict(section) for section in self._sections]
        return json.dumps({"sections": sections, "folders": [str(folder) for folder in self._made]})

    @property
    def kept_secrets(self) -> tuple[Secret, ...]:
        """What `undo` holds of credentials that were there before."""
        texts = [section.before or "" for section in self._sections]
        return tuple(Secret(value) for text in texts for value in re.findall(r"(?m)^\s*aws_\w+\s*=\s*(\S+)", text))

    def write(self) -> None:
        """Write both files, or none; Failure says why not."""
        files = dict.fromkeys((self._credentials, self._config))
        with _telling(*(file.path for file in files)):
            staged = [
                (file, file.stage(self._owner, self._leftovers), file.stage_before(self._leftovers))
                for file in files
            ]
            # From here on nothing needs room on the disk.
            try:
                for file, after, before in staged:
                    self._replaced.append((file, before))
                    file.become(after)
            except BaseException:
                self.take_back()
                raise

    def take_back(self) -> None:
        """Make the files what they were before the write."""
        while self._replaced:
            file, before = self._replaced.pop()
            with suppress(OSError):  # the error that led here is the one to tell
                file.become(before)


def put_back(
    undo: str,
    owner: Owner | None,
    *,
    only: Collection[Path] | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Make each section what it was before the write, or take it away; the profiles for which all of that was done.

    What is no longer there is left alone, and `only` these files are touched; what is no longer readable is left alone
    with a warning. Failure says that a file could not be written; the others were tried then.
    """
    sections, folders = _remembered(undo)
    done: dict[str, None] = {}
    left: set[str] = set()
    failures = []
    for section in reversed(sections):
        if only is not None and Path(section.file) not in only:
            continue
        try:
            if _put_back(section, owner, folders):
                done[section.profile] = None
        except (ValueError, UnfitError) as error:
            reason = error.why if isinstance(error, UnfitError) else f"{error}."
            warn(f"The profile {section.profile} could not be taken out of {section.file}: {reason}")
            left.add(section.profile)
        except Failure as failure:
            failures.append(failure)
    if failures:
        raise failures[0]
    return [profile for profile in done if profile not in left]


def _put_back(section: _Written, owner: Owner | None, folders: list[Path]) -> bool:
    path = Path(section.file)
    with (
        _telling(path),
        suppress(FileNotFoundError),
        locked([path.parent], open_folder, folders) as opened,
        ExitStack() as leftovers,
    ):
        file = File.read(path, opened[path.parent])
        text = shared_files.put_back(file.text, section.section, section.before, section.joint)
        if text is not None:
            file.text = text
            file.become(None if section.made and not text else file.stage(owner, leftovers))
            return True
    return False


def _remembered(undo: str) -> tuple[list[_Written], list[Path]]:
    try:
        told = json.loads(undo)
        sections = [_Written(**section) for section in told["sections"]]
        folders = [Path(folder) for folder in told["folders"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return [], []
    return (sections, folders) if all(section.is_sound() for section in sections) else ([], [])


def _refuse_what_cannot_stand(profile: str, settings: Mapping[str, str]) -> None:
    if not shared_files.may_be_named(profile):
        raise Failure(
            f"A profile cannot be named {profile!r}.",
            why="SDKs differ in how they read a name with white space, brackets, slashes, quotes, comment signs or "
            "letters outside ASCII, and some take DEFAULT for every profile.",
            fix="use letters, digits and any of -_.@+:% in aws-profile.",
        )
    for name, value in settings.items():
        if not shared_files.may_be_set(value):
            raise Failure(
                f"The profile {profile} was not written, because its {name} cannot stand in a shared file.",
                why="such a value is one line of printable characters, without white space at either end, a quote at "
                "its beginning, or a comment sign at its beginning or after white space.",
                fix=f"find out where this {name} comes from.",
            )


def _has(file: File, section: str) -> bool:
    try:
        return shared_files.has(file.text, section)
    except ValueError as error:
        raise Failure(
            f"{file.path} cannot be read, so nothing was written to it.",
            why=f"{error}, which not every SDK takes.",
            fix="correct the file before this step.",
        ) from None


@contextmanager
def _telling(*paths: Path) -> Iterator[None]:
    """Make an operating system's error a Failure."""
    try:
        yield
    except OSError as error:
        raise Failure(
            "The profile could not be written.",
            why=f"{error.strerror or 'the system does not say why'} ({' or '.join(map(str, paths))}).",
            fix="check that the disk is not full, and that this user may write there.",
        ) from error
