"""The oracle's groups: the series that ``by`` folds together, measured as one value."""

from __future__ import annotations

from dataclasses import replace

from slo_guard.domain.kpi import KPI, Combine, Quotient, RatioPair, Reducer, Single, WindowKind
from slo_guard.domain.readings import IndicatorType
from slo_guard.domain.series import LabelSet
from slo_guard.domain.verdicts import Reason
from tests.support import oracle_measures as measures
from tests.support.oracle_events import measure_events
from tests.support.oracle_history import History, Series, grouped, matches
from tests.support.oracle_measures import Measured, Span
from tests.support.oracle_windows import reaches_into

_SAMPLED = (Reducer.MIN, Reducer.MAX, Reducer.MEAN)


def measure_single(kpi: KPI, group: list[Series], history: History, span: Span, unseen: tuple[Reason, ...]) -> Measured:
    """Measure the fresh series of a group; without any, say why, beside the value that the stale ones had."""
    if kpi.type is IndicatorType.EVENT:
        return measure_events(kpi, group, history, span, unseen, awaited=not kpi.by)
    if not group:
        return Measured(missing=(*unseen, Reason.NEVER_SEEN if kpi.expect else Reason.NO_SERIES))
    fresh = [series for series in group if measures.is_fresh(series, span)]
    if not fresh:
        sampled = [series for series in group if series.samples]
        measured = _fold(kpi, sampled, sampled, span) if sampled else Measured()
        return measured._replace(missing=_stale_reasons(group, history, span))
    measured = _fold(kpi, fresh, group, span)
    silent = _silence_that_matters(kpi, fresh, group, measured, span)
    return measured._replace(missing=_stale_reasons(silent, history, span)) if silent else measured


def _silence_that_matters(
    kpi: KPI, fresh: list[Series], group: list[Series], measured: Measured, span: Span
) -> list[Series]:
    """Return the silent series for which a group has no data although it has fresh ones.

    Either nothing at all was sampled within a sliding window of which nothing is excluded, or the value is fine only
    because they say nothing.
    """
    reducer, objective = kpi.measure.reducer, kpi.objective
    if reducer in _SAMPLED:
        sampled = any(measures.inside(series, span) for series in group)
        slides = kpi.measure.window is not None and kpi.measure.window.kind is WindowKind.DURATION
        return group if slides and not sampled and not reaches_into(span.opened, span.now, span.excluded) else []
    silent = _remembered(kpi, group, span)
    if objective is None or not silent:
        return []
    if reducer is Reducer.LAST:
        if measured.value is None or not measures.meets(objective, measured.value):
            return []
        newest = [series.samples[-1].value for series in [*fresh, *silent]]
        if measures.how_to_combine(kpi) is None:
            return [] if all(measures.meets(objective, value) for value in newest) else silent
        return [] if measures.meets(objective, _combine(kpi, newest)) else silent
    if reducer is Reducer.DELTA and measured.value is not None and not measures.meets(objective, measured.value):
        alone = [measures.delta(series, span, kpi.baseline) for series in fresh]
        without = _combine(kpi, [value for value in alone if value is not None])
        return silent if measures.meets(objective, without) else []
    return []


def _remembered(kpi: KPI, group: list[Series], span: Span) -> list[Series]:
    """Return the stale series of a group whose last values still count; for a delta those that gained anything."""
    stale = [series for series in group if series.samples and not measures.is_fresh(series, span)]
    silent = [series for series in stale if not measures.forgotten(series, kpi, span)]
    if kpi.measure.reducer is not Reducer.DELTA:
        return silent
    known = [series for series in silent if measures.delta(series, span, kpi.baseline) is not None]
    return [series for series in known if measures.baseline_of(series, span) or measures.inside(series, span)]


def _stale_reasons(group: list[Series], history: History, span: Span) -> tuple[Reason, ...]:
    if span.is_over:
        return (Reason.STALE, Reason.GONE_FROM_SOURCE, Reason.SOURCE_FAILED)
    if history.failing:
        return (Reason.SOURCE_FAILED,)
    return (Reason.GONE_FROM_SOURCE,) if all(series.gone for series in group) else (Reason.STALE,)


