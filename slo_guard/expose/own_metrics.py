"""What the daemon says of itself to Prometheus, in a registry of its own."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from enum import StrEnum
from functools import lru_cache
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric

from slo_guard import __version__
from slo_guard.domain.notifications import DeliveryOutcome

_COLLECTION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_JOBS = ("collect", "evaluate", "plan", "store", "deliver", "prune", "watch", "heartbeat")
_EVALUATION_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class HeartbeatOutcome(StrEnum):
    """How one beat of the dead man's switch ended; ``WITHHELD``: on purpose, because something stands still."""

    SENT = "sent"
    FAILED = "failed"
    WITHHELD = "withheld"


class OwnMetrics:
    """The daemon's own metrics; every method may be called from any thread.

    Counters of a job start at 0, those of a collector or a receiver once it is named in :meth:`expect`, so that the
    first increase is not lost to ``rate()``. ``slo_guard_collector_up`` is absent until a collection has ended.
    """

    def __init__(self, version: str = __version__) -> None:
        self._registry = CollectorRegistry(auto_describe=True)
        self._collectors: frozenset[str] = frozenset()
        self._receivers: frozenset[str] = frozenset()
        self._up = self._gauge("collector_up", "1 if the collector's last collection succeeded, else 0.", "collector")
        self._collection_duration = Histogram(
            "slo_guard_collection_duration_seconds",
            "How long collections took.",
            ("collector",),
            buckets=_COLLECTION_BUCKETS,
            registry=self._registry,
        )
        self._last_success = self._gauge(
            "collection_last_success_timestamp_seconds",
            "When the collector last brought all of its indicators, in Unix seconds.",
            "collector",
        )
        self._overruns = self._counter(
            "collections_overrun_total", "Collections left out because the one before still ran.", "collector"
        )
        self._rejected = self._counter(
            "samples_rejected_total", "Samples that could not be used (NaN, Inf, duplicates).", "collector"
        )
        self._evaluation_duration = Histogram(
            "slo_guard_evaluation_duration_seconds",
            "How long evaluations took, with storing and rendering. Those that failed are not counted.",
            buckets=_EVALUATION_BUCKETS,
            registry=self._registry,
        )
        self._missed = self._counter("evaluations_missed_total", "Evaluations that were due and did not run.")
        self._skipped = self._counter(
            "evaluations_skipped_total", "Evaluations left out because the clock had gone back before the last one."
        )
        self._notifications = self._counter(
            "notifications_total", "Attempts to send a notification, by how they ended.", "receiver", "outcome"
        )
        self._pending = self._gauge("outbox_pending", "Notifications that are not delivered yet.", "receiver")
        self._oldest = self._gauge(
            "outbox_oldest_seconds", "Age of the oldest notification that is not delivered, 0 if none is.", "receiver"
        )
        self._dead = self._gauge("dead_letters", "Notifications that were given up and are kept.", "receiver")
        self._with_dead: frozenset[str] = frozenset()
        self._silences = self._gauge(
            "silences", "Silences that hold now, or have yet to begin; what they match fires and counts on.", "state"
        )
        self._reload_ok = self._gauge(
            "config_last_reload_successful", "1 if the files on disk were taken when they were last read, else 0."
        )
        self._job_errors = self._counter("job_errors_total", "Jobs that ended in an unexpected error.", "job")
        self._beat_at: Gauge | None = None
        self._beats: Counter | None = None
        for job in _JOBS:
            self._job_errors.labels(job)
        build = self._gauge("build_info", "1, labelled with the version that runs.", "version", "pythonversion")
        build.labels(version, ".".join(map(str, sys.version_info[:3]))).set(1)
        ProcessCollector(registry=self._registry)
        # A child that is kept costs a fifth of looking it up by its labels each time. Removed children leave
        # with the whole cache, in expect().
        self._child = lru_cache(maxsize=4096)(_child)
        self.silences(0, 0)

    def expect(self, collectors: Collection[str], receivers: Collection[str]) -> None:
        """Start the counters of these collectors and receivers at 0 and drop the series of all others."""
        for name in self._collectors.difference(collectors):
            for metric in (self._up, self._collection_duration, self._last_success, self._overruns, self._rejected):
                _remove(metric, name)
        for name in self._receivers.difference(receivers):
            for metric in (self._pending, self._oldest, self._dead):
                _remove(metric, name)
            for outcome in DeliveryOutcome:
                _remove(self._notifications, name, outcome.value)
        self._child.cache_clear()
        self._collectors, self._receivers = frozenset(collectors), frozenset(receivers)
        for name in collectors:
            for metric in (self._collection_duration, self._overruns, self._rejected):
                self._child(metric, name)
        for name in receivers:
            for outcome in DeliveryOutcome:
                self._child(self._notifications, name, outcome.value)
            self.outbox(name, 0, 0.0)
            self._child(self._dead, name)

    def collected(self, collector: str, duration_seconds: float, ok: bool, at: float) -> None:
        """Count a collection that ended ``at`` (Unix seconds); ``ok`` if every indicator was read."""
        self._child(self._up, collector).set(1 if ok else 0)
        self._child(self._collection_duration, collector).observe(duration_seconds)
        if ok:
            self._child(self._last_success, collector).set(at)

    def overrun(self, collector: str) -> None:
        """Count a collection that was left out because the one before still ran."""
        self._child(self._overruns, collector).inc()

    def rejected(self, collector: str, samples: int) -> None:
        """Count samples that could not be used."""
        self._child(self._rejected, collector).inc(samples)

    def evaluated(self, duration_seconds: float) -> None:
        """Count an evaluation that took ``duration_seconds``."""
        self._evaluation_duration.observe(duration_seconds)

    def evaluations_missed(self, number: int = 1) -> None:
        """Count evaluations that were due and did not run."""
        self._missed.inc(number)

    def evaluation_skipped(self) -> None:
        """Count an evaluation that was left out because its time was not later than the last one's."""
        self._skipped.inc()

    def notified(self, receiver: str, outcome: DeliveryOutcome) -> None:
        """Count an attempt to send."""
        self._child(self._notifications, receiver, outcome.value).inc()

    def outbox(self, receiver: str, pending: int, oldest_seconds: float) -> None:
        """Show what waits for a receiver: how many, and how old the oldest is (0 if none waits)."""
        self._child(self._pending, receiver).set(pending)
        self._child(self._oldest, receiver).set(oldest_seconds)

    def dead_letters(self, numbers: Mapping[str, int]) -> None:
        """Show how many dead letters are kept for each receiver, those of receivers that are gone included."""
        for receiver in self._receivers.union(numbers):
            self._child(self._dead, receiver).set(numbers.get(receiver, 0))
        for receiver in self._with_dead.difference(self._receivers, numbers):
            _remove(self._dead, receiver)
            self._child.cache_clear()
        self._with_dead = frozenset(numbers)

    def expect_heartbeat(self, *, expected: bool) -> None:
        """Show the heartbeat's metrics only where there is one: a 0 would look like one that never succeeded."""
        for metric in (self._beat_at, self._beats):
            if metric is not None and not expected:
                self._registry.unregister(metric)
        if not expected:
            self._beat_at = self._beats = None
        elif self._beats is None:
            self._beats = self._counter(
                "heartbeats_total", "Heartbeats that were due: sent, failed, or withheld on purpose.", "outcome"
            )
            for outcome in HeartbeatOutcome:
                self._beats.labels(outcome.value)

    def heartbeat(self, outcome: HeartbeatOutcome, at: float) -> None:
        """Count a heartbeat that was due ``at`` (Unix seconds)."""
        if self._beats is None:
            return
        self._beats.labels(outcome.value).inc()
        if outcome is HeartbeatOutcome.SENT:
            if self._beat_at is None:
                self._beat_at = self._gauge(
                    "heartbeat_last_success_timestamp_seconds", "When the heartbeat last got through, in Unix seconds."
                )
            self._beat_at.set(at)

    def reloaded(self, ok: bool) -> None:
        """Show whether the files on disk were taken when they were last read (at the start or by a reload)."""
        self._reload_ok.set(1 if ok else 0)

    def job_error(self, job: str) -> None:
        """Count a job that ended in an unexpected error."""
        self._child(self._job_errors, job).inc()

    def render(self) -> bytes:
        """Return all of it as text format 0.0.4."""
        return generate_latest(_WithoutCreated(self._registry))

    def silences(self, active: int, pending: int) -> None:
        """Show how many silences hold now, and how many have yet to begin."""
        self._child(self._silences, "active").set(active)
        self._child(self._silences, "pending").set(pending)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"slo_guard_{name}", text, labels, registry=self._registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"slo_guard_{name}", text, labels, registry=self._registry)


def _child(metric: Any, *labels: str) -> Any:
    return metric.labels(*labels)


def _remove(metric: Any, *labels: str) -> None:
    with suppress(KeyError):
        metric.remove(*labels)


class _WithoutCreated:
    """A registry's metrics without the ``_created`` series.

    The text format has no place for them, so that the client library invents a gauge for each; its own switch
    for that is global to the process.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric
