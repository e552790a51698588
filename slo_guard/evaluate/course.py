"""The course of one KPI as it is being recorded: evaluations folded into slots, whole slots as one array."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from slo_guard.domain.readings import FloatArray
from slo_guard.domain.trails import NOT_JUDGED, Trail
from slo_guard.domain.verdicts import VerdictFrame
from slo_guard.evaluate.worst_first import worst_row

_COLUMNS = 4


class Standing(NamedTuple):
    """How a KPI stood at one evaluation, or in one slot: what a :class:`Trail` says of it."""

    value: float
    low: float
    high: float
    verdict: int


_NOT_JUDGED = Standing(math.nan, math.nan, math.nan, NOT_JUDGED)
_Rows: TypeAlias = FloatArray


@dataclass(frozen=True, slots=True)
class Grid:
    """Slots of ``slot_seconds`` from ``begins`` to ``ends`` (Unix seconds); of a trail the last ``most`` are kept.

    ``from_the_start``: a trail begins with the first slot, whenever its KPI was first judged.
    """

    begins: float
    ends: float
    slot_seconds: float
    most: int
    from_the_start: bool = False

    def slot_of(self, at: float) -> int:
        """Return the number of the slot that an evaluation falls into: those at its end belong to it."""
        return max(0, math.ceil((at - self.begins) / self.slot_seconds) - 1)

    def end_of(self, slot: int) -> float:
        """Return when a slot ends (Unix seconds)."""
        return self.begins + (slot + 1) * self.slot_seconds


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What was recorded of one KPI; nothing of it is ever changed, so that a reader may keep it.

    ``first``: the number of the first slot in ``over``, an array of shape (n, 4) whose rows are the :class:`Standing`
    of each slot that is over; ``slot``: the newest one, which is ``open``; ``at``: the last evaluation.
    """

    grid: Grid
    first: int
    over: _Rows
    slot: int
    open: Standing
    at: float

    def trail(self) -> Trail:
        """Return it as arrays, the open slot included."""
        columns = np.concatenate((self.over, [self.open])).T
        ends = self.grid.begins + self.grid.slot_seconds * np.arange(self.first + 1.0, self.slot + 2.0)
        value, low, high = columns[: _COLUMNS - 1]
        return Trail(self.grid.slot_seconds, ends, value, low, high, columns[-1].astype(np.int8))


def standing_in(frame: VerdictFrame) -> Standing:
    """Return how a KPI stands by ``frame``: array work alone, whatever the number of series."""
    values, verdicts = frame.value, frame.verdict
    if len(values) == 1:
        value = float(values[0])
        return Standing(value, value, value, int(verdicts[0]))
    worst = worst_row(frame)
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    return Standing(float(values[worst]), float(low), float(high), int(verdicts[worst]))


def folded(course: Course | None, grid: Grid, at: float, standing: Standing) -> Course:
    """Return ``course`` with how the KPI stood at ``at`` (Unix seconds), which is later than all before.

    Slots in between, in which nothing was judged, say so.
    """
    slot = grid.slot_of(at)
    if course is None:
        first = 0 if grid.from_the_start else slot
        return Course(grid, first, _unjudged(slot - first), slot, standing, at)
    if slot == course.slot:
        return Course(grid, course.first, course.over, slot, _joined(course.open, standing), at)
    first = max(course.first, slot + 1 - grid.most)
    if first > course.slot:
        return Course(grid, first, _unjudged(slot - first), slot, standing, at)
    kept = course.over[max(0, first - course.first) :]
    over = np.empty((slot - first, _COLUMNS))
    over[: len(kept)] = kept
    over[len(kept)] = course.open
    over[len(kept) + 1 :] = _NOT_JUDGED
    return Course(grid, first, over, slot, standing, at)


def resumed(trail: Trail, grid: Grid, until: float) -> Course | None:
    """Return the course that ``trail`` records up to ``until`` (Unix seconds), the last evaluation; None if empty.

    Where its slots are others than those of ``grid``, such as after a sprint was moved, each slot goes whole into the
    one in which it ended.
    """
    if not len(trail):
        return None
    rows = np.stack([trail.value, trail.low, trail.high, trail.verdict.astype(np.float64)], axis=1)
    slot = grid.slot_of(float(trail.at[-1]))
    first = slot + 1 - len(trail)
    same = trail.slot_seconds == grid.slot_seconds and grid.end_of(slot) == trail.at[-1] and first >= 0
    if same:
        kept = max(0, len(trail) - grid.most)
        newest = min(until, float(trail.at[-1]))
        return Course(grid, first + kept, rows[kept:-1], slot, _standing(rows[-1]), newest)
    course: Course | None = None
    for end, row in zip(trail.at.tolist(), rows, strict=True):
        at = min(end, until)
        if row[-1] != NOT_JUDGED and grid.begins < at <= grid.ends:
            course = folded(course, grid, at, _standing(row))
    return course


def _unjudged(count: int) -> _Rows:
    return np.full((max(0, count), _COLUMNS), _NOT_JUDGED)


def _standing(row: FloatArray) -> Standing:
    value, low, high, verdict = row.tolist()
    return Standing(value, low, high, int(verdict))


def _joined(older: Standing, newer: Standing) -> Standing:
    return Standing(
        newer.value, _least(older.low, newer.low), -_least(-older.high, -newer.high), max(older.verdict, newer.verdict)
    )


def _least(one: float, other: float) -> float:
    """Return the lesser of two numbers, the other one where one is NaN."""
    return other if math.isnan(one) or other < one else one
