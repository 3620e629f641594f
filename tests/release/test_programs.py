"""Programs are found, run and installed, and an error says which and why."""

import os
from pathlib import Path

import pytest

from release import programs
from release.errors import ReleaseError

# Stands for every program that an installation calls; mmdebstrap leaves what would be unpacked.
PROGRAM = """\
#!/bin/sh
echo "$(basename "$0") $*" >>{folder}/calls
[ "$(basename "$0")" != mmdebstrap ] || {{ mkdir -p "$4/usr/bin"; touch "$4/usr/bin/cosign"; }}
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of which all programs are in one folder, and binfmt_misc in another."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("apt-get", "mount", "mmdebstrap"):
        add(folder, name)
    for name in ("sh", "basename", "mkdir", "touch"):
        (folder / name).symlink_to(Path("/bin", name))
    for name in ("KEYRING", "BINFMT", "FORMAT"):
        monkeypatch.setattr(programs, name, tmp_path / name)
    monkeypatch.setattr(programs, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(programs, "COSIGN", tmp_path / "cache" / "cosign")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def add(folder: Path, name: str) -> None:
    (folder / name).write_text(PROGRAM.format(folder=folder))
    (folder / name).chmod(0o755)


def called(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines() if (folder / "calls").exists() else []


@pytest.mark.usefixtures("machine")
def test_a_program_that_is_not_there_is_told_with_what_installs_it():
    for program, hint in (
        ("skopeo", "tools/release setup"),
        ("cosign", "tools/release setup"),
        ("gh", "Install gh"),
    ):
        with pytest.raises(ReleaseError, match=f"{program} is not installed") as failure:
            programs.find(program)
        assert hint in str(failure.value)


def test_what_is_missing_is_installed(machine):
    lines = programs.install()

    update, install, unpack, mount = called(machine)
    assert mount.startswith("mount ")
    assert update.startswith("apt-get update")
    assert install.split()[-5:] == [
        "docker-registry",
        "git",
        "qemu-user-static",
        "skopeo",
        "debian-archive-keyring",
    ]
    assert unpack.startswith("mmdebstrap --variant=extract --include=cosign trixie")
    assert f"Copied Debian's cosign to {programs.COSIGN}" in lines
    assert programs.find("cosign") == str(programs.COSIGN)


def test_only_root_installs(machine, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(ReleaseError, match="Only root"):
        programs.install()
    assert called(machine) == []


def test_what_is_there_is_not_installed_again(machine):
    for name in (*programs.PACKAGES, "cosign"):
        add(machine, name)
    programs.KEYRING.touch()
    programs.BINFMT.mkdir()
    (programs.BINFMT / "qemu-aarch64").touch()

    assert programs.install() == []
    assert called(machine) == []


def test_missing_programs_are_named_without_installing_them(machine):
    assert programs.missing() == ["cosign", "docker-registry", "git", "qemu-aarch64-static", "skopeo"]
    assert called(machine) == []


def installed(machine: Path) -> None:
    for name in (*programs.PACKAGES, "cosign"):
        add(machine, name)
    programs.KEYRING.touch()
    programs.FORMAT.write_text(":qemu-aarch64:M::magic:mask:/usr/bin/qemu:F\nmore\n")


def test_programs_of_arm64_are_registered(machine):
    installed(machine)
    programs.BINFMT.mkdir()
    (programs.BINFMT / "register").touch()

    assert programs.install() == ["Registered qemu for programs of arm64"]
    assert (programs.BINFMT / "register").read_text() == ":qemu-aarch64:M::magic:mask:/usr/bin/qemu:F"
    assert called(machine) == []


def test_where_qemu_has_no_format_to_register_that_is_said(machine):
    installed(machine)
    programs.FORMAT.unlink()
    programs.BINFMT.mkdir()
    (programs.BINFMT / "register").touch()

    (line,) = programs.install()
    assert line.startswith("Programs of arm64 cannot run here")
    assert str(programs.FORMAT) in line


def test_where_binfmt_cannot_be_mounted_that_is_said(machine):
    installed(machine)

    (line,) = programs.install()
    assert line.startswith("Programs of arm64 cannot run here")
    assert called(machine) == [f"mount -t binfmt_misc binfmt_misc {programs.BINFMT}"]


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("registered", [True, False])
def test_programs_of_arm64_run_where_they_are_registered(monkeypatch, registered):
    monkeypatch.setattr(programs.os, "uname", lambda: type("", (), {"machine": "x86_64"}))
    programs.BINFMT.mkdir()
    if registered:
        (programs.BINFMT / "qemu-aarch64").touch()

    assert programs.runs_arm64() is registered


@pytest.mark.usefixtures("machine")
def test_programs_of_arm64_run_on_arm64(monkeypatch):
    monkeypatch.setattr(programs.os, "uname", lambda: type("", (), {"machine": "aarch64"}))

    assert programs.runs_arm64()


@pytest.mark.parametrize(
    ("script", "why"),
    [("echo out; echo err >&2; exit 3", "err"), ("echo out; exit 3", "out"), ("exit 3", "nothing")],
)
def test_a_program_that_fails_is_told_with_what_it_said(script, why):
    with pytest.raises(ReleaseError, match=r"`sh -c`|`sh -c ") as failure:
        programs.run("sh", "-c", script)
    assert why in str(failure.value)
    assert "exit status 3" in str(failure.value)


def test_a_program_gets_its_variables_and_its_input():
    assert programs.run("sh", "-c", 'cat; echo "$A"', env={"A": "b"}, stdin="in ") == "in b\n"
