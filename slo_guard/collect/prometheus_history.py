"""What a Prometheus remembers of indicators, read page by page: for those who look back and keep nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from slo_guard.clock import iso, monotonic
from slo_guard.collect.backfill import Stretch, chunk_points
from slo_guard.collect.options import SourceHttpOptions
from slo_guard.collect.prometheus_options import PrometheusOptions
from slo_guard.collect.prometheus_query import asked_of, step_of
from slo_guard.collect.prometheus_source import Asked, PrometheusSource, was_too_much
from slo_guard.domain.readings import IndicatorSpec, IndicatorType, Reading
from slo_guard.domain.series import EMPTY_INDEX
from slo_guard.errors import CollectionError
from slo_guard.http_session import HttpError, HttpSession

FIRST_PAGE_POINTS: Final = 100
"""How many points are asked for before it is known how many series there are."""

_PAGE_POINTS: Final = 2000
_BUCKET_SUFFIX: Final = "_bucket"
_METRIC_TIMEOUT_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Remembered:
    """One indicator as it is asked of the past: every ``step`` seconds, ``timeout`` seconds for a request."""

    asked: Asked
    collector: str
    step: float
    timeout: float
    http: SourceHttpOptions


def remembered_by(options: PrometheusOptions) -> tuple[Remembered, ...]:
    """Return a collector's indicators as it asks for them, at its interval and with its HTTP options."""
    return tuple(
        Remembered(asked_of(each), options.name, step_of(options), options.timeout, options.http)
        for each in options.indicators
    )


def remembered_metric(spec: IndicatorSpec, step: float) -> Remembered:
    """Return the indicator as the metric of its name, in base units; a histogram as its ``_bucket`` series."""
    name = spec.name
    if spec.type is IndicatorType.HISTOGRAM and not name.endswith(_BUCKET_SUFFIX):
        name += _BUCKET_SUFFIX
    asked = Asked(spec.name, f'{{__name__="{name}"}}', spec.type.value)
    return Remembered(asked, "prometheus", step, _METRIC_TIMEOUT_SECONDS, SourceHttpOptions())


class PrometheusHistory:
    """The past of indicators in the Prometheus at ``url``, whatever the URL of their collectors is."""

    def __init__(self, url: str, indicators: Iterable[Remembered]) -> None:
        self._url = url
        self._indicators = {each.asked.name: each for each in indicators}
        self._sessions: dict[str, HttpSession] = {}

    def readings(self, indicator: str, since: float, through: float, until: float) -> Iterator[Reading]:
        """Yield what was there at ``through`` + k x step within [``since``, ``until``] (Unix seconds), ascending.

        Each reading was seen at its own time; a point without samples gives none. Pages are asked for as they are
        needed. Raises ``CollectionError`` with one line, which holds no secret; ``KeyError`` for a name not given.
        """
        of = self._indicators[indicator]
        session = self._session(of)
        source = PrometheusSource(of.asked, of.collector, self._url, session)
        first = through - math.ceil((through - since) / of.step) * of.step
        left = Stretch(first, of.step, math.floor((until - first) / of.step + 1e-6) + 1)
        most, limit, index, after = FIRST_PAGE_POINTS, _PAGE_POINTS, EMPTY_INDEX, -math.inf
        while left.count > 0:
            page = left.first(most)
            try:
                past = source.past(page, index, monotonic() + of.timeout, after=after)
            except (HttpError, CollectionError) as error:
                if page.count > 1 and was_too_much(error):
                    most = limit = max(1, page.count // 8)
                    continue
                raise _refused(indicator, page, session.scrubbed(str(error)), error.reason) from None
            yield from past.readings
            # By the last time that came, since some servers move the points: none comes twice, and none is lost.
            after = past.readings[-1].seen_at if past.readings else after
            index, left = past.index, left.behind(page)
            most = min(limit, chunk_points(len(index)))

    def _session(self, of: Remembered) -> HttpSession:
        if of.collector not in self._sessions:
            self._sessions[of.collector] = HttpSession(of.http)
        return self._sessions[of.collector]

    def close(self) -> None:
        """Release the connections; idempotent."""
        for session in self._sessions.values():
            session.close()


def _refused(indicator: str, page: Stretch, said: str, reason: str) -> CollectionError:
    words = "".join(each if each.isprintable() else " " for each in said)
    between = f"between {iso(page.start)} and {iso(page.end)}"
    return CollectionError(reason, f"{indicator} {between} cannot be read: {' '.join(words.split())}")
