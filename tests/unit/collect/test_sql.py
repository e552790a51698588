"""The sql collector over real SQLite files: what is read, what is refused, and what goes wrong."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from slo_guard.clock import monotonic
from slo_guard.collect.sql import SqlCollector, SqlOptions
from slo_guard.collect.sql_session import open_sqlite
from slo_guard.collect.sql_text import Sql
from slo_guard.domain.readings import CollectionFailure, EventBatch, GaugeFrame
from slo_guard.errors import CollectionError
from slo_guard.jobs import collect_once
from slo_guard.store import open_store

NOW = 1_784_196_000.0
TICKETS = "SELECT id, tenant, at, hours AS value FROM tickets WHERE id > :since"
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS value FROM n"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "t.db", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE tickets (id INTEGER PRIMARY KEY, tenant TEXT, at, hours)")
        yield connection


@pytest.fixture
def build(tmp_path: Path, database):
    def make(*indicators, **more):
        named = [{"name": f"i{number}", "type": "gauge", **each} for number, each in enumerate(indicators)]
        document = {"name": "db", "url": f"sqlite:///{tmp_path}/t.db", "indicators": named, **more}
        return SqlCollector(SqlOptions.model_validate(document))

    return make


def collect(collector, cursor=None):
    return list(collector.collect(NOW, cursor).observations)


def one(collector, cursor=None):
    [observation] = collect(collector, cursor)
    return observation


def events(query=TICKETS, labels=None, time=None, **incremental):
    return {
        "type": "event",
        "query": query,
        "incremental": {"column": "id", **incremental},
        **({"labels": labels} if labels is not None else {}),
        **({"time": time} if time else {}),
    }


def add(database, *tickets):
    database.executemany("INSERT INTO tickets (tenant, at, hours) VALUES (?, ?, ?)", tickets)


def test_columns_become_value_and_labels(database, build):
    """A query that a person would write is all that is needed."""
    add(database, ("acme", 1, 2), ("acme", 2, 4), ("globex", 3, 6))
    average = "SELECT tenant, avg(hours) AS value FROM tickets GROUP BY tenant"

    first, second = collect(
        build(
            {"query": average, "unit": "hours"}, {"type": "bool", "query": "SELECT count(*) > 2 AS value FROM tickets"}
        )
    )

    assert first.frame.index.label_sets == ((("tenant", "acme"),), (("tenant", "globex"),))
    assert first.frame.values.tolist() == [3 * 3600, 6 * 3600]
    assert (first.frame.at, first.frame.increment) == (NOW, False)
    assert second.frame.values.tolist() == [1.0]


def test_labels_and_the_time_column_are_chosen_by_options(database, build):
    """A query that selects everything must not make each row a series of its own."""
    add(database, ("acme", "2026-07-16 03:00:00", 2))
    query = "SELECT id, tenant, at AS closed, hours AS value FROM tickets"
    options = {"labels": ["tenant"], "time": {"column": "closed", "zone": "America/Denver"}}

    reading = one(build({"query": query, **options}))

    assert reading.frame.index.label_sets == ((("tenant", "acme"),),)
    assert reading.frame.at == NOW - 3600


def test_an_event_without_a_value_counts_one(database, build):
    """Most tables of events have nothing to measure: that it happened is the value."""
    add(database, ("acme", NOW - 10, None), ("acme", NOW - 5, None))

    reading = one(build(events("SELECT id, tenant, at FROM tickets WHERE id > :since")))

    assert isinstance(reading.frame, EventBatch)
    assert reading.frame.values.tolist() == [1.0, 1.0]
    assert reading.frame.at.tolist() == [NOW - 10, NOW - 5]


@pytest.mark.parametrize(
    ("indicator", "says"),
    [
        ({"query": "SELECT 1 AS val, 2 AS tenant"}, "no column value; it has val, tenant"),
        ({"query": "SELECT 1 AS value, 2 AS a, 3 AS a"}, "column a several times; name each with AS"),
        ({"query": "SELECT 1 AS value, 2 AS value"}, "column value 2 times; name each with AS"),
        ({"query": "SELECT 1 AS value, count(*) FROM tickets"}, r"'count\(\*\)' cannot be a label; name it with AS"),
        ({"query": "SELECT 1 AS value", "labels": ["tenant"]}, "no column tenant; it has value"),
        ({"query": "SELECT 1 AS value", "time": {"column": "at"}}, "no column at; it has value"),
        (events("SELECT id, tenant FROM tickets WHERE id > :since"), "no column at; it has id, tenant"),
        (events("SELECT at, tenant FROM tickets WHERE id > :since"), "no column id; it has at, tenant"),
        (events(TICKETS, id="uuid"), "no column uuid; it has id, tenant, at, value"),
        ({**events("SELECT id, at FROM tickets WHERE id > :since"), "unit": "ms"}, "no column value; it has id, at"),
    ],
)
def test_a_column_that_is_missing_is_told_with_those_that_came(build, indicator, says):
    """The mistake is then seen at once."""
    failure = one(build(indicator))

    assert failure.reason == "wrong_columns"
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(failure.message)


def test_a_query_that_fails_fails_its_indicator_alone(database, build):
    """A column that was renamed must not take the other indicators with it."""
    add(database, ("acme", 1, 2))

    wrong, right = collect(build({"query": "SELECT nope AS value FROM tickets"}, {"query": "SELECT 1 AS value"}))

    assert (wrong.reason, wrong.message) == ("query_failed", "the query fails: no such column: nope")
    assert right.frame.values.tolist() == [1.0]


WRITES = [
    "DELETE FROM tickets",
    "INSERT INTO tickets (tenant) VALUES ('x')",
    "CREATE TABLE more (x)",
    "CREATE TEMP TABLE more (x)",
    "DROP TABLE tickets",
    "WITH x AS (SELECT 1) INSERT INTO tickets (tenant) SELECT 'x'",
    "PRAGMA query_only = OFF",
    "PRAGMA user_version = 7",
    "SELECT * FROM pragma_user_version",
    "VACUUM",
]


@pytest.mark.parametrize("statement", WRITES)
def test_the_database_itself_refuses_what_writes(tmp_path, database, statement):
    """The check of the text is a kindness; what must hold is held by SQLite."""
    add(database, ("acme", 1, 2))
    before = (tmp_path / "t.db").read_bytes()
    session = open_sqlite(tmp_path / "t.db", monotonic() + 5)

    with pytest.raises(CollectionError), session.answer(Sql((statement,)), {}) as answer:
        list(answer.rows)

    session.close()
    assert (tmp_path / "t.db").read_bytes() == before


def test_no_other_file_is_read_or_made(tmp_path, database):
    """ATTACH makes files; an extension is code."""
    session = open_sqlite(tmp_path / "t.db", monotonic() + 5)

    for statement in (f"ATTACH '{tmp_path}/other.db' AS other", "SELECT load_extension('evil')"):
        with pytest.raises(CollectionError, match="authori"), session.answer(Sql((statement,)), {}):
            pass

    session.close()
    assert not (tmp_path / "other.db").exists()


def test_functions_of_json_and_recursion_may_be_used(build):
    """Refusing what writes must not refuse what reads."""
    query = "SELECT sum(value) AS value FROM json_each('[1,2,3]')"

    assert one(build({"query": query})).frame.values.tolist() == [6.0]


def test_a_missing_file_is_a_failure_and_is_not_made(tmp_path, build):
    """SQLite would make an empty database of a mistyped path, and all queries would fail for another reason."""
    collector = build({"query": "SELECT 1 AS value"}, url=f"sqlite:///{tmp_path}/nope.db")

    failure = one(collector)

    assert (failure.reason, failure.message) == ("connect_failed", f"there is no file {tmp_path}/nope.db")
    assert not (tmp_path / "nope.db").exists()


def test_what_is_no_database_is_a_failure(tmp_path, build):
    """A file that was replaced by an error page."""
    (tmp_path / "t.html").write_text("<html>" * 1000)

    failure = one(build({"query": "SELECT count(*) AS value FROM tickets"}, url=f"sqlite:///{tmp_path}/t.html"))

    assert failure.reason == "connect_failed"
    assert "file is not a database" in failure.message


def test_a_missing_secret_is_named(build, monkeypatch):
    """The variable, never its value."""
    monkeypatch.delenv("DB_URL", raising=False)
    collector = build({"query": "SELECT 1 AS value"}, url={"env": "DB_URL"})

    missing = one(collector)
    monkeypatch.setenv("DB_URL", "mysql://root:hunter2@h/d")
    wrong = one(collector)

    assert (missing.reason, "DB_URL" in missing.message) == ("secret_missing", True)
    assert wrong.reason == "wrong_url"
    assert "hunter2" not in wrong.message


def test_an_endless_query_ends_at_the_time_out_and_the_others_come_first_from_then_on(build):
    """One bad query must not keep the others from their data for good."""
    short = ENDLESS.replace("FROM n)", "FROM n WHERE i < 10000)")
    collector = build({"query": ENDLESS}, {"query": short}, timeout="500ms")
    started = monotonic()

    first = collect(collector)
    second = collect(collector)

    assert monotonic() - started < 5
    assert [item.reason for item in first] == ["timeout", "timeout"]
    assert (second[0].reason, second[1].frame.values.tolist()) == ("timeout", [10_000.0])


def test_a_locked_database_is_waited_for_until_the_time_out(database, build):
    """A writer that holds the lock for a moment is no failure, one that keeps it is told as such."""
    database.execute("BEGIN EXCLUSIVE")
    collector = build({"query": "SELECT count(*) AS value FROM tickets"}, timeout="300ms")

    failure = one(collector)
    database.execute("COMMIT")

    assert failure.reason == "timeout"
    assert "another process has had" in failure.message
    assert one(collector).frame.values.tolist() == [0.0]


def test_too_many_rows_of_a_present_state_are_a_failure(database, build):
    """Half of a present state would say that the other half is gone."""
    add(database, *[(f"t{number}", 1, number) for number in range(3)])

    failure = one(build({"query": "SELECT tenant, hours AS value FROM tickets"}, max_rows=2))

    assert failure.reason == "too_many_rows"
    assert "let it group them, or raise max_rows" in failure.message


def test_every_hostile_cell_costs_its_row_alone(database, build):
    """SQLite holds anything in any column: it is counted, shown with an example, and the rest is read."""
    good = ("acme", NOW - 60, 5)
    bad = [
        ("acme", NOW - 60, "five"),
        ("acme", NOW - 60, None),
        ("acme", NOW - 60, b"5"),
        ("acme", NOW - 60, float("inf")),
        ("acme", "yesterday", 5),
        ("acme", "2026-07-16 10:00:00", 5),
        ("acme", NOW * 1000, 5),
        ("acme", NOW + 86400, 5),
        ("acme", None, 5),
        ("a\nb", NOW - 60, 5),
        (b"\xff", NOW - 60, 5),
        ("x" * 10_000_000, NOW - 60, 5),
    ]
    add(database, *bad, good)
    database.execute("INSERT INTO tickets (tenant, at, hours) SELECT CAST(x'ff' AS TEXT), 1, 1")

    reading = one(build(events()))

    assert reading.frame.values.tolist() == [5.0]
    assert reading.rejected == len(bad) + 1
    assert reading.example == "query row 1: the value is 'five', not a number"


def test_only_new_rows_are_read_and_say_that_they_are_only_what_is_new(database, build):
    """A series without a new row is not gone."""
    collector = build({**events(), "type": "gauge"})
    add(database, ("acme", NOW - 10, 1), ("globex", NOW - 5, 2))

    first = collector.collect(NOW, None)
    nothing = collector.collect(NOW, first.cursor)
    add(database, ("acme", NOW - 1, 3))
    second = collector.collect(NOW, first.cursor)

    assert [item.frame.at for item in first.observations] == [NOW - 10, NOW - 5]
    assert all(item.frame.increment for item in first.observations)
    assert [len(item.frame.index) for item in nothing.observations] == [0]
    assert nothing.cursor is None
    [reading] = second.observations
    assert reading.frame.values[reading.frame.index.positions[(("tenant", "acme"),)]] == 3.0


def test_reading_begins_at_start_also_when_it_looks_back(database, build):
    """What lies before the sprint is not asked for, however long the overlap."""
    add(database, *[("acme", NOW - 10, number) for number in range(1, 7)])
    collector = build(events(start=3, overlap=100))

    first = collector.collect(NOW, None)
    add(database, ("acme", NOW - 5, 7))
    second = collector.collect(NOW, first.cursor)

    assert first.observations[0].frame.values.tolist() == [4.0, 5.0, 6.0]
    assert second.observations[0].frame.values.tolist() == [7.0]


def test_a_row_that_is_committed_late_is_read_within_the_overlap_once(database, build):
    """Ids are given before the commit: a slow transaction shows its row behind newer ones."""
    database.execute("INSERT INTO tickets VALUES (1, 'acme', 1, 1), (3, 'acme', 3, 3)")
    collector = build(events(overlap=5))
    first = collector.collect(NOW, None)
    database.execute("INSERT INTO tickets VALUES (2, 'acme', 2, 2)")

    second = collector.collect(NOW, first.cursor)
    third = collector.collect(NOW, second.cursor)

    assert first.observations[0].frame.values.tolist() == [1.0, 3.0]
    assert second.observations[0].frame.values.tolist() == [2.0]
    assert third.observations[0].frame.values.tolist() == []


def test_times_of_texts_are_looked_back_from_as_texts(database, build):
    """SQLite has no type for times; texts in ISO 8601 are compared as texts."""
    query = "SELECT tenant, at, hours AS value FROM tickets WHERE at > :since"
    collector = build(events(query, column="at", overlap="10m", time={"zone": "UTC"}))
    add(database, ("acme", "2026-07-16 09:30:00", 1), ("acme", "2026-07-16 09:50:00", 3))
    first = collector.collect(NOW, None)
    add(database, ("acme", "2026-07-16 09:45:00", 2), ("acme", "2026-07-16 09:35:00", 9))

    second = collector.collect(NOW, first.cursor)

    assert first.observations[0].frame.values.tolist() == [1.0, 3.0]
    assert second.observations[0].frame.values.tolist() == [2.0]


def test_a_backlog_is_read_in_parts_and_rows_of_one_mark_stay_together(database, build):
    """The first collection of a big table must not be one huge transaction."""
    add(database, *[("acme", NOW - 100 + second // 3, second) for second in range(20)])
    query = "SELECT tenant, at, hours AS value FROM tickets WHERE at > :since"
    collector = build(events(query, column="at"), max_rows=7)

    cursor, parts = None, []
    while len(parts) < 5:
        collection = collector.collect(NOW, cursor)
        cursor = collection.cursor or cursor
        parts.append(sorted(collection.observations[0].frame.values.tolist()))

    assert [len(part) for part in parts] == [6, 6, 6, 2, 0]
    assert sorted(value for part in parts for value in part) == [float(number) for number in range(20)]


def test_more_rows_of_one_mark_than_may_come_need_an_id(database, build):
    """A bulk load has one time for all its rows; between them only an id tells where to go on."""
    add(database, *[("acme", NOW - 100, number) for number in range(20)])
    query = "SELECT id, tenant, at, hours AS value FROM tickets WHERE at > :since"
    without = build(events(query, column="at", labels=["tenant"]), max_rows=7)
    collector = build(events(query, column="at", labels=["tenant"], id="id"), max_rows=7)

    failure = one(without)
    cursor, values = None, []
    for _ in range(4):
        collection = collector.collect(NOW, cursor)
        cursor = collection.cursor or cursor
        values += collection.observations[0].frame.values.tolist()

    assert failure.reason == "too_many_alike"
    assert "write incremental: {id: COLUMN}, or raise max_rows" in failure.message
    assert sorted(values) == [float(number) for number in range(20)]


def test_an_id_that_comes_twice_is_counted_once(database, build):
    """A join that multiplies rows would count tickets twice without anybody's noticing."""
    add(database, ("acme", NOW - 10, 1))
    twice = "SELECT t.id, tenant, at, hours AS value FROM tickets t, (VALUES (1), (2)) WHERE t.id > :since"
    collector = build(events(twice, id="id", overlap=5))

    first = collector.collect(NOW, None)
    second = collector.collect(NOW, first.cursor)

    [reading] = first.observations
    assert (reading.frame.values.tolist(), reading.rejected) == ([1.0], 1)
    assert reading.example == "query row 2: the id 1 comes twice"
    assert (second.observations[0].frame.values.tolist(), second.observations[0].rejected) == ([], 0)


