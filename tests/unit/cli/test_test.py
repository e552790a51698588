"""``slo-guard test``: unit tests of rules."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from slo_guard.cli.test import test as command

ROOT = Path(__file__).parents[3]
SHIPPED = sorted((ROOT / "tests" / "rules").glob("*.yaml"))
SPRINT = "version: 1\nsprint: s1\ntimezone: Europe/Berlin\nstart: 2026-07-06\nend: 2026-07-17\n"
LANE = """\
version: 1
sprint: s1
lane: shop
kpis:
  - kpi: errors
    indicator: {bad: errors_total, total: requests_total}
    by: [system]
    measure: ratio over sprint
    objective: {at_most: 1%}
    error_budget: {burn_alerts: [{long: 10m, short: 5m, factor: 6}]}
    for: 2m
"""
TESTS = """\
rules: [rules]
tests:
  - name: errors page
    start: 2026-07-06T09:00
    input_series:
      - {series: 'requests_total{system="fs"}', values: 0+100x30}
      - {series: 'errors_total{system="fs"}', values: 0x10 0+10x19}
    verdicts:
      - {at: 10m, kpi: errors, verdict: met, value: 0%}
      - {at: 13m, kpi: errors, labels: {system: fs}, verdict: missed}
    alerts:
      - {at: 13m, kpi: errors, pending: [{system: fs}]}
      - {at: 15m, kpi: errors, firing: [{system: fs}]}
      - {at: 15m, kpi: errors, kind: burn, tier: 10m/5m, firing: []}
      - {at: 20m, kpi: errors, kind: burn, tier: 10m/5m, firing: [{system: fs}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a sprint, a lane and tests of it."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "sprint.yaml").write_text(SPRINT)
    (tmp_path / "rules" / "shop.yaml").write_text(LANE)
    (tmp_path / "tests.yaml").write_text(TESTS)
    return tmp_path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(each) for each in arguments], catch_exceptions=False)


def changed(folder: Path, old: str, new: str) -> Path:
    assert old in TESTS
    (folder / "tests.yaml").write_text(TESTS.replace(old, new, 1))
    return folder / "tests.yaml"


@pytest.mark.parametrize("file", SHIPPED, ids=[file.name for file in SHIPPED])
def test_the_shipped_rules_pass_their_tests(file: Path) -> None:
    """They are the example of how rules are tested."""
    result = run(file)

    assert result.exit_code == 0, result.output


def test_what_is_as_expected_passes(folder: Path) -> None:
    """The times are those of the daemon: pending as the objective is missed, firing after `for`."""
    result = run(folder / "tests.yaml")

    assert result.exit_code == 0, result.output
    assert "passed  errors page" in result.output
    assert "1 test, 0 failed" in result.output


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "verdict: met, value: 0%",
            "verdict: missed",
            r"tests.yaml:9:9: tests\[0\].verdicts\[0\]: errors system=fs at 10m: expected missed, got met \(0%, objective_met\)",
        ),
        ("value: 0%", "value: 0.5%", r"expected the value 0.5%, got met \(0%"),
        (
            "verdict: met, value: 0%",
            "verdict: met, reason: below_min_total",
            "expected the reason below_min_total, got met",
        ),
        ("labels: {system: fs}, v", "labels: {system: x}, v", "errors has no series system=x; it has system=fs"),
        ("pending: [{system: fs}]", "pending: []", "the breach alert of errors at 13m: is pending for system=fs"),
        (
            "{at: 15m, kpi: errors, firing",
            "{at: 14m, kpi: errors, firing",
            "at 14m: expected to be firing for system=fs",
        ),
        ("tier: 10m/5m, firing: []", "tier: 10m/5m, firing: [{system: fs}]", "the 10m/5m burn alert of errors at 15m"),
    ],
)
def test_what_is_not_as_expected_fails_with_its_place_and_what_came(
    folder: Path, old: str, new: str, said: str
) -> None:
    """Nobody has to run it a second time to learn why."""
    result = run(changed(folder, old, new))

    assert result.exit_code == 1, result.output
    assert "FAILED  errors page" in result.output
    assert re.search(said, result.output), result.output


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kpi: errors, verdict: met", "kpi: eror, verdict: met", "did you mean 'errors'?"),
        ("0+100x30", "0*100", "'0*100' is not a value; write 5, 0+10x60"),
        ("0+100x30", "''", "has no values"),
        ("0+100x30", "'{{schema:1}}'", "native histogram; write a series a bucket"),
        ("0+100x30", "0+1x99999999", "more than 1,000,000 values"),
        ("'requests_total{system=\"fs\"}'", "'requests{system=\"fs\"}'", "did you mean 'requests_total'?"),
        ("'requests_total{system=\"fs\"}'", "'requests_total{system=~\"fs\"}'", "chooses among series"),
        ("'requests_total{system=\"fs\"}'", "'sum(requests_total)'", "is not a series"),
        ("tier: 10m/5m", "tier: 1h/5m", "write one of 10m/5m"),
        ("kind: burn, tier", "kind: risk, tier", "only burn alerts have a tier"),
        ("start: 2026-07-06T09:00", "start: soon", "'soon' is not a time"),
        ("start: 2026-07-06T09:00", "sprint: s2", "no sprint is called 's2'"),
        ("start:", "begin:", "begin"),
        ("rules: [rules]", "rules: [nowhere]", "nowhere"),
        ("verdict: met, value: 0%", "verdict: good", "met"),
        ("verdict: met, value: 0%", "verdict: met, reason: fine", "'fine' is no reason of a verdict"),
    ],
)
def test_a_mistake_in_a_test_is_named_and_nothing_is_run(folder: Path, old: str, new: str, said: str) -> None:
    """A test that is not understood must not count as passed."""
    result = run(changed(folder, old, new))

    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert result.stdout == ""


