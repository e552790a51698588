"""Worked examples of what is sealed at a sprint's close, and of data that comes after it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from slo_guard.clock import from_unix
from slo_guard.domain.kpi import KPI, Place, Plan
from slo_guard.domain.ports import PersistedEvaluation
from slo_guard.domain.readings import IndicatorType, Observation
from slo_guard.domain.series import LabelSet
from slo_guard.domain.verdicts import Reason, Restatement, Seal, Verdict, VerdictFrame
from slo_guard.evaluate import Evaluation, EvaluationState, evaluate, needed_from
from slo_guard.evaluate.explaining import explain
from tests.support.builders import (
    SPRINT_START,
    a_batch,
    a_failure,
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
from tests.support.restarts import kept

T0 = SPRINT_START
END = T0 + 600.0
SPRINT = a_sprint(T0, END)
NOTHING = PersistedEvaluation(None, 0, 0, {}, {}, {})

SIGNED = a_kpi("signed", type=IndicatorType.BOOL, objective=an_objective("is", True), due_at=END)
SESSIONS = a_kpi("sessions", "count over sprint", objective=an_objective("at_least", 3), min_coverage=0.0)
SEV1 = a_kpi("sev1", "increase over sprint", objective=an_objective("equals", 0), baseline=0.0, min_coverage=0.0)
MINUTES = [T0 + 60.0 * number for number in range(21)]


def lived(
    plan: Plan,
    observations: Iterable[Observation],
    instants: Sequence[float] = MINUTES,
    restarts: Iterable[float] = (),
    *,
    read_from: float | None = None,
) -> list[Evaluation]:
    """Evaluate at ``instants``; before those among ``restarts`` the state is restored from what was kept.

    ``read_from``: what was seen before it was pruned since.
    """
    stored, persisted, state = numbered(observations), NOTHING, EvaluationState.fresh()
    results: list[Evaluation] = []
    for now in instants:
        if now in restarts:
            since = needed_from(plan, now, persisted.closed) if read_from is None else read_from
            history = [each for each in stored if each.id <= persisted.reading_cursor]
            read_back = [each for each in history if each.observation.seen_at >= since]
            state = EvaluationState.restored(plan, persisted, read_back)
        new = [each for each in stored if each.id > state.reading_cursor and each.observation.seen_at <= now]
        results.append(evaluate(plan.due_at(now), new, state, from_unix(now)))
        persisted = kept(persisted, results[-1].record)
    return results


def frame_of(result: Evaluation, kpi: KPI) -> VerdictFrame:
    """Return the frame of a KPI."""
    return next(each for each in result.verdicts if each.kpi.id == kpi.id)


def seal_of(results: Sequence[Evaluation], kpi: KPI) -> Seal:
    """Return the seal that the last evaluation shows."""
    seal = frame_of(results[-1], kpi).seal
    assert seal is not None
    return seal


def restated(results: Sequence[Evaluation], kpi: KPI) -> Restatement:
    """Return what the last evaluation shows beside the final verdict, which stands as at the close."""
    at_close, last = frame_of(results[10], kpi), frame_of(results[-1], kpi)
    assert at_close.at == END
    assert (last.at, last.verdict.tolist()) == (END, at_close.verdict.tolist())
    assert repr(last.value.tolist()) == repr(at_close.value.tolist())
    assert last.restatement is not None
    return last.restatement


def told_after_the_close(results: Sequence[Evaluation]) -> list[object]:
    """Return the transitions of all evaluations after the end."""
    return [each for result in results[11:] for each in result.transitions]


def evidence(*late: Observation, until: float = END + 600) -> list[Observation]:
    """Return sign-off files read every minute, empty until ``late`` ones say otherwise."""
    since = min((each.seen_at for each in late), default=until + 1)
    return [an_evidence("a", at) for at in MINUTES if at < min(since, until + 1)] + list(late)


# --- digests


EVENTS = [
    a_batch("a", T0 + 30.0 * number, *((T0 + 30.0 * number - ago, 1.0, "team=x") for ago in (20.0, 5.0)))
    for number in range(1, 21)
]


def test_equal_data_and_rules_give_equal_digests_however_they_came():
    """A verdict can be proved only if whoever has the same data comes to the same digest."""
    plan = a_plan(SESSIONS, sprint=SPRINT)
    straight = seal_of(lived(plan, EVENTS), SESSIONS)

    assert seal_of(lived(plan, EVENTS, [T0, T0 + 300, END]), SESSIONS) == straight
    assert seal_of(lived(plan, EVENTS, restarts=[T0 + 120, T0 + 480, END, END + 60]), SESSIONS) == straight
    assert len(straight.inputs_digest) == len(straight.rule_digest) == 64


def test_other_data_give_another_digest():
    """One event less, or with another value, is not what was judged."""
    plan = a_plan(SESSIONS, sprint=SPRINT)
    other_value = [a_batch("a", T0 + 30, (T0 + 10, 2.0, "team=x"), (T0 + 25, 1.0, "team=x")), *EVENTS[1:]]
    other_series = [a_batch("a", T0 + 30, (T0 + 10, 1.0, "team=y"), (T0 + 25, 1.0, "team=x")), *EVENTS[1:]]

    digests = {
        seal_of(lived(plan, observations), SESSIONS).inputs_digest
        for observations in (EVENTS, EVENTS[1:], other_value, other_series)
    }

    assert len(digests) == 4


def test_what_came_after_the_end_is_not_in_the_digest():
    """The sprint was judged without it."""
    plan = a_plan(SESSIONS, sprint=SPRINT)
    after = [a_batch("a", END + 30.0 * number, (END + 30.0 * number - 5, 1.0)) for number in range(1, 10)]

    assert seal_of(lived(plan, [*EVENTS, *after]), SESSIONS) == seal_of(lived(plan, EVENTS), SESSIONS)


def test_the_rule_digest_is_that_of_the_file():
    """``sha256sum`` of the rule file under version control says whether it is the one that was judged by."""
    kpi = replace(SESSIONS, place=Place("rules/sprint-40/mp-d.yaml", 7, "ab" * 32))
    moved = replace(kpi, place=Place("rules/sprint-40/mp-d.yaml", 9, "cd" * 32))

    seals = [seal_of(lived(a_plan(each, sprint=SPRINT), EVENTS), each) for each in (kpi, moved)]

    assert [(seal.rule_file, seal.rule_digest) for seal in seals] == [
        ("rules/sprint-40/mp-d.yaml", "ab" * 32),
        ("rules/sprint-40/mp-d.yaml", "cd" * 32),
    ]
    assert seals[0].inputs_digest == seals[1].inputs_digest


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 1.0, 2.5, 7.25, None]), min_size=1, max_size=20),
    st.sets(st.sampled_from(MINUTES[1:11]), max_size=3),
    st.sampled_from(["increase over sprint", "mean over sprint", "max over sprint"]),
)
def test_neither_restarts_nor_what_was_read_at_once_changes_a_digest(values, restarts, measure):
    """Windows are rebuilt from the store after a restart, and fed in stretches after an outage."""
    kpi = a_kpi("kpi", measure, by=("system",), objective=an_objective("at_most", 1), combine=None)
    fs, xai = labels("system=fs"), labels("system=xai")
    frames = [a_frame("a", T0 + 30.0 * number, {fs: value, xai: 1.0}) for number, value in enumerate(values)]
    plan = a_plan(kpi, sprint=SPRINT)

    straight = seal_of(lived(plan, frames), kpi)

    assert seal_of(lived(plan, frames, restarts=restarts), kpi) == straight
    assert seal_of(lived(plan, frames, [T0, END]), kpi) == straight


# --- restatements


def test_a_sign_off_entered_after_the_end_is_shown_beside_the_missed_verdict():
    """It was signed on Friday and written down on Monday: the deadline was missed, and everybody sees what was so."""
    signed = an_evidence("a", END + 150, a_sign_off(END - 30, entered_at=END + 140))

    results = lived(a_plan(SIGNED, sprint=SPRINT), evidence(signed))

    assert frame_of(results[-1], SIGNED).worst is Verdict.MISSED
    found = restated(results, SIGNED)
    assert (found.at, found.worst, found.value.tolist()) == (END + 180, Verdict.MET, [1.0])
    assert found.differing(frame_of(results[-1], SIGNED)) == [0]
    assert "backdated" in found.notes[0]
    assert told_after_the_close(results) == []


def test_a_sign_off_of_the_next_sprint_restates_nothing():
    """What is signed on Monday was not so on Friday."""
    signed = an_evidence("a", END + 150, a_sign_off(END + 140))

    results = lived(a_plan(SIGNED, sprint=SPRINT), evidence(signed))

    assert frame_of(results[-1], SIGNED).restatement is None
    assert all(not result.record.restatements for result in results)


def test_late_rows_of_events_restate_a_count():
    """An export that comes a day late adds the sessions of the sprint, and not those after it."""
    inside = [a_batch("a", T0 + 60.0 * number, (T0 + 60.0 * number - 1, 1.0)) for number in (1, 2)]
    empty = [a_batch("a", at) for at in MINUTES[3:]]
    late = a_batch("a", END + 150, (END - 20, 1.0), (END - 10, 1.0), (END + 20, 1.0))

    results = lived(a_plan(SESSIONS, sprint=SPRINT), [*inside, *empty, late])

    found = restated(results, SESSIONS)
    assert frame_of(results[-1], SESSIONS).value.tolist() == [2.0]
    assert (found.worst, found.value.tolist(), found.at) == (Verdict.MET, [4.0], END + 180)
    assert [len(result.record.restatements) for result in results] == [0] * 13 + [1] + [0] * 7
    assert told_after_the_close(results) == []


def test_a_late_reading_restates_by_its_own_time():
    """A source that was down over the end gives the gap afterwards: an incident at 23:50 is this sprint's."""
    before = [a_frame("a", at, 0.0) for at in MINUTES[:8]]
    gap = [a_frame("a", at, 1.0, seen_at=END + 90) for at in MINUTES[8:11]]
    after = [a_frame("a", at, 5.0) for at in MINUTES[12:]]

    results = lived(a_plan(SEV1, sprint=SPRINT), [*before, *gap, *after])

    found = restated(results, SEV1)
    assert frame_of(results[-1], SEV1).worst is Verdict.MET
    assert (found.worst, found.value.tolist()) == (Verdict.MISSED, [1.0])
    assert told_after_the_close(results) == []