def test_a_mark_that_would_end_the_reading_is_not_taken(database, build):
    """One row of the year 9999, one without a time, one stray text: counted, and the rows after them are read."""
    query = "SELECT tenant, at, hours AS value FROM tickets WHERE at > :since OR at IS NULL"
    collector = build(events(query, column="at"))
    add(database, ("acme", NOW - 10, 1), ("acme", 253402300799, 2), ("acme", None, 3), ("acme", "soon", 4))
    first = collector.collect(NOW, None)
    add(database, ("acme", NOW - 5, 5))

    second = collector.collect(NOW, first.cursor)

    [reading] = first.observations
    assert (reading.frame.values.tolist(), reading.rejected) == ([1.0], 3)
    assert reading.example == "query row 1: at is empty"
    assert second.observations[0].frame.values.tolist() == [5.0]
    assert second.observations[0].rejected == 3


def test_rows_that_were_rejected_are_counted_once_although_they_come_again(database, build):
    """The overlap reads them with every collection; the count must not grow with it."""
    add(database, ("acme", NOW - 10, "five"))
    collector = build(events(overlap=5))

    first = collector.collect(NOW, None)
    second = collector.collect(NOW, first.cursor)

    assert (first.observations[0].rejected, second.observations[0].rejected) == (1, 0)


