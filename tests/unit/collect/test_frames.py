"""Frames: base units, an index that stays, and nothing that is not a number gets through."""

from __future__ import annotations

import gc
import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo_guard.collect.frames import (
    Rejections,
    collector_paused,
    gauge_frame,
    layout_of,
    layout_within,
    parse_numbers,
    to_base,
)
from slo_guard.collect.histograms import bucket_layout
from slo_guard.domain.series import SeriesIndex
from slo_guard.units import parse_quantity

A, B, C = (("t", "a"),), (("t", "b"),), (("t", "c"),)


def frame_of(label_sets, values, *, factor=1.0, is_bool=False, rejected=None):
    rejected = Rejections() if rejected is None else rejected
    layout = layout_of(label_sets)
    return gauge_frame(layout, np.array(values, dtype=float), 1.0, factor=factor, is_bool=is_bool, rejected=rejected)


@given(
    st.integers(-(10**8), 10**8),
    st.integers(0, 6),
    st.sampled_from(
        [("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9), ("%", 0.01), ("m", 60.0), ("h", 3600.0), ("MiB", 2.0**20)]
    ),
)
def test_a_sample_becomes_what_a_rule_writes(number, places, unit):
    """A value on its limit must be on it whether it comes as 0.07 percent or stands as 0.07% in a rule."""
    text, (symbol, factor) = f"{Decimal(number).scaleb(-places):f}", unit

    [value] = to_base(np.array([float(text)]), factor)

    assert value == parse_quantity(text + symbol).value


def test_what_no_one_wrote_in_decimals_is_scaled_as_well():
    """Measured numbers have all their digits, and what is not finite stays so."""
    values = np.array([1 / 3, 1e300, 5e-324, math.nan, math.inf, -math.inf])

    scaled = to_base(values, 1e-3)

    assert scaled[:3].tolist() == (values[:3] / 1000).tolist()
    assert math.isnan(scaled[3])
    assert scaled[4:].tolist() == [math.inf, -math.inf]


def test_the_index_is_used_again_for_the_same_series_in_another_order():
    """A source that shuffles must not cost the evaluator its window buffers."""
    first = layout_of([A, B, C])
    second = layout_of([C, A, B], first.index)

    assert second.index is first.index
    assert second.place(np.array([3.0, 1.0, 2.0])).tolist() == [1.0, 2.0, 3.0]


def test_other_series_are_another_index():
    """A series that came or went must be seen."""
    first = layout_of([A, B])

    assert layout_of([A, C], first.index).index.label_sets == (A, C)
    assert layout_of([A], first.index).index.label_sets == (A,)


def test_a_series_that_comes_twice_with_different_values_has_none():
    """Two values for one series cannot both be right, and the one that was taken might be the one within the limit."""
    rejected = Rejections()
    frame = frame_of([A, B, A, A], [1, 2, 1, 4], rejected=rejected)

    assert frame.present.tolist() == [False, True]
    assert (rejected.count, rejected.example) == (2, '{t="a"} comes twice')


def test_a_series_that_comes_twice_with_one_value_has_it():
    """A repeated line is untidy and is counted, but leaves no doubt."""
    rejected = Rejections()
    frame = frame_of([A, B, A], [1, 2, 1], rejected=rejected)

    assert frame.values.tolist() == [1.0, 2.0]
    assert rejected.count == 1


def test_history_extends_the_index_of_the_present():
    """Series that have ended still belong to the sprint."""
    base = SeriesIndex.of((A, B))

    assert layout_within([B], base).index is base
    assert layout_within([C, B], base).index.label_sets == (A, B, C)


def test_nan_and_inf_are_counted_and_not_present():
    """They would poison every sum that they meet."""
    rejected = Rejections()
    frame = frame_of([A, B, C], [math.nan, 2.0, math.inf], rejected=rejected)

    assert frame.present.tolist() == [False, True, False]
    assert (rejected.count, rejected.example) == (2, '{t="a"} is nan')


def test_a_bool_is_nought_or_one():
    """A 2 is neither yes nor no."""
    rejected = Rejections()
    frame = frame_of([A, B, C], [0, 1, 2], is_bool=True, rejected=rejected)

    assert frame.present.tolist() == [True, True, False]
    assert rejected.count == 1


def test_values_come_in_base_units_to_the_last_bit():
    """830 ms against a limit of 0.83 s must not be a breach by a binary fraction."""
    assert frame_of([A], [830], factor=0.001).values[0] == 0.83
    assert frame_of([A], [2], factor=60.0).values[0] == 120.0


@settings(deadline=None)
@given(st.lists(st.floats(width=64), max_size=20))
def test_numbers_parse_as_python_parses_them(numbers):
    """The fast path for plain numbers must not round differently."""
    parsed = parse_numbers([repr(number).encode() for number in numbers])

    np.testing.assert_array_equal(parsed, np.array(numbers, dtype=float))


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(st.sampled_from([b"1", b"+Inf", b"-Inf", b"NaN", b"1e5", b".5", b"5.", b"01"]), st.binary(max_size=6))
    )
)
def test_what_is_not_a_number_is_nan_and_spoils_no_other(texts):
    """One bad sample in an answer must not change the rest."""
    parsed = parse_numbers(texts)

    assert len(parsed) == len(texts)
    for text, number in zip(texts, parsed, strict=True):
        np.testing.assert_array_equal(number, parse_numbers([text])[0])


