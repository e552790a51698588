"""From measured values to verdicts, an entry for each group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slo_guard.domain.kpi import KPI, Objective, Quotient, Reducer, WindowKind
from slo_guard.domain.readings import BoolArray, FloatArray
from slo_guard.domain.verdicts import REASON_CODE, CodeArray, Reason, Verdict
from slo_guard.evaluate.measures import Measured
from slo_guard.evaluate.objectives import exceeds_upper_limit, has_upper_limit, meets, meets_above
from slo_guard.evaluate.outlook import Ahead

_GROWING = (Reducer.INCREASE, Reducer.TOTAL, Reducer.COUNT)
_ADDED_UP = (*_GROWING, Reducer.SUM)


@dataclass(frozen=True, slots=True, eq=False)
class Circumstances:
    """What beside the measured value decides on verdicts, shape (groups,).

    ``was_overdue``: which groups were unmet at or after their due time before; only "met late" depends on it.
    ``excluded``: whether this instant, or all of the window, is excluded; ``ahead``: what pace and limits say;
    ``crosses_in``: seconds until the trend crosses the objective.
    """

    was_overdue: BoolArray
    excluded: bool = False
    ahead: Ahead | None = None
    crosses_in: FloatArray | None = None


class Rulings:
    """Verdict and reason codes that are filled in step by step; a group that is ruled on stays so."""

    def __init__(self, groups: int) -> None:
        self.verdict: CodeArray = np.zeros(groups, dtype=np.int8)
        self.reason: CodeArray = np.zeros(groups, dtype=np.int8)
        self._open: BoolArray = np.ones(groups, dtype=bool)

    def rule(self, where: BoolArray, verdict: Verdict, reason: Reason | CodeArray) -> None:
        """Give the groups ``where`` that are still open a verdict and its reason (one, or codes by group)."""
        hit = self._open & where
        self.verdict[hit] = verdict
        self.reason[hit] = REASON_CODE[reason] if isinstance(reason, Reason) else reason[hit]
        self._open &= ~where

    def rule_rest(self, verdict: Verdict, reason: Reason) -> None:
        """Give all groups that are still open a verdict."""
        self.rule(self._open, verdict, reason)


def judge(kpi: KPI, measured: Measured, circumstances: Circumstances, now: float) -> Rulings:
    """Return the verdicts at ``now`` in the order of RULES.md: no data, insufficient, then the objective."""
    rulings = Rulings(len(measured.value))
    everywhere = np.ones(len(measured.value), dtype=bool)
    if circumstances.excluded:
        rulings.rule(everywhere, Verdict.NOT_APPLICABLE, Reason.EXCLUDED)
    rulings.rule(~measured.fresh & broken_for_good(kpi, measured), Verdict.MISSED, Reason.BROKEN_FOR_GOOD)
    rulings.rule(~measured.fresh, Verdict.NO_DATA, measured.gap)
    _rule_out_insufficient(rulings, kpi, measured)
    past_warn = maybe_past = np.zeros(len(everywhere), dtype=bool)
    if kpi.warn is not None:
        met, maybe_past = judged_by(kpi.warn, measured)
        past_warn = ~met
    if kpi.objective is None:
        rulings.rule(maybe_past, Verdict.INSUFFICIENT, Reason.ABOVE_HIGHEST_BOUND)
        rulings.rule(past_warn, Verdict.AT_RISK, Reason.PAST_WARN)
        rulings.rule_rest(Verdict.TRACKED, Reason.NO_OBJECTIVE)
        return rulings
    met, maybe_met = judged_by(kpi.objective, measured)
    rulings.rule(maybe_met, Verdict.INSUFFICIENT, Reason.ABOVE_HIGHEST_BOUND)
    _rule_unmet(rulings, kpi, ~met, circumstances.ahead, now)
    if kpi.due_at is not None and now >= kpi.due_at:
        signed = ~np.isnan(measured.met_since)
        late = np.where(signed, measured.met_since > kpi.due_at, circumstances.was_overdue)
        rulings.rule(late, Verdict.MET, Reason.MET_LATE)
    rulings.rule(maybe_past, Verdict.INSUFFICIENT, Reason.ABOVE_HIGHEST_BOUND)
    rulings.rule(past_warn, Verdict.AT_RISK, Reason.PAST_WARN)
    _rule_what_is_ahead(rulings, kpi, circumstances)
    rulings.rule_rest(Verdict.MET, Reason.OBJECTIVE_MET)
    return rulings


def judged_by(objective: Objective, measured: Measured) -> tuple[BoolArray, BoolArray]:
    """Return which groups meet an objective for certain, and of which it cannot be told; shape (groups,).

    It cannot be told where the true value is above the measured one, and the objective holds for a part of what is
    there.
    """
    met = meets(objective, measured.value)
    if measured.unbounded is None:
        return met, np.zeros(len(met), dtype=bool)
    always, ever = meets_above(objective, measured.value)
    return np.where(measured.unbounded, always, met), measured.unbounded & ever & ~always


def broken_for_good(kpi: KPI, measured: Measured) -> BoolArray:
    """Return which groups have used up a limit for the whole sprint, so that no later sample can mend it."""
    if not can_break_for_good(kpi):
        return np.zeros(len(measured.value), dtype=bool)
    return exceeds_upper_limit(kpi.objective, measured.value) & (measured.flaw < 0)


def can_break_for_good(kpi: KPI) -> bool:
    """Whether the value only grows for the whole sprint, so that a limit once broken stays so.

    A quotient of what grows may come down again.
    """
    return kpi.measure.reducer in _GROWING and _is_over_sprint(kpi) and not isinstance(kpi.source, Quotient)


def _is_over_sprint(kpi: KPI) -> bool:
    return kpi.measure.window is not None and kpi.measure.window.kind is WindowKind.SPRINT


def _rule_what_is_ahead(rulings: Rulings, kpi: KPI, circumstances: Circumstances) -> None:
    """Rule on what is met now and will not stay so."""
    ahead, crosses_in = circumstances.ahead, circumstances.crosses_in
    if ahead is not None:
        rulings.rule(ahead.behind, Verdict.AT_RISK, Reason.BEHIND_PACE)
        rulings.rule(ahead.misses, Verdict.AT_RISK, Reason.FORECAST_MISSES)
    if crosses_in is not None and kpi.drift is not None:
        rulings.rule(crosses_in <= kpi.drift.within_seconds, Verdict.AT_RISK, Reason.DRIFTING)


def _rule_out_insufficient(rulings: Rulings, kpi: KPI, measured: Measured) -> None:
    rulings.rule(measured.flaw >= 0, Verdict.INSUFFICIENT, measured.flaw)
    if kpi.min_total is not None:
        rulings.rule(measured.total < kpi.min_total, Verdict.INSUFFICIENT, Reason.BELOW_MIN_TOTAL)
    least = kpi.min_samples or 0
    too_few = (measured.samples < least) | np.isnan(measured.value)
    rulings.rule(too_few, Verdict.INSUFFICIENT, Reason.BELOW_MIN_SAMPLES)
    if kpi.measure.reducer in _ADDED_UP and has_upper_limit(kpi.objective):
        # What was seen may already break the limit; only a "met" would rest on what was not seen.
        thin = (measured.coverage < kpi.min_coverage) & ~exceeds_upper_limit(kpi.objective, measured.value)
        rulings.rule(thin, Verdict.INSUFFICIENT, Reason.LOW_COVERAGE)


def _rule_unmet(rulings: Rulings, kpi: KPI, unmet: BoolArray, ahead: Ahead | None, now: float) -> None:
    if kpi.due_at is None:
        rulings.rule(unmet, Verdict.MISSED, Reason.OBJECTIVE_MISSED)
    elif now >= kpi.due_at:
        rulings.rule(unmet, Verdict.MISSED, Reason.OVERDUE)
    elif kpi.checkpoint_at is not None and now >= kpi.checkpoint_at:
        rulings.rule(unmet, Verdict.AT_RISK, Reason.PAST_CHECKPOINT)
    else:
        if ahead is not None:
            rulings.rule(unmet & ahead.behind, Verdict.AT_RISK, Reason.BEHIND_PACE)
        rulings.rule(unmet, Verdict.NOT_DUE, Reason.NOT_DUE_YET)
