"""The rows of a samples file, CSV or JSON lines, read into columns; what does not parse is named by its line."""

from __future__ import annotations

import csv
import difflib
import json
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, TextIO

import orjson

from slo_guard.domain.readings import IndicatorSpec, IndicatorType
from slo_guard.domain.series import LabelSet
from slo_guard.errors import SamplesError, UnitError
from slo_guard.replay.instants import parse_instant, unix_seconds
from slo_guard.units import parse_quantity

NAMED_FAULTS = 10
"""How many faulty rows an error names; the rest are counted."""

_FIELDS = ("timestamp", "indicator", "value")
_HEADER = "timestamp,indicator,value[,label…]"
_NON_FINITE = {"nan", "inf", "infinity"}
_STAMPS_KEPT = 100_000


class SampleColumns:
    """A samples file as columns of equal length, in file order.

    ``at``: Unix seconds; ``value``: base units, NaN and Inf still among them; ``series``: positions in
    ``names``, which holds (indicator, labels); ``line``: where in the file. ``ignored`` counts the rows of
    indicators that nobody asked for.
    """

    def __init__(self, wanted: Mapping[str, IndicatorSpec]) -> None:
        self.wanted = wanted
        self.at = array("d")
        self.value = array("d")
        self.series = array("q")
        self.line = array("q")
        self.names: list[tuple[str, LabelSet]] = []
        self.ignored: Counter[str] = Counter()
        self.faults: list[str] = []
        self.fault_count = 0
        self._numbers: dict[tuple[str, LabelSet], int] = {}

    def number(self, indicator: str, labels: LabelSet) -> int | None:
        """Return the series' position in ``names``, a new one if need be; None for an indicator that nobody reads."""
        if indicator not in self.wanted:
            return None
        key = (indicator, labels)
        found = self._numbers.get(key)
        if found is None:
            if self.wanted[indicator].type is IndicatorType.HISTOGRAM:
                _check_bucket(labels)
            found = self._numbers[key] = len(self.names)
            self.names.append(key)
        return found

    def add(self, at: float, series: int, value: float, line: int) -> None:
        """Append one row."""
        self.at.append(at)
        self.series.append(series)
        self.value.append(value)
        self.line.append(line)

    def fault(self, file: str, line: int, what: str) -> None:
        """Note a row that cannot be used."""
        self.fault_count += 1
        if len(self.faults) < NAMED_FAULTS:
            self.faults.append(f"{file}:{line}: {what}")

    def raise_faults(self) -> None:
        """Raise ``SamplesError`` naming the faulty rows, if there are any."""
        if not self.fault_count:
            return
        more = self.fault_count - len(self.faults)
        raise SamplesError("\n".join([*self.faults, *([f"and {more:,} more rows like these"] if more else [])]))


def read_rows(file: TextIO, name: str, wanted: Mapping[str, IndicatorSpec]) -> SampleColumns:
    """Read a whole samples file, CSV or JSON lines by its first character; raises ``SamplesError``."""
    columns = SampleColumns(wanted)
    start = file.read(4096)
    file.seek(0)
    if not start.strip():
        raise SamplesError(f"{name}: is empty; the first line of a CSV file is {_HEADER}")
    if start.lstrip("\ufeff \t\r\n").startswith("{"):
        _read_json_lines(file, name, columns)
    else:
        _read_csv(file, name, columns)
    columns.raise_faults()
    return columns


def _read_csv(file: TextIO, name: str, columns: SampleColumns) -> None:
    reader = csv.reader(file, strict=True)
    try:
        header = [cell.strip() for cell in next((row for row in reader if row), [])]
        labels = _label_columns(header, f"{name}:{reader.line_num}")
        _read_csv_rows(reader, name, columns, header, labels)
    except csv.Error as error:
        columns.fault(name, reader.line_num, f"is not CSV: {error}")


def _read_csv_rows(
    reader: Any, name: str, columns: SampleColumns, header: Sequence[str], labels: Sequence[tuple[int, str]]
) -> None:
    width = len(header)
    at_cell, indicator_cell, value_cell = (header.index(field) for field in _FIELDS)
    series_key = itemgetter(indicator_cell, *(cell for cell, _ in labels)) if labels else itemgetter(indicator_cell)
    # A file repeats its instants and its label sets over and over: each spelling is parsed once.
    stamps: dict[str, float] = {}
    series: dict[Any, int | None] = {}
    for row in reader:
        if len(row) != width:
            if row:
                columns.fault(
                    name, reader.line_num, f"has {len(row)} cells, the header {width}; leave a cell of no label empty"
                )
            continue
        try:
            key = series_key(row)
            if key in series:
                number = series[key]
            else:
                present = sorted((label, row[cell].strip()) for cell, label in labels if row[cell].strip())
                number = series[key] = columns.number(row[indicator_cell].strip(), tuple(present))
            if number is None:
                columns.ignored[row[indicator_cell].strip()] += 1
                continue
            stamp = row[at_cell]
            at = stamps.get(stamp)
            if at is None:
                if len(stamps) >= _STAMPS_KEPT:
                    stamps.clear()
                at = stamps[stamp] = parse_instant(stamp)
            text = row[value_cell]
            try:
                value = float(text)
            except ValueError:
                value = _odd_value(text, columns.wanted[columns.names[number][0]])
            if "_" in text:
                raise ValueError(f"value {text!r} is not a number; write it without underscores")  # noqa: TRY301 - a fault of the row like the others
        except ValueError as error:
            columns.fault(name, reader.line_num, str(error))
        else:
            columns.add(at, number, value, reader.line_num)


