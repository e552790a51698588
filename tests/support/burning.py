"""Random hours of ratios with error budgets, and the daemon's own job over them, stopped and started at will.

Counters with resets, or events; series that come and go, collections that fail, samples that come late, silences of
minutes and of days. Every number is whole, so that sums are exact however they are formed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from slo_guard.clock import from_unix
from slo_guard.domain.builtin import BURN_ALARM, of_sprint
from slo_guard.domain.kpi import (
    KPI,
    BudgetMethod,
    BurnPair,
    ErrorBudget,
    NoData,
    NoDataThen,
    Plan,
    RatioPair,
    Selection,
    Severity,
    Single,
    Window,
    WindowKind,
)
from slo_guard.domain.ports import Store
from slo_guard.domain.readings import Collection as CollectionOf
from slo_guard.domain.readings import IndicatorType, Observation
from slo_guard.evaluate import Evaluation, EvaluationState
from slo_guard.jobs import EvaluationBacklog, evaluate_once
from slo_guard.restoring import state_to_start_with
from tests.support.builders import (
    SPRINT_START,
    a_batch,
    a_failure,
    a_frame,
    a_kpi,
    a_plan,
    a_sprint,
    an_objective,
    labels,
)
from tests.support.fake_store import FakeStore

T0 = SPRINT_START
AFTER = 120.0
SERIES = [labels("system=fs"), labels("system=xai2"), labels("system=ga")]
PAIRS = (
    BurnPair(600.0, 120.0, 2.0, Severity.PAGE, "10m/2m"),
    BurnPair(1800.0, 300.0, 1.5, Severity.PAGE, "30m/5m"),
    BurnPair(7200.0, 600.0, 1.0, Severity.TICKET, "2h/10m"),
    BurnPair(172800.0, 3600.0, 1.0, Severity.TICKET, "2d/1h"),
)


@dataclass(frozen=True)
class Hours:
    """A plan, what was observed (ascending by ``seen_at``) and when to evaluate."""

    plan: Plan
    observations: tuple[Observation, ...]
    evaluations: tuple[float, ...]

    def __repr__(self) -> str:
        kpis = [
            f"{kpi.id}: {kpi.measure.text} every {kpi.interval_seconds:g}s, {kpi.error_budget}"
            for kpi in self.plan.kpis
        ]
        times = " ".join(f"{at - T0:g}" for at in self.evaluations)
        seen = " ".join(f"{item.seen_at - T0:g}" for item in self.observations)
        return "\n  ".join(["Hours", *kpis, f"evaluated at {times}", f"seen at {seen}"])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002 - hypothesis passes both
        """Have hypothesis print the story instead of the constructor calls."""
        printer.text(repr(self))


@st.composite
def burning_hours(
    draw: st.DrawFn, *, of: IndicatorType | None = None, silences: bool = True, late: bool = True
) -> Hours:
    """Draw ratios with error budgets over the same indicators, and the KPI of how long their alarms have sounded."""
    type_ = of or draw(st.sampled_from([IndicatorType.COUNTER, IndicatorType.EVENT]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pauses = [30.0] * 12 + [60.0, 90.0] + ([150.0, 200.0, 900.0, 27 * 3600.0] if silences else [150.0, 200.0])
    ticks = T0 + np.cumsum(random.choice(pauses, draw(st.integers(4, 40))))
    start = T0 + draw(st.sampled_from([-3 * 86400.0, 0.0, 0.0, 100.0]))
    sprint = a_sprint(start, start + draw(st.sampled_from([12 * 86400.0] * 3 + [3 * 86400.0 + 1000.0])))
    kpis = [draw(_kpis(f"kpi_{number}", number, type_)) for number in range(draw(st.integers(1, 3)))]
    names = sorted({name for kpi in kpis for name in kpi.indicators})
    observations: list[Observation] = []
    for number in sorted({name[-1] for name in names}):
        observations += _observed(f"bad_{number}", f"total_{number}", type_, ticks, random, late=late)
    plan = a_plan(*kpis, alarm_kpi(), sprint=sprint)
    step = draw(st.sampled_from([30.0, 30.0, 60.0]))
    evaluations = sorted({step * np.ceil(at / step) + late for at in ticks for late in (0.0, step)})
    kept = [float(at) for at in evaluations if random.random() > 0.1]
    return Hours(plan, tuple(sorted(observations, key=lambda item: item.seen_at)), tuple(kept))


def alarm_kpi(**fields: Any) -> KPI:
    """Return the KPI of how long burn alarms have sounded within the sprint."""
    source = Single(Selection(BURN_ALARM, (of_sprint("sprint-40"),)))
    objective = an_objective("below", 600.0)
    return a_kpi("burn_minutes", "total over sprint", source=source, unit="seconds", objective=objective, **fields)


@st.composite
def _kpis(draw: st.DrawFn, name: str, number: int, type_: IndicatorType) -> KPI:
    number = draw(st.sampled_from([0, number]))
    part_is = draw(st.sampled_from(["bad", "bad", "good"]))
    allowed = draw(st.sampled_from([0.125, 0.25]))
    slices = draw(st.booleans())
    budget = ErrorBudget(
        draw(st.sampled_from([Window(WindowKind.SPRINT), Window(WindowKind.DURATION, 2 * 86400.0)])),
        "window",
        allowed,
        BudgetMethod.TIMESLICES if slices else BudgetMethod.OCCURRENCES,
        draw(st.sampled_from([30.0, 60.0, 60.0, 7.0, 7200.0, 6 * 3600.0])) if slices else 60.0,
        draw(st.sampled_from([0.75, 0.5])) if slices else 0.0,
        PAIRS if draw(st.booleans()) else PAIRS[:2],
        draw(st.sampled_from([0.0, 0.0, 20.0])),
    )
    return a_kpi(
        name,
        draw(st.sampled_from(["ratio over 10m", "ratio over 30m", "ratio over 2h", "ratio over sprint"])),
        type=type_,
        source=RatioPair(Selection(f"bad_{number}"), Selection(f"total_{number}"), part_is),
        by=draw(st.sampled_from([(), ("system",)])),
        objective=an_objective("at_most", allowed) if part_is == "bad" else an_objective("at_least", 1 - allowed),
        error_budget=budget,
        interval_seconds=draw(st.sampled_from([30.0, 30.0, 60.0])),
        no_data=NoData(AFTER, draw(st.sampled_from(list(NoDataThen)))),
    )


def _observed(
    bad: str, total: str, type_: IndicatorType, ticks: np.ndarray, random: np.random.Generator, *, late: bool
) -> Iterator[Observation]:
    """Yield what a collector brings of both sides: they share their times, their series and their failures."""
    sums = np.zeros((2, len(SERIES)))
    share, shown = 0.0, np.ones(len(SERIES), dtype=bool)
    shown[random.integers(0, len(SERIES)) :] = False
    for seen_at in ticks.tolist():
        share = random.choice([share, share, 0.0, 0.3, 0.6, 1.0])
        shown ^= random.random(len(SERIES)) < 0.1
        if random.random() < 0.08:
            yield a_failure((bad, total), seen_at)
            continue
        events = random.integers(0, 8, len(SERIES))
        failed = random.binomial(events, share)
        at = seen_at - float(random.choice([0.0, 0.0, 0.0, 1.0, 45.0, 130.0] if late else [0.0]))
        if type_ is IndicatorType.EVENT:
            for name, numbers in ((bad, failed), (total, events)):
                found = [
                    (at, float(n), f"system={dict(SERIES[row])['system']}")
                    for row, n in enumerate(numbers)
                    if shown[row]
                ]
                yield a_batch(name, seen_at, *found)
            continue
        sums += np.array([failed, events])
        sums[:, random.random(len(SERIES)) < 0.05] = 0.0
        rows = [row for row in range(len(SERIES)) if shown[row]]
        for name, side in ((bad, sums[0]), (total, sums[1])):
            yield a_frame(name, at, {SERIES[row]: float(side[row]) for row in rows}, seen_at=seen_at)


def lived(
    hours: Hours, stops: Collection[int] = (), new_store: Callable[[], Store] = FakeStore
) -> Iterator[tuple[float, Evaluation]]:
    """Evaluate as a daemon does, through a store; after the evaluations numbered ``stops`` go on as after a restart."""
    store, backlog, coming = new_store(), EvaluationBacklog(), list(hours.observations)
    state = EvaluationState.fresh()
    for number, now in enumerate(hours.evaluations):
        while coming and coming[0].seen_at <= now:
            item = coming.pop(0)
            store.save_collection(CollectionOf("source", item.seen_at, (item,)), lambda item=item: item.seen_at)
        yield now, evaluate_once(hours.plan.due_at(now), store, state, from_unix(now), backlog)
        if number in stops and number + 1 < len(hours.evaluations):
            state = state_to_start_with(hours.plan, store, hours.evaluations[number + 1])


def instants(hours: Hours) -> Sequence[int]:
    """Return the numbers of the evaluations after which one can stop."""
    return range(max(1, len(hours.evaluations) - 1))
