"""What time counts for an alert: outages, holds and restarts in the middle of ``for`` and ``keep_firing_for``."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from slo_guard.clock import from_unix
from slo_guard.domain.alerts import Alert, AlertKey
from slo_guard.domain.kpi import KPI, NoData, NoDataThen, Plan
from slo_guard.domain.ports import PersistedEvaluation, StoredObservation
from slo_guard.domain.series import LabelSet
from slo_guard.domain.verdicts import AlertState
from slo_guard.evaluate import EvaluationState, evaluate
from tests.support.builders import SPRINT_START, a_failure, a_frame, a_kpi, a_plan, an_objective, labels, numbered
from tests.support.restarts import kept
from tests.support.stories import samples, story

T0 = SPRINT_START
MINUTES = [60.0 * n for n in range(12)]
FS, XAI = labels("system=fs"), labels("system=xai2")
LIMIT = an_objective("at_most", 1.16)


@pytest.mark.parametrize(("gap", "fires_at"), [(120.0, 300.0), (360.0, 660.0)])
def test_unobserved_time_restarts_a_pending_alert_only_when_it_was_long(gap, fires_at):
    """After a long outage nobody knows whether the condition held; after a short one `for` goes on."""
    kpi = a_kpi(objective=LIMIT, for_seconds=300, no_data=NoData(300.0))
    plan, state = a_plan(kpi), EvaluationState.fresh()
    values = samples([2] * 20)
    story(plan, values[:1], [0.0], state)
    times = [gap + 60 * n for n in range(8)]

    told = story(plan, values, times, state)

    assert [(time, to) for time, _, to, _ in told] == [(fires_at, "firing")]


def test_rule_that_is_evaluated_less_often_than_data_go_stale_still_fires():
    """Its own interval is no outage."""
    kpi = a_kpi(objective=LIMIT, for_seconds=900, interval_seconds=600, no_data=NoData(300.0))

    told = story(kpi, samples([2] * 40), [0.0, 600.0, 1200.0])

    assert [(time, to) for time, _, to, _ in told] == [(0, "pending"), (1200, "firing")]


def test_wait_that_began_anew_after_an_outage_goes_on_from_there_after_another_restart():
    """A deployment right after an outage must not bring back the time that nobody watched, and page too early."""
    kpi = a_kpi(objective=LIMIT, for_seconds=300, no_data=NoData(60.0))
    plan, frames = a_plan(kpi), numbered(samples([2] * 20))
    first = evaluate(plan, frames[:1], EvaluationState.fresh(), from_unix(T0))
    second = evaluate(plan, frames[1:5], first.state, from_unix(T0 + 240))
    stored = PersistedEvaluation(None, 0, 0, {}, {}, {})
    for each in (first, second):
        stored = kept(stored, each.record)

    told = story(kpi, samples([2] * 20), [300.0, 360.0, 420.0, 480.0, 540.0], restored(plan, stored, frames[:5]))

    assert [(time, to) for time, _, to, _ in told] == [(540, "firing")]


HOLD = NoData(60.0, NoDataThen.HOLD, hold_for_seconds=3600.0)


def test_hold_stops_the_clock_of_a_pending_alert():
    """Ten minutes of silence are not ten minutes of breach."""
    kpi = a_kpi(objective=LIMIT, for_seconds=180, no_data=HOLD)

    told = story(kpi, samples([2, *[None] * 6, 2, 2, 2, 2]), MINUTES)

    # Frozen from 120 (the sample of 0 is stale) until 420: of `for` 120 s had passed.
    assert [(time, to) for time, _, to, _ in told] == [(0, "pending"), (480, "firing")]


def test_hold_stops_the_clock_of_an_alert_that_only_keeps_firing():
    """Silence is no time for which it was clear."""
    kpi = a_kpi(objective=LIMIT, keep_firing_for_seconds=180, no_data=HOLD)

    told = story(kpi, samples([2, 1, *[None] * 6, 1, 1, 1]), MINUTES)

    # Clear since 60, frozen from 180 until 480: 120 s were clear then.
    assert [(time, to) for time, _, to, _ in told] == [(0, "firing"), (540, "inactive")]


def test_restart_while_an_alert_is_held_keeps_its_clock_stopped():
    """The hold is persisted with the alert."""
    kpi = a_kpi(objective=LIMIT, for_seconds=180, no_data=HOLD)
    frames = numbered(samples([2, *[None] * 6, 2, 2, 2, 2]))
    before = EvaluationState.fresh()
    story(kpi, samples([2]), MINUTES[:4], before)

    stored = PersistedEvaluation(T0 + 180, 1, 1, dict(before.alerts), {}, {("sprint-40", "kpi"): T0 + 180})
    told = story(kpi, samples([2, *[None] * 6, 2, 2, 2, 2]), MINUTES[4:], restored(a_plan(kpi), stored, frames[:1]))

    assert [(alert.state, alert.held_since) for alert in stored.alerts.values()] == [(AlertState.PENDING, T0 + 120)]
    assert [(time, to) for time, _, to, _ in told] == [(480, "firing")]


def restored(plan: Plan, stored: PersistedEvaluation, history: Sequence[StoredObservation] = ()) -> EvaluationState:
    return EvaluationState.restored(plan, stored, history)


def firing(kpi: KPI, key_labels: LabelSet, at: float) -> PersistedEvaluation:
    """Return what a store holds of one alert of ``kpi`` that fired at ``at``, when it was judged last."""
    key = AlertKey(kpi.sprint, kpi.id, key_labels)
    return PersistedEvaluation(at, 5, 1, {key: Alert(key, AlertState.FIRING, at, at)}, {}, {(kpi.sprint, kpi.id): at})


def test_firing_alert_outlives_a_restart_for_as_long_as_its_source_fails():
    """Two days without the source say nothing of a series; a day in which the source answers without it does."""
    kpi = a_kpi(objective=LIMIT, by=("system",))
    plan, day = a_plan(kpi), 86_400.0
    state = restored(plan, firing(kpi, FS, T0))
    seen = [
        *((T0 + 3600 * n, a_failure("a", T0 + 3600 * n)) for n in range(1, 50)),
        *(
            (T0 + 2 * day + 7200 + 3600 * n, a_frame("a", T0 + 2 * day + 7200 + 3600 * n, {XAI: 1.0}))
            for n in range(27)
        ),
    ]

    told = []
    for number, (now, item) in enumerate(seen, 6):
        result = evaluate(plan, [StoredObservation(number, item)], state, from_unix(now))
        told += [(each.at - T0, each.reason.value) for each in result.transitions]

    assert told == [(2 * day + 7200 + day, "series_gone")]


def test_alert_of_folded_series_ends_with_its_rule_when_by_takes_them_apart():
    """What was breached is breached still, under its own labels: nothing has recovered."""
    kpi = a_kpi(objective=LIMIT, by=("system",))
    state = restored(a_plan(kpi), firing(kpi, (), T0))

    result = evaluate(a_plan(kpi), [StoredObservation(6, a_frame("a", T0 + 60, {FS: 9.0}))], state, from_unix(T0 + 60))

    told = {(each.key.labels, each.to_state, each.reason.value) for each in result.transitions}
    assert told == {((), AlertState.INACTIVE, "rule_removed"), (FS, AlertState.FIRING, "objective_missed")}


def test_restored_state_goes_on_where_it_stood():
    """A restart in the middle of `for` must fire at the same instant, and a firing alert must not fire twice."""
    kpi = a_kpi(objective=LIMIT, for_seconds=180, by=("system",))
    frames = numbered(a_frame("a", T0 + 60 * n, {FS: 2.0, XAI: 1.0 + (n > 2)}) for n in range(8))
    straight = EvaluationState.fresh()
    whole = [evaluate(a_plan(kpi), [frame], straight, from_unix(T0 + 60 * n)) for n, frame in enumerate(frames)]

    state, kept, told = EvaluationState.fresh(), {}, []
    memories, evaluated = {}, {}
    for n, frame in enumerate(frames):
        record = evaluate(a_plan(kpi), [frame], state, from_unix(T0 + 60 * n)).record
        told += record.transitions
        kept |= record.alerts
        memories |= {(memory.sprint, memory.kpi): memory for memory in record.memories}
        evaluated |= dict.fromkeys(record.evaluated, record.at)
        alive = {key: alert for key, alert in kept.items() if alert is not None}
        stored = PersistedEvaluation(record.at, record.reading_cursor, state.last_seq, alive, memories, evaluated)
        state = EvaluationState.restored(a_plan(kpi), stored, frames[: n + 1])

    assert told == [each for result in whole for each in result.transitions]
    assert len(told) == 4
