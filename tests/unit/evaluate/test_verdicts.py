"""Worked examples of verdicts: what an SRE reads in RULES.md, number by number."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from slo_guard.clock import from_unix
from slo_guard.domain.kpi import Combine, Expected, Matcher, MatchOp, Selection, Single
from slo_guard.domain.readings import IndicatorType, Observation
from slo_guard.domain.verdicts import Reason, Verdict
from slo_guard.evaluate import EvaluationState, evaluate
from tests.support.builders import (
    SPRINT_END,
    SPRINT_START,
    a_failure,
    a_frame,
    a_kpi,
    a_plan,
    a_sign_off,
    an_evidence,
    an_objective,
    labels,
    numbered,
)
from tests.support.stories import judged

T0 = SPRINT_START
MINUTE = 60.0
FS, XAI, PRED = (labels(f"system={name}") for name in ("fs", "xai2", "predictive"))


def counted(values: Iterable[float], start: float = T0, step: float = MINUTE) -> list[Observation]:
    """Return one sample a step of a counter without labels."""
    return [a_frame("a", start + step * position, value) for position, value in enumerate(values)]


@pytest.mark.parametrize(
    ("op", "bound", "upper", "value", "met"),
    [
        ("at_most", 1.16, None, 1.16, True),
        ("below", 0.8, None, 0.8, False),
        ("at_least", 99, None, 99, True),
        ("above", 2, None, 2, False),
        ("equals", 0, None, 0, True),
        ("between", 2, 3, 3, True),
        ("between", 2, 3, 3.01, False),
        ("is", True, None, 1, True),
        ("is", False, None, 1, False),
    ],
)
def test_objective_holds_exactly_at_its_bound_or_not(op, bound, upper, value, met):
    """A limit that is off by its own bound pages at night for nothing, or not at all."""
    kpi = a_kpi(objective=an_objective(op, bound, upper))

    frame = judged(kpi, [a_frame("a", T0, float(value))], T0 + 1)

    assert frame.row(0).verdict is (Verdict.MET if met else Verdict.MISSED)


def test_increase_takes_resets_out_and_does_not_extrapolate():
    """A restarted service must neither hide an incident nor invent a fraction of one."""
    kpi = a_kpi(measure="increase over sprint", objective=an_objective("equals", 0))

    frame = judged(kpi, counted([5, 6, 1, 2]), T0 + 3 * MINUTE)

    assert frame.row(0).value == pytest.approx(1 + 1 + 1)


def test_increase_without_a_sample_at_the_start_is_not_judged():
    """A daemon started in mid-sprint cannot know what happened before, and must not say "met"."""
    kpi = a_kpi(measure="increase over sprint", objective=an_objective("equals", 0))

    frame = judged(kpi, counted([5, 5], start=T0 + 3600), T0 + 3700)

    assert frame.row(0).reason is Reason.NO_BASELINE
    assert frame.row(0).verdict is Verdict.INSUFFICIENT


def test_series_born_while_the_source_answered_counts_from_zero():
    """The first Sev-1 often creates its own counter, at 1: it must count."""
    kpi = a_kpi(measure="increase over sprint", objective=an_objective("equals", 0))
    quiet = [a_frame("a", T0 + MINUTE * step, {}) for step in range(3)]

    frame = judged(kpi, [*quiet, a_frame("a", T0 + 3 * MINUTE, 1.0)], T0 + 3 * MINUTE)

    assert (frame.row(0).value, frame.row(0).verdict) == (1.0, Verdict.MISSED)


def test_series_born_while_the_source_failed_has_no_baseline():
    """Nobody saw where the counter began, so nobody may say how much it grew."""
    kpi = a_kpi(measure="increase over sprint", objective=an_objective("equals", 0))
    observations = [a_frame("a", T0, {}), a_failure("a", T0 + MINUTE), a_frame("a", T0 + 2 * MINUTE, 4.0)]

    frame = judged(kpi, observations, T0 + 2 * MINUTE)

    assert frame.row(0).reason is Reason.NO_BASELINE


def test_limit_that_some_series_break_is_broken_whatever_another_may_add():
    """A new series of unknown increase can only add: it must not turn two Sev-1 into "cannot say"."""
    kpi = a_kpi(measure="increase over sprint", objective=an_objective("at_most", 1))
    before = [a_frame("a", T0 + MINUTE * step, {FS: float(step)}) for step in range(3)]
    after = [a_failure("a", T0 + 3 * MINUTE), a_frame("a", T0 + 4 * MINUTE, {FS: 2.0, XAI: 7.0})]

    broken = judged(kpi, [*before, *after], T0 + 4 * MINUTE).row(0)
    open_still = judged(
        a_kpi(measure="increase over sprint", objective=an_objective("at_most", 2)), [*before, *after], T0 + 4 * MINUTE
    ).row(0)
    goal = judged(
        a_kpi(measure="increase over sprint", objective=an_objective("at_least", 1)), [*before, *after], T0 + 4 * MINUTE
    ).row(0)

    assert (broken.verdict, broken.value) == (Verdict.MISSED, 2.0)
    assert [row.reason for row in (open_still, goal)] == [Reason.NO_BASELINE, Reason.NO_BASELINE]


def test_ratio_is_one_of_sums_and_not_a_mean_of_ratios():
    """A quiet system's one bad request must not weigh as much as a busy one's thousand."""
    kpi = a_kpi(measure="ratio over 1h", objective=an_objective("below", 0.02))
    start = [a_frame("part", T0, {FS: 0.0, XAI: 0.0}), a_frame("total", T0, {FS: 0.0, XAI: 0.0})]
    end = [
        a_frame("part", T0 + MINUTE, {FS: 1.0, XAI: 9.0}),
        a_frame("total", T0 + MINUTE, {FS: 10.0, XAI: 990.0}),
    ]

    frame = judged(kpi, [*start, *end], T0 + MINUTE)

    assert frame.row(0).value == pytest.approx(10 / 1000)
    assert frame.row(0).total == 1000


def test_ratio_under_its_least_total_is_not_judged():
    """One complaint of three requests is not a complaint rate of 33 %."""
    kpi = a_kpi(measure="ratio over 1h", objective=an_objective("below", 0.008), min_total=200)
    observations = [a_frame("part", T0, 0.0), a_frame("total", T0, 0.0)]
    observations += [a_frame("part", T0 + MINUTE, 1.0), a_frame("total", T0 + MINUTE, 3.0)]

    frame = judged(kpi, observations, T0 + MINUTE)

    assert (frame.row(0).verdict, frame.row(0).reason) == (Verdict.INSUFFICIENT, Reason.BELOW_MIN_TOTAL)


def test_part_above_total_is_shown_as_a_data_error():
    """Clipping it to 100 % would hide that the two numbers do not belong together."""
    kpi = a_kpi(measure="ratio over 1h", objective=an_objective("below", 0.5))
    observations = [a_frame("part", T0, 0.0), a_frame("total", T0, 0.0)]
    observations += [a_frame("part", T0 + MINUTE, 6.0), a_frame("total", T0 + MINUTE, 3.0)]

    frame = judged(kpi, observations, T0 + MINUTE)

    assert (frame.row(0).reason, frame.row(0).value) == (Reason.BAD_EXCEEDS_TOTAL, 2.0)


def test_ratio_with_one_side_missing_says_which():
    """An error counter that was never created looks like perfection to most tools."""
    kpi = a_kpi(measure="ratio over 1h", objective=an_objective("below", 0.5))
    observations = [a_frame("part", T0, {}), a_frame("total", T0, 5.0)]

    frame = judged(kpi, observations, T0 + 1)

    assert (frame.row(0).verdict, frame.row(0).reason) == (Verdict.NO_DATA, Reason.PART_MISSING)
    assert frame.row(0).note == "no series of part"


def test_total_counts_overlapping_series_once():
    """Two burn alerts over the same ten minutes are ten minutes of alarm, not twenty."""
    kpi = a_kpi(measure="total over sprint", objective=an_objective("below", 600), min_coverage=0.0)
    frames = [a_frame("a", T0 + MINUTE * step, {FS: 1.0, XAI: float(step < 2)}) for step in range(5)]

    frame = judged(kpi, frames, T0 + 4 * MINUTE)

    assert frame.row(0).value == pytest.approx(4 * MINUTE)


def test_total_does_not_count_time_that_nobody_observed():
    """A sample speaks for as long as it is fresh, and for no longer."""
    kpi = a_kpi(measure="total over sprint", objective=an_objective("below", 600))
    frames = [a_frame("a", T0, 1.0), a_frame("a", T0 + 3600, 0.0)]

    frame = judged(kpi, frames, T0 + 3600)

    assert frame.row(0).value == pytest.approx(300.0)
    assert frame.row(0).coverage == pytest.approx(300 / 3600)
    assert frame.row(0).reason is Reason.LOW_COVERAGE


def test_limit_broken_for_good_stays_missed_when_data_stop():
    """A second of silence must not turn a broken budget into "no data"."""
    kpi = a_kpi(measure="increase over sprint", objective=an_objective("equals", 0))

    frame = judged(kpi, counted([0, 1]), T0 + 3600)

    assert (frame.row(0).verdict, frame.row(0).reason) == (Verdict.MISSED, Reason.BROKEN_FOR_GOOD)


def test_stale_sample_is_no_data_and_has_no_value():
    """The last value of a dead exporter is not the present value."""
    kpi = a_kpi(objective=an_objective("at_most", 1.0))

    frame = judged(kpi, [a_frame("a", T0, 0.5)], T0 + 301)

    assert (frame.row(0).verdict, frame.row(0).value) == (Verdict.NO_DATA, None)


def test_failing_source_says_so():
    """Hearing only of missing data sends people to the wrong team."""
    kpi = a_kpi(objective=an_objective("at_most", 1.0))

    frame = judged(kpi, [a_failure("a", T0)], T0 + 1)

    assert (frame.row(0).reason, frame.row(0).note) == (Reason.SOURCE_FAILED, "source: no answer within 5s")


def test_expected_series_never_seen_is_no_data():
    """A system that was never deployed must not be left out of the count of the healthy ones."""
    kpi = a_kpi(
        objective=an_objective("at_most", 1.0), by=("system",), expect=(Expected("system", ("fs", "predictive")),)
    )

    frame = judged(kpi, [a_frame("a", T0, {FS: 0.5})], T0 + 1)

    rows = {frame.row(position).labels: frame.row(position) for position in range(2)}
    assert rows[FS].verdict is Verdict.MET
    assert (rows[PRED].verdict, rows[PRED].reason) == (Verdict.NO_DATA, Reason.NEVER_SEEN)
    assert frame.worst is Verdict.NO_DATA


def test_expected_label_of_several_is_satisfied_by_any_series_that_has_it():
    """`expect: {system: [fs, xai2]}` asks for the systems, wherever they run."""
    kpi = a_kpi(
        objective=an_objective("at_most", 1.0), by=("region", "system"), expect=(Expected("system", ("fs", "xai2")),)
    )

    frame = judged(kpi, [a_frame("a", T0, {labels("region=us,system=fs"): 0.5})], T0 + 1)

    rows = {frame.row(position).labels: frame.row(position).verdict for position in range(len(frame.index))}
    assert rows == {
        labels("region=us,system=fs"): Verdict.MET,
        (("region", ""), ("system", "xai2")): Verdict.NO_DATA,
    }


def test_expected_sign_off_of_one_label_is_given_by_any_that_agrees():
    """A drill in any region is a drill of the system."""
    kpi = a_kpi(
        type=IndicatorType.BOOL,
        objective=an_objective("is", True),
        by=("region", "system"),
        expect=(Expected("system", ("fs", "xai2")),),
    )

    frame = judged(kpi, [an_evidence("a", T0, a_sign_off(T0 - 10, "region=us,system=fs"))], T0 + 1)

    rows = {frame.row(position).labels: frame.row(position).verdict for position in range(len(frame.index))}
    assert rows == {
        labels("region=us,system=fs"): Verdict.MET,
        (("region", ""), ("system", "xai2")): Verdict.MISSED,
    }


def test_expected_series_may_come_from_another_indicator():
    """All tenants are those that the tenant list names, today's too."""
    kpi = a_kpi(objective=an_objective("is", True), by=("tenant",), expect=(Expected("tenant", labels_of="tenants"),))
    acme, beta = labels("tenant=acme"), labels("tenant=beta")
    observations = [a_frame("tenants", T0, {acme: 1.0, beta: 1.0}), a_frame("a", T0, {acme: 1.0})]

    frame = judged(kpi, observations, T0 + 1)

    assert {frame.row(n).labels: frame.row(n).verdict for n in range(2)} == {acme: Verdict.MET, beta: Verdict.NO_DATA}