def test_an_answer_after_an_outage_at_the_end_says_that_there_was_nothing():
    """Without data at the end the verdict is no_data; the source's next answer tells what it would have been."""
    kpi = replace(SESSIONS, objective=an_objective("at_most", 3))
    before = [a_batch("a", T0 + 60, (T0 + 50, 1.0))]
    down = [a_failure("a", at) for at in MINUTES[2:12]]
    back = [a_batch("a", at) for at in MINUTES[12:]]

    results = lived(a_plan(kpi, sprint=SPRINT), [*before, *down, *back])

    found = restated(results, kpi)
    assert frame_of(results[-1], kpi).worst is Verdict.NO_DATA
    assert (found.worst, found.value.tolist(), found.at) == (Verdict.MET, [1.0], MINUTES[12])


def test_what_is_signed_in_time_and_entered_late_is_not_late_when_it_is_restated():
    """Due at the sprint's end and true by then is met: only the close itself had found it overdue."""
    kpi = a_kpi("p95", objective=an_objective("at_most", 1), due_at=END)
    before = [a_frame("a", at, 2.0) for at in MINUTES[:10]]
    late = a_frame("a", END - 10, 0.5, seen_at=END + 90)

    results = lived(a_plan(kpi, sprint=SPRINT), [*before, late])

    assert restated(results, kpi).worst is Verdict.MET
    frame = frame_of(results[-1], kpi)
    assert frame.restatement is not None
    assert [each.row(0).reason for each in (frame,)] == [Reason.OVERDUE]
    found = replace(frame, reason=frame.restatement.reason)
    assert found.row(0).reason is Reason.OBJECTIVE_MET


