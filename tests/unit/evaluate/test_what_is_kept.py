"""What the evaluator keeps between evaluations stays as small as its windows."""

from __future__ import annotations

from slo_guard.clock import from_unix
from slo_guard.evaluate import EvaluationState, evaluate
from tests.support.builders import SPRINT_START, a_frame, a_kpi, a_plan, an_objective, labels, numbered


def kept_points(state: EvaluationState) -> list[int]:
    """Return how many points of time each side of the one KPI's samples keeps; 0 where it counts none."""
    [track] = state.tracks.values()
    return [0 if each.sample_count is None else len(each.sample_count._edges._points) for each in track.inputs]


def test_a_ratio_keeps_no_more_than_its_window() -> None:
    """Edges that nobody asks for would grow for as long as the daemon lives."""
    plan = a_plan(a_kpi(measure="ratio over 10m", objective=an_objective("below", 0.01)))
    state = EvaluationState.fresh()
    at, most = SPRINT_START, [0, 0]
    for cycle in range(5000):
        at += 30.0
        samples = [
            a_frame(name, at, {labels("system=fs"): cycle * step}) for name, step in (("part", 1.0), ("total", 1e3))
        ]
        first = state.reading_cursor + 1
        stored = [type(each)(first + place, each.observation) for place, each in enumerate(numbered(samples))]
        evaluate(plan, stored, state, from_unix(at))
        most = [max(pair) for pair in zip(most, kept_points(state), strict=True)]

    assert max(most) < 100
