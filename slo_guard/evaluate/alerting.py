"""Alert states as arrays over groups: Prometheus's ``for`` and ``keep_firing_for``, hysteresis, missing data."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np

from slo_guard.domain.alerts import Alert, AlertKey, AlertKind
from slo_guard.domain.kpi import KPI, NoDataThen, Objective
from slo_guard.domain.readings import BoolArray, FloatArray, IntArray
from slo_guard.domain.verdicts import AlertState, CodeArray, Reason, Verdict
from slo_guard.evaluate.history import grown

_INACTIVE, _PENDING, _FIRING = AlertState.INACTIVE, AlertState.PENDING, AlertState.FIRING


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """What drives the states, shape (groups,): ``holds``; ``at_once``: without ``for``; ``frozen``: no time passes."""

    holds: BoolArray
    at_once: BoolArray
    frozen: BoolArray


class AlertArray:
    """The alerts of one kind of one KPI, an entry a group; NaN times mean that the thing has not happened.

    ``active_at``: since when the condition holds; ``fired_at``; ``clear_since``: since when a firing alert
    only keeps firing; ``held_since``: since when it is frozen; ``verdict``: the verdict that was recorded last,
    so that a change of reason is seen; ``value``: the value that was recorded last, which for what can break for good
    is the one that was told last.
    """

    def __init__(self) -> None:
        self.state: CodeArray = np.zeros(0, dtype=np.int8)
        self.verdict: CodeArray = np.zeros(0, dtype=np.int8)
        self.active_at: FloatArray = np.zeros(0)
        self.fired_at: FloatArray = np.zeros(0)
        self.clear_since: FloatArray = np.zeros(0)
        self.held_since: FloatArray = np.zeros(0)
        self.value: FloatArray = np.zeros(0)

    def grow(self, groups: int) -> None:
        """Make room for groups that are new: inactive."""
        missing = groups - len(self.state)
        if missing > 0:
            self.state = np.concatenate([self.state, np.zeros(missing, dtype=np.int8)])
            self.verdict = np.concatenate([self.verdict, np.zeros(missing, dtype=np.int8)])
            self.active_at = grown(self.active_at, groups)
            self.fired_at = grown(self.fired_at, groups)
            self.clear_since = grown(self.clear_since, groups)
            self.held_since = grown(self.held_since, groups)
            self.value = grown(self.value, groups)

    def copy(self) -> AlertArray:
        """Return the arrays as they stand; a step replaces them and changes none in place."""
        return copy(self)

    def differs_from(self, before: AlertArray) -> BoolArray:
        """Return which groups' alerts are not as they were before a step."""
        active = self.state != _INACTIVE
        moved = (before.verdict != self.verdict) | (before.active_at != self.active_at)
        timed = _apart(before.clear_since, self.clear_since) | _apart(before.held_since, self.held_since)
        differs: BoolArray = (before.state != self.state) | (active & moved) | timed
        return differs

    def restore(self, group: int, alert: Alert) -> None:
        """Put back the persisted state of one group."""
        self.state[group] = alert.state
        self.verdict[group] = alert.verdict
        self.active_at[group] = alert.active_at
        self.fired_at[group] = np.nan if alert.fired_at is None else alert.fired_at
        self.clear_since[group] = np.nan if alert.clear_since is None else alert.clear_since
        self.held_since[group] = np.nan if alert.held_since is None else alert.held_since
        self.value[group] = np.nan if alert.value is None else alert.value

    def alert(self, group: int, key: AlertKey, reason: Reason) -> Alert | None:
        """Return the state of one group as it is persisted; None while it is inactive."""
        if self.state[group] == _INACTIVE:
            return None
        times = (self.fired_at[group], self.clear_since[group], self.held_since[group], self.value[group])
        fired_at, clear_since, held_since, value = (None if np.isnan(number) else float(number) for number in times)
        return Alert(
            key=key,
            state=AlertState(int(self.state[group])),
            active_at=float(self.active_at[group]),
            fired_at=fired_at,
            clear_since=clear_since,
            held_since=held_since,
            verdict=Verdict(int(self.verdict[group])),
            reason=reason,
            value=value,
        )

    @property
    def any_active(self) -> bool:
        """Whether any group pends or fires."""
        return bool(self.state.any())

    def restart_pending(self, now: float) -> None:
        """Let pending alerts wait anew: nobody saw whether their condition held all the time."""
        pending = self.state == _PENDING
        self.active_at = np.where(pending, now, self.active_at)
        self.held_since = np.where(pending & ~np.isnan(self.held_since), now, self.held_since)

    def step(self, condition: Condition, now: float, for_seconds: float, keep_seconds: float) -> IntArray:
        """Advance all groups to ``now``; returns the groups whose state changed, ascending."""
        before = self.state
        self._thaw(condition.frozen, now)
        moving = ~condition.frozen
        holds = condition.holds & moving
        clear = ~condition.holds & moving
        starts = holds & (before == _INACTIVE)
        active_at = np.where(starts, now, self.active_at)
        waiting = starts | (holds & (before == _PENDING))
        fires = waiting & (condition.at_once | (now - active_at >= for_seconds))
        state = np.where(waiting, _PENDING, before)
        state = np.where(fires, _FIRING, state)
        fired_at = np.where(fires, now, self.fired_at)
        clear_since = np.where(holds, np.nan, self.clear_since)
        clearing = clear & (before == _FIRING)
        clear_since = np.where(clearing & np.isnan(clear_since), now, clear_since)
        ends = (clear & (before == _PENDING)) | (clearing & (now - clear_since >= keep_seconds))
        self.state = np.where(ends, _INACTIVE, state).astype(np.int8)
        inactive = self.state == _INACTIVE
        self.active_at = active_at
        self.fired_at = np.where(inactive, np.nan, fired_at)
        self.clear_since = np.where(inactive, np.nan, clear_since)
        self.held_since = np.where(inactive, np.nan, self.held_since)
        return np.flatnonzero(self.state != before)

    def _thaw(self, frozen: BoolArray, now: float) -> None:
        """Note what is frozen from now on; of what no longer is, move the timers by the time that it was."""
        held = ~np.isnan(self.held_since)
        if not held.any() and not frozen.any():
            return
        stood_still = np.where(held & ~frozen, now - self.held_since, 0.0)
        self.active_at = np.where(self.state == _PENDING, self.active_at + stood_still, self.active_at)
        self.clear_since = self.clear_since + stood_still
        self.held_since = np.where(frozen, np.where(held, self.held_since, now), np.nan)

    def end(self, groups: BoolArray) -> None:
        """Make ``groups`` inactive at once."""
        if groups.any():
            self.state = np.where(groups, _INACTIVE, self.state).astype(np.int8)
            self.fired_at = np.where(groups, np.nan, self.fired_at)
            self.clear_since = np.where(groups, np.nan, self.clear_since)
            self.held_since = np.where(groups, np.nan, self.held_since)

    def record(self, values: FloatArray, rows: BoolArray) -> None:
        """Take ``values`` of ``rows`` as those recorded last."""
        self.value = np.where(rows, values, self.value)

    def forget_inactive(self) -> None:
        """Drop the start times of inactive groups, once their transitions have been written."""
        self.active_at = np.where(self.state == _INACTIVE, np.nan, self.active_at)


