"""One cycle of the live daemon: evaluate, plan what to tell, render, publish; all in the evaluation thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from slo_guard.clock import from_unix, monotonic, to_unix
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.kpi import KPI, Plan
from slo_guard.domain.notifications import Route
from slo_guard.domain.ports import Store
from slo_guard.domain.readings import Collection, CollectionFailure, Reading
from slo_guard.domain.verdicts import Verdict, VerdictFrame
from slo_guard.errors import StoreError
from slo_guard.evaluate import EvaluationState
from slo_guard.expose.own_metrics import OwnMetrics
from slo_guard.expose.render import KpiRenderer
from slo_guard.expose.snapshot import ReloadOutcome, Snapshot, SnapshotHolder, SourceError, SourceStatus
from slo_guard.jobs import EvaluationBacklog, evaluate_once, plan_once

log = structlog.get_logger(__name__)


class SourceBoard:
    """The newest that is known of each collector; written by the collectors' threads, read by the cycle."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._status: dict[str, SourceStatus] = {}

    def expect(self, collectors: dict[str, tuple[str, ...]]) -> None:
        """Show these collectors with their indicators, keeping what is known of them, and no others."""
        with self._lock:
            self._status = {
                name: SourceStatus(name, indicators, *_known(self._status.get(name)))
                for name, indicators in collectors.items()
            }

    def collected(self, collection: Collection, at: float) -> None:
        """Take in how a collection ended."""
        failures = [item for item in collection.observations if isinstance(item, CollectionFailure)]
        with self._lock:
            before = self._status.get(collection.collector)
            if before is None:
                return
            success, error = before.last_success_at, before.last_error
            if failures:
                error = SourceError(failures[0].reason, failures[0].message, at)
            else:
                success = at
            self._status[collection.collector] = SourceStatus(before.collector, before.indicators, success, error)

    def statuses(self) -> tuple[SourceStatus, ...]:
        """Return what is known, by name."""
        with self._lock:
            return tuple(self._status[name] for name in sorted(self._status))


