"""Random days for what was added: events, rates, quotients, calendar windows, exclusions, pace and drift.

A story lasts minutes, hours or days, in a zone and at a time of the year that are drawn, and a local midnight falls
into it. Times are whole seconds and values multiples of a half.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from itertools import accumulate
from typing import Any

from hypothesis import strategies as st

from slo_guard.domain.calendar import day_start, zone_of
from slo_guard.domain.kpi import KPI, Objective, Plan
from slo_guard.domain.readings import CollectionFailure, EventBatch, GaugeFrame, IndicatorType, Observation
from slo_guard.domain.series import LabelSet
from tests.support.builders import a_batch, a_failure, a_frame, a_kpi, a_plan, a_sprint, labels
from tests.support.scenarios_wide_kpis import KPIS, Setting

NAMED = [labels(text) for text in ("system=fs,pod=p1", "system=fs,pod=p2", "system=predictive")]
ZONES = [
    "America/Denver",
    "America/Denver",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
]
MIDNIGHTS = [
    date(2026, 3, 8),
    date(2026, 3, 9),
    date(2026, 11, 1),
    date(2026, 11, 2),
    date(2028, 2, 29),
    date(2028, 3, 1),
    date(2026, 7, 6),
    date(2026, 12, 1),
    date(2027, 1, 1),
]
KINDS = list(KPIS)


@dataclass(frozen=True)
class WideScenario:
    """A plan, what was observed (in order of ``seen_at``), when to evaluate, and the story's first instant."""

    plan: Plan
    observations: tuple[Observation, ...]
    evaluations: tuple[float, ...]
    zero: float

    def __repr__(self) -> str:
        [sprint] = self.plan.sprints.values()
        return "\n  ".join(
            [
                f"WideScenario from {self.zero:.0f} in {sprint.timezone}",
                f"sprint: {sprint.start_at - self.zero:g} to {sprint.end_at - self.zero:g}",
                *(self._kpi_told(kpi) for kpi in self.plan.kpis),
                *(_told(item, self.zero) for item in self.observations),
                f"evaluated at {' '.join(f'{now - self.zero:g}' for now in self.evaluations)}",
            ]
        )

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002 - hypothesis passes both
        """Have hypothesis print the story instead of the constructor calls."""
        printer.text(repr(self))

    def _kpi_told(self, kpi: KPI) -> str:
        plain, parts = a_kpi(kpi.id, kpi.measure), []
        for name in KPI.__slots__:
            value = getattr(kpi, name)
            if value == getattr(plain, name) or name in ("place", "annotations"):
                continue
            if name.endswith("_at"):
                value = f"{value - self.zero:g}"
            if name == "exclude":
                value = [(each.start_at - self.zero, each.end_at - self.zero) for each in value]
            parts.append(f"{name}={value.text if isinstance(value, Objective) else value}")
        return f"{kpi.id}: {kpi.measure.text} {' '.join(parts)}"


def _told(item: Observation, zero: float) -> str:
    if isinstance(item, CollectionFailure):
        return f"+{item.seen_at - zero:g} {','.join(item.indicators)}: failed"
    head = f"+{item.seen_at - zero:g} {item.indicator}:"
    if isinstance(item.frame, EventBatch):
        rows = zip(item.frame.at.tolist(), item.frame.values.tolist(), item.frame.series.tolist(), strict=True)
        sets = item.frame.index.label_sets
        return f"{head} events {[(at - zero, value, dict(sets[row])) for at, value, row in rows]} of {sets}"
    assert isinstance(item.frame, GaugeFrame)
    rows = {str(dict(one)): float(item.frame.values[row]) for row, one in enumerate(item.frame.index.label_sets)}
    return f"{head} {'new rows' if item.frame.increment else 'rows'} {rows} at {item.frame.at - zero:g}"


@st.composite
def wide_scenarios(draw: st.DrawFn, kinds: tuple[str, ...] = tuple(KINDS), *, patient: bool = False) -> WideScenario:
    """Draw KPIs of one kind that share their indicators, and a stretch of time to judge them in.

    ``patient``: no series is away for as long as it is remembered, so that none comes back as a new one.
    """
    kind = draw(st.sampled_from(kinds))
    setting = replace(draw(_settings(kind)), patient=patient)
    number = draw(st.integers(1, 2))
    kpis = [draw(KPIS[kind](f"kpi_{index}", setting)) for index in range(number)]
    if kind in ("quotient", "drift"):
        kpis = [replace(kpi, type=kpis[0].type) for kpi in kpis if _family(kpi) == _family(kpis[0])]
    if patient:
        kpis = [replace(kpi, forget_after_seconds=1_500.0 * setting.unit, baseline=None) for kpi in kpis]
    observations: list[Observation] = []
    for name in dict.fromkeys(name for kpi in kpis for name in kpi.indicators):
        source = _events(name, setting) if _family(kpis[0]) == "event" else _frames(name, _family(kpis[0]), setting)
        observations += draw(source)
    observations.sort(key=lambda item: item.seen_at)
    plan = a_plan(*kpis, sprint=setting.sprint)
    return WideScenario(plan, tuple(observations), draw(_evaluations(setting)), setting.zero)


def _family(kpi: KPI) -> str:
    return "gauge" if kpi.type is IndicatorType.PERCENTILE else kpi.type.value


