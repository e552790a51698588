"""Every transition that rules would have made on recorded samples, evaluation by evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from slo_guard.clock import iso
from slo_guard.domain.alerts import Transition
from slo_guard.domain.kpi import Plan
from slo_guard.domain.ports import StoredObservation
from slo_guard.replay.steps import Stepper, grid


def backtest(plan: Plan, observations: Sequence[StoredObservation], start: float, end: float) -> Iterator[Transition]:
    """Yield the transitions of evaluations at ``start`` + k x interval, up to and including ``end`` (Unix seconds).

    Readings older than ``start`` fill the windows of the first evaluation; none is used before it was seen.
    """
    stepper = Stepper(plan, observations, start, end)
    for now in grid(plan, start, end, origin=start):
        yield from stepper.step(now, origin=start).transitions


def backtest_json(transitions: Iterable[Transition]) -> dict[str, Any]:
    """Return the JSON that scripts depend on; ``kind`` and ``severity`` tell breaches from quieter alerts."""
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
            }
            for transition in transitions
        ]
    }
