"""The collectors against Debian's Prometheus: its real answers, its history and its own metrics page."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from slo_guard.clock import monotonic, to_unix, utcnow
from slo_guard.collect import COLLECTORS
from slo_guard.domain.readings import Reading
from tests.support.http_sources import Reply, always, http_source

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs Debian's prometheus"),
]
SECONDS_OF_HISTORY = 8


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a Prometheus that scrapes a small service every second, until it has some history."""
    folder = tmp_path_factory.mktemp("prometheus")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    page = b'mission_level{system="a\\"b",tenant="{"} 7\nmission_level{system="fs"} NaN\nmission_total 5\n'
    with http_source(always(Reply(page, 200, {"Content-Type": "text/plain; version=0.0.4"}))) as service:
        target = service.url.removeprefix("http://")
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s}\nscrape_configs:\n"
            f"  - {{job_name: service, static_configs: [{{targets: ['{target}']}}]}}\n"
        )
        command = [
            "prometheus",
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                url = f"http://127.0.0.1:{port}"
                wait_for_history(url, folder / "log")
                yield url
            finally:
                process.terminate()
                process.wait(20)


def wait_for_history(url: str, log: Path) -> None:
    query = {"query": f"count_over_time(mission_total[1m]) >= {SECONDS_OF_HISTORY}"}
    until = monotonic() + 60
    while monotonic() < until:
        try:
            if requests.get(f"{url}/api/v1/query", query, timeout=5).json()["data"]["result"]:
                return
        except (requests.RequestException, ValueError):
            pass
        time.sleep(0.2)
    raise AssertionError(log.read_text())


def readings(collection, indicator: str) -> list[Reading]:
    return [item for item in collection.observations if isinstance(item, Reading) and item.indicator == indicator]


def test_real_answers_and_real_history_are_read(prometheus):
    """Stand-ins only know what their authors knew; this is what Prometheus sends."""
    indicators = [
        {"name": "level", "type": "gauge", "query": "mission_level"},
        {"name": "total", "type": "counter", "query": "sum(mission_total)"},
        {"name": "fixed", "type": "gauge", "query": "scalar(vector(2))"},
        {"name": "spread", "type": "histogram", "unit": "seconds", "query": "prometheus_http_request_duration_seconds_bucket"},
        {"name": "wrong", "type": "gauge", "query": "mission_level * on(job) group_right mission_level"},
    ]  # fmt: skip
    kind = COLLECTORS["prometheus"]
    options = {"name": "prom", "type": "prometheus", "url": prometheus, "interval": "1s", "indicators": indicators}
    now = to_unix(utcnow())
    collector = kind.build(kind.options.model_validate(options), now - 60)

    first = collector.collect(now, None)
    second = collector.collect(now + 1, first.cursor)
    collector.close()

    *history, present = readings(first, "level")
    assert {dict(labels).get("system") for labels in present.frame.index.label_sets} == {'a"b', "fs"}
    assert (present.rejected, present.frame.at) == (1, now)
    assert len(history) >= SECONDS_OF_HISTORY - 2
    times = [each.frame.at for each in history]
    assert times == sorted(times)
    assert times[-1] < now
    assert readings(first, "total")[-1].frame.values.tolist() == [5.0]
    assert readings(first, "fixed")[-1].frame.values.tolist() == [2.0]
    assert [item.reason for item in first.observations if not isinstance(item, Reading)] == ["query_error"]
    assert [len(readings(second, name)) for name in ("level", "total", "fixed")] == [1, 1, 1]


def test_the_page_of_a_real_service_is_read(prometheus):
    """Prometheus's own page has every kind of metric, in OpenMetrics or text as it prefers."""
    indicators = [
        {"name": "spread", "type": "histogram", "unit": "seconds", "metric": "prometheus_http_request_duration_seconds"},
        {"name": "pause", "type": "percentile", "unit": "seconds", "metric": "go_gc_duration_seconds", "where": {"quantile": "1"}},
        {"name": "requests", "type": "counter", "metric": "prometheus_http_requests"},
    ]  # fmt: skip
    kind = COLLECTORS["scrape"]
    options = {"name": "page", "type": "scrape", "url": f"{prometheus}/metrics", "indicators": indicators}
    collector = kind.build(kind.options.model_validate(options), None)

    collection = collector.collect(to_unix(utcnow()), None)
    collector.close()

    assert collection.succeeded
    for reading in collection.observations:
        assert len(reading.frame.index) > 0
        assert reading.rejected == 0
