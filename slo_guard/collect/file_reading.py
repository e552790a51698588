"""Reads files into the rows of indicators, within the bounds of one collection."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from slo_guard.clock import monotonic
from slo_guard.collect.file_cursor import FileEntry
from slo_guard.collect.file_lines import Line, LineReader, Trail
from slo_guard.collect.file_options import FileOptions
from slo_guard.collect.file_places import FoundFile, continues, opened, shown
from slo_guard.collect.file_records import CsvRecords, JsonRecords, Record, Records
from slo_guard.collect.file_rotation import Work
from slo_guard.collect.file_rows import IndicatorRows
from slo_guard.collect.frames import Rejections
from slo_guard.errors import CollectionError

_LINES_BETWEEN_CHECKS: Final = 256


class ChangedWhileReadError(CollectionError):
    """A file that should be read whole was written to meanwhile: read it again."""


class FileReading:
    """One collection's reading: what it may still read, and what was wrong with lines that are nobody's rows.

    ``ends``: when to stop, on the clock of :func:`slo_guard.clock.monotonic`; something is read all the same.
    """

    def __init__(self, options: FileOptions, rows: Sequence[IndicatorRows], now: float, ends: float) -> None:
        self.wrong = Rejections()
        self.rows_read = 0
        self.problems: list[str] = []
        self._options = options
        self._rows = rows
        self._now = now
        self._ends = ends
        self._bytes_read = 0
        self._full = False
        self._in_order = any(each.time is None for each in options.indicators)

    def read_appended(self, works: Sequence[Work]) -> list[FileEntry]:
        """Read on in files, oldest first; returns how far each was read.

        Where there is more than may be read, each file has its share, unless the order of all rows matters.
        """
        entries = [work.entry for work in works]
        pending = list(range(len(works)))
        while pending and self._may_go_on():
            left = self._options.max_rows - self.rows_read
            share = left if self._in_order else max(1, left // len(pending))
            unfinished: list[int] = []
            for number in pending:
                if not self._may_go_on():
                    break
                most = min(share, self._options.max_rows - self.rows_read)
                entries[number], more = self._read_on(replace(works[number], entry=entries[number]), most)
                unfinished += [number] * more
            pending = unfinished
        return entries

    def read_whole(self, file: FoundFile) -> None:
        """Read a file that is the present state.

        Raises ``CollectionError``: what is read of it then says nothing; ``ChangedWhileReadError`` to read it again.
        """
        name = shown(file.path)
        rows_before, wrong_before = self.rows_read, self.wrong.count
        part = _Part(self, file.path, FileEntry(file.path, *file.identity), Trail())
        try:
            with opened(file) as descriptor:
                status = os.fstat(descriptor)
                # One more than may be: only then is it known to be too large.
                most_rows = self._options.max_rows - self.rows_read + 1
                more = part.read(descriptor, most_rows, self._options.max_bytes - self._bytes_read + 1, whole=True)
                after = os.fstat(descriptor)
        except FileNotFoundError:
            raise ChangedWhileReadError("changing", f"{name} was replaced while it was read") from None
        except OSError as error:
            raise CollectionError("unreadable", f"{name} cannot be read: {error.strerror}") from None
        if (status.st_size, status.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise ChangedWhileReadError(
                "changing", f"{name} is written to while it is read; have it replaced by a rename, or read it appended"
            )
        if more and monotonic() >= self._ends:
            raise CollectionError("timeout", f"{name} could not be read within {self._options.timeout:g}s")
        if more and self._full:
            raise CollectionError("too_large", f"{name} holds samples of too many times; read it appended")
        if more:
            raise CollectionError(
                "too_large", f"{name} holds more than max_rows or max_bytes allow; raise them, or read it appended"
            )
        if self._options.is_csv and part.header is None:
            raise CollectionError("empty", f"{name} is empty; it should begin with a header")
        rows = self.rows_read - rows_before
        if rows and self.wrong.count - wrong_before == rows:
            raise CollectionError("wrong_shape", f"no row of {name} can be read: {self.wrong.example}")

    def _read_on(self, work: Work, most_rows: int) -> tuple[FileEntry, bool]:
        """Read on in a file; returns how far, and whether there is more for this collection to read."""
        try:
            with opened(work.file) as descriptor:
                trail = continues(descriptor, work.entry)
                if trail is None:
                    # Cut since it was looked at: the next collection finds what became of it.
                    return work.entry, False
                part = _Part(self, work.file.path, work.entry, trail)
                most_bytes = self._options.max_bytes - self._bytes_read
                more = part.read(descriptor, most_rows, most_bytes, whole=False)
                return part.entry(os.fstat(descriptor).st_size), more
        except FileNotFoundError:
            return work.entry, False
        except OSError as error:
            self.problems.append(f"{shown(work.file.path)} cannot be read: {error.strerror}")
            return work.entry, False

    def records(self, entry: FileEntry) -> Records:
        """Return what makes records of a file's lines."""
        options = self._options
        if not options.is_csv:
            return JsonRecords(options.encoding)
        if options.columns is not None:
            return CsvRecords(options.delimiter, options.encoding, tuple(options.columns))
        return CsvRecords(options.delimiter, options.encoding, entry.header, self._is_header, entry.former)

    def serve(self, path: str, line: int, header: tuple[str, ...] | None) -> dict[str, str] | None:
        """Return what each indicator lacks in a header, by its name; None where no indicator finds its columns."""
        lacking: dict[str, str] = {}
        for each in self._rows:
            lacks = None if header is None else each.lacking(header)
            if lacks is None:
                each.was_served = True
            else:
                lacking[each.name] = lacks
                each.lacks = each.lacks or f"{_place(path, line)}: {lacks}"
        if len(lacking) < len(self._rows):
            return lacking
        self.wrong.add(1, f"{_place(path, line)}: no row is read; {next(iter(lacking.values()))}")
        return None

    def take(self, path: str, record: Record, lacking: dict[str, str]) -> None:
        """Give a row to each indicator, or count what is wrong with it."""
        self.rows_read += 1
        place = partial(_place, path, record.lines[0].number)
        if record.cells is None:
            self.wrong.add(1, f"{place()}: {record.problem}")
            return
        for each in self._rows:
            if each.name in lacking:
                each.table.reject(place(), lacking[each.name])
            else:
                each.take(record.cells, place, self._now)

    def count_bytes(self, count: int) -> None:
        """Count what was read of a file."""
        self._bytes_read += count

    def must_stop(self) -> bool:
        """Whether time is up, or the rows are as many as fit in the frames of one collection."""
        self._full = self._full or monotonic() >= self._ends or any(each.is_full for each in self._rows)
        return self._full

    def _may_go_on(self) -> bool:
        left = self.rows_read < self._options.max_rows and self._bytes_read < self._options.max_bytes
        return left and not self._full

    def _is_header(self, cells: Sequence[str]) -> bool:
        return any(all(column in cells for column in each.columns) for each in self._rows)


