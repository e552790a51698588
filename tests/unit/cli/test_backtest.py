"""``slo-guard backtest``: the JSON that scripts depend on, the table, and how errors end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from slo_guard.cli.backtest import backtest

SPRINT = "version: 1\nsprint: s\ntimezone: UTC\nstart: 2026-07-06\nend: 2026-07-17\n"
LANE = """\
version: 1
sprint: s
lane: ga-ops
interval: 1m
kpis:
  - kpi: ga_e2e_p95
    indicator: ga_e2e_p95_seconds
    by: [system]
    measure: last
    objective: {at_most: 1.16s}
    warn: {at_most: 1.05s}
    for: 2m
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "sprint.yaml").write_text(SPRINT)
    (tmp_path / "rules" / "ga-ops.yaml").write_text(LANE)
    lines = [
        {
            "timestamp": 1783353600 + 60 * k,
            "indicator": "ga_e2e_p95_seconds",
            "value": value,
            "labels": {"system": "fs"},
        }
        for k, value in enumerate([0.9, 1.1, 1.3, 1.3, 1.3, 0.9])
    ]
    (tmp_path / "samples.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    paths = ["--rules", str(folder / "rules"), "--samples", str(folder / "samples.jsonl")]
    return CliRunner().invoke(backtest, [*paths, *arguments], terminal_width=200)


def test_json_lists_every_transition_with_the_keys_of_the_contract(folder: Path) -> None:
    """Breach and risk alerts are told apart by kind, which scripts may ignore."""
    result = run(folder, "--from", "2026-07-06T16:00:00Z", "--to", "2026-07-06T16:05:00Z", "--format", "json")

    assert result.exit_code == 0, result.output
    transitions = json.loads(result.stdout)["transitions"]
    breach = [each for each in transitions if each["kind"] == "breach"]
    assert breach[0] == {
        "at": "2026-07-06T16:02:00Z",
        "kpi": "ga_e2e_p95",
        "labels": {"system": "fs"},
        "from": "inactive",
        "to": "pending",
        "value": 1.3,
        "reason": "objective_missed",
        "kind": "breach",
        "severity": "page",
    }
    assert [(each["at"][11:16], each["to"]) for each in breach] == [
        ("16:02", "pending"),
        ("16:04", "firing"),
        ("16:05", "inactive"),
    ]
    assert {each["severity"] for each in transitions if each["kind"] == "risk"} == {"ticket"}


def test_nothing_that_happens_is_an_empty_list(folder: Path) -> None:
    """A script must not have to tell absent from empty."""
    result = run(folder, "--from", "2026-07-06T16:00:00Z", "--to", "2026-07-06T16:00:00Z", "--format", "json")

    assert json.loads(result.stdout) == {"transitions": []}


def test_the_table_counts_and_shows_the_transitions(folder: Path) -> None:
    """People read a day of alerts at a glance."""
    result = run(folder, "--from", "2026-07-06T16:00:00Z", "--to", "2026-07-06T16:05:00Z")

    shown = " ".join(result.stdout.split())
    assert result.exit_code == 0
    assert "transitions" in shown
    assert "firing" in shown
    assert "1.3s" in shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--from", "2026-07-06T16:00:00Z", "--to", "2026-07-06T15:00:00Z"], "is before --from"),
        (["--from", "2026-07-06T16:00:00Z"], "Missing option '--to'"),
        (
            ["--from", "0", "--to", "1", "--prometheus", "http://127.0.0.1:9"],
            "Give --samples or --prometheus, not both",
        ),
    ],
)
def test_wrong_usage_ends_with_2_and_says_why(folder: Path, arguments: list[str], says: str) -> None:
    """A wrong option must say so, not fail in some other way."""
    result = run(folder, *arguments)

    assert result.exit_code == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr
