import io
import json
from pathlib import Path

import pytest

from py_aws_oidc import post as stage
from py_aws_oidc.aws import profiles, shared_files
from py_aws_oidc.export import profile_paths, variables
from py_aws_oidc.export import profiles as profiles_target
from py_aws_oidc.export.target import NOTHING
from py_aws_oidc.failure import Failure
from py_aws_oidc.github.commands import Log
from sandbox.runner.files import parse


def post(tmp_path, state: object = None, **environ: str) -> tuple[dict[str, str], str]:
    """What post writes to GITHUB_ENV, and what it logs."""
    path = tmp_path / "env"
    path.touch()
    given = {"GITHUB_ENV": str(path), **environ}
    if state is not None:
        given[f"STATE_{variables.STATE}"] = state if isinstance(state, str) else json.dumps(state)
    stream = io.StringIO()
    stage.run(given, Log(stream))
    return dict(parse(path.read_text())), stream.getvalue()


def test_variables_become_what_they_were_before_the_step(tmp_path):
    written, log = post(tmp_path, {"AWS_REGION": "us-east-1", "AWS_SESSION_TOKEN": ""})

    assert written == {"AWS_REGION": "us-east-1", "AWS_SESSION_TOKEN": ""}
    assert log == "Restored to the values before this step: AWS_REGION.\nCleared: AWS_SESSION_TOKEN.\n"


def test_the_values_are_not_logged(tmp_path):
    assert "old-secret" not in post(tmp_path, {"AWS_SECRET_ACCESS_KEY": "old-secret"})[1]


def test_variables_that_were_all_set_are_all_put_back(tmp_path):
    assert (
        post(tmp_path, {"AWS_REGION": "us-east-1"})[1] == "Restored to the values before this step: AWS_REGION.\n"
    )


def test_variables_that_were_all_unset_are_all_blanked(tmp_path):
    assert post(tmp_path, {"AWS_REGION": ""})[1] == "Cleared: AWS_REGION.\n"


@pytest.mark.parametrize(
    "state",
    [None, "", "{}", "[]", "not json", '{"AWS_REGION": 1}', '{"AWS_REGION": "\\ud800"}', "null", "[" * 100_000],
)
def test_a_step_that_exported_nothing_has_nothing_to_put_back(tmp_path, state):
    written, log = post(tmp_path, state)

    assert written == {}
    assert log == "This step changed no AWS variables, so there is nothing to restore.\n"


def test_cleaning_up_can_be_switched_off(tmp_path):
    assert post(tmp_path, {"AWS_REGION": "x"}, AWS_SKIP_CLEANUP_STEP="true")[0] == {}


def test_only_the_actions_own_variables_are_put_back(tmp_path):
    assert post(tmp_path, {"LD_PRELOAD": "x", "bad name": "y", "AWS_REGION": "z"})[0] == {"AWS_REGION": "z"}


def profile(environ: dict[str, str]) -> str:
    """Write the profile dev where main would; the state for its post."""
    with profiles.editing(profile_paths.locate(environ), None) as edit:
        edit.add("dev", {"aws_access_key_id": "AKIA"}, "eu-west-1", overwrite=False)
        edit.write()
        return edit.undo


def planted(file: Path, *, folders: tuple[Path, ...] = (), **changes: object) -> str:
    """A state that no main wrote, for a file with the section [a]."""
    found = shared_files.with_section("", "a", {"b": "c"}).fingerprint
    section = {
        "file": str(file),
        "made": True,
        "profile": "a",
        "section": "a",
        "before": None,
        "joint": "",
        "fingerprint": found,
    }
    return json.dumps({"sections": [section | changes], "folders": [str(folder) for folder in folders]})


def post_profile(tmp_path: Path, undo: str, **environ: str) -> str:
    """The log of a post with a state for a profile."""
    return post(tmp_path, **{"HOME": str(tmp_path), f"STATE_{profiles_target.STATE}": undo, **environ})[1]


def test_a_profile_is_taken_away(tmp_path):
    log = post_profile(tmp_path, profile({"HOME": str(tmp_path)}))

    assert log == "Removed the profile dev, or restored the one that was there before.\n"
    assert not (tmp_path / ".aws").exists()


def test_a_profile_that_cannot_be_taken_away_is_said_to_be_left(tmp_path):
    undo = profile({"HOME": str(tmp_path)})
    (tmp_path / ".aws" / "credentials").write_text("nonsense\n")

    log = post_profile(tmp_path, undo)

    assert log.startswith("::warning title=Profile left behind::The profile dev could not be removed from ")
    assert "Removed" not in log


@pytest.mark.parametrize(
    "later",
    [
        {},
        {"AWS_SHARED_CREDENTIALS_FILE": "", "AWS_CONFIG_FILE": ""},
        {"AWS_SHARED_CREDENTIALS_FILE": "/elsewhere", "AWS_CONFIG_FILE": "relative"},
        {"HOME": "/elsewhere", "RUNNER_TEMP": "/elsewhere"},
        {"HOME": ""},
    ],
    ids=str,
)
def test_a_profile_goes_also_when_a_later_step_changes_the_variables_that_named_its_files(tmp_path, later):
    named = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "x/creds"), "AWS_CONFIG_FILE": str(tmp_path / "y/conf")}
    undo = profile({"HOME": str(tmp_path), **named})

    log = post_profile(tmp_path, undo, **later)

    assert log == "Removed the profile dev, or restored the one that was there before.\n"
    assert not (tmp_path / "x").exists()
    assert not (tmp_path / "y").exists()


