"""One indicator's query: the whole present state, or what is new since the last collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from slo_guard.clock import monotonic
from slo_guard.collect.rows import RowTable
from slo_guard.collect.sql_mark import Mark, MarkKind, as_mark, is_future, kind_of, shown_mark
from slo_guard.collect.sql_options import Incremental, SqlIndicator, SqlOptions
from slo_guard.collect.sql_progress import MarkedRows, Progress, row_digest
from slo_guard.collect.sql_rows import RowLayout, plain_row
from slo_guard.collect.sql_session import SqlAnswer, SqlSession
from slo_guard.collect.sql_text import SINCE, Bind, Sql, parse_query
from slo_guard.domain.readings import CollectionFailure, Observation
from slo_guard.domain.series import LabelSet, SeriesIndex
from slo_guard.errors import CollectionError

_ROWS_BETWEEN_LOOKS: Final = 256


@dataclass(frozen=True, slots=True)
class _Sample:
    """A row that can be used."""

    labels: LabelSet
    value: float
    at: float


@dataclass(frozen=True, slots=True)
class _Rejected:
    """A row that cannot, with its place and the reason."""

    place: str
    problem: str


_Item: TypeAlias = _Sample | _Rejected


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What a run brought for one indicator, how far its table is read now, and the index to use again.

    ``was_late``: the time was over before all was read.
    """

    observations: tuple[Observation, ...]
    progress: Progress | None = None
    index: SeriesIndex | None = None
    was_late: bool = False


class Query:
    """One indicator's query. A run changes nothing here: it may still go on after it was given up."""

    def __init__(self, indicator: SqlIndicator, options: SqlOptions) -> None:
        self.name = indicator.name
        self.index: SeriesIndex | None = None
        self.was_late = False
        self._indicator = indicator
        self._collector = options.name
        self._most = options.max_rows
        self._query = parse_query(indicator.query)

    def run(self, session: SqlSession, now: float, progress: Progress | None, ends: float) -> Part:
        """Return what there is, or what is new. Raises ``CollectionError``."""
        incremental = self._indicator.incremental
        table = RowTable(self._indicator, self._collector, increment=incremental is not None)
        was_late = False
        if incremental is None:
            progress = None
            self._read_all(session, table, now, ends)
        else:
            # A mark of another column says nothing about this one.
            known = progress is not None and progress.column == incremental.column
            before = progress if progress is not None and known else Progress(incremental.column)
            progress, was_late = self._read_new(session, incremental, before, table, now, ends)
        readings = tuple(table.readings(now, self.index))
        return Part(readings, progress, table.index, was_late)

    def failed(self, now: float, reason: str, message: str) -> Part:
        """Return a run that brought nothing; what was read before stays read."""
        return Part((CollectionFailure(self._collector, (self.name,), now, reason, message),))

    def _read_all(self, session: SqlSession, table: RowTable, now: float, ends: float) -> None:
        with session.answer(self._query, {}) as answer:
            layout = RowLayout(answer.columns, self._indicator)
            for number, row in enumerate(answer.rows, 1):
                if number > self._most:
                    raise CollectionError(
                        "too_many_rows",
                        f"the query gives more than {self._most:,} rows; let it group them, or raise max_rows",
                    )
                if number % _ROWS_BETWEEN_LOOKS == 0 and monotonic() >= ends:
                    raise CollectionError("timeout", f"the rows took too long; {number:,} had come")
                _add(table, _item(layout, row, number, now))

    def _read_new(
        self,
        session: SqlSession,
        incremental: Incremental,
        before: Progress,
        table: RowTable,
        now: float,
        ends: float,
    ) -> tuple[Progress, bool]:
        rows: MarkedRows[_Item] = MarkedRows(
            before,
            self._most,
            lambda item: _add(table, item),
            overlap=incremental.overlap,
            start=incremental.start,
        )
        since = before.since if before.since is not None else incremental.start
        if since is None:
            since = session.lowest(self._query, incremental.column)
        query, values = marked_query(self._query, incremental, before)
        was_late = False
        try:
            with session.answer(query, {SINCE: since, **values}) as answer:
                self._take_marked(answer, rows, before, table, now, ends)
        except CollectionError as error:
            if error.reason == "query_failed":
                self._check_columns(session, since)
            was_late = error.reason == "timeout" and rows.stop_early()
            if not was_late:
                raise
        try:
            return rows.progress(self._indicator.time.epoch), was_late
        except ValueError as error:
            raise CollectionError("wrong_overlap", f"{incremental.column}: {error}") from None

    def _take_marked(
        self,
        answer: SqlAnswer,
        rows: MarkedRows[_Item],
        before: Progress,
        table: RowTable,
        now: float,
        ends: float,
    ) -> None:
        layout = RowLayout(answer.columns, self._indicator)
        assert layout.mark is not None
        kind = None if before.mark is None else kind_of(before.mark)
        for number, row in enumerate(answer.rows, 1):
            if number % _ROWS_BETWEEN_LOOKS == 0 and monotonic() >= ends:
                raise CollectionError("timeout", f"the rows took too long; {number:,} had come")
            try:
                mark = self._mark(row[layout.mark], kind, now, is_time=layout.mark == layout.at)
                identity = None if layout.identity is None else as_mark(row[layout.identity])
            except ValueError as error:
                table.reject(f"query row {number}", str(error))
                continue
            kind = kind or kind_of(mark)
            digest = row_digest(plain_row(row) if identity is None else identity)
            item = _item(layout, row, number, now)
            if identity is not None and rows.is_twice(digest, mark):
                item = _Rejected(f"query row {number}", f"the id {shown_mark(identity)} comes twice")
            if not rows.offer(mark, digest, item, identity):
                return

    def _mark(self, value: object, kind: MarkKind | None, now: float, *, is_time: bool) -> Mark:
        incremental = self._indicator.incremental
        assert incremental is not None
        try:
            mark = as_mark(value)
        except ValueError as error:
            raise ValueError(f"{incremental.column} {error}") from None
        found = kind_of(mark)
        if kind is not None and found is not kind and (kind, found) != (MarkKind.TEXT, MarkKind.TIME_TEXT):
            raise ValueError(f"{incremental.column} is {found.value}, those before were {kind}")
        if is_future(mark, now, self._indicator.time, is_time=is_time):
            raise ValueError(f"{incremental.column} {shown_mark(mark)} is in the future")
        return mark

    def _check_columns(self, session: SqlSession, since: Mark) -> None:
        """Say which columns came where one is missing: the database names only that one."""
        try:
            with session.answer(first_rows(self._query, 0), {SINCE: since}) as answer:
                columns = answer.columns
        except CollectionError:
            return
        RowLayout(columns, self._indicator)


