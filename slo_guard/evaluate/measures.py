"""Measures: what the window buffers of a KPI say at one instant, an entry for each group."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from slo_guard.domain.kpi import KPI, Combine, Quotient, RatioPair, Reducer
from slo_guard.domain.readings import BoolArray, Evidence, FloatArray, IndicatorType, IntArray
from slo_guard.domain.verdicts import REASON_CODE, CodeArray, Reason
from slo_guard.evaluate.folds import Found, fold_series, gaps, gaps_of_rows, summed
from slo_guard.evaluate.history import grown
from slo_guard.evaluate.inputs import Input
from slo_guard.evaluate.objectives import worst_of_gauges
from slo_guard.evaluate.rows import Groups
from slo_guard.evaluate.signed import hear

_ABOVE_CODE = REASON_CODE[Reason.ABOVE_HIGHEST_BOUND]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A measure's result, shape (groups,) throughout.

    ``value`` and ``total`` (a ratio's denominator) are NaN where there is none; ``fresh``: whether there is
    data at all; ``gap``: code of the reason why not, where not; ``flaw``: code of the reason why the value
    cannot be judged, or -1; ``met_since``: since when sign-offs meet the objective, by their own ``when``
    (-inf: before the first); NaN where they do not, or nobody signed. ``initial``: a gauge's value at the sprint's
    start, where a pace needs it. ``unbounded``: where the true value is above ``value``, how far is not known; None:
    nowhere.
    """

    value: FloatArray
    samples: IntArray
    coverage: FloatArray
    total: FloatArray
    fresh: BoolArray
    gap: CodeArray
    flaw: CodeArray
    met_since: FloatArray
    initial: FloatArray | None = None
    unbounded: BoolArray | None = None
    notes: dict[int, str] = field(default_factory=dict)


def measure(kpi: KPI, inputs: tuple[Input, ...], groups: Groups, start: float | None, now: float) -> Measured:
    """Return the KPI's measured values over (``start``, ``now``]; ``start`` is None for ``last``."""
    if isinstance(kpi.source, RatioPair):
        assert start is not None
        return _ratio(kpi, inputs[0], inputs[1], groups, start, now)
    if isinstance(kpi.source, Quotient):
        return measure_quotient(kpi, inputs[0], inputs[1], groups, start, now)
    source = inputs[0]
    if source.evidence is not None:
        return _signed(kpi, source.evidence, groups, source, now)
    fresh_rows = source.fresh(now)
    blank = np.full(len(groups), np.nan)
    found = fold_series(kpi, source, groups, fresh_rows, start, now)
    flaw = found.flaw
    if kpi.type is IndicatorType.BOOL and kpi.measure.reducer in (Reducer.LAST, Reducer.MIN, Reducer.MAX):
        odd = ~np.isnan(found.value) & (found.value != 0.0) & (found.value != 1.0)
        flaw = np.where(odd, REASON_CODE[Reason.NOT_A_BOOL], flaw).astype(np.int8)
    fresh, gap = source.folding.any(fresh_rows), gaps(source, fresh_rows, len(groups))
    if source.events is not None and not kpi.by:
        fresh, gap = _answered(source, np.ones(len(groups), dtype=bool), gap, now)
    if found.veiled is not None:
        fresh, gap = _veiled(source, found.veiled & fresh, found.silent_rows, fresh, gap)
    return Measured(
        value=found.value,
        samples=found.samples,
        coverage=blank if start is None else source.coverage(start, now, fresh_rows),
        total=blank,
        fresh=fresh,
        gap=gap,
        flaw=flaw,
        met_since=blank,
        initial=_initial(kpi, source),
        unbounded=found.unbounded,
        notes=found.notes,
    )


def _answered(source: Input, awaited: BoolArray, gap: CodeArray, now: float) -> tuple[BoolArray, CodeArray]:
    """Return which of the ``awaited`` groups' events are known, and why not: that there was none is an answer, too."""
    if source.succeeded_at is not None and source.failure is None:
        gap = np.where(awaited, REASON_CODE[Reason.STALE], gap).astype(np.int8)
    return awaited & source.answers(now), gap


