"""Events, quotients, rates, calendar windows, exclusions, pace and drift, in worked numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from slo_guard.clock import from_unix
from slo_guard.domain.kpi import Drift, Exclusion, Matcher, MatchOp, NoData, Op, Pace, Quotient, Selection
from slo_guard.domain.readings import IndicatorType
from slo_guard.domain.verdicts import Reason, Verdict
from slo_guard.evaluate import EvaluationState, evaluate, needed_from
from tests.support.builders import (
    SPRINT_END,
    a_batch,
    a_failure,
    a_frame,
    a_kpi,
    a_plan,
    a_sprint,
    an_objective,
    labels,
    numbered,
)
from tests.support.stories import T0, judged

HOUR, DAY = 3600.0, 86_400.0
LONG = NoData(after_seconds=2 * HOUR)


def row(kpi, observations, now, text: str = ""):
    frame = judged(kpi, observations, now)
    return frame.row(frame.index.positions[labels(text)])


def denver(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/Denver")).timestamp()


RESOLUTIONS = [
    a_batch("a", T0 + HOUR, (T0 + 600, 4 * HOUR, "partner=acme"), (T0 + 700, 30 * HOUR, "partner=acme")),
    a_batch("a", T0 + 2 * HOUR, (T0 + 650, 20 * HOUR, "partner=acme"), (T0 + 3700, 50 * HOUR, "partner=brio")),
]


def test_a_median_is_exact_by_group_and_takes_late_events_into_their_place():
    """A partner's resolution that is entered late belongs to its own day."""
    kpi = a_kpi("sla", "median over sprint", by=("partner",), objective=an_objective(Op.BELOW, DAY), unit="seconds")

    acme, brio = (row(kpi, RESOLUTIONS, T0 + 2 * HOUR, f"partner={name}") for name in ("acme", "brio"))

    assert (acme.value, acme.verdict, acme.samples) == (20 * HOUR, Verdict.MET, 3)
    assert (brio.value, brio.verdict, brio.samples) == (50 * HOUR, Verdict.MISSED, 1)


def test_over_all_series_the_observations_are_pooled():
    """A median of medians is no median."""
    assert row(a_kpi("sla", "median over sprint"), RESOLUTIONS, T0 + 2 * HOUR).value == 25 * HOUR
    assert row(a_kpi("sla", "p95 over sprint"), RESOLUTIONS, T0 + 2 * HOUR).value == pytest.approx(47 * HOUR)


def test_count_and_sum_in_a_sliding_window():
    """Only what happened within the last hour counts."""
    assert row(a_kpi("n", "count over 1h"), RESOLUTIONS, T0 + 4200).value == 3
    assert row(a_kpi("n", "sum over 1h"), RESOLUTIONS[:1], T0 + HOUR).value == 34 * HOUR


def test_no_event_is_an_answer_where_the_source_answers_and_no_data_where_it_does_not():
    """No go-live block is what everybody hopes for; a source that is down proves nothing."""
    kpi = a_kpi("blocks", "count over sprint", objective=an_objective(Op.EQUALS, 0), min_coverage=0.0)
    quiet = [a_batch("a", T0 + 60)]

    assert row(kpi, quiet, T0 + 120).verdict is Verdict.MET
    assert row(kpi, quiet, T0 + 60 + 301).verdict is Verdict.NO_DATA
    assert row(kpi, [*quiet, a_failure("a", T0 + 100)], T0 + 500).reason is Reason.SOURCE_FAILED
    assert (
        row(replace(kpi, measure=a_kpi("m", "median over sprint").measure), quiet, T0 + 120).verdict
        is Verdict.INSUFFICIENT
    )


def test_events_are_known_from_the_oldest_one_on_whatever_gaps_collections_have():
    """Each collection of a file or a table brings all that has happened since the one before."""
    kpi = a_kpi("n", "count over sprint", objective=an_objective(Op.AT_MOST, 5), no_data=LONG)
    seen = [a_batch("a", T0 + 10 * HOUR, (T0 + 2 * HOUR, 1.0)), a_batch("a", T0 + 18 * HOUR, (T0 + 17 * HOUR, 1.0))]

    found = row(kpi, seen, T0 + 20 * HOUR)

    assert found.coverage == pytest.approx(0.9)
    assert found.verdict is Verdict.MET
    assert row(kpi, seen, T0 + 24 * HOUR).verdict is Verdict.NO_DATA


def test_a_rate_is_the_increase_a_second():
    """120 requests within a minute's window of ten are 0.2 a second."""
    seen = [a_frame("a", T0 + 60 * n, 30.0 * n) for n in range(5)]

    assert row(a_kpi("r", "rate over 4m"), seen, T0 + 240).value == pytest.approx(0.5)


UPLIFT = [
    a_frame("ctr", T0, {labels("arm=v2,page=a"): 0.42, labels("arm=baseline,page=a"): 0.40}),
]


