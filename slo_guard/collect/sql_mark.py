"""Marks: values of the column that grows, such as an id or a time, which say how far a table was read."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeAlias
from uuid import UUID

from slo_guard.collect.future import TOLERANCE_SECONDS
from slo_guard.collect.row_times import TimeOptions, parse_time

Mark: TypeAlias = int | float | Decimal | str | datetime | date

_TIME_TEXT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:([T ])(\d\d:\d\d)(?:(:\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d(?::?\d\d)?)?)?"
)
_LONGEST_TEXT: Final = 1000
_EPOCH: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_ANY_ZONE_SECONDS: Final = 14 * 3600.0
_IN_UTC: Final = TimeOptions(zone="UTC")


class OutOfRange(str):
    """A time of a database that Python's types do not hold, such as ``infinity``, as the database writes it."""

    __slots__ = ()


class MarkKind(StrEnum):
    """What a column's marks are; marks of two kinds cannot be compared."""

    NUMBER = "a number"
    TIME = "a time with a zone"
    LOCAL_TIME = "a time without a zone"
    DATE = "a date"
    TIME_TEXT = "a time as a text"
    TEXT = "a text"


def as_mark(value: object) -> Mark:
    """Return a column's value as a mark; raises ``ValueError`` that says why it is none."""
    match value:
        case None | "":
            raise ValueError("is empty")
        case bool():
            raise ValueError(f"is {str(value).lower()}, by which rows cannot be told apart")
        case int() | datetime() | date():
            return value
        case float() | Decimal() if math.isfinite(value):
            return value
        case UUID():
            return str(value)
        case OutOfRange():
            raise ValueError(f"is {value[:40]}, which is no time between the years 1 and 9999")
        case str() if len(value) <= _LONGEST_TEXT:
            return value
        case str():
            raise ValueError(f"is longer than {_LONGEST_TEXT:,} characters")
        case float() | Decimal():
            raise ValueError(f"is {value}")
    raise ValueError(f"is a {type(value).__name__}, neither a number nor a time nor a text")


def kind_of(mark: Mark) -> MarkKind:
    """Return what a mark is."""
    match mark:
        case str():
            return MarkKind.TIME_TEXT if _is_time(mark) else MarkKind.TEXT
        case datetime():
            return MarkKind.LOCAL_TIME if mark.tzinfo is None else MarkKind.TIME
        case date():
            return MarkKind.DATE
    return MarkKind.NUMBER


def _is_time(text: str) -> bool:
    if not _TIME_TEXT.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def later(one: Mark, other: Mark) -> Mark:
    """Return the higher of two marks of one kind; for texts that is the order of their code points."""
    above: bool = one > other  # type: ignore[operator]
    return one if above else other


def shifted(mark: Mark, overlap: timedelta | float, epoch: str) -> Mark:
    """Return the mark that lies ``overlap`` below; numbers take a duration in the unit ``epoch``.

    Raises ``ValueError`` that says what overlap such marks take.
    """
    kind = kind_of(mark)
    if kind is MarkKind.NUMBER:
        assert isinstance(mark, int | float | Decimal)
        return _below(mark, overlap, epoch)
    if not isinstance(overlap, timedelta):
        raise ValueError(f"marks that are {kind} take a duration as overlap, such as 10m, not a number")  # noqa: TRY004 - a fault of the config
    if kind is MarkKind.TEXT:
        raise ValueError("marks that are texts take no overlap; leave it out, or take a column of times or numbers")
    days = math.ceil(overlap / timedelta(days=1))
    try:
        if isinstance(mark, str):
            return _text_below(mark, overlap, days)
        assert isinstance(mark, date)
        return mark - (overlap if isinstance(mark, datetime) else timedelta(days=days))
    except OverflowError:
        return mark


def _below(mark: float | Decimal, overlap: timedelta | float, epoch: str) -> Mark:
    if isinstance(overlap, timedelta):
        overlap = overlap.total_seconds() * _EPOCH[epoch]
    if isinstance(mark, Decimal):
        return mark - Decimal(overlap)
    return mark - (math.ceil(overlap) if isinstance(mark, int) else overlap)


def _text_below(mark: str, overlap: timedelta, days: int) -> str:
    """Return a time written as ``mark`` is, with the same parts: the database compares the texts."""
    parts = _TIME_TEXT.fullmatch(mark)
    assert parts is not None
    day, separator, minutes, seconds, fraction, zone = parts.groups()
    if separator is None:
        return (date.fromisoformat(day) - timedelta(days=days)).isoformat()
    instant = datetime.fromisoformat(f"{day}T{minutes}{seconds or ':00'}")
    instant -= timedelta(seconds=math.ceil(overlap.total_seconds()))
    text = instant.isoformat(separator, "seconds" if seconds else "minutes")
    return text + (f".{fraction}" if fraction else "") + (zone or "")


def is_beyond(mark: Mark, start: Mark) -> bool:
    """Whether a mark surely lies at or above ``start``, which may be the text of a time, in whatever zone."""
    kinds = {kind_of(mark), kind_of(start)}
    if len(kinds) == 1 or (isinstance(mark, str) and isinstance(start, str)):
        return later(mark, start) == mark
    if MarkKind.NUMBER in kinds:
        return True
    try:
        return parse_time(mark, _IN_UTC) >= parse_time(start, _IN_UTC) + _ANY_ZONE_SECONDS
    except ValueError:
        return True


def is_future(mark: Mark, now: float, time: TimeOptions, *, is_time: bool) -> bool:
    """Whether a mark lies beyond ``now``, as far as can be told: once read, nothing would ever be new again.

    ``is_time``: numbers are times too. What states no zone, with none in ``time``, is given 14 hours.
    """
    kind = kind_of(mark)
    if kind is MarkKind.TEXT or (kind is MarkKind.NUMBER and not is_time):
        return False
    allowed = TOLERANCE_SECONDS
    if kind not in (MarkKind.NUMBER, MarkKind.TIME) and time.zone is None:
        time = _IN_UTC
        allowed += _ANY_ZONE_SECONDS
    try:
        return parse_time(float(mark) if isinstance(mark, Decimal) else mark, time) > now + allowed
    except (ValueError, OverflowError):
        # Not between 1970 and 9999.
        return mark > 0 if isinstance(mark, int | float | Decimal) else str(mark) > "1971"


def encode_mark(mark: Mark) -> list[str]:
    """Return a mark for JSON, exactly."""
    match mark:
        case str():
            return ["text", mark]
        case datetime():
            return ["time", mark.isoformat()]
        case date():
            return ["date", mark.isoformat()]
        case Decimal():
            return ["decimal", str(mark)]
        case float():
            return ["float", repr(mark)]
    return ["int", str(mark)]


def decode_mark(content: Any) -> Mark:
    """Return what :func:`encode_mark` gave; raises ``ValueError``, ``TypeError`` or ``ArithmeticError`` else."""
    kind, text = content
    match kind:
        case "text":
            return str(text)
        case "time":
            return datetime.fromisoformat(text)
        case "date":
            return date.fromisoformat(text)
        case "decimal":
            return Decimal(text)
        case "float":
            return float(text)
        case "int":
            return int(text)
    raise ValueError(f"no kind of mark: {kind}")


def shown_mark(mark: Mark) -> str:
    """Return a mark for a message."""
    text = mark.astimezone(UTC).isoformat() if isinstance(mark, datetime) and mark.tzinfo else str(mark)
    return text if len(text) <= 60 else text[:60] + "…"
