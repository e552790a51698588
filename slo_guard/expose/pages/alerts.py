"""The page of alerts: what fires, what may, what nobody is told of just now, and every silence with who and why."""

from __future__ import annotations

from dataclasses import dataclass

from slo_guard.domain.silences import Acknowledgement, Silence
from slo_guard.domain.verdicts import AlertState
from slo_guard.expose.pages.alert_lines import loudest_views
from slo_guard.expose.pages.board import calendars_of
from slo_guard.expose.pages.marks import Marks
from slo_guard.expose.pages.model import AlertView
from slo_guard.expose.pages.moments import Calendar, Moment
from slo_guard.expose.pages.wording import kpi_path
from slo_guard.expose.snapshot import Snapshot

_SHOWN = 200


@dataclass(frozen=True, slots=True)
class SilenceView:
    """One silence: which alerts it is about, and its times; ``holds``: it has begun."""

    id: int
    matchers: tuple[str, ...]
    holds: bool
    starts: Moment
    ends: Moment
    by: str
    why: str
    command: str


@dataclass(frozen=True, slots=True)
class AcknowledgementView:
    """One acknowledgement: of a KPI, or of one of its series."""

    id: int
    kpi: str
    path: str
    labels: tuple[tuple[str, str], ...]
    until: Moment
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class AlertsView:
    """All alerts, the loudest first; ``quiet`` are those that are silenced or acknowledged, which are in no other."""

    firing: tuple[AlertView, ...]
    quiet: tuple[AlertView, ...]
    pending: tuple[AlertView, ...]
    more: int
    silences: tuple[SilenceView, ...]
    acknowledgements: tuple[AcknowledgementView, ...]


def alerts_view(snapshot: Snapshot, now: float) -> AlertsView:
    """Return what the page shows of ``snapshot`` at ``now`` (Unix seconds)."""
    calendars, general = calendars_of(snapshot, now)
    lines = loudest_views(snapshot, _SHOWN, calendars, general, Marks(snapshot, general))
    firing = AlertState.FIRING.label
    return AlertsView(
        firing=tuple(line for line in lines if line.state == firing and not line.marks),
        quiet=tuple(line for line in lines if line.marks),
        pending=tuple(line for line in lines if line.state != firing and not line.marks),
        more=len(snapshot.alerts) - len(lines),
        silences=tuple(_silence(each, general) for each in snapshot.silences),
        acknowledgements=tuple(_acknowledgement(each, snapshot, general) for each in snapshot.acknowledgements),
    )


def _silence(silence: Silence, calendar: Calendar) -> SilenceView:
    return SilenceView(
        id=silence.id,
        matchers=tuple(str(matcher) for matcher in silence.matchers),
        holds=silence.is_active(calendar.now),
        starts=calendar.moment(silence.starts_at),
        ends=calendar.moment(silence.over_at),
        by=silence.by,
        why=silence.why,
        command=f"slo-guard silence expire {silence.id}",
    )


def _acknowledgement(each: Acknowledgement, snapshot: Snapshot, calendar: Calendar) -> AcknowledgementView:
    guarded = (each.sprint, each.kpi) in snapshot.frames
    return AcknowledgementView(
        id=each.id,
        kpi=each.kpi,
        path=kpi_path(each.sprint, each.kpi) if guarded else "",
        labels=each.labels or (),
        until=calendar.moment(each.until),
        by=each.by,
        why=each.why,
    )
