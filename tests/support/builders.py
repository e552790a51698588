"""Builders of plans, KPIs, sprints and readings, with defaults that say nothing a test would care about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import numpy as np

from slo_guard.domain.kpi import (
    KPI,
    Measure,
    Objective,
    Op,
    Plan,
    Quotient,
    RatioPair,
    Reducer,
    Selection,
    Single,
    Sprint,
    Window,
    WindowKind,
)
from slo_guard.domain.ports import StoredObservation
from slo_guard.domain.readings import (
    CollectionFailure,
    EventBatch,
    Evidence,
    GaugeFrame,
    HistogramFrame,
    IndicatorSpec,
    IndicatorType,
    Observation,
    Reading,
    SignOff,
)
from slo_guard.domain.series import LabelSet, SeriesIndex, label_set
from slo_guard.units import parse_duration

SPRINT_START = 1_783_317_600.0
"""2026-07-06 00:00 in Denver."""

SPRINT_END = SPRINT_START + 12 * 86_400.0
"""2026-07-18 00:00 in Denver."""

_IMPLIED_TYPE = {
    Reducer.INCREASE: IndicatorType.COUNTER,
    Reducer.RATIO: IndicatorType.COUNTER,
    Reducer.RATE: IndicatorType.COUNTER,
    Reducer.TOTAL: IndicatorType.BOOL,
    **dict.fromkeys((Reducer.SUM, Reducer.COUNT, Reducer.QUANTILE), IndicatorType.EVENT),
}


def a_sprint(start_at: float = SPRINT_START, end_at: float = SPRINT_END, name: str = "sprint-40") -> Sprint:
    """Return a sprint over [start_at, end_at); its dates are only for show."""
    return Sprint(
        id=name,
        title="Sprint 40",
        timezone="America/Denver",
        start=date(2026, 7, 6),
        end=date(2026, 7, 17),
        start_at=start_at,
        end_at=end_at,
    )


def a_measure(text: str) -> Measure:
    """Return the measure that ``last``, ``mean over 5m``, ``p95 over week`` or ``increase over sprint`` stands for."""
    name, _, window = text.partition(" over ")
    quantile = 0.5 if name == "median" else float(name[1:]) / 100 if name[1:2].isdigit() else None
    reducer = Reducer(name) if quantile is None else Reducer.QUANTILE
    if not window:
        return Measure(reducer, None, text)
    if window in ("sprint", "day", "week", "month"):
        return Measure(reducer, Window(WindowKind(window)), text, quantile)
    return Measure(reducer, Window(WindowKind.DURATION, parse_duration(window)), text, quantile)


def an_objective(op: Op | str, bound: float | bool, upper: float | None = None) -> Objective:
    """Return an objective in base units."""
    text = f"{Op(op).value} {bound}" if upper is None else f"{Op(op).value} [{bound}, {upper}]"
    return Objective(Op(op), float(bound), text, upper)


def a_kpi(kpi_id: str = "kpi", measure: Measure | str = "last", **fields: Any) -> KPI:
    """Return a KPI over the indicator ``a`` (``part`` and ``total`` for a ratio); ``fields`` are KPI's own."""
    measured = a_measure(measure) if isinstance(measure, str) else measure
    fields.setdefault("type", _IMPLIED_TYPE.get(measured.reducer, IndicatorType.GAUGE))
    if measured.reducer is Reducer.RATIO:
        fields.setdefault("source", RatioPair(Selection("part"), Selection("total"), "bad"))
    if measured.reducer is Reducer.SPREAD_ABS:
        fields.setdefault("source", Quotient(Selection("part"), Selection("total")))
    fields.setdefault("source", Single(Selection("a")))
    return KPI(id=kpi_id, **{"sprint": "sprint-40", "lane": "ga-ops", "unit": None, "measure": measured, **fields})


