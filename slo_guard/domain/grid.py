"""Evaluation grids: the instants ``origin`` + k x step at which KPIs are judged.

Instants are Unix seconds as float, steps seconds as float. An instant within a microsecond of a point is at it.
"""

from __future__ import annotations

import math

AT_POINT_SECONDS = 1e-6
"""Clocks and files write microseconds; a float of this era is finer than that by a few bits only."""


def on_grid(now: float, step: float, origin: float = 0.0) -> bool:
    """Whether there is a point at ``now``."""
    return abs(_point(round((now - origin) / step), step, origin) - now) < AT_POINT_SECONDS


def point_up_to(now: float, step: float, origin: float = 0.0) -> float:
    """Return the last point at or before ``now``."""
    index = math.floor((now - origin) / step) + 2
    while _point(index, step, origin) > now + AT_POINT_SECONDS:
        index -= 1
    return _point(index, step, origin)


def point_after(after: float, step: float, origin: float = 0.0) -> float:
    """Return the first point strictly later than ``after``, never ``after`` itself however steps round."""
    index = math.floor((after - origin) / step) - 1
    while _point(index, step, origin) <= after:
        index += 1
    return _point(index, step, origin)


def _point(index: int, step: float, origin: float) -> float:
    """Return point number ``index``.

    Whole milliseconds are counted as integers: 0.1 s has no exact float, and after 10^10 steps of one a bit
    too long the points of 0.1 s and of 0.3 s would lie side by side instead of on each other.
    """
    milliseconds = round(step * 1000)
    if math.isclose(step * 1000, milliseconds, rel_tol=1e-12):
        return origin + index * milliseconds / 1000
    return origin + round(index * step, 6)
