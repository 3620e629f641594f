"""The image, as the runner and a careless or hostile job meet it."""

import base64
import csv
import email
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from textwrap import dedent

import pytest
from tests.container.place import copy_sources

from sandbox.runner.engine import Engine

pytestmark = pytest.mark.container

ROOT = Path(__file__).parents[2]
DOORS = {"main": "/usr/local/bin/py-aws-oidc", "post": "/usr/local/bin/py-aws-oidc-post"}
PYTHON = "/usr/bin/python3"
SITE = "usr/local/lib/python3.13/dist-packages"
FLAGS = "-IBuWignore"
ARCHIVES = ("usr/lib/python3.13/modules.zip", "usr/local/lib/python3.13/modules.zip")


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
    assert run(PYTHON, FLAGS, "-c", "import os; print(os.getuid())").stdout == "0\n"


def test_the_entrypoint_is_main_in_exec_form(config):
    assert config["Entrypoint"] == [DOORS["main"]]
    assert not config.get("Cmd")


def test_the_image_says_what_it_is(config):
    labels = {name.removeprefix("org.opencontainers.image.") for name in config["Labels"]}

    assert labels >= {"title", "description", "licenses"}


@pytest.mark.parametrize("door", DOORS.values())
def test_a_door_is_one_executable_file_with_an_absolute_isolated_interpreter(tree, door):
    file = tree.getmember(door.removeprefix("/"))

    assert (file.isreg(), file.mode & 0o7777) == (True, 0o755)
    assert (
        tree.extractfile(file).readline()
        == f"#!/usr/bin/env -S --block-signal=INT,TERM {PYTHON} {FLAGS}\n".encode()
    )


@pytest.mark.parametrize("tool", ["sh", "env", "tail"])
def test_what_kubernetes_runners_call_is_there(run, tool):
    assert run("/bin/sh", "-c", f"command -v {tool}").returncode == 0


@pytest.mark.parametrize("absent", ["sandbox", "cryptography", "moto", "pip", "setuptools", "boto3.examples"])
def test_what_only_tests_and_builds_need_is_not_in_the_image(run, absent):
    finding = run(PYTHON, FLAGS, "-c", f"from importlib.util import find_spec; print(find_spec('{absent}'))")

    assert finding.stdout == "None\n"


def test_scanners_are_told_of_debians_packages(tree):
    status = tree.extractfile("var/lib/dpkg/status").read().decode()
    packages = {one["Package"]: one for one in map(email.message_from_string, status.strip().split("\n\n"))}

    assert packages.keys() >= {
        "base-files",
        "base-passwd",
        "ca-certificates",
        "coreutils",
        "dash",
        "libc-bin",
        "libc6",
        "libssl3t64",
        "zlib1g",
    }
    assert packages.keys() >= {"python3.13-minimal", "libpython3.13-stdlib"}
    assert all(one["Version"] and "installed" in one["Status"] for one in packages.values())


def test_the_licence_of_each_of_debians_packages_is_there(tree):
    status = tree.extractfile("var/lib/dpkg/status").read().decode()

    for package in re.findall("^Package: (.*)$", status, re.MULTILINE):
        assert tree.getmember(f"usr/share/doc/{package}/copyright").size > 100


def test_scanners_are_told_of_pythons_packages(tree):
    required = re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements" / "image.txt").read_text(), re.MULTILINE)
    names = [name for name in tree.getnames() if name.endswith(".dist-info/METADATA")]
    told = [email.message_from_bytes(tree.extractfile(name).read()) for name in names]

    assert sorted((one["Name"].lower(), one["Version"]) for one in told) == sorted(required)


def test_what_is_recorded_of_pythons_packages_is_there(tree):
    records = [name for name in tree.getnames() if name.endswith(".dist-info/RECORD")]
    texts = [tree.extractfile(record).read().decode() for record in records]
    told = [row for text in texts for row in csv.reader(text.splitlines())]

    assert len(records) > 10
    with zipfile.ZipFile(tree.extractfile(ARCHIVES[0])) as modules:
        archived = {name: modules.read(name) for name in modules.namelist()}
    for name, *hash_and_size in told:
        path = f"{SITE}/{name}"
        there = archived[path] if path in archived else content(tree, path)
        found = ["", ""] if name.endswith(".dist-info/RECORD") else recorded(there)
        assert (name, hash_and_size) == (name, found)
    assert {name for name, *_ in told} >= {
        "boto3/__init__.py",
        "botocore/data/endpoints.json",
        "botocore/cacert.pem",
        "certifi/cacert.pem",
    }


