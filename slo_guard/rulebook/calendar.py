"""Local dates and times of a sprint as instants (Unix seconds), correct across daylight-saving changes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from slo_guard.domain.calendar import day_start
from slo_guard.domain.kpi import Sprint
from slo_guard.validation import nearest

SPRINT_END = "sprint_end"
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_FIRST_YEAR, _LAST_YEAR = 1990, 2200


@dataclass(frozen=True, slots=True)
class Instant:
    """An instant in Unix seconds; ``note`` says how an ambiguous local time was read."""

    at: float
    note: str | None = None


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def zone(name: str) -> ZoneInfo:
    """Return the zone called ``name``; raises ``ValueError`` with the nearest right name."""
    if name not in _zone_names():
        by_lower = {known.lower(): known for known in _zone_names()}
        right = by_lower.get(name.lower().replace(" ", "_"))
        hint = f"; did you mean {right!r}?" if right else nearest(name, _zone_names())
        raise ValueError(f"{name!r} is not an IANA time zone{hint or '; write one such as America/Denver'}")
    return ZoneInfo(name)


def parse_date(text: str) -> date:
    """Parse ``2026-07-10``; raises ``ValueError`` with what to write instead."""
    found = _DATE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a date; write one such as 2026-07-10")
    try:
        day = date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        raise ValueError(f"{text!r} is no day of the calendar") from None
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise ValueError(f"the year of {text!r} is not within {_FIRST_YEAR} and {_LAST_YEAR}")
    return day


def parse_moment(text: str, sprint: Sprint) -> Instant:
    """Return the instant that ``due`` or ``checkpoint`` names.

    A date is the end of that local day, ``sprint_end`` the sprint's exclusive end. A time that occurs twice is
    the first of the two, with a note. Raises ``ValueError`` with what to write instead.
    """
    text = text.strip()
    if text == SPRINT_END:
        return Instant(sprint.end_at)
    timezone = ZoneInfo(sprint.timezone)
    if _DATE.fullmatch(text):
        return Instant(day_start(parse_date(text) + timedelta(days=1), timezone))
    try:
        parse_date(text[:10])
        written = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is not a time; write a date such as 2026-07-10, 2026-07-06T17:00 or {SPRINT_END}"
        ) from None
    if written.tzinfo is not None:
        return Instant(written.timestamp())
    return _local(written, timezone)


def _local(written: datetime, timezone: ZoneInfo) -> Instant:
    first, second = written.replace(tzinfo=timezone), written.replace(tzinfo=timezone, fold=1)
    back = first.astimezone(UTC).astimezone(timezone)
    if back.replace(tzinfo=None) != written:
        raise ValueError(
            f"{written:%Y-%m-%dT%H:%M} does not exist in {timezone.key}: clocks go forward then; "
            f"write {back:%Y-%m-%dT%H:%M}"
        )
    if first.utcoffset() != second.utcoffset():
        note = (
            f"{written:%Y-%m-%dT%H:%M} occurs twice in {timezone.key}, and the first is taken; "
            f"write {first.isoformat()} or {second.isoformat()} to say which"
        )
        return Instant(first.timestamp(), note)
    return Instant(first.timestamp())
