"""One database: its transactions, the writers' lock, and its errors as ``StoreError``."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from slo_guard.errors import StoreError
from slo_guard.store.blocks import BlockError
from slo_guard.store.sqlite import cause_of

_PAUSE_SECONDS = 0.001


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
        with self._lock, self._named_errors("written", BlockError), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def write_in_background(self) -> Iterator[Connection]:
        """One of many transactions in a row, behind which whoever waits for the lock gets it first.

        Without the pause the thread that lets go of the lock takes it again before a waiting one has woken up.
        """
        with self.write() as connection:
            yield connection
        time.sleep(_PAUSE_SECONDS)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One transaction over a consistent view; it waits for nobody and nobody waits for it."""
        # What is read was checked when it was written; what does not parse was damaged, or written by a newer version.
        with (
            self._named_errors("read", BlockError, ValueError, KeyError, TypeError),
            self._engine.begin() as connection,
        ):
            yield connection

    def close(self) -> None:
        """Close all connections; idempotent."""
        with self._lock:
            self._closed = True
            self._engine.dispose()

    @contextmanager
    def _named_errors(self, done: str, *damage: type[Exception]) -> Iterator[None]:
        if self._closed:
            raise StoreError(f"the store {self.path} is closed")
        try:
            yield
        except DBAPIError as error:
            # The pool keeps its connections: on a full disk a fresh one could not even make its shared-memory file,
            # and then nothing could be read either. After a rollback they work again as soon as the cause is gone.
            raise StoreError(f"the store {self.path} cannot be {done}: {cause_of(error)}") from error
        except damage as error:
            raise StoreError(f"the store {self.path} cannot be {done}: it holds damaged data ({error!r})") from error