def _fold(kpi: KPI, fresh: list[Series], group: list[Series], span: Span) -> Measured:
    """Measure each series, then fold; ``total`` of a bool folds first. ``fresh`` is never empty.

    Where events are counted, series that have ended count with what they had; so they do where a window's samples
    are reduced, and in a delta until they are forgotten. Of ``last`` only fresh ones are folded.
    """
    reducer, how = kpi.measure.reducer, measures.how_to_combine(kpi)
    if reducer is Reducer.LAST:
        if how is None and len(fresh) > 1:
            return Measured(samples=len(fresh), problem=(Reason.SEVERAL_SERIES,))
        return Measured(_combine(kpi, [series.samples[-1].value for series in fresh]), len(fresh))
    used = fresh
    if measures.counts_true_time(kpi):
        used = group
    elif reducer in (Reducer.INCREASE, Reducer.RATE, Reducer.TOTAL):
        used = _that_count(group, span) or fresh
    elif reducer in _SAMPLED:
        used = group
    elif reducer is Reducer.DELTA and fresh is not group:
        used = [*fresh, *_remembered(kpi, group, span)]
    count = sum(len(measures.inside(series, span)) for series in used)
    if measures.counts_true_time(kpi) and how is Combine.MAX:
        true = [interval for series in used for interval in measures.true_intervals(series, span)]
        return Measured(measures.length_of_union(true), count, measures.coverage_of(_seen_of_any(group, span), span))
    values = [_measure_series(kpi, series, span) for series in used]
    coverage = _least([measures.coverage_of(_seen(kpi, series, span), span) for series in fresh])
    if reducer in _SAMPLED:
        values = [value for value in values if value is not None]
        if not values:
            return Measured(samples=0, coverage=coverage, problem=(Reason.BELOW_MIN_SAMPLES,))
    if how is None and len(values) > 1:
        return Measured(samples=count, coverage=coverage, problem=(Reason.SEVERAL_SERIES,))
    known = [value for value in values if value is not None]
    least = _combine(kpi, known) if known and how in (Combine.SUM, Combine.MAX) else None
    if None in values and not measures.exceeded(kpi, least):
        no_time = reducer is Reducer.RATE and not measures.counted_seconds(span.opened, span.now, span.excluded)
        reasons = (Reason.NO_BASELINE, Reason.BELOW_MIN_SAMPLES) if no_time else (Reason.NO_BASELINE,)
        return Measured(samples=count, coverage=coverage, problem=reasons)
    return Measured(_combine(kpi, known), count, coverage)


def _seen(kpi: KPI, series: Series, span: Span) -> list[measures.Interval]:
    """Return when one series was observed, which begins before its birth."""
    seen = measures.observed_intervals(series, span, absences=measures.counts_true_time(kpi))
    return measures.observed_before(series, span) + seen


def _seen_of_any(group: list[Series], span: Span) -> list[measures.Interval]:
    """Return when any series of a group was observed; before them all, if the group itself was born then."""
    told = [series for series in group if series.marks]
    first = min(series.marks[0].frame for series in told)
    before = [measures.observed_before(series, span) for series in told if series.marks[0].frame == first]
    seen = [measures.observed_intervals(series, span, absences=True) for series in told]
    return [interval for intervals in (*before, *seen) for interval in intervals]


def _that_count(group: list[Series], span: Span) -> list[Series]:
    """Return the series whose events stay in the window when they end: what was counted does not unhappen."""
    return [
        series
        for series in group
        if measures.is_fresh(series, span) or measures.within(series, span) or measures.baseline_of(series, span)
    ]


def _least(shares: list[float | None]) -> float | None:
    return min((share for share in shares if share is not None), default=None)


def _combine(kpi: KPI, values: list[float]) -> float:
    how = measures.how_to_combine(kpi)
    if how is None:
        (value,) = values
        return value
    return measures.combined(values, how)


def _measure_series(kpi: KPI, series: Series, span: Span) -> float | None:
    match kpi.measure.reducer:
        case Reducer.INCREASE:
            return measures.increase(series, span, kpi.baseline)
        case Reducer.RATE:
            return measures.rate(series, span, kpi.baseline)
        case Reducer.TOTAL if measures.counts_true_time(kpi):
            return measures.length_of_union(measures.true_intervals(series, span))
        case Reducer.TOTAL:
            return measures.increase(series, span, kpi.baseline)
        case Reducer.DELTA:
            return measures.delta(series, span, kpi.baseline)
        case _:
            return measures.reduced([each.value for each in measures.inside(series, span)], kpi.measure.reducer)


def measure_ratio(
    kpi: KPI,
    groups: list[list[Series]],
    known: dict[str, History],
    span: Span,
    unseen: tuple[Reason, ...],
) -> Measured:
    """Measure both sides, then divide; more good (or bad) than total is shown as it is, never clipped."""
    source = kpi.source
    assert isinstance(source, RatioPair)
    part, total = groups
    part_history, total_history = (known.get(side.indicator, History()) for side in (source.part, source.total))
    if not part and not total:
        return Measured(missing=(*unseen, Reason.NEVER_SEEN if kpi.expect else Reason.NO_SERIES))
    if not part or not total:
        return Measured(missing=(Reason.PART_MISSING, *unseen))
    missing: list[Reason] = []
    increases: list[float] = []
    counts: list[int] = []
    shares: list[float | None] = []
    for group, history in ((part, part_history), (total, total_history)):
        fresh = [series for series in group if measures.is_fresh(series, span)]
        counted = _that_count(group, span)
        if not fresh:
            missing += _stale_reasons(group, history, span)
        shares += [measures.coverage_of(_seen(kpi, series, span), span) for series in fresh]
        placed = [series.with_late(span.excluded) for series in counted]
        counts.append(sum(len(measures.inside(series, span)) for series in placed))
        increases.append(sum(measures.side_increase(series, span) for series in placed))
    if missing:
        return Measured(missing=tuple(missing))
    value = increases[0] / increases[1] if increases[1] else None
    problem: tuple[Reason, ...] = ()
    if increases[0] > increases[1]:
        problem = (Reason.GOOD_EXCEEDS_TOTAL if source.part_is == "good" else Reason.BAD_EXCEEDS_TOTAL,)
    elif increases[1] == 0:
        problem = (Reason.ZERO_DENOMINATOR,)
    elif kpi.min_total is not None and increases[1] < kpi.min_total:
        problem = (Reason.BELOW_MIN_TOTAL,)
    return Measured(value, counts[1], _least(shares), increases[1], problem=problem)


