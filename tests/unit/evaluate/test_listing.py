"""What a source's listing tells the evaluator: which series began, which are merely silent, and which have ended."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from slo_guard.clock import from_unix
from slo_guard.domain.kpi import KPI, Combine, Expected
from slo_guard.domain.ports import PersistedEvaluation
from slo_guard.domain.readings import Observation
from slo_guard.domain.verdicts import Reason, SeriesVerdict, Verdict
from slo_guard.evaluate import EvaluationState, evaluate
from tests.support.builders import SPRINT_START, a_failure, a_frame, a_kpi, a_plan, an_objective, labels, numbered

T0 = SPRINT_START
MINUTE, HOUR = 60.0, 3600.0
A, B = labels("system=a"), labels("system=b")


def judged(kpi: KPI, observations: Iterable[Observation], now: float) -> dict[str, SeriesVerdict]:
    """Evaluate one KPI once, at ``now``; return its rows by their system."""
    result = evaluate(a_plan(kpi), numbered(observations), EvaluationState.fresh(), from_unix(now))
    frame = result.verdicts[0]
    return {dict(row.labels).get("system", ""): row for row in map(frame.row, range(len(frame.index)))}


def test_a_listed_series_with_a_stuck_time_stamp_is_stale_and_stays():
    """Its source still shows it: to call it gone, or to forget it after a day, would end its alert as if it were."""
    kpi = a_kpi(objective=an_objective("at_most", 1.0), by=("system",))
    page = [
        frame
        for hour in range(31)
        for now in [T0 + hour * HOUR]
        for frame in (
            a_frame("a", T0, {A: 9.0, B: None}, seen_at=now),
            a_frame("a", now, {A: None, B: 0.5}, seen_at=now),
        )
    ]

    rows = judged(kpi, page, T0 + 30 * HOUR)

    assert (rows["a"].verdict, rows["a"].reason) == (Verdict.NO_DATA, Reason.STALE)
    assert rows["b"].verdict is Verdict.MET


def test_a_series_is_not_gone_because_its_source_s_clock_went_back():
    """The listing is of now, whatever times the samples carry."""
    kpi = a_kpi(objective=an_objective("at_most", 1.0), by=("system",))
    frames = [a_frame("a", T0, {A: 0.5}), a_frame("a", T0 - HOUR, {A: 0.5}, seen_at=T0 + 10 * MINUTE)]

    assert judged(kpi, frames, T0 + 10 * MINUTE)["a"].reason is Reason.STALE


def test_a_series_that_ended_inside_a_history_is_gone_with_it():
    """A pod of last week's must not page as missing, for one cycle, when the daemon reads the sprint so far."""
    kpi = a_kpi(objective=an_objective("at_most", 1.0), by=("system",))
    now = T0 + 48 * HOUR
    history = [a_frame("a", T0, {A: 0.5, B: 0.5}, seen_at=now), a_frame("a", now, {B: 0.5})]

    assert list(judged(kpi, history, now)) == ["b"]


def test_a_series_that_never_had_a_sample_shows_until_it_is_gone_for_long():
    """A query that gives NaN alone is no data, not nothing."""
    kpi = a_kpi(objective=an_objective("at_most", 1.0), by=("system",))
    frames = [a_frame("a", T0, {A: None, B: 0.5}), *(a_frame("a", T0 + HOUR * n, {B: 0.5}) for n in range(1, 27))]

    assert judged(kpi, frames[:2], T0 + HOUR)["a"].reason is Reason.GONE_FROM_SOURCE
    assert list(judged(kpi, frames, T0 + 26 * HOUR)) == ["b"]


def test_an_increment_ends_no_series():
    """The new rows of a file say nothing of the series that they lack."""
    kpi = a_kpi(objective=an_objective("at_most", 1.0), by=("system",))
    rows = [a_frame("a", T0 + HOUR * n, {A if n == 0 else B: 0.5}, increment=True) for n in range(27)]

    assert judged(kpi, rows, T0 + 26 * HOUR)["a"].reason is Reason.STALE


@pytest.mark.parametrize(
    ("before", "value"),
    [
        ({B: 1.0}, 100.0),
        ({A: None, B: 1.0}, None),
    ],
)
def test_only_a_series_that_was_not_listed_before_is_born(before, value):
    """A counter at 100 that was NaN a minute ago did not gain 100: nobody knows what it was."""
    kpi = a_kpi("k", "increase over 10m", objective=an_objective("at_least", 5), by=("system",))
    frames = [a_frame("a", T0, before), a_frame("a", T0 + MINUTE, {A: 100.0, B: 1.0})]

    row = judged(kpi, frames, T0 + MINUTE)["a"]

    assert row.value == value
    assert (row.reason is Reason.NO_BASELINE) is (value is None)


