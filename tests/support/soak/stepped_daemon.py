"""The real daemon with everything that belongs to it, but its jobs are run by hand when simulated time has come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from slo_guard.app import Daemon
from slo_guard.clock import from_unix, to_unix
from slo_guard.domain.ports import Store
from slo_guard.scheduler import Planned

_MINUTE = 60.0
"""What looks every few seconds in real life, such as deliveries, looks each minute: simulated days are to be short."""


class SteppedDaemon:
    """A started daemon whose scheduler is paused; :meth:`run_until` runs its jobs in the order of their times."""

    def __init__(self, config: Path, now: float) -> None:
        self.now = now
        self.daemon = Daemon(config, clock=lambda: from_unix(self.now))
        self._jobs: tuple[Planned, ...] = ()
        self._due: dict[str, datetime] = {}

    def start(self) -> None:
        """Start the daemon, and stop what would run by the wall clock."""
        self.daemon.start()
        scheduler, watchdog = self.daemon._scheduler, self.daemon._watchdog
        assert scheduler is not None
        assert watchdog is not None
        scheduler._scheduler.pause()
        watchdog.stop()

    @property
    def store(self) -> Store:
        assert self.daemon._store is not None
        return self.daemon._store

    def run_until(self, until: float) -> None:
        """Run all that is due up to ``until``; jobs of one instant in their order: collect, deliver, evaluate, keep up."""
        self._follow()
        while self._due:
            at = min(self._due.values())
            if to_unix(at) > until:
                break
            self.now = max(self.now, to_unix(at))
            for job in self._jobs:
                if self._due.get(job.id) == at:
                    self._due[job.id] = self._next(job, at)
                    self._run(job)
        self.now = until

    def _run(self, job: Planned) -> None:
        try:
            job.run()
        except Exception as error:  # noqa: BLE001 - as the scheduler does
            self.daemon._failed(job.id, error)

    def _follow(self) -> None:
        """Take up the jobs that a reload has put in the place of the others; they begin as the scheduler begins them."""
        assert self.daemon._assembly is not None
        if self._jobs is self.daemon._assembly.jobs:
            return
        self._jobs = self.daemon._assembly.jobs
        now = from_unix(self.now)
        self._due = {job.id: now if job.at_once else self._next(job, now) for job in self._jobs}

    def _next(self, job: Planned, at: datetime) -> datetime:
        found = job.trigger.get_next_fire_time(at, from_unix(to_unix(at) + 1e-3))
        assert isinstance(found, datetime)
        soonest = from_unix(to_unix(at) + (_MINUTE if job.id != "evaluate" else 0.0))
        return max(found, soonest)


@contextmanager
def stepped_daemon(config: Path, now: float) -> Iterator[SteppedDaemon]:
    """Start a daemon for the length of the block."""
    stepped = SteppedDaemon(config, now)
    stepped.start()
    try:
        yield stepped
    finally:
        stepped.daemon.stop()
