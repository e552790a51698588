"""Error budgets at one instant: sums over several windows at once, an entry for each window and group."""

from __future__ import annotations

import numpy as np

from slo_guard.domain.budgets import BudgetFrame
from slo_guard.domain.kpi import KPI, BudgetMethod, Combine, ErrorBudget, RatioPair, Sprint, WindowKind
from slo_guard.domain.readings import BoolArray, FloatArray
from slo_guard.evaluate.history import grown
from slo_guard.evaluate.inputs import Input
from slo_guard.evaluate.slices import SliceTally
from slo_guard.evaluate.trailing import TrailingSums, cell_of

_TOGETHER_SECONDS = 5.0
"""Sides whose samples begin so little apart were collected together."""

PACE_SECONDS = 3600.0
"""Over what the present pace is taken where there are no burn alerts; else over their shortest long window."""


def budget_reach_seconds(kpi: KPI, sprint: Sprint) -> float:
    """Return how far back the sums of a KPI's budget are asked for, 0 for a KPI without one."""
    budget = kpi.error_budget
    if budget is None:
        return 0.0
    return max(budget.length_seconds(sprint), *budget.burn_windows, _pace_seconds(budget))


def budget_keeps_from(kpi: KPI, sprint: Sprint) -> float:
    """Return the instant from which on the sums of a KPI's budget are asked for, +inf where none is for good.

    What goes on after its sprint's end has a budget over more than the sprint is long.
    """
    budget = kpi.error_budget
    return sprint.start_at if budget is not None and budget.window.kind is WindowKind.SPRINT else np.inf


def trailing_sums(kpi: KPI, reach_seconds: float, keep_from: float) -> TrailingSums:
    """Return the sums that one side of a ratio with a budget needs."""
    budget = kpi.error_budget
    by_slices = budget is not None and budget.method is BudgetMethod.TIMESLICES
    cell = budget.slice_seconds if budget is not None and by_slices else cell_of(reach_seconds)
    return TrailingSums(reach_seconds, cell, kpi.no_data.after_seconds, keep_from=keep_from)


