"""Worked examples of conditions: what "only when go" means while nobody knows, when it is no, and when it changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from slo_guard.clock import from_unix
from slo_guard.domain.kpi import KPI, NoData, NoDataThen, Plan, Selection, Single, When
from slo_guard.domain.ports import PersistedEvaluation
from slo_guard.domain.readings import IndicatorType, Observation
from slo_guard.domain.verdicts import AlertState, Reason, Verdict
from slo_guard.evaluate import EvaluationState, evaluate
from slo_guard.evaluate.conditions import in_order_of_conditions
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
from tests.support.restarts import kept
from tests.support.stories import story

T0 = SPRINT_START


def decision(kpi_id: str = "go", indicator: str = "go", **fields: object) -> KPI:
    """Return a tracked decision, signed by somebody."""
    return a_kpi(kpi_id, source=Single(Selection(indicator)), type=IndicatorType.BOOL, **fields)


def pilot(**fields: object) -> KPI:
    """Return a KPI that applies only when go."""
    return a_kpi("pilot", **{"objective": an_objective("at_most", 1), "when": When("go", True), **fields})


def seen(plan: Plan, observations: Iterable[Observation], times: Sequence[float]) -> list[tuple[str, str]]:
    """Evaluate at T0 + each of ``times``; return the pilot's verdict and reason each time."""
    state, stored, found = EvaluationState.fresh(), numbered(observations), []
    for time in times:
        now = T0 + time
        new = [each for each in stored if each.id > state.reading_cursor and each.observation.seen_at <= now]
        result = evaluate(plan.due_at(now), new, state, from_unix(now))
        row = next(frame.row(0) for frame in result.verdicts if frame.kpi.id == "pilot")
        found.append((row.verdict.label, row.reason.value))
        if row.reason in (Reason.CONDITION_NOT_MET, Reason.CONDITION_UNKNOWN):
            assert row.value is None
    return found


def evidence(*signed: tuple[float, bool], until: float = 600, text: str = "") -> list[Observation]:
    """Return the collections of a decision that is signed or withdrawn at the given seconds."""
    words = [a_sign_off(T0 + when, text, value=value) for when, value in signed]
    return [
        an_evidence("go", T0 + at, *(word for word in words if word.when <= T0 + at))
        for at in range(0, int(until) + 1, 60)
    ]


SLOW = [a_frame("a", T0 + 60.0 * number, 2.0) for number in range(11)]
MET, MISSED = ("met", "objective_met"), ("missed", "objective_missed")
NOT_MET, UNKNOWN = ("not_applicable", "condition_not_met"), ("insufficient", "condition_unknown")


def test_it_applies_from_the_instant_at_which_its_condition_is_signed():
    """Before the decision there is nothing to reach; from then on it is as any other."""
    plan = a_plan(decision(), pilot())

    assert seen(plan, [*SLOW, *evidence((120, True))], [60, 120, 180]) == [NOT_MET, MISSED, MISSED]


def test_the_order_in_the_rule_file_does_not_matter():
    """A condition may be written below what depends on it."""
    plan = a_plan(pilot(), decision())

    assert seen(plan, [*SLOW, *evidence((120, True))], [60, 120]) == [NOT_MET, MISSED]


def test_a_condition_may_be_that_something_is_false():
    """What must hold only while the old way is in use."""
    plan = a_plan(decision(), pilot(when=When("go", False)))

    assert seen(plan, [*SLOW, *evidence((120, True))], [60, 120]) == [MISSED, NOT_MET]


def test_an_alert_ends_when_its_condition_is_withdrawn_and_says_so():
    """No-go is no recovery, and nobody has to wait until the alert has been clear for long enough."""
    plan = a_plan(decision(), pilot(keep_firing_for_seconds=300))

    told = story(plan, [*SLOW, *evidence((60, True), (180, False))], [60, 120, 180, 240])

    assert told == [
        (60, "inactive", "firing", "objective_missed"),
        (180, "firing", "inactive", "condition_not_met"),
    ]


def test_while_the_condition_is_unknown_nothing_fires_and_nothing_ends():
    """A source of decisions that fails must neither page for a pilot nor call its breach mended."""
    plan = a_plan(decision(no_data=NoData(120.0)), pilot())
    observations = [*SLOW, *evidence((0, True), until=60)]

    assert seen(plan, observations, [0, 120, 240, 300])[2:] == [UNKNOWN, UNKNOWN]
    assert story(plan, observations, [0, 120, 240, 300]) == [(0, "inactive", "firing", "objective_missed")]
    assert story(plan, [*SLOW, *evidence(until=0)], [240, 300]) == []


