"""Whatever the environment, the program ends with exit status 0, or with 1 and one error that a person understands."""

import io
import itertools
import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import botocore.session
import pytest
from botocore.loaders import Loader
from botocore.utils import ContainerMetadataFetcher
from hypothesis import example, given, settings
from hypothesis import strategies as st

from py_aws_oidc.__main__ import main
from py_aws_oidc.clock import Clock
from py_aws_oidc.env_policy import TABLE
from py_aws_oidc.export import profiles, variables
from py_aws_oidc.export.handover import VARIABLES
from py_aws_oidc.inputs import Inputs, variable
from py_aws_oidc.network import is_loopback

pytestmark = pytest.mark.slow

NOBODY = "http://127.0.0.1:9"
ROLE = "arn:aws:iam::123456789012:role/deploy"
COMMAND_FILES = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STATE")
SHARED = "[dev]\naws_access_key_id = AKIA\n"
FOLDER = "{folder}"  # stands for a folder of the example's own, as nothing else in a value is likely to

ID_TOKEN = {"ACTIONS_ID_TOKEN_REQUEST_URL": f"{NOBODY}/?v=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token"}
SOUND = {
    "GITHUB_EVENT_NAME": "pull_request",
    "GITHUB_REPOSITORY": "octo-org/octo-repo",
    "HOME": FOLDER,
    "INPUT_AWS-REGION": "us-east-1",
    "INPUT_DISABLE-RETRY": "true",
    "INPUT_STS-ENDPOINT": NOBODY,
    **{name: f"{FOLDER}/{name}" for name in COMMAND_FILES},
}
BY_TOKEN = {**SOUND, **ID_TOKEN, "INPUT_ROLE-TO-ASSUME": ROLE}
BY_KEYS = {**SOUND, "INPUT_AWS-ACCESS-KEY-ID": "AKIA", "INPUT_AWS-SECRET-ACCESS-KEY": "secret"}
BY_FILE = {**SOUND, "INPUT_ROLE-TO-ASSUME": ROLE, "INPUT_WEB-IDENTITY-TOKEN-FILE": f"{FOLDER}/text"}
CHAINED = {**BY_TOKEN, "INPUT_ROLE-CHAINING": "true"}
WITH_OWN_KEYS = {**CHAINED, "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s"}
IN_ECS = {**CHAINED, "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{NOBODY}/x"}
IN_EKS = {
    **CHAINED,
    "AWS_ROLE_ARN": ROLE,
    "AWS_WEB_IDENTITY_TOKEN_FILE": f"{FOLDER}/text",
    "AWS_ENDPOINT_URL": NOBODY,
}
STARTS = ({}, SOUND, BY_TOKEN, BY_KEYS, BY_FILE, CHAINED, WITH_OWN_KEYS, IN_ECS, IN_EKS)

NAMES = sorted(
    {
        *(variable(each) for each in fields(Inputs)),
        *(each.metadata["variable"] for each in fields(Inputs) if each.metadata["variable"]),
        *(name for row in TABLE for name in row.names),
        *VARIABLES,
        *COMMAND_FILES,
        *ID_TOKEN,
        *(f"GITHUB_{name}" for name in ("ACTOR", "EVENT_NAME", "EVENT_PATH", "REF", "REPOSITORY", "WORKSPACE")),
        *(f"AWS_{name}" for name in ("EC2_METADATA_SERVICE_ENDPOINT", "LOGIN_CACHE_DIRECTORY", "SDK_LOAD_CONFIG")),
        *("AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_ROLE_ARN"),
        *("AWS_METADATA_SERVICE_TIMEOUT", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_STS_REGIONAL_ENDPOINTS"),
        *("all_proxy", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_DIR", "CURL_CA_BUNDLE"),
        *("ACT", "HOME", "LANG", "NETRC", "RUNNER_TEMP", "RUNNER_WORKSPACE", "SHOW_STACK_TRACE", "", "=", "\u65e5"),
    }
)
NASTY = [
    *(
        "",
        " ",
        "true",
        "TRUE",
        "no",
        "0",
        "-1",
        "9" * 9,
        "9" * 5000,
        "1e999",
        "nan",
        "null",
        "[]",
        "{}",
        "[" * 100_000,
    ),
    *(
        "a" * 100_000,
        "a/" * 50_000,
        "\n",
        "a\r\nb",
        "\udcff\udc80",
        "\x1b[31m",
        "\u202e\u65e5",
        "::error::x",
        "##[error]x",
    ),
    *(
        "arn:aws:iam::123456789012:role/a/b",
        "arn:aws-cn:iam::123456789012:role/x",
        "deploy",
        "us-gov-west-1",
        "%0A",
    ),
    *(
        '{"a": 1e999}',
        '{"\\ud800": "\\u0000"}',
        '{"a": {"b": []}}',
        "1,2,3",
        "*",
        "default",
        "[x]",
        "..",
        "~",
        "$HOME",
    ),
    *(
        NOBODY,
        "http://[::1]:9",
        "http://localhost:0",
        "https://127.0.0.1:99999",
        "http://[",
        "http://a@b:c@d",
        "//x",
    ),
    *(
        "https://sts.amazonaws.com",
        "http://\u2100.com",
        "https://" + "a" * 70 + ".com",
        "socks5://127.0.0.1:9",
        "::1",
    ),
    *("/nonexistent/x", FOLDER, f"{FOLDER}/text", f"{FOLDER}/link", "/" + "x" * 300),
]
# What os.environ can hold: any bytes but NUL, as it decodes them.
TEXTS = st.binary(max_size=40).map(lambda data: os.fsdecode(data.replace(b"\0", b"")))
VALUES = st.sampled_from(NASTY) | TEXTS | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
SPOILT = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8)


@contextmanager
def sealed() -> Iterator[Path]:
    """A folder to run in, no way beyond loopback, and no time that passes while somebody sleeps."""
    connect, loader = socket.socket.connect, Loader()

    def connect_to_loopback(it: socket.socket, address: tuple[str, int]) -> None:
        if not is_loopback(f"http://[{address[0]}]" if ":" in address[0] else f"http://{address[0]}"):
            raise OSError("no way out")
        connect(it, address)

    def nobody(host: str, *_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, f"{host!r} is not known")

    resolve = socket.getaddrinfo
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(socket.socket, "connect", connect_to_loopback)
        patch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *rest, **more: (resolve if host in {"127.0.0.1", "::1"} else nobody)(host, *rest, **more),
        )
        patch.setattr(time, "sleep", lambda _: None)
        patch.setattr(ContainerMetadataFetcher, "SLEEP_TIME", 0)
        patch.setattr(botocore.session, "create_loader", lambda *_: loader)
        (Path(folder) / "text").write_text("text")
        (Path(folder) / "link").symlink_to("text")
        os.mkfifo(Path(folder) / "pipe")
        for name in COMMAND_FILES:
            (Path(folder) / name).touch()
        yield Path(folder)


