"""The buffer of raw observations, and exact quantiles, against plain lists."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from slo_guard.evaluate.events import EventBuffer, grouped_quantile

EVENTS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3), st.integers(-5, 5)), max_size=30)


@settings(deadline=None, max_examples=300)
@given(st.lists(EVENTS, max_size=6), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=6))
def test_a_window_holds_the_events_in_it_in_whatever_order_they_came(batches, windows):
    """A resolution that is entered late belongs to the day on which it happened."""
    buffer, all_events = EventBuffer(), []
    starts = sorted(start for start, _ in windows)
    spans = [(start, start + length) for start, (_, length) in zip(starts, windows, strict=True)]
    for number, batch in enumerate(batches):
        at, rows, values = (
            (np.array(column, dtype=float) for column in zip(*batch, strict=True)) if batch else ([], [], [])
        )
        buffer.add(np.asarray(rows, dtype=np.int64), np.asarray(at, dtype=float), np.asarray(values, dtype=float))
        all_events += batch
        for start, now in spans[number : number + 1]:
            rows, values = buffer.inside(start, now)
            wanted = sorted((row, value) for at, row, value in all_events if start < at <= now)
            assert sorted(zip(rows.tolist(), values.tolist(), strict=True)) == wanted


def test_what_lies_before_the_window_is_dropped():
    """A window of an hour must not keep a year of events in memory."""
    buffer = EventBuffer()
    for hour in range(200):
        at = hour * 3600.0 + np.arange(100)
        buffer.add(np.zeros(100, dtype=np.int64), at, np.ones(100))
        rows, _ = buffer.inside(hour * 3600.0 - 1, hour * 3600.0 + 3599)
        assert len(rows) == 100

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

    found = grouped_quantile(groups, values, 5, quantile)

    for group in range(5):
        chosen = values[groups == group]
        expected = np.quantile(chosen, quantile) if len(chosen) else np.nan
        np.testing.assert_allclose(found[group], expected, rtol=1e-9, atol=1e-9)
