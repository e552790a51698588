"""What a quantile costs an evaluation: exact ones of so many events, and interpolated ones of so many histograms.

Run: ``python tests/benchmarks/bench_quantiles.py``. Times are medians on one core.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from slo_guard.clock import from_unix
from slo_guard.domain.kpi import Measure, Reducer
from slo_guard.domain.ports import StoredObservation
from slo_guard.domain.readings import HistogramFrame, IndicatorType, Reading
from slo_guard.domain.series import SeriesIndex
from slo_guard.evaluate import EvaluationState, evaluate
from slo_guard.evaluate.events import EventBuffer
from tests.support.builders import SPRINT_START, a_kpi, a_plan

EVENTS = (10_000, 100_000, 1_000_000, 5_000_000)
HISTOGRAMS = (1, 1_000, 10_000)
BOUNDS = np.array([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, np.inf])


def median_ms(calls: list[Callable[[], object]]) -> float:
    """Return the median time of ``calls``."""
    times = []
    for call in calls:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e3


def of_events(count: int, groups: int) -> tuple[float, float]:
    """Return the milliseconds that a first p95 of ``count`` events in ``groups`` groups takes, and one with 1,000 more."""
    numbers = np.random.default_rng(0)
    group_of = np.arange(groups)
    buffer, measure = EventBuffer(), Measure(Reducer.QUANTILE, None, "p95", 0.95)

    def ask(upto: float, more: int) -> Callable[[], object]:
        at, values = np.linspace(upto - 1, upto, more), numbers.lognormal(-1, 1, more)
        buffer.add(numbers.integers(0, groups, more), at, values)
        return lambda: buffer.measured(measure, 0.0, upto, group_of, groups)

    first = median_ms([ask(2.0, count)])
    return first, statistics.median([median_ms([ask(3.0 + step, 1000)]) for step in range(5)])


def of_histograms(count: int, by: tuple[str, ...]) -> float:
    """Return the milliseconds that an evaluation of ``p95 over 5m`` takes, its new frame included."""
    index = SeriesIndex.of((("pod", f"pod-{number}"),) for number in range(count))
    grown = np.cumsum(np.random.default_rng(0).integers(0, 10, (count, len(BOUNDS))), axis=1).astype(float)
    plan = a_plan(a_kpi("latency", "p95 over 5m", type=IndicatorType.HISTOGRAM, by=by))
    state, times = EvaluationState.fresh(), []
    for step in range(40):
        at = SPRINT_START + 30.0 * step
        reading = Reading("a", "source", at, HistogramFrame(index, BOUNDS, grown * (step + 1), at))
        started = time.perf_counter()
        evaluate(plan, [StoredObservation(step + 1, reading)], state, from_unix(at))
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e3


def main() -> None:
    """Print one line a size."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    click.echo(f"{'events':>10} {'first':>10} {'1,000 more':>11} {'100 groups':>10} {'1,000 more':>11}")
    for count in EVENTS:
        (first, more), (grouped, grouped_more) = of_events(count, 1), of_events(count, 100)
        click.echo(f"{count:>10,} {first:>7.1f} ms {more:>8.1f} ms {grouped:>7.1f} ms {grouped_more:>8.1f} ms")
    click.echo(f"{'histograms':>10} {'together':>10} {'by series':>11}")
    for count in HISTOGRAMS:
        click.echo(f"{count:>10,} {of_histograms(count, ()):>7.1f} ms {of_histograms(count, ('pod',)):>8.1f} ms")


if __name__ == "__main__":
    main()
