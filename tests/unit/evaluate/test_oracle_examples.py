"""Worked examples for the oracle: whoever judges the evaluator must itself be right, by numbers done by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from slo_guard.domain.alerts import AlertKind
from slo_guard.domain.kpi import KPI, Combine, Expected, NoData, NoDataThen, Op, Selection, Severity, Single
from slo_guard.domain.readings import IndicatorType, Observation
from slo_guard.domain.verdicts import AlertState, Reason, Verdict
from tests.support.builders import (
    SPRINT_START,
    a_failure,
    a_frame,
    a_kpi,
    a_plan,
    a_sign_off,
    a_sprint,
    an_evidence,
    an_objective,
    labels,
)
from tests.support.oracle import Oracle, Row
from tests.support.oracle_alerts import name_of

T = SPRINT_START + 86_400.0
FS, PREDICTIVE = labels("system=fs"), labels("system=predictive")


def rows(kpi: KPI, observations: Sequence[Observation], now: float = T) -> dict[str, Row]:
    """Judge once and return the rows by their labels' text."""
    outcome = Oracle().evaluate(a_plan(kpi), observations, now)
    return {
        ",".join(f"{name}={value}" for name, value in row.labels): row for row in outcome.rows[name_of(kpi)].values()
    }


def only(kpi: KPI, observations: Sequence[Observation], now: float = T) -> Row:
    """Judge once and return the only row."""
    (row,) = rows(kpi, observations, now).values()
    return row


def walk(kpi: KPI, values: Sequence[float | None], step: float = 60.0) -> list[tuple[int, str, str, str]]:
    """Evaluate once a step, with a sample (or a failed collection) just then; return (step, kind, from, to)."""
    oracle, changes = Oracle(), []
    for number, value in enumerate(values):
        now = T + number * step
        item = a_failure("a", now) if value is None else a_frame("a", now, value)
        changes += [
            (number, change.kind.value, change.from_state.label, change.to_state.label)
            for change in oracle.evaluate(a_plan(kpi), [item], now).transitions
        ]
    return changes


def every(seconds: float, values: Sequence[float], end: float = T) -> list[Observation]:
    """Return frames of the series without labels, ``seconds`` apart, the last one at ``end``."""
    first = end - seconds * (len(values) - 1)
    return [a_frame("a", first + position * seconds, value) for position, value in enumerate(values)]


AT_MOST_5 = an_objective("at_most", 5)


def test_last_judges_the_newest_sample():
    """The plainest KPI: anything else would be judged wrong as well."""
    row = only(a_kpi(objective=AT_MOST_5), every(60, [9, 5]))

    assert (row.verdict, row.value, row.samples) == (Verdict.MET, 5, 1)


@pytest.mark.parametrize(("age", "verdict"), [(300, Verdict.MET), (301, Verdict.NO_DATA)])
def test_a_sample_is_stale_once_it_is_older_than_after(age, verdict):
    """The bound itself is still fresh, as Prometheus 2 looks back."""
    row = only(a_kpi(objective=AT_MOST_5), [a_frame("a", T - age, 1.0)])

    assert row.verdict is verdict


def test_a_window_is_open_on_the_left():
    """A 5m window over samples each minute holds five, so a mean is not weighted by a sixth."""
    row = only(a_kpi(measure="mean over 5m", objective=AT_MOST_5), every(60, [100, 1, 2, 3, 4, 5]))

    assert (row.value, row.samples, row.coverage) == (3.0, 5, 1.0)


def test_increase_counts_from_the_window_start_through_a_reset():
    """2 -> 6 is 4, a restart to 1 is 1, 1 -> 3 is 2: a restart never hides or invents events."""
    kpi = a_kpi(measure="increase over 5m", objective=an_objective("at_most", 7), min_coverage=0.5)

    row = only(kpi, every(100, [2, 6, 1, 3]))

    assert (row.value, row.verdict) == (7.0, Verdict.MET)


def test_a_series_born_beside_a_succeeding_collection_counts_from_zero():
    """The first Sev-1 creates its counter at 1: that is an increase of 1, not of 0."""
    kpi = a_kpi(measure="increase over 10m", objective=an_objective("equals", 0))
    born = [a_frame("a", T - 120, {}), a_frame("a", T - 60, 1.0)]

    assert (only(kpi, born).value, only(kpi, born).verdict) == (1.0, Verdict.MISSED)


