"""The ``sql`` collector: a query for each indicator, all in one transaction that may only read."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy.engine import URL

from slo_guard.clock import monotonic
from slo_guard.collect.frames import scrubbed_examples
from slo_guard.collect.sql_options import SqlOptions
from slo_guard.collect.sql_progress import Progress, decode_progress, encode_progress
from slo_guard.collect.sql_query import Part, Query
from slo_guard.collect.sql_session import SqlSession, open_session
from slo_guard.collect.sql_url import MissingDriverError, parse_url, scrubbed
from slo_guard.domain.readings import Collection, IndicatorSpec, Observation
from slo_guard.errors import CollectionError, SecretError

__all__ = ["SqlCollector", "SqlOptions", "build_sql"]

_GRACE_SECONDS: Final = 0.5
_MOST_LEFT_BEHIND: Final = 4


class SqlCollector:
    """Keeps the ``Collector`` port over a database; a query that fails fails its indicator alone.

    A run has a thread and a connection of its own: one that hangs is cut off at the time-out and left behind.
    """

    def __init__(self, options: SqlOptions) -> None:
        self._options = options
        self._queries = [Query(each, options) for each in options.indicators]
        self._left_behind: list[_Run] = []
        self._run: _Run | None = None
        self._closed = False

    @property
    def name(self) -> str:
        """The collector's name."""
        return self._options.name

    @property
    def indicators(self) -> tuple[IndicatorSpec, ...]:
        """What it produces."""
        return self._options.specs()

    def collect(self, now: float, cursor: str | None) -> Collection:
        """Ask all queries; see the port."""
        before = decode_progress(cursor)
        self._left_behind = [run for run in self._left_behind if run.is_alive()]
        try:
            url = self._url()
        except CollectionError as error:
            return self._collection(now, before, {}, error, None)
        if len(self._left_behind) >= _MOST_LEFT_BEHIND:
            hanging = CollectionError("timeout", f"the last {_MOST_LEFT_BEHIND} collections still wait for an answer")
            return self._collection(now, before, {}, hanging, url)
        ends = monotonic() + self._options.timeout
        # One that used up the time last time comes last: it must not cost the others theirs again and again.
        queries = sorted(self._queries, key=lambda query: query.was_late)
        self._run = run = _Run(queries, url, self._options, now, before, ends)
        run.start()
        run.join(max(0.0, ends - monotonic()))
        if run.is_alive():
            run.interrupt()
            run.join(_GRACE_SECONDS)
        if run.is_alive():
            self._left_behind.append(run)
        self._run = None
        parts, problem = run.outcome()
        for query in queries:
            part = parts.get(query.name)
            if isinstance(part, CollectionError):
                query.was_late = part.reason == "timeout"
            else:
                query.was_late = part is None or part.was_late
            if query.was_late:
                break
        if self._closed and len(parts) < len(queries):
            problem = CollectionError("closed", "the collector was closed")
        return self._collection(now, before, parts, problem, url)

    def close(self) -> None:
        """Cut off what still runs; idempotent."""
        self._closed = True
        run = self._run
        if run is not None:
            run.interrupt()

    def _url(self) -> URL:
        try:
            return parse_url(self._options.url_text())
        except SecretError as error:
            raise CollectionError("secret_missing", str(error)) from None
        except MissingDriverError as error:
            raise CollectionError("driver_missing", str(error)) from None
        except ValueError as error:
            raise CollectionError("wrong_url", f"url is {error}") from None

    def _collection(
        self,
        now: float,
        before: Mapping[str, Progress],
        parts: Mapping[str, Part | CollectionError],
        problem: CollectionError | None,
        url: URL | None,
    ) -> Collection:
        progress = dict(before)
        observations: list[Observation] = []
        for query in self._queries:
            part = parts.get(query.name) or problem or CollectionError("timeout", "no answer in time")
            if isinstance(part, CollectionError):
                part = query.failed(now, part.reason, str(part) if url is None else scrubbed(str(part), url))
            else:
                query.index = part.index
                progress.pop(query.name, None)
                if part.progress is not None:
                    progress[query.name] = part.progress
            observations += part.observations
        names = {query.name for query in self._queries}
        kept = {name: each for name, each in progress.items() if name in names}
        if url is not None:
            observations = [*scrubbed_examples(observations, lambda text: scrubbed(text, url))]
        return Collection(self.name, now, tuple(observations), None if kept == before else encode_progress(kept))


class _Run(threading.Thread):
    """One collection: a session, and the queries one after the other. What it found so far can be taken at any time."""

    def __init__(
        self,
        queries: Sequence[Query],
        url: URL,
        options: SqlOptions,
        now: float,
        before: Mapping[str, Progress],
        ends: float,
    ) -> None:
        super().__init__(name=f"collect-{options.name}", daemon=True)
        self._queries = queries
        self._url = url
        self._folder = options.folder
        self._now = now
        self._before = before
        self._ends = ends
        self._lock = threading.Lock()
        self._session: SqlSession | None = None
        self._interrupted = False
        self._parts: dict[str, Part | CollectionError] = {}
        self._problem: CollectionError | None = None
        self._bug: Exception | None = None

    def run(self) -> None:
        """Connect, ask, and close; what goes wrong is kept for :meth:`outcome`."""
        try:
            session = open_session(self._url, self._folder, self._ends)
            with self._lock:
                self._session = session
                if self._interrupted:
                    session.interrupt()
            try:
                for query in self._queries:
                    self._parts[query.name] = self._part(query, session)
            finally:
                session.close()
        except CollectionError as error:
            self._problem = error
        except Exception as error:  # noqa: BLE001 - raised again in the thread that waits
            self._bug = error

    def _part(self, query: Query, session: SqlSession) -> Part | CollectionError:
        try:
            return query.run(session, self._now, self._before.get(query.name), self._ends)
        except CollectionError as error:
            return error

    def interrupt(self) -> None:
        """Make it end soon, also while it waits for an answer."""
        with self._lock:
            self._interrupted = True
            if self._session is not None:
                self._session.interrupt()

    def outcome(self) -> tuple[dict[str, Part | CollectionError], CollectionError | None]:
        """Return what it found so far, and why there is no more; a bug is raised here."""
        if self._bug is not None:
            raise self._bug
        return dict(self._parts), self._problem


def build_sql(options: SqlOptions, history_from: float | None) -> SqlCollector:  # noqa: ARG001 - a query says itself how far it looks back
    """Return the collector that ``options`` describe."""
    return SqlCollector(options)
