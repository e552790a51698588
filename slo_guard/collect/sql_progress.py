"""How far a table was read, kept in the collector's cursor, and which of the rows that come again are new."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b
from typing import Any, Final, Generic, TypeAlias, TypeVar

import orjson

from slo_guard.collect.event_memory import MOST_REMEMBERED
from slo_guard.collect.sql_mark import Mark, decode_mark, encode_mark, is_beyond, later, shifted, shown_mark
from slo_guard.errors import CollectionError

_CURSOR_VERSION: Final = 1
_DIGEST_BYTES: Final = 9
_MOST_PASSED: Final = 20

Digest: TypeAlias = bytes
ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an indicator's table was read.

    ``since``: what the query is bound to next, None where it is the start; ``mark``: the highest mark read.
    ``seen``: the rows from ``since`` on that were read, by their marks, ascending. ``passed``: pairs (mark, id): the
    rows of that mark up to that id were read too; for marks that too many rows share.
    """

    column: str
    since: Mark | None = None
    mark: Mark | None = None
    seen: Mapping[Mark, frozenset[Digest]] = field(default_factory=dict)
    passed: tuple[tuple[Mark, Mark], ...] = ()


def row_digest(content: object) -> Digest:
    """Return what tells a row from others."""
    return blake2b(repr(content).encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()


class MarkedRows(Generic[ItemT]):
    """Takes rows that come in the order of their marks: those of one mark together, each exactly once.

    At most ``most`` new rows are taken; where they end in the midst of a mark, its rows are left for the next time,
    so that none is lost or doubled. Where one mark alone has more, they are taken in the order of their ids.
    ``take`` gets the items of the new rows.
    """

    def __init__(
        self,
        progress: Progress,
        most: int,
        take: Callable[[ItemT], None],
        *,
        overlap: timedelta | float | None = None,
        start: Mark | None = None,
    ) -> None:
        self._before = progress
        self._start = start
        self._overlap = overlap
        self._most = most
        self._take = take
        self._taken = 0
        self._seen: dict[Mark, set[Digest]] = {mark: set(digests) for mark, digests in progress.seen.items()}
        self._passed = progress.passed
        self._last: Mark | None = None
        self._is_cut = False
        self._mark: Mark | None = None
        self._pending: list[ItemT] = []
        self._digests: dict[Digest, int] = {}
        self._id: Mark | None = None

    def offer(self, mark: Mark, digest: Digest, item: ItemT, identity: Mark | None = None) -> bool:
        """Take in the next row; returns False when no more rows will be taken.

        ``digest`` is of its ``identity`` where it has one; else of the whole row, which may come several times.
        Raises ``CollectionError`` when too many rows without an identity share a mark.
        """
        if mark != self._mark:
            self._complete()
            if self._taken >= self._most:
                return False
            self._mark = mark
        count = self._digests.get(digest, 0)
        self._digests[digest] = count + 1
        if count:
            digest = row_digest((digest, count))
            self._digests[digest] = 1
        if digest in self._seen.get(mark, ()):
            return True
        if self._taken + len(self._pending) >= self._most:
            self._stop()
            return False
        self._pending.append(item)
        self._id = identity
        return True

    def is_twice(self, digest: Digest, mark: Mark) -> bool:
        """Whether a row with this digest came already among the rows of ``mark`` of this collection."""
        return mark == self._mark and digest in self._digests

    def stop_early(self) -> bool:
        """End for want of time; returns whether any new rows were taken by then."""
        if self._taken == 0 and (not self._pending or self._id is None):
            return False
        self._stop()
        return True

    def _stop(self) -> None:
        """End in the midst of a mark: there is no room or no time for the rest of its rows."""
        if self._taken == 0 and self._pending:
            assert self._mark is not None
            if self._id is None:
                raise CollectionError(
                    "too_many_alike",
                    f"more than {len(self._pending):,} rows share the mark {shown_mark(self._mark)}; write "
                    "incremental: {id: COLUMN}, or raise max_rows",
                )
            self._flush()
            kept = tuple(pair for pair in self._passed if pair[0] != self._mark)
            self._passed = (*kept, (self._mark, self._id))
            self._is_cut = True
        self._pending, self._digests, self._mark = [], {}, None

    def _complete(self) -> None:
        if self._mark is None:
            return
        self._flush()
        known = self._seen.get(self._mark, set())
        if self._overlap is None and self._taken:
            # Nothing before it will come again.
            self._seen = {}
        self._seen[self._mark] = known | self._digests.keys()
        self._last = self._mark
        self._digests = {}

    def _flush(self) -> None:
        for item in self._pending:
            self._take(item)
        self._taken += len(self._pending)
        self._pending = []

    def progress(self, epoch: str) -> Progress:
        """Return how far the table is read now; ends the taking. ``epoch`` is the unit of times that are numbers.

        Raises ``ValueError`` that says what overlap such marks take.
        """
        before, overlap = self._before, self._overlap
        self._complete()
        if self._is_cut:
            seen = {mark: frozenset(digests) for mark, digests in self._seen.items()}
            return Progress(before.column, before.since, before.mark, seen, self._passed)
        if self._last is None:
            return before
        if overlap is None:
            seen = {self._last: frozenset(self._seen[self._last])}
            passed = tuple(pair for pair in self._passed if pair[0] == self._last)
            return Progress(before.column, self._last, self._last, seen, passed)
        mark = self._last if before.mark is None else later(self._last, before.mark)
        low = shifted(mark, overlap, epoch)
        # Until it is surely above the start, the start is the bound: it may be the text of a time.
        is_low = before.since is None and self._start is not None and not is_beyond(low, self._start)
        since = None if is_low else low
        ascending = sorted(self._passed, key=lambda pair: pair[0])
        for floor in (before.since, *(pair[0] for pair in ascending[:-_MOST_PASSED])):
            if floor is not None:
                since = floor if since is None else later(since, floor)
        seen, since = self._within_bounds(since)
        passed = tuple(pair for pair in ascending[-_MOST_PASSED:] if since is None or later(since, pair[0]) == pair[0])
        return Progress(before.column, since, mark, seen, passed)

    def _within_bounds(self, since: Mark | None) -> tuple[dict[Mark, frozenset[Digest]], Mark | None]:
        """Return the rows to remember, and what is asked for next: no row that is not remembered."""
        kept: dict[Mark, frozenset[Digest]] = {}
        room = MOST_REMEMBERED
        for mark in sorted(self._seen, reverse=True):
            digests = self._seen[mark]
            if since is not None and later(mark, since) != mark:
                break
            room -= len(digests)
            if room < 0 and kept:
                since = min(kept)
                break
            kept[mark] = frozenset(digests)
        return dict(reversed(kept.items())), since


def encode_progress(progress: Mapping[str, Progress]) -> str:
    """Return the cursor's text."""
    return orjson.dumps(
        {"version": _CURSOR_VERSION, "indicators": {name: _encoded(each) for name, each in progress.items()}}
    ).decode()


def _encoded(progress: Progress) -> dict[str, Any]:
    return {
        "column": progress.column,
        "since": None if progress.since is None else encode_mark(progress.since),
        "mark": None if progress.mark is None else encode_mark(progress.mark),
        "seen": [
            [*encode_mark(mark), base64.b64encode(b"".join(sorted(digests))).decode()]
            for mark, digests in progress.seen.items()
        ],
        "passed": [[encode_mark(mark), encode_mark(identity)] for mark, identity in progress.passed],
    }


def decode_progress(cursor: str | None) -> dict[str, Progress]:
    """Return the progress in a cursor; nothing for None and for a text that is not one of ours."""
    try:
        content = orjson.loads(cursor or "")
        if content["version"] != _CURSOR_VERSION:
            return {}
        return {str(name): _decoded(each) for name, each in content["indicators"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError):
        return {}


def _decoded(content: Any) -> Progress:
    return Progress(
        str(content["column"]),
        None if content["since"] is None else decode_mark(content["since"]),
        None if content["mark"] is None else decode_mark(content["mark"]),
        {decode_mark((kind, text)): _digests(packed) for kind, text, packed in content["seen"]},
        tuple((decode_mark(mark), decode_mark(identity)) for mark, identity in content["passed"]),
    )


def _digests(packed: str) -> frozenset[Digest]:
    content = base64.b64decode(packed, validate=True)
    return frozenset(content[at : at + _DIGEST_BYTES] for at in range(0, len(content), _DIGEST_BYTES))
