"""The demo's room: its files are what the daemon reads, its sources answer, and nothing of it stays."""

from __future__ import annotations

import math
import threading
from datetime import date
from pathlib import Path

import pytest
import requests
import yaml

from slo_guard.collect.sign_offs import read_evidence
from slo_guard.demo.adapted_rules import adaptations, sprint_start, write_rules
from slo_guard.demo.demo_config import demo_config
from slo_guard.demo.room import DemoRoom
from slo_guard.demo.slack_stand_in import Received
from slo_guard.demo.world.ga_ops import DRILL_UNSIGNED
from slo_guard.demo.world.story import Story
from slo_guard.domain.builtin import BURN_ALARM
from slo_guard.domain.kpi import Drift
from slo_guard.domain.readings import IndicatorSpec, IndicatorType
from slo_guard.rulebook import load_rules
from slo_guard.units import source_unit

NOON = 1783620000.0  # 2026-07-09T18:00:00Z, noon in the sprint's zone
STORY = Story(NOON, sprint_start(NOON))


def test_the_sources_answer_and_the_files_stand_until_the_room_is_left() -> None:
    """A demo that leaves servers or folders behind is not free of set-up."""
    got: list[Received] = []

    with DemoRoom(got.append, lambda: NOON, port=0) as room:
        page = requests.get(f"{room.sources_url}/metrics", timeout=5)
        told = requests.post(room.slack_url, json={"text": "hello"}, timeout=5)
        config = yaml.safe_load(room.config_path.read_text())
        secret = (room.folder / "slack-url").read_text()
        folder = room.folder

    assert page.status_code == 200
    assert told.text == "ok"
    assert [each.message for each in got] == [{"text": "hello"}]
    assert config == demo_config(room.sources_url, 0)
    assert secret == room.slack_url
    assert not folder.exists()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{room.sources_url}/metrics", timeout=5)


def test_the_slack_address_stands_in_no_config() -> None:
    """The demo's config is read as an example: a secret is named, never written."""
    assert "/services/" not in yaml.safe_dump(demo_config("http://127.0.0.1:1", 0))


def test_the_files_follow_the_clock(tmp_path: Path) -> None:
    """The daemon reads files, so they have to be written while it runs, and to be there before it starts."""
    clock = [NOON]
    signed = threading.Event()

    with DemoRoom(lambda _: None, lambda: clock[0], port=0) as room:
        file = room.folder / "sign-offs.yaml"
        before = read_evidence(file)
        there = {each.name for each in room.folder.rglob("*") if not each.is_dir()}
        clock[0] += 8 + DRILL_UNSIGNED.ends
        for _ in range(100):
            after = read_evidence(file)
            if len(after.entries) > len(before.entries) or signed.wait(0.1):
                break

    names = [{entry.indicator for entry in each.entries} for each in (before, after)]
    assert (before.wrong, after.wrong) == ((), ())
    assert "ga_rollback_drill_logged" in names[1] - names[0]
    assert there >= {"billing.db", "onboarding.db", "xai-usage.csv", "partner-tickets.jsonl", "ceremonies.csv"}


@pytest.mark.parametrize("now", [NOON, NOON + 12 * 3600, NOON + 12 * 3600 - 1, 1793437200.0, 1772960400.0])
def test_the_sprint_began_yesterday_whatever_the_day(tmp_path: Path, now: float) -> None:
    """Also around midnight and where clocks change: today is always within it, and a day of history before it."""
    write_rules(tmp_path / "rules", now, story=None)

    loaded = load_rules([tmp_path / "rules"], None)

    assert loaded.plan is not None, loaded.findings
    (sprint,) = loaded.plan.sprints.values()
    assert sprint.start_at == sprint_start(now)
    assert 23 * 3600 <= now - sprint.start_at < 49 * 3600
    assert now < sprint.end_at
    assert (sprint.end - sprint.start).days == 11