class EvaluationCycle:
    """Runs cycles over one plan and one state; the reload puts others in their place between two cycles."""

    def __init__(
        self,
        store: Store,
        holder: SnapshotHolder,
        own: OwnMetrics,
        board: SourceBoard,
        clock: Callable[[], datetime],
        on_planned: Callable[[], None],
    ) -> None:
        self.lock = threading.Lock()
        self.reload_outcome: ReloadOutcome | None = None
        self._store = store
        self._holder = holder
        self._own = own
        self._board = board
        self._clock = clock
        self._on_planned = on_planned
        self._renderer = KpiRenderer()
        self._backlog = EvaluationBacklog()
        self._plan = Plan({}, ())
        self._state = EvaluationState.fresh()
        self._routes: Sequence[Route] = ()
        self._changed_to: Sequence[KPI] | None = None
        self._frames: dict[tuple[str, str], VerdictFrame] = {}
        self._last: float | None = None
        self._store_error: str | None = None

    def follow(self, plan: Plan, state: EvaluationState, routes: Sequence[Route]) -> None:
        """Go on with another plan, state and routes; call it with ``lock`` held."""
        keys = {(kpi.sprint, kpi.id) for kpi in plan.kpis}
        self._plan, self._state, self._routes = plan, state, routes
        self._changed_to = plan.kpis
        self._frames = {key: frame for key, frame in self._frames.items() if key in keys}
        self._last = None

    @property
    def awaiting(self) -> frozenset[str]:
        """The indicators whose first collection is not over yet."""
        return frozenset(self._state.awaiting)

    def save_backlog(self) -> bool:
        """Store what could not be stored before; returns whether all is stored, else the next cycle tries again."""
        self._backlog.save(self._store)
        return self._backlog.record is None

    def next_after(self, after: float) -> float:
        """Return the first instant (Unix seconds) later than ``after`` at which a cycle is due."""
        return self._plan.next_evaluation(after)

    def run(self) -> None:
        """Run the cycle of the newest grid point; those before it that were not run are counted as missed."""
        with self.lock:
            started = monotonic()
            at = self._plan.last_evaluation(to_unix(self._clock()))
            if self._last is not None:
                if at <= self._last:
                    self._skip(at)
                    return
                self._count_missed(self._last, at)
            self._cycle(at)
            self._own.evaluated(monotonic() - started)

    def _cycle(self, at: float) -> None:
        now = from_unix(at)
        evaluation = evaluate_once(self._plan.due_since(self._last, at), self._store, self._state, now, self._backlog)
        if evaluation.skipped:
            self._skip(at)
            return
        self._last = at
        messages = self._plan_notifications(now)
        self._frames |= {(frame.kpi.sprint, frame.kpi.id): frame for frame in evaluation.verdicts}
        frames = [frame for key, frame in self._frames.items() if key[1] != COLLECTOR_UP]
        self._holder.publish(
            Snapshot(
                at=at,
                plan=self._plan,
                frames={(frame.kpi.sprint, frame.kpi.id): frame for frame in frames},
                alerts=dict(self._state.alerts),
                metrics=self._renderer.render(frames, self._state.alerts, self._plan.kpis),
                sources=self._board.statuses(),
                reload=self.reload_outcome,
            )
        )
        self._report_store_error()
        worst = [frame.worst for frame in frames]
        log.info(
            "evaluated",
            at=now.isoformat(),
            kpis=len(evaluation.verdicts),
            missed=worst.count(Verdict.MISSED),
            no_data=worst.count(Verdict.NO_DATA),
            transitions=len(evaluation.transitions),
            messages=messages,
        )
        self._on_planned()

    def _plan_notifications(self, now: datetime) -> int:
        judged_at = {key: track.evaluated_at for key, track in self._state.tracks.items()}
        known = {key: at for key, at in judged_at.items() if at is not None}
        try:
            record = plan_once(self._store, self._state.alerts, self._routes, now, known, changed_to=self._changed_to)
            self._changed_to = None
            waiting = dict(self._store.outbox_pending())
        except StoreError as error:
            self._backlog.error = self._backlog.error or error
            return 0
        # The store names only receivers for whom something waits: the others' gauges must go back to 0.
        for receiver in dict.fromkeys((*(route.receiver for route in self._routes), *waiting)):
            pending, oldest = waiting.get(receiver, (0, None))
            self._own.outbox(receiver, pending, 0.0 if oldest is None else max(0.0, to_unix(now) - oldest))
        return len(record.notifications)

    def _report_store_error(self) -> None:
        """Log a failing store once, and once when it works again: a full disk lasts for many cycles."""
        error = self._backlog.error
        text = None if error is None else str(error)
        if text is not None:
            self._own.job_error("store")
            self._backlog.error = None
        if text != self._store_error:
            if text is None:
                log.info("store_works_again")
            else:
                log.error("store_failed", error=text)
        self._store_error = text

    def _skip(self, at: float) -> None:
        self._own.evaluation_skipped()
        log.warning("evaluation_skipped", reason="clock_went_back", at=from_unix(at).isoformat())

    def _count_missed(self, last: float, at: float) -> None:
        step = min(kpi.interval_seconds for kpi in self._plan.kpis)
        missed = round((at - last) / step) - 1
        if missed > 0:
            self._own.evaluations_missed(missed)
            log.warning("evaluations_missed", number=missed)


def rejected_samples(collection: Collection) -> tuple[int, str | None]:
    """Return how many samples of a collection were not usable, and the first of them in words."""
    readings = [item for item in collection.observations if isinstance(item, Reading) and item.rejected]
    return sum(reading.rejected for reading in readings), readings[0].example if readings else None


def failures_of(collection: Collection) -> list[tuple[str, str, int]]:
    """Return each distinct failure of a collection: its reason, its message and how many indicators it struck."""
    struck: dict[tuple[str, str], int] = {}
    for item in collection.observations:
        if isinstance(item, CollectionFailure):
            key = (item.reason, item.message)
            struck[key] = struck.get(key, 0) + len(item.indicators)
    return [(reason, message, indicators) for (reason, message), indicators in struck.items()]


def _known(status: SourceStatus | None) -> tuple[float | None, SourceError | None]:
    return (None, None) if status is None else (status.last_success_at, status.last_error)