def a_plan(*kpis: KPI, sprint: Sprint | None = None, collector: str | None = "source") -> Plan:
    """Return a plan of ``kpis`` and one sprint, with the indicators that they imply, from one ``collector``.

    Without a collector the samples come from a file, as in a backtest, and there is no first collection to wait for.
    """
    sprint = sprint or a_sprint()
    specs = {name: IndicatorSpec(name, kpi.type, kpi.unit, collector) for kpi in kpis for name in kpi.indicators}
    return Plan({sprint.id: sprint}, kpis, specs)


def labels(text: str) -> LabelSet:
    """Return the label set that ``system=fs,pod=p1`` stands for; ``""`` is the empty one."""
    return label_set(dict(pair.split("=", 1) for pair in text.split(",") if pair))


def a_frame(
    indicator: str,
    at: float,
    samples: Mapping[LabelSet, float | None] | float,
    *,
    seen_at: float | None = None,
    collector: str = "source",
    increment: bool = False,
) -> Reading:
    """Return one gauge frame; a None value is a row that is not present, a bare number the series without labels."""
    rows: Mapping[LabelSet, float | None] = {(): samples} if isinstance(samples, int | float) else samples
    present = np.array([value is not None for value in rows.values()], dtype=np.bool_)
    values = np.array([np.nan if value is None else value for value in rows.values()], dtype=np.float64)
    frame = GaugeFrame(SeriesIndex.of(rows), values, at, None if present.all() else present, increment)
    return Reading(indicator, collector, at if seen_at is None else seen_at, frame)


def a_batch(
    indicator: str, seen_at: float, *events: tuple[float, float] | tuple[float, float, str], collector: str = "source"
) -> Reading:
    """Return a batch of events, each (at, value) or (at, value, labels)."""
    rows = [(at, value, labels(rest[0]) if rest else ()) for at, value, *rest in events]
    index = SeriesIndex.of(dict.fromkeys(row[2] for row in rows))
    series = np.array([index.positions[row[2]] for row in rows], dtype=np.int64)
    at, values = np.array([row[0] for row in rows], float), np.array([row[1] for row in rows], float)
    return Reading(indicator, collector, seen_at, EventBatch(index, series, at, values))


def a_histogram(
    indicator: str,
    at: float,
    rows: Mapping[LabelSet, Mapping[float, float]] | Mapping[float, float],
    *,
    seen_at: float | None = None,
) -> Reading:
    """Return cumulative buckets, count by bound for each series; without series they are those of the one without labels."""
    by_series = rows if all(isinstance(key, tuple) for key in rows) else {(): rows}
    bounds = sorted({bound for buckets in by_series.values() for bound in buckets} | {np.inf})
    counts = np.array([[buckets.get(bound, np.nan) for bound in bounds] for buckets in by_series.values()])
    frame = HistogramFrame(SeriesIndex.of(by_series), np.array(bounds), counts.reshape(-1, len(bounds)), at)
    return Reading(indicator, "source", at if seen_at is None else seen_at, frame)


def a_sign_off(
    when: float, text: str | LabelSet = "", *, value: bool = True, entered_at: float | None = None
) -> SignOff:
    """Return a sign-off by somebody for a label set, or that which ``text`` stands for."""
    return SignOff(labels(text) if isinstance(text, str) else text, value, "Ada", when, None, entered_at)


def an_evidence(indicator: str, seen_at: float, *sign_offs: SignOff, collector: str = "source") -> Reading:
    """Return a successful collection of evidence that found ``sign_offs``."""
    return Reading(indicator, collector, seen_at, Evidence(sign_offs, seen_at))


def a_failure(indicators: str | Iterable[str], seen_at: float, *, collector: str = "source") -> CollectionFailure:
    """Return a collection that brought nothing for ``indicators``."""
    names = (indicators,) if isinstance(indicators, str) else tuple(indicators)
    return CollectionFailure(collector, names, seen_at, "timeout", "no answer within 5s")


def numbered(observations: Iterable[Observation]) -> list[StoredObservation]:
    """Return observations in order of ``seen_at`` with ascending ids, as a store gives them."""
    ordered = sorted(observations, key=lambda item: item.seen_at)
    return [StoredObservation(number, item) for number, item in enumerate(ordered, 1)]