def test_an_overlap_that_does_not_fit_the_column_is_a_failure(database, build):
    """It is known only once a row was read, and then said."""
    add(database, ("acme", NOW - 10, 1))
    query = "SELECT tenant, at, hours AS value FROM tickets WHERE tenant > :since"

    failure = one(build(events(query, column="tenant", overlap=5)))

    assert failure.reason == "wrong_overlap"
    assert failure.message == "tenant: marks that are a text take a duration as overlap, such as 10m, not a number"


def test_another_column_begins_anew(database, build):
    """A mark of an id says nothing about a time."""
    add(database, ("acme", NOW - 10, 1), ("acme", NOW - 5, 2))
    first = build(events()).collect(NOW, None)
    query = "SELECT tenant, at, hours AS value FROM tickets WHERE at > :since"

    second = build(events(query, column="at")).collect(NOW, first.cursor)

    assert second.observations[0].frame.values.tolist() == [1.0, 2.0]


def test_a_failure_keeps_how_far_the_table_was_read(tmp_path, database, build):
    """A table that is gone for an hour is not read from its beginning when it is back."""
    add(database, ("acme", NOW - 10, 1))
    collector = build(events(), {"query": "SELECT 1 AS value"})
    first = collector.collect(NOW, None)
    database.execute("ALTER TABLE tickets RENAME TO gone")
    failed = collector.collect(NOW, first.cursor)
    database.execute("ALTER TABLE gone RENAME TO tickets")
    add(database, ("acme", NOW - 5, 2))

    second = collector.collect(NOW, failed.cursor or first.cursor)

    assert isinstance(failed.observations[0], CollectionFailure)
    assert second.observations[0].frame.values.tolist() == [2.0]


