"""The series of one indicator, each measured over its window, folded to one value for each group.

Series come and go. One that falls silent leaves the fold, yet its silence must not pass for recovery: a group that
is fine only without what its silent series showed last has no data (it is *veiled*), until they are forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from slo_guard.domain.kpi import KPI, Combine, Reducer
from slo_guard.domain.readings import BoolArray, FloatArray, IndicatorType, IntArray
from slo_guard.domain.verdicts import REASON_CODE, CodeArray, Reason
from slo_guard.evaluate.histograms import bucket_notes
from slo_guard.evaluate.history import grown
from slo_guard.evaluate.inputs import Input
from slo_guard.evaluate.objectives import exceeds_upper_limit, meets, worst_of_gauges
from slo_guard.evaluate.rows import Groups


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What one indicator comes to, shape (groups,).

    ``veiled``: groups that have fresh series and yet no data, for what ``silent_rows`` (a flag a row) would show;
    ``veiled`` None: there are none. ``unbounded``: groups whose true value is above ``value``, how far is not known;
    None: there are none. ``notes``: more to say, by group.
    """

    value: FloatArray
    samples: IntArray
    flaw: CodeArray
    veiled: BoolArray | None = None
    silent_rows: BoolArray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    unbounded: BoolArray | None = None
    notes: dict[int, str] = field(default_factory=dict)


def fold_series(
    kpi: KPI, source: Input, groups: Groups, fresh_rows: BoolArray, start: float | None, now: float
) -> Found:
    """Measure one indicator over (``start``, ``now``]; ``start`` is None for ``last``."""
    folding, rows = source.folding, len(source.rows)
    flaw = np.full(len(groups), -1, dtype=np.int8)
    if start is None:
        return _newest(kpi, source, fresh_rows, now, flaw)
    if source.events is not None:
        return _observed(kpi, source, start, now, flaw)
    if source.buckets is not None:
        return _interpolated(kpi, source, start, flaw)
    if source.aggregator is not None:
        return _aggregated(kpi, source, start, now, flaw)
    if source.level is not None:
        return _delta(kpi, source, fresh_rows, start, now, flaw)
    samples = np.zeros(len(groups), dtype=np.int64)
    if source.sample_count is not None:
        samples = summed(source, source.sample_count.within(start, rows))
    if source.counter is not None:
        increase, lacking = source.counter.increase(start, kpi.no_data.after_seconds, baseline=kpi.baseline)
        how = kpi.combine or Combine.SUM
        if kpi.measure.reducer is Reducer.RATE:
            increase = increase / source.counted_seconds(start, now)
        value = folding.reduce(grown(increase, rows), how)
        if kpi.type is IndicatorType.HISTOGRAM:
            samples = np.nan_to_num(value).astype(np.int64)
        unknown = folding.any(lacking)
        if how in (Combine.SUM, Combine.MAX):
            # Nothing that a series of unknown increase adds can take back what the others exceed already.
            unknown &= ~exceeds_upper_limit(kpi.objective, value)
        return _without_baseline(value, unknown, samples, flaw)
    assert source.true_time is not None
    if source.folds_first:
        return Found(source.true_time.within(start, now, len(groups)), samples, flaw)
    return Found(folding.reduce(source.true_time.within(start, now, rows), Combine.SUM), samples, flaw)


def _observed(kpi: KPI, source: Input, start: float, now: float, flaw: CodeArray) -> Found:
    """Measure the events in the window, all series of a group together."""
    assert source.events is not None
    value, counts = source.events.measured(kpi.measure, start, now, source.rows.group_of, len(flaw))
    return Found(value, counts, flaw)


def _interpolated(kpi: KPI, source: Input, start: float, flaw: CodeArray) -> Found:
    """Take the quantile of the histograms in the window, the buckets of all series of a group summed first."""
    assert source.buckets is not None
    assert kpi.measure.quantile is not None
    groups, fresh_for = len(flaw), kpi.no_data.after_seconds
    bucketed = source.buckets.measured(kpi.measure.quantile, start, fresh_for, source.rows.group_of, groups)
    found = bucketed.quantiles
    incomplete = bucketed.any_bucket & np.isnan(found.value) & ~(found.observations == 0)
    flaw = np.where(bucketed.lacking, REASON_CODE[Reason.NO_BASELINE], flaw).astype(np.int8)
    flaw[incomplete] = REASON_CODE[Reason.BUCKETS_INCOMPLETE]
    return Found(
        found.value,
        np.nan_to_num(found.observations).astype(np.int64),
        flaw,
        unbounded=found.above,
        notes=bucket_notes(kpi, bucketed),
    )


def _newest(kpi: KPI, source: Input, fresh_rows: BoolArray, now: float, flaw: CodeArray) -> Found:
    """Fold the newest values of the fresh rows, unless that is fine only for what has fallen silent."""
    found = _folded_gauges(kpi, source, source.latest, fresh_rows, fresh_rows.astype(np.float64), flaw)
    silent = _silent_rows(kpi, source, fresh_rows, now)
    if silent is None or kpi.objective is None:
        return found
    combine = kpi.combine or worst_of_gauges(kpi.objective)
    if combine is None:
        breaching = source.folding.any(silent & ~meets(kpi.objective, source.latest))
    else:
        known = np.where(fresh_rows | silent, source.latest, np.nan)
        breaching = ~meets(kpi.objective, source.folding.reduce(known, combine))
    return replace(found, veiled=meets(kpi.objective, found.value) & breaching, silent_rows=silent)


