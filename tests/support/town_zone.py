"""A time zone of the test's own: where local midnight, and so a sprint's start and end, is when the test wants it.

Sprints begin and end with local days. A town that moves its clocks lets one begin a day ago and end in a few seconds.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from slo_guard.clock import from_unix

NAME = "Mission/Town"
DAY = 86400


class TownZone:
    """A zone in ``folder`` whose day 0 begins at ``start_at`` (whole Unix seconds).

    A process knows it by ``env``; it reads the zone once, so a change counts from its next start.
    """

    def __init__(self, folder: Path, start_at: int) -> None:
        self.start_at = start_at
        self._folder = folder
        self._offset = -(start_at % DAY)
        self._write([])

    @property
    def env(self) -> Mapping[str, str]:
        return {"PYTHONTZPATH": str(self._folder.resolve())}

    def day(self, number: int) -> date:
        """Return the day ``number`` days after the first."""
        return from_unix(self.start_at + self._offset).date() + timedelta(days=number)

    def end_day(self, number: int, ends_at: int, now: float) -> None:
        """Move the clocks at ``now`` so that day ``number`` ends at ``ends_at``, which must be within a day of its end."""
        moved = self._offset + (number + 1) * DAY - (ends_at - self.start_at)
        assert -DAY < moved < DAY, "no zone is further from UTC"
        self._write([(int(now), moved)])

    def _write(self, changes: Sequence[tuple[int, int]]) -> None:
        """Write the zone's file as RFC 8536 has it: offsets by the instant from which each counts."""
        offsets = [self._offset, *(offset for _, offset in changes)]
        types = b"".join(struct.pack(">ibB", offset, 0, 0) for offset in offsets)
        instants = b"".join(struct.pack(">q", at) for at, _ in changes)
        numbers = bytes(range(1, len(offsets)))
        file = self._folder / NAME
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(
            _header(0, 1) + struct.pack(">ibB", 0, 0, 0) + b"MT\0"
            + _header(len(changes), len(offsets)) + instants + numbers + types + b"MT\0" + b"\n\n"
        )  # fmt: skip


def _header(changes: int, types: int) -> bytes:
    return b"TZif2" + bytes(15) + struct.pack(">6i", 0, 0, 0, changes, types, len(b"MT\0"))
