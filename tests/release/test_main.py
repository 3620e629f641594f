"""tools/release from its command line."""

import subprocess

import pytest
from tests.release.conftest import ROOT, VERSION, Project, built

from release import __main__ as program
from release import programs, registry, rehearsal, steps, updates
from release.registry import Image
from release.versions import Version

IMAGE = Image("ghcr.io/octo-org/py-aws-oidc", "1.0.0", f"sha256:{'a' * 64}")


@pytest.fixture
def run(project: Project, monkeypatch, capsys):
    """Run a command in the project; its exit status and what it printed."""
    monkeypatch.setattr(programs, "ROOT", project.root)
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)

    def run(*arguments: object) -> tuple[int, str]:
        status = program.main([str(one) for one in arguments])
        said = capsys.readouterr()
        return status, said.out + said.err

    return run


def test_the_tool_runs_without_any_package():
    ended = subprocess.run(
        [ROOT / "tools" / "release", "check", "nonsense"],
        env={"PATH": "/usr/bin:/bin:/usr/local/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode in {1, 2}
    assert "'nonsense' is not a version" in ended.stderr


def test_a_version_that_can_be_released_has_its_notes_printed(run, project):
    project.set_version(VERSION)

    assert run("check", "v1.0.0") == (0, "- Something.\n")


def test_an_error_says_what_happened_why_and_what_to_do(run):
    status, said = run("check", "1.0.0")

    assert status == 1
    assert said.startswith("tools/release: src/py_aws_oidc/__init__.py says 0.1.0, not 1.0.0.\nWhy: ")
    assert "\nWhat to do: " in said


def test_a_build_prints_its_digest_and_leaves_the_bills_of_materials(run, tmp_path):
    status, said = run("build", "0.1.0", tmp_path / "out")

    assert status == 0
    assert said.startswith("sha256:")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "oci",
        "sbom-amd64.cdx.json",
        "sbom-arm64.cdx.json",
    }


def test_a_build_with_another_digest_than_expected_fails(run, tmp_path):
    _, digest = run("build", "0.1.0", tmp_path / "one")

    assert run("build", "0.1.0", tmp_path / "two", "--expect", digest.strip())[0] == 0
    assert "has the digest" in run("build", "0.1.0", tmp_path / "three", "--expect", "sha256:0")[1]


def test_a_build_from_a_snapshot_is_asked_of_the_image_tool(run, project, tmp_path):
    tool = project.root / "tools" / "oci-image"
    tool.write_text(tool.read_text().replace("exec", 'echo "$@" >arguments; exec'))
    project.commit()
    run("build", "0.1.0", tmp_path / "out", "--snapshot")

    assert (project.root / "arguments").read_text() == f"{tmp_path / 'out'} --snapshot\n"


def test_a_build_of_another_version_than_the_package_says_fails(run, tmp_path):
    assert "says 0.1.0, not 1.0.0" in run("build", "1.0.0", tmp_path / "out")[1]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", ["tools/oci-image", "src/py_aws_oidc/new.py"])
def test_a_build_with_changes_that_are_not_committed_fails(run, project, tmp_path, path):
    with (project.root / path).open("a") as file:
        file.write("\n")

    assert f"{path}\n" in run("build", "0.1.0", tmp_path / "out")[1]


def test_a_build_does_not_mind_files_that_are_not_in_the_image(run, project, tmp_path):
    (project.root / "new").touch()

    assert run("build", "0.1.0", tmp_path / "out")[0] == 0


@pytest.mark.parametrize("command", [["build", "0.1.0"], ["action", IMAGE]])
def test_a_folder_that_cannot_be_written_is_one_line(run, tmp_path, command):
    (tmp_path / "file").touch()

    status, said = run(*command, tmp_path / "file")

    assert status == 1
    assert said.startswith("tools/release: ")
    assert str(tmp_path / "file") in said
    assert said.count("\n") == 1


def test_a_command_that_is_interrupted_ends_without_a_traceback(run, monkeypatch, tmp_path):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(steps, "build", interrupted)

    assert run("build", "0.1.0", tmp_path) == (130, "")


def test_a_version_that_the_package_does_not_have_is_not_tagged(run, project, tmp_path):
    status, _ = run("tag", "1.0.0", built(tmp_path / "out", IMAGE.name).folder, "--image", IMAGE.name)

    assert status == 1
    assert project.repository.remote_tags() == {}


def test_a_build_never_mixes_with_another(run, tmp_path):
    run("build", "0.1.0", tmp_path / "out")

    assert "is not empty" in run("build", "0.1.0", tmp_path / "out")[1]


@pytest.mark.registry
def test_a_build_is_pushed_signed_and_verified_by_key(run, project, address, key, tmp_path):
    project.set_version(VERSION)
    run("build", "1.0.0", tmp_path / "out")
    image = ("--image", f"{address}/main/py-aws-oidc")
    keys = ("--public-key", key.public, "--key", key.private)

    pushed = run("push", "1.0.0", tmp_path / "out", *image, *keys)
    tagged = run("tag", "1.0.0", tmp_path / "out", *image)
    verified = run("verify", "v1.0.0", "--public-key", key.public)
    quickly = run("verify", "v1.0.0", "--public-key", key.public, "--no-build")

    assert (pushed[0], tagged[0], verified[0], quickly[0]) == (0, 0, 0, 0)
    assert tagged[1].strip() == project.repository.remote_tags()["v1.0.0"]
    assert verified[1].endswith("v1.0.0 is verified, but not the provenance.\n")
    assert quickly[1].endswith("v1.0.0 is verified, but not the build and the provenance.\n")


def test_provenance_is_that_of_the_repository_on_github(run, monkeypatch):
    seen = []
    monkeypatch.setattr(steps, "verify", lambda *given, **more: seen.append((given, more)) or ["fine"])

    assert run("verify", "v1.0.0", "--repository", "octo-org/py-aws-oidc") == (
        0,
        "ok: fine\nv1.0.0 is verified.\n",
    )
    ((_, tag, signer), more) = seen[0]
    assert (tag, signer.repository) == ("v1.0.0", "octo-org/py-aws-oidc")
    assert more == {"build_options": [], "provenance_of": "octo-org/py-aws-oidc"}


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/Octo-Org/py-aws-oidc",
        "https://github.com/Octo-Org/py-aws-oidc.git",
        "git@github.com:Octo-Org/py-aws-oidc.git",
        "ssh://git@github.com/Octo-Org/py-aws-oidc/",
    ],
)
def test_the_repository_is_that_of_the_remote(run, project, tmp_path, monkeypatch, url):
    project.repository.git("remote", "set-url", "origin", url)
    seen = []
    monkeypatch.setattr(steps, "push", lambda release, signer: seen.append((release.name, signer.repository)))

    run("push", "1.0.0", built(tmp_path / "out", "").folder)

    assert seen == [("ghcr.io/octo-org/py-aws-oidc", "Octo-Org/py-aws-oidc")]


