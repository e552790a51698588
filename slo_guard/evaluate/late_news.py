"""What comes after a sprint's close and yet was so within it: late readings, late rows, late sign-offs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from slo_guard.domain.readings import (
    CollectionFailure,
    EventBatch,
    Evidence,
    GaugeFrame,
    HistogramFrame,
    Observation,
    SignOff,
)
from slo_guard.evaluate.inputs import Input

RESTATED_FOR_SECONDS = 14 * 86_400.0
"""So long after its end a sprint is restated: a start reads back what closed sprints were judged by until then."""


def late_news(sources: Sequence[Input], observations: Sequence[Observation], end: float) -> list[Observation]:
    """Return the part of ``observations``, of one indicator, that tells anything new of the time up to ``end``.

    ``sources``: the inputs that read the indicator. Readings count by their samples' own times, events each by its
    own, sign-offs by their ``when``. What an answer lacks is news where nothing was known at the end: that there was
    nothing, too. Nothing is news for longer than :data:`RESTATED_FOR_SECONDS`.
    """
    found: list[Observation] = []
    known = all(source.answers(end) for source in sources)
    said = next((_signed(source.evidence, end) for source in sources if source.evidence is not None), None)
    for item in observations:
        if isinstance(item, CollectionFailure) or item.seen_at > end + RESTATED_FOR_SECONDS:
            continue
        match item.frame:
            case GaugeFrame() as frame:
                if frame.at <= end and (not sources or any(_is_newer(source, frame) for source in sources)):
                    found.append(item)
            case EventBatch() as batch:
                inside = batch.at <= end
                if inside.any() or not known:
                    found.append(replace(item, frame=_only(batch, np.flatnonzero(inside))))
                    known = True
            case Evidence() as evidence:
                signed = _signed(evidence, end)
                if signed != said or not known:
                    found.append(replace(item, frame=Evidence(signed, evidence.at)))
                    said, known = signed, True
            case HistogramFrame():
                continue
    return found


def _is_newer(source: Input, frame: GaugeFrame) -> bool:
    """Whether a frame has a sample that is newer than what is known of its series: only such samples are taken in."""
    values = source.rows.spread(frame)
    if len(values) > len(source.latest_at):
        return True
    return bool((~np.isnan(values) & ~(frame.at <= source.latest_at)).any())


def _only(batch: EventBatch, kept: np.ndarray[tuple[int], np.dtype[np.int64]]) -> EventBatch:
    return EventBatch(batch.index, batch.series[kept], batch.at[kept], batch.values[kept])


def _signed(evidence: Evidence, end: float) -> tuple[SignOff, ...]:
    return tuple(each for each in evidence.sign_offs if each.when <= end)
