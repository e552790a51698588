"""A consistent copy of a SQLite store beside a running daemon, and whether a store file is sound."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from slo_guard.clock import monotonic
from slo_guard.errors import StoreError
from slo_guard.store.sqlite import BUSY_SECONDS, words_for

_MOST_FAULTS = 20
_BESIDE = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class StoreCheck:
    """What a look at the whole file gave: its schema's number, its last evaluation, and ``faults`` in words."""

    schema: str
    evaluated_at: float | None
    size_bytes: int
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy that was made, found sound and put in its place."""

    file: Path
    check: StoreCheck
    seconds: float


def back_up(store: Path, target: Path, *, force: bool = False) -> Backup:
    """Copy the store to the file ``target``, as it is at one instant; a daemon goes on meanwhile.

    The copy is checked and synced before it gets its name: at ``target`` stands nothing, or what stood there before,
    or a whole copy. What stands there already is replaced only with ``force``. Raises ``StoreError``.
    """
    store, target = store.absolute(), target.absolute()
    _refuse_unfit(store, target, force=force)
    started = monotonic()
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        # Of nobody else's to read: it holds label values, notes and who signed what.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with _named_errors(f"{store} cannot be copied"), closing(_connect(store)) as source:
            _copy(source, part)
        check = check_store(part)
        if check.faults:
            raise StoreError(f"the copy of {store} is not sound, and was removed: {check.faults[0]}")
        _sync(part)
        part.replace(target)
        _sync(target.parent)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror or error}") from None
    finally:
        for end in ("", *_BESIDE):
            # Where not even the name could be had, there is nothing to take away.
            with suppress(OSError):
                part.with_name(part.name + end).unlink(missing_ok=True)
    return Backup(target, check, monotonic() - started)


def check_store(store: Path) -> StoreCheck:
    """Look through the whole file. Raises ``StoreError`` when it cannot be read, or is no store at all."""
    with _named_errors(f"{store} cannot be read"), closing(_connect(store)) as connection:
        schema = _schema(connection, store)
        faults = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_MOST_FAULTS})")]
        faults = [] if faults == ["ok"] else faults
        strays = connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST_FAULTS)
        faults += [f"row {row[1]} of {row[0]} names a row of {row[2]} that is not there" for row in strays]
        (at,) = connection.execute("SELECT evaluated_at FROM progress").fetchone()
    return StoreCheck(schema, at, store.stat().st_size, tuple(faults))


def _refuse_unfit(store: Path, target: Path, *, force: bool) -> None:
    if not store.is_file():
        raise StoreError(f"there is no store {store}; name the config whose store.path names it")
    if target.is_dir():
        raise StoreError(f"{target} is a folder; name a file in it")
    if not target.parent.is_dir():
        raise StoreError(f"the folder {target.parent} does not exist; make it first")
    if target.resolve() in (store.resolve().with_name(store.resolve().name + end) for end in _BESIDE):
        # Also where it is not there at the moment: it will be, and a store without its log has lost its last hour.
        raise StoreError(f"{target} is part of the store itself; name another file")
    if target.exists():
        if target.samefile(store):
            raise StoreError(f"{target} is the store itself; name another file")
        if not force:
            raise StoreError(f"{target} exists; name another file, or replace it with --force")


def _copy(source: sqlite3.Connection, part: Path) -> None:
    with closing(sqlite3.connect(part)) as copy:
        # All pages in one step, from one view: step by step it would begin anew with each write of the daemon.
        source.backup(copy)
        # A file of its own: in WAL mode it would need two more beside it.
        copy.execute("PRAGMA journal_mode = DELETE").fetchone()


def _connect(store: Path) -> sqlite3.Connection:
    # Opened to write, since a WAL store can be read only by whoever may write beside it; nothing is written.
    return sqlite3.connect(f"file:{quote(str(store))}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def _schema(connection: sqlite3.Connection, store: Path) -> str:
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    found = connection.execute("SELECT version_num FROM alembic_version") if "alembic_version" in tables else None
    row = None if found is None else found.fetchone()
    if row is None or "progress" not in tables:
        raise StoreError(f"{store} is no store of slo_guard")
    return str(row[0])


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _named_errors(what: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{what}: {words_for(error)}") from None
