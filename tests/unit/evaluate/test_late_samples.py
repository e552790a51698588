"""Counters' samples that come late are taken into their place, as if they had come in their time."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo_guard.evaluate.history import Counter, SampleCount
from slo_guard.evaluate.trailing import TrailingSums
from slo_guard.evaluate.windows import SprintOrigin

REACH, FRESH_FOR = 86400.0, 1e6
SAMPLES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 50)), min_size=3, max_size=12)


def counter(fresh_for: float = FRESH_FOR, origin: SprintOrigin | None = None) -> Counter:
    return Counter(origin, None, TrailingSums(REACH, 60.0, fresh_for), recalls=True)


def feed(made: Counter, counted: SampleCount, samples: list[tuple[int, int]], late: tuple[int, ...] = ()) -> None:
    """Give both one sample a minute, those numbered ``late`` behind all others; rows grow as series begin."""
    rows = 0
    for number, (row, value) in enumerate(samples):
        if number not in late:
            rows = max(rows, row + 1)
            values = np.full(rows, np.nan)
            values[row] = value
            made.add(60.0 * number, values)
            counted.add(60.0 * number, ~np.isnan(values))
    for number in late:
        row, value = samples[number]
        assert made.take_late(60.0 * number, row, float(value))
        counted.take_late(60.0 * number, row)


def fed(samples: list[tuple[int, int]]) -> Counter:
    made = counter()
    feed(made, SampleCount(None), samples)
    return made


def late_ones(samples: list[tuple[int, int]]) -> st.SearchStrategy[list[int]]:
    """Draw which samples come late: any but the very first and the newest of its series, which cannot be late."""
    newest = {row: number for number, (row, _) in enumerate(samples)}
    may_be = [number for number, (row, _) in enumerate(samples) if 0 < number < newest[row]]
    return st.lists(st.sampled_from(may_be), unique=True, max_size=3) if may_be else st.just([])


@settings(max_examples=300, deadline=None)
@given(SAMPLES, st.sampled_from([FRESH_FOR, 130.0]), st.booleans(), st.data())
def test_late_samples_count_as_ones_in_time(samples, fresh_for, slides, data):
    """Which of two samples arrives first is an accident of the network; the ratio of a window must not depend on it."""
    late = data.draw(late_ones(samples))
    starts = np.arange(-30.0, 60.0 * (len(samples) - 1), 30.0)
    starts = starts if slides else np.array([data.draw(st.sampled_from(starts.tolist()))])
    origin = None if slides else SprintOrigin(starts[0])
    in_time, behind = (counter(fresh_for, origin) for _ in range(2))
    counted, counted_behind = (SampleCount(origin) for _ in range(2))

    feed(in_time, counted, samples)
    feed(behind, counted_behind, samples, tuple(late))

    rows = len(in_time.total)
    np.testing.assert_array_equal(behind.trailing.gained(starts), in_time.trailing.gained(starts))
    for start in starts:
        expected, _ = in_time.increase(start, fresh_for, from_first=True)
        found, _ = behind.increase(start, fresh_for, from_first=True)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(counted_behind.within(start, rows), counted.within(start, rows))


def test_two_late_samples_find_their_places_in_either_order():
    """A source that was cut off sends what it has saved, newest first."""
    samples = [(0, 10), (0, 20), (0, 5), (0, 8), (0, 30)]
    in_time = fed(samples)
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
    made = fed([(0, 10), (0, 20), (0, 30)])

    assert not made.take_late(60.0, 0, 20.0)
    assert made.increase(0.0, FRESH_FOR)[0][0] == 20.0


def test_a_sample_from_before_what_is_remembered_is_left_out():
    """Its neighbours are known as sums only; a guess would be worse than the count of late samples."""
    made = fed([(0, number) for number in range(40)])

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


def test_a_new_series_whose_first_two_samples_come_late_counts_no_failure_twice():
    """A service is cut off as it starts up: a ratio and a burn rate of twice its failures would page for nothing."""
    in_time, behind = counter(), counter()
    samples = [(0, 3), (1, 26), (1, 30), (0, 5), (1, 20)]

    feed(in_time, SampleCount(None), samples)
    feed(behind, SampleCount(None), samples, late=(1, 2))

    for made in (in_time, behind):
        assert made.increase(-30.0, FRESH_FOR, from_first=True)[0].tolist() == [2.0, 24.0]
        assert made.trailing.gained(np.array([-30.0]))[0].tolist() == [2.0, 24.0]


def test_a_window_that_begins_behind_a_late_first_sample_counts_from_that():
    """What failed right after a service's start belongs to the window, whichever of its first samples arrives first."""
    made, counted = counter(), SampleCount(None)

    feed(made, counted, [(0, 3), (1, 10), (0, 5), (1, 18)], late=(1,))

    assert made.increase(150.0, FRESH_FOR, from_first=True)[0].tolist() == [0.0, 8.0]
    assert counted.within(150.0, 2).tolist() == [0.0, 1.0]


def test_what_a_series_gains_behind_a_newer_one_counts_from_its_first_sample():
    """Both samples count in the instant of the newer series; what failed between them is in the ratio all the same."""
    made = counter()

    for values in ([5.0], [np.nan, 2.0], [np.nan, 3.0]):
        made.add(600.0, np.array(values))

    assert made.increase(0.0, FRESH_FOR, from_first=True)[0].tolist() == [0.0, 1.0]
    assert made.trailing.gained(np.array([0.0]))[0].tolist() == [0.0, 1.0]
    assert made.increase(600.0, FRESH_FOR, from_first=True)[0].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("fresh_for", [FRESH_FOR, 100.0])
def test_a_late_sample_before_one_that_shares_its_instant_counts_as_one_in_time(fresh_for):
    """Two services answer in one instant, and what the second said before comes last: its ratio is that of the day."""
    late, in_time = counter(), counter()

    for at, values in ((120.0, [7.0]), (600.0, [10.0]), (600.0, [np.nan, 5.0])):
        late.add(at, np.array(values))
    for at, values in ((120.0, [7.0]), (300.0, [np.nan, 2.0]), (600.0, [10.0, np.nan]), (600.0, [np.nan, 5.0])):
        in_time.add(at, np.array(values))
    assert late.take_late(300.0, 1, 2.0)

    for start in (0.0, 200.0, 300.0, 450.0, 600.0):
        found, expected = (made.increase(start, fresh_for, from_first=True) for made in (late, in_time))
        np.testing.assert_array_equal(found[0], expected[0], err_msg=f"from {start:g} on")


def test_a_late_reset_from_before_the_sprint_leaves_what_the_sprint_counts():
    """What a counter did last week, and told us late, must not show as failures of this sprint."""
    fresh_for, sprint = 130.0, SprintOrigin(390.0)
    made = counter(fresh_for, sprint)
    for number, value in ((0, 10.0), (7, 20.0), (8, 25.0)):
        made.add(60.0 * number, np.array([value]))

    assert made.take_late(120.0, 0, 5.0)

    assert made.increase(390.0, fresh_for, from_first=True)[0].tolist() == [5.0]


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