@pytest.mark.parametrize(
    "before",
    [[], [a_failure("a", T - 120)], [a_frame("a", T - 400, {})], [a_frame("a", T - 200, {}), a_failure("a", T - 100)]],
)
def test_a_series_of_unknown_birth_has_no_baseline(before):
    """After an outage or at the start nobody knows what the counter gained: it must not look like zero."""
    row = only(
        a_kpi(measure="increase over 10m", objective=an_objective("equals", 0)), [*before, a_frame("a", T - 60, 1.0)]
    )

    assert (row.verdict, row.reasons, row.value) == (Verdict.INSUFFICIENT, (Reason.NO_BASELINE,), None)


def test_a_given_baseline_stands_for_the_sample_at_the_start():
    """`baseline: 10` says what the counter was, so 12 + 3 gained is 5 more."""
    kpi = a_kpi(measure="increase over 10m", objective=AT_MOST_5, baseline=10, min_coverage=0.1)

    assert only(kpi, [a_frame("a", T - 60, 12.0), a_frame("a", T, 15.0)]).value == 5.0


def test_delta_is_signed():
    """Two tenants fewer is -2."""
    kpi = a_kpi(measure="delta over 5m", objective=an_objective("at_least", 2))

    assert only(kpi, every(100, [7, 9, 6, 5])).value == -2.0


def test_total_holds_each_sample_until_the_next_and_at_most_after():
    """True at 0s and 60s, false at 120s; true again at 180s but then nothing for 220s of which 100s count."""
    kpi = a_kpi(measure="total over 10m", objective=an_objective("at_most", 200), no_data=NoData(after_seconds=100))
    start = T - 400
    frames = [a_frame("a", start + offset, value) for offset, value in ((0, 1), (60, 1), (120, 0), (180, 1), (400, 0))]

    row = only(kpi, frames)

    assert row.value == 120 + 100
    assert row.coverage == pytest.approx(280 / 600)


def test_total_over_several_series_is_their_union():
    """Two burn alarms at the same time are one time of burning."""
    kpi = a_kpi(measure="total over 10m", objective=an_objective("at_most", 600))
    frames = [
        a_frame("a", T - 180, {FS: 1, PREDICTIVE: 0}),
        a_frame("a", T - 120, {FS: 1, PREDICTIVE: 1}),
        a_frame("a", T - 60, {FS: 0, PREDICTIVE: 1}),
        a_frame("a", T, {FS: 0, PREDICTIVE: 0}),
    ]

    assert only(kpi, frames).value == 180
    assert only(a_kpi(measure="total over 10m", combine=Combine.SUM), frames).value == 240


def ratio(part: float, total: float) -> list[Observation]:
    return [
        item
        for name, value in (("part", part), ("total", total))
        for item in (a_frame(name, T - 600, 0.0), a_frame(name, T, value))
    ]


@pytest.mark.parametrize(
    ("part", "total", "fields", "verdict", "reason", "value"),
    [
        (1, 200, {}, Verdict.MET, Reason.OBJECTIVE_MET, 0.005),
        (2, 200, {}, Verdict.MISSED, Reason.OBJECTIVE_MISSED, 0.01),
        (2, 199, {"min_total": 200}, Verdict.INSUFFICIENT, Reason.BELOW_MIN_TOTAL, 2 / 199),
        (0, 0, {}, Verdict.INSUFFICIENT, Reason.ZERO_DENOMINATOR, None),
        (3, 2, {}, Verdict.INSUFFICIENT, Reason.BAD_EXCEEDS_TOTAL, 1.5),
    ],
)
def test_a_ratio_is_one_increase_over_another(*, part, total, fields, verdict, reason, value):
    """Few requests, no requests and impossible requests are told apart from a breach."""
    kpi = a_kpi(measure="ratio over 10m", objective=an_objective("below", 0.008), **fields)

    row = only(kpi, ratio(part, total))

    assert (row.verdict, row.reasons[0], row.value) == (verdict, reason, value)


@pytest.mark.parametrize(("op", "value"), [("at_most", 3), ("below", 3), ("at_least", 1), ("above", 1)])
def test_series_fold_to_the_one_that_is_worst_for_the_objective(op, value):
    """A limit is judged on the highest series, a floor on the lowest."""
    assert only(a_kpi(objective=an_objective(op, 2)), [a_frame("a", T, {FS: 1, PREDICTIVE: 3})]).value == value


def test_series_do_not_fold_when_nothing_says_how():
    """`equals` over two series has no natural fold, so it says so instead of picking one."""
    row = only(a_kpi(objective=an_objective("equals", 2)), [a_frame("a", T, {FS: 2, PREDICTIVE: 3})])

    assert (row.verdict, row.reasons) == (Verdict.INSUFFICIENT, (Reason.SEVERAL_SERIES,))


