"""The go/no-go from what a store holds: as it stands at an instant, or as it stood when the sprint closed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from slo_guard.domain.builtin import SPRINT_CLOSE
from slo_guard.domain.gates import Gate, decide_gate
from slo_guard.domain.kpi import KPI, Plan, Sprint
from slo_guard.domain.ports import EvaluationStore, PersistedEvaluation, Store
from slo_guard.errors import SloGuardError
from slo_guard.evaluate import EvaluationState
from slo_guard.evaluate.gating import ended_item, gate_item, unjudged_item
from slo_guard.explained import standings


def gate_stored(plan: Plan, store: Store, sprint: Sprint, at: float) -> Gate:
    """Return the go/no-go of ``sprint`` at ``at`` (Unix seconds).

    It is judged at that instant, not taken from the last evaluation: where no daemon has looked for a while, what was
    seen is stale, and undecided. Once the sprint has closed its frozen verdicts are what counts. Raises ``StoreError``,
    and ``SloGuardError`` where the store holds no evaluation.
    """
    kpis = [kpi for kpi in plan.kpis if kpi.gate and kpi.sprint == sprint.id]
    persisted = store.load_evaluation()
    if persisted.evaluated_at is None:
        raise SloGuardError("the store holds no evaluation yet; run the daemon, and ask again")
    if at >= sprint.end_at and persisted.closed.get(sprint.id) == sprint.end_at:
        return _as_it_closed(replace(plan, kpis=tuple(kpis)), store, sprint, persisted)
    moment = min(at, sprint.end_at)
    now = replace(persisted, closed={}, finals={})
    if moment < persisted.evaluated_at:
        now = replace(now, evaluated_at=None, alerts={}, memories={}, kpi_evaluated_at={})
    items = [
        gate_item(each.track.kpi, sprint, each.frame, each.track.inputs[0].evidence)
        for each in standings(plan, store, kpis, moment, now).values()
    ]
    return decide_gate(sprint, items, moment)


def _as_it_closed(plan: Plan, store: Store, sprint: Sprint, persisted: PersistedEvaluation) -> Gate:
    return gate_closed(plan.kpis, EvaluationState.restored(plan, persisted, ()), store, sprint)


def gate_closed(kpis: Iterable[KPI], state: EvaluationState, store: EvaluationStore, sprint: Sprint) -> Gate:
    """Return the go/no-go of a sprint that has closed, over ``kpis``, by the verdicts that were frozen.

    Of what went on after the close, by how it stood then. Raises ``StoreError``.
    """
    told = store.kpi_transitions(sprint.id, SPRINT_CLOSE, until=sprint.end_at, limit=1)
    ended = {final.kpi: final for transition in told for final in transition.finals}
    items = []
    for kpi in kpis:
        frozen = state.tracks[kpi.sprint, kpi.id].final
        if frozen is not None:
            items.append(gate_item(kpi, sprint, frozen))
        elif kpi.id in ended:
            items.append(ended_item(kpi, ended[kpi.id]))
        else:
            items.append(unjudged_item(kpi, "how it stood when the sprint closed is not on record"))
    return decide_gate(sprint, items, sprint.end_at, final=True)
