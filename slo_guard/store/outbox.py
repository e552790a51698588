"""Hop 3 in SQL: the planner's state, the outbox, decisions. Every function works inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, and_, func, or_, select

from slo_guard.domain.notifications import Decision, DeliveryOutcome, NotToldReason, OutboxRow, RowState
from slo_guard.domain.ports import PlanRecord
from slo_guard.store.documents import notification_from, notification_text, storable
from slo_guard.store.schema import DECISIONS, DELIVERY_ATTEMPTS, OUTBOX, PLANNER_GROUPS, PROGRESS
from slo_guard.store.statements import chunks, delete_rows, insert_missing, replace_rows


def save_plan(connection: Connection, record: PlanRecord) -> None:
    """Store the planner's state, outbox rows and decisions; what is already there is not added again."""
    delete_rows(connection, PLANNER_GROUPS, ("name",), [{"name": name} for name in record.groups])
    groups = [{"name": name, "state": state} for name, state in record.groups.items() if state is not None]
    if groups:
        connection.execute(PLANNER_GROUPS.insert(), groups)
    messages = [
        {
            "receiver": item.receiver,
            "key": item.key,
            "created_at": item.created_at,
            "sprint": item.sprint,
            "kpi": item.kpi,
            "document": notification_text(item),
            "state": RowState.PENDING.value,
            "attempts": 0,
            "next_attempt_at": item.created_at,
        }
        for item in record.notifications
    ]
    insert_missing(connection, OUTBOX, ("key",), messages)
    decisions = {
        (item.transition, item.receiver): {
            "transition": item.transition,
            "receiver": item.receiver,
            "told_by": item.told_by,
            "not_told": None if item.not_told is None else item.not_told.value,
            "silence": item.silence,
        }
        for item in record.decisions
    }
    replace_rows(connection, DECISIONS, ("transition", "receiver"), list(decisions.values()))
    planned = connection.execute(select(PROGRESS.c.planned_transition)).scalar_one()
    connection.execute(PROGRESS.update().values(planned_transition=max(planned, record.transition_cursor)))


def withdraw(connection: Connection, receivers: Sequence[str], now: float) -> int:
    """Close the undelivered rows of all receivers but ``receivers``, and say so in the decisions that name them."""
    left = and_(OUTBOX.c.state == RowState.PENDING.value, OUTBOX.c.receiver.not_in(receivers))
    keys = select(OUTBOX.c.key).where(left)
    connection.execute(
        DECISIONS.update()
        .where(DECISIONS.c.receiver.not_in(receivers), DECISIONS.c.told_by.in_(keys))
        .values(told_by=None, not_told=NotToldReason.RECEIVER_REMOVED.value)
    )
    closed = OUTBOX.update().where(left).values(state=RowState.WITHDRAWN.value, leased_until=None, ended_at=now)
    return connection.execute(closed).rowcount


def planned_transition(connection: Connection) -> int:
    """Return the number of the last transition planned."""
    return int(connection.execute(select(PROGRESS.c.planned_transition)).scalar_one())


def load_groups(connection: Connection) -> dict[str, str]:
    """Return the planner's state by group key."""
    return {row.name: row.state for row in connection.execute(select(PLANNER_GROUPS))}


def lease_head(connection: Connection, receiver: str, now: float, lease_seconds: float) -> OutboxRow | None:
    """Lease the head of the receiver's line if it may be tried now."""
    line = and_(OUTBOX.c.receiver == receiver, OUTBOX.c.state == RowState.PENDING.value)
    head = connection.execute(select(OUTBOX).where(line).order_by(OUTBOX.c.id).limit(1)).one_or_none()
    if head is None:
        return None
    unleased = or_(OUTBOX.c.leased_until.is_(None), OUTBOX.c.leased_until <= now)
    # A message never tried is due whatever its created_at says: the wall clock may have gone back since.
    due = or_(OUTBOX.c.attempts == 0, OUTBOX.c.next_attempt_at <= now)
    # Compare-and-set, not "update what was read": where another process shares the database, it may have leased
    # or finished the row since it was read, and two senders of one message would break the order of the line.
    taken = connection.execute(
        OUTBOX.update()
        .where(OUTBOX.c.id == head.id, OUTBOX.c.key == head.key, OUTBOX.c.state == RowState.PENDING.value)
        .where(OUTBOX.c.attempts == head.attempts, unleased, due)
        .values(leased_until=now + lease_seconds)
    )
    if taken.rowcount != 1:
        return None
    return OutboxRow(head.id, notification_from(head.document), head.attempts, head.next_attempt_at)


