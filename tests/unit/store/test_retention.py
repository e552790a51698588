"""What ages is compacted, then deleted; the file keeps to its bound and gives its room back."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slo_guard.domain.ports import EvaluationRecord, Store, VerdictChanges
from slo_guard.domain.readings import Collection, GaugeFrame
from slo_guard.domain.series import SeriesIndex, label_set
from slo_guard.store import open_store
from tests.support.store_examples import a_collection, a_gauge, collections, content

HOUR = 3600.0
MANY = SeriesIndex.of(label_set({"tenant": f"tenant-{number}"}) for number in range(2000))


def sequence(store: Store, **filters: object) -> list[object]:
    items = store.observations(**filters)  # type: ignore[arg-type]
    return [(item.id, item.observation.seen_at, content(item.observation)) for item in items]


def rows(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    count = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    connection.close()
    return int(count)


def noise(store: Store, count: int, *, step: float = 30.0, start: float = 0.0) -> None:
    numbers = np.random.default_rng(7)
    for number in range(count):
        frame = GaugeFrame(MANY, numbers.random(len(MANY)), number * step)
        store.save_collection(a_collection(frame), lambda number=number: start + number * step)  # type: ignore[misc]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    saved=st.lists(st.tuples(collections, st.floats(0.0, 5 * HOUR)), max_size=25),
    after_id=st.integers(0, 30),
    seen=st.tuples(st.floats(0, 6 * HOUR), st.floats(0, 6 * HOUR)).map(sorted),
    indicators=st.none() | st.lists(st.sampled_from(["p95", "errors", "logged"]), unique=True),
)
def test_compaction_does_not_show(
    tmp_path_factory: object,
    saved: list[tuple[Collection, float]],
    after_id: int,
    seen: Sequence[float],
    indicators: list[str] | None,
) -> None:
    """A replay of last week must give last week's transitions: same numbers, same order, same bytes."""
    store = open_store(tmp_path_factory.mktemp("store") / "slo.db")  # type: ignore[attr-defined]
    for collection, instant in saved:
        store.save_collection(collection, lambda instant=instant: instant)  # type: ignore[misc]
    filters = {"after_id": after_id, "seen_from": seen[0], "seen_until": seen[1], "indicators": indicators}
    everything, some = sequence(store), sequence(store, **filters)

    for now in (HOUR, 3.5 * HOUR, 9 * HOUR):
        store.prune(now)

        assert sequence(store) == everything
        assert sequence(store, **filters) == some
    store.close()


def test_compaction_of_a_day_leaves_one_row_an_hour_and_indicator(tmp_path: Path) -> None:
    """A small set-up of seven KPIs must not grow by 20,000 rows a day."""
    store = open_store(tmp_path / "slo.db")
    for number in range(480):
        readings = [a_collection(a_gauge(number / 3, 2.0), indicator=name) for name in ("p95", "errors")]
        both = tuple(item for one in readings for item in one.observations)
        store.save_collection(Collection("prom", 0.0, both), lambda number=number: number * 30.0)  # type: ignore[misc]
    before = sequence(store)

    store.prune(30 * HOUR)
    store.prune(31 * HOUR)

    assert sequence(store) == before
    assert rows(tmp_path / "slo.db", "readings") == 2 * 4
    store.close()


def test_readings_go_on_after_a_compaction(tmp_path: Path) -> None:
    """Numbers and order hold across the border between old runs and new readings."""
    store = open_store(tmp_path / "slo.db")
    for number in range(5):
        store.save_collection(a_collection(a_gauge(float(number))), lambda number=number: float(number))  # type: ignore[misc]
    before = sequence(store)
    store.prune(5 * HOUR)

    store.save_collection(a_collection(a_gauge(9.0, 9.0)), lambda: 5 * HOUR)

    assert sequence(store)[:5] == before
    assert [item[0] for item in sequence(store, after_id=2)] == [3, 4, 5, 6]  # type: ignore[index]
    store.close()


def test_the_disk_bound_takes_the_oldest_readings_first(tmp_path: Path) -> None:
    """With 100,000 series the bound comes long before the retention; the youngest readings are the ones in use."""
    store = open_store(tmp_path / "slo.db", max_bytes=500_000)
    noise(store, 100)
    before = sequence(store)

    deleted = store.prune(100 * 30.0)
    left = sequence(store)
    store.close()

    assert 0 < len(left) < len(before)
    assert deleted >= len(before) - len(left)
    assert left == before[-len(left) :]
    assert (tmp_path / "slo.db").stat().st_size <= 500_000


def test_without_a_bound_nothing_young_is_deleted(tmp_path: Path) -> None:
    """`max_bytes: none` is a choice that holds."""
    store = open_store(tmp_path / "slo.db", max_bytes=None)
    noise(store, 20)

    store.prune(20 * 30.0)

    assert len(sequence(store)) == 20
    store.close()


def test_the_file_shrinks_when_readings_age(tmp_path: Path) -> None:
    """An operator who shortens the retention wants the disk back."""
    path = tmp_path / "slo.db"
    store = open_store(path, retention_seconds=HOUR)
    noise(store, 100)
    store.close()
    full = path.stat().st_size

    store = open_store(path, retention_seconds=HOUR)
    store.prune(1000 * HOUR)
    store.close()

    assert path.stat().st_size < full / 5
    assert rows(path, "readings") == 0
    assert rows(path, "series_index") == 0


def test_the_bound_takes_old_verdict_changes_when_no_reading_is_left(tmp_path: Path) -> None:
    """Pruning must come to an end, whatever it is that fills the file."""
    store = open_store(tmp_path / "slo.db", max_bytes=1)
    codes = np.zeros(len(MANY), dtype=np.int8)
    for number in range(5):
        change = VerdictChanges(
            "s", "k", float(number), MANY, codes, codes, codes, np.random.default_rng(1).random(2000)
        )
        store.save_evaluation(EvaluationRecord(float(number), 0, changes=(change,)))

    store.prune(10.0)
    store.close()

    assert rows(tmp_path / "slo.db", "verdict_changes") == 0
