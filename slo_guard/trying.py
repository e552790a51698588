"""A test message on the real path: outbox, lease, courier, receiver; sent by the daemon, or by us where none runs.

It never stays: what is not delivered in time is taken back, so that it stands before no alert.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from slo_guard.domain.notifications import DeliveryRecord, Notification, RowState
from slo_guard.domain.ports import NotificationStore, PlanRecord
from slo_guard.notify import Courier

_LOOK_EVERY_SECONDS = 0.2
_MOST_COUNTED = 1000


class TrialOutcome(StrEnum):
    """How a test message ended."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    FAILED = "failed"
    BEHIND_OTHERS = "behind_others"
    NOT_TAKEN = "not_taken"
    RECEIVER_REMOVED = "receiver_removed"


@dataclass(frozen=True, slots=True)
class Trial:
    """How a test message ended: ``record`` is its own; ``ahead`` are those before it in the line, oldest first."""

    outcome: TrialOutcome
    record: DeliveryRecord
    seconds: float
    ahead: tuple[DeliveryRecord, ...] = ()
    by_daemon: bool = True

    @property
    def error(self) -> tuple[str, str] | None:
        """The stable reason and the words of the last failure: of the message, or of what stands before it."""
        failed = (each.last_error for each in (self.record, *self.ahead))
        text = next((error for error in failed if error), None)
        if text is None:
            return None
        reason, _, words = text.partition(": ")
        return reason, words


def try_receiver(
    store: NotificationStore,
    courier: Courier,
    note: Notification,
    *,
    clock: Callable[[], float],
    pause: Callable[[float], None],
    seconds: float,
    daemon_has: float,
) -> Trial:
    """Send ``note`` and return what became of it, after ``seconds`` at most and however long one attempt takes.

    A daemon has ``daemon_has`` seconds to take it (0: none runs), then ``courier`` does: both lease it first, so
    that it is sent once. ``clock`` gives Unix seconds. Raises ``StoreError``.
    """
    started = clock()
    store.save_plan(PlanRecord(0, {}, (note,)))
    by_daemon = True
    try:
        number = _find(store, note).id
        while True:
            record, waited = _read(store, number), clock() - started
            ended = _ended(record)
            if ended is not None:
                return Trial(ended, record, waited, by_daemon=by_daemon)
            ahead = _ahead(store, record)
            if not record.attempts and not ahead and waited >= daemon_has:
                by_daemon = False
                courier.deliver_next(clock())
                if _read(store, number) != record:
                    continue
            nobody_comes = bool(ahead) and daemon_has == 0.0
            if nobody_comes or waited >= seconds or _waits_beyond((*ahead, record)[0], started + seconds):
                return _given_up(store, record, waited, by_daemon=by_daemon)
            if record.attempts and not by_daemon and clock() >= (record.next_attempt_at or 0.0):
                courier.deliver_next(clock())
            pause(_LOOK_EVERY_SECONDS)
    finally:
        # Also when somebody presses Ctrl-C: a test must not be sent an hour later, nor hold up what comes after it.
        store.take_back(note.key, clock())


def _find(store: NotificationStore, note: Notification) -> DeliveryRecord:
    newest = store.deliveries(receiver=note.receiver, limit=_MOST_COUNTED)
    return next(each for each in newest if each.key == note.key)


def _read(store: NotificationStore, number: int) -> DeliveryRecord:
    return store.deliveries(before_id=number + 1, limit=1)[0]


def _ended(record: DeliveryRecord) -> TrialOutcome | None:
    return {
        RowState.DELIVERED: TrialOutcome.DELIVERED,
        RowState.DEAD: TrialOutcome.REFUSED,
        RowState.WITHDRAWN: TrialOutcome.RECEIVER_REMOVED,
    }.get(record.state)


def _waits_beyond(head: DeliveryRecord, until: float) -> bool:
    """Whether the line stands still until after ``until``: its head failed and is to be tried again only then."""
    return bool(head.attempts) and head.next_attempt_at is not None and head.next_attempt_at > until


def _ahead(store: NotificationStore, record: DeliveryRecord) -> tuple[DeliveryRecord, ...]:
    """Return what stands before ``record`` in its line, the oldest first."""
    waiting = store.deliveries(
        receiver=record.receiver, state=RowState.PENDING, before_id=record.id, limit=_MOST_COUNTED
    )
    return waiting[::-1]


def _given_up(store: NotificationStore, record: DeliveryRecord, waited: float, *, by_daemon: bool) -> Trial:
    """Take the message back and say how far it came; it may have arrived at the last moment."""
    ahead = _ahead(store, record)
    if not store.take_back(record.key, record.created_at + waited):
        record = _read(store, record.id)
        return Trial(_ended(record) or TrialOutcome.FAILED, record, waited, by_daemon=by_daemon)
    if record.attempts:
        outcome = TrialOutcome.FAILED
    else:
        outcome = TrialOutcome.BEHIND_OTHERS if ahead else TrialOutcome.NOT_TAKEN
    return Trial(outcome, record, waited, ahead, by_daemon)
