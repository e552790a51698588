"""Hop 4: lease the head of a receiver's line, send it, record how that ended.

At-least-once: what was sent is recorded after it was accepted, so a kill in between sends it once more,
under the same idempotency key. Instants are Unix seconds (UTC) as float.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath

import structlog

from slo_guard.clock import monotonic
from slo_guard.domain.notifications import DeliveryOutcome, OutboxRow
from slo_guard.domain.ports import NotificationStore, Receiver
from slo_guard.errors import DeliveryError, PermanentDeliveryError, TransientDeliveryError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """How messages to one receiver are sent, and sent again.

    A failed attempt waits ``first_backoff_seconds`` doubled with each attempt up to ``max_backoff_seconds``, of which
    a share between nothing and all is taken (full jitter), and never less than the first; a receiver's own wish
    (``Retry-After``) is obeyed up to ``max_retry_after_seconds``. A message is given up only when it is older than
    ``give_up_after_seconds`` and was tried ``give_up_attempts`` times: one that waited out a stopped daemon
    gets its attempts too. ``lease_seconds`` must exceed the receiver's total time-out.
    """

    lease_seconds: float = 120.0
    min_interval_seconds: float = 0.0
    give_up_after_seconds: float = 259200.0
    give_up_attempts: int = 10
    first_backoff_seconds: float = 1.0
    max_backoff_seconds: float = 300.0
    max_retry_after_seconds: float = 3600.0

    def backoff_seconds(self, key: str, attempt: int) -> float:
        """Return the wait after failed attempt number ``attempt`` (from 1): equal for equal arguments."""
        ceiling = min(self.max_backoff_seconds, self.first_backoff_seconds * 2.0 ** min(attempt, 60))
        return max(self.first_backoff_seconds, ceiling * _share(key, attempt))


class DeliveryStep(StrEnum):
    """What one call did."""

    DELIVERED = "delivered"
    RETRY = "retry"
    DEAD = "dead"
    PACED = "paced"
    NOTHING_DUE = "nothing_due"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one call did, and when the next is worth making: ``due_at`` is None where only the store can tell."""

    receiver: str
    step: DeliveryStep
    key: str | None = None
    attempts: int = 0
    reason: str | None = None
    due_at: float | None = None

    @property
    def more_may_be_due(self) -> bool:
        """Whether the line moved, so that the next message may be due at once."""
        return self.step in (DeliveryStep.DELIVERED, DeliveryStep.DEAD)


class Courier:
    """Carries one receiver's messages, in order. One thread at a time; different receivers in different threads."""

    def __init__(
        self,
        store: NotificationStore,
        receiver: Receiver,
        policy: DeliveryPolicy,
        stopwatch: Callable[[], float] = monotonic,
    ) -> None:
        self.receiver = receiver
        self._store = store
        self._policy = policy
        self._stopwatch = stopwatch
        self._not_before: float | None = None

    def deliver_next(self, now: float) -> Delivery:
        """Send the oldest undelivered message if it is due, and record how that ended.

        Never sleeps: what must wait is due later. Never raises for what a receiver does; raises ``StoreError`` when
        the store fails, and then the message is sent again once its lease has run out.
        """
        name = self.receiver.name
        # A wait longer than the interval can only come of a clock that went back: it must not silence the receiver.
        if self._not_before is not None and now < self._not_before <= now + self._policy.min_interval_seconds:
            return Delivery(name, DeliveryStep.PACED, due_at=self._not_before)
        row = self._store.lease(name, now, self._policy.lease_seconds)
        if row is None:
            return Delivery(name, DeliveryStep.NOTHING_DUE)
        started = self._stopwatch()
        failure = self._attempt(row)
        finished = now + max(0.0, self._stopwatch() - started)
        self._not_before = finished + self._policy.min_interval_seconds
        return self._delivered(row, finished) if failure is None else self._failed(row, failure, finished)

    def _attempt(self, row: OutboxRow) -> DeliveryError | None:
        try:
            self.receiver.send(row.notification)
        except DeliveryError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a receiver's bug must neither lose the message nor stop the others
            # The text of an unknown error may hold an address or a token: only its kind and place are kept.
            return TransientDeliveryError("unexpected_error", f"unexpected {type(error).__name__} at {_place(error)}")
        return None

    def _delivered(self, row: OutboxRow, finished: float) -> Delivery:
        self._store.record_attempt(row, DeliveryOutcome.DELIVERED, finished)
        note, attempts = row.notification, row.attempts + 1
        log.info(
            "notification_delivered",
            receiver=note.receiver,
            key=note.key,
            kpi=note.kpi,
            reason=note.reason.value,
            attempts=attempts,
        )
        return Delivery(note.receiver, DeliveryStep.DELIVERED, note.key, attempts, due_at=self._not_before)

    def _failed(self, row: OutboxRow, failure: DeliveryError, finished: float) -> Delivery:
        note, attempts, error = row.notification, row.attempts + 1, f"{failure.reason}: {failure}"
        if isinstance(failure, PermanentDeliveryError) or self._spent(row, finished):
            self._store.record_attempt(row, DeliveryOutcome.DEAD, finished, error=error)
            log.error(
                "notification_dead",
                receiver=note.receiver,
                key=note.key,
                kpi=note.kpi,
                reason=failure.reason,
                error=str(failure),
                attempts=attempts,
            )
            return Delivery(note.receiver, DeliveryStep.DEAD, note.key, attempts, failure.reason, self._not_before)
        due_at = finished + self._wait(row, failure)
        self._store.record_attempt(row, DeliveryOutcome.RETRY, finished, next_attempt_at=due_at, error=error)
        log.warning(
            "delivery_failed",
            receiver=note.receiver,
            key=note.key,
            kpi=note.kpi,
            reason=failure.reason,
            error=str(failure),
            attempt=attempts,
            retry_in_seconds=round(due_at - finished, 3),
        )
        return Delivery(note.receiver, DeliveryStep.RETRY, note.key, attempts, failure.reason, due_at)

    def _spent(self, row: OutboxRow, finished: float) -> bool:
        age = finished - row.notification.created_at
        return age >= self._policy.give_up_after_seconds and row.attempts + 1 >= self._policy.give_up_attempts

    def _wait(self, row: OutboxRow, failure: DeliveryError) -> float:
        wait = self._policy.backoff_seconds(row.notification.key, row.attempts + 1)
        asked = failure.retry_after_seconds if isinstance(failure, TransientDeliveryError) else None
        if asked is not None:
            wait = max(wait, min(asked, self._policy.max_retry_after_seconds))
        return max(wait, self._policy.min_interval_seconds)


def _share(key: str, attempt: int) -> float:
    digest = hashlib.blake2b(f"{key}|{attempt}".encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return (
        "an unknown place" if trace is None else f"{PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
    )
