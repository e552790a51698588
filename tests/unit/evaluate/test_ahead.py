"""Pace, forecast and drift: worked numbers, and the trend against a plain computation."""

from __future__ import annotations

import statistics
from dataclasses import replace
from datetime import datetime
from itertools import combinations
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo_guard.domain.kpi import Op, Pace
from slo_guard.evaluate.outlook import elapsed_share, look_ahead
from slo_guard.evaluate.trend import LEAST_POINTS, POINTS, Trail, seconds_to_cross, theil_sen
from tests.support.builders import SPRINT_END, a_kpi, a_sprint, an_objective

SPRINT = a_sprint()


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/Denver")).timestamp()


def sessions(pace: Pace = Pace.WORKDAYS):
    return a_kpi(
        "sessions",
        "increase over sprint",
        objective=an_objective(Op.AT_LEAST, 100),
        due_at=SPRINT_END,
        pace=pace,
        unit="",
    )


@pytest.mark.parametrize(
    ("now", "share"),
    [
        ("2026-07-06T10:00", 0.0),
        ("2026-07-07T00:00", 0.1),
        ("2026-07-07T23:59", 0.1),
        ("2026-07-11T00:00", 0.5),
        ("2026-07-12T12:00", 0.5),
        ("2026-07-14T00:00", 0.6),
        ("2026-07-18T00:00", 1.0),
    ],
)
def test_by_work_days_the_line_rises_at_the_end_of_each(now, share):
    """Nobody is behind on Monday morning, and a weekend changes nothing."""
    assert elapsed_share(Pace.WORKDAYS, SPRINT, SPRINT_END, at(now)) == pytest.approx(share)


def test_a_linear_line_rises_evenly():
    """For what goes on at night too."""
    assert elapsed_share(Pace.LINEAR, SPRINT, SPRINT_END, at("2026-07-12T00:00")) == pytest.approx(0.5)


def test_behind_the_line_with_a_forecast_of_what_the_present_pace_brings():
    """42 sessions of 100 on Wednesday of the second week: the line asks for 60, at this pace there will be 70."""
    ahead = look_ahead(sessions(), SPRINT, np.array([42.0, 60.0]), None, at("2026-07-14T12:00"))

    assert ahead.behind.tolist() == [True, False]
    assert ahead.outlook.line.tolist() == [60.0, 60.0]
    assert ahead.outlook.forecast == pytest.approx([70.0, 100.0])


def test_of_whole_numbers_the_line_is_rounded_down():
    """A third of a session cannot be held."""
    ahead = look_ahead(sessions(Pace.LINEAR), SPRINT, np.array([0.0]), None, SPRINT.start_at + 3600)

    assert ahead.outlook.line[0] > 0
    assert not ahead.behind[0]


def test_of_a_limit_what_is_left_and_whether_it_can_still_be_kept():
    """Seven of ten minutes are used: three are left; eleven cannot be taken back."""
    kpi = a_kpi("burn", "total over sprint", objective=an_objective(Op.BELOW, 600), unit="seconds")
    ahead = look_ahead(kpi, SPRINT, np.array([420.0, 660.0]), None, at("2026-07-08T00:00"))

    assert ahead.outlook.left.tolist() == [180.0, -60.0]
    assert ahead.outlook.attainable.tolist() == [True, False]
    assert not ahead.misses.any()


def test_a_limit_with_a_pace_is_at_risk_when_its_use_is_forecast_to_cross_it():
    """Seven of ten minutes in a quarter of the sprint will be 28."""
    kpi = replace(
        a_kpi("burn", "total over sprint", objective=an_objective(Op.BELOW, 600), unit="seconds"), pace=Pace.LINEAR
    )
    quarter, first_hour = at("2026-07-09T00:00"), SPRINT.start_at + 3600

    ahead = look_ahead(kpi, SPRINT, np.array([420.0, 60.0]), None, quarter)

    assert ahead.misses.tolist() == [True, False]
    assert ahead.outlook.forecast == pytest.approx([1680.0, 240.0])
    assert not look_ahead(kpi, SPRINT, np.array([30.0]), None, first_hour).misses[0]


