import json

import pytest
from tests.export.conftest import FILES, LONG_LIVED, apply, plain, prepare, runner_files, written

from py_aws_oidc.export import variables
from py_aws_oidc.export.handover import VARIABLES


def exported(environ: dict[str, str] | None = None, **options) -> dict[str, str]:
    """The variables that later steps get."""
    export = prepare(environ, **options).get(variables)
    return plain(export.variables) if export else {}


def test_later_steps_get_credentials_and_region():
    assert exported() == {
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "ASIAKEY",
        "AWS_SECRET_ACCESS_KEY": "secret/key+",
        "AWS_SESSION_TOKEN": "token==",
    }


def test_a_key_without_a_token_blanks_the_token_of_another_key():
    assert "AWS_SESSION_TOKEN" not in exported(credentials=LONG_LIVED)
    assert exported({"AWS_SESSION_TOKEN": "old"}, credentials=LONG_LIVED)["AWS_SESSION_TOKEN"] == ""


def test_the_environment_can_be_left_alone():
    assert variables not in prepare(output_env_credentials="false")


@pytest.mark.parametrize("session", [{"is_new": False}, {"is_new": False, "is_reused": True}], ids=str)
def test_credentials_that_the_job_has_already_are_not_exported_again(session):
    assert set(exported(session=session)) == {"AWS_REGION", "AWS_DEFAULT_REGION"}


def test_current_credentials_can_be_blanked():
    given = exported(credentials=LONG_LIVED, unset_current_credentials="true")

    assert given["AWS_SESSION_TOKEN"] == ""
    assert given["AWS_ACCESS_KEY_ID"] == "AKIAKEY"


def test_the_state_holds_what_the_variables_were(tmp_path):
    before = {"AWS_REGION": "us-east-1", "AWS_SESSION_TOKEN": "old", "OTHER": "x"}

    apply(runner_files(tmp_path, *FILES) | before)

    assert json.loads(written(tmp_path, "GITHUB_STATE")[variables.STATE]) == {
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "",
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "AWS_SESSION_TOKEN": "old",
    }


def test_neither_an_export_nor_its_state_shows_a_secret(tmp_path):
    environ = runner_files(tmp_path, *FILES) | {"AWS_SESSION_TOKEN": "old-token"}
    export = prepare(environ)[variables]

    with export.stage() as staged:
        shown = f"{export}{staged}"

    assert "old-token" not in shown
    assert "secret/key+" not in shown


def test_a_profile_is_exported_in_place_of_the_variables(tmp_path):
    assert exported({"HOME": str(tmp_path)}, aws_profile="dev") == {}


def test_with_both_a_profile_and_variables_the_profile_is_named_too(tmp_path):
    given = exported({"HOME": str(tmp_path)}, aws_profile="dev", output_env_credentials="true")

    assert given["AWS_PROFILE"] == "dev"
    assert "AWS_ACCESS_KEY_ID" in given


def test_on_githubs_runner_the_paths_of_a_profile_are_exported_as_the_host_has_them():
    environ = {"HOME": "/github/home", "RUNNER_WORKSPACE": "/srv/work/app"}

    assert exported(environ, aws_profile="dev") == {
        "AWS_SHARED_CREDENTIALS_FILE": "/srv/work/_temp/_github_home/.aws/credentials",
        "AWS_CONFIG_FILE": "/srv/work/_temp/_github_home/.aws/config",
    }


def test_a_run_exports_no_variable_that_post_may_not_restore():
    environ = {"HOME": "/github/home", "RUNNER_WORKSPACE": "/srv/work/app", "AWS_SESSION_TOKEN": "old"}
    options = {"aws_profile": "dev", "output_env_credentials": "true", "unset_current_credentials": "true"}

    assert set(exported(environ, **options)) <= set(VARIABLES)
