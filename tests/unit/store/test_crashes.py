"""Power, kill and disk: a hop is done or not done, and the store says what is wrong."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slo_guard.domain.readings import GaugeFrame, Reading
from slo_guard.errors import StartError, StoreError
from slo_guard.store import open_store
from tests.support.store_examples import a_collection, a_failure, a_gauge

ROOT = Path(__file__).parents[3]
WRITER = ROOT / "tests" / "support" / "store_writer.py"


def start_writer(path: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(WRITER), str(path), *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def values(path: Path) -> list[float]:
    store = open_store(path)
    frames = [item.observation.frame for item in store.observations() if isinstance(item.observation, Reading)]
    store.close()
    return [float(frame.values[0]) for frame in frames if isinstance(frame, GaugeFrame)]


def test_a_kill_at_any_instant_leaves_whole_hops(tmp_path: Path) -> None:
    """A kill -9 must lose nothing that was stored, and leave nothing half done that would be told wrongly or never."""
    path = tmp_path / "slo.db"
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    instants = random.Random(seed)
    before = 0

    for _ in range(8):
        writer = start_writer(path)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n", writer.communicate()
        time.sleep(instants.uniform(0.0, 0.25))
        os.kill(writer.pid, signal.SIGKILL)
        writer.communicate()

        collected = int((store := open_store(path)).collector_cursor("prom") or 0)
        state = store.load_evaluation()
        planned = store.transition_cursor()
        rows = store.outbox_pending().get("slack", (0, None))[0]
        told = [item.told_by for item in store.decisions()]
        group = store.planner_groups().get("group", "0")
        numbers = [item.seq for item in store.transitions()]
        store.close()

        assert before <= planned <= state.last_seq <= collected <= planned + 1
        assert values(path) == [float(number) for number in range(1, collected + 1) for _ in range(2)]
        assert numbers == list(range(1, state.last_seq + 1))
        assert state.reading_cursor == 2 * state.last_seq
        assert [alert.value for alert in state.alerts.values()] == [float(state.last_seq)] * bool(state.last_seq)
        assert rows == planned
        assert told == [f"k{number}" for number in range(1, planned + 1)]
        assert group == str(planned)
        before = planned

    assert before > 0


def test_a_full_disk_is_named_and_the_store_goes_on_when_there_is_room(tmp_path: Path) -> None:
    """A full disk must not stop the daemon: the hop is not done, can still be read around, and is done later."""
    writer = start_writer(tmp_path / "slo.db", str(1_000_000))

    out, errors = writer.communicate(timeout=60)

    assert errors == ""
    message, full, after = out.splitlines()
    assert "slo.db cannot be written: the disk" in message
    saved, cursor, observations = full.split()
    assert int(saved) > 0
    assert cursor == saved
    assert int(observations) == 2 * int(saved)
    assert after == f"{int(saved) + 1} {int(saved) + 1} {2 * int(saved) + 2}"


def test_a_second_process_reads_and_writes_beside_the_first(tmp_path: Path) -> None:
    """`slo-guard sign` and `backtest` open the store while the daemon writes."""
    path = tmp_path / "slo.db"
    writer = start_writer(path)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"

    store = open_store(path)
    number, written = 0, 0
    while (number < 10 or written < 5) and writer.poll() is None:
        number += 1
        store.save_collection(a_collection(a_failure(), collector="sign", cursor=str(number)), lambda: 1.0)
        items = list(store.observations())
        assert [item.id for item in items] == sorted({item.id for item in items})
        times = [item.observation.seen_at for item in items]
        assert times == sorted(times)
        written = int(store.collector_cursor("prom") or 0)
    os.kill(writer.pid, signal.SIGKILL)
    _, errors = writer.communicate()
    last = store.collector_cursor("sign")
    store.close()

    assert errors == ""
    assert last == str(number)
    assert written >= 5


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    """The operator must hear that the file is damaged, not see a traceback each cycle."""
    path = tmp_path / "slo.db"
    store = open_store(path)
    for number in range(200):
        store.save_collection(a_collection(a_gauge(), a_failure()), lambda number=number: float(number))  # type: ignore[misc]
    store.close()
    content = bytearray(path.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    path.write_bytes(content)

    with pytest.raises((StartError, StoreError), match=r"damaged|not a database"):
        list(open_store(path).observations())
