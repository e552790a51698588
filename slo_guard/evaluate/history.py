"""Window buffers over series: what stood at a window's start, and running aggregates inside it.

Every array has the shape (rows,), where rows only grow; NaN means that a series has no value there. Times
are Unix seconds. A buffer takes frames in ascending time and is asked about windows (start, now] whose start
never goes back, so each frame is handled a constant number of times.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slo_guard.domain.readings import BoolArray, FloatArray
from slo_guard.evaluate.recent import RECALLED_FRAMES, RecentSamples, gained_between, with_entry
from slo_guard.evaluate.trailing import TrailingSums
from slo_guard.evaluate.windows import Counted, Origin

_WORTH_COMPACTING = 32
"""Shorter columns are kept as they are: they take less time than memory is worth."""


def grown(array: FloatArray, rows: int, fill: float | FloatArray = np.nan) -> FloatArray:
    """Return ``array`` extended to ``rows`` entries with ``fill`` (a number, or the missing tail itself)."""
    missing = rows - len(array)
    if missing <= 0:
        return array
    return np.concatenate([array, np.broadcast_to(np.asarray(fill, dtype=np.float64), missing)])


def grown_flags(flags: BoolArray, rows: int) -> BoolArray:
    """Return ``flags`` extended to ``rows`` entries with False."""
    missing = rows - len(flags)
    return flags if missing <= 0 else np.concatenate([flags, np.zeros(missing, dtype=bool)])


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """What stood after the frame at ``at``: arrays over the rows known then."""

    at: float
    columns: tuple[FloatArray, ...]


class Edges:
    """The points from which a window's start can be looked up.

    With an ``origin`` only the last point at or before the window's start is kept, and the newest where windows
    begin anew; for sliding windows all points from the one at or before the start, several of one instant, too:
    the first of them tells with what a series began. Equal entries of a column are kept as one number.
    """

    def __init__(self, origin: Origin | None) -> None:
        self._origin = origin
        self._points: deque[Point] = deque()

    def push(self, at: float, *columns: FloatArray) -> None:
        """Keep ``columns`` as they stand after the frame at ``at``; nobody may change them afterwards."""
        if self._origin is not None:
            start = self._origin.start_of(at)
            if at > start and not self._origin.recurs:
                return
            if self._points and (self._points[-1].at > start or not self._origin.recurs):
                self._points.pop()
            while len(self._points) > 1:
                self._points.popleft()
        self._points.append(Point(at, tuple(_compact(column) for column in columns)))

    def push_run(self, times: FloatArray, *columns: FloatArray) -> None:
        """Push a point for each of ``times``; ``columns`` are matrices of shape (times, rows)."""
        positions: Sequence[int] = range(len(times))
        if self._origin is not None:
            start = self._origin.start_of(float(times[-1]))
            before = int(np.searchsorted(times, start, side="right"))
            newest = [len(times) - 1] if self._origin.recurs and before < len(times) else []
            positions = [*range(max(0, before - 1), before), *newest]
        for position in positions:
            self.push(float(times[position]), *(column[position] for column in columns))

    def correct(self, at: float, until: float, row: int, within: float, after: float) -> None:
        """Add to one row what came late: ``within`` from ``at`` on, and ``after`` more from ``until`` on.

        The first column holds what is added up, a second one when a row was seen last. Where the row had nothing yet,
        it begins with what came late.
        """
        for place, point in enumerate(self._points):
            if point.at >= at:
                seen = point.columns[-1]
                # Of several points at one instant the first may stand before the row's sample at that instant.
                behind = point.at >= until and row < len(seen) and not np.isnan(seen[row])
                entries = [_entry(point.columns[0], row) + within + (after if behind else 0.0)]
                if len(point.columns) > 1:
                    entries.append(float(seen[row]) if behind else at)
                self._points[place] = Point(point.at, _with_entries(point.columns, row, entries))

    def standing(self, at: float, row: int) -> float | None:
        """Return a row's entry in the first column as it stood at ``at``; None where no point says."""
        place = sum(point.at <= at for point in self._points)
        if place == 0:
            return None
        return _entry(self._points[place - 1].columns[0], row)

    def insert(self, at: float, row: int, *entries: float) -> None:
        """Keep a point at ``at`` where a window may begin: as the one before it, with a row's ``entries`` anew."""
        if self._origin is not None and self._points and at > self._origin.start_of(self._points[-1].at):
            return
        place = sum(point.at <= at for point in self._points)
        if place == 0:
            return
        last = self._points[place - 1]
        point = Point(at, _with_entries(last.columns, row, entries))
        if last.at == at:
            # Rows that are late together share their point: of points at one instant only the last one counts.
            self._points[place - 1] = point
        else:
            self._points.insert(place, point)

    def at_start(self, start: float) -> Point | None:
        """Return the last point at or before ``start`` and drop the older ones; None if there is none."""
        points = self._points
        while len(points) > 1 and points[1].at <= start:
            points.popleft()
        return points[0] if points and points[0].at <= start else None

    def inside(self, start: float) -> Iterator[Point]:
        """Yield the points after ``start``, in ascending time."""
        return (point for point in self._points if point.at > start)


