"""Hop 1 in SQL: observations and collectors' cursors. Every function works inside the caller's transaction."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, Select, case, func, or_, select

from slo_guard.domain.ports import StoredObservation
from slo_guard.domain.readings import CollectionFailure, Observation, Reading
from slo_guard.domain.series import SeriesIndex
from slo_guard.store.blocks import inflate_block, unpack_payload
from slo_guard.store.frames import FAILURE, EncodedObservation, decode_failure, decode_frame
from slo_guard.store.indexes import SeriesIndexes
from slo_guard.store.runs import RunMember, unpack_run
from slo_guard.store.schema import COLLECTORS, PROGRESS, READINGS, SERIES_INDEX
from slo_guard.store.statements import replace_rows

_Waiting: TypeAlias = list[tuple[int, StoredObservation, Iterator[StoredObservation]]]

_INDEXES_HELD = 16
_SMALL_STEP_SECONDS = 60.0
_ROWS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class ObservationFilter:
    """Which observations to read; ids in (after_id, up_to_id], ``seen_at`` in [seen_from, seen_until]."""

    after_id: int
    up_to_id: int
    seen_from: float | None
    seen_until: float | None
    indicators: frozenset[str] | None

    def spans(self, number: int, seen_at: float) -> bool:
        """Whether an observation's number and ``seen_at`` pass."""
        return (
            self.after_id < number <= self.up_to_id
            and (self.seen_from is None or seen_at >= self.seen_from)
            and (self.seen_until is None or seen_at <= self.seen_until)
        )

    def names(self, observation: Observation) -> bool:
        """Whether one of an observation's indicators passes."""
        return self.indicators is None or not self.indicators.isdisjoint(_indicators_of(observation))


def save_observations(
    connection: Connection,
    indexes: SeriesIndexes,
    observations: Sequence[EncodedObservation],
    encoded_indexes: Mapping[SeriesIndex, bytes],
    stamp: Callable[[], float],
) -> float:
    """Insert ``observations`` in their order, stamped inside this transaction; returns their ``seen_at``."""
    progress = connection.execute(select(PROGRESS)).one()
    seen_at = _stamped(connection, progress, float(stamp()))
    used = dict.fromkeys(item.index for item in observations if item.index is not None)
    index_ids = {index: indexes.row_of(connection, index, encoded_indexes) for index in used}
    rows = [
        {
            "id": number,
            "last_id": number,
            "seen_at": seen_at,
            "last_seen_at": seen_at,
            "at": item.at,
            "kind": item.kind,
            "indicator": item.indicator,
            "collector": item.collector,
            "index_id": None if item.index is None else index_ids[item.index],
            "rejected": item.rejected,
            "example": item.example,
            "block": item.block,
        }
        for number, item in enumerate(observations, start=progress.last_observation + 1)
    ]
    if rows:
        connection.execute(READINGS.insert(), rows)
    last = progress.last_observation + len(rows)
    connection.execute(PROGRESS.update().values(last_observation=last, last_seen_at=seen_at))
    return seen_at


def _stamped(connection: Connection, progress: Row[Any], stamp: float) -> float:
    """Return the ``seen_at`` for ``stamp``: the clock may go back; the order of ids and of seen_at must not part."""
    if progress.last_seen_at is None or stamp >= progress.last_seen_at:
        return stamp
    if stamp >= progress.last_seen_at - _SMALL_STEP_SECONDS:
        return float(progress.last_seen_at)
    # The clock had been far ahead. Held at what it said then, all readings would stay unseen until it is there again.
    seen_at = stamp if progress.evaluated_at is None else max(stamp, progress.evaluated_at)
    _take_back(connection, progress.reading_cursor, seen_at)
    return seen_at


def _take_back(connection: Connection, judged: int, seen_at: float) -> None:
    """Have what was seen later than ``seen_at`` and was not judged be seen then.

    Its own times that lie beyond came from the same clock: left there, every later sample would count as older.
    They become those of the last reading before the clock went wrong, so that the next sample is newer.
    """
    known = connection.execute(
        select(func.max(READINGS.c.last_seen_at)).where(READINGS.c.last_seen_at <= seen_at)
    ).scalar_one()
    latest = seen_at if known is None else float(known)
    connection.execute(
        READINGS.update()
        .where(READINGS.c.id > judged, READINGS.c.id == READINGS.c.last_id, READINGS.c.seen_at > seen_at)
        .values(
            seen_at=seen_at,
            last_seen_at=seen_at,
            at=case((READINGS.c.at > seen_at, latest), else_=READINGS.c.at),
        )
    )


