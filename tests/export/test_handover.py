import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from py_aws_oidc import export
from py_aws_oidc.aws.credentials import Credentials
from py_aws_oidc.aws.sts import Session
from py_aws_oidc.export import NOTHING, PROFILE_BEFORE, VARIABLES_BEFORE, Exports
from py_aws_oidc.failure import Failure
from py_aws_oidc.inputs import Inputs
from py_aws_oidc.secret import Secret
from sandbox.runner.files import parse

ARN = "arn:aws:sts::123456789012:assumed-role/deploy/GitHubActions"
TEMPORARY = Credentials(
    Secret("ASIAKEY"), Secret("secret/key+"), Secret("token=="), datetime(2026, 11, 23, 13, tzinfo=UTC)
)
LONG_LIVED = Credentials(Secret("AKIAKEY"), Secret("secret"))
FILES = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STATE")


def exports(
    before: dict[str, str] | None = None,
    *,
    credentials: Credentials = TEMPORARY,
    session: dict[str, bool] | None = None,
    **inputs: str,
) -> Exports:
    given = {"aws_region": "eu-west-1"} | inputs
    read = Inputs.read({f"INPUT_{name.upper().replace('_', '-')}": text for name, text in given.items()})
    return export.exports(Session(credentials, ARN, "123456789012", **(session or {})), read, before or {})


def plain(entries) -> dict[str, str]:
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in entries.items()}


def runner_files(tmp_path: Path, *names: str) -> dict[str, str]:
    for name in names:
        (tmp_path / name).write_text("BEFORE=1\n")
    return {name: str(tmp_path / name) for name in names}


def written(tmp_path: Path, name: str) -> dict[str, str]:
    return {key: value for key, value in parse((tmp_path / name).read_text()) if key != "BEFORE"}


MASKED: list[Secret] = []


def write(given: Exports, environ: dict[str, str]) -> None:
    export.write(given, "eu-west-1", environ, MASKED.append)


def test_later_steps_get_credentials_and_region():
    assert plain(exports().environment) == {
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "ASIAKEY",
        "AWS_SECRET_ACCESS_KEY": "secret/key+",
        "AWS_SESSION_TOKEN": "token==",
    }


def test_a_key_without_a_token_blanks_the_token_of_another_key():
    assert "AWS_SESSION_TOKEN" not in exports(credentials=LONG_LIVED).environment
    assert exports({"AWS_SESSION_TOKEN": "old"}, credentials=LONG_LIVED).environment["AWS_SESSION_TOKEN"] == ""


def test_the_environment_can_be_left_alone():
    given = exports(output_env_credentials="false")

    assert given.environment == {}
    assert plain(given.state) == {VARIABLES_BEFORE: NOTHING}


@pytest.mark.parametrize("session", [{"is_new": False}, {"is_new": False, "is_reused": True}], ids=str)
def test_credentials_that_the_job_has_already_are_not_exported_again(session):
    given = exports(session=session, output_credentials="true")

    assert set(given.environment) == {"AWS_REGION", "AWS_DEFAULT_REGION"}
    assert "aws-access-key-id" not in given.outputs


def test_current_credentials_can_be_blanked():
    given = exports(credentials=LONG_LIVED, unset_current_credentials="true")

    assert plain(given.environment)["AWS_SESSION_TOKEN"] == ""
    assert plain(given.environment)["AWS_ACCESS_KEY_ID"] == "AKIAKEY"


@pytest.mark.parametrize("to_environment", ["true", "false"])
def test_account_arn_and_expiration_are_outputs_in_every_mode(to_environment):
    assert plain(exports(output_env_credentials=to_environment).outputs) == {
        "aws-account-id": "123456789012",
        "authenticated-arn": ARN,
        "aws-expiration": "2026-11-23T13:00:00Z",
    }


def test_an_expiration_that_nobody_knows_is_no_output():
    assert "aws-expiration" not in exports(credentials=LONG_LIVED).outputs


