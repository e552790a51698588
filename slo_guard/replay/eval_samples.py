"""Verdicts at one instant from recorded samples: what a daemon that had run since the first of them would say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from slo_guard.clock import iso
from slo_guard.domain.builtin import BURN_ALARM
from slo_guard.domain.kpi import KPI, NoDataThen, Plan, Sprint
from slo_guard.domain.ports import StoredObservation
from slo_guard.domain.sprints import is_handed_over
from slo_guard.domain.verdicts import REASON_CODE, Reason, SeriesVerdict, Verdict, VerdictFrame
from slo_guard.evaluate import Evaluation
from slo_guard.evaluate.objectives import meets
from slo_guard.evaluate.verdict_json import verdict_json
from slo_guard.replay.steps import Stepper, grid

MOST_STEPS = 100_000
"""Evaluations before the last one; a longer recording is stepped through for its end only."""

_Key: TypeAlias = tuple[str, str]


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
    """Evaluate on the epoch's grid from the first sample on, then every KPI once at ``at`` (Unix seconds).

    Only the KPIs whose alerts can depend on it are stepped through from the first sample; see :func:`_is_calm`.
    """
    until = [stored for stored in observations if stored.observation.seen_at <= at]
    first = until[0].observation.seen_at if until else at
    lately = at - max((kpi.keep_firing_for_seconds + 2 * kpi.interval_seconds for kpi in plan.kpis), default=0.0)
    recent = _frames(Stepper(plan, until, max(first, lately), at, recorded_from=first).walk())
    last = {key: frames[-1] for key, frames in recent.items()}
    restless = [kpi for kpi in plan.kpis if lately > first and not _is_calm(kpi, recent.get(_key(kpi), ()), at)]
    heard = {indicator for stored in until for indicator in stored.observation.indicators}
    silent = [kpi for kpi in restless if _is_silent(kpi, heard, plan.sprints[kpi.sprint], first)]
    for kpi in silent:
        # Nothing ever changes for it: it was evaluated first, and it is now.
        alone = replace(plan, kpis=(kpi,))
        stepper = Stepper(alone, (), first, at)
        stepper.step(next(grid(alone, first, at)), judge_all=True)
        last |= _last_frames([stepper.step(at, judge_all=True)])
    stepped = replace(plan, kpis=with_those_before([kpi for kpi in restless if kpi not in silent], plan))
    begin = _affordable_start(stepped, first, at, most_steps)
    if stepped.kpis:
        last |= _last_frames(Stepper(stepped, until, begin, at, recorded_from=first).walk())
    frames = [last[_key(kpi)] for kpi in plan.kpis if not is_handed_over(kpi, plan, at)]
    rows = [frame.row(row) for frame in frames for row in range(len(frame.index))]
    return EvaluatedAt(at, sprint_at(plan, at), tuple(rows), begin if stepped.kpis and begin > first else None)


def _frames(evaluations: Iterable[Evaluation]) -> dict[_Key, list[VerdictFrame]]:
    """Return each KPI's frames, in ascending time."""
    frames: dict[_Key, list[VerdictFrame]] = {}
    for evaluation in evaluations:
        for frame in evaluation.verdicts:
            frames.setdefault(_key(frame.kpi), []).append(frame)
    return frames


def _last_frames(evaluations: Iterable[Evaluation]) -> dict[_Key, VerdictFrame]:
    """Return each KPI's newest frame, holding no other."""
    return {_key(frame.kpi): frame for evaluation in evaluations for frame in evaluation.verdicts}


def _key(kpi: KPI) -> _Key:
    return kpi.sprint, kpi.id


def _is_silent(kpi: KPI, heard: AbstractSet[str], sprint: Sprint, first: float) -> bool:
    """Whether nothing is recorded of a KPI, so that its alert fires at the first evaluation and stays."""
    nothing_recorded = heard.isdisjoint(kpi.indicators) and BURN_ALARM not in kpi.indicators
    return nothing_recorded and kpi.when is None and kpi.no_data.then is NoDataThen.ALERT and first >= sprint.start_at


def with_those_before(kpis: Iterable[KPI], plan: Plan) -> tuple[KPI, ...]:
    """Return ``kpis`` with those that what is said of them depends on.

    That are conditions, what may sound the burn alarms that they read, and what earlier sprints left.
    """
    wanted, found = list(kpis), dict[_Key, KPI]()
    while wanted:
        kpi = wanted.pop()
        if _key(kpi) not in found:
            found[_key(kpi)] = kpi
            wanted += [
                other
                for other in plan.kpis
                if (kpi.when is not None and _key(other) == (kpi.sprint, kpi.when.kpi))
                or (BURN_ALARM in kpi.indicators and other.sprint == kpi.sprint and other.error_budget is not None)
                or (other.id == kpi.id and plan.sprints[other.sprint].end_at <= plan.sprints[kpi.sprint].start_at)
            ]
    return tuple(kpi for kpi in plan.kpis if _key(kpi) in found)


def _is_calm(kpi: KPI, frames: Sequence[VerdictFrame], at: float) -> bool:
    """Whether a KPI's breach alert is inactive at ``at`` and its verdicts are final, whatever was before ``frames``.

    So it is when no series has given a reason to alert for as long as an alert keeps firing, unless what is
    judged now depends on what was judged when it was due. Without an objective there is no alert. Burn alarms are
    counted at each evaluation, so what reads them has to be stepped through all of these.
    """
    if BURN_ALARM in kpi.indicators:
        return False
    if kpi.objective is None:
        return True
    if kpi.due_at is not None and at >= kpi.due_at:
        return False
    return not any(_may_alert(kpi, frame) for frame in frames)


def _may_alert(kpi: KPI, frame: VerdictFrame) -> bool:
    reasons = frame.verdict == Verdict.MISSED
    if kpi.no_data.then is not NoDataThen.OK:
        reasons = reasons | (frame.verdict == Verdict.NO_DATA)
    if kpi.resolve is not None:
        reasons = reasons | ~meets(kpi.resolve, frame.value) | (frame.verdict == Verdict.INSUFFICIENT)
    if kpi.when is not None:
        reasons = reasons | (frame.reason == REASON_CODE[Reason.CONDITION_UNKNOWN])
    return bool(reasons.any())


def sprint_at(plan: Plan, at: float) -> str | None:
    """Return the sprint that runs at an instant, else the last one begun before it, else the next; None without any."""
    sprints = sorted(plan.sprints.values(), key=lambda sprint: sprint.start_at)
    begun = [sprint for sprint in sprints if sprint.start_at <= at]
    return (begun[-1] if begun else sprints[0]).id if sprints else None


def _affordable_start(plan: Plan, first: float, at: float, most_steps: int) -> float:
    steps_a_second = sum(1 / interval for interval in {kpi.interval_seconds for kpi in plan.kpis})
    return first if (at - first) * steps_a_second <= most_steps else at - most_steps / steps_a_second
