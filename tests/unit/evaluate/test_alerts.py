"""Worked examples of alert states: when it pages, when it stops, and what it says of its end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slo_guard.clock import from_unix
from slo_guard.domain.alerts import AlertKind
from slo_guard.domain.kpi import Combine, Expected, NoData, NoDataThen, Pace
from slo_guard.domain.ports import StoredObservation
from slo_guard.domain.readings import IndicatorType
from slo_guard.domain.verdicts import AlertState
from slo_guard.evaluate import EvaluationState, evaluate
from tests.support.builders import (
    SPRINT_START,
    a_frame,
    a_kpi,
    a_plan,
    a_sign_off,
    an_evidence,
    an_objective,
    labels,
    numbered,
)
from tests.support.stories import samples, story

T0 = SPRINT_START
FS, XAI = labels("system=fs"), labels("system=xai2")
LIMIT = an_objective("at_most", 1.16)


MINUTES = [60.0 * n for n in range(12)]


def test_alert_waits_for_its_for_and_fires_at_the_first_evaluation_that_has_waited_long_enough():
    """A spike of a minute must not wake anybody."""
    told = story(a_kpi(objective=LIMIT, for_seconds=120), samples([1, 2, 1, 2, 2, 2, 1]), MINUTES[:7])

    assert told == [
        (60, "inactive", "pending", "objective_missed"),
        (120, "pending", "inactive", "recovered"),
        (180, "inactive", "pending", "objective_missed"),
        (300, "pending", "firing", "objective_missed"),
        (360, "firing", "inactive", "recovered"),
    ]


def test_alert_keeps_firing_until_it_was_clear_for_long_enough():
    """A flapping source must not send a pair of messages a minute."""
    kpi = a_kpi(objective=LIMIT, keep_firing_for_seconds=120)

    told = story(kpi, samples([2, 1, 2, 1, 1, 1]), MINUTES[:6])

    assert told == [(0, "inactive", "firing", "objective_missed"), (300, "firing", "inactive", "recovered")]


def test_firing_alert_resolves_only_beyond_its_resolve_bound():
    """Between the limit and the resolve bound nothing is well yet."""
    kpi = a_kpi(objective=LIMIT, resolve=an_objective("at_most", 1.10))

    told = story(kpi, samples([1.2, 1.12, 1.15, 1.1, 1.15]), MINUTES[:5])

    assert told == [(0, "inactive", "firing", "objective_missed"), (180, "firing", "inactive", "recovered")]


def test_missing_data_fire_without_a_further_wait():
    """Silence has waited for `no_data.after` already."""
    kpi = a_kpi(objective=LIMIT, for_seconds=300, no_data=NoData(120.0))

    told = story(kpi, samples([1]), MINUTES[:5])

    assert told == [(180, "inactive", "firing", "stale")]


def test_firing_alert_whose_data_stop_goes_on_firing():
    """Its reason changes from missed to no data; nobody is told that it was resolved."""
    told = story(a_kpi(objective=LIMIT, no_data=NoData(60.0)), samples([2]), MINUTES[:6])

    assert told == [(0, "inactive", "firing", "objective_missed")]


def test_held_alert_stands_still_and_fires_when_it_was_held_too_long():
    """`hold` is for sources that pause; a pause of an hour is none."""
    hold = NoData(60.0, NoDataThen.HOLD, hold_for_seconds=180.0)

    firing = story(a_kpi(objective=LIMIT, no_data=hold), samples([2, None, None, 1]), MINUTES[:4])
    silent = story(a_kpi(objective=LIMIT, no_data=hold), samples([1]), MINUTES[:8])

    assert firing == [(0, "inactive", "firing", "objective_missed"), (180, "firing", "inactive", "recovered")]
    assert silent == [(300, "inactive", "firing", "stale")]


def test_no_data_that_is_ok_ends_the_alert_without_calling_it_recovered():
    """The rule says that silence is no reason to page; it does not say that all is well."""
    kpi = a_kpi(objective=LIMIT, no_data=NoData(60.0, NoDataThen.OK))

    told = story(kpi, samples([2]), MINUTES[:4])

    assert told == [(0, "inactive", "firing", "objective_missed"), (120, "firing", "inactive", "no_data_is_ok")]


def test_verdict_that_can_no_longer_be_given_ends_the_alert_as_such():
    """Too little traffic to judge is not a recovery."""
    kpi = a_kpi(measure="ratio over 3m", objective=an_objective("below", 0.1), min_total=5)
    parts = [a_frame("part", T0 + 60 * n, value) for n, value in enumerate([0, 5, 5, 5, 5, 5])]
    totals = [a_frame("total", T0 + 60 * n, value) for n, value in enumerate([0, 10, 10, 10, 10, 10])]

    told = story(kpi, [*parts, *totals], MINUTES[:6])

    assert told == [(60, "inactive", "firing", "objective_missed"), (240, "firing", "inactive", "no_longer_judged")]


def test_overdue_evidence_pages_at_its_due_time_and_resolves_when_signed_late():
    """A missed deadline is told at the deadline."""
    kpi = a_kpi(type=IndicatorType.BOOL, objective=an_objective("is", True), due_at=T0 + 120)
    unsigned = [an_evidence("a", T0 + 60 * n) for n in range(4)]
    signed = an_evidence("a", T0 + 240, a_sign_off(T0 + 230))

    told = story(kpi, [*unsigned, signed], MINUTES[:5])

    assert told == [(120, "inactive", "firing", "overdue"), (240, "firing", "inactive", "recovered")]


def test_at_risk_raises_the_quieter_alert_and_a_breach_does_not_resolve_it():
    """Getting worse must not be announced as an end of the risk."""
    kpi = a_kpi(objective=LIMIT, warn=an_objective("at_most", 1.05))
    state, kinds = EvaluationState.fresh(), []

    for stored, now in zip(numbered(samples([1, 1.1, 1.2, 1.1, 1])), MINUTES, strict=False):
        transitions = evaluate(a_plan(kpi), [stored], state, from_unix(T0 + now)).transitions
        kinds += [(now, each.key.kind, each.to_state, each.severity.value) for each in transitions]

    assert kinds == [
        (60, AlertKind.RISK, AlertState.FIRING, "ticket"),
        (120, AlertKind.BREACH, AlertState.FIRING, "page"),
        (180, AlertKind.BREACH, AlertState.INACTIVE, "page"),
        (240, AlertKind.RISK, AlertState.INACTIVE, "ticket"),
    ]


def test_firing_alert_with_a_resolve_bound_does_not_end_because_nothing_can_be_judged():
    """It resolves only at `resolve`: too little traffic says nothing of that."""
    kpi = a_kpi(
        measure="ratio over 3m", objective=an_objective("below", 0.1), resolve=an_objective("below", 0.05), min_total=5
    )
    parts = [a_frame("part", T0 + 60 * n, value) for n, value in enumerate([0, 5, 5, 5, 5, 5, 5, 5])]
    totals = [a_frame("total", T0 + 60 * n, value) for n, value in enumerate([0, 10, 10, 10, 10, 10, 10, 30])]

    told = story(kpi, [*parts, *totals], MINUTES[:8])

    assert told == [(60, "inactive", "firing", "objective_missed"), (420, "firing", "inactive", "recovered")]


@pytest.mark.parametrize("then", list(NoDataThen))
def test_kpi_without_an_objective_never_alerts(then):
    """A number to watch is not a number to page about, and neither is its absence."""
    assert story(a_kpi(no_data=NoData(60.0, then, 60.0), min_samples=5), samples([1]), MINUTES) == []


@pytest.mark.parametrize(
    ("then", "end"), [(NoDataThen.ALERT, (240, "recovered")), (NoDataThen.OK, (180, "no_data_is_ok"))]
)
def test_what_is_tracked_is_told_of_while_it_is_past_its_warning(then, end):
    """A blocker of four days needs somebody, although nobody promised a bound; where it is missing, it is as it was."""
    kpi = a_kpi(warn=an_objective("at_most", 3), no_data=NoData(60.0, then, 60.0))

    told = story(kpi, samples([1, 4, None, None, 2]), MINUTES[:5])

    assert told == [(60, "inactive", "firing", "past_warn"), (end[0], "firing", "inactive", end[1])]


def test_risk_of_a_goal_that_is_on_its_line_again_is_over():
    """Who was told that a goal is behind hears that it has caught up, not that nothing is known of it any more."""
    goal = a_kpi(measure="increase over sprint", objective=an_objective("at_least", 100), due_at=T0 + 600, unit="")
    kpi = replace(goal, baseline=0.0, pace=Pace.LINEAR)

    told = story(kpi, samples([0, 5, 20]), MINUTES[:3])

    assert told == [(60, "inactive", "firing", "behind_pace"), (120, "firing", "inactive", "recovered")]


@pytest.mark.parametrize(
    ("combine", "values"), [(None, (9.0, 0.5)), (Combine.SUM, (1.0, 0.5)), (Combine.MEAN, (9.0, 0.5))]
)
def test_breaching_series_that_falls_silent_goes_on_firing(combine, values):
    """The worst pod crashed: that the others are fine is no recovery."""
    kpi = a_kpi(objective=LIMIT, combine=combine, no_data=NoData(60.0))
    frames = [a_frame("a", T0, {FS: values[0], XAI: values[1]})]
    frames += [a_frame("a", T0 + 60 * n, {XAI: values[1]}) for n in range(1, 6)]

    told = story(kpi, frames, MINUTES[:6])

    assert told == [(0, "inactive", "firing", "objective_missed")]


def test_healthy_series_that_falls_silent_changes_nothing():
    """Pods come and go all day."""
    kpi = a_kpi(objective=LIMIT, no_data=NoData(60.0))
    frames = [a_frame("a", T0, {FS: 1.0, XAI: 0.5})]
    frames += [a_frame("a", T0 + 60 * n, {XAI: 0.5}) for n in range(1, 6)]

    assert story(kpi, frames, MINUTES[:6]) == []


def test_firing_alert_over_a_short_window_is_not_resolved_by_silence():
    """The window is empty long before the sample is stale: that is no data, and no end."""
    kpi = a_kpi(measure="max over 1m", objective=LIMIT)
    silence = [a_frame("a", T0 + 30 * n, {FS: None}) for n in range(4, 14)]

    told = story(kpi, [*samples([5, 5, 5, 5], step=30), *silence], [30.0 * n for n in range(14)])

    assert told == [(0, "inactive", "firing", "objective_missed")]


def test_each_series_has_its_own_alert():
    """One system's recovery says nothing about another's."""
    kpi = a_kpi(objective=LIMIT, by=("system",))
    frames = [a_frame("a", T0, {FS: 2.0, XAI: 1.0}), a_frame("a", T0 + 60, {FS: 1.0, XAI: 2.0})]

    told = story(kpi, frames, MINUTES[:2])

    assert [(time, to) for time, _, to, _ in told] == [(0, "firing"), (60, "inactive"), (60, "firing")]


def test_series_that_is_forgotten_ends_its_alert_as_gone():
    """A deleted tenant's alert must end, and must not be called recovered."""
    kpi = a_kpi(objective=LIMIT, by=("system",), no_data=NoData(60.0), forget_after_seconds=240.0)
    frames = [a_frame("a", T0, {FS: 2.0, XAI: 1.0})]
    frames += [a_frame("a", T0 + 60 * n, {XAI: 1.0}) for n in range(1, 7)]

    told = story(kpi, frames, MINUTES[:7])

    assert told == [(0, "inactive", "firing", "objective_missed"), (300, "firing", "inactive", "series_gone")]


