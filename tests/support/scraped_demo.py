"""The demo's own daemon, scraped by a real Prometheus: what dashboards and alerting rules are asked of.

The tests of a module that name ``scraped_demo`` share one: mark them with :data:`SCRAPED_DEMO`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from slo_guard.clock import to_unix, utcnow
from slo_guard.demo.room import DemoRoom
from slo_guard.loaded import load_files
from tests.support.daemon import Daemon, eventually
from tests.support.prometheus_server import PrometheusServer, free_port, running_prometheus

SCRAPED_DEMO = (
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed (Debian: prometheus)"),
)
"""``pytestmark = [*SCRAPED_DEMO]``: needs the peer, and all of them run in one worker, over one demo."""

JOB = "slo_guard"
"""The scrape job's name, as deploy's prometheus.yml has it."""

_ALREADY_SECONDS = 252.0
"""How long the demo's story has been going on when the daemon starts: late enough for tenants to be live, and some
seconds before packets come in, whose source tells no past. By then every KPI of every lane has a value."""

_PATIENCE_SECONDS = 240.0
"""On a machine so busy that the packets are missed, they come again with the story's next round of three minutes."""

_SCRAPES = 8
"""How often everything was scraped before anything is asked: rate() needs two samples in whatever window it has."""


@dataclass(frozen=True, slots=True)
class ScrapedDemo:
    """The Prometheus that scrapes the demo every second, the demo's page, and where its files are."""

    prometheus: PrometheusServer
    daemon_url: str
    folder: Path


@pytest.fixture(scope="module")
def scraped_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScrapedDemo]:
    """Run the demo with its faults as its user does, and go on once every KPI was judged and scraped a few times."""
    folder, port = tmp_path_factory.mktemp("scraped-demo"), free_port()
    with (
        DemoRoom(lambda _: None, _clock_of_a_room_that_opened_before(), port=port) as room,
        Daemon(room.config_path) as daemon,
        running_prometheus(folder, {JOB: f"127.0.0.1:{port}"}) as prometheus,
    ):
        daemon.start().wait_ready(_PATIENCE_SECONDS)
        kpis = len(load_files(room.config_path).plan.kpis) - 1  # the one that is built in has no series
        judged = f'count(count_over_time(slo_guard_kpi_verdict{{verdict="met"}}[1h]) >= {_SCRAPES})'
        eventually(
            lambda: prometheus.query(judged)[0][1] == kpis,
            _PATIENCE_SECONDS,
            what=f"all {kpis} KPIs were scraped",
            every=0.25,
        )
        valued = "count(count by (kpi) (last_over_time(slo_guard_kpi_value[1h])))"
        eventually(
            lambda: prometheus.query(valued)[0][1] == kpis,
            _PATIENCE_SECONDS,
            what=f"all {kpis} KPIs had a value",
            every=0.25,
        )
        yield ScrapedDemo(prometheus, daemon.url, room.folder)


def _clock_of_a_room_that_opened_before() -> Callable[[], float]:
    """Return a clock that is behind when the room opens, where its story begins, and right ever after."""
    opened = False

    def clock() -> float:
        nonlocal opened
        behind, opened = (0.0 if opened else _ALREADY_SECONDS), True
        return to_unix(utcnow()) - behind

    return clock
