"""The one evaluator that the daemon, eval and backtest all call: no clock, no I/O, equal inputs give equal outputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

import numpy as np

from slo_guard.domain.alerts import Alert, AlertKey, AlertKind, Transition
from slo_guard.domain.kpi import KPI, Measure, Plan, Reducer, Selection, Single
from slo_guard.domain.ports import EvaluationRecord, StoredObservation, VerdictChanges, VerdictMemory
from slo_guard.domain.readings import FloatArray, IndicatorType, IntArray
from slo_guard.domain.verdicts import REASONS, AlertState, CodeArray, Reason, Verdict, VerdictFrame
from slo_guard.evaluate.alerting import AlertArray, condition_of
from slo_guard.evaluate.state import EvaluationState
from slo_guard.evaluate.tracks import Judged, KpiTrack


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What one evaluation found.

    ``verdicts``: a frame for each KPI judged, in rule order; ``record``: what is to be made durable;
    ``skipped``: ``now`` was not later than the last evaluation, and nothing was done.
    """

    verdicts: tuple[VerdictFrame, ...]
    transitions: tuple[Transition, ...]
    state: EvaluationState
    record: EvaluationRecord
    skipped: bool = False


def evaluate(
    plan: Plan, observations: Iterable[StoredObservation], state: EvaluationState, now: datetime
) -> Evaluation:
    """Judge the due KPIs of ``plan`` at ``now`` (aware) after taking in what is new.

    ``observations``: those after ``state.reading_cursor`` with ``seen_at`` up to ``now``, ascending, each
    given once. ``state`` is owned by the evaluator: it is updated and returned. Times before ``now`` of the
    last evaluation are skipped: nothing is taken in, so the same observations can be given again.
    """
    at = now.timestamp()
    if state.evaluated_at is not None and at <= state.evaluated_at:
        record = EvaluationRecord(at=state.evaluated_at, reading_cursor=state.reading_cursor)
        return Evaluation((), (), state, record, skipped=True)
    state.follow(plan)
    state.take_all(observations)
    run = _Run(plan, state, at)
    for kpi in plan.judged_now:
        run.judge(kpi)
    if state.rules_changed:
        run.end_alerts_without_rule()
        state.rules_changed = False
    state.evaluated_at = at
    return run.result()