def test_gone_series_is_no_data_until_it_is_forgotten():
    """A tenant that vanished is a question for a day, and then history."""
    kpi = a_kpi(objective=an_objective("at_most", 1.0), by=("system",))
    observations = [a_frame("a", T0, {FS: 0.5, XAI: 0.5})]
    hourly = [a_frame("a", T0 + 3600 * hour, {FS: 0.5}) for hour in range(1, 26)]

    soon = judged(kpi, [*observations, *hourly[:1]], T0 + 3600)
    later = judged(kpi, [*observations, *hourly], T0 + 25 * 3600)

    assert {soon.row(n).reason for n in range(2)} == {Reason.OBJECTIVE_MET, Reason.GONE_FROM_SOURCE}
    assert list(later.index.label_sets) == [FS]


def test_source_that_is_down_for_days_loses_no_series():
    """Only a source that answers can say that a series is gone."""
    kpi = a_kpi(objective=an_objective("at_most", 1.0), by=("system",))
    observations = [a_frame("a", T0, {FS: 0.5}), a_failure("a", T0 + MINUTE)]

    frame = judged(kpi, observations, T0 + 3 * 86400)

    assert [frame.row(0).labels, frame.row(0).reason] == [FS, Reason.SOURCE_FAILED]


def test_gauges_fold_to_the_worst_of_them():
    """A KPI without `by` over several series shows the one that hurts."""
    observations = [a_frame("a", T0, {FS: 0.5, XAI: 1.5})]

    upper = judged(a_kpi(objective=an_objective("at_most", 1.0)), observations, T0 + 1)
    lower = judged(a_kpi(objective=an_objective("at_least", 1.0)), observations, T0 + 1)
    summed = judged(a_kpi(objective=an_objective("at_most", 1.0), combine=Combine.SUM), observations, T0 + 1)
    unclear = judged(a_kpi(objective=an_objective("equals", 1.0)), observations, T0 + 1)

    assert [frame.row(0).value for frame in (upper, lower, summed)] == [1.5, 0.5, 2.0]
    assert unclear.row(0).reason is Reason.SEVERAL_SERIES


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        (Matcher("system", MatchOp.EQUAL, "fs"), 1.0),
        (Matcher("system", MatchOp.NOT_EQUAL, "fs"), 2.0),
        (Matcher("system", MatchOp.REGEX, "xa"), None),
        (Matcher("system", MatchOp.REGEX, "xa.*"), 2.0),
        (Matcher("system", MatchOp.REGEX, "[[:lower:]]{2}"), 1.0),
        (Matcher("zone", MatchOp.EQUAL, ""), 2.0),
    ],
)
def test_where_matches_as_prometheus_does(matcher, expected):
    """Regexes are anchored, and a label that is not there is empty."""
    kpi = a_kpi(source=Single(Selection("a", (matcher,))), objective=an_objective("at_most", 9.0))

    frame = judged(kpi, [a_frame("a", T0, {FS: 1.0, XAI: 2.0})], T0 + 1)

    assert frame.row(0).value == expected