@pytest.mark.parametrize("text", [b"1_0", b" 1", b"true", b"null", b"[1]", b"0x1", b"", b"1,2", b"Infinity", b"1e"])
def test_pythons_and_jsons_liberties_are_not_numbers(text):
    """No source writes these; to take them would hide a broken one."""
    assert np.isnan(parse_numbers([text])).all()


def test_garbage_collection_is_on_again_after_nested_pauses():
    """Left off, the daemon's memory would grow for ever."""
    with collector_paused(), collector_paused():
        assert not gc.isenabled()

    assert gc.isenabled()


def bucket(bound: str, **labels: str):
    return tuple(sorted({"le": bound, **labels}.items()))


def test_buckets_become_columns_in_ascending_order():
    """Quantiles are read along the row; "1" and "1.0" are one bound."""
    index = SeriesIndex.of((bucket("+Inf", s="a"), bucket("0.5", s="a"), bucket("1", s="a"), bucket("1.0", s="a")))
    rejected = Rejections()
    frame = bucket_layout(index).frame(np.array([9.0, 2.0, 5.0, 7.0]), np.empty(0), 1.0, factor=1.0, rejected=rejected)

    assert frame.index.label_sets == ((("s", "a"),),)
    assert frame.bounds.tolist() == [0.5, 1.0, math.inf]
    assert frame.counts.tolist() == [[2.0, 5.0, 9.0]]
    assert rejected.count == 1


def test_bounds_are_in_base_units():
    """A histogram in milliseconds is judged in seconds; its counts stay counts."""
    index = SeriesIndex.of((bucket("250"), bucket("+Inf")))
    frame = bucket_layout(index).frame(np.array([1.0, 2.0]), np.empty(0), 1.0, factor=0.001, rejected=Rejections())

    assert frame.bounds.tolist() == [0.25, math.inf]
    assert frame.counts.tolist() == [[1.0, 2.0]]


def test_a_missing_last_bucket_is_taken_from_the_count_or_the_series_is_left_out():
    """Without a total no quantile can be told."""
    index = SeriesIndex.of((bucket("1", s="a"), bucket("1", s="b"), bucket("x", s="b")))
    layout = bucket_layout(index, SeriesIndex.of(((("s", "a"),),)))
    rejected = Rejections()
    frame = layout.frame(np.array([1.0, 2.0, 3.0]), np.array([4.0]), 1.0, factor=1.0, rejected=rejected)

    assert frame.index.label_sets == ((("s", "a"),),)
    assert frame.counts.tolist() == [[1.0, 4.0]]
    assert rejected.count == 2


def test_a_bucket_that_is_not_a_number_takes_its_series_with_it():
    """Half a histogram gives a wrong quantile, not an approximate one."""
    index = SeriesIndex.of((bucket("1", s="a"), bucket("+Inf", s="a"), bucket("1", s="b"), bucket("+Inf", s="b")))
    rejected = Rejections()
    frame = bucket_layout(index).frame(np.array([math.nan, 2, 1, 2]), np.empty(0), 1.0, factor=1.0, rejected=rejected)

    assert frame.present.tolist() == [False, True]
    assert rejected.count == 1
