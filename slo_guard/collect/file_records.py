"""From lines to rows: CSV with its header, also across lines within quotes, and JSON lines."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import orjson

from slo_guard.collect.file_lines import LONGEST_LINE, Line

_BOM: Final = "\ufeff"
_MOST_LINES: Final = 50
_MOST_BYTES: Final = 2**16

Cells = Mapping[str, object]
"""A row: what stands in which column, or in which field of a JSON object."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one or more ``lines`` hold: a row's ``cells``, or a ``problem``; neither for blank lines and headers."""

    lines: tuple[Line, ...]
    cells: Cells | None = None
    problem: str | None = None


class Records(Protocol):
    """Makes records of lines that come in order. What it still needs more lines for is not yet given back."""

    header: tuple[str, ...] | None

    def feed(self, line: Line) -> Iterator[Record]:
        """Take in a line; yields the records that are complete."""

    def finish(self) -> Iterator[Record]:
        """Yield what is left, as there are no more lines."""


class JsonRecords:
    """Records of JSON lines; they have no header."""

    header: tuple[str, ...] | None = None

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding

    def feed(self, line: Line) -> Iterator[Record]:
        """Take in a line; see the protocol."""
        if line.too_long:
            yield _too_long(line)
            return
        content = line.content.strip()
        if not content or line.is_rest:
            yield Record((line,))
            return
        try:
            text = content.decode(self._encoding)
            row = orjson.loads(text.removeprefix(_BOM) if line.number == 1 else text)
        except UnicodeDecodeError:
            yield Record((line,), problem=f"it is not {self._encoding} text")
        except orjson.JSONDecodeError as error:
            yield Record((line,), problem=f"it is not JSON: {error.msg}")
        else:
            if isinstance(row, dict):
                yield Record((line,), row)
            else:
                yield Record((line,), problem=f"it is a JSON {type(row).__name__}; each line holds one object, {{…}}")

    def finish(self) -> Iterator[Record]:
        """Yield nothing: each line is a record."""
        yield from ()


class CsvRecords:
    """Records of a CSV file.

    ``header``: the columns, None where the file's first row is to be the header; it is replaced when another one
    comes. ``is_header`` says whether a row's cells are a header. ``former``: the header of this file before it was
    cut short, after which the writer may go on without one.
    """

    def __init__(
        self,
        delimiter: str,
        encoding: str,
        header: tuple[str, ...] | None,
        is_header: Callable[[Sequence[str]], bool] = lambda _cells: False,
        former: tuple[str, ...] | None = None,
    ) -> None:
        self.header = header
        self._delimiter = delimiter
        self._encoding = encoding
        self._is_header = is_header
        self._former = former
        self._waiting: list[Line] = []
        self._text = ""

    def feed(self, line: Line) -> Iterator[Record]:
        """Take in a line; see the protocol."""
        lines = deque([line])
        while lines:
            record, again = self._next(lines.popleft())
            lines.extendleft(reversed(again))
            if record is not None:
                yield record

    def finish(self) -> Iterator[Record]:
        """Yield what is left: a quote that is not closed makes its first line wrong, not those behind it."""
        while self._waiting:
            first, *others = self._give_up()
            yield Record((first,), problem="a quote is not closed")
            for line in others:
                yield from self.feed(line)

    def _next(self, line: Line) -> tuple[Record | None, list[Line]]:
        """Return the record that ``line`` completes, if any, and the lines that are to be taken in anew."""
        if line.too_long or line.is_rest:
            if self._waiting:
                return self._unclosed(line)
            return (_too_long(line) if line.too_long else Record((line,))), []
        try:
            text = line.content.decode(self._encoding)
        except UnicodeDecodeError:
            if self._waiting:
                return self._unclosed(line)
            return Record((line,), problem=f"it is not {self._encoding} text"), []
        if line.number == 1:
            text = text.removeprefix(_BOM)
        if not self._waiting and not text.strip():
            return Record((line,)), []
        joined = f"{self._text}\n{text}" if self._waiting else text
        cells = None if self._waiting and '"' not in text else self._cells(joined)
        if cells is None:
            self._waiting.append(line)
            self._text = joined
            if len(self._waiting) > _MOST_LINES or len(joined) > _MOST_BYTES:
                first, *others = self._give_up()
                return Record((first,), problem="a quote is not closed"), others
            return None, []
        lines = (*self._give_up(), line)
        record = self._record(lines, cells)
        if record.problem is not None and len(lines) > 1:
            # The quote was a stray one: the lines that it swallowed are rows of their own.
            return Record(lines[:1], problem="a quote is not closed"), list(lines[1:])
        return record, []

    def _unclosed(self, line: Line) -> tuple[Record, list[Line]]:
        first, *others = self._give_up()
        return Record((first,), problem="a quote is not closed"), [*others, line]

    def _give_up(self) -> list[Line]:
        lines, self._waiting, self._text = self._waiting, [], ""
        return lines

    def _cells(self, text: str) -> list[str] | str | None:
        """Return a row's cells, a problem in words, or None where a quote is still open."""
        if '"' not in text:
            return text.split(self._delimiter)
        try:
            return next(csv.reader([text], delimiter=self._delimiter, strict=True))
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                return None
        try:
            return next(csv.reader([text], delimiter=self._delimiter))
        except csv.Error as error:
            return f"it is not CSV: {error}"

    def _record(self, lines: tuple[Line, ...], cells: list[str] | str) -> Record:
        if isinstance(cells, str):
            return Record(lines, problem=cells)
        if self.header is None:
            if self._former is None or not self._goes_on_without(cells, self._former):
                self.header = tuple(cell.strip() for cell in cells)
                return Record(lines)
            self.header = self._former
        if cells[0].strip() == self.header[0] or self._is_header(cells):
            names = tuple(cell.strip() for cell in cells)
            if names == self.header or self._is_header(names):
                self.header = names
                return Record(lines)
        if len(cells) != len(self.header):
            return Record(lines, problem=f"it has {len(cells)} cells, the header has {len(self.header)}")
        return Record(lines, dict(zip(self.header, cells, strict=True)))

    def _goes_on_without(self, cells: list[str], former: tuple[str, ...]) -> bool:
        return len(cells) == len(former) and not {cell.strip() for cell in cells} & {name for name in former if name}


def _too_long(line: Line) -> Record:
    return Record((line,), problem=f"it is longer than {LONGEST_LINE // 2**20} MiB")
