"""A test message on the real path: sent once, by whoever comes first, and never left standing before alerts."""

from __future__ import annotations

from collections.abc import Callable

from slo_guard.domain.notifications import DeliveryOutcome, Notification, RowState
from slo_guard.domain.ports import PlanRecord
from slo_guard.errors import PermanentDeliveryError, TransientDeliveryError
from slo_guard.notify import Courier, DeliveryPolicy, trial_message
from slo_guard.notify.webhook import WebhookOptions
from slo_guard.trying import Trial, TrialOutcome, try_receiver
from tests.support.fake_store import FakeStore
from tests.support.notices import NOON, a_notification
from tests.support.scripted_receiver import ScriptedReceiver

DOWN = TransientDeliveryError("http_503", "answered 503")
GONE = TransientDeliveryError("http_404", "answered 404", 300.0)
REFUSED = PermanentDeliveryError("http_400", "answered 400")


class Bench:
    """A store, a receiver and a clock that only waiting moves; ``meanwhile`` is what others do while we wait."""

    def __init__(self, *failures: Exception, waiting: tuple[Notification, ...] = ()) -> None:
        self.store = FakeStore()
        self.receiver = ScriptedReceiver("sre", list(failures))
        self.now = NOON
        self.meanwhile: Callable[[], object] = lambda: None
        self.store.save_plan(PlanRecord(0, {}, waiting))

    def courier(self) -> Courier:
        return Courier(self.store, self.receiver, DeliveryPolicy(), stopwatch=lambda: 0.0)

    def try_it(self, *, seconds: float = 60.0, daemon_has: float = 0.0) -> Trial:
        def pause(wait: float) -> None:
            self.now += wait
            self.meanwhile()

        options = WebhookOptions(name="sre", type="webhook", url="http://127.0.0.1:1/")
        return try_receiver(
            self.store,
            self.courier(),
            trial_message(options, "test-1", NOON),
            clock=lambda: self.now,
            pause=pause,
            seconds=seconds,
            daemon_has=daemon_has,
        )

    @property
    def waits(self) -> list[str]:
        return [each.key for each in self.store.deliveries(state=RowState.PENDING)]


def test_without_a_daemon_it_is_sent_by_whoever_asks() -> None:
    """The first thing that a newcomer does, before the daemon has ever run."""
    bench = Bench()

    trial = bench.try_it()

    assert (trial.outcome, trial.by_daemon, trial.record.attempts) == (TrialOutcome.DELIVERED, False, 1)
    assert [each.key for each in bench.receiver.accepted] == ["test-1"]


def test_a_running_daemon_sends_it_and_nobody_sends_it_again() -> None:
    """Two senders would break the receiver's rate limit, and show people two tests."""
    bench = Bench()
    daemon = bench.courier()
    bench.meanwhile = lambda: daemon.deliver_next(bench.now)

    trial = bench.try_it(daemon_has=6.0)

    assert (trial.outcome, trial.by_daemon) == (TrialOutcome.DELIVERED, True)
    assert len(bench.receiver.attempts) == 1


def test_a_daemon_that_does_not_take_it_is_not_waited_for() -> None:
    """It was killed a moment ago: its last evaluation still looks recent."""
    bench = Bench()

    trial = bench.try_it(daemon_has=6.0)

    assert (trial.outcome, trial.by_daemon) == (TrialOutcome.DELIVERED, False)
    assert 6.0 <= trial.seconds < 7.0


def test_a_failure_is_tried_again_within_the_time() -> None:
    """One 503 says nothing yet; the real path would try again, too."""
    bench = Bench(DOWN)

    trial = bench.try_it()

    assert (trial.outcome, trial.record.attempts) == (TrialOutcome.DELIVERED, 2)


def test_what_waits_for_longer_than_the_time_is_said_at_once_and_taken_back() -> None:
    """Nobody waits five minutes to be told that the address is wrong, and no alert waits behind a test."""
    bench = Bench(GONE)

    trial = bench.try_it()

    assert trial.outcome is TrialOutcome.FAILED
    assert trial.error == ("http_404", "answered 404")
    assert bench.now - NOON < 1.0
    assert bench.waits == []


def test_a_refusal_is_told_with_its_reason() -> None:
    """A dead letter is how the real path ends, too."""
    trial = Bench(REFUSED).try_it()

    assert (trial.outcome, trial.error) == (TrialOutcome.REFUSED, ("http_400", "answered 400"))


def test_a_line_that_stands_still_is_named_instead_of_waited_for() -> None:
    """The test cannot overtake, since order is kept: what stands before it is the answer."""
    bench = Bench(waiting=(a_notification(key="a", receiver="sre"), a_notification(key="b", receiver="sre")))
    head = bench.store.lease("sre", NOON, 30.0)
    assert head is not None
    bench.store.record_attempt(
        head, DeliveryOutcome.RETRY, NOON, next_attempt_at=NOON + 300, error="http_404: answered 404"
    )

    trial = bench.try_it(daemon_has=6.0)

    assert trial.outcome is TrialOutcome.BEHIND_OTHERS
    assert [each.key for each in trial.ahead] == ["a", "b"]
    assert trial.error == ("http_404", "answered 404")
    assert bench.now == NOON
    assert bench.waits == ["b", "a"], "the test is gone, the alerts are there"


def test_without_a_daemon_nothing_of_its_line_is_sent() -> None:
    """Alerts are the daemon's to send, at its pace."""
    bench = Bench(waiting=(a_notification(key="a", receiver="sre"),))

    trial = bench.try_it()

    assert trial.outcome is TrialOutcome.BEHIND_OTHERS
    assert bench.receiver.attempts == []
    assert bench.waits == ["a"]
    assert bench.now == NOON, "and nobody waits for what will not come"


def test_a_line_that_moves_is_waited_for() -> None:
    """A busy receiver is no broken one."""
    waiting = tuple(a_notification(key=f"k{number}", receiver="sre") for number in range(3))
    bench = Bench(waiting=waiting)
    daemon = bench.courier()
    bench.meanwhile = lambda: daemon.deliver_next(bench.now)

    trial = bench.try_it(daemon_has=6.0)

    assert trial.outcome is TrialOutcome.DELIVERED
    assert [each.key for each in bench.receiver.accepted] == ["k0", "k1", "k2", "test-1"]


def test_a_receiver_that_the_daemon_does_not_know_is_said_so() -> None:
    """It was just added to the config, and nobody has reloaded."""
    bench = Bench()
    bench.meanwhile = lambda: bench.store.withdraw(["other"], bench.now)

    trial = bench.try_it(daemon_has=6.0)

    assert trial.outcome is TrialOutcome.RECEIVER_REMOVED


def test_whoever_gives_up_waiting_leaves_nothing_behind() -> None:
    """Ctrl-C, and an hour later a test in the channel: nobody would know where it comes from."""
    bench = Bench()

    def interrupted() -> None:
        raise KeyboardInterrupt

    bench.meanwhile = interrupted
    try:
        bench.try_it(daemon_has=6.0)
    except KeyboardInterrupt:
        waits = bench.waits

    assert waits == []