def save_cursor(connection: Connection, collector: str, cursor: str) -> None:
    """Store where ``collector`` goes on from."""
    replace_rows(connection, COLLECTORS, ("name",), [{"name": collector, "cursor": cursor}])


def load_cursor(connection: Connection, collector: str) -> str | None:
    """Return where ``collector`` goes on from."""
    return connection.execute(select(COLLECTORS.c.cursor).where(COLLECTORS.c.name == collector)).scalar_one_or_none()


def last_observation_id(connection: Connection) -> int:
    """Return the number of the last observation ever stored."""
    return int(connection.execute(select(PROGRESS.c.last_observation)).scalar_one())


def stream_observations(
    connection: Connection, indexes: SeriesIndexes, wanted: ObservationFilter
) -> Iterator[StoredObservation]:
    """Yield the observations that pass ``wanted`` in ascending id, a few rows in memory at a time."""
    held: OrderedDict[int, SeriesIndex] = OrderedDict()
    # Runs of different indicators overlap: rows come by their first id, and a heap puts the observations in order.
    waiting: _Waiting = []
    for row in connection.execution_options(yield_per=_ROWS_AT_ONCE).execute(_selection(wanted)):
        yield from _pop_before(waiting, row.id)
        _push_next(waiting, _observations_of(row, _index_of(connection, indexes, row, held), wanted))
    yield from _pop_before(waiting, None)


def _push_next(waiting: _Waiting, rest: Iterator[StoredObservation]) -> None:
    stored = next(rest, None)
    if stored is not None:
        heapq.heappush(waiting, (stored.id, stored, rest))


def _pop_before(waiting: _Waiting, number: int | None) -> Iterator[StoredObservation]:
    while waiting and (number is None or waiting[0][0] < number):
        _, stored, rest = heapq.heappop(waiting)
        yield stored
        _push_next(waiting, rest)


def _selection(wanted: ObservationFilter) -> Select[Any]:
    statement = (
        select(READINGS, SERIES_INDEX.c.digest)
        .outerjoin(SERIES_INDEX, READINGS.c.index_id == SERIES_INDEX.c.id)
        .where(READINGS.c.last_id > wanted.after_id, READINGS.c.id <= wanted.up_to_id)
        .order_by(READINGS.c.id)
    )
    if wanted.seen_from is not None:
        statement = statement.where(READINGS.c.last_seen_at >= wanted.seen_from)
    if wanted.seen_until is not None:
        statement = statement.where(READINGS.c.seen_at <= wanted.seen_until)
    if wanted.indicators is not None:
        # A failure names its indicators within its block; failures are few, so they are all read.
        named = READINGS.c.indicator.in_(sorted(wanted.indicators))
        statement = statement.where(or_(named, READINGS.c.kind == FAILURE))
    return statement


def _index_of(
    connection: Connection, indexes: SeriesIndexes, row: Row[Any], held: OrderedDict[int, SeriesIndex]
) -> SeriesIndex | None:
    """Return the row's index, held for the rows to come: consumers drop a frame before they take the next."""
    if row.index_id is None:
        return None
    index = held.get(row.index_id)
    if index is None:
        index = held[row.index_id] = indexes.load(connection, row.index_id, row.digest)
    held.move_to_end(row.index_id)
    if len(held) > _INDEXES_HELD:
        held.popitem(last=False)
    return index


def _observations_of(
    row: Row[Any], index: SeriesIndex | None, wanted: ObservationFilter
) -> Iterator[StoredObservation]:
    """Yield the observations of one row, which may be a run of them."""
    if row.id == row.last_id:
        members = iter((RunMember(row.id, row.seen_at, row.at, inflate_block(row.block)),))
    else:
        members = unpack_run(row.block)
    for member in members:
        if wanted.spans(member.id, member.seen_at):
            observation = _observation(row, index, member)
            if wanted.names(observation):
                yield StoredObservation(member.id, observation)


def _observation(row: Row[Any], index: SeriesIndex | None, member: RunMember) -> Observation:
    columns = unpack_payload(member.payload)
    if row.kind == FAILURE:
        return decode_failure(columns, row.collector, member.seen_at)
    frame = decode_frame(row.kind, columns, index, member.at)
    return Reading(row.indicator, row.collector, member.seen_at, frame, row.rejected, row.example)


def _indicators_of(observation: Observation) -> tuple[str, ...]:
    return observation.indicators if isinstance(observation, CollectionFailure) else (observation.indicator,)
