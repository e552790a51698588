"""Quantities with units, as rule files write them, and numbers in units that people read.

Base units are ``seconds``, ``ratio`` and ``bytes``; any other unit, and ``""``, is a plain count.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Context, Decimal

from slo_guard.errors import UnitError

SECONDS, RATIO, BYTES, PLAIN = "seconds", "ratio", "bytes", ""

_TO_BASE: dict[str, tuple[str, float]] = {
    "ns": (SECONDS, 1e-9),
    "us": (SECONDS, 1e-6),
    "µs": (SECONDS, 1e-6),
    "ms": (SECONDS, 1e-3),
    "s": (SECONDS, 1.0),
    "m": (SECONDS, 60.0),
    "h": (SECONDS, 3600.0),
    "d": (SECONDS, 86400.0),
    "w": (SECONDS, 604800.0),
    "%": (RATIO, 0.01),
    "B": (BYTES, 1.0),
    "kB": (BYTES, 1e3),
    "MB": (BYTES, 1e6),
    "GB": (BYTES, 1e9),
    "KiB": (BYTES, 2.0**10),
    "MiB": (BYTES, 2.0**20),
    "GiB": (BYTES, 2.0**30),
}

_SOURCE_NAMES = {
    "nanoseconds": "ns",
    "microseconds": "us",
    "milliseconds": "ms",
    "seconds": "s",
    "minutes": "m",
    "hours": "h",
    "days": "d",
    "percent": "%",
    "bytes": "B",
}

_QUANTITY = re.compile(r"\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-zµ%]*)\s*")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d|w)")
_FACTOR_DIGITS = 20
_LONGEST_SECONDS = 100 * 366 * 86400.0


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in its base unit; ``unit`` is None where none was written."""

    value: float
    unit: str | None


def parse_quantity(text: object) -> Quantity:
    """Parse ``0.83s``, ``830ms``, ``1h30m``, ``0.25%``, ``10MiB`` or ``2`` into base units.

    Raises ``UnitError`` with what to write instead.
    """
    if isinstance(text, bool):
        raise UnitError(f"{str(text).lower()} is not a number; write one such as 2, 0.83s or 95%")
    if isinstance(text, int | float):
        if not math.isfinite(text):
            raise UnitError(f"{text} is not a finite number; write one such as 2, 0.83s or 95%")
        return Quantity(float(text), None)
    if not isinstance(text, str):
        raise UnitError("write a number such as 2, 0.83s or 95%")
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return Quantity(parse_duration(text), SECONDS)
    number, unit = float(match[1]), match[2]
    if not math.isfinite(number):
        raise UnitError(f"{text!r} is not a finite number")
    if not unit:
        return Quantity(number, None)
    if unit not in _TO_BASE:
        raise UnitError(f"{text!r} has the unknown unit {unit!r}; known are {', '.join(_TO_BASE)}")
    base, factor = _TO_BASE[unit]
    value = float(_scaled(match[1], factor))
    if not math.isfinite(value):
        raise UnitError(f"{text!r} is not a finite number")
    return Quantity(value, base)


def parse_duration(text: object) -> float:
    """Parse ``30s``, ``5m``, ``1h30m`` or ``14d`` into seconds.

    A bare 0 is allowed; any other bare number raises ``UnitError``, since its unit would be a guess. So does more
    than a century: no instant that far away can be shown.
    """
    if isinstance(text, bool) or not isinstance(text, str):
        if not isinstance(text, bool) and text == 0:
            return 0.0
        if not isinstance(text, int | float):
            raise UnitError("write a duration such as 30s, 5m or 1h30m")
        raise UnitError(f"{text!r} has no unit; write a duration such as 30s, 5m or 1h30m")
    compact = text.strip()
    if compact == "0":
        return 0.0
    parts = _DURATION_PART.findall(compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise UnitError(f"{text!r} is not a duration; write one such as 30s, 5m or 1h30m")
    seconds = float(sum(_scaled(number, _TO_BASE[unit][1]) for number, unit in parts))
    if seconds > _LONGEST_SECONDS:
        raise UnitError(f"{text[:40]!r} is longer than 100 years; write a shorter duration")
    return seconds


def source_unit(name: str) -> tuple[str, float]:
    """Return the base unit of a source's unit name and the factor that takes values to it.

    ``ms`` and ``milliseconds`` give ``("seconds", 0.001)``; ``ratio`` gives ``("ratio", 1.0)``; ``""``, ``1``
    and ``count`` are plain. Raises ``UnitError`` for an unknown name.
    """
    plain = {"", "1", "none", "count"}
    if name in plain:
        return PLAIN, 1.0
    if name == RATIO:
        return RATIO, 1.0
    symbol = _SOURCE_NAMES.get(name, name)
    if symbol not in _TO_BASE:
        known = ", ".join([*_SOURCE_NAMES, RATIO, "count"])
        raise UnitError(f"unknown unit {name!r}; known are {known} and the symbols {', '.join(_TO_BASE)}")
    return _TO_BASE[symbol]


def fits(quantity: Quantity, unit: str | None) -> bool:
    """Whether a quantity can be compared with values in base ``unit`` (None: unknown, anything fits).

    A bare number fits plain and ratio values, never seconds or bytes.
    """
    if unit is None:
        return True
    if quantity.unit is None:
        return unit not in (SECONDS, BYTES)
    return quantity.unit == unit


def format_value(value: float | None, unit: str | None) -> str:
    """Return a value in units that people read: ``1.31s``, ``12m 30s``, ``0.92%``, ``1,204``; ``no value`` for None."""
    if value is None or math.isnan(value):
        return "no value"
    if unit == SECONDS:
        return format_duration(value)
    if unit == RATIO:
        return f"{value * 100:.4g}%"
    if unit == BYTES:
        for step, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
            if abs(value) >= step:
                return f"{value / step:.3g}{name}"
        return f"{value:.0f}B"
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:,.6g}"


_ENDLESS = 1e5 * 365 * 86400
"""From a hundred thousand years on nobody counts days."""


def format_duration(seconds: float) -> str:
    """Return seconds as people say them: ``830ms``, ``1.31s``, ``12m 30s``, ``3h 5m``, ``2d 4h``."""
    size, sign = abs(seconds), "-" if seconds < 0 else ""
    if size == 0:
        return "0s"
    if size < 1:
        return f"{sign}{size * 1000:.4g}ms"
    if size < 60:
        return f"{sign}{size:.4g}s"
    if size >= _ENDLESS:
        return f"{sign}{size / 86400:.3g}d"
    whole = round(size)
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (left, "s")]
    named = [f"{count}{name}" for count, name in parts if count]
    return sign + " ".join(named[:2])


def window_text(seconds: float) -> str:
    """Return a window as rule files and labels have it: ``5m``, ``1h30m``, ``3d``; a day is ``24h``."""
    return "24h" if seconds == 86400 else format_duration(seconds).replace(" ", "")


def _scaled(written: str, factor: float) -> Decimal:
    """Multiply what is written exactly: 0.07% is the float nearest to 0.0007, as 0.0007 and 7/10000 are."""
    if not float(written):
        return Decimal(0)
    return Context(prec=len(written) + _FACTOR_DIGITS).multiply(Decimal(written), Decimal(repr(factor)))
