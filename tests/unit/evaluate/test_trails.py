"""The course of a KPI over its sprint: which slot holds what, what is kept, and how it goes on after a restart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from slo_guard.clock import from_unix
from slo_guard.domain.builtin import COLLECTOR_UP_SPEC, collector_up_kpi
from slo_guard.domain.kpi import Plan, Severity
from slo_guard.domain.ports import PersistedEvaluation
from slo_guard.domain.readings import Observation
from slo_guard.domain.trails import NOT_JUDGED, Trail
from slo_guard.domain.verdicts import Verdict
from slo_guard.evaluate import Evaluation, EvaluationState, evaluate
from slo_guard.evaluate.trails import SLOTS_LATELY
from tests.support.builders import SPRINT_START, a_frame, a_kpi, a_plan, a_sprint, an_objective, labels, numbered

T0 = SPRINT_START
KEY = ("sprint-40", "kpi")
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
FAST = an_objective("at_most", 1)
FS, XAI = labels("system=fs"), labels("system=xai2")
MET, MISSED, NO_DATA = int(Verdict.MET), int(Verdict.MISSED), int(Verdict.NO_DATA)


def two_hours(**fields: object) -> Plan:
    """Return a plan over a sprint of two hours, whose slots are a minute long."""
    kpi = a_kpi(**{"objective": FAST, "by": ("system",), "interval_seconds": 20.0, **fields})
    return a_plan(kpi, sprint=a_sprint(T0, T0 + 2 * HOUR))


def walk(
    plan: Plan, observations: Iterable[Observation], instants: Iterable[float], state: EvaluationState | None = None
) -> list[Evaluation]:
    """Evaluate at ``instants``, each observation given when it was seen."""
    state = state or EvaluationState.fresh()
    stored, found = numbered(observations), []
    for now in instants:
        new = [each for each in stored if each.id > state.reading_cursor and each.observation.seen_at <= now]
        found.append(evaluate(plan, new, state, from_unix(now)))
    return found


def of_one(*values: tuple[float, float]) -> list[Observation]:
    """Return (offset, value) of one series as observations."""
    return [a_frame("a", T0 + at, {FS: value}) for at, value in values]


def listed(trail: Trail) -> list[tuple[float, float, float, float, int]]:
    """Return the slots with the offset of their end; NaN as -1."""
    columns = (trail.at - T0, trail.value, trail.low, trail.high)
    return list(zip(*(np.nan_to_num(each, nan=-1.0).tolist() for each in columns), trail.verdict.tolist(), strict=True))


def test_a_slot_holds_the_evaluations_up_to_its_end():
    """What is drawn over a minute is what was judged within it; the one at its very end is the last of it."""
    samples = of_one((20, 0.5), (40, 3.0), (60, 0.7), (80, 0.6))

    (*_, last) = walk(two_hours(), samples, [T0 + 20.0, T0 + 40.0, T0 + 60.0, T0 + 80.0])

    assert listed(last.state.trails.over_sprint[KEY]) == [
        (60.0, 0.7, 0.5, 3.0, MISSED),
        (120.0, 0.6, 0.6, 0.6, MET),
    ]


def test_of_many_series_the_one_that_stood_worst_is_drawn_within_the_range_of_all():
    """The line has to be that of the series which the page names first, firing before pending among equals."""
    plan = two_hours()
    first = a_frame("a", T0 + 20, {FS: 0.2, XAI: 5.0})
    both = a_frame("a", T0 + 40, {FS: 9.0, XAI: 5.0})

    early, late = walk(
        replace(plan, kpis=(replace(plan.kpis[0], for_seconds=20.0),)), [first, both], [T0 + 20, T0 + 40]
    )
    trail = late.state.trails.over_sprint[KEY]

    assert early.state.trails is late.state.trails
    assert (trail.value[0], trail.low[0], trail.high[0]) == (5.0, 0.2, 9.0), "xai2 fires, fs is only pending"


def test_what_nobody_judged_is_not_invented():
    """A daemon that starts in mid-sprint, or was down, knows nothing of the time before: not green, and no line."""
    (early, late) = walk(two_hours(), of_one((180, 0.5), (360, 0.6)), [T0 + 180.0, T0 + 360.0])

    trail = late.state.trails.over_sprint[KEY]
    assert trail.verdict.tolist() == [NOT_JUDGED, NOT_JUDGED, MET, NOT_JUDGED, NOT_JUDGED, MET]
    assert np.isnan(trail.value[[0, 1, 3, 4]]).all()
    assert early.state.trails.lately[KEY].at[0] == T0 + 180.0, "the recent trail begins with the first evaluation"


def test_no_data_is_judged_and_has_no_value():
    """Silence is part of the course: a gap in the line, and its verdict below."""
    (*_, last) = walk(two_hours(), of_one((20, 0.5)), [T0 + 20.0, T0 + 400.0])

    trail = last.state.trails.over_sprint[KEY]
    assert trail.verdict[-1] == NO_DATA
    assert np.isnan([trail.value[-1], trail.low[-1], trail.high[-1]]).all()


def test_a_first_collection_that_is_awaited_leaves_no_trace():
    """At each restart the KPI would otherwise look as if it had been insufficient."""
    state = EvaluationState.fresh()
    state.awaiting = {"a"}

    walk(two_hours(), (), [T0 + 20.0], state)

    assert dict(state.trails.over_sprint) == {}


def test_nothing_is_drawn_before_the_sprint_or_after_it_and_what_is_built_in_has_no_trail():
    """The axis is the sprint; a source's own alert belongs to none."""
    built_in = collector_up_kpi(["source"], for_seconds=0.0, severity=Severity.PAGE, interval_seconds=20.0)
    plan = two_hours()
    plan = replace(
        plan,
        kpis=(*plan.kpis, built_in),
        indicators={**plan.indicators, COLLECTOR_UP_SPEC.name: COLLECTOR_UP_SPEC},
    )
    end = T0 + 2 * HOUR

    (*_, last) = walk(plan, [a_frame("a", T0 - 60, 0.5), *of_one((7190, 2.0), (7260, 0.5))], [T0 - 60, end, end + 60])

    trail = last.state.trails.over_sprint[KEY]
    assert (len(trail), trail.at[0], trail.at[-1]) == (120, T0 + 60, end)
    assert (trail.verdict[0], trail.verdict[-1]) == (NOT_JUDGED, MISSED)
    assert list(last.state.trails.lately) == [KEY]


