"""The ``prometheus`` collector: instant queries to a Prometheus query API, and range queries for what was missed."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final

from slo_guard.clock import monotonic
from slo_guard.collect.backfill import Progress, decode_progress, encode_progress
from slo_guard.collect.frames import scrubbed_examples
from slo_guard.collect.prometheus_options import PrometheusOptions
from slo_guard.collect.prometheus_query import Part, Query
from slo_guard.domain.readings import Collection, IndicatorSpec
from slo_guard.http_session import HttpSession

__all__ = ["PrometheusCollector", "PrometheusOptions", "build_prometheus"]

_WORKERS: Final = 4
_GRACE_SECONDS: Final = 1.0


class PrometheusCollector:
    """Keeps the ``Collector`` port over a Prometheus query API.

    ``history_from`` (Unix seconds) is the earliest instant that any KPI looks back to; None: no history is read.
    The queries of a run go out four at a time; one that fails fails its indicator alone.
    """

    def __init__(self, options: PrometheusOptions, history_from: float | None = None) -> None:
        self._options = options
        self._history_from = history_from if options.backfill else None
        self._session = HttpSession(options.http)
        self._queries = [Query(each, options, self._session, self._history_from) for each in options.indicators]
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
        parts: list[Part] = []
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
        observations = scrubbed_examples((item for part in parts for item in part.observations), self._session.scrubbed)
        return Collection(self.name, now, observations, encode_progress(after))

    def _start(self, now: float, before: Mapping[str, Progress], ends: float) -> list[Future[Part]]:
        pool = self._pool
        if pool is None:
            self._pool = pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix=f"collect-{self.name}")
        runs: list[Future[Part]] = []
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


def build_prometheus(options: PrometheusOptions, history_from: float | None) -> PrometheusCollector:
    """Return the collector that ``options`` describe."""
    return PrometheusCollector(options, history_from)
