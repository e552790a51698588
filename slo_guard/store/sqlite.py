"""All that is SQLite's own: the engine, the pragmas, the file's size, and its errors in one sentence each."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, DBAPIError

BUSY_SECONDS = 10.0
_INCREMENTAL = 2
_VACUUM_PAGES = 1000
_WAL_KEPT_BYTES = 64 * 2**20

_CAUSES = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_BUSY": f"another process has held it locked for over {BUSY_SECONDS:.0f} seconds",
    "SQLITE_LOCKED": "another connection has it locked",
    "SQLITE_READONLY": "it may not be written; check the file's and the folder's permissions",
    "SQLITE_CORRUPT": "the file is damaged; restore a copy or move it away to start anew",
    "SQLITE_NOTADB": "the file is not a database; name another path or move it away",
    "SQLITE_CANTOPEN": "the file cannot be opened; check that the folder exists and may be written",
    "SQLITE_IOERR": "the disk gave an input/output error (it may be full)",
    "SQLITE_TOOBIG": "a value is larger than SQLite can hold",
    "SQLITE_PERM": "access to the file is denied",
    "SQLITE_NOMEM": "there is not enough memory",
}


def sqlite_engine(path: Path) -> Engine:
    """Return an engine for the database file at ``path``; no I/O happens before its first use.

    A connection with the execution option ``writes`` takes SQLite's write lock as its transaction begins: a
    transaction that reads first and takes the lock later can fail in the middle, which no time-out helps.
    """
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        # Reads are short, but several threads and an iterator left open must never wait for a place in the pool.
        max_overflow=-1,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False, "cached_statements": 256},
    )
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def cause_of(error: DBAPIError) -> str:
    """Return why SQLite refused, in words."""
    return words_for(error.orig)


def words_for(error: BaseException | None) -> str:
    """Return why SQLite's own ``error`` was raised, in words."""
    name = getattr(error, "sqlite_errorname", None) or ""
    for prefix, words in _CAUSES.items():
        if name.startswith(prefix):
            return words
    return f"{error}" + (f" ({name})" if name else "")


def used_bytes(connection: Connection) -> int:
    """Return how many bytes of the file hold data: free pages do not count."""
    pages, free, size = (
        int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def give_back_pages(connection: Connection) -> int:
    """Give some free pages back to the file system; returns how many are left. Ends the transaction."""
    script = f"PRAGMA incremental_vacuum({_VACUUM_PAGES}); PRAGMA wal_checkpoint(PASSIVE)"
    cursor = connection.connection.cursor()
    try:
        # As a script, which ends the (empty) transaction first: the pragma frees one page a step, its steps give rows
        # without columns, and the driver takes only the first step of such a statement.
        cursor.executescript(script)
    except sqlite3.Error as error:
        raise DatabaseError(script, None, error) from error
    finally:
        cursor.close()
    return int(connection.exec_driver_sql("PRAGMA freelist_count").scalar_one())


def _on_connect(dbapi_connection: Any, _record: Any) -> None:
    connection: sqlite3.Connection = dbapi_connection
    # The driver's own transactions begin late and not before DDL; _on_begin begins them instead.
    connection.isolation_level = None
    if connection.execute("PRAGMA auto_vacuum").fetchone() != (_INCREMENTAL,):
        # It has an effect only before the first table, so that pruning shrinks the file. Not said again: it takes the
        # write lock each time, and whoever only reads would wait for a first collection's history to be written.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    for pragma in (
        "journal_mode = WAL",
        # FULL, not NORMAL: with NORMAL a power failure takes back the last commits, and with them alerts that
        # were raised or messages marked as planned. It costs a sync a commit, 0.5 to 3 ms here, a few times a second.
        "synchronous = FULL",
        "foreign_keys = ON",
        f"journal_size_limit = {_WAL_KEPT_BYTES}",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _on_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