class _Run:
    """Collects what one evaluation finds."""

    def __init__(self, plan: Plan, state: EvaluationState, now: float) -> None:
        self._plan = plan
        self._state = state
        self._now = now
        self._verdicts: list[VerdictFrame] = []
        self._transitions: list[Transition] = []
        self._alerts: dict[AlertKey, Alert | None] = {}
        self._changes: list[VerdictChanges] = []
        self._memories: list[VerdictMemory] = []
        self._evaluated: list[tuple[str, str]] = []

    def judge(self, kpi: KPI) -> None:
        """Judge one KPI, unless the first collection of what it reads is still awaited."""
        track = self._state.tracks[kpi.sprint, kpi.id]
        if not self._state.awaiting.isdisjoint(kpi.indicators):
            self._verdicts.append(track.awaiting_frame(self._now))
            return
        last = track.evaluated_at
        if last is not None and self._now - last > _longest_wait_seconds(kpi):
            for alerts in track.alerts.values():
                alerts.restart_pending(self._now)
        judged = track.judge(self._now)
        for kind in track.alerts:
            self._step(track, kind, judged)
        breach = track.alerts[AlertKind.BREACH]
        state = breach.state[judged.groups]
        since = np.where(state > 0, breach.active_at[judged.groups], np.nan)
        self._verdicts.append(replace(judged.frame, alert_state=state, alert_since=since))
        track.evaluated_at = self._now
        self._evaluated.append((kpi.sprint, kpi.id))
        if judged.changes is not None:
            self._changes.append(judged.changes)
        if judged.memory is not None:
            self._memories.append(judged.memory)

    def end_alerts_without_rule(self) -> None:
        """End the alerts whose rule, labels or kind the plan no longer has."""
        tracks = self._state.tracks
        for key, alert in list(self._state.alerts.items()):
            track = tracks.get((key.sprint, key.kpi))
            if track is None or not track.owns(alert):
                kpi = track.kpi if track is not None else self._state.departed.get((key.sprint, key.kpi))
                kpi = kpi or _unknown_kpi(key)
                self._add_transition(kpi, key, alert.state, AlertState.INACTIVE, Reason.RULE_REMOVED, alert)
                self._set_alert(key, None)

    def result(self) -> Evaluation:
        """Return what was found."""
        record = EvaluationRecord(
            at=self._now,
            reading_cursor=self._state.reading_cursor,
            alerts=self._alerts,
            transitions=tuple(self._transitions),
            changes=tuple(self._changes),
            memories=tuple(self._memories),
            evaluated=tuple(self._evaluated),
        )
        return Evaluation(tuple(self._verdicts), record.transitions, self._state, record)

    def _step(self, track: KpiTrack, kind: AlertKind, judged: Judged) -> None:
        kpi, alerts, frame, groups = track.kpi, track.alerts[kind], judged.frame, judged.groups
        count = len(track.groups)
        alerts.grow(count)
        verdict = _spread(frame.verdict, groups, count, fill=-1)
        value = _spread(frame.value, groups, count, fill=np.nan)
        since = _spread(frame.since, groups, count, fill=np.nan)
        condition = condition_of(kind, kpi, verdict, value, since, alerts.state, self._now)
        if not alerts.any_active and not condition.holds.any():
            return
        before = alerts.copy()
        gone = (verdict == -1) & (alerts.state > 0)
        keep = kpi.keep_firing_for_seconds
        changed = alerts.step(condition, self._now, kpi.for_seconds, keep)
        alerts.end(gone)
        changed = np.union1d(changed, np.flatnonzero(gone))
        alerts.verdict = np.where((alerts.state > 0) & (verdict >= 0), verdict, alerts.verdict).astype(np.int8)
        rows = {int(group): row for row, group in enumerate(groups)} if len(groups) != count else None
        for group in changed:
            was, row = int(before.state[group]), rows.get(int(group)) if rows is not None else int(group)
            self._tell_change(track, kind, judged, int(group), row, AlertState(was))
        differs = alerts.differs_from(before)
        for group in np.flatnonzero(differs):
            row = rows.get(int(group)) if rows is not None else int(group)
            key = self._key(track, kind, int(group))
            self._set_alert(key, _alert(key, alerts, int(group), frame, row))
        alerts.forget_inactive()

    def _tell_change(
        self, track: KpiTrack, kind: AlertKind, judged: Judged, group: int, row: int | None, was: AlertState
    ) -> None:
        alerts, frame, kpi = track.alerts[kind], judged.frame, track.kpi
        state = AlertState(int(alerts.state[group]))
        key = self._key(track, kind, group)
        if row is None:
            reason = Reason.SERIES_APPEARED if track.presence.stood_in(group) else Reason.SERIES_GONE
            verdict, value, note = Verdict.NO_DATA, None, None
        else:
            verdict = Verdict(int(frame.verdict[row]))
            reason = REASONS[int(frame.reason[row])] if state > was else _end_reason(verdict)
            value = None if np.isnan(frame.value[row]) else float(frame.value[row])
            note = frame.notes.get(row)
        alert = Alert(key, state, float(alerts.active_at[group]), verdict=verdict, reason=reason, value=value)
        self._add_transition(kpi, key, was, state, reason, alert, note)

    def _add_transition(
        self,
        kpi: KPI,
        key: AlertKey,
        was: AlertState,
        state: AlertState,
        reason: Reason,
        alert: Alert,
        note: str | None = None,
    ) -> None:
        self._state.last_seq += 1
        specs = (self._plan.indicators.get(name) for name in kpi.indicators)
        self._transitions.append(
            Transition(
                seq=self._state.last_seq,
                at=self._now,
                key=key,
                from_state=was,
                to_state=state,
                reason=reason,
                verdict=alert.verdict,
                value=alert.value,
                active_at=alert.active_at,
                severity=kpi.severity if key.kind is AlertKind.BREACH else kpi.warn_severity,
                lane=kpi.lane,
                title=kpi.title,
                owner=kpi.owner,
                objective=_objective_text(kpi, key.kind),
                unit=kpi.unit,
                runbook_url=kpi.runbook_url,
                note=note,
                collectors=tuple(dict.fromkeys(spec.collector for spec in specs if spec and spec.collector)),
                annotations=kpi.annotations,
            )
        )

    def _set_alert(self, key: AlertKey, alert: Alert | None) -> None:
        self._alerts[key] = alert
        if alert is None:
            self._state.alerts.pop(key, None)
        else:
            self._state.alerts[key] = alert

    @staticmethod
    def _key(track: KpiTrack, kind: AlertKind, group: int) -> AlertKey:
        return AlertKey(track.kpi.sprint, track.kpi.id, track.groups.labels[group], kind)


