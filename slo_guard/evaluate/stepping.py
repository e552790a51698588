"""Stepping one KPI's alerts to an evaluation's verdicts, and writing down what that changes."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from slo_guard.domain.alerts import Alert, AlertKey, AlertKind, AlertSlot
from slo_guard.domain.budget_words import burn_note
from slo_guard.domain.kpi import KPI
from slo_guard.domain.readings import BoolArray, FloatArray, IntArray
from slo_guard.domain.verdicts import REASON_CODE, REASONS, AlertState, CodeArray, Reason, Verdict
from slo_guard.evaluate.alerting import AlertArray, Condition, burn_condition, condition_of, escalates
from slo_guard.evaluate.judge import can_break_for_good
from slo_guard.evaluate.ledger import Ledger
from slo_guard.evaluate.rows import row_of
from slo_guard.evaluate.tracks import Judged, KpiTrack
from slo_guard.units import format_value

_UNKNOWN_CODE, _NOT_MET_CODE = REASON_CODE[Reason.CONDITION_UNKNOWN], REASON_CODE[Reason.CONDITION_NOT_MET]
_MAY_FIRE = np.zeros(len(Verdict), dtype=bool)
_MAY_FIRE[[Verdict.AT_RISK, Verdict.NO_DATA, Verdict.MISSED]] = True
"""The verdicts by which an alert may begin, by code."""

_Array = TypeVar("_Array", CodeArray, FloatArray, BoolArray)


def step_alerts(track: KpiTrack, judged: Judged, now: float, ledger: Ledger) -> None:
    """Step the alerts of all kinds to what was ``judged`` at ``now``, before ``track`` notes that it was evaluated."""
    loud = bool(_MAY_FIRE[judged.frame.verdict].any())
    for slot, alerts in track.alerts.items():
        alerts.grow(len(track.groups))
        if alerts.any_active or (loud if slot.kind is not AlertKind.BURN else _burns(track, slot, judged)):
            _Step(track, slot, judged, now, ledger).run()


def _burns(track: KpiTrack, slot: AlertSlot, judged: Judged) -> bool:
    budget = judged.frame.budget
    return budget is not None and bool(budget.burning[track.tiers[slot]].any())


class _Step:
    def __init__(self, track: KpiTrack, slot: AlertSlot, judged: Judged, now: float, ledger: Ledger) -> None:
        self._track = track
        self._slot = slot
        self._kind = slot.kind
        self._alerts = track.alerts[slot]
        self._frame = judged.frame
        self._pair = track.kpi.burn_pair(slot.tier)
        self._values = judged.frame.value
        if self._pair is not None:
            budget = judged.frame.budget
            blank = np.full(len(judged.frame.index), np.nan)
            self._values = blank if budget is None else budget.rate_over(self._pair.long_seconds)
        self._broken = judged.broken
        self._unresolved = judged.unresolved
        self._groups = judged.groups
        self._now = now
        self._ledger = ledger
        self._all_in_view = len(judged.groups) == len(track.groups)

    def run(self) -> None:
        frame, kpi, alerts = self._frame, self._track.kpi, self._alerts
        verdict, value = self._spread(frame.verdict, -1), self._spread(self._values, np.nan)
        reason = self._spread(frame.reason, -1)
        condition = self._condition(verdict, reason)
        if not alerts.any_active and not condition.holds.any():
            return
        before = alerts.copy()
        if self._track.was_left_alone(self._now):
            # Within the step: what it does to an alert is kept, be it all that happens to it.
            alerts.restart_pending(self._now)
        over = ((verdict == -1) | (reason == _NOT_MET_CODE)) & (alerts.state > 0)
        # The windows of a burn alert are what makes it wait, and what lets it go.
        waits = (0.0, 0.0) if self._pair is not None else (kpi.for_seconds, kpi.keep_firing_for_seconds)
        changed = alerts.step(condition, self._now, *waits)
        alerts.end(over)
        changed = np.union1d(changed, np.flatnonzero(over))
        alerts.verdict = np.where((alerts.state > 0) & (verdict >= 0), verdict, alerts.verdict).astype(np.int8)
        escalated = self._record_values(before, value, changed)
        for group in changed:
            self._tell_change(int(group), AlertState(int(before.state[group])))
        for group in escalated:
            self._tell_escalation(int(group), float(before.value[group]))
        differs = alerts.differs_from(before)
        differs[escalated] = True
        for group in np.flatnonzero(differs):
            key = self._key(int(group))
            self._ledger.set_alert(key, alerts.alert(int(group), key, self._reason(int(group))))
        alerts.forget_inactive()

    def _condition(self, verdict: CodeArray, reason: CodeArray) -> Condition:
        kpi, unknown = self._track.kpi, reason == _UNKNOWN_CODE
        nothing_unknown = None if not unknown.any() else unknown
        if self._pair is not None:
            burning = unseen = np.zeros(len(verdict), dtype=bool)
            budget, tier = self._frame.budget, self._track.tiers[self._slot]
            if budget is not None:
                burning, unseen = (self._spread(each[tier], fill=False) for each in (budget.burning, budget.unseen))
            return burn_condition(kpi, verdict, burning, unseen, unknown=nothing_unknown)
        since, unresolved = self._spread(self._frame.since, np.nan), self._spread(self._unresolved, fill=True)
        return condition_of(
            self._kind, kpi, verdict, unresolved, since, self._alerts.state, self._now, unknown=nothing_unknown
        )

    def _record_values(self, before: AlertArray, value: FloatArray, changed: IntArray) -> IntArray:
        """Record the values of what changed; returns the groups that escalate.

        Of what can break for good it is the value that is told: it stays until it is told again.
        """
        alerts, kpi = self._alerts, self._track.kpi
        if self._kind is not AlertKind.BREACH or not can_break_for_good(kpi):
            recorded = alerts.differs_from(before)
            recorded[changed] = True
            alerts.record(value, recorded)
            return np.zeros(0, dtype=np.int64)
        fired = (before.state == AlertState.FIRING) & (alerts.state == AlertState.FIRING)
        broken = fired & self._spread(self._broken, fill=False)
        worse = escalates(kpi.objective, alerts.value, value, broken)
        untold = broken & np.isnan(alerts.value)
        alerts.record(value, (before.state != alerts.state) | worse | untold)
        return np.flatnonzero(worse)

    def _tell_change(self, group: int, was: AlertState) -> None:
        alerts, frame, row = self._alerts, self._frame, self._row(group)
        state = AlertState(int(alerts.state[group]))
        if row is None:
            reason = Reason.SERIES_APPEARED if self._track.presence.stood_in(group) else Reason.SERIES_GONE
            verdict, value, note = Verdict.NO_DATA, None, None
        else:
            verdict = Verdict(int(frame.verdict[row]))
            said = REASONS[int(frame.reason[row])] if self._pair is None or state <= was else Reason.BURNING
            reason = said if state > was else _end_reason(self._track.kpi, self._kind, verdict, said)
            value = None if np.isnan(self._values[row]) else float(self._values[row])
            note = self._note(row)
        active_at = float(alerts.active_at[group])
        alert = Alert(self._key(group), state, active_at, verdict=verdict, reason=reason, value=value)
        self._ledger.add(self._track.kpi, was, alert, self._now, note=note)

    def _note(self, row: int) -> str | None:
        budget = self._frame.budget
        if self._pair is None or budget is None:
            return self._frame.note(row)
        return burn_note(budget.row(row), self._pair)

    def _tell_escalation(self, group: int, told: float) -> None:
        alert = self._alerts.alert(group, self._key(group), Reason.ESCALATED)
        assert alert is not None
        kpi = self._track.kpi
        self._ledger.add(kpi, AlertState.FIRING, alert, self._now, note=f"was {format_value(told, kpi.unit)}")

    def _spread(self, values: _Array, fill: float) -> _Array:
        """Return ``values`` of the groups in view over all groups."""
        if self._all_in_view:
            return values
        spread = np.full(len(self._track.groups), fill, dtype=values.dtype)
        spread[self._groups] = values
        return spread

    def _row(self, group: int) -> int | None:
        return group if self._all_in_view else row_of(self._groups, group)

    def _reason(self, group: int) -> Reason:
        row = self._row(group)
        if row is not None and self._pair is not None:
            return Reason.BURNING
        return Reason.SERIES_GONE if row is None else REASONS[int(self._frame.reason[row])]

    def _key(self, group: int) -> AlertKey:
        kpi = self._track.kpi
        return AlertKey(kpi.sprint, kpi.id, self._track.groups.labels[group], *self._slot)


def _end_reason(kpi: KPI, kind: AlertKind, verdict: Verdict, said: Reason) -> Reason:
    """Return why an alert ended while its series is in view: only a value that is fine again is a recovery.

    What is not due is not at risk any more; what has a warning bound and no objective is within that bound again. An
    error budget that was looked at, and burns no longer, has recovered, whatever is said of the objective.
    """
    if kind is AlertKind.BURN and verdict not in (Verdict.NO_DATA, Verdict.NOT_APPLICABLE):
        return Reason.RECOVERED
    match verdict:
        case Verdict.MET | Verdict.AT_RISK:
            return Reason.RECOVERED
        case Verdict.NO_DATA:
            return Reason.NO_DATA_IS_OK
        case Verdict.NOT_DUE if kind is AlertKind.RISK:
            return Reason.RECOVERED
        case Verdict.TRACKED if kind is AlertKind.RISK and kpi.warn is not None:
            return Reason.RECOVERED
    return said if said is Reason.CONDITION_NOT_MET else Reason.NO_LONGER_JUDGED
