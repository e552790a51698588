"""One cycle of the live daemon: evaluate, plan what to tell, render, publish; all in the evaluation thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

import structlog

from slo_guard.clock import from_unix, to_unix
from slo_guard.cycle_log import Laps, log_cycle
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.explanations import Explanation, Unexplained
from slo_guard.domain.gates import Gate
from slo_guard.domain.kpi import KPI, Plan
from slo_guard.domain.notifications import Route
from slo_guard.domain.ports import EvaluationRecord, Store
from slo_guard.domain.silences import Acknowledgement, Silence
from slo_guard.domain.verdicts import VerdictFrame
from slo_guard.errors import StoreError
from slo_guard.evaluate import Evaluation, EvaluationState
from slo_guard.evaluate.explaining import explain
from slo_guard.evaluate.renewing import LitterWatch
from slo_guard.expose.own_metrics import OwnMetrics
from slo_guard.expose.render import KpiRenderer
from slo_guard.expose.snapshot import ReloadOutcome, Snapshot, SnapshotHolder
from slo_guard.jobs import EvaluationBacklog, evaluate_once, plan_once
from slo_guard.logs import OnceLogged
from slo_guard.restoring import renew
from slo_guard.source_board import SourceBoard
from slo_guard.standing import StandingGates, sign_offs_known
from slo_guard.vitals import Part, Vitals

log = structlog.get_logger(__name__)

Restore: TypeAlias = Callable[[Plan, Iterable[KPI], Iterable[str]], EvaluationState]
"""Gives the state that the store holds for a plan, whose rules departed, and which indicators are awaited."""

_EXPLAIN_SECONDS = 3.0
_LONGEST_REST_SECONDS = 60.0


class EvaluationCycle:
    """Runs cycles over one plan and one state; the reload puts others in their place between two cycles.

    ``restore`` is called with ``lock`` held when an evaluation has failed: it leaves a state of which nobody knows
    how much of the evaluation is in it.
    """

    def __init__(
        self,
        store: Store,
        holder: SnapshotHolder,
        own: OwnMetrics,
        board: SourceBoard,
        clock: Callable[[], datetime],
        on_planned: Callable[[], None],
        restore: Restore,
        vitals: Vitals | None = None,
    ) -> None:
        self.lock = threading.Lock()
        self.reload_outcome: ReloadOutcome | None = None
        self._store = store
        self._holder = holder
        self._own = own
        self._board = board
        self._clock = clock
        self._on_planned = on_planned
        self._restore = restore
        self._vitals = vitals or Vitals()
        self._renderer = KpiRenderer()
        self._backlog = EvaluationBacklog()
        self._plan = Plan({}, ())
        self._state = EvaluationState.fresh()
        self._routes: Sequence[Route] = ()
        self._changed_to: Sequence[KPI] | None = None
        self._frames: dict[tuple[str, str], VerdictFrame] = {}
        self._last: float | None = None
        self._looked_at: float | None = None
        self._usable = True
        self._awaiting: frozenset[str] = frozenset()
        self._failures = 0
        self._pending = 0
        self._laps = Laps()
        self._rest_until = 0.0
        self._behind = False
        self._silences: tuple[Silence, ...] = ()
        self._acknowledgements: tuple[Acknowledgement, ...] = ()
        self._told = OnceLogged()
        self._litter = LitterWatch()
        self._standing_gates = StandingGates(store)
        self._gates: Mapping[str, Gate] = {}
        self._seconds = 0.0

    def follow(self, plan: Plan, state: EvaluationState, routes: Sequence[Route]) -> None:
        """Go on with another plan, state and routes; call it with ``lock`` held."""
        keys = {(kpi.sprint, kpi.id) for kpi in plan.kpis}
        state.trails.go_on_from(self._state.trails)
        self._plan, self._state, self._routes = plan, state, routes
        self._changed_to = plan.kpis
        self._frames = {key: frame for key, frame in self._frames.items() if key in keys}
        self._last = self._looked_at = None
        self._usable, self._rest_until = True, 0.0

    @property
    def awaiting(self) -> frozenset[str]:
        """The indicators whose first collection is not over yet."""
        return frozenset(self._state.awaiting) if self._usable else self._awaiting

    def save_backlog(self) -> bool:
        """Store what could not be stored before; returns whether nothing is left, else the next cycle tries again.

        What can never be stored is dropped, and then the state is restored from the store before the next evaluation.
        """
        try:
            self._backlog.save(self._store)
        except Exception as error:  # noqa: BLE001 - told with its traceback; what the store refuses must not stay in the way
            self._lose_state(error, self.awaiting)
        return self._backlog.record is None

    def explained(self, sprint: str, kpi: str) -> Explanation | Unexplained:
        """Return why a KPI's verdict is what it is, as published; waits for an evaluation for seconds at most."""
        if not self.lock.acquire(timeout=_EXPLAIN_SECONDS):
            return Unexplained("an evaluation is under way; ask again in a moment")
        try:
            track, frame = self._state.tracks.get((sprint, kpi)), self._frames.get((sprint, kpi))
            if not self._usable:
                return Unexplained("the last evaluation failed; the log says why")
            if track is None or frame is None:
                return Unexplained("it has not been judged yet; ask again after its first evaluation")
            seen_at = frame.at if self._state.evaluated_at is None else max(frame.at, self._state.evaluated_at)
            return explain(track, frame, seen_at, self._plan.indicators)
        finally:
            self.lock.release()

    def next_after(self, after: float) -> float:
        """Return the first instant (Unix seconds) later than ``after`` at which a cycle is due."""
        return self._plan.next_evaluation(after)

    def run(self) -> None:
        """Run the cycle of the newest grid point; those before it that were not run are counted as missed."""
        with self.lock:
            self._laps = Laps()
            at = self._plan.last_evaluation(to_unix(self._clock()))
            if self._last is not None and at <= self._last:
                self._skip(at)
                return
            if self._looked_at is not None:
                self._count_missed(self._looked_at, at)
            self._looked_at = at
            if not self._usable and (at < self._rest_until or not self._restored()):
                self._own.evaluations_missed()
                return
            if self._cycle(at):
                self._own.evaluated(self._laps.seconds)

    def _cycle(self, at: float) -> bool:
        """Evaluate at ``at`` and follow it up; returns whether that was done: one that failed is not counted as one."""
        now, awaiting = from_unix(at), self.awaiting
        due = self._plan.due_since(self._last, at)
        try:
            evaluation = evaluate_once(due, self._store, self._state, now, self._backlog)
        except Exception as error:  # noqa: BLE001 - a job's boundary: told with its traceback and counted
            self._lose_state(error, awaiting)
            self._failures += 1
            # The first time the next cycle goes on; a cause that stays would have the windows rebuilt every second.
            self._rest_until = at + min(2.0**self._failures, _LONGEST_REST_SECONDS) if self._failures > 1 else 0.0
            if self._failures == 1:
                self._restored()
            return False
        self._laps.lap("evaluate", of_it=("store", self._backlog.take_seconds()))
        self._failures = 0
        self._told.right("evaluation", "evaluation_works_again")
        if evaluation.skipped:
            self._skip(at)
            return False
        self._follow_up(evaluation, at)
        self._forget_series(at)
        return True

    def _follow_up(self, evaluation: Evaluation, at: float) -> None:
        """Plan the messages of what was found, and publish it."""
        now = from_unix(at)
        if self._behind:
            self._behind = False
            log.info("evaluations_go_on", at=now.isoformat())
        self._last = at
        messages = self._plan_notifications(now)
        self._laps.lap("plan")
        self._frames |= {(frame.kpi.sprint, frame.kpi.id): frame for frame in evaluation.verdicts}
        self._frames = {key: frame for key, frame in self._frames.items() if not self._state.is_left(key)}
        frames = [frame for key, frame in self._frames.items() if key[1] != COLLECTOR_UP]
        plan = self._state.shown(self._plan)
        self._holder.publish(
            Snapshot(
                at=at,
                plan=plan,
                frames={(frame.kpi.sprint, frame.kpi.id): frame for frame in frames},
                alerts=dict(self._state.alerts),
                metrics=self._renderer.render(
                    frames, self._state.alerts, plan.kpis, evaluation.burn_alarm_seconds, plan.sprints.values()
                ),
                sources=self._board.statuses(),
                reload=self.reload_outcome,
                silences=self._silences,
                acknowledgements=self._acknowledgements,
                trails=self._state.trails.over_sprint,
                recent_trails=self._state.trails.lately,
                gates=self._gates_at(at),
                sign_offs=sign_offs_known(self._state),
                evaluation_seconds=self._seconds,
            )
        )
        self._vitals.alive(Part.EVALUATION)
        self._report_store_error()
        _log_asides(evaluation.record)
        self._laps.lap("render")
        alerts = self._state.alerts.values()
        log_cycle(evaluation, at, frames, alerts, messages=messages, pending=self._pending, laps=self._laps)
        self._on_planned()

    def _gates_at(self, at: float) -> Mapping[str, Gate]:
        """Return the go/no-go of each sprint so far; while the store cannot say how one closed, what was said last."""
        try:
            self._gates = self._standing_gates.at(self._plan, self._state, self._frames, at)
        except StoreError as error:
            self._backlog.error = self._backlog.error or error
        return self._gates

    def _plan_notifications(self, now: datetime) -> int:
        judged_at = {key: track.evaluated_at for key, track in self._state.tracks.items()}
        known = {key: at for key, at in judged_at.items() if at is not None}
        try:
            record = plan_once(self._store, self._state.alerts, self._routes, now, known, changed_to=self._changed_to)
            self._changed_to = None
            waiting, dead = dict(self._store.outbox_pending()), self._store.dead_letters()
            self._see_who_says_what(to_unix(now))
        except StoreError as error:
            self._backlog.error = self._backlog.error or error
            return 0
        except Exception as error:  # noqa: BLE001 - told with its traceback; what was judged is to be seen all the same
            self._own.job_error("plan")
            self._told.wrong("plan", "planning_failed", f"{type(error).__name__}: {error}", bug=error)
            return 0
        self._told.right("plan", "planning_works_again")
        self._pending = sum(number for number, _ in waiting.values())
        self._vitals.alive(Part.PLANNING)
        self._own.dead_letters(dead)
        oldest_at = {name: oldest for name, (_, oldest) in waiting.items() if oldest is not None}
        self._vitals.waiting({name: max(0.0, to_unix(now) - oldest) for name, oldest in oldest_at.items()})
        # The store names only receivers for whom something waits: the others' gauges must go back to 0.
        for receiver in dict.fromkeys((*(route.receiver for route in self._routes), *waiting)):
            pending, oldest = waiting.get(receiver, (0, None))
            self._own.outbox(receiver, pending, 0.0 if oldest is None else max(0.0, to_unix(now) - oldest))
        return len(record.notifications)

    def _see_who_says_what(self, at: float) -> None:
        """Take up the silences and acknowledgements as they are once this evaluation is planned."""
        self._silences, self._acknowledgements = self._store.silences(at), self._store.acknowledgements(at)
        active = sum(each.is_active(at) for each in self._silences)
        self._own.silences(active, len(self._silences) - active)

    def _report_store_error(self) -> None:
        """Log a failing store once, and once when it works again: a full disk lasts for many cycles."""
        error, self._backlog.error = self._backlog.error, None
        if error is None:
            self._vitals.alive(Part.STORE)
            self._told.right("store", "store_works_again")
        else:
            self._own.job_error("store")
            self._told.wrong("store", "store_failed", str(error))

    def _lose_state(self, error: Exception, awaiting: Iterable[str]) -> None:
        self._own.job_error("evaluate")
        self._told.wrong("evaluation", "evaluation_failed", f"{type(error).__name__}: {error}", bug=error)
        self._usable, self._awaiting = False, frozenset(awaiting)

    def _restored(self) -> bool:
        """Take up what the store holds, unless something waits to be stored before it: returns whether that was done.

        A state restored without what waits would give the numbers of its transitions a second time.
        """
        try:
            if not self.save_backlog():
                self._report_store_error()
                return False
            before = self._state
            self._state = self._restore(self._plan, tuple(before.departed.values()), self._awaiting)
            self._state.trails.go_on_from(before.trails)
        except StoreError as error:
            self._backlog.error = error
            self._report_store_error()
            return False
        except Exception as error:  # noqa: BLE001 - as above; the next cycle tries again
            self._lose_state(error, self._awaiting)
            return False
        self._usable = True
        return True

    def _forget_series(self, at: float) -> None:
        """Have series that are gone for good leave the memory, once they are many; else they stay until the restart."""
        kpis = self._litter.littered(self._state, at)
        if not kpis or self._backlog.record is not None:
            return
        try:
            if renew(self._plan, self._store, self._state, kpis):
                self._litter.renewed(self._state, kpis)
        except StoreError as error:
            log.warning("series_not_forgotten", error=str(error))
        except Exception as error:  # noqa: BLE001 - as for an evaluation: what is in the state then, nobody knows
            self._lose_state(error, self.awaiting)

    def _skip(self, at: float) -> None:
        self._own.evaluation_skipped()
        if not self._behind:
            self._behind = True
            log.warning("evaluations_skipped", reason="clock_went_back", at=from_unix(at).isoformat())

    def _count_missed(self, last: float, at: float) -> None:
        step = min(kpi.interval_seconds for kpi in self._plan.kpis)
        missed = round((at - last) / step) - 1
        if missed > 0:
            self._own.evaluations_missed(missed)
            log.warning("evaluations_missed", number=missed)


def _log_asides(record: EvaluationRecord) -> None:
    """Log what nobody is told of: rules that changed in mid-sprint, and final verdicts that were restated."""
    for change in record.rules.changes:
        log.warning(
            "target_changed",
            sprint=change.sprint,
            kpi=change.kpi,
            field=change.field,
            before=change.before,
            after=change.after,
        )
    for restated in record.restatements:
        log.info("restated", sprint=restated.sprint, kpi=restated.kpi, verdict=restated.worst.label)