def test_credentials_are_outputs_only_when_asked_for():
    assert (
        plain(exports(output_credentials="true").outputs).items()
        >= {
            "aws-access-key-id": "ASIAKEY",
            "aws-secret-access-key": "secret/key+",
            "aws-session-token": "token==",
        }.items()
    )


def test_the_state_holds_what_the_variables_were_and_hides_it():
    state = exports({"AWS_REGION": "us-east-1", "AWS_SESSION_TOKEN": "old", "OTHER": "x"}).state

    assert "old" not in repr(state)
    assert json.loads(plain(state)[VARIABLES_BEFORE]) == {
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "",
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "AWS_SESSION_TOKEN": "old",
    }


def test_a_profile_takes_the_place_of_the_variables(tmp_path):
    given = exports({"HOME": str(tmp_path)}, aws_profile="dev")

    assert given.environment == {}
    assert given.profile is not None
    assert plain(given.profile.settings) == {
        "aws_access_key_id": "ASIAKEY",
        "aws_secret_access_key": "secret/key+",
        "aws_session_token": "token==",
    }


def test_with_both_a_profile_and_variables_the_profile_is_named_too(tmp_path):
    given = exports({"HOME": str(tmp_path)}, aws_profile="dev", output_env_credentials="true")

    assert given.environment["AWS_PROFILE"] == "dev"
    assert "AWS_ACCESS_KEY_ID" in given.environment


def test_on_githubs_runner_the_files_are_announced_with_the_hosts_paths():
    before = {"HOME": "/github/home", "RUNNER_WORKSPACE": "/srv/work/app"}

    assert plain(exports(before, aws_profile="dev").environment) == {
        "AWS_SHARED_CREDENTIALS_FILE": "/srv/work/_temp/_github_home/.aws/credentials",
        "AWS_CONFIG_FILE": "/srv/work/_temp/_github_home/.aws/config",
    }


def test_credentials_that_are_kept_are_written_to_no_profile(tmp_path):
    session = {"is_new": False, "is_reused": True}

    assert exports({"HOME": str(tmp_path)}, session=session, aws_profile="dev").profile is None


def test_all_three_files_are_written(tmp_path):
    write(exports(), runner_files(tmp_path, *FILES))

    assert written(tmp_path, "GITHUB_ENV")["AWS_ACCESS_KEY_ID"] == "ASIAKEY"
    assert written(tmp_path, "GITHUB_OUTPUT")["aws-account-id"] == "123456789012"
    assert list(written(tmp_path, "GITHUB_STATE")) == [VARIABLES_BEFORE, PROFILE_BEFORE]


@pytest.mark.parametrize("missing", FILES)
def test_when_one_file_cannot_be_opened_none_is_written(tmp_path, missing):
    environ = runner_files(tmp_path, *FILES) | {missing: str(tmp_path / "nowhere")}

    with pytest.raises(Failure, match=missing):
        write(exports(output_credentials="true"), environ)

    assert [(tmp_path / name).read_text() for name in FILES] == ["BEFORE=1\n"] * 3


@pytest.mark.parametrize("full", FILES)
def test_when_one_file_cannot_be_written_the_others_are_taken_back(tmp_path, monkeypatch, full):
    environ = runner_files(tmp_path, *FILES) | {"HOME": str(tmp_path)}
    append = export.AllOrNothing.append

    def failing(self, file, entries) -> None:
        append(self, file, entries)
        if file.variable == full:
            raise Failure("No space.", name="test", why="full", fix="wait")

    monkeypatch.setattr(export.AllOrNothing, "append", failing)

    with pytest.raises(Failure, match=r"No space"):
        write(exports(environ, aws_profile="dev", output_env_credentials="true"), environ)

    assert [(tmp_path / name).read_text() for name in FILES] == ["BEFORE=1\n"] * 3
    assert not (tmp_path / ".aws").exists()