def _entry(column: FloatArray, row: int) -> float:
    """Return what a row had added up to, 0 where it had nothing yet."""
    return float(np.nan_to_num(column[row])) if row < len(column) else 0.0


def _with_entries(columns: Sequence[FloatArray], row: int, entries: Sequence[float]) -> tuple[FloatArray, ...]:
    """Return columns of a point with a row's ``entries``: of a late first sample, points may be older than its row."""
    fill = np.nan if len(columns) > 1 else 0.0
    return tuple(with_entry(column, row, entry, fill) for column, entry in zip(columns, entries, strict=True))


class HeldTime:
    """How long each row has been *held*: each hold lasts until a time that later frames move or cut.

    Observed time is held by every sample for as long as it is fresh; true time by every sample that is true.
    Row 0 may stand for the source itself; a row that *borrows* was born while the source answered, so what
    row 0 had before counts as its own (the source had said that there was nothing).
    """

    def __init__(self, origin: Origin | None, counted: Counted | None = None) -> None:
        self._edges = Edges(origin)
        self._counted = counted or None
        self._held: FloatArray = np.zeros(0)
        self._until: FloatArray = np.zeros(0)
        self._borrows: BoolArray = np.zeros(0, dtype=bool)
        self._at = -np.inf

    def advance(self, at: float, rows: int) -> None:
        """Count time up to ``at``; rows that are new begin empty."""
        self._held = grown(self._held, rows, 0.0)
        self._until = grown(self._until, rows, -np.inf)
        self._borrows = grown_flags(self._borrows, rows)
        if at > self._at:
            self._held = self._held + self._between(self._until, self._at, at)
            self._at = at

    def hold(self, until: FloatArray, rows: BoolArray, *, borrow: BoolArray | None = None) -> None:
        """Hold ``rows`` until the given times (an earlier time cuts a hold), then keep the point.

        Of the rows ``borrow``, those that are held for the first time begin with what row 0 has.
        """
        if borrow is not None:
            begins = rows & borrow & (self._until == -np.inf)
            self._borrows = self._borrows | begins
            self._held = np.where(begins, self._held[0], self._held)
        self._until = np.where(rows, until, self._until)
        self._edges.push(self._at, self._held, self._until)

    def hold_run(self, times: FloatArray, until: FloatArray) -> None:
        """Do :meth:`advance` and :meth:`hold` for each of ``times``; ``until`` has the shape (times, rows)."""
        begins = np.concatenate([[self._at], times[:-1]])[:, None]
        before = np.concatenate([self._until[None, :], until[:-1]])
        steps = np.clip(np.minimum(before, times[:, None]) - begins, 0.0, None)
        held = np.cumsum(np.concatenate([self._held[None, :], steps]), axis=0)[1:]
        self._edges.push_run(times, held, until)
        self._held, self._until, self._at = held[-1], until[-1], float(times[-1])

    def within(self, start: float, now: float, rows: int) -> FloatArray:
        """Return the seconds held in (start, now], shape (rows,)."""
        held, until = self._with_borrowed(self._held, self._until, rows)
        up_to_now = held + self._between(until, self._at, now)
        point = self._edges.at_start(start)
        if point is None:
            return up_to_now
        held_then, until_then = self._with_borrowed(point.columns[0], point.columns[1], rows)
        return up_to_now - (held_then + self._between(until_then, point.at, start))

    def _between(self, until: FloatArray, begin: float, end: float) -> FloatArray:
        """Return how long each row is held in (begin, end], without what is excluded."""
        if self._counted is None or begin == -np.inf:
            return _held_between(until, begin, end)
        held = np.zeros(len(until))
        for start, stop in self._counted.pieces(begin, end):
            held += _held_between(until, start, stop)
        return held

    def _with_borrowed(self, held: FloatArray, until: FloatArray, rows: int) -> tuple[FloatArray, FloatArray]:
        """Return the columns over ``rows``; of borrowing rows that had not begun then, what row 0 had."""
        held, until = grown(held, rows, 0.0), grown(until, rows, -np.inf)
        if not self._borrows.any():
            return held, until
        missing = grown_flags(self._borrows, rows) & (until == -np.inf)
        return np.where(missing, held[0], held), np.where(missing, until[0], until)


