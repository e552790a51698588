"""Which series of a frame a KPI reads, in which row of its buffers, and in which group they fold."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from slo_guard.domain.kpi import Combine, Matcher, MatchOp
from slo_guard.domain.readings import BoolArray, FloatArray, GaugeFrame, IntArray
from slo_guard.domain.series import LabelSet, SeriesIndex
from slo_guard.evaluate.history import grown, grown_flags
from slo_guard.patterns import compile_pattern

Positions: TypeAlias = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Where a frame's series go: positions ``take`` of the frame into ``rows`` of the table."""

    take: Positions | slice
    rows: Positions | slice


class Groups:
    """The ``by`` label sets of a KPI, numbered in the order in which they were first seen; only grows."""

    def __init__(self, by: tuple[str, ...]) -> None:
        self.by = tuple(sorted(by))
        self.labels: list[LabelSet] = []
        self._code: dict[LabelSet, int] = {}

    def __len__(self) -> int:
        return len(self.labels)

    def code(self, labels: LabelSet) -> int:
        """Return the number of a ``by`` label set, a new one where it is new."""
        code = self._code.get(labels)
        if code is None:
            code = self._code[labels] = len(self.labels)
            self.labels.append(labels)
        return code

    def find(self, labels: LabelSet) -> int | None:
        """Return the number of a ``by`` label set, None where it was never seen."""
        return self._code.get(labels)

    def code_of_series(self, labels: LabelSet) -> int:
        """Return the number of the group that a series belongs to; a label that it lacks is the empty string."""
        if not self.by:
            return self.code(())
        have = dict(labels)
        return self.code(tuple((name, have.get(name, "")) for name in self.by))


class SeriesRows:
    """A growing table of the series of one indicator that match ``where``, and the group of each.

    Rows are never renumbered, so buffers over rows stay valid. What a frame's index maps to is worked out
    once per index object: indexes are interned, so from cycle to cycle this costs one dictionary look-up.
    """

    def __init__(self, where: tuple[Matcher, ...], groups: Groups) -> None:
        self.groups = groups
        self.group_of: IntArray = np.empty(0, dtype=np.int64)
        self._accepts = [_predicate(matcher) for matcher in where]
        self._row_of: dict[LabelSet, int] = {}
        self._placements: weakref.WeakKeyDictionary[SeriesIndex, Placement] = weakref.WeakKeyDictionary()

    def __len__(self) -> int:
        return len(self._row_of)

    @property
    def label_sets(self) -> list[LabelSet]:
        """The series' labels by row."""
        return list(self._row_of)

    def accepts(self, labels: LabelSet) -> bool:
        """Whether a series matches ``where``."""
        return all(accept(labels) for accept in self._accepts)

    def place(self, index: SeriesIndex) -> Placement:
        """Return where the series of ``index`` go, taking in those that are new."""
        found = self._placements.get(index)
        if found is None:
            found = self._placements[index] = self._place_anew(index)
        return found

    def spread(self, frame: GaugeFrame) -> FloatArray:
        """Return the frame's values over all rows of the table, shape (len(self),), NaN where absent."""
        placement = self.place(frame.index)
        values = frame.values if frame.present is None else np.where(frame.present, frame.values, np.nan)
        spread = np.full(len(self), np.nan)
        spread[placement.rows] = values[placement.take]
        return spread

    def _place_anew(self, index: SeriesIndex) -> Placement:
        take: list[int] = []
        rows: list[int] = []
        new_groups: list[int] = []
        for position, labels in enumerate(index.label_sets):
            if not self.accepts(labels):
                continue
            row = self._row_of.get(labels)
            if row is None:
                row = self._row_of[labels] = len(self._row_of)
                new_groups.append(self.groups.code_of_series(labels))
            take.append(position)
            rows.append(row)
        if new_groups:
            self.group_of = np.concatenate([self.group_of, np.array(new_groups, dtype=np.int64)])
        return Placement(_as_slice(take), _as_slice(rows))


