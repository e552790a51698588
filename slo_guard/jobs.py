"""The jobs: the only place that moves data from room to room. Each takes ``now``; each is one durable hop.

A kill at any instant leaves a hop done or not done; run again it goes on where the store says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from slo_guard.clock import monotonic, to_unix
from slo_guard.collect.future import without_future
from slo_guard.domain.alerts import Alert, AlertKey, Transition
from slo_guard.domain.builtin import collector_up_reading
from slo_guard.domain.kpi import KPI, Plan
from slo_guard.domain.notifications import NotToldReason, Route
from slo_guard.domain.ports import Collector, EvaluationRecord, PlanRecord, Store
from slo_guard.domain.readings import Collection, CollectionFailure
from slo_guard.domain.series import LabelSet
from slo_guard.domain.silences import Acknowledgement
from slo_guard.errors import StoreConflictError, StoreError
from slo_guard.evaluate import Evaluation, EvaluationState, evaluate
from slo_guard.notify import Courier, Delivery, plan_notifications

log = structlog.get_logger(__name__)


def collect_once(
    collector: Collector,
    store: Store,
    now: datetime,
    stamp: Callable[[], float] | None = None,
    on_end: Callable[[], None] = lambda: None,
) -> Collection:
    """Run a collector and make its readings and cursor durable (hop 1); returns what it brought.

    ``stamp`` gives the instant (Unix seconds) at which the readings are seen, by default ``now``: the
    daemon passes its clock, since a collection takes time. Samples stamped later than that are taken out.
    ``on_end`` is called when the collector has come back, before anything is stored. Raises ``StoreError``; then
    nothing was kept.
    """
    at = to_unix(now)
    cursor = store.collector_cursor(collector.name)
    try:
        collection = collector.collect(at, cursor)
    except Exception:
        # A collector's own bug must not look like a source that has nothing to say.
        log.exception("collector_bug", collector=collector.name)
        collection = _failed(collector, at, "internal_error", "a bug in the collector; see the log")
    on_end()
    return _kept(collection, store, at, stamp)


def give_up_once(
    collector: Collector, store: Store, now: datetime, seconds: float, stamp: Callable[[], float] | None = None
) -> Collection:
    """Make durable that a run of ``collector`` has not come back within ``seconds`` (hop 1); returns that failure.

    What the run brings after all is stored when it ends. Raises ``StoreError``; then nothing was kept.
    """
    at = to_unix(now)
    message = f"the collection has not ended within {seconds:g} s and still goes on"
    return _kept(_failed(collector, at, "timeout", message), store, at, stamp)


class EvaluationBacklog:
    """Evaluations that could not be stored yet: they are stored with the next, so that no transition is lost."""

    def __init__(self) -> None:
        self.record: EvaluationRecord | None = None
        self.error: StoreError | None = None
        self._seconds = 0.0

    def add(self, record: EvaluationRecord) -> None:
        """Keep another evaluation to be stored with what is kept already."""
        self.record = record if self.record is None else _joined(self.record, record)

    def save(self, store: Store) -> None:
        """Store what is kept; what cannot be stored now stays, and ``error`` says why.

        What can never be stored is dropped, or it would stand in the way of all that follows: then
        ``StoreConflictError`` is raised, or what the store did not expect. The state that it came from is of no more
        use; one restored from the store finds anew what has not been told.
        """
        record, self.record = self.record, None
        if record is None:
            return
        started = monotonic()
        try:
            store.save_evaluation(record)
        except StoreConflictError:
            raise
        except StoreError as error:
            self.record, self.error = record, error
        finally:
            self._seconds += monotonic() - started

    def take_seconds(self) -> float:
        """Return how long storing has taken since this was asked last."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds


def evaluate_once(
    plan: Plan, store: Store, state: EvaluationState, now: datetime, backlog: EvaluationBacklog
) -> Evaluation:
    """Evaluate what is due in ``plan`` at ``now`` and make it durable (hop 2), with what ``backlog`` still holds.

    Goes on without a store: readings that cannot be read make KPIs stale, and a result that cannot be stored
    stays in ``backlog``, whose ``error`` says why. What is shown is then right all the same. Raises what is not
    expected, and ``StoreConflictError``: then ``state`` is of no more use, and a new one is to be restored.
    """
    try:
        observations = list(store.observations(after_id=state.reading_cursor, seen_until=to_unix(now)))
    except StoreError as error:
        observations, backlog.error = [], error
    evaluation = evaluate(plan, observations, state, now)
    if not evaluation.skipped:
        backlog.add(evaluation.record)
        backlog.save(store)
    return evaluation


