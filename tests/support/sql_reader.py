"""Reads a database to its end, a collection at a time, in a process of its own; prints what came and what it took.

READER_URL holds the database's URL. Arguments: the query's mark column, max_rows, and how many collections at most.
"""

from __future__ import annotations

import json
import resource
import sys

from slo_guard.clock import to_unix, utcnow
from slo_guard.collect.sql import SqlCollector, SqlOptions
from slo_guard.domain.readings import EventBatch, Reading


def main() -> None:
    """Print one JSON object: rows, the sum of their values, the growth of memory in bytes, and of the cursor."""
    column, most, collections = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    indicator = {
        "name": "m",
        "type": "event",
        "query": f"SELECT id, made, tenant, value FROM grown WHERE {column} > :since",
        "labels": ["tenant"],
        "time": {"column": "made"},
        "incremental": {"column": column, "id": "id"},
    }
    document = {
        "name": "db",
        "url": {"env": "READER_URL"},
        "timeout": "2m",
        "max_rows": most,
        "indicators": [indicator],
    }
    collector = SqlCollector(SqlOptions.model_validate(document))
    now, cursor, rows, total = to_unix(utcnow()), None, 0, 0.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(collections):
        collection = collector.collect(now, cursor)
        [reading] = collection.observations
        assert isinstance(reading, Reading), reading
        assert isinstance(reading.frame, EventBatch)
        assert reading.rejected == 0, reading.example
        cursor = collection.cursor or cursor
        rows += len(reading.frame.at)
        total += float(reading.frame.values.sum())
        if not len(reading.frame.at):
            break
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    print(json.dumps({"rows": rows, "total": total, "grown": grown, "cursor": len(cursor or "")}))


if __name__ == "__main__":
    main()