def test_there_is_one_file_of_certificates(tree):
    name = "etc/ssl/certs/ca-certificates.crt"

    assert tree.extractfile(name).read().count(b"BEGIN CERTIFICATE") > 100
    assert tree.getmember(f"{SITE}/certifi/cacert.pem").linkname == f"/{name}"


def test_who_builds_the_dockerfile_has_the_certificates_of_the_base(engine, dockerfile_image):
    base = re.match("FROM (\\S+)", (ROOT / "Dockerfile").read_text())[1]
    cat = ("run", "--rm", "--network", "none", "--entrypoint", "cat")
    name = "/etc/ssl/certs/ca-certificates.crt"

    # What a base adds of its own must come through; a base without any gets those of Debian's package.
    of_base = engine.ask(*cat, base, name).stdout
    certificates = engine.need(*cat, dockerfile_image, name)
    assert certificates == (of_base or certificates)


def test_names_are_looked_up_at_the_name_server(run):
    script = dedent("""
        import socket, threading

        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 53))

        def answer():  # RFC 1035: the question again, and an address for the name at its offset 12
            query, client = server.recvfrom(512)
            header = query[:2] + bytes.fromhex("8180 0001 0001 0000 0000")
            question = query[12 : query.index(bytes(1), 12) + 5]
            server.sendto(header + question + bytes.fromhex("c00c 0001 0001 00000000 0004 7f010203"), client)

        threading.Thread(target=answer).start()
        print(socket.getaddrinfo("sts.example", 443, socket.AF_INET, socket.SOCK_STREAM)[0][4])
    """)

    assert run(PYTHON, FLAGS, "-c", script, options=("--dns", "127.0.0.1")).stdout == "('127.1.2.3', 443)\n"


@pytest.mark.parametrize("door", DOORS.values())
def test_a_door_runs_no_python_module_of_the_job(run, door, tmp_path):
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
        dedent(f"""
            import importlib.util, pathlib, zipfile

            files = {{str(path).removeprefix("/"): path.read_bytes() for path in pathlib.Path("/usr").rglob("*.py*")}}
            for path in {ARCHIVES}:
                with zipfile.ZipFile("/" + path) as archive:
                    files.update((name, archive.read(name)) for name in archive.namelist())
            sources = [name for name in files if name.endswith(".py")]
            for name in sources:
                magic, flags, source = (
                    importlib.util.MAGIC_NUMBER, b"\\1\\0\\0\\0", importlib.util.source_hash(files[name])
                )  # PEP 552
                if files[importlib.util.cache_from_source(name)][:16] != magic + flags + source:
                    print(name)
            print(len(sources) > 400)
        """),
    )

    assert (compiled.stdout, compiled.stderr) == ("True\n", "")


def test_a_traceback_has_the_lines_of_the_source(run):
    script = "import traceback, jwt\ntry: jwt.decode('')\nexcept Exception: print(traceback.format_exc())"

    assert "api_jwt.py" in run(PYTHON, FLAGS, "-c", script).stdout
    assert "raise DecodeError" in run(PYTHON, FLAGS, "-c", script).stdout


def test_an_error_that_is_not_caught_has_the_lines_of_the_source(run):
    assert "raise DecodeError" in run(PYTHON, FLAGS, "-c", "import jwt; jwt.decode('')").stderr


@pytest.mark.parametrize(
    "variables", [{}, {"LC_ALL": "C"}, {"LC_ALL": "en_US.ISO-8859-1"}, {"LANG": "ja_JP.eucJP"}, {"LC_ALL": "POSIX"}]
)
def test_the_interpreter_starts_in_any_locale(run, variables):
    options = tuple(word for name, value in variables.items() for word in ("--env", f"{name}={value}"))

    assert run(PYTHON, FLAGS, "-c", "print('\u65e5')", options=options).stdout == "\u65e5\n"


