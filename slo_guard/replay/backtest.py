"""Every transition that rules would have made on recorded samples, evaluation by evaluation."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from slo_guard.clock import iso
from slo_guard.domain.alerts import Transition
from slo_guard.domain.kpi import Plan
from slo_guard.domain.ports import ReadingStore, StoredObservation
from slo_guard.evaluate import needed_from
from slo_guard.replay.steps import Stepper, grid


def backtest(
    plan: Plan,
    observations: Iterable[StoredObservation],
    start: float,
    end: float,
    *,
    coming: Collection[str] | None = None,
) -> Iterator[Transition]:
    """Yield the transitions of evaluations at ``start`` + k x interval, up to and including ``end`` (Unix seconds).

    Readings older than ``start`` fill the windows of the first evaluation; none is used before it was seen.
    ``coming``: the indicators that come by ``end``, where ``observations`` is no sequence.
    """
    stepper = Stepper(plan, observations, start, end, coming=coming)
    for now in grid(plan, start, end, origin=start):
        yield from stepper.step(now, origin=start).transitions


def backtest_store(plan: Plan, store: ReadingStore, start: float, end: float) -> Iterator[Transition]:
    """Yield what :func:`backtest` does of the readings that a daemon stored, each as of when it was seen.

    They are read as they are needed: a store may hold more than there is memory. Raises ``StoreError``.
    """
    names = frozenset(name for kpi in plan.kpis for name in kpi.indicators)
    stored = store.observations(seen_from=needed_from(plan, start), seen_until=end, indicators=sorted(names))
    yield from backtest(plan, stored, start, end, coming=names)


def backtest_json(transitions: Iterable[Transition]) -> dict[str, Any]:
    """Return the JSON that scripts depend on; ``kind``, ``tier`` and ``severity`` tell breaches from other alerts."""
    return {
        "transitions": [
            {
                "at": iso(transition.at),
                "kpi": transition.key.kpi,
                "labels": dict(transition.key.labels),
                "from": transition.from_state.label,
                "to": transition.to_state.label,
                "value": transition.value,
                "reason": transition.reason.value,
                "kind": transition.key.kind.value,
                "severity": transition.severity.value,
                **({"tier": transition.key.tier} if transition.key.tier else {}),
            }
            for transition in transitions
        ]
    }
