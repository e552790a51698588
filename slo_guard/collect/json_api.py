"""The ``json`` collector: any endpoint that answers JSON, read once for all indicators, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from slo_guard.clock import monotonic
from slo_guard.collect.expressions import Evaluator
from slo_guard.collect.frame_memory import new_frames
from slo_guard.collect.json_options import JsonOptions
from slo_guard.collect.json_pages import Page, PageReader
from slo_guard.collect.json_rows import IndicatorRows, RowSelectors, Run
from slo_guard.domain.readings import Collection, CollectionFailure, IndicatorSpec, Observation
from slo_guard.domain.series import SeriesIndex
from slo_guard.errors import CollectionError
from slo_guard.http_session import HttpError, HttpSession

__all__ = ["JsonCollector", "JsonOptions", "build_json"]

_CURSOR_VERSION: Final = 1


class JsonCollector:
    """Keeps the ``Collector`` port over a JSON endpoint.

    An event that the source gives again and again is taken once. Of other types each answer is the present state: a
    series that it lacks is gone. A collection whose pages cannot all be read brings nothing, since a part of the rows
    would look like all of them.
    """

    def __init__(self, options: JsonOptions) -> None:
        self._options = options
        self._session = HttpSession(options.http)
        self._selectors = [RowSelectors(each) for each in options.indicators]
        self._indexes: dict[str, SeriesIndex] = {}

    @property
    def name(self) -> str:
        """The collector's name."""
        return self._options.name

    @property
    def indicators(self) -> tuple[IndicatorSpec, ...]:
        """What it produces."""
        return self._options.specs()

    def collect(self, now: float, cursor: str | None) -> Collection:
        """Read all pages; see the port."""
        ends = monotonic() + self._options.timeout
        evaluator = Evaluator(ends)
        paged = self._options.paging is not None
        run = Run(self.name, now, self._options.max_rows, paged, evaluator, self._session.scrubbed)
        before = _decoded(cursor)
        parts = [IndicatorRows(each, run, before.get(each.indicator.name)) for each in self._selectors]
        try:
            self._read(PageReader(self._options, self._session, evaluator, ends), parts)
        except (HttpError, CollectionError) as error:
            return Collection(self.name, now, (*self._failures(parts, now), self._failure(parts, now, error)))
        observations: list[Observation] = self._failures(parts, now)
        after: dict[str, Any] = {}
        for part in parts:
            kept = before.get(part.name)
            if part.failure is None:
                observations += self._readings(part, before, after)
            elif kept is not None:
                after[part.name] = kept
        return Collection(self.name, now, tuple(observations), _encoded(after) if after != before else None)

    def close(self) -> None:
        """Release connections; idempotent."""
        self._session.close()

    def _read(self, reader: PageReader, parts: Sequence[IndicatorRows]) -> None:
        page: Page | None = reader.first()
        while page is not None:
            rows = sum([part.take(page) for part in parts])
            if all(part.failure is not None for part in parts):
                return
            page = reader.after(page, rows)

    def _readings(self, part: IndicatorRows, before: Mapping[str, Any], after: dict[str, Any]) -> Sequence[Observation]:
        """Return a part's readings, and put what is to be remembered into ``after``."""
        readings = part.readings(self._indexes.get(part.name))
        if part.table.index is not None and len(part.table.index):
            self._indexes[part.name] = part.table.index
        if part.memory is not None:
            content = part.memory.content() if part.brought_events else before.get(part.name)
            if content is not None:
                after[part.name] = content
        elif part.has_times:
            given = before.get(part.name)
            readings, marks = new_frames(readings, frozenset(given) if isinstance(given, list) else frozenset())
            after[part.name] = marks
        return readings

    def _failures(self, parts: Sequence[IndicatorRows], now: float) -> list[Observation]:
        """Return the failures of single indicators."""
        return [
            CollectionFailure(
                self.name, (part.name,), now, part.failure.reason, self._session.scrubbed(str(part.failure))
            )
            for part in parts
            if part.failure is not None
        ]

    def _failure(
        self, parts: Sequence[IndicatorRows], now: float, error: HttpError | CollectionError
    ) -> CollectionFailure:
        """Return what ended the whole collection, for those indicators that had not failed by themselves."""
        names = tuple(part.name for part in parts if part.failure is None)
        return CollectionFailure(self.name, names, now, error.reason, self._session.scrubbed(str(error)))


def build_json(options: JsonOptions, history_from: float | None) -> JsonCollector:  # noqa: ARG001 - the endpoint decides what it still has
    """Return the collector that ``options`` describe."""
    return JsonCollector(options)


def _decoded(cursor: str | None) -> dict[str, Any]:
    """Return what is remembered of each indicator; nothing where the cursor is none of ours."""
    try:
        content = orjson.loads(cursor or "null")
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(content, dict) or content.get("version") != _CURSOR_VERSION:
        return {}
    indicators = content.get("indicators")
    return indicators if isinstance(indicators, dict) else {}


def _encoded(indicators: Mapping[str, Any]) -> str:
    return orjson.dumps({"version": _CURSOR_VERSION, "indicators": indicators}).decode()
