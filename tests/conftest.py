"""The Docker engine and the image, for the tests that run the action as the runner does."""

import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

from sandbox.runner.engine import Engine, NoEngineError

ROOT = Path(__file__).parent.parent


@cache
def reason_for_no_engine() -> str:
    """Why no engine answers; empty if one does. Asked once for all tests."""
    try:
        Engine.require()
    except NoEngineError as error:
        return f"{error}; tools/engine start starts one"
    return ""


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("container") and (reason := reason_for_no_engine()):
        if os.environ.get("REQUIRE_CONTAINER") == "1":
            pytest.fail(f"REQUIRE_CONTAINER=1, but {reason}", pytrace=False)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine that the tests marked `container` use."""
    return Engine.require()


@pytest.fixture(scope="session")
def image() -> str:
    """The id of the image, built from the tree as it is now."""
    build = subprocess.run([ROOT / "tools" / "image"], stdout=subprocess.PIPE, text=True, check=True)
    return build.stdout.strip()
