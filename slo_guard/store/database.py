"""One database: its transactions, the writers' lock, and its errors as ``StoreError``."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from slo_guard.errors import StoreError
from slo_guard.store.blocks import BlockError
from slo_guard.store.sqlite import cause_of


class Database:
    """Transactions on one engine: writers one at a time behind a reentrant lock, readers beside them."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path = path
        self._engine = engine
        self._writer = engine.execution_options(writes=True)
        self._lock = threading.RLock()
        self._closed = False

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold off the other writers of this process."""
        with self._lock:
            yield

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that holds the write lock from its start; rolled back if the block raises."""
        with self._lock, self._named_errors("written"), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One transaction over a consistent view; it waits for nobody and nobody waits for it."""
        with self._named_errors("read"), self._engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections; idempotent."""
        with self._lock:
            self._closed = True
            self._engine.dispose()

    @contextmanager
    def _named_errors(self, done: str) -> Iterator[None]:
        if self._closed:
            raise StoreError(f"the store {self.path} is closed")
        try:
            yield
        except DBAPIError as error:
            # Idle connections may hold on to what made this fail (a file that was replaced, a disk that was
            # full): the next call opens fresh ones.
            self._engine.dispose()
            raise StoreError(f"the store {self.path} cannot be {done}: {cause_of(error)}") from error
        except BlockError as error:
            raise StoreError(f"the store {self.path} cannot be {done}: it holds damaged data ({error})") from error
