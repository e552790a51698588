"""One indicator's query: the present by an instant query, behind what was missed, by range queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from slo_guard.clock import iso
from slo_guard.collect.backfill import Progress, Stretch, chunk_points, missing_stretch
from slo_guard.collect.frames import Rejections, SeriesLayout, gauge_frame, layout_at, layout_within
from slo_guard.collect.histograms import BucketLayout, bucket_layout
from slo_guard.collect.prometheus_answer import Vector, VectorParser, error_text, parse_matrix
from slo_guard.collect.prometheus_options import PrometheusIndicator, PrometheusOptions
from slo_guard.domain.readings import (
    CollectionFailure,
    FloatArray,
    GaugeFrame,
    HistogramFrame,
    IntArray,
    Observation,
    Reading,
)
from slo_guard.domain.series import SeriesIndex
from slo_guard.errors import CollectionError
from slo_guard.http_session import HttpError, HttpSession, Response

AnswerT = TypeVar("AnswerT")

_LONGEST_GET: Final = 2000
_CRON_STEP_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What a run brought for one indicator, and how far it is read now."""

    observations: tuple[Observation, ...]
    progress: Progress


class Query:
    """One indicator's query, with what is kept of its last answer."""

    def __init__(
        self,
        indicator: PrometheusIndicator,
        options: PrometheusOptions,
        session: HttpSession,
        history_from: float | None,
    ) -> None:
        self.name = indicator.name
        self._indicator = indicator
        self._collector = options.name
        self._url = options.url.rstrip("/")
        self._session = session
        self._history_from = history_from
        self._has_gaps = options.cron is None
        self._interval = options.interval if options.cron is None else _CRON_STEP_SECONDS
        self._parser = VectorParser()
        self._buckets: WeakKeyDictionary[SeriesIndex, BucketLayout] = WeakKeyDictionary()

    def run(self, now: float, progress: Progress, ends: float) -> Part:
        """Return the present, after what is missing of the past."""
        try:
            vector = self._ask("query", {"time": f"{now:.3f}"}, ends, self._parser.parse)
            present = self._reading(
                vector.layout, vector.values, at=now, now=now, rejected=Rejections(vector.rejected, vector.example)
            )
        except (HttpError, CollectionError) as error:
            return self.failed(now, progress, error.reason, str(error))
        stretch = self._missing(progress, now, vector)
        if stretch is None:
            return Part((present,), Progress(at=now))
        return self._with_history(stretch, vector, present, now, progress, ends)

    def failed(self, now: float, progress: Progress, reason: str, message: str) -> Part:
        """Return a run that brought nothing."""
        text = self._session.scrubbed(message)
        return Part((CollectionFailure(self._collector, (self.name,), now, reason, text),), progress)

    def _missing(self, progress: Progress, now: float, vector: Vector) -> Stretch | None:
        return missing_stretch(
            progress, now, self._interval, self._history_from, len(vector.layout.index), gaps=self._has_gaps
        )

    def _with_history(
        self, missing: Stretch, vector: Vector, present: Reading, now: float, progress: Progress, ends: float
    ) -> Part:
        """Read as much of the history as there is time for; the present comes once the past is complete."""
        readings: list[Observation] = []
        problem: HttpError | CollectionError | None = None
        most = chunk_points(len(vector.layout.index))
        while True:
            chunk = missing.first(most)
            try:
                readings += self._history(chunk, vector.layout.index, progress.at, now, ends)
            except (HttpError, CollectionError) as error:
                if chunk.count > 1 and _was_too_much(error):
                    most = max(1, chunk.count // 8)
                    continue
                problem = error
                break
            progress = Progress(at=chunk.end, step=missing.step)
            if chunk.count == missing.count:
                return Part((*readings, present), Progress(at=now))
            missing = Stretch(chunk.end + missing.step, missing.step, missing.count - chunk.count)
        if readings:
            return Part(tuple(readings), progress)
        after = progress.failed()
        if after.gave_up:
            return Part((present,), Progress(at=now))
        message = f"the time since {iso(missing.start)} cannot be read: {problem}"
        return self.failed(now, after, "backfill_failed", message)

    def _history(
        self, chunk: Stretch, index: SeriesIndex, after: float | None, now: float, ends: float
    ) -> list[Observation]:
        """Return a reading for each point at which any series had a sample; it lists those that had one, and no other.

        A point without any gives none: whether nothing was there or nobody looked cannot be told afterwards,
        and to take it for observed would turn silence green. Points with the same series share one index.
        """
        points = {"start": f"{chunk.start:.3f}", "end": f"{chunk.end:.3f}", "step": f"{chunk.step:.3f}"}
        matrix = self._ask("query_range", points, ends, parse_matrix)
        usable = (matrix.times < now) & (matrix.times > (-np.inf if after is None else after))
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
        readings: list[Observation] = []
        for at, begin, end in zip(times.tolist(), bounds[:-1], bounds[1:], strict=True):
            here = rows[begin:end]
            key = here.tobytes()
            listing = listings.get(key)
            if listing is None:
                listing = listings[key] = _listing(layout.index, here)
            values = sample_values[begin:end]
            readings.append(self._reading(listing, values, at=at, now=now, rejected=Rejections()))
        return readings

    def _reading(
        self, layout: SeriesLayout, values: FloatArray, *, at: float, now: float, rejected: Rejections
    ) -> Reading:
        indicator = self._indicator
        frame: GaugeFrame | HistogramFrame
        if indicator.type == "histogram":
            rejected.add(layout.duplicates, layout.example)
            frame = self._bucket_layout(layout.index).frame(
                layout.place(values), np.empty(0), at, factor=indicator.factor, rejected=rejected
            )
        else:
            frame = gauge_frame(
                layout, values, at, factor=indicator.factor, is_bool=indicator.type == "bool", rejected=rejected
            )
        return Reading(self.name, self._collector, now, frame, rejected.count, rejected.example)

    def _bucket_layout(self, index: SeriesIndex) -> BucketLayout:
        found = self._buckets.get(index)
        if found is None:
            found = self._buckets[index] = bucket_layout(index)
        return found

    def _ask(self, endpoint: str, params: Mapping[str, str], ends: float, parse: Callable[[bytes], AnswerT]) -> AnswerT:
        """Return a parsed answer; asked for by GET, or by POST where the query is too long for a URL."""
        url = f"{self._url}/api/v1/{endpoint}"
        query = {"query": self._indicator.query, **params}
        if len(self._indicator.query) <= _LONGEST_GET:
            answer = self._session.get(url, query, deadline=ends)
        else:
            answer = self._session.post(url, form=query, idempotent=True, deadline=ends)
        if not 200 <= answer.status < 300:
            raise _refusal(answer)
        try:
            return parse(answer.body)
        except CollectionError as error:
            raise CollectionError(error.reason, f"{answer.url}: {error}") from None


def _listing(index: SeriesIndex, rows: IntArray) -> SeriesLayout:
    """Lay out the samples of ``rows`` (ascending) over these alone; what comes twice was counted with the present."""
    distinct, places = np.unique(rows, return_inverse=True)
    listed = index if len(distinct) == len(index) else SeriesIndex.of(index.label_sets[row] for row in distinct)
    if len(distinct) == len(rows):
        return SeriesLayout(listed)
    return replace(layout_at(listed, places.astype(np.int64)), duplicates=0, example=None)


def _was_too_much(error: HttpError | CollectionError) -> bool:
    """Whether fewer points at once may succeed: there were more series then, or the server has a limit of its own."""
    return error.reason == "too_large" or (error.reason == "query_error" and "too many samples" in str(error))


def _refusal(answer: Response) -> CollectionError:
    said = error_text(answer.body)
    if said is not None:
        return CollectionError("query_error", f"{answer.url} answers {answer.status}: {said}")
    return CollectionError(f"http_{answer.status}", f"{answer.url} answers {answer.status}")
