"""What random days found of events, quotients, calendar windows, exclusions, pace and drift: each as its smallest case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slo_guard.clock import from_unix
from slo_guard.domain.kpi import Drift, Exclusion, NoData, Op, Pace, Quotient, Selection
from slo_guard.domain.ports import PersistedEvaluation
from slo_guard.domain.readings import IndicatorType
from slo_guard.domain.verdicts import Reason, Verdict
from slo_guard.evaluate import EvaluationState, evaluate, needed_from
from slo_guard.evaluate.trend import seconds_to_cross
from tests.support.builders import a_batch, a_frame, a_kpi, a_plan, an_objective, labels, numbered
from tests.support.restarts import kept
from tests.support.stories import T0, judged, samples

HOUR, DAY = 3600.0, 86_400.0
MIDNIGHT = T0 + 2 * DAY
MOVE = Exclusion(T0 + 100.0, T0 + 400.0, "the move", "Ana")
LONG = NoData(after_seconds=2 * HOUR)


def row(kpi, observations, now, text: str = "", plan=None):
    if plan is None:
        frame = judged(kpi, observations, now)
    else:
        frame = evaluate(plan, numbered(observations), EvaluationState.fresh(), from_unix(now)).verdicts[0]
    return frame.row(frame.index.positions[labels(text)])


# ---- exclusions


@pytest.mark.parametrize(
    ("measure", "kind"),
    [("increase over 2m", "counter"), ("rate over 2m", "counter"), ("max over 2m", "gauge"), ("total over 2m", "bool")],
)
def test_a_window_that_is_excluded_as_a_whole_is_not_judged(measure, kind):
    """At least one session in ten minutes is not missed in a move of an hour, and nobody is paged for no data."""
    kpi = a_kpi("k", measure, type=IndicatorType(kind), objective=an_objective(Op.AT_LEAST, 1), exclude=(MOVE,))
    seen = samples([0.0] * 8)

    assert row(kpi, seen, T0 + 300).reason is Reason.EXCLUDED
    assert row(kpi, seen, T0 + 300).verdict is Verdict.NOT_APPLICABLE
    assert row(kpi, seen, T0 + 200).verdict is not Verdict.NOT_APPLICABLE


def test_right_after_an_exclusion_a_window_without_samples_waits_for_one():
    """The end of an announced move must not page for missing data."""
    kpi = a_kpi("k", "max over 1m", objective=an_objective(Op.AT_MOST, 1), exclude=(MOVE,))

    found = row(kpi, samples([0.0] * 7), T0 + 410)

    assert (found.verdict, found.reason) == (Verdict.INSUFFICIENT, Reason.BELOW_MIN_SAMPLES)


def test_what_a_series_gained_over_an_exclusion_does_not_count_though_it_missed_the_first_frame_after():
    """Only the other series is in the frame that follows the move; what is counted must not depend on it."""
    kpi = a_kpi("k", "increase over sprint", by=("system",), exclude=(MOVE,))
    fs, other = labels("system=fs"), labels("system=xai2")
    seen = [
        a_frame("a", T0, {fs: 0.0, other: 0.0}),
        a_frame("a", T0 + 90, {fs: 1.0, other: 0.0}),
        a_frame("a", T0 + 420, {fs: None, other: 0.0}),
        a_frame("a", T0 + 450, {fs: 9.0, other: 0.0}),
        a_frame("a", T0 + 480, {fs: 11.0, other: 0.0}),
    ]

    assert row(kpi, seen, T0 + 480, "system=fs").value == 3.0


def test_an_alert_of_missing_series_outlives_a_restart_in_excluded_time():
    """A restart in the middle of a move is no reason to tell that the rule was removed."""
    kpi = a_kpi(
        "k", by=("system",), objective=an_objective(Op.AT_MOST, 1), exclude=(MOVE,), keep_firing_for_seconds=600.0
    )
    plan = a_plan(kpi, collector=None)
    first = evaluate(plan, [], EvaluationState.fresh(), from_unix(T0))
    second = evaluate(plan, [], first.state, from_unix(T0 + 120))
    stored = PersistedEvaluation(None, 0, 0, {}, {}, {})
    for each in (first, second):
        stored = kept(stored, each.record)

    after = evaluate(plan, [], EvaluationState.restored(plan, stored, []), from_unix(T0 + 150))

    assert second.verdicts[0].row(0).reason is Reason.EXCLUDED
    assert after.transitions == ()


# ---- calendar windows


def test_before_the_first_sample_of_a_day_there_is_nothing_to_judge_and_no_page():
    """A KPI over the day must not fire for missing data each midnight."""
    kpi = a_kpi("k", "max over day", objective=an_objective(Op.AT_MOST, 1))
    seen = [a_frame("a", MIDNIGHT - 30 + 60 * n, 0.0) for n in range(2)]

    assert row(kpi, seen[:1], MIDNIGHT + 20).reason is Reason.BELOW_MIN_SAMPLES
    assert row(kpi, seen, MIDNIGHT + 30).verdict is Verdict.MET


@pytest.mark.parametrize(("measure", "value"), [("increase over day", 1440.0), ("max over day", 1440.0)])
def test_a_source_whose_clock_is_ahead_does_not_begin_the_next_day_before_this_one_is_judged(measure, value):
    """The whole day is judged at midnight; a stamp two seconds ahead must not take its beginning away."""
    kind = "counter" if measure.startswith("increase") else "gauge"
    kpi = a_kpi("k", measure, type=IndicatorType(kind), min_coverage=0.0)
    begin = MIDNIGHT - DAY
    seen = [a_frame("a", begin + 60 * n + 1, float(n), seen_at=begin + 60 * n - 1) for n in range(1441)]

    assert row(kpi, seen, MIDNIGHT).value == value


def test_a_month_that_began_before_the_sprint_is_covered_from_the_sprint_on():
    """Half of the sprint unseen must not read as more than all of it."""
    kpi = a_kpi("k", "increase over month", objective=an_objective(Op.AT_MOST, 5), no_data=NoData(60.0))
    kpi = replace(kpi, baseline=0.0)
    seen = [a_frame("a", T0 - DAY + 60 * n, 0.0) for n in range(1441)] + [a_frame("a", T0 + 240, 0.0)]

    found = row(kpi, seen, T0 + 240)

    assert found.coverage == pytest.approx(0.25)
    assert found.reason is Reason.LOW_COVERAGE


def test_a_restart_just_after_midnight_still_has_the_day_that_is_judged_next():
    """A daemon that was down at midnight judges that point first, twenty seconds later."""
    plan = a_plan(a_kpi("k", "increase over day", interval_seconds=60.0, forget_after_seconds=0.0))

    assert needed_from(plan, MIDNIGHT + 20) <= MIDNIGHT - DAY
    assert needed_from(plan, MIDNIGHT + 60) > MIDNIGHT - DAY


# ---- events


def test_a_group_without_events_stays_in_view_over_a_restart():
    """A partner that falls silent must be missed by the daemon that ran and by the one that restarted."""
    kpi = a_kpi("k", "count over 1h", by=("partner",), objective=an_objective(Op.AT_LEAST, 1), min_coverage=0.0)
    plan, now = a_plan(kpi), T0 + 24.5 * HOUR
    seen = [a_batch("a", T0 + 60, (T0, 1.0, "partner=acme"))]
    seen += [a_batch("a", T0 + 60 * n) for n in range(2, 24 * 60 + 31)]
    needed = [item for item in seen if item.seen_at >= needed_from(plan, now)]

    for known in (seen, needed):
        assert row(kpi, known, now, "partner=acme").verdict is Verdict.MISSED
    assert len(judged(kpi, [*seen, a_batch("a", T0 + 25 * HOUR + 60)], T0 + 25 * HOUR + 60).index) == 1
    assert judged(kpi, [*seen, a_batch("a", T0 + 26 * HOUR)], T0 + 26 * HOUR).row(0).labels == ()


def test_the_share_of_events_known_is_of_the_time_that_counts():
    """What was excluded need not have been collected."""
    kpi = a_kpi("k", "count over sprint", exclude=(replace(MOVE, start_at=T0, end_at=T0 + 300),))

    assert row(kpi, [a_batch("a", T0 + 300)], T0 + 600).coverage == 1.0
    assert row(kpi, [a_batch("a", T0 + 400)], T0 + 600).coverage == pytest.approx(2 / 3)


def test_a_source_of_events_that_stops_answering_is_stale_and_not_without_series():
    """Whoever is paged should look at the collector, not at the rule's labels."""
    assert row(a_kpi("k", "count over sprint"), [a_batch("a", T0 + 60)], T0 + 600).reason is Reason.STALE


