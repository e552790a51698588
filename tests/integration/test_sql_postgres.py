"""The sql collector against a real PostgreSQL: types, refusals, snapshots, and servers that do not answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import psycopg
import pytest

from slo_guard.clock import monotonic, to_unix, utcnow
from slo_guard.collect.sql import SqlCollector, SqlOptions
from slo_guard.collect.sql_session import open_session
from slo_guard.collect.sql_text import Sql
from slo_guard.collect.sql_url import parse_url
from slo_guard.domain.readings import Collection
from slo_guard.errors import CollectionError
from tests.support.daemon import eventually
from tests.support.postgres_server import MISSING, PASSWORD, POSTGRES, PostgresServer, running_postgres

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(POSTGRES is None, reason=MISSING),
    pytest.mark.xdist_group("postgres"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running_postgres() as running:
        yield running


class Source:
    """A database of the test's own, and collectors that read it as ``reader``, who may write it too."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self.name = server.new_database()
        self.url = server.url(self.name)
        self.connection = psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True)

    def run(self, statement: str) -> Any:
        return self.connection.execute(statement)  # type: ignore[arg-type]

    def other(self) -> psycopg.Connection[Any]:
        """Connect once more, with transactions."""
        return psycopg.connect(self.url.replace("+psycopg", ""))

    def collector(self, *indicators: dict[str, Any], **more: Any) -> SqlCollector:
        named = [{"name": f"i{number}", "type": "gauge", **each} for number, each in enumerate(indicators)]
        document = {"name": "db", "url": {"env": "TEST_DATABASE_URL"}, "indicators": named, **more}
        return SqlCollector(SqlOptions.model_validate(document))


@pytest.fixture
def source(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    database = Source(server)
    monkeypatch.setenv("TEST_DATABASE_URL", database.url)
    with closing(database.connection):
        yield database


def collect(collector: SqlCollector, cursor: str | None = None) -> Collection:
    collection = collector.collect(to_unix(utcnow()), cursor)
    for item in collection.observations:
        assert PASSWORD not in str(item)
        assert "postgresql" not in str(item)
    return collection


def values(collection: Collection) -> list[float]:
    [reading] = collection.observations
    assert not hasattr(reading, "reason"), reading
    return [float(value) for value in reading.frame.values]


def test_every_type_of_value_is_a_number_where_it_can_be_one(source):
    """What SQL calls a number comes as half a dozen Python types."""
    kinds = ["1::int2", "1::int8", "1::numeric", "1.5::float4", "2.5::float8", "'3'::text", "4.5::numeric(10,2)"]

    collection = collect(source.collector(*[{"query": f"SELECT {kind} AS value"} for kind in kinds]))

    assert [item.frame.values.tolist() for item in collection.observations] == [[1], [1], [1], [1.5], [2.5], [3], [4.5]]


def test_an_interval_is_its_time_whatever_the_unit(source):
    """The difference of two timestamps is the natural way to write how long a ticket took."""
    query = "SELECT interval '1 day 2 hours' AS value"
    units = ["", "seconds", "hours", "ms"]

    collection = collect(source.collector(*[{"query": query, "unit": unit} for unit in units]))

    assert [item.frame.values.tolist() for item in collection.observations] == [[93600.0]] * 4
    [percent] = collect(source.collector({"query": query, "unit": "percent"})).observations
    assert (percent.rejected, percent.example) == (1, "query row 1: the value is an interval, but the unit is percent")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("NULL", "the value is empty"),
        ("true", "the value is true, not a number"),
        ("'NaN'::numeric", "the value is nan"),
        ("'Infinity'::float8", "the value is inf"),
        ("'five'", "'five', not a number"),
        ("'\\x35'::bytea", "a bytes, not a number"),
        ("now()", "a datetime, not a number"),
        ("current_date", "a date, not a number"),
        ("'12:00'::time", "a time, not a number"),
        ("ARRAY[1]", "a list, not a number"),
        ("'{}'::jsonb", "'{}', not a number"),
        ("'1 $'::text::text", "not a number"),
        ("ROW(1)", "not a number"),
        ("interval '3000000 years'", "not a number"),
        ("repeat('[', 100000) || repeat(']', 100000)", "not a number"),
        ("(repeat('[', 3000) || repeat(']', 3000))::json", "not a number"),
        ("1e400::numeric", "the value is inf"),
    ],
)
def test_what_is_no_number_costs_its_row_alone(source, value, says):
    """It is counted with what it is, and the other rows are read."""
    query = f"SELECT * FROM (SELECT ({value})::text AS text, ({value}) AS value, 'bad' AS row) a"
    good = source.collector({"query": "SELECT 1 AS value, 'good' AS row"}, {"query": query, "labels": ["row"]})

    first, second = collect(good).observations

    assert first.frame.values.tolist() == [1.0]
    assert second.rejected == 1, second
    assert says in second.example


