# ruff: noqa: DTZ001 - databases return times without a zone
"""Marks and what is remembered around them: no row is lost, none is doubled, however a table grows."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo_guard.collect.event_memory import MOST_REMEMBERED
from slo_guard.collect.row_times import TimeOptions
from slo_guard.collect.sql import SqlCollector, SqlOptions
from slo_guard.collect.sql_mark import (
    MarkKind,
    OutOfRange,
    as_mark,
    decode_mark,
    encode_mark,
    is_future,
    kind_of,
    shifted,
)
from slo_guard.collect.sql_progress import MarkedRows, Progress, decode_progress, encode_progress, row_digest
from slo_guard.domain.readings import EventBatch, Reading

NOW = 1_784_196_000.0
DAY = timedelta(days=1)
MARKS = [
    7,
    2**62,
    0.1,
    Decimal("12345678901234567890.123456789"),
    "01J-ulid",
    "2026-07-16 10:00:00.123",
    datetime(2026, 7, 16, 10, 0, 0, 123456, tzinfo=UTC),
    datetime(2026, 7, 16, 10, 0, tzinfo=timezone(timedelta(hours=-6))),
    datetime(2026, 7, 16, 10, 0),
    date(2026, 7, 16),
]


@pytest.mark.parametrize("mark", MARKS, ids=repr)
def test_a_mark_comes_back_from_the_cursor_to_the_last_bit(mark):
    """A mark that is a microsecond off loses a row or doubles one."""
    assert decode_mark(encode_mark(mark)) == mark
    assert type(decode_mark(encode_mark(mark))) is type(mark)


@pytest.mark.parametrize(
    ("mark", "overlap", "below"),
    [
        (1000, 10, 990),
        (2**62 + 1, 1, 2**62),
        (2.5, 1, 1.5),
        (Decimal("2.5"), 1, Decimal("1.5")),
        (1_784_196_000_000, timedelta(seconds=2), 1_784_195_998_000),
        (datetime(2026, 7, 16, tzinfo=UTC), DAY, datetime(2026, 7, 15, tzinfo=UTC)),
        (date(2026, 7, 16), timedelta(hours=1), date(2026, 7, 15)),
        ("2026-03-01", timedelta(hours=1), "2026-02-28"),
        ("2026-03-01 00:10:00", timedelta(minutes=20), "2026-02-28 23:50:00"),
        ("2026-03-01T00:10:00.123Z", timedelta(minutes=20), "2026-02-28T23:50:00.123Z"),
        ("2026-03-01T00:10+02:00", timedelta(minutes=20), "2026-02-28T23:50+02:00"),
        (datetime(1, 1, 1), DAY, datetime(1, 1, 1)),
    ],
)
def test_an_overlap_looks_back_in_the_form_that_the_mark_has(mark, overlap, below):
    """A database compares texts as texts: a bound of another form would be above or below all of them."""
    assert shifted(mark, overlap, "ms") == below


@pytest.mark.parametrize(
    ("mark", "overlap", "says"),
    [
        (datetime(2026, 7, 16, tzinfo=UTC), 10, "take a duration as overlap, such as 10m"),
        ("abc", DAY, "marks that are texts take no overlap"),
        ("2026-13-45", DAY, "marks that are texts take no overlap"),
    ],
)
def test_an_overlap_that_does_not_fit_says_what_does(mark, overlap, says):
    """The kind of a column is only known once it was read."""
    with pytest.raises(ValueError, match=says):
        shifted(mark, overlap, "s")


@pytest.mark.parametrize("value", [None, "", True, float("nan"), Decimal("Infinity"), b"x", "x" * 2000, [], DAY])
def test_what_rows_cannot_be_ordered_by_is_no_mark(value):
    """Once stored as the mark it would stop the source."""
    with pytest.raises(ValueError, match="is "):
        as_mark(value)


def test_marks_are_of_kinds_that_are_not_mixed():
    """SQLite puts all texts above all numbers: one stray text in an id would hide every row to come."""
    kinds = [kind_of(as_mark(mark)) for mark in MARKS]

    assert kinds.count(MarkKind.NUMBER) == 4
    assert kinds[4:] == [*kinds[4:6], MarkKind.TIME, MarkKind.TIME, MarkKind.LOCAL_TIME, MarkKind.DATE]
    assert kinds[4:6] == [MarkKind.TEXT, MarkKind.TIME_TEXT]
    assert as_mark(UUID(int=7)) == "00000000-0000-0000-0000-000000000007"
    with pytest.raises(ValueError, match="infinity, which is no time"):
        as_mark(OutOfRange("infinity"))


@pytest.mark.parametrize(
    ("mark", "is_time", "future"),
    [
        (datetime.fromtimestamp(NOW + 600, UTC), False, True),
        (datetime.fromtimestamp(NOW + 30, UTC), False, False),
        (datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-6))), False, True),
        (datetime(2026, 7, 16, 20, 0), False, False),
        (datetime(2026, 7, 17, 12, 0), False, True),
        ("9999-12-31", False, True),
        (NOW + 600, True, True),
        (Decimal(NOW), True, False),
        (NOW * 1000, True, True),
        (NOW * 1000, False, False),
        ("zzz", False, False),
        (datetime(1960, 1, 1), False, False),
    ],
)
def test_a_mark_in_the_future_is_known_where_it_is_a_time(mark, is_time, future):
    """A row of the year 9999 read once would end the reading for good."""
    assert is_future(mark, NOW, TimeOptions(), is_time=is_time) is future


def take(progress, rows, most=100, overlap=None, ids=False):
    """Return what of ``rows``, pairs (mark, content), is new, and the progress."""
    taken = []
    marked = MarkedRows(progress, most, taken.append, overlap=overlap)
    for mark, content in rows:
        if not marked.offer(mark, row_digest(content), (mark, content), content if ids else None):
            break
    return taken, marked.progress("s")


def test_equal_rows_are_as_many_as_they_are():
    """Two tickets closed in one second are two, although all that is selected of them is alike."""
    first, progress = take(Progress("at"), [(5, "a"), (5, "a")])
    again, progress = take(progress, [(5, "a"), (5, "a"), (5, "a")])

    assert (first, again) == ([(5, "a"), (5, "a")], [(5, "a")])


def test_the_cursor_holds_progress_exactly():
    """It is all that a restart goes on from."""
    _, progress = take(Progress("at"), [(5, "a"), (6, "b"), (6, "c")], overlap=3)
    _, passed = take(Progress("at"), [(5, 1), (5, 2), (5, 3)], most=2, ids=True)
    both = {"one": progress, "two": passed, "new": Progress("id")}

    assert decode_progress(encode_progress(both)) == both
    assert passed.passed == ((5, 2),)


def test_what_is_remembered_is_bounded_by_looking_back_less():
    """It is written with every collection; a busy hour must not make it megabytes."""
    rows = [(number, "x") for number in range(MOST_REMEMBERED + 100)]

    _, progress = take(Progress("at"), rows, most=10**6, overlap=10**6)

    assert len(progress.seen) == MOST_REMEMBERED
    assert progress.since == 100
    assert take(progress, rows[100:], overlap=10**6)[0] == []


@st.composite
def histories(draw):
    """Rows as they are committed between collections: (mark, content), late by at most what is looked back."""
    overlap = draw(st.sampled_from([None, 1, 3]))
    operator = draw(st.sampled_from([">", ">="]))
    has_id = draw(st.booleans())
    most = draw(st.integers(1, 4))
    late = (overlap or 0) - (operator == ">")
    highest, alike, rounds = 0, {}, []
    for _ in range(draw(st.integers(1, 6))):
        batch = []
        # What was committed until now was read up to the highest mark: only then is a row below it late.
        for _ in range(draw(st.integers(0, 6))):
            mark = draw(st.integers(max(1, highest - late), max(1, highest - late) + 4))
            alike[mark] = alike.get(mark, 0) + 1
            if has_id or alike[mark] <= most:
                batch.append((mark, draw(st.sampled_from("ab"))))
        highest = max([highest, *(mark for mark, _ in batch)])
        rounds.append(batch)
    return overlap, operator, has_id, most, rounds


@settings(max_examples=100, deadline=None)
@given(histories())
def test_each_row_is_taken_exactly_once_however_the_table_grows(history):
    """Late commits, rows of one mark, cuts in the midst of them, and a restart before every collection."""
    overlap, operator, has_id, most, rounds = history
    with tempfile.TemporaryDirectory() as folder, closing(sqlite3.connect(f"{folder}/t.db")) as database:
        database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, mark INTEGER, tenant TEXT)")
        database.commit()
        taken, cursor = [], None
        for batch in rounds:
            database.executemany("INSERT INTO t (mark, tenant) VALUES (?, ?)", batch)
            database.commit()
            for _ in range(len(batch) + 2):
                new, cursor = collect(Path(folder), cursor, overlap, operator, most, has_id=has_id)
                assert len(new) <= most
                taken += new

        assert sorted(taken) == sorted(row for batch in rounds for row in batch)


def collect(folder, cursor, overlap, operator, most, *, has_id):
    """Run a fresh collector over the table; returns the new rows and the cursor."""
    incremental = {"column": "mark", "overlap": overlap, "id": "id" if has_id else None}
    indicator = {
        "name": "m",
        "type": "event",
        "query": f"SELECT {'id, ' * has_id} mark, mark AS value, tenant, 1 AS at FROM t WHERE mark {operator} :since",
        "incremental": incremental,
    }
    document = {"name": "db", "url": f"sqlite:///{folder}/t.db", "max_rows": most, "indicators": [indicator]}
    collection = SqlCollector(SqlOptions.model_validate(document)).collect(NOW, cursor)
    [reading] = collection.observations
    assert isinstance(reading, Reading), reading
    assert isinstance(reading.frame, EventBatch)
    labels = [reading.frame.index.label_sets[row][0][1] for row in reading.frame.series]
    values = [int(value) for value in reading.frame.values]
    return list(zip(values, labels, strict=True)), collection.cursor or cursor
