"""The world of the recorded cases, and the program in it: environment and files in; files, log and wire out."""

import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from socket import SHUT_RDWR
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import jwt
import pytest
from botocore.configloader import raw_config_parse

from sandbox.runner import commands, files
from sandbox.secrets import made, ran

DEFAULTS = json.loads(Path(__file__).with_name("reference-cases.json").read_text())["defaults"]
ACCOUNT = "123456789012"
REQUEST_TOKEN = DEFAULTS["env"]["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
SIGNING_KEY = "the issuer's key, which nobody here checks"
LIMIT_SECONDS = 60

Fault = Mapping[str, Any]


@dataclass(frozen=True)
class Call:
    """A request as it arrived: `oidc`, `CONNECT`, or an operation of STS with its form."""

    operation: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    authorization: str | None = None
    session_token: str | None = None
    through_proxy: bool = False

    @property
    def signer(self) -> str | None:
        """The access key id of the signature."""
        found = re.search(r"Credential=([^/]+)/", self.authorization or "")
        return found and found[1]

    @property
    def tags(self) -> dict[str, str]:
        """The session tags, in their order."""
        keys = {
            int(name.split(".")[2]): name for name in self.form if re.fullmatch(r"Tags\.member\.\d+\.Key", name)
        }
        return {self.form[keys[n]]: self.form[keys[n].removesuffix("Key") + "Value"] for n in sorted(keys)}

    @property
    def transitive_tag_keys(self) -> list[str]:
        """The keys of the tags that pass on."""
        return [value for name, value in self.form.items() if name.startswith("TransitiveTagKeys.member.")]


class World:
    """The runner's token endpoint and STS as `world` in reference-cases.json tells them, on one loopback port.

    `faults` are taken one a call and operation; beside those of the file there is {hold}: no answer before the
    world ends. `secrets` are the secret access keys to issue, `lifetimes` those of the ID tokens in seconds,
    `callers` the ARNs that GetCallerIdentity says by access key id.
    """

    def __init__(
        self,
        *,
        faults: Mapping[str, Iterable[Fault]] | None = None,
        secrets: Iterable[str] = (),
        lifetimes: Iterable[int] = (),
        callers: Mapping[str, str] | None = None,
    ) -> None:
        self.calls: list[Call] = []
        self.minted: list[str] = []
        self.expirations: list[str] = []
        self._faults = {operation: iter(given) for operation, given in (faults or {}).items()}
        self._secrets = iter(secrets)
        self._lifetimes = iter(lifetimes)
        self._callers = dict(callers or {})
        self._issued: Counter[str] = Counter()
        self._over = Event()
        self._lock = Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Door, self))
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

    @property
    def url(self) -> str:
        """STS, the token endpoint, and a forward proxy that answers for every host."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def record(self, call: Call) -> Fault | None:
        """Write down a call; its fault, if it has one."""
        with self._lock:
            self.calls.append(call)
            return next(self._faults.get(call.operation, iter(())), None)

    def hold(self) -> None:
        """Wait for the world's end."""
        self._over.wait(LIMIT_SECONDS)

    def id_token(self, audience: str) -> str:
        """A new ID token."""
        now = int(datetime.now(UTC).timestamp())
        with self._lock:
            claims = {
                "iss": "https://token.actions.githubusercontent.com",
                "sub": "repo:octo-org/octo-repo:ref:refs/heads/main",
                "aud": audience,
                "jti": str(len(self.minted)),
                "iat": now,
                "nbf": now,
                "exp": now + next(self._lifetimes, 300),
            }
            self.minted.append(made("an ID token", jwt.encode(claims, SIGNING_KEY, algorithm="HS256")))
            return self.minted[-1]

    def answer(self, call: Call) -> str:
        """What STS says, inside of `<...Result>`."""
        if call.operation == "GetCallerIdentity":
            arn = self._callers.get(call.signer or "", f"arn:aws:iam::{ACCOUNT}:user/ci")
            return f"<Arn>{arn}</Arn><UserId>AIDAEXAMPLE</UserId><Account>{arn.split(':')[4]}</Account>"
        return self._session(call.form)

    def _session(self, form: Mapping[str, str]) -> str:
        account, name = form["RoleArn"].split(":")[4], form["RoleArn"].rpartition("/")[2]
        session = form["RoleSessionName"]
        with self._lock:
            self._issued[f"{account}/{name}/{session}"] += 1
            n = self._issued[f"{account}/{name}/{session}"]
            seed = hashlib.sha256(f"{account}/{name}/{session}/{n}".encode()).hexdigest()
            secret = made("a secret access key", next(self._secrets, seed[:40]))
            expiration = datetime.now(UTC) + timedelta(seconds=int(form.get("DurationSeconds", 3600)))
            self.expirations.append(f"{expiration:%Y-%m-%dT%H:%M:%SZ}")
        key = made("an access key id", f"ASIA{seed[:16].upper()}")
        token = made("a session token", f"FwoGZXIvYXdz{seed * 4}==")
        # Of this partition whatever the role's: so the reference's world had it.
        arn = self._callers[key] = f"arn:aws:sts::{account}:assumed-role/{name}/{session}"
        return (
            f"<AssumedRoleUser><AssumedRoleId>AROA{seed[:17].upper()}:{session}</AssumedRoleId><Arn>{arn}</Arn>"
            f"</AssumedRoleUser><Credentials><AccessKeyId>{key}</AccessKeyId>"
            f"<SecretAccessKey>{escape(secret)}</SecretAccessKey>"
            f"<SessionToken>{token}</SessionToken>"
            f"<Expiration>{self.expirations[-1]}</Expiration></Credentials>"
        )


