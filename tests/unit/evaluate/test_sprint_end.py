"""Worked examples of a sprint's end: what is judged once more, what ends, and what goes on in the next sprint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from slo_guard.clock import from_unix
from slo_guard.domain.alerts import AlertKind, Transition
from slo_guard.domain.builtin import SPRINT_CLOSE
from slo_guard.domain.kpi import KPI, NoData, Plan, Selection, Severity, Single, When
from slo_guard.domain.readings import IndicatorType, Observation
from slo_guard.domain.verdicts import AlertState, Reason, Verdict, VerdictFrame
from slo_guard.evaluate import Evaluation, EvaluationState, evaluate, needed_from
from slo_guard.jobs import EvaluationBacklog, evaluate_once
from tests.support.builders import (
    SPRINT_START,
    a_frame,
    a_kpi,
    a_plan,
    a_sign_off,
    a_sprint,
    an_evidence,
    an_objective,
    labels,
    numbered,
)
from tests.support.fake_store import FakeStore

T0 = SPRINT_START
END = T0 + 600.0
NEXT = END + 120.0
SPRINT = a_sprint(T0, END)
FOLLOWING = a_sprint(NEXT, NEXT + 12 * 86_400, "sprint-41")
NONE_AT_ALL = an_objective("equals", 0)
FAST = an_objective("at_most", 1)


def sev1(**fields: object) -> KPI:
    """Return a KPI that is counted over the sprint, and cannot recover."""
    defaults = {"objective": NONE_AT_ALL, "baseline": 0.0, "min_coverage": 0.0, "severity": Severity.PAGE}
    return a_kpi("sev1", "increase over sprint", **{**defaults, **fields})


def p95(**fields: object) -> KPI:
    """Return a KPI that goes on in the sprint that follows."""
    return a_kpi("p95", **{"objective": FAST, **fields})


def both_sprints(*kpis: KPI) -> Plan:
    """Return a plan in which each KPI is in this sprint and in the one that follows."""
    heirs = [replace(kpi, sprint=FOLLOWING.id, due_at=None) for kpi in kpis]
    return replace(a_plan(*kpis, *heirs), sprints={SPRINT.id: SPRINT, FOLLOWING.id: FOLLOWING})


def constant(value: float, *, until: float = END + 900, every: float = 30.0) -> list[Observation]:
    """Return a value that is collected all the time."""
    return [a_frame("a", T0 + number * every, value) for number in range(int((until - T0) / every) + 1)]


def once() -> list[Observation]:
    """Return a count that goes from 0 to 1 after the start and stays there."""
    return [a_frame("a", T0, 0.0), *constant(1.0)[1:]]


def walk(
    plan: Plan, observations: Iterable[Observation], instants: Sequence[float], state: EvaluationState | None = None
) -> list[Evaluation]:
    """Evaluate at ``instants``, each observation given when it was seen."""
    state = state or EvaluationState.fresh()
    stored, results = numbered(observations), []
    for now in instants:
        new = [each for each in stored if each.id > state.reading_cursor and each.observation.seen_at <= now]
        results.append(evaluate(plan.due_at(now), new, state, from_unix(now)))
    return results


def minutes(first: float, last: float) -> list[float]:
    """Return an instant each minute."""
    return [first + 60.0 * number for number in range(int((last - first) / 60) + 1)]


def told(results: Iterable[Evaluation]) -> list[tuple[float, str, str, str, str]]:
    """Return what happened, as of the sprint's end."""
    return [short(each) for result in results for each in result.transitions]


def short(each: Transition) -> tuple[float, str, str, str, str]:
    """Return one transition in a line."""
    move = f"{each.from_state.label} -> {each.to_state.label}"
    return each.at - END, each.key.sprint, each.key.kpi, move, each.reason.value


