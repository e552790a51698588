"""Recorded samples as observations, so that the evaluator sees them as it would see a collector's.

A samples file is CSV ``timestamp,indicator,value[,label…]`` or JSON lines
``{"timestamp", "indicator", "value", "labels"}``; timestamps are ISO 8601 with a zone or Unix seconds,
values are in base units, a histogram is one cumulative bucket a row with the label ``le``.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slo_guard.clock import iso
from slo_guard.domain.ports import StoredObservation
from slo_guard.domain.readings import (
    BoolArray,
    EventBatch,
    FloatArray,
    Frame,
    GaugeFrame,
    HistogramFrame,
    IndicatorSpec,
    IndicatorType,
    IntArray,
    Reading,
)
from slo_guard.domain.series import LabelSet, SeriesIndex, label_set
from slo_guard.errors import UnreadableError
from slo_guard.replay.sample_rows import SampleColumns, read_rows

COLLECTOR = "samples"
"""The collector that replayed readings are said to come from."""

_EXAMPLES = 3


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """A samples file, read.

    ``observations`` ascend in time, numbered from 1, ``seen_at`` being the samples' own time. ``rejected``
    counts NaN and Inf (``examples`` shows some), ``duplicates`` the repeats of an indicator, labels and
    timestamp that were dropped for the first one, ``ignored`` the rows of indicators that no rule reads, ``endless``
    the histograms that have no bucket for +Inf at some time (``endless_example`` is one).
    """

    observations: tuple[StoredObservation, ...]
    rejected: int = 0
    examples: tuple[str, ...] = ()
    duplicates: int = 0
    ignored: tuple[tuple[str, int], ...] = ()
    endless: int = 0
    endless_example: str = ""

    @property
    def notices(self) -> tuple[str, ...]:
        """What a user should know of the file, a sentence each."""
        said = []
        if self.rejected:
            said.append(f"{self.rejected:,} samples are NaN or infinite and count as missing ({self.examples[0]})")
        if self.duplicates:
            said.append(
                f"{self.duplicates:,} samples repeat an indicator, labels and timestamp: the first of each is used"
            )
        if self.endless:
            said.append(
                f"{self.endless:,} histograms have no bucket for +Inf at some time, without which there is no quantile "
                f"({self.endless_example}); write it as a row with le=+Inf"
            )
        if self.ignored:
            names = ", ".join(f"{name} ({count:,})" for name, count in self.ignored[:5])
            more = f" and {len(self.ignored) - 5} more" if len(self.ignored) > 5 else ""
            said.append(f"no rule reads these indicators, their rows are ignored: {names}{more}")
        return tuple(said)


def read_samples(path: Path, indicators: Mapping[str, IndicatorSpec]) -> Samples:
    """Read the samples of ``indicators`` from a file.

    Raises ``UnreadableError`` for a file that cannot be opened or is not UTF-8, ``SamplesError`` naming up
    to ten rows that do not parse.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file, _gc_paused():
            columns = read_rows(file, str(path), indicators)
            return assembled(columns, str(path))
    except UnicodeDecodeError:
        raise UnreadableError(f"{path}: is not UTF-8 text") from None
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read: {error.strerror or type(error).__name__}") from None


def assembled(columns: SampleColumns, file: str) -> Samples:
    """Return the rows of ``file`` as observations, one frame for each indicator and instant."""
    at, value, series = np.array(columns.at), np.array(columns.value), np.array(columns.series)
    finite = np.isfinite(value)
    examples = tuple(
        f"{file}:{columns.line[row]}: {columns.names[columns.series[row]][0]} at {iso(columns.at[row])}"
        for row in np.flatnonzero(~finite)[:_EXAMPLES]
    )
    at, value, series = at[finite], value[finite], series[finite]

    kinds = sorted({name for name, _ in columns.names})
    kind_codes = {name: code for code, name in enumerate(kinds)}
    kind_of_series = np.array([kind_codes[name] for name, _ in columns.names], dtype=np.int64)
    is_event = np.array([columns.wanted[name].type is IndicatorType.EVENT for name in kinds], dtype=np.bool_)
    kind = kind_of_series[series] if len(series) else series

    order = np.lexsort((series, kind, at))  # stable: of equal rows the first in the file stays first
    at, value, series, kind = at[order], value[order], series[order], kind[order]
    repeat = np.zeros(len(at), dtype=np.bool_)
    if len(at):
        repeat[1:] = (at[1:] == at[:-1]) & (series[1:] == series[:-1]) & ~is_event[kind[1:]]
    kept = ~repeat
    frames = _Frames(columns, kinds)
    observations = tuple(
        StoredObservation(number, reading)
        for number, reading in enumerate(frames.readings(at[kept], value[kept], series[kept], kind[kept]), 1)
    )
    return Samples(
        observations=observations,
        rejected=int(np.count_nonzero(~finite)),
        examples=examples,
        duplicates=int(np.count_nonzero(repeat)) + frames.repeated_bounds,
        ignored=tuple(sorted(columns.ignored.items())),
        endless=len(frames.endless),
        endless_example=next((_written(name, labels) for name, labels in frames.endless), ""),
    )


