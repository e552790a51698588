"""Restarts: what stored readings back to ``needed_from`` rebuild is what ran on, for the measures that look far back."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

from slo_guard.clock import from_unix
from slo_guard.domain.ports import PersistedEvaluation
from slo_guard.evaluate import Evaluation, EvaluationState, evaluate, needed_from
from tests.support.builders import numbered
from tests.support.restarts import kept, shown, transitions_told
from tests.support.scenarios_wide import KINDS, WideScenario, wide_scenarios
from tests.support.seeds import SEED, announce_seed

__all__ = ["announce_seed"]

EXAMPLES = int(os.environ.get("SLO_GUARD_EXAMPLES", "300"))


def _run(scenario: WideScenario, stop_after: int | None) -> list[Evaluation]:
    """Evaluate a scenario; after evaluation number ``stop_after`` go on with what the readings still needed rebuild."""
    state, persisted = EvaluationState.fresh(), PersistedEvaluation(None, 0, 0, {}, {}, {})
    stored, results = numbered(scenario.observations), []
    for number, now in enumerate(scenario.evaluations):
        new = [item for item in stored if item.id > state.reading_cursor and item.observation.seen_at <= now]
        result = evaluate(scenario.plan.due_at(now, scenario.zero), new, state, from_unix(now))
        results.append(result)
        persisted = kept(persisted, result.record)
        if number == stop_after and number + 1 < len(scenario.evaluations):
            needed = needed_from(scenario.plan, scenario.evaluations[number + 1])
            readings = [
                item for item in stored if item.id <= persisted.reading_cursor and item.observation.seen_at >= needed
            ]
            state = EvaluationState.restored(scenario.plan, persisted, readings)
    return results


@pytest.mark.parametrize("kind", KINDS)
@seed(SEED)
@settings(
    max_examples=max(20, EXAMPLES // len(KINDS)),
    deadline=None,
    database=None,
    print_blob=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(data=st.data())
def test_a_restart_anywhere_changes_no_verdict_and_no_transition(kind: str, data: st.DataObject):
    """A month's count, a day across a change of clocks and a trend of six hours survive a deployment."""
    note(f"SLO_GUARD_SEED={SEED}")
    scenario = data.draw(wide_scenarios((kind,), patient=True))
    stop_after = data.draw(st.integers(0, max(0, len(scenario.evaluations) - 1)))

    straight, stopped = _run(scenario, None), _run(scenario, stop_after)

    for now, one, other in zip(scenario.evaluations, straight, stopped, strict=True):
        at = f"at +{now - scenario.zero:g}"
        assert [shown(frame) for frame in one.verdicts] == [shown(frame) for frame in other.verdicts], at
        assert transitions_told(one.transitions) == transitions_told(other.transitions), at
