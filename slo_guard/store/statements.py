"""Statements that more than one hop uses; portable SQL, many rows a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam, exists, literal_column, select

_CHUNK = 500


def replace_rows(connection: Connection, table: Table, key: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert ``rows``, taking the place of those with the same ``key``."""
    delete_rows(connection, table, key, rows)
    if rows:
        connection.execute(table.insert(), rows)


def delete_rows(connection: Connection, table: Table, key: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Delete the rows that have the ``key`` columns of one of ``rows``."""
    if rows:
        matches = [table.c[name] == bindparam(f"key_{name}") for name in key]
        connection.execute(table.delete().where(*matches), [{f"key_{name}": row[name] for name in key} for row in rows])


def insert_missing(connection: Connection, table: Table, key: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert those of ``rows`` of which no row with the same ``key`` exists; NULL equals NULL."""
    if not rows:
        return
    columns = list(rows[0])
    values = [bindparam(name, type_=table.c[name].type) for name in columns]
    same = [table.c[name].is_not_distinct_from(bindparam(name, type_=table.c[name].type)) for name in key]
    fresh = select(*values).where(~exists(select(literal_column("1")).select_from(table).where(*same)))
    connection.execute(table.insert().from_select(columns, fresh), rows)


def chunks(numbers: Sequence[Any], size: int = _CHUNK) -> list[Sequence[Any]]:
    """Split ``numbers`` into parts that fit into one IN list."""
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]
