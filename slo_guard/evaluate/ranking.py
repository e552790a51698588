"""Exact quantiles by group of events that come and go, without ranking all of them again each time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from slo_guard.domain.readings import FloatArray, IntArray


class RankedEvents:
    """The values of a window's events, group by group and ascending in each.

    To rank a million takes long, and most of them are those of the evaluation before: what is new is put into its
    place, what has left is taken out of it.
    """

    def __init__(self) -> None:
        self._values: FloatArray = np.empty(0)
        self._sizes: IntArray = np.empty(0, dtype=np.int64)

    @property
    def sizes(self) -> IntArray:
        """How many events each group has."""
        return self._sizes

    def rank(self, groups: IntArray, values: FloatArray, count: int) -> None:
        """Take these events, shape (events,) both, in place of all that there were; they are in ``count`` groups."""
        self._sizes = np.bincount(groups, minlength=count).astype(np.int64)
        self._values = values[_order(groups, values, count)]

    def add(self, groups: IntArray, values: FloatArray, count: int) -> None:
        """Put events into their places; ``count``: how many groups there are now, never fewer than before."""
        self._sizes = np.concatenate([self._sizes, np.zeros(count - len(self._sizes), dtype=np.int64)])
        if not len(groups):
            return
        order = _order(groups, values, count)
        groups, values = groups[order], values[order]
        self._values = np.insert(self._values, self._places(groups, values), values)
        self._sizes = self._sizes + np.bincount(groups, minlength=count)

    def remove(self, groups: IntArray, values: FloatArray) -> None:
        """Take out events; all of them are there."""
        if not len(groups):
            return
        order = _order(groups, values, len(self._sizes))
        groups, values = groups[order], values[order]
        # Equal events of a group stand side by side: the second of them is one place behind the first.
        differs = (groups[1:] != groups[:-1]) | (values[1:] != values[:-1])
        begins = np.concatenate([[0], 1 + np.flatnonzero(differs)])
        behind = np.arange(len(groups)) - np.repeat(begins, np.diff(np.append(begins, len(groups))))
        self._values = np.delete(self._values, self._places(groups, values) + behind)
        self._sizes = self._sizes - np.bincount(groups, minlength=len(self._sizes))

    def quantile(self, quantile: float) -> FloatArray:
        """Return the ``quantile`` (0 to 1) of each group, NaN for a group without any event.

        Linear interpolation between the two nearest ranks (Hyndman and Fan's type 7), as Prometheus's
        ``quantile_over_time`` and numpy have it.
        """
        found = np.full(len(self._sizes), np.nan)
        filled = np.flatnonzero(self._sizes)
        if not len(filled):
            return found
        begins, last = (np.cumsum(self._sizes) - self._sizes)[filled], self._sizes[filled] - 1
        rank = quantile * last
        below = np.floor(rank).astype(np.int64)
        low = self._values[begins + below]
        high = self._values[begins + np.minimum(below + 1, last)]
        found[filled] = low + (high - low) * (rank - below)
        return found

    def _places(self, groups: IntArray, values: FloatArray) -> IntArray:
        """Return the first place of each value in its group, by halving the stretches of all at once."""
        ends = np.cumsum(self._sizes)
        low, high = (ends - self._sizes)[groups], ends[groups]
        while bool((low < high).any()):
            middle = (low + high) // 2
            searched = low < high
            further = searched & (self._values[np.where(searched, middle, 0)] < values)
            low, high = np.where(further, middle + 1, low), np.where(searched & ~further, middle, high)
        return low


def _order(groups: IntArray, values: FloatArray, count: int) -> npt.NDArray[np.intp]:
    """Return the order of events by group and, in each of ``count`` groups, by value."""
    by_value = np.argsort(values)
    return by_value[np.argsort(groups[by_value].astype(_narrowest(count)), kind="stable")]


def _narrowest(count: int) -> type[np.integer]:
    """Return the integers that number so many groups: those of 16 bits are sorted by radix, ten times as fast."""
    return np.uint16 if count <= np.iinfo(np.uint16).max else np.int64
