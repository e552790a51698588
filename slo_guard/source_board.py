"""What is known of each collector, and what one collection has to say for itself."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace

from slo_guard.domain.readings import Collection, CollectionFailure, Reading
from slo_guard.expose.snapshot import SourceError, SourceStatus


class SourceBoard:
    """The newest that is known of each collector; written by the collectors' threads, read by the cycle."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._status: dict[str, SourceStatus] = {}

    def expect(self, collectors: Mapping[str, tuple[str, ...]], kinds: Mapping[str, str] | None = None) -> None:
        """Show these collectors with their indicators and kinds, keeping what is known of them, and no others."""
        with self._lock:
            self._status = {
                name: SourceStatus(name, indicators, *_known(self._status.get(name)), (kinds or {}).get(name, ""))
                for name, indicators in collectors.items()
            }

    def collected(self, collection: Collection, at: float) -> None:
        """Take in how a collection ended."""
        failures = [item for item in collection.observations if isinstance(item, CollectionFailure)]
        with self._lock:
            before = self._status.get(collection.collector)
            if before is None:
                return
            success, error = before.last_success_at, before.last_error
            if failures:
                error = SourceError(failures[0].reason, failures[0].message, at)
            else:
                success = at
            self._status[before.collector] = replace(before, last_success_at=success, last_error=error)

    def statuses(self) -> tuple[SourceStatus, ...]:
        """Return what is known, by name."""
        with self._lock:
            return tuple(self._status[name] for name in sorted(self._status))


def rejected_samples(collection: Collection) -> tuple[int, str | None]:
    """Return how many samples of a collection were not usable, and the first of them in words."""
    readings = [item for item in collection.observations if isinstance(item, Reading) and item.rejected]
    return sum(reading.rejected for reading in readings), readings[0].example if readings else None


def failures_of(collection: Collection) -> list[tuple[str, str, int]]:
    """Return each distinct failure of a collection: its reason, its message and how many indicators it struck."""
    struck: dict[tuple[str, str], int] = {}
    for item in collection.observations:
        if isinstance(item, CollectionFailure):
            key = (item.reason, item.message)
            struck[key] = struck.get(key, 0) + len(item.indicators)
    return [(reason, message, indicators) for (reason, message), indicators in struck.items()]


def _known(status: SourceStatus | None) -> tuple[float | None, SourceError | None]:
    return (None, None) if status is None else (status.last_success_at, status.last_error)
