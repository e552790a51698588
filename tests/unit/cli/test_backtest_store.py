"""``slo-guard backtest --store``: what a daemon stored, as of when it saw it; wrong uses end in one clear message."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from slo_guard.cli.backtest import backtest
from slo_guard.clock import from_unix
from slo_guard.domain.series import label_set
from slo_guard.jobs import collect_once
from slo_guard.store import open_store
from tests.support.fake_collector import FakeCollector

START = 1783353600.0
FS = label_set({"system": "fs"})
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
    for: 2m
"""
CONFIG = """\
version: 1
rules: [rules]
collector_alert: {for: 1m}
collectors:
  - name: gateway
    type: scrape
    url: http://127.0.0.1:1/metrics
    indicators: [{name: ga_e2e_p95_seconds, type: percentile, unit: seconds, metric: x}]
receivers: []
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with rules, a config, and a store of ten minutes: slow from minute 2, down from minute 6."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "sprint.yaml").write_text(SPRINT)
    (tmp_path / "rules" / "ga-ops.yaml").write_text(LANE)
    (tmp_path / "slo-guard.yaml").write_text(CONFIG)
    collector = FakeCollector("gateway", {"ga_e2e_p95_seconds": {FS: 0.9}}, "seconds")
    with closing(open_store(tmp_path / "slo-guard.db")) as store:
        for minute in range(10):
            if minute == 2:
                collector.values["ga_e2e_p95_seconds"] = {FS: 1.3}
            if minute == 6:
                collector.fail("http_status", "answers 500")
            collect_once(collector, store, from_unix(START + 60 * minute))
    return tmp_path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(backtest, [str(each) for each in arguments], terminal_width=200)


def span(last_minute: int) -> list[str]:
    return ["--from", str(START), "--to", str(START + 60 * last_minute), "--format", "json"]


def told(result: Result) -> list[tuple[str, str, str]]:
    assert result.exit_code == 0, result.output
    return [(each["at"][11:16], each["kpi"], each["to"]) for each in json.loads(result.stdout)["transitions"]]


def test_what_was_stored_is_judged_as_it_was_seen(folder: Path) -> None:
    """The day comes out as it was lived, without a daemon and without recording anything again."""
    result = run("--rules", folder / "rules", "--store", folder / "slo-guard.db", *span(9))

    assert told(result) == [("16:02", "ga_e2e_p95", "pending"), ("16:04", "ga_e2e_p95", "firing")]


def test_with_the_config_the_collectors_alerts_come_as_well(folder: Path) -> None:
    """They hold back what a failed source causes: without them a backtest tells half of the day."""
    result = run("--config", folder / "slo-guard.yaml", "--store", folder / "slo-guard.db", *span(9))

    assert told(result)[2:] == [
        ("16:06", "slo_guard_collector_up", "pending"),
        ("16:07", "slo_guard_collector_up", "firing"),
    ]


def test_a_backtest_ends_where_it_was_told_to(folder: Path) -> None:
    """What was seen after its end must not be known in it."""
    result = run("--rules", folder / "rules", "--store", folder / "slo-guard.db", *span(3))

    assert told(result) == [("16:02", "ga_e2e_p95", "pending")]


def test_a_store_that_is_none_is_one_message_and_nothing_is_made(folder: Path) -> None:
    """A typing error must not leave an empty store, and a foreign database must not become one."""
    (folder / "other.db").write_bytes((folder / "slo-guard.db").read_bytes()[:0])

    missing = run("--rules", folder / "rules", "--store", folder / "none.db", *span(9))
    empty = run("--rules", folder / "rules", "--store", folder / "other.db", *span(9))

    assert (missing.exit_code, empty.exit_code) == (2, 2)
    assert "there is no store" in missing.stderr
    assert "is no store of this version" in empty.stderr
    assert not (folder / "none.db").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--rules", "r"], "Missing option '--samples' or '--store' or '--prometheus'"),
        (["--samples", "s"], "Missing option '--rules' or '--config'"),
        (["--rules", "r", "--config", "c", "--store", "s"], "Give --rules or --config, not both"),
        (["--rules", "r", "--samples", "a", "--store", "s"], "Give --samples or --store, not both"),
    ],
)
def test_what_is_missing_or_given_twice_is_named(arguments: list[str], says: str) -> None:
    """A source that is silently left out would be taken for the one that was judged."""
    result = run(*arguments, "--from", "0", "--to", "1")

    assert result.exit_code == 2
    assert says in result.stderr


def test_a_config_with_errors_ends_as_rules_with_errors_do(folder: Path) -> None:
    """Scripts tell files to be mended from files that are not there."""
    (folder / "slo-guard.yaml").write_text(CONFIG.replace("type: scrape", "type: scape"))

    wrong = run("--config", folder / "slo-guard.yaml", "--store", folder / "slo-guard.db", *span(9))
    missing = run("--config", folder / "none.yaml", "--store", folder / "slo-guard.db", *span(9))

    assert wrong.exit_code == 1
    assert "slo-guard.yaml:6" in wrong.stderr
    assert missing.exit_code == 2
