"""The page of sources: whether each collector answers, what it said when it did not, and what hangs on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slo_guard.expose.pages.board import calendars_of
from slo_guard.expose.pages.moments import Calendar, Moment
from slo_guard.expose.pages.wording import Badge, kpi_path
from slo_guard.expose.snapshot import Snapshot, SourceStatus

_KPIS_SHOWN = 12
_STATES = {
    "ok": Badge("ok", "✓", "met"),
    "failing": Badge("failing", "✕", "missed"),
    "waiting": Badge("waiting", "…", "tracked"),
}


@dataclass(frozen=True, slots=True)
class SourceView:
    """One collector; ``kpis`` are those that read it, ``more`` counts those that are not listed."""

    name: str
    kind: str
    state: Badge
    last_success: Moment | None
    failing_since: Moment | None
    error: str
    error_at: Moment | None
    rejected: int
    example: str
    indicators: tuple[str, ...]
    kpis: tuple[tuple[str, str], ...]
    more: int


def sources_view(snapshot: Snapshot, now: float) -> tuple[SourceView, ...]:
    """Return the collectors of ``snapshot`` at ``now`` (Unix seconds), those that fail first."""
    calendar = calendars_of(snapshot, now)[1]
    views = [_source(source, snapshot, calendar) for source in snapshot.sources]
    return tuple(sorted(views, key=lambda view: (view.state.word != "failing", view.name)))


def _source(source: SourceStatus, snapshot: Snapshot, calendar: Calendar) -> SourceView:
    error, success = source.last_error, source.last_success_at
    state = "failing" if source.failing else "ok" if success is not None else "waiting"
    readers = list(_readers(source, snapshot))
    return SourceView(
        name=source.collector,
        kind=source.kind,
        state=_STATES[state],
        last_success=_moment(success, calendar),
        failing_since=_moment(source.failing_since, calendar) if source.failing else None,
        error=f"{error.reason}: {error.message}" if error else "",
        error_at=calendar.moment(error.at) if error else None,
        rejected=source.rejected,
        example=source.rejected_example or "",
        indicators=source.indicators,
        kpis=tuple(readers[:_KPIS_SHOWN]),
        more=max(0, len(readers) - _KPIS_SHOWN),
    )


def _moment(at: float | None, calendar: Calendar) -> Moment | None:
    return None if at is None else calendar.moment(at)


def _readers(source: SourceStatus, snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    ours = set(source.indicators)
    for kpi in snapshot.kpis:
        if ours.intersection(kpi.indicators):
            yield kpi.title or kpi.id, kpi_path(kpi.sprint, kpi.id)
