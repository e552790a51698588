"""The oracle's measures: one series, one window, plain Python floats in plain lists."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import NamedTuple

from slo_guard.domain.kpi import KPI, Combine, Objective, Op, Reducer, Sprint, WindowKind
from slo_guard.domain.readings import IndicatorType
from slo_guard.domain.verdicts import Reason
from tests.support.oracle_history import Sample, Series
from tests.support.oracle_windows import (
    Interval,
    calendar_begins,
    counted_seconds,
    is_excluded,
    reaches_into,
    without_excluded,
)

_UPPER_LIMITS = {Op.AT_MOST, Op.BELOW}
_LOWER_LIMITS = {Op.AT_LEAST, Op.ABOVE}
_SUMS = {Reducer.INCREASE, Reducer.RATE, Reducer.DELTA, Reducer.RATIO}
_ADDED_UP = (Reducer.INCREASE, Reducer.RATE, Reducer.TOTAL, Reducer.COUNT, Reducer.SUM)


class Measured(NamedTuple):
    """A group's value before it is judged; ``missing`` names why there is no data, ``problem`` why it is not enough."""

    value: float | None = None
    samples: int = 0
    coverage: float | None = None
    total: float | None = None
    missing: tuple[Reason, ...] = ()
    problem: tuple[Reason, ...] = ()


@dataclass
class Span:
    """The window that is judged, (start, now]; ``start`` is None for ``last``; ``after`` is ``no_data.after``.

    ``sprint_start``: nobody had to observe what was before it; ``is_over``: the sprint has ended, so that ``now`` is
    its end; ``end``: what is from later does not count; ``excluded``: the stretches that do not count either.
    """

    start: float | None
    now: float
    after: float
    sprint_start: float
    is_over: bool = False
    end: float = float("inf")
    excluded: tuple[Interval, ...] = ()

    @property
    def is_excluded(self) -> bool:
        """Whether there is nothing to judge: this instant, or all of the window, is excluded."""
        if self.start is None:
            return is_excluded(self.now, self.excluded)
        return self.start < self.now and not counted_seconds(self.start, self.now, self.excluded)

    @property
    def with_excluded(self) -> Span:
        """The same window as if nothing were excluded."""
        return replace(self, excluded=())

    @property
    def opened(self) -> float:
        """The start of a window that has one."""
        assert self.start is not None
        return self.start

    @property
    def to_observe_from(self) -> float:
        """Where the time begins that should have been observed: not before the sprint, once that has begun."""
        return max(self.opened, self.sprint_start) if self.sprint_start < self.now else self.opened


def span_of(kpi: KPI, now: float, sprint: Sprint) -> Span:
    """Return what ``kpi`` looks at when it is judged at ``now``."""
    excluded = tuple((each.start_at, each.end_at) for each in kpi.exclude)
    span = Span(None, now, kpi.no_data.after_seconds, sprint.start_at, excluded=excluded)
    window = kpi.measure.window
    if window is None:
        return span
    if window.kind is WindowKind.SPRINT:
        now, is_over = min(now, sprint.end_at), now > sprint.end_at
        return replace(span, start=sprint.start_at, now=now, is_over=is_over, end=sprint.end_at)
    if window.seconds is None:
        return replace(span, start=calendar_begins(window.kind, now, sprint.timezone))
    return replace(span, start=now - window.seconds)


def within(series: Series, span: Span) -> list[Sample]:
    """Return the samples of the window, start < counted <= now."""
    return [sample for sample in series.samples if span.opened < sample.counted <= span.now]


def inside(series: Series, span: Span) -> list[Sample]:
    """Return the samples of the window that are not excluded."""
    return [sample for sample in within(series, span) if not is_excluded(sample.counted, span.excluded)]


def is_fresh(series: Series, span: Span) -> bool:
    """Whether there is a sample and the newest one is not too old."""
    return bool(series.samples) and span.now - series.newest_at <= span.after


def forgotten(series: Series, kpi: KPI, span: Span) -> bool:
    """Whether a series that its source no longer has was last sampled (if never, listed) over ``forget_after`` ago.

    One of events: whether none was in the window for so long.
    """
    if kpi.type is IndicatorType.EVENT:
        return span.opened - series.newest_at > kpi.forget_after_seconds
    return series.gone and not is_fresh(series, span) and span.now - series.newest_at > kpi.forget_after_seconds


def exceeded(kpi: KPI, value: float | None) -> bool:
    """Whether what adds up is beyond its upper limit."""
    objective = kpi.objective
    if objective is None or value is None or kpi.measure.reducer not in _ADDED_UP:
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


def gained(samples: list[Sample], excluded: tuple[Interval, ...]) -> float:
    """Return what a counter gained from sample to sample; a drop to v is a reset and gains v.

    From one to the next with excluded time between them it gained nothing that counts.
    """
    gain = 0.0
    for before, sample in itertools.pairwise(samples):
        if not reaches_into(before.counted, sample.counted, excluded):
            gain += sample.value - before.value if sample.value >= before.value else sample.value
    return gain


def _gained_from_start(series: Series, span: Span) -> float | None:
    """Return what a counter gained in the window from its value at the start or its birth; None without either."""
    baseline = baseline_of(series, span)
    if baseline is not None:
        return gained([baseline, *within(series, span)], span.excluded)
    if _born_inside(series, span):
        unborn = Sample(series.reads_before[-1], 0.0, series.reads_before[-1])
        return gained([unborn, *within(series, span)], span.excluded)
    return None


def increase(series: Series, span: Span, given: float | None) -> float | None:
    """Return a counter's increase over the window; None without anything to count from."""
    found = _gained_from_start(series, span)
    if found is None and given is not None and within(series, span):
        return series.samples[0].value + gained(series.samples, span.excluded) - given
    return found


def rate(series: Series, span: Span, given: float | None) -> float | None:
    """Return the increase by second of the window."""
    found, seconds = increase(series, span, given), counted_seconds(span.opened, span.now, span.excluded)
    return None if found is None or not seconds else found / seconds


def side_increase(series: Series, span: Span) -> float:
    """Return the increase of one side of a ratio: without a baseline it counts from its first sample inside."""
    found = _gained_from_start(series, span)
    return gained(within(series, span), span.excluded) if found is None else found


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
    return without_excluded(held, span.excluded)


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
    inside_window = [(max(start, span.to_observe_from), min(end, span.now)) for start, end in intervals]
    return without_excluded(inside_window, span.excluded)


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
    if span.now <= span.to_observe_from:
        return None
    length = counted_seconds(span.to_observe_from, span.now, span.excluded)
    return length_of_union(intervals) / length if length else None


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
