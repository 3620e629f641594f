import os
from pathlib import Path

import pytest

from py_aws_oidc.aws.profiles import ProfilePaths
from py_aws_oidc.export.profile_paths import check, locate
from py_aws_oidc.failure import Failure


def environ(**variables: str) -> dict[str, str]:
    """A container action's environment on GitHub's runner."""
    return {
        "HOME": "/github/home",
        "RUNNER_TEMP": "/github/runner_temp",
        "RUNNER_WORKSPACE": "/srv/work/repo",
        "GITHUB_WORKSPACE": "/github/workspace",
    } | variables


def test_on_githubs_runner_the_host_path_is_exported():
    assert locate(environ()) == ProfilePaths(
        Path("/github/home/.aws/credentials"),
        Path("/github/home/.aws/config"),
        {
            "AWS_SHARED_CREDENTIALS_FILE": "/srv/work/_temp/_github_home/.aws/credentials",
            "AWS_CONFIG_FILE": "/srv/work/_temp/_github_home/.aws/config",
        },
    )


def test_the_host_path_is_found_beside_a_workspace_with_a_slash_at_its_end():
    exported_paths = locate(environ(RUNNER_WORKSPACE="/srv/work/repo/")).exported_paths

    assert exported_paths["AWS_CONFIG_FILE"] == "/srv/work/_temp/_github_home/.aws/config"


def test_elsewhere_the_files_are_in_the_home_and_nothing_is_exported():
    here = {"HOME": "/home/me", "RUNNER_WORKSPACE": "/srv/work/repo"}

    assert locate(here) == ProfilePaths(Path("/home/me/.aws/credentials"), Path("/home/me/.aws/config"), {})


def test_a_variable_that_an_earlier_step_has_exported_is_honored_and_not_exported_again():
    found = locate(environ(AWS_CONFIG_FILE="/github/home/.aws/config"))

    assert found.config == Path("/github/home/.aws/config")
    assert list(found.exported_paths) == ["AWS_SHARED_CREDENTIALS_FILE"]


def test_a_blank_variable_counts_as_unset():
    assert locate(environ(AWS_CONFIG_FILE=" ")) == locate(environ())


@pytest.mark.parametrize("path", ["/github/home/x", "/github/runner_temp/a/b", "//github//home/./x"])
def test_a_file_under_a_mount_can_be_used(path):
    assert locate(environ(AWS_CONFIG_FILE=path)).config == Path(
        os.path.normpath(path[1:] if path[1] == "/" else path)
    )


@pytest.mark.parametrize(
    ("path", "variables"),
    [
        ("/home/runner/.aws/config", {}),
        ("/github/home", {}),
        ("/github/homes/x", {}),
        ("/github/file_commands/x", {}),
        ("/srv/work/_temp/x", {"RUNNER_TEMP": "/srv/work/_temp"}),  # an older runner
        ("/github/runner_temp/x", {"RUNNER_TEMP": ""}),
        ("/home/runner/.aws/config", {"RUNNER_WORKSPACE": ""}),
    ],
)
def test_a_file_that_the_container_cannot_see_is_refused(path, variables):
    with pytest.raises(Failure) as caught:
        locate(environ(AWS_CONFIG_FILE=path, **variables))

    assert (
        caught.value.what
        == f"AWS_CONFIG_FILE names {path}, a file of the host that this action's container cannot see."
    )
    assert "leave AWS_CONFIG_FILE unset" in caught.value.fix


@pytest.mark.parametrize("path", ["config", "~/.aws/config", "./x", " /x", "/github/home/../../etc/x", "/a/$B"])
def test_a_path_that_may_mean_another_file_elsewhere_is_refused(path):
    with pytest.raises(Failure, match="AWS_SHARED_CREDENTIALS_FILE is not a plain absolute path"):
        locate(environ(AWS_SHARED_CREDENTIALS_FILE=path))


@pytest.mark.parametrize(
    "variables",
    [
        environ(AWS_CONFIG_FILE="/github/workspace/x"),
        {"HOME": "/repo", "GITHUB_WORKSPACE": "//repo"},
        {"HOME": "/home/me", "GITHUB_WORKSPACE": "/repo", "AWS_SHARED_CREDENTIALS_FILE": "/repo/x"},
    ],
)
def test_a_file_in_the_workspace_is_refused(variables):
    with pytest.raises(Failure, match="is in the workspace, where no credentials should be"):
        locate(variables)