def ended(stage: str, environ: Mapping[str, str], folder: Path) -> int:
    """The exit status of a run that ended as any run should."""
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    ticks = itertools.count()
    clock = Clock(monotonic=lambda: next(ticks), sleep=lambda _: None, uniform=lambda _, most: most)

    status = main(
        [stage], {name: text.replace(FOLDER, str(folder)) for name, text in environ.items()}, stdout, clock
    )

    log = stdout.detach().getvalue().decode()
    errors = [line for line in log.splitlines() if line.startswith("::error ")]
    assert (status, len(errors)) in {(0, 0), (1, 1)}, log
    assert "in a way that it should not" not in log
    assert "Traceback" not in log
    return status


def contents(folder: Path) -> dict[str, str]:
    """All regular files under the folder."""
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(STARTS), SPOILT)
@example(BY_TOKEN, {})
@example(BY_KEYS, {})
@example(BY_FILE, {})
@example(CHAINED, {})
@example(WITH_OWN_KEYS, {})
@example(IN_ECS, {})
@example(IN_EKS, {})
@example(BY_TOKEN, dict.fromkeys(NAMES, "\udcff"))
@example(BY_TOKEN, dict.fromkeys(NAMES, "a" * 100_000))
@example(BY_TOKEN, dict.fromkeys(NAMES, "\n"))
@example(BY_TOKEN, {"GITHUB_EVENT_PATH": FOLDER, "ACTIONS_ID_TOKEN_REQUEST_URL": ""})
@example(BY_TOKEN, {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "\udcff\u65e5\n"})
@example(BY_TOKEN, {"ACTIONS_ID_TOKEN_REQUEST_URL": "http://[::1"})
@example(BY_TOKEN, {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://127.0.0.1:99999/"})
@example(BY_TOKEN, {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://" + "a" * 70 + ".com"})
@example(BY_TOKEN, {"AWS_CA_BUNDLE": FOLDER + "/text"})
@example(BY_TOKEN, {"AWS_CA_BUNDLE": "/" + "x" * 300})
@example(BY_TOKEN, {"INPUT_AUDIENCE": "\udcff"})
@example(BY_TOKEN, {"INPUT_HTTP-PROXY": "http://127.0.0.1:9", "ACTIONS_ID_TOKEN_REQUEST_URL": "https://x.test"})
@example(BY_TOKEN, {"HTTPS_PROXY": "http://\udcff@[", "ACTIONS_ID_TOKEN_REQUEST_URL": "https://x.test"})
@example(BY_TOKEN, {"HTTPS_PROXY": "socks5://127.0.0.1:9", "ACTIONS_ID_TOKEN_REQUEST_URL": "https://x.test"})
@example(BY_KEYS, {"HTTPS_PROXY": "http://x:y", "INPUT_STS-ENDPOINT": ""})
@example(BY_KEYS, {"HTTPS_PROXY": "socks5://127.0.0.1:9", "INPUT_STS-ENDPOINT": "https://x.test"})
@example(BY_KEYS, {"INPUT_AWS-REGION": "-", "INPUT_STS-ENDPOINT": ""})
@example(BY_KEYS, {"INPUT_AWS-REGION": "a" * 100_000, "INPUT_STS-ENDPOINT": ""})
@example(BY_FILE, {"INPUT_WEB-IDENTITY-TOKEN-FILE": "a" * 100_000})
@example(BY_FILE, {"INPUT_WEB-IDENTITY-TOKEN-FILE": FOLDER})
@example(CHAINED, {"AWS_PROFILE": "\udcff", "AWS_CONFIG_FILE": FOLDER})
@example(CHAINED, {"AWS_SHARED_CREDENTIALS_FILE": FOLDER})
@example(CHAINED, {"AWS_ACCESS_KEY_ID": "AKIA"})
@example(CHAINED, {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://["})
@example(CHAINED, {"AWS_METADATA_SERVICE_TIMEOUT": "soon"})
@example(WITH_OWN_KEYS, {"AWS_SECRET_ACCESS_KEY": "\udcff", "AWS_SESSION_TOKEN": "a\nb"})
@example(WITH_OWN_KEYS, {"AWS_ACCESS_KEY_ID": "\u65e5"})
@example(IN_ECS, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://[", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "a\nb"})
@example(IN_EKS, {"AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent"})
def test_main_ends_with_one_error_and_writes_nothing(start, spoilt):
    with sealed() as folder:
        before = contents(folder)

        if ended("main", {**start, **spoilt}, folder) == 0:
            # Without a role, the credentials of a service that is not AWS are exported without a call.
            inputs = Inputs.read({**start, **spoilt})
            assert not inputs.is_for_aws
            assert inputs.role_to_assume is None
        else:
            assert contents(folder) == before


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
PATHS = st.sampled_from([FOLDER, f"{FOLDER}/link", f"{FOLDER}/pipe", "/dev/null", "x", "/\0", "/" + "x" * 300])
OURS = {
    "file": f"{FOLDER}/shared",
    "made": True,
    "profile": "dev",
    "section": "dev",
    "before": None,
    "joint": "",
    "fingerprint": "",
}
SECTIONS = st.dictionaries(st.sampled_from([*OURS, "more"]), PATHS | JSON, max_size=2).map(
    lambda bad: {**OURS, **bad}
)
UNDO = st.fixed_dictionaries({"sections": st.lists(SECTIONS, max_size=3), "folders": st.lists(PATHS) | JSON}) | JSON
WAS = st.dictionaries(st.sampled_from(VARIABLES) | TEXTS, VALUES | JSON) | JSON


def undo(**changes: object) -> dict[str, object]:
    return {"sections": [{**OURS, **changes}], "folders": [FOLDER]}


def post(folder: Path, was: object, what_to_undo: object, environ: Mapping[str, str]) -> int:
    """The exit status of post with this state."""
    (folder / "shared").write_text(SHARED)
    given = {variables.STATE: was, profiles.STATE: what_to_undo}
    state = {f"STATE_{name}": v if isinstance(v, str) else json.dumps(v) for name, v in given.items()}
    return ended("post", {**SOUND, **environ, **state}, folder)


@settings(max_examples=150, deadline=None)
@given(WAS | VALUES, UNDO | VALUES, SPOILT)
@example(dict.fromkeys(VARIABLES, "�\n"), undo(), {})
@example({"AWS_REGION": "x"}, undo(), {"GITHUB_ENV": FOLDER})
@example({"AWS_REGION": "x"}, undo(), {"GITHUB_ENV": f"{FOLDER}/pipe"})
@example({"AWS_REGION": "x"}, undo(), {"GITHUB_ENV": "/dev/full"})
@example({"AWS_REGION": "x"}, undo(), {"GITHUB_ENV": "a" * 100_000})
@example({}, undo(before="\ud800"), {})
@example({}, undo(section="\ud800"), {})
@example({}, undo(file="/\0"), {})
@example({}, undo(file="/\ud800"), {})
@example({}, undo(file="/" + "x" * 300), {})
@example({}, undo(file=f"{FOLDER}/link"), {})
@example({}, undo(file=f"{FOLDER}/pipe"), {})
@example({}, undo(file="/"), {})
@example({}, {**undo(), "folders": ["/\0", "/\ud800", "x" * 300]}, {})
@example("[" * 100_000, "[" * 100_000, {})
@example("9" * 5000, "9" * 5000, {})
def test_post_ends_with_success_or_one_error(was, what_to_undo, spoilt):
    with sealed() as folder:
        if post(folder, was, what_to_undo, spoilt) == 1:
            assert (folder / "GITHUB_ENV").read_text() == ""


def test_post_passes_over_a_variable_that_no_file_can_hold():
    with sealed() as folder:
        assert post(folder, {"AWS_REGION": "\ud800"}, {}, {}) == 0
