"""The image, as the runner and a careless or hostile job meet it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from sandbox.runner.engine import Engine

pytestmark = pytest.mark.container

ROOT = Path(__file__).parents[2]
DOORS = {"main": "/usr/local/bin/py-aws-oidc", "post": "/usr/local/bin/py-aws-oidc-post"}
PYTHON = "/usr/bin/python3"
FLAGS = "-IBu"


@pytest.fixture
def run(engine: Engine, image: str):
    """Run a program in a fresh container, without network."""

    def run(program: str, *arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        line = ("run", "--rm", "--network", "none", *options, "--entrypoint", program, image, *arguments)
        return engine.ask(*line)

    return run


@pytest.fixture
def config(engine: Engine, image: str):
    return json.loads(engine.ask("image", "inspect", "--format", "{{json .Config}}", image).stdout)


def test_the_image_leaves_user_folder_and_health_to_the_runner(config):
    assert not config.get("User")
    assert config.get("WorkingDir", "") in {"", "/"}
    assert not config.get("Healthcheck")
    assert not config.get("ExposedPorts")


def test_the_image_is_root(run):
    assert run("id", "-u").stdout == "0\n"


def test_the_entrypoint_is_main_in_exec_form(config):
    assert config["Entrypoint"] == [DOORS["main"]]
    assert not config.get("Cmd")


def test_the_image_says_what_it_is(config):
    labels = {name.removeprefix("org.opencontainers.image.") for name in config["Labels"]}

    assert labels >= {"title", "description", "licenses"}


@pytest.mark.parametrize("door", DOORS.values())
def test_a_door_is_one_executable_file_with_an_absolute_isolated_interpreter(run, door):
    assert run("find", door, "-type", "f", "-perm", "755").stdout == f"{door}\n"
    assert run("head", "-n", "1", door).stdout == f"#!{PYTHON} {FLAGS}\n"


@pytest.mark.parametrize("tool", ["sh", "env", "tail"])
def test_what_kubernetes_runners_call_is_there(run, tool):
    assert run("/bin/sh", "-c", f"command -v {tool}").returncode == 0


@pytest.mark.parametrize("absent", ["sandbox", "cryptography", "moto", "pip", "setuptools", "boto3.examples"])
def test_what_only_tests_and_builds_need_is_not_in_the_image(run, absent):
    finding = run(PYTHON, FLAGS, "-c", f"from importlib.util import find_spec; print(find_spec('{absent}'))")

    assert finding.stdout == "None\n"


def test_no_package_lists_are_left(run):
    assert run("ls", "/var/lib/apt/lists").stdout == ""


@pytest.mark.parametrize("door", DOORS.values())
def test_nothing_of_the_job_decides_which_code_starts(run, door, tmp_path):
    hostile(tmp_path)

    started = run(door, "the", "args of main", options=in_a_hostile_job(tmp_path))

    assert started.stderr == ""
    assert started.returncode == (1 if door == DOORS["main"] else 0)
    assert ("::error" in started.stdout) == (door == DOORS["main"])


@pytest.mark.parametrize("module", ["requests", "boto3", "jwt", "py_aws_oidc"])
def test_a_module_of_the_checkout_is_not_imported(run, module, tmp_path):
    hostile(tmp_path)

    imported = run(
        PYTHON, FLAGS, "-c", f"import {module}; print({module}.__file__)", options=in_a_hostile_job(tmp_path)
    )

    assert imported.stdout == f"/usr/local/lib/python3.13/dist-packages/{module}/__init__.py\n"


def test_every_module_has_bytecode_that_is_never_checked_again(run):
    compiled = run(
        PYTHON,
        FLAGS,
        "-c",
        dedent("""
            import importlib, pathlib, pkgutil, sys
            import boto3, jwt, py_aws_oidc, requests

            for found in pkgutil.walk_packages(py_aws_oidc.__path__, "py_aws_oidc."):
                importlib.import_module(found.name)
            boto3.client("sts", region_name="eu-west-1")

            unchecked = b"\\1\\0\\0\\0"  # PEP 552: the second word of a .pyc
            modules = [one.__spec__ for one in sys.modules.values() if one.__spec__]
            for spec in modules:
                if spec.has_location and spec.origin.endswith(".py"):
                    cached = pathlib.Path(spec.cached)
                    if not cached.is_file() or cached.read_bytes()[4:8] != unchecked:
                        print(spec.name)
            print(len(modules) > 300)
        """),
    )

    assert (compiled.stdout, compiled.stderr) == ("True\n", "")


def test_trimmed_botocore_goes_to_the_same_sts(run):
    script = dedent("""
        import itertools
        import boto3
        from botocore.config import Config

        class Stop(Exception):
            pass

        def tell(request, **_):
            raise Stop(request.url)

        session = boto3.session.Session()
        partitions = session.get_available_partitions()
        known = [one for name in partitions for one in session.get_available_regions("sts", name)]
        for region, fips, dualstack in itertools.product([*known, "us-east-99"], [False, True], [False, True]):
            config = Config(use_fips_endpoint=fips, use_dualstack_endpoint=dualstack)
            try:
                client = session.client("sts", region_name=region, config=config)
                client.meta.events.register("before-send.sts", tell)
                client.assume_role_with_web_identity(
                    RoleArn="arn:aws:iam::123456789012:role/name", RoleSessionName="name", WebIdentityToken="token"
                )
            except Exception as answer:
                print(region, fips, dualstack, answer)
    """)
    whole = subprocess.run([sys.executable, "-I", "-c", script], env={}, capture_output=True, text=True, check=True)
    trimmed = run(PYTHON, FLAGS, "-c", script)

    assert whole.stdout.count("https://sts") > 100
    assert trimmed.stdout == whole.stdout


def test_the_image_is_built_without_the_history(engine, tmp_path):
    context = tmp_path / "context"
    shutil.copytree(ROOT / "src", context / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (context / "requirements").mkdir()
    for name in ("Dockerfile", ".dockerignore", "requirements/image.txt"):
        shutil.copy(ROOT / name, context / name)

    built = engine.ask("build", "--quiet", str(context), timeout=600)

    assert built.returncode == 0, built.stderr


def hostile(folder: Path) -> None:
    """Fill a folder with modules that say so when they are imported."""
    for name in ("boto3", "datetime", "jwt", "os", "py_aws_oidc", "requests", "sitecustomize", "usercustomize"):
        (folder / f"{name}.py").write_text("import sys\nsys.exit('hijacked')\n")


def in_a_hostile_job(folder: Path) -> tuple[str, ...]:
    """The options that make a folder the checkout of a job with a hostile environment."""
    variables = {
        "PATH": "/nonsense",
        "PYTHONHOME": "/nonsense",
        "PYTHONPATH": "/github/workspace",
        "PYTHONSTARTUP": "/github/workspace/sitecustomize.py",
        "PYTHONWARNINGS": "error",
        "LD_LIBRARY_PATH": "/github/workspace",
    }
    options = [("--env", f"{name}={value}") for name, value in variables.items()]
    mount = ("--volume", f"{folder}:/github/workspace", "--workdir", "/github/workspace")
    return (*mount, *(word for option in options for word in option))
