"""Error budgets in worked numbers: those of the SRE Workbook and of others who published theirs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from slo_guard.clock import from_unix
from slo_guard.domain.alerts import AlertKind
from slo_guard.domain.budgets import SeriesBudget, factor_of, spent_share
from slo_guard.domain.kpi import (
    KPI,
    BudgetMethod,
    BurnPair,
    ErrorBudget,
    NoData,
    NoDataThen,
    Severity,
    Window,
    WindowKind,
)
from slo_guard.domain.readings import IndicatorType, Observation
from slo_guard.evaluate import Evaluation, EvaluationState, evaluate
from slo_guard.rulebook.budgets import WORKBOOK
from tests.support.builders import SPRINT_START, a_batch, a_failure, a_frame, a_kpi, a_plan, an_objective, numbered
from tests.support.stories import judged

T0 = SPRINT_START
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
GOOD = [2, 10, 12, 13, 13, 12, 13, 13, 12, 11]
TOTAL = [4, 10, 12, 13, 14, 15, 14, 13, 12, 11]
FAST = (WORKBOOK[0],)


def budgeted(
    allowed: float, budget_seconds: float | None = 30 * DAY, *, kpi: dict[str, Any] | None = None, **fields: Any
) -> KPI:
    """Return a KPI over ``part`` (bad) and ``total`` with an error budget; ``fields`` are the budget's own."""
    window = Window(WindowKind.SPRINT) if budget_seconds is None else Window(WindowKind.DURATION, budget_seconds)
    budget = ErrorBudget(window, "window", allowed, **fields)
    return a_kpi(
        "kpi", "ratio over sprint", objective=an_objective("at_most", allowed), error_budget=budget, **(kpi or {})
    )


def requests(bad: list[float], total: list[float], every: float = MINUTE) -> list[Observation]:
    """Return counters, one sample ``every`` so many seconds from T0 on, that gain ``bad`` and ``total``."""
    sums = {"part": np.cumsum([0.0, *bad]), "total": np.cumsum([0.0, *total])}
    return [a_frame(name, T0 + every * at, float(v)) for name, values in sums.items() for at, v in enumerate(values)]


def budget_at(kpi: KPI, observations: list[Observation], now: float) -> SeriesBudget:
    """Return how the budget stands ``now`` seconds after T0."""
    frame = judged(kpi, observations, T0 + now)
    assert frame.budget is not None
    return frame.budget.row(0)


def run(kpi: KPI, observations: list[Observation], times: list[float]) -> list[Evaluation]:
    """Evaluate at T0 + each of ``times``."""
    state, stored, found = EvaluationState.fresh(), numbered(observations), []
    for time in times:
        new = [item for item in stored if item.id > state.reading_cursor and item.observation.seen_at <= T0 + time]
        found.append(evaluate(a_plan(kpi), new, state, from_unix(T0 + time)))
    return found


def burns(evaluations: list[Evaluation], times: list[float]) -> list[tuple[float, str, str]]:
    """Return (seconds after T0, state, reason) of the transitions of burn alerts."""
    return [
        (time, each.to_state.label, each.reason.value)
        for time, evaluation in zip(times, evaluations, strict=True)
        for each in evaluation.transitions
        if each.key.kind is AlertKind.BURN
    ]


@pytest.mark.parametrize(
    ("factor", "hours", "spent"), [(36, 1, 0.05), (14.4, 1, 0.02), (6, 6, 0.05), (3, 24, 0.1), (1, 72, 0.1)]
)
def test_burn_rates_spend_what_the_workbook_says(factor: float, hours: float, spent: float):
    """SRE Workbook, chapter 5: a burn rate of 36 spends 5 % of a 30-day budget in one hour; and its table 5-8."""
    assert spent_share(factor, hours * HOUR, 30 * DAY) == pytest.approx(spent)
    assert factor_of(spent, hours * HOUR, 30 * DAY) == pytest.approx(factor)


def test_fifteen_percent_of_errors_page_after_346_seconds():
    """SRE Workbook, chapter 5: time to detect is (1 - SLO) / error ratio x window x factor.

    At 99.9 % with 15 % of errors that is 0.1 / 15 x 1 h x 14.4 = 5.76 min, once the hour before was clean. Evaluated
    each 10 s, the first evaluation above it is that of 350 s.
    """
    clean, every = 360, 10.0
    observations = requests([0] * clean + [15] * 60, [100] * (clean + 60), every)
    times = [HOUR + every * number for number in range(60)]

    told = burns(run(budgeted(0.001, burn_alerts=FAST), observations, times), times)

    assert told == [(HOUR + 350.0, "firing", "burning")]


