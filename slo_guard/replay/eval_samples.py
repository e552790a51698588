"""Verdicts at one instant from recorded samples: what a daemon that had run since the first of them would say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from slo_guard.clock import iso
from slo_guard.domain.kpi import Plan
from slo_guard.domain.ports import StoredObservation
from slo_guard.domain.verdicts import SeriesVerdict
from slo_guard.evaluate.verdict_json import verdict_json
from slo_guard.replay.steps import Stepper, grid

MOST_STEPS = 100_000
"""Evaluations before the last one; a longer recording is stepped through for its end only."""


@dataclass(frozen=True, slots=True)
class EvaluatedAt:
    """All verdicts at ``at``, in rule file order.

    ``stepped_from`` is None, or, where the recording was too long to step through from its first sample,
    the instant from which it was: verdicts and values are right all the same, but alerts are as of a daemon
    that started then.
    """

    at: float
    sprint: str | None
    verdicts: tuple[SeriesVerdict, ...]
    stepped_from: float | None

    def document(self) -> dict[str, Any]:
        """Return the JSON that scripts depend on."""
        return {"at": iso(self.at), "sprint": self.sprint, "verdicts": [verdict_json(row) for row in self.verdicts]}


def evaluate_samples(
    plan: Plan, observations: Sequence[StoredObservation], at: float, *, most_steps: int = MOST_STEPS
) -> EvaluatedAt:
    """Evaluate on the epoch's grid from the first sample on, then every KPI once at ``at`` (Unix seconds)."""
    until = [stored for stored in observations if stored.observation.seen_at <= at]
    first = until[0].observation.seen_at if until else at
    begin = _affordable_start(plan, first, at, most_steps)
    stepper = Stepper(plan, until, first, at)
    for now in grid(plan, begin, at):
        if now < at:
            stepper.step(now)
    evaluation = stepper.step(at, judge_all=True)
    rows = tuple(frame.row(position) for frame in evaluation.verdicts for position in range(len(frame.index)))
    return EvaluatedAt(at, sprint_at(plan, at), rows, stepped_from=begin if begin > first else None)


def sprint_at(plan: Plan, at: float) -> str | None:
    """Return the sprint that runs at an instant, else the last one begun before it, else the next; None without any."""
    sprints = sorted(plan.sprints.values(), key=lambda sprint: sprint.start_at)
    begun = [sprint for sprint in sprints if sprint.start_at <= at]
    return (begun[-1] if begun else sprints[0]).id if sprints else None


def _affordable_start(plan: Plan, first: float, at: float, most_steps: int) -> float:
    steps_a_second = sum(1 / interval for interval in {kpi.interval_seconds for kpi in plan.kpis})
    return first if (at - first) * steps_a_second <= most_steps else at - most_steps / steps_a_second