class _Part:
    """The part of one file that a collection reads."""

    def __init__(self, reading: FileReading, path: str, entry: FileEntry, trail: Trail) -> None:
        self.header = entry.header
        self._reading = reading
        self._path = path
        self._entry = entry
        self._trail = trail
        self._records = reading.records(entry)
        self._lacking: dict[str, str] | None = {}
        self._rows = entry.rows
        self._last: Line | None = None

    def read(self, descriptor: int, most_rows: int, most_bytes: int, *, whole: bool) -> bool:
        """Read complete rows; returns whether it stopped before the end.

        ``whole``: the last row needs no line end. A header in which no indicator finds its columns, and what stands
        below it, is left unread: it can be read when the config, or the file, is mended. Raises OSError.
        """
        reading, entry = self._reading, self._entry
        self.header = self._records.header
        if self.header is not None or isinstance(self._records, JsonRecords):
            self._lacking = reading.serve(self._path, 0, self.header)
        lines = LineReader(descriptor, entry.offset, entry.line, skips=entry.skips)
        ends_at = reading.rows_read + most_rows
        try:
            for count, line in enumerate(lines.lines(most_bytes) if self._lacking is not None else (), 1):
                for record in self._records.feed(line):
                    if not self._consume(record):
                        return False
                    if reading.rows_read >= ends_at:
                        return True
                if count % _LINES_BETWEEN_CHECKS == 0 and reading.must_stop():
                    return True
        finally:
            reading.count_bytes(lines.bytes_read)
        if whole and self._lacking is not None and lines.bytes_read < most_bytes:
            last = lines.last_line()
            left = [*(self._records.feed(last) if last is not None else ()), *self._records.finish()]
            all(self._consume(record) for record in left)
        return lines.bytes_read >= most_bytes

    def entry(self, size: int) -> FileEntry:
        """Return how far a file of ``size`` bytes was read."""
        last = self._last
        if last is None:
            return replace(self._entry, unread=max(0, size - self._entry.offset))
        return replace(
            self._entry,
            offset=last.end,
            mark=self._trail.mark,
            line=last.lines_ended,
            rows=self._rows,
            header=self.header,
            former=None if self.header is not None else self._entry.former,
            unread=max(0, size - last.end),
            skips=last.goes_on,
        )

    def _consume(self, record: Record) -> bool:
        """Take in a record; returns whether to go on."""
        if self._records.header != self.header:
            self._lacking = self._reading.serve(self._path, record.lines[0].number, self._records.header)
            if self._lacking is None:
                return False
            self.header = self._records.header
        for line in record.lines:
            self._trail.add(line.raw)
        self._last = record.lines[-1]
        if record.cells is not None or record.problem is not None:
            self._rows = True
            self._reading.take(self._path, record, self._lacking or {})
        return True


def _place(path: str, line: int) -> str:
    name = shown(Path(path).name)
    return f"{name}:{line}" if line else name
