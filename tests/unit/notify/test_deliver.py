"""The courier, over a real store: order, retries, waiting, dead letters, and what a crash leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from slo_guard.domain.notifications import OutboxRow
from slo_guard.domain.ports import PlanRecord, Store
from slo_guard.errors import PermanentDeliveryError, StoreError, TransientDeliveryError
from slo_guard.notify import Courier, DeliveryPolicy, DeliveryStep
from slo_guard.store import open_store
from tests.support.notices import NOON, a_notification
from tests.support.scripted_receiver import ScriptedReceiver

BUSY = TransientDeliveryError("http_429", "answered 429", 30.0)
DOWN = TransientDeliveryError("http_500", "answered 500")
REFUSED = PermanentDeliveryError("http_400", "answered 400")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "slo_guard.db")
    yield opened
    opened.close()


def with_messages(store: Store, *keys: str, receiver: str = "sre") -> Store:
    messages = tuple(a_notification(key=key, receiver=receiver) for key in keys)
    store.save_plan(PlanRecord(transition_cursor=1, notifications=messages))
    return store


def courier(store: Any, receiver: ScriptedReceiver, **policy: Any) -> Courier:
    return Courier(store, receiver, DeliveryPolicy(**policy), stopwatch=lambda: 0.0)


def keys(receiver: ScriptedReceiver) -> list[str]:
    return [each.key for each in receiver.accepted]


def test_messages_are_delivered_in_their_order(store: Store) -> None:
    """A recovery that overtakes its breach leaves people looking for a fault that is gone."""
    receiver = ScriptedReceiver()
    carrier = courier(with_messages(store, "a", "b", "c"), receiver)

    steps = [carrier.deliver_next(NOON).step for _ in range(4)]

    assert keys(receiver) == ["a", "b", "c"]
    assert steps == [DeliveryStep.DELIVERED] * 3 + [DeliveryStep.NOTHING_DUE]
    assert store.outbox_pending() == {}


def test_nothing_to_deliver_is_no_error(store: Store) -> None:
    """Most calls find an empty line."""
    outcome = courier(store, ScriptedReceiver()).deliver_next(NOON)

    assert (outcome.step, outcome.key, outcome.more_may_be_due) == (DeliveryStep.NOTHING_DUE, None, False)


def test_a_failure_waits_and_is_sent_again_before_what_comes_after(store: Store) -> None:
    """One that is overtaken while it waits would arrive as if it were news."""
    receiver = ScriptedReceiver(failures=[DOWN])
    carrier = courier(with_messages(store, "a", "b"), receiver)

    failed = carrier.deliver_next(NOON)
    assert failed.due_at is not None
    early = carrier.deliver_next(failed.due_at - 0.01)
    carrier.deliver_next(failed.due_at)

    assert (failed.step, failed.reason, failed.attempts) == (DeliveryStep.RETRY, "http_500", 1)
    assert early.step is DeliveryStep.NOTHING_DUE
    assert keys(receiver) == ["a"]


def test_retry_after_is_obeyed(store: Store) -> None:
    """Who does not wait as Slack asks is shut out for longer."""
    carrier = courier(with_messages(store, "a"), ScriptedReceiver(failures=[BUSY]))

    failed = carrier.deliver_next(NOON)

    assert failed.due_at == NOON + 30


def test_retry_after_is_obeyed_within_reason(store: Store) -> None:
    """A misconfigured proxy must not silence a receiver for a year."""
    forever = TransientDeliveryError("http_503", "answered 503", 31_536_000.0)
    carrier = courier(with_messages(store, "a"), ScriptedReceiver(failures=[forever]))

    assert carrier.deliver_next(NOON).due_at == NOON + 3600


def test_backoff_grows_with_jitter_from_a_second_to_five_minutes() -> None:
    """Without jitter all receivers behind one outage come back in the same instant."""
    policy = DeliveryPolicy()

    waits = [[policy.backoff_seconds(f"key{number}", attempt) for number in range(200)] for attempt in range(1, 30)]

    assert all(1.0 <= wait <= 300.0 for row in waits for wait in row)
    assert max(waits[0]) <= 2.0
    assert max(waits[-1]) > 290.0
    assert len(set(waits[-1])) == 200
    assert waits[5] == [policy.backoff_seconds(f"key{number}", 6) for number in range(200)]


def test_a_refused_message_is_a_dead_letter_and_the_next_goes_on(store: Store) -> None:
    """One broken message must not hold up a week of alerts."""
    receiver = ScriptedReceiver(failures=[REFUSED])
    carrier = courier(with_messages(store, "a", "b"), receiver)

    with capture_logs() as logs:
        first = carrier.deliver_next(NOON)
    carrier.deliver_next(NOON)

    assert (first.step, first.reason, first.more_may_be_due) == (DeliveryStep.DEAD, "http_400", True)
    assert keys(receiver) == ["b"]
    assert [(log["event"], log["log_level"], log["key"]) for log in logs] == [("notification_dead", "error", "a")]


def test_a_message_is_given_up_only_when_it_is_old_and_was_tried_often(store: Store) -> None:
    """A laptop that slept for a week still tries its messages more than once."""
    receiver = ScriptedReceiver(failures=[DOWN] * 10)
    carrier = courier(with_messages(store, "a"), receiver)
    now = NOON + 604_800.0

    steps = []
    for _ in range(10):
        outcome = carrier.deliver_next(now)
        steps.append(outcome.step)
        now = outcome.due_at or now

    assert steps == [DeliveryStep.RETRY] * 9 + [DeliveryStep.DEAD]


def test_a_young_message_is_tried_without_end(store: Store) -> None:
    """An outage of hours loses nothing."""
    carrier = courier(with_messages(store, "a"), ScriptedReceiver(failures=[DOWN] * 100))
    now = NOON

    steps = set()
    for _ in range(100):
        outcome = carrier.deliver_next(now)
        steps.add(outcome.step)
        now = outcome.due_at or now

    assert steps == {DeliveryStep.RETRY}


def test_messages_keep_the_receivers_least_interval(store: Store) -> None:
    """Slack takes about one message a second and answers 429 to the rest."""
    receiver = ScriptedReceiver()
    carrier = courier(with_messages(store, "a", "b"), receiver, min_interval_seconds=1.0)

    carrier.deliver_next(NOON)
    paced = carrier.deliver_next(NOON + 0.5)
    carrier.deliver_next(NOON + 1.0)

    assert (paced.step, paced.due_at, paced.more_may_be_due) == (DeliveryStep.PACED, NOON + 1.0, False)
    assert keys(receiver) == ["a", "b"]


def test_a_clock_that_goes_back_does_not_silence_a_receiver(store: Store) -> None:
    """After a correction by an hour, an interval of a second must not last an hour."""
    receiver = ScriptedReceiver()
    carrier = courier(with_messages(store, "a", "b"), receiver, min_interval_seconds=1.0)
    carrier.deliver_next(NOON)

    carrier.deliver_next(NOON - 3600)

    assert keys(receiver) == ["a", "b"]


def test_an_unknown_error_is_taken_as_passing_and_logged_without_its_text(store: Store) -> None:
    """A receiver's bug must neither lose the message nor print what it was holding."""
    receiver = ScriptedReceiver(failures=[RuntimeError("POST https://hooks.example/SECRET failed")])
    carrier = courier(with_messages(store, "a"), receiver)

    with capture_logs() as logs:
        outcome = carrier.deliver_next(NOON)

    assert (outcome.step, outcome.reason) == (DeliveryStep.RETRY, "unexpected_error")
    assert len(logs) == 1
    assert "RuntimeError at scripted_receiver.py:" in logs[0]["error"]
    assert "SECRET" not in str(logs)


