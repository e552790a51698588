"""Error budgets and burn alerts in words."""

from __future__ import annotations

import math
from collections.abc import Iterator

from slo_guard.domain.budgets import SeriesBudget, spent_share
from slo_guard.domain.kpi import BudgetMethod, BurnPair
from slo_guard.units import RATIO, format_duration, format_value, window_text

_MOST_EXACT = 100
"""From here on a burn rate is told in whole numbers."""


def burn_rate_words(rate: float | None, long: str) -> str:
    """Return a burn rate over a tier's long window: ``36 times the allowed rate over 1h``."""
    if rate is None or not math.isfinite(rate):
        return "no value"
    return f"{_rate(rate)} times the allowed rate over {long}"


def burn_note(budget: SeriesBudget, pair: BurnPair) -> str:
    """Return what more there is to say of a tier: how much of the budget its burn rate spends, and what is left."""
    rate = budget.rates.get(pair.long_seconds)
    long = pair.text.partition("/")[0]
    parts = []
    if rate is not None:
        share = spent_share(rate, pair.long_seconds, budget.length_seconds)
        # Of a day that has just begun nobody has seen a day: it is what the rate comes to, not what is spent.
        goes = f"{format_value(share, RATIO)} of the {budget.budget.window_text} error budget goes in {long}"
        parts.append(f"at this rate {goes}")
    parts += _words(budget)
    return ", ".join(parts)


def budget_words(budget: SeriesBudget) -> str:
    """Return how a budget stands: ``62% left of the error budget so far``, and when all of it will be gone."""
    return ", ".join(_words(budget))


def burn_rates_words(budget: SeriesBudget) -> str:
    """Return the burn rates over the long windows: ``0.21 over 1h, 0.3 over 6h``; ``""`` where there are none.

    Of a budget without burn alerts it is the one over the window of its pace.
    """
    windows = sorted({pair.long_seconds for pair in budget.budget.burn_alerts} or {budget.pace_seconds})
    known = [(window_text(seconds), budget.rates.get(seconds)) for seconds in windows]
    return ", ".join(f"{_rate(rate)} over {window}" for window, rate in known if rate is not None)


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if abs(rate) >= _MOST_EXACT else f"{rate:.2g}" if abs(rate) < 1 else f"{rate:.3g}"


def _words(budget: SeriesBudget) -> Iterator[str]:
    if budget.remaining is None or budget.total is None or budget.bad is None:
        return
    left = format_value(abs(budget.remaining), RATIO)
    # What is left is left of the time so far; it grows back where less goes wrong than may.
    yield f"{left} {'left of' if budget.remaining >= 0 else 'beyond'} the error budget so far"
    if budget.budget.method is BudgetMethod.TIMESLICES:
        yield f"{budget.bad:,.0f} of {budget.total:,.0f} slices bad"
    if budget.exhausted_in == 0 and budget.budget.window.seconds is None:
        yield f"the whole {budget.budget.window_text}'s gone already"
    if budget.exhausted_in is not None and 0 < budget.exhausted_in < math.inf and budget.exhausted_in < _left(budget):
        pace = format_duration(budget.pace_seconds)
        whole = f"the whole {budget.budget.window_text}'s" if budget.budget.window.seconds is None else "all of it"
        yield f"{whole} gone in {format_duration(budget.exhausted_in)} at the pace of the last {pace}"


def _left(budget: SeriesBudget) -> float:
    """Return how long the budget still has to last: to the sprint's end, or as long as its window."""
    if budget.budget.window.seconds is not None:
        return budget.budget.window.seconds
    return max(0.0, budget.start + budget.length_seconds - budget.end)