def plan_once(
    store: Store,
    alerts: Mapping[AlertKey, Alert],
    routes: Sequence[Route],
    now: datetime,
    judged_at: Mapping[tuple[str, str], float] | None = None,
    *,
    changed_to: Sequence[KPI] | None = None,
) -> PlanRecord:
    """Decide what to tell whom about new transitions and make it durable (hop 3). Raises ``StoreError``.

    ``alerts``: how they stand now; ``judged_at``: when each (sprint, KPI) was last judged (Unix seconds).
    ``changed_to``: give the rules after a start and after every reload, until a call has returned: receivers and
    severities may be others than before, so that what fires already is told to whoever has not heard of it, and what
    waits for a receiver that is gone waits no longer. Given again it changes nothing. Silences and acknowledgements
    count as the store has them now; an acknowledgement that no firing alert is left for ends.
    """
    at = to_unix(now)
    cursor, acknowledgements = store.transition_cursor(), store.acknowledgements(at)
    record = plan_notifications(
        store.transitions(after=cursor),
        store.planner_groups(),
        alerts,
        routes,
        at,
        cursor,
        judged_at=judged_at,
        standing=() if changed_to is None else _standing(store, changed_to),
        silences=store.silences(at),
        acknowledgements=acknowledgements,
    )
    if record.transition_cursor != cursor or record.groups or record.notifications or record.decisions:
        store.save_plan(record)
    silenced = [each for each in record.decisions if each.not_told is NotToldReason.SILENCED]
    if silenced:
        log.info(
            "messages_silenced",
            transitions=len({each.transition for each in silenced}),
            silences=sorted({each.silence for each in silenced if each.silence is not None}),
        )
    if changed_to is not None:
        withdrawn = store.withdraw([route.receiver for route in routes], at)
        if withdrawn:
            log.warning("messages_withdrawn", number=withdrawn, reason=NotToldReason.RECEIVER_REMOVED.value)
    _end_with_their_alerts(acknowledgements, store, alerts, at)
    return record


def _end_with_their_alerts(
    acknowledgements: Sequence[Acknowledgement], store: Store, alerts: Mapping[AlertKey, Alert], now: float
) -> None:
    # By series, once for all: a script may acknowledge hundreds one by one.
    of_a_series: dict[tuple[str, str, LabelSet], list[Alert]] = {
        (each.sprint, each.kpi, each.labels): [] for each in acknowledgements if each.labels is not None
    }
    for key, alert in alerts.items() if of_a_series else ():
        of_a_series.get((key.sprint, key.kpi, key.labels), []).append(alert)
    for each in acknowledgements:
        theirs = alerts.values() if each.labels is None else of_a_series[each.sprint, each.kpi, each.labels]
        # One that was made after ``now``, while this ran, may be of what fired since: it is looked at next time.
        if each.created_at <= now and not any(each.holds(alert, now) for alert in theirs):
            store.end_acknowledgement(each.id, now)
            log.info("acknowledgement_ended", id=each.id, kpi=each.kpi, by=each.by, reason="no_alert_fires")


def _standing(store: Store, kpis: Sequence[KPI]) -> list[Transition]:
    """Return the transitions by which the alerts of ``kpis`` fired, with the severity that those give them now."""
    rules = {(kpi.sprint, kpi.id): kpi for kpi in kpis}
    found = ((each, rules.get((each.key.sprint, each.key.kpi))) for each in store.firing_transitions())
    return [replace(each, severity=each.key.slot.severity(kpi)) for each, kpi in found if kpi is not None]


def deliver_once(
    courier: Courier, now: Callable[[], float], go_on: Callable[[], bool] = lambda: True
) -> list[Delivery]:
    """Send what is due at one receiver, in order, until nothing is; returns what each try did, at least one.

    The last one's ``due_at`` says when the next call is worth making, where that is known. ``now`` gives Unix
    seconds; each try asks again. Between two messages ``go_on`` may end it. Raises ``StoreError``.
    """
    tries: list[Delivery] = []
    while True:
        tries.append(courier.deliver_next(now()))
        if not (tries[-1].more_may_be_due and go_on()):
            return tries


def _failed(collector: Collector, at: float, reason: str, message: str) -> Collection:
    names = tuple(spec.name for spec in collector.indicators)
    return Collection(collector.name, at, (CollectionFailure(collector.name, names, at, reason, message),))


def _kept(collection: Collection, store: Store, at: float, stamp: Callable[[], float] | None) -> Collection:
    stamp = stamp or (lambda: at)
    seen_at = stamp()
    # A clock that went back meanwhile had been ahead as the run began: what says "at" must not say it of the future.
    began = min(at, seen_at)
    collection = without_future(replace(collection, started_at=min(collection.started_at, seen_at)), seen_at)
    collection = replace(collection, observations=(*collection.observations, collector_up_reading(collection, began)))
    store.save_collection(collection, stamp)
    return collection


def _joined(older: EvaluationRecord, newer: EvaluationRecord) -> EvaluationRecord:
    """Return one record that leaves the store as both would, one after the other."""
    memories = {(memory.sprint, memory.kpi): memory for memory in (*older.memories, *newer.memories)}
    closed_anew = {(final.sprint, final.kpi) for final in newer.finals}
    before = (each for each in older.restatements if (each.sprint, each.kpi) not in closed_anew)
    restatements = {(each.sprint, each.kpi): each for each in (*before, *newer.restatements)}
    return EvaluationRecord(
        at=newer.at,
        reading_cursor=newer.reading_cursor,
        alerts={**older.alerts, **newer.alerts},
        transitions=(*older.transitions, *newer.transitions),
        changes=(*older.changes, *newer.changes),
        memories=tuple(memories.values()),
        evaluated=tuple(dict.fromkeys((*older.evaluated, *newer.evaluated))),
        closed={**older.closed, **newer.closed},
        finals=(*older.finals, *newer.finals),
        own_readings=(*older.own_readings, *newer.own_readings),
        restatements=tuple(restatements.values()),
        rules=older.rules.joined(newer.rules),
        trails={**older.trails, **newer.trails},
    )
