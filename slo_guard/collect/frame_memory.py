"""Which frames of a source that gives its history again and again were given before."""

from __future__ import annotations

import hashlib
from collections.abc import Collection as Container
from collections.abc import Sequence
from typing import Final

import numpy as np

from slo_guard.domain.readings import GaugeFrame, Reading

MOST_REMEMBERED: Final = 10_000
"""Frames of the last answer that are remembered; of more, the oldest are given again."""


def new_frames(readings: Sequence[Reading], given: Container[str]) -> tuple[list[Reading], list[str]]:
    """Return the readings that were not given before, and the marks of all to know them by next time.

    The last reading is always among them: it says that the source answered, which series it has, and what of its
    answer was not usable.
    """
    marks = [_mark(reading.frame) for reading in readings if isinstance(reading.frame, GaugeFrame)]
    new = [reading for reading, mark in zip(readings[:-1], marks[:-1], strict=True) if mark not in given]
    return [*new, readings[-1]], marks[-MOST_REMEMBERED:]


def _mark(frame: GaugeFrame) -> str:
    """Return what tells a frame's samples from others, whatever the order of its rows and whichever series it lacks."""
    rows = np.arange(len(frame.index)) if frame.present is None else np.flatnonzero(frame.present)
    samples = sorted(zip((frame.index.label_sets[row] for row in rows), frame.values[rows].tolist(), strict=True))
    content = repr((frame.at, samples)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, digest_size=9).hexdigest()
