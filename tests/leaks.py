"""The check that runs after every test: nothing that the test's runs showed tells one of the test's secrets."""

from collections.abc import Generator

import pytest

from sandbox.leaks import leaks
from sandbox.secrets import take


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call" and report.outcome != "skipped":
        secrets, runs = take()
        folder = getattr(item, "funcargs", {}).get("tmp_path")
        texts = {"what the test printed": report.capstdout + report.capstderr + report.caplog}
        if report.outcome == "failed":
            texts["the exception"] = report.longreprtext
        if found := list(leaks(secrets, runs, folder=folder, texts=texts)):
            said = "\n".join(("Secrets leaked:", *found))
            report.outcome = "failed"
            report.longrepr = f"{report.longreprtext}\n{said}".lstrip()
    elif call.when == "teardown":
        take()
    return report
