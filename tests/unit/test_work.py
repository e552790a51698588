"""The jobs as the scheduler runs them, with sources that hang, receivers that are slow and a store that is full."""

from __future__ import annotations

import threading
from collections.abc import Callable

from slo_guard.clock import from_unix
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.notifications import Notification
from slo_guard.domain.ports import PlanRecord, Store
from slo_guard.domain.readings import Collection, CollectionFailure, GaugeFrame, Reading
from slo_guard.expose.own_metrics import OwnMetrics
from slo_guard.notify import Courier, DeliveryPolicy
from slo_guard.source_board import SourceBoard
from slo_guard.vitals import Vitals
from slo_guard.watch import CollectorRun
from slo_guard.work import Work
from tests.support.daemon import eventually
from tests.support.fake_collector import FakeCollector
from tests.support.fake_store import FakeStore
from tests.support.flaky_store import FlakyStore
from tests.support.said import events, said
from tests.support.scripted_receiver import ScriptedReceiver
from tests.support.store_examples import a_notification

NOW = 1_783_500_000.0


class HangingCollector(FakeCollector):
    """Answers only when it is released."""

    def __init__(self, name: str) -> None:
        super().__init__(name, {"a": {(): 0.5}, "b": {(): 0.5}})
        self.released = threading.Event()

    def collect(self, now: float, cursor: str | None) -> Collection:
        assert self.released.wait(30)
        return super().collect(now, cursor)