def test_by_gives_a_row_a_value_and_expect_a_row_for_the_unseen():
    """A system that never reported is a gap to be seen, not nothing."""
    kpi = a_kpi(by=("system",), expect=(Expected("system", ("fs", "xai2")),), objective=AT_MOST_5)

    found = rows(kpi, [a_frame("a", T, {FS: 1, PREDICTIVE: 7})])

    assert {name: row.verdict for name, row in found.items()} == {
        "system=fs": Verdict.MET,
        "system=predictive": Verdict.MISSED,
        "system=xai2": Verdict.NO_DATA,
    }
    assert found["system=xai2"].reasons == (Reason.NEVER_SEEN,)


def test_a_row_vanishes_a_day_after_its_series_left_the_source():
    """A system that was switched off does not stay on the page for ever."""
    kpi = a_kpi(by=("system",), objective=AT_MOST_5)
    frames = [a_frame("a", T - 86_400, {FS: 1, PREDICTIVE: 1}), a_frame("a", T, {FS: 1})]

    assert set(rows(kpi, frames, T)) == {"system=fs", "system=predictive"}
    assert set(rows(kpi, frames, T + 1)) == {"system=fs"}


def test_a_limit_broken_for_the_sprint_stays_missed_without_data():
    """Silence after the second Sev-1 does not make the sprint any better."""
    kpi = a_kpi(measure="increase over sprint", objective=an_objective("equals", 0))
    frames = [a_frame("a", SPRINT_START, 3.0), a_frame("a", SPRINT_START + 60, 4.0)]

    row = only(kpi, frames)

    assert (row.verdict, row.reasons, row.value) == (Verdict.MISSED, (Reason.BROKEN_FOR_GOOD,), 1.0)


def test_an_upper_limit_needs_coverage_only_while_it_is_kept():
    """Half a window with 3 events may hide more; half a window with 6 is over the limit already."""
    kpi = a_kpi(measure="increase over 20m", objective=AT_MOST_5)
    frames = [a_frame("a", T - 1200, 0.0), a_frame("a", T, 3.0)]
    over = [a_frame("a", T - 1200, 0.0), a_frame("a", T, 6.0)]

    assert only(kpi, frames).reasons == (Reason.LOW_COVERAGE,)
    assert only(kpi, over).verdict is Verdict.MISSED


def test_before_the_sprint_nothing_is_judged():
    """A rule file may be loaded days ahead."""
    row = only(a_kpi(measure="increase over sprint", objective=AT_MOST_5), [], SPRINT_START - 1)

    assert row.reasons == (Reason.BEFORE_SPRINT,)


def test_a_sprint_window_ends_with_the_sprint():
    """What happens on the day after belongs to the next sprint."""
    sprint = a_sprint(T - 600, T)
    kpi = a_kpi(measure="max over sprint", objective=AT_MOST_5)
    frames = [a_frame("a", T - 60, 1.0), a_frame("a", T + 60, 9.0)]

    (row,) = Oracle().evaluate(a_plan(kpi, sprint=sprint), frames, T + 120).rows["sprint-40/kpi"].values()

    assert row.value == 1.0


def test_an_unmet_goal_is_not_due_then_at_risk_then_overdue_then_met_late():
    """The life of a goal that is reached too late."""
    kpi = a_kpi(objective=an_objective("at_least", 2), checkpoint_at=T + 60, due_at=T + 120)
    oracle, seen = Oracle(), []
    for number, value in enumerate([1, 1, 1, 2]):
        now = T + 60 * number
        (row,) = oracle.evaluate(a_plan(kpi), [a_frame("a", now, value)], now).rows["sprint-40/kpi"].values()
        seen.append((row.verdict, row.reasons[0]))

    assert seen == [
        (Verdict.NOT_DUE, Reason.NOT_DUE_YET),
        (Verdict.AT_RISK, Reason.PAST_CHECKPOINT),
        (Verdict.MISSED, Reason.OVERDUE),
        (Verdict.MET, Reason.MET_LATE),
    ]


def drill(**fields) -> KPI:
    return a_kpi(
        type=IndicatorType.BOOL, source=Single(Selection("a")), objective=an_objective(Op.IS, True), due_at=T, **fields
    )


@pytest.mark.parametrize(("when", "reason"), [(T - 1, Reason.OBJECTIVE_MET), (T + 30, Reason.MET_LATE)])
def test_evidence_is_judged_by_when_it_happened(when, reason):
    """A drill held in time counts, however late it was written down."""
    row = only(drill(), [an_evidence("a", T + 60, a_sign_off(when, entered_at=T + 50))], T + 60)

    assert row.reasons == (reason,)


def test_unsigned_evidence_is_false():
    """Nobody's word is not missing data: the source was read and it holds no signature."""
    row = only(drill(), [an_evidence("a", T)], T)

    assert (row.value, row.verdict, row.reasons) == (0.0, Verdict.MISSED, (Reason.OVERDUE,))