def _held_between(until: FloatArray, begin: float, end: float) -> FloatArray:
    if begin == -np.inf:
        return np.zeros(len(until))
    return np.clip(np.minimum(until, end) - begin, 0.0, None)


class Counter:
    """Counters with resets taken out: an ever-growing total per row that begins at its first sample's value.

    A drop is a reset and adds the new value, as Prometheus's ``increase`` has it; nothing is extrapolated. From a
    sample to the next one of its row nothing is counted if any time between them is excluded. ``trailing`` is given
    all that rows gain. One that ``recalls`` its last samples takes late ones into their place.
    """

    def __init__(
        self,
        origin: Origin | None,
        counted: Counted | None = None,
        trailing: TrailingSums | None = None,
        *,
        recalls: bool = False,
    ) -> None:
        self._origin = origin
        self._counted = counted or None
        self._edges = Edges(origin)
        self.trailing = trailing
        self._recent = RecentSamples() if recalls else None
        self._first_of = -np.inf
        self._at = -np.inf
        self.total: FloatArray = np.zeros(0)
        self._raw: FloatArray = np.zeros(0)
        self._seen_at: FloatArray = np.zeros(0)
        self._born_at: FloatArray = np.zeros(0)
        self._first_inside: FloatArray = np.zeros(0)

    def add(self, at: float, values: FloatArray, born: BoolArray | None = None) -> None:
        """Take in a frame: ``values`` over all rows, NaN where absent.

        ``born``: the rows that began with this frame, so that they counted from 0; None where none did.
        """
        rows = len(values)
        self.total, self._raw, self._seen_at, self._born_at, self._first_inside = (
            grown(array, rows) for array in (self.total, self._raw, self._seen_at, self._born_at, self._first_inside)
        )
        present = ~np.isnan(values)
        new = present & np.isnan(self._raw)
        step = np.where(values < self._raw, values, values - self._raw)
        begins = values
        if self._counted is not None:
            step = np.where(self._counted.touch(self._seen_at, at), 0.0, step)
            if born is not None and self._counted.touches(self._at, at):
                begins = np.where(born, 0.0, values)
        self._at = at
        if self.trailing is not None:
            gained = np.where(present & ~new, step, 0.0)
            self.trailing.add(at, gained if born is None else np.where(born, begins, gained), self._seen_at)
            begun = new if born is None else new & ~born
            returned = begun | (present & self.trailing.is_silence(self._seen_at, at))
            if returned.any():
                self.trailing.note_return(at, returned, self._seen_at)
        self.total = np.where(new, begins, np.where(present, self.total + step, self.total))
        self._raw = np.where(present, values, self._raw)
        self._seen_at = np.where(present, at, self._seen_at)
        if born is not None:
            self._born_at = np.where(born, at, self._born_at)
        self._note_first(at, present, lambda _start: self.total)
        self._edges.push(at, self.total, self._seen_at)
        if self._recent is not None:
            self._recent.add(at, self._raw, self._seen_at)

    def add_run(self, times: FloatArray, values: FloatArray, present: BoolArray) -> None:
        """Do :meth:`add` for each of ``times``: rows ``present`` have a value in each, and had one before.

        ``values`` has the shape (times, rows).
        """
        before = np.concatenate([self._raw[None, :], values[:-1]])
        steps = np.where(present, np.where(values < before, values, values - before), 0.0)
        totals = np.cumsum(np.concatenate([self.total[None, :], steps]), axis=0)[1:]
        if self.trailing is not None:
            self.trailing.add_run(times, steps, self._seen_at, present)
        seen = np.where(present, times[:, None], self._seen_at)
        self._note_first(
            float(times[-1]), present, lambda start: totals[int(np.searchsorted(times, start, side="right"))]
        )
        self._edges.push_run(times, totals, seen)
        if self._recent is not None:
            for place in range(max(0, len(times) - RECALLED_FRAMES), len(times)):
                self._recent.add(float(times[place]), np.where(present, values[place], self._raw), seen[place])
        self.total, self._seen_at = totals[-1], seen[-1]
        self._raw = np.where(present, values[-1], self._raw)

    def take_late(self, at: float, row: int, value: float) -> bool:
        """Take one row's sample into its place between those that are there; returns whether that could be done."""
        around = self._recent.around(row, at) if self._recent is not None else None
        if around is None or (self._counted is not None and self._counted.touches(around.before_at, around.after_at)):
            return False
        assert self._recent is not None
        to_next, born = gained_between(value, around.after), bool(self._born_at[row] == around.after_at)
        if around.before is not None:
            within = gained_between(around.before, value)
            after = to_next - gained_between(around.before, around.after)
            total_then = float(self.total[row]) - around.gained + within
        else:  # the row's first sample from now on: the total begins with it
            within, after, total_then = value, to_next - around.after, value
        self._edges.correct(at, around.after_at, row, within, after)
        self._edges.insert(at, row, total_then, at)
        self.total = with_entry(self.total, row, self.total[row] + within + after)
        if self._origin is not None and around.before_at <= self._first_of:
            first = total_then if at > self._first_of else self._first_inside[row] + within + after
            self._first_inside = with_entry(self._first_inside, row, first)
        if self.trailing is not None:
            counted_before = around.before is not None or born
            gains = (within, to_next, to_next - after) if counted_before else (0.0, to_next, 0.0)
            self.trailing.correct(row, (around.before_at, at, around.after_at), gains)
        if born:
            self._born_at = with_entry(self._born_at, row, at)
        self._recent.take(row, at, value)
        return True

    def _note_first(self, at: float, present: BoolArray, first_after: Callable[[float], FloatArray]) -> None:
        """Note the first totals inside the window that holds ``at``, of the rows that have none yet."""
        if self._origin is None:
            return
        start = self._origin.start_of(at)
        if at <= start:
            return
        if start != self._first_of:
            self._first_of, self._first_inside = start, np.full(len(self._first_inside), np.nan)
        missing = present & np.isnan(self._first_inside)
        self._first_inside = np.where(missing, first_after(start), self._first_inside)

    def increase(
        self, start: float, fresh_for: float, *, baseline: float | None = None, from_first: bool = False
    ) -> tuple[FloatArray, BoolArray]:
        """Return each row's increase over (start, now] and whether it lacks a baseline; both of shape (rows,).

        The baseline is the last sample at or before ``start`` that was fresh there (not older than
        ``fresh_for`` seconds), else 0 for a row born inside, else ``baseline``, else with ``from_first``
        the first sample inside. A row without samples inside has increased by 0 if it was fresh at ``start``;
        else it is no part of the window, and NaN.
        """
        rows = len(self.total)
        base = np.full(rows, np.nan)
        point = self._edges.at_start(start)
        if point is not None:
            total_then, seen_then = (grown(column, rows) for column in point.columns)
            base = np.where(start - seen_then <= fresh_for, total_then, base)
        stood = ~np.isnan(base)
        base = np.where(~stood & (self._born_at > start), 0.0, base)
        if baseline is not None:
            base = np.where(np.isnan(base), baseline, base)
        elif from_first:
            base = np.where(np.isnan(base), self._first_totals_inside(start, np.isnan(base)), base)
        silent = ~(self._seen_at > start)
        increase = np.where(silent, np.where(stood, 0.0, np.nan), self.total - base)
        return increase, np.isnan(increase) & ~silent

    def _first_totals_inside(self, start: float, wanted: BoolArray) -> FloatArray:
        if self._origin is not None:
            return self._first_inside if start == self._first_of else np.full(len(self.total), np.nan)
        rows = len(self.total)
        first = np.full(rows, np.nan)
        wanted = wanted & (self._seen_at > start)
        for point in self._edges.inside(start):
            if not wanted.any():
                break
            total_then, seen_then = (grown(column, rows) for column in point.columns)
            here = wanted & (seen_then > start)
            first = np.where(here, total_then, first)
            wanted = wanted & ~here
        return first


