"""Which series is shown first, where several have the same verdict."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo_guard.domain.verdicts import AlertState, Verdict
from slo_guard.evaluate.worst_first import worst_row, worst_rows
from tests.support.builders import a_kpi, an_objective
from tests.support.pictures import verdict_frame

NAN = float("nan")


def frame_of(objective, values, verdicts=Verdict.MET, states=None):
    rows = {(("system", f"{number:03}"),): value for number, value in enumerate(values)}
    states = [AlertState.INACTIVE] * len(values) if states is None else states
    return verdict_frame(a_kpi(objective=objective), rows, verdicts, alert_state=states)


@pytest.mark.parametrize(
    ("objective", "order"),
    [
        (an_objective("at_most", 10), [2, 0, 1]),
        (an_objective("below", 10), [2, 0, 1]),
        (an_objective("at_least", 0), [1, 0, 2]),
        (an_objective("above", 0), [1, 0, 2]),
        (an_objective("equals", 5), [1, 2, 0]),
        (an_objective("between", 0, 12), [1, 2, 0]),
        (None, [0, 1, 2]),
    ],
)
def test_of_equal_verdicts_the_nearest_to_the_limit_comes_first(objective, order):
    """Of a hundred tenants that are met the one to watch is the one that will be missed next."""
    frame = frame_of(objective, [5.0, 1.0, 9.0])

    assert worst_rows(frame, 3) == order
    assert worst_row(frame) == order[0]


def test_a_worse_verdict_and_then_a_firing_alert_come_before_any_value():
    """What is missed is not hidden by what is nearly missed."""
    verdicts = [Verdict.MET, Verdict.MISSED, Verdict.MISSED, Verdict.AT_RISK]
    states = [AlertState.INACTIVE, AlertState.PENDING, AlertState.FIRING, AlertState.INACTIVE]
    frame = frame_of(an_objective("at_most", 10), [9.9, 30.0, 20.0, 10.0], verdicts, states)

    assert worst_rows(frame, 4) == [2, 1, 3, 0]
    assert worst_rows(frame, 2) == [2, 1]


def test_what_has_no_value_comes_last_among_equals():
    """It has no distance to anything."""
    frame = frame_of(an_objective("at_most", 10), [NAN, 3.0, NAN], Verdict.INSUFFICIENT)

    assert worst_rows(frame, 3) == [1, 0, 2]
    assert worst_row(frame_of(an_objective("at_most", 10), [NAN, NAN], Verdict.NO_DATA)) == 0


@given(
    values=st.lists(st.floats(-1e9, 1e9) | st.just(NAN), min_size=1, max_size=30),
    op=st.sampled_from(["at_most", "at_least", "equals"]),
    data=st.data(),
)
def test_the_worst_one_is_the_first_of_the_worst(values, op, data):
    """The board's one number, and the course over the sprint, are those of the first line of the table."""
    verdicts = [data.draw(st.sampled_from([Verdict.MET, Verdict.MISSED, Verdict.NO_DATA])) for _ in values]
    states = [data.draw(st.sampled_from([*AlertState])) for _ in values]
    frame = frame_of(an_objective(op, 3.0), np.array(values).tolist(), verdicts, states)

    assert worst_row(frame) == worst_rows(frame, 1)[0]
    assert sorted(worst_rows(frame, len(values))) == list(range(len(values)))