@pytest.mark.parametrize("home", [{}, {"HOME": ""}, {"HOME": "home"}])
def test_without_a_home_there_is_no_place(home):
    with pytest.raises(Failure, match="There is no place for a profile"):
        locate(home)


@pytest.mark.parametrize("runner", ["ACT", "GITEA_ACTIONS", "FORGEJO_ACTIONS"])
def test_on_a_runner_without_a_shared_home_there_is_a_warning(runner):
    (warning,) = locate({"HOME": "/root", runner: "true"}).warnings

    assert "share no home" in warning
    assert warning.endswith("use output-env-credentials: true.")


def test_a_runner_that_does_not_tell_its_folders_causes_a_warning():
    found = locate(environ(RUNNER_WORKSPACE=""))

    assert not found.exported_paths
    assert "steps outside of containers will not see the profile" in found.warnings[0]


def test_a_link_into_the_workspace_is_the_workspace(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "work")
    variables = {"HOME": str(tmp_path / "home"), "GITHUB_WORKSPACE": str(tmp_path / "work")}

    with pytest.raises(Failure, match="is in the workspace"):
        locate(variables)


@pytest.mark.parametrize("variable", ["GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_PATH"])
@pytest.mark.parametrize("name", ["commands", "hard", "link", "folder/commands"])
def test_a_file_of_the_runner_itself_is_refused(tmp_path, variable, name):
    commands = tmp_path / "commands"
    commands.touch()
    (tmp_path / "hard").hardlink_to(commands)
    (tmp_path / "link").symlink_to(commands)
    (tmp_path / "folder").symlink_to(tmp_path)
    variables = {"HOME": "/home/me", variable: str(commands), "AWS_CONFIG_FILE": str(tmp_path / name)}

    with pytest.raises(Failure, match=f"is the runner's own file {variable}"):
        locate(variables)


def test_a_file_of_the_runner_that_is_not_there_is_refused_by_its_name():
    with pytest.raises(Failure, match="is the runner's own file GITHUB_ENV"):
        locate({"HOME": "/home/me", "GITHUB_ENV": "/nowhere//x", "AWS_CONFIG_FILE": "/nowhere/x"})


def test_the_usual_file_is_refused_too_if_it_is_the_runners_own(tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / "env").touch()
    (tmp_path / ".aws" / "config").hardlink_to(tmp_path / "env")

    with pytest.raises(Failure, match="is the runner's own file GITHUB_ENV"):
        locate({"HOME": str(tmp_path), "GITHUB_ENV": str(tmp_path / "env")})


def test_a_mount_that_leads_elsewhere_by_a_link_is_refused(monkeypatch):
    monkeypatch.setattr(os.path, "realpath", lambda path: str(path).replace("/github/home/link", "/victim"))

    with pytest.raises(Failure, match="this action's container cannot see"):
        locate(environ(AWS_CONFIG_FILE="/github/home/link/config"))


@pytest.mark.parametrize(
    "path",
    ["/github/home/.aws/credentials", "/github/home/.aws/config", "/github/home/x", "/github/runner_temp/a/b"],
)
def test_post_accepts_what_main_accepted_whatever_the_variables_are_now(path):
    check(path, environ(AWS_CONFIG_FILE="/elsewhere", AWS_SHARED_CREDENTIALS_FILE=""))


@pytest.mark.parametrize(
    "path", ["/victim", "/github/workspace/x", "/github/file_commands/x", "/github/home/../../etc/x", "x", "/a/$B"]
)
def test_post_accepts_no_path_that_main_would_not(path):
    with pytest.raises(Failure):
        check(path, environ(AWS_CONFIG_FILE=path))


def test_post_accepts_the_usual_files_of_any_home():
    check("/home/a$b/.aws/config", {"HOME": "/home/a$b"})


@pytest.mark.parametrize("home", [{}, {"HOME": ""}, {"HOME": "relative"}])
def test_without_a_home_post_accepts_what_is_a_plain_path(home):
    check("/home/me/.aws/config", home)
