"""``slo-guard backtest --prometheus`` of a real Prometheus finds what a backtest of the same samples in a file finds."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from slo_guard.cli.backtest import backtest
from tests.support.prometheus_server import running_prometheus

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed (Debian: prometheus)"),
]

START = 1783353600
MINUTES = range(-60, 121)
SPRINT = "version: 1\nsprint: s\ntimezone: UTC\nstart: 2026-07-06\nend: 2026-07-17\n"
LANE = """\
version: 1
sprint: s
lane: checkout
interval: 1m
defaults: {no_data: {after: 3m, then: alert}}
kpis:
  - kpi: checkout_p95
    indicator: checkout_p95_seconds
    by: [region]
    objective: {at_most: 500ms}
    warn: {at_most: 450ms}
    for: 2m
  - kpi: checkout_buckets
    indicator: checkout_seconds
    type: histogram
    measure: p95 over 10m
    objective: {at_most: 500ms}
  - kpi: failed_requests
    indicator: {bad: failures_total, total: requests_total}
    measure: ratio over 30m
    objective: {below: 5%}
  - kpi: worst_hour
    indicator: checkout_p95_seconds
    combine: max
    measure: max over 1h
    objective: {at_most: 590ms}
  - kpi: requests_today
    indicator: requests_total
    measure: increase over sprint
    baseline: 0
    min_coverage: 0%
    objective: {at_most: 12000}
  - kpi: go
    indicator: decision_go
    objective: {is: true}
"""
MORE = """\
version: 1
sprint: s
lane: tickets
interval: 1m
kpis:
  - {kpi: oldest_ticket, indicator: oldest_ticket_seconds, objective: {at_most: 3d}}
  - {kpi: share, indicator: {of: checkout_p95_seconds, to: oldest_ticket_seconds}, objective: {at_most: 3}}
  - {kpi: signed, indicator: audit_signed, objective: {is: true}}
  - {kpi: go_once_signed, indicator: decision_go, objective: {is: true}, when: {kpi: signed, is: true}}
"""
CONFIG = """\
version: 1
rules: [rules, more.yaml]
collectors:
  - name: prometheus
    type: prometheus
    url: http://127.0.0.1:1
    interval: 1m
    indicators:
      - {name: checkout_p95_seconds, type: percentile, unit: seconds, query: max by (region) (checkout_p95_seconds)}
      - {name: checkout_seconds, type: histogram, unit: seconds, query: sum by (le) (checkout_seconds_bucket)}
      - {name: failures_total, type: counter, query: sum(failures_total)}
      - {name: requests_total, type: counter, query: sum(requests_total)}
      - {name: decision_go, type: bool, query: decision_go}
  - name: tickets
    type: json
    url: http://127.0.0.1:1/tickets
    indicators: [{name: oldest_ticket_seconds, type: gauge, unit: seconds, value: age}]
  - {name: sign-offs, type: evidence, file: sign-offs.yaml, indicators: [audit_signed]}
