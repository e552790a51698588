"""Events, rates, quotients, calendar windows, exclusions, pace and drift against the plain oracle.

``SLO_GUARD_SEED`` repeats a run, ``SLO_GUARD_EXAMPLES`` makes it longer.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

from tests.support.differences import differences_from_oracle
from tests.support.scenarios_wide import KINDS, wide_scenarios
from tests.support.seeds import SEED, announce_seed

__all__ = ["announce_seed"]

EXAMPLES = int(os.environ.get("SLO_GUARD_EXAMPLES", "300"))


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
def test_evaluator_gives_the_answers_of_the_plain_oracle(kind: str, data: st.DataObject):
    """What is rare in a sprint, such as a change of clocks in an excluded night, must come out right the first time."""
    note(f"SLO_GUARD_SEED={SEED}")
    scenario = data.draw(wide_scenarios((kind,)))

    differences = list(
        differences_from_oracle(scenario.plan, scenario.observations, scenario.evaluations, scenario.zero)
    )

    assert not differences, "\n".join(differences)
