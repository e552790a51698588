"""What a config makes of the daemon: collectors, receivers, and the jobs that run them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from slo_guard.collect import COLLECTORS
from slo_guard.cycle import EvaluationCycle
from slo_guard.domain.notifications import Route
from slo_guard.domain.ports import Collector, Receiver, Store
from slo_guard.domain.readings import IndicatorSpec
from slo_guard.loaded import Loaded, past_wanted
from slo_guard.notify import RECEIVERS, Courier, policy_of, route_of
from slo_guard.scheduler import Planned, collecting, delivering, evaluating, keeping_up, showing_life
from slo_guard.watch import CollectorRun
from slo_guard.work import Work

log = structlog.get_logger(__name__)

_UPKEEP_EVERY = timedelta(minutes=10)
_COLLECTION_SECONDS = 20.0
_GRACE_SECONDS = 5.0
"""How long after its own time-out a collection is given up from outside: by then it hangs."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """What belongs to one reading of the files; a reload puts another in its place."""

    loaded: Loaded
    collectors: tuple[Collector, ...]
    receivers: tuple[Receiver, ...]
    routes: tuple[Route, ...]
    runs: tuple[CollectorRun, ...]
    jobs: tuple[Planned, ...]

    @property
    def sending_seconds(self) -> dict[str, float]:
        """How long one send may take at the longest, by receiver."""
        return {options.name: policy_of(options).lease_seconds for options in self.loaded.config.receivers}

    @property
    def specs(self) -> tuple[IndicatorSpec, ...]:
        """What the collectors produce."""
        return tuple(spec for collector in self.collectors for spec in collector.indicators)

    def close(self) -> None:
        """Release the connections of collectors and receivers, whatever one of them does."""
        ends: Iterable[Collector | Receiver] = (*self.collectors, *self.receivers)
        for end in ends:
            try:
                end.close()
            except Exception:
                log.exception("close_failed", name=end.name)


def assembled(loaded: Loaded, store: Store, work: Work, cycle: EvaluationCycle, now: float) -> Assembly:
    """Build what ``loaded`` describes, as of ``now`` (Unix seconds); nothing runs yet."""
    config, plan = loaded.config, loaded.plan
    collectors = tuple(
        COLLECTORS[options.type].build(options, past_wanted(options.specs(), plan, now))
        for options in config.collectors
    )
    receivers = tuple(RECEIVERS[options.type].build(options) for options in config.receivers)
    runs = tuple(
        CollectorRun(collector, getattr(options, "timeout", _COLLECTION_SECONDS) + _GRACE_SECONDS)
        for options, collector in zip(config.collectors, collectors, strict=True)
    )
    collections = (
        collecting(options.name, work.collect(run), interval=options.interval, cron=options.cron, jitter=options.jitter)
        for options, run in zip(config.collectors, runs, strict=True)
    )
    deliveries = (
        delivering(options.name, work.deliver(Courier(store, receiver, policy_of(options))))
        for options, receiver in zip(config.receivers, receivers, strict=True)
    )
    return Assembly(
        loaded=loaded,
        collectors=collectors,
        receivers=receivers,
        routes=tuple(route_of(options) for options in config.receivers),
        runs=runs,
        jobs=(
            *collections,
            *deliveries,
            evaluating(cycle.run, cycle.next_after),
            keeping_up("prune", work.prune, _UPKEEP_EVERY),
            showing_life("pool", work.show_collections_run),
        ),
    )
