"""What ``demo --speed`` is made of: the shipped rules but for their grid, the story in sprint days, the pace, the words."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import numpy as np
import pytest
import yaml
from rich.console import Console

from slo_guard.cli.demo_speed import shipped_sprint
from slo_guard.demo.adapted_rules import shipped_rules
from slo_guard.demo.slack_stand_in import Received
from slo_guard.demo.speed import Pace, SprintRun
from slo_guard.demo.sprint_console import SprintConsole
from slo_guard.demo.sprint_room import SprintRoom, adaptations, stepped_config, write_stepped_rules
from slo_guard.demo.world.ga_ops import PAGE_DOWN
from slo_guard.demo.world.reliability import SEV1
from slo_guard.demo.world.sprint_story import sprint_story
from slo_guard.domain.kpi import Severity
from slo_guard.loaded import load_files
from slo_guard.rulebook import load_rules

SPRINT = shipped_sprint()
TEN_MINUTES = 600.0


def test_the_rules_are_the_shipped_ones_but_for_when_they_are_judged(tmp_path: Path) -> None:
    """What the sprint at speed shows holds for the rules that are shipped only as far as they are the same."""
    write_stepped_rules(tmp_path / "rules", TEN_MINUTES)

    stepped, shipped = load_rules([tmp_path / "rules"], None).plan, load_rules([shipped_rules()], None).plan
    assert stepped is not None
    assert shipped is not None
    fields = ("id", "objective", "warn", "resolve", "for_seconds", "due_at", "checkpoint_at", "drift", "pace", "when")
    assert [[getattr(kpi, name) for name in fields] for kpi in stepped.kpis] == [
        [getattr(kpi, name) for name in fields] for kpi in shipped.kpis
    ]
    assert stepped.sprints == shipped.sprints
    assert {kpi.interval_seconds for kpi in stepped.kpis} == {TEN_MINUTES}
    assert [kpi.no_data.after_seconds for kpi in stepped.kpis] == [
        max(kpi.no_data.after_seconds, TEN_MINUTES) for kpi in shipped.kpis
    ]


@pytest.mark.parametrize(
    ("step", "tiers"),
    [
        (30.0, ["1h/5m", "6h/30m", "24h/2h", "3d/6h"]),
        (300.0, ["1h/5m", "6h/30m", "24h/2h", "3d/6h"]),
        (900.0, ["1h/15m", "6h/30m", "24h/2h", "3d/6h"]),
        (3600.0, ["4h/1h", "6h/1h", "24h/2h", "3d/6h"]),
        (3 * 3600.0, ["12h/3h", "24h/3h", "3d/6h"]),
        (6 * 3600.0, ["24h/6h", "3d/6h"]),
    ],
)
def test_a_burn_window_holds_what_is_seen_in_it(tmp_path: Path, step: float, tiers: list[str]) -> None:
    """Five minutes between two readings that are a quarter of an hour apart hold nothing, or what took longer."""
    write_stepped_rules(tmp_path / "rules", step)

    plan = load_rules([tmp_path / "rules"], None).plan

    assert plan is not None
    budgets = [kpi.error_budget for kpi in plan.kpis if kpi.error_budget is not None]
    assert len(budgets) == 3
    for budget in budgets:
        assert [pair.text for pair in budget.burn_alerts] == tiers
        assert (budget.burn_alerts[0].factor, budget.burn_alerts[0].severity) == (14.4, Severity.PAGE)
    assert ("burn alerts" in "; ".join(adaptations(step))) == (tiers[0] != "1h/5m")


@pytest.mark.parametrize("step", [30.0, TEN_MINUTES, 6 * 3600.0])
def test_the_config_is_good_for_any_step(tmp_path: Path, step: float) -> None:
    """A sprint that is not begun for a finding in its own files helps nobody."""
    with SprintRoom(tmp_path, SPRINT, step, lambda _: None) as room:
        loaded = load_files(room.config_path)

    assert loaded.warnings == ()
    assert {options.interval for options in loaded.config.collectors} == {step}


def test_reminders_come_once_a_day() -> None:
    """Every four hours for twelve days would bury what is new."""
    config = stepped_config("http://127.0.0.1:1", TEN_MINUTES)

    assert [receiver["repeat_interval"] for receiver in config["receivers"]] == ["1d"]


def test_the_story_fills_the_sprint_in_office_hours() -> None:
    """A page that is down for a day and a half is no outage that anybody would believe."""
    story = sprint_story(SPRINT, TEN_MINUTES)
    hours = [(3, 11.9), (3, 12.0), (3, 18.4), (3, 18.6)]

    down = story.active(PAGE_DOWN, np.array([story.local(*hour) for hour in hours]))
    sev1 = story.active(SEV1, np.array([story.local(5, 2.9), story.local(5, 3.0), SPRINT.end_at + 3600.0]))

    assert down.tolist() == [False, True, True, False]
    assert sev1.tolist() == [False, True, True]


def test_a_pace_holds_simulated_time_back_and_never_pushes_it() -> None:
    """A machine that is too slow for the speed that was asked for goes on without waiting."""
    real = [100.0]
    pace = Pace(3600.0, SPRINT.start_at, threading.Event(), lambda: real[0])

    early = pace.seconds_ahead(SPRINT.start_at + 7200.0)
    real[0] += 5.0
    late = pace.seconds_ahead(SPRINT.start_at + 7200.0)
    unheld = Pace(float("inf"), SPRINT.start_at, threading.Event(), lambda: real[0]).seconds_ahead(SPRINT.end_at)

    assert (early, late, unheld) == (2.0, 0.0, 0.0)


def test_each_day_message_and_answer_is_a_line_in_local_time() -> None:
    """Twelve days are read from top to bottom: what day it is must always be in sight."""
    out = io.StringIO()
    console = SprintConsole(SPRINT, Console(file=out, width=120))

    console.introduce(3600.0, adaptations(TEN_MINUTES))
    console.step(SprintRun(), SPRINT.start_at - 3000.0)
    console.step(SprintRun(), SPRINT.start_at)
    console.step(SprintRun(), SPRINT.start_at + TEN_MINUTES)
    console.message(Received(SPRINT.start_at + 3600.0, {"text": "🔴 Breached: GA p95"}))
    console.message(Received(SPRINT.start_at + 3600.0, {"text": "🔴 Breached: GA p95"}, retry_after=3))
    console.step(SprintRun(), SPRINT.end_at)

    shown = out.getvalue()
    assert "3,600 simulated seconds a second" in shown
    assert "Sun 2026-07-05, before it" in shown
    assert shown.count("Mon 2026-07-06, day 1 of 12") == 1
    assert "Mon 01:00  Slack  🔴 Breached: GA p95" in shown
    assert "429, Retry-After: 3" in shown
    assert "Sat 2026-07-18, after it" in shown


def test_what_is_adapted_is_said(tmp_path: Path) -> None:
    """Whoever compares it with the shipped rules must not find a difference that was not told."""
    write_stepped_rules(tmp_path / "rules", TEN_MINUTES)
    written = yaml.safe_load((tmp_path / "rules" / "ga-ops.yaml").read_text())

    said = "; ".join(adaptations(TEN_MINUTES))

    assert written["defaults"]["no_data"]["after"] == "600s"
    assert "each 10m" in said
    assert "nothing is stale before 10m" in said
    assert "told again once a day" in said