@pytest.mark.parametrize("value", [1.0, 9.0])
def test_alert_of_a_kpi_without_series_ends_when_series_come_and_nothing_is_called_recovered(value):
    """The placeholder's alert is over once there is something to judge, however that is judged."""
    kpi = a_kpi(objective=LIMIT, by=("system",), for_seconds=300)
    frames = [a_frame("a", T0, {}), a_frame("a", T0 + 60, {FS: value})]

    told = story(kpi, frames, MINUTES[:2])

    assert told[:2] == [(0, "inactive", "firing", "no_series"), (60, "firing", "inactive", "series_appeared")]


def test_alert_of_missing_expected_series_ends_when_one_of_them_comes():
    """Any region's series will do where only the system is expected."""
    kpi = a_kpi(objective=LIMIT, by=("region", "system"), expect=(Expected("system", ("fs",)),))
    frames = [a_frame("a", T0, {}), a_frame("a", T0 + 60, {labels("region=us,system=fs"): 1.0})]

    told = story(kpi, frames, MINUTES[:2])

    assert told == [(0, "inactive", "firing", "never_seen"), (60, "firing", "inactive", "series_appeared")]


def test_removed_rule_ends_its_alert_as_removed():
    """Deleting a rule must not look like mending what it watched."""
    first, second = a_kpi("one", objective=LIMIT), a_kpi("two", objective=LIMIT)
    state = EvaluationState.fresh()
    story(a_plan(first, second), samples([2]), [0.0], state)

    result = evaluate(a_plan(second), [], state, from_unix(T0 + 60))

    assert [(each.key.kpi, each.reason.value) for each in result.transitions] == [("one", "rule_removed")]
    assert [key.kpi for key in result.state.alerts] == ["two"]


