"""The jobs when something around them is wrong: the wall clock for a moment, or the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from slo_guard.clock import from_unix
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.ports import Store
from slo_guard.domain.readings import Collection, GaugeFrame, Reading
from slo_guard.errors import StoreError
from slo_guard.evaluate import EvaluationState
from slo_guard.jobs import EvaluationBacklog, collect_once, evaluate_once
from slo_guard.store import open_store
from tests.support.builders import SPRINT_START, a_batch, a_kpi, a_plan, a_sprint, an_objective
from tests.support.fake_collector import FakeCollector
from tests.support.flaky_store import FlakyStore

DAY = 86400.0
START = SPRINT_START + 3600.0
FINE, BAD = 0.5, 7.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "slo.db")
    yield opened
    opened.close()


class Life:
    """A collector and an evaluation at the second of each step."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.collector = FakeCollector("source", {"a": {(): FINE}})
        self.plan = a_plan(a_kpi("load", objective=an_objective("at_most", 1.0), interval_seconds=1.0))
        self.state, self.backlog = EvaluationState.fresh(), EvaluationBacklog()

    def collect(self, began: float, value: float, stored: float | None = None) -> None:
        self.collector.values["a"] = {(): value}
        seen = began if stored is None else stored
        collect_once(self.collector, self.store, from_unix(START + began), lambda: START + seen)

    def verdict(self, second: float) -> str:
        evaluation = evaluate_once(self.plan, self.store, self.state, from_unix(START + second), self.backlog)
        return evaluation.verdicts[0].worst.label

    def restored(self) -> EvaluationState:
        """Return the state as after a restart."""
        persisted = self.store.load_evaluation()
        history = self.store.observations(up_to_id=persisted.reading_cursor)
        return EvaluationState.restored(self.plan, persisted, history)


def test_a_collection_by_a_clock_that_was_a_day_ahead_hides_none_of_the_day(store: Store):
    """All that came after it was held at its time, unseen by every evaluation: a day of stale verdicts."""
    life = Life(store)
    life.collect(0.0, FINE)
    before = life.verdict(0.0)
    life.collect(DAY, FINE)

    life.collect(2.0, BAD)
    after = life.verdict(2.0)
    life.collect(3.0, FINE)
    mended = life.verdict(3.0)
    life.state = life.restored()
    life.collect(4.0, BAD)

    assert (before, after, mended) == ("met", "missed", "met")
    assert life.verdict(4.0) == "missed", "nor after a restart"


def test_a_collection_that_began_while_the_clock_was_ahead_is_of_when_it_ended(store: Store):
    """Its own beginning lies in the future: as the time of its readings it would make all later ones late."""
    life = Life(store)
    life.collect(0.0, FINE)
    life.verdict(0.0)

    life.collect(DAY, FINE, stored=1.0)
    times = [
        (item.observation.indicator, item.observation.frame.at - START)
        for item in store.observations()
        if isinstance(item.observation, Reading) and isinstance(item.observation.frame, GaugeFrame)
    ]
    life.collect(2.0, BAD)

    assert [at for name, at in times if name == COLLECTOR_UP] == [0.0, 1.0]
    assert all(at <= 1.0 for _, at in times)
    assert life.verdict(2.0) == "missed"


def test_a_store_that_cannot_be_read_is_no_bug_of_the_collector(store: Store):
    """Who reads of a bug in a collector looks in the wrong place."""
    store.close()

    with capture_logs() as logs, pytest.raises(StoreError):
        collect_once(FakeCollector("source", {"a": {(): FINE}}), store, from_unix(START))

    assert logs == []


def test_a_close_and_what_came_after_it_are_stored_when_the_disk_has_room_again(store: Store):
    """A disk that is full over the sprint's end must cost neither the frozen verdicts nor what restates them."""
    end = START + 600.0
    kpi = a_kpi("sessions", "count over sprint", objective=an_objective("at_least", 3), min_coverage=0.0)
    lower = replace(kpi, objective=an_objective("at_least", 2))
    flaky, state, backlog = FlakyStore(store), EvaluationState.fresh(), EvaluationBacklog()
    events = {60.0: (50.0,), 540.0: (500.0,), 690.0: (580.0,), 810.0: (590.0,)}
    for minute in range(18):
        now = START + 60.0 * minute
        for seen, at in events.items():
            if now - 60.0 < START + seen <= now:
                batch = a_batch("a", START + seen, *((START + each, 1.0) for each in at))
                store.save_collection(Collection("source", now, (batch,)), lambda seen=seen: START + seen)
        flaky.full = 300.0 <= 60.0 * minute <= 900.0
        plan = a_plan(kpi if minute < 8 else lower, sprint=a_sprint(START - 60.0, end))
        evaluate_once(plan, flaky, state, from_unix(now), backlog)

    kept = store.load_evaluation()
    key = ("sprint-40", "sessions")
    assert (kept.finals[key].value.tolist(), kept.restatements[key].value.tolist()) == ([2.0], [4.0])
    assert kept.restatements[key].at == START + 840.0
    assert [(each.at, each.before, each.after) for each in kept.rules.changes] == [
        (START + 480.0, "at_least 3", "at_least 2")
    ]
    assert set(kept.rules.forms) == {key}
