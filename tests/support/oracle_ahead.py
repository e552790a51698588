"""The oracle's outlook: lines, forecasts, what is left of a limit, and trends from pairs of points, one group at a time."""

from __future__ import annotations

import itertools
import math
import statistics
from dataclasses import replace

from slo_guard.domain.kpi import KPI, Combine, Objective, Op, Pace, Quotient, Reducer, Sprint
from slo_guard.domain.readings import GaugeFrame
from slo_guard.domain.verdicts import Reason, SeriesOutlook
from tests.support import oracle_measures as measures
from tests.support.oracle_history import History, Series
from tests.support.oracle_measures import Span
from tests.support.oracle_windows import work_days_over

STRETCHES, LEAST = 36, 18
_LIMITS = (Op.AT_MOST, Op.BELOW, Op.EQUALS, Op.BETWEEN)
_ADDED_UP = (Reducer.INCREASE, Reducer.TOTAL, Reducer.SUM, Reducer.COUNT)


def outlook_of(
    kpi: KPI,
    sprint: Sprint,
    value: float | None,
    parts: list[list[Series]],
    known: dict[str, History],
    span: Span,
    raw: float | None,
) -> SeriesOutlook | None:
    """Return what is ahead of a group with such a value; None for a KPI without anything to tell."""
    limit = limit_of(kpi)
    told = kpi.pace is not None or limit is not None or kpi.drift is not None
    if not told and not kpi.exclude:
        return None
    found = SeriesOutlook(raw=raw)
    if limit is not None:
        left = None if value is None else limit - value
        found = replace(found, left=left, attainable=not measures.exceeded(kpi, value))
    if kpi.pace is not None:
        line, forecast = _line_and_forecast(kpi, sprint, value, parts[0], span)
        found = replace(found, line=line, forecast=forecast)
    if kpi.drift is not None and kpi.objective is not None:
        found = replace(found, crosses_in=_crosses_in(kpi, parts, known, span))
    return None if found == SeriesOutlook() and not told and span.start is None else found


def limit_of(kpi: KPI) -> float | None:
    """Return the limit that what adds up must not pass; a quotient does not add up."""
    objective = kpi.objective
    if objective is None or objective.op not in _LIMITS or kpi.measure.reducer not in _ADDED_UP:
        return None
    if isinstance(kpi.source, Quotient):
        return None
    return objective.upper if objective.op is Op.BETWEEN else objective.bound


def is_behind(kpi: KPI, value: float, outlook: SeriesOutlook | None) -> bool:
    """Whether a goal that adds up is below its line, or what runs down above it."""
    if kpi.pace is None or outlook is None or outlook.line is None or limit_of(kpi) is not None:
        return False
    whole = kpi.unit in (None, "")
    if kpi.measure.reducer is Reducer.LAST:
        return value > (math.ceil(outlook.line - 1e-9) if whole else outlook.line)
    if kpi.objective is None or kpi.objective.op in (Op.AT_MOST, Op.BELOW):
        return False
    return value < (math.floor(outlook.line + 1e-9) if whole else outlook.line)


def risk_of(kpi: KPI, sprint: Sprint, value: float, outlook: SeriesOutlook | None, now: float) -> Reason | None:
    """Return why what is met now will not stay so, None if it will."""
    if outlook is None:
        return None
    if is_behind(kpi, value, outlook):
        return Reason.BEHIND_PACE
    if kpi.pace is not None and limit_of(kpi) is not None and outlook.forecast is not None:
        assert kpi.objective is not None
        if share_over(kpi, sprint, now) >= 0.1 and not measures.meets(kpi.objective, outlook.forecast):
            return Reason.FORECAST_MISSES
    if kpi.drift is not None and outlook.crosses_in is not None and outlook.crosses_in <= kpi.drift.within_seconds:
        return Reason.DRIFTING
    return None


def share_over(kpi: KPI, sprint: Sprint, now: float) -> float:
    """Return which share of the time to the due time is over: by work days, or evenly."""
    due = sprint.end_at if kpi.due_at is None else kpi.due_at
    if kpi.pace is Pace.WORKDAYS:
        over, number = work_days_over(sprint, due, now)
        if number:
            return over / number
    return min(1.0, max(0.0, (now - sprint.start_at) / (due - sprint.start_at)))


