"""What the API answers: the models that document it, and the functions that make the answers from a snapshot."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel

from slo_guard.clock import iso
from slo_guard.domain.alerts import Alert
from slo_guard.domain.kpi import KPI, Severity
from slo_guard.domain.verdicts import AlertState, Reason, VerdictFrame
from slo_guard.evaluate.verdict_json import verdict_json
from slo_guard.evaluate.worst_first import worst_rows
from slo_guard.expose.final_answers import (
    ByOriginalAnswer,
    FinalAnswer,
    RestatedAnswer,
    TargetChangeAnswer,
    VerdictName,
    final_fields,
)
from slo_guard.expose.snapshot import Snapshot


class WindowAnswer(BaseModel):
    """The bounds of what was measured; ``start`` is null for ``last``."""

    start: str | None
    end: str


class AlertStateAnswer(BaseModel):
    """The state of a series' breach alert; ``since`` is null while inactive."""

    state: Literal["inactive", "pending", "firing"]
    since: str | None


class OutlookAnswer(BaseModel):
    """What is ahead, in the KPI's base unit; null where it has no meaning or cannot be told.

    ``line``: where the pace wants it to be; ``forecast``: its value at the due time; ``left``: how much of a limit is
    not used up; ``attainable``: whether that can still be kept; ``crosses_in_seconds``: when its trend crosses the
    objective; ``raw_value``: with the excluded stretches of time; ``cross_check_value``: what the indicator that it is
    checked against comes to.
    """

    line: float | None
    forecast: float | None
    left: float | None
    attainable: bool | None
    crosses_in_seconds: float | None
    raw_value: float | None
    cross_check_value: float | None


class BudgetAnswer(BaseModel):
    """The error budget of one series; null where nothing can be told.

    ``bad`` of ``total`` events (or slices of time) in ``window``; ``remaining_ratio``: the part of the budget so far
    that is left, negative beyond it; ``burn_rates`` by window; ``burning``: the tiers whose windows are both above
    their factor; ``exhausted_in_seconds``: when it will be spent at the present pace, null where it will not.
    """

    window: WindowAnswer
    method: Literal["occurrences", "timeslices"]
    allowed_ratio: float
    bad: float | None
    total: float | None
    remaining_ratio: float | None
    burn_rates: dict[str, float | None]
    burning: list[str]
    exhausted_in_seconds: float | None


class SeriesAnswer(BaseModel):
    """One series' verdict: the fields of ``slo-guard eval --format json``, then why in words and since when."""

    kpi: str
    lane: str
    labels: dict[str, str]
    value: float | None
    unit: str | None
    objective: str | None
    verdict: VerdictName
    reason: str
    samples: int
    coverage: float | None
    window: WindowAnswer
    outlook: OutlookAnswer | None = None
    budget: BudgetAnswer | None = None
    alert: AlertStateAnswer
    reason_text: str
    note: str | None
    since: str


class KpiAnswer(BaseModel):
    """One KPI: its worst verdict (null before it is first judged), counts by verdict, and its worst series first.

    ``final``: its sprint is over, and this is how it ended; null while it goes on. ``restated``: what came later and
    differs from that; ``target_changes``: of its rule in mid-sprint, ascending; ``by_original``: its verdict by the
    first target, where that is another one and its value says.
    """

    kpi: str
    title: str
    lane: str
    owner: str
    sprint: str
    objective: str | None
    warn: str | None
    resolve: str | None
    unit: str | None
    measure: str
    severity: str
    runbook_url: str | None
    place: str | None
    at: str | None
    verdict: VerdictName | None
    final: FinalAnswer | None
    restated: RestatedAnswer | None
    target_changes: list[TargetChangeAnswer]
    by_original: ByOriginalAnswer | None
    counts: dict[str, int]
    series_total: int
    truncated: bool
    series: list[SeriesAnswer]


class KpisAnswer(BaseModel):
    """All KPIs in rule file order, as of the evaluation ``at``."""

    at: str
    kpis: list[KpiAnswer]


class AcknowledgedAnswer(BaseModel):
    """Who knows of an alert, until when no reminders of it are sent, and why."""

    by: str
    until: str
    why: str


class AlertAnswer(BaseModel):
    """One alert that is pending or firing; ``since`` is when its condition began.

    ``silenced_by``: the number of the silence that keeps its messages back; it is in its state all the same.
    """

    sprint: str
    kpi: str
    lane: str | None
    title: str | None
    owner: str | None
    labels: dict[str, str]
    kind: Literal["breach", "risk", "burn"]
    tier: str | None
    severity: str | None
    state: Literal["pending", "firing"]
    since: str
    fired_at: str | None
    verdict: VerdictName
    value: float | None
    unit: str | None
    objective: str | None
    reason: str
    reason_text: str
    runbook_url: str | None
    silenced_by: int | None
    acknowledged: AcknowledgedAnswer | None


class AlertsAnswer(BaseModel):
    """Alerts, firing ones first, the loudest and oldest first among them."""

    at: str
    total: int
    truncated: bool
    alerts: list[AlertAnswer]


