"""What a run may take, counted: modules, files, sockets, calls and bytes. Time is measured elsewhere: make bench.

A module more is a decision: take .cache/modules.txt, which the test writes, for modules.txt, and say in the commit what
it is for.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox import bench
from sandbox.job import Job
from sandbox.runner.engine import Engine
from sandbox.secrets import ran

pytestmark = pytest.mark.container

SITE = "/usr/local/lib/python3.13/dist-packages"
STS = f"{SITE}/botocore/data/sts/2011-06-15"
# What the door does, with an ear on it.
DRIVER = """\
import json, sys

seen = []
sys.addaudithook(lambda event, arguments: seen.append((event, arguments)))

from py_aws_oidc.__main__ import main

status = main(["main"])
events = {
    "modules": sorted(sys.modules),
    "compiled": [str(given[1]) for event, given in seen if event == "compile"],
    "opened": sorted({str(given[0]) for event, given in seen if event == "open"}),
    "connected": [given[1] for event, given in seen if event == "socket.connect"],
    "looked up": [given[0] for event, given in seen if event == "socket.getaddrinfo"],
    "started": [event for event, _ in seen if event in {"subprocess.Popen", "os.fork", "os.exec", "os.posix_spawn"}],
}
with open("/job/seen.json", "w") as file:
    json.dump(events, file)
sys.exit(status)
"""


@dataclass(frozen=True)
class Seen:
    """What a run was seen to do, and the services that it did it with."""

    events: dict[str, list]
    services: bench.Services


@pytest.fixture(scope="module")
def seen(engine: Engine, image: str, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """A run that exchanges an ID token, in the image."""
    folder = tmp_path_factory.mktemp("job")
    (folder / "driver.py").write_text(DRIVER)
    for name in bench.FILES:
        (folder / name).write_text("")
    services = bench.recorded(Job())
    with bench.listening(services):
        variables = bench.variables(Job(), services, Path("/job"))
        step = subprocess.run(
            [
                *(engine.client, "run", "--rm", "--network", "host", "--volume", f"{folder}:/job"),
                *(word for name in variables if name != "PATH" for word in ("--env", name)),
                *("--entrypoint", "/usr/bin/python3", image, "-IBuWignore", "/job/driver.py"),
            ],
            env=engine.environment(variables),
            capture_output=True,
            text=True,
            check=False,
        )
    ran(variables | {name: str(folder / name) for name in bench.FILES}, step.stdout, failed=step.returncode != 0)
    assert step.returncode == 0, step.stdout + step.stderr
    return Seen(json.loads((folder / "seen.json").read_text()), services)


def test_the_modules_of_a_run_are_those_that_were_decided_on(seen):
    decided = (Path(__file__).parent / "modules.txt").read_text().split()
    found = Path(__file__).parents[2] / ".cache" / "modules.txt"
    found.parent.mkdir(exist_ok=True)
    found.write_text("".join(f"{name}\n" for name in seen.events["modules"]))

    assert seen.events["modules"] == decided, f"if that is meant: cp {found} {Path(__file__).parent}"


@pytest.mark.parametrize("module", ["cryptography", "OpenSSL", "awscrt", "pydantic", "asyncio"])
def test_a_run_does_without(seen, module):
    assert module not in {name.partition(".")[0] for name in seen.events["modules"]}


def test_no_module_is_compiled_in_a_run(seen):
    assert [name for name in seen.events["compiled"] if name.startswith("/usr/")] == []


def test_a_run_opens_no_modules_the_runners_files_and_five_of_botocore(seen):
    opened = [name for name in seen.events["opened"] if not name.endswith(("/driver.py", "/seen.json"))]

    assert opened == [
        "/job/GITHUB_ENV",
        "/job/GITHUB_OUTPUT",
        "/job/GITHUB_STATE",
        f"{SITE}/botocore/data/endpoints.json",
        f"{SITE}/botocore/data/partitions.json",
        f"{SITE}/botocore/data/sdk-default-configuration.json",
        f"{STS}/endpoint-rule-set-1.json.gz",
        f"{STS}/service-2.json.gz",
    ]


def test_a_run_makes_two_calls_to_two_services_and_no_other(seen):
    host, port = seen.services.url.removeprefix("http://").split(":")

    assert seen.services.calls == ["", "AssumeRoleWithWebIdentity"]
    assert seen.events["connected"] == [[host, int(port)]] * 2
    assert seen.events["looked up"] == [host] * 2


def test_a_run_starts_no_other_program(seen):
    assert seen.events["started"] == []


def test_the_image_is_small(engine, image):
    sizes = bench.sizes(engine, image)
    base, release = sizes.layers

    assert sizes.packed < 15_000_000
    assert base < 40_000_000
    assert release < 1_500_000


def test_the_image_has_few_files(tree):
    # How long a pull takes is how many files it has, more than how many bytes.
    made_by_docker = {
        "dev/console",
        "dev/pts",
        "dev/shm",
        "etc/hostname",
        "etc/hosts",
        "etc/mtab",
        "etc/resolv.conf",
    }
    files = [one.name for one in tree if not one.isdir() and one.name not in {*made_by_docker, ".dockerenv"}]

    assert len(files) < 160