def test_a_backlog_that_takes_too_long_is_read_as_far_as_it_came(database, build):
    """Rows that came in order are complete up to the last mark: to drop them would be to never get any further."""
    add(database, *[("acme", NOW - 10, number) for number in range(1, 9)])
    query = f"SELECT id, tenant, at, hours AS value FROM tickets WHERE id > :since AND (id < 5 OR ({ENDLESS}) > id)"
    collector = build(events(query), timeout="200ms")

    first = collector.collect(NOW, None)

    [reading] = first.observations
    assert reading.frame.values.tolist() in ([1.0, 2.0], [1.0, 2.0, 3.0])
    [failure] = collector.collect(NOW, first.cursor).observations
    assert failure.reason == "timeout"


def test_a_kill_before_the_store_repeats_nothing_and_loses_nothing(tmp_path, database, build):
    """The mark is stored with the readings in one transaction: what was not stored is read again, by anyone."""
    now = datetime.fromtimestamp(NOW, UTC)
    indicator = events(overlap=3)
    add(database, *[("acme", NOW - 100, number) for number in range(5)])
    store = open_store(tmp_path / "slo.db")
    build(indicator).collect(NOW, store.collector_cursor("db"))
    collect_once(build(indicator), store, now)
    add(database, *[("acme", NOW - 50, number) for number in range(5, 9)])
    lost = build(indicator)
    lost.collect(NOW, store.collector_cursor("db"))
    lost.close()

    collect_once(build(indicator), store, now)
    collect_once(build(indicator), store, now)

    frames = [each.observation.frame for each in store.observations(indicators=["i0"])]
    store.close()
    assert np.concatenate([frame.values for frame in frames]).tolist() == [float(number) for number in range(9)]


