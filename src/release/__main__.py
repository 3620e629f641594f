"""`tools/release`: the steps of a release, on this machine as in the workflow."""

from __future__ import annotations

import os
import re
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from release import programs, registry, rehearsal, signing, steps, updates
from release.commits import Repository
from release.errors import ReleaseError
from release.registry import Image
from release.steps import Release
from release.versions import Version

ABOUT = """\
The steps of a release, in this order:

  check      the version, the changelog and the tags agree
  build      the image for amd64 and arm64, and its bills of materials, into a folder
  push       the image to the registry; sign it by digest
  action     write an action.yml that runs the pushed image
  tag        the release commit on releases/vN, and the tag vX.Y.Z
  publish    the release on GitHub, with its assets; then move vN to it

Anybody can verify a release; docs/release.md says what else there is to know.
"""


def _say(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()  # a step that takes minutes is seen to go on, also in a log


def _repository(given: Namespace) -> str:
    """`owner/name` on GitHub: as given, else as in GitHub Actions, else from the remote."""
    if said := given.repository:
        form, why = r"([\w.-]+/[\w.-]+)", f"--repository is {said}."
    else:
        asked = programs.call("git", "remote", "get-url", given.remote, cwd=given.root)
        said, form = asked.stdout.strip(), r".*github\.com[/:]([\w.-]+/[\w.-]+?)(?:\.git)?/?"
        why = asked.stderr.strip() or f"The remote {given.remote} is {said}."
    if not (found := re.fullmatch(form, said, re.ASCII)):
        raise ReleaseError(
            "The repository on GitHub is not known.",
            why=why,
            fix="Pass --repository OWNER/NAME.",
        )
    return found[1]


def _signer(given: Namespace) -> signing.Signer:
    if given.public_key:
        return signing.Key(given.public_key, given.key)
    return signing.Keyless(_repository(given), given.fulcio_url, given.rekor_url)


def _release(given: Namespace) -> Release:
    name = given.image or steps.name_of(_repository(given))
    return Release(given.folder, given.version, name)


def _check(given: Namespace) -> None:
    _say(steps.check(Repository(given.root, given.remote), given.version, given.commit))


def _build_options(given: Namespace) -> list[str]:
    return ["--snapshot"] if given.snapshot else []


def _build(given: Namespace) -> None:
    options = _build_options(given)
    _say(steps.build(given.root, given.folder, given.version, expected=given.expect, options=options).digest)


def _push(given: Namespace) -> None:
    release = _release(given)
    steps.push(release, _signer(given))
    _say(release.image)


def _action(given: Namespace) -> None:
    steps.write_action(given.root, given.action, Image.parse(given.reference))


def _tag(given: Namespace) -> None:
    _say(steps.tag(Repository(given.root, given.remote), _release(given), given.commit))


def _publish(given: Namespace) -> None:
    steps.publish(Repository(given.root, given.remote), _release(given), _repository(given), given.commit)


def _rollback(given: Namespace) -> None:
    before = Repository(given.root, given.remote).move(given.version)
    _say(f"Moved v{given.version.major} from {before} to {given.version.tag}")


def _verify(given: Namespace) -> None:
    provenance_of = "" if given.public_key or given.no_provenance else _repository(given)
    repository = Repository(given.root, given.remote)
    options = None if given.no_build else _build_options(given)
    for line in steps.verify(
        repository, given.version.tag, _signer(given), build_options=options, provenance_of=provenance_of
    ):
        _say(f"ok: {line}")
    left = [*(["the build"] if given.no_build else []), *([] if provenance_of else ["the provenance"])]
    _say(f"{given.version.tag} is verified{', but not ' if left else ''}{' and '.join(left)}.")


def _pull(given: Namespace) -> None:
    registry.pull(Image.parse(given.reference))


def _rehearse(given: Namespace) -> None:
    for line in rehearsal.rehearse(given.root, build_again=not given.no_build):
        _say(line)


def _updates(given: Namespace) -> int:
    due = updates.due(given.root)
    for line in due or ["Debian has no other version of any package in the image."]:
        _say(line)
    return 1 if due else 0


def _setup(given: Namespace) -> int:
    lines = [f"{name} is not installed" for name in programs.missing()] if given.check else programs.install()
    for line in lines:
        _say(line)
    return 1 if given.check and lines else 0


def parser() -> ArgumentParser:
    """The command line."""
    top = ArgumentParser("tools/release", description=ABOUT, formatter_class=RawDescriptionHelpFormatter)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(run: Callable[[Namespace], int | None], text: str, *names: str) -> ArgumentParser:
        made = commands.add_parser(run.__name__.removeprefix("_"), help=text, description=text)
        made.set_defaults(run=run, root=programs.ROOT)
        for name in names:
            made.add_argument(name, **ARGUMENTS[name])
        return made

    signer = ("--public-key", "--key", "--fulcio-url", "--rekor-url")
    built = ("version", "folder", "--image")
    command(
        _check, "Check that version, changelog and tags agree; print the notes.", "version", "--commit", *ORIGIN
    )
    command(
        _build,
        "Build the image and its bills of materials; print the digest.",
        "version",
        "folder",
        "--expect",
        "--snapshot",
    )
    command(_push, "Push a build, and sign it by digest; print its full name.", *built, *signer, *ORIGIN)
    command(_action, "Write the action.yml of a release into a folder.", "reference", "action")
    command(_pull, "Pull an image without login, as a job does.", "reference")
    command(_tag, "Make the release commit and push it with its tag; print it.", *built, "--commit", *ORIGIN)
    command(_publish, "Publish the release on GitHub, then move vN to it.", *built, "--commit", *ORIGIN)
    command(_rollback, "Move vN back to an earlier release.", "version", "--remote")
    command(_verify, "Check a release: tag, build, signature, bills of materials, provenance.",
            "version", "--no-build", "--snapshot", "--no-provenance", *signer, *ORIGIN)  # fmt: skip
    command(_rehearse, "Release twice and roll back, on this machine alone.", "--no-build")
    command(_updates, "Say which packages of the image have an update in Debian; exit status 1 if one has.")
    command(_setup, "Install the programs that the other commands call (root, Debian or Ubuntu).", "--check")
    return top


ORIGIN = ("--repository", "--remote")
ARGUMENTS: dict[str, dict[str, Any]] = {
    "version": {"type": Version.parse, "metavar": "VERSION", "help": "like 1.2.3 or v1.2.3"},
    "folder": {"type": Path, "metavar": "FOLDER", "help": "the folder of the build"},
    "reference": {"metavar": "IMAGE", "help": "like ghcr.io/org/py-aws-oidc:1.2.3@sha256:..."},
    "action": {"type": Path, "metavar": "FOLDER", "help": "where action.yml is written"},
    "--image": {"metavar": "NAME", "help": "the image's name (default: ghcr.io/OWNER/py-aws-oidc)"},
    "--commit": {"default": "HEAD", "metavar": "COMMIT", "help": "the commit of main (default: HEAD)"},
    "--repository": {
        "default": os.environ.get("GITHUB_REPOSITORY", ""),
        "metavar": "OWNER/NAME",
        "help": "the repository on GitHub (default: GITHUB_REPOSITORY, or that of the remote)",
    },
    "--remote": {"default": "origin", "metavar": "NAME", "help": "the remote (default: origin)"},
    "--public-key": {
        "type": Path,
        "metavar": "FILE",
        "help": "use this key of cosign's instead of keyless signing",
    },
    "--key": {
        "type": Path,
        "metavar": "FILE",
        "help": "the private key to sign with; its password: COSIGN_PASSWORD",
    },
    "--fulcio-url": {"default": "", "metavar": "URL", "help": "a certificate authority other than sigstore.dev"},
    "--rekor-url": {"default": "", "metavar": "URL", "help": "a transparency log other than sigstore.dev"},
    "--check": {"action": "store_true", "help": "install nothing; exit status 1 if a program is missing"},
    "--expect": {"default": "", "metavar": "DIGEST", "help": "fail if the build has another digest"},
    "--snapshot": {
        "action": "store_true",
        "help": "build from Debian's packages of the date in requirements/debian.txt (snapshot.debian.org)",
    },
    "--no-build": {"action": "store_true", "help": "do not build again to compare the digest"},
    "--no-provenance": {"action": "store_true", "help": "do not check GitHub's provenance, which needs gh"},
}


def main(arguments: Sequence[str]) -> int:
    """Run a command; its exit status."""
    try:
        given = parser().parse_args(arguments)
        return given.run(given) or 0
    except ReleaseError as error:
        sys.stderr.write(f"tools/release: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130  # as a shell says of a program that Ctrl-C ended
    except OSError as error:
        sys.stderr.write(f"tools/release: {error.filename or 'The system'}: {error.strerror or error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
