"""Stepped jobs: simulated time is the only time, for waits between messages as for evaluations, and over restarts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from slo_guard.demo.stepper import JobStepper, SimulatedClock
from slo_guard.domain.kpi import Plan
from slo_guard.domain.notifications import Notification, Route
from slo_guard.domain.ports import Store
from slo_guard.errors import StoreError, TransientDeliveryError
from slo_guard.notify import DeliveryPolicy
from slo_guard.store import open_store
from tests.support.builders import SPRINT_END, SPRINT_START, a_kpi, a_plan, an_objective
from tests.support.fake_collector import FakeCollector
from tests.support.scripted_receiver import ScriptedReceiver

START = SPRINT_START + 36_000.0
STEP = 600.0
FINE, BAD = 0.5, 7.0


class TimedReceiver(ScriptedReceiver):
    """Notes when each attempt was made, in simulated seconds since the start."""

    def __init__(self, clock: SimulatedClock, failures: list[Exception] | None = None) -> None:
        super().__init__(failures=failures)
        self.clock = clock
        self.attempted_at: list[float] = []

    def send(self, notification: Notification) -> None:
        self.attempted_at.append(self.clock() - START)
        super().send(notification)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "slo.db")
    yield opened
    opened.close()


def guarded(*kpis: str) -> Plan:
    return a_plan(
        *(a_kpi(each, objective=an_objective("at_most", 1.0), interval_seconds=STEP) for each in kpis or ("load",))
    )


def stepper_over(store: Store, plan: Plan, receiver: TimedReceiver, value: float, **policy: float) -> JobStepper:
    collector = FakeCollector("source", {"a": {(): value}})
    ends = [(receiver, DeliveryPolicy(**policy), Route(receiver.name))]
    return JobStepper(plan, store, [collector], ends, receiver.clock)


def test_the_least_time_between_two_messages_is_simulated_time(store: Store) -> None:
    """In real time a sprint of messages would take as long as a sprint, or would not be held back at all."""
    receiver = TimedReceiver(SimulatedClock(START - 1.0))
    stepper = stepper_over(store, guarded("one", "other"), receiver, BAD, min_interval_seconds=60.0)

    delivered = stepper.step(START).delivered

    assert delivered == 2
    assert receiver.attempted_at == [0.0, 60.0]


def test_what_a_receiver_wants_later_than_the_next_step_waits_for_it(store: Store) -> None:
    """A message that is sent ahead of its time would tell of a future that nobody has seen."""
    receiver = TimedReceiver(
        SimulatedClock(START - 1.0), [TransientDeliveryError("http_429", "busy", retry_after_seconds=STEP + 30.0)]
    )
    stepper = stepper_over(store, guarded(), receiver, BAD)

    delivered = [stepper.step(at).delivered for at in (START, START + STEP, START + 2 * STEP)]

    assert delivered == [0, 0, 1]
    assert receiver.attempted_at == [0.0, 2 * STEP]


def test_a_new_stepper_over_the_same_store_goes_on(store: Store) -> None:
    """A restart tells nothing a second time, and begins behind the last evaluation."""
    receiver = TimedReceiver(SimulatedClock(START - 1.0))
    plan = guarded()
    first = stepper_over(store, plan, receiver, BAD)
    before = [first.step(at).evaluation.transitions for at in (START, START + STEP)]

    second = stepper_over(store, plan, receiver, BAD)
    following = next(second.steps(START + 10 * STEP))
    after = second.step(following)

    assert [len(each) for each in before] == [1, 0]
    assert following == START + 2 * STEP
    assert after.evaluation.transitions == ()
    assert len(receiver.attempts) == 1


def test_the_sprints_end_is_a_step_wherever_the_grid_lies(store: Store) -> None:
    """What is due at the end is judged at the end, not up to a step later."""
    kpi = a_kpi("load", objective=an_objective("at_most", 1.0), interval_seconds=50_000.0)
    clock = SimulatedClock(SPRINT_END - 60_000.0)
    stepper = stepper_over(store, a_plan(kpi), TimedReceiver(clock), FINE)

    steps = list(stepper.steps(SPRINT_END + 50_000.0))

    assert SPRINT_END in steps
    assert SPRINT_END % 50_000.0 != 0


def test_a_store_that_fails_ends_the_run(store: Store) -> None:
    """A stepped sprint that goes on without its store would end with half of its transitions."""
    stepper = stepper_over(store, guarded(), TimedReceiver(SimulatedClock(START - 1.0)), FINE)
    stepper.step(START)
    store.close()

    with pytest.raises(StoreError):
        stepper.step(START + STEP)


def test_simulated_time_never_goes_back() -> None:
    """A delivery may have moved it on; the next step must not take it back."""
    clock = SimulatedClock(START)

    clock.move_to(START + 5.0)
    clock.move_to(START + 3.0)

    assert clock() == START + 5.0
