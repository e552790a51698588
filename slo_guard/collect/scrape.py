"""The ``scrape`` collector: a page of metrics, read once for all indicators that stand on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from slo_guard.clock import monotonic
from slo_guard.collect.exposition import ACCEPT, Page, PageParser, Series
from slo_guard.collect.frames import (
    NOTHING,
    Rejections,
    SeriesLayout,
    gauge_frame,
    layout_at,
    layout_of,
    scrubbed_examples,
)
from slo_guard.collect.histograms import BucketLayout, bucket_layout
from slo_guard.collect.matching import SeriesMatch, parse_where
from slo_guard.collect.options import HttpSourceOptions, IndicatorOptions, unique_names
from slo_guard.domain.readings import (
    Collection,
    CollectionFailure,
    FloatArray,
    GaugeFrame,
    HistogramFrame,
    IndicatorSpec,
    IntArray,
    Observation,
    Reading,
)
from slo_guard.domain.series import SeriesIndex
from slo_guard.errors import CollectionError
from slo_guard.http_session import HttpError, HttpSession, HttpUrl

_OPENMETRICS: Final = "application/openmetrics-text"


def _checked_where(where: dict[str, str]) -> dict[str, str]:
    parse_where(where)
    return where


class ScrapeIndicator(IndicatorOptions):
    """One metric of the page."""

    metric: str = Field(
        pattern=r"^[^\s{}\"]+$",
        description="The metric's name; a counter's may leave out _total, a histogram's leaves out _bucket.",
    )
    where: Annotated[dict[str, str], AfterValidator(_checked_where)] = Field(
        default_factory=dict, description="Which of its series: label: value, !value or ~regex (RE2, anchored)."
    )

    @property
    def sample_names(self) -> tuple[str, ...]:
        """The names of its samples on the page, the preferred one first."""
        if self.type == "histogram":
            return (f"{self.metric}_bucket", f"{self.metric}_count")
        return (self.metric, f"{self.metric}_total") if self.type == "counter" else (self.metric,)


class ScrapeOptions(HttpSourceOptions):
    """Options of a ``scrape`` collector."""

    type: Literal["scrape"] = Field("scrape", description="What kind of collector this is: scrape.")
    url: HttpUrl = Field(description="URL of the page, such as http://service:8080/metrics.")
    indicators: list[ScrapeIndicator] = Field(min_length=1, description="What to take from the page.")

    @model_validator(mode="after")
    def _indicators_differ(self) -> ScrapeOptions:
        unique_names([each.name for each in self.indicators])
        return self

    def specs(self) -> tuple[IndicatorSpec, ...]:
        """Return the declared indicators."""
        return tuple(each.spec(self.name) for each in self.indicators)


class ScrapeCollector:
    """Keeps the ``Collector`` port over a metrics page, one GET a run; a metric that it lacks is an empty frame."""

    def __init__(self, options: ScrapeOptions) -> None:
        self._options = options
        self._session = HttpSession(options.http)
        self._parser = PageParser(name for each in options.indicators for name in each.sample_names)
        self._selections = [_Selection(each, options.name) for each in options.indicators]

    @property
    def name(self) -> str:
        """The collector's name."""
        return self._options.name

    @property
    def indicators(self) -> tuple[IndicatorSpec, ...]:
        """What it produces."""
        return self._options.specs()

    def collect(self, now: float, cursor: str | None) -> Collection:  # noqa: ARG002 - a page has no memory to go on in
        """Read the page once; see the port."""
        try:
            page = self._page(monotonic() + self._options.timeout)
        except (HttpError, CollectionError) as error:
            names = tuple(each.name for each in self._options.indicators)
            failure = CollectionFailure(self.name, names, now, error.reason, self._session.scrubbed(str(error)))
            return Collection(self.name, now, (failure,))
        readings: list[Observation] = []
        for selection in self._selections:
            rejected = Rejections()
            for begins, wrong in page.wrong.items():
                # A line that names no indicator's metric is told with the first one, so that it is told once.
                if begins in selection.names or (not begins and selection is self._selections[0]):
                    rejected.add(wrong.count, wrong.example)
            readings += selection.readings(page, now, rejected)
        return Collection(self.name, now, scrubbed_examples(readings, self._session.scrubbed))

    def close(self) -> None:
        """Release connections; idempotent."""
        self._session.close()

    def _page(self, ends: float) -> Page:
        answer = self._session.get(self._options.url, headers={"Accept": ACCEPT}, deadline=ends)
        if not 200 <= answer.status < 300:
            raise CollectionError(f"http_{answer.status}", f"{answer.url} answers {answer.status}")
        openmetrics = answer.headers.get("content-type", "").strip().lower().startswith(_OPENMETRICS)
        try:
            return self._parser.parse(answer.body, openmetrics=openmetrics)
        except CollectionError as error:
            raise CollectionError(error.reason, f"{answer.url}: {error}") from None


