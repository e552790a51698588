"""Debian's PostgreSQL as a process of its own, on a free port of loopback, with its own data."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.support.daemon import eventually
from tests.support.prometheus_server import free_port

PASSWORD = "s3cr3t-t0ken-value"
READER = "reader"
_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
POSTGRES = _BINARIES[-1] if _BINARIES else None
MISSING = "PostgreSQL is not installed (Debian: postgresql)"


class PostgresServer:
    """A running server with one database a test, and the user ``reader``, who owns them and has a password."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._databases = 0

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """Connect as the superuser, in autocommit."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", password=PASSWORD, dbname=database, autocommit=True
        )

    def new_database(self) -> str:
        """Make an empty database that ``reader`` owns; returns its name."""
        self._databases += 1
        name = f"test_{self._databases}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} OWNER {READER}")
        return name

    def url(self, database: str, password: str = PASSWORD) -> str:
        """Return the SQLAlchemy URL of a database, password and all."""
        return f"postgresql+psycopg://{READER}:{password}@127.0.0.1:{self.port}/{database}"


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Run a server for the length of the block, under the user postgres where this one is root: it refuses root."""
    assert POSTGRES is not None
    folder = Path(tempfile.mkdtemp(prefix="slo-guard-postgres-"))
    as_user: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
    try:
        yield from _served(folder, as_user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _served(folder: Path, as_user: list[str]) -> Iterator[PostgresServer]:
    assert POSTGRES is not None
    data, port = folder / "data", free_port()
    password = folder / "password"
    password.write_text(PASSWORD)
    password.chmod(0o644)
    making = [f"{POSTGRES.parent}/initdb", "-D", str(data), "-U", "postgres", "-A", "scram-sha-256"]
    making += [f"--pwfile={password}", "-E", "UTF8", "--locale=C", "--no-sync"]
    made = subprocess.run([*as_user, *making], capture_output=True, text=True, cwd=folder, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    command = [str(POSTGRES), "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", "", "-F"]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen([*as_user, *command], stdout=log, stderr=log, cwd=folder) as process,
    ):
        server = PostgresServer(port)
        try:
            eventually(lambda: _answers(server), 60, what="PostgreSQL is ready")
            with server.connect() as connection:
                connection.execute(f"CREATE ROLE {READER} LOGIN PASSWORD '{PASSWORD}'")
            yield server
        finally:
            # setpriv becomes the server, so this is its own pid; SIGINT is its fast shutdown.
            process.send_signal(signal.SIGINT)
            process.wait(30)


def _answers(server: PostgresServer) -> bool:
    try:
        with server.connect() as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError as error:
        raise LookupError(str(error)) from None
