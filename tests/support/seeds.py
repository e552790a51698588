"""The seed of a run of random tests: printed, and taken from ``SLO_GUARD_SEED`` to run the same again."""

from __future__ import annotations

import os
import secrets

import pytest

SEED = int(os.environ.get("SLO_GUARD_SEED") or secrets.randbelow(2**32))


@pytest.fixture(scope="session", autouse=True)
def announce_seed(request: pytest.FixtureRequest) -> None:
    """Print the seed once a run; import this fixture into a test module to have it there."""
    reporter = request.config.pluginmanager.getplugin("terminalreporter")
    capture = request.config.pluginmanager.getplugin("capturemanager")
    if reporter is None or capture is None:
        return
    with capture.global_and_fixture_disabled():
        reporter.ensure_newline()
        reporter.write_line(f"random tests: to run these again, set SLO_GUARD_SEED={SEED}")