def test_mean_is_over_the_samples_in_the_window():
    """A window is open at its start: 5m at one a minute are five samples."""
    kpi = a_kpi(measure="mean over 5m", objective=an_objective("at_most", 9.0))

    frame = judged(kpi, counted([100, 1, 2, 3, 4, 5]), T0 + 5 * MINUTE)

    assert (frame.row(0).value, frame.row(0).samples) == (3.0, 5)


def test_sliding_maximum_forgets_what_left_the_window():
    """A spike must stop counting when it is older than the window, however many samples came since."""
    kpi = a_kpi(measure="max over 3m", objective=an_objective("at_most", 9.0))
    plan, state = a_plan(kpi), EvaluationState.fresh()
    values = [1, 9, 2, 2, 2, 3, 2, 2, 2, 2]
    seen = []

    for position, stored in enumerate(numbered(counted(values))):
        now = from_unix(T0 + MINUTE * position)
        seen.append(evaluate(plan, [stored], state, now).verdicts[0].row(0).value)

    assert seen == [1, 9, 9, 9, 2, 3, 3, 3, 2, 2]


def test_unmet_before_its_due_time_is_not_due_and_then_missed_at_once():
    """A sign-off that is due on Friday must not page on Monday, and must on Friday night."""
    kpi = a_kpi(type=IndicatorType.BOOL, objective=an_objective("is", True), due_at=SPRINT_END)

    before = judged(kpi, [an_evidence("a", SPRINT_END - 60)], SPRINT_END - 1)
    at = judged(kpi, [an_evidence("a", SPRINT_END - 60)], SPRINT_END)

    assert (before.row(0).verdict, before.row(0).reason) == (Verdict.NOT_DUE, Reason.NOT_DUE_YET)
    assert (at.row(0).verdict, at.row(0).reason) == (Verdict.MISSED, Reason.OVERDUE)


