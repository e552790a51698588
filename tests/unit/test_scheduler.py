"""When jobs run: also while the wall clock is set back, and while one of them hangs."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator

import pytest
from apscheduler.schedulers import base as apscheduler_base

from slo_guard import logs
from slo_guard.scheduler import Planned, Scheduler, collecting, delivering, evaluating, keeping_up
from tests.support.daemon import eventually
from tests.support.said import logging_put_back


class WallClock:
    """The wall clock of this process, as far as APScheduler and the scheduler read it; it can be set."""

    def __init__(self) -> None:
        self.offset = dt.timedelta()

    def now(self, zone: dt.tzinfo | None = dt.UTC) -> dt.datetime:
        return dt.datetime.now(zone) + self.offset  # noqa: TID251 - stands for the clock that is set


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    clock = WallClock()
    monkeypatch.setattr(apscheduler_base, "datetime", clock)
    return clock


class Count:
    """Counts the runs of a job."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self) -> None:
        self.runs += 1


class Told:
    def __init__(self) -> None:
        self.overruns: list[str] = []
        self.errors: list[tuple[str, str]] = []


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def scheduler(wall: WallClock, told: Told) -> Iterator[Scheduler]:
    made = Scheduler(2, told.overruns.append, lambda job, error: told.errors.append((job, str(error))), wall.now)
    made.start()
    yield made
    made.stop()


def every(seconds: float, name: str, job: object) -> Planned:
    return collecting(name, job, interval=seconds, cron=None, jitter=0.0)  # type: ignore[arg-type]


def test_all_jobs_go_on_when_the_clock_was_set_back(scheduler: Scheduler, wall: WallClock):
    """Their next times lie in a future that is an hour away: no collection, no verdict and no message until then."""
    collected, delivered, evaluated, kept_up = Count(), Count(), Count(), Count()
    scheduler.follow(
        [
            every(0.2, "page", collected),
            delivering("sre", delivered),
            evaluating(evaluated, lambda after: (after // 0.2 + 1) * 0.2),
            keeping_up("prune", kept_up, dt.timedelta(seconds=0.2)),
        ]
    )
    jobs = (collected, delivered, evaluated, kept_up)
    eventually(lambda: all(each.runs > 1 for each in jobs), 20)

    wall.offset = dt.timedelta(hours=-1)
    time.sleep(0.5)
    for each in jobs:
        each.runs = 0
    time.sleep(0.5)
    stopped = [each.runs for each in jobs]
    scheduler.clock_went_back()

    assert stopped == [0, 0, 0, 0]
    eventually(lambda: all(each.runs > 1 for each in jobs), 20)


def test_a_cron_waits_for_its_time_also_when_the_clock_was_set_back(scheduler: Scheduler, wall: WallClock):
    """What is collected once a day is not collected because of a correction of the clock."""
    collected = Count()
    scheduler.follow([collecting("daily", collected, interval=1.0, cron="0 3 * * *", jitter=0.0)])
    eventually(lambda: collected.runs == 1, 10)

    wall.offset = dt.timedelta(seconds=-30)
    scheduler.clock_went_back()
    time.sleep(0.5)

    assert collected.runs == 1


def test_a_collection_that_hangs_does_not_hold_up_the_one_in_its_place(scheduler: Scheduler, told: Told):
    """After a reload the collector of that name is another; its indicators would be awaited for as long as the old one hangs."""
    released, successor = threading.Event(), Count()
    scheduler.follow([every(0.2, "page", lambda: released.wait(30))])
    eventually(lambda: "page" in told.overruns, 10)

    scheduler.follow([every(0.2, "page", successor)])
    ran = eventually(lambda: successor.runs > 1, 10)
    released.set()

    assert ran
    assert set(told.overruns) == {"page"}


def test_runs_left_out_are_counted_and_leave_no_line(
    scheduler: Scheduler, told: Told, capfd: pytest.CaptureFixture[str]
):
    """A collection of a minute at an interval of a second would be 59 lines, which the counter says in one number."""
    released = threading.Event()
    with logging_put_back():
        logs.configure("debug")
        scheduler.follow([every(0.1, "page", lambda: released.wait(30))])
        eventually(lambda: len(told.overruns) > 3, 10)
        released.set()

    assert "skipped" not in capfd.readouterr().err


def test_an_error_that_nobody_expected_is_told_with_the_job_and_the_schedule_goes_on(scheduler: Scheduler, told: Told):
    """`except Exception` stands at a job's boundary only."""
    runs = Count()

    def broken() -> None:
        runs()
        raise RuntimeError("a bug")

    scheduler.follow([every(0.1, "page", broken)])
    eventually(lambda: runs.runs > 1, 10)

    assert told.errors[0] == ("collect:page", "a bug")