def test_the_slots_of_a_sprint_are_some_hundred_of_whole_minutes():
    """Neither a page nor the store is to carry more for a long sprint than for a short one."""
    plan = a_plan(a_kpi(objective=FAST))

    (last,) = walk(plan, [a_frame("a", T0 + DAY, 0.5)], [T0 + DAY])

    trail = last.state.trails.over_sprint[KEY]
    assert trail.slot_seconds == 43 * MINUTE
    assert len(trail) == np.ceil(DAY / (43 * MINUTE))
    assert trail.at[-1] - 43 * MINUTE < T0 + DAY <= trail.at[-1]


def test_the_recent_trail_has_a_slot_for_each_of_the_last_evaluations():
    """A breach that began a minute ago is not to vanish in a slot of 43 minutes; memory stays bounded."""
    instants = [T0 + 20.0 * number for number in range(1, 200)]

    (*_, last) = walk(two_hours(), of_one(*((at - T0, 0.5) for at in instants)), instants)

    trail = last.state.trails.lately[KEY]
    assert (trail.slot_seconds, len(trail)) == (20.0, SLOTS_LATELY)
    assert (trail.at[0], trail.at[-1]) == (instants[-SLOTS_LATELY], instants[-1])


def kept_of(found: Sequence[Evaluation]) -> list[float]:
    """Return the offsets at which a trail was to be kept."""
    return [each.record.at - T0 for each in found if each.record.trails]


def test_a_trail_is_kept_when_a_slot_has_ended_but_not_every_minute():
    """A cycle is not to write all trails anew each time; what a kill may cost is bounded all the same."""
    instants = [T0 + 20.0 * number for number in range(1, 100)]

    found = walk(two_hours(), of_one(*((at - T0, 0.5) for at in instants)), instants)

    assert kept_of(found) == [80.0, 680.0, 1280.0, 1880.0]