def escalates(objective: Objective | None, told: FloatArray, value: FloatArray, broken: BoolArray) -> BoolArray:
    """Return which groups, firing and ``broken`` for good, are worse by another limit than when that was last told.

    Where the limit is 0 (no Sev-1, and then a second one) anything more is.
    """
    if objective is None or not broken.any():
        return np.zeros(len(value), dtype=bool)
    limit = objective.bound if objective.upper is None else objective.upper
    worse: BoolArray = broken & ((value > told) if limit <= 0 else (np.floor(value / limit) > np.floor(told / limit)))
    return worse


def condition_of(
    kind: AlertKind,
    kpi: KPI,
    verdict: CodeArray,
    unresolved: BoolArray,
    since: FloatArray,
    state: CodeArray,
    now: float,
    *,
    unknown: BoolArray | None = None,
) -> Condition:
    """Return what drives the alerts of one kind. ``since``: when each verdict last changed (Unix seconds).

    ``unresolved``: which values may not be within ``resolve``, should there be one;
    ``unknown``: where it is not known whether the KPI applies; nothing moves there.
    """
    condition = _condition(kind, kpi, verdict, unresolved, since, state, now)
    if unknown is None:
        return condition
    return Condition(condition.holds & ~unknown, condition.at_once & ~unknown, condition.frozen | unknown)


def burn_condition(
    kpi: KPI, verdict: CodeArray, burning: BoolArray, unseen: BoolArray, *, unknown: BoolArray | None = None
) -> Condition:
    """Return what drives the burn alerts of one tier: while data is missing nobody knows whether it still burns.

    ``unseen``: where it is missing in the short window, whatever the verdict.
    """
    no_data = (verdict == Verdict.NO_DATA) | unseen
    frozen = np.zeros(len(verdict), dtype=bool) if kpi.no_data.then is NoDataThen.OK else no_data
    if unknown is not None:
        frozen = frozen | unknown
    return Condition(burning & ~no_data & ~frozen, np.zeros(len(verdict), dtype=bool), frozen)


def _condition(
    kind: AlertKind,
    kpi: KPI,
    verdict: CodeArray,
    unresolved: BoolArray,
    since: FloatArray,
    state: CodeArray,
    now: float,
) -> Condition:
    missed, no_data = verdict == Verdict.MISSED, verdict == Verdict.NO_DATA
    nothing = np.zeros(len(verdict), dtype=bool)
    if kpi.objective is None and (kind is AlertKind.BREACH or kpi.warn is None):
        # A number to watch: that it is missing shows in its verdict, and wakes nobody.
        return Condition(nothing, nothing, nothing)
    if kind is AlertKind.RISK:
        # Missing it is worse than risking it: the quieter alert goes on, but does not begin then.
        holds = (verdict == Verdict.AT_RISK) | ((state != _INACTIVE) & missed)
        return Condition(holds, nothing, nothing if kpi.no_data.then is NoDataThen.OK else no_data)
    frozen, alerting = nothing, nothing
    match kpi.no_data.then:
        case NoDataThen.ALERT:
            alerting = no_data
        case NoDataThen.HOLD:
            held_long = now - since >= kpi.no_data.hold_for_seconds
            frozen, alerting = no_data & ~held_long, no_data & held_long
    holds = missed | alerting
    if kpi.resolve is not None:
        judged = (verdict == Verdict.MET) | (verdict == Verdict.AT_RISK)
        unresolved = (judged & unresolved) | (verdict == Verdict.INSUFFICIENT)
        holds = holds | ((state == _FIRING) & unresolved)
    return Condition(holds, alerting, frozen)


def _apart(one: FloatArray, other: FloatArray) -> BoolArray:
    """Return where two arrays of times differ; two NaN are equal."""
    apart: BoolArray = (one != other) & ~(np.isnan(one) & np.isnan(other))
    return apart
