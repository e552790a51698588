"""What the web page shows, worked out from a snapshot: plain values in words and in the sprint's time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote, urlencode, urlsplit
from zoneinfo import ZoneInfo

from slo_guard.clock import from_unix, iso
from slo_guard.domain.alerts import Alert, AlertKey, AlertKind
from slo_guard.domain.budget_words import burn_note, burn_rate_words, burn_rates_words
from slo_guard.domain.close_words import restated_lines, seal_words, target_lines
from slo_guard.domain.kpi import KPI, BurnPair, Objective, Op, Sprint
from slo_guard.domain.readings import IndicatorType
from slo_guard.domain.verdicts import AlertState, SeriesVerdict, Verdict, VerdictFrame
from slo_guard.expose.answers import loudest_alerts, reason_text, severity_of, worst_rows
from slo_guard.expose.page_model import (
    AlertView,
    Badge,
    KpiView,
    LaneView,
    Moment,
    PageView,
    SeriesView,
    SourceView,
    SprintView,
)
from slo_guard.expose.snapshot import Snapshot, SourceStatus
from slo_guard.units import format_duration, format_value

SERIES_SHOWN = 20
ALERTS_SHOWN = 50
_LATE_CYCLES = 3

_KINDS = {AlertKind.RISK: "at risk", AlertKind.BURN: "burn rate"}

_GLYPHS = {
    Verdict.MET: "✓",
    Verdict.AT_RISK: "!",
    Verdict.MISSED: "✕",
    Verdict.NOT_DUE: "○",
    Verdict.INSUFFICIENT: "~",
    Verdict.NO_DATA: "?",
    Verdict.NOT_APPLICABLE: "-",
    Verdict.TRACKED: "·",
}


class Calendar:
    """Turns instants into moments in one zone, as seen at ``now``."""

    def __init__(self, timezone: str, now: float) -> None:
        self.zone = ZoneInfo(timezone)
        self.now = now

    def moment(self, at: float) -> Moment:
        """Return an instant as this zone reads it."""
        local, today = from_unix(at).astimezone(self.zone), from_unix(self.now).astimezone(self.zone)
        text = f"{local:%H:%M:%S}" if local.date() == today.date() else f"{local:%a} {local.day} {local:%b %H:%M}"
        return Moment(text, iso(at), format_duration(max(0.0, float(round(self.now - at)))))


def page_view(snapshot: Snapshot, now: float) -> PageView:
    """Return what the page shows of ``snapshot`` at ``now`` (Unix seconds); instants stand in their sprint's zone."""
    plan = snapshot.plan
    kpis = {(kpi.sprint, kpi.id): kpi for kpi in plan.kpis}
    calendars = {sprint.id: Calendar(sprint.timezone, now) for sprint in plan.sprints.values()}
    general = next(iter(calendars.values()), Calendar("UTC", now))
    judged = [key for key in kpis if key in snapshot.frames and not snapshot.is_upcoming(key[0])]
    worst = Counter(snapshot.frames[key].worst for key in judged)
    states = Counter(int(alert.state) for alert in snapshot.alerts.values())
    shown = loudest_alerts(snapshot, ALERTS_SHOWN)
    return PageView(
        sprints=tuple(_sprint(sprint, calendars[sprint.id], snapshot) for sprint in plan.sprints.values()),
        counts=tuple((badge(verdict), worst[verdict]) for verdict in sorted(worst, reverse=True)),
        alerts=tuple(
            _alert(
                alert, kpis.get((alert.key.sprint, alert.key.kpi)), snapshot, calendars.get(alert.key.sprint, general)
            )
            for alert in shown
        ),
        more_alerts=len(snapshot.alerts) - len(shown),
        firing=states[AlertState.FIRING],
        pending=states[AlertState.PENDING],
        lanes=_lanes(snapshot, calendars, general),
        sources=tuple(_source(source, general) for source in snapshot.sources),
        reload_error="" if snapshot.reload is None or snapshot.reload.ok else snapshot.reload.message,
        evaluated=general.moment(snapshot.at),
        late=now - snapshot.at > _LATE_CYCLES * min((kpi.interval_seconds for kpi in plan.kpis), default=float("inf")),
    )


def badge(verdict: Verdict) -> Badge:
    """Return a verdict's word, sign and colour class."""
    return Badge(verdict.label.replace("_", " "), _GLYPHS[verdict], verdict.label.replace("_", "-"))


def objective_words(objective: Objective | None) -> str:
    """Return an objective for people: ``at most 1.16s``; ``tracked only`` for None."""
    if objective is None:
        return "tracked only"
    return objective.text.replace("_", " ", 1)


