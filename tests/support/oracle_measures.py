"""The oracle's measures: one series, one window, plain Python floats in plain lists."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from slo_guard.domain.kpi import KPI, Combine, Objective, Op, Reducer, WindowKind
from slo_guard.domain.readings import IndicatorType
from tests.support.oracle_history import Sample, Series

Interval = tuple[float, float]

_UPPER_LIMITS = {Op.AT_MOST, Op.BELOW}
_LOWER_LIMITS = {Op.AT_LEAST, Op.ABOVE}
_SUMS = {Reducer.INCREASE, Reducer.DELTA, Reducer.RATIO}


@dataclass
class Span:
    """The window that is judged, (start, now]; ``start`` is None for ``last``; ``after`` is ``no_data.after``.

    ``sprint_start``: nobody had to observe what was before it; ``is_over``: the sprint has ended, so that ``now`` is
    its end.
    """

    start: float | None
    now: float
    after: float
    sprint_start: float
    is_over: bool = False

    @property
    def opened(self) -> float:
        """The start of a window that has one."""
        assert self.start is not None
        return self.start

    @property
    def to_observe_from(self) -> float:
        """Where the time begins that should have been observed: not before the sprint, once that has begun."""
        return max(self.opened, self.sprint_start) if self.sprint_start < self.now else self.opened


def span_of(kpi: KPI, now: float, sprint_start: float, sprint_end: float) -> Span:
    """Return what ``kpi`` looks at when it is judged at ``now``."""
    after = kpi.no_data.after_seconds
    window = kpi.measure.window
    if window is None:
        return Span(None, now, after, sprint_start)
    if window.kind is WindowKind.SPRINT:
        return Span(sprint_start, min(now, sprint_end), after, sprint_start, now > sprint_end)
    assert window.seconds is not None
    return Span(now - window.seconds, now, after, sprint_start)


def inside(series: Series, span: Span) -> list[Sample]:
    """Return the samples that count within start < counted <= now."""
    return [sample for sample in series.samples if span.opened < sample.counted <= span.now]


def is_fresh(series: Series, span: Span) -> bool:
    """Whether there is a sample and the newest one is not too old."""
    return bool(series.samples) and span.now - series.newest_at <= span.after


def forgotten(series: Series, kpi: KPI, span: Span) -> bool:
    """Whether a series that its source no longer has was last sampled (if never, listed) over ``forget_after`` ago."""
    return series.gone and not is_fresh(series, span) and span.now - series.newest_at > kpi.forget_after_seconds


def exceeded(kpi: KPI, value: float | None) -> bool:
    """Whether an increase or total is beyond its upper limit, where no further sample can take it back."""
    objective = kpi.objective
    if objective is None or value is None or kpi.measure.reducer not in (Reducer.INCREASE, Reducer.TOTAL):
        return False
    match objective.op:
        case Op.AT_MOST | Op.EQUALS:
            return value > objective.bound
        case Op.BELOW:
            return value >= objective.bound
        case Op.BETWEEN:
            assert objective.upper is not None
            return value > objective.upper
        case _:
            return False


def baseline_of(series: Series, span: Span) -> Sample | None:
    """Return the last sample at or before the window's start, if it was fresh there."""
    before = [sample for sample in series.samples if sample.counted <= span.opened]
    if before and span.opened - before[-1].counted <= span.after:
        return before[-1]
    return None


def gained(values: list[float]) -> float:
    """Return what a counter gained over its values; a drop to v is a reset and gains v."""
    gain = 0.0
    for previous, value in itertools.pairwise(values):
        gain += value - previous if value >= previous else value
    return gain


def increase(series: Series, span: Span, given: float | None) -> float | None:
    """Return a counter's increase over the window; None without anything to count from."""
    values = [sample.value for sample in inside(series, span)]
    baseline = baseline_of(series, span)
    if baseline is not None:
        return gained([baseline.value, *values])
    if _born_inside(series, span):
        return gained([0.0, *values])
    if given is not None and values:
        every = [sample.value for sample in series.samples]
        return every[0] + gained(every) - given
    return None


def side_increase(series: Series, span: Span) -> float:
    """Return the increase of one side of a ratio: without a baseline it counts from its first sample inside."""
    values = [sample.value for sample in inside(series, span)]
    baseline = baseline_of(series, span)
    if baseline is not None:
        return gained([baseline.value, *values])
    if _born_inside(series, span):
        return gained([0.0, *values])
    return gained(values)


