"""Builds every object, starts them in order, stops them in the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from slo_guard import logs
from slo_guard.admission import access_rules, serve_instead, served_certificates, server_limits
from slo_guard.assembly import Assembly, assembled
from slo_guard.clock import monotonic, to_unix, utcnow
from slo_guard.config import Config
from slo_guard.cycle import EvaluationCycle
from slo_guard.domain.alerts import Transition
from slo_guard.domain.explanations import Explanation, Unexplained
from slo_guard.domain.kpi import KPI, Plan
from slo_guard.domain.notifications import DeliveryRecord
from slo_guard.domain.ports import SilenceStore, Store
from slo_guard.domain.readings import IndicatorSpec
from slo_guard.errors import SloGuardError, StoreError
from slo_guard.evaluate import EvaluationState
from slo_guard.explained import history_of
from slo_guard.expose.access import AccessGate
from slo_guard.expose.api import create_app
from slo_guard.expose.own_metrics import OwnMetrics
from slo_guard.expose.server import HttpServer
from slo_guard.expose.snapshot import ReloadOutcome, SnapshotHolder
from slo_guard.expose.tls import ServedCertificates
from slo_guard.heartbeat import Heartbeat
from slo_guard.loaded import Loaded, load_files, only_at_start
from slo_guard.notify import annotations_of
from slo_guard.restoring import rebuilt_state, state_to_start_with
from slo_guard.scheduler import Scheduler
from slo_guard.source_board import SourceBoard
from slo_guard.store import open_store
from slo_guard.vitals import Part, Vitals
from slo_guard.watch import ClockWatch, Watchdog
from slo_guard.work import Work

log = structlog.get_logger(__name__)

_STOP_SECONDS = 3.0
_SENDING_SECONDS = 2.0


class Daemon:
    """The daemon: :meth:`start`, then :meth:`reload` at will, then :meth:`stop`.

    ``opening`` is given what :func:`slo_guard.store.open_store` is given, and returns the store.
    ``stopwatch`` says for how long a part has been silent.
    """

    def __init__(
        self,
        config_path: Path,
        clock: Callable[[], datetime] = utcnow,
        opening: Callable[..., Store] = open_store,
        stopwatch: Callable[[], float] = monotonic,
    ) -> None:
        self._config_path = config_path
        self._clock = clock
        self._opening = opening
        self._own = OwnMetrics()
        self._gate = AccessGate()
        self._certificates: ServedCertificates | None = None
        self._holder = SnapshotHolder()
        self._board = SourceBoard()
        self._reloading = threading.Lock()
        self._running = False
        self._assembly: Assembly | None = None
        self._started_with: Config | None = None
        self._store: Store | None = None
        self._work: Work | None = None
        self._cycle: EvaluationCycle | None = None
        self._scheduler: Scheduler | None = None
        self._server: HttpServer | None = None
        self._vitals = Vitals(stopwatch)
        self._heartbeat = Heartbeat(self._vitals, self._own, self._now, self._failed, stopwatch)
        self._clock_watch = ClockWatch(self._now)
        self._watchdog: Watchdog | None = None
        self._to_replan = 0

    @property
    def url(self) -> str:
        """Where the page is served; known once started."""
        return self._server.url if self._server else ""

    def evaluates(self, within_seconds: float) -> bool:
        """Whether an evaluation has ended within these seconds, or three of its intervals if that is longer."""
        return not self._vitals.stands_still(Part.EVALUATION, within_seconds)

    def start(self) -> None:
        """Read the files, open the store, take up where it stands and begin.

        Raises ``ConfigError``, ``StartError`` or ``StoreError``; then nothing runs.
        """
        self._clock_watch.seconds_back()  # from here on a step counts
        loaded = load_files(self._config_path)
        config = self._started_with = loaded.config
        logs.configure(config.log.level, config.log.format)
        for warning in loaded.warnings:
            log.warning("config_finding", finding=str(warning))
        self._gate.follow(access_rules(config.server))
        self._certificates = served_certificates(config.server)
        self._server = HttpServer(
            create_app(
                self._holder,
                self._own,
                self.reload,
                explain=self.explain,
                deliveries=self.deliveries,
                silencing=self._silencing,
                transitions=self.transitions,
                annotate=annotations_of,
                clock=self._now,
                gate=self._gate,
            ),
            config.server.host,
            config.server.port,
            limits=server_limits(config.server.limits),
            certificates=self._certificates,
        )
        self._server.start()
        store = self._store = self._opening(
            config.store.path, retention_seconds=config.store.retention, max_bytes=config.store.max_size
        )
        released = store.release_leases()
        if released:
            log.info("leases_released", number=released)
        scheduler = self._scheduler = Scheduler(len(config.receivers), self._own.overrun, self._failed, self._clock)
        self._work = Work(store, self._own, self._board, self._clock, scheduler.deliver_by, self._vitals)
        self._cycle = EvaluationCycle(
            store,
            self._holder,
            self._own,
            self._board,
            self._clock,
            scheduler.hurry_deliveries,
            self._rebuilt_state,
            self._vitals,
        )
        self._follow(loaded, departed=())
        self._own.reloaded(ok=True)
        scheduler.start()
        self._watchdog = Watchdog(self._look, self._failed)
        self._watchdog.start()
        self._heartbeat.start()
        self._running = True
        log.info("started", url=self.url, kpis=len(loaded.plan.kpis) - 1, config=str(self._config_path))

    def reload(self) -> ReloadOutcome:
        """Read the files again and go on with them; what is wrong is said, and then what ran goes on. Never raises."""
        at = to_unix(self._clock())
        if not self._running:
            return ReloadOutcome(False, "not reloaded: still starting, or stopping; reload again in a moment", at)
        with self._reloading:
            assert self._cycle is not None
            try:
                outcome = ReloadOutcome(True, self._reloaded(), at)
            except SloGuardError as error:
                outcome = ReloadOutcome(False, str(error), at)
                log.error("reload_refused", error=str(error))
            except Exception as error:
                outcome = ReloadOutcome(
                    False, f"not reloaded: unexpected {type(error).__name__}; see the log. What ran goes on.", at
                )
                log.exception("reload_failed")
            self._own.reloaded(ok=outcome.ok)
            self._cycle.reload_outcome = outcome
            return outcome

    def explain(self, sprint: str, kpi: str) -> Explanation | Unexplained:
        """Return why a KPI's verdict is what it is, with the changes that led to it. Never raises."""
        cycle, store = self._cycle, self._store
        if cycle is None or store is None:
            return Unexplained("still starting, or stopping; ask again in a moment")
        found = cycle.explained(sprint, kpi)
        if isinstance(found, Unexplained):
            return found
        try:
            return found.with_history(history_of(store, found.kpi, found.seen_at))
        except StoreError as error:
            log.warning("history_not_read", kpi=kpi, error=str(error))
            return found

    def deliveries(self, **filters: Any) -> tuple[DeliveryRecord, ...]:
        """Return messages and what became of them, as :meth:`Store.deliveries` does. Raises ``StoreError``."""
        return self._open_store().deliveries(**filters)

    def transitions(self, sprint: str, kpi: str, limit: int) -> tuple[Transition, ...]:
        """Return the last ``limit`` transitions of a KPI's alerts, the newest last. Raises ``StoreError``."""
        return self._open_store().kpi_transitions(sprint, kpi, until=self._now(), limit=limit)

    def _silencing(self) -> SilenceStore:
        """Return where silences and acknowledgements are kept. Raises ``StoreError`` while there is no store."""
        if self._store is None:
            raise StoreError("still starting, or stopping; ask again in a moment")
        return self._store

    def stop(self) -> None:
        """Stop within seconds; what was under way is done again after the next start. Idempotent."""
        self._running = False
        deadline = monotonic() + _SENDING_SECONDS
        if self._work is not None:
            self._work.stop_sending()
        self._heartbeat.stop()
        if self._watchdog is not None:
            self._watchdog.stop()
        if self._scheduler is not None:
            self._scheduler.stop()
        if self._server is not None:
            self._server.stop()
        if self._cycle is not None and self._cycle.lock.acquire(timeout=_STOP_SECONDS):
            self._cycle.save_backlog()
            self._cycle.lock.release()
        # What a receiver has accepted is to be recorded, or it is sent a second time after the next start.
        if self._work is not None and not self._work.wait_until_sent(max(0.0, deadline - monotonic())):
            log.warning("stopped_while_sending")
        if self._assembly is not None:
            self._assembly.close()
        if self._store is not None:
            self._store.close()
            self._store = None
            log.info("stopped")

    def _reloaded(self) -> str:
        """Go on with the files as they are now; returns what there is to say of it."""
        assert self._assembly is not None
        assert self._started_with is not None
        loaded = load_files(self._config_path)
        rules = access_rules(loaded.config.server)
        serve_instead(self._certificates, loaded.config.server)
        kept = only_at_start(self._started_with, loaded.config)
        self._follow(loaded, departed=self._assembly.loaded.plan.kpis)
        self._gate.follow(rules)
        log.info("reloaded", kpis=len(loaded.plan.kpis) - 1, restart_for=kept or None)
        kpis = len(loaded.plan.kpis) - 1
        message = f"reloaded: {kpis} KPI{'' if kpis == 1 else 's'}"
        return f"{message}; restart to apply {kept}" if kept else message

    def _follow(self, loaded: Loaded, departed: Iterable[KPI]) -> None:
        """Put the plan, collectors and receivers of ``loaded`` in the place of what runs.

        All that can fail is made before anything is replaced.
        """
        assert self._store is not None
        assert self._work is not None
        assert self._cycle is not None
        assert self._scheduler is not None
        plan = loaded.plan
        made = assembled(loaded, self._store, self._work, self._cycle, self._now())
        with self._cycle.lock:
            if not self._cycle.save_backlog():
                # A state restored without them would give the numbers of its transitions a second time.
                raise StoreError("the last evaluations cannot be stored yet; make room, and reload again")
            state = self._restored_state(plan, departed, made.specs)
            self._cycle.follow(plan, state, made.routes)
        self._own.expect([each.name for each in made.collectors], [each.name for each in made.receivers])
        self._board.expect(
            {each.name: tuple(spec.name for spec in each.indicators) for each in made.collectors},
            {options.name: options.type for options in loaded.config.collectors},
        )
        self._vitals.expect(made.loaded.interval_seconds, made.sending_seconds)
        self._heartbeat.follow(loaded.config.heartbeat)
        for run in made.runs:
            run.begin()
        self._scheduler.follow(made.jobs)
        before, self._assembly = self._assembly, made
        if before is not None:
            before.close()

    def _restored_state(self, plan: Plan, departed: Iterable[KPI], specs: Iterable[IndicatorSpec]) -> EvaluationState:
        """Return the state for a start or a reload: of ``specs`` those are awaited that nobody has collected yet."""
        assert self._store is not None
        assert self._cycle is not None
        before = self._assembly
        known = set() if before is None else set(before.loaded.plan.indicators) - self._cycle.awaiting
        return state_to_start_with(plan, self._store, self._now(), departed, {spec.name for spec in specs} - known)

    def _rebuilt_state(self, plan: Plan, departed: Iterable[KPI], awaiting: Iterable[str]) -> EvaluationState:
        """Return the state as the last stored evaluation left it."""
        assert self._store is not None
        return rebuilt_state(plan, self._store, self._now(), departed, awaiting)

    def _look(self) -> None:
        """See to what neither the schedule nor a pool can see: a clock that went back, and collections that hang."""
        assert self._work is not None
        assert self._scheduler is not None
        back = self._clock_watch.seconds_back()
        if back:
            log.warning("clock_went_back", seconds=round(back, 1))
            self._to_replan = 2  # twice: the scheduler may just have read the clock as it was
        if self._to_replan:
            self._to_replan -= 1
            self._scheduler.clock_went_back()
        for run in self._assembly.runs if self._assembly is not None else ():
            run.give_up_if_overdue(self._work.give_up)

    def _failed(self, job: str, error: BaseException) -> None:
        assert self._work is not None
        self._work.failed(job, error)

    def _open_store(self) -> Store:
        if self._store is None:
            raise StoreError("the store is not open: still starting, or stopping; ask again in a moment")
        return self._store

    def _now(self) -> float:
        return to_unix(self._clock())
