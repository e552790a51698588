"""The jobs as the scheduler runs them: what fails is counted, and logged once as it begins and once as it is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import structlog

from slo_guard.clock import monotonic, to_unix
from slo_guard.domain.notifications import DeliveryOutcome
from slo_guard.domain.ports import Store
from slo_guard.domain.readings import Collection
from slo_guard.errors import StoreError
from slo_guard.expose.own_metrics import OwnMetrics
from slo_guard.jobs import collect_once, deliver_once, give_up_once
from slo_guard.logs import OnceLogged
from slo_guard.notify import Courier
from slo_guard.source_board import SourceBoard, failures_of, rejected_samples
from slo_guard.vitals import Part, Vitals
from slo_guard.watch import CollectorRun

log = structlog.get_logger(__name__)


class Work:
    """Makes the jobs that collect, deliver and prune; ``deliver_by`` has a receiver look at a Unix time."""

    def __init__(
        self,
        store: Store,
        own: OwnMetrics,
        board: SourceBoard,
        clock: Callable[[], datetime],
        deliver_by: Callable[[str, float], None],
        vitals: Vitals | None = None,
    ) -> None:
        self._store = store
        self._own = own
        self._board = board
        self._clock = clock
        self._deliver_by = deliver_by
        self._vitals = vitals or Vitals()
        self._told = OnceLogged()
        self._stopping = threading.Event()
        self._sending = _InFlight()

    def collect(self, run: CollectorRun) -> Callable[[], None]:
        """Return the job that runs a collector once."""
        collector = run.collector

        def job() -> None:
            run.begin()
            started = monotonic()
            try:
                collection = collect_once(collector, self._store, self._clock(), self._now, on_end=run.end)
            except StoreError as error:
                self._not_stored(collector.name, error)
                return
            finally:
                run.end()
            at = self._now()
            self._own.collected(collector.name, monotonic() - started, collection.succeeded, at)
            self._board.collected(collection, at)
            self._told.right(f"collect:{collector.name}", "collection_works_again", collector=collector.name)
            self._tell_of(collection, monotonic() - started)

        return job

    def _tell_of(self, collection: Collection, seconds: float) -> None:
        """Log a collection: that it ended, for whoever looks closely, and what is wrong as it begins or is over."""
        name = collection.collector
        log.debug("collected", collector=name, readings=len(collection.observations), seconds=round(seconds, 3))
        rejected, example = rejected_samples(collection)
        if rejected:
            self._own.rejected(name, rejected)
            self._told.wrong(
                f"samples:{name}",
                "samples_rejected",
                "",
                level="warning",
                collector=name,
                number=rejected,
                example=example,
            )
        else:
            self._told.right(f"samples:{name}", "samples_usable_again", collector=name)
        failures = failures_of(collection)
        for reason, message, indicators in failures:
            self._told.wrong(
                f"source:{name}:{reason}",
                "collection_failed",
                message,
                level="warning",
                collector=name,
                reason=reason,
                indicators=indicators,
            )
        failing = {f"source:{name}:{reason}" for reason, _, _ in failures}
        for each in self._told.jobs(f"source:{name}:") - failing:
            self._told.right(each, "collection_recovered", collector=name, reason=each.rpartition(":")[2])

    def give_up(self, run: CollectorRun) -> bool:
        """Have a run that hangs count as failed; returns False where that could not be stored."""
        name = run.collector.name
        try:
            collection = give_up_once(run.collector, self._store, self._clock(), run.limit_seconds, self._now)
        except StoreError as error:
            self._not_stored(name, error)
            return False
        at = self._now()
        self._own.collected(name, run.limit_seconds, ok=False, at=at)
        self._board.collected(collection, at)
        log.warning("collection_hangs", collector=name, seconds=run.limit_seconds)
        return True

    def deliver(self, courier: Courier) -> Callable[[], None]:
        """Return the job that sends what is due at one receiver."""
        name = courier.receiver.name

        def go_on() -> bool:
            # Between two messages as well: a long line at a slow receiver moves, and is no sign of a stall.
            self._vitals.alive(Part.DELIVERY, receiver=name)
            return not self._stopping.is_set()

        def job() -> None:
            with self._sending:
                if self._stopping.is_set():
                    return
                try:
                    tries = deliver_once(courier, self._now, go_on)
                except StoreError as error:
                    self._own.job_error("deliver")
                    self._told.wrong(f"deliver:{name}", "delivery_not_recorded", str(error), receiver=name)
                    return
            self._vitals.alive(Part.DELIVERY, receiver=name)
            self._told.right(f"deliver:{name}", "delivery_works_again", receiver=name)
            for each in tries:
                if each.key is not None:
                    self._own.notified(each.receiver, DeliveryOutcome(each.step.value))
            if tries[-1].due_at is not None:
                self._deliver_by(name, tries[-1].due_at)

        return job

    def show_collections_run(self) -> None:
        """Take a sign of life of the pool in which collections run: call it there."""
        self._vitals.alive(Part.COLLECTION)

    def prune(self) -> None:
        """Delete what is beyond the retention or the disk bound."""
        try:
            deleted = self._store.prune(self._now())
        except StoreError as error:
            self._own.job_error("prune")
            self._told.wrong("prune", "prune_failed", str(error))
        else:
            self._told.right("prune", "prune_works_again")
            (log.info if deleted else log.debug)("pruned", rows=deleted)

    def failed(self, job: str, error: BaseException) -> None:
        """Tell and count a job that ended in an error that nobody expected; ``job`` is its id in the scheduler."""
        self._own.job_error(job.partition(":")[0])
        self._told.wrong(job, "job_failed", f"{type(error).__name__}: {error}", bug=error, name=job)

    def stop_sending(self) -> None:
        """Begin no further message."""
        self._stopping.set()

    def wait_until_sent(self, seconds: float) -> bool:
        """Wait for the messages that are being sent, ``seconds`` at most; returns whether all have ended."""
        return self._sending.wait_until_none(seconds)

    def _not_stored(self, collector: str, error: StoreError) -> None:
        self._own.job_error("collect")
        self._told.wrong(f"collect:{collector}", "collection_not_stored", str(error), collector=collector)

    def _now(self) -> float:
        return to_unix(self._clock())


class _InFlight:
    """Counts the threads within a ``with`` block, so that another can wait until there are none."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._number = 0

    def __enter__(self) -> None:
        with self._changed:
            self._number += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._number -= 1
            self._changed.notify_all()

    def wait_until_none(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._number, seconds)
