"""Counters' samples that come late are taken into their place, as if they had come in their time."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo_guard.evaluate.history import Counter, SampleCount
from slo_guard.evaluate.trailing import TrailingSums

REACH, FRESH_FOR = 86400.0, 1e6
SAMPLES = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 50)), min_size=3, max_size=12)


def counter() -> Counter:
    return Counter(None, None, TrailingSums(REACH, 60.0, FRESH_FOR), recalls=True)


def fed(samples: list[tuple[int, int]], late: int | None) -> Counter:
    """Return a counter of two rows that got one sample a minute, the one numbered ``late`` behind all others."""
    made = counter()
    for number, (row, value) in enumerate(samples):
        if number != late:
            values = np.full(2, np.nan)
            values[row] = value
            made.add(60.0 * number, values)
    return made


@settings(max_examples=300, deadline=None)
@given(SAMPLES, st.data())
def test_a_late_sample_counts_as_one_in_time(samples, data):
    """Which of two samples arrives first is an accident of the network; the ratio of a window must not depend on it."""
    # The newest sample of a row is not late, and a row's very first one is the base that the others count from.
    late = data.draw(st.integers(1, len(samples) - 2))
    row = samples[late][0]
    others = [number for number, (other, _) in enumerate(samples) if other == row and number != late]
    if not any(number < late for number in others) or not any(number > late for number in others):
        return
    in_time, behind = fed(samples, None), fed(samples, late)

    assert behind.take_late(60.0 * late, row, float(samples[late][1]))

    now = 60.0 * (len(samples) - 1)
    for start in np.arange(-30.0, now, 30.0):
        expected, _ = in_time.increase(start, FRESH_FOR, from_first=True)
        found, _ = behind.increase(start, FRESH_FOR, from_first=True)
        np.testing.assert_allclose(found, expected)
        starts = np.array([start])
        np.testing.assert_allclose(behind.trailing.gained(starts), in_time.trailing.gained(starts))


def test_two_late_samples_find_their_places_in_either_order():
    """A source that was cut off sends what it has saved, newest first."""
    samples = [(0, 10), (0, 20), (0, 5), (0, 8), (0, 30)]
    in_time = fed(samples, None)
    behind = counter()
    for number in (0, 1, 4):
        behind.add(60.0 * number, np.array([samples[number][1], np.nan]))

    assert behind.take_late(180.0, 0, 8.0)
    assert behind.take_late(120.0, 0, 5.0)

    for start in (0.0, 60.0, 120.0, 180.0):
        expected, found = (each.increase(start, FRESH_FOR)[0][0] for each in (in_time, behind))
        assert found == pytest.approx(expected)


def test_a_sample_that_is_there_already_is_not_taken_again():
    """A source that repeats itself must not count twice."""
    made = fed([(0, 10), (0, 20), (0, 30)], None)

    assert not made.take_late(60.0, 0, 20.0)
    assert made.increase(0.0, FRESH_FOR)[0][0] == 20.0


def test_a_sample_from_before_what_is_remembered_is_left_out():
    """Its neighbours are known as sums only; a guess would be worse than the count of late samples."""
    made = fed([(0, number) for number in range(40)], None)

    assert not made.take_late(90.0, 0, 1.5)


def test_a_series_whose_first_sample_comes_late_counts_from_it():
    """A series that appears after a silence counts from its first sample, whichever of the first two arrives first."""
    made = counter()
    made.add(0.0, np.array([1.0]))
    made.add(60.0, np.array([2.0, 30.0]))

    assert made.take_late(30.0, 1, 10.0)

    increase, _ = made.increase(-10.0, FRESH_FOR, from_first=True)
    assert increase.tolist() == [1.0, 20.0]
    assert made.trailing.gained(np.array([-10.0]))[0].tolist() == [1.0, 20.0]


def test_a_collection_that_is_late_as_a_whole_costs_no_copy_for_each_of_its_rows():
    """A thousand tenants come late together: a copy of all rows for each would hold up the cycle, and fill the memory."""
    rows, late = 2_000, 200
    made, counted = counter(), SampleCount(None)
    for number in range(5):
        values = np.full(rows, float(number))
        values[:late] = np.nan if number == 3 else number
        made.add(60.0 * number, values)
        counted.add(60.0 * number, ~np.isnan(values))

    tracemalloc.start()
    for row in range(late):
        assert made.take_late(180.0, row, 3.0)
        counted.take_late(180.0, row)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert kept < 20 * rows * 8
    for start in (0.0, 60.0, 120.0, 180.0):
        np.testing.assert_array_equal(made.increase(start, FRESH_FOR)[0], np.full(rows, (240.0 - start) / 60.0))
        np.testing.assert_array_equal(counted.within(start, rows), np.full(rows, (240.0 - start) / 60.0))