@dataclass(frozen=True, slots=True, eq=False)
class _Chosen:
    """Which samples of a page with ``series`` are an indicator's, and their layout; a histogram's counts apart."""

    series: list[Series]
    positions: IntArray
    totals: IntArray
    layout: SeriesLayout
    total_layout: SeriesLayout
    buckets: BucketLayout | None

    @property
    def index(self) -> SeriesIndex:
        """The indicator's series: its whole listing on the page."""
        return self.layout.index if self.buckets is None else self.buckets.index


class _Selection:
    """One indicator's part of the page, with what is kept while the page has the same series."""

    def __init__(self, indicator: ScrapeIndicator, collector: str) -> None:
        self.names = indicator.sample_names
        self._indicator = indicator
        self._collector = collector
        self._matches = SeriesMatch(parse_where(indicator.where))
        self._chosen: _Chosen | None = None

    def readings(self, page: Page, now: float, rejected: Rejections) -> list[Reading]:
        """Return a reading for each distinct time of the samples, ascending; lines without one are of ``now``.

        Each lists all series of the page: those that are stamped otherwise are there, without a sample at that time.
        """
        chosen = self._chosen
        if chosen is None or chosen.series is not page.series:
            self._chosen = chosen = self._choose(page.series)
        values, totals = page.values[chosen.positions], page.values[chosen.totals]
        if page.times is None:
            return [self._reading(self._whole(chosen, values, totals, now, rejected), now, rejected)]
        times = np.where(np.isfinite(page.times), page.times, now)
        at, total_at = times[chosen.positions], times[chosen.totals]
        instants = np.unique(np.concatenate((at, total_at))).tolist() or [now]
        if len(instants) == 1:
            return [self._reading(self._whole(chosen, values, totals, instants[0], rejected), now, rejected)]
        if chosen.buckets is not None:
            rejected.add(chosen.buckets.rejected, chosen.buckets.example)
        rows, total_rows = chosen.layout.row_of_each(), chosen.total_layout.row_of_each()
        readings: list[Reading] = []
        for instant in instants:
            here, totals_here = at == instant, total_at == instant
            layout = layout_at(chosen.layout.index, rows[here])
            total_layout = layout_at(chosen.total_layout.index, total_rows[totals_here])
            part = replace(chosen, layout=layout, total_layout=total_layout)
            frame = self._frame(part, values[here], totals[totals_here], instant, rejected, complete=False)
            readings.append(self._reading(frame, now, rejected))
            rejected = Rejections()
        return readings

    def _choose(self, series: list[Series]) -> _Chosen:
        found: dict[str, list[int]] = {name: [] for name in self.names}
        for position, each in enumerate(series):
            if each.name in found and self._matches(each.labels):
                found[each.name].append(position)
        previous = self._chosen
        known = None if previous is None else previous.index
        buckets: BucketLayout | None = None
        if self._indicator.type == "histogram":
            positions, totals = (found[name] for name in self.names)
            layout = layout_of([series[at].labels for at in positions])
            total_layout = layout_of([series[at].labels for at in totals])
            buckets = bucket_layout(layout.index, total_layout.index, known)
        else:
            positions, totals = next((each for each in found.values() if each), []), []
            layout, total_layout = layout_of([series[at].labels for at in positions], known), NOTHING
        places, total_places = (np.array(each, dtype=np.int64) for each in (positions, totals))
        return _Chosen(series, places, total_places, layout, total_layout, buckets)

    def _whole(
        self, chosen: _Chosen, values: FloatArray, totals: FloatArray, at: float, rejected: Rejections
    ) -> GaugeFrame | HistogramFrame:
        return self._frame(chosen, values, totals, at, rejected, complete=True)

    def _frame(
        self, part: _Chosen, values: FloatArray, totals: FloatArray, at: float, rejected: Rejections, *, complete: bool
    ) -> GaugeFrame | HistogramFrame:
        factor = self._indicator.factor
        if part.buckets is None:
            is_bool = self._indicator.type == "bool"
            return gauge_frame(part.layout, values, at, factor=factor, is_bool=is_bool, rejected=rejected)
        rejected.add(part.layout.duplicates, part.layout.example)
        placed, counts = part.layout.place(values), part.total_layout.place(totals)
        return part.buckets.frame(placed, counts, at, factor=factor, rejected=rejected, complete=complete)

    def _reading(self, frame: GaugeFrame | HistogramFrame, now: float, rejected: Rejections) -> Reading:
        return Reading(self._indicator.name, self._collector, now, frame, rejected.count, rejected.example)


def build_scrape(options: ScrapeOptions, history_from: float | None) -> ScrapeCollector:  # noqa: ARG001 - a page shows the present only
    """Return the collector that ``options`` describe."""
    return ScrapeCollector(options)
