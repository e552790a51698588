"""An error budget as the page of a KPI shows it: what is left, and how fast it goes in each window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from slo_guard.domain.budget_words import budget_words
from slo_guard.domain.kpi import BudgetMethod
from slo_guard.domain.series import LabelSet
from slo_guard.domain.verdicts import SeriesVerdict
from slo_guard.units import RATIO, format_value, window_text

_MOST_SERIES = 20


@dataclass(frozen=True, slots=True)
class TierRates:
    """The burn rates of one tier over its long and its short window; ``burning`` while both are above ``factor``."""

    name: str
    factor: str
    severity: str
    long: str
    short: str
    burning: bool


@dataclass(frozen=True, slots=True)
class BudgetView:
    """One series' budget; ``left`` is how much of it is a bar of 0 to 100."""

    labels: LabelSet
    words: str
    spent: str
    left: float
    tiers: tuple[TierRates, ...]


def budget_views(rows: Sequence[SeriesVerdict]) -> tuple[BudgetView, ...]:
    """Return the budgets of series, in their order."""
    return tuple(_view(row) for row in rows[:_MOST_SERIES] if row.budget is not None)


def _view(row: SeriesVerdict) -> BudgetView:
    budget = row.budget
    assert budget is not None
    unit = "slices" if budget.budget.method is BudgetMethod.TIMESLICES else "events"
    known = budget.bad is not None and budget.total is not None
    allowed = format_value(budget.budget.allowed, RATIO)
    spent = (
        f"{budget.bad:,.0f} of {budget.total:,.0f} {unit} bad, {allowed} may be" if known else f"{allowed} may be bad"
    )
    return BudgetView(
        labels=row.labels,
        words=budget_words(budget) or "nothing is known of it yet",
        spent=spent,
        left=round(100 * min(max(budget.remaining or 0.0, 0.0), 1.0), 1),
        tiers=tuple(
            TierRates(
                name=pair.text,
                factor=f"{pair.factor:g}",
                severity=pair.severity.value,
                long=f"{_rate(budget.rates.get(pair.long_seconds))} over {window_text(pair.long_seconds)}",
                short=f"{_rate(budget.rates.get(pair.short_seconds))} over {window_text(pair.short_seconds)}",
                burning=pair in budget.burning,
            )
            for pair in budget.budget.burn_alerts
        ),
    )


def _rate(rate: float | None) -> str:
    if rate is None or not math.isfinite(rate):
        return "nothing"
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
