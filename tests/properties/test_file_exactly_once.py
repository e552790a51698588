"""However a file grows and is rotated, and whenever the daemon dies: each complete row comes exactly once."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, note, settings
from hypothesis import strategies as st

from slo_guard.collect import COLLECTORS
from slo_guard.collect.file_cursor import decode_cursor
from slo_guard.domain.readings import Collection, CollectionFailure, EventBatch, Reading
from tests.support.growing_file import GrowingFile

NOW = 1_784_196_000.0
TEXTS = st.text(st.sampled_from('a,"\nüß漢😀; '), max_size=8)
NAMES = st.text(st.sampled_from("abüß漢😀"), min_size=1, max_size=4)
ACTIONS = ("collect", "collect", "crash", "restart", "rename", "copytruncate", "copytruncate seen", "send")
STEPS = st.tuples(st.integers(0, 4), st.integers(0, 12), NAMES, TEXTS, st.sampled_from(ACTIONS))
"""Whole rows, bytes of the next one, what stands in them, and what happens then."""


class Reader:
    """A collector with a store of its own: numbers of events that were stored, and the cursor."""

    def __init__(self, path: str, max_rows: int, is_csv: bool) -> None:
        indicator = {
            "name": "seen", "type": "event", "value": "number", "time": {"column": "at"}, "labels": ["tenant"],
        }  # fmt: skip
        self.options = {
            "name": "rows", "type": "file", "path": path, "format": "csv" if is_csv else "jsonl",
            "max_rows": max_rows, "timeout": "60s", "indicators": [indicator],
        }  # fmt: skip
        self.cursor: str | None = None
        self.numbers: list[int] = []
        self.told: list[str] = []
        self.restart()

    def restart(self) -> None:
        kind = COLLECTORS["file"]
        self.collector = kind.build(kind.options.model_validate(self.options), None)

    def collect(self, *, crash: bool = False) -> int:
        collection: Collection = self.collector.collect(NOW, self.cursor)
        if crash:
            return 0
        self.cursor = collection.cursor or self.cursor
        before = len(self.numbers)
        for item in collection.observations:
            if isinstance(item, CollectionFailure):
                self.told.append(f"{item.reason}: {item.message}")
            elif isinstance(item, Reading) and isinstance(item.frame, EventBatch):
                self.numbers += [int(value) for value in item.frame.values]
                self.told += [item.example] * bool(item.example)
        return len(self.numbers) - before

    def knows_rows_of(self, path: Path) -> bool:
        """Whether a copy of the file could be told from any other file."""
        file = path.stat()
        return any(
            each.rows and each.inode == file.st_ino and each.offset <= file.st_size
            for each in decode_cursor(self.cursor).files
        )


@settings(max_examples=80, deadline=None)
@given(
    steps=st.lists(STEPS, min_size=3, max_size=20),
    is_csv=st.booleans(),
    every_name=st.booleans(),
    writes_header=st.booleans(),
    max_rows=st.sampled_from([1, 3, 1000, 1000]),
)
def test_each_complete_row_comes_exactly_once(steps, is_csv, every_name, writes_header, max_rows):
    """A row that is counted twice, or never, makes a median, a count and a sum wrong, and nobody sees it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.log"
        writer = GrowingFile(path, is_csv=is_csv, writes_header=writes_header)
        reader = Reader(f"{path}*" if every_name else str(path), max_rows, is_csv)
        reader.collect()
        was_cut = False
        for count, size, tenant, text, action in steps:
            writer.write_rows(count, tenant, text)
            writer.write_part(tenant, text, size)
            match action:
                case "collect":
                    reader.collect()
                    was_cut = False
                case "crash":
                    reader.collect(crash=True)
                case "restart":
                    reader.restart()
                case "rename":
                    writer.rename()
                case "copytruncate" | "copytruncate seen":
                    if reader.knows_rows_of(path):
                        writer.copy()
                        # With a backlog, a file that is cut before its first row was read cannot be found again.
                        if action == "copytruncate seen" and max_rows == 1000:
                            reader.collect()
                        writer.truncate()
                        was_cut = True
                case "send":
                    if reader.knows_rows_of(path) and not was_cut:
                        writer.send_anew()
        for _ in range(2):
            while reader.collect():
                pass
        note(f"told {reader.told}, cursor {reader.cursor}")

        assert sorted(reader.numbers) == list(range(1, writer.whole + 1))