def _initial(kpi: KPI, source: Input) -> FloatArray | None:
    """Return the groups' values at the sprint's start of a gauge that runs down."""
    if source.level is None or kpi.measure.reducer is not Reducer.LAST:
        return None
    initial = source.level.initial(source.sprint_start, kpi.no_data.after_seconds, len(source.rows))
    return source.folding.reduce(initial, kpi.combine or worst_of_gauges(kpi.objective) or Combine.SUM)


def measure_quotient(kpi: KPI, of: Input, to: Input, groups: Groups, start: float | None, now: float) -> Measured:
    """Return one measured value over another; for ``spread_abs`` how far that is from 1."""
    sides = [side_value(side, groups, start, now) for side in (of, to)]
    parts, totals = (side.value for side in sides)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(totals != 0, parts / totals, np.nan)
    if kpi.measure.reducer is Reducer.SPREAD_ABS:
        value = np.abs(value - 1.0)
    flaw = np.where(sides[0].flaw >= 0, sides[0].flaw, sides[1].flaw).astype(np.int8)
    flaw[(flaw < 0) & (totals == 0)] = REASON_CODE[Reason.ZERO_DENOMINATOR]
    if sides[0].unbounded is not None and sides[1].unbounded is not None:
        # What is divided by a number of which only the least is known may be anything above 0.
        flaw[(flaw < 0) & (sides[1].unbounded | (sides[0].unbounded & (totals < 0)))] = _ABOVE_CODE
    fresh, gap, notes = _of_two_sides((of, to), groups, now)
    blank = np.full(len(groups), np.nan)
    shares = [blank if start is None else side.coverage(start, now, side.fresh(now)) for side in (of, to)]
    return Measured(
        value=value,
        samples=np.minimum(sides[0].samples, sides[1].samples),
        coverage=np.minimum(*shares),
        total=blank,
        fresh=fresh,
        gap=gap,
        flaw=flaw,
        met_since=blank,
        unbounded=sides[0].unbounded,
        notes=_of_sides((of, to), sides) | notes,
    )


def _of_sides(inputs: tuple[Input, Input], sides: list[Found]) -> dict[int, str]:
    """Return what more there is to say of each side of a quotient, with its name."""
    notes: dict[int, str] = {}
    for source, found in zip(inputs, sides, strict=True):
        for group, note in found.notes.items():
            before = f"{notes[group]}; " if group in notes else ""
            notes[group] = f"{before}{source.selection.indicator}: {note}"
    return notes


def side_value(side: Input, groups: Groups, start: float | None, now: float) -> Found:
    """Return what one side of a quotient comes to; it has no objective of its own, so nothing is the worse."""
    return fold_series(side.kpi, side, groups, side.fresh(now), start, now)


def _of_two_sides(
    sides: tuple[Input, Input], groups: Groups, now: float
) -> tuple[BoolArray, CodeArray, dict[int, str]]:
    """Return which groups have data on both sides, why the others have none, and what more there is to say."""
    fresh_sides = [side.folding.any(side.fresh(now)) for side in sides]
    known_sides = [side.folding.counts > 0 for side in sides]
    why = [gaps(side, side.fresh(now), len(groups)) for side in sides]
    if all(side.events is not None for side in sides):
        awaited = known_sides[0] | known_sides[1] if groups.by else np.ones(len(groups), dtype=bool)
        answered = [_answered(side, awaited, gap, now) for side, gap in zip(sides, why, strict=True)]
        fresh_sides, why = [fresh for fresh, _ in answered], [gap for _, gap in answered]
        # A side that was collected has something to say of every group, be it that nothing happened.
        heard = [side.succeeded_at is not None or not groups.by for side in sides]
        known_sides = [awaited if each else side.folding.counts > 0 for side, each in zip(sides, heard, strict=True)]
    gap = np.where(fresh_sides[0], why[1], why[0])
    one_side = known_sides[0] != known_sides[1]
    missing = np.where(known_sides[0], why[1], why[0])
    failed = missing == REASON_CODE[Reason.SOURCE_FAILED]
    gap = np.where(one_side, np.where(failed, missing, REASON_CODE[Reason.PART_MISSING]), gap).astype(np.int8)
    names = [side.selection.indicator for side in sides]
    notes = {
        int(group): f"no series of {names[1] if known_sides[0][group] else names[0]}"
        for group in np.flatnonzero(one_side)[:100]
    }
    return fresh_sides[0] & fresh_sides[1], gap, notes