def test_for_and_keep_firing_for_are_those_of_prometheus():
    """Fires where the condition has held for 2m, ends where it has been clear for 1m; a blip restarts the wait."""
    kpi = a_kpi(objective=AT_MOST_5, for_seconds=120, keep_firing_for_seconds=60)

    changes = walk(kpi, [9, 1, 9, 9, 9, 1, 9, 1, 1, 1])

    assert changes == [
        (0, "breach", "inactive", "pending"),
        (1, "breach", "pending", "inactive"),
        (2, "breach", "inactive", "pending"),
        (4, "breach", "pending", "firing"),
        (8, "breach", "firing", "inactive"),
    ]


def test_a_firing_alert_resolves_only_at_resolve():
    """Between resolve and objective nothing flaps."""
    kpi = a_kpi(objective=AT_MOST_5, resolve=an_objective("at_most", 3))

    changes = walk(kpi, [4, 6, 4, 6, 3])

    assert changes == [(1, "breach", "inactive", "firing"), (4, "breach", "firing", "inactive")]


def test_missing_data_fires_without_a_further_for():
    """The sample is 6 minutes old: that has been bad for long enough."""
    kpi = a_kpi(objective=AT_MOST_5, for_seconds=600)

    assert walk(kpi, [1, *[None] * 6]) == [(6, "breach", "inactive", "firing")]


def test_hold_freezes_the_alert_for_hold_for():
    """What fired goes on firing without data, and what did not fires when the hold is over."""
    no_data = NoData(60, NoDataThen.HOLD, 120)

    assert walk(a_kpi(objective=AT_MOST_5, no_data=no_data), [9, None, None, 1]) == [
        (0, "breach", "inactive", "firing"),
        (3, "breach", "firing", "inactive"),
    ]
    assert walk(a_kpi(objective=AT_MOST_5, no_data=no_data), [1, *[None] * 4]) == [(4, "breach", "inactive", "firing")]


def test_ok_ends_the_alert_when_data_ends():
    """The rule says that silence is no reason to alert; the verdict says no_data all the same."""
    kpi = a_kpi(objective=AT_MOST_5, no_data=NoData(60, NoDataThen.OK))

    assert walk(kpi, [9, None, None]) == [(0, "breach", "inactive", "firing"), (2, "breach", "firing", "inactive")]


def test_at_risk_raises_its_own_quieter_alert():
    """It stays while things are worse, so that it does not end at the moment of the breach."""
    kpi = a_kpi(objective=AT_MOST_5, warn=an_objective("at_most", 3))

    assert walk(kpi, [4, 6, 1]) == [
        (0, "risk", "inactive", "firing"),
        (1, "breach", "inactive", "firing"),
        (2, "breach", "firing", "inactive"),
        (2, "risk", "firing", "inactive"),
    ]
    assert walk(a_kpi(objective=AT_MOST_5, warn=an_objective("at_most", 3), warn_severity=Severity.NONE), [4]) == []


def test_a_gap_between_evaluations_restarts_the_wait():
    """Nobody saw that it held all the time."""
    kpi = a_kpi(objective=AT_MOST_5, for_seconds=600)
    oracle = Oracle()
    oracle.evaluate(a_plan(kpi), [a_frame("a", T, 9.0)], T)

    late = oracle.evaluate(a_plan(kpi), [a_frame("a", T + 700, 9.0)], T + 700)

    assert late.transitions == []
    assert oracle.alerts.alerts["sprint-40/kpi", (), AlertKind.BREACH].active_at == T + 700


def test_a_forgotten_series_ends_its_alert_as_gone():
    """Its message must not say that anything recovered."""
    kpi = a_kpi(by=("system",), objective=AT_MOST_5)
    oracle = Oracle()
    oracle.evaluate(a_plan(kpi), [a_frame("a", T, {FS: 9, PREDICTIVE: 1})], T)
    later = T + 86_401

    outcome = oracle.evaluate(a_plan(kpi), [a_frame("a", later, {PREDICTIVE: 1})], later)

    (change,) = outcome.transitions
    assert (change.labels, change.to_state, change.reasons) == (FS, AlertState.INACTIVE, (Reason.SERIES_GONE,))


def test_an_evaluation_that_is_not_later_is_skipped():
    """A clock that goes back must not undo what was said."""
    oracle = Oracle()
    oracle.evaluate(a_plan(a_kpi(objective=AT_MOST_5)), [a_frame("a", T, 9.0)], T)

    outcome = oracle.evaluate(a_plan(a_kpi(objective=AT_MOST_5)), [], T)

    assert (outcome.rows, outcome.transitions) == ({}, [])
