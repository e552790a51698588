"""A store in memory that passes the port's contract suite: for tests of what uses a store."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

from slo_guard.domain.alerts import Alert, AlertKey, Transition
from slo_guard.domain.notifications import (
    Decision,
    DeliveryOutcome,
    DeliveryRecord,
    Notification,
    NotToldReason,
    OutboxRow,
    RowState,
)
from slo_guard.domain.ports import (
    EvaluationRecord,
    FinalVerdicts,
    PersistedEvaluation,
    PlanRecord,
    StoredObservation,
    VerdictChanges,
    VerdictMemory,
)
from slo_guard.domain.readings import Collection, CollectionFailure, EventBatch, Observation
from slo_guard.domain.rule_changes import RuleLog
from slo_guard.domain.silences import Acknowledgement, NewAcknowledgement, NewSilence, Silence
from slo_guard.domain.trails import Trail
from slo_guard.domain.verdicts import AlertState, Reason, Restatement
from slo_guard.errors import StoreConflictError, StoreError


@dataclass(frozen=True)
class FakeOutboxRow:
    """A message and what became of it."""

    row: OutboxRow
    leased_until: float | None = None
    outcome: DeliveryOutcome | None = None
    ended_at: float | None = None
    error: str | None = None
    withdrawn: bool = False
    due_again_at: float | None = None

    @property
    def waits(self) -> bool:
        return self.outcome is None and not self.withdrawn

    @property
    def record(self) -> DeliveryRecord:
        note, ended = self.row.notification, RowState.PENDING if self.outcome is None else RowState(self.outcome.value)
        return DeliveryRecord(
            id=self.row.id,
            receiver=note.receiver,
            key=note.key,
            state=RowState.WITHDRAWN if self.withdrawn else ended,
            created_at=note.created_at,
            attempts=self.row.attempts,
            next_attempt_at=self.row.next_attempt_at if self.waits else None,
            ended_at=self.ended_at,
            last_error=self.error,
            notification=note,
        )


class FakeStore:
    """Implements :class:`slo_guard.domain.ports.Store` with lists and dicts."""

    def __init__(self, retention_seconds: float = 35 * 86400.0) -> None:
        self.retention_seconds = retention_seconds
        self.stored: list[StoredObservation] = []
        self.cursors: dict[str, str] = {}
        self.alerts: dict[AlertKey, Alert] = {}
        self.told: list[Transition] = []
        self.changes: list[VerdictChanges] = []
        self.memories: dict[tuple[str, str], VerdictMemory] = {}
        self.kpi_evaluated_at: dict[tuple[str, str], float] = {}
        self.closed: dict[str, float] = {}
        self.finals: dict[tuple[str, str], FinalVerdicts] = {}
        self.restatements: dict[tuple[str, str], Restatement] = {}
        self.rules = RuleLog()
        self.trails: dict[tuple[str, str], Trail] = {}
        self.groups: dict[str, str] = {}
        self.outbox: dict[str, FakeOutboxRow] = {}
        self.decided: list[Decision] = []
        self.silenced: dict[int, Silence] = {}
        self.acknowledged: dict[int, Acknowledgement] = {}
        self._last_silence = self._last_acknowledgement = 0
        self._last_id = self._last_seq = self._reading_cursor = self._transition_cursor = self._last_row = 0
        self._seen_at = self._evaluated_at = float("-inf")
        self._lock = threading.RLock()
        self._closed = False

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold off other writers."""
        with self._lock:
            yield

    def save_collection(self, collection: Collection, stamp: Callable[[], float]) -> float:
        """Store a collection."""
        with self._open():
            seen_at = self._stamped(float(stamp()))
            items: list[Observation] = [replace(item, seen_at=seen_at) for item in collection.observations]
            self.stored += [StoredObservation(self._last_id + place, item) for place, item in enumerate(items, start=1)]
            self._last_id += len(items)
            self._seen_at = seen_at
            if collection.cursor is not None:
                self.cursors[collection.collector] = collection.cursor
            return seen_at

    def collector_cursor(self, collector: str) -> str | None:
        """Return a collector's cursor."""
        with self._open():
            return self.cursors.get(collector)

    def observations(
        self,
        *,
        after_id: int = 0,
        up_to_id: int | None = None,
        seen_until: float | None = None,
        seen_from: float | None = None,
        indicators: Sequence[str] | None = None,
    ) -> Iterator[StoredObservation]:
        """Yield the observations that pass all filters."""
        with self._open():
            snapshot = list(self.stored)
        return (
            item
            for item in snapshot
            if item.id > after_id
            and (up_to_id is None or item.id <= up_to_id)
            and (seen_until is None or item.observation.seen_at <= seen_until)
            and (seen_from is None or item.observation.seen_at >= seen_from)
            and (indicators is None or not set(indicators).isdisjoint(_indicators_of(item.observation)))
        )

    def save_evaluation(self, record: EvaluationRecord) -> None:
        """Store an evaluation."""
        with self._open():
            numbers = [item.seq for item in record.transitions]
            if numbers != list(range(self._last_seq + 1, self._last_seq + 1 + len(numbers))):
                raise StoreConflictError(
                    f"transitions {numbers} cannot be stored: the next number is {self._last_seq + 1}"
                )
            for key, alert in record.alerts.items():
                if alert is None:
                    self.alerts.pop(key, None)
                else:
                    self.alerts[key] = alert
            self.told += record.transitions
            self.changes += record.changes
            self.memories |= {(item.sprint, item.kpi): item for item in record.memories}
            self.kpi_evaluated_at |= dict.fromkeys(record.evaluated, record.at)
            self.closed |= record.closed
            self.finals |= {(item.sprint, item.kpi): item for item in record.finals}
            for item in record.finals:
                self.restatements.pop((item.sprint, item.kpi), None)
            self.restatements |= {(item.sprint, item.kpi): item for item in record.restatements}
            self.rules = self.rules.joined(record.rules)
            self.trails |= record.trails
            if record.own_readings:
                seen_at = max(record.at, self._seen_at)
                own: list[Observation] = [replace(item, seen_at=seen_at) for item in record.own_readings]
                self.stored += [StoredObservation(self._last_id + n, item) for n, item in enumerate(own, start=1)]
                self._last_id += len(own)
                self._seen_at = seen_at
            self._last_seq += len(numbers)
            self._evaluated_at = max(self._evaluated_at, record.at)
            self._reading_cursor = max(self._reading_cursor, record.reading_cursor)

    def load_evaluation(self) -> PersistedEvaluation:
        """Return what the evaluations left."""
        with self._open():
            return PersistedEvaluation(
                evaluated_at=None if self._evaluated_at == float("-inf") else self._evaluated_at,
                reading_cursor=self._reading_cursor,
                last_seq=self._last_seq,
                alerts=dict(self.alerts),
                memories=dict(self.memories),
                kpi_evaluated_at=dict(self.kpi_evaluated_at),
                closed=dict(self.closed),
                finals=dict(self.finals),
                restatements=dict(self.restatements),
                rules=self.rules,
                trails=dict(self.trails),
            )

    def evaluated_at(self) -> float | None:
        """Return when the last evaluation was."""
        return self.load_evaluation().evaluated_at

    def transitions(self, *, after: int = 0, limit: int | None = None) -> tuple[Transition, ...]:
        """Return transitions after a number."""
        with self._open():
            return tuple([item for item in self.told if item.seq > after][:limit])

    def firing_transitions(self) -> tuple[Transition, ...]:
        """Return the transitions by which the alerts fired that fire."""
        with self._open():
            return tuple(item for item in self.told if self._began(item))

    def kpi_transitions(self, sprint: str, kpi: str, *, until: float, limit: int) -> tuple[Transition, ...]:
        """Return the last transitions of one KPI."""
        with self._open():
            ours = [each for each in self.told if (each.key.sprint, each.key.kpi) == (sprint, kpi) and each.at <= until]
            return tuple(ours[-limit:])

    def verdict_changes(self, sprint: str, kpi: str, *, until: float, limit: int) -> tuple[VerdictChanges, ...]:
        """Return the last verdict changes of one KPI."""
        with self._open():
            ours = [each for each in self.changes if (each.sprint, each.kpi) == (sprint, kpi) and each.at <= until]
            return tuple(ours[-limit:])

    def _began(self, item: Transition) -> bool:
        alert = self.alerts.get(item.key)
        if alert is None or alert.state is not AlertState.FIRING or item.to_state is not AlertState.FIRING:
            return False
        carried = item.reason is Reason.CARRIED_OVER and alert.fired_at is not None and alert.fired_at < item.at
        return carried or alert.fired_at == item.at

    def transition_cursor(self) -> int:
        """Return the last number planned."""
        with self._open():
            return self._transition_cursor

    def planner_groups(self) -> Mapping[str, str]:
        """Return the planner's state."""
        with self._open():
            return dict(self.groups)

    def save_plan(self, record: PlanRecord) -> None:
        """Store a plan."""
        with self._open():
            decided = [
                Decision(item.transition, item.receiver, item.told_by, item.not_told, item.silence)
                for item in record.decisions
            ]
            added = {item.key: item for item in record.notifications if item.key not in self.outbox}
            for name, state in record.groups.items():
                if state is None:
                    self.groups.pop(name, None)
                else:
                    self.groups[name] = state
            for notification in added.values():
                self._add(notification)
            for item in decided:
                self._decide(item)
            self._transition_cursor = max(self._transition_cursor, record.transition_cursor)

    def withdraw(self, receivers: Sequence[str], now: float) -> int:
        """Close the lines of all other receivers."""
        with self._open():
            left = {
                key: item
                for key, item in self.outbox.items()
                if item.waits and item.row.notification.receiver not in receivers
            }
            self.outbox |= {key: replace(item, withdrawn=True, ended_at=now) for key, item in left.items()}
            self.decided = [
                replace(item, told_by=None, not_told=NotToldReason.RECEIVER_REMOVED) if item.told_by in left else item
                for item in self.decided
            ]
            return len(left)

    def lease(self, receiver: str, now: float, lease_seconds: float) -> OutboxRow | None:
        """Lease the head of a receiver's line."""
        with self._open():
            line = (item for item in self.outbox.values() if item.waits and item.row.notification.receiver == receiver)
            head = next(line, None)
            if head is None or (head.leased_until is not None and head.leased_until > now):
                return None
            if head.row.attempts and head.row.next_attempt_at > now:
                return None
            self.outbox[head.row.notification.key] = replace(head, leased_until=now + lease_seconds)
            return head.row

    def release_leases(self) -> int:
        """End all leases."""
        with self._open():
            leased = {key: item for key, item in self.outbox.items() if item.leased_until is not None}
            self.outbox |= {key: replace(item, leased_until=None) for key, item in leased.items()}
            return len(leased)

    def record_attempt(
        self,
        row: OutboxRow,
        outcome: DeliveryOutcome,
        now: float,
        *,
        next_attempt_at: float | None = None,
        error: str | None = None,
    ) -> None:
        """Record how an attempt ended."""
        if outcome is DeliveryOutcome.RETRY and next_attempt_at is None:
            raise ValueError("a retry needs next_attempt_at")
        with self._open():
            item = self.outbox.get(row.notification.key)
            if item is None or item.outcome is DeliveryOutcome.DELIVERED:
                return
            if outcome is not DeliveryOutcome.DELIVERED and (not item.waits or item.row.attempts != row.attempts):
                return
            if item.withdrawn:
                for number in row.notification.transitions:
                    self._decide(Decision(number, row.notification.receiver, row.notification.key))
            tried = replace(item.row, attempts=item.row.attempts + 1)
            if outcome is DeliveryOutcome.RETRY:
                assert next_attempt_at is not None
                item = FakeOutboxRow(replace(tried, next_attempt_at=next_attempt_at), error=error)
            else:
                item = FakeOutboxRow(tried, outcome=outcome, ended_at=now, error=error)
            self.outbox[row.notification.key] = item

    def outbox_pending(self) -> Mapping[str, tuple[int, float | None]]:
        """Return what waits, by receiver."""
        with self._open():
            created: dict[str, list[float]] = {}
            for item in self.outbox.values():
                if item.waits:
                    since = item.row.notification.created_at if item.due_again_at is None else item.due_again_at
                    created.setdefault(item.row.notification.receiver, []).append(since)
            return {receiver: (len(times), min(times)) for receiver, times in created.items()}

    def dead_letters(self) -> Mapping[str, int]:
        """Return what was given up, by receiver."""
        with self._open():
            dead = (item for item in self.outbox.values() if item.outcome is DeliveryOutcome.DEAD)
            return dict(Counter(item.row.notification.receiver for item in dead))

    def deliveries(
        self,
        *,
        receiver: str | None = None,
        state: RowState | None = None,
        sprint: str | None = None,
        kpi: str | None = None,
        limit: int = 100,
        before_id: int | None = None,
    ) -> tuple[DeliveryRecord, ...]:
        """Return the newest messages."""
        with self._open():
            records = sorted((item.record for item in self.outbox.values()), key=lambda item: -item.id)
            found = [
                item
                for item in records
                if receiver in (None, item.receiver)
                and state in (None, item.state)
                and sprint in (None, item.notification.sprint)
                and kpi in (None, item.notification.kpi)
                and (before_id is None or item.id < before_id)
            ]
            return tuple(found[:limit])

    def retry_dead(self, now: float, *, receiver: str | None = None, ids: Sequence[int] | None = None) -> int:
        """Make dead letters due again."""
        with self._open():
            again = {
                key: FakeOutboxRow(
                    replace(item.row, attempts=0, next_attempt_at=now), error=item.error, due_again_at=now
                )
                for key, item in self.outbox.items()
                if item.outcome is DeliveryOutcome.DEAD
                and receiver in (None, item.row.notification.receiver)
                and (ids is None or item.row.id in ids)
            }
            self.outbox |= again
            return len(again)

    def take_back(self, key: str, now: float) -> bool:
        """Close a message that waits."""
        with self._open():
            item = self.outbox.get(key)
            if item is None or not item.waits:
                return False
            self.outbox[key] = replace(item, withdrawn=True, ended_at=now, leased_until=None)
            return True

    def decisions(self, *, after: int = 0) -> tuple[Decision, ...]:
        """Return decisions by transition."""
        with self._open():
            wanted = [item for item in self.decided if item.transition > after]
            return tuple(sorted(wanted, key=lambda item: item.transition))

    def add_silence(self, asked: NewSilence, now: float) -> Silence:
        """Store a silence."""
        with self._open():
            self._last_silence += 1
            made = Silence(**_given(asked), id=self._last_silence, created_at=now)
            self.silenced[made.id] = made
            return made

    def expire_silence(self, number: int, now: float) -> Silence | None:
        """End a silence."""
        with self._open():
            found = self.silenced.get(number)
            if found is not None and not found.is_over(now):
                found = self.silenced[number] = replace(found, expired_at=now)
            return found

    def silences(self, now: float | None = None) -> tuple[Silence, ...]:
        """Return silences."""
        with self._open():
            return tuple(each for each in self.silenced.values() if now is None or not each.is_over(now))

    def acknowledge(self, asked: NewAcknowledgement, now: float) -> Acknowledgement:
        """Store an acknowledgement."""
        with self._open():
            same = (asked.sprint, asked.kpi, asked.labels)
            for number, each in self.acknowledged.items():
                if (each.sprint, each.kpi, each.labels) == same and not each.is_over(now):
                    self.acknowledged[number] = replace(each, ended_at=now)
            self._last_acknowledgement += 1
            made = Acknowledgement(**_given(asked), id=self._last_acknowledgement, created_at=now)
            self.acknowledged[made.id] = made
            return made

    def end_acknowledgement(self, number: int, now: float) -> Acknowledgement | None:
        """End an acknowledgement."""
        with self._open():
            found = self.acknowledged.get(number)
            if found is not None and not found.is_over(now):
                found = self.acknowledged[number] = replace(found, ended_at=now)
            return found

    def acknowledgements(self, now: float | None = None) -> tuple[Acknowledgement, ...]:
        """Return acknowledgements."""
        with self._open():
            return tuple(each for each in self.acknowledged.values() if now is None or not each.is_over(now))

    def prune(self, now: float) -> int:
        """Delete what has aged."""
        with self._open():
            cutoff = now - self.retention_seconds
            before = self._size()
            self.stored = [item for item in self.stored if item.observation.seen_at >= cutoff]
            self.changes = [item for item in self.changes if item.at >= cutoff]
            self.outbox = {
                key: item
                for key, item in self.outbox.items()
                if item.waits or item.ended_at is None or item.ended_at >= cutoff
            }
            waiting = {
                number
                for item in self.outbox.values()
                if item.waits or item.outcome is DeliveryOutcome.DEAD
                for number in item.row.notification.transitions
            }
            gone = {
                item.seq
                for item in self.told
                if item.at < cutoff
                and item.seq <= self._transition_cursor
                and item.seq not in waiting
                and not self._began(item)
            }
            self.told = [item for item in self.told if item.seq not in gone]
            self.decided = [item for item in self.decided if item.transition not in gone]
            for key in [key for key, at in self.kpi_evaluated_at.items() if at < cutoff]:
                del self.kpi_evaluated_at[key]
                self.memories.pop(key, None)
            self.silenced = {number: each for number, each in self.silenced.items() if each.over_at >= cutoff}
            self.acknowledged = {number: each for number, each in self.acknowledged.items() if each.over_at >= cutoff}
            return before - self._size()

    def close(self) -> None:
        """Refuse all further use."""
        self._closed = True

    @contextmanager
    def _open(self) -> Iterator[None]:
        if self._closed:
            raise StoreError("the store is closed")
        with self._lock:
            yield

    def _decide(self, decision: Decision) -> None:
        about = (decision.transition, decision.receiver)
        kept = [item for item in self.decided if (item.transition, item.receiver) != about]
        self.decided = [*kept, decision]

    def _stamped(self, stamp: float) -> float:
        if stamp >= self._seen_at:
            return stamp
        if stamp >= self._seen_at - 60.0:
            return self._seen_at
        seen_at = max(stamp, self._evaluated_at)
        before = [item.observation.seen_at for item in self.stored if item.observation.seen_at <= seen_at]
        latest = max(before, default=seen_at)
        self.stored = [
            StoredObservation(item.id, _seen_earlier(item.observation, seen_at, latest))
            if item.id > self._reading_cursor and item.observation.seen_at > seen_at
            else item
            for item in self.stored
        ]
        return seen_at

    def _add(self, notification: Notification) -> None:
        self._last_row += 1
        row = OutboxRow(self._last_row, notification, attempts=0, next_attempt_at=notification.created_at)
        self.outbox[notification.key] = FakeOutboxRow(row)

    def _size(self) -> int:
        parts = (self.stored, self.changes, self.outbox, self.told, self.decided, self.kpi_evaluated_at, self.memories)
        return sum(len(part) for part in (*parts, self.silenced, self.acknowledged))


def _given(asked: NewSilence | NewAcknowledgement) -> dict[str, Any]:
    return {field.name: getattr(asked, field.name) for field in fields(asked)}


def _seen_earlier(observation: Observation, seen_at: float, latest: float) -> Observation:
    moved = replace(observation, seen_at=seen_at)
    if isinstance(moved, CollectionFailure) or isinstance(moved.frame, EventBatch) or moved.frame.at <= seen_at:
        return moved
    return replace(moved, frame=replace(moved.frame, at=latest))


def _indicators_of(observation: Observation) -> tuple[str, ...]:
    return observation.indicators if isinstance(observation, CollectionFailure) else (observation.indicator,)