def test_a_quotient_divides_one_measured_value_by_the_other():
    """v2 over baseline, from one indicator with two arms."""
    source = Quotient(*(Selection("ctr", a_where(arm)) for arm in ("v2", "baseline")))
    kpi = a_kpi("uplift", "last", source=source, by=("page",), objective=an_objective(Op.AT_LEAST, 1.04))

    found = row(kpi, UPLIFT, T0 + 60, "page=a")

    assert (found.value, found.verdict) == (pytest.approx(1.05), Verdict.MET)


def a_where(arm: str):
    return (Matcher("arm", MatchOp.EQUAL, arm),)


@pytest.mark.parametrize(
    ("billed", "verdict", "reason"),
    [
        (1000.0, Verdict.MET, Reason.OBJECTIVE_MET),
        (1010.0, Verdict.MISSED, Reason.OBJECTIVE_MISSED),
        (0.0, Verdict.INSUFFICIENT, Reason.ZERO_DENOMINATOR),
        (None, Verdict.NO_DATA, Reason.PART_MISSING),
    ],
)
def test_a_spread_is_how_far_the_quotient_is_from_one(billed, verdict, reason):
    """Metered 1,002 against billed 1,000 is 0.2 %, whichever is the larger; nothing billed cannot be judged."""
    kpi = a_kpi("variance", "spread_abs", by=("tenant",), objective=an_objective(Op.AT_MOST, 0.0025))
    seen = [a_frame("part", T0, {labels("tenant=a"): 1002.0})]
    seen += [] if billed is None else [a_frame("total", T0, {labels("tenant=a"): billed})]

    found = row(kpi, seen, T0 + 60, "tenant=a")

    assert (found.verdict, found.reason) == (verdict, reason)
    assert billed != 1000.0 or found.value == pytest.approx(0.002)


def test_a_spread_over_a_window_compares_increases():
    """Counters are compared by what they gained."""
    kpi = a_kpi("variance", "spread_abs over 1h", type=IndicatorType.COUNTER, no_data=LONG)
    seen = [
        a_frame(name, T0 + at, value)
        for name, gain in (("part", 101.0), ("total", 100.0))
        for at, value in ((0, 7.0), (HOUR, 7.0 + gain))
    ]

    assert row(kpi, seen, T0 + HOUR).value == pytest.approx(0.01)


def test_a_day_begins_at_local_midnight_and_the_sum_with_it():
    """At midnight the whole day is judged once; a minute later a new one has begun."""
    kpi = a_kpi("n", "count over day", min_coverage=0.0, no_data=LONG)
    midnight = denver("2026-07-08T00:00")
    seen = [
        a_batch("a", midnight - 60, (midnight - 20 * HOUR, 1.0), (midnight - 90, 1.0)),
        a_batch("a", midnight + 30, (midnight + 20, 1.0)),
    ]

    assert row(kpi, seen, midnight).value == 2
    assert row(kpi, seen, midnight + 60).value == 1


@pytest.mark.parametrize(
    "measure", ["increase over day", "max over day", "total over day", "ratio over day", "mean over week"]
)
def test_calendar_windows_that_are_followed_live_are_those_that_are_rebuilt(measure):
    """Midnights, changes of clocks included, must leave the same behind in a daemon that ran and in one that restarted."""
    kpi = a_kpi("k", measure, min_coverage=0.0, no_data=NoData(after_seconds=5 * HOUR))
    start = denver("2026-10-30T00:00")
    plan = a_plan(kpi, sprint=a_sprint(start, start + 12 * DAY))
    names = ["part", "total"] if measure.startswith("ratio") else ["a"]
    seen = numbered(
        a_frame(
            name,
            start + 2 * HOUR * n,
            float(n * (3 if name == "total" else 1) if "total over" not in measure else n % 2),
        )
        for n in range(80)
        for name in names
    )
    state, given = EvaluationState.fresh(), 0

    for hour in range(3, 158, 5):
        now = start + hour * HOUR + 11
        news = [item for item in seen if item.id > given and item.observation.seen_at <= now]
        given = news[-1].id if news else given
        live = evaluate(plan, news, state, from_unix(now)).verdicts[0]
        needed = [item for item in seen if needed_from(plan, now) <= item.observation.seen_at <= now]
        fresh = evaluate(plan, needed, EvaluationState.fresh(), from_unix(now)).verdicts[0]
        np.testing.assert_allclose(live.value, fresh.value, err_msg=f"after {hour} hours")
        assert live.verdict.tolist() == fresh.verdict.tolist()


MOVE = Exclusion(T0 + 100.0, T0 + 200.0, "the move", "Ana")