@pytest.mark.parametrize("by", [(), ("partner",)])
def test_a_quotient_of_counts_is_nothing_while_nothing_happened(by):
    """No escalation in a hundred conversations is a share of 0, and no missing data."""
    kpi = a_kpi("k", "count over sprint", source=Quotient(Selection("part"), Selection("total")), by=by)
    kpi = replace(kpi, objective=an_objective(Op.AT_MOST, 0.1), min_coverage=0.0)
    conversations = a_batch("total", T0 + 60, (T0 + 30, 1.0, "partner=acme"))

    found = row(kpi, [a_batch("part", T0 + 60), conversations], T0 + 60, "partner=acme" if by else "")

    assert (found.value, found.verdict) == (0.0, Verdict.MET)
    unheard = row(kpi, [conversations], T0 + 60, "partner=acme" if by else "")
    assert unheard.verdict is Verdict.NO_DATA
    assert not by or (unheard.reason, unheard.note) == (Reason.PART_MISSING, "no series of part")


# ---- quotients, pace, drift, warnings


def test_a_quotient_beyond_its_limit_may_come_back():
    """Metered over billed is no budget that is used up."""
    kpi = a_kpi(
        "k",
        "increase over sprint",
        source=Quotient(Selection("part"), Selection("total")),
        objective=an_objective(Op.AT_MOST, 1.1),
        min_coverage=0.0,
    )
    seen = [a_frame(name, T0 + at, at * gain) for name, gain in (("part", 2.0), ("total", 1.0)) for at in (0, 60)]

    assert row(kpi, seen, T0 + 60).verdict is Verdict.MISSED
    assert row(kpi, seen, T0 + 60).outlook is None
    assert row(kpi, seen, T0 + 600).verdict is Verdict.NO_DATA


