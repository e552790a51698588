"""The burn alerts of the shipped rules for a time that runs otherwise: in minutes, or in coarse steps.

Tiers come out as a rule file states them: whoever opens the demo's rules sees how they are written.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from slo_guard.domain.kpi import BurnPair, Severity
from slo_guard.rulebook.budgets import WORKBOOK
from slo_guard.units import window_text

HOUR_SECONDS = 60.0
"""How long an hour of a fast burn window is in the live demo."""

FAST_UP_TO_SECONDS = 6 * 3600.0
"""The tiers up to this long window are quickened; slower ones look back at the quiet sprint before the demo."""

_FEWEST_EVENTS = 2
STEPS_IN_LONG_WINDOW = 4


def quickened(budget: Mapping[str, Any]) -> dict[str, Any]:
    """Return an error budget whose fast burn windows are minutes instead of hours, ``min_total`` in proportion.

    One event never is enough: where there is one a minute, one that fails is all that a window of seconds has seen.
    """
    scale = HOUR_SECONDS / 3600.0
    pairs = [
        replace(pair, long_seconds=pair.long_seconds * scale, short_seconds=pair.short_seconds * scale)
        if pair.long_seconds <= FAST_UP_TO_SECONDS
        else pair
        for pair in _stated(budget)
    ]
    least = max(_FEWEST_EVENTS, math.ceil(float(budget.get("min_total", 0)) * scale))
    return {**budget, "burn_alerts": list(_written(pairs)), "min_total": least}


def coarsened(budget: Mapping[str, Any], step_seconds: float) -> dict[str, Any]:
    """Return an error budget for readings ``step_seconds`` apart: a window that holds no more than one says nothing.

    Short windows are at least a step long, long ones four. Of tiers that become the same, the fastest stays: it pages.
    """
    pairs: dict[tuple[float, float], BurnPair] = {}
    for pair in _stated(budget):
        long = max(pair.long_seconds, STEPS_IN_LONG_WINDOW * step_seconds)
        short = max(pair.short_seconds, step_seconds)
        pairs.setdefault((long, short), replace(pair, long_seconds=long, short_seconds=short))
    if tuple(pairs.values()) == tuple(_stated(budget)):
        return dict(budget)
    return {**budget, "burn_alerts": list(_written(pairs.values()))}


def fast_windows() -> tuple[str, ...]:
    """Return the names of the quickened tiers: ``1m/5s``."""
    scale = HOUR_SECONDS / 3600.0
    return tuple(
        f"{window_text(pair.long_seconds * scale)}/{window_text(pair.short_seconds * scale)}"
        for pair in WORKBOOK
        if pair.long_seconds <= FAST_UP_TO_SECONDS
    )


def _stated(budget: Mapping[str, Any]) -> Iterator[BurnPair]:
    """Yield the workbook's tiers with the severities that ``budget`` gives them."""
    stated = budget.get("burn_alerts")
    severities: Mapping[str, str] = stated if isinstance(stated, dict) else {}
    for pair in WORKBOOK:
        yield replace(pair, severity=Severity(severities.get(pair.text.partition("/")[0], pair.severity)))


def _written(pairs: Iterable[BurnPair]) -> Iterator[dict[str, Any]]:
    for pair in pairs:
        yield {
            "long": window_text(pair.long_seconds),
            "short": window_text(pair.short_seconds),
            "factor": pair.factor,
            "severity": pair.severity.value,
        }
