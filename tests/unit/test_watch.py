"""The watch from beside: a wall clock that goes back, and collections that do not end."""

from __future__ import annotations

import threading

import pytest

from slo_guard.watch import ClockWatch, CollectorRun, Watchdog
from tests.support.fake_collector import FakeCollector


class Clocks:
    """A wall clock that can be set, and a monotonic one that cannot."""

    def __init__(self) -> None:
        self.wall = 1_783_500_000.0
        self.monotonic = 100.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.mark.parametrize(("step", "seen"), [(-3600.0, 3600.0), (-0.6, 0.6), (-0.4, 0.0), (0.0, 0.0), (86400.0, 0.0)])
def test_a_clock_that_is_set_back_is_noticed_once(clocks: Clocks, step: float, seen: float):
    """Jobs are planned on the wall clock: set back an hour, nothing would run for an hour. Forward none is late."""
    watch = ClockWatch(lambda: clocks.wall, lambda: clocks.monotonic)
    watch.seconds_back()
    clocks.pass_by(0.2)

    clocks.wall += step
    first = watch.seconds_back()
    clocks.pass_by(0.2)

    assert first == pytest.approx(seen)
    assert watch.seconds_back() == 0.0


def test_a_machine_that_stood_still_between_two_looks_is_no_step_back(clocks: Clocks):
    """A thread that is held up for a minute sees both clocks a minute later."""
    watch = ClockWatch(lambda: clocks.wall, lambda: clocks.monotonic)
    watch.seconds_back()

    clocks.pass_by(60.0)

    assert watch.seconds_back() == 0.0


def a_run(clocks: Clocks) -> CollectorRun:
    return CollectorRun(FakeCollector("slow", {"a": {}}), 25.0, lambda: clocks.monotonic)


def test_a_run_is_given_up_once_when_it_has_not_ended_in_time(clocks: Clocks):
    """A hang is one failure, however long it lasts; the next run that hangs is another."""
    run, given_up = a_run(clocks), []

    def give_up(which: CollectorRun) -> bool:
        given_up.append(clocks.monotonic)
        return which is run

    run.begin()
    for _ in range(60):
        clocks.pass_by(1.0)
        run.give_up_if_overdue(give_up)
    run.end()
    run.begin()
    clocks.pass_by(25.0)
    run.give_up_if_overdue(give_up)

    assert given_up == [125.0, 185.0]


def test_a_first_run_that_never_begins_is_given_up_as_well(clocks: Clocks):
    """Where all threads hang, whoever waits for one would be awaited for ever."""
    run, given_up = a_run(clocks), []

    clocks.pass_by(25.0)
    run.give_up_if_overdue(lambda which: not given_up.append(which))

    assert given_up == [run]


def test_a_run_that_ended_in_time_is_not_given_up(clocks: Clocks):
    """Between two runs nothing is overdue, however long the interval."""
    run, given_up = a_run(clocks), []
    run.begin()
    run.end()

    clocks.pass_by(3600.0)
    run.give_up_if_overdue(lambda which: not given_up.append(which))

    assert given_up == []


def test_giving_up_is_tried_again_until_it_is_stored(clocks: Clocks):
    """A failure that the store did not take must be said when there is room again, without a try at each look."""
    run, tries = a_run(clocks), []
    clocks.pass_by(25.0)

    for _ in range(15):
        run.give_up_if_overdue(lambda _: not tries.append(clocks.monotonic) and len(tries) == 2)
        clocks.pass_by(0.2)

    assert tries == pytest.approx([125.0, 126.0], abs=0.25)


def test_a_run_that_ends_while_it_is_given_up_comes_after_that(clocks: Clocks):
    """Stored the other way round, a source that has just answered would count as down until its next run."""
    run, order, storing = a_run(clocks), [], threading.Event()
    clocks.pass_by(25.0)

    def give_up(_: CollectorRun) -> bool:
        storing.set()
        ended.join(0.2)
        order.append("given up")
        return True

    def end() -> None:
        assert storing.wait(10)
        run.end()
        order.append("ended")

    ended = threading.Thread(target=end)
    ended.start()
    run.give_up_if_overdue(give_up)
    ended.join(10)

    assert order == ["given up", "ended"]


def test_a_look_that_fails_is_told_and_the_watch_goes_on():
    """A watch that died of one error would be missed only when it is needed."""
    looks, told, enough = [], [], threading.Event()

    def look() -> None:
        looks.append(1)
        if len(looks) == 1:
            raise RuntimeError("a bug")
        enough.set()

    watchdog = Watchdog(look, lambda job, error: told.append((job, str(error))))
    watchdog.start()
    went_on = enough.wait(10)
    watchdog.stop()

    assert went_on
    assert told == [("watch", "a bug")]
