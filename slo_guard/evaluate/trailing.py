"""Growing sums by row, looked up at many instants of the past at once: what the windows of burn rates are cut from.

Counters give what they gained, sample by sample; what a window holds is the sum now less the sum at its start.
"""

from __future__ import annotations

import numpy as np

from slo_guard.domain.readings import BoolArray, FloatArray, IntArray

EXACT_SECONDS = 25 * 3600.0
"""Starts of windows up to this length are looked up exactly, those of longer ones on a grid of cells."""

_ROOM = 64
_CELLS = 5000
LONGEST_CELL_SECONDS = 3600.0
_NICE_SECONDS = (1.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, LONGEST_CELL_SECONDS)


def cell_of(longest_seconds: float) -> float:
    """Return the even grid, in seconds, on which a window that long may begin: a 2,000th to a 5,000th of it."""
    fine = longest_seconds / _CELLS
    return next((cell for cell in _NICE_SECONDS if cell >= fine), LONGEST_CELL_SECONDS)


class TrailingSums:
    """Sums over rows at each instant at which something was added, as far back as ``reach_seconds``.

    With ``keep_from`` they also reach back to that instant, however long ago it is.

    A window that reaches back further than ``EXACT_SECONDS`` begins at the cell's boundary before its start, so that
    of what is older one point a cell is kept: the memory of a window is bounded, and what is kept decides no answer.
    """

    def __init__(
        self, reach_seconds: float, cell_seconds: float, fresh_for: float, *, keep_from: float = np.inf
    ) -> None:
        self._reach = reach_seconds
        self._keep_from = keep_from
        self._cell = cell_seconds
        self._fresh_for = fresh_for
        self._times: FloatArray = np.empty(_ROOM)
        self._sums: FloatArray = np.zeros((_ROOM, 0))
        self._count = 0
        self._last: FloatArray = np.zeros(0)
        self._silent_from: FloatArray = np.zeros(0)
        self._back_at: FloatArray = np.zeros(0)
        self.changed_from = np.inf
        """The earliest instant whose sums changed since this was last set to infinity."""

    @property
    def first_at(self) -> float | None:
        """The earliest instant that is known."""
        return float(self._times[0]) if self._count else None

    def add(self, at: float, gained: FloatArray, since: FloatArray) -> None:
        """Add what each row ``gained``, shape (rows,), up to ``at``, the latest instant so far.

        ``since``: the times of the rows' samples before, NaN where there is none.
        """
        self._make_rows(len(gained))
        for silent_since in self._silent_since(at, gained, since):
            rows = (since == silent_since) & (gained != 0)
            stale_from = self._counts_from(silent_since, at)
            first = self._point_at(stale_from)
            self._sums[first : self._count, : len(gained)][:, rows] += gained[rows]
            self.changed_from = min(self.changed_from, stale_from)
        self._last = self._last + gained
        self._append(at, self._last)

    def is_silence(self, since: FloatArray, at: float) -> BoolArray:
        """Return which rows, last seen at ``since``, were stale before ``at``."""
        silent: BoolArray = at - since > self._fresh_for
        return silent

    def add_run(self, times: FloatArray, gained: FloatArray, since: FloatArray, present: BoolArray) -> None:
        """Do :meth:`add` for each of ``times``; ``gained`` has the shape (times, rows).

        The same rows are ``present`` in all of them, and were before; only these gain.
        """
        self.add(float(times[0]), gained[0], since)
        returned = present & self.is_silence(since, float(times[0]))
        if returned.any():
            self.note_return(float(times[0]), returned, since)
        late = np.flatnonzero(np.diff(times) > self._fresh_for) + 1
        begin = 1
        for gap in (*late.tolist(), len(times)):
            self._extend(times[begin:gap], gained[begin:gap])
            if gap < len(times):
                before = np.full(gained.shape[1], times[gap - 1])
                self.add(float(times[gap]), gained[gap], before)
                self.note_return(float(times[gap]), present, before)
            begin = gap + 1

    def note_return(self, at: float, rows: BoolArray, since: FloatArray) -> None:
        """Note that ``rows`` have a sample at ``at`` again, or for the first time (``since`` is NaN)."""
        missing = len(rows) - len(self._back_at)
        if missing > 0:
            self._silent_from = np.append(self._silent_from, np.full(missing, -np.inf))
            self._back_at = np.append(self._back_at, np.full(missing, -np.inf))
        stale_from = np.where(np.isnan(since), -np.inf, since + self._fresh_for)
        self._silent_from = np.where(rows, stale_from, self._silent_from)
        self._back_at = np.where(rows, at, self._back_at)

    def counts_from(self, start: float, rows: int) -> FloatArray:
        """Return from when on a window that begins at ``start`` knows each row: later, if that was silent then."""
        found = np.full(rows, start)
        silent = np.flatnonzero((self._silent_from < start) & (self._back_at > start))
        found[silent] = self._back_at[silent]
        return found

    def correct(self, row: int, times: tuple[float, float, float], gains: tuple[float, float, float]) -> None:
        """Take in a sample of one row that came late, between two that were there.

        ``times``: of the sample before it (-inf: there is none), its own, and of the one after it; ``gains``: from the
        first to the second, from there to the third, and what had been counted from the first to the third.
        """
        before_at, at, after_at = times
        within, to_next, whole = gains
        self._add_at(self._counts_from(before_at, at), row, within)
        self._add_at(self._counts_from(at, after_at), row, to_next)
        self._add_at(self._counts_from(before_at, after_at), row, -whole)

    def gained(self, starts: FloatArray, ends: FloatArray | None = None) -> FloatArray:
        """Return what each row gained in (start, end], shape (starts, rows); ``ends`` None: up to the last instant."""
        until = self._last if ends is None else self._sums_at(ends)
        return until - self._sums_at(starts)

    def starts_of(self, now: float, seconds: FloatArray) -> FloatArray:
        """Return what :meth:`start_of` does for each of many windows."""
        starts = now - seconds
        return np.where(seconds <= EXACT_SECONDS, starts, np.floor(starts / self._cell) * self._cell)

    def start_of(self, now: float, seconds: float) -> float:
        """Return where the window (now - ``seconds``, now] begins: for a long one at a boundary of cells."""
        start = now - seconds
        return start if seconds <= EXACT_SECONDS else float(np.floor(start / self._cell) * self._cell)

    def _sums_at(self, instants: FloatArray) -> FloatArray:
        rows = len(self._last)
        places = np.searchsorted(self._times[: self._count], instants, side="right") - 1
        found: FloatArray = self._sums[np.maximum(places, 0), :rows]
        if (places < 0).any():
            found = np.where((places < 0)[:, None], 0.0, found)
        return found

    def _silent_since(self, at: float, gained: FloatArray, since: FloatArray) -> list[float]:
        silent: BoolArray = (at - since > self._fresh_for) & (gained != 0)
        return np.unique(since[silent]).tolist() if silent.any() else []

    def _counts_from(self, since: float, at: float) -> float:
        """Return from where on a gain counts, from a sample to the next: after a silence from where it was stale.

        A window that begins while the sample before is fresh counts from it, and so counts all of the gain.
        """
        silent = since > -np.inf and at - since > self._fresh_for
        return min(at, float(np.nextafter(since + self._fresh_for, np.inf))) if silent else at

    def _add_at(self, at: float, row: int, gain: float) -> None:
        if gain:
            first = self._point_at(at)
            self._sums[first : self._count, row] += gain
            self._last[row] += gain
            self.changed_from = min(self.changed_from, at)

    def _append(self, at: float, sums: FloatArray) -> None:
        self.changed_from = min(self.changed_from, at)
        if self._count and self._times[self._count - 1] == at:
            self._count -= 1
        self._make_room(1)
        self._times[self._count] = at
        self._sums[self._count, : len(sums)] = sums
        self._count += 1

    def _extend(self, times: FloatArray, gained: FloatArray) -> None:
        if not len(times):
            return
        self.changed_from = min(self.changed_from, float(times[0]))
        sums = self._last + np.cumsum(gained, axis=0)
        self._make_room(len(times))
        new = slice(self._count, self._count + len(times))
        self._times[new] = times
        self._sums[new, : sums.shape[1]] = sums
        self._count = new.stop
        self._last = sums[-1]

    def _point_at(self, at: float) -> int:
        """Return the place of the point at ``at``, made where there is none."""
        place = int(np.searchsorted(self._times[: self._count], at, side="left"))
        if place < self._count and self._times[place] == at:
            return place
        self._make_room(1)
        place = int(np.searchsorted(self._times[: self._count], at, side="left"))
        moved = slice(place + 1, self._count + 1)
        self._times[moved] = self._times[place : self._count].copy()
        self._sums[moved] = self._sums[place : self._count].copy()
        self._times[place] = at
        self._sums[place] = self._sums[place - 1] if place else 0.0
        self._count += 1
        return place

    def _make_rows(self, rows: int) -> None:
        missing = rows - len(self._last)
        if missing <= 0:
            return
        self._last = np.concatenate([self._last, np.zeros(missing)])
        if rows > self._sums.shape[1]:
            wider = np.zeros((len(self._times), rows + self._sums.shape[1]))
            wider[: self._count, : self._sums.shape[1]] = self._sums[: self._count]
            self._sums = wider

    def _make_room(self, points: int) -> None:
        if self._count + points <= len(self._times):
            return
        kept = self._worth_keeping()
        size = len(self._times)
        while size < 2 * (len(kept) + points):
            size *= 2
        times, sums = np.empty(size), np.zeros((size, self._sums.shape[1]))
        times[: len(kept)], sums[: len(kept)] = self._times[kept], self._sums[kept]
        self._times, self._sums, self._count = times, sums, len(kept)

    def _worth_keeping(self) -> IntArray:
        """Return the places of the points that some window may begin at: one a cell of what is older."""
        times = self._times[: self._count]
        newest = times[-1] if len(times) else 0.0
        boundary = np.ceil(times / self._cell) * self._cell
        begins_one = np.append(boundary[:-1] < times[1:], True)
        recent = times > newest - EXACT_SECONDS - self._cell
        following = np.append(times[1:], np.inf)
        in_reach = following > min(newest - self._reach - self._cell, self._keep_from)
        kept_for_good = (times <= self._keep_from) & (following > self._keep_from)
        return np.flatnonzero(((recent | begins_one) & in_reach) | kept_for_good)
