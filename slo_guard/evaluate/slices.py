"""Time slices: each complete one was good or bad as a whole, or had no data and counts for nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from slo_guard.domain.readings import FloatArray

_ROOM = 256
_AT_ONCE = 4096

Tally = npt.NDArray[np.int32]
Sums = Callable[[FloatArray, FloatArray, int], tuple[FloatArray, FloatArray]]
"""Bad and total of windows (start, end] by group: shape (windows, groups) each."""


class SliceTally:
    """How many slices were bad and how many there were, up to the end of each slice, by group.

    Slices lie on a grid aligned to the epoch; a slice is (its start, its end]. One is good whose good events are at
    least the share ``slice_good`` of all. What comes late has the slices from there on judged anew. Those that no
    window of ``reach_seconds`` holds any more are dropped, unless they ended after ``keep_from``.
    """

    def __init__(
        self, slice_seconds: float, slice_good: float, reach_seconds: float, *, keep_from: float = np.inf
    ) -> None:
        self._slice = slice_seconds
        self._kept = int(np.ceil(reach_seconds / slice_seconds)) + 1
        self._keeps_from = float(np.floor(keep_from / slice_seconds))
        self._most_bad = 1.0 - slice_good
        self._first = 0
        self._ends = 0
        self._bad: Tally = np.zeros((_ROOM, 0), dtype=np.int32)
        self._total: Tally = np.zeros((_ROOM, 0), dtype=np.int32)

    def __len__(self) -> int:
        return self._ends

    def advance(self, now: float, groups: int, sums: Sums, first_known: float | None, changed_from: float) -> None:
        """Judge the slices that are complete at ``now`` and new, or that hold what changed since the last time."""
        if first_known is None:
            return
        self._make_groups(groups)
        last = int(np.floor(now / self._slice + 1e-9))
        first = max(self._slice_of(first_known), int(min(last - self._kept, self._keeps_from)))
        if not self._ends or first < self._first:
            self._first = first
            self._ends = 1  # nothing up to the start of the first slice
        if np.isfinite(changed_from):
            self._ends = max(1, min(self._ends, self._slice_of(changed_from) - self._first + 1))
        while self._first + self._ends <= last:
            numbers = np.arange(self._first + self._ends, min(last, self._first + self._ends + _AT_ONCE - 1) + 1)
            ends = numbers.astype(np.float64) * self._slice
            bad, total = sums(ends - self._slice, ends, groups)
            self._append(bad, total)

    def within(self, starts: FloatArray, groups: int) -> tuple[FloatArray, FloatArray]:
        """Return bad slices and all slices that ended after each start, shape (starts, groups) each."""
        if not self._ends:
            return np.zeros((len(starts), groups)), np.zeros((len(starts), groups))
        places = np.floor(starts / self._slice + 1e-9).astype(np.int64) - self._first
        places = np.clip(places, 0, self._ends - 1)
        newest = self._ends - 1
        bad, total = (each[newest, :groups] - each[places, :groups] for each in (self._bad, self._total))
        return bad.astype(np.float64), total.astype(np.float64)

    def _slice_of(self, at: float) -> int:
        """Return the number of the slice that holds an instant: on a boundary that is the one that ends there."""
        return int(np.ceil(at / self._slice)) - 1

    def _append(self, bad: FloatArray, total: FloatArray) -> None:
        with_data = total > 0
        with np.errstate(invalid="ignore", divide="ignore"):
            is_bad = with_data & (bad / total > self._most_bad + 1e-12)
        self._make_room(len(bad))
        new = slice(self._ends, self._ends + len(bad))
        groups = bad.shape[1]
        before = self._ends - 1
        self._bad[new, :groups] = self._bad[before, :groups] + np.cumsum(is_bad, axis=0)
        self._total[new, :groups] = self._total[before, :groups] + np.cumsum(with_data, axis=0)
        self._ends = new.stop

    def _make_groups(self, groups: int) -> None:
        missing = groups - self._bad.shape[1]
        if missing > 0:
            self._bad = np.pad(self._bad, ((0, 0), (0, missing)))
            self._total = np.pad(self._total, ((0, 0), (0, missing)))

    def _make_room(self, slices: int) -> None:
        if self._ends + slices <= len(self._bad):
            return
        dropped = max(0, int(min(self._ends - self._kept - 1, self._keeps_from - self._first)))
        size = len(self._bad)
        while size < self._ends - dropped + slices:
            size *= 2
        for name in ("_bad", "_total"):
            old = getattr(self, name)
            wider = np.zeros((size, old.shape[1]), dtype=np.int32)
            wider[: self._ends - dropped] = old[dropped : self._ends]
            setattr(self, name, wider)
        self._first += dropped
        self._ends -= dropped
