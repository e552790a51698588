"""Pods and tenants come and go: what is kept of those that are gone for good is forgotten, and no verdict shows it."""

from __future__ import annotations

from slo_guard.clock import from_unix
from slo_guard.domain.kpi import KPI, Combine
from slo_guard.domain.readings import Collection, IndicatorType
from slo_guard.evaluate import EvaluationState
from slo_guard.evaluate.renewing import LitterWatch
from slo_guard.jobs import EvaluationBacklog, evaluate_once
from slo_guard.restoring import renew
from tests.support.builders import SPRINT_START, a_frame, a_kpi, a_plan, an_objective, labels
from tests.support.fake_store import FakeStore
from tests.support.restarts import shown

AT_ONCE, NEW_EACH_TIME, ROUNDS = 10, 5, 60
PODS = {"by": ("pod",), "objective": an_objective("at_most", 40), "forget_after_seconds": 120.0}


class Churn:
    """Evaluations each minute of pods of which half are new each time, with or without forgetting."""

    def __init__(self, kpi: KPI, litter: LitterWatch | None) -> None:
        self.store = FakeStore()
        self.state = EvaluationState.fresh()
        self.plan = a_plan(kpi)
        self.key = (kpi.sprint, kpi.id)
        self.held: list[int] = []
        self.verdicts: list[object] = []
        self.renewals = 0
        self._litter = litter

    def live(self, rounds: int = ROUNDS) -> None:
        backlog = EvaluationBacklog()
        for number in range(rounds):
            at = SPRINT_START + 60.0 * (number + 1)
            first = number * NEW_EACH_TIME
            pods = {labels(f"pod=p{pod}"): float(pod % 50) for pod in range(first, first + AT_ONCE)}
            self.store.save_collection(Collection("source", at, (a_frame("a", at, pods),)), lambda at=at: at)
            evaluation = evaluate_once(self.plan, self.store, self.state, from_unix(at), backlog)
            self.verdicts += [shown(frame) for frame in evaluation.verdicts]
            self._forget(at)
            self.held.append(sum(len(source.rows) for source in self.state.tracks[self.key].inputs))

    def _forget(self, at: float) -> None:
        kpis = self._litter.littered(self.state, at) if self._litter is not None else ()
        if self._litter is not None and kpis and renew(self.plan, self.store, self.state, kpis):
            self.renewals += 1
            self._litter.renewed(self.state, kpis)

    def told(self) -> list[tuple[object, ...]]:
        return sorted((each.at, each.key.labels, each.to_state, each.reason) for each in self.store.transitions())


def both(kpi: KPI) -> tuple[Churn, Churn]:
    """Return a life in which all is remembered, and one in which what is gone is forgotten."""
    lives = Churn(kpi, None), Churn(kpi, LitterWatch(fewest=20))
    for life in lives:
        life.live()
    return lives


def test_the_series_that_are_gone_do_not_fill_the_memory_and_no_verdict_or_alert_shows_it():
    """A deployment an hour for months would end in a daemon that is killed for its memory."""
    straight, forgetting = both(a_kpi(**PODS))

    assert straight.held[-1] == AT_ONCE + NEW_EACH_TIME * (ROUNDS - 1)
    assert max(forgetting.held) <= 80
    assert 3 <= forgetting.renewals <= ROUNDS / 3, "it is done now and then, not in each cycle"
    assert forgetting.verdicts == straight.verdicts
    assert forgetting.told() == straight.told()


def test_what_a_long_window_still_holds_is_not_lost():
    """The sum over an hour has in it what pods counted that are gone since; looking for them costs little."""
    counted = a_kpi(
        "counted",
        "increase over 30m",
        type=IndicatorType.COUNTER,
        combine=Combine.SUM,
        baseline=0.0,
        forget_after_seconds=120.0,
    )

    straight, forgetting = both(counted)

    assert forgetting.renewals >= 2
    assert forgetting.held[-1] < straight.held[-1]
    assert forgetting.verdicts == straight.verdicts


def test_nothing_is_forgotten_that_the_store_no_longer_has():
    """A store that is bounded by its size may have less than the windows in memory: those are then the better ones."""
    life = Churn(a_kpi(**PODS), LitterWatch(fewest=20))
    life.live(10)
    life.store.stored = life.store.stored[-2:]
    track = life.state.tracks[life.key]

    done = renew(life.plan, life.store, life.state, [life.plan.kpis[0]])

    assert not done
    assert life.state.tracks[life.key] is track


def test_an_evaluation_that_is_not_stored_yet_is_waited_for():
    """Built anew from a store that is behind, a KPI would go back in time."""
    life = Churn(a_kpi(**PODS), None)
    life.live(10)
    assert life.state.evaluated_at is not None
    life.state.evaluated_at += 60.0

    assert not renew(life.plan, life.store, life.state, [life.plan.kpis[0]])
