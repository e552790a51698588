"""The vectorised evaluator against a plain oracle, on random rules and random days.

``SLO_GUARD_SEED`` repeats a run, ``SLO_GUARD_EXAMPLES`` makes it longer.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, given, note, seed, settings

from tests.support.differences import differences_from_oracle
from tests.support.scenarios import T0, Scenario, scenarios, silences
from tests.support.seeds import SEED, announce_seed

__all__ = ["announce_seed"]

EXAMPLES = int(os.environ.get("SLO_GUARD_EXAMPLES", "300"))


@seed(SEED)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    print_blob=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(scenario=scenarios())
def test_evaluator_gives_the_answers_of_the_plain_oracle(scenario: Scenario):
    """Arrays, caches and window buffers are only ever an optimisation: they must not change one verdict or alert."""
    note(f"SLO_GUARD_SEED={SEED}")

    differences = list(differences_from_oracle(scenario.plan, scenario.observations, scenario.evaluations, T0))

    assert not differences, "\n".join(differences)


@seed(SEED)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    print_blob=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(scenario=silences())
def test_series_that_fall_silent_are_judged_as_the_plain_oracle_judges_them(scenario: Scenario):
    """Silence of one series beside others is the quietest way to a false green."""
    note(f"SLO_GUARD_SEED={SEED}")

    differences = list(differences_from_oracle(scenario.plan, scenario.observations, scenario.evaluations, T0))

    assert not differences, "\n".join(differences)
