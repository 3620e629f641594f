"""The release in git: a commit of main's tree with one other line, its tag, and the tag that moves."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from release import programs
from release.errors import ReleaseError
from release.registry import Image
from release.versions import Version

ACTION = "action.yml"
FROM_DOCKERFILE = "  image: Dockerfile"
_IMAGE = re.compile(r"^  image: docker://(\S+)$", re.MULTILINE)
AUTHOR = "github-actions[bot]"
EMAIL = "41898282+github-actions[bot]@users.noreply.github.com"


def pinned(action: str, image: Image) -> str:
    """The action.yml of main with the image named by tag and digest in place of the Dockerfile."""
    lines = action.splitlines(keepends=True)
    found = [number for number, line in enumerate(lines) if line.rstrip("\n") == FROM_DOCKERFILE]
    if len(found) != 1:
        raise ReleaseError(
            f"{ACTION} has {len(found)} lines `{FROM_DOCKERFILE.strip()}`.",
            why="A release replaces exactly one such line of main's action.yml.",
            fix=f"Restore the line `{FROM_DOCKERFILE.strip()}` in {ACTION}.",
        )
    lines[found[0]] = f"  image: docker://{image}\n"
    return "".join(lines)


def image_of(action: str) -> Image:
    """The image that a release's action.yml names."""
    if not (found := _IMAGE.search(action)):
        raise ReleaseError(
            f"{ACTION} does not name a prebuilt image.",
            why="Only a release names one; main builds from the Dockerfile.",
            fix="Give the tag of a release, like v1.2.3.",
        )
    return Image.parse(found[1])


