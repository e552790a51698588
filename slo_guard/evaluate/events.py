"""Raw observations in a window: how many, their sum, and exact quantiles by group."""

from __future__ import annotations

import numpy as np

from slo_guard.domain.kpi import Measure, Reducer
from slo_guard.domain.readings import FloatArray, IntArray

_ROOM = 1024


class EventBuffer:
    """The events of one selection as columns in ascending time, each in its row of the table.

    What comes late is taken into its place. Windows (start, now] whose start never goes back: what lies before is
    dropped once it is the greater part, so that an event is moved a constant number of times.
    """

    def __init__(self) -> None:
        self._at: FloatArray = np.empty(_ROOM)
        self._value: FloatArray = np.empty(_ROOM)
        self._row: IntArray = np.empty(_ROOM, dtype=np.int64)
        self._first = 0
        self._end = 0
        self._added = 0
        self._found: tuple[tuple[int, ...], tuple[FloatArray, IntArray]] | None = None

    def __len__(self) -> int:
        return self._end - self._first

    def add(self, rows: IntArray, at: FloatArray, values: FloatArray) -> None:
        """Take in events in any order; all arrays have the shape (events,)."""
        if not len(at):
            return
        late = len(self) > 0 and bool(at.min() < self._at[self._end - 1])
        self._make_room(len(at))
        new = slice(self._end, self._end + len(at))
        self._at[new], self._row[new], self._value[new] = at, rows, values
        self._end = new.stop
        begin = self._first if late else new.start
        part = slice(begin, self._end)
        if late or bool((np.diff(self._at[part]) < 0).any()):
            order = np.argsort(self._at[part], kind="stable")
            for column in (self._at, self._row, self._value):
                column[part] = column[part][order]
        self._added += 1

    def inside(self, start: float, now: float) -> tuple[IntArray, FloatArray]:
        """Return rows and values of the events in (start, now], shape (events,) each, ascending in time."""
        low, high = self._places(start, now)
        if low - self._first > max(_ROOM, len(self) // 2):
            self._first = low
        return self._row[low:high], self._value[low:high]

    def measured(
        self, measure: Measure, start: float, now: float, group_of: IntArray, count: int
    ) -> tuple[FloatArray, IntArray]:
        """Return what the events in (start, now] come to and how many they are, by group; shape (count,) both.

        ``group_of`` gives each row its group, always the same one; a buffer is always asked for the same measure. Most
        often the events are those of the evaluation before: then so is the answer, for to rank a million takes long.
        """
        asked = (self._added, *self._places(start, now), count)
        if self._found is None or self._found[0] != asked:
            rows, values = self.inside(start, now)
            self._found = asked, _reduced(measure, group_of[rows], values, count)
        return self._found[1]

    def _places(self, start: float, now: float) -> tuple[int, int]:
        low, high = np.searchsorted(self._at[self._first : self._end], [start, now], side="right")
        return self._first + int(low), self._first + int(high)

    def _make_room(self, count: int) -> None:
        if self._end + count <= len(self._at):
            return
        kept = slice(self._first, self._end)
        size = max(_ROOM, 2 * (len(self) + count))
        for name in ("_at", "_row", "_value"):
            old = getattr(self, name)
            grown = np.empty(size, dtype=old.dtype)
            grown[: len(self)] = old[kept]
            setattr(self, name, grown)
        self._first, self._end = 0, kept.stop - kept.start


def _reduced(measure: Measure, groups: IntArray, values: FloatArray, count: int) -> tuple[FloatArray, IntArray]:
    counts = np.bincount(groups, minlength=count).astype(np.int64)
    match measure.reducer:
        case Reducer.COUNT:
            return counts.astype(np.float64), counts
        case Reducer.SUM:
            return np.bincount(groups, weights=values, minlength=count).astype(np.float64), counts
        case _:
            assert measure.quantile is not None
            return grouped_quantile(groups, values, count, measure.quantile), counts


def grouped_quantile(groups: IntArray, values: FloatArray, count: int, quantile: float) -> FloatArray:
    """Return the ``quantile`` (0 to 1) of the values of each of ``count`` groups, NaN for a group without any.

    Linear interpolation between the two nearest ranks (Hyndman and Fan's type 7), as Prometheus's
    ``quantile_over_time`` and numpy have it.
    """
    found = np.full(count, np.nan)
    sizes = np.bincount(groups, minlength=count)
    filled = np.flatnonzero(sizes)
    if not len(filled):
        return found
    by_value = np.argsort(values)
    ordered = values[by_value[np.argsort(groups[by_value].astype(_narrowest(count)), kind="stable")]]
    begins = np.cumsum(sizes) - sizes
    rank = quantile * (sizes[filled] - 1)
    below = np.floor(rank).astype(np.int64)
    share = rank - below
    low = ordered[begins[filled] + below]
    high = ordered[begins[filled] + np.minimum(below + 1, sizes[filled] - 1)]
    found[filled] = low + (high - low) * share
    return found


def _narrowest(count: int) -> type[np.integer]:
    """Return the integers that number so many groups: those of 16 bits are sorted by radix, ten times as fast."""
    return np.uint16 if count <= np.iinfo(np.uint16).max else np.int64