def test_labels_of_every_type_are_texts_that_stay_the_same(source):
    """A label that is written in two ways is two series."""
    labels = {
        "a_text": ("'x'", "x"),
        "b_int": ("7", "7"),
        "c_numeric": ("500.00::numeric", "500"),
        "d_bool": ("true", "true"),
        "e_date": ("'2026-07-16'::date", "2026-07-16"),
        "f_time": ("'2026-07-16 04:00-06'::timestamptz", "2026-07-16T10:00:00+00:00"),
        "g_uuid": ("'00000000-0000-0000-0000-000000000007'::uuid", "00000000-0000-0000-0000-000000000007"),
        "h_inet": ("'10.0.0.1'::inet", "10.0.0.1"),
        "i_json": ("'{\"a\": 1}'::jsonb", '{"a": 1}'),
    }
    columns = ", ".join(f"{sql} AS {name}" for name, (sql, _) in labels.items())

    [reading] = collect(source.collector({"query": f"SELECT 1 AS value, NULL AS nothing, {columns}"})).observations

    assert dict(reading.frame.index.label_sets[0]) == {name: text for name, (_, text) in labels.items()}


@pytest.mark.parametrize("style", ["ISO", "German", "SQL, DMY", "Postgres"])
def test_times_are_read_whatever_the_server_is_set_to(source, style):
    """Zones and styles of the server, the database or the role must not move a sample."""
    source.run(f"ALTER DATABASE {source.name} SET datestyle = '{style}'")
    source.run(f"ALTER DATABASE {source.name} SET timezone = 'Asia/Tokyo'")
    source.run(f"ALTER DATABASE {source.name} SET intervalstyle = 'sql_standard'")
    aware = "SELECT 1 AS value, '2026-07-16T10:00:00Z'::timestamptz AS at"
    naive = "SELECT 1 AS value, '2026-07-16T04:00:00'::timestamp AS at"
    epoch = "SELECT 1 AS value, extract(epoch FROM '2026-07-16T10:00:00Z'::timestamptz) AS at"
    day = "SELECT extract(epoch FROM interval '-1 day 2:03:04') AS value, '2026-07-16'::date AS at"
    denver = {"time": {"zone": "America/Denver"}}
    collector = source.collector(
        {"query": aware}, {"query": naive, **denver}, {"query": epoch}, {"query": day, **denver}
    )

    frames = [item.frame for item in collector.collect(1_784_200_000.0, None).observations]

    assert [frame.at for frame in frames] == [1_784_196_000.0] * 3 + [1_784_181_600.0]


def test_times_that_python_cannot_hold_cost_their_row_alone(source):
    """One 'infinity' in a column would else end every collection, and as a mark all reading."""
    source.run("CREATE TABLE t (id int, at timestamptz, until date)")
    source.run(
        "INSERT INTO t VALUES (1, 'infinity', 'infinity'), (2, '-infinity', '-infinity'), "
        "(3, '20000-01-01', '4000-01-01 BC'), (4, '2026-07-16T10:00:00Z', '2026-07-16'), (5, NULL, NULL)"
    )
    query = "SELECT id, at, 1 AS value FROM t WHERE at > :since OR at IS NULL"
    collector = source.collector(
        {"type": "event", "query": query, "labels": [], "incremental": {"column": "at"}},
        {"query": "SELECT id, until, 1 AS value FROM t WHERE id <> 5"},
    )

    first = collector.collect(1_784_200_000.0, None)
    second = collector.collect(1_784_200_000.0, first.cursor)

    events, labels = first.observations
    assert events.frame.at.tolist() == [1_784_196_000.0]
    assert events.rejected == 3
    assert second.observations[0].frame.at.tolist() == []
    assert labels.rejected == 0


WRITES = {
    "a common table expression": "WITH x AS (DELETE FROM t RETURNING id) SELECT id AS value FROM x",
    "select into": "SELECT 1 AS value INTO more",
    "a function": "SELECT add_one() AS value",
    "a sequence": "SELECT nextval('s') AS value",
    "a lock": "SELECT id AS value FROM t FOR UPDATE",
    "the mode itself": "SELECT set_config('transaction_read_only', 'off', false) AS label, add_one() AS value",
}


