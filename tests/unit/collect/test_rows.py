"""Rows become frames and batches; what cannot be used is counted with an example."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest

from slo_guard.collect.event_memory import MOST_REMEMBERED, EventMemory
from slo_guard.collect.options import RowIndicatorOptions
from slo_guard.collect.row_times import TimeOptions, parse_time
from slo_guard.collect.rows import RowTable, row_labels, row_value
from slo_guard.domain.readings import EventBatch, GaugeFrame
from slo_guard.domain.series import SeriesIndex

NOW = 1_784_196_000.0
A, B = (("tenant", "a"),), (("tenant", "b"),)


def table(kind: str = "gauge", unit: str = "", *, increment: bool = False) -> RowTable:
    return RowTable(RowIndicatorOptions(name="m", type=kind, unit=unit), "source", increment=increment)


def test_each_instant_is_a_frame_over_all_series_of_the_collection():
    """A series without a sample at one instant is listed all the same, or it would look gone and born again."""
    rows = table()
    rows.add(A, 1.0, 10.0)
    rows.add(B, 2.0, 20.0)
    rows.add(A, 3.0, 20.0)

    first, second = rows.readings(NOW)

    assert (first.frame.at, second.frame.at) == (10.0, 20.0)
    assert first.frame.index is second.frame.index
    assert first.frame.present.tolist() == [True, False]
    assert second.frame.values.tolist() == [3.0, 2.0]


def test_events_keep_their_own_times_in_one_batch_in_order():
    """A median over the sprint needs every observation at its own time, also those that came out of order."""
    rows = table("event", "hours")
    rows.add(A, 2.0, 30.0)
    rows.add(A, 1.0, 10.0)

    [reading] = rows.readings(NOW)

    assert isinstance(reading.frame, EventBatch)
    assert reading.frame.at.tolist() == [10.0, 30.0]
    assert reading.frame.values.tolist() == [3600.0, 7200.0]


def test_no_rows_are_an_empty_frame():
    """A source that answers without rows has been read: that is not a failure."""
    [reading] = table(increment=True).readings(NOW)

    assert isinstance(reading.frame, GaugeFrame)
    assert len(reading.frame.index) == 0
    assert reading.frame.increment
    assert table().readings(NOW)[0].frame.increment is False


def test_two_values_of_a_series_at_one_time_are_counted_and_neither_is_believed():
    """Nobody can say which of them is right."""
    rows = table()
    rows.add(A, 1.0, 10.0)
    rows.add(A, 9.0, 10.0)
    rows.add(B, 2.0, 10.0)

    [reading] = rows.readings(NOW)

    assert reading.frame.present.tolist() == [False, True]
    assert (reading.rejected, reading.example) == (1, '{tenant="a"} comes twice at one time')


def test_what_cannot_be_used_is_told_once_with_its_place():
    """A file of a million rows with one wrong cell is found by its line."""
    rows = table()
    rows.add(A, 1.0, 10.0)
    rows.add(A, 2.0, 20.0)
    rows.reject("sessions.csv:3", "the value is empty")

    first, last = rows.readings(NOW)

    assert (first.rejected, first.example) == (0, None)
    assert (last.rejected, last.example) == (1, "sessions.csv:3: the value is empty")


def test_the_index_is_used_again_for_the_same_series():
    """All that is derived from an index is cached by it."""
    one, two = table(), table()
    one.add(A, 1.0, 10.0)
    two.add(A, 2.0, 20.0)
    before = one.readings(NOW)[0].frame.index

    assert two.readings(NOW, before)[0].frame.index is before


@pytest.mark.parametrize(
    ("value", "is_bool", "number"),
    [
        (1, False, 1.0),
        ("1.5", False, 1.5),
        (" 2 ", False, 2.0),
        ("true", True, 1.0),
        (False, True, 0.0),
        ("0", True, 0.0),
    ],
)
def test_values_are_numbers_and_truths_however_they_are_written(value, is_bool, number):
    """CSV knows texts only, JSON both, and databases their own types."""
    assert row_value(value, is_bool=is_bool) == number


@pytest.mark.parametrize(
    ("value", "is_bool", "says"),
    [
        (None, False, "empty"),
        ("", False, "empty"),
        ("five", False, "'five', not a number"),
        ("1_0", False, "not a number"),
        (True, False, "true, not a number"),
        (2, True, "neither true nor false"),
        (math.nan, False, "nan"),
        ("inf", False, "inf"),
        ([1], False, "a list, not a number"),
        (10**400, False, "not a number"),
    ],
)
def test_what_is_no_value_says_what_it_is(value, is_bool, says):
    """The example of what was rejected must be enough to find the fault."""
    with pytest.raises(ValueError, match=says):
        row_value(value, is_bool=is_bool)


def test_labels_are_texts_without_the_empty_ones():
    """A null tenant is no tenant; 500 and 500.0 are one label."""
    assert row_labels({"b": 500.0, "a": "x", "n": None, "e": "", "t": True}) == (
        ("a", "x"),
        ("b", "500"),
        ("t", "true"),
    )
    with pytest.raises(ValueError, match="label a is a dict"):
        row_labels({"a": {}})
    with pytest.raises(ValueError, match="control characters"):
        row_labels({"a": "x\ny"})


DENVER = TimeOptions(zone="America/Denver")


@pytest.mark.parametrize(
    ("value", "options", "at"),
    [
        ("2026-07-16T10:00:00Z", TimeOptions(), NOW),
        ("2026-07-16T04:00:00-06:00", TimeOptions(), NOW),
        ("2026-07-16 04:00:00", DENVER, NOW),
        (NOW, TimeOptions(), NOW),
        (str(int(NOW)), TimeOptions(), NOW),
        (NOW * 1e3, TimeOptions(epoch="ms"), NOW),
        (datetime.fromtimestamp(NOW, UTC), TimeOptions(), NOW),
        (datetime(2026, 7, 16, 12, 0, tzinfo=timezone(timedelta(hours=2))), TimeOptions(), NOW),
        (datetime(2026, 7, 16, 4, 0), DENVER, NOW),  # noqa: DTZ001 - databases return such
        (date(2026, 7, 16), DENVER, NOW - 4 * 3600),
        ("20260716T100000Z", TimeOptions(), NOW),
    ],
)
def test_times_are_read_in_every_usual_form(value, options, at):
    """Each source writes them in its own way."""
    assert parse_time(value, options) == pytest.approx(at)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("2026-07-16 04:00:00", "states no time zone; write time: {zone: UTC}"),
        (NOW * 1e3, "looks like ms, write time: {epoch: ms}"),
        (NOW * 1e9, "looks like ns"),
        ("yesterday", "is not a time"),
        ("", "empty"),
        (None, "empty"),
        (True, "true"),
        ([], "a list"),
        (math.nan, "is not a time between"),
        (-5, "is not a time between"),
    ],
)
def test_a_time_that_cannot_be_told_says_what_to_write(value, says):
    """A guessed zone or unit would put a sample hours or decades away."""
    with pytest.raises(ValueError, match=says):
        parse_time(value, TimeOptions())


def test_an_unknown_zone_is_named_with_the_nearest():
    """A typing mistake in a zone must not become UTC."""
    with pytest.raises(ValueError, match="America/Denver"):
        TimeOptions(zone="America/Dever")


def test_each_event_is_new_once_also_across_a_restart():
    """An API that gives the last hour again at each poll must not count its events again."""
    memory = EventMemory(3600.0)
    mark = EventMemory.mark(A, 1.0, 100.0, None)

    assert memory.take(mark, 100.0) is True
    again = EventMemory(3600.0, memory.content())

    assert again.take(mark, 100.0) is False
    assert again.take(EventMemory.mark(A, 2.0, 100.0, None), 100.0) is True


def test_an_event_that_comes_late_is_taken_within_the_look_back_and_not_after():
    """What is older than the memory cannot be told from what was taken."""
    memory = EventMemory(3600.0)
    memory.take("a", 10_000.0)
    again = EventMemory(3600.0, memory.content())

    assert again.take("b", 9_000.0) is True
    assert again.take("c", 1_000.0) is None


def test_an_identity_makes_an_event_the_same_although_its_value_changes():
    """A ticket that is edited is one ticket."""
    assert EventMemory.mark(A, 1.0, 5.0, "T-1") == EventMemory.mark(B, 2.0, 6.0, "T-1")
    assert EventMemory.mark(A, 1.0, 5.0, None) != EventMemory.mark(A, 1.0, 6.0, None)


def test_the_memory_is_bounded():
    """It is written with every collection that brings something new."""
    memory = EventMemory(1e9)
    for number in range(MOST_REMEMBERED + 10):
        memory.take(f"{number}", float(number))

    content = memory.content()

    assert len(content["marks"]) == MOST_REMEMBERED
    assert np.isfinite(content["horizon"])


def test_an_increment_keeps_the_index_of_all_series_of_late():
    """The few series that have new rows differ each time: each would be an index of its own in memory and store."""
    one, two, three = table(increment=True), table(increment=True), table(increment=True)
    one.add(A, 1.0, 10.0)
    one.add(B, 1.0, 10.0)
    two.add(B, 2.0, 20.0)
    before = one.readings(NOW)[0].frame.index
    [reading] = two.readings(NOW, before)
    large = SeriesIndex.of((("tenant", f"{number}"),) for number in range(2000))
    three.add(B, 3.0, 30.0)

    assert reading.frame.index is before
    assert reading.frame.present.tolist() == [False, True]
    assert len(three.readings(NOW, large)[0].frame.index) == 1
