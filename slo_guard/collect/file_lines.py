"""Lines of a growing file, in bounded memory: complete ones only, with what is needed to know the place again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

LONGEST_LINE: Final = 2**20
"""Bytes of a line; a longer one is no row that anybody meant to write."""

MARKED_BYTES: Final = 1024
"""How much of a file's start, and of what was read last, tells it from other files."""

_CHUNK: Final = 2**18


@dataclass(frozen=True, slots=True)
class Line:
    """One line with its line end: its ``number`` from 1, and ``end``, the offset behind it.

    ``too_long``: it is not to be read. ``goes_on``: the file, or what is read of it, ends within a line that is too
    long, of which these are the bytes so far; the rest of it then comes as a line without content.
    """

    number: int
    end: int
    raw: bytes
    too_long: bool = False
    goes_on: bool = False
    is_rest: bool = False

    @property
    def content(self) -> bytes:
        """The line without its line end."""
        return b"" if self.too_long or self.is_rest else self.raw.rstrip(b"\r\n")

    @property
    def lines_ended(self) -> int:
        """How many lines of the file end at or before ``end``."""
        return self.number - 1 if self.goes_on else self.number


class Trail:
    """The first and the last bytes of what was read of a file, from which :attr:`mark` is made."""

    def __init__(self, head: bytes = b"", tail: bytes = b"") -> None:
        self._head = head
        self._tail = tail

    def add(self, raw: bytes) -> None:
        """Follow what was read by ``raw``."""
        if len(self._head) < MARKED_BYTES:
            self._head = (self._head + raw[:MARKED_BYTES])[:MARKED_BYTES]
        self._tail = raw[-MARKED_BYTES:] if len(raw) >= MARKED_BYTES else (self._tail + raw)[-MARKED_BYTES:]

    @property
    def mark(self) -> str:
        """A short text that is the same for the same bytes."""
        return hashlib.blake2b(self._head + b"\0" + self._tail, digest_size=12).hexdigest()


def trail_at(descriptor: int, offset: int) -> Trail:
    """Return the trail of a file that was read up to ``offset``; a shorter file has another one. Raises OSError."""
    length = min(offset, MARKED_BYTES)
    return Trail(os.pread(descriptor, length, 0), os.pread(descriptor, length, offset - length))


class LineReader:
    """Reads lines from ``offset`` on, where ``lines_before`` lines ended; ``skips``: within a line that is too long."""

    def __init__(self, descriptor: int, offset: int, lines_before: int, *, skips: bool = False) -> None:
        self.bytes_read = 0
        self.rest = b""
        self._descriptor = descriptor
        self._end = offset
        self._lines = lines_before
        self._skips = skips

    def lines(self, most_bytes: int) -> Iterator[Line]:
        """Yield the complete lines, about ``most_bytes`` of them, at least one; raises OSError.

        What stands behind the last one at the file's end is then in :attr:`rest`.
        """
        self.rest = b""
        while True:
            position = self._end + len(self.rest)
            chunk = os.pread(self._descriptor, _CHUNK, position)
            # A file that was cut meanwhile and grows again holds other bytes here: the next collection finds out.
            if not chunk or os.fstat(self._descriptor).st_size < position + len(chunk):
                return
            self.bytes_read += len(chunk)
            pieces = chunk.split(b"\n")
            pieces[0] = self.rest + pieces[0]
            self.rest = pieces.pop()
            for piece in pieces:
                yield self._line(piece + b"\n", goes_on=False)
            if self._skips or len(self.rest) > LONGEST_LINE:
                raw, self.rest = self.rest, b""
                if raw:
                    yield self._line(raw, goes_on=True)
            if self.bytes_read >= most_bytes and (pieces or self._skips):
                return

    def last_line(self) -> Line | None:
        """Return what stands behind the last line end as a line, if there is anything."""
        raw, self.rest = self.rest, b""
        return self._line(raw, goes_on=False) if raw else None

    def _line(self, raw: bytes, *, goes_on: bool) -> Line:
        self._end += len(raw)
        is_rest, self._skips = self._skips, goes_on
        line = Line(
            self._lines + 1,
            self._end,
            raw,
            too_long=not is_rest and len(raw) > LONGEST_LINE,
            goes_on=goes_on,
            is_rest=is_rest,
        )
        self._lines = line.lines_ended
        return line
