"""Label sets in the store: one row for each distinct index, one object for each in memory."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, bindparam, exists, select

from slo_guard.domain.series import SeriesIndex
from slo_guard.store.documents import index_bytes, index_from
from slo_guard.store.schema import (
    FINAL_VERDICTS,
    READINGS,
    RESTATEMENTS,
    SERIES_INDEX,
    VERDICT_CHANGES,
    VERDICT_MEMORY,
)

_ROW_OF = select(SERIES_INDEX.c.id).where(SERIES_INDEX.c.digest == bindparam("digest"))


class SeriesIndexes:
    """Finds and adds index rows; keeps alive indexes by digest, so that what is in use is never parsed again."""

    def __init__(self) -> None:
        self._alive: weakref.WeakValueDictionary[str, SeriesIndex] = weakref.WeakValueDictionary()
        self._stored: weakref.WeakSet[SeriesIndex] = weakref.WeakSet()

    def encode_new(self, indexes: Iterable[SeriesIndex]) -> dict[SeriesIndex, bytes]:
        """Return the bytes of those not known to be stored: the costly part, to be done before taking the lock."""
        fresh = {index: index_bytes(index) for index in indexes if index not in self._stored}
        for index in fresh:
            _ = index.digest
        return fresh

    def row_of(self, connection: Connection, index: SeriesIndex, encoded: Mapping[SeriesIndex, bytes]) -> int:
        """Return the id of the index's row, adding the row if there is none.

        Looked up every time, by its digest: pruning may have deleted a row that this process once saw.
        """
        found = connection.execute(_ROW_OF, {"digest": index.digest}).scalar_one_or_none()
        if found is not None:
            return int(found)
        labels = encoded[index] if index in encoded else index_bytes(index)
        added = connection.execute(SERIES_INDEX.insert().values(digest=index.digest, labels=labels))
        assert added.inserted_primary_key is not None
        return int(added.inserted_primary_key[0])

    def remember(self, indexes: Iterable[SeriesIndex]) -> None:
        """Note, once the transaction is committed, that these are stored."""
        for index in indexes:
            self._stored.add(index)
            self._alive[index.digest] = index

    def load(self, connection: Connection, index_id: int, digest: str) -> SeriesIndex:
        """Return the index of a row."""
        index = self._alive.get(digest)
        if index is None:
            labels = connection.execute(select(SERIES_INDEX.c.labels).where(SERIES_INDEX.c.id == index_id)).scalar_one()
            index = index_from(labels)
            self._alive[digest] = index
        return index


def delete_unreferenced(connection: Connection) -> int:
    """Delete the index rows that nothing names any more; returns how many."""
    users = (READINGS, VERDICT_MEMORY, VERDICT_CHANGES, FINAL_VERDICTS, RESTATEMENTS)
    unused = [~exists().where(table.c.index_id == SERIES_INDEX.c.id) for table in users]
    return connection.execute(SERIES_INDEX.delete().where(*unused)).rowcount
