"""What the API answers about deliveries: each message, to whom, what became of it, and what it tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel

from slo_guard.clock import iso
from slo_guard.domain.notifications import DeliveryRecord, Notification, SeriesLine

MOST_SERIES = 20


class ToldSeriesAnswer(BaseModel):
    """One series that a message lists: whether it fires, its value and why."""

    labels: dict[str, str]
    firing: bool
    value: float | None
    verdict: str
    reason: str
    note: str | None
    since: str
    ended_at: str | None


class MessageAnswer(BaseModel):
    """What a message tells; ``reason``: why it is sent; ``firing``: whether any series of it fires.

    ``series``: at most twenty of ``series_total``; ``transitions``: the numbers of those that it tells.
    """

    reason: str
    kind: Literal["breach", "risk", "burn"]
    tier: str | None
    sprint: str
    kpi: str
    lane: str
    title: str
    owner: str
    severity: Literal["page", "ticket", "none"]
    objective: str | None
    unit: str | None
    runbook_url: str | None
    firing: bool
    series_total: int
    truncated: bool
    series: list[ToldSeriesAnswer]
    transitions: list[int]


class DeliveryAnswer(BaseModel):
    """One message in the outbox; ``key`` is equal for every attempt at it.

    ``next_attempt_at`` is null unless it waits, ``ended_at`` while it does.
    """

    id: int
    receiver: str
    key: str
    state: Literal["pending", "delivered", "dead", "withdrawn"]
    created_at: str
    attempts: int
    next_attempt_at: str | None
    ended_at: str | None
    last_error: str | None
    message: MessageAnswer


class DeliveriesAnswer(BaseModel):
    """The newest messages first; ``before``: what to give as ``before`` for the next page, null on the last one."""

    truncated: bool
    before: int | None
    deliveries: list[DeliveryAnswer]


def deliveries_answer(records: Sequence[DeliveryRecord], limit: int) -> dict[str, Any]:
    """Return ``DeliveriesAnswer`` for the first ``limit`` of ``records``, which are newest first."""
    shown, more = records[:limit], len(records) > limit
    return {
        "truncated": more,
        "before": shown[-1].id if more else None,
        "deliveries": [_delivery(each) for each in shown],
    }


def _delivery(record: DeliveryRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "receiver": record.receiver,
        "key": record.key,
        "state": record.state.value,
        "created_at": iso(record.created_at),
        "attempts": record.attempts,
        "next_attempt_at": None if record.next_attempt_at is None else iso(record.next_attempt_at),
        "ended_at": None if record.ended_at is None else iso(record.ended_at),
        "last_error": record.last_error,
        "message": _message(record.notification),
    }


def _message(message: Notification) -> dict[str, Any]:
    total = len(message.series) + message.unlisted_firing + message.unlisted_ended
    shown = message.series[:MOST_SERIES]
    return {
        "reason": message.reason.value,
        "kind": message.kind.value,
        "tier": message.tier or None,
        "sprint": message.sprint,
        "kpi": message.kpi,
        "lane": message.lane,
        "title": message.title,
        "owner": message.owner,
        "severity": message.severity.value,
        "objective": message.objective or None,
        "unit": message.unit or None,
        "runbook_url": message.runbook_url,
        "firing": message.firing,
        "series_total": total,
        "truncated": len(shown) < total,
        "series": [_series(each) for each in shown],
        "transitions": list(message.transitions),
    }


def _series(line: SeriesLine) -> dict[str, Any]:
    return {
        "labels": dict(line.labels),
        "firing": line.firing,
        "value": line.value,
        "verdict": line.verdict,
        "reason": line.reason,
        "note": line.note,
        "since": iso(line.active_at),
        "ended_at": None if line.ended_at is None else iso(line.ended_at),
    }
