"""A writer of rows into a file that grows, is cut in the middle of rows, and is rotated as log-rotate does it."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

AT = 1_784_100_000
HEADER = ("at", "tenant", "number", "note")


class GrowingFile:
    """Writes rows numbered from 1; ``whole`` says how many of them are in the files with their line end.

    ``writes_header``: whether the writer begins an emptied file with the header again, as after a rename it always does.
    """

    def __init__(self, path: Path, *, is_csv: bool, writes_header: bool = True) -> None:
        self.path = path
        self.whole = 0
        self._is_csv = is_csv
        self._writes_header = writes_header
        self._number = 0
        self._left = self._header()
        self._ends_row = False
        path.touch()

    def write_rows(self, count: int, tenant: str, note: str) -> None:
        """Append rows, after what is left of the one before."""
        for _ in range(count):
            self.finish_row()
            self._next_row(tenant, note)
            self.finish_row()

    def write_part(self, tenant: str, note: str, size: int) -> None:
        """Append up to ``size`` bytes of the present row, or of the next one."""
        if not self._left:
            self._next_row(tenant, note)
        part, self._left = self._left[:size], self._left[size:]
        self._append(part)

    def finish_row(self) -> None:
        """Append what is left of the row that was begun."""
        part, self._left = self._left, b""
        self._append(part)

    def rename(self) -> None:
        """Rotate as log-rotate does by default; the writer still ends its row in the file that was renamed."""
        self._make_room()
        rotated = self._rotated(1)
        self.path.rename(rotated)
        current, self.path = self.path, rotated
        self.finish_row()
        self.path = current
        self._left = self._header()
        self.path.touch()

    def copy(self) -> None:
        """Begin to rotate as log-rotate's copytruncate does, between two rows."""
        self.finish_row()
        self._make_room()
        shutil.copy(self.path, self._rotated(1))

    def truncate(self) -> None:
        """Go on with copytruncate."""
        with self.path.open("r+b") as file:
            file.truncate()
        self._left = self._header() if self._writes_header else b""

    def send_anew(self) -> None:
        """Replace the file by a copy of it, as rsync does."""
        copy = self.path.with_name(".being-sent")
        shutil.copy(self.path, copy)
        copy.rename(self.path)

    def _header(self) -> bytes:
        self._ends_row = False
        return (",".join(HEADER) + "\n").encode() if self._is_csv else b""

    def _next_row(self, tenant: str, note: str) -> None:
        self._number += 1
        values = (AT + self._number, tenant, self._number, note)
        if self._is_csv:
            text = io.StringIO()
            csv.writer(text, lineterminator="\r\n" if self._number % 2 else "\n").writerow(values)
            self._left = text.getvalue().encode()
        else:
            self._left = (json.dumps(dict(zip(HEADER, values, strict=True)), ensure_ascii=False) + "\n").encode()
        self._ends_row = True

    def _append(self, part: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(part)
        if self._ends_row and not self._left:
            self.whole, self._ends_row = self._number, False

    def _rotated(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _make_room(self) -> None:
        last = 1
        while self._rotated(last).exists():
            last += 1
        for number in range(last, 1, -1):
            self._rotated(number - 1).rename(self._rotated(number))