def test_a_reading_of_the_next_sprint_restates_nothing():
    """A p95 that recovers on Monday was slow on Friday."""
    kpi = a_kpi("p95", objective=an_objective("at_most", 1), due_at=END)
    slow = [a_frame("a", at, 2.0) for at in MINUTES[:11]]
    fast = [a_frame("a", at, 0.5) for at in MINUTES[11:]]

    results = lived(a_plan(kpi, sprint=SPRINT), [*slow, *fast])

    assert frame_of(results[-1], kpi).worst is Verdict.MISSED
    assert frame_of(results[-1], kpi).restatement is None


def test_a_restatement_that_is_taken_back_differs_no_more():
    """A sign-off that was entered by mistake and withdrawn leaves the final verdict alone."""
    signed = an_evidence("a", END + 90, a_sign_off(END - 30))
    withdrawn = [an_evidence("a", END + 60.0 * number) for number in (3, 4, 5)]

    results = lived(a_plan(SIGNED, sprint=SPRINT), evidence(signed, *withdrawn))

    frame = frame_of(results[-1], SIGNED)
    assert frame.restatement is not None
    assert frame.restatement.differing(frame) == []
    assert sum(len(result.record.restatements) for result in results) == 2


@pytest.mark.parametrize("restarts", [[END + 120], [END + 240], [END + 60, END + 180, END + 300]])
def test_restatements_go_on_after_a_restart(restarts):
    """A deployment between the close and the retrospective must neither lose nor double what came late."""
    inside = [a_batch("a", T0 + 60.0 * number, (T0 + 60.0 * number - 1, 1.0)) for number in (1, 2)]
    late = [a_batch("a", END + seen, (END - 20 + seen / 100, 1.0)) for seen in (90.0, 210.0)]
    plan = a_plan(SESSIONS, sprint=SPRINT)

    straight = restated(lived(plan, [*inside, *late]), SESSIONS)
    again = restated(lived(plan, [*inside, *late], restarts=restarts), SESSIONS)

    assert (again.at, again.inputs_digest) == (straight.at, straight.inputs_digest)
    assert again.value.tolist() == [4.0]


