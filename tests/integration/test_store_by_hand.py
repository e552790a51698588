"""``slo-guard store``: copies beside a daemon that writes, and what is wrong with a file said in words."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from slo_guard.cli.store import store as store_command
from slo_guard.domain.ports import PlanRecord
from slo_guard.errors import StoreError
from slo_guard.store import back_up, open_store
from tests.support.notices import a_notification
from tests.support.small_mission import gauge_kpi, scrape, write_config, write_rules
from tests.support.store_examples import a_collection, a_gauge


@pytest.fixture
def config(tmp_path: Path) -> Path:
    write_rules(tmp_path, [gauge_kpi("load")])
    path = write_config(tmp_path, [scrape("page", "http://127.0.0.1:1", "load")])
    with closing(open_store(tmp_path / "slo-guard.db")) as store:
        store.save_collection(a_collection(a_gauge(), cursor="offset 7"), lambda: 1783353600.0)
        store.save_plan(PlanRecord(1, {}, (a_notification(key="k1"),)))
    return path


def run(config: Path, *arguments: object) -> Result:
    return CliRunner().invoke(store_command, [*map(str, arguments), "--config", str(config)])


class TestBackup:
    """What is kept for a bad day must be whole, and must not cost a good one."""

    def test_a_copy_holds_what_the_store_holds(self, config: Path, tmp_path: Path):
        """Put in the store's place it goes on from there: readings, messages and all."""
        result = run(config, "backup", tmp_path / "copy.db")

        assert result.exit_code == 0, result.output
        assert "copied and found sound" in result.stdout
        with closing(open_store(tmp_path / "copy.db")) as copy:
            assert copy.outbox_pending() == {"sre": (1, 1783422000.0)}
            assert len(list(copy.observations())) == 1
        assert not list(tmp_path.glob(".*part*"))

    def test_rules_with_errors_do_not_stand_in_the_way(self, config: Path, tmp_path: Path):
        """Somebody broke them, and wants a copy before mending anything."""
        (tmp_path / "rules" / "lane.yaml").write_text("kpis: [")

        assert run(config, "backup", tmp_path / "copy.db").exit_code == 0

    def test_it_is_one_file_that_only_its_owner_may_read(self, config: Path, tmp_path: Path):
        """A copy that needs a second file is half lost when it is moved; one that all may read is a leak."""
        run(config, "backup", tmp_path / "copy.db")

        with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
            assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
        assert list(tmp_path.glob("copy.db-*")) == []

    @pytest.mark.usefixtures("config")
    def test_the_daemon_goes_on_writing_and_the_copy_is_of_one_instant(self, tmp_path: Path):
        """Each write adds a reading and moves the cursor with it: a copy in which they differ would lose or repeat one."""
        with closing(open_store(tmp_path / "slo-guard.db")) as store:
            ended, written = threading.Event(), [0]

            def write() -> None:
                while not ended.is_set():
                    written[0] += 1
                    store.save_collection(a_collection(a_gauge(), cursor=str(written[0])), lambda: 1783353600.0)

            writer = threading.Thread(target=write)
            writer.start()
            copies = []
            for number in range(4):
                before = written[0]
                made = back_up(tmp_path / "slo-guard.db", tmp_path / f"copy{number}.db")
                copies.append((before, made))
            ended.set()
            writer.join()

        for before, made in copies:
            with closing(open_store(made.file)) as copy:
                readings, cursor = (
                    len(list(copy.observations())),
                    int((copy.collector_cursor("prom") or "").replace("offset 7", "0")),
                )
            assert readings == cursor + 1
            assert cursor >= before - 1

    def test_what_is_there_is_replaced_only_on_purpose(self, config: Path, tmp_path: Path):
        """The copy of last night must not go because of a name typed twice."""
        target = tmp_path / "copy.db"
        target.write_bytes(b"precious")

        refused = run(config, "backup", target)
        kept = target.read_bytes()
        forced = run(config, "backup", target, "--force")

        assert refused.exit_code == 1
        assert f"{target} exists; name another file, or replace it with --force" in refused.stderr
        assert kept == b"precious"
        assert forced.exit_code == 0
        assert target.read_bytes().startswith(b"SQLite format 3")

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("slo-guard.db", "is the store itself"),
            ("slo-guard.db-wal", "is part of the store itself; name another file"),
            ("rules", "is a folder; name a file in it"),
            ("n" * 250, "cannot be written: File name too long"),
            ("nowhere/copy.db", "does not exist; make it first"),
        ],
    )
    def test_a_place_where_it_cannot_stand_is_said(self, config: Path, tmp_path: Path, name: str, message: str):
        """With --force as well."""
        result = run(config, "backup", tmp_path / name, "--force")

        assert result.exit_code == 1
        assert message in result.stderr

    @pytest.mark.usefixtures("config")
    def test_a_damaged_store_gives_no_copy(self, tmp_path: Path):
        """A copy that cannot be used is worse than none: somebody relies on it."""
        path = tmp_path / "slo-guard.db"
        damage(path)
        target = tmp_path / "copy.db"

        with pytest.raises(StoreError, match=r"damaged|not sound"):
            back_up(path, target)

        assert not target.exists()
        assert not list(tmp_path.glob(".*part*"))

    @pytest.mark.usefixtures("config")
    def test_a_copy_that_is_not_sound_is_not_kept(self, tmp_path: Path):
        """Every page can be read, and yet a row names another that is not there."""
        with closing(sqlite3.connect(tmp_path / "slo-guard.db")) as connection, connection:
            connection.execute("INSERT INTO verdict_memory (sprint, kpi, index_id, block) VALUES ('s', 'k', 999, x'')")
        target = tmp_path / "copy.db"

        with pytest.raises(StoreError, match="row 1 of verdict_memory names a row of series_index that is not there"):
            back_up(tmp_path / "slo-guard.db", target)

        assert not target.exists()
        assert not list(tmp_path.glob(".*part*"))

    @pytest.mark.usefixtures("config")
    def test_a_full_disk_leaves_the_copy_of_before(self, tmp_path: Path):
        """The disk is full exactly on the day on which somebody makes a copy."""
        target = tmp_path / "copy.db"
        target.write_bytes(b"precious")
        child = os.fork()
        if not child:
            import resource
            import signal

            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (32768, 32768))
            try:
                back_up(tmp_path / "slo-guard.db", target, force=True)
            except StoreError:
                os._exit(3)
            os._exit(0)
        _, status = os.waitpid(child, 0)

        assert os.waitstatus_to_exitcode(status) == 3
        assert target.read_bytes() == b"precious"
        assert not list(tmp_path.glob(".*part*"))