class Door(BaseHTTPRequestHandler):
    """One connection to a world."""

    def __init__(self, world: World, *connection: Any) -> None:
        self.world = world
        super().__init__(*connection)

    def log_message(self, *_: object) -> None:
        """Nothing: the world's calls are the log."""

    def do_CONNECT(self) -> None:
        """A tunnel, which there is none to: all that counts is that it was asked for."""
        self.world.record(Call("CONNECT", through_proxy=True))
        self._reply(502, "", "text/plain")

    def do_GET(self) -> None:
        """The token endpoint."""
        query = parse_qs(urlsplit(self.path).query)
        call = self._call("oidc", query=query)
        fault = self.world.record(call)
        if fault:
            self._fail(fault, json.dumps({"message": fault.get("message", "")}))
        elif call.authorization != f"Bearer {REQUEST_TOKEN}":
            self._reply(401, "{}", "application/json")
        else:
            self._reply(200, json.dumps({"value": self.world.id_token(query["audience"][0])}), "application/json")

    def do_POST(self) -> None:
        """STS's query API."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
        operation = form.pop("Action")
        call = self._call(operation, form={name: value for name, value in form.items() if name != "Version"})
        if fault := self.world.record(call):
            code, message = escape(fault.get("code", "")), escape(fault.get("message", ""))
            self._fail(fault, xml("Error", f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"))
        else:
            result = f"<{operation}Result>{self.world.answer(call)}</{operation}Result>"
            self._reply(200, xml(operation, result), "text/xml")

    def _call(self, operation: str, **more: Any) -> Call:
        return Call(
            operation,
            authorization=self.headers["Authorization"],
            session_token=self.headers["X-Amz-Security-Token"],
            through_proxy=self.path.startswith("http://"),
            **more,
        )

    def _fail(self, fault: Fault, text: str) -> None:
        if "hold" in fault:
            self.world.hold()
        if "hold" in fault or "close" in fault:
            with suppress(OSError):
                self.connection.shutdown(SHUT_RDWR)
            return
        self._reply(
            fault["status"], fault.get("body", text), fault.get("type", "text/xml"), fault.get("headers", {})
        )

    def _reply(self, status: int, body: str, kind: str, headers: Mapping[str, str] | None = None) -> None:
        data = body.encode()
        given = {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}
        self.send_response(status)
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def xml(operation: str, content: str) -> str:
    return (
        f'<{operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">{content}'
        f"<RequestId>r</RequestId></{operation}Response>"
    )


@dataclass(frozen=True)
class Outcome:
    """What a run of the program left behind."""

    status: int
    log: str
    stderr: str
    env: Mapping[str, str]
    outputs: Mapping[str, str]
    state: Mapping[str, str]
    home: Path
    calls: tuple[Call, ...]
    minted: tuple[str, ...]
    expirations: tuple[str, ...]
    seconds: float

    def said(self, command: str) -> list[str]:
        """The data of one kind of command, such as `error`, in the log."""
        found = (commands.parse(line) for line in self.log.splitlines())
        return [each.data for each in found if each and each.name == command]

    @property
    def error(self) -> str:
        """The error, of which there is one."""
        (error,) = self.said("error")
        return error

    @property
    def masks(self) -> set[str]:
        """All that the runner is told to mask."""
        return set(self.said("add-mask"))

    def made(self, operation: str) -> list[Call]:
        """The calls of one kind."""
        return [call for call in self.calls if call.operation == operation]

    def last(self, operation: str) -> Call:
        """The last call of one kind."""
        made = self.made(operation)
        assert made, f"{operation} was not called:\n{self.log}"
        return made[-1]

    @property
    def profile_files(self) -> dict[str, dict[str, Any]]:
        """The shared files that hold anything, as botocore reads them."""
        return read_profile_files(self.home / ".aws")

    @property
    def failed_and_left_nothing(self) -> bool:
        """Whether it ended with exit status 1, one error, and nothing for later steps."""
        return (self.status, len(self.said("error")), self.env, self.outputs) == (1, 1, {}, {})


def read_profile_files(folder: Path) -> dict[str, dict[str, Any]]:
    found = {
        name: raw_config_parse(str(folder / name)) for name in ("credentials", "config") if (folder / name).exists()
    }
    return {name: sections for name, sections in found.items() if sections}


@dataclass(frozen=True)
class Step:
    """The program as a process that gets a case's environment and no more, in a home of its own."""

    root: Path
    numbers: Iterator[int] = field(default_factory=count)

    def __call__(
        self,
        inputs: Mapping[str, str] | None = None,
        *,
        env: Mapping[str, str | None] | None = None,
        files: Mapping[str, str] | None = None,
        **world: Any,
    ) -> Outcome:
        """Run main in a new world and a new home that holds `files`."""
        home = self.root / f"home-{next(self.numbers)}"
        (home / "work").mkdir(parents=True)
        (home / "temp").mkdir()
        for path, text in (files or {}).items():
            (home / path).parent.mkdir(exist_ok=True)
            (home / path).write_text(text)
        return self._run([], home, inputs or {}, env or {}, **world)

    def post(
        self,
        after: Outcome,
        inputs: Mapping[str, str] | None = None,
        *,
        env: Mapping[str, str | None] | None = None,
    ) -> Outcome:
        """Run post as the runner does after a step: with its inputs and state, and the job's variables."""
        state = {f"STATE_{name}": value for name, value in after.state.items()}
        return self._run(["post"], after.home, inputs or {}, {**after.env, **(env or {}), **state})

    def _run(
        self,
        arguments: list[str],
        home: Path,
        inputs: Mapping[str, str],
        env: Mapping[str, str | None],
        **world: Any,
    ) -> Outcome:
        with World(**world) as place:
            folder = self.root / f"commands-{next(self.numbers)}"
            folder.mkdir()
            command_files = {name: folder / name for name in ("ENV", "OUTPUT", "STATE", "STEP_SUMMARY")}
            for path in command_files.values():
                path.touch()
            given = {f"INPUT_{name.upper()}": value for name, value in {**DEFAULTS["inputs"], **inputs}.items()}
            merged = {**DEFAULTS["env"], **given, **env}
            environ = {
                name: filled(value, home=home, sts=place.url) for name, value in merged.items() if value is not None
            } | {f"GITHUB_{name}": str(path) for name, path in command_files.items()}
            started = monotonic()
            run = subprocess.run(
                [sys.executable, "-m", "py_aws_oidc", *arguments],
                env=environ,
                cwd=home / "work",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=LIMIT_SECONDS,
                check=False,
            )
            ran(environ, f"{run.stdout.decode()}{run.stderr.decode()}", failed=run.returncode != 0)
            left = {
                name: dict(files.parse(path.read_bytes()))
                for name, path in command_files.items()
                if "_" not in name
            }
            return Outcome(
                status=run.returncode,
                log=run.stdout.decode(),
                stderr=run.stderr.decode(),
                env=left["ENV"],
                outputs=left["OUTPUT"],
                state=left["STATE"],
                home=home,
                calls=tuple(place.calls),
                minted=tuple(place.minted),
                expirations=tuple(place.expirations),
                seconds=monotonic() - started,
            )


def filled(text: str, *, home: Path, sts: str) -> str:
    """A text of the cases with {home}, {sts} and {port} in place."""
    port = str(urlsplit(sts).port)
    return text.replace("{home}", str(home)).replace("{sts}", sts).replace("{port}", port)


@pytest.fixture
def step(tmp_path: Path) -> Step:
    """Runs the program."""
    return Step(tmp_path)


@pytest.fixture(scope="module")
def step_of_all(tmp_path_factory: pytest.TempPathFactory) -> Step:
    """Runs the program, for the tests of a module together."""
    return Step(tmp_path_factory.mktemp("homes"))


@pytest.fixture(scope="session")
def new_world() -> Callable[..., World]:
    """Makes a world, for those who run the program themselves."""
    return World


@pytest.fixture(scope="session")
def profile_files_in() -> Callable[[Path], dict[str, dict[str, Any]]]:
    """Reads the shared files of a folder, as botocore does."""
    return read_profile_files