def _aggregated(kpi: KPI, source: Input, start: float, now: float, flaw: CodeArray) -> Found:
    """Fold the windows' values, of silent rows too: what they showed within the window was so."""
    assert source.aggregator is not None
    aggregate = source.aggregator.within(start, len(source.rows))
    values, counted = aggregate.value, aggregate.count > 0
    if kpi.measure.reducer is Reducer.MEAN:
        with np.errstate(invalid="ignore", divide="ignore"):
            values = values / aggregate.count
    found = _folded_gauges(kpi, source, values, counted, aggregate.count, flaw)
    if source.begins_anew or source.leaves_out(start, now):
        # Empty while series are fresh as a sprint or a day begins, or as an exclusion ends: nothing is silent yet.
        return found
    # A window shorter than `no_data.after` is empty before its series are stale: silence, and nothing to judge.
    return replace(found, veiled=~source.folding.any(counted), silent_rows=~counted)


def _delta(kpi: KPI, source: Input, fresh_rows: BoolArray, start: float, now: float, flaw: CodeArray) -> Found:
    """Fold what rows gained since the window's start; a row that falls silent keeps what it had gained."""
    assert source.level is not None
    assert source.sample_count is not None
    folding, combine = source.folding, kpi.combine or Combine.SUM
    base = source.level.at_start(start, kpi.no_data.after_seconds, len(source.rows))
    stood_at_start = ~np.isnan(base)
    if kpi.baseline is not None:
        base = np.where(stood_at_start, base, kpi.baseline)
    gained = source.latest - base
    counts = source.sample_count.within(start, len(source.rows))
    lacking = folding.any(fresh_rows & np.isnan(gained))
    silent = _silent_rows(kpi, source, fresh_rows, now)
    veiled = None
    counted = fresh_rows
    if silent is not None:
        silent = silent & ~np.isnan(gained) & (stood_at_start | (counts > 0))
        counted = fresh_rows | silent
    value = folding.reduce(np.where(counted, gained, np.nan), combine)
    if silent is not None and kpi.objective is not None:
        without = folding.reduce(np.where(fresh_rows, gained, np.nan), combine)
        veiled = meets(kpi.objective, without) & ~meets(kpi.objective, value) & ~lacking
    found = _without_baseline(value, lacking, summed(source, np.where(counted, counts, 0.0)), flaw)
    return found if silent is None else replace(found, veiled=veiled, silent_rows=silent)


def _silent_rows(kpi: KPI, source: Input, fresh_rows: BoolArray, now: float) -> BoolArray | None:
    """Return the rows that have gone stale and are not forgotten; None where no fresh row could be folded with one."""
    if source.folding.one_to_one or fresh_rows.all():
        return None
    return ~fresh_rows & ~np.isnan(source.latest_at) & ~source.forgotten(now, kpi.forget_after_seconds)


def _folded_gauges(
    kpi: KPI, source: Input, values: FloatArray, usable: BoolArray, counts: FloatArray, flaw: CodeArray
) -> Found:
    """Fold gauge-like values of the ``usable`` rows; without a rule how, several of them cannot be judged."""
    combine = kpi.combine or worst_of_gauges(kpi.objective)
    value = source.folding.reduce(np.where(usable, values, np.nan), combine or Combine.MAX)
    if combine is None and not source.folding.one_to_one:
        several = source.folding.count(usable) > 1
        value = np.where(several, np.nan, value)
        flaw = np.where(several, REASON_CODE[Reason.SEVERAL_SERIES], flaw).astype(np.int8)
    return Found(value, summed(source, np.where(usable, counts, 0.0)), flaw)


def _without_baseline(value: FloatArray, lacking: BoolArray, samples: IntArray, flaw: CodeArray) -> Found:
    flaw = np.where(lacking, REASON_CODE[Reason.NO_BASELINE], flaw).astype(np.int8)
    return Found(np.where(lacking, np.nan, value), samples, flaw)


def summed(source: Input, counts: FloatArray) -> IntArray:
    """Return the sum of counts over rows for each group, 0 for one without rows."""
    sums = source.folding.reduce(counts, Combine.SUM)
    return np.nan_to_num(sums, nan=0.0).astype(np.int64)


def gaps(source: Input, fresh_rows: BoolArray, groups: int) -> CodeArray:
    """Return for each group the reason why it has no data, should it have none."""
    if source.failure is not None:
        return np.full(groups, REASON_CODE[Reason.SOURCE_FAILED], dtype=np.int8)
    gap = np.full(groups, REASON_CODE[Reason.NEVER_SEEN], dtype=np.int8)
    gap[source.folding.counts > 0] = REASON_CODE[Reason.STALE]
    if not fresh_rows.all():
        listed = source.folding.any(~source.gone())
        gap[(source.folding.counts > 0) & ~listed] = REASON_CODE[Reason.GONE_FROM_SOURCE]
    return gap


def gaps_of_rows(source: Input, silent: BoolArray, groups: int) -> CodeArray:
    """Return for each group why its ``silent`` rows are, of which it has at least one."""
    if source.failure is not None:
        return np.full(groups, REASON_CODE[Reason.SOURCE_FAILED], dtype=np.int8)
    gap = np.full(groups, REASON_CODE[Reason.GONE_FROM_SOURCE], dtype=np.int8)
    gap[source.folding.any(silent & ~source.gone())] = REASON_CODE[Reason.STALE]
    return gap
