"""The ``file`` collector: rows of CSV files and JSON lines, as they grow and are rotated, or as they are now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Thread
from typing import Final

from slo_guard.clock import monotonic
from slo_guard.collect.file_cursor import FileCursor, FileEntry, decode_cursor
from slo_guard.collect.file_options import FileOptions
from slo_guard.collect.file_places import Listing, list_files, shown, shown_pattern
from slo_guard.collect.file_reading import ChangedWhileReadError, FileReading
from slo_guard.collect.file_rotation import remembered, survey
from slo_guard.collect.file_rows import IndicatorRows
from slo_guard.domain.readings import Collection, CollectionFailure, IndicatorSpec, Observation
from slo_guard.domain.series import SeriesIndex
from slo_guard.errors import CollectionError
from slo_guard.units import format_duration

__all__ = ["FileCollector", "FileOptions", "build_file"]

_GRACE_SECONDS: Final = 1.0
_TRIES: Final = 3


@dataclass(slots=True)
class _Run:
    """What one run brought: observations, the cursor, and the indexes to go on with."""

    observations: list[Observation]
    cursor: str | None = None
    indexes: dict[str, SeriesIndex] = field(default_factory=dict)


class FileCollector:
    """Keeps the ``Collector`` port over files.

    Of an ``appended`` file each complete row is taken once: how far each file was read is the cursor, which is stored
    with the rows. A ``whole`` file is read from its start each time.
    """

    def __init__(self, options: FileOptions) -> None:
        self._options = options
        self._indexes: dict[str, SeriesIndex] = {}
        self._running: Future[_Run] | None = None

    @property
    def name(self) -> str:
        """The collector's name."""
        return self._options.name

    @property
    def indicators(self) -> tuple[IndicatorSpec, ...]:
        """What it produces."""
        return self._options.specs()

    def collect(self, now: float, cursor: str | None) -> Collection:
        """Read what is new, or all there is; see the port."""
        if self._running is not None and not self._running.done():
            return self._late(now, "the disk has not answered since the last collection")
        ends = monotonic() + self._options.timeout
        self._running = result = Future[_Run]()
        # A disk behind a network that is gone cannot be interrupted: such a run is left behind, not waited for.
        Thread(target=self._run, args=(result, now, cursor, ends), name=f"collect-{self.name}", daemon=True).start()
        try:
            run = result.result(self._options.timeout + _GRACE_SECONDS)
        except TimeoutError:
            return self._late(now, f"the disk has not answered within {format_duration(self._options.timeout)}")
        self._indexes.update(run.indexes)
        return Collection(self.name, now, tuple(run.observations), run.cursor if run.cursor != cursor else None)

    def close(self) -> None:
        """Nothing is kept open."""

    def _late(self, now: float, message: str) -> Collection:
        return Collection(self.name, now, (self._failure(now, CollectionError("timeout", message)),))

    def _run(self, result: Future[_Run], now: float, cursor: str | None, ends: float) -> None:
        try:
            before = decode_cursor(cursor)
            whole = self._options.read == "whole"
            result.set_result(self._read_whole(now, before, ends) if whole else self._read_on(now, before, ends))
        except CollectionError as error:
            result.set_result(_Run([self._failure(now, error)]))
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
            result.set_exception(error)

    def _read_on(self, now: float, before: FileCursor, ends: float) -> _Run:
        options = self._options
        listing = list_files(options.path)
        surveyed = survey(listing, before.files, same_pattern=before.pattern == options.path)
        rows = self._new_rows(before)
        reading = FileReading(options, rows, now, ends)
        entries = [*surveyed.kept, *reading.read_appended(surveyed.works)]
        for told in (*surveyed.told, *listing.others):
            reading.wrong.add(1, told)
        listing.problems += reading.problems
        failure = self._fault(listing, now)
        if failure is not None and not reading.rows_read:
            return _Run([self._failure(now, failure)])
        run = self._observed(now, rows, reading, entries)
        if failure is not None:
            # What is there was read; what is not must be heard of all the same.
            run.observations.append(self._failure(now, failure))
        return run

    def _read_whole(self, now: float, before: FileCursor, ends: float) -> _Run:
        for attempt in range(1, _TRIES + 1):
            listing = list_files(self._options.path)
            failure = self._fault(listing, now)
            if failure is not None:
                raise failure
            rows = self._new_rows(before)
            reading = FileReading(self._options, rows, now, ends)
            for told in listing.others:
                reading.wrong.add(1, told)
            try:
                for file in listing.files:
                    reading.read_whole(file)
            except ChangedWhileReadError:
                if attempt == _TRIES or monotonic() >= ends:
                    raise
            else:
                return self._observed(now, rows, reading, [])
        raise AssertionError("the last try returns or raises")

    def _fault(self, listing: Listing, now: float) -> CollectionError | None:
        """Return what is wrong with the files as a whole, if anything."""
        if listing.problems:
            return CollectionError("unreadable", _with_count(listing.problems))
        if not listing.files:
            if listing.others:
                return CollectionError("not_a_file", _with_count(listing.others))
            return CollectionError("no_file", f"no file matches {shown_pattern(self._options.path)}")
        max_age, newest = self._options.max_age, listing.files[-1]
        if max_age is not None and now - newest.modified_at > max_age:
            age = format_duration(now - newest.modified_at)
            return CollectionError(
                "stale_file", f"{shown(newest.path)} was last written to {age} ago; max_age is exceeded"
            )
        return None

    def _new_rows(self, before: FileCursor) -> list[IndicatorRows]:
        return [
            IndicatorRows(
                each,
                self.name,
                appended=self._options.read == "appended",
                nested=not self._options.is_csv,
                remembered=before.events.get(each.name),
                previous=self._indexes.get(each.name),
            )
            for each in self._options.indicators
        ]

    def _observed(
        self,
        now: float,
        rows: Sequence[IndicatorRows],
        reading: FileReading,
        entries: Sequence[FileEntry],
    ) -> _Run:
        """Return readings, and a failure for each indicator whose columns no file has."""
        run = _Run([])
        events: dict[str, Mapping[str, object]] = {}
        for each in rows:
            memory = each.memory()
            if memory is not None:
                events[each.name] = memory
            if each.lacks is not None and not each.was_served:
                failure = CollectionFailure(self.name, (each.name,), now, "missing_column", each.lacks)
                run.observations.append(failure)
                continue
            # What is wrong with a line as a whole is told with the first indicator, so that it is told once.
            each.table.rejected.add(reading.wrong.count, reading.wrong.example)
            reading.wrong.count = 0
            run.observations += each.readings(now)
            if len(each.table) and each.table.index is not None:
                run.indexes[each.name] = each.table.index
        if any(not isinstance(item, CollectionFailure) for item in run.observations):
            run.cursor = FileCursor(self._options.path, remembered(entries), events).encode()
        return run

    def _failure(self, now: float, error: CollectionError) -> CollectionFailure:
        names = tuple(each.name for each in self._options.indicators)
        return CollectionFailure(self.name, names, now, error.reason, str(error))


def _with_count(problems: Sequence[str]) -> str:
    return problems[0] + (f", and {len(problems) - 1} more" if len(problems) > 1 else "")


def build_file(options: FileOptions, history_from: float | None) -> FileCollector:  # noqa: ARG001 - a file is read from its start
    """Return the collector that ``options`` describe."""
    return FileCollector(options)