def _line_and_forecast(
    kpi: KPI, sprint: Sprint, value: float | None, group: list[Series], span: Span
) -> tuple[float | None, float | None]:
    share = share_over(kpi, sprint, span.now)
    if kpi.measure.reducer is not Reducer.LAST:
        assert kpi.objective is not None
        return kpi.objective.bound * share, value / share if value is not None and share else None
    first = _first_value(kpi, group, span)
    if first is None:
        return None, None
    target = kpi.objective.bound if kpi.objective is not None and kpi.objective.op in _LIMITS else 0.0
    forecast = first + (value - first) / share if value is not None and share else None
    return first + (target - first) * share, forecast


def _first_value(kpi: KPI, group: list[Series], span: Span) -> float | None:
    """Return a group's value at the sprint's start: of each series the one that stood there, else its first after."""
    at_start = replace(span, start=span.sprint_start)
    values = []
    for series in group:
        baseline = measures.baseline_of(series, at_start)
        later = [sample for sample in series.samples if sample.counted > span.sprint_start]
        values += [sample.value for sample in ([baseline] if baseline is not None else later[:1])]
    how = measures.how_to_combine(kpi) or Combine.SUM
    return measures.combined(values, how) if values else None


# ---- drift


def _crosses_in(kpi: KPI, parts: list[list[Series]], known: dict[str, History], span: Span) -> float | None:
    """Return in how many seconds the trend of the last stretches that are over crosses the objective."""
    assert kpi.drift is not None
    assert kpi.objective is not None
    step = kpi.drift.over_seconds / STRETCHES
    points = [
        ((stretch + 0.5) * step, value)
        for stretch in range(int(span.now // step) - STRETCHES, int(span.now // step))
        if (value := _value_in(kpi, parts, known, span, stretch * step, (stretch + 1) * step)) is not None
    ]
    if len(points) < LEAST:
        return None
    slope = statistics.median((b - a) / (t - s) for (s, a), (t, b) in itertools.combinations(points, 2))
    level = statistics.median(value + slope * (span.now - at) for at, value in points)
    return seconds_to_cross(kpi.objective, level, slope)


def _value_in(
    kpi: KPI, parts: list[list[Series]], known: dict[str, History], span: Span, begin: float, end: float
) -> float | None:
    """Return the measured value as it stood after the last frame of a stretch of time."""
    how = kpi.combine or (None if isinstance(kpi.source, Quotient) else measures.how_to_combine(kpi)) or Combine.MAX
    found = []
    for name, group in zip(_names(kpi), parts, strict=True):
        frames = [number for number, at in _frames(known.get(name, History())) if begin <= at < end]
        times = dict(_frames(known.get(name, History())))
        values = (
            [value for series in group for value in _shown(series, frames[-1], times, span.after) if frames]
            if frames
            else []
        )
        if not values:
            return None
        found.append(measures.combined(values, how))
    if len(found) == 1:
        return found[0]
    value = found[0] / found[1] if found[1] else None
    return abs(value - 1.0) if value is not None and kpi.measure.reducer is Reducer.SPREAD_ABS else value


def _shown(series: Series, frame: int, times: dict[int, float], after: float) -> list[float]:
    """Return the newest value that a series had after a frame, unless it was stale then."""
    samples = [mark.sample for mark in series.marks if mark.sample is not None and mark.frame <= frame]
    return [samples[-1].value] if samples and times[frame] - samples[-1].at <= after else []


def _frames(history: History) -> list[tuple[int, float]]:
    """Return the number of each frame and when it counts."""
    found: list[tuple[int, float]] = []
    for number, (seen_at, frame) in enumerate(history.collections):
        if isinstance(frame, GaugeFrame):
            found.append((number, max([min(frame.at, seen_at), *(at for _, at in found[-1:])])))
    return found


def _names(kpi: KPI) -> list[str]:
    return (
        list(kpi.indicators)
        if not isinstance(kpi.source, Quotient)
        else [kpi.source.of.indicator, kpi.source.to.indicator]
    )


def seconds_to_cross(objective: Objective, level: float, slope: float) -> float:
    """Return in how many seconds a value leaves what is fine; infinite where it moves away from the bounds."""
    bounds: list[tuple[float, float, bool]] = []
    if objective.op in (Op.AT_MOST, Op.BELOW):
        bounds.append((objective.bound - level, slope, objective.op is Op.BELOW))
    if objective.op in (Op.AT_LEAST, Op.ABOVE, Op.BETWEEN):
        bounds.append((level - objective.bound, -slope, objective.op is Op.ABOVE))
    if objective.op is Op.BETWEEN:
        assert objective.upper is not None
        bounds.append((objective.upper - level, slope, False))
    ways = [math.inf]
    for room, speed, strict in bounds:
        if room < 0 or (room == 0 and strict):
            ways.append(0.0)
        elif speed > 0:
            ways.append(room / speed)
    return min(ways)
