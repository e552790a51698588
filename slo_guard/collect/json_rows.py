"""From the rows of JSON pages to an indicator's readings; what cannot be used is counted with its place."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from slo_guard.collect.event_memory import EventMemory
from slo_guard.collect.expressions import Evaluator, ExpressionError, Selector
from slo_guard.collect.json_options import JsonIndicator
from slo_guard.collect.json_pages import Page
from slo_guard.collect.row_times import parse_time, shown
from slo_guard.collect.rows import RowTable, row_labels, row_value
from slo_guard.domain.readings import Reading
from slo_guard.domain.series import LabelSet, SeriesIndex
from slo_guard.errors import CollectionError

_FUTURE_SECONDS: Final = 300.0
"""How far a source's clock may be ahead. A time years ahead would make all that comes after it look late."""

_MOST_CELLS: Final = 10_000_000
"""Times by series: each time is a frame over all series."""

_SHOWN_KEYS: Final = 10
_SHOWN_LENGTH: Final = 40


class RowSelectors:
    """An indicator's expressions, compiled."""

    def __init__(self, indicator: JsonIndicator) -> None:
        self.indicator = indicator
        self.factor = indicator.factor
        self.rows = _selector(indicator.rows)
        self.value = _selector(indicator.value)
        self.time = _selector(None if indicator.time is None else indicator.time.path)
        self.id = _selector(indicator.id)
        self.labels = {name: Selector(text) for name, text in indicator.labels.items()}


def _selector(text: str | None) -> Selector | None:
    return None if text is None else Selector(text)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What the indicators of one collection share; ``scrubbed`` takes the source's secret out of a text."""

    collector: str
    now: float
    max_rows: int
    paged: bool
    evaluator: Evaluator
    scrubbed: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class _Row:
    labels: LabelSet
    value: float
    at: float
    identity: str | None