def _veiled(
    source: Input, veiled: BoolArray, silent_rows: BoolArray, fresh: BoolArray, gap: CodeArray
) -> tuple[BoolArray, CodeArray]:
    """Return ``fresh`` and ``gap`` with the ``veiled`` groups, all of them fresh so far, as groups without data."""
    if not veiled.any():
        return fresh, gap
    return fresh & ~veiled, np.where(veiled, gaps_of_rows(source, silent_rows, len(fresh)), gap).astype(np.int8)


def _ratio(kpi: KPI, part: Input, total: Input, groups: Groups, start: float, now: float) -> Measured:
    """Return a ratio of sums: what ``part`` adds up to in the window over what ``total`` does.

    Of counters that is their increase, of events the sum of their values.
    """
    assert isinstance(kpi.source, RatioPair)
    (parts, _), (totals, samples) = (_sum_of_side(kpi, side, groups, start, now) for side in (part, total))
    fresh, gap, notes = _of_two_sides((part, total), groups, now)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(totals > 0, parts / totals, np.nan)
    flaw = np.full(len(groups), -1, dtype=np.int8)
    excess = Reason.GOOD_EXCEEDS_TOTAL if kpi.source.part_is == "good" else Reason.BAD_EXCEEDS_TOTAL
    flaw[totals == 0] = REASON_CODE[Reason.ZERO_DENOMINATOR]
    flaw[parts > totals] = REASON_CODE[excess]
    return Measured(
        value=value,
        samples=samples,
        coverage=np.minimum(*(side.coverage(start, now, side.fresh(now)) for side in (part, total))),
        total=totals,
        fresh=fresh,
        gap=gap,
        flaw=flaw,
        met_since=np.full(len(groups), np.nan),
        notes=notes,
    )


def _sum_of_side(kpi: KPI, side: Input, groups: Groups, start: float, now: float) -> tuple[FloatArray, IntArray]:
    """Return what one side of a ratio adds up to in (start, now] and from how many samples, by group."""
    if side.events is not None:
        return side.events.measured(kpi.measure, start, now, side.rows.group_of, len(groups))
    assert side.counter is not None
    increase, _ = side.counter.increase(start, kpi.no_data.after_seconds, from_first=True)
    sums = side.folding.reduce(grown(increase, len(side.rows)), Combine.SUM)
    if side.sample_count is None:
        return sums, np.zeros(len(groups), dtype=np.int64)
    return sums, summed(side, side.sample_count.within(start, len(side.rows)))


def _signed(kpi: KPI, evidence: Evidence, groups: Groups, source: Input, now: float) -> Measured:
    """Judge sign-offs by their own ``when``: the latest of each label set by ``now`` counts; unsigned is false."""
    said = source.said
    if said is None or not said.stands(kpi, evidence, now, len(groups)):
        said = source.said = hear(kpi, evidence, source.rows, now)
    count = len(groups)
    gap = Reason.SOURCE_FAILED if source.failure is not None else Reason.STALE
    blank = np.full(count, np.nan)
    return Measured(
        value=said.value,
        samples=said.samples,
        coverage=blank,
        total=blank,
        fresh=np.full(count, source.answers(now)),
        gap=np.full(count, REASON_CODE[gap], dtype=np.int8),
        flaw=said.flaw,
        met_since=said.met_since,
        notes=said.notes,
    )
