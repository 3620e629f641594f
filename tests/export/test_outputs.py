import pytest
from tests.export.conftest import ARN, FILES, KEPT, LONG_LIVED, apply, runner_files, written


@pytest.fixture
def outputs(tmp_path):
    """Carry out the exports of a run; its outputs."""

    def of(**options) -> dict[str, str]:
        apply(runner_files(tmp_path, *FILES), **options)
        return written(tmp_path, "GITHUB_OUTPUT")

    return of


@pytest.mark.parametrize("to_environment", ["true", "false"])
def test_account_arn_and_expiration_are_outputs_in_every_mode(outputs, to_environment):
    assert outputs(output_env_credentials=to_environment) == {
        "aws-account-id": "123456789012",
        "authenticated-arn": ARN,
        "aws-expiration": "2026-11-23T13:00:00Z",
    }


def test_an_expiration_that_is_not_known_is_no_output(outputs):
    assert "aws-expiration" not in outputs(credentials=LONG_LIVED)


def test_credentials_are_outputs_only_when_asked_for(outputs):
    keys = {
        "aws-access-key-id": "ASIAKEY",
        "aws-secret-access-key": "secret/key+",
        "aws-session-token": "token==",
    }

    assert outputs(output_credentials="true").items() >= keys.items()


@pytest.mark.parametrize("session", [{"is_new": False}, KEPT], ids=str)
def test_credentials_that_the_job_has_already_are_no_outputs(outputs, session):
    assert "aws-access-key-id" not in outputs(session=session, output_credentials="true")
