"""What has aged goes, in small transactions, so that no writer waits long; nothing that is still to be told goes.

Still to be told are transitions not planned yet or told by a message that waits, and those by which an alert that
fires now has fired: a receiver may be added that has to hear of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence

import structlog
from sqlalchemy import Connection, exists, func, select

from slo_guard.domain.notifications import RowState
from slo_guard.store.database import Database
from slo_guard.store.evaluations import load_firing_transitions
from slo_guard.store.indexes import delete_unreferenced
from slo_guard.store.outbox import planned_transition
from slo_guard.store.schema import (
    DECISIONS,
    DELIVERY_ATTEMPTS,
    KPI_EVALUATIONS,
    OUTBOX,
    READINGS,
    TRANSITIONS,
    VERDICT_CHANGES,
    VERDICT_MEMORY,
)
from slo_guard.store.silences import delete_ended
from slo_guard.store.sqlite import give_back_pages, used_bytes

log = structlog.get_logger(__name__)

_ROWS = 200
_BYTES = 8 * 2**20


def delete_aged(database: Database, cutoff: float) -> int:
    """Delete what is older than ``cutoff``; returns rows deleted."""
    steps: Sequence[Callable[[Connection], int]] = (
        lambda connection: _delete_readings(connection, cutoff),
        lambda connection: _delete_changes(connection, cutoff),
        lambda connection: _delete_messages(connection, RowState.DELIVERED, cutoff),
        lambda connection: _delete_messages(connection, RowState.WITHDRAWN, cutoff),
        lambda connection: _delete_attempts(connection, cutoff),
        lambda connection: _forget_kpis(connection, cutoff),
        lambda connection: delete_ended(connection, cutoff),
        delete_unreferenced,
    )
    dead = _repeat(database, lambda connection: _delete_messages(connection, RowState.DEAD, cutoff))
    if dead:
        log.warning("dead_letters_deleted", number=dead)
    return dead + _delete_transitions(database, cutoff) + sum(_repeat(database, step) for step in steps)


def delete_over_bound(database: Database, max_bytes: int) -> int:
    """Delete the oldest readings while the data exceed ``max_bytes``; returns rows deleted."""
    return _repeat(database, lambda connection: _delete_oldest(connection, max_bytes))


def shrink(database: Database) -> None:
    """Give the pages that deleting set free back to the file system."""
    left = math.inf
    while left:
        before = left
        with database.write_in_background() as connection:
            left = give_back_pages(connection)
        if left >= before:
            return  # a database that was made without auto_vacuum keeps its free pages


def _repeat(database: Database, step: Callable[[Connection], int]) -> int:
    deleted = 0
    while True:
        with database.write_in_background() as connection:
            count = step(connection)
        if not count:
            return deleted
        deleted += count


def _delete_readings(connection: Connection, cutoff: float) -> int:
    old = select(READINGS.c.id, func.length(READINGS.c.block)).where(READINGS.c.last_seen_at < cutoff)
    rows = [(row[0], row[1]) for row in connection.execute(old.order_by(READINGS.c.last_seen_at).limit(_ROWS))]
    return _delete_some_readings(connection, rows, _BYTES)


def _delete_oldest(connection: Connection, max_bytes: int) -> int:
    """Delete some of the oldest readings, and when there are none left, of the oldest verdict changes.

    Their label sets go with them at once: counted as used, they would cost readings that are younger.
    """
    excess = used_bytes(connection) - max_bytes
    if excess <= 0:
        return 0
    oldest = select(READINGS.c.id, func.length(READINGS.c.block)).order_by(READINGS.c.id).limit(_ROWS)
    rows = [(row[0], row[1]) for row in connection.execute(oldest)]
    if rows:
        return _delete_some_readings(connection, rows, min(excess, _BYTES)) + delete_unreferenced(connection)
    changes = select(VERDICT_CHANGES.c.id).order_by(VERDICT_CHANGES.c.id).limit(_ROWS)
    ids = connection.execute(changes).scalars().all()
    deleted = connection.execute(VERDICT_CHANGES.delete().where(VERDICT_CHANGES.c.id.in_(ids))).rowcount
    return deleted + delete_unreferenced(connection)


def _delete_some_readings(connection: Connection, rows: Sequence[tuple[int, int]], max_bytes: int) -> int:
    """Delete ``rows`` (id, bytes) from the front until ``max_bytes`` are reached, at least one if there is one."""
    ids: list[int] = []
    size = 0
    for number, length in rows:
        ids.append(number)
        size += length
        if size >= max_bytes:
            break
    if not ids:
        return 0
    return connection.execute(READINGS.delete().where(READINGS.c.id.in_(ids))).rowcount


def _delete_changes(connection: Connection, cutoff: float) -> int:
    old = select(VERDICT_CHANGES.c.id).where(VERDICT_CHANGES.c.at < cutoff).limit(_ROWS)
    ids = connection.execute(old).scalars().all()
    return connection.execute(VERDICT_CHANGES.delete().where(VERDICT_CHANGES.c.id.in_(ids))).rowcount


def _delete_messages(connection: Connection, state: RowState, cutoff: float) -> int:
    """Delete messages that ended before ``cutoff`` as ``state`` says; one that waits has not ended."""
    old = select(OUTBOX.c.id).where(OUTBOX.c.state == state.value, OUTBOX.c.ended_at < cutoff)
    ids = connection.execute(old.limit(_ROWS)).scalars().all()
    return connection.execute(OUTBOX.delete().where(OUTBOX.c.id.in_(ids))).rowcount


def _delete_attempts(connection: Connection, cutoff: float) -> int:
    """Delete the log of attempts at messages that are gone; what was tried for one still here explains it."""
    here = exists().where(OUTBOX.c.key == DELIVERY_ATTEMPTS.c.key)
    old = select(DELIVERY_ATTEMPTS.c.id).where(DELIVERY_ATTEMPTS.c.at < cutoff, ~here).limit(_ROWS)
    ids = connection.execute(old).scalars().all()
    return connection.execute(DELIVERY_ATTEMPTS.delete().where(DELIVERY_ATTEMPTS.c.id.in_(ids))).rowcount


def _delete_transitions(database: Database, cutoff: float) -> int:
    """Delete old transitions with their decisions, except those that are still to be told."""
    deleted, after = 0, 0
    with database.read() as connection:
        # Both from one view: what is planned after it is not looked at, whatever message tells it.
        planned, kept = planned_transition(connection), _still_to_be_told(connection)
    while True:
        with database.write_in_background() as connection:
            old = select(TRANSITIONS.c.seq).where(
                TRANSITIONS.c.seq > after, TRANSITIONS.c.seq <= planned, TRANSITIONS.c.at < cutoff
            )
            numbers = connection.execute(old.order_by(TRANSITIONS.c.seq).limit(_ROWS)).scalars().all()
            if not numbers:
                return deleted
            gone = [number for number in numbers if number not in kept]
            after = numbers[-1]
            decided = DECISIONS.delete().where(DECISIONS.c.transition.in_(gone))
            deleted += connection.execute(decided).rowcount
            deleted += connection.execute(TRANSITIONS.delete().where(TRANSITIONS.c.seq.in_(gone))).rowcount


def _still_to_be_told(connection: Connection) -> set[int]:
    """Return the numbers of the transitions that messages not delivered tell, and by which what fires has fired."""
    waiting = select(OUTBOX.c.document).where(OUTBOX.c.state.in_((RowState.PENDING.value, RowState.DEAD.value)))
    documents = connection.execute(waiting).scalars()
    told = {number for text in documents for number in json.loads(text)["transitions"]}
    return told.union(each.seq for each in load_firing_transitions(connection))


def _forget_kpis(connection: Connection, cutoff: float) -> int:
    """Delete the last verdicts of KPIs that nobody has judged since ``cutoff``."""
    deleted = 0
    old = select(KPI_EVALUATIONS.c.sprint, KPI_EVALUATIONS.c.kpi).where(KPI_EVALUATIONS.c.evaluated_at < cutoff)
    for sprint, kpi in connection.execute(old).all():
        for table in (VERDICT_MEMORY, KPI_EVALUATIONS):
            deleted += connection.execute(table.delete().where(table.c.sprint == sprint, table.c.kpi == kpi)).rowcount
    return deleted