def test_restart_while_the_condition_is_unknown_ends_no_alert_of_missing_series():
    """A deployment while the decisions cannot be read must not tell that somebody removed the rule."""
    plan = a_plan(decision(no_data=NoData(120.0)), pilot(by=("system",)))
    stored = numbered(evidence((0, True), until=60))
    first = evaluate(plan, stored, EvaluationState.fresh(), from_unix(T0 + 60))
    second = evaluate(plan, [], first.state, from_unix(T0 + 240))
    persisted = PersistedEvaluation(None, 0, 0, {}, {}, {})
    for each in (first, second):
        persisted = kept(persisted, each.record)

    after = evaluate(plan, [], EvaluationState.restored(plan, persisted, stored), from_unix(T0 + 300))

    assert second.verdicts[1].row(0).reason is Reason.CONDITION_UNKNOWN
    assert after.transitions == ()
    assert after.verdicts[1].row(0).alert_state is AlertState.FIRING


def test_a_wait_stands_still_while_the_condition_is_unknown():
    """Five minutes of a breach are five minutes in which it was one."""
    plan = a_plan(decision(no_data=NoData(60.0, NoDataThen.OK)), pilot(for_seconds=180))
    again = [an_evidence("go", T0 + at, a_sign_off(T0)) for at in (0, 60, 300, 360, 420, 480)]

    told = story(plan, [*SLOW, *again], [0, 60, 120, 180, 240, 300, 360, 420])

    assert told == [(0, "inactive", "pending", "objective_missed"), (300, "pending", "firing", "objective_missed")]


def test_conditions_form_chains():
    """The uplift report is for a pilot that is live, and a pilot for a go."""
    live = decision("live", "live", when=When("go", True))
    plan = a_plan(decision(), live, pilot(when=When("live", True)))
    live_from_start = [an_evidence("live", T0 + 60.0 * number, a_sign_off(T0)) for number in range(11)]

    assert seen(plan, [*SLOW, *live_from_start, *evidence((120, True))], [60, 120]) == [NOT_MET, MISSED]


def test_all_series_of_a_condition_must_agree():
    """A go for one system is no go."""
    plan = a_plan(decision(by=("system",)), pilot())
    both = [
        an_evidence("go", T0 + 60.0 * number, a_sign_off(T0, "system=fs"), a_sign_off(T0, "system=xai2", value=False))
        for number in range(3)
    ]

    assert seen(plan, [*SLOW, *both], [60]) == [NOT_MET]


def test_a_condition_counts_as_it_stands_whatever_its_interval():
    """What depends on it is judged twice a minute; the decision once an hour."""
    plan = a_plan(decision(interval_seconds=3600.0), pilot(interval_seconds=60.0))

    assert seen(plan, [*SLOW, *evidence((120, True))], [60, 120]) == [NOT_MET, MISSED]


def test_a_condition_that_is_awaited_is_not_known():
    """Right after a start the decision has not been read yet."""
    state, plan = EvaluationState.fresh(), a_plan(decision(), pilot())
    state.awaiting = {"go"}

    result = evaluate(plan, numbered(SLOW[:2]), state, from_unix(T0 + 60))

    frame = result.verdicts[1]
    assert (frame.worst, frame.row(0).reason) == (Verdict.INSUFFICIENT, Reason.CONDITION_UNKNOWN)


def test_kpis_stand_behind_what_they_depend_on_and_else_in_their_order():
    """The order of the rule file is kept wherever it can be."""
    last = a_kpi("last")
    kpis = (pilot(), last, decision(when=When("live", True)), decision("live", "live"))

    assert [kpi.id for kpi in in_order_of_conditions(kpis)] == ["live", "go", "pilot", "last"]


def test_labels_do_not_matter_to_a_condition():
    """What depends on a decision has series of its own."""
    plan = a_plan(decision(), pilot(by=("system",)))
    rows = [a_frame("a", T0 + 60.0 * n, {labels("system=fs"): 2.0, labels("system=xai2"): 1.0}) for n in range(3)]
    result = evaluate(plan, numbered([*rows, *evidence((0, True))][:4]), EvaluationState.fresh(), from_unix(T0 + 60))

    assert [int(verdict) for verdict in result.verdicts[1].verdict] == [Verdict.MISSED, Verdict.MET]
