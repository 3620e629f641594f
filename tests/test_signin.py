"""Every source of identity at the wire, with real keys, real signatures and real trust policies."""

import itertools
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event, main_thread

import pytest
from botocore.exceptions import ClientError
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from py_aws_oidc.aws import credentials, sts
from py_aws_oidc.clock import Clock
from py_aws_oidc.explain import report
from sandbox.faults import Fault
from sandbox.job import Job
from sandbox.proxy import serving
from sandbox.world import World, _Quiet

USER = "arn:aws:iam::123456789012:user/ci"
NO_ID_TOKEN = {"ACTIONS_ID_TOKEN_REQUEST_URL": "", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": ""}
NOWHERE = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nowhere"}


def new_keys(world: World) -> dict[str, str]:
    """The keys of a user, as the job's environment has them."""
    iam = world.admin("iam")
    iam.create_user(UserName="ci")
    key = iam.create_access_key(UserName="ci")["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"], **NOWHERE}


def as_inputs(keys: dict[str, str]) -> dict[str, str]:
    return {
        "aws_access_key_id": keys["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": keys["AWS_SECRET_ACCESS_KEY"],
    }


def second_role(world: World, name: str = "second", *, actions: tuple[str, ...] = (), **condition: object) -> str:
    """A role that the account's own identities may assume."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": list(actions or ("sts:AssumeRole", "sts:TagSession")),
        **condition,
    }
    return world.create_role(name, trust={"Version": "2012-10-17", "Statement": [statement]})


def form(step, operation: str = "AssumeRole") -> dict[str, str]:
    return dict([call for call in step.world.calls if call.operation == operation][-1].form)


def tags(step) -> dict[str, str]:
    sent = form(step)
    return {
        sent[f"Tags.member.{n}.Key"]: sent[f"Tags.member.{n}.Value"]
        for n in range(1, 60)
        if f"Tags.member.{n}.Key" in sent
    }


def test_keys_without_a_role_are_exported_as_they_are(step):
    keys = new_keys(step.world)

    run = step(role_to_assume="", output_credentials="true", **as_inputs(keys))

    assert run.outputs["authenticated-arn"] == USER
    assert run.outputs["aws-secret-access-key"] == keys["AWS_SECRET_ACCESS_KEY"]
    assert run.env["AWS_ACCESS_KEY_ID"] == keys["AWS_ACCESS_KEY_ID"]
    assert "AWS_SESSION_TOKEN" not in run.env
    assert step.calls == ["GetCallerIdentity"]


def test_keys_are_masked_before_anything_else(step):
    keys = new_keys(step.world)

    run = step(role_to_assume="", **as_inputs(keys))

    assert run.masked[:2] == [keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"]]
    assert run.log.startswith("::add-mask::")


def test_keys_assume_a_role(step):
    run = step(role_to_assume=second_role(step.world), **as_inputs(new_keys(step.world)))

    assert run.outputs["authenticated-arn"].endswith(":assumed-role/second/GitHubActions")
    assert (
        step.world.client("sts", run.credentials).get_caller_identity()["Arn"] == run.outputs["authenticated-arn"]
    )


def test_keys_that_stay_out_of_the_environment_assume_a_role_all_the_same(step):
    run = step(
        role_to_assume=second_role(step.world),
        output_env_credentials="false",
        output_credentials="true",
        **as_inputs(new_keys(step.world)),
    )

    assert run.env == {}
    assert run.outputs["aws-access-key-id"].startswith("ASIA")


def test_a_bare_role_name_is_in_the_account_of_the_keys(step):
    second_role(step.world)

    run = step(role_to_assume="second", **as_inputs(new_keys(step.world)))

    assert form(step)["RoleArn"] == "arn:aws:iam::123456789012:role/second"
    assert run.status == 0


def test_keys_that_aws_does_not_know_are_told(step):
    keys = {"aws_access_key_id": "AKIAUNKNOWN", "aws_secret_access_key": "s"}

    assert "AWS does not know the access key ID" in step.refused(role_to_assume="", **keys)
    assert "AWS does not know the access key ID" in step.refused(role_to_assume=second_role(step.world), **keys)


def test_the_jobs_own_credentials_assume_a_role_by_chaining(step):
    first = step()
    role = second_role(step.world)

    run = step(role_to_assume=role, role_chaining="true", environ={**first.env, **NOWHERE})

    assert run.outputs["authenticated-arn"].endswith(":assumed-role/second/GitHubActions")
    assert step.calls == ["idtoken", "AssumeRoleWithWebIdentity", "AssumeRole"]


def test_a_job_without_id_token_starts_from_its_own_credentials_and_says_so(step):
    environ = {**new_keys(step.world), **NO_ID_TOKEN}

    run = step(role_to_assume=second_role(step.world), environ=environ)

    assert run.status == 0
    assert "::notice title=No ID token::" in run.log


def test_without_any_credentials_the_missing_permission_is_told(step):
    assert "`id-token: write` is missing" in step.refused(environ={**NO_ID_TOKEN, **NOWHERE})


@pytest.mark.parametrize(
    "inputs", [{"role_to_assume": ""}, {"role_chaining": "true"}, {"force_skip_oidc": "true"}], ids=str
)
def test_without_any_credentials_and_no_wish_for_a_token_the_places_are_told(step, inputs):
    error = step.refused(environ=NOWHERE, **inputs)

    assert "There are no AWS credentials to start from" in error
    assert "hop limit" in error


def test_without_a_role_the_jobs_own_credentials_are_checked(step):
    run = step(role_to_assume="", environ=new_keys(step.world))

    assert run.env == {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    assert run.outputs["authenticated-arn"] == USER


def test_force_skip_oidc_starts_from_the_jobs_own_credentials(step):
    run = step(role_to_assume=second_role(step.world), force_skip_oidc="true", environ=new_keys(step.world))

    assert run.status == 0
    assert "idtoken" not in step.calls


def test_keys_in_variables_are_taken_whatever_profile_is_named(step):
    environ = {**new_keys(step.world), "AWS_PROFILE": "ghost"}

    assert step(role_to_assume="", environ=environ).outputs["authenticated-arn"] == USER


def test_a_job_that_wanted_an_id_token_is_told_of_that_and_not_of_a_profile(step):
    assert "`id-token: write` is missing" in step.refused(
        environ={**NOWHERE, **NO_ID_TOKEN, "AWS_PROFILE": "ghost"}
    )


def test_variables_that_steer_calls_are_not_lent_to_the_chain(step, tmp_path):
    (tmp_path / "token").write_text("x.y.z")
    environ = {
        **NOWHERE,
        **NO_ID_TOKEN,
        "AWS_ROLE_ARN": step.role,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "AWS_ENDPOINT_URL": step.world.aws_url,
        "AWS_MAX_ATTEMPTS": "abc",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }

    assert "ProxyConnectionError" in step.refused(role_chaining="true", environ=environ)
    assert step.calls == []


def test_a_container_service_that_is_named_gives_credentials(step):
    keys = new_keys(step.world)
    answer = {"AccessKeyId": keys["AWS_ACCESS_KEY_ID"], "SecretAccessKey": keys["AWS_SECRET_ACCESS_KEY"]}
    body = json.dumps({**answer, "Token": "", "Expiration": "2999-01-01T00:00:00Z"})
    step.world.faults.script("idtoken", Fault(status=200, body=body, content_type="application/json"))
    request = step.world.issuer.start(Job())
    environ = {**NOWHERE, "AWS_CONTAINER_CREDENTIALS_FULL_URI": request.url}

    assert step(role_to_assume="", environ=environ).outputs["authenticated-arn"] == USER


def test_a_role_of_a_profile_that_aws_refuses_is_told_with_the_code(step, monkeypatch):
    def refuse(*_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "hunter2"}}, "AssumeRole")

    monkeypatch.setattr("botocore.session.Session.get_credentials", refuse)

    error = step.refused(role_chaining="true", environ=NOWHERE)

    assert "AWS refused AssumeRole (AccessDenied)" in error
    assert "hunter2" not in error


def test_a_chain_that_does_not_answer_is_told(step, monkeypatch):
    monkeypatch.setattr("botocore.session.Session.get_credentials", lambda _: Event().wait(20))
    monkeypatch.setattr(credentials, "WHOLE_CALL_SECONDS", 0.05)

    assert "did not answer in time" in step.refused(role_chaining="true", environ=NOWHERE)


def test_a_profile_of_the_host_is_told_not_to_be_there(step):
    error = step.refused(role_chaining="true", environ={**NOWHERE, "AWS_PROFILE": "dev"})

    assert "ProfileNotFound" in error
    assert "profiles and files of the host are not there" in error


def test_keys_of_the_environment_that_can_be_none_are_told_without_their_text(step):
    environ = {**NOWHERE, "AWS_ACCESS_KEY_ID": "AKIA\n", "AWS_SECRET_ACCESS_KEY": "hunter2"}

    error = step.refused(role_to_assume="", environ=environ)

    assert "a part of them has white space" in error
    assert "hunter2" not in error


def test_a_program_of_a_profile_that_fails_is_told_without_its_words(step, tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\ncredential_process = sh -c 'echo hunter2 >&2; exit 1'\n")

    error = step.refused(role_to_assume="", environ={"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"})

    assert "CredentialRetrievalError" in error
    assert "hunter2" not in error


def test_a_shared_file_in_home_is_a_source(step, tmp_path):
    keys = new_keys(step.world)
    (tmp_path / ".aws").mkdir()
    lines = [f"{name.lower()} = {keys[name]}" for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
    (tmp_path / ".aws" / "credentials").write_text("\n".join(["[default]", *lines]))

    assert step(role_to_assume="", environ={"HOME": str(tmp_path)}).outputs["authenticated-arn"] == USER


# --- files of the workspace, which anyone who opens a pull request can write


class Listener:
    """A server that is no service of AWS, and what was sent to it."""

    def __init__(self) -> None:
        self.url = ""
        self.sent: list[str] = []

    def app(self, environ, start_response):
        request = Request(environ)
        self.sent.append(request.get_data(as_text=True))
        return Response(status=403)(environ, start_response)


@pytest.fixture
def listener():
    found = Listener()
    server = make_server("127.0.0.1", 0, found.app, request_handler=_Quiet)
    with serving(server):
        found.url = f"http://127.0.0.1:{server.port}"
        yield found


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


PLACES = ["by a variable", "by a relative path", "by a variable in a variable", "by a link", "as HOME", "by .aws"]


def config_in(workspace, place: str, text: str, monkeypatch) -> dict[str, str]:
    """A config file in the workspace, and the variables by which the chain would find it."""
    home = workspace.parent / "home"
    home.mkdir()
    folder = workspace / ".aws"
    folder.mkdir()
    (folder / "config").write_text(text)
    (home / "link").symlink_to(folder / "config")
    environ = {"HOME": str(home), "GITHUB_WORKSPACE": str(workspace), "AWS_EC2_METADATA_DISABLED": "true"}
    monkeypatch.chdir(workspace)
    if place == "by .aws":
        (home / ".aws").symlink_to(folder)
    return (
        environ
        | {
            "by a variable": {"AWS_CONFIG_FILE": str(folder / "config")},
            "by a relative path": {"AWS_CONFIG_FILE": ".aws/config"},
            "by a variable in a variable": {"AWS_CONFIG_FILE": "$HOME/../workspace/.aws/config"},
            "by a link": {"AWS_CONFIG_FILE": "~/link"},
            "as HOME": {"HOME": str(workspace)},
            "by .aws": {},
        }[place]
    )


@pytest.mark.parametrize("place", PLACES)
def test_a_profile_in_the_workspace_starts_no_program_and_a_warning_says_so(step, workspace, place, monkeypatch):
    started = workspace.parent / "started"
    config = f"[default]\ncredential_process = sh -c 'echo >{started}; exit 1'\n"

    run = step(role_to_assume="", environ=config_in(workspace, place, config, monkeypatch))

    assert run.status == 1
    assert not started.exists()
    assert "::warning title=Ignored profiles::" in run.log


def test_keys_in_the_workspace_are_not_started_from(step, workspace):
    lines = [f"{name.lower()} = {value}" for name, value in new_keys(step.world).items() if name.startswith("AWS_")]
    (workspace / "credentials").write_text("\n".join(["[default]", *lines]))
    environ = NOWHERE | {
        "AWS_SHARED_CREDENTIALS_FILE": str(workspace / "credentials"),
        "GITHUB_WORKSPACE": str(workspace),
    }

    run = step(role_to_assume="", environ=environ)

    assert run.status == 1
    assert "::warning title=Ignored profiles::" in run.log
    assert step.calls == []


def test_no_warning_is_shown_where_no_profile_is_ignored(step, workspace):
    environ = NOWHERE | {"AWS_CONFIG_FILE": str(workspace / "none"), "GITHUB_WORKSPACE": str(workspace)}

    assert "::warning" not in step(role_to_assume="", environ=environ).log


@pytest.mark.parametrize("where", ["endpoint_url = {}", "services = s\n[services s]\nsts =\n  endpoint_url = {}"])
def test_no_profile_sends_a_token_to_another_endpoint(step, tmp_path, listener, where):
    (tmp_path / "config").write_text(f"[default]\n{where.format(listener.url)}\n")
    (tmp_path / "token").write_text("x.y.z")
    environ = NOWHERE | {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_ROLE_ARN": step.role,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }

    assert "ProxyConnectionError" in step.refused(role_chaining="true", environ=environ)
    assert listener.sent == []


@pytest.mark.parametrize("name", ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"])
def test_a_token_file_of_the_environment_that_leads_elsewhere_is_not_sent(step, workspace, listener, name):
    (workspace / "token").symlink_to("/proc/self/environ")
    environ = NOWHERE | {
        name: str(workspace / "token"),
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": listener.url,
        "AWS_ROLE_ARN": step.role,
        "GITHUB_WORKSPACE": str(workspace),
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }

    assert f"{name} names {workspace}/token" in step.refused(role_chaining="true", environ=environ)
    assert listener.sent == []


@pytest.mark.parametrize(
    "start", ["", "[default]\nsource_profile = a\n", "[default]\nrole_arn = x\nsource_profile = a\n"]
)
def test_a_token_file_of_a_profile_that_leads_elsewhere_is_not_sent(step, workspace, tmp_path, start):
    (workspace / "token").symlink_to("/proc/self/environ")
    (tmp_path / "config").write_text(
        f"{start}[{'profile a' if start else 'default'}]\n"
        f"role_arn = {step.role}\nweb_identity_token_file = {workspace}/token\nsource_profile = a\n"
    )
    environ = NOWHERE | {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "GITHUB_WORKSPACE": str(workspace),
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }

    assert f"names {workspace}/token, but" in step.refused(role_chaining="true", environ=environ)


def test_a_token_file_of_a_profile_that_is_not_used_does_not_matter(step, workspace, tmp_path):
    (workspace / "token").symlink_to("/proc/self/environ")
    keys = [f"{name.lower()} = {value}" for name, value in new_keys(step.world).items() if name.startswith("AWS_")]
    other = ["[profile other]", f"role_arn = {step.role}", f"web_identity_token_file = {workspace}/token"]
    (tmp_path / "config").write_text("\n".join(["[default]", *keys, *other]))
    environ = NOWHERE | {"AWS_CONFIG_FILE": str(tmp_path / "config"), "GITHUB_WORKSPACE": str(workspace)}

    assert step(role_to_assume="", environ=environ).outputs["authenticated-arn"] == USER


def test_models_of_services_in_home_do_not_replace_those_of_the_sdk(step, tmp_path, listener):
    """In a process of its own: the SDK decides where HOME is when it is imported."""
    rules = tmp_path / ".aws" / "models" / "sts" / "2011-06-15" / "endpoint-rule-set-1.json"
    rules.parent.mkdir(parents=True)
    rule = {
        "conditions": [],
        "type": "endpoint",
        "endpoint": {"url": listener.url, "properties": {}, "headers": {}},
    }
    parameter = {"builtIn": "AWS::Region", "type": "String"}
    rules.write_text(json.dumps({"version": "1.0", "parameters": {"Region": parameter}, "rules": [rule]}))
    (tmp_path / "token").write_text("x.y.z")
    files = {name: tmp_path / name for name in ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STATE")}
    for path in files.values():
        path.write_text("")
    environ = {name: str(path) for name, path in files.items()} | {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ROLE_ARN": step.role,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "HOME": str(tmp_path),
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "INPUT_AWS-REGION": "us-east-1",
        "INPUT_ROLE-CHAINING": "true",
        "INPUT_ROLE-TO-ASSUME": step.role,
    }

    command = [sys.executable, "-m", "py_aws_oidc"]
    done = subprocess.run(command, env=environ, capture_output=True, check=False, text=True)

    assert "ProxyConnectionError" in done.stdout
    assert listener.sent == []


@pytest.mark.parametrize("target", ["/proc/self/environ", "/dev/zero", "../secret"])
def test_a_token_file_that_leads_out_of_its_folder_is_not_sent(step, workspace, target):
    (workspace.parent / "secret").write_text("hunter2")
    (workspace / "token").symlink_to(target)

    error = step.refused(web_identity_token_file="token", environ={"GITHUB_WORKSPACE": str(workspace)})

    assert "cannot be read" in error
    assert step.calls == []


def test_a_projected_token_is_exchanged(step, workspace):
    (workspace / "..2026").mkdir()
    (workspace / "..2026" / "token").write_text(step.world.issuer.mint(Job(), "sts.amazonaws.com"))
    (workspace / "..data").symlink_to("..2026")
    (workspace / "token").symlink_to("..data/token")

    assert step(web_identity_token_file="token", environ={"GITHUB_WORKSPACE": str(workspace)}).status == 0


def test_a_blank_variable_is_no_variable(step):
    environ = {**NOWHERE, "AWS_ACCESS_KEY_ID": "", "AWS_PROFILE": "", "AWS_SESSION_TOKEN": ""}

    assert "There are no AWS credentials" in step.refused(role_to_assume="", environ=environ)


def test_a_token_file_is_exchanged(step, tmp_path):
    job_token = step.world.issuer.mint(Job(), "sts.amazonaws.com")
    (tmp_path / "token").write_text(f"{job_token}\n")

    run = step(web_identity_token_file="token", environ={"GITHUB_WORKSPACE": str(tmp_path)})

    assert run.status == 0
    assert step.calls == ["AssumeRoleWithWebIdentity"]
    assert run.masked[0] == job_token


def test_a_token_file_that_aws_refuses_is_told(step, tmp_path):
    (tmp_path / "token").write_text("x.y.z")

    assert "AWS refused AssumeRoleWithWebIdentity" in step.refused(web_identity_token_file=str(tmp_path / "token"))


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be read"), ("  \n", "is empty"), (b"\xff", "cannot be read")]
)
def test_a_token_file_that_holds_none_is_told(step, tmp_path, content, said):
    if content is not None:
        (tmp_path / "token").write_bytes(content if isinstance(content, bytes) else content.encode())

    assert said in step.refused(web_identity_token_file=str(tmp_path / "token"))


def test_a_bare_role_name_needs_more_than_an_id_token(step):
    assert "an ID token does not name the account of the role" in step.refused(role_to_assume="deploy")


def test_a_session_is_tagged_with_the_run(step):
    step(role_to_assume=second_role(step.world), **as_inputs(new_keys(step.world)))

    assert tags(step) == {
        "GitHub": "Actions",
        "Repository": "octo-org/octo-repo",
        "Workflow": "deploy",
        "Actor": "octocat",
        "Commit": "0123456789abcdef0123456789abcdef01234567",
        "Branch": "refs/heads/main",
        "EventName": "push",
        "RunId": "4242",
        "Job": "deploy",
        "TriggeringActor": "octocat",
    }


def test_custom_and_transitive_tags_are_sent(step):
    step(
        role_to_assume=second_role(step.world),
        custom_tags='{"Team": "Platform"}',
        transitive_tag_keys="Team\nNotATag\nRepository",
        **as_inputs(new_keys(step.world)),
    )

    assert tags(step)["Team"] == "Platform"
    assert form(step)["TransitiveTagKeys.member.1"] == "Team"
    assert form(step)["TransitiveTagKeys.member.2"] == "Repository"


def test_tagging_can_be_skipped(step):
    role = second_role(step.world, actions=("sts:AssumeRole",))

    run = step(role_to_assume=role, role_skip_session_tagging="true", **as_inputs(new_keys(step.world)))

    assert run.status == 0
    assert tags(step) == {}


def test_tags_that_are_too_large_lose_the_droppable_ones_once(step):
    packed = Fault(status=400, code="PackedPolicyTooLarge", message="Packed size of session tags consumes 110%")
    step.world.faults.script("AssumeRole", packed)

    run = step(
        role_to_assume=second_role(step.world), custom_tags='{"Team": "P"}', **as_inputs(new_keys(step.world))
    )

    assert "Dropped tags: EventName, RunId, Job, TriggeringActor." in run.log
    assert set(tags(step)) == {"GitHub", "Repository", "Workflow", "Actor", "Commit", "Branch", "Team"}


@pytest.mark.parametrize("inputs", [{}, {"role_skip_session_tagging": "true"}], ids=["tags", "no tags"])
def test_what_is_too_large_even_so_is_told(step, inputs):
    packed = Fault(status=400, code="PackedPolicyTooLarge", message="Packed size consumes 110% of allotted space")
    step.world.faults.script("AssumeRole", always=packed)

    error = step.refused(role_to_assume=second_role(step.world), **inputs, **as_inputs(new_keys(step.world)))

    assert "110% of allotted space" in error
    assert "shorten inline-session-policy and custom-tags" in error


def test_an_external_id_is_sent_and_masked(step):
    role = second_role(step.world, Condition={"StringEquals": {"sts:ExternalId": "ext-1"}})

    run = step(role_to_assume=role, role_external_id="ext-1", **as_inputs(new_keys(step.world)))

    assert run.status == 0
    assert "ext-1" in run.masked


def test_a_role_that_the_keys_may_not_assume_is_told(step):
    role = second_role(step.world, Condition={"StringEquals": {"sts:ExternalId": "ext-1"}})

    assert "set the input role-external-id" in step.refused(role_to_assume=role, **as_inputs(new_keys(step.world)))


def test_session_policies_are_sent(step):
    policy = '{"Version": "2012-10-17", "Statement": []}'
    step(inline_session_policy=policy, managed_session_policies="arn:aws:iam::aws:policy/ReadOnlyAccess")

    sent = form(step, "AssumeRoleWithWebIdentity")
    assert sent["Policy"] == policy
    assert sent["PolicyArns.member.1.arn"] == "arn:aws:iam::aws:policy/ReadOnlyAccess"


def test_credentials_that_the_job_has_are_kept_if_aws_accepts_them(step):
    first = step()

    run = step(use_existing_credentials="true", environ={**first.env, **NOWHERE})

    assert run.outputs["authenticated-arn"] == first.outputs["authenticated-arn"]
    assert set(run.env) == {"AWS_REGION", "AWS_DEFAULT_REGION"}
    assert "::notice title=Existing credentials::The credentials of arn:aws:sts:" in run.log
    assert "::warning" not in run.log


def test_nobody_sees_whose_credentials_are_kept_before_that_is_masked(step):
    first = step()

    run = step(use_existing_credentials="true", mask_aws_account_id="true", environ={**first.env, **NOWHERE})

    arn = first.outputs["authenticated-arn"]
    assert {"123456789012", arn} <= set(run.masked)
    assert run.log.index(f"::add-mask::{arn}") < run.log.index("::notice")


def test_an_account_that_only_aws_names_is_masked_too(step):
    denied = "User: arn:aws:iam::999999999999:user/ci is not authorized to perform: sts:AssumeRole"
    step.world.faults.script("AssumeRole", always=Fault(status=403, code="AccessDenied", message=denied))

    run = step(mask_aws_account_id="true", **as_inputs(new_keys(step.world)))

    assert run.log.index("::add-mask::999999999999") < run.log.index("::error")


def test_credentials_of_another_role_are_kept_with_a_warning(step):
    first = step()

    run = step(
        use_existing_credentials="true", role_to_assume=second_role(step.world), environ={**first.env, **NOWHERE}
    )

    assert "::warning title=Another role::" in run.log


def test_credentials_of_the_same_role_in_another_account_are_kept_with_a_warning(step):
    first = step()
    elsewhere = "arn:aws:iam::210987654321:role/deploy"

    run = step(use_existing_credentials="true", role_to_assume=elsewhere, environ={**first.env, **NOWHERE})

    assert "::warning title=Another role::" in run.log


def test_a_profile_is_not_written_for_credentials_that_are_kept_and_that_is_said(step, tmp_path):
    first = step()
    environ = {**first.env, **NOWHERE, "HOME": str(tmp_path)}

    run = step(use_existing_credentials="true", aws_profile="dev", environ=environ)

    assert "::warning title=No profile::No profile dev is written" in run.log
    assert not (tmp_path / ".aws").exists()


def test_credentials_of_a_user_are_of_no_role(step):
    run = step(use_existing_credentials="true", environ=new_keys(step.world))

    assert "::warning title=Another role::" in run.log


def test_credentials_that_are_kept_must_be_of_an_allowed_account(step):
    inputs = {"use_existing_credentials": "true", "role_to_assume": "", "allowed_account_ids": "999999999999"}

    assert "which is not allowed here" in step.refused(environ=new_keys(step.world), **inputs)


@pytest.mark.parametrize(
    "environ",
    [NOWHERE, {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "x", **NOWHERE}],
    ids=["none", "bad"],
)
def test_without_good_credentials_of_its_own_the_job_gets_new_ones(step, environ):
    run = step(use_existing_credentials="true", environ=environ)

    assert "::notice title=New credentials::" in run.log
    assert run.env["AWS_ACCESS_KEY_ID"].startswith("ASIA")


def test_an_sts_that_is_down_does_not_make_another_identity_of_the_jobs_own(step):
    first = step()
    step.world.faults.script("GetCallerIdentity", always=Fault(status=503, code="ServiceUnavailable"))

    error = step.refused(use_existing_credentials="true", environ={**first.env, **NOWHERE})

    assert "ServiceUnavailable (HTTP 503)" in error


def test_the_jobs_own_credentials_are_masked_too(step):
    keys = new_keys(step.world)

    run = step(role_to_assume="", environ=keys)

    assert keys["AWS_SECRET_ACCESS_KEY"] in run.masked


def test_what_the_state_keeps_is_masked_before_it_is_written(step):
    run = step(environ={"AWS_SECRET_ACCESS_KEY": "an-older-secret"})

    assert "an-older-secret" in run.masked


def test_a_denied_question_is_not_asked_again(step):
    step.world.faults.script("GetCallerIdentity", always=Fault(status=403, code="AccessDenied", message="No"))

    step.refused(role_to_assume="", **as_inputs(new_keys(step.world)))

    assert step.calls == ["GetCallerIdentity"]


def test_use_existing_credentials_false_means_false(step):
    first = step()

    assert step(use_existing_credentials="false", environ={**first.env, **NOWHERE}).env["AWS_ACCESS_KEY_ID"]


def test_current_credentials_can_be_blanked_first(step):
    environ = {**new_keys(step.world), **NO_ID_TOKEN}

    assert "`id-token: write` is missing" in step.refused(unset_current_credentials="true", environ=environ)


def test_an_account_that_is_not_allowed_leaves_nothing_behind(step):
    inputs = {"role_to_assume": "", "allowed_account_ids": "999999999999", **as_inputs(new_keys(step.world))}

    assert "allowed-account-ids lists 999999999999" in step.refused(**inputs)


def issued(secret: str) -> Fault:
    """An answer with this secret access key."""
    body = f"""<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/deploy/GitHubActions</Arn>
</AssumedRoleUser><Credentials><AccessKeyId>ASIAX</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>
<SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""
    return Fault(status=200, body=body, content_type="text/xml")


def test_the_workaround_asks_until_there_are_no_special_characters(step):
    step.world.faults.script(
        "AssumeRoleWithWebIdentity", issued("with/slash"), issued("with+plus"), issued("plain")
    )

    run = step(special_characters_workaround="true")

    assert run.env["AWS_SECRET_ACCESS_KEY"] == "plain"
    assert {"with/slash", "with+plus", "plain"} <= set(run.masked)


def test_the_workaround_gives_up_in_the_end(step):
    step.world.faults.script("AssumeRoleWithWebIdentity", always=issued("with/slash"))

    assert "AWS gave 12 secret access keys" in step.refused(special_characters_workaround="true")


def test_a_call_that_fails_for_a_moment_is_made_again(step):
    step.world.faults.script("idtoken", Fault(status=503), Fault(drop="before"))
    step.world.faults.script("AssumeRoleWithWebIdentity", Fault(status=500, code="InternalFailure"))

    run = step()

    assert run.status == 0
    assert len(step.slept) == 3


def test_each_retry_names_the_error(step):
    step.world.faults.script("idtoken", Fault(status=503), Fault(drop="before"))
    step.world.faults.script("AssumeRoleWithWebIdentity", Fault(status=500, code="InternalFailure"))

    lines = [line for line in step().log.splitlines() if " failed: " in line]

    for line, said in zip(lines, ["HTTP 503", "ConnectionError", "InternalFailure (HTTP 500"], strict=True):
        assert f" failed: {said}" in line


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [
        (Fault(code="InvalidIdentityToken", message="Couldn't retrieve verification key", status=400), 12),
        (Fault(code="AccessDenied", status=403), 3),
        (Fault(code="ExpiredTokenException", status=400), 2),
        (Fault(code="ValidationError", status=400), 1),
    ],
    ids=lambda value: value.code if isinstance(value, Fault) else str(value),
)
def test_a_refusal_is_explained_once_after_the_last_attempt(step, monkeypatch, fault, attempts):
    explained, explain = [], report.explain
    monkeypatch.setattr(report, "explain", lambda evidence: explained.append(evidence) or explain(evidence))
    step.world.faults.script("AssumeRoleWithWebIdentity", always=fault)

    step.refused()

    assert step.calls.count("AssumeRoleWithWebIdentity") == attempts
    assert [evidence.refused.attempts for evidence in explained] == [attempts]