def test_a_test_that_expects_nothing_is_a_mistake(folder: Path) -> None:
    """It could not fail."""
    (folder / "tests.yaml").write_text("rules: [rules]\ntests: [{name: nothing}]\n")

    result = run(folder / "tests.yaml")

    assert result.exit_code == 2
    assert "expects nothing; write verdicts or alerts" in result.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none.yaml", "No such file or directory; name a file of tests that is there"),
        ("rules", "Is a directory; name its files, as in "),
    ],
)
def test_what_is_no_file_is_one_clear_error(folder: Path, name: str, said: str) -> None:
    """No traceback for a wrong name, and what to write instead."""
    result = run(folder / name)

    assert result.exit_code == 2
    assert result.stderr.startswith(f"{folder / name}: cannot be read: {said}")
    assert result.stderr.count("\n") == 1


def test_one_test_is_chosen_by_its_name_and_none_is_an_error(folder: Path) -> None:
    """A pipeline whose choice matches nothing has tested nothing."""
    chosen, none = run(folder / "tests.yaml", "--run", "page"), run(folder / "tests.yaml", "--run", "pager")

    assert chosen.exit_code == 0
    assert none.exit_code == 2
    assert "'pager'" in none.stderr


def test_json_says_which_failed_and_why(folder: Path) -> None:
    """Pipelines read it."""
    result = run(changed(folder, "value: 0%", "value: 1%"), "--format", "json")

    [only] = json.loads(result.stdout)["tests"]
    assert (only["name"], only["passed"], len(only["failures"])) == ("errors page", False, 1)
    assert result.exit_code == 1


@pytest.mark.parametrize(("start", "verdict"), [("2026-07-07", "not_due"), ("2026-07-08", "missed")])
def test_a_date_is_the_start_of_that_day_in_the_sprints_zone(folder: Path, start: str, verdict: str) -> None:
    """What is due on the 7th is late from the 8th on, in Berlin."""
    rule = "kpis:\n  - {kpi: drill, indicator: drills, objective: {at_least: 1}, due: 2026-07-07}\n"
    (folder / "rules" / "shop.yaml").write_text(LANE.partition("kpis:")[0] + rule)
    (folder / "tests.yaml").write_text(
        "rules: [rules]\ntests:\n  - name: due\n"
        f"    start: {start}\n"
        "    input_series: [{series: drills, values: 0x5}]\n"
        f"    verdicts: [{{at: 5m, kpi: drill, verdict: {verdict}}}]\n"
    )

    result = run(folder / "tests.yaml")

    assert result.exit_code == 0, result.output
