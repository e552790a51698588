"""When jobs run: the only user of APScheduler, whose defaults (10 workers, 1 s of grace) do not fit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, JobExecutionEvent, JobSubmissionEvent
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


class Scheduler:
    """Runs collections in a bounded pool, evaluations in one thread, each receiver's deliveries in one of its own.

    Of each job one run goes at a time; runs that came due meanwhile become one. ``on_overrun`` is told the
    collector whose run was left out, ``on_error`` the job that ended in an unexpected error.
    """

    def __init__(
        self, receivers: int, on_overrun: Callable[[str], None], on_error: Callable[[str, BaseException], None]
    ) -> None:
        self._on_overrun = on_overrun
        self._on_error = on_error
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
        self._scheduler.add_listener(self._failed, EVENT_JOB_ERROR)

    def start(self) -> None:
        """Start running jobs."""
        self._scheduler.start()

    def stop(self) -> None:
        """Stop without waiting for jobs that still run: every hop is either done or will be done again."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def collect(self, name: str, job: Callable[[], Any], *, interval: float, cron: str | None, jitter: float) -> None:
        """Run a collector's job now, and then at its interval (seconds) or cron times (UTC), moved by ``jitter``."""
        moved = int(jitter) if jitter >= 1 else None
        if cron is not None:
            trigger = CronTrigger.from_crontab(cron, timezone="UTC")
            trigger.jitter = moved
        else:
            trigger = IntervalTrigger(seconds=interval, jitter=moved, timezone="UTC")
        self._add(f"collect:{name}", job, trigger, "collect", next_run_time=utcnow())

    def evaluate(self, job: Callable[[], Any], next_after: Callable[[float], float]) -> None:
        """Run the evaluation at the grid points that ``next_after`` names."""
        self._add("evaluate", job, GridTrigger(next_after), "evaluate")

    def deliver(self, name: str, job: Callable[[], Any]) -> None:
        """Look every second whether a receiver has something due."""
        trigger = IntervalTrigger(seconds=_DELIVER_EVERY_SECONDS, timezone="UTC")
        self._add(f"deliver:{name}", job, trigger, "deliver", next_run_time=utcnow())

    def upkeep(self, name: str, job: Callable[[], Any], every: timedelta) -> None:
        """Run a housekeeping job."""
        self._add(name, job, IntervalTrigger(seconds=every.total_seconds(), timezone="UTC"), "upkeep")

    def hurry_deliveries(self) -> None:
        """Have all receivers look now, not in up to a second."""
        for job in self._scheduler.get_jobs():
            if job.id.startswith("deliver:"):
                self._move(job, utcnow())

    def deliver_by(self, name: str, at: float) -> None:
        """Have a receiver look at ``at`` (Unix seconds), if that is before it would look anyway.

        Without it a receiver that takes a message a second would get one in two: its second is never quite over
        when the next look comes.
        """
        job, wanted = self._scheduler.get_job(f"deliver:{name}"), from_unix(at)
        if job is not None and job.next_run_time is not None and wanted < job.next_run_time:
            self._move(job, wanted)

    def clear(self) -> None:
        """Forget all jobs, so that others can be put in their place; those that run end by themselves."""
        self._scheduler.remove_all_jobs()

    @staticmethod
    def _move(job: Job, at: datetime) -> None:
        with suppress(JobLookupError):  # a reload has put others in its place meanwhile
            job.modify(next_run_time=at)

    def _add(self, name: str, job: Callable[[], Any], trigger: Any, executor: str, **options: Any) -> None:
        self._scheduler.add_job(job, trigger, id=name, executor=executor, replace_existing=True, **options)

    def _overran(self, event: JobSubmissionEvent) -> None:
        kind, _, name = event.job_id.partition(":")
        if kind == "collect":
            self._on_overrun(name)

    def _failed(self, event: JobExecutionEvent) -> None:
        self._on_error(event.job_id.partition(":")[0], event.exception)
