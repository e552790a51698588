"""Prometheus's ``histogram_quantile`` of classic buckets, over many histograms at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from slo_guard.domain.readings import BoolArray, FloatArray, IntArray

_ROUNDING: Final = 1e-12
"""Buckets apart by so little, relatively, are equal but for the order in which floats were added up."""


@dataclass(frozen=True, slots=True, eq=False)
class BucketQuantiles:
    """Quantiles of histograms, shape (groups,) throughout.

    ``value``: NaN where there is none; ``above``: where the quantile lies in the +Inf bucket, so that the true value is
    above ``value``, the highest finite bound; ``observations``: what the +Inf bucket holds, NaN without one;
    ``lifted``: how many buckets held less than one below them, and were taken to hold as much.
    """

    value: FloatArray
    above: BoolArray
    observations: FloatArray
    lifted: IntArray


def bucket_quantile(quantile: float, bounds: FloatArray, counts: FloatArray) -> BucketQuantiles:
    """Return the ``quantile`` (0 to 1) of each histogram by linear interpolation within the bucket that holds it.

    ``bounds``: upper bounds of shape (b,), ascending and distinct, the last one +Inf; ``counts``: cumulative, of shape
    (groups, b), NaN where a histogram has no such bucket. The rules are those of ``histogram_quantile`` in Prometheus
    2.42: a bucket that holds less than one below it is lifted to that; the first bucket begins at 0, or where its bound
    is not above 0 that bound is the answer; in the +Inf bucket it is the highest finite bound; without a +Inf bucket,
    without any other, or without observations there is none.
    """
    present = ~np.isnan(counts)
    cumulative = np.fmax.accumulate(counts, axis=1)
    lifted = (present & (counts < cumulative * (1 - _ROUNDING))).sum(axis=1)
    observations = np.where(present[:, -1], cumulative[:, -1], np.nan)
    # Where there is no bucket the count is that of the one below, so that no search ends there.
    lower_bounds = np.maximum.accumulate(np.where(present[:, :-1], bounds[:-1], -np.inf), axis=1)
    has_finite = present[:, :-1].any(axis=1)
    if not has_finite.any():
        nothing = np.full(len(counts), np.nan)
        return BucketQuantiles(nothing, np.zeros(len(counts), dtype=bool), observations, lifted)
    rank = quantile * observations
    reached = cumulative[:, :-1] >= rank[:, None]
    landed, holder = reached.any(axis=1), reached.argmax(axis=1)
    groups, below = np.arange(len(counts)), np.maximum(holder - 1, 0)
    start = np.where(holder > 0, lower_bounds[groups, below], -np.inf)
    is_first = np.isneginf(start)
    start, before = np.where(is_first, 0.0, start), np.where(is_first, 0.0, cumulative[groups, below])
    end = bounds[holder]
    with np.errstate(invalid="ignore", divide="ignore"):
        value = start + (end - start) * ((rank - before) / (cumulative[groups, holder] - before))
    value = np.where(is_first & (end <= 0), end, value)
    value = np.where(landed, value, lower_bounds[:, -1])
    known = has_finite & (observations > 0)
    return BucketQuantiles(np.where(known, value, np.nan), known & ~landed, observations, lifted)
