"""Histograms in a window: how much every bucket grew, summed by group before a quantile is taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from slo_guard.domain.kpi import KPI
from slo_guard.domain.readings import BoolArray, FloatArray, GaugeFrame, HistogramFrame, IntArray
from slo_guard.evaluate.bucket_quantile import BucketQuantiles, bucket_quantile
from slo_guard.evaluate.history import Counter
from slo_guard.evaluate.windows import Counted, Origin
from slo_guard.units import format_value

_MOST_NOTES: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class Bucketed:
    """What the histograms of each group come to, shape (groups,).

    ``without_end``: how many series have buckets in the window, but none for +Inf; ``any_bucket``: whether there is
    any bucket; ``lacking``: whether nothing was observed for want of a sample to count from.
    """

    quantiles: BucketQuantiles
    without_end: IntArray
    any_bucket: BoolArray
    lacking: BoolArray


class BucketBuffer:
    """The buckets of the series of one selection, a *cell* for each series and bound that was ever seen.

    As in Prometheus a bucket is a counter of its own: a drop is a reset of that bucket, and one that is born inside the
    window while its source answered counts from 0. Cells are numbered once, so a histogram may change its bounds.
    """

    def __init__(self, origin: Origin | None, counted: Counted | None = None) -> None:
        self._counter = Counter(origin, counted)
        self._bounds: FloatArray = np.array([np.inf])
        self._columns: dict[bytes, IntArray] = {}
        self._cell_of: IntArray = np.zeros((0, 1), dtype=np.int64)
        self._row: IntArray = np.zeros(0, dtype=np.int64)
        self._column: IntArray = np.zeros(0, dtype=np.int64)

    def add(
        self, at: float, rows: IntArray, bounds: FloatArray, counts: FloatArray, *, known: int, source_was_up: bool
    ) -> None:
        """Take in a frame: ``counts`` of shape (len(rows), len(bounds)), NaN where there is no such bucket.

        ``rows`` from ``known`` on were listed for the first time. A bucket is born with them, or in a series that had
        others before, if ``source_was_up``.
        """
        columns = self._columns_of(bounds)
        self._make_room(int(rows.max(initial=-1)) + 1)
        here = (rows[:, None], columns[None, :])
        present, cells = ~np.isnan(counts), self._cell_of[here]
        new = present & (cells < 0)
        cells_before = len(self._row)
        if new.any():
            may_be_born = (rows >= known) | (self._cell_of[rows] >= 0).any(axis=1)
            cells[new] = np.arange(cells_before, cells_before + int(new.sum()))
            self._cell_of[here] = cells
            at_row, at_column = np.nonzero(new)
            self._row = np.concatenate([self._row, rows[at_row]])
            self._column = np.concatenate([self._column, columns[at_column]])
        values = np.full(len(self._row), np.nan)
        values[cells[present]] = counts[present]
        born: BoolArray | None = None
        if source_was_up and new.any():
            born = np.zeros(len(self._row), dtype=bool)
            born[cells[new & may_be_born[:, None]]] = True
        self._counter.add(at, values, born)

    def knows(self, rows: IntArray, bounds: FloatArray, counts: FloatArray) -> bool:
        """Whether all buckets of a frame were seen before, in frames that were taken in."""
        self._make_room(int(rows.max(initial=-1)) + 1)
        return bool((self._cell_of[rows[:, None], self._columns_of(bounds)[None, :]] >= 0)[~np.isnan(counts)].all())

    def add_run(self, times: FloatArray, rows: IntArray, bounds: FloatArray, counts: FloatArray) -> None:
        """Do :meth:`add` for each of ``times``; ``counts`` has the shape (times, rows, bounds).

        All frames have the same buckets, and all of these are known.
        """
        there = ~np.isnan(counts[0])
        cells = self._cell_of[rows[:, None], self._columns_of(bounds)[None, :]][there]
        values = np.full((len(times), len(self._row)), np.nan)
        values[:, cells] = counts[:, there]
        present = np.zeros(len(self._row), dtype=bool)
        present[cells] = True
        self._counter.add_run(times, values, present)

    def measured(self, quantile: float, start: float, fresh_for: float, group_of: IntArray, groups: int) -> Bucketed:
        """Return the ``quantile`` of what was observed in (``start``, now], by group.

        A series without a sample at the window's start counts from its first one inside. ``group_of``: the group of
        each row; ``fresh_for``: how old, in seconds, a sample at the start may be.
        """
        increase, _ = self._counter.increase(start, fresh_for, from_first=True)
        order = np.argsort(self._bounds)
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        width = len(order)
        known = np.flatnonzero(~np.isnan(increase))
        of_row = self._row[known]
        key = group_of[of_row] * width + place[self._column[known]]
        sums = np.bincount(key, weights=increase[known], minlength=groups * width)
        there = np.bincount(key, minlength=groups * width) > 0
        counts = np.where(there, sums, np.nan).reshape(groups, width)
        any_bucket = np.bincount(group_of[of_row], minlength=groups) > 0
        ends = np.isinf(self._bounds[self._column[known]])
        without_end = np.setdiff1d(of_row, of_row[ends])
        found = bucket_quantile(quantile, self._bounds[order], counts)
        return Bucketed(
            found,
            np.bincount(group_of[without_end], minlength=groups).astype(np.int64),
            any_bucket,
            self._lacking(found.observations, start, fresh_for, group_of, groups),
        )

    def _lacking(
        self, observations: FloatArray, start: float, fresh_for: float, group_of: IntArray, groups: int
    ) -> BoolArray:
        """Return the groups without observations in which any series had nothing to be counted from."""
        empty: BoolArray = observations == 0
        if not empty.any():
            return empty
        lacking = self._counter.increase(start, fresh_for)[1]
        empty &= np.bincount(group_of[self._row[lacking]], minlength=groups) > 0
        return empty

    def _columns_of(self, bounds: FloatArray) -> IntArray:
        """Return the column of each bound, new ones for those that are new."""
        columns = self._columns.get(bounds.tobytes())
        if columns is not None:
            return columns
        new = np.setdiff1d(bounds, self._bounds)
        if len(new):
            self._bounds = np.concatenate([self._bounds, new])
            self._cell_of = _padded(self._cell_of, self._cell_of.shape[0], len(self._bounds))
        order = np.argsort(self._bounds)
        columns = order[np.searchsorted(self._bounds, bounds, sorter=order)]
        self._columns[bounds.tobytes()] = columns
        return columns

    def _make_room(self, rows: int) -> None:
        if rows > self._cell_of.shape[0]:
            self._cell_of = _padded(self._cell_of, rows, len(self._bounds))


def _padded(cells: IntArray, rows: int, columns: int) -> IntArray:
    padded = np.full((rows, columns), -1, dtype=np.int64)
    padded[: cells.shape[0], : cells.shape[1]] = cells
    return padded


def bucket_notes(kpi: KPI, bucketed: Bucketed) -> dict[int, str]:
    """Return in words what is odd about the histograms of the first hundred groups of which anything is."""
    found, without_end = bucketed.quantiles, bucketed.without_end
    odd = np.flatnonzero(found.above | (found.lifted > 0) | (without_end > 0))
    return {int(group): "; ".join(_oddities(kpi, bucketed, int(group))) for group in odd[:_MOST_NOTES]}


def _oddities(kpi: KPI, bucketed: Bucketed, group: int) -> Iterator[str]:
    found = bucketed.quantiles
    if found.above[group]:
        yield f"above the highest bound {format_value(float(found.value[group]), kpi.unit)}"
    if found.lifted[group]:
        yield f"buckets lifted because they were not cumulative: {found.lifted[group]}"
    if bucketed.without_end[group]:
        yield f"series without a bucket for +Inf: {bucketed.without_end[group]}"


def totals_of(frame: HistogramFrame, *, exactly: bool) -> GaugeFrame:
    """Return how many observations each series had counted: the +Inf bucket.

    A series without one has no sample, unless not ``exactly``: then what its other buckets say, if any, stands for it.
    """
    totals = frame.counts[:, -1]
    if not exactly:
        totals = np.fmax.reduce(frame.counts, axis=1)
    present = ~np.isnan(totals) if frame.present is None else frame.present & ~np.isnan(totals)
    return GaugeFrame(frame.index, totals, frame.at, None if present.all() else present)