def test_objectives_and_measures_are_those_that_are_shipped(tmp_path: Path) -> None:
    """Only waits, intervals and dates may differ, and each kind of difference is announced."""
    write_rules(tmp_path / "rules", NOON, story=STORY)
    shipped = load_rules([Path("rules/sprint-40")], None).plan
    demo = load_rules([tmp_path / "rules"], None).plan

    assert shipped is not None
    assert demo is not None
    same = ("id", "objective", "warn", "resolve", "measure", "source", "by", "expect", "min_total", "severity", "title")
    same += ("when", "pace", "baseline", "combine", "min_samples")
    assert [[getattr(kpi, name) for name in same] for kpi in demo.kpis] == [
        [getattr(kpi, name) for name in same] for kpi in shipped.kpis
    ]
    assert {kpi.interval_seconds for kpi in demo.kpis} == {2.0}
    assert max(kpi.for_seconds for kpi in demo.kpis) == 5.0
    (sprint,) = demo.sprints.values()
    moved = sprint.start_at - next(iter(shipped.sprints.values())).start_at
    assert {
        kpi.id: (kpi.checkpoint_at, kpi.due_at)
        for kpi, was in zip(demo.kpis, shipped.kpis, strict=True)
        for then, at in ((was.checkpoint_at, kpi.checkpoint_at), (was.due_at, kpi.due_at))
        if then is not None and at != then + moved
    } == {
        "ga_rollback_drill_logged": (None, NOON + 30),
        "fsv2_blended_sources": (NOON + 35, sprint.end_at),
        "fsv2_ab_harness_running": (NOON + 35, sprint.end_at),
    }
    assert {kpi.drift for kpi in demo.kpis if kpi.drift} == {Drift(48.0, 30.0)}
    assert len(adaptations(faults=True)) == 8


def test_budgets_are_those_that_are_shipped_but_for_the_fast_windows(tmp_path: Path) -> None:
    """What pages in the demo pages for the same pace; only how long it looks is quickened, and never for one event."""
    write_rules(tmp_path / "rules", NOON, story=STORY)
    shipped = load_rules([Path("rules/sprint-40")], None).plan
    demo = load_rules([tmp_path / "rules"], None).plan

    assert shipped is not None
    assert demo is not None
    for kpi, was in zip(demo.kpis, shipped.kpis, strict=True):
        assert kpi.cross_check is None or kpi.cross_check.indicator == BURN_ALARM
        if was.error_budget is None:
            assert kpi.error_budget is None
            continue
        assert kpi.error_budget is not None
        assert (kpi.error_budget.window, kpi.error_budget.allowed) == (
            was.error_budget.window,
            was.error_budget.allowed,
        )
        assert [pair.factor for pair in kpi.error_budget.burn_alerts] == [14.4, 6.0, 3.0, 1.0]
        assert [pair.text for pair in kpi.error_budget.burn_alerts] == ["1m/5s", "6m/30s", "24h/2h", "3d/6h"]
        assert [pair.severity for pair in kpi.error_budget.burn_alerts] == [
            pair.severity for pair in was.error_budget.burn_alerts
        ]
        assert kpi.error_budget.min_total == max(2, math.ceil(was.error_budget.min_total / 60))
    assert "1m/5s and 6m/30s, hours as minutes" in "; ".join(adaptations(faults=True))


def test_the_sprint_keeps_its_length_when_it_is_moved(tmp_path: Path) -> None:
    """What is due at its end must be as far away as it would be in the real one."""
    write_rules(tmp_path / "rules", NOON, story=None)
    sprint = yaml.safe_load((tmp_path / "rules" / "sprint.yaml").read_text())

    assert date.fromisoformat(sprint["start"]) == date(2026, 7, 8)
    assert date.fromisoformat(sprint["end"]) == date(2026, 7, 19)


def test_every_indicator_of_the_rules_is_collected(tmp_path: Path) -> None:
    """An indicator that no source brings would be no data for ever, and nobody would know that it is the demo's fault."""
    config = demo_config("http://127.0.0.1:1", 0)
    specs: dict[str, IndicatorSpec] = {}
    for collector in config["collectors"]:
        for indicator in collector["indicators"]:
            if isinstance(indicator, str):
                specs[indicator] = IndicatorSpec(indicator, IndicatorType.BOOL)
            else:
                unit = source_unit(indicator.get("unit", ""))[0]
                specs[indicator["name"]] = IndicatorSpec(indicator["name"], IndicatorType(indicator["type"]), unit)
    write_rules(tmp_path / "rules", NOON, story=None)

    loaded = load_rules([tmp_path / "rules"], specs)

    assert [str(finding) for finding in loaded.findings] == []
    assert loaded.plan is not None
    assert set(loaded.plan.indicators) == {*specs, BURN_ALARM}
