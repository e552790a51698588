"""Raw observations in a window: how many, their sum, and exact quantiles by group."""

from __future__ import annotations

import numpy as np

from slo_guard.domain.kpi import Measure, Reducer
from slo_guard.domain.readings import FloatArray, IntArray
from slo_guard.evaluate.ranking import RankedEvents

_ROOM = 1024


class EventBuffer:
    """The events of one selection as columns in ascending time, each in its row of the table.

    What comes late is taken into its place. Windows (start, now] whose start never goes back: what lies before, and is
    older than ``keep_seconds`` and than ``keep_from``, is dropped once it is the greater part, so that an event is
    moved a constant number of times.
    """

    def __init__(self, keep_seconds: float = 0.0, keep_from: float = np.inf) -> None:
        self._keep = keep_seconds
        self._keep_from = keep_from
        self.changed_from = np.inf
        """The earliest event that came since this was last set to infinity."""
        self._at: FloatArray = np.empty(_ROOM)
        self._value: FloatArray = np.empty(_ROOM)
        self._row: IntArray = np.empty(_ROOM, dtype=np.int64)
        self._first = 0
        self._end = 0
        self._added = 0
        self._ranked = RankedEvents()
        self._ranked_window: tuple[float, float] | None = None
        self._late: list[tuple[IntArray, FloatArray]] = []
        self._found: tuple[tuple[int, ...], tuple[FloatArray, IntArray]] | None = None

    def __len__(self) -> int:
        return self._end - self._first

    def add(self, rows: IntArray, at: FloatArray, values: FloatArray) -> None:
        """Take in events in any order; all arrays have the shape (events,)."""
        if not len(at):
            return
        self.changed_from = min(self.changed_from, float(at.min()))
        self._make_room(len(at))
        begin = self._first + int(np.searchsorted(self._at[self._first : self._end], at.min(), side="right"))
        new = slice(self._end, self._end + len(at))
        self._at[new], self._row[new], self._value[new] = at, rows, values
        self._end = new.stop
        part = slice(begin, self._end)
        if bool((np.diff(self._at[part]) < 0).any()):
            order = np.argsort(self._at[part], kind="stable")
            for column in (self._at, self._row, self._value):
                column[part] = column[part][order]
        if self._ranked_window is not None:
            start, now = self._ranked_window
            late = (at > start) & (at <= now)
            self._late.append((rows[late], values[late]))
        self._added += 1

    def listed(self, start: float, now: float) -> tuple[IntArray, FloatArray, FloatArray]:
        """Return rows, times and values of the events in (start, now], shape (events,) each, ascending in time."""
        low, high = self._places(start, now)
        return self._row[low:high], self._at[low:high], self._value[low:high]

    def measured(
        self, measure: Measure, start: float, now: float, group_of: IntArray, count: int
    ) -> tuple[FloatArray, IntArray]:
        """Return what the events in (start, now] come to and how many they are, by group; shape (count,) both.

        ``group_of`` gives each row its group, always the same one; a buffer is always asked for the same measure. Most
        often the events are those of the evaluation before: then so is the answer, for to rank a million takes long.
        """
        low, high = self._places(start, now)
        asked = (self._added, low, high, count)
        if self._found is None or self._found[0] != asked:
            if measure.reducer is Reducer.QUANTILE:
                assert measure.quantile is not None
                self._rank(start, now, group_of, count)
                self._found = asked, (self._ranked.quantile(measure.quantile), self._ranked.sizes)
            else:
                self._found = asked, self._added_up(measure.reducer, slice(low, high), group_of, count)
            unused = self._places(min(start, now - self._keep, self._keep_from), now)[0]
            if unused - self._first > max(_ROOM, len(self) // 2):
                self._first = unused
        return self._found[1]

    def _rank(self, start: float, now: float, group_of: IntArray, count: int) -> None:
        """Rank the events in (start, now]: from those that were ranked last, where most of them are the same."""
        low, high = self._places(start, now)
        before, self._ranked_window = self._ranked_window, (start, now)
        late, self._late = self._late, []
        if before is not None and before[0] <= start <= before[1] <= now:
            gone, new = slice(self._places(*before)[0], low), slice(self._places(*before)[1], high)
            moved = gone.stop - gone.start + new.stop - new.start + sum(len(rows) for rows, _ in late)
            if 2 * moved <= high - low:
                for rows, values in (*late, (self._row[new], self._value[new])):
                    self._ranked.add(group_of[rows], values, count)
                self._ranked.remove(group_of[self._row[gone]], self._value[gone])
                return
        self._ranked.rank(group_of[self._row[low:high]], self._value[low:high], count)

    def _added_up(self, reducer: Reducer, window: slice, group_of: IntArray, count: int) -> tuple[FloatArray, IntArray]:
        groups = group_of[self._row[window]]
        counts = np.bincount(groups, minlength=count).astype(np.int64)
        if reducer is Reducer.COUNT:
            return counts.astype(np.float64), counts
        return np.bincount(groups, weights=self._value[window], minlength=count).astype(np.float64), counts

    def sums(self, starts: FloatArray, ends: FloatArray, group_of: IntArray, count: int) -> FloatArray:
        """Return the sum of the values in each of the windows (start, end] by group, shape (windows, count)."""
        times = self._at[self._first : self._end]
        lows = self._first + np.searchsorted(times, starts, side="right")
        highs = self._first + np.searchsorted(times, ends, side="right")
        found = np.zeros((len(starts), count))
        for window, (low, high) in enumerate(zip(lows.tolist(), highs.tolist(), strict=True)):
            if low < high:
                inside = slice(low, high)
                found[window] = np.bincount(group_of[self._row[inside]], weights=self._value[inside], minlength=count)
        return found

    @property
    def first_at(self) -> float | None:
        """The earliest event that is kept."""
        return float(self._at[self._first]) if len(self) else None

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