class SampleCount:
    """How many samples of each row lie inside the window."""

    def __init__(self, origin: Origin | None) -> None:
        self._edges = Edges(origin)
        self._count: FloatArray = np.zeros(0)

    def add(self, at: float, present: BoolArray) -> None:
        """Count a frame's present rows."""
        self._count = grown(self._count, len(present), 0.0) + present
        self._edges.push(at, self._count)

    def take_late(self, at: float, row: int) -> None:
        """Count a sample of one row that comes late, at its own time."""
        before = self._edges.standing(at, row)
        self._edges.correct(at, at, row, 1.0, 0.0)
        if before is not None:
            self._edges.insert(at, row, before + 1.0)
        self._count = with_entry(self._count, row, self._count[row] + 1.0)

    def add_run(self, times: FloatArray, present: BoolArray) -> None:
        """Do :meth:`add` for each of ``times``, in all of which the same rows are present."""
        counts = self._count + np.arange(1, len(times) + 1)[:, None] * present
        self._edges.push_run(times, counts)
        self._count = counts[-1]

    def within(self, start: float, rows: int) -> FloatArray:
        """Return the samples later than ``start``, shape (rows,)."""
        now = grown(self._count, rows, 0.0)
        point = self._edges.at_start(start)
        return now if point is None else now - grown(point.columns[0], rows, 0.0)