def release_leases(connection: Connection) -> int:
    """End every lease; returns how many there were."""
    return connection.execute(
        OUTBOX.update().where(OUTBOX.c.leased_until.is_not(None)).values(leased_until=None)
    ).rowcount


def record_attempt(
    connection: Connection,
    row: OutboxRow,
    outcome: DeliveryOutcome,
    now: float,
    *,
    next_attempt_at: float | None,
    error: str | None,
) -> None:
    """Log the attempt and move the row on."""
    error = storable(error)
    connection.execute(
        DELIVERY_ATTEMPTS.insert().values(
            receiver=row.notification.receiver, key=row.notification.key, at=now, outcome=outcome.value, error=error
        )
    )
    change = OUTBOX.update().where(OUTBOX.c.id == row.id, OUTBOX.c.key == row.notification.key)
    if outcome is DeliveryOutcome.DELIVERED:
        # Whoever says "delivered" is right, even when its lease had run out and somebody else gave the row up.
        _name_again(connection, row)
        connection.execute(
            change.where(OUTBOX.c.state != RowState.DELIVERED.value).values(
                state=RowState.DELIVERED.value,
                attempts=OUTBOX.c.attempts + 1,
                leased_until=None,
                ended_at=now,
                last_error=None,
            )
        )
        return
    # Compare-and-set on the attempts made: a failure that is reported after the lease ran out and another attempt
    # was made must not undo what that attempt decided, least of all turn a delivered message into one to resend.
    still_ours = change.where(OUTBOX.c.state == RowState.PENDING.value, OUTBOX.c.attempts == row.attempts)
    if outcome is DeliveryOutcome.DEAD:
        connection.execute(
            still_ours.values(
                state=RowState.DEAD.value, attempts=row.attempts + 1, leased_until=None, ended_at=now, last_error=error
            )
        )
    else:
        connection.execute(
            still_ours.values(
                attempts=row.attempts + 1, leased_until=None, next_attempt_at=next_attempt_at, last_error=error
            )
        )


def _name_again(connection: Connection, row: OutboxRow) -> None:
    """Let decisions name a row that was withdrawn while it was being sent, and did arrive."""
    withdrawn = select(OUTBOX.c.id).where(OUTBOX.c.id == row.id, OUTBOX.c.state == RowState.WITHDRAWN.value)
    if connection.execute(withdrawn).first() is None:
        return
    note = row.notification
    for some in chunks(note.transitions):
        connection.execute(
            DECISIONS.update()
            .where(DECISIONS.c.transition.in_(some), DECISIONS.c.receiver == note.receiver)
            .where(DECISIONS.c.not_told == NotToldReason.RECEIVER_REMOVED.value)
            .values(told_by=note.key, not_told=None)
        )


def count_pending(connection: Connection) -> Mapping[str, tuple[int, float | None]]:
    """Return for each receiver with undelivered rows how many there are, and when the oldest was created."""
    counted = (
        select(OUTBOX.c.receiver, func.count().label("rows"), func.min(OUTBOX.c.created_at).label("oldest"))
        .where(OUTBOX.c.state == RowState.PENDING.value)
        .group_by(OUTBOX.c.receiver)
    )
    return {row.receiver: (row.rows, row.oldest) for row in connection.execute(counted)}


def load_decisions(connection: Connection, after: int) -> tuple[Decision, ...]:
    """Return the decisions about transitions with numbers above ``after``, ascending."""
    wanted = select(DECISIONS).where(DECISIONS.c.transition > after).order_by(DECISIONS.c.transition, DECISIONS.c.id)
    return tuple(
        Decision(
            row.transition,
            row.receiver,
            row.told_by,
            None if row.not_told is None else NotToldReason(row.not_told),
            row.silence,
        )
        for row in connection.execute(wanted)
    )
