"""The one module that reads the wall clock; everywhere else ``now`` is a parameter."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def utcnow() -> datetime:
    """Return the present instant as an aware UTC datetime."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Return seconds on a clock that never goes back, for deadlines and durations."""
    return time.monotonic()


def to_unix(instant: datetime) -> float:
    """Return ``instant`` as Unix seconds; raises ``ValueError`` for a naive datetime."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant!r} has no time zone")
    return instant.timestamp()


def from_unix(seconds: float) -> datetime:
    """Return Unix ``seconds`` as an aware UTC datetime."""
    return datetime.fromtimestamp(seconds, UTC)


def iso(seconds: float) -> str:
    """Return Unix ``seconds`` as ISO 8601 in UTC with a ``Z``, milliseconds only where there are any."""
    instant = from_unix(round(seconds, 3))
    text = instant.isoformat(timespec="milliseconds" if instant.microsecond else "seconds")
    return text.replace("+00:00", "Z")