@pytest.mark.parametrize("missing", ["GITHUB_ENV", "GITHUB_OUTPUT"])
def test_a_file_that_is_not_named_is_told_before_anything_is_written(tmp_path, missing):
    environ = runner_files(tmp_path, *FILES)
    del environ[missing]

    with pytest.raises(Failure, match=f"{missing} is missing"):
        write(exports(), environ)

    assert [(tmp_path / name).read_text() for name in environ] == ["BEFORE=1\n"] * 2


def test_a_runner_without_state_is_put_up_with(tmp_path):
    write(exports(), runner_files(tmp_path, "GITHUB_ENV", "GITHUB_OUTPUT"))

    assert written(tmp_path, "GITHUB_ENV")


def test_a_run_that_exports_no_variables_needs_no_environment_file(tmp_path):
    write(exports(output_env_credentials="false"), runner_files(tmp_path, "GITHUB_OUTPUT", "GITHUB_STATE"))

    assert written(tmp_path, "GITHUB_OUTPUT")
    assert written(tmp_path, "GITHUB_STATE") == dict.fromkeys((VARIABLES_BEFORE, PROFILE_BEFORE), NOTHING)


def test_a_profile_is_written_and_what_undoes_it_is_kept(tmp_path):
    environ = runner_files(tmp_path, *FILES) | {"HOME": str(tmp_path)}

    write(exports(environ, aws_profile="dev"), environ)

    assert "[dev]\naws_access_key_id = ASIAKEY\n" in (tmp_path / ".aws" / "credentials").read_text()
    assert (tmp_path / ".aws" / "config").read_text() == "[profile dev]\nregion = eu-west-1\n"
    assert "ASIAKEY" not in written(tmp_path, "GITHUB_STATE")[PROFILE_BEFORE]
    assert json.loads(written(tmp_path, "GITHUB_STATE")[PROFILE_BEFORE])["sections"]


@pytest.mark.parametrize("value", ["old/secret", 'o"l\\d', "caf\xe9-1", "a\tb1"])
def test_the_state_that_the_runner_may_show_has_no_secret_of_a_replaced_profile(tmp_path, value):
    environ = runner_files(tmp_path, *FILES) | {"HOME": str(tmp_path), "AWS_SECRET_ACCESS_KEY": f"env-{value}"}
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(f"[dev]\naws_secret_access_key: {value}\n# old {value}\n")
    masked: list[Secret] = []
    given = exports(environ, aws_profile="dev", overwrite_aws_profile="true", output_env_credentials="true")

    export.write(given, "eu-west-1", environ, masked.append)

    shown = (tmp_path / "GITHUB_STATE").read_text()
    assert len(masked) == len(set(masked))
    for mask in sorted(masked, key=lambda mask: len(mask.reveal()), reverse=True):
        shown = shown.replace(mask.reveal(), "***")
    assert value not in shown
    assert json.dumps(value)[1:-1] not in shown


def test_all_masks_come_before_the_state(tmp_path):
    environ = runner_files(tmp_path, *FILES) | {"HOME": str(tmp_path)}
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text("[dev]\naws_secret_access_key: old-secret\n")
    states: list[str] = []

    export.write(
        exports(environ, aws_profile="dev", overwrite_aws_profile="true"),
        "eu-west-1",
        environ,
        lambda _: states.append((tmp_path / "GITHUB_STATE").read_text()),
    )

    assert set(states) == {"BEFORE=1\n"}


def test_a_profile_in_the_runners_own_file_is_refused_and_the_file_is_as_it_was(tmp_path):
    environ = runner_files(tmp_path, *FILES) | {"HOME": str(tmp_path)}

    with pytest.raises(Failure, match="is the runner's own file GITHUB_ENV"):
        exports(environ | {"AWS_SHARED_CREDENTIALS_FILE": environ["GITHUB_ENV"]}, aws_profile="dev")

    assert (tmp_path / "GITHUB_ENV").read_text() == "BEFORE=1\n"
