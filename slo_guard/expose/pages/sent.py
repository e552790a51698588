"""Messages and what became of them, as lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from slo_guard.domain.notifications import DeliveryRecord, Notification, NotificationReason, RowState
from slo_guard.expose.pages.moments import Calendar, Moment
from slo_guard.expose.pages.wording import Badge, kpi_path
from slo_guard.expose.snapshot import Snapshot

_STATES = {
    RowState.PENDING: Badge("pending", "…", "at-risk"),
    RowState.DELIVERED: Badge("delivered", "✓", "met"),
    RowState.DEAD: Badge("dead letter", "✕", "missed"),
    RowState.WITHDRAWN: Badge("withdrawn", "-", "tracked"),
}


@dataclass(frozen=True, slots=True)
class SentView:
    """One message: what it tells and why it is sent; ``path`` is empty where its KPI is not guarded any more."""

    id: int
    receiver: str
    state: Badge
    dead: bool
    title: str
    path: str
    what: str
    created: Moment
    ended: Moment | None
    next_attempt: Moment | None
    overdue: bool
    attempts: int
    error: str


@dataclass(frozen=True, slots=True)
class ReceiverView:
    """One receiver's newest messages; ``waiting`` is the oldest one that is pending."""

    name: str
    pending: int
    dead: int
    waiting: Moment | None
    newest: SentView


@dataclass(frozen=True, slots=True)
class DeliveriesView:
    """Receivers by name, and messages, the newest first; ``error`` says why they cannot be read."""

    receivers: tuple[ReceiverView, ...]
    sent: tuple[SentView, ...]
    dead: tuple[SentView, ...]
    error: str = ""


def _title(message: Notification) -> str:
    if message.reason is NotificationReason.TEST:
        return f"Test message: {message.title}"
    return message.title or message.kpi or "no KPI"


def sent_view(record: DeliveryRecord, snapshot: Snapshot | None, calendar: Calendar) -> SentView:
    """Return the line of one message."""
    message = record.notification
    guarded = snapshot is not None and any(
        (kpi.sprint, kpi.id) == (message.sprint, message.kpi) for kpi in snapshot.kpis
    )
    kind = "" if message.kind.value == "breach" else f"{message.kind.value} {message.tier}".strip()
    tested = message.reason is NotificationReason.TEST
    state = "" if tested else "firing" if message.firing else "not firing"
    return SentView(
        id=record.id,
        receiver=record.receiver,
        state=_STATES[record.state],
        dead=record.state is RowState.DEAD,
        title=_title(message),
        path=kpi_path(message.sprint, message.kpi) if guarded else "",
        what=", ".join(part for part in (state, kind, message.reason.value.replace("_", " ")) if part),
        created=calendar.moment(record.created_at),
        ended=None if record.ended_at is None else calendar.moment(record.ended_at),
        next_attempt=None if record.next_attempt_at is None else calendar.moment(record.next_attempt_at),
        overdue=record.next_attempt_at is not None and record.next_attempt_at <= calendar.now,
        attempts=record.attempts,
        error=record.last_error or "",
    )


def deliveries_view(
    recent: Iterable[DeliveryRecord],
    pending: Iterable[DeliveryRecord],
    dead: Iterable[DeliveryRecord],
    snapshot: Snapshot | None,
    calendar: Calendar,
) -> DeliveriesView:
    """Return the page of deliveries; each of the three is newest first."""
    recent, pending, dead = tuple(recent), tuple(pending), tuple(dead)
    everything = {record.id: record for record in (*recent, *pending, *dead)}
    receivers = []
    for name in sorted({record.receiver for record in everything.values()}):
        ours = [record for record in everything.values() if record.receiver == name]
        waiting = [record.created_at for record in pending if record.receiver == name]
        receivers.append(
            ReceiverView(
                name=name,
                pending=len(waiting),
                dead=sum(record.receiver == name for record in dead),
                waiting=calendar.moment(min(waiting)) if waiting else None,
                newest=sent_view(max(ours, key=lambda record: record.id), snapshot, calendar),
            )
        )
    return DeliveriesView(
        receivers=tuple(receivers),
        sent=tuple(sent_view(record, snapshot, calendar) for record in recent),
        dead=tuple(sent_view(record, snapshot, calendar) for record in dead),
    )
