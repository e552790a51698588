"""Readings older than an hour are merged into runs of up to an hour; what is read back stays exactly the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select

from slo_guard.store.blocks import inflate_block
from slo_guard.store.database import Database
from slo_guard.store.frames import FAILURE
from slo_guard.store.runs import RunMember, pack_run
from slo_guard.store.schema import PROGRESS, READINGS
from slo_guard.store.statements import chunks

SPAN_SECONDS = 3600.0
_RUN_BYTES = 8 * 2**20

_GROUP = (READINGS.c.kind, READINGS.c.indicator, READINGS.c.collector, READINGS.c.index_id)


def compact(database: Database, now: float) -> None:
    """Compact every span that ended more than a span before ``now`` and was not looked at before."""
    end = (now // SPAN_SECONDS - 1) * SPAN_SECONDS
    while (span := _next_span(database, end)) is not None:
        _compact_span(database, span)
        with database.write() as connection:
            connection.execute(PROGRESS.update().values(compacted_until=span + SPAN_SECONDS))


def _next_span(database: Database, end: float) -> float | None:
    """Return the start of the first span with readings that is still to be compacted and starts before ``end``."""
    with database.read() as connection:
        done = connection.execute(select(PROGRESS.c.compacted_until)).scalar_one()
        first = select(func.min(READINGS.c.last_seen_at)).where(READINGS.c.last_seen_at < end)
        if done is not None:
            first = first.where(READINGS.c.last_seen_at >= done)
        seen_at = connection.execute(first).scalar_one()
    return None if seen_at is None else float(seen_at // SPAN_SECONDS * SPAN_SECONDS)


def _compact_span(database: Database, span: float) -> None:
    with database.read() as connection:
        groups = connection.execute(
            select(*_GROUP).where(_may_merge(span)).group_by(*_GROUP).having(func.count() > 1)
        ).all()
    for group in groups:
        same = [column.is_not_distinct_from(value) for column, value in zip(_GROUP, group, strict=True)]
        with database.read() as connection:
            wanted = select(READINGS).where(_may_merge(span), *same).order_by(READINGS.c.id)
            # A run is written while the rest is being read: the reader's view does not change under it.
            for members in _batches(connection.execution_options(yield_per=16).execute(wanted)):
                _merge(database, group, members)


def _may_merge(span: float) -> ColumnElement[bool]:
    """Single readings of the span without a remark of their own; a failure is one row for all its indicators."""
    return (
        (READINGS.c.last_seen_at >= span)
        & (READINGS.c.last_seen_at < span + SPAN_SECONDS)
        & (READINGS.c.id == READINGS.c.last_id)
        & (READINGS.c.kind != FAILURE)
        & (READINGS.c.rejected == 0)
        & READINGS.c.example.is_(None)
    )


def _batches(rows: Any) -> Iterator[list[RunMember]]:
    """Cut what goes into one run by size, so that reading one back takes little memory."""
    members = (RunMember(row.id, row.seen_at, row.at, inflate_block(row.block)) for row in rows)
    batch: list[RunMember] = []
    size = 0
    for member in members:
        batch.append(member)
        size += len(member.payload)
        if size >= _RUN_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _merge(database: Database, group: Row[Any, Any, Any, Any], members: list[RunMember]) -> None:
    """Put one run in the place of its members, unless one of them has been deleted since it was read."""
    if len(members) < 2:
        return
    block = pack_run(members)
    ids = [member.id for member in members]
    with database.write_in_background() as connection:
        parts = [READINGS.c.id.in_(part) for part in chunks(ids)]
        found = sum(
            connection.execute(select(func.count()).select_from(READINGS).where(part)).scalar_one() for part in parts
        )
        if found != len(ids):
            return
        for part in parts:
            connection.execute(READINGS.delete().where(part))
        connection.execute(
            READINGS.insert().values(
                id=ids[0],
                last_id=ids[-1],
                seen_at=members[0].seen_at,
                last_seen_at=members[-1].seen_at,
                at=None,
                kind=group.kind,
                indicator=group.indicator,
                collector=group.collector,
                index_id=group.index_id,
                rejected=0,
                example=None,
                block=block,
            )
        )
