"""One indicator's part of the rows of files: which rows, their values, times and labels, and events that come again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from slo_guard.collect.event_memory import EventMemory
from slo_guard.collect.file_options import FileIndicator
from slo_guard.collect.file_records import Cells
from slo_guard.collect.matching import SeriesMatch, parse_where
from slo_guard.collect.row_times import parse_time
from slo_guard.collect.rows import RowTable, row_labels, row_value
from slo_guard.domain.readings import Reading
from slo_guard.domain.series import LabelSet, SeriesIndex

MOST_CELLS: Final = 2_000_000
MOST_INSTANTS: Final = 10_000
"""Series times instants, and instants, of one collection: each instant becomes a frame over all series."""

_REMEMBERED_ROWS: Final = 20_000
_FOR_EVER_SECONDS: Final = 1e10


class IndicatorRows:
    """Gathers one indicator's rows of one collection.

    ``appended``: the rows are new ones; else they are all there are, so that events among them come again each time.
    ``remembered`` is what :meth:`memory` gave after the last collection that was stored, ``previous`` its index.
    """

    def __init__(
        self,
        options: FileIndicator,
        collector: str,
        *,
        appended: bool,
        nested: bool,
        remembered: Mapping[str, Any] | None,
        previous: SeriesIndex | None,
    ) -> None:
        self.name = options.name
        self.columns = options.columns
        self.table = RowTable(options, collector, increment=appended)
        self.was_served = False
        self.lacks: str | None = None
        self._options = options
        self._appended = appended
        self._get: Callable[[Cells, str], object] = _field if nested else _cell
        self._previous = previous
        self._where = parse_where(options.where)
        self._matches = SeriesMatch(self._where)
        self._latest: dict[LabelSet, float] | None = None
        if appended and options.time is None:
            self._latest = {}
        self._memory: EventMemory | None = None
        if options.type == "event" and (options.id is not None or not appended):
            self._memory = EventMemory(_REMEMBERED_ROWS if appended else _FOR_EVER_SECONDS, remembered)
        self._arrivals = 0.0 if self._memory is None else self._memory.newest_at or 0.0
        self._alike: dict[tuple[LabelSet, float, float], int] = {}

    def lacking(self, header: Sequence[str]) -> str | None:
        """Return what a header lacks of what is needed, in words, or None."""
        for column in self.columns:
            if column not in header:
                there = ", ".join(repr(name[:40]) for name in header[:30]) + (", …" if len(header) > 30 else "")
                return f"the column {column!r} is not in the header; there are {there}"
            if header.count(column) > 1:
                return f"the column {column!r} is {header.count(column)} times in the header"
        return None

    def take(self, cells: Cells, place: Callable[[], str], now: float) -> None:
        """Take in a row if it is one of the indicator's; one that cannot be used is counted, with its place."""
        get = self._get
        if self._where:
            values = tuple((each.label, _text(get(cells, each.label))) for each in self._where)
            if not self._matches(values):
                return
        options = self._options
        try:
            value = 1.0 if options.value is None else self._number(cells, options.value)
            at = now if options.time is None else parse_time(get(cells, options.time.column), options.time)
            labels = row_labels({label: get(cells, column) for label, column in options.labels.items()})
            if self._memory is not None and not self._is_new(self._memory, cells, labels, value, at):
                return
        except (ValueError, OverflowError) as error:
            self.table.reject(place(), str(error))
            return
        if self._latest is not None:
            self._latest[labels] = value
        else:
            self.table.add(labels, value, at)

    @property
    def is_full(self) -> bool:
        """Whether more rows would make more frames than one collection should bring."""
        if self._options.type == "event":
            return False
        series = max(self.table.series, 0 if self._previous is None else len(self._previous))
        return self.table.instants > MOST_INSTANTS or self.table.instants * series > MOST_CELLS

    def readings(self, now: float) -> list[Reading]:
        """Return what was gathered; see :meth:`RowTable.readings`."""
        for labels, value in (self._latest or {}).items():
            self.table.add(labels, value, now)
        return self.table.readings(now, self._previous)

    def memory(self) -> Mapping[str, Any] | None:
        """Return what is to be remembered of the events, if anything."""
        return None if self._memory is None else self._memory.content()

    def _number(self, cells: Cells, column: str) -> float:
        given = self._get(cells, column)
        if given is None:
            raise ValueError(f"{column} is missing")
        value = row_value(given, is_bool=self.table.is_bool)
        if not np.isfinite(value * self._options.factor):
            raise ValueError(f"the value {value:g} is too large")
        return value

    def _is_new(self, memory: EventMemory, cells: Cells, labels: LabelSet, value: float, at: float) -> bool:
        """Whether an event was not taken before; raises ``ValueError`` for one that should not come again."""
        identity: str | None = None
        if self._options.id is not None:
            identity = _text(self._get(cells, self._options.id))
            if not identity:
                raise ValueError(f"{self._options.id} is empty; it should name the event")
        if self._appended:
            # Remembered by arrival: what a second file brings later is not late, however old its events are.
            self._arrivals += 1.0
            if not memory.take(EventMemory.mark(labels, value, at, identity), self._arrivals):
                raise ValueError(f"the event {str(identity)[:60]!r} comes again")
            return True
        if identity is None:
            # Events that are alike in all are separate ones: the second of them is the second in the next run too.
            alike = self._alike[labels, value, at] = self._alike.get((labels, value, at), 0) + 1
            identity = f"{labels!r} {value!r} {at!r} {alike}"
        return memory.take(EventMemory.mark(labels, value, at, identity), at) is True


def _cell(cells: Cells, column: str) -> object:
    return cells.get(column)


def _field(cells: Cells, name: str) -> object:
    """Return a field of a JSON object: ``a.b`` is the field of that name, else ``b`` within ``a``; None if lacking."""
    if name in cells or "." not in name:
        return cells.get(name)
    first, _, rest = name.partition(".")
    inner = cells.get(first)
    return _field(inner, rest) if isinstance(inner, dict) else None


def _text(value: object) -> str:
    """Return a value as ``where`` compares it."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}" if np.isfinite(value) else str(value)
        case int():
            return str(value)
    return ""
