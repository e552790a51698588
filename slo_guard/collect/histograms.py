"""From bucket series to histogram frames: ``le`` becomes a column, and a missing +Inf is taken from ``_count``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from slo_guard.collect.frames import Rejections, labels_text, to_base
from slo_guard.domain.readings import FloatArray, HistogramFrame, IntArray
from slo_guard.domain.series import LabelSet, SeriesIndex

BUCKET_LABEL = "le"


@dataclass(frozen=True, slots=True, eq=False)
class BucketLayout:
    """Where each bucket sample stands in the matrix of counts; derived from label sets alone, so it is kept with them.

    ``samples``, ``rows``, ``columns``: int64 of shape (m,): sample ``samples[i]`` is the count of series
    ``rows[i]`` up to ``bounds[columns[i]]``. ``total_samples``, ``total_rows``: the same for +Inf from ``_count``.
    """

    index: SeriesIndex
    bounds: FloatArray
    samples: IntArray
    rows: IntArray
    columns: IntArray
    total_samples: IntArray
    total_rows: IntArray
    rejected: int
    example: str | None

    def frame(
        self,
        buckets: FloatArray,
        totals: FloatArray,
        at: float,
        *,
        factor: float,
        rejected: Rejections,
        complete: bool = True,
    ) -> HistogramFrame:
        """Return counts as a frame; ``factor`` takes the bounds to the base unit.

        A series with a count that is not finite is not present, and is counted; unless not ``complete``: then
        a series without any count had no sample at this time, and what the layout left out is not counted again.
        """
        counts = np.full((len(self.index), len(self.bounds)), np.nan)
        counts[self.rows, self.columns] = buckets[self.samples]
        counts[self.total_rows, -1] = totals[self.total_samples]
        whole = np.ones(len(self.index), dtype=bool)
        whole[self.rows[~np.isfinite(buckets[self.samples])]] = False
        whole[self.total_rows[~np.isfinite(totals[self.total_samples])]] = False
        if complete:
            rejected.add(self.rejected, self.example)
        if not whole.all():
            broken = np.flatnonzero(~whole & (complete | np.isfinite(counts).any(axis=1)))
            counts[~whole] = np.nan
            if len(broken):
                rejected.add(
                    len(broken),
                    f"{labels_text(self.index.label_sets[int(broken[0])])} has a bucket that is not a number",
                )
        return HistogramFrame(self.index, to_base(self.bounds, factor), counts, at, None if whole.all() else whole)


def bucket_layout(
    buckets: SeriesIndex, totals: SeriesIndex | None = None, previous: SeriesIndex | None = None
) -> BucketLayout:
    """Lay out bucket series, each with its ``le``; ``totals`` are the ``_count`` series.

    A series without +Inf and without a count, a bucket whose ``le`` is no number, and the second of two equal
    bounds ("1" equals "1.0") are left out and counted. ``previous`` is used again if it has the same label sets.
    """
    rejected = Rejections()
    cells: dict[LabelSet, dict[float, int]] = {}
    for sample, labels in enumerate(buckets.label_sets):
        bound = _bound(labels)
        rest = tuple(pair for pair in labels if pair[0] != BUCKET_LABEL)
        if bound is None:
            rejected.add(1, f"{labels_text(labels)} has no usable le")
        elif bound in (row := cells.setdefault(rest, {})):
            rejected.add(1, f"{labels_text(labels)} comes twice")
        else:
            row[bound] = sample
    total_positions = totals.positions if totals is not None else {}
    for labels, row in list(cells.items()):
        if math.inf not in row and labels not in total_positions:
            rejected.add(1, f"{labels_text(labels)} has no bucket for +Inf")
            del cells[labels]
    kept = tuple(cells)
    same = previous is not None and previous.label_sets == kept
    index = previous if previous is not None and same else SeriesIndex.of(kept)
    bounds = sorted({bound for row in cells.values() for bound in row} | {math.inf})
    column = {bound: position for position, bound in enumerate(bounds)}
    triples = [
        (sample, row, column[bound]) for row, each in enumerate(cells.values()) for bound, sample in each.items()
    ]
    pairs = [(total_positions[labels], row) for row, (labels, each) in enumerate(cells.items()) if math.inf not in each]
    where = np.array(triples, dtype=np.int64).reshape(-1, 3)
    from_total = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return BucketLayout(
        index=index,
        bounds=np.array(bounds, dtype=np.float64),
        samples=where[:, 0],
        rows=where[:, 1],
        columns=where[:, 2],
        total_samples=from_total[:, 0],
        total_rows=from_total[:, 1],
        rejected=rejected.count,
        example=rejected.example,
    )


def _bound(labels: LabelSet) -> float | None:
    for name, value in labels:
        if name == BUCKET_LABEL:
            try:
                bound = float(value)
            except ValueError:
                return None
            return None if math.isnan(bound) or bound == -math.inf else bound
    return None
