"""A first collection that brings a day of history: everybody waits for its one transaction, so it must be short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from slo_guard.store import open_store
from tests.support.store_examples import a_collection, a_gauge


def test_a_series_index_is_looked_up_once_however_long_the_history_is(tmp_path: Path) -> None:
    """A statement for each of a hundred thousand readings held up evaluation and all collectors for the better of a minute."""
    store = open_store(tmp_path / "slo.db")
    history = a_collection(*(a_gauge(at=float(second)) for second in range(500)))
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        store.save_collection(history, lambda: 1000.0)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    kept = len(list(store.observations()))
    store.close()

    assert kept == 500
    assert 0 < len(statements) < 20
