"""One verdict as JSON, in the shape that ``eval`` and the API promise."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from slo_guard.domain.budgets import SeriesBudget
from slo_guard.domain.verdicts import SeriesOutlook, SeriesVerdict
from slo_guard.units import window_text


def verdict_json(row: SeriesVerdict) -> dict[str, Any]:
    """Return one series' verdict as the JSON object that scripts depend on.

    ``value`` and ``coverage`` are null where there is none, ``unit`` is the base unit's name or null, ``objective``
    its text or null; instants are ISO 8601 in UTC, with ``window.start`` null for ``last`` and ``alert.since`` null
    while inactive. ``outlook`` is there only where a pace, a limit, a drift or an exclusion has something to say,
    ``budget`` only of a KPI with an error budget.
    """
    document = {
        "kpi": row.kpi.id,
        "lane": row.kpi.lane,
        "labels": dict(row.labels),
        "value": row.value,
        "unit": row.kpi.unit or None,
        "objective": None if row.kpi.objective is None else row.kpi.objective.text,
        "verdict": row.verdict.label,
        "reason": row.reason.value,
        "samples": row.samples,
        "coverage": row.coverage,
        "window": {"start": iso_text(row.window_start), "end": iso_text(row.window_end)},
        "alert": {"state": row.alert_state.label, "since": iso_text(row.alert_since)},
    }
    if row.outlook is not None:
        document["outlook"] = _outlook(row.outlook)
    if row.budget is not None:
        document["budget"] = _budget(row.budget)
    return document


def _outlook(outlook: SeriesOutlook) -> dict[str, Any]:
    endless = outlook.crosses_in is not None and math.isinf(outlook.crosses_in)
    return {
        "line": outlook.line,
        "forecast": outlook.forecast,
        "left": outlook.left,
        "attainable": outlook.attainable,
        "crosses_in_seconds": None if endless else outlook.crosses_in,
        "raw_value": outlook.raw,
        "cross_check_value": outlook.cross,
    }


def _budget(budget: SeriesBudget) -> dict[str, Any]:
    endless = budget.exhausted_in is not None and math.isinf(budget.exhausted_in)
    return {
        "window": {"start": iso_text(budget.start), "end": iso_text(budget.end)},
        "method": budget.budget.method.value,
        "allowed_ratio": budget.budget.allowed,
        "bad": budget.bad,
        "total": budget.total,
        "remaining_ratio": budget.remaining,
        "burn_rates": {window_text(seconds): rate for seconds, rate in budget.rates.items()},
        "burning": [pair.text for pair in budget.burning],
        "exhausted_in_seconds": None if endless else budget.exhausted_in,
    }


def iso_text(seconds: float | None) -> str | None:
    """Return an instant (Unix seconds) as ISO 8601 in UTC; None for None."""
    # The evaluator may not import slo_guard.clock, which reads the wall clock; this is the same text.
    if seconds is None:
        return None
    instant = datetime.fromtimestamp(round(seconds, 3), UTC)
    text = instant.isoformat(timespec="milliseconds" if instant.microsecond else "seconds")
    return text.replace("+00:00", "Z")
