"""Error budgets, burn alerts and burn alarms after a restart are those of a run that nobody stopped.

``SLO_GUARD_SEED`` repeats a run, ``SLO_GUARD_EXAMPLES`` makes it longer.
"""

from __future__ import annotations

import os

import numpy as np
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

from slo_guard.domain.kpi import BudgetMethod
from slo_guard.domain.verdicts import VerdictFrame
from slo_guard.evaluate import Evaluation
from tests.support.burning import T0, Hours, burning_hours, instants, lived
from tests.support.restarts import shown, transitions_told
from tests.support.seeds import SEED, announce_seed

__all__ = ["announce_seed"]

EXAMPLES = int(os.environ.get("SLO_GUARD_EXAMPLES", "300"))
RANDOM = settings(
    max_examples=EXAMPLES // 12,
    deadline=None,
    database=None,
    print_blob=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@seed(SEED)
@RANDOM
@given(burning_hours(), st.data())
def test_a_restart_anywhere_changes_no_budget_no_burn_alert_and_no_burn_alarm(hours: Hours, data: st.DataObject):
    """A deployment in the middle of a burn must neither page again nor give the budget back."""
    note(f"SLO_GUARD_SEED={SEED}")
    stops = data.draw(st.sets(st.sampled_from(instants(hours)), min_size=1, max_size=3))

    for (now, one), (_, other) in zip(lived(hours), lived(hours, stops), strict=True):
        at = f"at +{now - T0:g}, stopped after {sorted(stops)}"
        assert [shown(frame) for frame in one.verdicts] == [shown(frame) for frame in other.verdicts], at
        assert _budgets(one) == _budgets(other), at
        assert transitions_told(one.transitions) == transitions_told(other.transitions), at
        assert one.burn_alarm_seconds == other.burn_alarm_seconds, at


def _budgets(evaluation: Evaluation) -> list[tuple[object, ...]]:
    # What stays when a sprint closes has its verdict and its value stored, and its budget only until a restart.
    shown_now = (frame for frame in evaluation.verdicts if frame.budget is not None and not frame.final)
    return [row for frame in shown_now for row in _budget_of(frame)]


def _budget_of(frame: VerdictFrame) -> list[tuple[object, ...]]:
    assert frame.budget is not None
    rows = [(labels, frame.budget.row(row)) for row, labels in enumerate(frame.index.label_sets)]
    return sorted(
        (frame.kpi.id, labels, str(row.bad), str(row.total), str(row.rates), str(row.burning), str(row.exhausted_in))
        for labels, row in rows
    )


@seed(SEED)
@RANDOM
@given(burning_hours(late=True))
def test_a_burn_rate_is_the_ratio_of_its_window_over_what_is_allowed(hours: Hours):
    """The alert and the number beside it come from two computations; a page must not contradict itself."""
    note(f"SLO_GUARD_SEED={SEED}")
    for now, evaluation in lived(hours):
        for frame in evaluation.verdicts:
            window, budget = frame.kpi.measure.window, frame.budget
            if budget is None or budget.budget.method is not BudgetMethod.OCCURRENCES:
                continue
            if window is None or window.seconds not in budget.windows.tolist():
                continue
            bad = frame.value if frame.kpi.source.part_is == "bad" else 1.0 - frame.value
            judged = ~np.isnan(frame.value)
            rate = budget.rate_over(window.seconds)
            said = f"{frame.kpi.id} at +{now - T0:g}"
            np.testing.assert_allclose(rate[judged], bad[judged] / budget.budget.allowed, err_msg=said, atol=1e-12)
