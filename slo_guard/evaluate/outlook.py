"""What is ahead of a KPI: the line that leads to its goal, the forecast at its due time, what is left of a limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from slo_guard.domain.calendar import workday_ends
from slo_guard.domain.kpi import KPI, Op, Pace, Quotient, Reducer, Sprint
from slo_guard.domain.readings import BoolArray, FloatArray
from slo_guard.domain.verdicts import Outlook, SeriesOutlook
from slo_guard.evaluate.objectives import exceeds_upper_limit, has_upper_limit, meets
from slo_guard.units import PLAIN, format_duration, format_value

EARLIEST_FORECAST: Final = 0.1
"""A limit's use is not forecast before a tenth of the time is over: one event on day one would be ten."""

_MOST_NOTES = 100
_GROWING = (Reducer.INCREASE, Reducer.TOTAL, Reducer.SUM, Reducer.COUNT)


@dataclass(frozen=True, slots=True, eq=False)
class Ahead:
    """An outlook, and which groups are behind their line or forecast to miss; shape (groups,)."""

    outlook: Outlook
    behind: BoolArray
    misses: BoolArray


def look_ahead(kpi: KPI, sprint: Sprint, value: FloatArray, initial: FloatArray | None, now: float) -> Ahead | None:
    """Return what is ahead of ``value``, shape (groups,), at ``now``; None for a KPI without pace or limit.

    ``initial``: the values at the sprint's start of a gauge that runs down, NaN where they are not known.

    Of a goal that adds up the line is ``target x share`` and the forecast ``value / share``, where ``share`` is the
    part of the time to the due time that is over; of a gauge that runs down, line and forecast go from its value at
    the sprint's start. In whole numbers the line is rounded in the KPI's favour. Of a limit only the forecast counts.
    """
    adds_up = kpi.measure.reducer in _GROWING and not isinstance(kpi.source, Quotient)
    limited = adds_up and has_upper_limit(kpi.objective)
    if kpi.pace is None and not limited:
        return None
    nothing = np.zeros(len(value), dtype=bool)
    left = attainable = None
    if limited:
        assert kpi.objective is not None
        limit = kpi.objective.upper if kpi.objective.upper is not None else kpi.objective.bound
        left = limit - value
        attainable = ~exceeds_upper_limit(kpi.objective, value)
    if kpi.pace is None:
        return Ahead(Outlook(left=left, attainable=attainable), nothing, nothing)
    share = elapsed_share(kpi.pace, sprint, kpi.due_at if kpi.due_at is not None else sprint.end_at, now)
    if kpi.measure.reducer is Reducer.LAST:
        line, forecast = _running_down(kpi, value, initial, share)
        behind = _above(kpi, value, line)
        return Ahead(Outlook(line, forecast, left, attainable), behind, nothing)
    assert kpi.objective is not None
    forecast = value / share if share > 0 else np.full(len(value), np.nan)
    line = np.full(len(value), kpi.objective.bound * share)
    if limited:
        misses = ~np.isnan(forecast) & ~meets(kpi.objective, forecast) & (share >= EARLIEST_FORECAST)
        return Ahead(Outlook(line, forecast, left, attainable), nothing, misses)
    whole = np.floor(line + 1e-9) if kpi.unit in (None, PLAIN) else line
    behind = (value < whole) & (kpi.objective.op in (Op.AT_LEAST, Op.ABOVE, Op.BETWEEN, Op.EQUALS))
    return Ahead(Outlook(line, forecast, left, attainable), behind, nothing)


def outlook_notes(kpi: KPI, outlook: Outlook, value: FloatArray | None = None) -> dict[int, str]:
    """Return in words what is ahead of the first hundred series: ``line 50, forecast 20``, ``3m left of the limit``.

    ``value``: what was measured, for what it is checked against.
    """
    columns = (outlook.line, outlook.forecast, outlook.left, outlook.crosses_in, outlook.raw, outlook.cross)
    rows = max((len(column) for column in columns if column is not None), default=0)
    notes = {}
    for row in range(min(rows, _MOST_NOTES)):
        measured = None if value is None or np.isnan(value[row]) else float(value[row])
        notes[row] = ", ".join(_words(kpi, outlook.row(row), measured))
    return {row: text for row, text in notes.items() if text}


def _words(kpi: KPI, ahead: SeriesOutlook, measured: float | None) -> Iterator[str]:
    if ahead.left is not None and kpi.objective is not None:
        if ahead.attainable and ahead.left == 0:
            pass  # of a limit of none, none used: there is nothing to say
        elif ahead.attainable:
            yield f"{format_value(ahead.left, kpi.unit)} left of the limit"
        else:
            yield f"{format_value(abs(ahead.left), kpi.unit)} beyond the limit, which can no longer be kept"
    elif ahead.line is not None:
        yield f"line {format_value(ahead.line, kpi.unit)}"
    if ahead.forecast is not None:
        yield f"forecast {format_value(ahead.forecast, kpi.unit)}"
    if ahead.crosses_in is not None and kpi.drift is not None and 0 < ahead.crosses_in <= kpi.drift.within_seconds:
        yield f"its trend crosses the objective in {format_duration(ahead.crosses_in)}"
    if ahead.raw is not None:
        yield f"{format_value(ahead.raw, kpi.unit)} with what is excluded"
    if kpi.cross_check is not None:
        other = f"{format_value(ahead.cross, kpi.unit)} by {kpi.cross_check.indicator}"
        yield other + _apart(kpi, measured, ahead.cross)


def _apart(kpi: KPI, measured: float | None, other: float | None) -> str:
    if measured is None or other is None:
        return ""
    if measured == other:
        return ", the same"
    return f", {format_value(abs(measured - other), kpi.unit)} {'less' if other < measured else 'more'}"


def elapsed_share(pace: Pace, sprint: Sprint, due: float, now: float) -> float:
    """Return which part of the time from the sprint's start to ``due`` is over at ``now``, 0 to 1.

    By work days it grows by a step at the end of each: nobody is behind at noon for what the evening brings.
    """
    if pace is Pace.WORKDAYS:
        ends = workday_ends(sprint.start_at, due, sprint.timezone, sprint.workdays)
        if ends:
            return sum(end <= now for end in ends) / len(ends)
    return min(1.0, max(0.0, (now - sprint.start_at) / (due - sprint.start_at)))


def _running_down(
    kpi: KPI, value: FloatArray, initial: FloatArray | None, share: float
) -> tuple[FloatArray, FloatArray]:
    start = np.full(len(value), np.nan) if initial is None else initial
    target = kpi.objective.bound if kpi.objective is not None and has_upper_limit(kpi.objective) else 0.0
    line = start + (target - start) * share
    forecast = start + (value - start) / share if share > 0 else np.full(len(value), np.nan)
    return line, forecast


def _above(kpi: KPI, value: FloatArray, line: FloatArray) -> BoolArray:
    whole = np.ceil(line - 1e-9) if kpi.unit in (None, PLAIN) else line
    return ~np.isnan(line) & (value > whole)