def test_what_was_restated_stays_when_the_readings_are_pruned():
    """Half a window would restate a count to less than it was: without what was judged nothing more is said."""
    inside = [a_batch("a", T0 + 60.0 * number, (T0 + 60.0 * number - 1, 1.0)) for number in (1, 2)]
    late = [a_batch("a", END + seen, (END - 20 + seen / 100, 1.0)) for seen in (90.0, 210.0)]

    results = lived(a_plan(SESSIONS, sprint=SPRINT), [*inside, *late], restarts=[END + 180], read_from=END - 60)

    assert restated(results, SESSIONS).value.tolist() == [3.0], "as of before the pruning"


def test_a_rule_that_promises_something_else_afterwards_restates_nothing():
    """By the new target the sprint was never judged."""
    late = a_batch("a", END + 150, (END - 20, 1.0))
    inside = [a_batch("a", END - 60, (T0 + 50, 1.0))]
    plan = a_plan(SESSIONS, sprint=SPRINT)
    state, stored = EvaluationState.fresh(), numbered([*inside, late])
    evaluate(plan, stored[:1], state, from_unix(END - 60))
    evaluate(plan, [], state, from_unix(END))
    lowered = a_plan(replace(SESSIONS, objective=an_objective("at_least", 2)), sprint=SPRINT)

    result = evaluate(lowered, stored[1:], state, from_unix(END + 180))

    frame = frame_of(result, SESSIONS)
    assert (frame.worst, frame.restatement) == (Verdict.MISSED, None)
    assert frame.seal is not None
    assert frame.seal.objective == "at_least 3"


def test_a_month_later_nothing_is_restated():
    """A start reads two weeks back for it and no more."""
    late = a_batch("a", END + 15 * 86_400, (END - 20, 1.0))
    inside = [a_batch("a", T0 + 60, (T0 + 50, 1.0))]

    results = lived(a_plan(SESSIONS, sprint=SPRINT), [*inside, late], [*MINUTES, END + 15 * 86_400 + 60])

    assert frame_of(results[-1], SESSIONS).restatement is None


