"""A day of the daemon with a bad hour every hour: what it holds after it has warmed up it holds in the evening.

The real daemon, its store, its HTTP server, sources and receivers, in simulated time in a process of its own. Within each
hour sources answer 500, 404, HTML, or nothing at all, tenants and pods come and go, files rotate, receivers are busy, fail
and refuse for good, the disk is full, somebody silences and acknowledges, rule files are broken, and people read pages.

``SLO_GUARD_SOAK_STEP=1`` evaluates each minute instead of every third (a few minutes of CPU); the numbers are in the output.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.soak.footprint import Footprint, Growth, growths

ROOT = Path(__file__).parents[2]
STEP = os.environ.get("SLO_GUARD_SOAK_STEP", "3")
WARM, RELOADS_AGAIN, EVENING = 6, 18, 24

SLACK = {
    "rss": 8 * 2**20,
    "blocks": 20_000,
    "arrays": 800_000,
    "threads": 4,
    "handles": 6,
    "store": 400_000,
}
"""By so much each may grow in twelve hours by its slope. Half of it, and more, is what churned pods make of it between two
forgettings: with the pods remembered it was 90,000 blocks of memory and 2.3 MB of arrays."""

KEPT_FOR_GOOD = {"objects of slo_guard.domain.rule_changes.RuleChange"}
"""What people did to the rules of a running sprint is never forgotten; it is little."""


@dataclass(frozen=True)
class Day:
    """What was measured, and what became of the day."""

    footprints: list[Footprint]
    told: dict[str, Any]

    def between(self, first: int, last: int) -> list[Footprint]:
        return [each for each in self.footprints if first <= each.hour <= last]

    def metric(self, name: str, **labels: str) -> float:
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        lines = [
            line for line in self.told["metrics"] if line.startswith(name) and all(each in line for each in wanted)
        ]
        return sum(float(line.rpartition(" ")[2]) for line in lines)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    folder = tmp_path_factory.mktemp("soak")
    found = subprocess.run(
        [sys.executable, "-m", "tests.support.soak.day", str(folder), str(EVENING), STEP],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr[-3000:]
    *rows, last = map(json.loads, found.stdout.splitlines())
    footprints = [Footprint(**row) for row in rows]
    for each in footprints:
        print(
            f"{each.hour:>4.0f} h: {each.rss / 2**20:.1f} MiB, {each.blocks:,} blocks, {each.arrays:,} bytes of arrays,"
            f" {each.threads} threads, {each.handles} handles, store {each.store / 2**20:.2f} MiB"
        )
    return Day(footprints, last)


def too_much(grown: dict[str, Growth]) -> list[str]:
    """Return what grew by more than its slack; of objects of one type a hundred, or a fiftieth, are noise."""
    found = []
    for name, each in grown.items():
        slack = SLACK.get(name, max(100.0, each.first / 50))
        if name not in KEPT_FOR_GOOD and each.grown > slack:
            found.append(f"{each}, slack {slack:,.0f}")
    return found


def test_nothing_grows_in_twelve_hours_of_faults(day: Day) -> None:
    """A daemon that grows is killed on a Sunday; nobody restarts it for its memory."""
    assert too_much(growths(day.between(WARM, RELOADS_AGAIN))) == []


def test_nothing_grows_when_the_files_are_read_again_each_hour(day: Day) -> None:
    """A reload puts all that was built in the place of what ran; what it leaves behind would add up."""
    assert too_much(growths(day.between(RELOADS_AGAIN, EVENING))) == []


def test_the_day_was_as_bad_as_it_was_meant_to_be(day: Day) -> None:
    """Flat lines of a daemon that does nothing prove nothing."""
    reloads = day.told["reloads"]

    assert (reloads.count(True), reloads.count(False)) == (2 * (EVENING - 12), EVENING)
    assert day.told["delivered"] > 10 * EVENING
    assert day.told["transitions"] > 10 * EVENING
    assert day.metric("slo_guard_notifications_total", outcome="retry") >= EVENING
    assert day.metric("slo_guard_notifications_total", outcome="dead") >= EVENING / 4
    assert day.metric("slo_guard_job_errors_total", job="collect") >= EVENING, "the disk was full"
    assert day.metric("slo_guard_job_errors_total", job="store") >= EVENING
    assert day.metric("slo_guard_job_errors_total", job="evaluate") == 0
    assert day.metric("slo_guard_evaluations_missed_total") == 0