def test_the_instants_of_one_page_are_no_births():
    """Two series stamped ten seconds apart have both been there all along."""
    kpi = a_kpi("k", "increase over sprint", objective=an_objective("at_least", 5), by=("system",))
    at = T0 + HOUR
    page = [
        a_frame("a", at - 20, {A: 100.0, B: None}, seen_at=at),
        a_frame("a", at - 10, {A: None, B: 100.0}, seen_at=at),
    ]

    assert {row.reason for row in judged(kpi, page, at).values()} == {Reason.NO_BASELINE}


def test_what_was_listed_without_a_sample_was_not_observed():
    """Only a series that did not exist may count the time before its first sample as observed."""
    kpi = a_kpi("k", "increase over 10m", by=("system",))
    frames = [a_frame("a", T0 + MINUTE * n, {A: 5.0 if n >= 9 else None, B: 1.0}) for n in range(-1, 11)]
    born = [a_frame("a", T0 + MINUTE * n, {A: 5.0, B: 1.0} if n >= 9 else {B: 1.0}) for n in range(-1, 11)]

    assert judged(kpi, frames, T0 + 10 * MINUTE)["a"].coverage == pytest.approx(0.1)
    assert judged(kpi, born, T0 + 10 * MINUTE)["a"].coverage == pytest.approx(1.0)


@pytest.mark.parametrize("combine", [None, Combine.SUM])
def test_a_true_series_that_vanishes_is_true_no_longer(combine):
    """ALERTS has a series while an alert fires and none afterwards: its end is not five more minutes of burning."""
    kpi = a_kpi("k", "total over sprint", objective=an_objective("below", 300), combine=combine)
    frames = [a_frame("a", T0 + MINUTE * n, {A: 1.0} if n == 1 else {}) for n in range(6)]

    row = judged(kpi, frames, T0 + 5 * MINUTE)[""]

    assert (row.verdict, row.value, row.coverage) == (Verdict.MET, 60.0, 1.0)


def test_a_true_series_without_a_sample_holds_for_as_long_as_it_is_fresh():
    """Listed but NaN is not false: what was last said stands until it is stale."""
    kpi = a_kpi("k", "total over sprint", objective=an_objective("below", 300))
    frames = [a_frame("a", T0 + MINUTE * n, {A: 1.0 if n == 1 else None}) for n in range(1, 6)]

    assert judged(kpi, frames, T0 + 5 * MINUTE)[""].value == 240.0


def test_a_vanished_series_listed_again_without_a_sample_is_not_true_again():
    """What ended has ended; only a new sample can say that it is true once more."""
    kpi = a_kpi("k", "total over sprint", objective=an_objective("below", 300))
    frames = [a_frame("a", T0, {A: 1.0}), a_frame("a", T0 + MINUTE, {}), a_frame("a", T0 + 2 * MINUTE, {A: None})]

    assert judged(kpi, frames, T0 + 4 * MINUTE)[""].value == 60.0


def test_coverage_is_measured_within_the_sprint():
    """Two hours into the sprint nobody can have observed the last 24 of it."""
    kpi = a_kpi("k", "increase over 24h", objective=an_objective("at_most", 5), baseline=0.0)
    frames = [a_frame("a", T0 + MINUTE * n, 0.0) for n in range(121)]

    row = judged(kpi, frames, T0 + 2 * HOUR)[""]

    assert (row.verdict, row.coverage) == (Verdict.MET, 1.0)


@pytest.mark.parametrize("behind", [a_failure("list", T0 + 30), a_frame("list", T0 + 30, {B: 1.0}, increment=True)])
def test_expected_labels_are_those_of_the_newest_listing(behind):
    """A failure at the end of a run must not hide the tenants that it named a moment before."""
    kpi = a_kpi(objective=an_objective("at_most", 1), by=("system",), expect=(Expected("system", labels_of="list"),))
    old, new = a_frame("list", T0 - 30, {labels("system=old"): 1.0}), a_frame("list", T0, {A: 1.0, B: 1.0})

    rows = judged(kpi, [old, new, a_frame("a", T0, {A: 0.5}), behind], T0 + MINUTE)

    assert {system: row.verdict for system, row in rows.items()} == {"a": Verdict.MET, "b": Verdict.NO_DATA}


def test_late_frames_are_late_however_they_are_read():
    """A source whose clock went back: reading its day again must give the verdicts of that day."""
    kpi = a_kpi(objective=an_objective("at_most", 10))
    frames = [a_frame("a", T0 + MINUTE * n, 99.0) for n in range(11)]
    late = [a_frame("a", T0 + 100 + 10 * n, 1.0, seen_at=T0 + 601 + n) for n in range(12)]
    stored, plan = numbered([*frames, *late]), a_plan(kpi)

    read_again = EvaluationState.restored(plan, PersistedEvaluation(None, 0, 0, {}, {}, {}), stored)
    live = EvaluationState.fresh()
    for item in stored:
        live = evaluate(plan, [item], live, from_unix(item.observation.seen_at)).state

    for state in (read_again, live):
        row = evaluate(plan, [], state, from_unix(T0 + 620)).verdicts[0].row(0)
        assert (row.value, state.late_samples) == (99.0, 12)
