"""The demo's sprint as Prometheus would have scraped it, written into its store: what a dashboard shows in mid-sprint."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slo_guard.cli.demo_speed import shipped_sprint
from slo_guard.demo.sprint_room import SprintRoom
from slo_guard.demo.stepper import Step
from slo_guard.domain.notifications import DeliveryOutcome
from slo_guard.domain.verdicts import VerdictFrame
from slo_guard.expose.own_metrics import OwnMetrics
from slo_guard.expose.render import KpiRenderer
from slo_guard.loaded import Loaded, load_files
from slo_guard.stepped import stepping
from tests.support.prometheus_server import PrometheusServer, running_prometheus

_SAMPLE = re.compile(rb"^(slo_guard_\S.*|process_\S.*)$", re.MULTILINE)
_TARGET = b'job="slo_guard",instance="slo-guard:9469"'


class ScrapedSprint:
    """Writes the metrics page of each step, its samples with their time, as promtool reads it."""

    def __init__(self, loaded: Loaded, file: Path) -> None:
        self._plan = loaded.plan
        self._file = file.open("wb")
        self._renderer, self._own = KpiRenderer(), OwnMetrics()
        self._frames: dict[tuple[str, str], VerdictFrame] = {}
        receivers = [options.name for options in loaded.config.receivers]
        self._receiver = receivers[0]
        self._own.expect([options.name for options in loaded.config.collectors], receivers)
        self._own.reloaded(True)

    def add(self, step: Step, evaluation_seconds: float) -> None:
        """Write the page as it stood after ``step``."""
        found = step.evaluation
        self._frames |= {(frame.kpi.sprint, frame.kpi.id): frame for frame in found.verdicts}
        for collection in step.collections:
            self._own.collected(collection.collector, 0.0, collection.succeeded, step.at)
        for _ in range(step.delivered):
            self._own.notified(self._receiver, DeliveryOutcome.DELIVERED)
        self._own.evaluated(evaluation_seconds)
        frames = [frame for frame in self._frames.values() if frame.kpi.id != "slo_guard_collector_up"]
        kpis = bytes(
            self._renderer.render(
                frames, found.state.alerts, self._plan.kpis, found.burn_alarm_seconds, self._plan.sprints.values()
            )
        )
        for line in _SAMPLE.findall(kpis + self._own.render()):
            self._file.write(b"%b %.3f\n" % (_with_target(line), step.at))

    def close(self) -> None:
        """End the file as OpenMetrics wants it."""
        self._file.write(b"# EOF\n")
        self._file.close()


def _with_target(line: bytes) -> bytes:
    series, _, number = line.rpartition(b" ")
    # A label of the page's own that the scrape needs moves aside, as Prometheus moves it.
    series = series.replace(b'{job="', b'{exported_job="')
    if series.endswith(b"}"):
        return b"%b,%b} %b" % (series[:-1], _TARGET, number)
    return b"%b{%b} %b" % (series, _TARGET, number)


@contextmanager
def prometheus_with_sprint(folder: Path, step_seconds: float, days: float) -> Iterator[tuple[PrometheusServer, float]]:
    """Run a Prometheus that holds the first ``days`` of the demo's sprint; yields it, and the last step's time."""
    sprint, at = shipped_sprint(), 0.0
    with SprintRoom(folder / "room", sprint, step_seconds, lambda _: None) as room:
        loaded = load_files(room.config_path)
        pages = ScrapedSprint(loaded, folder / "pages.om")
        with stepping(loaded, room.clock) as stepper:
            for at in stepper.steps(sprint.start_at + days * 86400.0):
                room.advance(at)
                before = stepper.seconds_spent["evaluate"]
                step = stepper.step(at)
                pages.add(step, stepper.seconds_spent["evaluate"] - before)
        pages.close()
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", "--max-block-duration=336h"]
    subprocess.run([*command, str(folder / "pages.om"), str(folder / "prometheus" / "data")], check=True)
    with running_prometheus(folder / "prometheus", {}) as prometheus:
        yield prometheus, at
