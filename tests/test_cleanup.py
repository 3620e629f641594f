import io
import json

import pytest

from py_aws_oidc import cleanup, places
from py_aws_oidc.aws import profiles
from py_aws_oidc.export import PROFILE_BEFORE, VARIABLES_BEFORE
from py_aws_oidc.github.commands import Log
from sandbox.runner.files import parse


def post(tmp_path, state: object = None, **environ: str) -> tuple[dict[str, str], str]:
    """What post writes to GITHUB_ENV, and what it logs."""
    path = tmp_path / "env"
    path.touch()
    given = {"GITHUB_ENV": str(path), **environ}
    if state is not None:
        given[f"STATE_{VARIABLES_BEFORE}"] = state if isinstance(state, str) else json.dumps(state)
    stream = io.StringIO()
    cleanup.run(given, Log(stream))
    return dict(parse(path.read_text())), stream.getvalue()


def test_variables_become_what_they_were_before_the_step(tmp_path):
    written, log = post(tmp_path, {"AWS_REGION": "us-east-1", "AWS_SESSION_TOKEN": ""})

    assert written == {"AWS_REGION": "us-east-1", "AWS_SESSION_TOKEN": ""}
    assert log == "Put back as before this step: AWS_REGION.\nBlanked: AWS_SESSION_TOKEN.\n"


def test_the_values_are_not_logged(tmp_path):
    assert "old-secret" not in post(tmp_path, {"AWS_SECRET_ACCESS_KEY": "old-secret"})[1]


def test_variables_that_were_all_set_are_all_put_back(tmp_path):
    assert post(tmp_path, {"AWS_REGION": "us-east-1"})[1] == "Put back as before this step: AWS_REGION.\n"


def test_variables_that_were_all_unset_are_all_blanked(tmp_path):
    assert post(tmp_path, {"AWS_REGION": ""})[1] == "Blanked: AWS_REGION.\n"


@pytest.mark.parametrize("state", [None, "", "{}", "[]", "not json", '{"AWS_REGION": 1}', "null", "[" * 100_000])
def test_a_step_that_exported_nothing_has_nothing_to_put_back(tmp_path, state):
    written, log = post(tmp_path, state)

    assert written == {}
    assert log == "This step changed no AWS variables, so there is nothing to put back.\n"


def test_cleaning_up_can_be_switched_off(tmp_path):
    assert post(tmp_path, {"AWS_REGION": "x"}, AWS_SKIP_CLEANUP_STEP="true")[0] == {}


def test_only_the_actions_own_variables_are_put_back(tmp_path):
    assert post(tmp_path, {"LD_PRELOAD": "x", "bad name": "y", "AWS_REGION": "z"})[0] == {"AWS_REGION": "z"}


def test_a_profile_is_taken_away(tmp_path):
    found = places.locate({"HOME": str(tmp_path)})
    with profiles.editing(found, None) as edit:
        edit.add("dev", {"aws_access_key_id": "AKIA"}, "eu-west-1", overwrite=False)
        edit.write()

    _, log = post(tmp_path, HOME=str(tmp_path), **{f"STATE_{PROFILE_BEFORE}": edit.undo})

    assert log == "Took away the profile dev, or made it what it was before.\n"
    assert not (tmp_path / ".aws").exists()


def test_a_profile_that_cannot_be_taken_away_is_said_to_be_left(tmp_path):
    found = places.locate({"HOME": str(tmp_path)})
    with profiles.editing(found, None) as edit:
        edit.add("dev", {"aws_access_key_id": "AKIA"}, "eu-west-1", overwrite=False)
        edit.write()
    found.credentials.write_text("nonsense\n")

    _, log = post(tmp_path, HOME=str(tmp_path), **{f"STATE_{PROFILE_BEFORE}": edit.undo})

    assert log.startswith("::warning title=Profile left behind::The profile dev could not be taken out of ")
    assert "Took away" not in log


def test_a_state_that_somebody_made_up_touches_no_other_file(tmp_path):
    (tmp_path / "setup.cfg").write_text("[a]\nb = c\n")
    section = {
        "file": str(tmp_path / "setup.cfg"),
        "made": True,
        "profile": "a",
        "section": "a",
        "before": None,
        "joint": "",
    }
    undo = json.dumps({"sections": [section], "folders": []})

    post(tmp_path, HOME=str(tmp_path), **{f"STATE_{PROFILE_BEFORE}": undo})

    assert (tmp_path / "setup.cfg").read_text() == "[a]\nb = c\n"
