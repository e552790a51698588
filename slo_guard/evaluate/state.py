"""The evaluator's state between two evaluations, and how it comes back after a restart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from slo_guard.domain.alerts import Alert, AlertKey
from slo_guard.domain.builtin import BURN_ALARM
from slo_guard.domain.calendar import calendar_start
from slo_guard.domain.kpi import KPI, Plan, Sprint, WindowKind
from slo_guard.domain.ports import PersistedEvaluation, StoredObservation
from slo_guard.domain.readings import IndicatorType, Observation, Reading
from slo_guard.domain.sprints import is_handed_over
from slo_guard.evaluate.budgets import budget_keeps_from, budget_reach_seconds
from slo_guard.evaluate.burn_alarm import BurnAlarm, may_sound
from slo_guard.evaluate.closing import restored_frame
from slo_guard.evaluate.conditions import in_order_of_conditions
from slo_guard.evaluate.late_news import RESTATED_FOR_SECONDS
from slo_guard.evaluate.restating import can_go_on
from slo_guard.evaluate.rule_changes import RuleHistory
from slo_guard.evaluate.tracks import KpiTrack
from slo_guard.evaluate.trailing import LONGEST_CELL_SECONDS
from slo_guard.evaluate.trails import TrailBook
from slo_guard.evaluate.trend import POINTS

_LONGEST_RUN = 1000
_ALWAYS = Sprint("", "", "UTC", date.min, date.max, -np.inf, np.inf)
"""The sprint of built-in KPIs: they belong to none and are judged always."""


class EvaluationState:
    """Window buffers, last verdicts and alert states of every KPI.

    ``evaluated_at``: the last evaluation's instant (Unix seconds), None before the first; ``reading_cursor``:
    the id of the last observation taken in; ``last_seq``: the number of the last transition; ``alerts``:
    those that pend or fire; ``awaiting``: indicators whose first collection since the start is not over;
    ``closed``: the sprints that have closed, with the end at which they did; ``rules``: how rules changed in
    mid-sprint; ``kpis`` and ``sprints``: those of the plan that it follows; ``rules_changed``: whether alerts without
    a rule are still to be looked for; ``trails``: how the KPIs went.
    """

    def __init__(self) -> None:
        self.evaluated_at: float | None = None
        self.reading_cursor = 0
        self.last_seq = 0
        self.alerts: dict[AlertKey, Alert] = {}
        self.awaiting: set[str] = set()
        self.tracks: dict[tuple[str, str], KpiTrack] = {}
        self.departed: dict[tuple[str, str], KPI] = {}
        self.closed: dict[str, float] = {}
        self.burn_alarms: dict[str, BurnAlarm] = {}
        self.rules = RuleHistory()
        self.trails = TrailBook()
        self.kpis: tuple[KPI, ...] = ()
        self.sprints: tuple[Sprint, ...] = ()
        self.rules_changed = False
        self._readers: dict[str, list[KpiTrack]] = {}
        self._rank: dict[tuple[str, str], int] = {}
        self._followed: tuple[object, object] | None = None

    @classmethod
    def fresh(cls) -> EvaluationState:
        """Return the state before anything was evaluated."""
        return cls()

    @classmethod
    def restored(
        cls,
        plan: Plan,
        persisted: PersistedEvaluation,
        history: Iterable[StoredObservation],
        *,
        awaiting: Iterable[str] = (),
        departed: Iterable[KPI] = (),
    ) -> EvaluationState:
        """Return the state that ``persisted`` describes, its windows rebuilt from ``history``.

        ``history``: the stored observations up to ``persisted.reading_cursor`` and back to
        :func:`needed_from`, ascending. ``departed``: the rules before a reload, for what is said of those removed.
        """
        state = cls()
        state.evaluated_at = persisted.evaluated_at
        state.reading_cursor = persisted.reading_cursor
        state.last_seq = persisted.last_seq
        state.alerts = dict(persisted.alerts)
        state.closed = dict(persisted.closed)
        state.rules = RuleHistory(persisted.rules)
        state.departed = {(kpi.sprint, kpi.id): kpi for kpi in departed}
        state.follow(plan)
        if state.evaluated_at is not None:
            state.trails.resume(persisted.trails, state.evaluated_at)
        for key, track in state.tracks.items():
            alerts = {name: alert for name, alert in state.alerts.items() if track.owns(alert)}
            track.restore(persisted.memories.get(key), alerts, persisted.kpi_evaluated_at.get(key))
            kept = persisted.finals.get(key)
            if kept is not None and track.kpi.closes_with_sprint and state.has_closed(track.sprint):
                track.final = restored_frame(kept, track.kpi, state.rules, persisted.restatements.get(key))
        state.take_all(history)
        for track in state.tracks.values():
            if track.final is not None:
                track.news, track.can_be_restated = False, can_go_on(track, state.rules)
        state.reading_cursor = persisted.reading_cursor
        state.awaiting = set(awaiting)
        return state

    @property
    def late_samples(self) -> int:
        """How many samples came too late to be taken into their windows, counted once for each KPI."""
        return sum(source.late_samples for track in self.tracks.values() for source in track.inputs)

    def follow(self, plan: Plan) -> None:
        """Have a track for every KPI of ``plan`` and for no other."""
        if self._followed is not None and plan.kpis is self._followed[0] and plan.sprints is self._followed[1]:
            return
        self._followed = plan.kpis, plan.sprints
        self.kpis = plan.kpis
        guarded = {kpi.sprint for kpi in plan.kpis}
        found = (sprint for sprint in plan.sprints.values() if sprint.id in guarded)
        self.sprints = tuple(sorted(found, key=lambda sprint: sprint.end_at))
        ordered = in_order_of_conditions(plan.kpis)
        self._rank = {(kpi.sprint, kpi.id): place for place, kpi in enumerate(ordered)}
        self.rules_changed = True
        self.rules.follow()
        self.trails.follow(plan.kpis, plan.sprints)
        old = self.tracks
        self.departed |= {key: track.kpi for key, track in old.items()}
        self.tracks = {}
        self._readers = {}
        for kpi in plan.kpis:
            key = (kpi.sprint, kpi.id)
            track, sprint = old.get(key), plan.sprints.get(kpi.sprint, _ALWAYS)
            if track is None or not track.serves(kpi, sprint):
                track = KpiTrack(kpi, sprint)
            else:
                track.kpi = kpi
            self.tracks[key] = track
            for indicator in kpi.indicators:
                self._readers.setdefault(indicator, []).append(track)
        self._follow_burn_alarms(plan)

    def renew(self, other: EvaluationState) -> None:
        """Go on with the tracks of ``other``, restored as of this state's last evaluation, in the place of its own."""
        for key, track in other.tracks.items():
            before = self.tracks[key]
            for old, new in zip(before.inputs, track.inputs, strict=True):
                new.late_samples = old.late_samples
            self.tracks[key] = track
            for indicator in track.kpi.indicators:
                readers = self._readers[indicator]
                readers[readers.index(before)] = track

    def _follow_burn_alarms(self, plan: Plan) -> None:
        before, self.burn_alarms = self.burn_alarms, {}
        for sprint in plan.sprints.values():
            kpis = [kpi for kpi in plan.kpis if kpi.sprint == sprint.id and may_sound(kpi)]
            if kpis:
                alarm = self.burn_alarms[sprint.id] = BurnAlarm(sprint, kpis, before.get(sprint.id))
                self._readers.setdefault(BURN_ALARM, []).append(alarm.track)

    def take_own(self, readings: Sequence[Reading], sprint: str) -> None:
        """Take in what the evaluator itself says of a sprint's burn alarms."""
        for track in self._readers.get(BURN_ALARM, ()):
            if track.kpi.sprint == sprint:
                track.take_all(readings, BURN_ALARM)

    def in_order(self, kpis: Iterable[KPI]) -> list[KPI]:
        """Return ``kpis`` in rule order, but each behind the one that it depends on."""
        return sorted(kpis, key=lambda kpi: self._rank[kpi.sprint, kpi.id])

    def has_closed(self, sprint: Sprint) -> bool:
        """Whether the close of ``sprint`` is recorded; one whose end was moved afterwards closes again."""
        return self.closed.get(sprint.id) == sprint.end_at

    def is_left(self, key: tuple[str, str]) -> bool:
        """Whether a KPI was handed over to the sprint that follows, and is shown no more."""
        track = self.tracks.get(key)
        return track is not None and track.retired

    def shown(self, plan: Plan) -> Plan:
        """Return ``plan`` without the KPIs that were handed over."""
        kpis = tuple(kpi for kpi in plan.kpis if not self.is_left((kpi.sprint, kpi.id)))
        return plan if len(kpis) == len(plan.kpis) else replace(plan, kpis=kpis)

    def take_all(self, observations: Iterable[StoredObservation], now: float = np.inf) -> None:
        """Take in observations, ascending: into the buffers of every KPI that reads their indicators.

        ``now``: the instant (Unix seconds) of the evaluation that takes them in. What is stored of burn alarms is
        taken as far as it is of evaluations before this state: its own ones it has taken already, or judges anew.
        Indicators know nothing of each other, so each one's observations are taken in runs: a first collection
        that brings a sprint's history costs little more than any other.
        """
        waiting: dict[str, list[Observation]] = {}
        alarms: dict[str, list[Reading]] = {}
        judged_before = np.nextafter(now, -np.inf) if self.evaluated_at is None else self.evaluated_at
        for stored in observations:
            self.reading_cursor = max(self.reading_cursor, stored.id)
            if isinstance(stored.observation, Reading) and stored.observation.indicator == BURN_ALARM:
                self._gather(stored.observation, alarms, judged_before)
                continue
            for indicator in stored.observation.indicators:
                self.awaiting.discard(indicator)
                run = waiting.setdefault(indicator, [])
                run.append(stored.observation)
                if len(run) >= _LONGEST_RUN:
                    self._take_run(indicator, waiting.pop(indicator))
        for indicator, run in waiting.items():
            self._take_run(indicator, run)
        for sprint, readings in alarms.items():
            self.take_own(readings, sprint)

    def _gather(self, reading: Reading, alarms: dict[str, list[Reading]], judged_before: float) -> None:
        for sprint, alarm in self.burn_alarms.items():
            if alarm.takes(reading, judged_before):
                alarms.setdefault(sprint, []).append(reading)

    def _take_run(self, indicator: str, run: list[Observation]) -> None:
        for track in self._readers.get(indicator, ()):
            track.take_all(run, indicator)


