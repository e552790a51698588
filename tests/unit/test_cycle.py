"""The evaluation cycle when something goes wrong in it: what is judged, numbered and shown afterwards."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from slo_guard.clock import from_unix
from slo_guard.cycle import EvaluationCycle
from slo_guard.domain.explanations import Explanation, Unexplained
from slo_guard.domain.kpi import KPI, Objective, Plan
from slo_guard.domain.notifications import Route
from slo_guard.domain.ports import EvaluationRecord, Store
from slo_guard.domain.readings import Collection
from slo_guard.domain.verdicts import Verdict
from slo_guard.evaluate import EvaluationState
from slo_guard.expose.own_metrics import OwnMetrics
from slo_guard.expose.snapshot import SnapshotHolder
from slo_guard.source_board import SourceBoard
from tests.support.builders import SPRINT_START, a_frame, a_kpi, a_plan, an_objective
from tests.support.fake_store import FakeStore
from tests.support.flaky_store import FlakyStore
from tests.support.said import events, said
from tests.support.store_examples import a_transition

START = SPRINT_START + 3600.0


class Cycles:
    """A cycle over a store, driven second by second."""

    def __init__(self, store: Store | FlakyStore | None = None) -> None:
        self.now = START
        self.store = FakeStore() if store is None else store
        self.own = OwnMetrics()
        self.holder = SnapshotHolder()
        self.fragile = an_objective("between", 0.0, 1.0)
        first, second = (
            a_kpi(name, objective=objective, interval_seconds=1.0)
            for name, objective in (("first", an_objective("at_most", 1.0)), ("second", self.fragile))
        )
        self.plan: Plan = a_plan(first, second)
        self.cycle = EvaluationCycle(
            self.store,  # type: ignore[arg-type]
            self.holder,
            self.own,
            SourceBoard(),
            lambda: from_unix(self.now),
            lambda: None,
            self.restored,
        )
        self.cycle.follow(self.plan, EvaluationState.fresh(), [Route("sre")])

    def restored(self, plan: Plan, departed: Iterable[KPI], awaiting: Iterable[str]) -> EvaluationState:
        persisted = self.store.load_evaluation()
        history = self.store.observations(up_to_id=persisted.reading_cursor)
        return EvaluationState.restored(plan, persisted, history, departed=departed, awaiting=awaiting)

    def step(self, value: float | None = None, seconds: float = 1.0) -> None:
        """Let time go by, have a value collected, and run the cycle."""
        self.now += seconds
        if value is not None:
            self.store.save_collection(
                Collection("source", self.now, (a_frame("a", self.now, value),)), lambda: self.now
            )
        self.cycle.run()

    def metric(self, name: str) -> float:
        lines = [line for line in self.own.render().decode().splitlines() if line.startswith(name)]
        return float(lines[0].rpartition(" ")[2]) if lines else 0.0

    def told(self) -> list[tuple[int, str, str]]:
        return [(each.seq, each.key.kpi, each.to_state.label) for each in self.store.transitions()]

    def verdicts(self) -> list[str]:
        snapshot = self.holder.current
        assert snapshot is not None
        return [frame.worst.label for frame in snapshot.frames.values()]


def strike(objective: Objective, upper: float | None) -> None:
    """Have judging by ``objective`` fail (None), as a bug that only some state of things brings to light."""
    object.__setattr__(objective, "upper", upper)


def test_the_cycle_after_one_that_failed_in_the_middle_goes_on():
    """A state that is half of one evaluation and half of none gave numbers that the store refused until the restart."""
    run = Cycles()
    run.step(0.5)

    strike(run.fragile, None)
    with said() as entries:
        run.step(9.0)
    shown = run.verdicts()
    strike(run.fragile, 1.0)
    run.step(9.0)

    assert shown == ["met", "met"], "what was judged last stays"
    assert run.told() == [(1, "first", "firing"), (2, "second", "firing")]
    assert run.verdicts() == ["missed", "missed"]
    assert run.metric('slo_guard_job_errors_total{job="evaluate"}') == 1
    failed = [entry for entry in entries if entry["event"] == "evaluation_failed"]
    assert [type(entry["exc_info"]) for entry in failed] == [AssertionError]


def test_a_cause_that_stays_is_told_once_and_tried_ever_less_often():
    """A traceback a second hides everything else, and restoring weeks of windows each second stops the machine."""
    run = Cycles()
    run.step(0.5)
    strike(run.fragile, None)

    with said() as entries:
        for _ in range(30):
            run.step(9.0)
        strike(run.fragile, 1.0)
        for _ in range(40):
            run.step(9.0)

    failures = run.metric('slo_guard_job_errors_total{job="evaluate"}')
    assert events(entries, "evaluation_failed", "evaluation_works_again") == [
        "evaluation_failed",
        "evaluation_works_again",
    ]
    assert 3 <= failures <= 5
    assert run.metric("slo_guard_evaluations_missed_total") > 20
    ended = run.metric("slo_guard_evaluation_duration_seconds_count")
    assert ended + failures + run.metric("slo_guard_evaluations_missed_total") == 71, "each cycle is one of the three"
    assert run.told() == [(1, "first", "firing"), (2, "second", "firing")]


def test_what_is_awaited_is_still_awaited_after_a_failure():
    """The first collection is not over because an evaluation failed: no_data would page for every KPI."""
    run = Cycles()
    state = EvaluationState.fresh()
    state.awaiting = {"a"}
    run.cycle.follow(run.plan, state, [Route("sre")])
    strike(run.fragile, None)
    run.step(0.5)

    awaiting = run.cycle.awaiting
    strike(run.fragile, 1.0)
    run.step()

    assert awaiting == {"a"}
    assert run.verdicts() == ["met", "met"]


def test_nothing_is_judged_on_a_state_restored_without_what_waits_to_be_stored():
    """The numbers of its transitions would be given a second time, and one of the two would never be told."""
    store = FlakyStore(FakeStore(), refused=frozenset({"save_evaluation"}))
    run = Cycles(store)
    run.step(0.5)
    store.full = True
    run.step(9.0)
    strike(run.fragile, None)
    run.step(9.0)
    strike(run.fragile, 1.0)

    run.step(0.5)
    run.step(0.5)
    waiting = run.told()
    store.full = False
    run.step(0.5)

    assert waiting == []
    assert run.metric("slo_guard_evaluations_missed_total") == 2
    assert run.told() == [
        (1, "first", "firing"),
        (2, "second", "firing"),
        (3, "first", "inactive"),
        (4, "second", "inactive"),
    ]


def test_a_store_that_went_on_without_us_is_taken_as_it_is():
    """Transitions that do not follow on the last one stored are never taken: trying for ever would silence everything."""
    run = Cycles()
    run.step(0.5)
    run.store.save_evaluation(EvaluationRecord(run.now, 1, transitions=(a_transition(1),)))

    run.step(9.0)
    run.step(9.0)

    assert [number for number, *_ in run.told()] == [1, 2, 3]
    assert run.told()[1:] == [(2, "first", "firing"), (3, "second", "firing")]
    assert run.verdicts() == ["missed", "missed"]


def test_a_backlog_that_can_never_be_stored_does_not_stand_in_the_way():
    """A conflict found as the backlog is saved between two cycles is as final as one found in a cycle."""
    store = FlakyStore(FakeStore(), refused=frozenset({"save_evaluation"}))
    run = Cycles(store)
    run.step(0.5)
    store.full = True
    run.step(9.0)
    store.full = False
    run.store.save_evaluation(EvaluationRecord(run.now, 1, transitions=(a_transition(1),)))

    left = run.cycle.save_backlog()
    run.step(9.0)

    assert left, "nothing waits any more"
    assert run.told()[1:] == [(2, "first", "firing"), (3, "second", "firing")]


@pytest.mark.parametrize("seconds", [1.0, 5.0])
def test_a_full_disk_is_told_once_and_once_when_it_is_over(seconds: float):
    """A line a second for hours fills what is left of the disk."""
    store = FlakyStore(FakeStore(), refused=frozenset({"save_evaluation", "save_plan"}))
    run = Cycles(store)
    run.step(0.5)

    with said() as entries:
        store.full = True
        for _ in range(3):
            run.step(9.0, seconds)
        store.full = False
        run.step(9.0, seconds)

    assert events(entries, "store_failed", "store_works_again") == ["store_failed", "store_works_again"]
    assert run.told() == [(1, "first", "firing"), (2, "second", "firing")]


def test_while_the_clock_is_behind_the_last_evaluation_nothing_is_judged_and_that_is_counted():
    """An instant judged twice could tell its alerts twice; the page keeps the last verdicts meanwhile."""
    run = Cycles()
    run.step(0.5)

    with said() as entries:
        run.step(9.0, -3600.0)
        run.step(9.0)
        behind = run.verdicts()
        run.step(9.0, 3600.0)

    assert behind == [Verdict.MET.label] * 2
    assert run.metric("slo_guard_evaluations_skipped_total") == 2
    assert events(entries, "evaluations_skipped", "evaluations_go_on") == ["evaluations_skipped", "evaluations_go_on"]
    assert run.verdicts() == ["missed", "missed"]


def test_a_kpi_is_explained_as_it_was_published():
    """Whoever follows the link of a message must not read something else than the page shows."""
    run = Cycles()
    run.step(0.5)
    run.step(9.0)

    found = run.cycle.explained("sprint-40", "first")

    assert isinstance(found, Explanation)
    assert (found.verdict, found.at, found.seen_at) == (Verdict.MISSED, run.now, run.now)
    assert found.series[0].arithmetic[0] == "9 is not at most 1.0: 8 above"


@pytest.mark.parametrize("kpi", ["first", "unknown"])
def test_what_has_not_been_judged_yet_is_not_explained(kpi):
    """An empty explanation would read as: nothing is wrong."""
    assert Cycles().cycle.explained("sprint-40", kpi) == Unexplained(
        "it has not been judged yet; ask again after its first evaluation"
    )


def test_after_a_failed_evaluation_nothing_is_explained():
    """Its buffers hold half of one evaluation, and would explain a verdict that nobody gave."""
    run = Cycles()
    run.step(0.5)
    strike(run.fragile, None)
    for _ in range(2):
        run.step(9.0)

    assert run.cycle.explained("sprint-40", "first") == Unexplained("the last evaluation failed; the log says why")


def test_an_evaluation_that_takes_long_is_not_waited_for_for_ever(monkeypatch):
    """A server thread that waits without end is one that answers nobody."""
    monkeypatch.setattr("slo_guard.cycle._EXPLAIN_SECONDS", 0.01)
    run = Cycles()
    run.step(0.5)

    with run.cycle.lock:
        found = run.cycle.explained("sprint-40", "first")

    assert found == Unexplained("an evaluation is under way; ask again in a moment")


def test_trails_are_shown_and_outlive_a_failed_evaluation_and_a_reload():
    """What is drawn of the last minutes is in memory alone: neither may cut it off."""
    run = Cycles()
    run.step(0.5)
    run.step(9.0)

    strike(run.fragile, None)
    run.step(0.5)
    strike(run.fragile, 1.0)
    run.step(0.5)
    run.cycle.follow(run.plan, run.restored(run.plan, (), ()), [Route("sre")])
    run.step(0.5, seconds=4.0)

    snapshot = run.holder.current
    assert snapshot is not None
    trail, recent = snapshot.trails["sprint-40", "second"], snapshot.recent_trails["sprint-40", "second"]
    assert (trail.value[-1], trail.low[-1], trail.high[-1]) == (0.5, 0.5, 9.0)
    assert recent.high.tolist() == [9.0, 0.5]