def frame_of(result: Evaluation, kpi: str, sprint: str = SPRINT.id) -> VerdictFrame | None:
    """Return the frame of a KPI, None where there is none."""
    return next((each for each in result.verdicts if (each.kpi.sprint, each.kpi.id) == (sprint, kpi)), None)


# --- the close


def test_the_end_instant_judges_once_more_ends_the_alerts_and_sums_up():
    """What is due at the end is breached at it; then nothing of the sprint is on fire any more."""
    signed = a_kpi("signed", type=IndicatorType.BOOL, objective=an_objective("is", True), due_at=END)
    plan = a_plan(sev1(), p95(), signed, sprint=SPRINT)

    results = walk(plan, once(), minutes(T0, END + 120))

    assert [each for each in told(results) if each[0] >= 0] == [
        (0, "sprint-40", "sev1", "firing -> inactive", "sprint_closed"),
        (0, "sprint-40", SPRINT_CLOSE, "inactive -> inactive", "sprint_closed"),
    ]
    close = results[-3].transitions[-1]
    assert (close.title, close.active_at, close.severity) == ("Sprint 40", T0, Severity.TICKET)
    assert [(final.kpi, final.verdict, final.value) for final in close.finals] == [
        ("sev1", Verdict.MISSED, 1.0),
        ("p95", Verdict.MET, 1.0),
        ("signed", Verdict.MET, 1.0),
    ]


def test_what_is_unsigned_at_the_end_is_told_and_ends_at_the_same_instant():
    """The deadline was missed: that is one message, and the summary repeats it."""
    signed = a_kpi("signed", type=IndicatorType.BOOL, objective=an_objective("is", True), due_at=END)
    observations = [an_evidence("a", T0 + 30.0 * number) for number in range(30)]

    results = walk(a_plan(signed, sprint=SPRINT), observations, minutes(T0, END))

    assert told(results) == [
        (0, "sprint-40", "signed", "inactive -> firing", "overdue"),
        (0, "sprint-40", "signed", "firing -> inactive", "sprint_closed"),
        (0, "sprint-40", SPRINT_CLOSE, "inactive -> inactive", "sprint_closed"),
    ]


def test_all_is_judged_at_the_end_whatever_is_due():
    """A KPI that is judged once an hour must not miss the deadline by an hour."""
    plan = a_plan(sev1(interval_seconds=3600.0), sprint=a_sprint(T0, T0 + 630))

    results = walk(plan, once(), [T0, T0 + 630])

    assert plan.next_evaluation(T0) == T0 + 630
    assert plan.last_evaluation(T0 + 700) == T0 + 630
    frame = frame_of(results[-1], "sev1")
    assert frame is not None
    assert (frame.final, frame.window_end, frame.worst) == (True, T0 + 630, Verdict.MISSED)


def test_what_is_final_changes_no_more():
    """A fourth day of incidents is not this sprint's."""
    rising = [a_frame("a", T0 + 30.0 * number, float(number)) for number in range(60)]

    results = walk(a_plan(sev1(), sprint=SPRINT), rising, minutes(T0, END + 600))

    at_end, later = frame_of(results[10], "sev1"), frame_of(results[-1], "sev1")
    assert at_end is not None
    assert at_end is later, "the same object, so that nothing is rendered again"
    assert at_end.value.tolist() == [20.0]
    assert (at_end.alert_state.tolist(), at_end.final) == ([AlertState.INACTIVE], True)


def test_an_evaluation_that_comes_late_closes_as_of_the_end():
    """A process that was down over midnight must not judge the sprint by the next day's numbers."""
    signed = a_kpi("signed", type=IndicatorType.BOOL, objective=an_objective("is", True), due_at=END)
    evidence = [an_evidence("a", T0 + 60.0 * number) for number in range(10)]
    after = [an_evidence("a", END + 90, a_sign_off(END - 30))]

    results = walk(a_plan(signed, sprint=SPRINT), [*evidence, *after], [T0, T0 + 300, END + 120])

    assert [each[:1] + each[2:] for each in told(results)] == [
        (0, "signed", "inactive -> firing", "overdue"),
        (0, "signed", "firing -> inactive", "sprint_closed"),
        (0, SPRINT_CLOSE, "inactive -> inactive", "sprint_closed"),
    ]


def test_a_sprint_that_nobody_watched_is_over_without_a_word():
    """A first start with last sprint's rules beside this one's must not page for last sprint."""
    state = EvaluationState.fresh()
    state.awaiting = {"a"}
    plan = a_plan(sev1(), sprint=SPRINT)
    read_back = [a_frame("a", T0 + 60.0 * number, float(number), seen_at=END + 250) for number in range(14)]

    results = walk(plan, read_back, minutes(END + 180, END + 360), state)

    assert told(results) == []
    waiting, judged = frame_of(results[0], "sev1"), frame_of(results[2], "sev1")
    assert waiting is not None
    assert judged is not None
    assert waiting.reason.tolist() != judged.reason.tolist()
    assert (judged.final, judged.worst, judged.value.tolist()) == (True, Verdict.MISSED, [10.0])
    assert state.closed == {"sprint-40": END}


def test_a_close_happens_once_over_restarts():
    """A second summary, or pages for what has ended, would make every deployment an alarm."""
    store, plan = FakeStore(), a_plan(sev1(), sprint=SPRINT)
    store.stored = numbered(once())
    counts = []
    for now in minutes(T0, END + 180):
        state = EvaluationState.restored(plan, store.load_evaluation(), store.observations(seen_until=now - 60))
        result = evaluate_once(plan.due_at(now), store, state, from_unix(now), EvaluationBacklog())
        counts.append(len(result.transitions))

    assert counts[-4:] == [2, 0, 0, 0]
    frame = frame_of(result, "sev1")
    assert frame is not None
    assert (frame.final, frame.at, frame.window_end, frame.value.tolist()) == (True, END, END, [1.0])


def test_nothing_is_read_for_a_sprint_that_has_closed():
    """Rules of past sprints may stay in the folder; a start must not read a quarter back for them."""
    plan = a_plan(sev1(forget_after_seconds=0.0), sprint=SPRINT)
    long_after = END + 15 * 86_400

    assert needed_from(plan, long_after) == T0 - 300
    assert needed_from(plan, long_after, {"sprint-40": END}) == long_after
    assert needed_from(plan, END + 14 * 86_400, {"sprint-40": END}) == T0 - 300, "late data still restates it"
    assert needed_from(plan, long_after, {"sprint-40": END - 60}) == T0 - 300, "its end was moved: it closes again"


def test_a_sprint_whose_end_was_moved_closes_again():
    """One that is extended by a week has not ended."""
    state = EvaluationState.fresh()
    walk(a_plan(sev1(), sprint=SPRINT), constant(1.0), minutes(T0, END + 60), state)
    longer = a_plan(sev1(), sprint=a_sprint(T0, END + 180))

    results = walk(longer, constant(1.0), minutes(END + 120, END + 240), state)

    assert [each[0] for each in told(results) if each[2] == SPRINT_CLOSE] == [180]


# --- before the start


@pytest.mark.parametrize("kpi", [sev1(), p95(objective=an_objective("at_most", 0))])
def test_a_sprint_that_has_not_started_is_not_judged(kpi):
    """Next sprint's rules are written before it, and wake nobody."""
    rising = [a_frame("a", T0 + 30.0 * number, float(number)) for number in range(20)]

    results = walk(a_plan(kpi, sprint=a_sprint(T0 + 300, END)), rising, minutes(T0, T0 + 360))

    assert {reason for result in results[:5] for reason in reasons(result, kpi.id)} == {Reason.BEFORE_SPRINT}
    assert Reason.BEFORE_SPRINT not in reasons(results[5], kpi.id)
    assert [(each.at - T0 >= 300, each.to_state) for each in changes(results)] == [(True, AlertState.FIRING)]