def needed_from(plan: Plan, now: float, closed: Mapping[str, float] | None = None) -> float:
    """Return the instant (Unix seconds) from which readings are needed to judge ``plan`` next.

    That is at its last grid point up to ``now``, which may be a midnight just past and judge the day that ended.
    ``closed``: the sprints whose close is recorded, with the end at which they closed: once what comes is no
    restatement any more, nothing is read for them.
    """
    now = plan.last_evaluation(now) if plan.kpis else now
    starts = [now]
    for kpi in plan.kpis:
        if _is_judged_no_more(kpi, plan, now, closed or {}):
            continue
        window, slack = kpi.measure.window, kpi.no_data.after_seconds
        at = _judged_up_to(kpi, plan, now)
        # A series that is gone is shown until it is stale, however soon it is to be forgotten.
        starts.append(at - max(kpi.forget_after_seconds, slack))
        if kpi.drift is not None:
            # A trend begins with a whole stretch, and what its values were may have been seen a while before.
            starts.append(at - kpi.drift.over_seconds * (1 + 1 / POINTS) - slack)
        if may_sound(kpi):
            starts.append(plan.sprints[kpi.sprint].start_at - slack)
        if kpi.error_budget is not None:
            # Where a long window begins is moved back to the boundary of a cell, or of a slice.
            cell = max(LONGEST_CELL_SECONDS, kpi.error_budget.slice_seconds)
            sprint = plan.sprints[kpi.sprint]
            begins = min(at - budget_reach_seconds(kpi, sprint), budget_keeps_from(kpi, sprint))
            starts.append(begins - cell - slack)
        if kpi.pace is not None:
            starts.append(plan.sprints[kpi.sprint].start_at - slack)
        if kpi.type is IndicatorType.EVENT:
            slack = max(slack, kpi.forget_after_seconds)
        if window is not None and window.kind.is_calendar:
            starts.append(calendar_start(window.kind, at, plan.sprints[kpi.sprint].timezone) - slack)
        if window is not None and window.kind is WindowKind.SPRINT:
            starts.append(plan.sprints[kpi.sprint].start_at - slack)
        elif window is not None and window.seconds is not None:
            starts.append(at - window.seconds - slack)
    return min(starts)


def _is_judged_no_more(kpi: KPI, plan: Plan, now: float, closed: Mapping[str, float]) -> bool:
    sprint = plan.sprints.get(kpi.sprint)
    is_final = kpi.closes_with_sprint and sprint is not None and closed.get(sprint.id) == sprint.end_at <= now
    if is_final and sprint is not None and now <= sprint.end_at + RESTATED_FOR_SECONDS:
        return False
    return is_final or is_handed_over(kpi, plan, now)


def _judged_up_to(kpi: KPI, plan: Plan, now: float) -> float:
    """Return the instant as of which ``kpi`` is judged at ``now``: not after the sprint that it ends with."""
    sprint = plan.sprints.get(kpi.sprint)
    return min(now, sprint.end_at) if sprint is not None and kpi.closes_with_sprint else now
