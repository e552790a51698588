"""Short ways to have rules judged: once, or again and again over a stretch of time that begins at T0."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from slo_guard.clock import from_unix
from slo_guard.domain.kpi import KPI, Plan
from slo_guard.domain.readings import Observation
from slo_guard.domain.verdicts import VerdictFrame
from slo_guard.evaluate import EvaluationState, evaluate
from tests.support.builders import SPRINT_START, a_frame, a_plan, numbered

T0 = SPRINT_START


def judged(kpi: KPI, observations: Iterable[Observation], now: float) -> VerdictFrame:
    """Evaluate one KPI once, at ``now``, over everything seen by then."""
    result = evaluate(a_plan(kpi), numbered(observations), EvaluationState.fresh(), from_unix(now))
    return result.verdicts[0]


def story(
    plan: Plan | KPI, observations: Iterable[Observation], times: Sequence[float], state: EvaluationState | None = None
) -> list[tuple[float, str, str, str]]:
    """Evaluate at T0 + each of ``times``; return (seconds after T0, from, to, reason) of each transition."""
    plan = plan if isinstance(plan, Plan) else a_plan(plan)
    state = state or EvaluationState.fresh()
    waiting = [item for item in numbered(observations) if item.id > state.reading_cursor]
    told = []
    for time in times:
        now = T0 + time
        news = [item for item in waiting if item.observation.seen_at <= now]
        waiting = [item for item in waiting if item.observation.seen_at > now]
        told += [
            (each.at - T0, each.from_state.label, each.to_state.label, each.reason.value)
            for each in evaluate(plan, news, state, from_unix(now)).transitions
        ]
    return told


def samples(values: Sequence[float | None], step: float = 60.0, start: float = 0.0) -> list[Observation]:
    """Return one sample a step, none where None stands."""
    return [a_frame("a", T0 + start + step * n, value) for n, value in enumerate(values) if value is not None]