def test_a_burndown_of_the_worst_board_begins_with_the_worst_board():
    """A line that begins with the sum of all boards would never be behind."""
    kpi = a_kpi("points", "last", objective=an_objective(Op.AT_MOST, 0), due_at=T0 + 12 * DAY, no_data=LONG, unit="")
    kpi = replace(kpi, pace=Pace.LINEAR)
    boards = {labels("board=a"): 40.0, labels("board=b"): 20.0}
    seen = [a_frame("a", T0, boards), a_frame("a", T0 + 6 * DAY, boards)]

    found = row(kpi, seen, T0 + 6 * DAY)

    assert (found.value, found.outlook.line) == (40.0, 20.0)
    assert found.reason is Reason.BEHIND_PACE


@pytest.mark.parametrize(
    ("op", "slope", "seconds"),
    [
        (Op.AT_LEAST, 0.0, np.inf),
        (Op.AT_LEAST, 1.0, np.inf),
        (Op.AT_LEAST, -1.0, 0.0),
        (Op.AT_MOST, 0.0, np.inf),
        (Op.ABOVE, 0.0, 0.0),
    ],
)
def test_what_stands_on_its_bound_and_stays_there_does_not_drift(op, slope, seconds):
    """An availability of 100 % all day is as good as it gets."""
    assert seconds_to_cross(an_objective(op, 1.0), np.array([1.0]), np.array([slope])).tolist() == [seconds]


def test_a_trend_takes_in_what_comes_late_for_a_stretch_that_is_over():
    """A daemon that ran and one that restarted must see the same trend."""
    drift = Drift(36 * 60.0, HOUR)
    kpi = replace(a_kpi("k", "last", objective=an_objective(Op.AT_MOST, 1e6)), drift=drift)
    plan = a_plan(kpi)
    seen = [a_frame("a", T0 + 60 * n + 30, float(n * n)) for n in range(36)]
    late = a_frame("a", T0 + 36 * 60 + 59, 1e5, seen_at=T0 + 37 * 60 + 20)
    stored, state = numbered([*seen, late]), EvaluationState.fresh()

    evaluate(plan, stored[:-1], state, from_unix(T0 + 37 * 60 + 10))
    live = evaluate(plan, stored[-1:], state, from_unix(T0 + 37 * 60 + 30)).verdicts[0].row(0)

    assert live.outlook == row(kpi, [*seen, late], T0 + 37 * 60 + 30).outlook


def test_a_trend_is_rebuilt_from_its_first_stretch_on():
    """The first of 36 stretches begins up to a stretch before the last six hours."""
    kpi = replace(a_kpi("k", "last", forget_after_seconds=0.0, interval_seconds=1.0), drift=Drift(6 * HOUR, HOUR))

    assert needed_from(a_plan(kpi), T0 + 599) <= T0 - 6 * HOUR - 300
