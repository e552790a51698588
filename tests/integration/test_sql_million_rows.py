"""A table that grew by a million rows is read to its end in bounded memory, also where all rows have one time."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support import postgres_server

ROOT = Path(__file__).parents[2]
MILLION = 1_000_000
MOST = 100_000
BOUND_BYTES = 80 * 2**20
SERIES = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"


def read(url: str, column: str, most: int, collections: int) -> dict[str, float]:
    """Read the table ``grown`` in a process of its own, so that its memory can be measured."""
    command = [sys.executable, str(ROOT / "tests" / "support" / "sql_reader.py"), column]
    done = subprocess.run(
        [*command, str(most), str(collections)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "READER_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def grown(file: Path, rows: int, made: str) -> str:
    """Make a table of so many rows; returns its URL."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE grown (id INTEGER PRIMARY KEY, made REAL, tenant TEXT, value REAL)")
        database.execute(f"INSERT INTO grown {SERIES} SELECT i, {made}, 't' || (i % 50), i FROM n", (rows,))
        database.commit()
    return f"sqlite:///{file}"


def test_a_million_rows_are_read_each_once_in_bounded_memory(tmp_path):
    """A table that nobody read for a month must not take the daemon down."""
    url = grown(tmp_path / "t.db", MILLION, "1783000000 + i / 10")

    report = read(url, "id", MOST, MILLION // MOST + 1)

    assert (report["rows"], report["total"]) == (MILLION, MILLION * (MILLION + 1) / 2)
    assert report["grown"] < BOUND_BYTES
    assert report["cursor"] < 1000


def test_rows_of_one_time_are_read_in_parts_as_well(tmp_path):
    """A bulk load gives all its rows the time of its transaction."""
    rows = 5 * MOST // 10
    url = grown(tmp_path / "t.db", rows, "1783000000")

    report = read(url, "made", MOST // 10, 6)

    assert (report["rows"], report["total"]) == (rows, rows * (rows + 1) / 2)


@pytest.mark.peer
@pytest.mark.skipif(postgres_server.POSTGRES is None, reason=postgres_server.MISSING)
def test_a_big_answer_of_postgresql_is_streamed():
    """Its driver would else load the whole answer before the first row is looked at."""
    with postgres_server.running_postgres() as server:
        database = server.new_database()
        with server.connect(database) as connection:
            connection.execute("CREATE TABLE grown (id int PRIMARY KEY, made timestamptz, tenant text, value float8)")
            connection.execute(
                "INSERT INTO grown SELECT i, '2026-07-02'::timestamptz + i * interval '100 ms', 't' || i % 50, i "
                f"FROM generate_series(1, {MILLION}) i"
            )
            connection.execute("GRANT SELECT ON grown TO reader")
        url = server.url(database)

        report = read(url, "made", MOST // 2, 3)

    assert report["rows"] == 3 * MOST // 2
    assert report["grown"] < BOUND_BYTES