# What these modules want is not in Debian's Python or in requirements/image.txt either, or is of another system.
NEVER_WORK = {
    "botocore.crt.auth",
    "dateutil.tz.win",
    "encodings.mbcs",
    "multiprocessing.popen_spawn_win32",
    "multiprocessing.sharedctypes",  # ctypes, which nothing of ours reaches
    "urllib3.contrib.pyopenssl",
    "urllib3.contrib.socks",
    "urllib3.http2.connection",
}


def test_every_module_finds_what_it_imports(run):
    tried = run(
        PYTHON,
        FLAGS,
        "-c",
        dedent("""
            import importlib, marshal

            for path in ("/usr/lib/python3.13/modules.index", "/usr/local/lib/python3.13/modules.index"):
                with open(path, "rb") as index:
                    for name in marshal.load(index):
                        if not name.endswith("__main__"):
                            try:
                                importlib.import_module(name)
                            except ImportError:
                                print(name)
        """),
    )

    assert set(tried.stdout.split()) == NEVER_WORK


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        (
            "sts",
            "assume_role_with_web_identity",
            {
                "RoleArn": "arn:aws:iam::123456789012:role/name",
                "RoleSessionName": "name",
                "WebIdentityToken": "token",
            },
        ),
        ("sso", "get_role_credentials", {"roleName": "name", "accountId": "123456789012", "accessToken": "token"}),
        ("sso-oidc", "create_token", {"clientId": "id", "clientSecret": "secret", "grantType": "refresh_token"}),
    ],
)
def test_trimmed_botocore_goes_to_the_same_addresses(run, service, operation, parameters):
    script = dedent(f"""
        import itertools
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config

        class Stop(Exception):
            pass

        def tell(request, **_):
            raise Stop(request.url)

        session = boto3.session.Session()
        partitions = session.get_available_partitions()
        known = [one for name in partitions for one in session.get_available_regions("sts", name)]
        for region, fips, dualstack in itertools.product([*known, "us-east-99"], [False, True], [False, True]):
            config = Config(use_fips_endpoint=fips, use_dualstack_endpoint=dualstack, signature_version=UNSIGNED)
            try:
                client = session.client("{service}", region_name=region, config=config)
                client.meta.events.register("before-send", tell)
                client.{operation}(**{parameters})
            except Exception as answer:
                print(region, fips, dualstack, client.meta.endpoint_url, answer)
    """)
    whole = subprocess.run([sys.executable, "-I", "-c", script], env={}, capture_output=True, text=True, check=True)
    trimmed = run(PYTHON, FLAGS, "-c", script)

    assert whole.stdout.count(" https://") > 100
    assert trimmed.stdout == whole.stdout


def test_another_build_elsewhere_without_the_history_has_the_same_layers(engine, dockerfile_image, tmp_path):
    image = dockerfile_image
    context = tmp_path / "context"
    copy_sources(context)

    another = built_anew(engine, context)
    if packages(engine, another) != packages(engine, image):
        # Debian has other packages now than when the image was built from its cache.
        image, another = another, built_anew(engine, context)
    if packages(engine, another) != packages(engine, image):
        pytest.skip("Debian's packages change from one minute to the next")
    assert layers(engine, another) == layers(engine, image)


def built_anew(engine: Engine, context: Path) -> str:
    """The id of an image that owes nothing to the engine's cache."""
    built = engine.ask("build", "--no-cache", "--quiet", str(context), timeout=600)
    assert built.returncode == 0, built.stderr
    return built.stdout.strip()


def content(tree: tarfile.TarFile, name: str) -> bytes:
    """What is in a file, or in the one that a link leads to by its whole path."""
    file = tree.getmember(name)
    return tree.extractfile(file.linkname.removeprefix("/") if file.issym() else file).read()


def recorded(content: bytes) -> list[str]:
    """A file's hash and size, as RECORD has them."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
    return [f"sha256={digest.decode()}", str(len(content))]


def packages(engine: Engine, image: str) -> str:
    """What an image has of Debian."""
    return engine.need("run", "--rm", "--network", "none", "--entrypoint", "cat", image, "/var/lib/dpkg/status")


def layers(engine: Engine, image: str) -> list[str]:
    """The digests of an image's layers."""
    return json.loads(engine.need("image", "inspect", "--format", "{{json .RootFS.Layers}}", image))


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