class Level:
    """Gauge values at the window's start, for ``delta`` and for what runs down."""

    def __init__(self, origin: Origin | None) -> None:
        self._origin = origin
        self._edges = Edges(origin)
        self._first: FloatArray = np.zeros(0)
        self._seen_at: FloatArray = np.zeros(0)

    def add(self, at: float, values: FloatArray, latest: FloatArray) -> None:
        """Take in a frame: ``values`` over all rows, NaN where absent, and the ``latest`` ones after it."""
        self._seen_at = np.where(np.isnan(values), grown(self._seen_at, len(values)), at)
        self._first = grown(self._first, len(values))
        if self._origin is not None and at > self._origin.start_of(at):
            self._first = np.where(np.isnan(self._first), values, self._first)
        self._edges.push(at, latest, self._seen_at)

    def initial(self, start: float, fresh_for: float, rows: int) -> FloatArray:
        """Return the values that were fresh at the sprint's ``start``, else the first ones after it, else NaN."""
        base = self.at_start(start, fresh_for, rows)
        return np.where(np.isnan(base), grown(self._first, rows), base)

    def at_start(self, start: float, fresh_for: float, rows: int) -> FloatArray:
        """Return the values that were fresh at ``start``, NaN elsewhere; shape (rows,)."""
        point = self._edges.at_start(start)
        if point is None:
            return np.full(rows, np.nan)
        value_then, seen_then = (grown(column, rows) for column in point.columns)
        return np.where(start - seen_then <= fresh_for, value_then, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Aggregate:
    """An aggregate (minimum, maximum or sum) and the number of samples in it, over rows."""

    value: FloatArray
    count: FloatArray


class Aggregator:
    """The minimum, maximum or sum over the samples in a window.

    A sliding window is kept as two stacks: frames that arrived (with a running aggregate) and frames that
    will leave next (with the aggregate from each to the newest of its stack). Each frame moves once, so a
    window costs the same however long it is, and nothing is ever subtracted, so nothing drifts.
    """

    def __init__(self, ufunc: np.ufunc, origin: Origin | None) -> None:
        self._ufunc = ufunc
        self._origin = origin
        self._since = -np.inf
        self._arrived: list[tuple[float, FloatArray]] = []
        self._running: Aggregate | None = None
        self._leaving: list[tuple[float, Aggregate]] = []

    def add(self, at: float, values: FloatArray) -> None:
        """Take in a frame: ``values`` over all rows, NaN where absent."""
        if self._origin is not None:
            start = self._origin.start_of(at)
            if at <= start:
                return
            if start != self._since:
                self._since, self._running = start, None
        else:
            self._arrived.append((at, values))
        single = self._single(values)
        self._running = single if self._running is None else self._join(self._running, single)

    def within(self, start: float, rows: int) -> Aggregate:
        """Return the aggregate over samples later than ``start``, NaN and 0 where there is none; shape (rows,)."""
        if self._origin is None:
            self._drop_until(start)
        elif start != self._since:
            return Aggregate(np.full(rows, np.nan), np.zeros(rows))
        parts = [self._leaving[-1][1]] if self._leaving else []
        if self._running is not None:
            parts.append(self._running)
        if not parts:
            return Aggregate(np.full(rows, np.nan), np.zeros(rows))
        total = parts[0] if len(parts) == 1 else self._join(*parts)
        return Aggregate(grown(total.value, rows), grown(total.count, rows, 0.0))

    def _drop_until(self, start: float) -> None:
        while self._leaving and self._leaving[-1][0] <= start:
            self._leaving.pop()
        if self._leaving or not self._arrived or self._arrived[0][0] > start:
            return
        suffix: Aggregate | None = None
        for at, values in reversed(self._arrived):
            if at <= start:
                break
            single = self._single(values)
            suffix = single if suffix is None else self._join(suffix, single)
            self._leaving.append((at, suffix))
        self._arrived, self._running = [], None

    def _single(self, values: FloatArray) -> Aggregate:
        return Aggregate(values, (~np.isnan(values)).astype(np.float64))

    def _join(self, one: Aggregate, other: Aggregate) -> Aggregate:
        rows = max(len(one.value), len(other.value))
        values = (grown(one.value, rows), grown(other.value, rows))
        counts = grown(one.count, rows, 0.0) + grown(other.count, rows, 0.0)
        if self._ufunc is np.add:
            both = np.where(np.isnan(values[0]), values[1], values[0] + np.nan_to_num(values[1], copy=True, nan=0.0))
        else:
            both = self._ufunc(*values)
        return Aggregate(both, counts)


def _compact(column: FloatArray) -> npt.NDArray[np.float64]:
    """Return the column, or where all its entries are equal one number that is broadcast: most often it is so."""
    if len(column) >= _WORTH_COMPACTING and column[0] == column[-1] and bool((column == column[0]).all()):
        return np.broadcast_to(np.array(column[0]), len(column))
    return column