@dataclass(frozen=True)
class Repository:
    """A clone, and the remote that it publishes to."""

    folder: Path
    remote: str = "origin"

    def git(self, *arguments: str, stdin: str | None = None, env: dict[str, str] | None = None) -> str:
        """What a git command prints, without the newline at its end."""
        return programs.run("git", *arguments, cwd=self.folder, stdin=stdin, env=env).rstrip("\n")

    def commit(self, name: str) -> str:
        """The commit that a name stands for."""
        return self.git("rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}")

    def text(self, commit: str, path: str) -> str:
        """A file of a commit."""
        return programs.run("git", "show", f"{commit}:{path}", cwd=self.folder)

    def copied(self, folder: Path) -> Repository:
        """Make a clone of this clone with the same remote.

        What is fetched and checked out there leaves nothing in this one, which may belong to another user (sudo).
        """
        url = self.git("remote", "get-url", self.remote)
        self.git("clone", "--quiet", "--shared", "--no-checkout", "--origin", self.remote, ".", str(folder))
        made = Repository(folder, self.remote)
        made.git("remote", "set-url", self.remote, url)
        return made

    def check_clean(self, *paths: str) -> None:
        """ReleaseError if files below these paths are not as in the commit."""
        # Without the lock git does not write to the clone.
        if changed := self.git("--no-optional-locks", "status", "--porcelain", "--", *paths):
            raise ReleaseError(
                "There are changes that are not committed.",
                why=f"A release is built from a commit, and these files differ from it:\n{changed}",
                fix="Commit the changes, or remove them. To build an image with them anyway, use `tools/oci-image`.",
            )

    def remote_refs(self) -> dict[str, str]:
        """The branches and tags of the remote and their commits."""
        refs = [line.split("\t") for line in self.git("ls-remote", "--heads", "--tags", self.remote).splitlines()]
        # A tag object comes with a second line for the commit in it, whose name ends in ^{}.
        return {name.removesuffix("^{}"): commit for commit, name in refs}

    def remote_tags(self) -> dict[str, str]:
        """The tags of the remote and their commits."""
        start = "refs/tags/"
        return {name.removeprefix(start): at for name, at in self.remote_refs().items() if name.startswith(start)}

    def released(self, version: Version) -> str:
        """Fetch the release of a version from the remote; its commit."""
        commit = self.remote_tags().get(version.tag)
        if commit is None:
            raise ReleaseError(
                f"{version.tag} is not released.",
                why=f"{self.remote} has no such tag.",
                fix="Give the tag of a release, like v1.2.3.",
            )
        self.git("fetch", "--quiet", self.remote, commit)
        return commit

    def release_commit(self, main: str, version: Version, image: Image) -> str:
        """Make the release commit: main's tree, and one line of action.yml.

        Its parents are the release before it, if there is one, and main's commit: the branch only moves forward, and
        each release says which commit of main it is. Author and date are fixed, so the same release is the same commit.
        """
        blob = self.git("hash-object", "-w", "--stdin", stdin=pinned(self.text(main, ACTION), image))
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self.git("read-tree", main, env=index)
            self.git("update-index", "--cacheinfo", f"100644,{blob},{ACTION}", env=index)
            tree = self.git("write-tree", env=index)
        refs = self.remote_refs()
        before, there = refs.get(f"refs/heads/{version.branch}"), refs.get(f"refs/tags/{version.tag}")
        for commit in filter(None, {before, there}):
            self.git("fetch", "--quiet", self.remote, commit)
        if there and self.git("rev-parse", f"{there}^{{tree}}") == tree:
            return there  # a release that is run again after a failure
        date = self.git("show", "--no-patch", "--format=%cI", main)
        who = {
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in (("NAME", AUTHOR), ("EMAIL", EMAIL), ("DATE", date))
        }
        parents = [word for parent in (before, main) if parent for word in ("-p", parent)]
        message = f"Release {version}\n\nImage: {image}\n"
        return self.git("commit-tree", tree, *parents, "-m", message, env=who)

    def check_release(self, release: str) -> tuple[str, Image]:
        """The commit of main of a release, and its image; ReleaseError if more differs than the one line.

        Its last parent must be a commit of main, which was reviewed, and not of any other branch.
        """
        main = self.git("rev-list", "--parents", "--max-count=1", release).split()[-1]
        image = image_of(self.text(release, ACTION))
        changed = self.git("diff-tree", "-r", "--no-commit-id", "--no-renames", "--raw", main, release).splitlines()
        if (
            len(changed) != 1
            or not re.fullmatch(rf":100644 100644 \w+ \w+ M\t{re.escape(ACTION)}", changed[0])
            or self.text(release, ACTION) != pinned(self.text(main, ACTION), image)
        ):
            raise ReleaseError(
                f"The commit {release} differs from main's {main} in more than the image's line.",
                why="\n".join(changed) or "It does not differ at all.",
                fix="Do not use this release. Ask the repository's maintainers who made it.",
            )
        self._check_on_main(main)
        return main, image

    def _check_on_main(self, commit: str) -> None:
        self.git("fetch", "--quiet", self.remote, "refs/heads/main")
        ended = programs.call("git", "merge-base", "--is-ancestor", commit, "FETCH_HEAD", cwd=self.folder)
        if ended.returncode:
            raise ReleaseError(
                f"The commit {commit} is not on main.",
                why=f"The branch main of {self.remote} does not contain it, so nobody had to review it.",
                fix="Merge it into main by a pull request. If a release is already made of it, do not use that.",
            )

    def publish(self, version: Version, release: str) -> None:
        """Push the release's branch and tag together; a tag that is there already must be the same release."""
        refs = self.remote_refs()
        if there := refs.get(f"refs/tags/{version.tag}"):
            if there != release:
                raise ReleaseError(
                    f"The tag {version.tag} is already at {there}.",
                    why=f"This release is {release}, and the tag of a release never moves.",
                    fix="Release the next version.",
                )
            return
        self.git(
            *("push", "--quiet", "--atomic", self.remote),
            *(f"{release}:refs/heads/{version.branch}", f"{release}:refs/tags/{version.tag}"),
        )

    def move(self, version: Version) -> str | None:
        """Move the tag of the major version to a release, forward or back; where it was before, None if nowhere."""
        release = self.released(version)
        if not (moving := version.moving_tag):
            raise ReleaseError(
                f"There is no moving tag for {version}.",
                why="Versions 0.x promise no compatibility.",
                fix="Users of 0.x name the exact version.",
            )
        tags = self.remote_tags()
        before = tags.get(moving)
        lease = f"--force-with-lease=refs/tags/{moving}:{before or ''}"
        self.git("push", "--quiet", lease, self.remote, f"{release}:refs/tags/{moving}")
        return next((tag for tag, at in tags.items() if at == before and tag != moving), before)
