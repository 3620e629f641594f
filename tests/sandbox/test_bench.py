"""The bench measures what it says it measures."""

import io
import json
import os
import sys
import tarfile
from contextlib import nullcontext
from pathlib import Path

import pytest
import requests

from sandbox import bench
from sandbox.bench import Row, Sample, Subject
from sandbox.job import Job

pytestmark = pytest.mark.slow

# Programs that stand for the ones that the bench calls, each of which exports credentials as the action would.
PROGRAMS = {
    "chroot": 'echo AWS_SESSION_TOKEN=x >"$1/tmp/GITHUB_ENV"',
    "node": 'echo AWS_SESSION_TOKEN=x >"$GITHUB_ENV"',
    "strace": """\
while [ "$1" != -o ]; do shift; done
echo 'openat(AT_FDCWD, "/found") = 3' >"$2"
echo 'openat(AT_FDCWD, "/missing") = -1 ENOENT' >>"$2"
shift 2
exec "$@"
""",
    "docker": """\
case $1 in
    version) echo 1 ;;
    create) echo container ;;
    export) /bin/cp "$ARCHIVES/tree.tar" "$3" ;;
    save) /bin/cp "$ARCHIVES/image.tar" "$3" ;;
    build) echo image ;;
    run) for word; do case $word in *:/tmp) echo AWS_SESSION_TOKEN=x >"${word%:/tmp}/GITHUB_ENV" ;; esac; done ;;
esac
""",
}


def archive(path: Path, **files: bytes) -> bytes:
    """Write an archive of files and of the folder tmp."""
    with tarfile.open(path, "w") as written:
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        written.addfile(folder)
        for name, content in files.items():
            file = tarfile.TarInfo(name.replace("_json", ".json"))
            file.size = len(content)
            written.addfile(file, io.BytesIO(content))
    return path.read_bytes()


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs that is all of PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()
    layers = {
        name: archive(tmp_path / name, file=bytes(size)) for name, size in (("one", 2_000_000), ("two", 500_000))
    }
    archive(tmp_path / "tree.tar")
    archive(tmp_path / "image.tar", manifest_json=json.dumps([{"Layers": list(layers)}]).encode(), **layers)
    for name, script in PROGRAMS.items():
        (folder / name).write_text(f"#!/bin/sh\nARCHIVES={tmp_path}\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def measured(*arguments: str, image: str = "image") -> dict[str, list[str]]:
    """The table of a run of the bench, by its first column."""
    out = io.StringIO()
    assert bench.main([image, *arguments, "--rounds=1"], out) == 0
    lines = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in out.getvalue().splitlines()]
    return {what: cells for what, *cells in lines}


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


@pytest.mark.usefixtures("programs", "root")
def test_without_a_reference_its_column_is_empty():
    table = measured()

    assert table["wall, instant services"][1:] == ["-", "-", "0.85"]
    assert table["files opened"] == ["1", "-", "-", "-"]
    assert table["image, unpacked"] == ["2.5 MB", "-", "-", "45 MB"]
    assert (table["layer 1"][0], table["layer 2"][0]) == ("2.0 MB", "0.5 MB")


@pytest.mark.usefixtures("programs", "root")
def test_a_reference_is_measured_beside_ours():
    table = measured("index.js")

    assert all(cell != "-" for cell in table["wall, 100 ms a call"])
    assert table["calls on the wire"] == ["0", "0", "-", "2"]


class Started:
    """A registry that has every image."""

    def start(self, pull, run):
        return pull("image"), run("image")


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.Cold, "made", lambda *_: nullcontext(Started()))


@pytest.mark.usefixtures("programs", "root", "cold")
def test_first_runs_are_measured_where_there_is_a_layout(tmp_path):
    table = measured("--layout", str(tmp_path))

    for what, goal in (
        ("first run, image pulled, instant services", "8"),
        ("first run, image pulled, 100 ms a call", "4"),
        ("first run, image built, instant services", "-"),
    ):
        ours, *others = table[what]
        assert ours.endswith(" ms")
        assert others == ["-", "-", goal]
    assert table["of that, the pull"][0].endswith(" ms")


@pytest.mark.usefixtures("programs", "root", "cold")
def test_first_runs_are_measured_beside_a_reference(tmp_path):
    table = measured("index.js", "--layout", str(tmp_path))

    assert all(cell != "-" for cell in table["first run, image pulled, 100 ms a call"])


@pytest.mark.usefixtures("root")
def test_files_are_not_counted_where_strace_is_not_there(programs):
    (programs / "strace").unlink()

    assert measured()["files opened"][0] == "-"


def test_without_root_the_file_tree_cannot_be_entered(monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    with pytest.raises(SystemExit):
        bench.main(["image"], io.StringIO())

    assert "only root can enter" in capsys.readouterr().err


@pytest.mark.container
@pytest.mark.skipif(os.geteuid() != 0, reason="chroot needs root")
def test_the_real_image_is_measured(image):
    table = measured(image=image)

    assert table["calls on the wire"][0] == "2"


def test_services_say_again_what_the_sandbox_said():
    services = bench.recorded(Job())
    with bench.listening(services):
        token = requests.get(services.url, params={"audience": "a"}, timeout=5).json()["value"]
        form = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15"}
        session = requests.post(services.url, form, timeout=5).text

    assert token.count(".") == 2
    assert f"{services.role.replace(':role/', ':assumed-role/').replace('iam', 'sts')}/GitHubActions" in session
    assert services.calls == ["", "AssumeRoleWithWebIdentity"]


def test_services_answer_late_if_they_are_to():
    slept = []
    services = bench.Services("role", {"": b"token"}, sleep=slept.append, late=0.1)

    assert services.answer(b"") == b"token"
    assert slept == [0.1]


def test_a_process_is_not_counted_the_memory_of_the_one_that_measures():
    sample, printed = bench.measure(("/bin/sh", "-c", "echo said"), {})

    assert printed == "said\n"
    assert sample.wall > 0
    assert 0 < sample.memory < 30e6  # pytest, with all that this suite imports, has more


def test_a_command_that_fails_is_told_with_what_it_said():
    with pytest.raises(RuntimeError, match=r"failed:\nwords\n"):
        bench.measure((sys.executable, "-c", "print('words'); raise SystemExit(3)"), {})


def test_a_run_that_exports_nothing_is_not_measured(tmp_path):
    with pytest.raises(RuntimeError, match="exported no credentials"):
        Subject(("/bin/sh", "-c", ":"), {}, tmp_path).run()


def test_runs_take_turns_after_a_round_to_warm_up():
    made = []

    def run(name):
        made.append(name)
        return Sample(1, 1, len(made))

    rounds = bench.in_turn(2, lambda: run("a"), lambda: run("b"))

    assert made == ["a", "b"] * 3
    assert [[sample.memory for sample in samples] for samples in rounds] == [[3, 4], [5, 6]]


def test_a_ratio_is_the_median_of_the_rounds_ratios():
    rounds = [
        (Sample(1, 1, 1e6), Sample(2, 1, 1e6)),
        (Sample(9, 1, 1e6), Sample(3, 1, 1e6)),
        (Sample(2, 1, 1e6),) * 2,
    ]

    wall, *_ = bench.timed("in a test", rounds, ("0.85", "-", "-"))

    assert wall == Row("wall, in a test", "2000 ms", "2000 ms", "1.00", "0.85")
