"""From label sets and numbers to frames: base units, duplicates, NaN, and an index that stays the same object."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
import orjson

from slo_guard.domain.readings import BoolArray, FloatArray, GaugeFrame, IntArray, Observation, Reading
from slo_guard.domain.series import EMPTY_INDEX, LabelSet, SeriesIndex

_EXAMPLE_LENGTH = 200
_POWERS_OF_TEN = (1.0, 1e3, 1e6, 1e9, 1e13)
"""With the largest divisor, of nanoseconds, 1e22: the largest power of ten that is a float exactly."""
_EXACT_BELOW = 2.0**53
_NUMBER = re.compile(rb"[+-]?(?:[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?|\.[0-9]+(?:e[+-]?[0-9]+)?|inf|nan)", re.IGNORECASE)
_JSON_NUMBER_BYTES = b"0123456789+-.eE,"
_NUMBER_BYTES = _JSON_NUMBER_BYTES + b"InfNa"


@dataclass(slots=True)
class Rejections:
    """How many samples were not usable, and the first of them in words."""

    count: int = 0
    example: str | None = None

    def add(self, count: int, example: str | None) -> None:
        """Count ``count`` more; the first example is kept, cut to a bounded length."""
        if count > 0:
            self.count += count
            if self.example is None and example is not None:
                self.example = example[:_EXAMPLE_LENGTH]


def scrubbed_examples(observations: Iterable[Observation], scrub: Callable[[str], str]) -> tuple[Observation, ...]:
    """Return ``observations``, their examples as ``scrub`` leaves what a peer wrote."""
    return tuple(
        replace(item, example=scrub(item.example)) if isinstance(item, Reading) and item.example is not None else item
        for item in observations
    )


@dataclass(frozen=True, slots=True, eq=False)
class SeriesLayout:
    """Which row of ``index`` each sample of an answer belongs to.

    ``rows``: int64 of shape (m,), -1 for a duplicate; None where sample i is row i. ``repeats``: the row of each
    duplicate, -1 for the others; None where there are none. ``duplicates`` counts them, ``example`` shows the first.
    """

    index: SeriesIndex
    rows: IntArray | None = None
    repeats: IntArray | None = None
    duplicates: int = 0
    example: str | None = None

    def row_of_each(self) -> IntArray:
        """Return the row of every sample, duplicates too, shape (m,)."""
        if self.rows is None:
            return np.arange(len(self.index), dtype=np.int64)
        return self.rows if self.repeats is None else np.where(self.rows < 0, self.repeats, self.rows)

    def place(self, values: FloatArray) -> FloatArray:
        """Return samples' values of shape (m,) as values of rows, shape (n,); NaN for a row without a sample.

        A series that comes twice with different values has none: nobody can say which of them is right, and one
        of them may be within the objective.
        """
        if self.rows is None:
            return values
        placed = np.full(len(self.index), np.nan)
        kept = self.rows >= 0
        placed[self.rows[kept]] = values[kept]
        if self.repeats is not None:
            again = self.repeats >= 0
            rows = self.repeats[again]
            placed[rows[placed[rows] != values[again]]] = np.nan
        return placed


NOTHING = SeriesLayout(EMPTY_INDEX)


def layout_of(label_sets: Sequence[LabelSet], previous: SeriesIndex | None = None) -> SeriesLayout:
    """Lay out samples in the order given.

    ``previous`` is used again if it has the same label sets in whatever order: a source that shuffles its
    answers must not cost everybody downstream their caches.
    """
    if previous is not None and previous.label_sets == tuple(label_sets):
        return SeriesLayout(previous)
    if (
        previous is not None
        and len(previous) <= len(label_sets)
        and all(map(previous.positions.__contains__, label_sets))
    ):
        layout = _placed(label_sets, previous)
        if layout.rows is not None and len(layout.rows) - layout.duplicates == len(previous):
            return layout
    # Hashing so many label sets is what the first answer costs: duplicates are only looked for if there are any.
    try:
        return SeriesLayout(SeriesIndex.of(label_sets))
    except ValueError:
        return _placed(label_sets, SeriesIndex.of(dict.fromkeys(label_sets)))


def layout_within(label_sets: Sequence[LabelSet], base: SeriesIndex) -> SeriesLayout:
    """Lay out samples over ``base``, extended behind its end by the label sets that it lacks."""
    extra = [labels for labels in dict.fromkeys(label_sets) if labels not in base.positions]
    index = SeriesIndex.of((*base.label_sets, *extra)) if extra else base
    return _placed(label_sets, index)


def layout_at(index: SeriesIndex, rows: IntArray) -> SeriesLayout:
    """Lay out the samples of one instant over all of ``index``: sample i is of row ``rows[i]``, perhaps not alone."""
    distinct, firsts = np.unique(rows, return_index=True)
    if len(distinct) == len(rows):
        return SeriesLayout(index, rows)
    placed = np.full(len(rows), -1, dtype=np.int64)
    placed[firsts] = distinct
    repeats = np.where(placed < 0, rows, -1)
    again = repeats[repeats >= 0]
    example = f"{labels_text(index.label_sets[int(again[0])])} comes twice"
    return SeriesLayout(index, placed, repeats, len(again), example)


def _placed(label_sets: Sequence[LabelSet], index: SeriesIndex) -> SeriesLayout:
    rows = np.full(len(label_sets), -1, dtype=np.int64)
    repeats = np.full(len(label_sets), -1, dtype=np.int64)
    taken = np.zeros(len(index), dtype=bool)
    example: str | None = None
    for sample, labels in enumerate(label_sets):
        row = index.positions[labels]
        if not taken[row]:
            taken[row] = True
            rows[sample] = row
            continue
        repeats[sample] = row
        if example is None:
            example = f"{labels_text(labels)} comes twice"
    duplicates = int((rows < 0).sum())
    return SeriesLayout(index, rows, repeats if duplicates else None, duplicates, example)


def gauge_frame(
    layout: SeriesLayout, raw: FloatArray, at: float, *, factor: float, is_bool: bool, rejected: Rejections
) -> GaugeFrame:
    """Return samples ``raw``, shape (m,), in the source's unit, as a frame in base units.

    NaN and Inf, and for a bool what is neither 0 nor 1, are not present, and are counted in ``rejected``
    together with duplicates.
    """
    values = to_base(raw, factor)
    usable = np.isfinite(values)
    if is_bool:
        usable &= (values == 0) | (values == 1)
    kept = slice(None) if layout.rows is None else layout.rows >= 0
    wrong = int((~usable[kept]).sum())
    if wrong:
        first = int(np.flatnonzero(~usable & (True if layout.rows is None else layout.rows >= 0))[0])
        row = first if layout.rows is None else int(layout.rows[first])
        rejected.add(wrong, f"{labels_text(layout.index.label_sets[row])} is {raw[first]:g}")
        values = np.where(usable, values, np.nan)
    rejected.add(layout.duplicates, layout.example)
    placed = layout.place(values)
    present: BoolArray | None = None
    if wrong or layout.rows is not None:
        present = np.isfinite(placed)
    return GaugeFrame(layout.index, placed, at, None if present is None or present.all() else present)


def to_base(values: FloatArray, factor: float) -> FloatArray:
    """Return ``values`` in the base unit, to the last bit what the rule files' ``830ms`` or ``0.07%`` become.

    A number that was written in decimals is scaled as those: as a whole number of thousandths, billionths or
    smaller, which is exact, divided once by a power of ten, which rounds once.
    """
    if factor == 1.0:
        return values
    multiplier, divisor = (factor, 1.0) if factor > 1 else (1.0, float(round(1 / factor)))
    with np.errstate(over="ignore", invalid="ignore"):
        scaled: FloatArray = values * multiplier / divisor
        rest = np.flatnonzero(np.isfinite(values))
        for power in _POWERS_OF_TEN:
            numbers = values[rest]
            whole = np.rint(numbers * power)
            exact = (np.abs(whole) * multiplier < _EXACT_BELOW) & (whole / power == numbers)
            scaled[rest[exact]] = whole[exact] * multiplier / (power * divisor)
            rest = rest[~exact]
            if not len(rest):
                break
    return scaled


def parse_numbers(texts: Sequence[bytes]) -> FloatArray:
    """Return numbers as sources write them (``1``, ``1e-05``, ``NaN``, ``+Inf``); NaN for what is not a number.

    As many as 100,000 at once: plain numbers go through orjson, which is the fastest parser of numbers here.
    """
    joined = b",".join(texts)
    if not joined.translate(None, _JSON_NUMBER_BYTES):
        try:
            numbers = orjson.loads(b"[" + joined + b"]")
        except orjson.JSONDecodeError:
            pass
        else:
            if len(numbers) == len(texts):
                return np.array(numbers, dtype=np.float64)
    if not joined.translate(None, _NUMBER_BYTES):
        try:
            return np.fromiter(map(float, texts), dtype=np.float64, count=len(texts))
        except ValueError:
            pass
    return np.array([_number(text) for text in texts], dtype=np.float64)


def _number(text: bytes) -> float:
    return float(text) if _NUMBER.fullmatch(text) else float("nan")


def labels_text(labels: LabelSet) -> str:
    """Return labels as Prometheus writes them: ``{system="fs"}``."""
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels) + "}"


_pauses = 0
_pause_lock = Lock()


@contextmanager
def collector_paused() -> Iterator[None]:
    """Hold Python's garbage collector while many objects are made: it would look at each of them again and again.

    Nests and may be used from several threads; the last one out turns it on again.
    """
    global _pauses  # noqa: PLW0603 - the garbage collector is one for the process
    with _pause_lock:
        _pauses += 1
        gc.disable()
    try:
        yield
    finally:
        with _pause_lock:
            _pauses -= 1
            if _pauses == 0:
                gc.enable()
