"""The ports: what the rooms promise each other. Each has a contract suite in ``tests/contracts``.

Instants are Unix seconds (UTC) as float.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from slo_guard.domain.alerts import Alert, AlertKey, Transition
from slo_guard.domain.budgets import BudgetFrame
from slo_guard.domain.notifications import (
    Decision,
    DeliveryOutcome,
    DeliveryRecord,
    Notification,
    OutboxRow,
    RowState,
)
from slo_guard.domain.readings import BoolArray, Collection, FloatArray, IndicatorSpec, IntArray, Observation, Reading
from slo_guard.domain.rule_changes import RuleLog
from slo_guard.domain.series import SeriesIndex
from slo_guard.domain.silences import Acknowledgement, NewAcknowledgement, NewSilence, Silence
from slo_guard.domain.trails import Trails
from slo_guard.domain.verdicts import CodeArray, Outlook, Restatement, Seal, Targets


class Collector(Protocol):
    """Pulls the indicators of one source. One run at a time; different collectors run in different threads."""

    @property
    def name(self) -> str:
        """The collector's name in the config, unique."""

    @property
    def indicators(self) -> tuple[IndicatorSpec, ...]:
        """What it produces, known without I/O."""

    def collect(self, now: float, cursor: str | None) -> Collection:
        """Run once and return what came: one or more observations for every declared indicator.

        Never raises for anything that a source can do: what fails is a ``CollectionFailure`` with a named
        reason and a message without secrets; what can still be read is read. Returns within the collector's
        total time-out. ``seen_at`` of the observations is ``now``; the job stamps it again when it stores them.
        ``cursor`` is what the last stored collection gave (None at first); after a crash the same one comes again.
        """

    def close(self) -> None:
        """Release connections; idempotent."""


class Receiver(Protocol):
    """Sends notifications to one place."""

    @property
    def name(self) -> str:
        """The receiver's name in the config, unique."""

    def send(self, notification: Notification) -> None:
        """Send once, carrying ``notification.key`` as idempotency key; returning means that it was accepted.

        Raises ``TransientDeliveryError`` (with ``retry_after_seconds`` where the receiver named one) or
        ``PermanentDeliveryError``; no text of either holds a secret.
        """

    def close(self) -> None:
        """Release connections; idempotent."""


