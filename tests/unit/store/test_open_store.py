"""Opening: the tables are made and kept up to date by themselves; what cannot be used is named in one sentence."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from slo_guard.domain.ports import Store
from slo_guard.errors import StartError
from slo_guard.store import open_store, schema
from slo_guard.store.documents import notification_text
from slo_guard.store.sqlite import sqlite_engine
from tests.support.store_examples import a_collection, a_gauge, a_notification


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    """The first start needs no set-up."""
    path = tmp_path / "var" / "slo-guard" / "slo.db"

    open_store(path).close()

    assert path.exists()


def test_what_was_stored_is_there_after_opening_again(tmp_path: Path) -> None:
    """A restart goes on where it stopped, over and over."""
    for number in range(1, 6):
        store = open_store(tmp_path / "slo.db")
        store.save_collection(a_collection(a_gauge(), cursor=str(number)), lambda: 1.0)
        assert len(list(store.observations())) == number
        store.close()


def test_the_migrations_build_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    """A column in the code that no migration makes fails only at a user's, after an upgrade."""
    open_store(tmp_path / "slo.db").close()

    with create_engine(f"sqlite:///{tmp_path / 'slo.db'}").connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), schema.METADATA)

    assert differences == []


def store_of_schema(path: Path, revision: str) -> sqlite3.Connection:
    """Make a store as the version with that schema left it, and return a connection to fill it."""
    config = Config()
    config.set_main_option("script_location", "slo_guard:store/migrations")
    engine = sqlite_engine(path)
    with engine.execution_options(writes=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
    return sqlite3.connect(path)


def test_a_store_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """An upgrade goes on with the cursors and alerts that the version before has left."""
    with store_of_schema(tmp_path / "slo.db", "0001") as before:
        before.execute("INSERT INTO collectors VALUES ('gateway', '7')")
    before.close()

    store = open_store(tmp_path / "slo.db")

    assert store.collector_cursor("gateway") == "7"
    assert store.load_evaluation().closed == {}
    store.close()


def test_messages_of_an_older_store_are_found_by_their_kpi(tmp_path: Path) -> None:
    """After an upgrade a KPI's page must show what was sent before it as well."""
    note = a_notification("k1")
    row = (note.receiver, note.key, 400.0, notification_text(note), "delivered", 1, 400.0, None, 401.0, None)
    columns = (
        "receiver, key, created_at, document, state, attempts, next_attempt_at, leased_until, ended_at, last_error"
    )
    with store_of_schema(tmp_path / "slo.db", "0004") as before:
        before.execute(f"INSERT INTO outbox ({columns}) VALUES ({', '.join('?' * len(row))})", row)
    before.close()

    store = open_store(tmp_path / "slo.db")

    assert [item.notification for item in store.deliveries(sprint=note.sprint, kpi=note.kpi)] == [note]
    store.close()


def test_the_known_head_is_the_newest_migration() -> None:
    """A start skips Alembic by this number; a stale one would skip a migration."""
    config = Config()
    config.set_main_option("script_location", "slo_guard:store/migrations")

    assert ScriptDirectory.from_config(config).get_current_head() == schema.HEAD


def test_an_ordinary_start_does_not_load_alembic(tmp_path: Path) -> None:
    """A start is felt by whoever types `slo-guard sign`."""
    open_store(tmp_path / "slo.db").close()
    code = (
        "import sys, pathlib; from slo_guard.store import open_store; "
        f"open_store(pathlib.Path({str(tmp_path / 'slo.db')!r})).close(); print('alembic' in sys.modules)"
    )

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert out.stdout == "False\n"


def test_two_that_start_at_once_on_a_new_file_both_open_it(tmp_path: Path) -> None:
    """A daemon and a command may both be the first."""
    opened: list[Store] = []
    threads = [threading.Thread(target=lambda: opened.append(open_store(tmp_path / "slo.db"))) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(opened) == 4
    for store in opened:
        store.save_collection(a_collection(a_gauge()), lambda: 1.0)
        store.close()


def test_a_new_connection_reads_while_somebody_writes_for_long(tmp_path: Path) -> None:
    """A first collection's history takes seconds to write; collectors that begin meanwhile must not fail for it."""
    open_store(tmp_path / "slo.db").close()
    writer = sqlite3.connect(tmp_path / "slo.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    read: list[int] = []

    def count() -> None:
        with sqlite_engine(tmp_path / "slo.db").connect() as connection:
            read.append(connection.exec_driver_sql("SELECT count(*) FROM alembic_version").scalar_one())

    reader = threading.Thread(target=count)
    reader.start()
    reader.join(5)
    waited = reader.is_alive()
    writer.rollback()
    writer.close()
    reader.join()

    assert not waited
    assert read == [1]


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """Going back a version must not write rows that the newer schema reads wrongly."""
    path = tmp_path / "slo.db"
    open_store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    with pytest.raises(StartError, match=r"slo\.db has the schema 9999, which is newer than this version's"):
        open_store(path)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A path mistyped must not destroy what lies there."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database at all, but notes that somebody needs\n" * 50)
    before = path.read_bytes()

    with pytest.raises(StartError, match=r"notes\.txt cannot be opened: the file is not a database"):
        open_store(path)

    assert path.read_bytes() == before


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Tables must not be added to somebody else's database."""
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
    connection.close()

    with pytest.raises(StartError, match="database of another program"):
        open_store(path)

    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("customers",)]
    connection.close()


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    """`path: /var/lib/slo-guard` is an easy slip."""
    with pytest.raises(StartError, match="is a folder"):
        open_store(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The message names the folder, which is what has to be mended."""
    (tmp_path / "file").write_text("")

    with pytest.raises(StartError, match=r"folder .*file/below cannot be made"):
        open_store(tmp_path / "file" / "below" / "slo.db")


def test_a_file_that_cannot_be_made_is_named() -> None:
    """A file system that takes no files (read-only, as here) is named at the start, not at the first reading."""
    if not Path("/proc/self").exists():
        pytest.skip("needs /proc")

    with pytest.raises(StartError, match=r"/proc/slo-guard\.db cannot be opened"):
        open_store(Path("/proc/slo-guard.db"))


def test_a_path_with_odd_characters_is_taken_as_it_is(tmp_path: Path) -> None:
    """A path is a path, never a part of a URL."""
    path = tmp_path / "50% of? #1 ü" / "slo guard&x=1.db"

    store = open_store(path)
    store.close()

    assert path.exists()
