"""Lives through a day of the soak mission in this process and prints its footprints as JSON, one every other hour.

Run as ``python -m tests.support.soak.day FOLDER HOURS STEP``: FOLDER is empty, STEP are the minutes between evaluations.
The rules and the config are reloaded each hour, but not in the hours ``UNDISTURBED``: a reload builds all state anew, and
would hide what else grows until the restart.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import requests

from slo_guard.domain.silences import Matcher, NewAcknowledgement, NewSilence
from slo_guard.domain.verdicts import AlertState
from tests.support.soak.footprint import Footprint
from tests.support.soak.mission import HOUR, MINUTE, SPRINT_START, SoakMission, soak_mission
from tests.support.soak.stepped_daemon import SteppedDaemon, stepped_daemon

READS = ("/", "/kpis/latency", "/api/v1/kpis", "/api/v1/alerts", "/api/v1/kpis/latency/explain", "/metrics", "/nowhere")
_PAGE_BYTES = 4096
UNDISTURBED = range(6, 18)
"""The hours in which nothing is read anew but what is refused."""


class SoakDay:
    """One day: what happens at which minute of each hour, beside what goes wrong at the sources."""

    def __init__(self, mission: SoakMission, stepped: SteppedDaemon) -> None:
        self.reloads: list[bool] = []
        self._mission = mission
        self._stepped = stepped
        self._web = requests.Session()

    def live(self, hours: int) -> Iterator[Footprint]:
        """Live for so many hours; yields the footprint at the end of every other one."""
        step = self._mission.step
        for hour in range(hours):
            for minute in range(0, 60, step):
                now = SPRINT_START + hour * HOUR + (minute + step) * MINUTE
                self._mission.advance(now)
                if 45 <= minute < 48:
                    with full_disk():
                        self._stepped.run_until(now)
                else:
                    self._stepped.run_until(now)
                if minute + step in (12, 42):
                    self._read()
                self._happen(minute, now, rebuild=hour not in UNDISTURBED)
            if hour % 2:
                yield Footprint.taken(hour + 1.0, self._mission.store)

    def _happen(self, minute: int, now: float, *, rebuild: bool) -> None:
        mission = self._mission
        if minute == 27:
            matchers = (Matcher("tenant", "tenant-of-1"),)
            silence = NewSilence(matchers=matchers, starts_at=now, ends_at=now + 8 * MINUTE, by="Ana", why="known")
            self._stepped.store.add_silence(silence, now)
        if minute == 33:
            self._acknowledge(now)
        if minute == 48:
            mission.write_rules(broken=True)
            self._reload()
        if minute == 51 and rebuild:
            mission.write_rules("1.2s", extra=True)
            mission.write_config(guest=True)
            self._reload()
        if minute == 54:
            mission.write_rules()
            mission.write_config()
            if rebuild:
                self._reload()

    def _acknowledge(self, now: float) -> None:
        snapshot = self._stepped.daemon._holder.current
        assert snapshot is not None
        firing = [alert for alert in snapshot.alerts.values() if alert.state is AlertState.FIRING]
        for alert in firing[:1]:
            key, until = alert.key, now + 10 * MINUTE
            said = NewAcknowledgement(sprint=key.sprint, kpi=key.kpi, labels=None, until=until, by="Bo", why="on it")
            self._stepped.store.acknowledge(said, now)

    def _read(self) -> None:
        for path in READS:
            answer = self._web.get(self._stepped.daemon.url.rstrip("/") + path, timeout=10)
            assert answer.status_code in {200, 404, 503}, (path, answer.text)

    def _reload(self) -> None:
        self.reloads.append(self._stepped.daemon.reload().ok)


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file of this process be written beyond its first page: writing fails as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (_PAGE_BYTES, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def main() -> None:
    """Live through the day and print what it left."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    folder, hours, step = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    with soak_mission(folder, step) as mission, stepped_daemon(mission.config, SPRINT_START) as stepped:
        day = SoakDay(mission, stepped)
        for footprint in day.live(hours):
            print(json.dumps(asdict(footprint)), flush=True)
        transitions = stepped.store.load_evaluation().last_seq
        page = requests.get(stepped.daemon.url.rstrip("/") + "/metrics", timeout=10).text
    said = {"reloads": day.reloads, "delivered": mission.delivered, "transitions": transitions}
    wanted = (
        "slo_guard_job_errors_total{",
        "slo_guard_notifications_total{",
        "slo_guard_evaluations_",
        "slo_guard_coll",
    )
    said["metrics"] = [line for line in page.splitlines() if line.startswith(wanted) and "_bucket" not in line]
    print(json.dumps(said))


if __name__ == "__main__":
    main()