receivers: []
"""

Sample = tuple[str, dict[str, str], int, float]


def the_samples() -> Iterator[Sample]:
    """Yield three hours: latencies that wander, a region and then all that stop for a while, counters that start anew."""
    chance = np.random.default_rng(7)
    totals = dict.fromkeys(["requests_total", "failures_total", "0.1", "0.5", "1", "+Inf"], 0.0)
    for minute in MINUTES:
        at = START + 60 * minute
        if minute == 40:
            totals = dict.fromkeys(totals, 0.0)
        slow = minute % 50 > 35
        for region in ("eu", "us"):
            value = round(float(chance.uniform(0.3, 0.48) + 0.12 * slow), 3)
            if not (70 <= minute < 90 or (region == "us" and 5 <= minute < 20)):
                yield "checkout_p95_seconds", {"region": region}, at, value
        totals["requests_total"] += int(chance.integers(20, 60))
        totals["failures_total"] += int(chance.integers(0, 2)) + 4 * slow
        for bound, share in (("0.1", 20), ("0.5", 29 - 12 * slow), ("1", 30), ("+Inf", 30)):
            totals[bound] += share
            yield "checkout_seconds_bucket", {"le": bound}, at, totals[bound]
        if not 100 <= minute < 110:
            for name in ("requests_total", "failures_total"):
                yield name, {}, at, totals[name]
        yield "decision_go", {}, at, float(not 30 <= minute < 50)


@dataclass(frozen=True)
class Recording:
    """A Prometheus at ``url``, rules and a config in ``folder``, and what the same samples give as a file."""

    url: str
    folder: Path
    transitions: list[dict[str, Any]]


def run(*arguments: str | Path) -> Result:
    span = ["--from", str(START), "--to", str(START + 60 * MINUTES[-1]), "--format", "json"]
    return CliRunner().invoke(backtest, [*map(str, arguments), *span])


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    folder = tmp_path_factory.mktemp("history")
    (folder / "rules").mkdir()
    (folder / "rules" / "sprint.yaml").write_text(SPRINT)
    (folder / "rules" / "checkout.yaml").write_text(LANE)
    (folder / "more.yaml").write_text(MORE)
    (folder / "slo-guard.yaml").write_text(CONFIG)
    samples = sorted(the_samples(), key=lambda sample: (sample[0], sorted(sample[1].items()), sample[2]))
    rows = [
        {"timestamp": at, "indicator": name.removesuffix("_bucket"), "labels": labels, "value": value}
        for name, labels, at, value in samples
    ]
    (folder / "samples.jsonl").write_text("\n".join(map(json.dumps, rows)))
    lines = [
        f"{name}{{{','.join(f'{label}={json.dumps(text)}' for label, text in labels.items())}}} {value!r} {at}"
        for name, labels, at, value in samples
    ]
    (folder / "samples.om").write_text("\n".join([*lines, "# EOF\n"]))
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", folder / "samples.om", folder / "data"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    # What is imported has no marks where a series ends, and would be shown for the look-back's five minutes.
    flags = ["--query.lookback-delta=59s", "--storage.tsdb.retention.time=100y"]
    with running_prometheus(folder, {}, flags=flags) as server:
        of_file = run("--rules", folder / "rules", "--samples", folder / "samples.jsonl")
        yield Recording(server.url, folder, transitions(of_file))


def transitions(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    told: list[dict[str, Any]] = json.loads(result.stdout)["transitions"]
    return sorted(
        told, key=lambda each: json.dumps([each["at"], each["kpi"], each["labels"], each["kind"], each["to"]])
    )


def test_the_history_of_metrics_gives_what_the_same_samples_give(recording: Recording) -> None:
    """Nobody exports samples to try a rule: what Prometheus has is enough, and the answer is the same to the minute."""
    found = run("--rules", recording.folder / "rules", "--prometheus", recording.url)

    assert transitions(found) == recording.transitions
    assert found.stderr == ""
    told = {(each["kpi"], each["reason"]) for each in recording.transitions}
    assert told >= {
        ("checkout_p95", "gone_from_source"),
        ("checkout_p95", "stale"),
        ("checkout_p95", "past_warn"),
        ("checkout_buckets", "objective_missed"),
        ("failed_requests", "objective_missed"),
        ("worst_hour", "objective_missed"),
        ("requests_today", "stale"),
        ("go", "recovered"),
    }


def test_a_configs_queries_give_it_too_and_what_is_not_in_prometheus_is_left_out_by_name(recording: Recording) -> None:
    """The KPIs of other sources must not cry no_data through a whole backtest, nor be left out without a word."""
    found = run("--config", recording.folder / "slo-guard.yaml", "--prometheus", recording.url + "/")

    assert transitions(found) == recording.transitions
    assert found.stderr.splitlines() == [
        "no data of other collectors: tickets (json): oldest_ticket_seconds; sign-offs (evidence): audit_signed",
        (
            "left out of the backtest, 4 of 10 KPIs: oldest_ticket (reads oldest_ticket_seconds), share (reads oldest_ticket_seconds), "
            "signed (reads audit_signed), go_once_signed (depends on signed)"
        ),
    ]


def test_a_metric_that_is_not_there_is_named_and_is_no_data(recording: Recording) -> None:
    """Silence is never green, and a typing error in a name must be seen for what it is."""
    folder = recording.folder / "other"
    folder.mkdir()
    (folder / "sprint.yaml").write_text(SPRINT)
    (folder / "lane.yaml").write_text(MORE.replace("indicator: oldest_ticket_seconds", "indicator: nowhere"))

    found = run("--rules", folder, "--prometheus", recording.url)

    fired = {each["kpi"]: each["at"] for each in transitions(found) if each["to"] == "firing"}
    assert fired["oldest_ticket"] == "2026-07-06T16:00:00Z"
    assert found.stderr == (
        f"{recording.url}: has no sample of audit_signed, nowhere, oldest_ticket_seconds in the time that was looked at\n"
    )
