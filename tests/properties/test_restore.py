"""A run that is stopped at random points and restored gives what an undisturbed run gives, and what backtest gives.

``SLO_GUARD_SEED`` repeats a run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st

from slo_guard.clock import from_unix
from slo_guard.domain.kpi import Selection, Single
from slo_guard.domain.ports import PersistedEvaluation
from slo_guard.domain.readings import Observation
from slo_guard.evaluate import Evaluation, EvaluationState, evaluate
from slo_guard.replay.backtest import backtest
from slo_guard.replay.steps import grid
from tests.support.builders import a_failure, a_frame, a_kpi, a_plan, an_objective, labels, numbered
from tests.support.restarts import kept, shown, transitions_told
from tests.support.scenarios import T0, Scenario, scenarios
from tests.support.seeds import SEED, announce_seed

__all__ = ["announce_seed"]

SERIES = [labels(f"system=s{number}") for number in range(3)]
SPRINTLY = ["increase over sprint", "increase over 20m", "total over sprint", "ratio over 30m", "ratio over sprint"]
MEASURES = [*SPRINTLY, "total over 15m", "delta over 10m", "mean over 10m", "max over sprint", "last"]


def _run(
    scenario: Scenario, instants: Sequence[float], stops: AbstractSet[int], renewals: AbstractSet[int] = frozenset()
) -> list[Evaluation]:
    """Evaluate a scenario at ``instants``; after the evaluations with the numbers ``stops`` go on with a restored state.

    After those with the numbers ``renewals`` what is kept of every other KPI is built anew.
    """
    state, persisted = EvaluationState.fresh(), PersistedEvaluation(None, 0, 0, {}, {}, {})
    stored = numbered(scenario.observations)
    results = []
    for number, now in enumerate(instants):
        new = [item for item in stored if item.id > state.reading_cursor and item.observation.seen_at <= now]
        result = evaluate(scenario.plan.due_at(now), new, state, from_unix(now))
        results.append(result)
        if not result.skipped:
            persisted = kept(persisted, result.record)
        if number in stops:
            known = [item for item in stored if item.id <= persisted.reading_cursor]
            state = EvaluationState.restored(scenario.plan, persisted, known)
        if number in renewals:
            known = [item for item in stored if item.id <= persisted.reading_cursor]
            narrow = replace(scenario.plan, kpis=scenario.plan.kpis[number % 2 :: 2])
            state.renew(EvaluationState.restored(narrow, persisted, known))
    return results


@seed(SEED)
@settings(
    max_examples=80,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(scenario=scenarios(), data=st.data())
def test_stopping_and_restoring_anywhere_changes_no_verdict_and_no_transition(scenario: Scenario, data: st.DataObject):
    """A deployment in the middle of an incident must neither page twice nor forget to page."""
    note(f"SLO_GUARD_SEED={SEED}")
    stops = data.draw(st.sets(st.integers(0, max(0, len(scenario.evaluations) - 1)), min_size=1))

    straight, stopped = _run(scenario, scenario.evaluations, set()), _run(scenario, scenario.evaluations, stops)

    for one, other in zip(straight, stopped, strict=True):
        assert [shown(frame) for frame in one.verdicts] == [shown(frame) for frame in other.verdicts]
        assert transitions_told(one.transitions) == transitions_told(other.transitions)


@seed(SEED)
@settings(
    max_examples=40,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(scenario=scenarios(), data=st.data())
def test_building_some_kpis_anew_changes_no_verdict_and_no_transition(scenario: Scenario, data: st.DataObject):
    """A daemon forgets series that are gone in the middle of its work; nobody may notice."""
    note(f"SLO_GUARD_SEED={SEED}")
    numbers = st.sets(st.integers(0, max(0, len(scenario.evaluations) - 1)), min_size=1)
    renewals = data.draw(numbers)

    straight, renewed = (
        _run(scenario, scenario.evaluations, set()),
        _run(scenario, scenario.evaluations, set(), renewals),
    )

    for one, other in zip(straight, renewed, strict=True):
        assert [shown(frame) for frame in one.verdicts] == [shown(frame) for frame in other.verdicts]
        assert transitions_told(one.transitions) == transitions_told(other.transitions)


@seed(SEED)
@settings(
    max_examples=80,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(scenario=scenarios(), data=st.data())
def test_backtest_tells_what_a_daemon_told_that_was_stopped_and_started(scenario: Scenario, data: st.DataObject):
    """What was tested is what pages: through a sprint's end as well, wherever a deployment falls."""
    note(f"SLO_GUARD_SEED={SEED}")
    stored = numbered(scenario.observations)
    first_seen: dict[str, float] = {}
    for item in stored:
        for indicator in item.observation.indicators:
            first_seen.setdefault(indicator, item.observation.seen_at)
    # From where nothing is awaited any more: a recording that begins is a matter of its own.
    start = T0 + 120.0 * math.ceil((max(first_seen.values(), default=T0) - T0) / 120.0)
    end = max([start, *scenario.evaluations])
    instants = list(grid(scenario.plan, start, end))
    stops = data.draw(st.sets(st.integers(0, max(0, len(instants) - 1))))

    told = backtest(scenario.plan, stored, start, end)

    lived = [each for result in _run(scenario, instants, stops) for each in result.transitions]
    assert transitions_told(told) == transitions_told(lived)