@pytest.mark.parametrize(
    "given", [["--repository", "octo-org"], ["--repository", "a b/c"], ["--remote", "nowhere"]]
)
def test_what_names_no_repository_on_github_is_told(run, tmp_path, given):
    assert "Pass --repository OWNER/NAME" in run("push", "1.0.0", tmp_path, *given)[1]


def test_a_name_that_a_registry_does_not_take_is_told(run, project, tmp_path):
    project.set_version(VERSION)
    said = run("tag", "1.0.0", built(tmp_path / "out", "").folder, "--image", "ghcr.io/Octo-Org/name")[1]

    assert "does not name an image" in said


def test_a_remote_elsewhere_does_not_say_the_repository(run, tmp_path):
    assert "is not known" in run("push", "1.0.0", tmp_path)[1]


def test_the_action_of_a_release_can_be_written_before_it_is_published(run, tmp_path):
    assert run("action", IMAGE, tmp_path / "released") == (0, "")

    assert f"  image: docker://{IMAGE}\n" in (tmp_path / "released" / "action.yml").read_text()


def test_the_tag_of_the_major_version_is_rolled_back(run, project, tmp_path):
    for number in ("1.0.0", "1.0.1"):
        project.set_version(Version.parse(number))
        run("tag", number, built(tmp_path / number, IMAGE.name).folder, "--image", IMAGE.name)
        run("rollback", number)

    assert run("rollback", "v1.0.0") == (0, "Moved v1 from v1.0.1 to v1.0.0\n")


@pytest.mark.parametrize(
    ("command", "module", "name"),
    [
        (["pull", str(IMAGE)], registry, "pull"),
        (["publish", "1.0.0", "out", "--repository", "octo-org/py-aws-oidc"], steps, "publish"),
    ],
)
def test_other_commands_are_their_steps(run, monkeypatch, command, module, name):
    seen = []
    monkeypatch.setattr(module, name, lambda *given: seen.append(given))

    assert run(*command) == (0, "")
    assert len(seen) == 1


def test_the_lines_of_a_rehearsal_are_printed(run, monkeypatch):
    monkeypatch.setattr(rehearsal, "rehearse", lambda _, build_again: ["one", f"again: {build_again}"])

    assert run("rehearse", "--no-build") == (0, "one\nagain: False\n")


@pytest.mark.parametrize(
    ("due", "said"),
    [
        ([], (0, "Debian has no other version of any package in the image.\n")),
        (["libc6: newer"], (1, "libc6: newer\n")),
    ],
)
def test_updates_that_are_due_are_the_exit_status(run, monkeypatch, due, said):
    monkeypatch.setattr(updates, "due", lambda _: due)

    assert run("updates") == said


@pytest.mark.parametrize(("missing", "status"), [([], 0), (["skopeo"], 1)])
def test_setup_can_say_what_is_missing_and_install_nothing(run, monkeypatch, missing, status):
    monkeypatch.setattr(programs, "missing", lambda: missing)

    assert run("setup", "--check") == (status, "".join(f"{name} is not installed\n" for name in missing))


def test_setup_says_what_it_installed(run, monkeypatch):
    monkeypatch.setattr(programs, "install", lambda: ["Installed skopeo"])

    assert run("setup") == (0, "Installed skopeo\n")