def test_one_receivers_trouble_does_not_touch_another(store: Store) -> None:
    """Each has its own line."""
    with_messages(store, "a")
    with_messages(store, "b", receiver="other")
    broken, sound = ScriptedReceiver(failures=[DOWN]), ScriptedReceiver("other")

    courier(store, broken).deliver_next(NOON)
    courier(store, sound).deliver_next(NOON)

    assert keys(sound) == ["b"]


class ForgetfulStore:
    """A store whose disk is full at the moment that a delivery is to be recorded."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def lease(self, receiver: str, now: float, lease_seconds: float) -> OutboxRow | None:
        return self._store.lease(receiver, now, lease_seconds)

    def record_attempt(self, *_: Any, **__: Any) -> None:
        raise StoreError("disk full")


def test_what_was_sent_but_not_recorded_is_sent_again_under_the_same_key(store: Store) -> None:
    """At least once: twice is a nuisance, never is a disaster."""
    with_messages(store, "a")
    receiver = ScriptedReceiver()
    with pytest.raises(StoreError):
        courier(ForgetfulStore(store), receiver, lease_seconds=60.0).deliver_next(NOON)

    during = courier(store, receiver).deliver_next(NOON + 59)
    after = courier(store, receiver).deliver_next(NOON + 61)

    assert (during.step, after.step) == (DeliveryStep.NOTHING_DUE, DeliveryStep.DELIVERED)
    assert keys(receiver) == ["a", "a"]


def test_waiting_begins_when_the_attempt_has_ended(store: Store) -> None:
    """An attempt may take its whole time-out; a wait counted from its start would be none."""
    ticks = iter([0.0, 20.0])
    carrier = Courier(
        with_messages(store, "a"), ScriptedReceiver(failures=[BUSY]), DeliveryPolicy(), stopwatch=lambda: next(ticks)
    )

    assert carrier.deliver_next(NOON).due_at == NOON + 50
