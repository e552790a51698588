"""Builders of transitions, alerts and notifications, with defaults that say nothing a test would care about."""

from __future__ import annotations

from typing import Any

from slo_guard.domain.alerts import Alert, AlertKey, AlertKind, Transition
from slo_guard.domain.kpi import Severity
from slo_guard.domain.notifications import Notification, NotificationReason, SeriesLine
from slo_guard.domain.series import LabelSet, label_set
from slo_guard.domain.verdicts import AlertState, Reason, Verdict

NOON = 1_783_422_000.0
"""2026-07-07 11:00 UTC, an instant within the sprint."""


def labelled(**labels: str) -> LabelSet:
    return label_set(labels)


def an_alert_key(kpi: str = "ga_e2e_p95", kind: AlertKind = AlertKind.BREACH, **labels: str) -> AlertKey:
    return AlertKey("sprint-40", kpi, labelled(**labels), kind)


def a_transition(seq: int, to: AlertState, *, key: AlertKey | None = None, **changes: Any) -> Transition:
    """Return a transition to ``to``: from inactive, or from firing when it ends an alert, unless ``changes`` say so."""
    ends = to is AlertState.INACTIVE
    defaults: dict[str, Any] = {
        "at": NOON + seq,
        "key": key or an_alert_key(system="fs"),
        "from_state": AlertState.FIRING if ends else AlertState.INACTIVE,
        "reason": Reason.RECOVERED if ends else Reason.OBJECTIVE_MISSED,
        "verdict": Verdict.MET if ends else Verdict.MISSED,
        "value": 0.9 if ends else 1.31,
        "active_at": NOON,
        "severity": Severity.PAGE,
        "lane": "ga-ops",
        "title": "GA end-to-end p95",
        "owner": "SRE Lead",
        "objective": "at_most 1.16s",
        "unit": "seconds",
        "runbook_url": "https://runbooks.example/ga?a=1&b=2",
        "collectors": ("mc",),
        "annotations": {"summary": "{{ labels.system }} p95 is {{ value }}"},
    }
    return Transition(seq=seq, to_state=to, **{**defaults, **changes})


def firing(seq: int, **changes: Any) -> Transition:
    return a_transition(seq, AlertState.FIRING, **changes)


def ended(seq: int, **changes: Any) -> Transition:
    return a_transition(seq, AlertState.INACTIVE, **changes)


def an_alert(transition: Transition, **changes: Any) -> Alert:
    """Return the alert that ``transition`` left."""
    defaults: dict[str, Any] = {
        "key": transition.key,
        "state": transition.to_state,
        "active_at": transition.active_at,
        "fired_at": transition.at if transition.to_state is AlertState.FIRING else None,
        "verdict": transition.verdict,
        "reason": transition.reason,
        "value": transition.value,
    }
    return Alert(**{**defaults, **changes})


def alerts_after(*transitions: Transition) -> dict[AlertKey, Alert]:
    """Return the alerts that stand after ``transitions``."""
    alerts: dict[AlertKey, Alert] = {}
    for transition in transitions:
        alerts.pop(transition.key, None)
        if transition.to_state is not AlertState.INACTIVE:
            alerts[transition.key] = an_alert(transition)
    return alerts


def a_line(**changes: Any) -> SeriesLine:
    defaults: dict[str, Any] = {
        "labels": labelled(system="fs"),
        "firing": True,
        "value": 1.31,
        "verdict": "missed",
        "reason": "objective_missed",
        "note": None,
        "active_at": NOON,
        "annotations": {"summary": "fs p95 is 1.31s"},
    }
    return SeriesLine(**{**defaults, **changes})


def a_notification(**changes: Any) -> Notification:
    defaults: dict[str, Any] = {
        "key": "0123456789abcdef0123456789abcdef",
        "receiver": "sre",
        "group": "sre/sprint-40/ga_e2e_p95/breach",
        "reason": NotificationReason.FIRST_NOTIFICATION,
        "created_at": NOON,
        "sprint": "sprint-40",
        "kpi": "ga_e2e_p95",
        "kind": AlertKind.BREACH,
        "severity": Severity.PAGE,
        "lane": "ga-ops",
        "title": "GA end-to-end p95",
        "owner": "SRE Lead",
        "objective": "at_most 1.16s",
        "unit": "seconds",
        "runbook_url": "https://runbooks.example/ga?a=1&b=2",
        "series": (a_line(),),
        "transitions": (1,),
    }
    return Notification(**{**defaults, **changes})