def test_changed_threshold_keeps_the_state():
    """Loosening a limit resolves by the new limit; tightening it does not restart anything."""
    state = EvaluationState.fresh()
    story(a_kpi(objective=LIMIT, for_seconds=120), samples([2, 2, 2]), MINUTES[:3], state)

    told = story(a_kpi(objective=an_objective("at_most", 3), for_seconds=120), samples([2, 2, 2, 2]), [180.0], state)

    assert told == [(180, "firing", "inactive", "recovered")]


def test_time_that_goes_back_is_skipped_and_nothing_is_lost():
    """A clock set back must neither rewind alerts nor swallow readings."""
    kpi, state = a_kpi(objective=LIMIT), EvaluationState.fresh()
    evaluate(a_plan(kpi), numbered(samples([1])), state, from_unix(T0 + 60))
    late = [StoredObservation(2, a_frame("a", T0 + 50, 2.0))]

    skipped = evaluate(a_plan(kpi), late, state, from_unix(T0 + 55))
    taken = evaluate(a_plan(kpi), late, state, from_unix(T0 + 61))

    assert skipped.skipped
    assert skipped.verdicts == ()
    assert [each.to_state for each in taken.transitions] == [AlertState.FIRING]


def test_what_is_tracked_raises_a_risk_past_its_warning_and_nothing_else():
    """A blocker of four days is told although nobody promised anything; that the number is missing wakes nobody."""
    kpi = a_kpi("blockers", "last", warn=an_objective("at_most", 3.0))

    told = story(kpi, samples([4, 4, 1]), [0, 60, 120, 600])

    assert told == [(0, "inactive", "firing", "past_warn"), (120, "firing", "inactive", "recovered")]
