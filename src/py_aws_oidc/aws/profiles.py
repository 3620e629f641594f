"""Named profiles in the shared credentials file and the shared config file: written, and taken back.

What these files are and where they lie is said by the AWS SDKs and Tools Reference Guide ("Shared config and
credentials files", "Location of the shared config and credentials files").
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from py_aws_oidc.aws import shared_files
from py_aws_oidc.aws.locked_files import File, Owner, UnfitError, locked, open_folder, open_or_make_folder
from py_aws_oidc.failure import Failure
from py_aws_oidc.secret import Secret


@dataclass(frozen=True)
class ProfilePaths:
    """The two files as this process sees them, the variables that tell later steps of them, sentences to warn with."""

    credentials: Path
    config: Path
    exported_paths: Mapping[str, str]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Written:
    """A section that was written, and what takes it back; `made` if there was no file before."""

    file: str
    made: bool
    profile: str
    section: str
    before: str | None = field(repr=False)
    joint: str
    fingerprint: str

    def is_sound(self) -> bool:
        """True if `Edit.add` can have written it."""
        texts = (self.file, self.profile, self.section, self.joint, self.fingerprint)
        is_typed = all(isinstance(text, str) for text in texts) and isinstance(self.before, str | None)
        return (
            is_typed
            and isinstance(self.made, bool)
            and self.file.startswith("/")
            and not self.joint.strip("\r\n")
            and shared_files.may_be_named(self.profile)
            and self.section
            in (shared_files.credentials_section(self.profile), shared_files.config_section(self.profile))
        )


@contextmanager
def editing(paths: ProfilePaths, owner: Owner | None) -> Iterator[Edit]:
    """Lock both files for an edit; their folders are made if need be.

    If the body raises, even after the write, the files become what they were. Raises Failure.
    """
    made: list[Path] = []
    files = (paths.credentials, paths.config)
    with ExitStack() as held:
        with _telling(*files):
            opener = partial(open_or_make_folder, owner, made)
            folders = held.enter_context(locked([path.parent for path in files], opener, made))
            credentials, config = (File.read(path, folders[path.parent]) for path in files)
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
                    name="profile-exists",
                    why=f"{file.path} has a section [{section}].",
                    fix="choose another name for aws-profile, or set overwrite-aws-profile: true to replace it.",
                )
        for (file, section), values in sections.items():
            change = shared_files.with_section(file.text, section, values)
            # Of several profiles in a new file, the first one made it.
            made = file.before is None and not file.text
            file.text = change.text
            undo = (change.before, change.joint, change.fingerprint)
            self._sections.append(_Written(str(file.path), made, profile, section, *undo))

    @property
    def undo(self) -> str:
        """What `put_back` needs; it holds the secrets of profiles that are overwritten."""
        sections = [asdict(section) for section in self._sections]
        return json.dumps({"sections": sections, "folders": [str(folder) for folder in self._made]})

    @property
    def kept_secrets(self) -> tuple[Secret, ...]:
        """What `undo` may hold of secrets that were there before."""
        texts = [section.before for section in self._sections if section.before is not None]
        return tuple(map(Secret, dict.fromkeys(secret for text in texts for secret in shared_files.secrets(text))))

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
    check: Callable[[str], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Make each section what it was before the write, or remove it; the profiles for which all of that was done.

    What is no longer there needs nothing. Each section that is left is warned of, with its file: if `check` raises
    ValueError for the path, or if the section cannot be changed safely, or if the file cannot be written. In the last
    case Failure is raised in the end.
    """
    try:
        sections, folders = _remembered(undo)
    except (ValueError, TypeError, KeyError, RecursionError):
        warn("The state of this step cannot be read, so a profile that the step wrote may be left behind.")
        return []
    done: dict[str, None] = {}
    left: set[str] = set()
    failures = []
    for section in reversed(sections):
        try:
            check(section.file)
            if _put_back(section, owner, folders):
                done[section.profile] = None
        except (ValueError, Failure) as error:
            reason = error.why if isinstance(error, Failure) else f"{error}."
            warn(f"The profile {section.profile} could not be removed from {section.file}: {reason}")
            left.add(section.profile)
            if isinstance(error, Failure) and not isinstance(error, UnfitError):
                failures.append(error)
    if failures:
        raise failures[0]
    return [profile for profile in done if profile not in left]


def _put_back(section: _Written, owner: Owner | None, folders: list[Path]) -> bool:
    path = Path(section.file)
    ours = [folder for folder in folders if folder in path.parents]
    with (
        _telling(path),
        suppress(FileNotFoundError),
        locked([path.parent], open_folder, ours) as opened,
        ExitStack() as leftovers,
    ):
        file = File.read(path, opened[path.parent])
        undone = shared_files.put_back(
            file.text,
            section.section,
            section.before,
            section.joint,
            fingerprint=section.fingerprint,
            made=section.made,
        )
        if undone is None:
            return False
        file.text = undone.text
        if undone.made and not undone.text:
            file.become(None)
            if path.parent.name == ".aws" and not section.made:
                # Whichever step made the file made its folder too, if it looks like that. If this one did, it knows.
                ours.append(path.parent)
        else:
            file.become(file.stage(owner, leftovers))
        return True
    return False


def _remembered(undo: str) -> tuple[list[_Written], list[Path]]:
    told = json.loads(undo)
    sections = [_Written(**section) for section in told["sections"]]
    folders = [Path(folder) for folder in told["folders"]]
    if not sections or not all(section.is_sound() for section in sections):
        raise ValueError("it was not written by this action")
    return sections, folders


def _refuse_what_cannot_stand(profile: str, settings: Mapping[str, str]) -> None:
    if not shared_files.may_be_named(profile):
        raise Failure(
            f"A profile cannot be named {profile!r}.",
            name="profile-name",
            why="SDKs differ in how they read a name with white space, brackets, slashes, quotes, comment signs or "
            "letters outside ASCII, and some take DEFAULT for every profile.",
            fix="use letters, digits and any of -_.@+:% in aws-profile.",
        )
    for name, value in settings.items():
        if not shared_files.may_be_set(value):
            raise Failure(
                f"The profile {profile} was not written, because its {name} cannot stand in a shared file.",
                name="profile-value",
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
            name="shared-file-unreadable",
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
            name="profile-not-written",
            why=f"{error.strerror or 'the system does not say why'} ({' or '.join(map(str, paths))}).",
            fix="check that the disk is not full, and that this user may write there.",
        ) from error