def test_the_client_of_sts_is_made_while_the_runner_answers(step, monkeypatch):
    begun, make = Event(), sts._client  # noqa: SLF001 - only there is it seen

    def making(*arguments: object) -> object:
        begun.set()
        return make(*arguments)

    monkeypatch.setattr(sts, "_client", making)
    step.world.faults.script("idtoken", Fault(hold=begun))  # so the runner does not answer before

    assert step().status == 0


def test_one_client_makes_all_tries(step, monkeypatch):
    made, make = [], sts._client  # noqa: SLF001 - only there is it seen
    monkeypatch.setattr(sts, "_client", lambda *arguments: made.append(arguments) or make(*arguments))
    step.world.faults.script("AssumeRoleWithWebIdentity", Fault(status=503), Fault(code="Throttling", status=400))

    assert step().status == 0
    assert len(made) == 1


def test_retries_can_be_switched_off(step):
    step.world.faults.script("idtoken", Fault(status=503))

    assert "HTTP status 503" in step.refused(disable_retry="true")
    assert step.slept == []


def test_retries_end_with_the_number_of_tries(step):
    step.world.faults.script("idtoken", always=Fault(status=503))

    step.refused(retry_max_attempts="3")

    assert step.calls == ["idtoken"] * 3
    assert len(step.slept) == 2