def test_unmet_after_its_checkpoint_is_at_risk():
    """The checkpoint is there to worry people while there is time."""
    kpi = a_kpi(objective=an_objective("at_least", 2), due_at=SPRINT_END, checkpoint_at=T0 + 86400)

    frame = judged(kpi, [a_frame("a", T0 + 86400, 1.0)], T0 + 86400)

    assert (frame.row(0).verdict, frame.row(0).reason) == (Verdict.AT_RISK, Reason.PAST_CHECKPOINT)


def test_evidence_is_judged_by_its_own_time():
    """Signed on time but entered late is on time, and says that it was entered late."""
    kpi = a_kpi(type=IndicatorType.BOOL, objective=an_objective("is", True), due_at=T0 + 100)
    on_time = a_sign_off(T0 + 50, entered_at=T0 + 500)
    late = a_sign_off(T0 + 101, entered_at=T0 + 101)

    met = judged(kpi, [an_evidence("a", T0 + 600, on_time)], T0 + 600)
    met_late = judged(kpi, [an_evidence("a", T0 + 600, late)], T0 + 600)

    assert (met.row(0).reason, met.row(0).note) == (Reason.OBJECTIVE_MET, "signed by Ada, backdated")
    assert met_late.row(0).reason is Reason.MET_LATE