@pytest.mark.parametrize("query", WRITES.values(), ids=WRITES)
def test_a_query_that_writes_is_refused_by_the_database(source, query):
    """The role may write here: it is the transaction that may not."""
    source.run("CREATE TABLE t (id int)")
    source.run("INSERT INTO t VALUES (1)")
    source.run("CREATE SEQUENCE s")
    source.run("CREATE FUNCTION add_one() RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES (2) RETURNING id'")

    [refused, other] = collect(source.collector({"query": query}, {"query": "SELECT 7 AS value"})).observations

    assert refused.reason == "query_failed"
    assert other.frame.values.tolist() == [7.0]
    assert source.run("SELECT count(*), (SELECT is_called FROM s) FROM t").fetchone() == (1, False)


def test_what_a_read_only_transaction_lets_through_is_undone(source):
    """Before version 16 it lets large objects be made; no transaction of ours is ever committed."""
    collect(source.collector({"query": "SELECT lo_from_bytea(0, 'x') AS value"}))

    assert source.run("SELECT count(*) FROM pg_largeobject_metadata").fetchone() == (0,)


@pytest.mark.parametrize(
    "statement",
    ["SELECT 1; DELETE FROM t", "COMMIT; DELETE FROM t", "DELETE FROM t", "SELECT 1; SET TRANSACTION READ WRITE"],
)
def test_several_statements_do_not_get_past_the_driver(source, statement):
    """Also if the check of the text could be deceived."""
    source.run("CREATE TABLE t (id int)")
    source.run("INSERT INTO t VALUES (1)")
    session = open_session(parse_url(source.url), None, monotonic() + 5)

    with pytest.raises(CollectionError), session.answer(Sql((statement,)), {}) as answer:
        list(answer.rows)

    session.close()
    assert source.run("SELECT count(*) FROM t").fetchone() == (1,)


def test_percent_signs_casts_and_quotes_are_the_query_s_own(source):
    """The driver has a notation for parameters that is none of the user's business."""
    source.run("CREATE TABLE t (id int, name text, at timestamptz DEFAULT '2026-07-16T10:00:00Z')")
    source.run("INSERT INTO t VALUES (1, '5% off'), (2, ':since'), (3, 'it''s; fine')")
    query = "SELECT id::int8, at, id % 2 AS value FROM t WHERE name LIKE '%%' AND id > :since -- 100% :done"
    indicator = {"type": "event", "query": query, "incremental": {"column": "id"}}

    assert values(source.collector(indicator).collect(1_784_200_000.0, None)) == [1.0, 0.0, 1.0]


MARKS = {
    "int": ("int", "i"),
    "bigint": ("bigint", "9000000000000000000 + i"),
    "numeric": ("numeric(30, 10)", "i * 1.0000000001"),
    "float": ("float8", "i / 3.0"),
    "timestamptz": ("timestamptz", "'2026-07-01'::timestamptz + i * interval '1 microsecond'"),
    "timestamp": ("timestamp", "'2026-07-01'::timestamp + i * interval '1 day'"),
    "date": ("date", "'2026-07-01'::date + i"),
    "text": ("text", "chr(96 + i)"),
    "uuid": ("uuid", "('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid"),
}


@pytest.mark.parametrize("kind", MARKS)
def test_a_column_of_every_type_that_grows_can_be_the_mark(source, kind):
    """From the first collection without a start to the next one, to the last bit."""
    sql_type, growing = MARKS[kind]
    source.run(f"CREATE TABLE t (mark {sql_type}, i int)")
    source.run(f"INSERT INTO t SELECT {growing}, i FROM generate_series(1, 6) i ORDER BY random()")
    query = "SELECT mark, i AS value, 1784196000 AS at FROM t WHERE mark > :since"
    indicator = {"type": "event", "query": query, "incremental": {"column": "mark"}}
    collector = source.collector(indicator, max_rows=4)

    first = collector.collect(1_784_200_000.0, None)
    second = collector.collect(1_784_200_000.0, first.cursor)
    third = collector.collect(1_784_200_000.0, second.cursor)

    assert (values(first), values(second), values(third)) == ([1, 2, 3, 4], [5, 6], [])


