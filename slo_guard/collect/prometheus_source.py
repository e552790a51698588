"""One indicator in a Prometheus: its present by an instant query, stretches of its past by range queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from slo_guard.collect.backfill import Stretch
from slo_guard.collect.frames import Rejections, SeriesLayout, gauge_frame, layout_at, layout_within
from slo_guard.collect.histograms import BucketLayout, bucket_layout
from slo_guard.collect.prometheus_answer import VectorParser, error_text, parse_matrix
from slo_guard.domain.readings import FloatArray, GaugeFrame, HistogramFrame, IntArray, Reading
from slo_guard.domain.series import SeriesIndex
from slo_guard.errors import CollectionError
from slo_guard.http_session import HttpError, HttpSession, Response

AnswerT = TypeVar("AnswerT")

_LONGEST_GET: Final = 2000


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for one indicator, and what its answer is; ``factor`` takes values to the base unit."""

    name: str
    query: str
    type: str
    factor: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Present:
    """One instant's reading, and ``index``: the series of the answer, a histogram's buckets each by itself."""

    reading: Reading
    index: SeriesIndex


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """The readings of a stretch, ascending in time, and ``index``: the series of its last point as answered."""

    readings: list[Reading]
    index: SeriesIndex


class PrometheusSource:
    """Asks a query API at ``url`` for one indicator; ``collector`` is who the readings are from."""

    def __init__(self, asked: Asked, collector: str, url: str, session: HttpSession) -> None:
        self._asked = asked
        self._collector = collector
        self._url = url.rstrip("/")
        self._session = session
        self._parser = VectorParser()
        self._buckets: WeakKeyDictionary[SeriesIndex, BucketLayout] = WeakKeyDictionary()

    def present(self, now: float, ends: float) -> Present:
        """Return what is there at ``now``. Raises ``HttpError`` and ``CollectionError``; ``ends`` is the deadline."""
        vector = self._ask("query", {"time": f"{now:.3f}"}, ends, self._parser.parse)
        rejected = Rejections(vector.rejected, vector.example)
        reading = self._reading(vector.layout, vector.values, at=now, seen_at=now, rejected=rejected)
        return Present(reading, vector.layout.index)

    def past(
        self,
        chunk: Stretch,
        index: SeriesIndex,
        ends: float,
        *,
        after: float = -np.inf,
        before: float = np.inf,
        seen_at: float | None = None,
    ) -> Past:
        """Return a reading for each point at which any series had a sample; it lists those that had one, and no other.

        A point without any gives none: whether nothing was there or nobody looked cannot be told afterwards,
        and to take it for observed would turn silence green. Points with the same series share one index, and it
        is ``index`` where that has the same. Only points within (``after``, ``before``) are taken; they were seen
        at ``seen_at``, or each at its own time. Raises as :meth:`present` does.
        """
        points = {"start": f"{chunk.start:.3f}", "end": f"{chunk.end:.3f}", "step": f"{chunk.step:.3f}"}
        matrix = self._ask("query_range", points, ends, parse_matrix)
        usable = (matrix.times < before) & (matrix.times > after)
        times, columns = np.unique(matrix.times[usable], return_inverse=True)
        layout = layout_within(matrix.label_sets, index)
        # Some servers move the points to multiples of the step, which can add one at each end.
        if len(times) > chunk.count + 2:
            raise CollectionError("wrong_shape", f"{len(times)} points came where {chunk.count} were asked for")
        rows = layout.row_of_each()[matrix.series[usable]]
        order = np.lexsort((rows, columns))  # stable: of a series that comes twice the first stays first
        bounds = np.searchsorted(columns[order], np.arange(len(times) + 1))
        rows, sample_values = rows[order], matrix.values[usable][order]
        listings: dict[bytes, SeriesLayout] = {}
        readings: list[Reading] = []
        for at, begin, end in zip(times.tolist(), bounds[:-1], bounds[1:], strict=True):
            here = rows[begin:end]
            key = here.tobytes()
            listing = listings.get(key)
            if listing is None:
                listing = listings[key] = _listing(layout.index, here)
            index = listing.index
            seen = at if seen_at is None else seen_at
            readings.append(
                self._reading(listing, sample_values[begin:end], at=at, seen_at=seen, rejected=Rejections())
            )
        return Past(readings, index)

    def _reading(
        self, layout: SeriesLayout, values: FloatArray, *, at: float, seen_at: float, rejected: Rejections
    ) -> Reading:
        asked = self._asked
        frame: GaugeFrame | HistogramFrame
        if asked.type == "histogram":
            rejected.add(layout.duplicates, layout.example)
            frame = self._bucket_layout(layout.index).frame(
                layout.place(values), np.empty(0), at, factor=asked.factor, rejected=rejected
            )
        else:
            frame = gauge_frame(
                layout, values, at, factor=asked.factor, is_bool=asked.type == "bool", rejected=rejected
            )
        return Reading(asked.name, self._collector, seen_at, frame, rejected.count, rejected.example)

    def _bucket_layout(self, index: SeriesIndex) -> BucketLayout:
        found = self._buckets.get(index)
        if found is None:
            found = self._buckets[index] = bucket_layout(index)
        return found

    def _ask(self, endpoint: str, params: Mapping[str, str], ends: float, parse: Callable[[bytes], AnswerT]) -> AnswerT:
        """Return a parsed answer; asked for by GET, or by POST where the query is too long for a URL."""
        url = f"{self._url}/api/v1/{endpoint}"
        query = {"query": self._asked.query, **params}
        if len(self._asked.query) <= _LONGEST_GET:
            answer = self._session.get(url, query, deadline=ends)
        else:
            answer = self._session.post(url, form=query, idempotent=True, deadline=ends)
        if not 200 <= answer.status < 300:
            raise _refusal(answer)
        try:
            return parse(answer.body)
        except CollectionError as error:
            raise CollectionError(error.reason, f"{answer.url}: {error}") from None


def was_too_much(error: HttpError | CollectionError) -> bool:
    """Whether fewer points at once may succeed: there were more series then, or the server has a limit of its own."""
    return error.reason == "too_large" or (error.reason == "query_error" and "too many samples" in str(error))


def _listing(index: SeriesIndex, rows: IntArray) -> SeriesLayout:
    """Lay out the samples of ``rows`` (ascending) over these alone; what comes twice was counted with the present."""
    distinct, places = np.unique(rows, return_inverse=True)
    listed = index if len(distinct) == len(index) else SeriesIndex.of(index.label_sets[row] for row in distinct)
    if len(distinct) == len(rows):
        return SeriesLayout(listed)
    return replace(layout_at(listed, places.astype(np.int64)), duplicates=0, example=None)


def _refusal(answer: Response) -> CollectionError:
    said = error_text(answer.body)
    if said is not None:
        return CollectionError("query_error", f"{answer.url} answers {answer.status}: {said}")
    return CollectionError(f"http_{answer.status}", f"{answer.url} answers {answer.status}")