class Listing:
    """Which rows of a table its source has, as the newest frame lists them, and when each was last listed.

    ``listed``: shape (rows,); ``seen_at``: by the time at which frames were got, not by that of their samples.
    """

    def __init__(self) -> None:
        self.listed: BoolArray = np.zeros(0, dtype=bool)
        self.seen_at: FloatArray = np.zeros(0)
        self._as_of: tuple[Placement, int] | None = None

    def take(self, placement: Placement, rows: int, seen_at: float, *, increment: bool) -> None:
        """Take in what a frame lists of a table with ``rows``; an increment says nothing of the rows that it lacks."""
        self.seen_at = grown(self.seen_at, rows)
        self.seen_at[placement.rows] = seen_at
        if increment:
            self._as_of, self.listed = None, grown_flags(self.listed, rows).copy()
        elif self._as_of != (placement, rows):
            self._as_of, self.listed = (placement, rows), np.zeros(rows, dtype=bool)
        self.listed[placement.rows] = True


class Folding:
    """Reduces arrays over rows to arrays over groups; NaN means absent and is left out.

    Built for one state of a table: ``group_of`` of shape (rows,) and the number of groups. Where each group
    has one row, folding is a plain scatter.
    """

    def __init__(self, group_of: IntArray, groups: int) -> None:
        self.groups = groups
        self.row_groups = group_of
        self.counts: IntArray = np.bincount(group_of, minlength=groups).astype(np.int64)
        self.one_to_one = bool((self.counts <= 1).all())
        self.identity = self.one_to_one and len(group_of) == groups and bool((group_of == np.arange(groups)).all())

    def reduce(self, values: FloatArray, combine: Combine) -> FloatArray:
        """Fold ``values`` (rows,) to (groups,); a group without any value is NaN."""
        if self.identity:
            return values
        if self.one_to_one:
            out = np.full(self.groups, np.nan)
            out[self.row_groups] = values
            return out
        match combine:
            case Combine.MAX:
                return self._extreme(values, np.fmax)
            case Combine.MIN:
                return self._extreme(values, np.fmin)
        present = ~np.isnan(values)
        counted = np.bincount(self.row_groups[present], minlength=self.groups)
        summed = np.bincount(self.row_groups[present], weights=values[present], minlength=self.groups)
        with np.errstate(invalid="ignore", divide="ignore"):
            folded = summed / counted if combine is Combine.MEAN else summed
        return np.where(counted > 0, folded, np.nan)

    def any(self, flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Return for each group whether any of its rows is flagged."""
        out = np.zeros(self.groups, dtype=bool)
        out[self.row_groups[flags]] = True
        return out

    def count(self, flags: npt.NDArray[np.bool_]) -> IntArray:
        """Return for each group how many of its rows are flagged."""
        return np.bincount(self.row_groups[flags], minlength=self.groups).astype(np.int64)

    def _extreme(self, values: FloatArray, ufunc: np.ufunc) -> FloatArray:
        out = np.full(self.groups, np.nan)
        ufunc.at(out, self.row_groups, values)
        return out


def row_of(groups: IntArray, group: int) -> int | None:
    """Return the row of ``group`` among the groups in view, which ascend; None where it is not among them."""
    row = int(np.searchsorted(groups, group))
    return row if row < len(groups) and groups[row] == group else None


def _predicate(matcher: Matcher) -> Callable[[LabelSet], bool]:
    """Compile one ``where`` entry; regexes are anchored at both ends, as Prometheus's are."""
    name, wanted = matcher.label, matcher.value
    match matcher.op:
        case MatchOp.EQUAL:
            return lambda labels: _value(labels, name) == wanted
        case MatchOp.NOT_EQUAL:
            return lambda labels: _value(labels, name) != wanted
        case MatchOp.REGEX:
            matches = compile_pattern(wanted)
            return lambda labels: matches(_value(labels, name))


def _value(labels: LabelSet, name: str) -> str:
    return next((value for label, value in labels if label == name), "")


def _as_slice(positions: Sequence[int]) -> Positions | slice:
    """Return a slice where the positions run without a gap: numpy then copies instead of gathering."""
    array = np.asarray(positions, dtype=np.intp)
    if len(array) and bool((np.diff(array) == 1).all()):
        return slice(int(array[0]), int(array[-1]) + 1)
    return array
