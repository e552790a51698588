"""Samples stamped in the future: taken out of every collection, whatever brought them.

A source whose clock is a day ahead would else be believed for a day, and all that it says afterwards would be late.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from slo_guard.clock import iso
from slo_guard.collect.frames import Rejections, labels_text
from slo_guard.domain.readings import (
    Collection,
    EventBatch,
    Evidence,
    Frame,
    GaugeFrame,
    HistogramFrame,
    Observation,
    Reading,
)
from slo_guard.domain.series import LabelSet
from slo_guard.units import format_duration

TOLERANCE_SECONDS: Final = 60.0
"""How far clocks may be apart before a sample's time is not believed."""


def without_future(collection: Collection, seen_at: float) -> Collection:
    """Return ``collection`` without the samples stamped over a minute later than ``seen_at`` (Unix seconds).

    They are counted as rejected. A frame of such samples keeps its listing, at the time of the collection: the
    source answered and named its series. Sign-offs stay: they are judged by their own ``when``.
    """
    latest = seen_at + TOLERANCE_SECONDS
    observations = tuple(_checked(item, latest, seen_at, collection.started_at) for item in collection.observations)
    if all(new is old for new, old in zip(observations, collection.observations, strict=True)):
        return collection
    return replace(collection, observations=observations)


def _checked(item: Observation, latest: float, seen_at: float, now: float) -> Observation:
    if not isinstance(item, Reading) or _newest(item.frame) <= latest:
        return item
    frame: Frame
    match item.frame:
        case GaugeFrame() as gauge:
            there = np.ones(len(gauge.index), dtype=bool) if gauge.present is None else gauge.present
            blank, none = np.full(len(gauge.index), np.nan), np.zeros(len(gauge.index), dtype=bool)
            frame = replace(gauge, values=blank, at=now, present=none if len(none) else None)
            rows, at = np.flatnonzero(there), gauge.at
        case HistogramFrame() as histogram:
            there = np.ones(len(histogram.index), dtype=bool) if histogram.present is None else histogram.present
            blank, none = np.full_like(histogram.counts, np.nan), np.zeros(len(histogram.index), dtype=bool)
            frame = replace(histogram, counts=blank, at=now, present=none if len(none) else None)
            rows, at = np.flatnonzero(there), histogram.at
        case EventBatch() as events:
            kept = events.at <= latest
            frame = replace(events, series=events.series[kept], at=events.at[kept], values=events.values[kept])
            rows, at = events.series[~kept], float(events.at[~kept][0])
        case _:
            return item
    rejected = Rejections(item.rejected, item.example)
    if len(rows):
        rejected.add(len(rows), _example(item.frame.index.label_sets[int(rows[0])], at, seen_at))
    return replace(item, frame=frame, rejected=rejected.count, example=rejected.example)


def _newest(frame: Frame) -> float:
    match frame:
        case EventBatch():
            return float(frame.at.max(initial=-np.inf))
        case Evidence():
            return -np.inf
        case _:
            return frame.at


def _example(labels: LabelSet, at: float, seen_at: float) -> str:
    return f"{labels_text(labels)} is stamped {_instant(at)}, {format_duration(at - seen_at)} ahead of its collection"


def _instant(at: float) -> str:
    try:
        return iso(at)
    except (ValueError, OverflowError, OSError):  # beyond the year 9999
        return f"{at:.0f}"
