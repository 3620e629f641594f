"""The runner's docker command lines."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from sandbox.runner import Engine, NoEngineError
from sandbox.runner.engine import container_name, create_line, quoted_arguments, run_line, split
from sandbox.runner.paths import View

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VIEW = View(mounts=(("/run/d.sock", "/var/run/docker.sock"), ("/w", "/in")), table=(), workdir="/in")


@pytest.fixture
def docker(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Put a docker command of a few shell lines on a PATH of its own."""

    def write(script: str) -> dict[str, str]:
        client = tmp_path / "docker"
        client.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        client.chmod(0o755)
        return {"PATH": str(tmp_path), "DOCKER_HOST": "unix:///run/own.sock"}

    return write


def line(**changes: object) -> str:
    parts = {
        "name": "n",
        "label": "l",
        "view": VIEW,
        "variables": ["A"],
        "image": "i",
        "entrypoint": "/e",
        "arguments": '"x"',
    }
    return run_line(**{**parts, **changes})  # type: ignore[arg-type]  # the parts by name


def test_the_run_line_is_the_runners() -> None:
    assert line() == (
        'run --name n --label l --workdir /in --rm -e "A" -e GITHUB_ACTIONS=true -e CI=true '
        '--entrypoint "/e" -v "/run/d.sock":"/var/run/docker.sock" -v "/w":"/in" i "x"'
    )


def test_an_entrypoint_that_is_not_given_is_the_images() -> None:
    assert "--entrypoint" not in line(entrypoint="")


def test_ci_is_left_to_the_step_that_sets_it() -> None:
    assert '-e "CI" -e GITHUB_ACTIONS=true --entry' in line(variables=["CI"])


def test_extra_arguments_stand_where_the_network_does() -> None:
    assert '--entrypoint "/e" --network host -v ' in line(run_args=["--network", "host"])


def test_a_quote_in_a_variables_name_is_escaped() -> None:
    assert '-e "A\\"B"' in line(variables=['A"B'])


def test_a_variable_without_a_name_is_left_out() -> None:
    assert line(variables=["", "A"]) == line()


def test_the_job_containers_line_lets_it_sleep() -> None:
    assert create_line(name="n", label="l", view=VIEW, image="i") == (
        'create --name n --label l --workdir /in -e "HOME=/github/home" -e GITHUB_ACTIONS=true -e CI=true '
        '-v "/run/d.sock":"/var/run/docker.sock" -v "/w":"/in" --entrypoint "tail" i "-f" "/dev/null"'
    )


def test_a_container_is_named_after_its_image() -> None:
    assert container_name("example.org/o/i-x:1").startswith("exampleorgoix1_")


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", []),
        ("  ", []),
        ("a b\tc", ["a", "b", "c"]),
        ('"a b" c', ["a b", "c"]),
        ('""', [""]),
        ('a "" b', ["a", "", "b"]),
        ('-v "/a b":"/c"', ["-v", "/a b:/c"]),
        (r"a\b", [r"a\b"]),
        (r"a\\ b", [r"a\\", "b"]),
        (r"\"a\"", ['"a"']),
        (r'"a\"b"', ['a"b']),
        (r'"a\\"', ["a\\"]),
        (r'"a\\\"b"', ['a\\"b']),
        ('"a""b"', ['a"b']),
        ("a\nb", ["a\nb"]),
    ],
)
def test_a_line_is_split_as_dotnet_does(text: str, arguments: list[str]) -> None:
    assert split(text) == arguments


@pytest.mark.parametrize("argument", ["plain", "two words", "", 'a "quote"', "$HOME;`x`"])
def test_an_argument_arrives(argument: str) -> None:
    assert split(quoted_arguments(["x", argument])) == ["x", argument]


@pytest.mark.parametrize(("argument", "arrives"), [("end\\", ['end" y']), ('{"a": "\\""}', ['{"a": "\\"} y'])])
def test_a_backslash_before_a_quote_mangles_an_argument(argument: str, arrives: list[str]) -> None:
    assert split(quoted_arguments([argument, "y"])) == arrives


def test_the_clients_environment_is_the_steps_and_the_engines_address() -> None:
    engine = Engine(client="/docker", host="unix:///run/own.sock")

    assert engine.environment({"A": "1"}) == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "DOCKER_HOST": "unix:///run/own.sock",
        "A": "1",
    }


@pytest.mark.parametrize(
    ("host", "socket"),
    [
        ("unix:///run/own.sock", "/run/own.sock"),
        ("tcp://127.0.0.1:2375", "/var/run/docker.sock"),
        (None, "/var/run/docker.sock"),
    ],
)
def test_the_engines_own_socket_is_mounted(host: str | None, socket: str) -> None:
    assert Engine(client="/docker", host=host).socket == socket


def test_an_engine_that_answers_is_found(docker: Callable[[str], dict[str, str]]) -> None:
    engine = Engine.find(run_args=["--network", "host"], environ=docker("echo 1"))

    assert engine is not None
    assert (engine.host, engine.run_args) == ("unix:///run/own.sock", ("--network", "host"))


def test_an_engine_that_refuses_is_not_found(docker: Callable[[str], dict[str, str]]) -> None:
    assert Engine.find(environ=docker("exit 1")) is None


def test_the_engines_own_words_say_why(docker: Callable[[str], dict[str, str]]) -> None:
    with pytest.raises(NoEngineError, match="no daemon here"):
        Engine.require(environ=docker("echo no daemon here >&2; exit 1"))


def test_a_silent_refusal_is_said_too(docker: Callable[[str], dict[str, str]]) -> None:
    with pytest.raises(NoEngineError, match="the Docker engine did not answer"):
        Engine.require(environ=docker("exit 1"))


def test_a_missing_client_is_said() -> None:
    with pytest.raises(NoEngineError, match="there is no `docker` command"):
        Engine.require(environ={"PATH": "/nonexistent"})


def test_an_engine_that_hangs_is_not_waited_for(
    docker: Callable[[str], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*_: object, **options: object) -> None:
        raise subprocess.TimeoutExpired("docker", float(str(options["timeout"])))

    environ = docker("exit 0")
    monkeypatch.setattr(subprocess, "run", hang)

    with pytest.raises(NoEngineError, match="did not answer in time"):
        Engine.require(environ=environ)


def test_a_command_that_has_to_succeed_says_why_it_did_not(
    docker: Callable[[str], dict[str, str]],
) -> None:
    folder = docker("echo no such image >&2; exit 1")["PATH"]

    with pytest.raises(NoEngineError, match="no such image"):
        Engine(client=f"{folder}/docker").need("start", "x")


@pytest.mark.parametrize(
    ("printed", "path"),
    [
        ("A=1\\nPATH=/x", "/x"),
        ("A=1", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ],
)
def test_a_containers_path_is_its_images(docker: Callable[[str], dict[str, str]], printed: str, path: str) -> None:
    folder = docker(f"printf '{printed}'")["PATH"]

    assert Engine(client=f"{folder}/docker").path_of("c") == path