def _born_inside(series: Series, span: Span) -> bool:
    return series.born(span.after) and series.samples[0].counted > span.opened


def delta(series: Series, span: Span, given: float | None) -> float | None:
    """Return the newest value less the value at the window's start; None without one."""
    baseline = baseline_of(series, span)
    if baseline is not None:
        return series.samples[-1].value - baseline.value
    return None if given is None else series.samples[-1].value - given


def reduced(values: list[float], reducer: Reducer) -> float | None:
    """Return the min, max or mean of the samples in a window; None when there are none."""
    if not values:
        return None
    if reducer is Reducer.MIN:
        return min(values)
    return max(values) if reducer is Reducer.MAX else sum(values) / len(values)


def true_intervals(series: Series, span: Span) -> list[Interval]:
    """Return when a bool was true inside the window.

    A sample holds until the next one, or until a frame that does not list the series, and at most ``after``.
    """
    held = []
    for position, mark in enumerate(series.marks):
        if mark.sample is None or not mark.sample.value:
            continue
        until = mark.sample.at + span.after
        if position + 1 < len(series.marks):
            until = min(until, series.marks[position + 1].counted)
        held.append((max(mark.counted, span.opened), min(until, span.now)))
    return held


def observed_intervals(series: Series, span: Span, *, absences: bool = False) -> list[Interval]:
    """Return when a series was observed inside the window: each sample stands until it is ``after`` old.

    So does, with ``absences``, each frame that did not list it: whatever it might have said, it was not true.
    """
    observed = []
    for mark in series.marks:
        if mark.sample is not None:
            observed.append((mark.counted, mark.sample.at + span.after))
        elif absences:
            observed.append((mark.counted, mark.counted + span.after))
    return _clipped(observed, span)


def observed_before(series: Series, span: Span) -> list[Interval]:
    """Return when it was observed that a series which was born did not exist yet."""
    if not series.born(span.after):
        return []
    birth = series.samples[0].counted
    return _clipped([(at, min(at + span.after, birth)) for at in series.reads_before], span)


def _clipped(intervals: list[Interval], span: Span) -> list[Interval]:
    return [(max(start, span.to_observe_from), min(end, span.now)) for start, end in intervals]


def length_of_union(intervals: list[Interval]) -> float:
    """Return how long at least one of the intervals lasts; an interval that ends before it starts lasts no time."""
    covered, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        if end > max(start, reached):
            covered += end - max(start, reached)
            reached = end
    return covered


def coverage_of(intervals: list[Interval], span: Span) -> float | None:
    """Return the observed share of the window within the sprint; None where that has no length."""
    length = span.now - span.to_observe_from
    return length_of_union(intervals) / length if length > 0 else None


def counts_true_time(kpi: KPI) -> bool:
    """Whether ``total`` adds up the time that a bool is true (over a counter of seconds it is an increase)."""
    return kpi.measure.reducer is Reducer.TOTAL and kpi.type is IndicatorType.BOOL


def how_to_combine(kpi: KPI) -> Combine | None:
    """Return how several series fold into one; None when nothing says how."""
    if kpi.combine is not None:
        return kpi.combine
    if counts_true_time(kpi):
        return Combine.MAX
    if kpi.measure.reducer in _SUMS or kpi.measure.reducer is Reducer.TOTAL:
        return Combine.SUM
    objective = kpi.objective
    if objective is None:
        return None
    if objective.op in _UPPER_LIMITS or (objective.op is Op.IS and objective.bound == 0.0):
        return Combine.MAX
    if objective.op in _LOWER_LIMITS or objective.op is Op.IS:
        return Combine.MIN
    return None


def combined(values: list[float], how: Combine) -> float:
    """Return several series' values as one."""
    match how:
        case Combine.SUM:
            return sum(values)
        case Combine.MAX:
            return max(values)
        case Combine.MIN:
            return min(values)
        case Combine.MEAN:
            return sum(values) / len(values)


def meets(objective: Objective, value: float) -> bool:
    """Whether ``value`` meets ``objective``."""
    match objective.op:
        case Op.AT_MOST:
            return value <= objective.bound
        case Op.BELOW:
            return value < objective.bound
        case Op.AT_LEAST:
            return value >= objective.bound
        case Op.ABOVE:
            return value > objective.bound
        case Op.EQUALS | Op.IS:
            return value == objective.bound
        case Op.BETWEEN:
            assert objective.upper is not None
            return objective.bound <= value <= objective.upper