def marked_query(query: Sql, incremental: Incremental, before: Progress) -> tuple[Sql, Mapping[str, Mark]]:
    """Return a query whose rows come in the order of their marks, and the values that it needs beside ``:since``.

    The database compares: texts in its own collation. Rows without a mark come too, so that they can be counted.
    """
    mark = f"slo_guard_rows.{_quoted(incremental.column)}"
    parts: list[str | Bind] = ["SELECT * FROM (\n", *query.parts, f"\n) AS slo_guard_rows\nWHERE ({mark} IS NULL"]
    parts += [f" OR {mark} >= ", Bind(SINCE), ")"]
    values: dict[str, Mark] = {}
    order = mark
    if incremental.id is not None:
        identity = f"slo_guard_rows.{_quoted(incremental.id)}"
        order += f", {identity}"
        for number, pair in enumerate(before.passed):
            names = (f"slo_guard_mark{number}", f"slo_guard_id{number}")
            values |= dict(zip(names, pair, strict=True))
            parts += [f" AND ({mark} IS NULL OR {identity} IS NULL OR {mark} <> ", Bind(names[0])]
            parts += [f" OR {identity} > ", Bind(names[1]), ")"]
    return Sql((*parts, f"\nORDER BY {order}")), values


def first_rows(query: Sql, count: int) -> Sql:
    """Return a query for the first rows of another."""
    return Sql(("SELECT * FROM (\n", *query.parts, f"\n) AS slo_guard_rows LIMIT {count}"))


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _item(layout: RowLayout, row: tuple[object, ...], number: int, now: float) -> _Item:
    try:
        return _Sample(*layout.parse(row, now))
    except ValueError as error:
        return _Rejected(f"query row {number}", str(error))


def _add(table: RowTable, item: _Item) -> None:
    if isinstance(item, _Sample):
        table.add(item.labels, item.value, item.at)
    else:
        table.reject(item.place, item.problem)