def test_burn_rate_of_a_thousand_is_gone_in_43_minutes():
    """SRE Workbook, table 5-4: at 99.9 % over 30 days an outage (burn rate 1,000) exhausts the budget in 43 minutes."""
    budget = budget_at(budgeted(0.001, burn_alerts=FAST), requests([100.0] * 60, [100.0] * 60), HOUR)

    assert budget.rates[HOUR] == pytest.approx(1000.0)
    assert spent_share(1000.0, 43.2 * MINUTE, 30 * DAY) == pytest.approx(1.0)
    # An hour of it is already more than the 43 minutes that the 30 days allow, had there been traffic all the time.
    assert budget_at(budgeted(0.001, burn_alerts=FAST), requests([100.0] * 60, [100.0] * 60), 60.0).exhausted_in == 0.0


def test_what_a_burn_of_one_leaves_lasts_for_the_window():
    """At the pace of exactly what is allowed a sprint's budget ends with the sprint."""
    budget = budget_at(budgeted(0.01, None, burn_alerts=FAST), requests([1.0] * 120, [100.0] * 120), 2 * HOUR)

    assert budget.exhausted_in == pytest.approx(12 * DAY - 2 * HOUR)


def test_occurrences_count_single_requests():
    """Nobl9's write-up of budgeting methods (gist nobl9-mikec, a1a55d97): 111 good of 118 are 94.068 %; at 95 % that spends 118.64 %."""
    bad = [total - good for good, total in zip(GOOD, TOTAL, strict=True)]

    budget = budget_at(budgeted(0.05), requests(bad, TOTAL), 10 * MINUTE)

    assert 1 - budget.bad / budget.total == pytest.approx(0.94068, abs=1e-5)
    assert 1 - budget.remaining == pytest.approx(1.1864, abs=1e-4)
    assert budget.remaining < 0, "a budget that is overspent says by how much"


def test_time_slices_count_minutes_that_were_good_enough():
    """The same example by time slices of a minute, each good from 95 % on: 6 good of 10, 800 % of the budget spent."""
    bad = [total - good for good, total in zip(GOOD, TOTAL, strict=True)]
    kpi = budgeted(0.05, method=BudgetMethod.TIMESLICES, slice_seconds=MINUTE, slice_good=0.95)

    budget = budget_at(kpi, requests(bad, TOTAL), 10 * MINUTE)

    assert (budget.total - budget.bad, budget.total) == (6, 10)
    assert 1 - budget.remaining == pytest.approx(8.0)


def test_a_week_at_three_and_a_half_nines_allows_five_minutes():
    """7 d x 0.05 % = 302.4 s = 5 m 2.4 s: an outage that long, in even traffic, leaves nothing, and not less."""
    allowed = 1 - 0.9995
    assert 7 * DAY * allowed == pytest.approx(302.4)
    observations = requests([1.0] * 21 + [0.0] * 41_979, [1.0] * 42_000, 14.4)

    budget = budget_at(budgeted(0.0005, 7 * DAY), observations, 7 * DAY)

    assert budget.bad * 14.4 == pytest.approx(302.4)
    assert budget.remaining == pytest.approx(0.0, abs=1e-9)


def test_the_workbooks_percentages_need_another_factor_in_a_sprint_of_two_weeks():
    """10 % in 3 d of 14 d is the factor 0.1 x 336 h / 72 h = 0.467; below 1 the rules refuse it."""
    assert factor_of(0.1, 3 * DAY, 14 * DAY) == pytest.approx(0.467, abs=1e-3)


@pytest.mark.parametrize(("min_total", "fires"), [(0.0, True), (10.0, False)])
def test_one_failure_at_night_does_not_page_with_min_total(min_total: float, fires: bool):
    """SRE Workbook, chapter 5, "Low-Traffic Services": one failure of ten requests an hour is a burn rate of 1,000."""
    observations = requests([0.0] * 58 + [1.0, 0.0], [0.0] * 55 + [1.0] * 5)

    evaluation = run(budgeted(0.001, burn_alerts=FAST, min_total=min_total), observations, [HOUR])

    assert bool(burns(evaluation, [HOUR])) is fires


def test_a_tier_that_is_switched_off_is_measured_and_wakes_nobody():
    """Its burn rate is still on the page, and its windows may still explain what happened."""
    off = BurnPair(HOUR, 300.0, 14.4, Severity.NONE, "1h/5m")
    observations = requests([50.0] * 60, [100.0] * 60)

    [evaluation] = run(budgeted(0.01, burn_alerts=(off,)), observations, [HOUR])

    assert burns([evaluation], [HOUR]) == []
    assert evaluation.verdicts[0].budget.row(0).rates[HOUR] == pytest.approx(50.0)
    assert evaluation.burn_alarm_seconds == {}


def test_without_traffic_there_is_no_burn_rate_and_the_alert_ends():
    """Nothing was asked, so nothing failed: the counters are read, and stand still."""
    observations = requests([50.0] * 60 + [0.0] * 70, [100.0] * 60 + [0.0] * 70)
    times = [HOUR + 300.0 * number for number in range(3)]

    evaluations = run(budgeted(0.01, burn_alerts=FAST), observations, times)

    assert [(time, to) for time, to, _ in burns(evaluations, times)] == [(HOUR, "firing"), (HOUR + 300, "inactive")]
    assert evaluations[1].verdicts[0].budget.row(0).rates[300.0] is None


@pytest.mark.parametrize(
    ("then", "told"),
    [
        (NoDataThen.ALERT, ["firing"]),
        (NoDataThen.HOLD, ["firing"]),
        (NoDataThen.OK, ["firing", "inactive"]),
    ],
)
def test_while_nothing_is_seen_a_burn_alert_stays_as_it_is(then: NoDataThen, told: list[str]):
    """An exporter that dies of the very overload must not end the page that says so, unless the rule says it may.

    The five minutes of the short window are over by the end, and would end it.
    """
    failures = [a_failure(("part", "total"), T0 + HOUR + MINUTE * number) for number in range(1, 30)]
    observations = [*requests([50.0] * 60, [100.0] * 60), *failures]
    times = [HOUR + MINUTE * number for number in range(30)]
    kpi = budgeted(0.01, burn_alerts=FAST, kpi={"no_data": NoData(120.0, then)})

    found = burns(run(kpi, observations, times), times)

    assert [to for _, to, _ in found] == told
    if then is NoDataThen.OK:
        assert found[-1] == (HOUR + 180.0, "inactive", "no_data_is_ok")


def test_events_are_summed_by_their_values():
    """Batches that were checked, each with how many rows it had and how many were bad: 3 batches, 1,000 rows."""
    kpi = budgeted(0.01, burn_alerts=FAST, kpi={"type": IndicatorType.EVENT})
    observations = [
        a_batch("part", T0 + 3000.0, (T0 + 600.0, 100.0), (T0 + 3000.0, 50.0)),
        a_batch("total", T0 + 3000.0, (T0 + 600.0, 400.0), (T0 + 1200.0, 500.0), (T0 + 3000.0, 100.0)),
    ]

    budget = budget_at(kpi, observations, 3000.0)

    assert (budget.bad, budget.total) == (150.0, 1000.0)
    assert budget.remaining == pytest.approx(1 - 0.15 / 0.01)
    assert (budget.rates[HOUR], budget.rates[300.0]) == (pytest.approx(15.0), pytest.approx(50.0))
    assert [pair.text for pair in budget.burning] == ["1h/5m"]


def test_a_late_event_is_taken_into_the_burn_rate_of_its_own_time():
    """What a queue delivers an hour late spent the budget then, and does not burn now."""
    kpi = budgeted(0.01, burn_alerts=FAST, kpi={"type": IndicatorType.EVENT})
    observations = [
        a_batch("total", T0 + 3000.0, *((T0 + 60.0 * n, 10.0) for n in range(1, 51))),
        a_batch("part", T0 + 3000.0, (T0 + 2990.0, 0.0)),
        a_batch("part", T0 + 3030.0, (T0 + 1000.0, 20.0)),
        a_batch("total", T0 + 3030.0),
    ]

    budget = budget_at(kpi, observations, 3030.0)

    assert (budget.rates[HOUR], budget.rates[300.0]) == (pytest.approx(4.0), 0.0)
