"""Where the windows of a KPI begin: at the sprint's start, at local midnights, or a duration ago."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from slo_guard.domain.calendar import calendar_window, local_day, zone_of
from slo_guard.domain.kpi import KPI, Exclusion, Sprint, WindowKind
from slo_guard.domain.readings import BoolArray, FloatArray


class Origin(Protocol):
    """A window start that stands still for a while; sliding windows have none."""

    recurs: bool
    """Whether the window begins anew from time to time."""

    def start_of(self, at: float) -> float:
        """Return where the window (start, …] that holds the instant ``at`` begins."""


class SprintOrigin:
    """The sprint's start."""

    recurs = False

    def __init__(self, start: float) -> None:
        self._start = start

    def start_of(self, at: float) -> float:  # noqa: ARG002 - the same for every instant
        """Return the sprint's start."""
        return self._start


class CalendarOrigin:
    """The beginnings of days, weeks or months in a zone; asked instant by instant, it remembers the newest window."""

    recurs = True

    def __init__(self, kind: WindowKind, timezone: str) -> None:
        self._kind = kind
        self._timezone = timezone
        self._window = (0.0, 0.0)

    def start_of(self, at: float) -> float:
        """Return the last beginning before ``at``; at a midnight that is the one before it."""
        if not self._window[0] < at <= self._window[1]:
            self._window = calendar_window(self._kind, local_day(at, zone_of(self._timezone)), self._timezone)
        return self._window[0]


class OwedOrigin:
    """Where the time begins of a calendar window that had to be observed: not before the sprint that began in it."""

    recurs = True

    def __init__(self, origin: Origin, sprint_start: float) -> None:
        self._origin = origin
        self._sprint_start = sprint_start

    def start_of(self, at: float) -> float:
        """Return the later one of the window's start and the sprint's, once that has begun."""
        start = self._origin.start_of(at)
        return max(start, self._sprint_start) if self._sprint_start < at else start


def origin_of(kpi: KPI, sprint: Sprint) -> Origin | None:
    """Return where the windows of ``kpi`` begin; None for sliding windows and for ``last``."""
    window = kpi.measure.window
    if window is None or window.kind is WindowKind.DURATION:
        return None
    if window.kind is WindowKind.SPRINT:
        return SprintOrigin(sprint.start_at)
    return CalendarOrigin(window.kind, sprint.timezone)


def window_start(kpi: KPI, origin: Origin | None, now: float) -> float | None:
    """Return where the window (start, ``now``] begins; None for a KPI without one."""
    window = kpi.measure.window
    if window is None:
        return None
    if origin is not None:
        return origin.start_of(now)
    assert window.seconds is not None
    return now - window.seconds


class Counted:
    """The time that counts: all but the excluded stretches, which ascend and do not overlap."""

    def __init__(self, exclude: tuple[Exclusion, ...]) -> None:
        self._stretches = tuple((each.start_at, each.end_at) for each in exclude)

    def __bool__(self) -> bool:
        return bool(self._stretches)

    def touches(self, begin: float, end: float) -> bool:
        """Whether anything between two samples is excluded."""
        return any(start < end and begin < stop for start, stop in self._stretches)

    def touch(self, begins: FloatArray, end: float) -> BoolArray:
        """Return the same for samples at ``begins`` and one at ``end``; False where there is none (NaN)."""
        touched = np.zeros(len(begins), dtype=bool)
        for start, stop in self._stretches:
            if start < end:
                touched |= begins < stop
        return touched

    def keep(self, times: FloatArray) -> BoolArray:
        """Return which instants count."""
        kept = np.ones(len(times), dtype=bool)
        for start, stop in self._stretches:
            kept &= (times < start) | (times >= stop)
        return kept

    def holds(self, at: float) -> bool:
        """Whether an instant counts; an excluded stretch holds its first instant and not its end."""
        return not any(start <= at < stop for start, stop in self._stretches)

    def leaves_any(self, start: float | None, now: float) -> bool:
        """Whether anything of the window (``start``, ``now``] counts; of a newest value (None) the instant itself."""
        return self.holds(now) if start is None else start >= now or self.seconds(start, now) > 0

    def pieces(self, begin: float, end: float) -> list[tuple[float, float]]:
        """Return what is left of [begin, end], ascending."""
        found: list[tuple[float, float]] = []
        for start, stop in self._stretches:
            if stop <= begin or start >= end:
                continue
            if start > begin:
                found.append((begin, start))
            begin = stop
        if begin < end:
            found.append((begin, end))
        return found

    def seconds(self, begin: float, end: float) -> float:
        """Return how many seconds of [begin, end] count."""
        return sum(stop - start for start, stop in self.pieces(begin, end))