class BudgetWatch:
    """The error budget of one KPI: reads the sums that its two inputs keep."""

    def __init__(self, kpi: KPI, budget: ErrorBudget, sprint: Sprint, part: Input, total: Input) -> None:
        assert isinstance(kpi.source, RatioPair)
        self._budget = budget
        self._sprint = sprint
        self._part_is_bad = kpi.source.part_is == "bad"
        self._sides = (part, total)
        self._pace = _pace_seconds(budget)
        self._windows: FloatArray = np.array(sorted({*budget.burn_windows, self._pace}))
        tiers = budget.burn_alerts
        self._longs = np.searchsorted(self._windows, [pair.long_seconds for pair in tiers])
        self._shorts = np.searchsorted(self._windows, [pair.short_seconds for pair in tiers])
        self._factors: FloatArray = np.array([pair.factor for pair in tiers]).reshape(-1, 1)
        self._paced = int(np.searchsorted(self._windows, self._pace))
        self._slices = None
        if budget.method is BudgetMethod.TIMESLICES:
            reach, keep_from = budget_reach_seconds(kpi, sprint), budget_keeps_from(kpi, sprint)
            self._slices = SliceTally(budget.slice_seconds, budget.slice_good, reach, keep_from=keep_from)

    def at(self, now: float, groups: int, *, alerting: bool) -> BudgetFrame:
        """Return the budgets of all ``groups`` at ``now``.

        ``alerting``: whether a burn alert stands; without one, and where none begins, nobody asks what was unseen.
        """
        budget = self._budget
        start, trailing = self._start(now), self._sides[0].trailing
        begins = now - self._windows if trailing is None else trailing.starts_of(now, self._windows)
        starts = np.append(begins, min(start, now))
        ends = np.full(len(starts), now)
        bad, total = self._bad_and_total(starts, ends, groups)
        seen = total
        if self._slices is not None:
            self._slices.advance(now, groups, self._bad_and_total, self._first_known, self._changed_from())
            bad, total = self._slices.within(starts, groups)
        with np.errstate(invalid="ignore", divide="ignore"):
            rates = np.where(total > 0, bad / total, np.nan) / budget.allowed
        remaining, burning = 1.0 - rates[-1], self._burning(rates, seen)
        unseen = np.zeros_like(burning)
        if alerting or burning.any():
            unseen = self._unseen(begins, seen, groups)
        return BudgetFrame(
            budget=budget,
            start=min(start, now),
            end=now,
            bad=bad[-1],
            total=total[-1],
            remaining=remaining,
            windows=self._windows,
            rates=rates[:-1],
            totals=seen[:-1],
            burning=burning,
            unseen=unseen,
            exhausted_in=self._exhausted_in(now - start, remaining, rates[self._paced]),
            pace_seconds=self._pace,
            length_seconds=budget.length_seconds(self._sprint),
        )

    def _start(self, now: float) -> float:
        if self._budget.window.kind is WindowKind.SPRINT:
            return self._sprint.start_at
        seconds, trailing = self._budget.window.seconds, self._sides[0].trailing
        assert seconds is not None
        return now - seconds if trailing is None else trailing.start_of(now, seconds)

    def _burning(self, rates: FloatArray, seen: FloatArray) -> BoolArray:
        long, short = rates[self._longs], rates[self._shorts]
        burning: BoolArray = (long > self._factors) & (short > self._factors)
        return burning & (seen[self._longs] >= self._budget.min_total)

    def _unseen(self, begins: FloatArray, seen: FloatArray, groups: int) -> BoolArray:
        """Return of which tiers nobody can tell: what one side lacks looks like failures, or like none.

        That is so while the collection of one side alone fails, and where a side has no sample in the short window, or
        was silent as that began, and the other one was not. Where both were, there is nothing to tell before events
        have come.
        """
        unseen = np.zeros((len(self._budget.burn_alerts), groups), dtype=bool)
        part, total = self._sides
        if (part.failure is None) != (total.failure is None):
            return ~unseen
        for tier, short in enumerate(self._shorts.tolist()):
            start = float(begins[short])
            one, other = (_known_from(side, start, groups) for side in self._sides)
            earlier, later = np.minimum(one, other), np.maximum(one, other)
            nothing = (later > start) & (seen[short] == 0)
            unseen[tier] = np.isinf(later) | (later > earlier + _TOGETHER_SECONDS) | nothing
        return unseen

    def _exhausted_in(self, elapsed: float, remaining: FloatArray, pace: FloatArray) -> FloatArray:
        """Return when the budget of the whole window is spent: what is spent so far counts for the time so far."""
        whole = self._budget.length_seconds(self._sprint)
        over = min(max(elapsed, 0.0), whole)
        left = 1.0 - (1.0 - np.where(np.isnan(remaining), 1.0, remaining)) * over / whole
        with np.errstate(invalid="ignore", divide="ignore"):
            seconds = np.where(pace > 0, left * whole / pace, np.inf)
        found: FloatArray = np.where(np.isnan(pace), np.nan, np.where(left <= 0, 0.0, seconds))
        return found

    def _bad_and_total(self, starts: FloatArray, ends: FloatArray, groups: int) -> tuple[FloatArray, FloatArray]:
        part, total = (_sums(side, starts, ends, groups) for side in self._sides)
        return part if self._part_is_bad else total - part, total

    @property
    def _first_known(self) -> float | None:
        firsts = [_first_at(side) for side in self._sides]
        known = [first for first in firsts if first is not None]
        return min(known) if known else None

    def _changed_from(self) -> float:
        """Return from where on sums have changed since this was last asked."""
        changed = np.inf
        for side in self._sides:
            kept = side.events if side.events is not None else side.trailing
            assert kept is not None
            changed, kept.changed_from = min(changed, kept.changed_from), np.inf
        return changed


def _sums(side: Input, starts: FloatArray, ends: FloatArray, groups: int) -> FloatArray:
    """Return what one side adds up to in each of the windows (start, end] by group, shape (windows, groups)."""
    if side.events is not None:
        return side.events.sums(starts, ends, side.rows.group_of, groups)
    assert side.trailing is not None
    gained, folding = side.trailing.gained(starts, ends), side.folding
    if folding.identity and gained.shape[1] == groups:
        return gained
    found = np.zeros((len(starts), groups))
    rows = folding.row_groups[: gained.shape[1]]
    for window, row in enumerate(gained):
        found[window] = np.bincount(rows, weights=row, minlength=groups)
    return found


def _known_from(side: Input, start: float, groups: int) -> FloatArray:
    """Return from when on each group is known in the window from ``start`` to now, +inf where it is nowhere."""
    if side.events is not None:
        answered = side.succeeded_at is not None and side.succeeded_at > start
        return np.full(groups, start if answered else np.inf)
    assert side.trailing is not None
    begins = side.folding.reduce(side.trailing.counts_from(start, len(side.rows)), Combine.MAX)
    seen_at = side.folding.reduce(grown(side.latest_at, len(side.rows)), Combine.MAX)
    return np.where(seen_at > start, begins, np.inf)


def _first_at(side: Input) -> float | None:
    if side.events is not None:
        return side.events.first_at
    return None if side.trailing is None else side.trailing.first_at


def _pace_seconds(budget: ErrorBudget) -> float:
    return min((pair.long_seconds for pair in budget.burn_alerts), default=PACE_SECONDS)