def web_link(url: str | None) -> str | None:
    """Return ``url`` if a page may link to it (http or https), else None."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.netloc else None


def _lanes(snapshot: Snapshot, calendars: dict[str, Calendar], general: Calendar) -> tuple[LaneView, ...]:
    grouped: dict[tuple[str, str], list[KPI]] = {}
    for kpi in snapshot.kpis:
        grouped.setdefault((kpi.sprint, kpi.lane), []).append(kpi)
    return tuple(
        LaneView(
            name=lane,
            sprint=sprint,
            owner=_common_owner(members),
            kpis=tuple(
                _kpi(kpi, snapshot.frames.get((sprint, kpi.id)), snapshot.alerts, calendars.get(sprint, general))
                for kpi in members
            ),
        )
        for (sprint, lane), members in grouped.items()
    )


def kpi_path(sprint: str, kpi: str) -> str:
    """Return the path of the page that explains a KPI."""
    return f"/kpis/{quote(kpi, safe='')}?{urlencode({'sprint': sprint})}"


def _anchor(sprint: str, kpi: str) -> str:
    return f"kpi-{sprint}-{kpi}"


def _common_owner(kpis: Sequence[KPI]) -> str:
    owners = {kpi.owner for kpi in kpis}
    return owners.pop() if len(owners) == 1 else ""


def _kpi(kpi: KPI, frame: VerdictFrame | None, alerts: Mapping[AlertKey, Alert], calendar: Calendar) -> KpiView:
    rows = [] if frame is None else worst_rows(frame, SERIES_SHOWN)
    counts = {} if frame is None else frame.counts()
    restated = restated_lines(frame, lambda at: calendar.moment(at).text, lambda value: _value_words(value, kpi))
    return KpiView(
        anchor=_anchor(kpi.sprint, kpi.id),
        id=kpi.id,
        explain=kpi_path(kpi.sprint, kpi.id),
        title=kpi.title or kpi.id,
        badge=None if frame is None else badge(frame.worst),
        objective=_objective_judged(kpi, frame),
        measure=kpi.measure.text,
        counts=", ".join(f"{count:,} {verdict.label.replace('_', ' ')}" for verdict, count in counts.items()),
        series=() if frame is None else tuple(_series(frame.row(row), alerts, calendar) for row in rows),
        more=0 if frame is None else len(frame.index) - len(rows),
        owner=kpi.owner,
        runbook=web_link(kpi.runbook_url),
        place=f"{kpi.place.file}:{kpi.place.line}" if kpi.place else "",
        final=frame is not None and frame.final,
        seal=seal_words(frame),
        asides=(*restated, *target_lines(frame, lambda at: calendar.moment(at).text)),
    )


def _objective_judged(kpi: KPI, frame: VerdictFrame | None) -> str:
    """Return the objective beside a verdict: of one that is final the one that it was judged by."""
    if frame is None or frame.seal is None or frame.seal.objective is None:
        return objective_words(kpi.objective)
    return frame.seal.objective.replace("_", " ", 1)


def _series(row: SeriesVerdict, alerts: Mapping[AlertKey, Alert], calendar: Calendar) -> SeriesView:
    state, since, kind = row.alert_state, row.alert_since, ""
    if state is AlertState.INACTIVE:
        other = next((alert for alert in map(alerts.get, _other_alerts(row)) if alert is not None), None)
        if other is not None:
            state, since, kind = other.state, other.fired_at or other.active_at, _kind_words(other.key)
    active = state is not AlertState.INACTIVE
    return SeriesView(
        labels=row.labels,
        value=_value_words(row.value, row.kpi),
        badge=badge(row.verdict),
        why=reason_text(row.reason, row.note),
        since=calendar.moment(row.since),
        alert=state.label if active else "",
        alert_since=calendar.moment(since) if active and since is not None else None,
        alert_kind=kind,
        burn_rates="" if row.budget is None else burn_rates_words(row.budget),
    )


def _other_alerts(row: SeriesVerdict) -> Iterator[AlertKey]:
    """Yield the keys of a series' alerts beside that of a breach, the loudest first."""
    kpi = row.kpi
    for pair in () if kpi.error_budget is None else kpi.error_budget.burn_alerts:
        yield AlertKey(kpi.sprint, kpi.id, row.labels, AlertKind.BURN, pair.text)
    yield AlertKey(kpi.sprint, kpi.id, row.labels, AlertKind.RISK)


def _kind_words(key: AlertKey) -> str:
    return f"{_KINDS.get(key.kind, '')} {key.tier}".strip()


