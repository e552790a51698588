"""Where the ticks of a plot are: values in human steps of their unit, instants at local midnights."""

from __future__ import annotations

import math
from datetime import timedelta
from zoneinfo import ZoneInfo

from slo_guard.clock import from_unix
from slo_guard.domain.calendar import day_start
from slo_guard.units import BYTES, SECONDS, format_value

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
_SECOND_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, _HOUR, 2 * _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR)
_TIME_STEPS = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, _HOUR, 2 * _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR)


def value_ticks(low: float, high: float, unit: str | None, most: int) -> tuple[tuple[float, str], ...]:
    """Return at most about ``most`` round values between ``low`` and ``high``, each with its text."""
    step = _value_step((high - low) / max(most, 1), unit)
    first = math.ceil(low / step - 1e-9)
    values = [each * step for each in range(first, math.floor(high / step + 1e-9) + 1)]
    return tuple((value, format_value(0.0 if abs(value) < step / 2 else value, unit)) for value in values[: 4 * most])


def time_ticks(start: float, end: float, zone: ZoneInfo, most: int) -> tuple[tuple[float, str], ...]:
    """Return instants between ``start`` and ``end``, each with its local text: midnights, or round times of a day.

    Half as many where they need seconds, which take more room.
    """
    if end - start > 2 * _DAY:
        return _days(start, end, zone, most)
    step = next((each for each in _TIME_STEPS if (end - start) / each <= (most if each >= _MINUTE else most / 2)), _DAY)
    # From a local midnight on, so that hours are round in zones of half an hour, too.
    midnight = day_start(from_unix(start).astimezone(zone).date(), zone)
    first = math.ceil((start - midnight) / step)
    count = math.floor((end - midnight) / step) - first + 1
    instants = [midnight + (first + each) * step for each in range(max(count, 0))]
    form = "%H:%M" if step >= _MINUTE else "%H:%M:%S"
    return tuple((at, f"{from_unix(at).astimezone(zone):{form}}") for at in instants)


def _days(start: float, end: float, zone: ZoneInfo, most: int) -> tuple[tuple[float, str], ...]:
    first = from_unix(start).astimezone(zone).date()
    length = math.ceil((end - start) / _DAY) + 1
    every = max(1, -(-length // most))
    days = [first + timedelta(days=each) for each in range(0, length + 1, every)]
    found = [(day_start(day, zone), day) for day in days]
    name = "%a " if every == 1 else ""
    return tuple(
        (at, f"{day:{name}}{day.day}" if name else f"{day.day} {day:%b}") for at, day in found if start <= at < end
    )


def _value_step(rough: float, unit: str | None) -> float:
    if unit == SECONDS and rough > 1:
        found = next((float(each) for each in _SECOND_STEPS if each >= rough), None)
        return found if found is not None else _round_step(rough / _DAY) * _DAY
    if unit == BYTES and rough > 1:
        return float(2 ** math.ceil(math.log2(rough)))
    return _round_step(rough)


def _round_step(rough: float) -> float:
    """Return the next of 1, 2, 5, 10, ... at or above."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(each * power for each in (1.0, 2.0, 5.0, 10.0) if each * power >= rough * (1 - 1e-9))
