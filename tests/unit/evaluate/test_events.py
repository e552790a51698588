"""The buffer of raw observations, and exact quantiles, against plain lists."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from slo_guard.domain.kpi import Measure, Reducer
from slo_guard.evaluate.events import EventBuffer
from slo_guard.evaluate.ranking import RankedEvents

EVENTS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3), st.integers(-5, 5)), max_size=30)
GROUP_OF = np.array([0, 1, 1, 2])
MEASURES = [
    Measure(Reducer.COUNT, None, "count"),
    Measure(Reducer.SUM, None, "sum"),
    Measure(Reducer.QUANTILE, None, "median", 0.5),
    Measure(Reducer.QUANTILE, None, "p95", 0.95),
]


def _expected(measure, values):
    """Return what a measure of plain numbers comes to."""
    match measure.reducer:
        case Reducer.COUNT:
            return len(values)
        case Reducer.SUM:
            return sum(values)
    return np.quantile(values, measure.quantile) if values else np.nan


def _take(buffer, events):
    columns = zip(*events, strict=True) if events else ((), (), ())
    at, rows, values = (np.array(column, dtype=float) for column in columns)
    buffer.add(rows.astype(np.int64), at, values)


@settings(deadline=None, max_examples=500)
@given(
    st.lists(EVENTS, max_size=8),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=8, max_size=8),
    st.sampled_from(MEASURES),
)
def test_a_window_holds_the_events_in_it_in_whatever_order_they_came(batches, windows, measure):
    """A resolution that is entered late belongs to the day on which it happened."""
    buffer, all_events = EventBuffer(), []
    starts = sorted(start for start, _ in windows)
    spans = [(start, start + length) for start, (_, length) in zip(starts, windows, strict=True)]
    for batch, (start, now) in zip(batches, spans, strict=False):
        _take(buffer, batch)
        all_events += batch

        found, counts = buffer.measured(measure, start, now, GROUP_OF, 3)

        for group in range(3):
            inside = [value for at, row, value in all_events if start < at <= now and GROUP_OF[row] == group]
            assert counts[group] == len(inside)
            np.testing.assert_allclose(found[group], _expected(measure, inside), rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32 - 1), st.sampled_from([3.0, 40.0, 1e9]))
def test_a_window_that_moves_a_little_is_ranked_as_one_that_is_ranked_anew(seed, length):
    """Most events are those of the evaluation before: what came, what came late and what left must be all that differs."""
    chance, buffer, measure = np.random.default_rng(seed), EventBuffer(), MEASURES[2]
    at, rows, values = np.empty(0), np.empty(0, dtype=np.int64), np.empty(0)
    for now in range(1, 60):
        size = int(chance.integers(0, 40))
        new = now - chance.exponential(2.0, size)
        at, rows = np.append(at, new), np.append(rows, chance.integers(0, 1 + now // 10, size))
        values = np.append(values, chance.integers(0, 9, size).astype(float))
        buffer.add(rows[len(rows) - size :], new, values[len(values) - size :])

        found, counts = buffer.measured(measure, now - length, float(now), np.arange(8), 8 if now > 30 else 4)

        inside = (at > now - length) & (at <= now)
        for group in range(len(found)):
            chosen = values[inside & (rows == group)]
            assert counts[group] == len(chosen)
            assert np.isnan(found[group]) if not len(chosen) else found[group] == np.median(chosen)


def test_what_lies_before_the_window_is_dropped():
    """A window of an hour must not keep a year of events in memory."""
    buffer = EventBuffer()
    for hour in range(200):
        at = hour * 3600.0 + np.arange(100)
        buffer.add(np.zeros(100, dtype=np.int64), at, np.ones(100))
        counts, _ = buffer.measured(
            MEASURES[0], hour * 3600.0 - 1, hour * 3600.0 + 3599, np.zeros(1, dtype=np.int64), 1
        )
        assert counts[0] == 100

    assert len(buffer) < 3000


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.floats(-1e6, 1e6)), max_size=60),
    st.sampled_from([0.0, 0.01, 0.5, 0.9, 0.95, 0.999, 1.0]),
)
def test_quantiles_are_numpys_of_each_group(events, quantile):
    """A median of partners' resolution times is exact, group by group; a group without any has none."""
    groups = np.array([group for group, _ in events], dtype=np.int64)
    values = np.array([value for _, value in events])

    ranked = RankedEvents()
    ranked.rank(groups, values, 5)
    found = ranked.quantile(quantile)

    for group in range(5):
        chosen = values[groups == group]
        expected = np.quantile(chosen, quantile) if len(chosen) else np.nan
        np.testing.assert_allclose(found[group], expected, rtol=1e-9, atol=1e-9)
