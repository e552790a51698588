"""One indicator's runs: the present each time, behind what was missed of the past."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from slo_guard.clock import iso
from slo_guard.collect.backfill import Progress, Stretch, chunk_points, missing_stretch
from slo_guard.collect.prometheus_options import PrometheusIndicator, PrometheusOptions
from slo_guard.collect.prometheus_source import Asked, Present, PrometheusSource, was_too_much
from slo_guard.domain.readings import CollectionFailure, Observation
from slo_guard.errors import CollectionError
from slo_guard.http_session import HttpError, HttpSession

_CRON_STEP_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What a run brought for one indicator, and how far it is read now."""

    observations: tuple[Observation, ...]
    progress: Progress


def asked_of(indicator: PrometheusIndicator) -> Asked:
    """Return what a config's indicator asks for."""
    return Asked(indicator.name, indicator.query, indicator.type, indicator.factor)


def step_of(options: PrometheusOptions) -> float:
    """Return the distance (seconds) of the points at which a collector's past is asked for."""
    return options.interval if options.cron is None else _CRON_STEP_SECONDS


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
        self._collector = options.name
        self._source = PrometheusSource(asked_of(indicator), options.name, options.url, session)
        self._session = session
        self._history_from = history_from
        self._has_gaps = options.cron is None
        self._interval = step_of(options)

    def run(self, now: float, progress: Progress, ends: float) -> Part:
        """Return the present, after what is missing of the past."""
        try:
            present = self._source.present(now, ends)
        except (HttpError, CollectionError) as error:
            return self.failed(now, progress, error.reason, str(error))
        stretch = missing_stretch(
            progress, now, self._interval, self._history_from, len(present.index), gaps=self._has_gaps
        )
        if stretch is None:
            return Part((present.reading,), Progress(at=now))
        return self._with_history(stretch, present, now, progress, ends)

    def failed(self, now: float, progress: Progress, reason: str, message: str) -> Part:
        """Return a run that brought nothing."""
        text = self._session.scrubbed(message)
        return Part((CollectionFailure(self._collector, (self.name,), now, reason, text),), progress)

    def _with_history(self, missing: Stretch, present: Present, now: float, progress: Progress, ends: float) -> Part:
        """Read as much of the history as there is time for; the present comes once the past is complete."""
        readings: list[Observation] = []
        problem: HttpError | CollectionError | None = None
        most = chunk_points(len(present.index))
        while True:
            chunk = missing.first(most)
            after = float("-inf") if progress.at is None else progress.at
            try:
                past = self._source.past(chunk, present.index, ends, after=after, before=now, seen_at=now)
            except (HttpError, CollectionError) as error:
                if chunk.count > 1 and was_too_much(error):
                    most = max(1, chunk.count // 8)
                    continue
                problem = error
                break
            readings += past.readings
            progress = Progress(at=chunk.end, step=missing.step)
            if chunk.count == missing.count:
                return Part((*readings, present.reading), Progress(at=now))
            missing = missing.behind(chunk)
        if readings:
            return Part(tuple(readings), progress)
        failed = progress.failed()
        if failed.gave_up:
            return Part((present.reading,), Progress(at=now))
        message = f"the time since {iso(missing.start)} cannot be read: {problem}"
        return self.failed(now, failed, "backfill_failed", message)
