"""A process that collects from files in a loop until it is killed; run as ``python file_reader.py DB PATTERN``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from slo_guard.collect import COLLECTORS
from slo_guard.jobs import collect_once
from slo_guard.store import open_store

NOW = datetime(2026, 7, 16, 10, tzinfo=UTC)


def options(pattern: str) -> dict[str, object]:
    """Return what the collector is made of; each row's number is its event's value."""
    seen = {"name": "seen", "type": "event", "value": "number", "time": {"column": "at"}, "labels": ["tenant"]}
    newest = {"name": "newest", "type": "counter", "value": "number", "labels": ["tenant"]}
    return {
        "name": "rows", "type": "file", "path": pattern, "format": "csv", "max_rows": 40, "timeout": "20s",
        "indicators": [seen, newest],
    }  # fmt: skip


if __name__ == "__main__":
    kind = COLLECTORS["file"]
    store = open_store(Path(sys.argv[1]))
    collector = kind.build(kind.options.model_validate(options(sys.argv[2])), None)
    collect_once(collector, store, NOW)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        collect_once(collector, store, NOW)