def test_a_start_is_taken_as_the_column_takes_it(source):
    """A date as it stands in the config."""
    source.run("CREATE TABLE t (at timestamptz, i int)")
    source.run("INSERT INTO t SELECT '2026-07-01'::timestamptz + i * interval '1 day', i FROM generate_series(1, 9) i")
    query = "SELECT at, i AS value FROM t WHERE at >= :since"
    incremental = {"column": "at", "start": "2026-07-06", "overlap": "30d"}
    collector = source.collector({"type": "event", "query": query, "incremental": incremental})

    first = collector.collect(1_784_200_000.0, None)
    second = collector.collect(1_784_200_000.0, first.cursor)

    assert (values(first), values(second)) == ([5, 6, 7, 8, 9], [])


def test_a_transaction_that_commits_late_is_read_within_the_overlap(source):
    """now() is the time at which a transaction began: its rows appear behind those of faster ones."""
    source.run("CREATE TABLE t (id serial, at timestamptz, i int)")
    query = "SELECT id, at, i AS value FROM t WHERE at > :since"
    incremental = {"column": "at", "overlap": "10m", "id": "id"}
    collector = source.collector({"type": "event", "query": query, "labels": [], "incremental": incremental})
    with source.other() as slow:
        slow.execute("INSERT INTO t (at, i) VALUES (now(), 1)")
        source.run("INSERT INTO t (at, i) VALUES (now() + interval '1 second', 2)")
        first = collect(collector)
    second = collect(collector, first.cursor)
    third = collect(collector, second.cursor)

    assert (values(first), values(second), values(third)) == ([2], [1], [])


def test_texts_are_compared_as_the_database_compares_them(source):
    """In a language's order b comes before C, in Python's after it: the rows between would be lost."""
    source.run('CREATE TABLE t (name text COLLATE "und-x-icu", at int DEFAULT 1784196000)')
    source.run("INSERT INTO t VALUES ('a'), ('B'), ('c'), ('D'), ('e')")
    query = "SELECT name, at, 1 AS value FROM t WHERE name > :since"
    indicator = {"type": "event", "query": query, "labels": ["name"], "incremental": {"column": "name"}}
    collector = source.collector(indicator, max_rows=2)

    cursor, names = None, []
    for _ in range(4):
        collection = collector.collect(1_784_200_000.0, cursor)
        cursor = collection.cursor or cursor
        frame = collection.observations[0].frame
        names += [frame.index.label_sets[row][0][1] for row in frame.series]

    assert names == ["a", "B", "c", "D", "e"]


def test_all_queries_see_one_state_of_the_database(source):
    """Good and total of a ratio are of one moment, although rows are written between the two queries."""
    source.run("CREATE TABLE t (id int)")
    count = "SELECT count(*) AS value FROM t"
    collector = source.collector(
        {"query": count}, {"query": "SELECT pg_sleep(0.5), 1 AS value", "labels": []}, {"query": count}
    )

    def write() -> None:
        with source.other() as other:
            other.execute("INSERT INTO t VALUES (1)")

    timer = threading.Timer(0.25, write)
    timer.start()
    first, _, third = collect(collector).observations
    timer.join()

    assert (first.frame.values.tolist(), third.frame.values.tolist()) == ([0.0], [0.0])
    assert source.run(count).fetchone() == (1,)


def test_a_slow_query_ends_at_the_time_out_on_the_server_too(source):
    """Else each collection would leave one more of them running there."""
    collector = source.collector(
        {"query": "SELECT pg_sleep(60), 1 AS value"}, {"query": "SELECT 1 AS value"}, timeout="1s"
    )
    started = monotonic()

    first = collect(collector)
    second = collect(collector)

    assert monotonic() - started < 8
    assert [item.reason for item in first.observations] == ["timeout", "timeout"]
    assert [hasattr(item, "reason") for item in second.observations] == [True, False]
    running = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'slo_guard' AND state = 'active'"
    eventually(lambda: source.run(running).fetchone() == (0,), 10, what="the server has ended the query")


def test_a_lock_of_somebody_else_is_waited_for_until_the_time_out(source):
    """A migration that holds a table must not hold the daemon."""
    source.run("CREATE TABLE t (id int)")
    collector = source.collector({"query": "SELECT count(*) AS value FROM t"}, timeout="1s")

    with source.other() as migration:
        migration.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        [failure] = collect(collector).observations

    assert failure.reason == "timeout"
    assert values(collect(collector)) == [0.0]