class SlowReceiver(ScriptedReceiver):
    """Takes what it is sent only when it is released."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.sending, self.released = threading.Event(), threading.Event()

    def send(self, notification: Notification) -> None:
        self.sending.set()
        assert self.released.wait(30)
        super().send(notification)


class Bench:
    def __init__(self, store: Store | FlakyStore | None = None) -> None:
        self.store = FakeStore() if store is None else store
        self.own, self.board = OwnMetrics(), SourceBoard()
        self.own.expect(["slow"], ["sre"])
        self.board.expect({"slow": ("a", "b")})
        self.work = Work(self.store, self.own, self.board, lambda: from_unix(NOW), lambda _name, _at: None)  # type: ignore[arg-type]

    def up(self) -> float | None:
        lines = [
            line
            for line in self.own.render().decode().splitlines()
            if line.startswith('slo_guard_collector_up{collector="slow"}')
        ]
        return float(lines[0].rpartition(" ")[2]) if lines else None

    def stored(self) -> list[str]:
        """Return what the store holds, in order: failures by reason, collector_up by value, readings by indicator."""
        found = []
        for item in self.store.observations():
            match item.observation:
                case CollectionFailure(reason=reason):
                    found.append(reason)
                case Reading(indicator=name, frame=GaugeFrame(values=values)) if name == COLLECTOR_UP:
                    found.append(f"up {values[0]:g}")
                case Reading(indicator=name):
                    found.append(name)
        return found


def in_thread(job: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=job)
    thread.start()
    return thread


def test_a_collection_that_hangs_counts_as_failed_until_it_comes_back_after_all():
    """Silence is never green: a first collection that hangs was awaited for ever, a later one still showed `up 1`."""
    bench, collector = Bench(), HangingCollector("slow")
    run = CollectorRun(collector, limit_seconds=0.05)

    thread = in_thread(bench.work.collect(run))
    eventually(lambda: run.give_up_if_overdue(bench.work.give_up) or bench.up() == 0.0, 10)
    hanging, status = bench.stored(), bench.board.statuses()[0]
    collector.released.set()
    thread.join(10)

    assert hanging == ["timeout", "up 0"]
    assert status.failing
    assert status.last_error is not None
    assert (status.last_error.reason, status.last_error.message) == (
        "timeout",
        "the collection has not ended within 0.05 s and still goes on",
    )
    assert bench.stored() == ["timeout", "up 0", "a", "b", "up 1"]
    assert bench.up() == 1.0


def test_a_hang_that_cannot_be_stored_yet_is_said_when_it_can():
    """The page of the hang must not depend on the disk having had room at that very moment."""
    store = FlakyStore(FakeStore())
    bench, collector = Bench(store), HangingCollector("slow")
    store.full = True

    first = bench.work.give_up(CollectorRun(collector, 1.0))
    store.full = False
    second = bench.work.give_up(CollectorRun(collector, 1.0))

    assert (first, second) == (False, True)
    assert bench.stored() == ["timeout", "up 0"]


def test_a_store_that_is_full_is_told_once_a_job_and_once_when_it_is_over():
    """Every job runs each second: a full disk would be thousands of lines an hour, on that very disk."""
    store = FlakyStore(FakeStore())
    bench = Bench(store)
    collect = bench.work.collect(CollectorRun(FakeCollector("slow", {"a": {(): 1.0}}), 25.0))
    deliver = bench.work.deliver(Courier(store, ScriptedReceiver("sre"), DeliveryPolicy()))  # type: ignore[arg-type]

    with said() as entries:
        store.full = True
        for _ in range(5):
            collect()
            deliver()
            bench.work.prune()
        store.full = False
        for _ in range(2):
            collect()
            deliver()
            bench.work.prune()

    assert sorted(events(entries)) == sorted(
        [
            "collection_not_stored",
            "collection_works_again",
            "delivery_not_recorded",
            "delivery_works_again",
            "prune_failed",
            "prune_works_again",
            "pruned",
            "pruned",
            "collected",
            "collected",
        ]
    )


def test_a_bug_in_a_job_is_told_with_its_traceback_once():
    """Where it happened is what a bug report needs; a hundred times the same is not."""
    bench, bug = Bench(), RuntimeError("a bug")

    with said() as entries:
        bench.work.failed("collect:slow", bug)
        bench.work.failed("collect:slow", RuntimeError("a bug"))
        bench.work.failed("collect:slow", RuntimeError("another"))

    assert [(entry["event"], entry["name"], str(entry["exc_info"])) for entry in entries] == [
        ("job_failed", "collect:slow", "a bug"),
        ("job_failed", "collect:slow", "another"),
    ]
    assert 'slo_guard_job_errors_total{job="collect"} 3.0' in bench.own.render().decode()


def a_bench_with_messages(*keys: str) -> Bench:
    bench = Bench()
    bench.store.save_plan(PlanRecord(1, {}, tuple(a_notification(key, "sre") for key in keys)))
    return bench


def test_a_long_line_at_a_slow_receiver_shows_life_between_its_messages():
    """After an outage it takes minutes to send what waited: that is no stall, and the dead man's switch must not go off."""
    now, silent = [0.0], []
    vitals = Vitals(lambda: now[0])
    vitals.expect(1.0, {"sre": 70.0})
    store = FakeStore()
    store.save_plan(PlanRecord(1, {}, tuple(a_notification(f"k{number}", "sre") for number in range(5))))
    work = Work(store, OwnMetrics(), SourceBoard(), lambda: from_unix(NOW), lambda _name, _at: None, vitals)

    class Slow(ScriptedReceiver):
        def send(self, notification: Notification) -> None:
            silent.extend(each for each in vitals.stalls(120.0, 0.0) if each.receiver == "sre" and self.attempts)
            super().send(notification)
            now[0] += 60.0

    receiver = Slow("sre")
    work.deliver(Courier(store, receiver, DeliveryPolicy()))()

    assert len(receiver.accepted) == 5
    assert silent == []


def test_a_stop_waits_for_the_message_that_is_being_sent_and_begins_no_other():
    """Accepted but not recorded, it would be sent a second time after the next start."""
    bench, receiver = a_bench_with_messages("k1", "k2"), SlowReceiver("sre")
    job = bench.work.deliver(Courier(bench.store, receiver, DeliveryPolicy()))  # type: ignore[arg-type]
    thread = in_thread(job)
    assert receiver.sending.wait(10)

    bench.work.stop_sending()
    in_time = bench.work.wait_until_sent(0.1)
    receiver.released.set()
    at_last = bench.work.wait_until_sent(10)
    thread.join(10)
    job()

    assert (in_time, at_last) == (False, True)
    assert [each.key for each in receiver.accepted] == ["k1"]
    assert bench.store.outbox_pending() == {"sre": (1, 400.0)}
