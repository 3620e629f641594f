"""The host's layout, and how containers see it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbox.runner import paths
from sandbox.runner.paths import Layout, translate, work_folder

LAYOUT = Layout(Path("/srv/work"), "repo")
ACTION = paths.action_view(LAYOUT, "/run/docker.sock")
OLD = paths.action_view(LAYOUT, "/run/docker.sock", runner_temp=False)
JOB = paths.job_container_view(LAYOUT, "/run/docker.sock")


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("/srv/work/repo/repo", "/github/workspace"),
        ("/srv/work/repo/repo/a b", "/github/workspace/a b"),
        ("/srv/work/_temp/_runner_file_commands/x", "/github/file_commands/x"),
        ("/srv/work/_temp/_github_workflow/event.json", "/github/workflow/event.json"),
        ("/srv/work/_temp/_github_home/.aws/credentials", "/github/home/.aws/credentials"),
        ("/srv/work/_temp/_github_homely", "/github/runner_temp/_github_homely"),
        ("/srv/work/_temp", "/github/runner_temp"),
        ("/srv/work/_temp/", "/github/runner_temp/"),
        ("/srv/work/repo", "/srv/work/repo"),
        ("/srv/work/_tool", "/srv/work/_tool"),
        ("host:/srv/work/_temp", "host:/srv/work/_temp"),
        ("/srv/work/_temp/a:/srv/work/_temp/b", "/github/runner_temp/a:/srv/work/_temp/b"),
        ("", ""),
    ],
)
def test_a_container_action_sees_whole_values_translated(value: str, seen: str) -> None:
    assert translate(value, ACTION.table) == seen


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("/srv/work/_temp", "/srv/work/_temp"),
        ("/srv/work/_temp/aws", "/srv/work/_temp/aws"),
        ("/srv/work/_temp/_github_home/x", "/github/home/x"),
    ],
)
def test_an_old_runner_does_not_translate_its_temp_folder(value: str, seen: str) -> None:
    assert translate(value, OLD.table) == seen


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("/srv/work/_temp/_github_home/.aws", "/github/home/.aws"),
        ("/srv/work/_temp/_github_workflow/event.json", "/github/workflow/event.json"),
        ("/srv/work/_temp/aws", "/__w/_temp/aws"),
        ("/srv/work/repo/repo", "/__w/repo/repo"),
        ("/srv/work/_tool/x", "/__w/_tool/x"),
        ("/github/workspace/x", "/github/workspace/x"),
    ],
)
def test_a_job_container_has_a_table_of_its_own(value: str, seen: str) -> None:
    assert translate(value, JOB.table) == seen


def test_a_container_action_has_the_runners_mounts_in_their_order() -> None:
    assert ACTION.mounts == (
        ("/run/docker.sock", "/var/run/docker.sock"),
        ("/srv/work/_temp", "/github/runner_temp"),
        ("/srv/work/_temp/_github_home", "/github/home"),
        ("/srv/work/_temp/_github_workflow", "/github/workflow"),
        ("/srv/work/_temp/_runner_file_commands", "/github/file_commands"),
        ("/srv/work/repo/repo", "/github/workspace"),
    )


def test_an_old_runner_does_not_mount_its_temp_folder() -> None:
    assert "/github/runner_temp" not in [container for _, container in OLD.mounts]


def test_a_job_container_works_in_its_own_workspace() -> None:
    assert JOB.workdir == "/__w/repo/repo"


def test_act_leaves_the_workspace_where_it_is() -> None:
    view = paths.act_view(LAYOUT, "/run/docker.sock")

    assert (view.workdir, view.table) == ("/srv/work/repo/repo", ())
    assert view.inside(LAYOUT.act / "workflow" / "envs.txt") == "/var/run/act/workflow/envs.txt"


def test_an_annotations_path_is_translated_back() -> None:
    assert ACTION.outside("/github/workspace/a.py") == "/srv/work/repo/repo/a.py"


def test_nothing_is_translated_on_the_host() -> None:
    view = paths.host_view(LAYOUT)

    assert view.inside(LAYOUT.temp) == "/srv/work/_temp"


def test_the_folders_belong_to_the_runners_user(work: Path) -> None:
    layout = Layout(work, "repo")
    layout.create(paths.runner_user())

    owner = paths.runner_user() or os.geteuid()
    folders = [layout.home, layout.workflow, layout.file_commands, layout.workspace, layout.temp]
    assert {folder.stat().st_uid for folder in folders} == {owner}


def test_root_runs_a_job_as_1001(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    assert paths.runner_user() == 1001


def test_anybody_else_runs_a_job_as_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1234)

    assert paths.runner_user() is None


def test_a_file_keeps_its_owner_without_a_user_to_give_it_to(tmp_path: Path) -> None:
    paths.give(tmp_path, None)

    assert tmp_path.stat().st_uid == os.geteuid()


def test_a_work_folder_is_gone_afterwards() -> None:
    with work_folder() as folder:
        assert folder.is_dir()

    assert not folder.parent.exists()


def test_a_work_folder_is_gone_with_what_was_closed_in_it(tmp_path: Path) -> None:
    with work_folder() as folder:
        (folder / "closed").mkdir()
        (folder / "closed" / "file").touch()
        (folder / "closed").chmod(0o500)
        (folder / "link").symlink_to(tmp_path)
        mode = tmp_path.stat().st_mode

    assert not folder.parent.exists()
    assert tmp_path.stat().st_mode == mode
