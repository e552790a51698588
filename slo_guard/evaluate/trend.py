"""Drift: the robust trend of the newest values, and how soon it crosses the objective."""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np

from slo_guard.domain.kpi import Objective, Op
from slo_guard.domain.readings import FloatArray, IntArray
from slo_guard.evaluate.history import grown

POINTS: Final = 36
"""How many points a trend is taken from: one for each of as many equal stretches of its time."""

LEAST_POINTS: Final = POINTS // 2
_COLUMNS_AT_ONCE: Final = 1000


class Trail:
    """The newest values over the last ``over_seconds``, one point for each stretch of a 36th of it.

    Stretches lie on the epoch's grid, so that a trail that is rebuilt from stored readings is the same.
    """

    def __init__(self, over_seconds: float) -> None:
        self._step = over_seconds / POINTS
        self._points: deque[tuple[int, FloatArray]] = deque(maxlen=POINTS + 2)
        self._added: deque[int] = deque(maxlen=POINTS + 2)
        self._number = 0

    def add(self, at: float, latest: FloatArray) -> None:
        """Keep the values as they stand after the frame at ``at``, NaN where there is none; shape (rows,)."""
        stretch = int(at // self._step)
        if self._points and self._points[-1][0] >= stretch:
            stretch = self._points.pop()[0]
            self._added.pop()
        self._number += 1
        self._points.append((stretch, latest))
        self._added.append(self._number)

    def newest(self, now: float) -> int:
        """Return the number of the stretch that ``now`` is in."""
        return int(now // self._step)

    def edition(self, now: float) -> tuple[int, int]:
        """Return what is another when :meth:`until` is: a stretch is over, or a frame came late for one that was."""
        newest = self.newest(now)
        over = (number for (stretch, _), number in zip(self._points, self._added, strict=True) if stretch < newest)
        return newest, max(over, default=0)

    def until(self, now: float, rows: int) -> tuple[IntArray, FloatArray]:
        """Return the stretches of the last ``over_seconds`` that have values, and the values: (points, rows).

        The stretch that ``now`` is in is not over and not among them: its value still changes.
        """
        newest = self.newest(now)
        kept = [(stretch, values) for stretch, values in self._points if newest - POINTS <= stretch < newest]
        stretches = np.array([stretch for stretch, _ in kept], dtype=np.int64)
        values = np.stack([grown(each, rows) for _, each in kept]) if kept else np.empty((0, rows))
        return stretches, values

    def seconds(self, stretches: IntArray) -> FloatArray:
        """Return the middle of each stretch (Unix seconds)."""
        return np.asarray((stretches + 0.5) * self._step, dtype=np.float64)


def theil_sen(times: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return slope (per second) and level at the last time of each column of ``values``, shape (times, n).

    The slope is the median of the slopes between all pairs of points, the level the median of what each point says
    (Theil 1950, Sen 1968): a fifth of the points may be wild. NaN values are left out; a column with fewer than 18
    points has NaN for both.
    """
    count = values.shape[1]
    slope, level = np.full(count, np.nan), np.full(count, np.nan)
    if len(times) < LEAST_POINTS:
        return slope, level
    early, late = np.triu_indices(len(times), 1)
    apart = (times[late] - times[early])[:, None]
    ago = (times - times[-1])[:, None]
    for begin in range(0, count, _COLUMNS_AT_ONCE):
        part = values[:, begin : begin + _COLUMNS_AT_ONCE]
        enough = np.flatnonzero((~np.isnan(part)).sum(axis=0) >= LEAST_POINTS)
        if not len(enough):
            continue
        chosen = part[:, enough]
        found = _medians((chosen[late] - chosen[early]) / apart)
        slope[begin + enough] = found
        level[begin + enough] = _medians(chosen - found * ago)
    return slope, level


def _medians(values: FloatArray) -> FloatArray:
    """Return the median of each column without its NaN; every column has a value.

    Sorted they are last; ``nanmedian`` gives the same numbers and takes four times as long.
    """
    ordered = np.sort(np.ascontiguousarray(values.T), axis=1)
    known = np.count_nonzero(~np.isnan(ordered), axis=1)
    columns = np.arange(len(ordered))
    found: FloatArray = (ordered[columns, (known - 1) // 2] + ordered[columns, known // 2]) / 2
    return found


def seconds_to_cross(objective: Objective, level: FloatArray, slope: FloatArray) -> FloatArray:
    """Return in how many seconds a value that is at ``level`` now and moves by ``slope`` crosses the objective.

    0 where the level is beyond it already, infinite where the trend leads away from it or nowhere, NaN where either
    is NaN. What stands on a bound that is still fine, such as 100 %, has not crossed it.
    """
    strict = objective.op in (Op.BELOW, Op.ABOVE)
    ways: list[FloatArray] = []
    if objective.op in (Op.AT_MOST, Op.BELOW, Op.BETWEEN):
        bound = objective.upper if objective.op is Op.BETWEEN and objective.upper is not None else objective.bound
        ways.append(_time_up(bound - level, slope, strict=strict))
    if objective.op in (Op.AT_LEAST, Op.ABOVE, Op.BETWEEN):
        ways.append(_time_up(level - objective.bound, -slope, strict=strict))
    if not ways:
        return np.full(len(level), np.inf)
    return ways[0] if len(ways) == 1 else np.minimum(*ways)


def _time_up(room: FloatArray, speed: FloatArray, *, strict: bool) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        time = np.where(speed > 0, room / speed, np.inf)
    time = np.where(room <= 0 if strict else room < 0, 0.0, time)
    return np.where(np.isnan(room) | np.isnan(speed), np.nan, time)
