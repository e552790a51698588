"""The parts of the web page as plain values, ready to be printed; the template does nothing but print them."""

from __future__ import annotations

from dataclasses import dataclass

from slo_guard.domain.series import LabelSet


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant as people read it: local ``text``, the ``utc`` behind it, and how long ago it was."""

    text: str
    utc: str
    ago: str


@dataclass(frozen=True, slots=True)
class Badge:
    """A verdict as word, sign and colour class."""

    word: str
    glyph: str
    css: str


@dataclass(frozen=True, slots=True)
class SeriesView:
    """One line of a KPI; its alert is the breach's, or else a burn alert's, or else that of the risk."""

    labels: LabelSet
    value: str
    badge: Badge
    why: str
    since: Moment
    alert: str
    alert_since: Moment | None
    alert_kind: str
    burn_rates: str


@dataclass(frozen=True, slots=True)
class KpiView:
    """One KPI; ``badge`` is None before it is first judged, ``more`` counts the series that are not listed.

    ``final``: its sprint is over, and this is how it ended, made of what ``seal`` names. ``asides``: what came later,
    and which of its targets changed. ``explain``: the path of its own page.
    """

    anchor: str
    id: str
    explain: str
    title: str
    badge: Badge | None
    objective: str
    measure: str
    counts: str
    series: tuple[SeriesView, ...]
    more: int
    owner: str
    runbook: str | None
    place: str
    final: bool
    seal: str
    asides: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LaneView:
    """One lane of one sprint; ``owner`` is set when all its KPIs have the same."""

    name: str
    sprint: str
    owner: str
    kpis: tuple[KpiView, ...]


@dataclass(frozen=True, slots=True)
class AlertView:
    """One line of the alert list; ``anchor`` is that of its KPI."""

    anchor: str
    kpi: str
    title: str
    lane: str
    owner: str
    labels: LabelSet
    state: str
    severity: str
    kind: str
    value: str
    objective: str
    why: str
    since: Moment
    runbook: str | None


@dataclass(frozen=True, slots=True)
class SprintView:
    """A sprint's head line; ``state`` is ``closed``, ``upcoming``, or empty while it runs."""

    id: str
    title: str
    dates: str
    days: str
    timezone: str
    state: str


@dataclass(frozen=True, slots=True)
class SourceView:
    """One line of the sources table."""

    name: str
    state: str
    indicators: tuple[str, ...]
    last_success: Moment | None
    error: str
    error_at: Moment | None


@dataclass(frozen=True, slots=True)
class PageView:
    """The whole page."""

    sprints: tuple[SprintView, ...]
    counts: tuple[tuple[Badge, int], ...]
    alerts: tuple[AlertView, ...]
    more_alerts: int
    firing: int
    pending: int
    lanes: tuple[LaneView, ...]
    sources: tuple[SourceView, ...]
    reload_error: str
    evaluated: Moment
    late: bool
