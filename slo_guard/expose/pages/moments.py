"""Instants and ages as people read them: in the sprint's zone, with the UTC behind them."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from slo_guard.clock import from_unix, iso

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_YEAR_IS_CLEAR = 300 * _DAY
"""Within so many seconds a day and a month say which year is meant, at its turn as well."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant as people read it: local ``text``, the ``utc`` behind it, and how far from now it is (``3 min``)."""

    text: str
    utc: str
    age: str


class Calendar:
    """Turns instants into moments in one zone, as seen at ``now``."""

    def __init__(self, timezone: str, now: float) -> None:
        self.timezone = timezone
        self.zone = ZoneInfo(timezone)
        self.now = now

    def moment(self, at: float) -> Moment:
        """Return an instant as this zone reads it."""
        local, today = from_unix(at).astimezone(self.zone), from_unix(self.now).astimezone(self.zone)
        year = f" {local.year}" if abs(self.now - at) > _YEAR_IS_CLEAR else ""
        there = f"{local:%a} {local.day} {local:%b}{year} {local:%H:%M}"
        text = f"{local:%H:%M:%S}" if local.date() == today.date() else there
        return Moment(text, iso(at), age_words(abs(self.now - at)))


def age_words(seconds: float) -> str:
    """Return how long something is ago, no finer than anybody wants to know: ``40 s``, ``12 min``, ``3 h``, ``2 d``."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < 10 * _HOUR:
        return _two(whole, _HOUR, "h", _MINUTE, "min")
    if whole < _DAY:
        return f"{whole // _HOUR} h"
    if whole < 10 * _DAY:
        return _two(whole, _DAY, "d", _HOUR, "h")
    return f"{whole // _DAY:,} d"


def _two(whole: int, size: int, name: str, part: int, part_name: str) -> str:
    count, rest = divmod(whole, size)
    return f"{count} {name} {rest // part} {part_name}" if rest >= part else f"{count} {name}"