@dataclass(frozen=True, slots=True, eq=False)
class VerdictMemory:
    """A KPI's last verdicts, kept so that a restart knows since when they stand: arrays over ``index``, shape (n,).

    ``late``: whether the series was overdue at any time, so that meeting its objective is "met late".
    """

    sprint: str
    kpi: str
    index: SeriesIndex
    verdict: CodeArray
    reason: CodeArray
    since: FloatArray
    late: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class VerdictChanges:
    """The series of one KPI whose verdict changed at ``at``: arrays over ``index``, shape (m,).

    ``before`` is -1 for a series judged for the first time; ``value`` NaN where there is none.
    """

    sprint: str
    kpi: str
    at: float
    index: SeriesIndex
    before: CodeArray
    after: CodeArray
    reason: CodeArray
    value: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class FinalVerdicts:
    """How a KPI's series stood at the end of its sprint, after which it is judged no more: arrays over ``index``.

    Shapes are (n,); the fields are those of ``VerdictFrame``, whose ``at`` was the sprint's end. Of ``targets`` its
    changes are those of the rule log.
    """

    sprint: str
    kpi: str
    at: float
    index: SeriesIndex
    value: FloatArray
    verdict: CodeArray
    reason: CodeArray
    samples: IntArray
    coverage: FloatArray
    total: FloatArray
    since: FloatArray
    window_start: float | None = None
    notes: Mapping[int, str] = field(default_factory=dict)
    outlook: Outlook | None = None
    seal: Seal | None = None
    targets: Targets | None = None
    budget: BudgetFrame | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationRecord:
    """What hop 2 makes durable, in one transaction.

    ``alerts``: those that changed; None for an alert that ended. ``reading_cursor``: the id of the last
    observation taken in. ``evaluated``: the (sprint, KPI) pairs that were judged. ``closed``: the sprints that
    closed, each with the end at which it did; ``finals``: the KPIs that are judged no more; ``restatements``: those of
    them of which something came later; ``rules``: what is new of the rules' changes in mid-sprint;
    ``own_readings``: the built-in indicators, stored behind all readings so far; ``trails``: those that take the place
    of what is kept of the same KPIs.
    """

    at: float
    reading_cursor: int
    alerts: Mapping[AlertKey, Alert | None] = field(default_factory=dict)
    transitions: tuple[Transition, ...] = ()
    changes: tuple[VerdictChanges, ...] = ()
    memories: tuple[VerdictMemory, ...] = ()
    evaluated: tuple[tuple[str, str], ...] = ()
    closed: Mapping[str, float] = field(default_factory=dict)
    finals: tuple[FinalVerdicts, ...] = ()
    own_readings: tuple[Reading, ...] = ()
    restatements: tuple[Restatement, ...] = ()
    rules: RuleLog = field(default_factory=RuleLog)
    trails: Trails = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class PersistedEvaluation:
    """What hop 2 made durable so far, for a restart.

    ``evaluated_at`` is None before the first evaluation; ``last_seq`` is 0 before the first transition;
    ``kpi_evaluated_at`` maps (sprint, kpi) to the last evaluation that judged it. ``closed`` and ``finals`` say
    of which sprints the close has been recorded, at which end, and how their KPIs stood; ``restatements`` how those
    would stand by later data; ``rules`` all changes of rules in mid-sprint, ascending; ``trails`` how KPIs went over
    their sprint. They are never pruned.
    """

    evaluated_at: float | None
    reading_cursor: int
    last_seq: int
    alerts: Mapping[AlertKey, Alert]
    memories: Mapping[tuple[str, str], VerdictMemory]
    kpi_evaluated_at: Mapping[tuple[str, str], float]
    closed: Mapping[str, float] = field(default_factory=dict)
    finals: Mapping[tuple[str, str], FinalVerdicts] = field(default_factory=dict)
    restatements: Mapping[tuple[str, str], Restatement] = field(default_factory=dict)
    rules: RuleLog = field(default_factory=RuleLog)
    trails: Trails = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """What hop 3 makes durable, in one transaction.

    ``groups``: the planner's own state by group key as JSON text, None to forget one; only what changed.
    ``transition_cursor``: the number of the last transition planned.
    """

    transition_cursor: int
    groups: Mapping[str, str | None] = field(default_factory=dict)
    notifications: tuple[Notification, ...] = ()
    decisions: tuple[Decision, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class StoredObservation:
    """An observation with its number in the store; numbers ascend in the order of ``seen_at``."""

    id: int
    observation: Observation


class ReadingStore(Protocol):
    """Hop 1: readings and collectors' cursors."""

    def save_collection(self, collection: Collection, stamp: Callable[[], float]) -> float:
        """Store a collection's observations and cursor, all or nothing; returns their ``seen_at``.

        ``stamp`` is called while no other writer can commit, so that whoever then reads behind the same
        lock sees all observations stamped up to its own ``now``.

        ``seen_at`` never goes back, neither over the ids nor behind what has been evaluated, so that replaying by
        ``seen_at`` shows each evaluation what it saw on the live day. A ``stamp`` up to a minute before the last
        ``seen_at`` therefore becomes that. One earlier still proves that the clock had been ahead: then what no stored
        evaluation has taken in is seen at the new stamp (or at the last evaluation, if that is later), and its own
        times beyond that become those of the last observation before. What an evaluation did take in while the clock
        was ahead stays as it was seen; replay then has evaluations at times that the live day skipped.
        Raises ``StoreError``.
        """

    def collector_cursor(self, collector: str) -> str | None:
        """Return the cursor stored last for ``collector``."""

    def observations(
        self,
        *,
        after_id: int = 0,
        up_to_id: int | None = None,
        seen_until: float | None = None,
        seen_from: float | None = None,
        indicators: Sequence[str] | None = None,
    ) -> Iterator[StoredObservation]:
        """Yield observations in ascending id: ids in (after_id, up_to_id], ``seen_at`` in [seen_from, seen_until].

        Waits for writers that stamped before the call. Equal label sets come over the same index object.
        """


class EvaluationStore(Protocol):
    """Hop 2: alert states, transitions and verdict changes."""

    def save_evaluation(self, record: EvaluationRecord) -> None:
        """Store an evaluation, all or nothing.

        Raises ``StoreError``; ``StoreConflictError`` when its transitions do not follow on the last one stored.
        """

    def load_evaluation(self) -> PersistedEvaluation:
        """Return the state that the last stored evaluation left."""

    def evaluated_at(self) -> float | None:
        """Return the instant of the last stored evaluation; None before the first."""

    def transitions(self, *, after: int = 0, limit: int | None = None) -> tuple[Transition, ...]:
        """Return transitions with numbers above ``after``, ascending."""

    def firing_transitions(self) -> tuple[Transition, ...]:
        """Return for each stored alert that fires the transition by which it fired, ascending.

        Of one that came from the sprint before, that is the one by which it was carried over.
        """

    def kpi_transitions(self, sprint: str, kpi: str, *, until: float, limit: int) -> tuple[Transition, ...]:
        """Return the last ``limit`` transitions of one KPI at or before ``until``, ascending."""

    def verdict_changes(self, sprint: str, kpi: str, *, until: float, limit: int) -> tuple[VerdictChanges, ...]:
        """Return the last ``limit`` verdict changes of one KPI at or before ``until``, ascending.

        Those beyond the retention are gone. Each is of one evaluation and may be of many series.
        """


class NotificationStore(Protocol):
    """Hop 3 and the deliveries."""

    def transition_cursor(self) -> int:
        """Return the number of the last transition planned (0 at first)."""

    def planner_groups(self) -> Mapping[str, str]:
        """Return the planner's state by group key."""

    def save_plan(self, record: PlanRecord) -> None:
        """Store planner state, outbox rows and decisions, all or nothing.

        A key that is already in the outbox is not added again; a decision takes the place of an earlier one about
        the same transition and receiver.
        """

    def withdraw(self, receivers: Sequence[str], now: float) -> int:
        """Close the undelivered rows of all receivers but ``receivers``; returns how many; idempotent.

        Decisions that name such a row become ``receiver_removed``; should it be reported as delivered after all, they
        name it again.
        """

    def lease(self, receiver: str, now: float, lease_seconds: float) -> OutboxRow | None:
        """Lease the receiver's oldest undelivered row if it is due and not leased, else return None.

        Only the head of the line is ever leased, so order is kept. A lease that has run out counts as none.
        """

    def release_leases(self) -> int:
        """End every lease; returns how many there were.

        For the sole process on the store, before it leases anything: what a process before it left leased is due
        again at once. Beside another process it would let a message be sent twice.
        """

    def record_attempt(
        self,
        row: OutboxRow,
        outcome: DeliveryOutcome,
        now: float,
        *,
        next_attempt_at: float | None = None,
        error: str | None = None,
    ) -> None:
        """Record how an attempt ended and end the lease.

        ``RETRY`` needs ``next_attempt_at``; ``DEAD`` lets the next row through.
        """

    def outbox_pending(self) -> Mapping[str, tuple[int, float | None]]:
        """Return for each receiver the number of undelivered rows and since when the oldest waits.

        It waits since it was created, or since it was made due again.
        """

    def dead_letters(self) -> Mapping[str, int]:
        """Return for each receiver the number of messages that were given up."""

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
        """Return the newest ``limit`` messages that pass all filters, newest first; ids descend.

        ``before_id``: only those with smaller ids, to go on where an answer ended.
        """

    def retry_dead(self, now: float, *, receiver: str | None = None, ids: Sequence[int] | None = None) -> int:
        """Make dead letters due again, at the head of their lines and under their keys; returns how many.

        Those of ``receiver`` (None: of all) that are among ``ids`` (None: all). Each is tried as often as a new one.
        """

    def take_back(self, key: str, now: float) -> bool:
        """Close a message that waits; returns whether it did. Should it be delivered after all, that counts."""

    def decisions(self, *, after: int = 0) -> tuple[Decision, ...]:
        """Return the decisions about transitions with numbers above ``after``, ascending."""


class SilenceStore(Protocol):
    """What somebody has said of alerts: silences and acknowledgements. Other processes may say it as well."""

    def add_silence(self, asked: NewSilence, now: float) -> Silence:
        """Store a silence; it gets the next number, which no other silence ever had or has."""

    def expire_silence(self, number: int, now: float) -> Silence | None:
        """End a silence at ``now`` unless it has ended already, and return it; None where there is none; idempotent."""

    def silences(self, now: float | None = None) -> tuple[Silence, ...]:
        """Return the silences that are active or pending at ``now``, or all that are kept, by ascending number."""

    def acknowledge(self, asked: NewAcknowledgement, now: float) -> Acknowledgement:
        """Store an acknowledgement, which gets the next number; one of the same sprint, KPI and labels ends."""

    def end_acknowledgement(self, number: int, now: float) -> Acknowledgement | None:
        """End an acknowledgement at ``now`` unless it has ended; return it, or None; idempotent."""

    def acknowledgements(self, now: float | None = None) -> tuple[Acknowledgement, ...]:
        """Return the acknowledgements that have not ended at ``now``, or all that are kept, by ascending number."""


class Store(ReadingStore, EvaluationStore, NotificationStore, SilenceStore, Protocol):
    """The whole store. Safe to use from several threads; every method is one transaction."""

    def writing(self) -> AbstractContextManager[None]:
        """Hold off other writers of this process for the length of the block; reentrant."""

    def prune(self, now: float) -> int:
        """Delete what is beyond the retention or the disk bound; returns rows deleted.

        Never what is undelivered; silences and acknowledgements when they ended before the retention.
        """

    def close(self) -> None:
        """Release files and connections; idempotent."""
