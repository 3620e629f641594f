"""`python -m sandbox fuzz`: main and post in many random jobs, with services that answer anything.

Inputs, variables, claims, answers and files are drawn at random, mostly from what is near to right. After each run:

- The exit status is 0 without an error, or 1 with one; no internal failure, and nothing that the program did not mean
  to print as a command.
- A run that failed has changed no file but the summary, and none is left that was staged.
- Post puts back every variable and every file of before.
- No secret is seen.
- It ends: a run that hangs ends the fuzz.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from io import BytesIO, TextIOWrapper
from pathlib import Path
from random import Random
from secrets import randbits
from threading import Timer
from typing import Any, TextIO
from unittest.mock import patch

from botocore.utils import ContainerMetadataFetcher

from py_aws_oidc.aws.credentials import KEYS
from py_aws_oidc.env_policy import TABLE
from py_aws_oidc.export.handover import VARIABLES
from py_aws_oidc.inputs import Inputs, variable
from py_aws_oidc.network import is_loopback
from sandbox.faults import Fault
from sandbox.in_process import Stage, call, folder, stage
from sandbox.job import Job
from sandbox.leaks import leaks
from sandbox.runner import commands
from sandbox.runner.files import FileCommandError, parse
from sandbox.secrets import COMMAND_FILES, made, ran, take
from sandbox.world import github_trust

RUNS = 3000
HANG_SECONDS = 60
AREAS = ("variables", "claims", "token", "STS", "secrets", "files", "policy", "state")
AREA_SHARE = 0.3
CRASHED = 70
RETRY_SECONDS = 130  # by the clock that only sleeping moves
COMMANDS = {"add-mask", "debug", "group", "endgroup", "error", "warning", "notice"}
PLANTED = "planted by the fuzz"
UNUSED = "http://127.0.0.1:9"

# Texts for any place: empty, wrong, long, many, or what a parser, a log, a page or a shell takes for something else.
TEXTS = (
    *("", " ", "true", "false", "TRUE", "no", "0", "-1", "1", "3600", "43201", "9" * 30, "1e999", "nan", "null"),
    *("[]", "{}", "a" * 5000, "\n", "a\r\nb", "\udcff\udc80", "\x1b[31m", "\u202eabc\u2066", "\u2028", "\u65e5"),
    *(f"::warning::{PLANTED}", f"\n::set-output name=x::{PLANTED}", f"##[error]{PLANTED}", f"\r::error::{PLANTED}"),
    *(f"%0A::error::{PLANTED}", "%", "%25", "1,2,3", "*", "default", "[x]", "..", "~", "$HOME", "$(id)", "`id`"),
    *("</td><script>", "| a | b |", "![x](y)", "```", "<!-- ", "&lt;", "ghadelimiter_", "x=y", "x<<y", "EOF"),
    *(
        "arn:aws:iam::123456789012:role/a/b",
        "arn:aws-cn:iam::123456789012:role/x",
        "arn:aws:iam:::role/x",
        "deploy",
    ),
    *("us-gov-west-1", "eu-west-1", "aws-global", '{"Version": "2012-10-17", "Statement": []}', '{"a": "b"}'),
    *("123456789012", "111111111111,222222222222", "sts.amazonaws.com", "pull_request", "refs/pull/1/merge"),
    *(UNUSED, "http://[::1]:9", "http://[", "https://127.0.0.1:9", "https://x.test", "//x", "file:///etc/passwd"),
    *(
        "/nonexistent/x",
        "/dev/null",
        "/dev/full",
        "/",
        "/" + "x" * 300,
        "{work}",
        "{work}/policy.json",
        "policy.json",
    ),
    *("token", "{home}/.aws/config", "{home}/.aws/credentials", "{work}/link", "{home}", "{env}"),
)
MOMENTS = (
    *("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2999-01-01T00:00:00", "2999-01-01T00:00:00+24:00"),
    *("1999-01-01T00:00:00Z", "99999999999", "-1", "1e99", "10000-01-01T00:00:00Z", "nan", "soon", "", "9" * 400),
)
NUMBERS: tuple[object, ...] = (
    0,
    -1,
    1,
    1e300,
    -1e300,
    float("inf"),
    float("nan"),
    2**63,
    10**400,
    "soon",
    None,
    True,
    [],
    {},
)
HEADERS: tuple[dict[str, str], ...] = (
    *({}, {}, {}, {"Retry-After": "7"}, {"Retry-After": "9" * 30}, {"Retry-After": "-1"}, {"Retry-After": "soon"}),
    *({"Content-Encoding": "gzip"}, {"Content-Encoding": "x"}, {"Content-Type": "text/xml; charset=utf-7"}),
    *({"Content-Type": "\xff"}, {"Location": UNUSED}, {"Set-Cookie": "a=b"}, {"X": "x" * 50_000}),
    *({"Transfer-Encoding": "chunked"}, {"Content-Length": "5"}, {"Content-Length": "soon"}),
)
STATUSES = (200, 200, 200, 201, 204, 206, 301, 302, 307, 400, 401, 403, 404, 407, 418, 429, 500, 502, 503, 504, 599)
CODES = (
    *("AccessDenied", "InvalidIdentityToken", "ExpiredTokenException", "IDPCommunicationError", "ValidationError"),
    *("PackedPolicyTooLarge", "RegionDisabledException", "Throttling", "InternalFailure", "IDPRejectedClaim", ""),
    *("SignatureDoesNotMatch", "InvalidClientTokenId", "MalformedPolicyDocument", "404", "\u202e", "<b>"),
)
MESSAGES = (
    *("Not authorized to perform sts:AssumeRoleWithWebIdentity", "Incorrect token audience", "Token expired: now"),
    *("No OpenIDConnect provider found in your account for https://token.actions.githubusercontent.com", ""),
    *(
        "Couldn't retrieve verification key from your identity provider",
        "Roles may not be assumed by root accounts",
    ),
    *("is not authorized to perform: sts:TagSession on resource: arn:aws:iam::123456789012:role/x", "x" * 100_000),
)
PAGE = "<!DOCTYPE html><html><title>Proxy</title><body>Please wait<br></body></html>"
TOKEN_BODIES = (
    *("", "{}", "[]", "null", '"x"', '{"value": null}', '{"value": 1}', '{"value": ""}', '{"value": ["x"]}', PAGE),
    *('{"value": "a.b.c"}', '{"value": "\\ud800"}', "[" * 50_000, '{"value": ' + "9" * 5000 + "}", "\ufeff{}"),
    *('{"value": "' + "x" * 1_000_000 + '"}', '{"value": "a\\nb"}', "\0" * 1000),
)
ANSWER = """<{operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{operation}Result>
<AssumedRoleUser><AssumedRoleId>AROA:x</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/deploy/x</Arn>
</AssumedRoleUser><Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>
<SessionToken>{token}</SessionToken><Expiration>{moment}</Expiration></Credentials>
<Arn>arn:aws:sts::123456789012:assumed-role/deploy/x</Arn><UserId>AROA:x</UserId><Account>123456789012</Account>
</{operation}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{operation}Response>"""
ELEMENTS = ("AssumedRoleUser", "Arn", "Account", "Credentials", "AccessKeyId", "SecretAccessKey", "SessionToken")
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 8))
DOCTYPES = (
    f'<!DOCTYPE x [<!ENTITY l0 "lol">{LAUGHS}]><x>&l7;</x>',
    '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
    "<x>" * 20_000,
    "<x " + " ".join(f'a{n}="b"' for n in range(5000)) + "/>",
    "<?xml version='1.1' encoding='utf-16'?><x/>",
)
CREDENTIALS_FILES = (
    b"",
    b"[default]\naws_access_key_id = AKIAFUZZ\n",
    b"[dev]\naws_access_key_id=AKIAOLD\r\naws_secret_access_key=old secret value\r\n# end",
    b"# only a comment\n",
    b"[dev]\n[dev]\n",
    b"no section\n",
    b"[profile]\nx = \xff\xfe\n[other]\n a = b\n  c = d\n",
    b"\xef\xbb\xbf[dev]\nx = 1\n",
    b"\0" * 100,
    b"[dev]\ncredential_process = /nonexistent/program\n",
    b"[default]\nrole_arn = x\nsource_profile = default\nregion = \n",
    b"[dev]\nsso_session = x\nsso_account_id = 1\n[sso-session x]\nsso_start_url = http://127.0.0.1:9\n",
)
POLICIES = (
    *("", "{}", "[]", "null", "[" * 50_000, '{"Statement": 1}', '{"Statement": {}}', '{"Version": "2012-10-17"}'),
    '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*"}]}',
    json.dumps(github_trust("arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com", "*")),
)
OPERATORS = (
    "StringEquals",
    "StringLike",
    "ForAnyValue:StringLike",
    "StringNotEquals",
    "Null",
    "Bool",
    "x",
    "IpAddress",
)
SECRET_INPUTS = ("INPUT_AWS-ACCESS-KEY-ID", "INPUT_AWS-SECRET-ACCESS-KEY", "INPUT_AWS-SESSION-TOKEN")
SECRET_NAMES = {
    *SECRET_INPUTS,
    *KEYS,
    "INPUT_ROLE-EXTERNAL-ID",
    "ROLE_EXTERNAL_ID",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
}
NAMES = sorted(
    {
        *(variable(each) for each in fields(Inputs)),
        *(each.metadata["variable"] for each in fields(Inputs) if each.metadata["variable"]),
        *(name for row in TABLE for name in row.names),
        *VARIABLES,
        *Job().variables(),
        *("ACTIONS_ID_TOKEN_REQUEST_URL", "GITHUB_EVENT_PATH", "GITHUB_WORKSPACE", "ACT"),
        *(
            "SHOW_STACK_TRACE",
            "RUNNER_DEBUG",
            "AWS_SKIP_CLEANUP_STEP",
            "LANG",
            "NETRC",
            "no_proxy",
            "",
            "=",
            "\u65e5",
        ),
        *COMMAND_FILES,
    }
    - SECRET_NAMES
)
PROFILES = ("dev", "dev", "default", "other", "a.b-c", "DEFAULT", "a]b", "\u65e5", "x y")


@dataclass(frozen=True)
class Ended:
    """A stage that has ended: its exit status, its log, and the seconds by the clock and in truth."""

    status: int
    log: str
    slept: float
    seconds: float


class Chance(Random):
    """What is drawn; one of these makes one run, in which some areas are in disorder."""

    def __init__(self, seed: str) -> None:
        super().__init__(seed)
        self.areas = frozenset(area for area in AREAS if self.random() < AREA_SHARE)

    def text(self) -> str:
        """Any text."""
        return self.choice(TEXTS) if self.often() else self.garbage().decode(errors="surrogateescape")

    def often(self) -> bool:
        """Yes, four times of five."""
        return self.random() < 0.8  # noqa: PLR2004 - see above

    def valid_text(self) -> str:
        """Any text that can be sent as UTF-8."""
        return self.text().encode(errors="replace").decode()

    def garbage(self) -> bytes:
        """Any bytes but NUL, which no variable can hold."""
        return self.randbytes(self.randrange(40)).replace(b"\0", b"")

    def secret(self, what: str, length: int = 40) -> str:
        """A text that must not be seen, now and then with a character that it should not have."""
        letters = "".join(self.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", k=length))
        odd = self.choice(("", "", "/", "+", " x", "\nx", "%0A", "\u65e5", "#x")) if "secrets" in self.areas else ""
        return made(what, letters[: length // 2] + odd + letters[length // 2 :])

    def some(self, area: str, most: int) -> range:
        """So many times at most, mostly once, where the area is in disorder."""
        return range(self.randrange(1, most + 1) if area in self.areas else 0)

    def odd(self, area: str, usual: str, *others: str) -> str:
        """What is usual, or something else where the area is in disorder."""
        return self.choice(others) if area in self.areas else usual


def claims(chance: Chance) -> dict[str, Any]:
    """Claims to put over those of the job: wrong types and texts that want to be something else."""
    names = ("sub", "aud", "exp", "iat", "nbf", "iss", "environment", "ref", "repository", "actor", "x", "\u202e")
    values: tuple[object, ...] = (*NUMBERS, *(chance.valid_text() for _ in range(12)), {"a": {"b": []}})
    # The sandbox's issuer can sign only what JSON has.
    drawn = {chance.choice(names): chance.choice(values) for _ in range(chance.randrange(1, 4))}
    return {name: value for name, value in drawn.items() if name != "iss"}


def forged(chance: Chance) -> str:
    """A text in the form of an ID token, without a valid signature."""
    payloads = (b"[]", b"null", b"{", b'{"exp": "soon"}', b"[" * 20_000, b'{"exp": 1e999}', chance.garbage())
    parts = (b'{"alg": "RS256"}', chance.choice(payloads), chance.garbage())
    token = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    return json.dumps({"value": made("a forged token", token)})


def token_fault(chance: Chance) -> Fault:
    """What the runner's token service may answer."""
    headers, status = chance.choice(HEADERS), chance.choice(STATUSES)
    kinds = (
        Fault(claims=claims(chance)),
        Fault(claims=claims(chance), headers=headers),
        Fault(status=status, body=chance.choice(TOKEN_BODIES), headers=headers),
        Fault(body=chance.choice(TOKEN_BODIES)),
        Fault(body=forged(chance)),
        Fault(body=chance.garbage(), headers=headers),
        Fault(status=status, headers=headers),
        Fault(drop=chance.choice(("before", "midway"))),
    )
    return chance.choice(kinds)


def answer(chance: Chance, operation: str) -> bytes:
    """An answer of STS that was good before something was done to it."""
    text = ANSWER.format(
        operation=operation,
        key=chance.secret("an access key id", 20),
        secret=chance.secret("a secret access key"),
        token=chance.secret("a session token", 100),
        moment=chance.choice(("2999-01-01T00:00:00Z", *MOMENTS)),
    )
    for _ in range(chance.randrange(3)):
        text = chance.choice(MUTATIONS)(chance, text)
    return text.encode(chance.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16")), errors="surrogatepass")


def _without(chance: Chance, text: str) -> str:
    name = chance.choice(ELEMENTS)
    head, found, rest = text.partition(f"<{name}>")
    return head + rest.partition(f"</{name}>")[2] if found else text


def _with_text(chance: Chance, text: str) -> str:
    head, found, rest = text.partition(f"<{(name := chance.choice(ELEMENTS))}>")
    words = chance.text().replace("&", "&amp;").replace("<", "&lt;")
    return f"{head}{found}{words}</{name}>{rest.partition(f'</{name}>')[2]}" if found else text


MUTATIONS: tuple[Callable[[Chance, str], str], ...] = (
    _without,
    _with_text,
    lambda chance, text: text[: chance.randrange(len(text) + 1)],
    lambda chance, text: text.replace("<Credentials>", f"<Credentials>{chance.choice(DOCTYPES)}", 1),
    lambda chance, text: chance.choice(DOCTYPES) + text,
    lambda _, text: text + text,
    lambda _, text: text.replace("https://sts.amazonaws.com/doc/2011-06-15/", "urn:x"),
    lambda _, text: text.replace("Result>", "result>"),
    lambda _, text: text.replace("<Account>", "<Account><![CDATA[").replace("</Account>", "]]></Account>"),
    lambda chance, text: text.replace("<Arn>", f"<Arn>{chance.text()}", 1),
    lambda _, text: text + " " * 1_000_000,
    lambda chance, text: text.replace("\n", chance.garbage().decode("latin-1"), 1),
)


def sts_fault(chance: Chance, operation: str) -> Fault:
    """What STS, or something in its place, may answer."""
    headers, status = chance.choice(HEADERS), chance.choice(STATUSES)
    message = chance.choice((*MESSAGES, chance.valid_text()))
    kinds = (
        Fault(body=answer(chance, operation), content_type="text/xml"),
        Fault(body=answer(chance, operation), content_type="text/xml", headers=headers),
        Fault(status=status, body=answer(chance, operation), content_type="text/xml", headers=headers),
        Fault(status=chance.choice((400, 403, 503)), code=chance.choice(CODES), message=message, headers=headers),
        Fault(status=chance.choice((400, 403)), code=chance.choice(CODES), message=chance.choice(MESSAGES)),
        Fault(status=status, body=chance.choice((PAGE, "", "{}", *DOCTYPES)), headers=headers),
        Fault(body=chance.garbage()),
        Fault(drop=chance.choice(("before", "midway"))),
    )
    return chance.choice(kinds)


def policy(chance: Chance) -> str:
    """A trust policy file: one of a few, or one with conditions at random."""
    names = ("sub", "aud", "repository", "actor", "x")
    conditions = {
        chance.choice(OPERATORS): {
            f"token.actions.githubusercontent.com:{chance.choice(names)}": chance.choice(
                (chance.valid_text(), [], ["a", "b*"], 1, None, True)
            )
        }
        for _ in range(3)
    }
    drawn = json.loads(POLICIES[-1])
    drawn["Statement"][0]["Condition"] = conditions
    return chance.odd("policy", POLICIES[-1], *POLICIES, *[json.dumps(drawn)] * len(POLICIES))


def job(chance: Chance) -> Job:
    """A push to main, mostly; else its claims and variables have any text."""
    names = ("ref", "environment", "actor", "event_name", "workflow", "owner", "name", "head_ref", "repository_id")
    texts: dict[str, Any] = {chance.choice(names): chance.valid_text() for _ in chance.some("claims", 4)}
    return replace(Job(immutable_sub=not chance.often()), **texts)


def inputs(chance: Chance, scene: Stage, folder: Path) -> dict[str, str]:
    """The inputs and variables of a step that starts from one of five sources of identity."""
    given = {
        "AWS-REGION": "us-east-1",
        "STS-ENDPOINT": scene.world.aws_url,
        "ROLE-TO-ASSUME": chance.choice((scene.role, scene.role, scene.role, scene.role.replace("deploy", "open"))),
        "OUTPUT-CREDENTIALS": chance.choice(("true", "false", "")),
        "OUTPUT-ENV-CREDENTIALS": chance.choice(("true", "false", "", "")),
        "AWS-PROFILE": chance.odd("variables", chance.choice(("", "dev", "other")), *PROFILES),
        "OVERWRITE-AWS-PROFILE": chance.choice(("true", "false", "")),
        "TRUST-POLICY-FILE": chance.choice(("", "", "policy.json")),
        "MASK-AWS-ACCOUNT-ID": chance.choice(("true", "", "")),
    }
    keys = {
        "AWS_ACCESS_KEY_ID": chance.secret("an access key id", 20),
        "AWS_SECRET_ACCESS_KEY": chance.secret("a secret access key"),
        "AWS_SESSION_TOKEN": chance.choice(("", chance.secret("a session token", 100))),
    }
    as_inputs = {f"INPUT_{name.replace('_', '-')}": value for name, value in keys.items()}
    sources: tuple[dict[str, str], ...] = (
        *[{}] * 6,
        {"INPUT_WEB-IDENTITY-TOKEN-FILE": "token"},
        as_inputs,
        as_inputs | {"INPUT_ROLE-TO-ASSUME": "", "INPUT_ROLE-EXTERNAL-ID": chance.secret("an external id")},
        keys | {"INPUT_ROLE-CHAINING": "true"},
        {"INPUT_ROLE-CHAINING": "true", "AWS_PROFILE": chance.choice(PROFILES)},
        keys | {"INPUT_USE-EXISTING-CREDENTIALS": "true"},
        keys | {"INPUT_UNSET-CURRENT-CREDENTIALS": "true"},
        # A profile may be written below these two, so they stay in the folder of the run.
        {"HOME": str(folder / chance.choice(("", "work", "work/link", "none", "GITHUB_ENV")))},
        {"RUNNER_TEMP": str(folder / "home"), "AWS_CONFIG_FILE": str(folder / "home" / "deep" / "config")},
        {"HTTPS_PROXY": f"http://me:{chance.secret('a password')}@127.0.0.1:9".replace("\n", "")},
    )
    drawn = {f"INPUT_{name}": value for name, value in given.items()} | chance.choice(sources)
    places = {"home": str(folder / "home"), "work": str(folder / "work"), "env": str(folder / "GITHUB_ENV")}
    for _ in chance.some("variables", 4):
        text = chance.text()
        for name, place in places.items():
            text = text.replace(f"{{{name}}}", place)
        drawn[chance.choice(NAMES)] = text.replace("\0", "")
    return drawn


def files(chance: Chance, folder: Path) -> None:
    """The files of a job: the workspace, HOME with or without its .aws, and the runner's."""
    (folder / "work").mkdir()
    (folder / "home").mkdir()
    (folder / "work" / "policy.json").write_text(policy(chance))
    token = chance.odd("token", chance.secret("a token"), "", " ", forged(chance), "x" * 30_000)
    (folder / "work" / "token").write_text(token)
    (folder / "work" / "event.json").write_text(chance.odd("files", "{}", "", "[]", "null", "[" * 50_000))
    (folder / "work" / "link").symlink_to(folder / "home")
    for name in COMMAND_FILES:
        (folder / name).write_text("")
    shared = folder / "home" / ".aws"
    for name in ("credentials", "config"):
        for _ in chance.some("files", 1):
            shared.mkdir(exist_ok=True)
            (shared / name).write_bytes(chance.choice((*CREDENTIALS_FILES, chance.garbage())))
    if not shared.exists() and not chance.often():
        chance.choice(ODD)(folder)


def _link(folder: Path) -> None:
    (folder / "home" / ".aws").symlink_to(folder / "work")


def _pipe(folder: Path) -> None:
    (folder / "home" / ".aws").mkdir()
    os.mkfifo(folder / "home" / ".aws" / "config")


def _missing(folder: Path) -> None:
    (folder / "GITHUB_ENV").unlink()


def _folder(folder: Path) -> None:
    (folder / "GITHUB_OUTPUT").unlink()
    (folder / "GITHUB_OUTPUT").mkdir()


ODD = (_link, _pipe, _missing, _folder)


def contents(folder: Path) -> dict[str, bytes]:
    """All that is in a folder but the summary; of a link where it leads, of a folder or a pipe nothing."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.name != "GITHUB_STEP_SUMMARY":
            data = bytes(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
            found[str(path.relative_to(folder))] = data
    return found


@dataclass(frozen=True)
class Fuzz:
    """The scene of all runs, and what a stage is run with."""

    scene: Stage
    seed: int

    def run(self, number: int) -> tuple[int, list[str]]:
        """One job: the exit status of main, and what was wrong, in sentences."""
        chance = Chance(f"{self.seed} {number}")
        take()
        with folder() as place:
            files(chance, place)
            drawn = job(chance)
            request = self.scene.world.issuer.start(drawn)
            environ = {
                **drawn.variables(),
                "ACTIONS_ID_TOKEN_REQUEST_URL": request.url,
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": request.token,
                "GITHUB_WORKSPACE": str(place / "work"),
                "GITHUB_EVENT_PATH": str(place / "work" / "event.json"),
                "HOME": str(place / "home"),
                **{name: str(place / name) for name in COMMAND_FILES},
                **inputs(chance, self.scene, place),
            }
            faults = self.scene.world.faults
            faults.script("idtoken", *(token_fault(chance) for _ in chance.some("token", 3)))
            for operation in ("AssumeRoleWithWebIdentity", "AssumeRole", "GetCallerIdentity"):
                faults.script(operation, *(sts_fault(chance, operation) for _ in chance.some("STS", 3)))
            before = contents(place)
            try:
                main = self.stage("main", environ, chance)
                wrong = [f"main {fault}" for fault in [*faulty(main), *left(before, contents(place), main)]]
                wrong += [f"post {fault}" for fault in self.post(place, environ, before, main, chance)]
            finally:
                faults.clear()
            secrets, shown = take()
            wrong += leaks(secrets, shown, texts={})
        return main.status, wrong

    def stage(self, name: str, environ: Mapping[str, str], chance: Chance) -> Ended:
        """Run a stage of the program."""
        watch = self.scene.watch
        stdout = TextIOWrapper(BytesIO(), encoding="latin-1")
        began, slept = time.monotonic(), watch.seconds
        clock = replace(watch.clock(), uniform=chance.uniform)
        try:
            status = call([name], environ, stdout, clock)
        except Exception as error:  # noqa: BLE001 - what the fuzz is there to find
            status = CRASHED
            stdout.write(f"{type(error).__name__} came out of {name}.\n")
            stdout.flush()
        log = stdout.detach().getvalue().decode(errors="replace")
        ran(environ, log, failed=status != 0)
        return Ended(status, log, watch.seconds - slept, time.monotonic() - began)

    def post(
        self,
        place: Path,
        environ: Mapping[str, str],
        before: Mapping[str, bytes],
        main: Ended,
        chance: Chance,
    ) -> list[str]:
        """What was wrong after the end of the job, mostly with the state that main left."""
        try:
            later, state = ({**dict(_pairs(place / name))} for name in ("GITHUB_ENV", "GITHUB_STATE"))
        except FileCommandError as error:
            return [f"finds a file that the runner refuses: {type(error).__name__}"]
        is_sound = "state" not in chance.areas and not environ.get("AWS_SKIP_CLEANUP_STEP")
        given = {f"STATE_{name}": value if is_sound else damaged(chance, value) for name, value in state.items()}
        for name in ("GITHUB_ENV", "GITHUB_STATE", "GITHUB_OUTPUT"):
            if (place / name).is_file():
                (place / name).write_text("")
        post = self.stage("post", {**environ, **later, **given}, chance)
        wrong = faulty(post)
        if is_sound and not post.status and not main.status:
            undone = {**later, **dict(_pairs(place / "GITHUB_ENV"))}
            wrong += [f"left {name}" for name, value in undone.items() if value != environ.get(name, "")]
            wrong += [f"left {name}" for name in changed(before, contents(place)) if name not in COMMAND_FILES]
        return wrong


def _pairs(file: Path) -> Iterator[tuple[str, str]]:
    return parse(file.read_bytes().decode(errors="surrogateescape") if file.is_file() else b"")


def damaged(chance: Chance, state: str) -> str:
    """A state that an earlier step has changed."""
    texts = (chance.text(), state[: chance.randrange(len(state) + 1)], state.replace("/", "/../"), "[" * 50_000)
    return chance.choice(texts).replace("\0", "")


def faulty(ended: Ended) -> list[str]:
    """What is wrong with how a stage ended and what it printed."""
    found = [commands.parse(line) for line in ended.log.replace("\r", "\n").split("\n")]
    said = [each for each in found if each]
    errors = sum(each.name == "error" for each in said)
    faults = {
        f"ended with status {ended.status} and {errors} errors": (ended.status, errors) not in {(0, 0), (1, 1)},
        "failed inside": "Unexpected error" in ended.log or "Traceback" in ended.log,
        "printed a stray command": any(each.name not in COMMANDS or each.data.startswith(PLANTED) for each in said),
        f"retried for {ended.slept:.0f} s": ended.slept > RETRY_SECONDS,
        f"took {ended.seconds:.0f} s": ended.seconds > HANG_SECONDS,
    }
    return [fault for fault, is_there in faults.items() if is_there]


def changed(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> list[str]:
    """The names of what is not as it was."""
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def left(before: Mapping[str, bytes], after: Mapping[str, bytes], main: Ended) -> list[str]:
    """What main should not have left: anything when it failed, a half or a staged file when it did not."""
    if main.status:
        return [f"failed and left {name}" for name in changed(before, after)]
    env = dict(parse(after.get("GITHUB_ENV", b"")))
    names = {name for name in KEYS[:2] if env.get(name)}
    half = ["exported half of a key"] if len(names) == 1 else []
    return half + [f"left {name}" for name in after if "/.py-aws-oidc-" in name]


@contextmanager
def sealed() -> Iterator[None]:
    """No way beyond loopback, no name but its own, and no time that passes while something sleeps."""
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def to_loopback(it: socket.socket, address: Any) -> None:  # noqa: ANN401 - a tuple, of two or four
        if not is_loopback(f"http://[{address[0]}]" if ":" in address[0] else f"http://{address[0]}"):
            raise OSError("there is no way out")
        connect(it, address)

    def known(host: Any, *more: Any, **options: Any) -> Any:  # noqa: ANN401 - as the system's
        if host not in {"127.0.0.1", "::1"}:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *more, **options)

    with (
        patch.object(socket.socket, "connect", to_loopback),
        patch.object(socket, "getaddrinfo", known),
        patch.object(time, "sleep", lambda _: None),
        patch.object(ContainerMetadataFetcher, "SLEEP_TIME", 0),
    ):
        yield


def main(
    arguments: Sequence[str], out: TextIO, end: Callable[[int], object] = os._exit, seconds: float = HANG_SECONDS
) -> int:
    """Print what was wrong and the figures; the exit status is 1 if anything was."""
    parser = ArgumentParser("python -m sandbox fuzz", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N", help=f"default: {RUNS}")
    parser.add_argument("--seed", type=int, default=randbits(32), metavar="S", help="repeats the runs of this seed")
    parser.add_argument("--only", type=int, metavar="N", help="the run of this number alone")
    given = parser.parse_args(arguments)
    numbers = range(1, given.runs + 1) if given.only is None else [given.only]
    out.write(f"Seed {given.seed}. One run again: python -m sandbox fuzz --seed {given.seed} --only NUMBER\n")
    statuses: Counter[int] = Counter()
    wrong, began = 0, time.monotonic()
    with stage() as scene, sealed():
        scene.world.create_role("open", trust=json.loads(POLICIES[-1]))
        for number in numbers:
            hang = Timer(seconds, hung, (number, out, end))
            hang.start()
            try:
                status, faults = Fuzz(scene, given.seed).run(number)
            finally:
                hang.cancel()
            statuses[status] += 1
            wrong += bool(faults)
            out.writelines(f"Run {number}: {fault}.\n" for fault in faults)
    out.write(
        f"{sum(statuses.values())} runs of main and of post: {statuses[0]} green, {statuses[1]} red, {wrong} wrong; "
        f"{time.monotonic() - began:.0f} s; seed {given.seed}.\n"
    )
    return 1 if wrong else 0


def hung(number: int, out: TextIO, end: Callable[[int], object]) -> None:
    """End all: a run hangs."""
    out.write(f"Run {number} hangs.\n")
    out.flush()
    end(1)
