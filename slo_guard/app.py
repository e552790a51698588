"""Builds every object, starts them in order, stops them in the other."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from slo_guard import logs
from slo_guard.clock import monotonic, to_unix, utcnow
from slo_guard.collect import COLLECTORS
from slo_guard.config import Config, load_config
from slo_guard.cycle import EvaluationCycle, SourceBoard, failures_of, rejected_samples
from slo_guard.domain.builtin import COLLECTOR_UP, COLLECTOR_UP_SPEC, collector_up_kpi
from slo_guard.domain.kpi import KPI, Plan
from slo_guard.domain.notifications import DeliveryOutcome, Route
from slo_guard.domain.ports import Collector, Receiver, Store
from slo_guard.domain.readings import IndicatorSpec
from slo_guard.errors import ConfigError, Finding, SloGuardError, StoreError
from slo_guard.evaluate import EvaluationState, needed_from
from slo_guard.expose.api import create_app
from slo_guard.expose.own_metrics import OwnMetrics
from slo_guard.expose.server import HttpServer
from slo_guard.expose.snapshot import ReloadOutcome, SnapshotHolder
from slo_guard.jobs import collect_once, deliver_once
from slo_guard.notify import RECEIVERS, Courier, policy_of, route_of
from slo_guard.rulebook import load_rules
from slo_guard.scheduler import Scheduler
from slo_guard.store import open_store

log = structlog.get_logger(__name__)

_UPKEEP_EVERY = timedelta(minutes=10)
_STOP_SECONDS = 3.0
_SIGNAL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Loaded:
    """The files, read and found good: the config and the plan, with the built-in KPIs in it."""

    config: Config
    plan: Plan
    warnings: tuple[Finding, ...]


def load_files(config_path: Path) -> Loaded:
    """Read the config and the rules that it names; raises ``ConfigError`` with every error of all files."""
    loaded = load_config(
        config_path,
        {name: kind.options for name, kind in COLLECTORS.items()},
        {name: kind.options for name, kind in RECEIVERS.items()},
    )
    if loaded.config is None:
        raise ConfigError(loaded.findings)
    config = loaded.config
    rules = load_rules(config.rules, config.indicators)
    if rules.plan is None:
        raise ConfigError((*loaded.findings, *rules.findings))
    return Loaded(config, _with_builtins(rules.plan, config), (*loaded.findings, *rules.findings))


class Daemon:
    """The daemon: :meth:`start`, then :meth:`reload` at will, then :meth:`stop`."""

    def __init__(self, config_path: Path, clock: Callable[[], datetime] = utcnow) -> None:
        self._config_path = config_path
        self._clock = clock
        self._own = OwnMetrics()
        self._holder = SnapshotHolder()
        self._board = SourceBoard()
        self._reloading = threading.Lock()
        self._collectors: list[Collector] = []
        self._receivers: list[Receiver] = []
        self._loaded: Loaded | None = None
        self._store: Store | None = None
        self._cycle: EvaluationCycle | None = None
        self._scheduler: Scheduler | None = None
        self._server: HttpServer | None = None

    @property
    def url(self) -> str:
        """Where the page is served; known once started."""
        return self._server.url if self._server else ""

    def start(self) -> None:
        """Read the files, open the store, take up where it stands and begin.

        Raises ``ConfigError``, ``StartError`` or ``StoreError``; then nothing runs.
        """
        loaded = load_files(self._config_path)
        config = loaded.config
        logs.configure(config.log.level, config.log.format)
        for warning in loaded.warnings:
            log.warning("config_finding", finding=str(warning))
        self._server = HttpServer(
            create_app(self._holder, self._own, self.reload, clock=self._now), config.server.host, config.server.port
        )
        self._server.start()
        store = self._store = open_store(
            config.store.path, retention_seconds=config.store.retention, max_bytes=config.store.max_size
        )
        scheduler = self._scheduler = Scheduler(len(config.receivers), self._own.overrun, self._job_failed)
        self._cycle = EvaluationCycle(
            store, self._holder, self._own, self._board, self._clock, scheduler.hurry_deliveries
        )
        self._follow(loaded, departed=())
        self._own.reloaded(ok=True)
        scheduler.start()
        log.info("started", url=self.url, kpis=len(loaded.plan.kpis) - 1, config=str(self._config_path))

    def reload(self) -> ReloadOutcome:
        """Read the files again and go on with them; what is wrong is said, and then what ran goes on."""
        with self._reloading:
            at = to_unix(self._clock())
            assert self._loaded is not None
            assert self._cycle is not None
            try:
                loaded = load_files(self._config_path)
                self._follow(loaded, departed=self._loaded_kpis())
            except SloGuardError as error:
                outcome = ReloadOutcome(False, str(error), at)
                log.error("reload_refused", error=str(error))
            else:
                kept = _only_at_start(self._loaded.config, loaded.config)
                message = f"reloaded: {len(loaded.plan.kpis) - 1} KPIs"
                outcome = ReloadOutcome(True, f"{message}; restart to apply {kept}" if kept else message, at)
                self._loaded = loaded
                log.info("reloaded", kpis=len(loaded.plan.kpis) - 1, restart_for=kept or None)
            self._own.reloaded(ok=outcome.ok)
            self._cycle.reload_outcome = outcome
            return outcome

    def stop(self) -> None:
        """Stop within seconds; what was under way is done again after the next start. Idempotent."""
        if self._scheduler is not None:
            self._scheduler.stop()
        if self._server is not None:
            self._server.stop()
        if self._cycle is not None and self._cycle.lock.acquire(timeout=_STOP_SECONDS):
            self._cycle.save_backlog()
            self._cycle.lock.release()
        self._close_ends()
        if self._store is not None:
            self._store.close()
            self._store = None
            log.info("stopped")

    def _follow(self, loaded: Loaded, departed: Iterable[KPI]) -> None:
        """Put the plan, collectors and receivers of ``loaded`` in the place of what runs."""
        assert self._store is not None
        assert self._cycle is not None
        assert self._scheduler is not None
        config, plan = loaded.config, loaded.plan
        history_from = needed_from(plan, self._now())
        collectors = [
            COLLECTORS[options.type].build(options, _past_wanted(options.specs(), plan, self._now()))
            for options in config.collectors
        ]
        receivers = [RECEIVERS[options.type].build(options) for options in config.receivers]
        routes: list[Route] = [route_of(options) for options in config.receivers]
        with self._cycle.lock:
            if not self._cycle.save_backlog():
                # A state restored without them would give the numbers of its transitions a second time.
                raise StoreError("the last evaluations cannot be stored yet; make room, and reload again")
            state = self._restored_state(plan, history_from, departed, collectors)
            self._cycle.follow(plan, state, routes)
        names = [collector.name for collector in collectors]
        self._own.expect(names, [receiver.name for receiver in receivers])
        self._board.expect({each.name: tuple(spec.name for spec in each.indicators) for each in collectors})
        self._scheduler.clear()
        self._close_ends()
        self._collectors, self._receivers, self._loaded = collectors, receivers, loaded
        for options, collector in zip(config.collectors, collectors, strict=True):
            self._scheduler.collect(
                collector.name,
                self._collect_job(collector),
                interval=options.interval,
                cron=options.cron,
                jitter=options.jitter,
            )
        for receiver_options, receiver in zip(config.receivers, receivers, strict=True):
            courier = Courier(self._store, receiver, policy_of(receiver_options))
            self._scheduler.deliver(receiver.name, self._deliver_job(courier))
        self._scheduler.evaluate(self._cycle.run, self._cycle.next_after)
        self._scheduler.upkeep("prune", self._prune, _UPKEEP_EVERY)

    def _restored_state(
        self, plan: Plan, history_from: float, departed: Iterable[KPI], collectors: list[Collector]
    ) -> EvaluationState:
        assert self._store is not None
        assert self._cycle is not None
        started = monotonic()
        persisted = self._store.load_evaluation()
        history = self._store.observations(up_to_id=persisted.reading_cursor, seen_from=history_from)
        known = set(self._loaded.plan.indicators) - self._cycle.awaiting if self._loaded is not None else set()
        awaiting = {spec.name for collector in collectors for spec in collector.indicators} - known
        state = EvaluationState.restored(plan, persisted, history, departed=departed)
        # What was stored but not judged before the stop is taken in first: it is no first collection since the
        # start, and by its age everything would be no_data and page.
        judged = persisted.reading_cursor
        state.take_all(self._store.observations(after_id=judged, seen_until=plan.last_evaluation(self._now())))
        state.awaiting = awaiting
        log.info(
            "state_restored",
            alerts=len(persisted.alerts),
            transition=persisted.last_seq,
            seconds=round(monotonic() - started, 3),
        )
        return state

    def _close_ends(self) -> None:
        for collector in self._collectors:
            collector.close()
        for receiver in self._receivers:
            receiver.close()

    def _collect_job(self, collector: Collector) -> Callable[[], None]:
        def run() -> None:
            assert self._store is not None
            started = monotonic()
            try:
                collection = collect_once(collector, self._store, self._clock(), self._now)
            except StoreError as error:
                self._own.job_error("collect")
                log.error("collection_not_stored", collector=collector.name, error=str(error))
                return
            at = self._now()
            self._own.collected(collector.name, monotonic() - started, collection.succeeded, at)
            self._board.collected(collection, at)
            rejected, example = rejected_samples(collection)
            if rejected:
                self._own.rejected(collector.name, rejected)
                log.warning("samples_rejected", collector=collector.name, number=rejected, example=example)
            for reason, message, indicators in failures_of(collection):
                log.warning(
                    "collection_failed", collector=collector.name, reason=reason, error=message, indicators=indicators
                )

        return run

    def _deliver_job(self, courier: Courier) -> Callable[[], None]:
        def run() -> None:
            try:
                tries = deliver_once(courier, self._now)
            except StoreError as error:
                self._own.job_error("deliver")
                log.error("delivery_not_recorded", receiver=courier.receiver.name, error=str(error))
                return
            for each in tries:
                if each.key is not None:
                    self._own.notified(each.receiver, DeliveryOutcome(each.step.value))
            if self._scheduler is not None and tries[-1].due_at is not None:
                self._scheduler.deliver_by(courier.receiver.name, tries[-1].due_at)

        return run

    def _prune(self) -> None:
        assert self._store is not None
        try:
            deleted = self._store.prune(self._now())
        except StoreError as error:
            log.error("prune_failed", error=str(error))
        else:
            log.info("pruned", rows=deleted)

    def _loaded_kpis(self) -> tuple[KPI, ...]:
        return () if self._loaded is None else self._loaded.plan.kpis

    def _job_failed(self, job: str, error: BaseException) -> None:
        self._own.job_error(job)
        log.error("job_failed", job=job, error=f"{type(error).__name__}: {error}")

    def _now(self) -> float:
        return to_unix(self._clock())


def run_daemon(config_path: Path, *, on_ready: Callable[[str], None] | None = None) -> int:
    """Run the daemon until SIGTERM or Ctrl-C; SIGHUP reloads. Returns the exit code.

    Call it in the main thread. Raises what :meth:`Daemon.start` raises. ``on_ready`` is given the page's URL.
    """
    idle, wanted = threading.Event(), {"stop": False, "reload": False}

    def ask(what: str) -> Callable[[int, object], None]:
        def handler(_number: int, _frame: object) -> None:
            wanted[what] = True

        return handler

    daemon = Daemon(config_path)
    try:
        daemon.start()
        signal.signal(signal.SIGTERM, ask("stop"))
        signal.signal(signal.SIGINT, ask("stop"))
        signal.signal(signal.SIGHUP, ask("reload"))
        if on_ready is not None:
            on_ready(daemon.url)
        while not wanted["stop"]:
            # With a time-out: a signal that another thread takes would not end an endless wait.
            idle.wait(_SIGNAL_SECONDS)
            if wanted["reload"]:
                wanted["reload"] = False
                daemon.reload()
    finally:
        daemon.stop()
    return 0


def _with_builtins(plan: Plan, config: Config) -> Plan:
    interval = min((kpi.interval_seconds for kpi in plan.kpis), default=30.0)
    alert = config.collector_alert
    builtin = collector_up_kpi(
        [options.name for options in config.collectors],
        for_seconds=alert.for_seconds,
        severity=alert.severity,
        interval_seconds=interval,
    )
    indicators = {**config.indicators, **plan.indicators, COLLECTOR_UP: COLLECTOR_UP_SPEC}
    return replace(plan, kpis=(*plan.kpis, builtin), indicators=indicators)


def _past_wanted(specs: Iterable[IndicatorSpec], plan: Plan, now: float) -> float | None:
    """Return the start (Unix seconds) of the longest window over any of ``specs``; None where only the present counts.

    Reading a sprint back costs seconds, so a source is not asked for a past that no rule looks at.
    """
    names = {spec.name for spec in specs}
    windowed = tuple(
        replace(kpi, forget_after_seconds=0.0)
        for kpi in plan.kpis
        if kpi.measure.window is not None and not names.isdisjoint(kpi.indicators)
    )
    return needed_from(replace(plan, kpis=windowed), now) if windowed else None


def _only_at_start(running: Config, wanted: Config) -> str:
    """Return the sections that changed and are read at the start only."""
    names = [name for name in ("server", "store", "log") if getattr(running, name) != getattr(wanted, name)]
    return ", ".join(names)