@st.composite
def long_stretches(draw: st.DrawFn) -> list[Observation]:
    """Return frames of several indicators in long alike stretches, with gaps, resets and births between them.

    At times the source's clock goes back, so that the frames of a stretch begin before those that came already.
    """
    randomness = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    observations: list[Observation] = []
    at, lag, total = T0 - 600.0, 0.0, np.zeros(3)
    for _ in range(draw(st.integers(1, 6))):
        shown = draw(st.sets(st.integers(0, 2), min_size=0, max_size=3))
        at += draw(st.sampled_from([30.0, 30.0, 200.0, 900.0]))
        lag = draw(st.sampled_from([0.0, 0.0, lag, 150.0, 400.0]))
        if draw(st.booleans()):
            total = np.zeros(3)
        if draw(st.integers(0, 4)) == 0:
            observations.append(a_failure(["a", "part", "total"], at))
            at += 30.0
        for _ in range(draw(st.integers(1, 30))):
            total = total + randomness.integers(0, 3, 3)
            observations += _frames_at(at - lag, at, total, shown, randomness)
            at += 30.0
    return observations


def _frames_at(
    at: float, seen_at: float, total: np.ndarray, shown: set[int], randomness: np.random.Generator
) -> Sequence[Observation]:
    values = {"a": total, "part": np.floor(total / 2), "total": total, "flag": randomness.integers(0, 2, 3)}
    return [
        a_frame(name, at, {SERIES[n]: float(each[n]) for n in sorted(shown)}, seen_at=seen_at)
        for name, each in values.items()
    ]


@seed(SEED)
@settings(max_examples=60, deadline=None, database=None, print_blob=True)
@given(observations=long_stretches(), by=st.sampled_from([(), ("system",)]))
def test_history_taken_in_stretches_is_as_if_taken_frame_by_frame(observations: list[Observation], by: tuple[str, ...]):
    """Reading two weeks back in seconds must give the very numbers that two weeks of running gave."""
    note(f"SLO_GUARD_SEED={SEED}")
    kpis = []
    for number, measure in enumerate(MEASURES):
        fields = {} if "ratio" in measure else {"source": _source("flag" if "total" in measure else "a")}
        kpis.append(a_kpi(f"k{number}", measure, by=by, objective=an_objective("at_most", 5), **fields))
    plan = a_plan(*kpis)
    stored = numbered(observations)
    now = stored[-1].observation.seen_at + 45.0
    persisted = PersistedEvaluation(None, stored[-1].id, 0, {}, {}, {})

    whole = EvaluationState.restored(plan, persisted, stored)
    single = EvaluationState.fresh()

    single.follow(plan)
    for item in stored:
        single.take_all([item])

    at_once = evaluate(plan, [], whole, from_unix(now))
    one_by_one = evaluate(plan, [], single, from_unix(now))
    assert [shown(frame) for frame in at_once.verdicts] == [shown(frame) for frame in one_by_one.verdicts]
    assert whole.late_samples == single.late_samples


def _source(indicator: str) -> Single:
    return Single(Selection(indicator))
