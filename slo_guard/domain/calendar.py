"""The calendar of a sprint's zone: where days, weeks and months begin, and which days are worked.

Instants are Unix seconds (UTC); all is correct across daylight-saving changes, where a day has 23 or 25 hours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from slo_guard.domain.kpi import WindowKind

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TICK = timedelta(microseconds=1)


@cache
def zone_of(name: str) -> ZoneInfo:
    """Return a zone by its IANA name."""
    return ZoneInfo(name)


def local_text(at: float, timezone: str) -> str:
    """Return an instant as people of a zone read it: ``Mon 6 Jul 2026 17:00 MDT``, seconds only where there are any."""
    local = datetime.fromtimestamp(round(at), UTC).astimezone(zone_of(timezone))
    return f"{local:%a} {local.day} {local:%b %Y} {local:{'%H:%M:%S' if local.second else '%H:%M'} %Z}"


def day_start(day: date, timezone: ZoneInfo) -> float:
    """Return the first instant of a local day; where clocks skip midnight, the instant at which they do."""
    return datetime(day.year, day.month, day.day, tzinfo=timezone).timestamp()


def local_day(at: float, timezone: ZoneInfo) -> date:
    """Return the local day that ends at or after ``at``: an instant at midnight belongs to the day that it ends."""
    return (datetime.fromtimestamp(at, UTC) - _TICK).astimezone(timezone).date()


def calendar_start(kind: WindowKind, now: float, timezone: str) -> float:
    """Return where the calendar window (start, now] of ``kind`` begins; a week begins on Monday.

    Windows are open at their start: at midnight to the second the window is the whole day before.
    """
    return calendar_window(kind, local_day(now, zone_of(timezone)), timezone)[0]


@lru_cache(maxsize=256)
def calendar_window(kind: WindowKind, day: date, timezone: str) -> tuple[float, float]:
    """Return the first instant and the exclusive end of the day, week or month that holds a local ``day``."""
    match kind:
        case WindowKind.DAY:
            first, end = day, day + timedelta(days=1)
        case WindowKind.WEEK:
            first = day - timedelta(days=day.weekday())
            end = first + timedelta(days=7)
        case WindowKind.MONTH:
            first = day.replace(day=1)
            end = (first + timedelta(days=31)).replace(day=1)
        case _:
            raise ValueError(f"{kind} is not a calendar window")
    zone = zone_of(timezone)
    return day_start(first, zone), day_start(end, zone)


def workday_ends(start: float, due: float, timezone: str, workdays: Iterable[str]) -> tuple[float, ...]:
    """Return when each work day of [start, due] is over, ascending; the last one ends at ``due`` at the latest."""
    zone, worked = zone_of(timezone), frozenset(workdays)
    return tuple(
        min(day_start(day + timedelta(days=1), zone), due)
        for day in _days(start, due, zone)
        if _WEEKDAYS[day.weekday()] in worked
    )


def _days(start: float, due: float, zone: ZoneInfo) -> Iterator[date]:
    day = datetime.fromtimestamp(start, UTC).astimezone(zone).date()
    last = local_day(due, zone)
    while day <= last:
        yield day
        day += timedelta(days=1)
