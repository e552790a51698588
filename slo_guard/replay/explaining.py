"""An explanation from recorded samples: as a daemon that had run since the first of them would give it."""

from __future__ import annotations

from collections.abc import Sequence

from slo_guard.domain.alerts import Transition
from slo_guard.domain.explanations import Explanation
from slo_guard.domain.kpi import KPI, Plan
from slo_guard.domain.ports import EvaluationRecord, StoredObservation, VerdictChanges
from slo_guard.errors import SloGuardError
from slo_guard.evaluate.explaining import explain
from slo_guard.explained import history_of, narrowed
from slo_guard.replay.steps import Stepper

_MOST_STEPS = 20_000


def explain_samples(
    plan: Plan, observations: Sequence[StoredObservation], kpi: KPI, at: float, *, most_steps: int = _MOST_STEPS
) -> Explanation:
    """Step one KPI to ``at`` (Unix seconds) and explain it; a longer recording is stepped through for its end only."""
    narrow = narrowed(plan, [kpi])
    until = [stored for stored in observations if stored.observation.seen_at <= at]
    first = min(until[0].observation.seen_at, at) if until else at
    begin = max(first, at - most_steps * min(each.interval_seconds for each in narrow.kpis))
    lived = _Lived()
    for evaluation in Stepper(narrow, until, begin, at, recorded_from=first).walk():
        lived.take(evaluation.record)
    track = evaluation.state.tracks[kpi.sprint, kpi.id]
    frame = next((each for each in evaluation.verdicts if each.kpi == kpi), None)
    if frame is None:
        raise SloGuardError(f"{kpi.id} has gone over to the sprint that follows; name that with --sprint")
    return explain(track, frame, at, plan.indicators).with_history(history_of(lived, kpi, at))


class _Lived:
    """The changes that a replay has found so far: what a store keeps of a daemon's day, in memory."""

    def __init__(self) -> None:
        self._transitions: list[Transition] = []
        self._changes: list[VerdictChanges] = []

    def take(self, record: EvaluationRecord) -> None:
        self._transitions += record.transitions
        self._changes += record.changes

    def kpi_transitions(self, sprint: str, kpi: str, *, until: float, limit: int) -> tuple[Transition, ...]:
        ours = [each for each in self._transitions if (each.key.sprint, each.key.kpi) == (sprint, kpi)]
        return tuple(each for each in ours if each.at <= until)[-limit:]

    def verdict_changes(self, sprint: str, kpi: str, *, until: float, limit: int) -> tuple[VerdictChanges, ...]:
        ours = [each for each in self._changes if (each.sprint, each.kpi) == (sprint, kpi)]
        return tuple(each for each in ours if each.at <= until)[-limit:]
