"""The KPI part of the metrics page as ready parts, plain and compressed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import TypeAlias

Part: TypeAlias = bytes | memoryview

_LARGE_BYTES = 1 << 18


class MetricsPage:
    """Text format 0.0.4 in parts that follow each other; immutable. ``bytes(page)`` is the whole of it.

    The parts are shared from cycle to cycle: joining 40 MB anew would cost more than formatting 100,000 values.
    """

    def __init__(self, parts: Iterable[Part] = ()) -> None:
        self.parts = tuple(_gathered(parts))

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __bytes__(self) -> bytes:
        return b"".join(self.parts)


class GzipPage:
    """A page compressed once, to which each scrape adds a fresh tail within the same gzip member.

    Two members one behind the other would be valid too, but not every client reads the second.
    """

    def __init__(self, page: MetricsPage) -> None:
        # Level 1 costs a sixteenth of level 9 for 41 % more bytes; 31 asks for the gzip container.
        self._compressor = zlib.compressobj(1, zlib.DEFLATED, 31)
        packed = [self._compressor.compress(part) for part in page.parts]
        self.head = b"".join(packed) + self._compressor.flush(zlib.Z_SYNC_FLUSH)

    def tail(self, text: bytes) -> bytes:
        """Return the bytes that follow ``head``: ``text`` compressed, and the end of the member."""
        compressor = self._compressor.copy()
        return compressor.compress(text) + compressor.flush()


def _gathered(parts: Iterable[Part]) -> Iterable[Part]:
    """Join small parts, since each costs a send of its own, and leave large ones as they are."""
    small: list[Part] = []
    for part in parts:
        if len(part) < _LARGE_BYTES:
            small.append(part)
            continue
        if small:
            yield b"".join(small)
            small = []
        yield part
    if small:
        yield b"".join(small)
