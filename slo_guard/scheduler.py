"""When jobs run: the only user of APScheduler, whose defaults (10 workers, 1 s of grace) do not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, JobSubmissionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from slo_guard.clock import from_unix, to_unix, utcnow

_COLLECTOR_THREADS = 16
_DELIVER_EVERY_SECONDS = 1.0
_LIFE_EVERY_SECONDS = 5.0


class GridTrigger(BaseTrigger):  # type: ignore[misc]
    """Fires at grid points: ``next_after`` gives the first one (Unix seconds) later than an instant."""

    def __init__(self, next_after: Callable[[float], float]) -> None:
        self._next_after = next_after

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return the first grid point later than both the last run and ``now``."""
        after = to_unix(now)
        if previous_fire_time is not None:
            after = max(after, to_unix(previous_fire_time))
        return from_unix(self._next_after(after))


@dataclass(frozen=True, slots=True)
class Planned:
    """A job and when it runs: ``at_once`` as soon as it is put in, else first when its trigger says so."""

    id: str
    run: Callable[[], object]
    trigger: BaseTrigger
    executor: str
    at_once: bool = False


def collecting(name: str, run: Callable[[], object], *, interval: float, cron: str | None, jitter: float) -> Planned:
    """Return a collector's job: now, and then at its interval (seconds) or cron times (UTC), moved by ``jitter``."""
    moved = int(jitter) if jitter >= 1 else None
    if cron is not None:
        trigger = CronTrigger.from_crontab(cron, timezone="UTC")
        trigger.jitter = moved
    else:
        trigger = IntervalTrigger(seconds=interval, jitter=moved, timezone="UTC")
    return Planned(f"collect:{name}", run, trigger, "collect", at_once=True)


def evaluating(run: Callable[[], object], next_after: Callable[[float], float]) -> Planned:
    """Return the evaluation's job: at the grid points that ``next_after`` names."""
    return Planned("evaluate", run, GridTrigger(next_after), "evaluate")


def delivering(name: str, run: Callable[[], object]) -> Planned:
    """Return a receiver's job: to look every second whether it has something due."""
    trigger = IntervalTrigger(seconds=_DELIVER_EVERY_SECONDS, timezone="UTC")
    return Planned(f"deliver:{name}", run, trigger, "deliver", at_once=True)


def keeping_up(name: str, run: Callable[[], object], every: timedelta) -> Planned:
    """Return a housekeeping job."""
    return Planned(name, run, IntervalTrigger(seconds=every.total_seconds(), timezone="UTC"), "upkeep")


def showing_life(name: str, run: Callable[[], object]) -> Planned:
    """Return a job that runs among the collections, to show that their pool still takes jobs."""
    return Planned(name, run, IntervalTrigger(seconds=_LIFE_EVERY_SECONDS, timezone="UTC"), "collect", at_once=True)


class Scheduler:
    """Runs collections in a bounded pool, evaluations in one thread, each receiver's deliveries in one of its own.

    Of each job one run goes at a time; runs that came due meanwhile become one. ``on_overrun`` is told the
    collector whose run was left out, ``on_error`` the job that ended in an unexpected error.
    """

    def __init__(
        self,
        receivers: int,
        on_overrun: Callable[[str], None],
        on_error: Callable[[str, BaseException], None],
        clock: Callable[[], datetime] = utcnow,
    ) -> None:
        self._on_overrun = on_overrun
        self._on_error = on_error
        self._clock = clock
        self._generations = count(1)
        self._scheduler = BackgroundScheduler(
            timezone="UTC",
            executors={
                "collect": ThreadPoolExecutor(_COLLECTOR_THREADS),
                "evaluate": ThreadPoolExecutor(1),
                "deliver": ThreadPoolExecutor(max(4, 2 * receivers)),
                "upkeep": ThreadPoolExecutor(1),
            },
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._scheduler.add_listener(self._overran, EVENT_JOB_MAX_INSTANCES)

    def start(self) -> None:
        """Start running jobs."""
        self._scheduler.start()

    def stop(self) -> None:
        """Stop without waiting for jobs that still run: every hop is either done or will be done again."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def follow(self, jobs: Iterable[Planned]) -> None:
        """Run these jobs and no others; those that run end by themselves.

        A collector that hangs does not hold up the one that is put in its place.
        """
        generation = next(self._generations)
        self._scheduler.remove_all_jobs()
        for job in jobs:
            name = f"{job.id}#{generation}" if job.executor == "collect" else job.id
            first = {"next_run_time": self._clock()} if job.at_once else {}
            guarded = self._guarded(job)
            self._scheduler.add_job(
                guarded, job.trigger, id=name, executor=job.executor, replace_existing=True, **first
            )

    def hurry_deliveries(self) -> None:
        """Have all receivers look now, not in up to a second."""
        for job in self._scheduler.get_jobs():
            if job.id.startswith("deliver:"):
                self._move(job, self._clock())

    def deliver_by(self, name: str, at: float) -> None:
        """Have a receiver look at ``at`` (Unix seconds), if that is before it would look anyway.

        Without it a receiver that takes a message a second would get one in two: its second is never quite over
        when the next look comes.
        """
        job, wanted = self._scheduler.get_job(f"deliver:{name}"), from_unix(at)
        if job is not None and job.next_run_time is not None and wanted < job.next_run_time:
            self._move(job, wanted)

    def clock_went_back(self) -> None:
        """Plan all jobs anew: what is done at intervals now, the others at their next time from now.

        Their next times were planned on the clock as it was; they would wait until it is there again.
        """
        now = self._clock()
        for job in self._scheduler.get_jobs():
            at_intervals = isinstance(job.trigger, IntervalTrigger)
            at = now if at_intervals else job.trigger.get_next_fire_time(None, now)
            if at is not None:
                self._move(job, at)

    @staticmethod
    def _move(job: Job, at: datetime) -> None:
        with suppress(JobLookupError):  # a reload has put others in its place meanwhile
            job.modify(next_run_time=at)

    def _guarded(self, job: Planned) -> Callable[[], None]:
        def run() -> None:
            try:
                job.run()
            except Exception as error:  # noqa: BLE001 - told, and the schedule goes on
                self._on_error(job.id, error)

        return run

    def _overran(self, event: JobSubmissionEvent) -> None:
        kind, _, name = event.job_id.partition("#")[0].partition(":")
        if kind == "collect":
            self._on_overrun(name)