def test_the_whole_trail_is_kept_at_the_end_of_the_sprint():
    """The page of a sprint that is over shows all of it, also after a restart."""
    end = T0 + 2 * HOUR

    found = walk(two_hours(due_at=end), of_one((20, 0.5), (7190, 2.0)), [T0 + 20.0, end, end + 20.0])

    assert kept_of(found) == [7200.0]
    assert len(found[1].record.trails[KEY]) == 120


def restarted(plan: Plan, found: Sequence[Evaluation], observations: Iterable[Observation] = ()) -> EvaluationState:
    """Return the state after a kill: of the trails only what was kept."""
    kept = {key: trail for each in found for key, trail in each.record.trails.items()}
    cursor = found[-1].state.reading_cursor
    persisted = PersistedEvaluation(found[-1].record.at, cursor, 0, {}, {}, {}, trails=kept)
    return EvaluationState.restored(plan, persisted, [each for each in numbered(observations) if each.id <= cursor])


def test_a_restart_goes_on_with_what_was_kept():
    """A kill costs what happened since the last slot was kept, and nothing that was."""
    plan = two_hours()
    samples = of_one((20, 3.0), (60, 0.5), (80, 0.6), (200, 0.7))
    before = walk(plan, samples, [T0 + 20.0, T0 + 60.0, T0 + 80.0])

    state = restarted(plan, before, samples)
    walk(plan, samples, [T0 + 100.0, T0 + 200.0], state)

    assert listed(state.trails.over_sprint[KEY]) == [
        (60.0, 0.5, 0.5, 3.0, MISSED),
        (120.0, 0.6, 0.6, 0.6, MET),
        (180.0, -1.0, -1.0, -1.0, NOT_JUDGED),
        (240.0, 0.7, 0.7, 0.7, MET),
    ]


@pytest.mark.parametrize("restart", [True, False], ids=["restart", "reload"])
def test_a_sprint_whose_dates_are_moved_keeps_what_was_judged(restart: bool):
    """Its slots become others; what was red stays red at its time."""
    plan = two_hours()
    instants = [T0 + 60.0 * number for number in range(1, 13)]
    values = [(at - T0, 5.0 if number in (3, 4) else 0.5) for number, at in enumerate(instants)]
    before = walk(plan, of_one(*values), instants)
    moved = a_plan(plan.kpis[0], sprint=a_sprint(T0 + 120, T0 + 20 * HOUR))

    state = restarted(moved, before if restart else before[:1])
    if not restart:
        state.trails.go_on_from(before[-1].state.trails)

    trail = state.trails.over_sprint[KEY]
    assert trail.slot_seconds == 180.0
    assert listed(trail) == [
        (300.0, 5.0, 0.5, 5.0, MISSED),
        (480.0, 0.5, 0.5, 0.5, MET),
        (660.0, 0.5, 0.5, 0.5, MET),
        (840.0, 0.5, 0.5, 0.5, MET),
    ]


def test_a_reload_takes_over_what_is_not_kept_yet_and_forgets_the_rules_that_left():
    """A reload reads the state from the store, which knows nothing of the last minutes."""
    plan = two_hours()
    found = walk(plan, of_one((20, 0.5), (40, 0.6)), [T0 + 20.0, T0 + 40.0])
    other = a_plan(a_kpi("other"), sprint=plan.sprints["sprint-40"])

    states = []
    for each in (plan, other):
        state = restarted(each, found)
        state.trails.go_on_from(found[-1].state.trails)
        states.append(state)

    assert listed(states[0].trails.over_sprint[KEY]) == [(60.0, 0.6, 0.5, 0.6, MET)]
    assert len(states[0].trails.lately[KEY]) == 2
    assert (len(states[1].trails.over_sprint), len(states[1].trails.lately)) == (0, 0)


def test_what_was_given_out_stays_as_it_was():
    """Pages read it in other threads while the evaluation goes on."""
    plan, samples = two_hours(), of_one((20, 0.5), (40, 3.0), (80, 0.6))
    state = EvaluationState.fresh()
    walk(plan, samples, [T0 + 20.0], state)

    given = state.trails.over_sprint
    walk(plan, samples, [T0 + 40.0, T0 + 80.0], state)

    assert listed(given[KEY]) == [(60.0, 0.5, 0.5, 0.5, MET)]
