"""A session with PostgreSQL: a snapshot in a read-only transaction, rows through a cursor of the server.

Only imported where the driver is there.
"""

from __future__ import annotations

import math
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg import IsolationLevel, ServerCursor
from psycopg.abc import Buffer
from psycopg.abc import Loader as AnyLoader
from psycopg.adapt import Loader
from psycopg.types.string import TextLoader
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import URL

from slo_guard.clock import monotonic
from slo_guard.collect.sql_mark import Mark, OutOfRange
from slo_guard.collect.sql_session import SqlAnswer, SqlRow, SqlSession, no_column
from slo_guard.collect.sql_text import Sql
from slo_guard.errors import CollectionError

_ROWS_AT_ONCE: Final = 500
_LEAST_CONNECT_SECONDS: Final = 2
_TIMES: Final = ("date", "timestamp", "timestamptz", "interval")
_AS_TEXT: Final = ("json", "jsonb", "xml")
_WHOLE_NUMBERS: Final = frozenset({"int2", "int4", "int8", "oid"})
_NUMBERS: Final = frozenset({"numeric", "float4", "float8"})
_INSTANTS: Final = frozenset({"date", "timestamp", "timestamptz"})


def open_postgres(url: URL, ends: float) -> SqlSession:
    """Connect; what does not answer is given up at ``ends``, or after the two seconds that the driver takes at least.

    Raises ``CollectionError``.
    """
    _, arguments = PGDialect_psycopg().create_connect_args(url)  # type: ignore[no-untyped-call]
    arguments.setdefault("fallback_application_name", "slo_guard")
    arguments["connect_timeout"] = max(_LEAST_CONNECT_SECONDS, math.ceil(ends - monotonic()))
    arguments["prepare_threshold"] = None
    try:
        connection: psycopg.Connection[SqlRow] = psycopg.connect(**arguments)
    except psycopg.errors.ConnectionTimeout:
        raise CollectionError("timeout", "the database does not answer") from None
    except (psycopg.Error, OSError, ValueError, TypeError) as error:
        raise CollectionError("connect_failed", f"cannot connect: {_first_line(error)}") from None
    connection.read_only = True
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    for name in _TIMES:
        usual = connection.adapters.get_loader(connection.adapters.types[name].oid, psycopg.pq.Format.TEXT)
        assert usual is not None
        connection.adapters.register_loader(name, _forgiving(usual))
    for name in _AS_TEXT:
        connection.adapters.register_loader(name, TextLoader)
    try:
        return PostgresSession(connection, ends)
    except (psycopg.Error, OSError) as error:
        raise CollectionError("connect_failed", f"the connection was lost: {_first_line(error)}") from None


class PostgresSession:
    """Keeps :class:`SqlSession` over an open connection; each query within a savepoint of its own.

    Nothing is ever committed, so that what a read-only transaction lets through (large objects) is undone as well.
    """

    def __init__(self, connection: psycopg.Connection[SqlRow], ends: float) -> None:
        self._connection = connection
        self._ends = ends
        # A second handle to the same socket: shutting it down cannot hit a descriptor that was used again.
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        self._begun = False
        self._interrupted = False

    @contextmanager
    def answer(self, query: Sql, values: Mapping[str, Mark]) -> Iterator[SqlAnswer]:
        """Run a query; see the protocol."""
        with self._named_errors(), self._savepoint(), self._cursor(query, values) as cursor:
            yield SqlAnswer(tuple(each.name for each in cursor.description or ()), _rows(cursor))

    def lowest(self, query: Sql, column: str) -> Mark:
        """Return what lies below all values of the column's type, by default the empty text."""
        query = Sql(("SELECT * FROM (\n", *query.parts, "\n) AS slo_guard_rows LIMIT 0"))
        with self._named_errors(), self._savepoint(), self._cursor(query, {"since": None}) as cursor:
            types = {each.name: each.type_code for each in cursor.description or ()}
        if column not in types:
            raise no_column(column, tuple(types))
        found = self._connection.adapters.types.get(types[column])
        return _lowest_of("" if found is None else found.name)

    def interrupt(self) -> None:
        """Make whatever is waited for fail, also with a server that answers nothing more."""
        self._interrupted = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the transaction by ending the connection; idempotent."""
        with suppress(psycopg.Error, OSError):
            self._connection.close()
        self._socket.close()

    @contextmanager
    def _cursor(self, query: Sql, values: Mapping[str, Mark | None]) -> Iterator[ServerCursor[SqlRow]]:
        # With parameters, even none, the driver takes a single statement only; DECLARE takes only one that reads.
        text = query.render("%({})s".format, lambda part: part.replace("%", "%%"))
        with self._connection.cursor("slo_guard_rows") as cursor:
            cursor.execute(text, dict(values))
            yield cursor

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        self._connection.execute("SELECT set_config('statement_timeout', %s, true)", [self._milliseconds_left()])
        if not self._begun:
            # Times and intervals as the driver reads them, whatever the server is set to.
            self._connection.execute("SET LOCAL datestyle = 'ISO'")
            self._connection.execute("SET LOCAL intervalstyle = 'postgres'")
            self._begun = True
        self._connection.execute("SAVEPOINT slo_guard")
        try:
            yield
        finally:
            with suppress(psycopg.Error):
                self._connection.execute("ROLLBACK TO SAVEPOINT slo_guard")

    def _milliseconds_left(self) -> str:
        left = self._ends - monotonic()
        if left <= 0:
            raise CollectionError("timeout", "there was no time left for the query")
        return str(math.ceil(left * 1000))

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            if self._interrupted or (isinstance(error, psycopg.errors.QueryCanceled) and self._is_nearly_over()):
                raise CollectionError("timeout", "the query took too long") from None
            if self._connection.closed:
                raise CollectionError("connect_failed", f"the connection was lost: {_first_line(error)}") from None
            raise CollectionError("query_failed", f"the query fails: {_first_line(error)}") from None

    def _is_nearly_over(self) -> bool:
        return monotonic() >= self._ends - 0.1


def _rows(cursor: ServerCursor[SqlRow]) -> Iterator[SqlRow]:
    while True:
        try:
            rows = cursor.fetchmany(_ROWS_AT_ONCE)
        except (ValueError, ArithmeticError, RecursionError) as error:
            raise psycopg.DataError(f"a row cannot be read: {error}") from None
        if not rows:
            return
        yield from rows


def _lowest_of(type_name: str) -> Mark:
    if type_name in _WHOLE_NUMBERS:
        return -(2**63)
    if type_name in _NUMBERS:
        return -sys.float_info.max
    if type_name in _INSTANTS:
        return "-infinity"
    return str(UUID(int=0)) if type_name == "uuid" else ""


def _first_line(error: BaseException) -> str:
    """Return what the database said, without its details: they repeat values."""
    said: str | None = None
    if isinstance(error, psycopg.Error):
        said = error.diag.message_primary
    lines = (said or str(error)).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _forgiving(usual: type[AnyLoader]) -> type[Loader]:
    """Return a loader of times that gives those which Python cannot hold as texts: one must not end the query."""

    class ForgivingLoader(Loader):
        def __init__(self, oid: int, context: Any = None) -> None:
            super().__init__(oid, context)
            self._usual = usual(oid, context)

        def load(self, data: Buffer) -> Any:
            try:
                return self._usual.load(data)
            except (psycopg.DataError, NotImplementedError, ValueError, OverflowError):
                return OutOfRange(bytes(data).decode("utf-8", "replace"))

    return ForgivingLoader
