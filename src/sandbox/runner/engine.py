"""The Docker engine as the runner uses it: its command lines, to the letter."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sandbox.runner.paths import View

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_DEFAULT_SOCKET = "/var/run/docker.sock"
_NOT_IN_A_NAME = re.compile("[^A-Za-z0-9_]")
_BEFORE_A_QUOTE = re.compile(r'(\\*)"')
_PIECE = re.compile(r'(\\*)("*)([^\\"]?)', re.DOTALL)


class NoEngineError(Exception):
    """There is no engine to run containers with; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A Docker client and the engine it speaks to.

    `run_args` stand where the runner puts `--network`: the one place at which its line may be departed from.
    """

    client: str
    host: str | None = None
    run_args: tuple[str, ...] = ()

    @classmethod
    def find(cls, *, run_args: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> Engine | None:
        """The engine of this machine, or None; `require` says why there is none."""
        try:
            return cls.require(run_args=run_args, environ=environ)
        except NoEngineError:
            return None

    @classmethod
    def require(cls, *, run_args: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> Engine:
        """The engine of this machine, which has answered just now."""
        environ = os.environ if environ is None else environ
        client = shutil.which("docker", path=environ.get("PATH", PATH))
        if client is None:
            raise NoEngineError("there is no `docker` command")
        engine = cls(client=client, host=environ.get("DOCKER_HOST") or None, run_args=tuple(run_args))
        try:
            answer = engine.ask("version", "--format", "{{.Server.Version}}", timeout=10)
        except subprocess.TimeoutExpired as error:
            raise NoEngineError("the Docker engine did not answer in time") from error
        if answer.returncode:
            raise NoEngineError(answer.stderr.strip() or "the Docker engine did not answer")
        return engine

    @property
    def socket(self) -> str:
        """The engine's own socket, which the runner mounts into every container."""
        host = self.host or ""
        return host.removeprefix("unix://") if host.startswith("unix://") else _DEFAULT_SOCKET

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The client's environment: the variables it passes on, and nothing of our own but the engine's address."""
        address = {} if self.host is None else {"DOCKER_HOST": self.host}
        return {"PATH": PATH, **address, **variables}

    def ask(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a short command of the client."""
        return subprocess.run(  # noqa: S603  no shell, and the client's full path
            [self.client, *arguments],
            env=self.environment({}),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=timeout,
            check=False,
        )

    def need(self, *arguments: str) -> str:
        """Run a short command that has to succeed, and say what it printed."""
        answer = self.ask(*arguments)
        if answer.returncode:
            raise NoEngineError(answer.stderr.strip())
        return answer.stdout

    def path_of(self, container: str) -> str:
        """PATH inside a container."""
        form = "{{range .Config.Env}}{{println .}}{{end}}"
        variables = self.need("inspect", "--format", form, container).splitlines()
        return next((line[5:] for line in variables if line.startswith("PATH=")), PATH)


def container_name(image: str) -> str:
    """The image's letters, digits and underscores, and six digits of chance."""
    return f"{_NOT_IN_A_NAME.sub('', image)}_{secrets.token_hex(3)}"


def run_line(  # noqa: PLR0913  the parts of one command line
    *,
    name: str,
    label: str,
    view: View,
    variables: Iterable[str],
    image: str,
    entrypoint: str,
    arguments: str,
    run_args: Sequence[str] = (),
) -> str:
    """The runner's `docker run`: variables by name only, and nothing that the image could not decide.

    DockerCommandManager.DockerRun builds one string that .NET takes apart; `split` does the same.
    """
    names = list(variables)
    return " ".join(
        [
            f"run --name {name} --label {label} --workdir {view.workdir} --rm",
            *_environment_options(names),
            *([f'--entrypoint "{entrypoint}"'] if entrypoint else []),
            *run_args,
            *_mount_options(view),
            image,
            arguments,
        ]
    ).rstrip(" ")


def create_line(*, name: str, label: str, view: View, image: str, run_args: Sequence[str] = ()) -> str:
    """The runner's `docker create` of a job container, which sleeps until steps are run in it."""
    return " ".join(
        [
            f"create --name {name} --label {label} --workdir {view.workdir}",
            *run_args,
            '-e "HOME=/github/home" -e GITHUB_ACTIONS=true -e CI=true',
            *_mount_options(view),
            f'--entrypoint "tail" {image} "-f" "/dev/null"',
        ]
    )


def quoted_arguments(arguments: Iterable[str]) -> str:
    """`runs.args` as the runner joins them: quotes are escaped, backslashes before them are not."""
    return " ".join('"{}"'.format(argument.replace('"', '\\"')) for argument in arguments)


def split(line: str) -> list[str]:
    """The arguments that .NET's Process makes of a line on Linux.

    Blanks outside of quotes separate them; backslashes count only before a quote, two for one; a doubled
    quote inside of quotes is a quote.
    """
    arguments: list[str] = []
    current = ""
    begun = quoted = False
    for slashes, quotes, other in _PIECE.findall(line):
        begun = begun or bool(slashes or quotes)
        current += slashes[: len(slashes) // 2] if quotes else slashes
        count = len(quotes)
        if count and len(slashes) % 2:
            current += '"'
            count -= 1
        while count:
            doubled = quoted and count > 1
            current += '"' if doubled else ""
            quoted = quoted if doubled else not quoted
            count -= 2 if doubled else 1
        if other in (" ", "\t") and not quoted:
            arguments += [current] if begun else []
            current, begun = "", False
        else:
            current += other
            begun = begun or bool(other)
    return [*arguments, current] if begun else arguments


def _environment_options(names: Sequence[str]) -> list[str]:
    options = [f'-e "{_BEFORE_A_QUOTE.sub(_escape, name)}"' for name in names if name]
    return [*options, "-e GITHUB_ACTIONS=true", *([] if "CI" in names else ["-e CI=true"])]


def _escape(match: re.Match[str]) -> str:
    return f'{match[1] * 2}\\"'


def _mount_options(view: View) -> list[str]:
    return [f'-v "{_quote(host)}":"{_quote(container)}"' for host, container in view.mounts]


def _quote(path: str) -> str:
    return path.replace('"', '\\"')