@pytest.mark.parametrize(
    ("measure", "kind", "values", "adjusted", "raw"),
    [
        ("increase over sprint", "counter", [0, 1, 5, 9, 10], 2.0, 10.0),
        ("max over sprint", "gauge", [1, 1, 9, 1, 1], 1.0, 9.0),
        ("mean over sprint", "gauge", [1, 1, 10, 2, 2], 5 / 3, 3.75),
        ("total over sprint", "bool", [0, 1, 1, 1, 0], 150.0, 250.0),
    ],
)
def test_what_is_excluded_is_left_out_and_shown_beside(measure, kind, values, adjusted, raw):
    """Both numbers stand there, so that nobody has to trust whoever excluded the time."""
    kpi = a_kpi("k", measure, type=IndicatorType(kind), exclude=(MOVE,), min_coverage=0.0)
    seen = [a_frame("a", T0 + at, float(value)) for at, value in zip((0, 50, 150, 250, 300), values, strict=True)]

    found = row(kpi, seen, T0 + 300)

    assert found.outlook.raw == pytest.approx(raw)
    assert found.value == pytest.approx(adjusted)


def test_during_an_excluded_stretch_a_newest_value_is_not_judged():
    """Nobody is paged for a p95 in an announced move."""
    kpi = a_kpi("p95", "last", objective=an_objective(Op.AT_MOST, 1), exclude=(MOVE,))
    seen = [a_frame("a", T0 + at, 5.0) for at in (50, 150, 250)]

    assert row(kpi, seen, T0 + 150).reason is Reason.EXCLUDED
    assert row(kpi, seen, T0 + 150).verdict is Verdict.NOT_APPLICABLE
    assert row(kpi, seen, T0 + 200).verdict is Verdict.MISSED


def test_a_goal_that_falls_behind_its_line_is_at_risk_before_it_is_due():
    """Ten sessions after half of the work days are no surprise at the end."""
    kpi = replace(
        a_kpi(
            "sessions",
            "increase over sprint",
            objective=an_objective(Op.AT_LEAST, 100),
            due_at=SPRINT_END,
            unit="",
            no_data=LONG,
        ),
        pace=Pace.WORKDAYS,
    )
    saturday = T0 + 5 * DAY + HOUR
    seen = [a_frame("a", T0 - 60, 0.0), a_frame("a", saturday - 60, 10.0)]

    found = row(kpi, seen, saturday)

    assert (found.verdict, found.reason) == (Verdict.AT_RISK, Reason.BEHIND_PACE)
    assert (found.outlook.line, found.outlook.forecast) == (50.0, 20.0)
    assert row(kpi, [*seen, a_frame("a", saturday, 60.0)], saturday).reason is Reason.NOT_DUE_YET


def test_a_burndown_is_tracked_with_its_line():
    """Points that remain are shown against the line; nobody promised them."""
    kpi = replace(a_kpi("points", "last", unit="", no_data=LONG), pace=Pace.WORKDAYS)
    seen = [a_frame("a", T0 + 60, 80.0), a_frame("a", T0 + 5 * DAY, 60.0)]

    found = row(kpi, seen, T0 + 5 * DAY + 60)

    assert (found.verdict, found.outlook.line, found.outlook.forecast) == (Verdict.TRACKED, 40.0, 40.0)


def test_what_is_tracked_is_at_risk_past_its_warning():
    """A blocker of four days needs somebody, although there is no objective."""
    kpi = a_kpi("blockers", "last", warn=an_objective(Op.AT_MOST, 3 * DAY))

    assert row(kpi, [a_frame("a", T0, 4 * DAY)], T0).reason is Reason.PAST_WARN
    assert row(kpi, [a_frame("a", T0, 2 * DAY)], T0).verdict is Verdict.TRACKED


@pytest.mark.parametrize(
    ("climb", "reason"), [(3e-8, Reason.DRIFTING), (1e-9, Reason.OBJECTIVE_MET), (-1e-8, Reason.OBJECTIVE_MET)]
)
def test_a_value_that_drifts_towards_its_limit_is_at_risk(climb, reason):
    """A variance that grows all night is told before it costs an invoice."""
    kpi = replace(
        a_kpi("variance", "spread_abs", by=("tenant",), objective=an_objective(Op.AT_MOST, 0.0025)),
        drift=Drift(6 * HOUR, 24 * HOUR),
    )
    seen = []
    for n in range(73):
        at = T0 + 300.0 * n
        seen += [
            a_frame("part", at, {labels("tenant=a"): 1000.0 * (1.0005 + climb * 300 * n)}),
            a_frame("total", at, {labels("tenant=a"): 1000.0}),
        ]
    now = T0 + 6 * HOUR

    found = row(kpi, seen, now, "tenant=a")

    assert found.reason is reason
    if reason is Reason.DRIFTING:
        assert found.outlook.crosses_in == pytest.approx((0.0025 - 0.0005 - climb * 6 * HOUR) / climb, rel=0.1)
