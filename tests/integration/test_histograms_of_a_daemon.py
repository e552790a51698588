"""A daemon that scrapes a service's histogram: from its page to the verdict that a user reads, and over a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from slo_guard.app import Daemon
from slo_guard.clock import utcnow
from slo_guard.store import open_store
from tests.support.daemon import eventually
from tests.support.http_sources import HttpSource, Reply, Request, http_source
from tests.support.said import logging_put_back
from tests.support.small_mission import gauge_kpi, write_config, write_rules

METRIC = "checkout_seconds"


class _Service:
    """Takes 20 requests a scrape on each of two pods, half of them within 0.1s, half within 1s; one pod writes 1.0."""

    def __init__(self) -> None:
        self.scrapes = 0

    def page(self, _request: Request) -> Reply:
        self.scrapes += 1
        lines = [f"# TYPE {METRIC} histogram"]
        for pod, one in (("a", "1"), ("b", "1.0")):
            counts = {"0.1": 10 * self.scrapes, one: 20 * self.scrapes, "+Inf": 20 * self.scrapes}
            lines += [f'{METRIC}_bucket{{pod="{pod}",le="{bound}"}} {count}' for bound, count in counts.items()]
            lines += [
                f'{METRIC}_sum{{pod="{pod}"}} {9 * self.scrapes}',
                f'{METRIC}_count{{pod="{pod}"}} {counts["+Inf"]}',
            ]
        return Reply("\n".join([*lines, ""]).encode())


def _config(folder: Path, url: str) -> Path:
    fields = {"indicator": METRIC, "no_data": {"after": "10s"}}
    write_rules(
        folder,
        [
            gauge_kpi("p75", **fields, measure="p75 over 1h", objective={"at_most": "500ms"}),
            gauge_kpi("by_pod", **fields, measure="median over 1h", by=["pod"], objective={"at_most": "500ms"}),
        ],
    )
    indicator = {"name": METRIC, "type": "histogram", "metric": METRIC, "unit": "seconds"}
    collector = {
        "name": "checkout",
        "type": "scrape",
        "url": f"{url}/metrics",
        "interval": "1s",
        "indicators": [indicator],
    }
    return write_config(folder, [collector], log={"level": "error"})


def _series(daemon: Daemon, kpi: str) -> list[dict[str, Any]]:
    answer = requests.get(f"{daemon.url}/api/v1/kpis/{kpi}", timeout=5)
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()["series"]
    return found


@pytest.fixture
def source() -> Any:
    with logging_put_back(), http_source(_Service().page) as running:
        yield running


def test_a_scraped_histogram_is_judged_and_goes_on_over_a_restart(source: HttpSource, tmp_path: Path):
    """A p95 straight from the service's page, without a Prometheus between; a deployment of slo_guard loses nothing of it."""
    config = _config(tmp_path, source.url)

    def judged(daemon: Daemon) -> dict[str, Any]:
        (found,) = _series(daemon, "p75")
        assert found["verdict"] == "missed", found
        return found

    daemon = Daemon(config, utcnow, open_store)
    daemon.start()
    try:
        before = eventually(lambda: judged(daemon), what="a p75 of the page's buckets")
        pods = [each["value"] for each in _series(daemon, "by_pod")]
    finally:
        daemon.stop()
    again = Daemon(config, utcnow, open_store)
    again.start()
    try:
        after = eventually(lambda: judged(again), what="the same after a restart")
    finally:
        again.stop()

    assert before["value"] == after["value"] == pytest.approx(0.55)
    assert pods == pytest.approx([0.1, 0.1])
    assert before["samples"] % 40 == 0
    assert after["samples"] >= before["samples"] > 0
