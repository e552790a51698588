"""The ``prometheus`` collector: instant queries to a Prometheus query API, and range queries for what was missed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias, TypeVar

import numpy as np
import promql_parser
from pydantic import AfterValidator, Field, model_validator

from slo_guard.clock import iso, monotonic
from slo_guard.collect.backfill import (
    Progress,
    Stretch,
    chunk_points,
    decode_progress,
    encode_progress,
    missing_stretch,
)
from slo_guard.collect.frames import Rejections, SeriesLayout, gauge_frame, layout_within
from slo_guard.collect.histograms import BucketLayout, bucket_layout
from slo_guard.collect.options import HttpSourceOptions, IndicatorOptions, unique_names
from slo_guard.collect.prometheus_answer import Vector, VectorParser, error_text, parse_matrix
from slo_guard.domain.readings import (
    Collection,
    CollectionFailure,
    FloatArray,
    GaugeFrame,
    HistogramFrame,
    IndicatorSpec,
    Observation,
    Reading,
)
from slo_guard.domain.series import SeriesIndex
from slo_guard.errors import CollectionError
from slo_guard.http_session import HttpError, HttpSession, HttpUrl, Response

AnswerT = TypeVar("AnswerT")

_WORKERS: Final = 4
_LONGEST_GET: Final = 2000
_CRON_STEP_SECONDS: Final = 300.0
_GRACE_SECONDS: Final = 1.0


_RANGE_PROBLEM: Final = "a range vector, which has no value at an instant; wrap it, as in last_over_time(…)"
_PROBLEMS: Final[Mapping[type, str]] = {
    promql_parser.MatrixSelector: _RANGE_PROBLEM,
    promql_parser.SubqueryExpr: _RANGE_PROBLEM,
    promql_parser.StringLiteral: "a string, not a number",
}


def checked_query(text: str) -> str:
    """Return a PromQL expression that can be an instant query; raises ``ValueError`` that says what is wrong."""
    try:
        expression = promql_parser.parse(text)
    except ValueError as error:
        raise ValueError(f"PromQL syntax error in {text!r}: {error}") from None
    while isinstance(expression, promql_parser.ParenExpr):
        expression = expression.expr
    problem = _PROBLEMS.get(type(expression))
    if problem is not None:
        raise ValueError(f"{text!r} is {problem}")
    return text


Promql: TypeAlias = Annotated[str, AfterValidator(checked_query)]


class PrometheusIndicator(IndicatorOptions):
    """One query, and what its answer is."""

    query: Promql = Field(description="PromQL; each series of the answer is a series of the indicator.")


class PrometheusOptions(HttpSourceOptions):
    """Options of a ``prometheus`` collector."""

    type: Literal["prometheus"] = "prometheus"
    url: HttpUrl = Field(description="Base URL of the API, such as http://prometheus:9090.")
    backfill: bool = Field(
        default=True, description="Ask for the sprint so far at the first start, and for gaps after an outage."
    )
    indicators: list[PrometheusIndicator] = Field(min_length=1)

    @model_validator(mode="after")
    def _indicators_differ(self) -> PrometheusOptions:
        unique_names([each.name for each in self.indicators])
        return self

    def specs(self) -> tuple[IndicatorSpec, ...]:
        """Return the declared indicators."""
        return tuple(each.spec(self.name) for each in self.indicators)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """What a run brought for one indicator, and how far it is read now."""

    observations: tuple[Observation, ...]
    progress: Progress


class PrometheusCollector:
    """Keeps the ``Collector`` port over a Prometheus query API.

    ``history_from`` (Unix seconds) is the earliest instant that any KPI looks back to; None: no history is read.
    The queries of a run go out four at a time; one that fails fails its indicator alone.
    """

    def __init__(self, options: PrometheusOptions, history_from: float | None = None) -> None:
        self._options = options
        self._history_from = history_from if options.backfill else None
        self._session = HttpSession(options.http)
        self._queries = [_Query(each, options, self._session, self._history_from) for each in options.indicators]
        self._pool: ThreadPoolExecutor | None = None

    @property
    def name(self) -> str:
        """The collector's name."""
        return self._options.name

    @property
    def indicators(self) -> tuple[IndicatorSpec, ...]:
        """What it produces."""
        return self._options.specs()

    def collect(self, now: float, cursor: str | None) -> Collection:
        """Ask all queries at the instant ``now``, with what was missed before it; see the port."""
        ends = monotonic() + self._options.timeout
        before = decode_progress(cursor)
        runs = self._start(now, before, ends)
        # A name server that does not answer cannot be interrupted: such a query is left behind, not waited for.
        wait(runs, timeout=max(0.0, ends - monotonic()) + _GRACE_SECONDS)
        parts: list[_Part] = []
        for query, run in zip(self._queries, runs, strict=True):
            if run.cancelled():
                parts.append(
                    query.failed(now, before.get(query.name, Progress()), "closed", "the collector was closed")
                )
            elif run.done():
                parts.append(run.result())
            else:
                run.cancel()
                parts.append(query.failed(now, before.get(query.name, Progress()), "timeout", "no answer in time"))
        after = {query.name: part.progress for query, part in zip(self._queries, parts, strict=True)}
        observations = tuple(item for part in parts for item in part.observations)
        return Collection(self.name, now, observations, encode_progress(after))

    def _start(self, now: float, before: Mapping[str, Progress], ends: float) -> list[Future[_Part]]:
        pool = self._pool
        if pool is None:
            self._pool = pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix=f"collect-{self.name}")
        runs: list[Future[_Part]] = []
        for query in self._queries:
            try:
                runs.append(pool.submit(query.run, now, before.get(query.name, Progress()), ends))
            except RuntimeError:
                # Closed by a reload meanwhile.
                runs.append(Future())
                runs[-1].cancel()
        return runs

    def close(self) -> None:
        """Release threads and connections; idempotent."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
        self._session.close()


class _Query:
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
        self._buckets: tuple[SeriesIndex, BucketLayout] | None = None

    def run(self, now: float, progress: Progress, ends: float) -> _Part:
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
            return _Part((present,), Progress(at=now))
        return self._with_history(stretch, vector, present, now, progress, ends)

    def failed(self, now: float, progress: Progress, reason: str, message: str) -> _Part:
        """Return a run that brought nothing."""
        text = self._session.scrubbed(message)
        return _Part((CollectionFailure(self._collector, (self.name,), now, reason, text),), progress)

    def _missing(self, progress: Progress, now: float, vector: Vector) -> Stretch | None:
        return missing_stretch(
            progress, now, self._interval, self._history_from, len(vector.layout.index), gaps=self._has_gaps
        )

    def _with_history(
        self, missing: Stretch, vector: Vector, present: Reading, now: float, progress: Progress, ends: float
    ) -> _Part:
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
                return _Part((*readings, present), Progress(at=now))
            missing = Stretch(chunk.end + missing.step, missing.step, missing.count - chunk.count)
        if readings:
            return _Part(tuple(readings), progress)
        after = progress.failed()
        if after.gave_up:
            return _Part((present,), Progress(at=now))
        message = f"the time since {iso(missing.start)} cannot be read: {problem}"
        return self.failed(now, after, "backfill_failed", message)

    def _history(
        self, chunk: Stretch, index: SeriesIndex, after: float | None, now: float, ends: float
    ) -> list[Observation]:
        """Return a reading for each point at which any series had a sample.

        A point without any gives none: whether nothing was there or nobody looked cannot be told afterwards,
        and to take it for observed would turn silence green.
        """
        points = {"start": f"{chunk.start:.3f}", "end": f"{chunk.end:.3f}", "step": f"{chunk.step:.3f}"}
        matrix = self._ask("query_range", points, ends, parse_matrix)
        usable = (matrix.times < now) & (matrix.times > (-np.inf if after is None else after))
        times, columns = np.unique(matrix.times[usable], return_inverse=True)
        layout = layout_within(matrix.label_sets, index)
        # Some servers move the points to multiples of the step, which can add one at each end.
        if len(times) > chunk.count + 2:
            raise CollectionError("wrong_shape", f"{len(times)} points came where {chunk.count} were asked for")
        rows = np.arange(len(index)) if layout.rows is None else layout.rows
        order = np.argsort(columns, kind="stable")
        bounds = np.searchsorted(columns[order], np.arange(len(times) + 1))
        sample_rows, sample_values = rows[matrix.series[usable]][order], matrix.values[usable][order]
        readings: list[Observation] = []
        for at, begin, end in zip(times.tolist(), bounds[:-1], bounds[1:], strict=True):
            at_once = SeriesLayout(layout.index, sample_rows[begin:end])
            readings.append(self._reading(at_once, sample_values[begin:end], at=at, now=now, rejected=Rejections()))
        return readings

    def _reading(
        self, layout: SeriesLayout, values: FloatArray, *, at: float, now: float, rejected: Rejections
    ) -> Reading:
        indicator = self._indicator
        frame: GaugeFrame | HistogramFrame
        if indicator.type == "histogram":
            rejected.add(layout.duplicates, layout.example)
            frame = self._bucket_layout(layout.index).frame(
                layout.place(values),
                np.empty(0),
                at,
                factor=indicator.factor,
                rejected=rejected,
                complete=at == now,
            )
        else:
            frame = gauge_frame(
                layout, values, at, factor=indicator.factor, is_bool=indicator.type == "bool", rejected=rejected
            )
        return Reading(self.name, self._collector, now, frame, rejected.count, rejected.example)

    def _bucket_layout(self, index: SeriesIndex) -> BucketLayout:
        if self._buckets is None or self._buckets[0] is not index:
            previous = self._buckets[1].index if self._buckets is not None else None
            self._buckets = (index, bucket_layout(index, previous=previous))
        return self._buckets[1]

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


def _was_too_much(error: HttpError | CollectionError) -> bool:
    """Whether fewer points at once may succeed: there were more series then, or the server has a limit of its own."""
    return error.reason == "too_large" or (error.reason == "query_error" and "too many samples" in str(error))


def _refusal(answer: Response) -> CollectionError:
    said = error_text(answer.body)
    if said is not None:
        return CollectionError("query_error", f"{answer.url} answers {answer.status}: {said}")
    return CollectionError(f"http_{answer.status}", f"{answer.url} answers {answer.status}")


def build_prometheus(options: PrometheusOptions, history_from: float | None) -> PrometheusCollector:
    """Return the collector that ``options`` describe."""
    return PrometheusCollector(options, history_from)