class ProblemAnswer(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


MOST_SERIES = 20_000
"""Of all KPIs together in one answer: more would keep an evaluation waiting for its turn on the processor."""


def kpis_answer(snapshot: Snapshot, *, lane: str | None, verdict: str | None, limit: int) -> dict[str, Any]:
    """Return ``KpisAnswer`` for the KPIs of ``lane`` whose worst verdict is ``verdict`` (None: any).

    Each has at most ``limit`` series, and fewer where all together would have more than ``MOST_SERIES``.
    """
    framed = [(kpi, snapshot.frames.get((kpi.sprint, kpi.id))) for kpi in snapshot.kpis if lane in (None, kpi.lane)]
    asked = [
        (kpi, frame) for kpi, frame in framed if verdict is None or (frame is not None and frame.worst.label == verdict)
    ]
    each = min(limit, max(1, MOST_SERIES // max(1, len(asked))))
    return {"at": iso(snapshot.at), "kpis": [kpi_answer(kpi, frame, each) for kpi, frame in asked]}


def kpi_answer(kpi: KPI, frame: VerdictFrame | None, limit: int) -> dict[str, Any]:
    """Return ``KpiAnswer`` with at most ``limit`` series."""
    rows = [] if frame is None else worst_rows(frame, limit)
    total = 0 if frame is None else len(frame.index)
    return {
        "kpi": kpi.id,
        "title": kpi.title,
        "lane": kpi.lane,
        "owner": kpi.owner,
        "sprint": kpi.sprint,
        "objective": kpi.objective.text if kpi.objective else None,
        "warn": kpi.warn.text if kpi.warn else None,
        "resolve": kpi.resolve.text if kpi.resolve else None,
        "unit": kpi.unit or None,
        "measure": kpi.measure.text,
        "severity": kpi.severity.value,
        "runbook_url": kpi.runbook_url,
        "place": f"{kpi.place.file}:{kpi.place.line}" if kpi.place else None,
        "at": iso(frame.at) if frame else None,
        "verdict": frame.worst.label if frame else None,
        **final_fields(frame, limit),
        "counts": {verdict.label: count for verdict, count in frame.counts().items()} if frame else {},
        "series_total": total,
        "truncated": len(rows) < total,
        "series": [_series_answer(frame, row) for row in rows] if frame else [],
    }


def alerts_answer(snapshot: Snapshot, limit: int) -> dict[str, Any]:
    """Return ``AlertsAnswer`` with at most ``limit`` alerts."""
    kpis = {(kpi.sprint, kpi.id): kpi for kpi in snapshot.plan.kpis}
    shown = loudest_alerts(snapshot, limit)
    return {
        "at": iso(snapshot.at),
        "total": len(snapshot.alerts),
        "truncated": len(shown) < len(snapshot.alerts),
        "alerts": [
            _alert_answer(alert, kpis.get((alert.key.sprint, alert.key.kpi))) | _said_of(alert, snapshot)
            for alert in shown
        ],
    }


def loudest_alerts(snapshot: Snapshot, limit: int) -> list[Alert]:
    """Return alerts to show: firing before pending, page before ticket, then the oldest first."""
    kpis = {(kpi.sprint, kpi.id): kpi for kpi in snapshot.plan.kpis}

    def rank(alert: Alert) -> tuple[bool, bool, float, str, Any]:
        key = alert.key
        severity = severity_of(alert, kpis.get((key.sprint, key.kpi)))
        return (
            alert.state is not AlertState.FIRING,
            severity is not Severity.PAGE,
            alert.active_at,
            key.kpi,
            key.labels,
        )

    alerts: Iterable[Alert] = snapshot.alerts.values()
    return heapq.nsmallest(limit, alerts, key=rank)


def severity_of(alert: Alert, kpi: KPI | None) -> Severity | None:
    """Return how loud ``alert`` is; None when its rule is gone."""
    if kpi is None:
        return None
    return alert.key.slot.severity(kpi)


def reason_text(reason: Reason, note: str | None) -> str:
    """Return the reason in words, with what the row's note adds."""
    return f"{reason.sentence}: {note}" if note else reason.sentence


def _series_answer(frame: VerdictFrame, position: int) -> dict[str, Any]:
    row = frame.row(position)
    return verdict_json(row) | {
        "reason_text": reason_text(row.reason, row.note),
        "note": row.note,
        "since": iso(row.since),
    }


def _bound_of(alert: Alert, kpi: KPI | None) -> str | None:
    if kpi is None:
        return None
    pair = kpi.burn_pair(alert.key.tier)
    if pair is not None:
        return pair.limit
    return kpi.objective.text if kpi.objective else None


def _alert_answer(alert: Alert, kpi: KPI | None) -> dict[str, Any]:
    severity = severity_of(alert, kpi)
    return {
        "sprint": alert.key.sprint,
        "kpi": alert.key.kpi,
        "lane": kpi.lane if kpi else None,
        "title": kpi.title if kpi else None,
        "owner": kpi.owner if kpi else None,
        "labels": dict(alert.key.labels),
        "kind": alert.key.kind.value,
        "tier": alert.key.tier or None,
        "severity": severity.value if severity else None,
        "state": alert.state.label,
        "since": iso(alert.active_at),
        "fired_at": None if alert.fired_at is None else iso(alert.fired_at),
        "verdict": alert.verdict.label,
        "value": alert.value,
        "unit": (kpi.unit or None) if kpi and not alert.key.tier else None,
        "objective": _bound_of(alert, kpi),
        "reason": alert.reason.value,
        "reason_text": alert.reason.sentence,
        "runbook_url": kpi.runbook_url if kpi else None,
    }


def _said_of(alert: Alert, snapshot: Snapshot) -> dict[str, Any]:
    silence, known = snapshot.silence_of(alert), snapshot.acknowledgement_of(alert)
    return {
        "silenced_by": None if silence is None else silence.id,
        "acknowledged": None if known is None else {"by": known.by, "until": iso(known.until), "why": known.why},
    }