def test_each_file_that_main_would_not_accept_any_more_is_told(tmp_path):
    undo = profile({"HOME": str(tmp_path)})

    log = post_profile(tmp_path, undo, GITHUB_WORKSPACE=str(tmp_path))

    warnings = [line for line in log.splitlines() if line.startswith("::warning title=Profile left behind::")]
    assert len(warnings) == 2
    for name in ("credentials", "config"):
        assert sum(str(tmp_path / ".aws" / name) in line for line in warnings) == 1
    assert (tmp_path / ".aws" / "credentials").exists()


def test_variables_that_cannot_be_restored_do_not_keep_the_profile(tmp_path):
    state = profile({"HOME": str(tmp_path)})

    with pytest.raises(Failure, match="GITHUB_ENV"):
        post(
            tmp_path,
            {"AWS_REGION": "x"},
            HOME=str(tmp_path),
            GITHUB_ENV=str(tmp_path / "nowhere"),
            **{f"STATE_{profiles_target.STATE}": state},
        )

    assert not (tmp_path / ".aws").exists()


def test_what_was_exported_last_is_undone_first(tmp_path):
    state = profile({"HOME": str(tmp_path)})

    _, log = post(tmp_path, {"AWS_REGION": "x"}, HOME=str(tmp_path), **{f"STATE_{profiles_target.STATE}": state})

    assert [line.partition(" ")[0] for line in log.splitlines()] == ["Restored", "Removed"]


@pytest.mark.parametrize("undo", ["nonsense", '{"sections": [{}], "folders": []}', "[" * 100_000])
def test_a_state_that_cannot_be_read_is_told(tmp_path, undo):
    assert post_profile(tmp_path, undo).startswith("::warning title=Profile left behind::")


def test_a_step_that_says_that_it_changed_nothing_has_nothing_to_put_back(tmp_path):
    log = post_profile(tmp_path, NOTHING)

    assert log == "This step changed no AWS variables, so there is nothing to restore.\n"


@pytest.mark.parametrize(
    "environ",
    [
        {"HOME": "/github/home", "RUNNER_TEMP": "/github/runner_temp"},
        {"GITHUB_WORKSPACE": "{}"},
        {"GITHUB_STATE": "{}/setup.cfg"},
    ],
    ids=str,
)
@pytest.mark.parametrize("named", [{}, {"AWS_CONFIG_FILE": "{}/setup.cfg"}], ids=str)
def test_a_planted_state_touches_no_file_that_main_would_not_accept(tmp_path, environ, named):
    file = tmp_path / "setup.cfg"
    file.write_text("[a]\nb = c\n")
    given = {name: value.format(tmp_path) for name, value in (environ | named).items()}

    log = post_profile(tmp_path, planted(file), **given)

    assert file.read_text() == "[a]\nb = c\n"
    assert str(file) in log


@pytest.mark.parametrize("path", ["{}/x/../setup.cfg", "{}/link/setup.cfg", "setup.cfg", "{}/$X", "{}/linked.cfg"])
def test_a_planted_state_reaches_no_file_by_another_name(tmp_path, monkeypatch, path):
    (tmp_path / "work").mkdir()
    file = tmp_path / "work" / "setup.cfg"
    file.write_text("[a]\nb = c\n")
    (tmp_path / "link").symlink_to("work")
    (tmp_path / "linked.cfg").symlink_to(file)
    monkeypatch.chdir(tmp_path / "work")

    post_profile(tmp_path, planted(Path(path.format(tmp_path))), GITHUB_WORKSPACE=str(tmp_path / "work"))

    assert file.read_text() == "[a]\nb = c\n"
    assert (tmp_path / "linked.cfg").is_symlink()


@pytest.mark.parametrize(
    "changes",
    [
        {"section": "b"},
        {"profile": "b"},
        {"joint": "# mine\n"},
        {"made": "yes"},
        {"before": "[a]\nb = c\n[evil]\ncredential_process = x\n"},
        {"before": "[evil]\ncredential_process = x\n"},
        {"before": ""},
        {"fingerprint": ""},
        {"fingerprint": None},
    ],
    ids=str,
)
def test_a_planted_state_that_main_cannot_have_written_changes_nothing(tmp_path, changes):
    file = tmp_path / "setup.cfg"
    file.write_text("# mine\n[a]\nb = c\n")

    assert "title=Profile left behind" in post_profile(tmp_path, planted(file, **changes))
    assert file.read_text() == "# mine\n[a]\nb = c\n"


def test_a_planted_state_removes_no_folder_but_a_private_one_above_its_file(tmp_path):
    file = tmp_path / "public" / "private" / "a"
    for folder, mode in ((file.parent.parent, 0o755), (file.parent, 0o700), (tmp_path / "aside", 0o700)):
        folder.mkdir(mode=mode)
    (tmp_path / "link").symlink_to("aside")
    file.write_text("[a]\nb = c\n")
    folders = (file.parent.parent, file.parent, tmp_path / "aside", tmp_path / "link")

    post_profile(tmp_path, planted(file, folders=folders))

    assert not file.parent.exists()
    assert file.parent.parent.exists()
    assert (tmp_path / "aside").exists()
    assert (tmp_path / "link").is_symlink()