def test_a_token_with_less_than_a_minute_left_is_replaced_before_it_is_sent_again(step):
    soon = {"exp": int(time.time()) + 30}
    step.world.faults.script("idtoken", Fault(claims=soon))
    step.world.faults.script("AssumeRoleWithWebIdentity", Fault(status=503, code="ServiceUnavailable"))

    assert step().status == 0
    assert step.calls == ["idtoken", "AssumeRoleWithWebIdentity"] * 2


def test_on_a_runner_without_a_shared_home_a_profile_comes_with_a_warning(step, tmp_path):
    run = step(aws_profile="dev", environ={"HOME": str(tmp_path), "ACT": "true"})

    assert run.status == 0
    assert "::warning title=Profile::The containers of this runner share no home" in run.log


def test_a_host_for_tokens_that_nobody_knows_is_warned_of(step, monkeypatch):
    monkeypatch.setattr("py_aws_oidc.network.is_loopback", lambda _: False)
    monkeypatch.setattr("py_aws_oidc.github.idtoken.is_loopback", lambda _: False)
    monkeypatch.setattr("py_aws_oidc.github.idtoken.is_private", lambda _: True)

    assert "::warning title=Unknown host::The ID token is asked for at 127.0.0.1" in step().log


class Signal(Event):
    """What a held answer waits for: the signal comes once the request is there, and so without a wait."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def wait(self, timeout: float | None = None) -> bool:
        signal.pthread_kill(main_thread().ident, self._number)
        return super().wait(timeout)


def test_a_step_that_is_cancelled_says_so_in_the_log_and_the_summary(step):
    held = Signal(signal.SIGTERM)
    step.world.faults.script("AssumeRoleWithWebIdentity", always=Fault(hold=held))
    try:
        run = step()
    finally:
        held.set()

    assert (run.status, run.exported) == (1, [])
    assert run.error.startswith("The step was cancelled, and nothing was exported.")
    assert run.summary.startswith("## No AWS credentials\n\nThe step was cancelled")


def test_a_limit_of_time_ends_whatever_it_waits_for(step):
    held = Signal(signal.SIGALRM)
    step.world.faults.script("AssumeRoleWithWebIdentity", always=Fault(hold=held))
    try:
        error = step.refused(action_timeout_s="20")
    finally:
        held.set()

    assert error.startswith("The step was stopped after 20 seconds.")
    assert "The last error" not in error


def test_a_limit_of_time_repeats_the_last_error(step):
    held = Signal(signal.SIGALRM)
    step.world.faults.script("idtoken", Fault(status=502))
    step.world.faults.script("AssumeRoleWithWebIdentity", Fault(status=503), always=Fault(hold=held))
    try:
        error = step.refused(action_timeout_s="20")
    finally:
        held.set()

    assert "The last error: AssumeRoleWithWebIdentity failed: " in error
    assert "(HTTP 503" in error


@pytest.mark.parametrize("endpoint", ["idtoken", "AssumeRoleWithWebIdentity"])
def test_an_answer_that_never_becomes_whole_is_given_up(step, endpoint):
    held = Signal(signal.SIGALRM)
    step.world.faults.script(endpoint, always=Fault(hold=held))
    try:
        error = step.refused(disable_retry="true")
    finally:
        held.set()

    assert "ended with TimeoutError" in error


def test_a_token_that_got_old_on_the_way_is_replaced_whatever_aws_calls_it(step):
    moments = itertools.chain([datetime.now(UTC)] * 3, itertools.repeat(datetime.now(UTC) + timedelta(minutes=10)))
    old = Fault(status=400, code="InvalidIdentityToken", message="Not valid")
    step.world.faults.script("AssumeRoleWithWebIdentity", old)
    monotonic = itertools.count()
    clock = Clock(now=lambda: next(moments), monotonic=lambda: next(monotonic), sleep=step.slept.append)

    step(clock=clock)

    assert step.calls.count("idtoken") == 2


def test_a_session_policy_that_iam_does_not_understand_is_told(step):
    step.world.faults.script(
        "AssumeRoleWithWebIdentity", always=Fault(status=400, code="MalformedPolicyDocument", message="Syntax")
    )

    assert "not a valid policy" in step.refused(inline_session_policy=json.dumps({}))
    assert step.slept == []


def test_a_secret_is_masked_before_an_account_that_is_not_allowed_is_told(step):
    answer = issued("plain-secret")
    elsewhere = str(answer.body).replace("123456789012", "210987654321")
    step.world.faults.script("AssumeRoleWithWebIdentity", replace(answer, body=elsewhere))

    run = step(allowed_account_ids="123456789012")

    assert run.status == 1
    assert run.log.index("::add-mask::plain-secret") < run.log.index("::error ")
