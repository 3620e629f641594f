"""The action behind a proxy: as a process, over real sockets, with TLS that is really verified."""

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from sandbox.job import Job
from sandbox.proxy import Proxy
from sandbox.runner.files import parse
from sandbox.secrets import ran
from sandbox.tls import SecureWorld
from sandbox.world import github_trust

pytestmark = pytest.mark.slow

TOKEN, STS, REGIONS_OWN = "token.sandbox.test", "sts.sandbox.test", "sts.us-east-1.amazonaws.com"
LOOPBACK = ""  # for the token: where the issuer really is
HOST, OTHER_HOST = "10.1.2.3", "10.2.0.1"
BOTH_THROUGH_THE_PROXY = [f"CONNECT {TOKEN}:443", f"POST {STS}:80"]
PASSWORD = "opensesame"
WAYS = ["INPUT_HTTP-PROXY", "https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"]
WAYS_AROUND = ["INPUT_NO-PROXY", "no_proxy", "NO_PROXY"]
# The process has names of its own, in place of DNS, and asks nobody for any other.
RESOLVER = """
import socket, urllib.parse
names, resolve = {names!r}, socket.getaddrinfo
def getaddrinfo(host, port, *rest, **options):
    if f"{{host}}:{{port}}" in names:
        service = urllib.parse.urlsplit(names[f"{{host}}:{{port}}"])
        return resolve(service.hostname, service.port, *rest, **options)
    if host.startswith("127."):
        return resolve(host, port, *rest, **options)
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
socket.getaddrinfo = getaddrinfo
"""


@dataclass(frozen=True)
class Run:
    """What a process left behind; the log is without the lines that a runner shows nobody."""

    status: int
    log: str
    stderr: str
    env: dict[str, str]
    outputs: dict[str, str]

    @property
    def succeeded(self) -> bool:
        assert self.stderr == ""
        assert (self.status, "AWS_ACCESS_KEY_ID" in self.env) in {(0, True), (1, False)}, self.log
        return self.status == 0

    @property
    def error(self) -> str:
        """The one error of a run that failed as it should: understood, and with nothing exported."""
        assert not self.succeeded
        assert (self.env, self.outputs) == ({}, {})
        assert "Traceback" not in self.log
        assert "in a way that it should not" not in self.log
        (line,) = [line for line in self.log.splitlines() if line.startswith("::error ")]
        return line