def measure_quotient(
    kpi: KPI, groups: list[list[Series]], known: dict[str, History], span: Span, unseen: tuple[Reason, ...]
) -> Measured:
    """Measure both sides, neither with an objective of its own, and divide one by the other."""
    source = kpi.source
    assert isinstance(source, Quotient)
    histories = [known.get(side.indicator, History()) for side in (source.of, source.to)]
    side = replace(kpi, objective=None, warn=None, resolve=None)
    if kpi.measure.reducer is Reducer.SPREAD_ABS:
        side = replace(side, measure=replace(kpi.measure, reducer=_spread_of(kpi)))
    if kpi.type is IndicatorType.EVENT:
        awaited = not kpi.by or any(groups)
        sides = [
            measure_events(side, group, history, span, unseen, awaited=awaited)
            for group, history in zip(groups, histories, strict=True)
        ]
    else:
        sides = [_side(side, *each, span, unseen) for each in zip(groups, histories, strict=True)]
    if any(each.missing for each in sides):
        alone = any(groups) and not all(groups)
        missing = [reason for each in sides for reason in each.missing] + [Reason.PART_MISSING] * alone
        return Measured(missing=tuple(missing))
    of, to = sides
    value = of.value / to.value if of.value is not None and to.value else None
    if value is not None and kpi.measure.reducer is Reducer.SPREAD_ABS:
        value = abs(value - 1.0)
    problem = (*of.problem, *to.problem, *((Reason.ZERO_DENOMINATOR,) if to.value == 0 else ()))
    if not problem and value is None:
        problem = (Reason.BELOW_MIN_SAMPLES,)
    coverage = None if of.coverage is None or to.coverage is None else min(of.coverage, to.coverage)
    return Measured(value, min(of.samples, to.samples), coverage, problem=problem)


def _spread_of(kpi: KPI) -> Reducer:
    """Return what a spread compares: newest values, what counters gained or what events add up to."""
    if kpi.measure.window is None:
        return Reducer.LAST
    return Reducer.SUM if kpi.type is IndicatorType.EVENT else Reducer.INCREASE


def _side(kpi: KPI, group: list[Series], history: History, span: Span, unseen: tuple[Reason, ...]) -> Measured:
    """Measure one side of a quotient: nothing in it is fine or not, so no silence matters but that of all series."""
    if not group:
        return Measured(missing=(*unseen, Reason.NEVER_SEEN if kpi.expect else Reason.NO_SERIES))
    fresh = [series for series in group if measures.is_fresh(series, span)]
    return _fold(kpi, fresh, group, span) if fresh else Measured(missing=_stale_reasons(group, history, span))


def measure_evidence(kpi: KPI, labels: LabelSet, history: History, now: float) -> tuple[Measured, float | None]:
    """Return the group's word at ``now`` and since when it meets the objective; unsigned is false."""
    assert isinstance(kpi.source, Single)
    success = history.newest_success
    if success is None or now - success > kpi.no_data.after_seconds:
        return Measured(missing=(Reason.SOURCE_FAILED,) if history.failing else (Reason.STALE,)), None
    where = kpi.source.of.where
    words = [
        item
        for item in history.sign_offs or ()
        if matches(item.labels, where) and grouped(item.labels, kpi.by) == labels
    ]
    signed = {item.labels for item in words if item.when <= now}

    def value_at(instant: float) -> float:
        values = []
        for label_set in sorted(signed):
            past = [item for item in words if item.labels == label_set and item.when <= instant]
            values.append(float(max(past, key=lambda item: item.when).value) if past else 0.0)
        return _combine(kpi, values) if values else 0.0

    if len(signed) > 1 and measures.how_to_combine(kpi) is None:
        return Measured(samples=len(signed), problem=(Reason.SEVERAL_SERIES,)), None
    met_at = None
    if kpi.objective is not None:
        for instant in sorted({item.when for item in words if item.when <= now}, reverse=True):
            if not measures.meets(kpi.objective, value_at(instant)):
                break
            met_at = instant
        else:
            met_at = float("-inf") if measures.meets(kpi.objective, 0.0) else met_at
    return Measured(value_at(now), len(signed)), met_at
