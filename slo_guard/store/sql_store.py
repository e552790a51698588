"""The store on a SQL database: each method of the port as one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from slo_guard.domain.alerts import Transition
from slo_guard.domain.notifications import Decision, DeliveryOutcome, DeliveryRecord, OutboxRow, RowState
from slo_guard.domain.ports import (
    EvaluationRecord,
    PersistedEvaluation,
    PlanRecord,
    Store,
    StoredObservation,
    VerdictChanges,
)
from slo_guard.domain.readings import Collection
from slo_guard.domain.silences import Acknowledgement, NewAcknowledgement, NewSilence, Silence
from slo_guard.errors import StartError
from slo_guard.store import compaction, deliveries, evaluations, outbox, pruning, readings, silences
from slo_guard.store.database import Database
from slo_guard.store.frames import encode_observation
from slo_guard.store.indexes import SeriesIndexes
from slo_guard.store.migrate import bring_up_to_date, is_current
from slo_guard.store.sqlite import cause_of, sqlite_engine

DEFAULT_RETENTION_SECONDS = 35 * 86400.0
DEFAULT_MAX_BYTES = 2 * 2**30


def open_store(
    path: Path, *, retention_seconds: float = DEFAULT_RETENTION_SECONDS, max_bytes: int | None = DEFAULT_MAX_BYTES
) -> Store:
    """Open the SQLite store at ``path``, making its folder and its tables where they are missing.

    What is older than ``retention_seconds``, and the oldest readings where the data exceed ``max_bytes`` (None: no
    bound), goes when ``prune`` is called. Raises ``StartError`` when the store cannot be used.
    """
    path = path.absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"the store's folder {path.parent} cannot be made: {error.strerror}") from None
    if path.is_dir():
        raise StartError(f"the store {path} is a folder; name a file")
    engine = sqlite_engine(path)
    try:
        with engine.begin() as connection:
            ready = is_current(connection)
        if not ready:
            with engine.execution_options(writes=True).begin() as connection:
                bring_up_to_date(connection, path)
    except DBAPIError as error:
        engine.dispose()
        raise StartError(f"the store {path} cannot be opened: {cause_of(error)}") from None
    except StartError:
        engine.dispose()
        raise
    return SqlStore(Database(path, engine), retention_seconds=retention_seconds, max_bytes=max_bytes)


def open_stored(path: Path) -> Store:
    """Open the SQLite store that is at ``path`` to read what it holds: nothing is made, and no table is changed.

    A daemon may write to it meanwhile. Raises ``StartError`` when there is none of this version.
    """
    path = path.absolute()
    if not path.is_file():
        raise StartError(f"there is no store {path}; name the file that the config's store.path names")
    engine = sqlite_engine(path)
    try:
        with engine.begin() as connection:
            current = is_current(connection)
    except DBAPIError as error:
        engine.dispose()
        raise StartError(f"the store {path} cannot be opened: {cause_of(error)}") from None
    if not current:
        engine.dispose()
        raise StartError(f"{path} is no store of this version; let this version's daemon open it once, or name another")
    return SqlStore(Database(path, engine), retention_seconds=DEFAULT_RETENTION_SECONDS, max_bytes=None)


class SqlStore:
    """Implements :class:`slo_guard.domain.ports.Store`; open it with :func:`open_store`.

    What is costly (compressing, writing JSON of label sets) is done before the writers' lock is taken.
    """

    def __init__(self, database: Database, *, retention_seconds: float, max_bytes: int | None) -> None:
        self._database = database
        self._indexes = SeriesIndexes()
        self._retention_seconds = retention_seconds
        self._max_bytes = max_bytes

    def writing(self) -> AbstractContextManager[None]:
        """Hold off other writers of this process for the length of the block; reentrant."""
        return self._database.writing()

    def save_collection(self, collection: Collection, stamp: Callable[[], float]) -> float:
        """Store a collection's observations and cursor, all or nothing; returns their ``seen_at``."""
        rows = [encode_observation(item) for item in collection.observations]
        used = {row.index for row in rows if row.index is not None}
        encoded = self._indexes.encode_new(used)
        with self._database.write() as connection:
            seen_at = readings.save_observations(connection, self._indexes, rows, encoded, stamp)
            if collection.cursor is not None:
                readings.save_cursor(connection, collection.collector, collection.cursor)
        self._indexes.remember(used)
        return seen_at

    def collector_cursor(self, collector: str) -> str | None:
        """Return the cursor stored last for ``collector``."""
        with self._database.read() as connection:
            return readings.load_cursor(connection, collector)

    def observations(
        self,
        *,
        after_id: int = 0,
        up_to_id: int | None = None,
        seen_until: float | None = None,
        seen_from: float | None = None,
        indicators: Sequence[str] | None = None,
    ) -> Iterator[StoredObservation]:
        """Yield observations in ascending id, as they stand at the time of the call."""
        # A writer that has stamped but not committed holds the lock: behind it, all that was stamped is visible.
        with self._database.writing(), self._database.read() as connection:
            last = readings.last_observation_id(connection)
        wanted = readings.ObservationFilter(
            after_id=after_id,
            up_to_id=last if up_to_id is None else min(last, up_to_id),
            seen_from=seen_from,
            seen_until=seen_until,
            indicators=None if indicators is None else frozenset(indicators),
        )
        return self._stream(wanted)

    def _stream(self, wanted: readings.ObservationFilter) -> Iterator[StoredObservation]:
        with self._database.read() as connection:
            yield from readings.stream_observations(connection, self._indexes, wanted)

    def save_evaluation(self, record: EvaluationRecord) -> None:
        """Store an evaluation, all or nothing."""
        rows = evaluations.encode_verdicts(record)
        used = rows.used
        encoded = self._indexes.encode_new(used)
        with self._database.write() as connection:
            evaluations.save_evaluation(connection, self._indexes, record, rows, encoded)
        self._indexes.remember(used)

    def load_evaluation(self) -> PersistedEvaluation:
        """Return the state that the last stored evaluation left."""
        with self._database.read() as connection:
            return evaluations.load_evaluation(connection, self._indexes)

    def evaluated_at(self) -> float | None:
        """Return the instant of the last stored evaluation; None before the first."""
        with self._database.read() as connection:
            return evaluations.last_evaluation(connection)

    def transitions(self, *, after: int = 0, limit: int | None = None) -> tuple[Transition, ...]:
        """Return transitions with numbers above ``after``, ascending."""
        with self._database.read() as connection:
            return evaluations.load_transitions(connection, after, limit)

    def firing_transitions(self) -> tuple[Transition, ...]:
        """Return for each stored alert that fires the transition by which it fired, ascending."""
        with self._database.read() as connection:
            return evaluations.load_firing_transitions(connection)

    def kpi_transitions(self, sprint: str, kpi: str, *, until: float, limit: int) -> tuple[Transition, ...]:
        """Return the last ``limit`` transitions of one KPI at or before ``until``, ascending."""
        with self._database.read() as connection:
            return evaluations.load_kpi_transitions(connection, sprint, kpi, until, limit)

    def verdict_changes(self, sprint: str, kpi: str, *, until: float, limit: int) -> tuple[VerdictChanges, ...]:
        """Return the last ``limit`` verdict changes of one KPI at or before ``until``, ascending."""
        with self._database.read() as connection:
            return evaluations.load_verdict_changes(connection, self._indexes, sprint, kpi, until, limit)

    def transition_cursor(self) -> int:
        """Return the number of the last transition planned (0 at first)."""
        with self._database.read() as connection:
            return outbox.planned_transition(connection)

    def planner_groups(self) -> Mapping[str, str]:
        """Return the planner's state by group key."""
        with self._database.read() as connection:
            return outbox.load_groups(connection)

    def save_plan(self, record: PlanRecord) -> None:
        """Store planner state, outbox rows and decisions, all or nothing."""
        with self._database.write() as connection:
            outbox.save_plan(connection, record)

    def withdraw(self, receivers: Sequence[str], now: float) -> int:
        """Close the undelivered rows of all receivers but ``receivers``; returns how many."""
        with self._database.write() as connection:
            return outbox.withdraw(connection, receivers, now)

    def lease(self, receiver: str, now: float, lease_seconds: float) -> OutboxRow | None:
        """Lease the receiver's oldest undelivered row if it is due and not leased, else return None."""
        with self._database.write() as connection:
            return outbox.lease_head(connection, receiver, now, lease_seconds)

    def release_leases(self) -> int:
        """End every lease, for a process that is the only one; returns how many there were."""
        with self._database.write() as connection:
            return outbox.release_leases(connection)

    def record_attempt(
        self,
        row: OutboxRow,
        outcome: DeliveryOutcome,
        now: float,
        *,
        next_attempt_at: float | None = None,
        error: str | None = None,
    ) -> None:
        """Record how an attempt ended; ends the lease."""
        if outcome is DeliveryOutcome.RETRY and next_attempt_at is None:
            raise ValueError("a retry needs next_attempt_at")
        with self._database.write() as connection:
            outbox.record_attempt(connection, row, outcome, now, next_attempt_at=next_attempt_at, error=error)

    def outbox_pending(self) -> Mapping[str, tuple[int, float | None]]:
        """Return for each receiver the number of undelivered rows and when the oldest was created."""
        with self._database.read() as connection:
            return outbox.count_pending(connection)

    def dead_letters(self) -> Mapping[str, int]:
        """Return for each receiver the number of messages that were given up."""
        with self._database.read() as connection:
            return deliveries.count_dead(connection)

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
        """Return the newest ``limit`` messages that pass all filters, newest first."""
        filters = {"receiver": receiver, "state": None if state is None else state.value, "sprint": sprint, "kpi": kpi}
        wanted = {name: value for name, value in filters.items() if value is not None}
        with self._database.read() as connection:
            return deliveries.load_deliveries(connection, wanted=wanted, limit=limit, before_id=before_id)

    def retry_dead(self, now: float, *, receiver: str | None = None, ids: Sequence[int] | None = None) -> int:
        """Make dead letters due again, at the head of their lines and under their keys; returns how many."""
        with self._database.write() as connection:
            return deliveries.retry_dead(connection, now, receiver, ids)

    def take_back(self, key: str, now: float) -> bool:
        """Close a message that waits; returns whether it did."""
        with self._database.write() as connection:
            return deliveries.take_back(connection, key, now)

    def decisions(self, *, after: int = 0) -> tuple[Decision, ...]:
        """Return the decisions about transitions with numbers above ``after``, ascending."""
        with self._database.read() as connection:
            return outbox.load_decisions(connection, after)

    def add_silence(self, asked: NewSilence, now: float) -> Silence:
        """Store a silence; it gets the next number."""
        with self._database.write() as connection:
            return silences.add_silence(connection, asked, now)

    def expire_silence(self, number: int, now: float) -> Silence | None:
        """End a silence unless it has ended already, and return it; None where there is none."""
        with self._database.write() as connection:
            return silences.expire_silence(connection, number, now)

    def silences(self, now: float | None = None) -> tuple[Silence, ...]:
        """Return the silences that are active or pending at ``now``, or all that are kept."""
        with self._database.read() as connection:
            return silences.load_silences(connection, now)

    def acknowledge(self, asked: NewAcknowledgement, now: float) -> Acknowledgement:
        """Store an acknowledgement; one of the same sprint, KPI and labels ends."""
        with self._database.write() as connection:
            return silences.acknowledge(connection, asked, now)

    def end_acknowledgement(self, number: int, now: float) -> Acknowledgement | None:
        """End an acknowledgement unless it has ended, and return it; None where there is none."""
        with self._database.write() as connection:
            return silences.end_acknowledgement(connection, number, now)

    def acknowledgements(self, now: float | None = None) -> tuple[Acknowledgement, ...]:
        """Return the acknowledgements that have not ended at ``now``, or all that are kept."""
        with self._database.read() as connection:
            return silences.load_acknowledgements(connection, now)

    def prune(self, now: float) -> int:
        """Delete what is beyond the retention or the disk bound; returns rows deleted.

        In between, readings older than an hour are compacted, so that the bound takes fewer of them.
        """
        deleted = pruning.delete_aged(self._database, now - self._retention_seconds)
        compaction.compact(self._database, now)
        if self._max_bytes is not None:
            deleted += pruning.delete_over_bound(self._database, self._max_bytes)
        pruning.shrink(self._database)
        return deleted

    def close(self) -> None:
        """Release files and connections; idempotent."""
        self._database.close()
