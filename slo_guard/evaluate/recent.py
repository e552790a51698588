"""The last samples of counters as they came, so that one that comes late can be taken into its place."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from slo_guard.domain.readings import FloatArray

RECALLED_FRAMES = 20
"""A sample that is later than so many frames is left out: what lies before them is known as sums only."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """A row's samples right before and right after an instant, and what it gained from the first of them to its newest.

    ``before`` is None where there was no sample yet; then ``gained`` counts from ``after`` on.
    """

    before: float | None
    before_at: float
    after: float
    after_at: float
    gained: float


class RecentSamples:
    """The newest sample of each row as it stood after each of the last frames."""

    def __init__(self) -> None:
        self._frames: list[tuple[float, FloatArray, FloatArray]] = []
        self._times: deque[float] = deque(maxlen=RECALLED_FRAMES)

    def add(self, at: float, raw: FloatArray, seen_at: FloatArray) -> None:
        """Keep the rows' newest samples and their times after the frame at ``at``; nobody may change them."""
        self._frames.append((at, raw, seen_at))
        self._times.append(at)
        while self._frames[0][0] < self._times[0]:
            del self._frames[0]

    def around(self, row: int, at: float) -> Neighbours | None:
        """Return a row's samples around ``at``; None where they are not known, or one is at that very instant."""
        if not self._frames or at < self._frames[0][0]:
            return None
        samples = self._samples(row)
        earlier = [sample for sample in samples if sample[0] <= at]
        later = [sample for sample in samples if sample[0] > at]
        if not later or (earlier and earlier[-1][0] == at):
            return None
        before_at, before = earlier[-1] if earlier else (-np.inf, None)
        chain = [value for _, value in ([earlier[-1]] if earlier else []) + later]
        gained = sum(gained_between(one, other) for one, other in pairwise(chain))
        return Neighbours(before, before_at, later[0][1], later[0][0], gained)

    def take(self, row: int, at: float, value: float) -> None:
        """Take in a late sample of one row: as if it had come in its time."""
        place = sum(frame_at <= at for frame_at, _, _ in self._frames)
        if self._frames[place - 1][0] == at:
            # Most often a whole collection is late: a frame for each of its rows would cost as many copies of all rows.
            place -= 1
        else:
            self._frames.insert(place, (at, *self._frames[place - 1][1:]))
        for number in range(place, len(self._frames)):
            frame_at, raw, seen_at = self._frames[number]
            # Of a series that began after a frame, that frame has no row yet: its late sample is the first that it has.
            if row >= len(raw) or not seen_at[row] > at:
                self._frames[number] = (frame_at, with_entry(raw, row, value), with_entry(seen_at, row, at))

    def _samples(self, row: int) -> list[tuple[float, float]]:
        """Return the times and values of a row's samples, ascending."""
        found: dict[float, float] = {}
        for _, raw, seen_at in self._frames:
            if row < len(raw) and not np.isnan(seen_at[row]):
                found[float(seen_at[row])] = float(raw[row])
        return list(found.items())


def gained_between(before: float, after: float) -> float:
    """Return what a counter gained from one sample to the next: a drop is a reset, and adds the new value."""
    return after if after < before else after - before


def with_entry(array: FloatArray, row: int, entry: float, fill: float = np.nan) -> FloatArray:
    """Return a copy of ``array`` in which one entry is another; one without that row is extended by ``fill``."""
    changed = np.full(max(len(array), row + 1), fill)
    changed[: len(array)] = array
    changed[row] = entry
    return changed
