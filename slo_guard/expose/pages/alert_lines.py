"""Alerts as lines: what is wrong, by how much, since when, why, and who looks after it."""

from __future__ import annotations

from collections.abc import Mapping

from slo_guard.clock import iso
from slo_guard.domain.alerts import Alert, AlertKind
from slo_guard.domain.budget_words import burn_note, burn_rate_words
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.kpi import KPI, BurnPair
from slo_guard.domain.verdicts import VerdictFrame
from slo_guard.evaluate.comparison_words import value_words
from slo_guard.expose.answers import loudest_alerts, reason_text, severity_of
from slo_guard.expose.pages.marks import Marks
from slo_guard.expose.pages.model import AlertView
from slo_guard.expose.pages.moments import Calendar
from slo_guard.expose.pages.wording import kind_words, kpi_path, objective_words, web_link, why_words
from slo_guard.expose.snapshot import Snapshot
from slo_guard.units import format_value


def loudest_views(
    snapshot: Snapshot, most: int, calendars: Mapping[str, Calendar], general: Calendar, marks: Marks
) -> tuple[AlertView, ...]:
    """Return the lines of the loudest alerts, at most ``most``; ``general``: the calendar of what is of no sprint."""
    kpis = {(kpi.sprint, kpi.id): kpi for kpi in snapshot.plan.kpis}

    def line(alert: Alert) -> AlertView:
        key = alert.key
        return alert_view(alert, kpis.get((key.sprint, key.kpi)), snapshot, calendars.get(key.sprint, general), marks)

    return tuple(line(alert) for alert in loudest_alerts(snapshot, most))


def alert_view(alert: Alert, kpi: KPI | None, snapshot: Snapshot, calendar: Calendar, marks: Marks) -> AlertView:
    """Return the line of ``alert``; ``kpi`` is None when its rule is gone."""
    key = alert.key
    severity = severity_of(alert, kpi)
    pair = kpi.burn_pair(key.tier) if kpi is not None else None
    frame = snapshot.frames.get((key.sprint, key.kpi))
    position = None if frame is None else frame.index.positions.get(key.labels)
    value, why = _value_and_why(alert, frame, position, pair, calendar)
    return AlertView(
        key="|".join((key.sprint, key.kpi, key.kind.value, key.tier, *(f"{name}={text}" for name, text in key.labels))),
        path=kpi_path(key.sprint, key.kpi) if kpi is not None and kpi.id != COLLECTOR_UP else "/sources",
        kpi=key.kpi,
        title=(kpi.title if kpi else "") or key.kpi,
        lane=kpi.lane if kpi else "",
        owner=kpi.owner if kpi else "",
        labels=key.labels,
        state=alert.state.label,
        severity=severity.value if severity else "",
        kind=kind_words(key),
        value=_value(value, kpi, pair),
        objective=_limit(alert, kpi, pair),
        why=why,
        since=calendar.moment(alert.active_at),
        fired_at=iso(alert.fired_at or alert.active_at),
        runbook=web_link(kpi.runbook_url) if kpi else None,
        marks=marks.of(alert),
    )


def _value_and_why(
    alert: Alert, frame: VerdictFrame | None, position: int | None, pair: BurnPair | None, calendar: Calendar
) -> tuple[float | None, str]:
    if alert.key.kind is AlertKind.BURN:
        return _burning(alert, frame, position, pair)
    if frame is None or position is None:
        return alert.value, alert.reason.sentence
    row = frame.row(position)
    if alert.clear_since is not None:
        since = calendar.moment(alert.clear_since).text
        return row.value, f"its condition is clear since {since}; kept firing for a while"
    return row.value, why_words(row)


def _burning(
    alert: Alert, frame: VerdictFrame | None, position: int | None, pair: BurnPair | None
) -> tuple[float | None, str]:
    """Return the burn rate over the long window, and what it does to the budget."""
    budget = None if frame is None or position is None else frame.row(position).budget
    if budget is None or pair is None:
        return alert.value, alert.reason.sentence
    return budget.rates.get(pair.long_seconds), reason_text(alert.reason, burn_note(budget, pair))


def _value(value: float | None, kpi: KPI | None, pair: BurnPair | None) -> str:
    if pair is not None:
        return burn_rate_words(value, pair.text.partition("/")[0])
    return format_value(value, None) if kpi is None else value_words(value, kpi)


def _limit(alert: Alert, kpi: KPI | None, pair: BurnPair | None) -> str:
    """Return what the alert's value is held against."""
    if pair is not None:
        return pair.limit
    if kpi is None:
        return ""
    if alert.key.kind is AlertKind.RISK and kpi.warn is not None:
        return f"the warning {objective_words(kpi.warn)}"
    return objective_words(kpi.objective) if kpi.objective is not None else ""
