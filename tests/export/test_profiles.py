import json

import pytest
from tests.export.conftest import FILES, KEPT, apply, prepare, runner_files, written

from py_aws_oidc.export import profiles
from py_aws_oidc.failure import Failure


def test_a_profile_is_written_and_what_undoes_it_is_saved(tmp_path):
    apply(runner_files(tmp_path, *FILES), aws_profile="dev")

    assert (tmp_path / ".aws" / "credentials").read_text() == (
        "[dev]\naws_access_key_id = ASIAKEY\naws_secret_access_key = secret/key+\naws_session_token = token==\n"
    )
    assert (tmp_path / ".aws" / "config").read_text() == "[profile dev]\nregion = eu-west-1\n"
    state = written(tmp_path, "GITHUB_STATE")[profiles.STATE]
    assert "ASIAKEY" not in state
    assert json.loads(state)["sections"]


def test_nothing_is_made_before_the_export_is_staged(tmp_path):
    assert prepare({"HOME": str(tmp_path)}, aws_profile="dev")[profiles]
    assert list(tmp_path.iterdir()) == []


def test_credentials_that_are_kept_are_written_to_no_profile(tmp_path):
    assert profiles not in prepare({"HOME": str(tmp_path)}, session=KEPT, aws_profile="dev")


def test_a_profile_in_the_runners_own_file_is_refused_and_the_file_is_as_it_was(tmp_path):
    environ = runner_files(tmp_path, *FILES)

    with pytest.raises(Failure, match="is the runner's own file GITHUB_ENV"):
        prepare(environ | {"AWS_SHARED_CREDENTIALS_FILE": environ["GITHUB_ENV"]}, aws_profile="dev")

    assert (tmp_path / "GITHUB_ENV").read_text() == "BEFORE=1\n"