@dataclass(frozen=True)
class Step:
    """A step whose endpoints have names that are not loopback, known to a proxy and perhaps to itself."""

    world: SecureWorld
    role: str
    folder: Path

    @property
    def names(self) -> dict[str, str]:
        plain = dict.fromkeys((STS, HOST, OTHER_HOST, "localhost", "127.9.9.9", "::1"), self.world.aws_url)
        return {
            f"{TOKEN}:443": self.world.secure_issuer_url,
            f"{STS}:443": self.world.secure_aws_url,
            f"{STS}:8080": self.world.aws_url,
            f"{REGIONS_OWN}:443": self.world.secure_aws_url,
            **{f"{host}:80": url for host, url in plain.items()},
        }

    def proxy(self, *, login: str = "") -> Proxy:
        return Proxy(self.names, login=login)

    def __call__(
        self,
        environ: Mapping[str, str],
        *,
        token: str = f"https://{TOKEN}",
        sts: str = f"http://{STS}",
        own_names: bool = False,
    ) -> Run:
        job, files = Job(), {name: self.folder / name for name in ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STATE")}
        for path in files.values():
            path.write_text("")
        (self.folder / "sitecustomize.py").write_text(RESOLVER.format(names=self.names if own_names else {}))
        request, where = self.world.issuer.start(job), token or self.world.issuer.url
        variables = (
            job.variables()
            | {name: str(path) for name, path in files.items()}
            | {
                "ACTIONS_ID_TOKEN_REQUEST_URL": request.url.replace(self.world.issuer.url, where),
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": request.token,
                "AWS_CA_BUNDLE": str(self.world.bundle),
                "INPUT_AWS-REGION": "us-east-1",
                "INPUT_DISABLE-RETRY": "true",
                "INPUT_ROLE-TO-ASSUME": self.role,
                "INPUT_STS-ENDPOINT": sts,
                "PYTHONPATH": str(self.folder),
            }
            | dict(environ)
        )
        finished = subprocess.run(
            [sys.executable, "-m", "py_aws_oidc"],
            env=variables,
            cwd=self.folder,
            capture_output=True,
            check=False,
            encoding="utf-8",
            timeout=60,
        )
        ran(variables, f"{finished.stdout}{finished.stderr}", failed=finished.returncode != 0)
        return Run(
            finished.returncode,
            "\n".join(line for line in finished.stdout.splitlines() if not line.startswith("::add-mask::")),
            finished.stderr,
            *(dict(parse(files[name].read_text())) for name in ("GITHUB_ENV", "GITHUB_OUTPUT")),
        )

    def sts_only(self, environ: Mapping[str, str], *, sts: str = f"http://{STS}") -> Run:
        """A run whose token comes over loopback, so that the proxy can only be asked for STS."""
        return self(environ, token=LOOPBACK, sts=sts, own_names=True)


@pytest.fixture
def step(tmp_path: Path) -> Iterator[Step]:
    with SecureWorld(tmp_path, TOKEN, STS, REGIONS_OWN) as world:
        yield Step(world, world.create_role("deploy", trust=github_trust(world.register_provider())), tmp_path)


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where nobody listens, and nobody else will during the test."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


def asked(proxy: Proxy) -> list[str]:
    return [str(each) for each in proxy.asked]


# --- which proxy


@pytest.mark.parametrize("way", WAYS)
def test_one_proxy_is_for_both_calls_and_both_schemes_however_it_is_named(step, way):
    with step.proxy() as proxy:
        assert step({way: proxy.url}).succeeded
    assert asked(proxy) == BOTH_THROUGH_THE_PROXY


def test_the_regions_own_endpoint_is_reached_through_the_proxy(step):
    with step.proxy() as proxy:
        assert step({"HTTPS_PROXY": proxy.url}, sts="").succeeded
    assert asked(proxy) == [f"CONNECT {TOKEN}:443", f"CONNECT {REGIONS_OWN}:443"]


@pytest.mark.parametrize(("first", "second"), list(pairwise(WAYS)))
def test_of_two_proxies_the_one_that_goes_first_is_asked(step, first, second):
    with step.proxy() as proxy, step.proxy() as other:
        assert step({second: other.url, first: proxy.url}).succeeded
    assert (asked(proxy), asked(other)) == (BOTH_THROUGH_THE_PROXY, [])


def test_a_blank_variable_does_not_hide_the_next_one(step):
    with step.proxy() as proxy:
        blank = {"INPUT_HTTP-PROXY": " ", "https_proxy": "", "HTTPS_PROXY": "\t", "http_proxy": " "}
        assert step(blank | {"HTTP_PROXY": f" {proxy.url} "}).succeeded
    assert asked(proxy) == BOTH_THROUGH_THE_PROXY


def test_blank_variables_alone_are_no_proxy(step):
    assert step(dict.fromkeys(WAYS + WAYS_AROUND, " "), own_names=True).succeeded


def test_without_a_proxy_the_names_are_the_steps_own_to_resolve(step):
    assert TOKEN in step({}).error


@pytest.mark.parametrize("way", WAYS[1:])
def test_the_standard_variables_are_honored_whatever_translate_env_variables_says(step, way):
    with step.proxy() as proxy:
        assert step({way: proxy.url, "INPUT_TRANSLATE-ENV-VARIABLES": "false"}).succeeded
    assert asked(proxy) == BOTH_THROUGH_THE_PROXY


# --- which hosts


@pytest.mark.parametrize("way", WAYS_AROUND)
def test_a_host_that_is_listed_is_called_directly_and_the_others_are_not(step, way):
    with step.proxy() as proxy:
        assert step({"HTTPS_PROXY": proxy.url, way: STS}, own_names=True).succeeded
    assert asked(proxy) == BOTH_THROUGH_THE_PROXY[:1]


def test_the_list_is_for_the_id_token_too(step):
    with step.proxy() as proxy:
        assert step({"HTTPS_PROXY": proxy.url, "NO_PROXY": TOKEN}, own_names=True).succeeded
    assert asked(proxy) == BOTH_THROUGH_THE_PROXY[1:]


@pytest.mark.parametrize(("first", "second"), list(pairwise(WAYS_AROUND)))
def test_of_two_lists_the_one_that_goes_first_counts(step, first, second):
    with step.proxy() as proxy:
        assert step.sts_only({"HTTPS_PROXY": proxy.url, second: "*", first: "example.com"}).succeeded
    assert asked(proxy) == BOTH_THROUGH_THE_PROXY[1:]


def test_the_list_is_honored_whatever_translate_env_variables_says(step):
    with step.proxy() as proxy:
        around = {"NO_PROXY": STS, "INPUT_TRANSLATE-ENV-VARIABLES": "false"}
        assert step.sts_only({"HTTPS_PROXY": proxy.url} | around).succeeded
    assert asked(proxy) == []


@pytest.mark.parametrize(
    ("listed", "host"),
    [
        (STS, STS),
        ("sandbox.test", STS),
        (".sandbox.test", STS),
        ("STS.Sandbox.Test", STS),
        (f"{STS}:8080", f"{STS}:8080"),
        (f"{STS}:80", STS),
        ("*", STS),
        ("example.com, .sandbox.test ,::1", STS),
        (HOST, HOST),
        ("10.1.0.0/16", HOST),
    ],
)
def test_a_listed_host_is_called_directly(step, listed, host):
    with step.proxy() as proxy:
        assert step.sts_only({"HTTPS_PROXY": proxy.url, "NO_PROXY": listed}, sts=f"http://{host}").succeeded
    assert asked(proxy) == []


@pytest.mark.parametrize(
    ("listed", "host"),
    [
        ("andbox.test", STS),
        (f"a.{STS}", STS),
        (f"{STS}:80", f"{STS}:8080"),
        ("10.1.0.0/16", OTHER_HOST),
        (":::,http://,10.1.0.0/99,/,,:80", STS),
    ],
)
def test_a_host_that_is_not_listed_is_called_through_the_proxy(step, listed, host):
    with step.proxy() as proxy:
        assert step.sts_only({"HTTPS_PROXY": proxy.url, "NO_PROXY": listed}, sts=f"http://{host}").succeeded
    assert len(proxy.asked) == 1


@pytest.mark.parametrize("host", ["127.9.9.9", "localhost", "[::1]"])
def test_loopback_is_never_called_through_the_proxy(step, host):
    with step.proxy() as proxy:
        assert step.sts_only(dict.fromkeys(WAYS, proxy.url), sts=f"http://{host}").succeeded
    assert asked(proxy) == []


# --- a proxy that asks who is there


def test_user_and_password_of_the_proxys_url_are_sent_with_both_calls(step):
    with step.proxy(login="me:a@b:c/d%e") as proxy:
        assert step({"HTTPS_PROXY": f"http://me:a%40b%3Ac%2Fd%25e@{proxy.address}"}).succeeded
    assert [(str(each), each.authorization) for each in proxy.asked] == [
        (request, True) for request in BOTH_THROUGH_THE_PROXY
    ]


def test_a_run_that_succeeds_does_not_show_the_proxys_password(step):
    with step.proxy(login=f"me:{PASSWORD}") as proxy:
        run = step({"HTTPS_PROXY": f"http://me:{PASSWORD}@{proxy.address}"})
    assert run.succeeded
    assert PASSWORD not in run.log


# --- a proxy that is of no use


def of_no_use(run: Run) -> None:
    """One error, that names the proxy as what may be wrong; its password is in no line of the log."""
    assert "proxy" in run.error.lower()
    assert PASSWORD not in run.log


CALLS = pytest.mark.parametrize(
    "endpoints",
    [{}, {"token": LOOPBACK, "sts": f"https://{STS}"}, {"token": LOOPBACK, "sts": f"http://{STS}"}],
    ids=["the token by https", "STS by https", "STS by http"],
)


@CALLS
def test_a_proxy_where_nobody_listens_is_told(step, nobody, endpoints):
    of_no_use(step({"HTTPS_PROXY": f"http://me:{PASSWORD}@{nobody}"}, **endpoints))


@CALLS
def test_a_proxy_that_does_not_know_us_is_told(step, endpoints):
    with step.proxy(login="me:another") as proxy:
        of_no_use(step({"HTTPS_PROXY": f"http://me:{PASSWORD}@{proxy.address}"}, **endpoints))


@CALLS
def test_a_proxy_that_does_not_reach_the_host_is_told(step, endpoints):
    with Proxy() as proxy:
        of_no_use(step({"HTTPS_PROXY": f"http://me:{PASSWORD}@{proxy.address}"}, **endpoints))


@pytest.mark.parametrize("way", ["INPUT_HTTP-PROXY", "https_proxy", "HTTP_PROXY"])
@pytest.mark.parametrize(
    "junk", [":::", "http://", "ftp://x", f"http://me:{PASSWORD}@[", f"http://me:{PASSWORD}@x:y"]
)
def test_a_proxy_that_is_none_is_told_or_not_honored(step, way, junk):
    run = step({way: junk}, own_names=True)
    if not run.succeeded:
        of_no_use(run)
    assert PASSWORD not in run.log
