"""The jobs, stepped by hand with a simulated ``now``: no scheduler, no clock, and nothing runs between two steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from slo_guard.clock import from_unix, monotonic
from slo_guard.domain.kpi import KPI, Plan
from slo_guard.domain.notifications import Route
from slo_guard.domain.ports import Collector, Receiver, Store
from slo_guard.domain.readings import Collection
from slo_guard.evaluate import Evaluation
from slo_guard.jobs import EvaluationBacklog, collect_once, deliver_once, evaluate_once, plan_once
from slo_guard.notify import Courier, DeliveryPolicy, DeliveryStep
from slo_guard.restoring import state_to_start_with


class SimulatedClock:
    """Says what time it is in the simulation, in Unix seconds; it never goes back."""

    def __init__(self, now: float) -> None:
        self._now = now

    def __call__(self) -> float:
        """Return the present instant."""
        return self._now

    def move_to(self, instant: float) -> None:
        """Have it be ``instant``, unless it is later already."""
        self._now = max(self._now, instant)


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did: how collections ended, what was found, and how many messages were delivered."""

    at: float
    collections: tuple[Collection, ...]
    evaluation: Evaluation
    delivered: int


class JobStepper:
    """Steps the jobs over one plan and one store; a new one over the same store goes on as after a restart.

    Instants are Unix seconds. A step is one evaluation: all collectors run, then what is due is judged, planned and
    delivered; what a receiver wants to have later is delivered at that time, if that is before the next step.
    ``receivers``: each with how its messages are sent and what it wants to hear. ``seconds_spent``: by job, for real.
    """

    def __init__(
        self,
        plan: Plan,
        store: Store,
        collectors: Sequence[Collector],
        receivers: Sequence[tuple[Receiver, DeliveryPolicy, Route]],
        clock: SimulatedClock,
    ) -> None:
        self.seconds_spent = {"collect": 0.0, "evaluate": 0.0, "plan": 0.0, "deliver": 0.0}
        self._plan = plan
        self._store = store
        self._collectors = collectors
        # Without a stopwatch: how long a send really takes is nothing in simulated time.
        self._couriers = [Courier(store, receiver, policy, lambda: 0.0) for receiver, policy, _ in receivers]
        self._routes = [route for _, _, route in receivers]
        self._clock = clock
        self._backlog = EvaluationBacklog()
        self._changed_to: Sequence[KPI] | None = plan.kpis
        awaiting = [spec.name for collector in collectors for spec in collector.indicators]
        self._state = state_to_start_with(plan, store, clock(), awaiting=awaiting)
        # As the daemon does: its first evaluation after a start judges every KPI.
        self._last: float | None = None

    def steps(self, until: float) -> Iterator[float]:
        """Yield the instants of the steps that are to come, up to ``until``: the plan's grid, and sprints' ends."""
        at = self._clock() if self._state.evaluated_at is None else self._state.evaluated_at
        while (at := self._plan.next_evaluation(at)) <= until:
            yield at

    def step(self, at: float) -> Step:
        """Do all that is due at ``at``, which may not go back. Raises ``StoreError``."""
        self._clock.move_to(at)
        now = from_unix(at)
        with self._timed("collect"):
            collections = tuple(collect_once(collector, self._store, now) for collector in self._collectors)
        with self._timed("evaluate"):
            due = self._plan.due_since(self._last, at)
            evaluation = evaluate_once(due, self._store, self._state, now, self._backlog)
            if self._backlog.error is not None:
                raise self._backlog.error
            self._last = at
        with self._timed("plan"):
            judged = {key: track.evaluated_at for key, track in self._state.tracks.items()}
            known = {key: instant for key, instant in judged.items() if instant is not None}
            plan_once(self._store, self._state.alerts, self._routes, now, known, changed_to=self._changed_to)
            self._changed_to = None
        with self._timed("deliver"):
            delivered = sum(self._deliver(courier, at) for courier in self._couriers)
        return Step(at, collections, evaluation, delivered)

    def _deliver(self, courier: Courier, at: float) -> int:
        """Deliver what is due before the next step, at the simulated time at which it is; returns how many."""
        until = self._plan.next_evaluation(at)
        delivered, due_at = 0, at
        while due_at < until:
            self._clock.move_to(due_at)
            tries = deliver_once(courier, self._clock)
            delivered += sum(each.step is DeliveryStep.DELIVERED for each in tries)
            following = tries[-1].due_at
            if following is None:
                break
            due_at = following
        return delivered

    @contextmanager
    def _timed(self, job: str) -> Iterator[None]:
        started = monotonic()
        try:
            yield
        finally:
            self.seconds_spent[job] += monotonic() - started