def test_all_queries_see_one_state_of_the_database(tmp_path, database, build):
    """A ratio of two queries is of one moment, although the table is written in between."""
    database.execute("PRAGMA journal_mode = WAL")
    slow = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT max(i) AS value FROM n"
    )
    count = "SELECT count(*) AS value FROM tickets"
    collector = build({"query": count}, {"query": slow}, {"query": count})

    def write():
        with closing(sqlite3.connect(tmp_path / "t.db", isolation_level=None)) as other:
            add(other, ("acme", 1, 1))

    timer = threading.Timer(0.02, write)
    timer.start()
    first, _, third = collect(collector)
    timer.join()

    assert first.frame.values.tolist() == third.frame.values.tolist()


def test_close_cuts_off_what_runs(build):
    """A reload must not wait for a slow database."""
    collector = build({"query": ENDLESS}, timeout="30s")
    started = monotonic()
    threading.Timer(0.2, collector.close).start()

    failure = one(collector)

    assert monotonic() - started < 10
    assert failure.reason in {"closed", "timeout"}


def test_nothing_is_left_open(tmp_path, build):
    """A collector that runs every minute for a sprint must not run out of files or threads."""
    collector = build({"query": "SELECT 1 AS value"})
    collect(collector)
    time.sleep(0.05)
    before = (len(list(Path("/proc/self/fd").iterdir())), threading.active_count())

    for _ in range(20):
        collect(collector)

    assert (len(list(Path("/proc/self/fd").iterdir())), threading.active_count()) <= before
    assert isinstance(collect(collector)[0].frame, GaugeFrame)
