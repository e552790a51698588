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
                name: replace(
                    self._status.get(name) or SourceStatus(name),
                    indicators=indicators,
                    kind=(kinds or {}).get(name, ""),
                )
                for name, indicators in collectors.items()
            }

    def collected(self, collection: Collection, at: float) -> None:
        """Take in how a collection ended."""
        failures = [item for item in collection.observations if isinstance(item, CollectionFailure)]
        with self._lock:
            before = self._status.get(collection.collector)
            if before is None:
                return
            rejected, example = rejected_samples(collection)
            after = replace(before, rejected=rejected, rejected_example=example)
            if failures:
                error, since = SourceError(failures[0].reason, failures[0].message, at), before.failing_since
                after = replace(after, last_error=error, failing_since=at if since is None else since)
            else:
                after = replace(after, last_success_at=at, failing_since=None)
            self._status[before.collector] = after

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
