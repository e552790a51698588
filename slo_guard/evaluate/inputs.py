"""One indicator as one KPI reads it: its rows, their newest samples and the window buffers that its measure needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slo_guard.domain.kpi import KPI, Combine, RatioPair, Reducer, Selection
from slo_guard.domain.readings import (
    BoolArray,
    CollectionFailure,
    Evidence,
    FloatArray,
    GaugeFrame,
    IndicatorType,
    Observation,
    Reading,
)
from slo_guard.evaluate.history import Aggregator, Counter, HeldTime, Level, SampleCount, grown
from slo_guard.evaluate.rows import Folding, Groups, SeriesRows

_WORTH_A_STRETCH = 8
_UFUNCS = {Reducer.MIN: np.fmin, Reducer.MAX: np.fmax, Reducer.MEAN: np.add}


class Input:
    """The series of one selection. Frames come in ascending time; a row's sample that is not newer is late.

    ``observed`` counts the time for which each row's samples were fresh; its row 0 is the source itself.
    ``true_time`` counts the time during which each *unit* (a group, or a row where rows are summed) was true.
    """

    def __init__(self, kpi: KPI, selection: Selection, groups: Groups, fixed_start: float | None, end: float) -> None:
        reducer = kpi.measure.reducer
        windowed = kpi.measure.window is not None
        counts = reducer in (Reducer.INCREASE, Reducer.RATIO) or (
            reducer is Reducer.TOTAL and kpi.type is IndicatorType.COUNTER
        )
        times = reducer is Reducer.TOTAL and not counts
        self.selection = selection
        self.rows = SeriesRows(selection.where, groups)
        self.latest: FloatArray = np.zeros(0)
        self.latest_at: FloatArray = np.zeros(0)
        self.listed_at: FloatArray = np.zeros(0)
        self.frame_at: float | None = None
        self.succeeded_at: float | None = None
        self.failure: CollectionFailure | None = None
        self.evidence: Evidence | None = None
        self.late_samples = 0
        self.counter = Counter(fixed_start) if counts else None
        self.level = Level(fixed_start) if reducer is Reducer.DELTA else None
        self.aggregator = Aggregator(_UFUNCS[reducer], fixed_start) if reducer in _UFUNCS else None
        self.true_time = HeldTime(fixed_start) if times else None
        self.observed = HeldTime(fixed_start) if windowed else None
        # Samples of a ratio are those of its total: edges that nobody asks for would be kept for ever.
        asked = not (isinstance(kpi.source, RatioPair) and selection is kpi.source.part)
        self.sample_count = SampleCount(fixed_start) if windowed and self.aggregator is None and asked else None
        self.folds_first = times and kpi.combine is not Combine.SUM
        self._fresh_for = kpi.no_data.after_seconds
        self._end = end
        self._groups = groups
        self._folding: Folding | None = None

    @property
    def folding(self) -> Folding:
        """The fold of rows to groups as both stand now."""
        size = (len(self.rows), len(self._groups))
        if self._folding is None or (len(self._folding.row_groups), self._folding.groups) != size:
            self._folding = Folding(self.rows.group_of, len(self._groups))
        return self._folding

    def take(self, observation: Observation) -> None:
        """Take in what one collection brought for this indicator; samples after the sprint's end are left out."""
        if isinstance(observation, CollectionFailure):
            self.failure = observation
            return
        match observation.frame:
            case GaugeFrame() as frame:
                if frame.at <= self._end:
                    self._take_frame(frame)
            case Evidence() as evidence:
                self.evidence = evidence
            case _:
                return
        self.failure = None
        self.succeeded_at = observation.seen_at

    def take_all(self, observations: Sequence[Observation]) -> None:
        """Take in many observations, ascending: as :meth:`take` would, but stretches of alike frames at once."""
        position = 0
        while position < len(observations):
            self.take(observations[position])
            frames = self._alike(observations, position)
            if len(frames) >= _WORTH_A_STRETCH and self._takes_stretches():
                self._take_stretch(frames)
                position += len(frames)
                self.succeeded_at = observations[position].seen_at
            position += 1

    def fresh(self, now: float) -> BoolArray:
        """Return which rows have a sample that is not older than ``no_data.after``."""
        return now - self.latest_at <= self._fresh_for

    def forgotten(self, now: float, forget_after: float) -> BoolArray:
        """Return which rows the source, though it answered, has not shown for ``forget_after`` seconds.

        Never before they are stale: a series that is gone is said to be so first.
        """
        if self.frame_at is None:
            return np.zeros(len(self.rows), dtype=bool)
        return (now - self.latest_at > max(forget_after, self._fresh_for)) & (self.frame_at > self.listed_at)

    def coverage(self, start: float, now: float, fresh: BoolArray) -> FloatArray:
        """Return the observed share of (start, now] by group; of several rows the least of those still there."""
        folding, groups = self.folding, len(self._groups)
        if self.observed is None or now <= start:
            return np.full(groups, np.nan)
        if self.folds_first:
            return self.observed.within(start, now, 1 + groups)[1:] / (now - start)
        shares = self.observed.within(start, now, 1 + len(self.rows))[1:] / (now - start)
        living = folding.reduce(np.where(fresh, shares, np.nan), Combine.MIN)
        return np.where(np.isnan(living), folding.reduce(shares, Combine.MIN), living)

    def _take_frame(self, frame: GaugeFrame) -> None:
        placement = self.rows.place(frame.index)
        values = self.rows.spread(frame)
        count = len(values)
        source_was_up = self._source_was_up(frame.at)
        self.latest, self.latest_at, self.listed_at = (
            grown(array, count) for array in (self.latest, self.latest_at, self.listed_at)
        )
        late = ~np.isnan(values) & (frame.at <= self.latest_at)
        if late.any():
            self.late_samples += int(late.sum())
            values = np.where(late, np.nan, values)
        present = ~np.isnan(values)
        # Copies, never in place: the edges of windows still hold the arrays of earlier frames.
        self.latest = np.where(present, values, self.latest)
        self.latest_at = np.where(present, frame.at, self.latest_at)
        self.listed_at = self.listed_at.copy()
        self.listed_at[placement.rows] = frame.at
        at = frame.at if self.frame_at is None else max(frame.at, self.frame_at)
        self._feed_buffers(at, values, present, source_was_up=source_was_up)
        self.frame_at = at

    def _alike(self, observations: Sequence[Observation], position: int) -> list[GaugeFrame]:
        """Return the frames right behind ``position`` that bring no surprise: same series, all present, on time."""
        frames: list[GaugeFrame] = []
        last = _whole_frame(observations[position])
        while last is not None and position + 1 + len(frames) < len(observations):
            frame = _whole_frame(observations[position + 1 + len(frames)])
            if frame is None or frame.index is not last.index or not last.at < frame.at <= self._end:
                break
            frames.append(frame)
            last = frame
        return frames

    def _takes_stretches(self) -> bool:
        return self.aggregator is None and self.level is None and (not self.folds_first or self.folding.identity)

    def _take_stretch(self, frames: list[GaugeFrame]) -> None:
        """Take in frames of which the one before was taken: nothing in them is new but times and values."""
        index, after = frames[0].index, self._fresh_for
        placement = self.rows.place(index)
        times = np.array([frame.at for frame in frames])
        values = np.full((len(frames), len(self.rows)), np.nan)
        values[:, placement.rows] = np.stack([frame.values for frame in frames])[:, placement.take]
        present = ~np.isnan(values[0])
        if self.counter is not None:
            self.counter.add_run(times, values, present)
        if self.sample_count is not None:
            self.sample_count.add_run(times, present)
        sampled_until = np.where(present, times[:, None] + after, self.latest_at + after)
        if self.true_time is not None:
            latest = np.where(present, values, self.latest)
            self.true_time.hold_run(times, np.where(latest > 0, sampled_until, -np.inf))
        if self.observed is not None:
            until = np.where(np.isnan(sampled_until), -np.inf, sampled_until)
            self.observed.hold_run(times, np.concatenate([times[:, None] + after, until], axis=1))
        self.latest = np.where(present, values[-1], self.latest)
        self.latest_at = np.where(present, times[-1], self.latest_at)
        self.listed_at = self.listed_at.copy()
        self.listed_at[placement.rows] = times[-1]
        self.frame_at = float(times[-1])

    def _source_was_up(self, at: float) -> bool:
        return self.failure is None and self.frame_at is not None and at - self.frame_at <= self._fresh_for

    def _feed_buffers(self, at: float, values: FloatArray, present: BoolArray, *, source_was_up: bool) -> None:
        if self.counter is not None:
            self.counter.add(at, values, source_was_up=source_was_up)
        if self.level is not None:
            self.level.add(at, self.latest, self.latest_at)
        if self.aggregator is not None:
            self.aggregator.add(at, values)
        if self.sample_count is not None:
            self.sample_count.add(at, present)
        if self.true_time is not None:
            true_until = np.where(self.latest > 0, self.latest_at + self._fresh_for, -np.inf)
            until = self._by_unit(true_until)
            self.true_time.advance(at, len(until))
            self.true_time.hold(until, np.ones(len(until), dtype=bool))
        if self.observed is not None:
            until = self._by_unit(np.where(np.isnan(self.latest_at), -np.inf, self.latest_at + self._fresh_for))
            until = np.concatenate([[at + self._fresh_for], until])
            self.observed.advance(at, len(until))
            self.observed.hold(until, until > -np.inf, borrow=source_was_up)

    def _by_unit(self, until: FloatArray) -> FloatArray:
        """Fold to groups where the measure folds first: the latest time of any row."""
        if not self.folds_first:
            return until
        folded = self.folding.reduce(until, Combine.MAX)
        return np.where(np.isnan(folded), -np.inf, folded)


def _whole_frame(observation: Observation) -> GaugeFrame | None:
    """Return the gauge frame of a reading in which all series are present, or None."""
    if isinstance(observation, Reading) and isinstance(observation.frame, GaugeFrame):
        return observation.frame if observation.frame.present is None else None
    return None
