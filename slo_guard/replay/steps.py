"""Stepping the evaluator through recorded observations, as the daemon would have called it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from slo_guard.clock import from_unix
from slo_guard.domain.builtin import BURN_ALARM
from slo_guard.domain.kpi import Plan
from slo_guard.domain.ports import StoredObservation
from slo_guard.evaluate import Evaluation, EvaluationState, evaluate


class Stepper:
    """One evaluator walked forward from ``first`` to ``last``; each observation is fed once, when it had been seen.

    At its first evaluation a recording may simply not have begun for an indicator that follows later. It is
    awaited, as a daemon awaits a first collection, but no longer than its samples would stay fresh; an
    indicator of which nothing comes until ``last`` is not awaited at all: there is no data. ``recorded_from``:
    when the recording began, if that was before ``first``: what has not come since then is not awaited either.
    ``coming``: the indicators that come until ``last``; without them ``observations`` is a sequence, and is looked
    through. Any other iterable is gone through once, as far as time has come.
    """

    def __init__(
        self,
        plan: Plan,
        observations: Iterable[StoredObservation],
        first: float,
        last: float,
        *,
        recorded_from: float | None = None,
        coming: Collection[str] | None = None,
    ) -> None:
        self._plan = plan
        self._first, self._last = first, last
        self._state = EvaluationState.fresh()
        if coming is None:
            observations = tuple(observations)
            coming = _indicators_until(last, observations)
        self._to_come = iter(observations)
        self._next = next(self._to_come, None)
        self._awaited_until = {
            indicator: (first if recorded_from is None else recorded_from) + kpi.no_data.after_seconds
            for kpi in sorted(plan.kpis, key=lambda kpi: kpi.no_data.after_seconds)
            for indicator in kpi.indicators
            if indicator in coming and indicator != BURN_ALARM
        }
        self._state.awaiting = set(self._awaited_until)

    def walk(self) -> Iterator[Evaluation]:
        """Evaluate on the epoch's grid from ``first`` on, then every KPI once at ``last``."""
        for now in grid(self._plan, self._first, self._last):
            if now < self._last:
                yield self.step(now)
        yield self.step(self._last, judge_all=True)

    def step(self, now: float, *, origin: float = 0.0, judge_all: bool = False) -> Evaluation:
        """Evaluate the KPIs whose grid from ``origin`` has a point at ``now`` (or all); ``now`` may not go back."""
        plan = self._plan if judge_all else self._plan.due_at(now, origin)
        if self._state.awaiting:
            self._state.awaiting -= {name for name, until in self._awaited_until.items() if now > until}
        evaluation = evaluate(plan, self._seen_by(now), self._state, from_unix(now))
        self._state = evaluation.state
        return evaluation

    def _seen_by(self, now: float) -> Iterator[StoredObservation]:
        """Yield what had been seen by ``now`` and was not fed yet."""
        while self._next is not None and self._next.observation.seen_at <= now:
            yield self._next
            self._next = next(self._to_come, None)


def grid(plan: Plan, first: float, last: float, origin: float = 0.0) -> Iterator[float]:
    """Yield the instants in [``first``, ``last``] that lie on a KPI's grid from ``origin``, and sprints' ends."""
    if plan.has_evaluation_at(first, origin) and first <= last:
        yield first
    now = first
    while plan.kpis and (now := plan.next_evaluation(now, origin)) <= last:
        yield now


def _indicators_until(last: float, observations: Sequence[StoredObservation]) -> frozenset[str]:
    seen = (stored.observation for stored in observations if stored.observation.seen_at <= last)
    return frozenset(indicator for observation in seen for indicator in observation.indicators)