def _value_words(value: float | None, kpi: KPI) -> str:
    is_bool = kpi.type is IndicatorType.BOOL and (kpi.objective is None or kpi.objective.op is Op.IS)
    if is_bool and value in (0.0, 1.0):
        return "true" if value else "false"
    return format_value(value, kpi.unit)


def _alert(alert: Alert, kpi: KPI | None, snapshot: Snapshot, calendar: Calendar) -> AlertView:
    severity = severity_of(alert, kpi)
    pair = kpi.burn_pair(alert.key.tier) if kpi is not None else None
    value, why = alert.value, alert.reason.sentence
    frame = snapshot.frames.get((alert.key.sprint, alert.key.kpi))
    position = None if frame is None else frame.index.positions.get(alert.key.labels)
    if alert.key.kind is AlertKind.BURN:
        value, why = _burning(alert, frame, position, pair)
    elif frame is not None and position is not None:
        row = frame.row(position)
        value, why = row.value, reason_text(row.reason, row.note)
        if alert.clear_since is not None:
            why = f"its condition is clear since {calendar.moment(alert.clear_since).text}; kept firing for a while"
    warn = kpi.warn if kpi is not None and alert.key.kind is AlertKind.RISK else None
    bound = warn or (kpi and kpi.objective)
    limit = pair.limit if pair is not None else objective_words(bound) if bound else ""
    if warn is not None:
        limit = f"the warning {limit}"
    return AlertView(
        anchor=_anchor(alert.key.sprint, alert.key.kpi),
        kpi=alert.key.kpi,
        title=(kpi.title if kpi else "") or alert.key.kpi,
        lane=kpi.lane if kpi else "",
        owner=kpi.owner if kpi else "",
        labels=alert.key.labels,
        state=alert.state.label,
        severity=severity.value if severity else "",
        kind=_kind_words(alert.key),
        value=_alert_value(value, kpi, pair),
        objective=limit,
        why=why,
        since=calendar.moment(alert.active_at),
        runbook=web_link(kpi.runbook_url) if kpi else None,
    )


def _alert_value(value: float | None, kpi: KPI | None, pair: BurnPair | None) -> str:
    if pair is not None:
        return burn_rate_words(value, pair.text.partition("/")[0])
    return format_value(value, None) if kpi is None else _value_words(value, kpi)


def _burning(
    alert: Alert, frame: VerdictFrame | None, position: int | None, pair: BurnPair | None
) -> tuple[float | None, str]:
    """Return the burn rate over the long window, and what it does to the budget."""
    budget = None if frame is None or position is None else frame.row(position).budget
    if budget is None or pair is None:
        return alert.value, alert.reason.sentence
    return budget.rates.get(pair.long_seconds), reason_text(alert.reason, burn_note(budget, pair))


def _source(source: SourceStatus, calendar: Calendar) -> SourceView:
    error, success = source.last_error, source.last_success_at
    state = "failing" if source.failing else "ok" if success is not None else "waiting"
    return SourceView(
        name=source.collector,
        state=state,
        indicators=source.indicators,
        last_success=None if success is None else calendar.moment(success),
        error=f"{error.reason}: {error.message}" if error else "",
        error_at=calendar.moment(error.at) if error else None,
    )


def _sprint(sprint: Sprint, calendar: Calendar, snapshot: Snapshot) -> SprintView:
    state = "closed" if snapshot.at >= sprint.end_at else "upcoming" if snapshot.is_upcoming(sprint.id) else ""
    start, end = sprint.start, sprint.end
    year = f" {end.year}"
    first = f"{start.day} {start:%b}" + (f" {start.year}" if start.year != end.year else "")
    return SprintView(
        id=sprint.id,
        title=sprint.title or sprint.id,
        dates=f"{first} to {end.day} {end:%b}{year}",
        days=_days(sprint, calendar),
        timezone=sprint.timezone,
        state=state,
    )


def _days(sprint: Sprint, calendar: Calendar) -> str:
    today = from_unix(calendar.now).astimezone(calendar.zone).date()
    if today < sprint.start:
        return f"starts in {_count((sprint.start - today).days)}"
    if today > sprint.end:
        return f"ended {_count((today - sprint.end).days)} ago"
    number, length, left = (
        (today - sprint.start).days + 1,
        (sprint.end - sprint.start).days + 1,
        (sprint.end - today).days,
    )
    return (
        f"day {number} of {length}, {_count(left)} left after today" if left else f"day {number} of {length}, the last"
    )


def _count(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"
