"""What one collection brought: frames over series, and the failures beside them.

All instants are Unix seconds (UTC) as float; all values are in base units (seconds, ratios, bytes, counts).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from slo_guard.domain.series import LabelSet, SeriesIndex

FloatArray: TypeAlias = npt.NDArray[np.float64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
IntArray: TypeAlias = npt.NDArray[np.int64]


class IndicatorType(StrEnum):
    """What the samples of an indicator are."""

    GAUGE = "gauge"
    COUNTER = "counter"
    EVENT = "event"
    HISTOGRAM = "histogram"
    PERCENTILE = "percentile"
    BOOL = "bool"


@dataclass(frozen=True, slots=True)
class IndicatorSpec:
    """What a collector declares of an indicator: its name, type, base unit and collector.

    ``unit`` is a base unit (``seconds``, ``ratio``, ``bytes``), ``""`` for plain numbers, or ``None``
    where nobody stated one (samples without a config): then values are taken to be in base units.
    """

    name: str
    type: IndicatorType
    unit: str | None = None
    collector: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class GaugeFrame:
    """One sample of each present series at one instant (gauge, counter, percentile and bool indicators).

    ``index`` is the listing: all series that the source has, those without a sample at this instant too.
    ``values``: float64 of shape (n,), finite wherever ``present``; ``present``: bool of shape (n,), or
    ``None`` when all are. A source that stamps its samples with several times gives several frames.
    A successful collection that found no series is a frame over the empty index. ``increment``: only what is
    new stands in it (the new rows of a file or a table), so that it says nothing of the series that it lacks.
    """

    index: SeriesIndex
    values: FloatArray
    at: float
    present: BoolArray | None = None
    increment: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class EventBatch:
    """Raw observations, each with its own time.

    ``series``: int64 of shape (m,), rows of ``index``; ``at``, ``values``: float64 of shape (m,).
    """

    index: SeriesIndex
    series: IntArray
    at: FloatArray
    values: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class HistogramFrame:
    """Cumulative bucket counts of each series at one instant.

    ``bounds``: float64 of shape (b,), ascending, the last one +Inf; ``counts``: float64 of shape (n, b),
    NaN where a series lacks that bucket; ``present`` as in :class:`GaugeFrame`.
    """

    index: SeriesIndex
    bounds: FloatArray
    counts: FloatArray
    at: float
    present: BoolArray | None = None


@dataclass(frozen=True, slots=True)
class SignOff:
    """Somebody's word that something is so (or, with ``value`` False, no longer so).

    ``when`` is the instant that is judged; ``entered_at`` the instant it was written down (None: not
    recorded); later than ``when`` by over a minute counts as backdated.
    """

    labels: LabelSet
    value: bool
    by: str
    when: float
    link: str | None = None
    entered_at: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All sign-offs known for an indicator at one successful collection; none is an unsigned indicator."""

    sign_offs: tuple[SignOff, ...]
    at: float


Frame: TypeAlias = GaugeFrame | EventBatch | HistogramFrame | Evidence


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One indicator's part of a successful collection.

    ``at`` in the frame is the samples' own time, ``seen_at`` when we got them. ``rejected`` counts samples
    that were not usable (NaN, Inf, duplicates), with ``example`` showing the first.
    """

    indicator: str
    collector: str
    seen_at: float
    frame: Frame
    rejected: int = 0
    example: str | None = None

    @property
    def indicators(self) -> tuple[str, ...]:
        """The indicator as a tuple of one, so that readings and failures can be handled alike."""
        return (self.indicator,)


@dataclass(frozen=True, slots=True)
class CollectionFailure:
    """A collection that brought nothing for ``indicators``: a named ``reason`` and a message for people."""

    collector: str
    indicators: tuple[str, ...]
    seen_at: float
    reason: str
    message: str


Observation: TypeAlias = Reading | CollectionFailure


@dataclass(frozen=True, slots=True, eq=False)
class Collection:
    """One run of a collector: its readings and failures, and the cursor to go on from next time.

    ``cursor`` is the collector's own opaque text (a file offset, a high-water mark); None keeps the old one.
    """

    collector: str
    started_at: float
    observations: tuple[Observation, ...]
    cursor: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether every indicator of the run was read."""
        return not any(isinstance(item, CollectionFailure) for item in self.observations)