def _label_columns(header: Sequence[str], place: str) -> list[tuple[int, str]]:
    """Return (cell, label) of the header's label columns; raises ``SamplesError`` for a header that is none."""
    missing = [field for field in _FIELDS if field not in header]
    if missing:
        semicolons = "; separate the cells with commas" if len(header) == 1 and ";" in header[0] else ""
        raise SamplesError(f"{place}: the header lacks {', '.join(missing)}; write {_HEADER}{semicolons}")
    labels = [(cell, label) for cell, label in enumerate(header) if label not in _FIELDS]
    if len(set(header)) != len(header) or any(not label for _, label in labels):
        raise SamplesError(f"{place}: a column has no name or occurs twice; write {_HEADER}, each name once")
    return labels


def _read_json_lines(file: TextIO, name: str, columns: SampleColumns) -> None:
    for line, text in enumerate(file, start=1):
        if not text.strip():
            continue
        try:
            indicator, labels, stamp, written = _json_row(text.lstrip("\ufeff"))
            number = columns.number(indicator, labels)
            if number is None:
                columns.ignored[indicator] += 1
                continue
            at = parse_instant(stamp) if isinstance(stamp, str) else unix_seconds(stamp, json.dumps(stamp))
            if isinstance(written, str):
                value = _odd_value(written, columns.wanted[indicator])
            elif isinstance(written, bool):
                value = _odd_value(str(written), columns.wanted[indicator])
            else:
                value = float(written)
            columns.add(at, number, value, line)
        except ValueError as error:
            columns.fault(name, line, str(error))
        except OverflowError:
            columns.fault(name, line, "has a number beyond all bounds")


def _json_row(text: str) -> tuple[str, LabelSet, str | float, str | float | bool]:
    try:
        row = orjson.loads(text)
    except orjson.JSONDecodeError:
        row = _lenient_json(text)
    if not isinstance(row, dict):
        raise ValueError('is not an object; write {"timestamp", "indicator", "value", "labels"}')  # noqa: TRY004 - a fault of the row like the others
    for field in _FIELDS:
        if field not in row:
            raise ValueError(f'lacks "{field}"; write {{"timestamp", "indicator", "value", "labels"}}')
    for field in row:
        if field not in {*_FIELDS, "labels"}:
            near = difflib.get_close_matches(field, [*_FIELDS, "labels"], 1)
            raise ValueError(f'has the unknown field "{field}"; ' + (f'write "{near[0]}"' if near else "leave it out"))
    labels = row.get("labels") or {}
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise ValueError('"labels" maps names to strings; write {"system": "fs"}')
    if not isinstance(row["indicator"], str):
        raise ValueError('"indicator" is a name; write it as a string')  # noqa: TRY004 - a fault of the row like the others
    stamp, value = row["timestamp"], row["value"]
    if isinstance(stamp, bool) or not isinstance(stamp, str | int | float):
        raise ValueError('"timestamp" is 2026-07-06T10:00:00Z or Unix seconds')  # noqa: TRY004 - a fault of the row like the others
    if not isinstance(value, str | int | float | bool):
        raise ValueError(f'"value" is {json.dumps(value)}; write a number, true or false')  # noqa: TRY004 - a fault of the row like the others
    return row["indicator"], tuple(sorted((k, v) for k, v in labels.items() if v)), stamp, value


def _lenient_json(text: str) -> Any:
    """Parse what the fast parser refuses: NaN and Infinity as Python and JavaScript tools write them."""
    try:
        row = json.loads(text)
        json.dumps(row, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg}; write one object a line") from None
    except (UnicodeEncodeError, RecursionError):
        raise ValueError("is not JSON that can be used: half a character, or too deeply nested") from None
    return row


def _odd_value(text: str, spec: IndicatorSpec) -> float:
    """Return a value that is not written as a plain number; raises ``ValueError`` with what to write instead."""
    word = text.strip().lower()
    if word in {"true", "false"}:
        if spec.type is IndicatorType.BOOL:
            return float(word == "true")
        raise ValueError(f"value {text!r} is not a number, and {spec.name} is a {spec.type.value}")
    if word.lstrip("+-") in _NON_FINITE:
        return float("nan")
    if not word:
        raise ValueError("the value is empty; write a number, or leave the row out")
    try:
        quantity = parse_quantity(text.strip())
    except UnitError:
        raise ValueError(f"value {text!r} is not a number") from None
    raise ValueError(f"value {text!r} is not a plain number; write it in base units, here {quantity.value:g}")


def _check_bucket(labels: LabelSet) -> None:
    bound = dict(labels).get("le")
    if bound is None:
        raise ValueError("a bucket of a histogram has no upper bound; write it as the label le")
    try:
        number = float(bound)
    except ValueError:
        number = float("nan")
    if number != number or number == float("-inf"):  # noqa: PLR0124 - NaN is the one number that differs from itself
        raise ValueError(f"the bucket bound le={bound!r} is not a number; write one such as 0.5 or +Inf")
