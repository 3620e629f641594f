import io
import json
from datetime import UTC, datetime

import pytest

from py_aws_oidc import export
from py_aws_oidc.aws.sts import Credentials, Session
from py_aws_oidc.export import STATE, Exports
from py_aws_oidc.failure import Failure
from py_aws_oidc.github.commands import Log
from py_aws_oidc.secret import Secret
from sandbox.runner.files import parse

ARN = "arn:aws:sts::123456789012:assumed-role/deploy/GitHubActions"
SESSION = Session(
    Credentials(
        Secret("ASIAKEY"), Secret("secret/key+"), Secret("token=="), datetime(2026, 11, 23, 13, tzinfo=UTC)
    ),
    ARN,
    "123456789012",
)


def exports(before: dict[str, str] | None = None, **choices: bool) -> Exports:
    chosen = {"to_environment": True, "to_outputs": False, "mask_account": False} | choices
    return export.exports(SESSION, "eu-west-1", before or {}, **chosen)


def plain(entries: dict[str, object]) -> dict[str, object]:
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in entries.items()}


def runner_files(tmp_path, *names: str) -> dict[str, str]:
    for name in names:
        (tmp_path / name).touch()
    return {name: str(tmp_path / name) for name in names}


def test_later_steps_get_credentials_and_region():
    assert plain(exports().environment) == {
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "ASIAKEY",
        "AWS_SECRET_ACCESS_KEY": "secret/key+",
        "AWS_SESSION_TOKEN": "token==",
    }


def test_the_environment_can_be_left_alone():
    given = exports(to_environment=False)

    assert given.environment == {}
    assert given.state == {}


@pytest.mark.parametrize("to_environment", [True, False])
def test_account_arn_and_expiration_are_outputs_in_every_mode(to_environment):
    assert plain(exports(to_environment=to_environment).outputs) == {
        "aws-account-id": "123456789012",
        "authenticated-arn": ARN,
        "aws-expiration": "2026-11-23T13:00:00Z",
    }


def test_credentials_are_outputs_only_when_asked_for():
    assert (
        plain(exports(to_outputs=True).outputs).items()
        >= {
            "aws-access-key-id": "ASIAKEY",
            "aws-secret-access-key": "secret/key+",
            "aws-session-token": "token==",
        }.items()
    )


def test_every_part_of_the_credentials_is_masked():
    assert [secret.reveal() for secret in exports().masks] == ["ASIAKEY", "secret/key+", "token=="]


def test_the_account_is_masked_when_asked_for_and_the_arn_with_it():
    assert {secret.reveal() for secret in exports(mask_account=True).masks} >= {"123456789012", ARN}


def test_the_state_holds_what_the_variables_were():
    state = plain(exports({"AWS_REGION": "us-east-1", "AWS_SESSION_TOKEN": "old", "OTHER": "x"}).state)

    assert json.loads(str(state[STATE])) == {
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "",
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "AWS_SESSION_TOKEN": "old",
    }


def test_masks_come_before_the_files(tmp_path):
    environ = runner_files(tmp_path, "GITHUB_OUTPUT", "GITHUB_STATE")
    stream = io.StringIO()

    with pytest.raises(Failure, match="GITHUB_ENV"):
        export.write(exports(), Log(stream), environ | {"GITHUB_ENV": str(tmp_path / "nowhere")})

    assert stream.getvalue() == "::add-mask::ASIAKEY\n::add-mask::secret/key+\n::add-mask::token==\n"


def test_nothing_is_written_when_a_file_is_not_named(tmp_path):
    environ = runner_files(tmp_path, "GITHUB_OUTPUT", "GITHUB_STATE")

    with pytest.raises(Failure, match="GITHUB_ENV is missing"):
        export.write(exports(), Log(io.StringIO()), environ)

    assert [(tmp_path / name).read_text() for name in environ] == ["", ""]


def test_all_three_files_are_written(tmp_path):
    environ = runner_files(tmp_path, "GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STATE")

    export.write(exports(), Log(io.StringIO()), environ)

    read = {name: dict(parse((tmp_path / name).read_text())) for name in environ}
    assert read["GITHUB_ENV"]["AWS_ACCESS_KEY_ID"] == "ASIAKEY"
    assert read["GITHUB_OUTPUT"]["aws-account-id"] == "123456789012"
    assert list(read["GITHUB_STATE"]) == [STATE]


def test_a_runner_without_state_is_put_up_with(tmp_path):
    environ = runner_files(tmp_path, "GITHUB_ENV", "GITHUB_OUTPUT")

    export.write(exports(), Log(io.StringIO()), environ)

    assert (tmp_path / "GITHUB_ENV").read_text()


def test_a_run_that_exports_no_variables_needs_no_environment_file(tmp_path):
    environ = runner_files(tmp_path, "GITHUB_OUTPUT")

    export.write(exports(to_environment=False), Log(io.StringIO()), environ)

    assert (tmp_path / "GITHUB_OUTPUT").read_text()
