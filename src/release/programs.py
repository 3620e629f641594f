"""Other programs: where they are, how they are run, and how they are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from release.errors import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache"
COSIGN = CACHE / "cosign"

# Programs and the packages of Debian and Ubuntu that have them. gh and docker are left to the machine: GitHub's
# runners have both, and tools/engine installs Docker.
PACKAGES = {
    "docker-registry": "docker-registry",
    "git": "git",
    "mmdebstrap": "mmdebstrap",
    "qemu-aarch64-static": "qemu-user-static",
    "skopeo": "skopeo",
}
DEBIAN = "http://deb.debian.org/debian"  # apt checks Debian's signature on what comes from there
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
BINFMT = Path("/proc/sys/fs/binfmt_misc")
FORMAT = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")


def find(program: str) -> str:
    """The path of a program; ReleaseError if it is not installed."""
    found = shutil.which(program)
    if not found and program == "cosign" and COSIGN.is_file():
        return str(COSIGN)
    if not found:
        hint = "Run `sudo tools/release setup`." if program in {*PACKAGES, "cosign"} else f"Install {program}."
        raise ReleaseError(f"{program} is not installed.", why="This step calls it.", fix=hint)
    return found


def run(
    program: str,
    *arguments: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    fix: str = "Fix the cause that the program names, then run the same command again.",
) -> str:
    """Run a program and return what it prints; ReleaseError with its own message if it fails."""
    ended = call(program, *arguments, cwd=cwd, env=env, stdin=stdin)
    if ended.returncode:
        said = (ended.stderr.strip() or ended.stdout.strip() or "It printed nothing.").splitlines()
        shown = " ".join([program, *arguments[:2]])
        raise ReleaseError(
            f"`{shown}` failed with exit status {ended.returncode}.", why="\n".join(said[-15:]), fix=fix
        )
    return ended.stdout


def call(
    program: str,
    *arguments: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program that may fail."""
    return subprocess.run(  # noqa: S603 - no shell, and the program's full path
        [find(program), *arguments],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        input="" if stdin is None else stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def missing() -> list[str]:
    """The programs that are not installed."""
    has_cosign = shutil.which("cosign") or COSIGN.is_file()
    return [*([] if has_cosign else ["cosign"]), *(name for name in PACKAGES if not shutil.which(name))]


def install() -> list[str]:
    """Install what is missing, as root on Debian or Ubuntu; the lines that say what was done."""
    if os.geteuid():
        raise ReleaseError(
            "Only root can install programs.",
            why="They come from packages of Debian or Ubuntu.",
            fix="Run `sudo tools/release setup`.",
        )
    packages = [PACKAGES[name] for name in missing() if name in PACKAGES]
    packages += [] if KEYRING.is_file() else ["debian-archive-keyring"]
    if packages:
        options = ("-qq", "-o", "DPkg::Lock::Timeout=300")
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", *options, env=quiet)
        run("apt-get", "install", *options, "--yes", "--no-install-recommends", *packages, env=quiet)
    return [f"Installed {name}" for name in packages] + _install_cosign() + _register_arm64()


def _install_cosign() -> list[str]:
    """Take Debian's cosign: the same program here, in CI and in a release."""
    if "cosign" not in missing():
        return []
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        line = f"deb [signed-by={KEYRING}] {DEBIAN} trixie main"
        run("mmdebstrap", "--variant=extract", "--include=cosign", "trixie", f"{folder}/root", line)
        shutil.copy(f"{folder}/root/usr/bin/cosign", COSIGN)
    owner = ROOT.stat()  # sudo leaves nothing of root's in the clone
    for path in (CACHE, COSIGN):
        os.chown(path, owner.st_uid, owner.st_gid)
    return [f"Copied Debian's cosign to {COSIGN}"]


def _register_arm64() -> list[str]:
    """Let the kernel run programs of arm64 by qemu, where it allows that."""
    if runs_arm64():
        return []
    register = BINFMT / "register"
    if not register.exists():
        call("mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT))
    try:
        register.write_text(FORMAT.read_text().splitlines()[0])
    except OSError as error:
        return [f"Programs of arm64 cannot run here: {error.filename or register}: {error.strerror}"]
    return ["Registered qemu for programs of arm64"]


def runs_arm64() -> bool:
    """Whether programs of arm64 run on this machine."""
    return os.uname().machine == "aarch64" or (BINFMT / "qemu-aarch64").exists()
