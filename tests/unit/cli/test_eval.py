"""``slo-guard eval``: the JSON that scripts depend on, the table, and how errors end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

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
interval: 30s
kpis:
  - kpi: ga_e2e_p95
    indicator: ga_e2e_p95_seconds
    by: [system]
    expect: {system: [fs, xai2]}
    measure: last
    objective: {at_most: 1.16s}
    for: 1m
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "sprint.yaml").write_text(SPRINT)
    (tmp_path / "rules" / "ga-ops.yaml").write_text(LANE)
    rows = [f"2026-07-06T16:{minute:02}:00Z,ga_e2e_p95_seconds,1.31,fs" for minute in range(5)]
    (tmp_path / "samples.csv").write_text("\n".join(["timestamp,indicator,value,system", *rows, ""]))
    return tmp_path


def run(folder: Path, *arguments: str, rules: str = "rules", samples: str = "samples.csv") -> Result:
    paths = ["--rules", str(folder / rules), "--samples", str(folder / samples)]
    return CliRunner().invoke(eval_, [*paths, *arguments], terminal_width=200)


def test_json_is_exactly_what_the_contract_says(folder: Path) -> None:
    """Scripts and CI read this; a key that is renamed breaks them."""
    result = run(folder, "--at", "2026-07-06T16:04:10Z", "--format", "json")

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "at": "2026-07-06T16:04:10Z",
        "sprint": "sprint-40",
        "verdicts": [
            {
                "kpi": "ga_e2e_p95",
                "lane": "ga-ops",
                "labels": {"system": "fs"},
                "value": 1.31,
                "unit": "seconds",
                "objective": "at_most 1.16s",
                "verdict": "missed",
                "reason": "objective_missed",
                "samples": 1,
                "coverage": None,
                "window": {"start": None, "end": "2026-07-06T16:04:10Z"},
                "alert": {"state": "firing", "since": "2026-07-06T16:00:00Z"},
            },
            {
                "kpi": "ga_e2e_p95",
                "lane": "ga-ops",
                "labels": {"system": "xai2"},
                "value": None,
                "unit": "seconds",
                "objective": "at_most 1.16s",
                "verdict": "no_data",
                "reason": "never_seen",
                "samples": 0,
                "coverage": None,
                "window": {"start": None, "end": "2026-07-06T16:04:10Z"},
                "alert": {"state": "firing", "since": "2026-07-06T16:00:00Z"},
            },
        ],
    }


def test_the_instant_may_be_unix_seconds(folder: Path) -> None:
    """Logs and dashboards give seconds."""
    result = run(folder, "--at", "1783353850", "--format", "json")

    assert json.loads(result.stdout)["at"] == "2026-07-06T16:04:10Z"


def test_the_table_shows_every_series_with_its_reason(folder: Path) -> None:
    """People read the reason first."""
    result = run(folder, "--at", "2026-07-06T16:04:10Z")

    assert result.exit_code == 0
    shown = " ".join(result.stdout.split())
    assert "sprint-40 at 2026-07-06T16:04:10Z" in shown
    for part in ("system=fs", "1.31s", "missed", "no_data", "no value"):
        assert part in shown


def test_rules_with_errors_end_with_1_and_name_them_all_on_standard_error(folder: Path) -> None:
    """CI tells broken rules from a missing file by the code."""
    (folder / "rules" / "ga-ops.yaml").write_text(LANE.replace("at_most", "atmost").replace("for: 1m", "fro: 1m"))

    result = run(folder, "--at", "2026-07-06T16:04:10Z")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert "ga-ops.yaml:12:" in result.stderr
    assert "ga-ops.yaml:13:" in result.stderr


@pytest.mark.parametrize(
    ("rules", "samples"), [("rules", "absent.csv"), ("absent", "samples.csv"), ("rules", "rules/sprint.yaml")]
)
def test_files_that_cannot_be_used_end_with_2(folder: Path, rules: str, samples: str) -> None:
    """A wrong path is not a finding."""
    result = run(folder, "--at", "2026-07-06T16:04:10Z", rules=rules, samples=samples)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_an_instant_without_a_zone_is_refused_with_what_to_write(folder: Path) -> None:
    """Whose midnight is it? A guess would judge the wrong day."""
    result = run(folder, "--at", "2026-07-06T16:04:10")

    assert result.exit_code == 2
    assert "has no time zone; write 2026-07-06T16:04:10Z" in result.stderr


def test_what_is_odd_about_the_samples_goes_to_standard_error_alone(folder: Path) -> None:
    """The answer on standard output stays JSON."""
    with (folder / "samples.csv").open("a") as file:
        file.write("2026-07-06T16:04:00Z,ga_e2e_p95_seconds,1.31,fs\n2026-07-06T16:04:00Z,ga_e2e_p59,NaN,fs\n")

    result = run(folder, "--at", "2026-07-06T16:04:10Z", "--format", "json")

    json.loads(result.stdout)
    assert "1 samples repeat an indicator" in result.stderr
    assert "ga_e2e_p59 (1)" in result.stderr
