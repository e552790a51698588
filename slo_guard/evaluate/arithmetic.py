"""From what was measured to a verdict, step by step in words, for one series at a time.

The numbers are those of the verdict's frame; what its window held beside them (a counter's stand, the sides of a
quotient) is told only while the buffers stand where they stood when it was judged.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from slo_guard.domain.budget_words import budget_words
from slo_guard.domain.budgets import SeriesBudget
from slo_guard.domain.kpi import KPI, Combine, Quotient, RatioPair, Reducer, Severity
from slo_guard.domain.readings import FloatArray, IndicatorType
from slo_guard.domain.verdicts import AlertState, SeriesOutlook, SeriesVerdict, Verdict
from slo_guard.evaluate.comparison_words import comparison, value_words
from slo_guard.evaluate.formula_words import FOLDS, objective_words, window_words
from slo_guard.evaluate.history import grown
from slo_guard.evaluate.inputs import Input
from slo_guard.evaluate.measures import side_value
from slo_guard.evaluate.objectives import has_upper_limit, meets, worst_of_gauges
from slo_guard.evaluate.tracks import KpiTrack
from slo_guard.units import PLAIN, format_duration, format_value, window_text

_UNJUDGED = (Verdict.NO_DATA, Verdict.NOT_APPLICABLE)
_ADDED_UP = (Reducer.INCREASE, Reducer.TOTAL, Reducer.COUNT, Reducer.SUM)


def arithmetic(track: KpiTrack, row: SeriesVerdict, group: int) -> tuple[str, ...]:
    """Return how the verdict of ``row`` follows from its value; a sentence each.

    ``group``: its number in ``track``, -1 where the track has been made anew since and does not know it yet.
    """
    return tuple(_steps(track, row, group))


def _steps(track: KpiTrack, row: SeriesVerdict, group: int) -> Iterator[str]:
    kpi = track.kpi
    yield from _value(track, row, group)
    if row.value is None and kpi.objective is not None:
        yield "there is no value to hold against the objective"
    elif row.value is not None and kpi.objective is not None:
        yield comparison(kpi.objective, row.value, kpi.unit)
    if row.value is not None:
        yield from _other_bounds(kpi, row, row.value)
        if row.outlook is not None:
            yield from _ahead(kpi, row.outlook)
    yield from _enough(kpi, row)
    if row.budget is not None:
        yield from _budget(row.budget)


def _value(track: KpiTrack, row: SeriesVerdict, group: int) -> Iterator[str]:
    """Yield how the value comes from its inputs."""
    kpi = track.kpi
    newest_word = kpi.type is IndicatorType.BOOL and kpi.measure.reducer is Reducer.LAST
    if row.value is None or row.verdict in _UNJUDGED or newest_word:
        return
    value = value_words(row.value, kpi)
    if isinstance(kpi.source, RatioPair) and row.total is not None:
        part = _count(row.value * row.total)
        yield f"{part} {kpi.source.part_is} of {_count(row.total)} = {value}"
    elif kpi.measure.reducer is Reducer.QUANTILE:
        yield f"{value} is the {kpi.measure.text.partition(' ')[0]} of {_counted(row.samples, 'observation')}"
    elif kpi.measure.reducer in (Reducer.SUM, Reducer.COUNT):
        yield f"{_counted(row.samples, 'observation')} came in the window"
    elif kpi.measure.reducer is Reducer.TOTAL:
        yield f"it was true for {value} of {window_words(kpi.measure)}"
    elif group >= 0 and _stands_as_judged(track, row):
        yield from _from_buffers(track, row, group, value)


def _stands_as_judged(track: KpiTrack, row: SeriesVerdict) -> bool:
    """Whether nothing was taken in since ``row`` was judged, so that buffers and verdict speak of the same."""
    known = [source.frame_at for source in track.inputs]
    return track.final is None and all(at is not None and at <= row.window_end for at in known)


def _from_buffers(track: KpiTrack, row: SeriesVerdict, group: int, value: str) -> Iterator[str]:
    kpi, reducer = track.kpi, track.kpi.measure.reducer
    if isinstance(kpi.source, Quotient):
        one, other = (
            float(side_value(side, track.groups, row.window_start, row.window_end).value[group])
            for side in track.inputs
        )
        quotient = f"{format_value(one, PLAIN)} / {format_value(other, PLAIN)}"
        yield f"abs({quotient} - 1) = {value}" if reducer is Reducer.SPREAD_ABS else f"{quotient} = {value}"
    elif reducer is Reducer.INCREASE and row.window_start is not None:
        yield from _increase(track.inputs[0], kpi, group, row.window_start, value)
    elif reducer is Reducer.DELTA and row.window_start is not None:
        yield from _delta(track.inputs[0], kpi, group, row.window_start, value)
    elif reducer in (Reducer.MEAN, Reducer.MIN, Reducer.MAX):
        words = {Reducer.MEAN: "mean", Reducer.MIN: "smallest", Reducer.MAX: "largest"}[reducer]
        yield f"{value} is the {words} of {_counted(row.samples, 'sample')}"
    elif reducer is Reducer.LAST and _rows(track.inputs[0], group) > 1:
        how = FOLDS.get(kpi.combine or worst_of_gauges(kpi.objective) or Combine.MAX)
        yield f"{value} comes from {_counted(_rows(track.inputs[0], group), 'series')} that fold into one: {how}"


def _increase(source: Input, kpi: KPI, group: int, start: float, value: str) -> Iterator[str]:
    assert source.counter is not None
    rows = np.flatnonzero(source.rows.group_of == group)
    if len(rows) != 1:
        yield f"{value} is the sum of what {_counted(len(rows), 'counter')} gained, resets taken out"
        return
    row = int(rows[0])
    gained, _ = source.counter.increase(start, kpi.no_data.after_seconds, baseline=kpi.baseline)
    now, total = _at(source.latest, row), _at(source.counter.total, row)
    if np.isnan(now) or np.isnan(_at(gained, row)):
        return
    if now == total:
        begin = format_value(now - _at(gained, row), kpi.unit)
        stands = f"{begin} at the window's start and at {format_value(now, kpi.unit)} now"
        yield f"the counter stood at {stands}: {value} more"
    else:
        yield f"the counter stands at {format_value(now, kpi.unit)}; with its resets taken out it gained {value}"


def _delta(source: Input, kpi: KPI, group: int, start: float, value: str) -> Iterator[str]:
    assert source.level is not None
    rows = np.flatnonzero(source.rows.group_of == group)
    if len(rows) != 1:
        yield f"{value} is the sum of what {_counted(len(rows), 'series')} gained since the window's start"
        return
    base = source.level.at_start(start, kpi.no_data.after_seconds, len(source.rows))[rows[0]]
    base = kpi.baseline if np.isnan(base) and kpi.baseline is not None else base
    if base is not None and not np.isnan(base):
        now = format_value(_at(source.latest, rows[0]), kpi.unit)
        yield f"from {format_value(float(base), kpi.unit)} at the window's start to {now} now: {value}"


def _other_bounds(kpi: KPI, row: SeriesVerdict, value: float) -> Iterator[str]:
    if kpi.warn is not None and (kpi.objective is None or _meets(kpi, value)):
        met = bool(meets(kpi.warn, np.array([value]))[0])
        words = f"the warning bound is {objective_words(kpi.warn)}"
        yield f"{words}: {'kept' if met else f'passed, {comparison(kpi.warn, value, kpi.unit)}'}"
    if kpi.resolve is not None and row.alert_state is AlertState.FIRING:
        met = bool(meets(kpi.resolve, np.array([value]))[0])
        words = f"its alert resolves only once the value is {objective_words(kpi.resolve)}"
        yield f"{words}: {'reached' if met else f'not yet, {comparison(kpi.resolve, value, kpi.unit)}'}"


def _ahead(kpi: KPI, outlook: SeriesOutlook) -> Iterator[str]:
    """Yield what pace, limits and trend say of the time to come."""
    if outlook.line is not None:
        yield f"by the line that leads to the goal it should be {format_value(outlook.line, kpi.unit)} by now"
    if outlook.forecast is not None:
        yield f"at the present pace it will be {format_value(outlook.forecast, kpi.unit)} at its due time"
    if outlook.left is not None and outlook.attainable is not None:
        size = format_value(abs(outlook.left), kpi.unit)
        yield f"{size} of the limit is left" if outlook.attainable else f"{size} past the limit, for good"
    if outlook.crosses_in is not None and kpi.drift is not None:
        if np.isinf(outlook.crosses_in):
            yield "its trend does not lead to the objective's bound"
        elif outlook.crosses_in > 0:
            within = format_duration(kpi.drift.within_seconds)
            words = f"its trend crosses the objective in {format_duration(outlook.crosses_in)}"
            yield f"{words}; within {within} would be at risk"
    if outlook.raw is not None:
        yield f"with the excluded time it would be {format_value(outlook.raw, kpi.unit)}"
    if outlook.cross is not None and kpi.cross_check is not None:
        yield f"{kpi.cross_check.indicator}, held against it, says {format_value(outlook.cross, kpi.unit)}"


def _budget(budget: SeriesBudget) -> Iterator[str]:
    """Yield what is left of the error budget, and how fast it goes."""
    words = budget_words(budget)
    if words:
        yield words
    rates = [f"{window_text(window)} {rate:.3g}" for window, rate in budget.rates.items() if rate is not None]
    if rates:
        yield f"burn rate over the last {', '.join(rates)}; at 1 the budget lasts just as long as its window"
    for pair in budget.burning:
        off = ", which is switched off" if pair.severity is Severity.NONE else ""
        yield f"both windows of {pair.text} burn above {pair.factor:g}{off}"


def _enough(kpi: KPI, row: SeriesVerdict) -> Iterator[str]:
    """Yield whether enough was seen to judge by."""
    if kpi.min_samples is not None:
        yield f"{_counted(row.samples, 'sample')}, {_needed(kpi.min_samples, enough=row.samples >= kpi.min_samples)}"
    if kpi.min_total is not None and row.total is not None:
        needed = _needed(kpi.min_total, enough=row.total >= kpi.min_total)
        yield f"a total of {_count(row.total)}, {needed}"
    if row.coverage is None:
        return
    share = f"seen for {_percent(row.coverage)} of {window_words(kpi.measure)}"
    if kpi.measure.reducer in _ADDED_UP and has_upper_limit(kpi.objective):
        enough = row.coverage >= kpi.min_coverage
        share += (
            f", {'enough' if enough else 'too little'}: at least {_percent(kpi.min_coverage)} is needed to call it met"
        )
    yield share


def _needed(least: float, *, enough: bool) -> str:
    return f"{'enough' if enough else 'too few'}: at least {_count(least)} are needed"


def _meets(kpi: KPI, value: float) -> bool:
    return kpi.objective is not None and bool(meets(kpi.objective, np.array([value]))[0])


def _rows(source: Input, group: int) -> int:
    return int((source.rows.group_of == group).sum())


def _at(values: FloatArray, row: int) -> float:
    return float(grown(values, row + 1)[row])


def _counted(number: int, noun: str) -> str:
    plain = number == 1 or noun == "series"
    return f"{number:,} {noun}" if plain else f"{number:,} {noun}s"


def _count(number: float) -> str:
    return format_value(round(number, 6), PLAIN)


def _percent(share: float) -> str:
    return f"{share * 100:.4g}%"
