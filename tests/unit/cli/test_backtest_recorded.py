"""``slo-guard backtest`` on real recorded latencies, held to a computation that shares nothing with it."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from slo_guard.cli.backtest import backtest

RECORDED = Path(__file__).parents[3].parent / "shared" / "data" / "ec2_request_latency_system_failure.csv"

LIMIT, RESOLVE, FOR, KEEP, STALE = 46.5, 46.0, 300, 600, 420


def rules(folder: Path, interval: int) -> Path:
    folder.mkdir()
    (folder / "sprint.yaml").write_text("version: 1\nsprint: s\ntimezone: UTC\nstart: 2014-03-07\nend: 2014-03-22\n")
    (folder / "lane.yaml").write_text(
        f"""\
version: 1
sprint: s
lane: ops
interval: {interval}s
kpis:
  - kpi: latency
    indicator: request_latency
    measure: last
    objective: {{at_most: {LIMIT}}}
    resolve: {{at_most: {RESOLVE}}}
    for: {FOR}s
    keep_firing_for: {KEEP}s
    no_data: {{after: {STALE}s, then: alert}}
"""
    )
    return folder


def firing_intervals(recorded: list[tuple[float, float]], start: float, end: float, interval: int) -> list[list[float]]:
    """Walk the recording instant by instant with plain variables; an interval that is still open has no end."""
    intervals: list[list[float]] = []
    since = clear = None
    firing, k, now = False, -1, start
    while now <= end:
        while k + 1 < len(recorded) and recorded[k + 1][0] <= now:
            k += 1
        stale = now - recorded[k][0] > STALE
        value = recorded[k][1]
        holds = stale or value > LIMIT or (firing and value > RESOLVE)
        if holds:
            clear = None
            since = now if since is None else since
            if not firing and (stale or now - since >= FOR):
                firing = True
                intervals.append([now])
        elif firing:
            clear = now if clear is None else clear
            if now - clear >= KEEP:
                firing, since, clear = False, None, None
                intervals[-1].append(now)
        else:
            since = None
        now += interval
    return intervals


@pytest.mark.shared
@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded data is not beside the project")
@pytest.mark.parametrize("interval", [150, 300])
def test_the_alert_fires_and_ends_when_an_independent_computation_says(tmp_path: Path, interval: int) -> None:
    """Two weeks of real latencies with a real failure in them: hysteresis, waits and gaps all meet."""
    with RECORDED.open() as file:
        rows = [
            (datetime.fromisoformat(at).replace(tzinfo=UTC), float(value)) for at, value in list(csv.reader(file))[1:]
        ]
    samples = tmp_path / "samples.csv"
    lines = [f"{at.isoformat()},request_latency,{value!r}" for at, value in rows]
    samples.write_text("\n".join(["timestamp,indicator,value", *lines, ""]))
    # An hour that the clocks skipped stands in the recording as twelve samples of one instant: the first counts.
    recorded = list({at.timestamp(): (at.timestamp(), value) for at, value in reversed(rows)}.values())[::-1]
    start, end = recorded[0][0], recorded[-1][0]

    result = CliRunner().invoke(
        backtest,
        [
            *("--rules", str(rules(tmp_path / "rules", interval)), "--samples", str(samples), "--format", "json"),
            *("--from", rows[0][0].isoformat(), "--to", rows[-1][0].isoformat()),
        ],
    )

    assert result.exit_code == 0, result.output
    found: list[list[float]] = []
    for transition in json.loads(result.stdout)["transitions"]:
        at = datetime.fromisoformat(transition["at"]).timestamp()
        if transition["to"] == "firing":
            found.append([at])
        elif transition["from"] == "firing":
            found[-1].append(at)
    assert found == firing_intervals(recorded, start, end, interval)
    assert len(found) > 10
