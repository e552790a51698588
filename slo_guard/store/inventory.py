"""What a store holds: its tables with rows and bytes, how far its readings go back, where its collectors stand."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from slo_guard.errors import StoreError
from slo_guard.store.schema import COLLECTORS, METADATA, OUTBOX, PROGRESS, READINGS
from slo_guard.store.sqlite import cause_of, sqlite_engine, used_bytes


@dataclass(frozen=True, slots=True)
class TableInventory:
    """One table: its rows, and its bytes with those of its indexes (None where SQLite cannot tell)."""

    name: str
    rows: int
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a store of this version holds; instants are Unix seconds.

    ``file_bytes`` counts the write-ahead log as well; ``used_bytes`` what holds data. ``cursors``: by collector.
    """

    path: Path
    file_bytes: int
    used_bytes: int
    evaluated_at: float | None
    oldest_reading_at: float | None
    newest_reading_at: float | None
    tables: tuple[TableInventory, ...]
    cursors: Mapping[str, str]
    messages: Mapping[str, int]


def take_inventory(path: Path) -> Inventory:
    """Look at the store that a daemon may write to meanwhile. Raises ``StoreError``."""
    engine = sqlite_engine(path)
    try:
        with closing(engine.connect()) as connection:
            return _inventory(connection, path)
    except DBAPIError as error:
        raise StoreError(f"the store {path} cannot be read: {cause_of(error)}") from None
    finally:
        engine.dispose()


def _inventory(connection: Connection, path: Path) -> Inventory:
    sizes = _sizes(connection)
    tables = [
        TableInventory(
            table.name,
            int(connection.execute(select(func.count()).select_from(table)).scalar_one()),
            None
            if sizes is None
            else sum(sizes.get(name, 0) for name in (table.name, *_indexes(connection, table.name))),
        )
        for table in METADATA.sorted_tables
    ]
    oldest, newest = connection.execute(select(func.min(READINGS.c.seen_at), func.max(READINGS.c.last_seen_at))).one()
    counted = select(OUTBOX.c.state, func.count().label("rows")).group_by(OUTBOX.c.state)
    return Inventory(
        path=path,
        file_bytes=sum(each.stat().st_size for each in (path, path.with_name(f"{path.name}-wal")) if each.exists()),
        used_bytes=used_bytes(connection),
        evaluated_at=connection.execute(select(PROGRESS.c.evaluated_at)).scalar_one(),
        oldest_reading_at=oldest,
        newest_reading_at=newest,
        tables=tuple(sorted(tables, key=lambda each: (-(each.size_bytes or 0), -each.rows, each.name))),
        cursors={row.name: row.cursor for row in connection.execute(select(COLLECTORS).order_by(COLLECTORS.c.name))},
        messages={row.state: row.rows for row in connection.execute(counted)},
    )


def _sizes(connection: Connection) -> dict[str, int] | None:
    """Return the bytes of each table and index; None where this SQLite was built without ``dbstat``."""
    try:
        rows = connection.exec_driver_sql("SELECT name, sum(pgsize) FROM dbstat GROUP BY name")
    except DBAPIError:
        return None
    return {str(name): int(size) for name, size in rows}


def _indexes(connection: Connection, table: str) -> list[str]:
    rows = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ?", (table,))
    return [str(row[0]) for row in rows]