def damage(path: Path) -> None:
    """Overwrite pages in the middle of the file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xa5" * 8192)


def test_a_sound_store_and_a_damaged_one_are_told_apart(config: Path, tmp_path: Path):
    """Before an upgrade, and after a crash of the machine."""
    sound = run(config, "check")
    damage(tmp_path / "slo-guard.db")
    damaged = run(config, "check")
    (tmp_path / "text.db").write_text("not a database, but long enough to look at: " * 50)
    none = run(config, "check", "--file", tmp_path / "text.db")
    gone = run(config, "check", "--file", tmp_path / "gone.db")

    assert (sound.exit_code, "sound" in sound.stdout) == (0, True)
    assert damaged.exit_code in (1, 2)
    assert "damaged" in damaged.stderr
    assert (none.exit_code, gone.exit_code) == (2, 2)
    assert "is not a database" in none.stderr
    assert "there is no store" in gone.stderr


def test_what_a_store_holds_is_shown(config: Path):
    """How far back it goes, what fills it and where each collector stands."""
    shown = run(config, "info")
    document: dict[str, Any] = json.loads(run(config, "info", "--format", "json").stdout)

    assert shown.exit_code == 0, shown.output
    for words in ("from 2026-07-06T16:00:00Z", "1 pending", "readings", "offset 7"):
        assert words in shown.stdout
    assert document["cursors"] == {"prom": "offset 7"}
    assert document["messages"] == {"pending": 1}
    assert {each["table"]: each["rows"] for each in document["tables"]}["outbox"] == 1
    assert document["used_bytes"] <= document["file_bytes"]
