"""The daemon as a whole within this process: reloads, a full disk, sources that hang, a clock that is set back."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from apscheduler.schedulers import base as apscheduler_base

from slo_guard.app import Daemon
from slo_guard.clock import utcnow
from slo_guard.collect import COLLECTORS, CollectorOptions, CollectorType
from slo_guard.domain.ports import Store
from slo_guard.domain.readings import Collection, IndicatorSpec, IndicatorType
from slo_guard.store import open_store
from tests.support.daemon import eventually
from tests.support.fake_collector import FakeCollector
from tests.support.flaky_store import FlakyStore
from tests.support.http_sources import hangs
from tests.support.mission_sources import MissionSources
from tests.support.said import logging_put_back
from tests.support.small_mission import gauge_kpi, scrape, webhook, write_config, write_rules
from tests.support.webhook_stand_in import WebhookStandIn

FINE, BAD = 0.5, 7.0


class House:
    """A daemon in a folder, and what is around it."""

    def __init__(self, folder: Path, sources: MissionSources, hook: WebhookStandIn, stack: ExitStack) -> None:
        self.folder = folder
        self.sources = sources
        self.hook = hook
        self._stack = stack
        self.store: FlakyStore | None = None

    def write(self, *collectors: dict[str, Any], kpis: tuple[str, ...] = ("load",), **sections: Any) -> Path:
        write_rules(self.folder, [gauge_kpi(name) for name in kpis])
        found = collectors or (scrape("page", self.sources.url("page"), "load"),)
        return write_config(self.folder, found, [webhook(self.hook.url)], log={"level": "error"}, **sections)

    def daemon(self, config: Path, clock: Callable[[], dt.datetime] = utcnow) -> Daemon:
        """Start a daemon that is stopped at the end."""

        def opening(path: Path, **options: Any) -> FlakyStore:
            self.store = FlakyStore(open_store(path, **options), refused=frozenset({"save_evaluation"}))
            return self.store

        made = Daemon(config, clock, opening)  # type: ignore[arg-type]
        self._stack.callback(made.stop)
        made.start()
        return made


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with ExitStack() as stack:
        stack.enter_context(logging_put_back())
        sources = stack.enter_context(MissionSources(page={"load": "load"}))
        hook = stack.enter_context(WebhookStandIn())
        sources.past("load", FINE)
        yield House(tmp_path, sources, hook, stack)


def series(daemon: Daemon, kpi: str) -> dict[str, Any]:
    answer = requests.get(f"{daemon.url}/api/v1/kpis/{kpi}", timeout=5)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()["series"][0]
    return found


def verdict(daemon: Daemon, kpi: str) -> tuple[str, str]:
    found = series(daemon, kpi)
    return found["verdict"], found["reason"]


def metric(daemon: Daemon, start: str) -> float:
    lines = requests.get(f"{daemon.url}/metrics", timeout=5).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(start))


def test_a_reload_waits_for_evaluations_that_cannot_be_stored_yet(house: House):
    """A state restored without them would give the numbers of their transitions a second time, and lose the first."""
    daemon = house.daemon(house.write())
    eventually(lambda: verdict(daemon, "load")[0] == "met")
    assert house.store is not None
    house.store.full = True
    house.sources.set("load", BAD)
    eventually(lambda: verdict(daemon, "load")[0] == "missed")

    refused = daemon.reload()
    house.store.full = False
    accepted = daemon.reload()
    house.sources.set("load", FINE)
    eventually(lambda: len(house.hook.accepted) == 2)
    store: Store = house.store  # type: ignore[assignment]

    assert (refused.ok, refused.message) == (
        False,
        "the last evaluations cannot be stored yet; make room, and reload again",
    )
    assert accepted.ok
    assert [(each.seq, each.to_state.label) for each in store.transitions()] == [(1, "firing"), (2, "inactive")]


def test_what_is_awaited_is_awaited_over_a_reload(house: House):
    """A reload ends no first collection: without it every KPI of a slow source would page as no_data."""
    house.sources.break_door("page", hangs)
    daemon = house.daemon(house.write())
    eventually(lambda: verdict(daemon, "load")[1] == "awaiting_first_collection")

    outcome = daemon.reload()
    evaluated = metric(daemon, "slo_guard_evaluation_duration_seconds_count")
    eventually(lambda: metric(daemon, "slo_guard_evaluation_duration_seconds_count") >= evaluated + 2)

    assert outcome.ok
    assert verdict(daemon, "load")[1] == "awaiting_first_collection"
    assert requests.get(f"{daemon.url}/api/v1/alerts", timeout=5).json()["alerts"] == []


def test_a_reload_names_what_only_a_restart_applies_until_that_restart(house: House):
    """Whoever changed the port believes that it is changed: also when another reload came in between."""
    daemon = house.daemon(house.write())
    house.write(server={"port": 1}, store={"path": "other.db"})

    messages = [daemon.reload().message, daemon.reload().message]

    assert messages == ["reloaded: 1 KPI; restart to apply server, store"] * 2


def test_a_reload_before_the_start_is_over_says_so(house: House):
    """`POST /-/reload` is answered as soon as the port is open."""
    daemon = Daemon(house.write())

    outcome = daemon.reload()

    assert not outcome.ok
    assert "still starting" in outcome.message


class OddOptions(CollectorOptions):
    """Options of the collectors below."""

    timeout: float = 0.1
    indicators: tuple[str, ...] = ()

    def specs(self) -> tuple[IndicatorSpec, ...]:
        return tuple(IndicatorSpec(name, IndicatorType.GAUGE, "", self.name) for name in self.indicators)


class HangingCollector(FakeCollector):
    """Comes back only when it is released."""

    released = threading.Event()

    def collect(self, now: float, cursor: str | None) -> Collection:
        self.released.wait(60)
        return super().collect(now, cursor)


def odd(kind: str, *indicators: str) -> dict[str, Any]:
    return {"name": "odd", "type": kind, "interval": "1s", "indicators": list(indicators)}


def test_a_reload_that_fails_in_a_way_nobody_expected_leaves_all_running(
    house: House, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    """A mistake in a file must never end the guard, not even one that only a bug makes possible."""

    def broken(_options: Any, _history_from: float | None) -> FakeCollector:
        raise ZeroDivisionError("a bug")

    monkeypatch.setitem(COLLECTORS, "broken", CollectorType(OddOptions, broken))  # type: ignore[arg-type]
    config = house.write()
    daemon = house.daemon(config)
    eventually(lambda: verdict(daemon, "load")[0] == "met")
    house.write(scrape("page", house.sources.url("page"), "load"), odd("broken"))

    answer = requests.post(f"{daemon.url}/-/reload", timeout=10)
    house.sources.set("load", BAD)
    eventually(lambda: verdict(daemon, "load")[0] == "missed")

    assert answer.status_code == 400
    assert "ZeroDivisionError" in answer.text
    assert metric(daemon, "slo_guard_config_last_reload_successful") == 0
    log = capfd.readouterr().err
    assert (log.count("reload_failed"), log.count("ZeroDivisionError: a bug")) == (1, 1)


def test_a_source_that_hangs_is_down_and_its_kpis_say_so(house: House, monkeypatch: pytest.MonkeyPatch):
    """Silence is never green: what does not come back is a failure, not something still to be awaited."""
    monkeypatch.setitem(
        COLLECTORS,  # type: ignore[arg-type]
        "hanging",
        CollectorType(OddOptions, lambda options, _: HangingCollector(options.name, {"stuck": {(): FINE}})),
    )
    config = house.write(odd("hanging", "stuck"), kpis=("stuck",))
    daemon = house.daemon(config)
    eventually(lambda: verdict(daemon, "stuck")[1] == "awaiting_first_collection")

    failed = eventually(lambda: verdict(daemon, "stuck") == ("no_data", "source_failed"))
    up = metric(daemon, 'slo_guard_collector_up{collector="odd"}')
    HangingCollector.released.set()
    eventually(lambda: verdict(daemon, "stuck")[0] == "met")

    assert failed
    assert up == 0
    assert metric(daemon, 'slo_guard_collector_up{collector="odd"}') == 1


def test_the_daemon_goes_on_when_the_clock_is_set_back(house: House, monkeypatch: pytest.MonkeyPatch):
    """Set back an hour it collected, judged and sent nothing for that hour."""
    offset = dt.timedelta()

    class WallClock:
        @staticmethod
        def now(zone: dt.tzinfo | None = dt.UTC) -> dt.datetime:
            return dt.datetime.now(zone) + offset  # noqa: TID251 - stands for the clock that is set

    monkeypatch.setattr(apscheduler_base, "datetime", WallClock)
    daemon = house.daemon(house.write(), WallClock.now)
    eventually(lambda: verdict(daemon, "load")[0] == "met")

    offset = dt.timedelta(minutes=-5)
    collected = metric(daemon, "slo_guard_collection_duration_seconds_count")
    eventually(lambda: metric(daemon, "slo_guard_collection_duration_seconds_count") > collected + 2, 15)
    eventually(lambda: metric(daemon, "slo_guard_evaluations_skipped_total") > 1, 15)
    kept = verdict(daemon, "load")
    offset = dt.timedelta(seconds=2)
    house.sources.set("load", BAD)
    eventually(lambda: verdict(daemon, "load")[0] == "missed", 15)

    assert kept[0] == "met"
    assert house.hook.wait_for(lambda accepted: len(accepted) == 1)
