import json

import pytest
from tests.export.conftest import FILES, apply, prepare, runner_files, written

from py_aws_oidc.export import handover
from py_aws_oidc.export.handover import STATES
from py_aws_oidc.export.target import NOTHING
from py_aws_oidc.failure import Failure
from py_aws_oidc.github.files import AllOrNothing
from py_aws_oidc.secret import Secret

EVERYTHING = {
    "aws_profile": "dev",
    "output_credentials": "true",
    "output_env_credentials": "true",
    "overwrite_aws_profile": "true",
}


def test_all_files_of_the_runner_are_written(tmp_path):
    apply(runner_files(tmp_path, *FILES))

    assert written(tmp_path, "GITHUB_ENV")["AWS_ACCESS_KEY_ID"] == "ASIAKEY"
    assert written(tmp_path, "GITHUB_OUTPUT")["aws-account-id"] == "123456789012"
    assert set(written(tmp_path, "GITHUB_STATE")) == set(STATES)


def test_what_undoes_is_written_first_and_the_variables_last(tmp_path, monkeypatch):
    environ = runner_files(tmp_path, *FILES)
    order = []
    append = AllOrNothing.append

    def noting(self, file, entries) -> None:
        order.append((file.variable, (tmp_path / ".aws" / "credentials").exists()))
        append(self, file, entries)

    monkeypatch.setattr(AllOrNothing, "append", noting)

    apply(environ, **EVERYTHING)

    assert order == [("GITHUB_STATE", False), ("GITHUB_OUTPUT", True), ("GITHUB_ENV", True)]


@pytest.mark.parametrize("missing", FILES)
def test_when_one_file_cannot_be_opened_none_is_written(tmp_path, missing):
    environ = runner_files(tmp_path, *FILES) | {missing: str(tmp_path / "nowhere")}

    with pytest.raises(Failure, match=missing):
        apply(environ, **EVERYTHING)

    assert [(tmp_path / name).read_text() for name in FILES] == ["BEFORE=1\n"] * 3
    assert not (tmp_path / ".aws").exists()


@pytest.mark.parametrize("full", FILES)
def test_when_one_file_cannot_be_written_the_others_become_what_they_were(tmp_path, monkeypatch, full):
    environ = runner_files(tmp_path, *FILES)
    append = AllOrNothing.append

    def failing(self, file, entries) -> None:
        append(self, file, entries)
        if file.variable == full:
            raise Failure("No space.", name="test", why="full", fix="wait")

    monkeypatch.setattr(AllOrNothing, "append", failing)

    with pytest.raises(Failure, match=r"No space"):
        apply(environ, **EVERYTHING)

    assert [(tmp_path / name).read_text() for name in FILES] == ["BEFORE=1\n"] * 3
    assert not (tmp_path / ".aws").exists()


@pytest.mark.parametrize("missing", ["GITHUB_ENV", "GITHUB_OUTPUT"])
def test_a_file_that_is_not_named_is_an_error_before_anything_is_written(tmp_path, missing):
    environ = runner_files(tmp_path, *FILES)
    del environ[missing]

    with pytest.raises(Failure, match=f"{missing} is missing"):
        apply(environ, **EVERYTHING)

    assert [(tmp_path / name).read_text() for name in FILES] == ["BEFORE=1\n"] * 3
    assert not (tmp_path / ".aws").exists()


def test_a_runner_without_state_is_supported(tmp_path):
    apply(runner_files(tmp_path, "GITHUB_ENV", "GITHUB_OUTPUT"))

    assert written(tmp_path, "GITHUB_ENV")


def test_a_run_that_exports_no_variables_needs_no_environment_file(tmp_path):
    apply(runner_files(tmp_path, "GITHUB_OUTPUT", "GITHUB_STATE"), output_env_credentials="false")

    assert written(tmp_path, "GITHUB_OUTPUT")


def test_a_step_that_has_nothing_to_undo_saves_states_that_say_so(tmp_path):
    apply(runner_files(tmp_path, *FILES), output_env_credentials="false")

    assert written(tmp_path, "GITHUB_STATE") == dict.fromkeys(STATES, NOTHING)


def test_names_of_states_are_the_same_in_capital_letters():
    assert list(STATES) == [name.upper() for name in STATES]


@pytest.mark.parametrize("value", ["old/secret", 'o"l\\d', "caf\xe9-1", "a\tb1"])
def test_the_state_that_the_runner_may_show_has_no_secret_that_is_not_masked(tmp_path, value):
    environ = runner_files(tmp_path, *FILES) | {"AWS_SECRET_ACCESS_KEY": f"env-{value}"}
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(f"[dev]\naws_secret_access_key: {value}\n# old {value}\n")
    masked: list[Secret] = []

    handover.apply(prepare(environ, **EVERYTHING), environ, masked.append)

    shown = (tmp_path / "GITHUB_STATE").read_text()
    assert len(masked) == len(set(masked))
    for mask in sorted(masked, key=lambda mask: len(mask.reveal()), reverse=True):
        shown = shown.replace(mask.reveal(), "***")
    assert value not in shown
    assert json.dumps(value)[1:-1] not in shown


def test_all_masks_come_before_the_state(tmp_path):
    environ = runner_files(tmp_path, *FILES)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text("[dev]\naws_secret_access_key: old-secret\n")
    states: list[str] = []

    handover.apply(
        prepare(environ, **EVERYTHING), environ, lambda _: states.append((tmp_path / "GITHUB_STATE").read_text())
    )

    assert set(states) == {"BEFORE=1\n"}