class _Frames:
    """Cuts sorted columns into one frame for each indicator and instant.

    ``repeated_bounds``: buckets left out since their histogram has one of the same bound, written otherwise ("1" is
    "1.0"); ``endless``: the histograms, by indicator and labels, that lacked a bucket for +Inf at any time.
    """

    def __init__(self, columns: SampleColumns, kinds: list[str]) -> None:
        self._names = columns.names
        self._kinds = kinds
        self._types = [columns.wanted[name].type for name in kinds]
        self._indexes: dict[bytes, SeriesIndex] = {}
        self.repeated_bounds = 0
        self.endless: dict[tuple[str, LabelSet], None] = {}

    def readings(self, at: FloatArray, value: FloatArray, series: IntArray, kind: IntArray) -> Iterator[Reading]:
        if not len(at):
            return
        new: BoolArray = np.ones(len(at), dtype=np.bool_)
        new[1:] = (at[1:] != at[:-1]) | (kind[1:] != kind[:-1])
        starts = np.flatnonzero(new)
        ends = np.append(starts[1:], len(at)).tolist()
        times, codes = at[starts].tolist(), kind[starts].tolist()
        for start, end, instant, code in zip(starts.tolist(), ends, times, codes, strict=True):
            frame = self._frame(self._types[code], instant, series[start:end], value[start:end])
            yield Reading(self._kinds[code], COLLECTOR, instant, frame)

    def _frame(self, kind: IndicatorType, at: float, series: IntArray, value: FloatArray) -> Frame:
        if kind is IndicatorType.HISTOGRAM:
            return self._histogram(at, series, value)
        if kind is IndicatorType.EVENT:
            distinct, rows = np.unique(series, return_inverse=True)
            return EventBatch(self._index(distinct), rows.astype(np.int64), np.full(len(series), at), value)
        return GaugeFrame(self._index(series), value, at)

    def _index(self, series: IntArray) -> SeriesIndex:
        key = series.tobytes()
        found = self._indexes.get(key)
        if found is None:
            found = self._indexes[key] = SeriesIndex.of(self._names[number][1] for number in series.tolist())
        return found

    def _histogram(self, at: float, series: IntArray, counts: FloatArray) -> HistogramFrame:
        rows: dict[LabelSet, int] = {}
        row_of, bound_of = [], []
        for number in series.tolist():
            labels = dict(self._names[number][1])
            bound_of.append(float(labels.pop("le")))
            row_of.append(rows.setdefault(label_set(labels), len(rows)))
        bounds = np.unique(np.array([*bound_of, np.inf]))
        table = np.full((len(rows), len(bounds)), np.nan)
        cells = np.array(row_of) * len(bounds) + np.searchsorted(bounds, bound_of)
        distinct, first = np.unique(cells, return_index=True)
        table.reshape(-1)[distinct] = counts[first]
        self.repeated_bounds += len(cells) - len(distinct)
        if np.isnan(table[:, -1]).any():
            name, series_labels = self._names[int(series[0])][0], list(rows)
            self.endless |= dict.fromkeys((name, series_labels[row]) for row in np.flatnonzero(np.isnan(table[:, -1])))
        return HistogramFrame(SeriesIndex.of(rows), bounds, table, at)


def _written(name: str, labels: LabelSet) -> str:
    return name + "{" + ", ".join(f"{label}={value}" for label, value in labels) + "}"


@contextmanager
def _gc_paused() -> Iterator[None]:
    """Hold off the garbage collector: it would walk millions of new objects again and again and free none."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
