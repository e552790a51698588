"""Evaluation grids: every point comes once and in order, for any interval that a rule may have.

``SLO_GUARD_SEED`` repeats a run.
"""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given, note, seed, settings
from hypothesis import strategies as st

from slo_guard.clock import from_unix, to_unix
from slo_guard.domain.grid import AT_POINT_SECONDS, on_grid, point_after, point_up_to
from slo_guard.domain.kpi import Plan
from slo_guard.replay.steps import grid
from tests.support.builders import SPRINT_START, a_kpi, a_plan, a_sprint
from tests.support.seeds import SEED, announce_seed

__all__ = ["announce_seed"]

T0 = SPRINT_START
MILLISECONDS = st.integers(100, 10**8).map(lambda milliseconds: milliseconds / 1000)
STEPS = MILLISECONDS | st.sampled_from([0.1, 0.3, 0.7, 1.1, 2.2, 1 / 3]) | st.floats(0.1, 1e5)
INSTANTS = st.integers(0, 4 * 10**15).map(lambda microseconds: microseconds / 1e6) | st.floats(0, 4e9)
ORIGINS = st.sampled_from([0.0, T0, T0 + 0.1, T0 + 7.123456])


@seed(SEED)
@settings(max_examples=500, deadline=None, database=None, print_blob=True)
@given(step=STEPS, instant=INSTANTS, origin=ORIGINS)
def test_next_point_is_later_and_no_more_than_a_step_away(step: float, instant: float, origin: float):
    """A walk that stays where it is never ends; one that leaps leaves an evaluation out."""
    note(f"SLO_GUARD_SEED={SEED}")

    later = point_after(instant, step, origin)

    assert instant < later <= instant + step + 2 * AT_POINT_SECONDS
    assert on_grid(later, step, origin)
    assert point_after(later, step, origin) - later == pytest.approx(step, abs=2 * AT_POINT_SECONDS)


@seed(SEED)
@settings(max_examples=500, deadline=None, database=None, print_blob=True)
@given(step=STEPS, instant=INSTANTS)
def test_last_point_is_the_one_before_the_next(step: float, instant: float):
    """The daemon asks what is due now, the scheduler what comes next: between them no point may be lost."""
    note(f"SLO_GUARD_SEED={SEED}")

    last = point_up_to(instant, step)

    assert instant - step - AT_POINT_SECONDS <= last <= instant + AT_POINT_SECONDS
    assert on_grid(last, step)
    assert point_after(max(last, instant), step) - last == pytest.approx(step, abs=2 * AT_POINT_SECONDS)


@seed(SEED)
@settings(max_examples=300, deadline=None, database=None, print_blob=True)
@given(step=MILLISECONDS, factor=st.integers(1, 50), instant=INSTANTS)
def test_grids_of_multiples_meet_in_the_very_same_instant(step: float, factor: int, instant: float):
    """Two points a bit apart would judge every KPI of both twice."""
    note(f"SLO_GUARD_SEED={SEED}")

    slow = point_after(instant, round(step * 1000) * factor / 1000)

    assert point_up_to(slow, step) == slow


@seed(SEED)
@settings(max_examples=300, deadline=None, database=None, print_blob=True)
@given(step=STEPS, instant=INSTANTS)
def test_point_outlives_the_way_through_the_scheduler(step: float, instant: float):
    """A point that comes back from a datetime a bit earlier would be scheduled again at once."""
    note(f"SLO_GUARD_SEED={SEED}")

    point = point_after(instant, step)

    assert to_unix(from_unix(point)) == point


@pytest.mark.parametrize("step", [0.1, 0.3, 0.7, 1.1, 2.2])
@pytest.mark.parametrize("origin", [0.0, T0])
def test_walk_over_a_grid_that_floats_cannot_hold_ends(step: float, origin: float):
    """`backtest` of a rule with `interval: 1100ms` went round for ever at one instant."""
    walk = list(islice(grid(a_plan(a_kpi(interval_seconds=step)), T0, T0 + 22, origin=origin), 500))

    assert walk == sorted(set(walk))
    assert len(walk) == pytest.approx(22 / step + 0.5, abs=1)


def test_kpi_is_due_by_its_sprint_and_its_id():
    """Two sprints of one team name their KPIs alike, and may evaluate them at different intervals."""
    quick, slow = a_kpi(interval_seconds=60.0), a_kpi(sprint="sprint-41", interval_seconds=600.0)
    plan = Plan({"sprint-40": a_sprint(), "sprint-41": a_sprint(name="sprint-41")}, (quick, slow))

    assert plan.due_at(60.0).judged_now == (quick,)
    assert plan.due_since(60.0, 130.0).judged_now == (quick,)
    assert plan.due_at(600.0).judged_now == (quick, slow)
