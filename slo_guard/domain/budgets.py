"""Error budgets as they stand: what is left, how fast it goes, and when it will be gone.

With the share ``a`` of events that may be bad, a bad share ``b`` of a window burns at the rate ``b / a`` and has spent
that part of the budget: the formulas of the SRE Workbook, chapter 5 ("Alerting on SLOs").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slo_guard.domain.kpi import BurnPair, ErrorBudget
from slo_guard.domain.readings import BoolArray, FloatArray, IntArray


def spent_share(burn_rate: float, window_seconds: float, budget_seconds: float) -> float:
    """Return which part of a budget over ``budget_seconds`` a burn rate spends in ``window_seconds``."""
    return burn_rate * window_seconds / budget_seconds


def factor_of(spent: float, window_seconds: float, budget_seconds: float) -> float:
    """Return the burn rate that spends that part of a budget in ``window_seconds``."""
    return spent * budget_seconds / window_seconds


@dataclass(frozen=True, slots=True, eq=False)
class BudgetFrame:
    """The error budgets of a KPI's series at one instant, NaN where nothing can be told.

    ``bad``, ``total``: what the budget's window holds (events, or slices of time), shape (n,); ``remaining``: the
    part of the budget so far that is left, 1 for all of it, negative beyond it, shape (n,); ``windows``: the burn
    windows in seconds, ascending, shape (w,); ``rates`` and ``totals``: burn rate and events of each, shape (w, n);
    ``burning``: which tiers' windows are both above the factor, shape (tiers, n), in the order of ``budget``'s;
    ``unseen``: of which tiers nobody can tell, since the short window lacks samples of a side, shape (tiers, n);
    ``exhausted_in``: seconds until the whole window's budget is spent at the pace of ``pace_seconds``, 0 where it is,
    infinite where nothing burns; ``length_seconds``: of the budget's whole window.
    """

    budget: ErrorBudget
    start: float
    end: float
    bad: FloatArray
    total: FloatArray
    remaining: FloatArray
    windows: FloatArray
    rates: FloatArray
    totals: FloatArray
    burning: BoolArray
    unseen: BoolArray
    exhausted_in: FloatArray
    pace_seconds: float
    length_seconds: float

    def take(self, groups: IntArray) -> BudgetFrame:
        """Return the budgets of some of the series."""
        return BudgetFrame(
            self.budget,
            self.start,
            self.end,
            self.bad[groups],
            self.total[groups],
            self.remaining[groups],
            self.windows,
            self.rates[:, groups],
            self.totals[:, groups],
            self.burning[:, groups],
            self.unseen[:, groups],
            self.exhausted_in[groups],
            self.pace_seconds,
            self.length_seconds,
        )

    def rate_over(self, seconds: float) -> FloatArray:
        """Return the burn rates over one of the windows, shape (n,)."""
        found: FloatArray = self.rates[int(np.searchsorted(self.windows, seconds))]
        return found

    def row(self, position: int) -> SeriesBudget:
        """Return one series' budget as an object."""
        rates = {float(w): _number(rate[position]) for w, rate in zip(self.windows, self.rates, strict=True)}
        tiers = zip(self.budget.burn_alerts, self.burning, strict=True)
        return SeriesBudget(
            budget=self.budget,
            start=self.start,
            end=self.end,
            bad=_number(self.bad[position]),
            total=_number(self.total[position]),
            remaining=_number(self.remaining[position]),
            rates=rates,
            burning=tuple(pair for pair, burning in tiers if burning[position]),
            exhausted_in=_number(self.exhausted_in[position]),
            pace_seconds=self.pace_seconds,
            length_seconds=self.length_seconds,
        )


@dataclass(frozen=True, slots=True)
class SeriesBudget:
    """One row of a :class:`BudgetFrame`; None where nothing can be told. ``rates``: by window in seconds."""

    budget: ErrorBudget
    start: float
    end: float
    bad: float | None
    total: float | None
    remaining: float | None
    rates: dict[float, float | None]
    burning: tuple[BurnPair, ...]
    exhausted_in: float | None
    pace_seconds: float
    length_seconds: float


def _number(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)
