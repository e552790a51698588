"""One connection to a database for one collection, in one transaction that may only read, until a deadline."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import quote

from sqlalchemy.engine import URL

from slo_guard.clock import monotonic
from slo_guard.collect.sql_mark import Mark
from slo_guard.collect.sql_text import Sql
from slo_guard.collect.sql_url import SQLITE, sqlite_file
from slo_guard.errors import CollectionError

SqlRow: TypeAlias = tuple[Any, ...]

_STEPS_BETWEEN_LOOKS: Final = 10_000
_LOWEST: Final = -(2**63)
_REFUSED: Final = frozenset({sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_PRAGMA})
_NOT_A_DATABASE: Final = ("SQLITE_CANTOPEN", "SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_IOERR", "SQLITE_PERM")


@dataclass(frozen=True, slots=True)
class SqlAnswer:
    """The rows of a query, as they come, and the names of their columns."""

    columns: tuple[str, ...]
    rows: Iterator[SqlRow]


class SqlSession(Protocol):
    """A connection within its transaction.

    What fails is a ``CollectionError`` with the reason ``timeout``, ``connect_failed`` or ``query_failed``.
    """

    def answer(self, query: Sql, values: Mapping[str, Mark]) -> AbstractContextManager[SqlAnswer]:
        """Run a query; its rows are streamed. One that fails leaves the transaction as it was."""

    def lowest(self, query: Sql, column: str) -> Mark:
        """Return what lies below all values of a column of a query; a column that it lacks is ``wrong_columns``."""

    def interrupt(self) -> None:
        """Make what runs in another thread end soon; to be called at any time."""

    def close(self) -> None:
        """End the transaction and the connection."""


def no_column(name: str, columns: tuple[str, ...]) -> CollectionError:
    """Return what is wrong where a query lacks a column."""
    came = ", ".join(columns[:20])
    return CollectionError("wrong_columns", f"the query has no column {name}; it has {came[:300]}")


def open_session(url: URL, folder: Path, ends: float) -> SqlSession:
    """Connect; whatever is asked ends at the monotonic time ``ends``. Raises ``CollectionError``."""
    if url.drivername == SQLITE:
        return open_sqlite(sqlite_file(url, folder), ends)
    # Its driver is an extra that need not be there.
    from slo_guard.collect.sql_postgres import open_postgres  # noqa: PLC0415

    return open_postgres(url, ends)


def open_sqlite(path: Path, ends: float) -> SqlSession:
    """Open a database file for reading only; it is never made. Raises ``CollectionError``."""
    try:
        if not path.is_file():
            raise CollectionError("connect_failed", f"there is no file {path}")
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro",
            uri=True,
            timeout=max(0.0, ends - monotonic()),
            isolation_level=None,
            check_same_thread=False,
        )
    except (sqlite3.Error, OSError) as error:
        raise CollectionError("connect_failed", f"{path} cannot be opened: {error}") from None
    return SqliteSession(connection, path, ends)


class SqliteSession:
    """Keeps :class:`SqlSession` over an open connection, which it makes read-only in every way that SQLite has."""

    def __init__(self, connection: sqlite3.Connection, path: Path, ends: float) -> None:
        self._connection = connection
        self._path = path
        self._ends = ends
        self._begun = False
        self._closing = threading.Lock()
        self._closed = False

    @contextmanager
    def answer(self, query: Sql, values: Mapping[str, Mark]) -> Iterator[SqlAnswer]:
        """Run a query; see the protocol."""
        with self._named_errors():
            self._begin()
            try:
                cursor = self._connection.execute(query.render(":{}".format), values)
            except OverflowError as error:
                raise CollectionError("query_failed", f"the query fails: {error}") from None
            try:
                yield SqlAnswer(tuple(each[0] for each in cursor.description or ()), cursor)
            finally:
                cursor.close()

    def lowest(self, query: Sql, column: str) -> Mark:  # noqa: ARG002 - the same for all columns
        """Return the lowest integer: in SQLite it is below all other numbers, all texts and all times."""
        return _LOWEST

    def interrupt(self) -> None:
        """Make a running query end."""
        with self._closing:
            if not self._closed:
                self._connection.interrupt()

    def close(self) -> None:
        """Close the file; idempotent."""
        with self._closing, suppress(sqlite3.Error):
            self._closed = True
            self._connection.close()

    def _begin(self) -> None:
        if self._begun:
            return
        self._begun = True
        connection = self._connection
        # mode=ro keeps the file itself; query_only the temporary one too; the authorizer other files and settings.
        connection.execute("PRAGMA query_only = ON").fetchall()
        connection.execute("BEGIN")
        connection.text_factory = _text
        connection.set_authorizer(_authorize)
        connection.set_progress_handler(self._is_over, _STEPS_BETWEEN_LOOKS)

    def _is_over(self) -> bool:
        return monotonic() >= self._ends

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", None) or ""
            if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                raise CollectionError("timeout", f"another process has had {self._path} locked all the time") from None
            if name == "SQLITE_INTERRUPT":
                raise CollectionError("timeout", "the query took too long") from None
            if name.startswith(_NOT_A_DATABASE):
                raise CollectionError("connect_failed", f"{self._path} cannot be read: {error}") from None
            raise CollectionError("query_failed", f"the query fails: {error}") from None


def _text(content: bytes) -> str | bytes:
    """Return a text, or its bytes where it is none: one such cell must not end the whole query."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content


def _authorize(action: int, _one: str | None, other: str | None, _database: str | None, _trigger: str | None) -> int:
    if action in _REFUSED or (action == sqlite3.SQLITE_FUNCTION and (other or "").lower() == "load_extension"):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK
