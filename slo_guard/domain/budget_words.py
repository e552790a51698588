"""Error budgets and burn alerts in words."""

from __future__ import annotations

import math
from collections.abc import Iterator

from slo_guard.domain.budgets import SeriesBudget, spent_share
from slo_guard.domain.kpi import BudgetMethod, BurnPair
from slo_guard.units import RATIO, format_duration, format_value


def burn_note(budget: SeriesBudget, pair: BurnPair) -> str:
    """Return what more there is to say of a tier: how much of the budget its burn rate spends, and what is left."""
    rate = budget.rates.get(pair.long_seconds)
    long = pair.text.partition("/")[0]
    parts = []
    if rate is not None:
        share = spent_share(rate, pair.long_seconds, budget.length_seconds)
        parts.append(f"{format_value(share, RATIO)} of the {budget.budget.window_text} error budget spent in {long}")
    parts += _words(budget)
    return ", ".join(parts)


def budget_words(budget: SeriesBudget) -> str:
    """Return how a budget stands: ``62% of the error budget left, gone in 3h at the pace of the last 1h``."""
    return ", ".join(_words(budget))


def _words(budget: SeriesBudget) -> Iterator[str]:
    if budget.remaining is None or budget.total is None or budget.bad is None:
        return
    left = format_value(abs(budget.remaining), RATIO)
    yield f"{left} of the error budget left" if budget.remaining >= 0 else f"{left} beyond the error budget"
    if budget.budget.method is BudgetMethod.TIMESLICES:
        yield f"{budget.bad:,.0f} of {budget.total:,.0f} slices bad"
    if budget.exhausted_in is not None and 0 < budget.exhausted_in < math.inf and budget.exhausted_in < _left(budget):
        pace = format_duration(budget.pace_seconds)
        yield f"gone in {format_duration(budget.exhausted_in)} at the pace of the last {pace}"


def _left(budget: SeriesBudget) -> float:
    """Return how long the budget still has to last: to the sprint's end, or as long as its window."""
    if budget.budget.window.seconds is not None:
        return budget.budget.window.seconds
    return max(0.0, budget.start + budget.length_seconds - budget.end)
