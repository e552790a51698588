"""Times as rows of files, tables and JSON answers write them: ISO 8601, with or without a zone, or Unix time."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field

from slo_guard.clock import iso
from slo_guard.fields import Options
from slo_guard.validation import nearest

_UNITS: Final = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_FIRST_MILLISECONDS: Final = 1e11
"""No Unix seconds of this era are as large; a number above is milliseconds or finer."""

_LAST_SECONDS: Final = 253402300800.0


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(
            f"{name!r} is not an IANA time zone{nearest(name, available_timezones())}; write one such as UTC"
        )
    return name


class TimeOptions(Options):
    """How a source writes times; as they are, ISO 8601 with a zone and Unix seconds are understood."""

    zone: Annotated[str, AfterValidator(_known_zone)] | None = Field(
        None, description="IANA time zone of times that state none, such as America/Denver.", examples=["UTC"]
    )
    epoch: Literal["s", "ms", "us", "ns"] = Field("s", description="Unit of times that are plain numbers.")


def parse_time(value: object, options: TimeOptions) -> float:
    """Return a time as Unix seconds; raises ``ValueError`` that says what is wrong and what to write instead.

    Takes ISO 8601 texts, numbers (and texts of them) in ``options.epoch``, and what databases return: aware and
    naive datetimes, and dates, which are their first instant. What states no zone is in ``options.zone``.
    """
    match value:
        case bool() | None:
            raise ValueError(f"the time is {'empty' if value is None else str(value).lower()}")
        case int() | float():
            return _from_number(float(value), str(value), options)
        case datetime():
            return _checked(_aware(value, options).timestamp(), str(value))
        case date():
            return _checked(_aware(datetime(value.year, value.month, value.day), options).timestamp(), str(value))  # noqa: DTZ001
        case str():
            return _from_text(value.strip(), options)
    raise ValueError(f"the time is a {type(value).__name__}, not a text or a number")


def _from_text(text: str, options: TimeOptions) -> float:
    if not text:
        raise ValueError("the time is empty")
    if text.isascii() and text.lstrip("+-").replace(".", "", 1).replace("e", "", 1).isdigit() and len(text) != 8:
        return _from_number(float(text), text, options)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a time; it should be ISO 8601 or Unix time") from None
    return _checked(_aware(instant, options).timestamp(), text)


def _aware(instant: datetime, options: TimeOptions) -> datetime:
    if instant.tzinfo is not None:
        return instant
    if options.zone is None:
        raise ValueError(f"{str(instant)[:40]!r} states no time zone; write time: {{zone: UTC}} or the zone it is in")
    return instant.replace(tzinfo=ZoneInfo(options.zone))


def _from_number(number: float, text: str, options: TimeOptions) -> float:
    seconds = number / _UNITS[options.epoch]
    if math.isfinite(seconds) and options.epoch == "s" and seconds >= _FIRST_MILLISECONDS:
        unit = "ms" if seconds < 1e14 else "us" if seconds < 1e17 else "ns"
        raise ValueError(f"{text[:40]} is no time in seconds; it looks like {unit}, write time: {{epoch: {unit}}}")
    return _checked(seconds, text)


def _checked(seconds: float, text: str) -> float:
    if not math.isfinite(seconds) or not 0 <= seconds < _LAST_SECONDS:
        raise ValueError(f"{text[:40]!r} is not a time between 1970 and 9999")
    return seconds


def shown(seconds: float) -> str:
    """Return an instant for an example of what is wrong."""
    return iso(seconds)