def test_a_query_error_is_the_database_s_message_and_shows_no_values(source):
    """The details of an error repeat the row; the message is enough."""
    source.run("CREATE TABLE t (secret text)")
    source.run("INSERT INTO t VALUES ('hunter2')")
    queries = ["SELECT nope AS value", "SELECT 1 / 0 AS value", "SELECT FROM WHERE", "SELECT 1 AS value FROM nope"]

    failures = collect(source.collector(*[{"query": query} for query in queries])).observations

    assert {item.reason for item in failures} == {"query_failed"}
    assert [item.message for item in failures] == [
        'the query fails: column "nope" does not exist',
        "the query fails: division by zero",
        'the query fails: syntax error at or near "WHERE"',
        'the query fails: relation "nope" does not exist',
    ]


def test_a_connection_that_is_ended_is_told_and_made_anew(source):
    """Servers are restarted."""
    collector = source.collector({"query": "SELECT pg_sleep(20), 1 AS value"}, {"query": "SELECT 1 AS value"})
    ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'slo_guard'"
    ended = threading.Timer(0.7, lambda: source.run(ending))
    ended.start()

    failures = collect(collector).observations
    ended.join()

    assert [item.reason for item in failures] == ["connect_failed", "connect_failed"]
    assert values(collect(source.collector({"query": "SELECT 1 AS value"}))) == [1.0]


@pytest.mark.parametrize("wrong", ["password", "database", "port"])
def test_a_connection_that_fails_says_why_without_the_url(source, server, monkeypatch, wrong):
    """The commonest fault of all, and the one whose message is most likely to hold the password."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        urls = {
            "password": server.url(source.name, "wr0ng-passw0rd"),
            "database": server.url("nope"),
            "port": source.url.replace(str(server.port), str(reserved.getsockname()[1])),
        }
        monkeypatch.setenv("TEST_DATABASE_URL", urls[wrong])

        [failure] = collect(source.collector({"query": "SELECT 1 AS value"}, timeout="5s")).observations

    assert failure.reason == "connect_failed"
    assert "wr0ng-passw0rd" not in failure.message


@contextmanager
def hostile(answer: bytes = b"") -> Iterator[int]:
    """Accept connections, send ``answer``, and then nothing more, ever."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        kept: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                    kept.append(connection)
                    connection.recv(1000)
                    connection.sendall(answer)
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            for connection in kept:
                connection.close()
            thread.join(5)


@pytest.mark.parametrize("answer", [b"", b"N", b"HTTP/1.1 200 OK\r\n\r\n", b"\x00" * 1000], ids=repr)
def test_a_server_that_accepts_and_does_not_answer_does_not_hold_the_collection(source, monkeypatch, answer):
    """A firewall that swallows packets, a port of something else."""
    with hostile(answer) as port:
        monkeypatch.setenv("TEST_DATABASE_URL", f"postgresql+psycopg://u:{PASSWORD}@127.0.0.1:{port}/d")
        collector = source.collector({"query": "SELECT 1 AS value"}, timeout="500ms")
        started = monotonic()

        # So many that those which still wait are not joined by more and more.
        times = 2 if answer else 6
        failures = [item for _ in range(times) for item in collect(collector).observations]

        assert monotonic() - started < times * 1.5 + 2
    assert {item.reason for item in failures} <= {"timeout", "connect_failed"}


def test_a_server_that_falls_silent_in_the_midst_of_a_query_does_not_hold_the_collection(source, server, monkeypatch):
    """The time-out of the server is of no use when the line is cut: nothing more comes."""
    with relay(server.port) as (port, cut):
        monkeypatch.setenv("TEST_DATABASE_URL", source.url.replace(str(server.port), str(port)))
        collector = source.collector({"query": "SELECT pg_sleep(0.4), 1 AS value"}, timeout="1s")
        threading.Timer(0.2, cut.set).start()
        started = monotonic()

        [failure] = collect(collector).observations

        assert monotonic() - started < 4
    assert failure.reason == "timeout"


@contextmanager
def relay(target: int) -> Iterator[tuple[int, threading.Event]]:
    """Pass bytes on to ``target`` until ``cut`` is set; then take them and pass on nothing, with the lines open."""
    cut, lines = threading.Event(), []

    def pump(one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                if not cut.is_set():
                    other.sendall(data)
        except OSError:
            return

    def accept(listening: socket.socket) -> None:
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", target))
            lines.extend((near, far))
            threading.Thread(target=pump, args=(near, far), daemon=True).start()
            threading.Thread(target=pump, args=(far, near), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, args=(listening,), daemon=True).start()
        try:
            yield listening.getsockname()[1], cut
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            for line in lines:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
                line.close()
