"""The oracle's calendar and its excluded time, by plain walks: quarter of an hour by quarter, stretch by stretch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from slo_guard.domain.kpi import Sprint, WindowKind

Interval = tuple[float, float]

_QUARTER = 900
_TICK = timedelta(microseconds=1)
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@lru_cache(maxsize=4096)
def beginning_of(day: date, timezone: str) -> float:
    """Return the first quarter of an hour of a local day, found by looking at each since well before it."""
    instant = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) - 16 * 3600
    while datetime.fromtimestamp(instant, UTC).astimezone(ZoneInfo(timezone)).date() < day:
        instant += _QUARTER
    return float(instant)


def day_of(at: float, timezone: str) -> date:
    """Return the local day of the last moment before ``at``."""
    return (datetime.fromtimestamp(at, UTC) - _TICK).astimezone(ZoneInfo(timezone)).date()


def calendar_begins(kind: WindowKind, now: float, timezone: str) -> float:
    """Return where the day, the week (from Monday) or the month begins that is over or under way at ``now``."""
    day = day_of(now, timezone)
    while (kind is WindowKind.WEEK and day.weekday() != 0) or (kind is WindowKind.MONTH and day.day != 1):
        day -= timedelta(days=1)
    return beginning_of(day, timezone)


def work_days_over(sprint: Sprint, due: float, now: float) -> tuple[int, int]:
    """Return how many work days between the sprint's start and ``due`` are over at ``now``, and how many there are."""
    day, over, number = day_of(sprint.start_at + 1, sprint.timezone), 0, 0
    while beginning_of(day, sprint.timezone) < due:
        ends = min(beginning_of(day + timedelta(days=1), sprint.timezone), due)
        if _WEEKDAYS[day.weekday()] in sprint.workdays:
            number += 1
            over += ends <= now
        day += timedelta(days=1)
    return over, number


def is_excluded(at: float, excluded: Sequence[Interval]) -> bool:
    """Whether an instant lies in an excluded stretch, whose end is outside."""
    return any(start <= at < stop for start, stop in excluded)


def reaches_into(begin: float, end: float, excluded: Sequence[Interval]) -> bool:
    """Whether anything between two samples is excluded."""
    return any(start < end and begin < stop for start, stop in excluded)


def without_excluded(intervals: Sequence[Interval], excluded: Sequence[Interval]) -> list[Interval]:
    """Return what is left of the intervals."""
    left = list(intervals)
    for start, stop in excluded:
        left = [part for one in left for part in ((one[0], min(one[1], start)), (max(one[0], stop), one[1]))]
        left = [part for part in left if part[0] < part[1]]
    return left


def counted_seconds(begin: float, end: float, excluded: Sequence[Interval]) -> float:
    """Return how much of the time between two instants is not excluded."""
    return sum(max(0.0, stop - start) for start, stop in without_excluded([(begin, end)], excluded))
