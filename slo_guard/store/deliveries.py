"""What became of messages, for people: the list of deliveries, dead letters and what makes them due again.

Every function works inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Row, func, select

from slo_guard.domain.notifications import DeliveryRecord, RowState
from slo_guard.store.documents import notification_from
from slo_guard.store.schema import OUTBOX
from slo_guard.store.statements import chunks


def load_deliveries(
    connection: Connection, *, wanted: Mapping[str, str], limit: int, before_id: int | None
) -> tuple[DeliveryRecord, ...]:
    """Return the newest ``limit`` messages whose columns are as ``wanted`` says, newest first."""
    matches = [OUTBOX.c[name] == value for name, value in wanted.items()]
    if before_id is not None:
        matches.append(OUTBOX.c.id < before_id)
    newest = select(OUTBOX).where(*matches).order_by(OUTBOX.c.id.desc()).limit(max(0, limit))
    return tuple(_record(row) for row in connection.execute(newest))


def count_dead(connection: Connection) -> dict[str, int]:
    """Return for each receiver with dead letters how many there are."""
    counted = select(OUTBOX.c.receiver, func.count().label("rows")).where(OUTBOX.c.state == RowState.DEAD.value)
    return {row.receiver: row.rows for row in connection.execute(counted.group_by(OUTBOX.c.receiver))}


def retry_dead(connection: Connection, now: float, receiver: str | None, ids: Sequence[int] | None) -> int:
    """Make dead letters due again at ``now``; returns how many."""
    dead = [OUTBOX.c.state == RowState.DEAD.value]
    if receiver is not None:
        dead.append(OUTBOX.c.receiver == receiver)
    # It waits since now, or a message of last week would look as if nothing had been sent for that long; and no attempt
    # was made so far: it gets as many as a new one before it is given up once more.
    due = OUTBOX.update().values(
        state=RowState.PENDING.value, created_at=now, attempts=0, next_attempt_at=now, leased_until=None, ended_at=None
    )
    if ids is None:
        return connection.execute(due.where(*dead)).rowcount
    return sum(connection.execute(due.where(*dead, OUTBOX.c.id.in_(some))).rowcount for some in chunks(list(ids)))


def take_back(connection: Connection, key: str, now: float) -> bool:
    """Close the message ``key`` if it waits."""
    waiting = OUTBOX.update().where(OUTBOX.c.key == key, OUTBOX.c.state == RowState.PENDING.value)
    closed = waiting.values(state=RowState.WITHDRAWN.value, leased_until=None, ended_at=now)
    return connection.execute(closed).rowcount == 1


def _record(row: Row[tuple[object, ...]]) -> DeliveryRecord:
    state, notification = RowState(row.state), notification_from(row.document)
    return DeliveryRecord(
        id=row.id,
        receiver=row.receiver,
        key=row.key,
        state=state,
        created_at=notification.created_at,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at if state is RowState.PENDING else None,
        ended_at=row.ended_at,
        last_error=row.last_error,
        notification=notification,
    )