def test_withdrawn_sign_off_is_unsigned_again():
    """The latest word counts."""
    kpi = a_kpi(type=IndicatorType.BOOL, objective=an_objective("is", True))
    signed, withdrawn = a_sign_off(T0 + 1), a_sign_off(T0 + 2, value=False)

    frame = judged(kpi, [an_evidence("a", T0 + 3, withdrawn, signed)], T0 + 3)

    assert frame.row(0).verdict is Verdict.MISSED


def test_past_the_warning_bound_is_at_risk():
    """Met, but close: the time to look."""
    kpi = a_kpi(objective=an_objective("at_most", 1.16), warn=an_objective("at_most", 1.05))

    frame = judged(kpi, [a_frame("a", T0, 1.1)], T0 + 1)

    assert (frame.row(0).verdict, frame.row(0).reason) == (Verdict.AT_RISK, Reason.PAST_WARN)


def test_kpi_without_objective_is_tracked():
    """A number to watch is not a number to page about."""
    frame = judged(a_kpi(), [a_frame("a", T0, 1.0)], T0 + 1)

    assert frame.row(0).verdict is Verdict.TRACKED


def test_nothing_over_the_sprint_is_judged_before_it_starts():
    """A zero before the first day is no achievement."""
    kpi = a_kpi(measure="increase over sprint", objective=an_objective("equals", 0))

    frame = judged(kpi, counted([0], start=T0 - 120), T0 - 60)

    assert (frame.row(0).reason, frame.row(0).value) == (Reason.BEFORE_SPRINT, None)


def test_sprint_window_ends_with_the_sprint():
    """What happens on the Saturday after belongs to nobody's sprint."""
    kpi = a_kpi(measure="increase over sprint", objective=an_objective("equals", 0))
    days = [a_frame("a", T0 + 60 * step, 0.0) for step in range(int((SPRINT_END - T0) / 60) + 1)]
    after = [a_frame("a", SPRINT_END + 60, 7.0)]

    frame = judged(kpi, [*days, *after], SPRINT_END + 86400)

    assert (frame.row(0).value, frame.row(0).verdict) == (0.0, Verdict.MET)


def test_kpi_without_any_series_is_one_no_data_verdict():
    """An empty answer is an answer about nothing."""
    frame = judged(a_kpi(objective=an_objective("at_most", 1), by=("system",)), [a_frame("a", T0, {})], T0)

    assert (len(frame.index), frame.row(0).reason) == (1, Reason.NO_SERIES)


def test_nothing_is_said_before_the_first_collection_has_ended():
    """A restart must neither page "no data" nor show green from memory."""
    kpi = a_kpi(objective=an_objective("at_most", 1.0))
    state = EvaluationState.fresh()
    state.awaiting = {"a"}

    before = evaluate(a_plan(kpi), [], state, from_unix(T0))
    after = evaluate(a_plan(kpi), numbered([a_failure("a", T0 + 5)]), state, from_unix(T0 + 10))

    assert before.verdicts[0].row(0).reason is Reason.AWAITING_FIRST_COLLECTION
    assert before.transitions == ()
    assert after.verdicts[0].row(0).reason is Reason.SOURCE_FAILED