LATE = st.lists(
    st.tuples(st.floats(30.0, 590.0), st.sampled_from([0.0, 1.0, 4.0]), st.sampled_from(["team=x", "team=y"])),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    late=LATE,
    kind=st.sampled_from(["count over sprint", "sum over sprint", "median over sprint", "signed", "mean over sprint"]),
    restarts=st.sets(st.sampled_from(MINUTES[5:20]), max_size=3),
)
def test_what_is_restated_is_what_had_been_judged_if_it_had_come_in_time(late, kind, restarts):
    """A restatement claims what would have been so: it must be the verdict of a sprint in which nothing came late."""
    signed = kind == "signed"
    type_ = {"type": IndicatorType.BOOL, "due_at": END} if signed else {}
    objective = an_objective("is", True) if signed else an_objective("at_most", 2)
    kpi = a_kpi("kpi", "last" if signed else kind, by=("team",), objective=objective, min_coverage=0.0, **type_)
    plan = a_plan(kpi, sprint=SPRINT)

    def seen(seen_from: float) -> list[Observation]:
        """Return the sprint with the late part seen from ``seen_from`` on, one piece a second."""
        pieces = sorted(late)
        if kind == "mean over sprint":
            return [
                a_frame("a", T0 + 20.0, {labels("team=x"): 1.0, labels("team=y"): 1.0}),
                *(
                    a_frame("a", T0 + at, {labels(team): value}, seen_at=seen_from + number, increment=True)
                    for number, (at, value, team) in enumerate(pieces)
                ),
            ]
        if signed:
            words = [a_sign_off(T0 + at, team, value=value > 0) for at, value, team in pieces]
            early = [an_evidence("a", at) for at in MINUTES[:10]]
            return [*early, *(an_evidence("a", seen_from + n, *words[: n + 1]) for n in range(len(words)))]
        early = [a_batch("a", at, (at - 1, 1.0, "team=x")) for at in MINUTES[1:10]]
        return [*early, *(a_batch("a", seen_from + n, (T0 + at, *rest)) for n, (at, *rest) in enumerate(pieces))]

    in_time = frame_of(lived(plan, seen(END - 10.0))[-1], kpi)
    frame = frame_of(lived(plan, seen(END + 95.0), restarts=restarts)[-1], kpi)

    found = frame if frame.restatement is None else frame.restatement
    assert _said(found) == _said(in_time)


def _said(found: VerdictFrame | Restatement) -> dict[LabelSet, tuple[int, str]]:
    rows = zip(found.index.label_sets, found.verdict.tolist(), found.value.tolist(), strict=True)
    return {labels: (verdict, f"{value:.9g}") for labels, verdict, value in rows}


def test_the_order_in_which_events_of_one_instant_came_is_not_in_the_digest():
    """Two pages of one answer may come in any order."""
    rows = [(T0 + 90.0, 1.0, "team=x"), (T0 + 90.0, 2.0, "team=y"), (T0 + 90.0, 1.0, "team=y")]
    plan = a_plan(SESSIONS, sprint=SPRINT)

    digests = {
        seal_of(lived(plan, [a_batch("a", T0 + 100, *order)]), SESSIONS).inputs_digest for order in permutations(rows)
    }

    assert len(digests) == 1


# --- in words


def test_an_explanation_says_what_was_sealed_and_what_came_later() -> None:
    """Who looks a closed KPI up weeks later must see both numbers, and by what the first one can be proved."""
    signed = a_sign_off(END - 60, entered_at=END + 60)
    results = lived(a_plan(SIGNED, sprint=SPRINT), evidence(an_evidence("a", END + 120, signed)))
    last = frame_of(results[-1], SIGNED)

    explained = explain(results[-1].state.tracks[SIGNED.sprint, SIGNED.id], last, END + 600, {})

    [close] = [section for section in explained.sections if section.title == "The close"]
    judged_by, sealed, restated_line = close.lines
    assert judged_by == "judged by is True, as the rule was then"
    assert seal_of(results, SIGNED).inputs_digest[:12] in sealed
    assert restated_line.startswith("restated: met")
    assert restated_line.endswith("final: missed false")