def reasons(result: Evaluation, kpi: str) -> list[Reason]:
    """Return the reasons of a KPI's series."""
    frame = frame_of(result, kpi)
    assert frame is not None
    return [frame.row(row).reason for row in range(len(frame.index))]


# --- the hand-over


def test_what_fires_goes_on_in_the_next_sprint_without_resolving():
    """Whoever works on a breach over the weekend must not be told that it ended and began."""
    state = EvaluationState.fresh()
    results = walk(both_sprints(p95()), constant(2.0), minutes(T0, NEXT + 120), state)

    assert [each for each in told(results) if each[2] != SPRINT_CLOSE] == [
        (T0 - END, "sprint-40", "p95", "inactive -> firing", "objective_missed"),
        (NEXT - END, "sprint-41", "p95", "firing -> firing", "carried_over"),
    ]
    carried = results[-3].transitions[-1]
    assert (carried.carried_from, carried.active_at, carried.value) == ("sprint-40", T0, 2.0)
    [alert] = state.alerts.values()
    assert (alert.key.sprint, alert.active_at, alert.fired_at) == ("sprint-41", T0, T0)
    assert frame_of(results[-4], "p95") is not None, "it went on until the next sprint started"
    assert frame_of(results[-3], "p95") is None
    assert state.is_left(("sprint-40", "p95"))
    assert [kpi.sprint for kpi in state.shown(both_sprints(p95())).kpis] == ["sprint-41"]


def test_what_pends_goes_on_waiting_in_the_next_sprint():
    """The wait began when the breach did."""
    plan = both_sprints(p95(for_seconds=300.0))
    slow_since = NEXT - 120
    observations = [a_frame("a", T0 + 30.0 * n, 2.0 if T0 + 30.0 * n >= slow_since else 1.0) for n in range(60)]

    results = walk(plan, observations, minutes(T0, NEXT + 240))

    assert [each for each in told(results) if each[2] != SPRINT_CLOSE] == [
        (slow_since - END, "sprint-40", "p95", "inactive -> pending", "objective_missed"),
        (slow_since + 300 - END, "sprint-41", "p95", "pending -> firing", "objective_missed"),
    ]


@pytest.mark.parametrize("heir", [None, p95(objective=None), p95(by=("system",))])
def test_what_the_next_sprint_does_not_guard_alike_ends_with_the_old_one(heir):
    """An alert that nobody judges any more would fire for ever."""
    heirs = () if heir is None else (replace(heir, sprint=FOLLOWING.id),)
    plan = replace(a_plan(p95(), *heirs), sprints={SPRINT.id: SPRINT, FOLLOWING.id: FOLLOWING})
    state = EvaluationState.fresh()

    results = walk(plan, constant(2.0), minutes(T0, NEXT), state)

    assert (NEXT - END, "sprint-40", "p95", "firing -> inactive", "sprint_closed") in told(results)
    assert not [alert for alert in state.alerts.values() if alert.key.sprint == "sprint-40"]


def test_alert_of_missing_series_goes_on_in_the_next_sprint_while_its_condition_is_unknown():
    """Nobody knows then whether the series are still due; that the sprint changes tells nobody."""
    go = a_kpi("go", source=Single(Selection("go")), type=IndicatorType.BOOL, no_data=NoData(120.0))
    plan = both_sprints(go, p95(by=("system",), when=When("go", is_true=True)))

    results = walk(plan, [an_evidence("go", T0, a_sign_off(T0))], minutes(T0, NEXT))

    assert [each for each in told(results) if each[2] != SPRINT_CLOSE] == [
        (T0 - END, "sprint-40", "p95", "inactive -> firing", "no_series"),
        (NEXT - END, "sprint-41", "p95", "firing -> firing", "carried_over"),
    ]