_OBSERVED_INTERVALS = 1.5
"""So many intervals apart evaluations may be, by a late start or a moved grid, and have left none out."""

_Numbers = TypeVar("_Numbers", CodeArray, FloatArray)


def _spread(values: _Numbers, groups: IntArray, count: int, fill: float) -> _Numbers:
    """Return ``values`` of the groups in view over all groups."""
    if len(values) == count:
        return values
    spread = np.full(count, fill, dtype=values.dtype)
    spread[groups] = values
    return spread


def _alert(key: AlertKey, alerts: AlertArray, group: int, frame: VerdictFrame, row: int | None) -> Alert | None:
    state = AlertState(int(alerts.state[group]))
    if state is AlertState.INACTIVE or row is None:
        return None
    times = (alerts.fired_at[group], alerts.clear_since[group], alerts.held_since[group])
    fired_at, clear_since, held_since, value = (
        None if np.isnan(number) else float(number) for number in (*times, frame.value[row])
    )
    return Alert(
        key=key,
        state=state,
        active_at=float(alerts.active_at[group]),
        fired_at=fired_at,
        clear_since=clear_since,
        held_since=held_since,
        verdict=Verdict(int(frame.verdict[row])),
        reason=REASONS[int(frame.reason[row])],
        value=value,
    )


def _longest_wait_seconds(kpi: KPI) -> float:
    """Return the longest time between two evaluations that counts as observed: a slow rule is not an outage."""
    return max(kpi.no_data.after_seconds, _OBSERVED_INTERVALS * kpi.interval_seconds)


def _end_reason(verdict: Verdict) -> Reason:
    """Return why an alert ended while its series is in view: only a value that is fine again is a recovery."""
    match verdict:
        case Verdict.MET | Verdict.AT_RISK:
            return Reason.RECOVERED
        case Verdict.NO_DATA:
            return Reason.NO_DATA_IS_OK
    return Reason.NO_LONGER_JUDGED


def _objective_text(kpi: KPI, kind: AlertKind) -> str:
    if kpi.objective is None:
        return ""
    if kind is AlertKind.RISK and kpi.warn is not None:
        return f"{kpi.objective.text}, warn {kpi.warn.text}"
    return kpi.objective.text


def _unknown_kpi(key: AlertKey) -> KPI:
    """Return a KPI that says as much as the alert's key does: its rule went away while nobody was running."""
    return KPI(
        id=key.kpi,
        sprint=key.sprint,
        lane="",
        title=key.kpi,
        source=Single(Selection(key.kpi)),
        measure=Measure(Reducer.LAST, None, "last"),
        type=IndicatorType.GAUGE,
        unit=None,
    )
