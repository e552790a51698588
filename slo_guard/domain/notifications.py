"""What is told to whom, and the record of what was decided not to tell.

Instants are Unix seconds (UTC) as float.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from slo_guard.domain.alerts import AlertKind
from slo_guard.domain.kpi import Severity
from slo_guard.domain.series import LabelSet


class NotificationReason(StrEnum):
    """Why a message is sent."""

    FIRST_NOTIFICATION = "first_notification"
    SERIES_ADDED = "series_added"
    RECOVERED = "recovered"
    ENDED = "ended"
    REPEAT_INTERVAL_ELAPSED = "repeat_interval_elapsed"
    HELD_BACK_AND_STILL_FIRING = "held_back_and_still_firing"
    RECEIVER_ADDED = "receiver_added"
    SILENCE_ENDED = "silence_ended"
    ESCALATED = "escalated"
    SPRINT_CLOSED = "sprint_closed"
    TEST = "test"


class NotToldReason(StrEnum):
    """Why a transition is not told to a receiver."""

    PENDING = "pending"
    NOT_ROUTED = "not_routed"
    SOURCE_DOWN = "source_down"
    RESOLVED_NOT_WANTED = "resolved_not_wanted"
    NEVER_TOLD_FIRING = "never_told_firing"
    ALREADY_TOLD = "already_told"
    SUPERSEDED_BY_BREACH = "superseded_by_breach"
    RECEIVER_REMOVED = "receiver_removed"
    CARRIED_OVER = "carried_over"
    SILENCED = "silenced"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesLine:
    """One series in a message: ``firing`` or not, its value, since when and why (``reason``: a Reason's value).

    ``ended_at``: only where it has ended, or of a test, which fires and says when it ends.
    """

    labels: LabelSet
    firing: bool
    value: float | None
    verdict: str
    reason: str
    note: str | None
    active_at: float
    ended_at: float | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message about one KPI at one evaluation, for one receiver, listing its series.

    ``key`` is the idempotency key: equal for every attempt at the same message, different otherwise.
    ``group`` names the conversation that the message belongs to (one KPI's alerts at one receiver).
    ``tier`` names the one of burn alerts. ``transitions`` are the numbers of the transitions that it tells.
    ``unlisted_firing`` and ``unlisted_ended`` count the series beyond those that ``series`` lists. ``acknowledged``
    says in words who has acknowledged what it speaks of, ``""`` where nobody has.
    """

    key: str
    receiver: str
    group: str
    reason: NotificationReason
    created_at: float
    sprint: str
    kpi: str
    kind: AlertKind
    tier: str = ""
    severity: Severity
    lane: str
    title: str
    owner: str
    objective: str
    unit: str | None
    runbook_url: str | None
    series: tuple[SeriesLine, ...]
    transitions: tuple[int, ...]
    unlisted_firing: int = 0
    unlisted_ended: int = 0
    acknowledged: str = ""

    @property
    def firing(self) -> bool:
        """Whether any series of the message fires."""
        return self.unlisted_firing > 0 or any(line.firing for line in self.series)


@dataclass(frozen=True, slots=True)
class Route:
    """What a receiver wants to hear.

    ``repeat_interval_seconds``: how long after a message a group that still fires is told again (None: never).
    """

    receiver: str
    severities: tuple[Severity, ...] = (Severity.PAGE, Severity.TICKET)
    send_resolved: bool = True
    repeat_interval_seconds: float | None = 14400.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one transition at one receiver: told by the notification ``told_by``, or ``not_told`` and why.

    ``silence``: the number of the silence that kept it back, for one that is ``silenced``.
    """

    transition: int
    receiver: str
    told_by: str | None
    not_told: NotToldReason | None = None
    silence: int | None = None


class RowState(StrEnum):
    """Where a message in the outbox stands: it waits, arrived, was given up, or its receiver is gone."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    WITHDRAWN = "withdrawn"


class DeliveryOutcome(StrEnum):
    """How an attempt to send ended."""

    DELIVERED = "delivered"
    RETRY = "retry"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A notification waiting in the outbox: ``attempts`` made so far, not to be tried before ``next_attempt_at``."""

    id: int
    notification: Notification
    attempts: int
    next_attempt_at: float


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """A message and what has become of it; ``key`` is equal for every attempt at it.

    ``next_attempt_at`` is None unless it waits, ``ended_at`` while it does. ``last_error`` is how its last attempt
    failed (a stable reason, a colon, words without secrets), None before one has and once it is delivered.
    """

    id: int
    receiver: str
    key: str
    state: RowState
    created_at: float
    attempts: int
    next_attempt_at: float | None
    ended_at: float | None
    last_error: str | None
    notification: Notification