@st.composite
def _settings(draw: st.DrawFn, kind: str) -> Setting:
    zone, day = draw(st.sampled_from(ZONES)), draw(st.sampled_from(MIDNIGHTS))
    midnight = day_start(day, zone_of(zone))
    unit = draw(st.sampled_from([1, 1, 60, 240] if kind != "drift" else [1, 20]))
    zero = midnight - 30 * unit * draw(st.integers(0, 30))
    ticks = draw(
        st.lists(st.sampled_from([30, 30, 30, 60, 45, 20, 90]), min_size=20, max_size=60)
        if kind == "drift"
        else st.lists(st.sampled_from([30, 60, 20, 45, 10, 90, 200, 400]), min_size=1, max_size=20)
    )
    seen = tuple(zero + unit * offset for offset in accumulate(ticks))
    start = draw(st.sampled_from([zero, zero - 600 * unit, zero + 90 * unit, midnight, midnight - 3 * 86_400]))
    sprint = replace(
        a_sprint(start, start + draw(st.sampled_from([12 * 86_400, 600 * unit, 1_230 * unit]))),
        timezone=zone,
        workdays=draw(st.sampled_from([("mon", "tue", "wed", "thu", "fri"), ("sun", "mon", "tue", "wed"), ("sat",)])),
    )
    return Setting(zero, midnight, unit, sprint, seen, patient=False)


@st.composite
def _evaluations(draw: st.DrawFn, setting: Setting) -> tuple[float, ...]:
    """Draw a grid on which the midnight lies, until well after the last collection, at times with a hole."""
    step, last = 30 * setting.unit, setting.seen[-1]
    number = int((last - setting.zero) / step) + 1 + draw(st.sampled_from([1, 4, 14, 30]))
    grid = [setting.zero + step * index for index in range(number)]
    if draw(st.integers(0, 3)) == 3:
        hole = draw(st.integers(0, len(grid)))
        grid[hole : hole + draw(st.sampled_from([2, 5, 12]))] = []
    return tuple(grid)


# ---- what is observed


@st.composite
def _events(draw: st.DrawFn, name: str, setting: Setting) -> list[Observation]:
    """Draw collections of events: out of order, late by up to the whole story, and at times of the near future."""
    pool = draw(st.lists(st.sampled_from(["system=fs,pod=p1", "system=fs,pod=p2", "system=predictive"]), min_size=1))
    early = draw(st.sampled_from([0, 0, 600, 86_400]))
    found: list[Observation] = []
    for tick, seen_at in enumerate(setting.seen):
        how = draw(st.sampled_from(["ok"] * 6 + ["none", "none", "skip", "fail"]))
        how = "ok" if setting.is_fixed(tick) else how
        if how == "fail":
            found.append(a_failure(name, seen_at))
        if how in ("skip", "fail"):
            continue
        behind = st.sampled_from([0, 0, 5, 20, 45, 60, 150, 400, 900, early, -20])
        one = st.tuples(behind, st.integers(-2, 12), st.sampled_from(pool))
        told = draw(st.lists(one, max_size=4)) if how == "ok" else []
        events = [(seen_at - setting.unit * late, half / 2, which) for late, half, which in told]
        found.append(a_batch(name, seen_at, *events))
    return found


Rows = dict[LabelSet, float | None]


@st.composite
def _frames(draw: st.DrawFn, name: str, family: str, setting: Setting) -> list[Observation]:
    chosen = draw(st.lists(st.sampled_from(NAMED), min_size=1, max_size=3, unique=True))
    increment = draw(st.integers(0, 5)) == 5
    listing = draw(st.sampled_from(["sampled", "all", "all"]))
    lag = draw(st.sampled_from([0, 0, 5, -2]))
    values = {one: draw(_values(family, setting)) for one in chosen}
    found: list[Observation] = []
    for tick, seen_at in enumerate(setting.seen):
        how = draw(st.sampled_from(["ok"] * 8 + ["skip", "fail", "empty", "behind"]))
        how = "ok" if setting.is_fixed(tick) else how
        rows: Rows = {one: series[tick] for one, series in values.items()}
        if listing == "sampled":
            rows = {one: value for one, value in rows.items() if value is not None}
        at = seen_at - setting.unit * (lag + (70 if how == "behind" else 0))
        if how == "fail":
            found.append(a_failure(name, seen_at))
        elif how != "skip":
            found.append(a_frame(name, at, {} if how == "empty" else rows, seen_at=seen_at, increment=increment))
    return found


@st.composite
def _values(draw: st.DrawFn, family: str, setting: Setting) -> list[float | None]:
    """Draw a series: a value for each collection, None where it is absent."""
    if family == "counter":
        steps = draw(_each(setting, [0, 0, 1, 2, 3, 5, "reset", None]))
        level, values = float(draw(st.sampled_from([0, 1, 40]))), []
        for step in steps:
            level = 1.0 if step == "reset" else level + (step or 0)
            values.append(None if step is None else level)
        return values
    if family == "bool":
        return draw(_each(setting, [0.0, 0.0, 1.0, 1.0, None]))
    if draw(st.booleans()):  # one that goes somewhere, with noise
        slope = draw(st.sampled_from([0.0, 0.5, -0.5, 0.25, 1.0]))
        noise = draw(_each(setting, [0.0, 0.0, 0.0, 0.5, -0.5, 8.0, None]))
        first = draw(st.sampled_from([0.0, 4.0, 20.0]))
        return [None if each is None else first + slope * tick + each for tick, each in enumerate(noise)]
    return draw(_each(setting, [*(half / 2 for half in range(9)), None]))


@st.composite
def _each(draw: st.DrawFn, setting: Setting, choices: list[Any]) -> list[Any]:
    """Draw one of the choices for each collection, the first one instead of None where a value must be shown."""
    ticks = len(setting.seen)
    found = draw(st.lists(st.sampled_from(choices), min_size=ticks, max_size=ticks))
    return [choices[0] if one is None and setting.is_fixed(tick) else one for tick, one in enumerate(found)]