def test_a_burndown_runs_from_its_value_at_the_start_to_nothing():
    """80 points at the start: half of the work days later 40 should be left, and 50 are behind."""
    kpi = replace(a_kpi("points", "last", unit=""), pace=Pace.WORKDAYS)
    ahead = look_ahead(kpi, SPRINT, np.array([50.0, 40.0, 5.0]), np.array([80.0, 80.0, np.nan]), at("2026-07-11T00:00"))

    assert ahead.outlook.line.tolist()[:2] == [40.0, 40.0]
    assert ahead.behind.tolist() == [True, False, False]
    assert ahead.outlook.forecast.tolist()[:2] == [20.0, 0.0]
    assert np.isnan(ahead.outlook.line[2])


def test_without_pace_and_limit_there_is_nothing_ahead():
    """A p95 has no forecast."""
    assert (
        look_ahead(a_kpi("p95", "last", objective=an_objective(Op.AT_MOST, 1)), SPRINT, np.array([1.0]), None, 0.0)
        is None
    )


@settings(deadline=None, max_examples=200)
@given(st.lists(st.one_of(st.none(), st.floats(-1e3, 1e3)), min_size=2, max_size=POINTS))
def test_the_trend_is_the_median_of_the_slopes_of_all_pairs(values):
    """Theil and Sen, as their papers have it."""
    times = 100.0 * np.arange(len(values))
    column = np.array([np.nan if value is None else value for value in values])[:, None]
    known = [(time, value) for time, value in zip(times, values, strict=True) if value is not None]

    slope, level = theil_sen(times, column)

    if len(known) < LEAST_POINTS:
        assert np.isnan(slope[0])
        assert np.isnan(level[0])
        return
    expected = statistics.median((b - a) / (t - s) for (s, a), (t, b) in combinations(known, 2))
    assert slope[0] == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert level[0] == pytest.approx(
        statistics.median(v - expected * (t - times[-1]) for t, v in known), rel=1e-9, abs=1e-9
    )


def test_one_wild_value_in_five_changes_no_trend():
    """A drift alarm that every spike sets off is switched off in a week."""
    times = 600.0 * np.arange(POINTS)
    values = 0.001 + times * 1e-7
    values[::5] = 50.0

    slope, level = theil_sen(times, values[:, None])

    assert slope[0] == pytest.approx(1e-7, rel=0.2)
    assert level[0] == pytest.approx(0.001 + times[-1] * 1e-7, rel=0.2)


@pytest.mark.parametrize(
    ("objective", "level", "slope", "seconds"),
    [
        (an_objective(Op.AT_MOST, 10), 4.0, 2.0, 3.0),
        (an_objective(Op.AT_MOST, 10), 4.0, -2.0, np.inf),
        (an_objective(Op.AT_MOST, 10), 12.0, -2.0, 0.0),
        (an_objective(Op.AT_LEAST, 10), 14.0, -2.0, 2.0),
        (an_objective(Op.BETWEEN, 2, 10), 4.0, -2.0, 1.0),
        (an_objective(Op.BETWEEN, 2, 10), 4.0, 2.0, 3.0),
        (an_objective(Op.AT_MOST, 10), np.nan, 2.0, np.nan),
    ],
)
def test_when_a_trend_crosses_its_objective(objective, level, slope, seconds):
    """The drift alarm says how soon."""
    found = seconds_to_cross(objective, np.array([level]), np.array([slope]))[0]

    assert found == seconds or (np.isnan(found) and np.isnan(seconds))


def test_a_trail_keeps_one_point_a_stretch_and_forgets_what_is_older():
    """Six hours of samples each second must not be 21,600 points."""
    trail = Trail(360.0)
    for second in range(1000):
        trail.add(float(second), np.array([float(second)]))

    stretches, values = trail.until(999.0, 1)

    assert len(stretches) == POINTS
    assert values[-1, 0] == 989.0
    assert np.diff(stretches).tolist() == [1] * (POINTS - 1)
    assert trail.seconds(stretches)[-1] == pytest.approx(985.0)