def test_without_a_next_sprint_the_rest_goes_on():
    """Between two sprints the service is watched all the same."""
    results = walk(a_plan(p95(), sprint=SPRINT), constant(1.0, until=END), minutes(T0, END + 600))

    assert told(results)[-1] == (360, "sprint-40", "p95", "inactive -> firing", "stale")


def test_both_kinds_of_alerts_go_on():
    """What is at risk on Friday is so on Monday."""
    plan = both_sprints(p95(warn=an_objective("at_most", 0.5)))
    state = EvaluationState.fresh()

    walk(plan, constant(0.8), minutes(T0, NEXT), state)

    assert [(key.sprint, key.kind) for key in state.alerts] == [("sprint-41", AlertKind.RISK)]


# --- the second Sev-1


def counted(*values: float) -> list[Observation]:
    """Return a counter, a value a minute."""
    return [a_frame("a", T0 + 60.0 * number, value) for number, value in enumerate(values)]


def test_what_cannot_recover_is_told_again_when_it_is_worse():
    """A second Sev-1 must be heard although the first one's alert still fires."""
    results = walk(a_plan(sev1(), sprint=SPRINT), counted(0, 1, 1, 2, 2, 4), minutes(T0, T0 + 300))

    assert [(each.at - T0, each.from_state, each.reason, each.value, each.note) for each in changes(results)] == [
        (60, AlertState.INACTIVE, Reason.OBJECTIVE_MISSED, 1.0, "1 beyond the limit, which can no longer be kept"),
        (180, AlertState.FIRING, Reason.ESCALATED, 2.0, "was 1"),
        (300, AlertState.FIRING, Reason.ESCALATED, 4.0, "was 2"),
    ]


def test_it_is_told_again_by_whole_limits():
    """Ten minutes of burn alarms are told at 10 and at 20, not each second in between."""
    kpi = sev1(objective=an_objective("at_most", 10))

    results = walk(a_plan(kpi, sprint=SPRINT), counted(0, 12, 15, 19, 20, 25, 31), minutes(T0, T0 + 360))

    assert [(each.reason, each.value) for each in changes(results)] == [
        (Reason.OBJECTIVE_MISSED, 12.0),
        (Reason.ESCALATED, 20.0),
        (Reason.ESCALATED, 31.0),
    ]


def test_what_can_recover_does_not_escalate():
    """A p95 that goes from bad to worse is one incident."""
    values = [a_frame("a", T0 + 60.0 * number, 2.0 + number) for number in range(5)]

    results = walk(a_plan(p95(), sprint=SPRINT), values, minutes(T0, T0 + 240))

    assert len(changes(results)) == 1


def test_what_is_not_judged_does_not_escalate():
    """Too few samples to speak of a breach are too few to call it worse."""
    kpi = sev1(min_samples=4, keep_firing_for_seconds=600)
    state = EvaluationState.fresh()
    walk(a_plan(sev1(), sprint=SPRINT), counted(0, 1), minutes(T0, T0 + 60), state)

    results = walk(a_plan(kpi, sprint=SPRINT), counted(0, 1, 2), [T0 + 120], state)

    assert (changes(results), reasons(results[0], "sev1")) == ([], [Reason.BELOW_MIN_SAMPLES])


def changes(results: Iterable[Evaluation]) -> list[Transition]:
    """Return all transitions."""
    return [each for result in results for each in result.transitions]


# --- one series among many


def test_the_summary_says_the_worst_series_and_counts_the_others():
    """Of a hundred tenants the one that missed matters."""
    fs, xai = labels("system=fs"), labels("system=xai2")
    observations = [a_frame("a", T0 + 30.0 * number, {fs: 0.0, xai: min(3.0, number)}) for number in range(30)]

    results = walk(a_plan(sev1(by=("system",)), sprint=SPRINT), observations, minutes(T0, END))

    [final] = results[-1].transitions[-1].finals
    assert (final.verdict, final.value, final.series, final.in_words) == (Verdict.MISSED, 3.0, 2, "1 missed, 1 met")
