"""What stands around every page: navigation with what needs attention, how old it is, and the theme."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlencode

from slo_guard.domain.kpi import Plan
from slo_guard.domain.verdicts import AlertState
from slo_guard.expose.pages.board import calendars_of
from slo_guard.expose.pages.moments import Moment
from slo_guard.expose.snapshot import Snapshot

_LATE_CYCLES = 3
_SHORTEST_REFRESH, _LONGEST_REFRESH = 5.0, 30.0


class Theme(StrEnum):
    """Light or dark, or as the reader's system has it."""

    AUTO = "auto"
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True, slots=True)
class Visit:
    """Who looks at which page (``path``: empty for none of ours), its query without ``theme``, and the theme chosen."""

    path: str = "/"
    query: Mapping[str, str] = field(default_factory=dict)
    theme: Theme = Theme.AUTO


@dataclass(frozen=True, slots=True)
class NavLink:
    """One entry of the navigation; ``count`` is what needs attention there, 0 for nothing."""

    word: str
    path: str
    here: bool
    count: int = 0
    counted: str = ""


@dataclass(frozen=True, slots=True)
class Chrome:
    """What every page has; ``evaluated`` is None before the first evaluation."""

    nav: tuple[NavLink, ...]
    themes: tuple[tuple[Theme, str], ...]
    theme: Theme
    firing: int
    evaluated: Moment | None
    timezone: str
    late: bool
    reload_error: str
    refresh_seconds: int


def chrome_of(snapshot: Snapshot | None, now: float, visit: Visit) -> Chrome:
    """Return what stands around the page of ``visit`` at ``now`` (Unix seconds)."""
    path = visit.path
    firing = failing = 0
    evaluated, timezone, late, reload_error = None, "UTC", False, ""
    if snapshot is not None:
        general = calendars_of(snapshot, now)[1]
        firing = sum(alert.state is AlertState.FIRING for alert in snapshot.alerts.values())
        failing = sum(source.failing for source in snapshot.sources)
        evaluated, timezone = general.moment(snapshot.at), general.timezone
        late = now - snapshot.at > _LATE_CYCLES * _shortest_interval(snapshot.plan)
        reload_error = "" if snapshot.reload is None or snapshot.reload.ok else snapshot.reload.message
    return Chrome(
        nav=(
            NavLink("Board", "/", path == "/"),
            NavLink("Alerts", "/alerts", path == "/alerts", firing, "firing"),
            NavLink("Sources", "/sources", path == "/sources", failing, "failing"),
            NavLink("Deliveries", "/deliveries", path == "/deliveries"),
        ),
        themes=tuple((each, f"{path or '/'}?{urlencode({**visit.query, 'theme': each.value})}") for each in Theme),
        theme=visit.theme,
        firing=firing,
        evaluated=evaluated,
        timezone=timezone,
        late=late,
        reload_error=reload_error,
        refresh_seconds=_refresh_seconds(snapshot),
    )


def _shortest_interval(plan: Plan) -> float:
    return min((kpi.interval_seconds for kpi in plan.kpis), default=float("inf"))


def _refresh_seconds(snapshot: Snapshot | None) -> int:
    shortest = _SHORTEST_REFRESH if snapshot is None else _shortest_interval(snapshot.plan)
    return int(min(max(shortest, _SHORTEST_REFRESH), _LONGEST_REFRESH))
