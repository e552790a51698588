"""Which events of a source that gives all its recent ones again and again are new."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from slo_guard.domain.series import LabelSet

MOST_REMEMBERED: Final = 50_000
"""Events of the look-back that are remembered by their marks; beyond it the look-back is made shorter."""


class EventMemory:
    """Remembers the events of the last ``look_back_seconds`` by their marks, so that each is taken exactly once.

    An event older than the newest one by more than that can no longer be told from one that was taken: :meth:`take`
    calls it late. Everything is new in the first collection. Kept as JSON in the collector's cursor.
    """

    def __init__(self, look_back_seconds: float, content: Mapping[str, Any] | None = None) -> None:
        self._look_back = look_back_seconds
        self._marks: dict[str, float] = {}
        self.newest_at: float | None = None
        self._horizon = float("-inf")
        if content:
            self.newest_at = float(content["newest_at"])
            self._horizon = float(content["horizon"])
            self._marks = {str(mark): float(at) for mark, at in content["marks"].items()}
        self._first = self.newest_at is None

    @staticmethod
    def mark(labels: LabelSet, value: float, at: float, identity: str | None) -> str:
        """Return what tells an event from others: its own identity where the source gives one, else all of it."""
        content = repr((labels, value, at)) if identity is None else f"id {identity}"
        return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=9).hexdigest()

    def take(self, mark: str, at: float) -> bool | None:
        """Return whether an event is new, and remember it; None: it comes too late to be told from one taken before."""
        if mark in self._marks:
            return False
        if not self._first and at <= self._horizon:
            return None
        self._marks[mark] = at
        self.newest_at = at if self.newest_at is None else max(self.newest_at, at)
        return True

    def content(self) -> dict[str, Any] | None:
        """Return what the cursor is to hold, without what is older than the look-back; None before the first event."""
        if self.newest_at is None:
            return None
        self._horizon = max(self._horizon, self.newest_at - self._look_back)
        kept = {mark: at for mark, at in self._marks.items() if at > self._horizon}
        if len(kept) > MOST_REMEMBERED:
            self._horizon = sorted(kept.values(), reverse=True)[MOST_REMEMBERED]
            kept = {mark: at for mark, at in kept.items() if at > self._horizon}
        self._marks = kept
        return {"newest_at": self.newest_at, "horizon": self._horizon, "marks": kept}
