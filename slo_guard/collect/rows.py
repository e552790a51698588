"""From rows (labels, value, time) to readings: for sources that give their samples one by one."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

import numpy as np

from slo_guard.collect.frames import Rejections, SeriesLayout, labels_text, layout_of, layout_within, to_base
from slo_guard.collect.options import RowIndicatorOptions
from slo_guard.domain.readings import EventBatch, FloatArray, Frame, GaugeFrame, IntArray, Reading
from slo_guard.domain.series import EMPTY_INDEX, LabelSet, SeriesIndex

_TRUTHS = {"true": 1.0, "false": 0.0}
_LONGEST_LABEL = 1000
_MOST_OTHER_SERIES = 8
_FEW_SERIES = 128


def row_labels(labels: Mapping[str, object]) -> LabelSet:
    """Return a row's labels as texts, without those that are empty; raises ``ValueError`` naming what is no label."""
    found: list[tuple[str, str]] = []
    for name, value in labels.items():
        match value:
            case None | "":
                continue
            case bool():
                text = str(value).lower()
            case int() | str():
                text = str(value)
            case float() if np.isfinite(value):
                text = f"{value:g}"
            case _:
                raise ValueError(f"the label {name} is a {type(value).__name__}, not a text")
        if len(text) > _LONGEST_LABEL:
            raise ValueError(f"the label {name} is longer than {_LONGEST_LABEL:,} characters")
        if not text.isprintable():
            raise ValueError(f"the label {name} holds control characters")
        found.append((name, text))
    return tuple(sorted(found))


def row_value(value: object, *, is_bool: bool) -> float:
    """Return a row's value, in the source's unit; raises ``ValueError`` that says what is wrong with it.

    Texts of numbers are numbers; true and false, also as texts, are values of bools only. NaN and Inf are refused.
    """
    if isinstance(value, bool):
        if is_bool:
            return float(value)
        raise ValueError(f"the value is {str(value).lower()}, not a number")
    if value is None or value == "":
        raise ValueError("the value is empty")
    if isinstance(value, str):
        word = value.strip().lower()
        if is_bool and word in _TRUTHS:
            return _TRUTHS[word]
        if "_" in word:
            raise ValueError(f"the value {value[:40]!r} is not a number")
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        shown = repr(value)[:40] if isinstance(value, str) else f"a {type(value).__name__}"
        raise ValueError(f"the value is {shown}, not a number") from None
    if not np.isfinite(number):
        raise ValueError(f"the value is {number:g}")
    if is_bool and number not in (0.0, 1.0):
        raise ValueError(f"the value is {number:g}, neither true nor false")
    return number


class RowTable:
    """Gathers an indicator's rows of one collection; what cannot be used is counted, and the first of it shown.

    ``increment``: the rows are only what is new since the last collection, so that a series which they lack is not
    gone. ``previous`` is the index of the last collection, used again where its series are the same.
    """

    def __init__(self, indicator: RowIndicatorOptions, collector: str, *, increment: bool) -> None:
        self.rejected = Rejections()
        self.index: SeriesIndex | None = None
        self._indicator = indicator
        self._collector = collector
        self._increment = increment
        self._at = array("d")
        self._value = array("d")
        self._row = array("q")
        self._rows: dict[LabelSet, int] = {}
        self._instants: set[float] = set()

    def __len__(self) -> int:
        return len(self._at)

    @property
    def series(self) -> int:
        """How many series the rows are of."""
        return len(self._rows)

    @property
    def instants(self) -> int:
        """How many different times the rows have: of all types but events each becomes a frame over all series."""
        return len(self._instants)

    @property
    def is_bool(self) -> bool:
        """Whether values are true or false."""
        return self._indicator.type == "bool"

    def add(self, labels: LabelSet, value: float, at: float) -> None:
        """Take in a row: a value from :func:`row_value` and its own time (Unix seconds)."""
        self._row.append(self._rows.setdefault(labels, len(self._rows)))
        self._value.append(value)
        self._at.append(at)
        self._instants.add(at)

    def reject(self, place: str, problem: str) -> None:
        """Count a row that cannot be used; ``place`` is where it stands, such as ``sessions.csv:12``."""
        self.rejected.add(1, f"{place}: {problem}")

    def readings(self, now: float, previous: SeriesIndex | None = None) -> list[Reading]:
        """Return the rows as readings, ascending in time; at least one, which may be empty.

        An event's rows are one batch. Of other types each instant is a frame of its own, whose index holds all
        series of this collection: those without a sample at that instant are not present in it.
        """
        at, values = np.array(self._at), to_base(np.array(self._value), self._indicator.factor)
        layout = self._layout(previous)
        self.index = layout.index
        rows = np.array(self._row, dtype=np.int64)
        rows = rows if layout.rows is None else layout.rows[rows]
        if self._indicator.type == "event":
            order = np.argsort(at, kind="stable")
            return [self._reading(EventBatch(layout.index, rows[order], at[order], values[order]), now)]
        if not len(at):
            return [self._reading(GaugeFrame(EMPTY_INDEX, np.empty(0), now, increment=self._increment), now)]
        instants, which = np.unique(at, return_inverse=True)
        order = np.argsort(which, kind="stable")
        ends = np.cumsum(np.bincount(which, minlength=len(instants)))[:-1]
        parts = zip(np.split(rows[order], ends), np.split(values[order], ends), instants.tolist(), strict=True)
        frames = [self._frame(layout.index, *part) for part in parts]
        return [self._reading(frame, now, last=frame is frames[-1]) for frame in frames]

    def _layout(self, previous: SeriesIndex | None) -> SeriesLayout:
        """Lay out the rows; of an increment over all series of late, or each few that come would be an index anew."""
        if self._increment and previous is not None and self._rows:
            layout = layout_within(tuple(self._rows), previous)
            if len(layout.index) <= _MOST_OTHER_SERIES * max(len(self._rows), _FEW_SERIES):
                return layout
        return layout_of(tuple(self._rows), previous)

    def _frame(self, index: SeriesIndex, rows: IntArray, values: FloatArray, at: float) -> GaugeFrame:
        first = np.full(len(rows), -1, dtype=np.int64)
        distinct, firsts = np.unique(rows, return_index=True)
        first[firsts] = distinct
        repeats = np.where(first < 0, rows, -1)
        again = int((first < 0).sum())
        if again:
            labels = index.label_sets[int(repeats[repeats >= 0][0])]
            self.rejected.add(again, f"{labels_text(labels)} comes twice at one time")
        placed = SeriesLayout(index, first, repeats if again else None).place(values)
        present = np.isfinite(placed)
        return GaugeFrame(index, placed, at, None if present.all() else present, increment=self._increment)

    def _reading(self, frame: Frame, now: float, *, last: bool = True) -> Reading:
        """Return a frame as a reading; what was rejected is told with the last one, so that it is told once."""
        rejected = self.rejected if last else Rejections()
        return Reading(self._indicator.name, self._collector, now, frame, rejected.count, rejected.example)
