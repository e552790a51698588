"""kill -9 while files are read: rows and how far they were read are one transaction."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from slo_guard.collect import COLLECTORS
from slo_guard.domain.readings import EventBatch, Reading
from slo_guard.jobs import collect_once
from slo_guard.store import open_store
from tests.support.file_reader import NOW, options
from tests.support.growing_file import GrowingFile

ROOT = Path(__file__).parents[3]
READER = ROOT / "tests" / "support" / "file_reader.py"


def start_reader(database: Path, pattern: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(READER), str(database), str(pattern)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_each_row_is_stored_exactly_once_however_often_the_reader_is_killed(tmp_path: Path) -> None:
    """A daemon that dies between rows and their cursor would count them twice, or never."""
    database, path = tmp_path / "slo.db", tmp_path / "rows.csv"
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    writer = GrowingFile(path, is_csv=True)

    for _ in range(5):
        reader = start_reader(database, path)
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n", reader.communicate()
        for _ in range(chance.randrange(1, 40)):
            writer.write_rows(chance.randrange(20), "acme", "of\ntwo lines")
            writer.write_part("birch", "ü" * 10, chance.randrange(60))
            if chance.random() < 0.2:
                writer.rename()
            time.sleep(chance.uniform(0.0, 0.01))
        os.kill(reader.pid, signal.SIGKILL)
        _, errors = reader.communicate()
        assert errors == ""

    store = open_store(database)
    kind = COLLECTORS["file"]
    collector = kind.build(kind.options.model_validate(options(str(path))), None)
    for _ in range(writer.whole // 40 + 2):
        collect_once(collector, store, NOW)
    readings = [item.observation for item in store.observations(indicators=["seen"])]
    store.close()
    batches = [each.frame for each in readings if isinstance(each, Reading) and isinstance(each.frame, EventBatch)]
    numbers = sorted(int(value) for batch in batches for value in batch.values)

    assert numbers == list(range(1, writer.whole + 1))
    assert writer.whole > 100
