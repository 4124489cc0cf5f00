"""What a failure says beside its own words: how to draw the same again."""

import pytest

from seed import SEED


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    if report.failed:
        command = f"GTEST_RANDOM_SEED={SEED} .venv/bin/python -m pytest '{item.nodeid}'"
        report.sections.append(("the same draws again", command))
