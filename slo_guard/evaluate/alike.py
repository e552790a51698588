"""Which frames of a stretch differ in nothing but times and values, so that they can be taken in at once."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np

from slo_guard.domain.readings import GaugeFrame, HistogramFrame, Observation, Reading

WORTH_A_STRETCH: Final = 8
"""Fewer frames are taken in as fast one by one."""

_MOST_CELLS: Final = 1_000_000
"""A stretch of histograms holds no more counts at once: a few arrays of 8 MB."""

SampleFrame: TypeAlias = GaugeFrame | HistogramFrame


def whole_frame(observation: Observation, *, histogram: bool) -> SampleFrame | None:
    """Return the frame of a reading in which all series are present, if it is of the kind that is wanted, or None."""
    if not isinstance(observation, Reading):
        return None
    match observation.frame:
        case GaugeFrame() as frame if not histogram and frame.present is None:
            return frame
        case HistogramFrame() as frame if histogram and frame.present is None:
            return frame
    return None


def are_alike(one: SampleFrame, other: SampleFrame) -> bool:
    """Whether two frames list the same series in the same way, and of each the same buckets."""
    if one.index is not other.index:
        return False
    if isinstance(one, GaugeFrame) and isinstance(other, GaugeFrame):
        return one.increment is other.increment
    if isinstance(one, HistogramFrame) and isinstance(other, HistogramFrame):
        same_bounds = np.array_equal(one.bounds, other.bounds)
        return same_bounds and np.array_equal(np.isnan(one.counts), np.isnan(other.counts))
    return False


def most_in_a_stretch(frame: SampleFrame) -> float:
    """Return how many frames like this one a stretch may hold."""
    return _MOST_CELLS / max(1, frame.counts.size) if isinstance(frame, HistogramFrame) else np.inf