class IndicatorRows:
    """Gathers one indicator's rows of one collection; ``remembered``: the content of its events' memory, if any."""

    def __init__(self, selectors: RowSelectors, run: Run, remembered: Any) -> None:
        indicator = selectors.indicator
        self.name = indicator.name
        self.table = RowTable(indicator, run.collector, increment=False)
        self.memory = _memory(indicator.look_back, remembered) if indicator.type == "event" else None
        self.failure: CollectionError | None = None
        self._selectors = selectors
        self._run = run
        self._taken: set[str] = set()
        self._instants: set[float] = set()
        self._series: set[LabelSet] = set()
        self._count = 0

    @property
    def has_times(self) -> bool:
        """Whether it has frames of other times than now, which the source may give again and again."""
        return self.memory is None and self._selectors.time is not None

    @property
    def brought_events(self) -> bool:
        """Whether any event is new, so that there is something to remember."""
        return bool(self._taken)

    def take(self, page: Page) -> int:
        """Take in a page's rows and return how many there were; a failure is kept, and nothing is taken after it."""
        if self.failure is not None:
            return 0
        try:
            return self._take(page)
        except CollectionError as error:
            self.failure = error
            return 0

    def readings(self, previous: SeriesIndex | None) -> list[Reading]:
        """Return the readings, with no example that holds the source's secret."""
        readings = self.table.readings(self._run.now, previous)
        scrubbed = self._run.scrubbed
        return [each if each.example is None else replace(each, example=scrubbed(each.example)) for each in readings]

    def _take(self, page: Page) -> int:
        rows = self._rows(page)
        self._count += len(rows)
        if self._count > self._run.max_rows:
            raise CollectionError("too_many_rows", f"{self.name}: more than max_rows, {self._run.max_rows:,}")
        for position, raw in enumerate(rows):
            try:
                problem = self._keep(self._parsed(raw))
            except (ValueError, ArithmeticError) as error:
                problem = f"{error}"
            if problem is not None:
                self._reject(page, position, raw, problem)
        if len(self._instants) * len(self._series) > _MOST_CELLS:
            raise CollectionError(
                "too_many_times",
                f"{self.name}: {len(self._series):,} series with {len(self._instants):,} different times are more than "
                "can be kept; leave time out to take them as of now",
            )
        return len(rows)

    def _rows(self, page: Page) -> list[Any]:
        rows, document = self._selectors.rows, page.document
        if rows is None:
            if document is None:
                raise CollectionError("wrong_shape", f"{self.name}: {self._place(page)}the answer is null")
            return document if isinstance(document, list) else [document]
        try:
            found = self._run.evaluator.find(rows, document)
        except ExpressionError as error:
            raise CollectionError("wrong_shape", f"{self.name}: {self._place(page)}rows: {error}") from None
        if isinstance(found, list):
            return found
        said = "finds nothing" if found is None else f"finds a {type(found).__name__}, not a list"
        raise CollectionError(
            "wrong_shape",
            f"{self.name}: {self._place(page)}rows: {rows.text[:80]} {said} in {self._described(document)}",
        )

    def _parsed(self, raw: Any) -> _Row:
        """Return a row's parts; raises ``ValueError`` that says what is wrong with it."""
        find, chosen = self._run.evaluator.find, self._selectors
        labels = row_labels({name: find(selector, raw) for name, selector in chosen.labels.items()})
        value = 1.0 if chosen.value is None else row_value(find(chosen.value, raw), is_bool=self.table.is_bool)
        if not math.isfinite(value * chosen.factor):
            raise ValueError(f"the value is {value:g}, which is too large")
        at = self._run.now
        options = chosen.indicator.time
        if chosen.time is not None and options is not None:
            at = parse_time(find(chosen.time, raw), options)
            if at > self._run.now + _FUTURE_SECONDS:
                raise ValueError(f"the time {shown(at)} is in the future")
        identity = None if chosen.id is None else _identity(find(chosen.id, raw))
        return _Row(labels, value, at, identity)

    def _keep(self, row: _Row) -> str | None:
        """Take a row in, unless it is an event that was taken before; return why it cannot be used."""
        if self.memory is None:
            if self.has_times:
                self._instants.add(row.at)
                self._series.add(row.labels)
            self.table.add(row.labels, row.value, row.at)
            return None
        mark = EventMemory.mark(row.labels, row.value, row.at, row.identity)
        new = self.memory.take(mark, row.at)
        if new:
            self._taken.add(mark)
            self.table.add(row.labels, row.value, row.at)
        elif new is None:
            return f"the event of {shown(row.at)} is too old to be told from those taken; make look_back longer"
        elif mark in self._taken:
            how = "give events an id" if row.identity is None else "its id stands in the answer before"
            return f"the event of {shown(row.at)} comes twice; {how}"
        return None

    def _reject(self, page: Page, position: int, raw: Any, problem: str) -> None:
        if self.table.rejected.example is None:
            problem = self._without_secret(raw, problem)
        self.table.reject(f"{self._place(page)}rows[{position}]", problem)

    def _without_secret(self, raw: Any, problem: str) -> str:
        """Return ``problem`` as it would be without the secret: what is cut short in it could not be found any more."""
        try:
            text = orjson.dumps(raw).decode()
        except orjson.JSONEncodeError:
            return problem
        clean = self._run.scrubbed(text)
        if clean == text:
            return problem
        try:
            self._parsed(orjson.loads(clean))
        except (ValueError, ArithmeticError) as error:
            return f"{error}"
        return "the row holds the secret that was sent"

    def _place(self, page: Page) -> str:
        return f"page {page.number} " if self._run.paged else ""

    def _described(self, document: Any) -> str:
        if not isinstance(document, dict):
            return f"the answer, which is {'null' if document is None else f'a {type(document).__name__}'}"
        keys = [self._run.scrubbed(key)[:_SHOWN_LENGTH] for key in list(document)[:_SHOWN_KEYS]]
        more = " and more" if len(document) > _SHOWN_KEYS else ""
        return (
            f"the answer, whose keys are {', '.join(map(repr, keys))}{more}" if keys else "the answer, which is empty"
        )


def _memory(look_back_seconds: float, remembered: Any) -> EventMemory:
    """Return the memory of what was taken; an empty one where what is remembered cannot be read."""
    if isinstance(remembered, dict):
        try:
            return EventMemory(look_back_seconds, remembered)
        except (LookupError, TypeError, ValueError, AttributeError):
            pass
    return EventMemory(look_back_seconds)


def _identity(found: Any) -> str:
    match found:
        case None | "":
            raise ValueError("the id is empty")
        case str():
            return found
        case int() | float() if not isinstance(found, bool):
            return str(found)
    raise ValueError(f"the id is a {type(found).__name__}")
