"""``slo-guard backtest`` on two weeks of real request latencies, against plain loops that share no code with it.

The recording has one sample each 5 minutes and a hole of 64 minutes where American clocks went forward, behind which
twelve samples bear one instant. Of such repeats the first one counts.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.shared

REPOSITORY = Path(__file__).resolve().parents[2]
RECORDING = REPOSITORY.parent / "shared" / "data" / "ec2_request_latency_system_failure.csv"
STEP = 120
NO_DATA_AFTER = 12 * 60

SPRINT = {
    "version": 1,
    "sprint": "recorded",
    "title": "A recorded sprint",
    "timezone": "UTC",
    "start": "2014-03-07",
    "end": "2014-03-21",
}


@dataclass(frozen=True)
class Rule:
    """One KPI; durations in minutes. ``hold_for`` matters for ``then: hold`` only."""

    kpi: str
    at_most: float
    resolve: float | None
    wait: int
    keep: int
    then: str
    hold_for: int = 60

    def entry(self) -> dict[str, object]:
        """Return the KPI as a rule file has it."""
        no_data = {"after": f"{NO_DATA_AFTER}s", "then": self.then} | (
            {"hold_for": f"{self.hold_for}m"} if self.then == "hold" else {}
        )
        entry: dict[str, object] = {
            "kpi": self.kpi,
            "indicator": "request_latency",
            "type": "gauge",
            "measure": "last",
            "objective": {"at_most": self.at_most},
            "for": f"{self.wait}m",
            "keep_firing_for": f"{self.keep}m",
            "no_data": no_data,
        }
        return entry if self.resolve is None else entry | {"resolve": {"at_most": self.resolve}}


RULES = [
    Rule("with_everything", 49, 46, 2, 10, "alert"),
    Rule("without_resolve", 48, None, 4, 0, "ok"),
    Rule("held", 49, 42, 0, 0, "hold", hold_for=20),
    Rule("held_throughout", 50, 45, 3, 25, "hold"),
    Rule("two_samples_long", 48, 47.5, 7, 3, "alert"),
]

Transition = tuple[float, str, str]
Interval = tuple[float, float | None]


@pytest.fixture(scope="module")
def recording() -> list[tuple[float, float]]:
    """Return the recorded (Unix seconds, latency), ascending, all rows."""
    if not RECORDING.exists():
        pytest.skip(f"the recording is not at {RECORDING}")
    with RECORDING.open(newline="") as file:
        return [
            (datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC).timestamp(), float(row["value"]))
            for row in csv.DictReader(file)
        ]


@pytest.fixture(scope="module")
def backtested(
    recording: list[tuple[float, float]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[Transition]]:
    """Return what the real command says: the transitions of each KPI as (instant, from, to)."""
    folder = tmp_path_factory.mktemp("backtest")
    rules = folder / "rules" / "recorded"
    rules.mkdir(parents=True)
    (rules / "sprint.yaml").write_text(yaml.safe_dump(SPRINT, sort_keys=False))
    lane = {"version": 1, "sprint": "recorded", "lane": "latency", "interval": f"{STEP}s"}
    document = lane | {"kpis": [rule.entry() for rule in RULES]}
    (rules / "latency.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    samples = folder / "samples.csv"
    with samples.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["timestamp", "indicator", "value"])
        writer.writerows([f"{at:.0f}", "request_latency", repr(value)] for at, value in recording)
    first, last = span(recording)
    command = [
        sys.executable,
        "-m",
        "slo_guard",
        "backtest",
        "--rules",
        str(folder / "rules"),
        "--samples",
        str(samples),
    ]
    command += ["--from", iso(first), "--to", iso(last), "--format", "json"]
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert answer.returncode == 0, answer.stderr
    found: dict[str, list[Transition]] = {rule.kpi: [] for rule in RULES}
    for change in json.loads(answer.stdout)["transitions"]:
        at = datetime.fromisoformat(change["at"]).timestamp()
        assert change["labels"] == {}
        found[change["kpi"]].append((at, change["from"], change["to"]))
    return found


def span(recording: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the first and the last instant of the backtest: half an hour beyond the recording, so that it ends in silence."""
    return recording[0][0], recording[-1][0] + 1800


def iso(seconds: float) -> str:
    """Return an instant as a person would write it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def expected_transitions(rule: Rule, recording: Sequence[tuple[float, float]]) -> list[Transition]:
    """Walk through the recording step by step with one rule."""
    changes: list[Transition] = []
    state, condition_since, clear_since, silent_since = "inactive", 0.0, None, None
    now, last = span(recording)
    position, at, value = -1, 0.0, 0.0
    while now <= last:
        while position + 1 < len(recording) and recording[position + 1][0] <= now:
            position += 1
            if position == 0 or recording[position][0] != at:
                at, value = recording[position]
        silent = now - at > NO_DATA_AFTER
        silent_since = (now if silent_since is None else silent_since) if silent else None
        held = rule.then == "hold" and silent_since is not None and now - silent_since < rule.hold_for * 60
        if silent:
            breached = rule.then != "ok"
        elif state == "firing" and rule.resolve is not None:
            breached = value > rule.resolve
        else:
            breached = value > rule.at_most
        before = state
        if held:
            pass
        elif breached:
            clear_since = None
            if state == "inactive":
                state, condition_since = "pending", now
            if state == "pending" and (silent or now - condition_since >= rule.wait * 60):
                state = "firing"
        elif state == "pending":
            state = "inactive"
        elif state == "firing":
            clear_since = now if clear_since is None else clear_since
            if now - clear_since >= rule.keep * 60:
                state, clear_since = "inactive", None
        if state != before:
            changes.append((now, before, state))
        now += STEP
    return changes


def firing_intervals(changes: Sequence[Transition]) -> list[Interval]:
    """Return when an alert fired: (from, until), until None where it still does."""
    starts = [at for at, _, to in changes if to == "firing"]
    ends: list[float | None] = [at for at, before, _ in changes if before == "firing"]
    return list(zip(starts, [*ends, *[None] * (len(starts) - len(ends))], strict=True))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kpi)
def test_backtest_fires_when_an_independent_computation_does(rule, recording, backtested):
    """What was backtested is what pages: on real data, to the minute, through breaches, silence and recovery."""
    expected = expected_transitions(rule, recording)

    assert firing_intervals(backtested[rule.kpi]) == firing_intervals(expected)
    assert backtested[rule.kpi] == expected
    assert len(firing_intervals(expected)) > 3


def test_the_hole_in_the_recording_shows_in_each_way_of_no_data(recording, backtested):
    """The 64 minutes without a sample are the reason to test on this recording: they must alert, hold, or not."""
    hole = max(range(1, len(recording)), key=lambda row: recording[row][0] - recording[row - 1][0])
    last_before, first_after = recording[hole - 1][0], recording[hole][0]

    steps = range(int((first_after - recording[0][0]) / STEP) + 1)
    stale_at = min(at for at in (recording[0][0] + STEP * step for step in steps) if at - last_before > NO_DATA_AFTER)
    fired = {
        kpi: [at for at, _, to in changes if to == "firing" and last_before < at < first_after]
        for kpi, changes in backtested.items()
    }

    assert fired["with_everything"] == [stale_at], "then: alert fires as soon as the data is stale"
    assert fired["held"] == [stale_at + 20 * 60], "then: hold fires when the hold is over"
    assert fired["without_resolve"] == [], "then: ok does not fire"
    assert fired["held_throughout"] == [], "the hole is over before the hold is"
