"""How far back readings are needed so that a restart gives an error budget what it had."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slo_guard.clock import from_unix
from slo_guard.domain.builtin import BURN_ALARM, burn_alarm_index
from slo_guard.domain.kpi import BudgetMethod, BurnPair, ErrorBudget, NoData, Severity, Window, WindowKind
from slo_guard.domain.ports import PersistedEvaluation
from slo_guard.domain.readings import GaugeFrame, IndicatorType, Reading
from slo_guard.evaluate import EvaluationState, evaluate, needed_from
from slo_guard.rulebook.budgets import WORKBOOK
from tests.support.builders import SPRINT_START, a_batch, a_frame, a_kpi, a_plan, a_sprint, an_objective, numbered

T0 = SPRINT_START
HOUR, DAY = 3600.0, 86400.0


@pytest.mark.parametrize("slice_seconds", [60.0, 6 * HOUR])
def test_a_restart_gives_long_slices_what_they_had(slice_seconds: float):
    """A slice counts as a whole, also the one in which the window begins: its beginning has to be read, too."""
    window = Window(WindowKind.DURATION, 2 * DAY)
    budget = ErrorBudget(window, "2d", 0.1, BudgetMethod.TIMESLICES, slice_seconds, 0.9)
    kpi = a_kpi("kpi", "ratio over 10m", objective=an_objective("at_most", 0.1), error_budget=budget)
    plan = a_plan(replace(kpi, no_data=NoData(900.0)))
    samples = 169 * 6
    total = [float(10 * at) for at in range(samples)]
    begin = T0 - 72 * HOUR
    # Everything that is bad lies in the first hour of a slice of six.
    bad, failed = [], 0.0
    for at in range(samples):
        failed += 20.0 if (begin + at * 600.0) % (6 * HOUR) in (600.0, 1200.0, 1800.0) else 0.0
        bad.append(failed)
    frames = [
        a_frame(n, begin + at * 600.0, v) for n, vs in (("part", bad), ("total", total)) for at, v in enumerate(vs)
    ]
    stored, now = numbered(frames), begin + (samples - 1) * 600.0

    for later in (0.0, 600.0, 2 * HOUR, 4 * HOUR, 5 * HOUR + 1200.0):
        at = now - later
        known = [item for item in stored if item.observation.seen_at <= at]
        whole = evaluate(plan, known, EvaluationState.fresh(), from_unix(at)).verdicts[0].budget
        needed = needed_from(plan, at)
        kept = [item for item in known if item.observation.seen_at >= needed]
        persisted = PersistedEvaluation(at - 60.0, known[-1].id, 0, {}, {}, {})
        restored = EvaluationState.restored(plan, persisted, kept)
        after = evaluate(plan, [], restored, from_unix(at)).verdicts[0].budget

        assert len(kept) < len(known)
        assert (after.row(0).bad, after.row(0).total) == (whole.row(0).bad, whole.row(0).total)


def test_what_is_judged_anew_is_not_what_an_older_rule_had_said():
    """A backtest of other burn alerts over a daemon's store must count their alarms, and not those that it lived."""
    budget = ErrorBudget(Window(WindowKind.SPRINT), "sprint", 0.1, burn_alerts=WORKBOOK)
    kpi = a_kpi("kpi", "ratio over 10m", objective=an_objective("at_most", 0.1), error_budget=budget)
    plan, state, minutes = a_plan(kpi), EvaluationState.fresh(), [T0 + 60.0 * number for number in range(30)]
    index = burn_alarm_index(kpi.sprint)
    quiet = [a_frame(name, at, at - T0 if name == "total" else 0.0) for at in minutes for name in ("part", "total")]
    lived = [Reading(BURN_ALARM, "slo_guard", at, GaugeFrame(index, np.array([1.0]), at)) for at in minutes]
    before = Reading(BURN_ALARM, "slo_guard", T0, GaugeFrame(index, np.array([1.0]), T0))
    waiting = numbered(sorted([*quiet, *lived[5:], before], key=lambda each: each.seen_at))

    found = []
    for now in minutes[5:]:
        news = [item for item in waiting if item.observation.seen_at <= now]
        waiting = [item for item in waiting if item.observation.seen_at > now]
        result = evaluate(plan, news, state, from_unix(now))
        found.append(result.burn_alarm_seconds[kpi.sprint])

    # What was lived before the first evaluation is known from the store alone.
    assert set(found) == {300.0}


@pytest.mark.parametrize("method", BudgetMethod)
@pytest.mark.parametrize("kind", [IndicatorType.COUNTER, IndicatorType.EVENT])
def test_a_budget_of_what_goes_on_after_its_sprint_still_counts_from_the_sprints_start(
    kind: IndicatorType, method: BudgetMethod
):
    """Until the next sprint starts the old one's sliding KPIs go on: their budgets must not forget the first days.

    Nor must they take in what was before the sprint, or be other ones after a restart.
    """
    sprint = a_sprint(T0, T0 + DAY)
    pair = BurnPair(HOUR, 300.0, 6.0, Severity.TICKET, "1h/5m")
    budget = ErrorBudget(Window(WindowKind.SPRINT), "sprint", 0.1, method, 60.0, 0.95, (pair,))
    kpi = a_kpi("kpi", "ratio over 1h", objective=an_objective("at_most", 0.1), error_budget=budget, type=kind)
    plan = a_plan(replace(kpi, no_data=NoData(1800.0)), sprint=sprint)
    times = [T0 - 6 * HOUR + 600.0 * number for number in range(1200)]
    # Ten a step; all of them bad before the sprint, one of them afterwards.
    gained = [(10.0 if at <= T0 else 1.0, 10.0) for at in times]
    stored = numbered(
        a_frame(name, at, sum(each[side] for each in gained[: number + 1]))
        if kind is IndicatorType.COUNTER
        else a_batch(name, at, *[(at, gained[number][side])])
        for number, at in enumerate(times)
        for side, name in enumerate(("part", "total"))
    )

    state = EvaluationState.fresh()
    for number, now in enumerate(times):
        result = evaluate(plan, stored[2 * number : 2 * number + 2], state, from_unix(now))
    needed = needed_from(plan, now, state.closed)
    kept = [item for item in stored if item.observation.seen_at >= needed]
    persisted = PersistedEvaluation(now - 60.0, stored[-1].id, 0, {}, {}, {}, closed=state.closed)
    restored = EvaluationState.restored(plan, persisted, kept)
    after = evaluate(plan, [], restored, from_unix(now)).verdicts[0].budget

    within = sum(at > T0 for at in times)
    lived = result.verdicts[0].budget.row(0)
    assert (lived.bad, lived.total) == (within, within if method is BudgetMethod.TIMESLICES else 10.0 * within)
    assert (after.row(0).bad, after.row(0).total) == (lived.bad, lived.total)
