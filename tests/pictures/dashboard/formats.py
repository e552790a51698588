"""Numbers and times as Grafana writes them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

_SPANS = ((86400.0, "day"), (3600.0, "hour"), (60.0, "min"))


def written(value: float, defaults: Mapping[str, Any]) -> str:
    """Return a value in a panel's unit, with its decimals and mappings."""
    for mapping in defaults.get("mappings", ()):
        for key, result in mapping["options"].items():
            if float(key) == value:
                return str(result["text"])
    unit, decimals = defaults.get("unit", "short"), defaults.get("decimals")
    if math.isnan(value):
        return str(defaults.get("noValue", ""))
    if unit == "percentunit":
        return f"{_rounded(value * 100, decimals)}%"
    if unit == "s":
        return _span(value, decimals)
    if unit.startswith("suffix:"):
        return f"{_rounded(value, decimals)}{unit.removeprefix('suffix:')}"
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    return _rounded(value, decimals)


def _rounded(value: float, decimals: int | None) -> str:
    if decimals is None:
        decimals = 0 if value == round(value) else max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{int(decimals)}f}"
    return "0" if float(text) == 0 else text


def _span(value: float, decimals: int | None) -> str:
    if abs(value) < 1.0 and value:
        return f"{_rounded(value * 1000, None if decimals is None else 0)} ms"
    for seconds, word in _SPANS:
        if abs(value) >= seconds:
            count = value / seconds
            return f"{_rounded(count, 1 if decimals is None else decimals)} {word}{'' if count == 1 else 's'}"
    return f"{_rounded(value, decimals)} s"


def ticks(low: float, high: float, unit: str) -> list[float]:
    """Return round values between two ends, four or so."""
    factor = 1.0
    if unit == "s" and high - low > 60:
        factor = next(seconds for seconds, _ in _SPANS if high - low > seconds)
    rough = (high - low) / factor / 4
    scale = 10.0 ** math.floor(math.log10(rough))
    step = next(each * scale for each in (1, 2, 2.5, 5, 10) if each * scale >= rough) * factor
    first = math.ceil(low / step - 1e-9)
    return [place * step for place in range(first, math.floor(high / step + 1e-9) + 1)]


def days(start: float, end: float, zone: str) -> list[tuple[float, str]]:
    """Return the local midnights within the time shown, with what stands below them."""
    tz = ZoneInfo(zone)
    day = datetime.fromtimestamp(start, tz).replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    for _ in range(60):
        at = day.timestamp()
        if start <= at <= end:
            found.append((at, f"{day:%m/%d}"))
        day = datetime.fromtimestamp(at + 90000, tz).replace(hour=0, minute=0, second=0, microsecond=0)
    return found
