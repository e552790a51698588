"""What holds for all tests: in CI a real peer that is missing is a failure, not a skip."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A machine that is busy must not fail a test: speed is measured in benchmarks.
settings.register_profile("slo_guard", deadline=None)
settings.load_profile("slo_guard")

_PEERS_REQUIRED = os.environ.get("SLO_GUARD_REQUIRE_PEERS") == "1"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that share what their module makes in one worker: it is made once, and they find it in their order."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None and _shares_with_its_module(item):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


def _shares_with_its_module(item: pytest.Item) -> bool:
    fixtures = getattr(item, "_fixtureinfo", None)
    made = () if fixtures is None else fixtures.name2fixturedefs.values()
    return any(each.scope == "module" for definitions in made for each in definitions)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Fail a skipped test against a real peer where peers are required."""
    outcome = yield
    report = outcome.get_result()
    if _PEERS_REQUIRED and report.skipped and item.get_closest_marker("peer") is not None:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"SLO_GUARD_REQUIRE_PEERS=1, but this was skipped: {reason}"
