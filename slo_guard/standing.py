"""What stands beside the verdicts of a cycle: the go/no-go of each sprint so far, and the sign-offs known by now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from slo_guard.domain.gates import Gate, GateItem, decide_gate
from slo_guard.domain.kpi import KPI, Plan, Sprint
from slo_guard.domain.ports import EvaluationStore
from slo_guard.domain.readings import Evidence
from slo_guard.domain.verdicts import VerdictFrame
from slo_guard.evaluate import EvaluationState
from slo_guard.evaluate.gating import gate_item, unjudged_item
from slo_guard.gated import gate_closed


class StandingGates:
    """The go/no-go of every sprint that has begun, from cycle to cycle; that of a closed one is made once."""

    def __init__(self, store: EvaluationStore) -> None:
        self._store = store
        self._plan: Plan | None = None
        self._closed: dict[tuple[str, float], Gate] = {}

    def at(
        self, plan: Plan, state: EvaluationState, frames: Mapping[tuple[str, str], VerdictFrame], now: float
    ) -> dict[str, Gate]:
        """Return them by sprint as of the evaluation at ``now`` (Unix seconds), which gave ``frames``.

        Raises ``StoreError``.
        """
        if plan is not self._plan:
            self._plan, self._closed = plan, {}
        guarded = {kpi.sprint for kpi in plan.kpis}
        begun = [each for each in plan.sprints.values() if each.id in guarded and each.start_at <= now]
        return {sprint.id: self._gate(plan, state, frames, sprint, now) for sprint in begun}

    def _gate(
        self,
        plan: Plan,
        state: EvaluationState,
        frames: Mapping[tuple[str, str], VerdictFrame],
        sprint: Sprint,
        now: float,
    ) -> Gate:
        kpis = [kpi for kpi in plan.kpis if kpi.gate and kpi.sprint == sprint.id]
        if not state.has_closed(sprint):
            return decide_gate(sprint, [_item(kpi, sprint, state, frames) for kpi in kpis], now)
        key = (sprint.id, sprint.end_at)
        if key not in self._closed:
            self._closed[key] = gate_closed(kpis, state, self._store, sprint)
        return self._closed[key]


def sign_offs_known(state: EvaluationState) -> dict[tuple[str, str], Evidence]:
    """Return for each (sprint, KPI) that is judged by sign-offs those that it reads, as of their last collection."""
    found: dict[tuple[str, str], Evidence] = {}
    for key, track in state.tracks.items():
        for source in track.inputs:
            if source.evidence is not None:
                ours = tuple(each for each in source.evidence.sign_offs if source.rows.accepts(each.labels))
                found[key] = replace(source.evidence, sign_offs=ours)
    return found


def _item(kpi: KPI, sprint: Sprint, state: EvaluationState, frames: Mapping[tuple[str, str], VerdictFrame]) -> GateItem:
    frame, track = frames.get((kpi.sprint, kpi.id)), state.tracks.get((kpi.sprint, kpi.id))
    if frame is None or track is None:
        return unjudged_item(kpi, "it has not been judged yet")
    return gate_item(kpi, sprint, frame, track.inputs[0].evidence)
