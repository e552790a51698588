"""Instants as people write them in samples files and on the command line."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from slo_guard.clock import iso

_FIRST_MILLISECONDS = 1e11
"""No Unix seconds of this era are as large; a number above is milliseconds or finer."""


def parse_instant(text: str) -> float:
    """Return ISO 8601 with a zone, or Unix seconds, as Unix seconds.

    Raises ``ValueError`` that says what is wrong with ``text`` and what to write instead.
    """
    text = text.strip()
    try:
        seconds = float(text)
    except ValueError:
        return _from_iso(text)
    return unix_seconds(seconds, text)


def unix_seconds(seconds: float, written: str) -> float:
    """Return ``seconds`` if they can be an instant; raises ``ValueError`` as :func:`parse_instant` does."""
    if not math.isfinite(seconds) or "_" in written:
        raise ValueError(f"timestamp {written!r} is not an instant; write 2026-07-06T10:00:00Z or Unix seconds")
    if seconds >= _FIRST_MILLISECONDS:
        scale = 10 ** (3 * max(1, math.ceil((math.log10(seconds) - 11) / 3)))
        raise ValueError(f"timestamp {written} is finer than seconds; write Unix seconds, here {seconds / scale:.3f}")
    if seconds < 0:
        raise ValueError(f"timestamp {written} is before 1970; write 2026-07-06T10:00:00Z or Unix seconds")
    return seconds


def _from_iso(text: str) -> float:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"timestamp {text!r} is not an instant; write 2026-07-06T10:00:00Z or Unix seconds") from None
    if instant.tzinfo is None:
        example = iso(instant.replace(tzinfo=UTC).timestamp()) if instant.year >= 1970 else "2026-07-06T10:00:00Z"
        raise ValueError(f"timestamp {text!r} has no time zone; write {example}")
    return unix_seconds(instant.timestamp(), text)
