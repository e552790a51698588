"""Silences and acknowledgements in SQL. Every function works inside the caller's transaction."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, func, or_, select

from slo_guard.domain.kpi import MatchOp
from slo_guard.domain.silences import Acknowledgement, Matcher, NewAcknowledgement, NewSilence, Silence
from slo_guard.store.documents import labels_from, labels_text
from slo_guard.store.schema import ACKNOWLEDGEMENTS, SILENCES


def add_silence(connection: Connection, asked: NewSilence, now: float) -> Silence:
    """Store a silence under the next number."""
    added = connection.execute(
        SILENCES.insert().values(
            matchers=json.dumps([[each.label, each.value, each.how.value] for each in asked.matchers]),
            starts_at=asked.starts_at,
            ends_at=asked.ends_at,
            by=asked.by,
            why=asked.why,
            created_at=now,
        )
    )
    return _silence(_row(connection, SILENCES, _key(added.inserted_primary_key)))


def expire_silence(connection: Connection, number: int, now: float) -> Silence | None:
    """End a silence unless it has ended, and return it."""
    row = connection.execute(select(SILENCES).where(SILENCES.c.id == number)).one_or_none()
    if row is None:
        return None
    if not _silence(row).is_over(now):
        connection.execute(SILENCES.update().where(SILENCES.c.id == number).values(expired_at=now))
    return _silence(_row(connection, SILENCES, number))


def load_silences(connection: Connection, now: float | None) -> tuple[Silence, ...]:
    """Return the silences that have not ended at ``now``, or all, ascending."""
    wanted = select(SILENCES).order_by(SILENCES.c.id)
    if now is not None:
        wanted = wanted.where(_not_over(SILENCES.c.ends_at, SILENCES.c.expired_at, now))
    return tuple(map(_silence, connection.execute(wanted)))


def acknowledge(connection: Connection, asked: NewAcknowledgement, now: float) -> Acknowledgement:
    """Store an acknowledgement under the next number; it takes the place of one that says the same."""
    labels = None if asked.labels is None else labels_text(asked.labels)
    table = ACKNOWLEDGEMENTS
    same = and_(table.c.sprint == asked.sprint, table.c.kpi == asked.kpi, table.c.labels.is_not_distinct_from(labels))
    before = table.update().where(same, _not_over(table.c.until, table.c.ended_at, now))
    connection.execute(before.values(ended_at=now))
    added = connection.execute(
        table.insert().values(
            sprint=asked.sprint,
            kpi=asked.kpi,
            labels=labels,
            until=asked.until,
            by=asked.by,
            why=asked.why,
            created_at=now,
        )
    )
    return _acknowledgement(_row(connection, table, _key(added.inserted_primary_key)))


def end_acknowledgement(connection: Connection, number: int, now: float) -> Acknowledgement | None:
    """End an acknowledgement unless it has ended, and return it."""
    table = ACKNOWLEDGEMENTS
    row = connection.execute(select(table).where(table.c.id == number)).one_or_none()
    if row is None:
        return None
    if not _acknowledgement(row).is_over(now):
        connection.execute(table.update().where(table.c.id == number).values(ended_at=now))
    return _acknowledgement(_row(connection, table, number))


def load_acknowledgements(connection: Connection, now: float | None) -> tuple[Acknowledgement, ...]:
    """Return the acknowledgements that have not ended at ``now``, or all, ascending."""
    table = ACKNOWLEDGEMENTS
    wanted = select(table).order_by(table.c.id)
    if now is not None:
        wanted = wanted.where(_not_over(table.c.until, table.c.ended_at, now))
    return tuple(map(_acknowledgement, connection.execute(wanted)))


def delete_ended(connection: Connection, cutoff: float) -> int:
    """Delete what ended before ``cutoff``; returns rows deleted."""
    deleted = 0
    for table, end, early in (
        (SILENCES, SILENCES.c.ends_at, SILENCES.c.expired_at),
        (ACKNOWLEDGEMENTS, ACKNOWLEDGEMENTS.c.until, ACKNOWLEDGEMENTS.c.ended_at),
    ):
        over = or_(end < cutoff, func.coalesce(early, end) < cutoff)
        deleted += connection.execute(table.delete().where(over)).rowcount
    return deleted


def _not_over(end: ColumnElement[float], early: ColumnElement[float], now: float) -> ColumnElement[bool]:
    return and_(end > now, or_(early.is_(None), early > now))


def _row(connection: Connection, table: Table, number: int) -> Row[Any]:
    return connection.execute(select(table).where(table.c.id == number)).one()


def _key(primary_key: Any) -> int:
    return int(primary_key[0])


def _silence(row: Row[Any]) -> Silence:
    return Silence(
        id=row.id,
        matchers=tuple(Matcher(label, value, MatchOp(how)) for label, value, how in json.loads(row.matchers)),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        by=row.by,
        why=row.why,
        created_at=row.created_at,
        expired_at=row.expired_at,
    )


def _acknowledgement(row: Row[Any]) -> Acknowledgement:
    return Acknowledgement(
        id=row.id,
        sprint=row.sprint,
        kpi=row.kpi,
        labels=None if row.labels is None else labels_from(json.loads(row.labels)),
        until=row.until,
        by=row.by,
        why=row.why,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )
