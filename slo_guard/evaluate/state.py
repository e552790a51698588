"""The evaluator's state between two evaluations, and how it comes back after a restart."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import numpy as np

from slo_guard.domain.alerts import Alert, AlertKey
from slo_guard.domain.calendar import calendar_start
from slo_guard.domain.kpi import KPI, Plan, Sprint, WindowKind
from slo_guard.domain.ports import PersistedEvaluation, StoredObservation
from slo_guard.domain.readings import Observation
from slo_guard.evaluate.tracks import KpiTrack

_LONGEST_RUN = 1000
_ALWAYS = Sprint("", "", "UTC", date.min, date.max, -np.inf, np.inf)
"""The sprint of built-in KPIs: they belong to none and are judged always."""


class EvaluationState:
    """Window buffers, last verdicts and alert states of every KPI.

    ``evaluated_at``: the last evaluation's instant (Unix seconds), None before the first; ``reading_cursor``:
    the id of the last observation taken in; ``last_seq``: the number of the last transition; ``alerts``:
    those that pend or fire; ``awaiting``: indicators whose first collection since the start is not over;
    ``rules_changed``: whether alerts without a rule are still to be looked for.
    """

    def __init__(self) -> None:
        self.evaluated_at: float | None = None
        self.reading_cursor = 0
        self.last_seq = 0
        self.alerts: dict[AlertKey, Alert] = {}
        self.awaiting: set[str] = set()
        self.tracks: dict[tuple[str, str], KpiTrack] = {}
        self.departed: dict[tuple[str, str], KPI] = {}
        self.rules_changed = False
        self._readers: dict[str, list[KpiTrack]] = {}
        self._kpis: tuple[KPI, ...] | None = None

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
        state.departed = {(kpi.sprint, kpi.id): kpi for kpi in departed}
        state.follow(plan)
        for key, track in state.tracks.items():
            alerts = {name: alert for name, alert in state.alerts.items() if track.owns(alert)}
            track.restore(persisted.memories.get(key), alerts, persisted.kpi_evaluated_at.get(key))
        state.take_all(history)
        state.reading_cursor = persisted.reading_cursor
        state.awaiting = set(awaiting)
        return state

    @property
    def late_samples(self) -> int:
        """How many samples came too late to be taken into their windows, counted once for each KPI."""
        return sum(source.late_samples for track in self.tracks.values() for source in track.inputs)

    def follow(self, plan: Plan) -> None:
        """Have a track for every KPI of ``plan`` and for no other."""
        if plan.kpis is self._kpis:
            return
        self._kpis = plan.kpis
        self.rules_changed = True
        old = self.tracks
        self.departed |= {key: track.kpi for key, track in old.items()}
        self.tracks = {}
        self._readers = {}
        for kpi in plan.kpis:
            key = (kpi.sprint, kpi.id)
            track = old.get(key)
            if track is None or not track.serves(kpi):
                track = KpiTrack(kpi, plan.sprints.get(kpi.sprint, _ALWAYS))
            else:
                track.kpi = kpi
            self.tracks[key] = track
            for indicator in kpi.indicators:
                self._readers.setdefault(indicator, []).append(track)

    def take_all(self, observations: Iterable[StoredObservation]) -> None:
        """Take in observations, ascending: into the buffers of every KPI that reads their indicators.

        Indicators know nothing of each other, so each one's observations are taken in runs: a first collection
        that brings a sprint's history costs little more than any other.
        """
        waiting: dict[str, list[Observation]] = {}
        for stored in observations:
            self.reading_cursor = max(self.reading_cursor, stored.id)
            for indicator in stored.observation.indicators:
                self.awaiting.discard(indicator)
                run = waiting.setdefault(indicator, [])
                run.append(stored.observation)
                if len(run) >= _LONGEST_RUN:
                    self._take_run(indicator, waiting.pop(indicator))
        for indicator, run in waiting.items():
            self._take_run(indicator, run)

    def _take_run(self, indicator: str, run: list[Observation]) -> None:
        for track in self._readers.get(indicator, ()):
            track.take_all(run, indicator)


def needed_from(plan: Plan, now: float) -> float:
    """Return the instant (Unix seconds) from which readings are needed to judge ``plan`` at ``now``."""
    starts = [now]
    for kpi in plan.kpis:
        window, slack = kpi.measure.window, kpi.no_data.after_seconds
        starts.append(now - kpi.forget_after_seconds)
        if kpi.drift is not None:
            starts.append(now - kpi.drift.over_seconds - slack)
        if kpi.pace is not None:
            starts.append(plan.sprints[kpi.sprint].start_at - slack)
        if window is not None and window.kind.is_calendar:
            starts.append(calendar_start(window.kind, now, plan.sprints[kpi.sprint].timezone) - slack)
        if window is not None and window.kind is WindowKind.SPRINT:
            starts.append(plan.sprints[kpi.sprint].start_at - slack)
        elif window is not None and window.seconds is not None:
            starts.append(now - window.seconds - slack)
    return min(starts)
