"""``eval`` of what reads the built-in burn alarms: they are counted at each evaluation, not read from the samples."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slo_guard.domain.builtin import BURN_ALARM, of_sprint
from slo_guard.domain.kpi import KPI, BurnPair, ErrorBudget, Selection, Severity, Single, Window, WindowKind
from slo_guard.domain.ports import StoredObservation
from slo_guard.domain.verdicts import Verdict
from slo_guard.replay.backtest import backtest
from slo_guard.replay.eval_samples import evaluate_samples
from tests.support.builders import SPRINT_START, a_frame, a_kpi, a_plan, an_objective, numbered

T0 = SPRINT_START
HOUR = 3600.0
PAIR = BurnPair(HOUR, 300.0, 6.0, Severity.PAGE, "1h/5m")
ALARMS = a_kpi(
    "alarms",
    "total over sprint",
    source=Single(Selection(BURN_ALARM, (of_sprint("sprint-40"),))),
    objective=an_objective("below", 600.0),
    interval_seconds=60.0,
)


def burning() -> KPI:
    """Return a ratio whose budget burns by the samples of :func:`recorded`."""
    budget = ErrorBudget(Window(WindowKind.SPRINT), "sprint", 0.05, burn_alerts=(PAIR,))
    objective = an_objective("at_most", 0.05)
    return a_kpi("slo", "ratio over 10m", objective=objective, error_budget=budget, interval_seconds=60.0)


def recorded(minutes: int, until: int) -> list[StoredObservation]:
    """Return samples a minute apart, from two hours before the sprint: nine in ten fail in its first ``minutes``."""
    failed, frames = 0.0, []
    for minute in range(-120, until + 1):
        failed += 9.0 if 0 <= minute < minutes else 0.0
        at = T0 + 60.0 * minute
        frames += [a_frame("part", at, failed), a_frame("total", at, 10.0 * (minute + 120))]
    return numbered(frames)


@pytest.mark.parametrize("judged", [True, False])
def test_burn_alarms_are_counted_from_the_sprints_start_not_only_lately(judged: bool):
    """A script that reads `eval` in the second week must see the minutes of the first, as `backtest` and the daemon do."""
    alarms = ALARMS if judged else replace(ALARMS, objective=None)
    plan = a_plan(burning(), alarms, collector=None)
    observations, at = recorded(30, 600), T0 + 600 * 60.0

    result = evaluate_samples(plan, observations, at)

    began, ended = (each.at for each in backtest(plan, observations, T0 - 2 * HOUR, at) if each.key.tier == "1h/5m")
    [row] = [each for each in result.verdicts if each.kpi.id == "alarms"]
    assert row.value == ended - began > 600.0
    assert row.verdict is (Verdict.MISSED if judged else Verdict.TRACKED)
