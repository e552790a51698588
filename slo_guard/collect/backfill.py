"""What a source with a memory is asked for beyond the present: the sprint so far, and gaps after an outage.

How far an indicator has been read is kept in the collector's cursor. History comes before the present, in
ascending time and never again: a late frame behind a newer one would be dropped. So while history is missing, the
present waits, and a source that cannot give history is asked in three runs and then no more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import orjson

MAX_TRIES: Final = 3
MAX_POINTS: Final = 11_000
MAX_VALUES: Final = 20_000_000
MAX_CHUNK_VALUES: Final = 400_000
GAP_INTERVALS: Final = 2.5
_CURSOR_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an indicator has been read.

    ``at``: its last sample's time, None before the first; ``tries``: runs in a row in which its history could
    not be read; ``step``: the distance of history's points while it is being read over several runs.
    """

    at: float | None = None
    tries: int = 0
    step: float | None = None

    def failed(self) -> Progress:
        """Return the progress after one more run without history."""
        return replace(self, tries=self.tries + 1)

    @property
    def gave_up(self) -> bool:
        """Whether history was asked for often enough."""
        return self.tries >= MAX_TRIES


@dataclass(frozen=True, slots=True)
class Stretch:
    """Points of time to ask for: ``start``, ``start + step``, …, ``count`` of them, all before the present."""

    start: float
    step: float
    count: int

    @property
    def end(self) -> float:
        """The last point."""
        return self.start + (self.count - 1) * self.step

    def first(self, count: int) -> Stretch:
        """Return its first ``count`` points at most."""
        return replace(self, count=min(count, self.count))

    def behind(self, first: Stretch) -> Stretch:
        """Return what is left of it once its ``first`` points are read; it may have none."""
        return Stretch(first.end + self.step, self.step, self.count - first.count)


def missing_stretch(
    progress: Progress, now: float, interval: float, history_from: float | None, series: int, *, gaps: bool
) -> Stretch | None:
    """Return what lies between what was read and ``now``, or None if nothing is missing.

    Before the first sample that is all since ``history_from``; later, if ``gaps``, any time longer than 2.5
    intervals. The step is the interval, made longer so that there are at most 11,000 points and 20 million values.
    """
    if history_from is None or progress.gave_up:
        return None
    if progress.at is None:
        start = history_from
    elif progress.step is not None:
        start = progress.at + progress.step
    elif gaps and now - progress.at > GAP_INTERVALS * interval:
        start = max(progress.at + interval, history_from)
    else:
        return None
    span = now - start
    if span <= interval / 2:
        return None
    step = progress.step
    if step is None:
        points = max(1, min(MAX_POINTS, MAX_VALUES // max(series, 1)))
        step = interval * max(1, math.ceil(span / points / interval))
    return Stretch(start, step, max(1, math.ceil((span - interval / 2) / step)))


def chunk_points(series: int) -> int:
    """Return how many points one request may ask for, so that its answer stays within bounds."""
    return max(1, min(MAX_POINTS, MAX_CHUNK_VALUES // max(series, 1)))


def encode_progress(progress: Mapping[str, Progress]) -> str:
    """Return the cursor's text."""
    indicators = {name: {"at": each.at, "tries": each.tries, "step": each.step} for name, each in progress.items()}
    return orjson.dumps({"version": _CURSOR_VERSION, "indicators": indicators}).decode()


def decode_progress(cursor: str | None) -> dict[str, Progress]:
    """Return the progress in a cursor; nothing for None and for a text that is not one of ours."""
    try:
        content = orjson.loads(cursor or "")
        if content["version"] != _CURSOR_VERSION:
            return {}
        return {
            name: Progress(
                None if each["at"] is None else float(each["at"]),
                int(each["tries"]),
                None if each["step"] is None else float(each["step"]),
            )
            for name, each in content["indicators"].items()
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}
