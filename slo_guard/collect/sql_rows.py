"""What the columns of a query are: value, time, mark, identity and labels, of whatever type a driver gives them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Final
from uuid import UUID

from slo_guard.collect.future import TOLERANCE_SECONDS
from slo_guard.collect.row_times import parse_time
from slo_guard.collect.rows import row_labels, row_value
from slo_guard.collect.sql_options import VALUE, SqlIndicator
from slo_guard.collect.sql_session import no_column
from slo_guard.domain.series import LabelSet
from slo_guard.errors import CollectionError
from slo_guard.units import PLAIN, SECONDS, source_unit

_LABEL_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LABELS_HELD: Final = 10_000
_AS_WRITTEN: Final = (UUID, IPv4Address, IPv6Address, IPv4Interface, IPv6Interface)


class RowLayout:
    """Where the columns of a query's answer stand; raises ``CollectionError`` that names those which came."""

    def __init__(self, columns: tuple[str, ...], indicator: SqlIndicator) -> None:
        self._columns = columns
        self._indicator = indicator
        self._base_unit, self._factor = source_unit(indicator.unit)
        incremental = indicator.incremental
        time = indicator.time.column
        needs_time = incremental is not None or "column" in indicator.time.model_fields_set
        counts = indicator.type == "event" and self._base_unit == PLAIN
        self.value = self._place(VALUE, needed=not counts)
        self.at = self._place(time, needed=needs_time)
        self.mark = None if incremental is None else self._place(incremental.column)
        self.identity = None if incremental is None or incremental.id is None else self._place(incremental.id)
        others = {place for place in (self.value, self.at, self.mark, self.identity) if place is not None}
        if indicator.labels is None:
            self._labels = [(name, place) for place, name in enumerate(columns) if place not in others]
        else:
            self._labels = [(name, self._place(name) or 0) for name in indicator.labels]
        for name, _ in self._labels:
            self._check_label(name)
        self._found: dict[tuple[object, ...], LabelSet] = {}

    def _place(self, name: str, *, needed: bool = True) -> int | None:
        count = self._columns.count(name)
        if count > 1:
            raise CollectionError("wrong_columns", f"the query has the column {name} {count} times; name each with AS")
        if count:
            return self._columns.index(name)
        if not needed:
            return None
        raise no_column(name, self._columns)

    def _check_label(self, name: str) -> None:
        if not _LABEL_NAME.fullmatch(name):
            raise CollectionError(
                "wrong_columns",
                f"the column {name[:60]!r} cannot be a label; name it with AS, or write labels: [NAMES]",
            )
        if self._columns.count(name) > 1:
            raise CollectionError("wrong_columns", f"the query has the column {name} several times; name each with AS")

    def parse(self, row: Sequence[object], now: float) -> tuple[LabelSet, float, float]:
        """Return a row's labels, value and time; raises ``ValueError`` that says which of them is wrong."""
        value = 1.0 if self.value is None else self._value(row[self.value])
        if not math.isfinite(value * self._factor):
            raise ValueError(f"the value is {value:g}, which is too large")
        return self._label_set(row), value, now if self.at is None else self._time(row[self.at], now)

    def _label_set(self, row: Sequence[object]) -> LabelSet:
        values = tuple(row[place] for _, place in self._labels)
        # 1, 1.0 and true are equal, but not as labels.
        alike = all(value is None or type(value) is str for value in values)
        found = self._found.get(values) if alike else None
        if found is None:
            names = (name for name, _ in self._labels)
            found = row_labels(dict(zip(names, map(_label, values), strict=True)))
            if alike and len(self._found) < _LABELS_HELD:
                self._found[values] = found
        return found

    def _value(self, value: object) -> float:
        if isinstance(value, timedelta):
            if self._base_unit == SECONDS:
                return value.total_seconds() / self._factor
            if self._base_unit == PLAIN:
                return value.total_seconds()
            raise ValueError(f"the value is an interval, but the unit is {self._indicator.unit}")
        if isinstance(value, bytes | bytearray | memoryview):
            raise ValueError(f"the value is a {type(value).__name__}, not a number")  # noqa: TRY004 - a row's fault
        return row_value(value, is_bool=self._indicator.type == "bool")

    def _time(self, value: object, now: float) -> float:
        if isinstance(value, Decimal):
            value = float(value)
        try:
            at = parse_time(value, self._indicator.time)
        except OverflowError:
            raise ValueError(f"{str(value)[:40]!r} is not a time between 1970 and 9999") from None
        if at > now + TOLERANCE_SECONDS:
            raise ValueError(f"the time {str(value)[:40]} is in the future")
        return at


def _label(value: object) -> object:
    """Return a label in the type that :func:`row_labels` takes, where there is one."""
    match value:
        case Decimal() if value.is_finite():
            return f"{value.normalize():f}" if abs(value.adjusted()) < 40 else f"{value}"
        case datetime():
            return (value if value.tzinfo is None else value.astimezone(UTC)).isoformat()
        case date():
            return value.isoformat()
        case _ if isinstance(value, _AS_WRITTEN):
            return str(value)
    return value


def plain_row(row: Sequence[object]) -> tuple[object, ...]:
    """Return a row that is written the same whenever the same row comes again."""
    return tuple(map(_plain, row))


def _plain(value: object) -> object:
    match value:
        case memoryview():
            return bytes(value)
        case datetime() if value.tzinfo is not None:
            return value.astimezone(UTC)
    return value
