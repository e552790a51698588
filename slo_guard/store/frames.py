"""Observations as rows: which kind, over which index, and the block that holds the rest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from slo_guard.domain.readings import (
    CollectionFailure,
    EventBatch,
    Evidence,
    Frame,
    GaugeFrame,
    HistogramFrame,
    Observation,
    SignOff,
)
from slo_guard.domain.series import SeriesIndex
from slo_guard.store.blocks import BlockError, pack_block
from slo_guard.store.documents import labels_from, storable

GAUGE, INCREMENT, EVENTS, HISTOGRAM, EVIDENCE, FAILURE = (
    "gauge",
    "increment",
    "events",
    "histogram",
    "evidence",
    "failure",
)


@dataclass(frozen=True, slots=True, eq=False)
class EncodedObservation:
    """An observation ready to be inserted; all the costly work is done before the writer's lock is taken."""

    kind: str
    indicator: str | None
    collector: str
    at: float | None
    index: SeriesIndex | None
    rejected: int
    example: str | None
    block: bytes


def encode_observation(observation: Observation) -> EncodedObservation:
    """Return ``observation`` as a row, ``seen_at`` aside."""
    if isinstance(observation, CollectionFailure):
        content = {
            "indicators": observation.indicators,
            "reason": observation.reason,
            "message": observation.message,
        }
        block = pack_block(json.dumps(content).encode())
        return EncodedObservation(FAILURE, None, observation.collector, None, None, 0, None, block)
    kind, at, index, block = _encode_frame(observation.frame)
    return EncodedObservation(
        kind=kind,
        indicator=observation.indicator,
        collector=observation.collector,
        at=at,
        index=index,
        rejected=observation.rejected,
        example=storable(observation.example),
        block=block,
    )


def decode_failure(columns: list[Any], collector: str, seen_at: float) -> CollectionFailure:
    """Return the failure whose columns were stored."""
    content = json.loads(columns[0])
    return CollectionFailure(collector, tuple(content["indicators"]), seen_at, content["reason"], content["message"])


def _encode_frame(frame: Frame) -> tuple[str, float | None, SeriesIndex | None, bytes]:
    match frame:
        case GaugeFrame():
            kind = INCREMENT if frame.increment else GAUGE
            return kind, frame.at, frame.index, pack_block(frame.values, frame.present)
        case EventBatch():
            return EVENTS, None, frame.index, pack_block(frame.series, frame.at, frame.values)
        case HistogramFrame():
            counts = np.ascontiguousarray(frame.counts).reshape(-1)
            return HISTOGRAM, frame.at, frame.index, pack_block(frame.bounds, counts, frame.present)
        case Evidence():
            rows = [[s.labels, s.value, s.by, s.when, s.link, s.entered_at] for s in frame.sign_offs]
            return EVIDENCE, frame.at, None, pack_block(json.dumps(rows).encode())


def decode_frame(kind: str, columns: list[Any], index: SeriesIndex | None, at: float | None) -> Frame:
    """Return the frame whose columns were stored. Raises ``BlockError``."""
    match kind, index, at:
        case "gauge" | "increment", SeriesIndex(), float():
            return GaugeFrame(index, columns[0], at, columns[1], increment=kind == INCREMENT)
        case "events", SeriesIndex(), None:
            return EventBatch(index, columns[0], columns[1], columns[2])
        case "histogram", SeriesIndex(), float():
            return HistogramFrame(index, columns[0], columns[1].reshape(len(index), len(columns[0])), at, columns[2])
        case "evidence", None, float():
            return Evidence(_sign_offs(columns[0]), at)
        case _:
            raise BlockError(f"a reading of the kind {kind!r} is not complete")


@lru_cache(maxsize=256)
def _sign_offs(text: bytes) -> tuple[SignOff, ...]:
    """Return the sign-offs of a text; of one that has not changed since the last collection, the same object."""
    return tuple(_sign_off(row) for row in json.loads(text))


def _sign_off(row: list[Any]) -> SignOff:
    labels, value, by, when, link, entered_at = row
    return SignOff(labels_from(labels), value, by, when, link, entered_at)
