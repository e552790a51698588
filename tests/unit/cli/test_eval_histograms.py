"""Histograms in ``slo-guard eval`` and ``backtest``: from the rows of a samples file to verdicts and transitions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from slo_guard.cli.backtest import backtest
from slo_guard.cli.eval import eval_

SPRINT = """\
version: 1
sprint: sprint-40
timezone: America/Denver
start: 2026-07-06
end: 2026-07-17
"""
LANE = """\
version: 1
sprint: sprint-40
lane: ga-ops
owner: SRE Lead
interval: 1m
kpis:
  - {kpi: p20, indicator: latency_seconds, type: histogram, unit: seconds, measure: p20 over 5m, objective: {at_most: 0.83s}}
  - {kpi: middle, indicator: latency_seconds, measure: median over day, objective: {at_most: 0.1s}}
  - {kpi: p80, indicator: latency_seconds, measure: p80 over sprint, objective: {below: 0.72s}}
  - {kpi: p99, indicator: latency_seconds, measure: p99 over 5m, objective: {at_most: 2s}}
  - {kpi: by_shard, indicator: latency_seconds, by: [shard], measure: p20 over 5m, objective: {at_most: 0.83s}}
"""
BUCKETS = {"0.1": 50, "0.2": 70, "1": 110, "+Inf": 120}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "sprint.yaml").write_text(SPRINT)
    (tmp_path / "rules" / "ga-ops.yaml").write_text(LANE)
    lines = ["timestamp,indicator,value,le,shard"]
    for minute, factor in ((0, 0), (1, 1), (2, 1)):
        for shard, share in (("a", 0.9), ("b", 0.1)):
            for bound, count in BUCKETS.items():
                written = f"{float(bound):.1f}" if shard == "b" and bound != "+Inf" else bound
                stamp = f"2026-07-06T16:{minute:02}:00Z"
                lines.append(f"{stamp},latency_seconds,{count * factor * share * 10:g},{written},{shard}")
    (tmp_path / "samples.csv").write_text("\n".join([*lines, ""]))
    return tmp_path


def run(command, folder: Path, *arguments: str) -> Result:
    paths = ["--rules", str(folder / "rules"), "--samples", str(folder / "samples.csv")]
    result = CliRunner().invoke(command, [*paths, *arguments], terminal_width=240)
    assert result.exit_code == 0, result.output
    return result


def test_the_worked_numbers_from_a_file(folder: Path) -> None:
    """Two shards that write their bounds differently (1 and 1.0) are one service."""
    said = run(eval_, folder, "--at", "2026-07-06T16:02:00Z", "--format", "json")

    verdicts = {each["kpi"]: each for each in json.loads(said.stdout)["verdicts"] if not each["labels"]}
    values = {name: each["value"] for name, each in verdicts.items()}
    assert values == pytest.approx({"p20": 0.048, "middle": 0.15, "p80": 0.72, "p99": 1.0})
    assert {name: each["verdict"] for name, each in verdicts.items()} == {
        "p20": "met",
        "middle": "missed",
        "p80": "missed",
        "p99": "insufficient",
    }
    assert verdicts["p99"]["reason"] == "above_highest_bound"
    assert verdicts["p20"]["samples"] == 1200
    assert verdicts["p20"]["unit"] == "seconds"


def test_each_shard_by_itself(folder: Path) -> None:
    """`by` gives each value of a label its own quantile, as for every other type."""
    said = run(eval_, folder, "--at", "2026-07-06T16:02:00Z", "--format", "json")

    by_shard = {each["labels"]["shard"]: each for each in json.loads(said.stdout)["verdicts"] if each["labels"]}
    assert {shard: each["samples"] for shard, each in by_shard.items()} == {"a": 1080, "b": 120}


def test_the_table_says_what_is_above_the_highest_bound(folder: Path) -> None:
    """A person must not take 1s for what was measured."""
    said = run(eval_, folder, "--at", "2026-07-06T16:02:00Z")

    assert "above the highest bound 1s" in said.stdout


def test_a_backtest_gives_their_transitions(folder: Path) -> None:
    """What the daemon would have told of a bad release, from its buckets."""
    span = ("--from", "2026-07-06T16:00:00Z", "--to", "2026-07-06T16:02:00Z", "--format", "json")

    told = json.loads(run(backtest, folder, *span).stdout)["transitions"]

    assert [(each["at"], each["kpi"], each["to"]) for each in told] == [
        ("2026-07-06T16:01:00Z", "middle", "firing"),
        ("2026-07-06T16:01:00Z", "p80", "firing"),
    ]
