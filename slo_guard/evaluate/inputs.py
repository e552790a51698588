"""One indicator as one KPI reads it: its rows, their newest samples and the window buffers that its measure needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slo_guard.domain.builtin import BURN_ALARM
from slo_guard.domain.kpi import KPI, Combine, RatioPair, Reducer, Selection
from slo_guard.domain.readings import (
    BoolArray,
    CollectionFailure,
    EventBatch,
    Evidence,
    FloatArray,
    GaugeFrame,
    HistogramFrame,
    IndicatorType,
    IntArray,
    Observation,
)
from slo_guard.evaluate.alike import WORTH_A_STRETCH, SampleFrame, are_alike, most_in_a_stretch, whole_frame
from slo_guard.evaluate.events import EventBuffer
from slo_guard.evaluate.histograms import BucketBuffer, totals_of
from slo_guard.evaluate.history import Aggregator, Counter, HeldTime, Level, SampleCount, grown
from slo_guard.evaluate.rows import Folding, Groups, Listing, SeriesRows
from slo_guard.evaluate.signed import Said
from slo_guard.evaluate.trailing import TrailingSums
from slo_guard.evaluate.trend import Trail
from slo_guard.evaluate.windows import Counted, Origin, OwedOrigin, SprintOrigin, window_start

_MOST_LATE = 1000
_UFUNCS = {Reducer.MIN: np.fmin, Reducer.MAX: np.fmax, Reducer.MEAN: np.add}


class Input:
    """The series of one selection. A row's sample that is not newer than its last is late and left out.

    A frame's index is the listing of its source: a row that the newest frame does not list is *gone*, one that it
    lists without a sample is not. A row is *born* with a frame that lists it for the first time, and with a sample,
    while an earlier frame is still fresh: then the source had said that there was nothing. A sample that comes
    behind newer ones of other rows counts in windows from the newest time known, and one of a source whose clock is
    ahead from when it was seen; its age is by its own.

    ``taken_late`` counts by group the late samples of a ratio that were taken into their places since it was emptied.

    ``observed`` counts the time for which each row's samples were fresh; its row 0 is the source itself.
    ``true_time`` counts the time during which each *unit* (a group, or a row where rows are summed) was true: each
    sample holds until the next, until a frame that does not list the row, and never past ``no_data.after``. Under
    ``total`` a row that is gone is observed as not true for as long as the source's frames are fresh.
    """

    def __init__(
        self,
        kpi: KPI,
        selection: Selection,
        groups: Groups,
        origin: Origin | None,
        end: float,
        sprint_start: float = -np.inf,
        *,
        counted: Counted | None = None,
        reach_seconds: float = 0.0,
        keep_from: float = np.inf,
        trailing: TrailingSums | None = None,
    ) -> None:
        reducer = kpi.measure.reducer
        windowed = kpi.measure.window is not None
        self._is_histogram = kpi.type is IndicatorType.HISTOGRAM
        observes = not self._is_histogram and (
            reducer in (Reducer.SUM, Reducer.COUNT, Reducer.QUANTILE)
            or (reducer is Reducer.RATIO and kpi.type is IndicatorType.EVENT)
        )
        counts = not observes and (
            reducer in (Reducer.INCREASE, Reducer.RATE, Reducer.RATIO)
            or (reducer is Reducer.TOTAL and kpi.type is IndicatorType.COUNTER)
            or (reducer is Reducer.COUNT and self._is_histogram)
        )
        times = reducer is Reducer.TOTAL and not counts
        runs_down = kpi.pace is not None and reducer is Reducer.LAST
        self.kpi = kpi
        self.selection = selection
        self.rows = SeriesRows(selection.where, groups)
        self.latest: FloatArray = np.zeros(0)
        self.latest_at: FloatArray = np.zeros(0)
        self.listing = Listing()
        self.frame_at: float | None = None
        self.succeeded_at: float | None = None
        self.failure: CollectionFailure | None = None
        self.evidence: Evidence | None = None
        self.said: Said | None = None
        self.late_samples = 0
        self.taken_late: dict[int, int] = {}
        self._newest_event_at = -np.inf
        self.trailing = trailing if counts else None
        recalls = reducer is Reducer.RATIO
        self.counter = Counter(origin, counted, self.trailing, recalls=recalls) if counts else None
        self.level = Level(SprintOrigin(sprint_start) if runs_down else origin) if _needs_level(kpi) else None
        self.aggregator = Aggregator(_UFUNCS[reducer], origin) if reducer in _UFUNCS else None
        self.events = EventBuffer(reach_seconds, keep_from) if observes else None
        self.buckets = BucketBuffer(origin, counted) if self._is_histogram and reducer is Reducer.QUANTILE else None
        self.trail = Trail(kpi.drift.over_seconds) if kpi.drift is not None else None
        self.true_time = HeldTime(origin, counted) if times else None
        owed = OwedOrigin(origin, sprint_start) if origin is not None and origin.recurs else origin
        self.observed = HeldTime(owed, counted) if windowed and not observes else None
        # Samples of a ratio are those of its total: edges that nobody asks for would be kept for ever.
        asked = not (isinstance(kpi.source, RatioPair) and selection is kpi.source.part)
        counts_samples = windowed and self.aggregator is None and not observes and not self._is_histogram and asked
        self.sample_count = SampleCount(origin) if counts_samples else None
        self.folds_first = times and kpi.combine is not Combine.SUM
        self.begins_anew = origin is not None
        self._origin = origin
        self._fresh_for = kpi.no_data.after_seconds
        self._end = end
        self.sprint_start = sprint_start
        self._counted = counted or None
        self._known_from: float | None = None
        self._true_until: FloatArray = np.zeros(0)
        self._observed_until: FloatArray = np.zeros(0)
        self.groups = groups
        self._folding: Folding | None = None

    @property
    def folding(self) -> Folding:
        """The fold of rows to groups as both stand now."""
        size = (len(self.rows), len(self.groups))
        if self._folding is None or (len(self._folding.row_groups), self._folding.groups) != size:
            self._folding = Folding(self.rows.group_of, len(self.groups))
        return self._folding

    def take(self, observation: Observation) -> None:
        """Take in what one collection brought for this indicator; samples after the sprint's end are left out."""
        if isinstance(observation, CollectionFailure):
            self.failure = observation
            return
        match observation.frame:
            case GaugeFrame() as frame if not self._is_histogram:
                if frame.at <= self._end:
                    self._take_frame(frame, observation.seen_at)
            case HistogramFrame() as frame if self._is_histogram:
                if frame.at <= self._end:
                    totals = totals_of(frame, exactly=self.buckets is None)
                    self._take_frame(totals, observation.seen_at, histogram=frame)
            case EventBatch() as batch if self.events is not None:
                self._take_events(batch, observation.seen_at)
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
            frames = self._alike(observations, position) if self._takes_stretches() else []
            if len(frames) >= WORTH_A_STRETCH:
                position += len(frames)
                self.succeeded_at = observations[position].seen_at
                self._take_stretch(frames, self.succeeded_at)
            position += 1

    def fresh(self, now: float) -> BoolArray:
        """Return which rows have a sample that is not older than ``no_data.after``.

        Of events it is the last successful collection that must not be older.
        """
        if self.events is not None:
            return np.full(len(self.rows), self.answers(now))
        return now - self.latest_at <= self._fresh_for

    def answers(self, now: float) -> bool:
        """Whether the last successful collection is not older than ``no_data.after``."""
        return self.succeeded_at is not None and now - self.succeeded_at <= self._fresh_for

    def leaves_out(self, start: float, now: float) -> bool:
        """Whether anything of (start, now] is excluded."""
        return self._counted is not None and self._counted.touches(start, now)

    def counted_seconds(self, start: float, now: float) -> float:
        """Return how long (start, now] is, without what is excluded; NaN where nothing is left."""
        length = now - start if self._counted is None else self._counted.seconds(start, now)
        return length if length > 0 else np.nan

    def gone(self) -> BoolArray:
        """Return which rows the source no longer has: its newest frame does not list them."""
        return ~self.listing.listed

    def forgotten(self, now: float, forget_after: float) -> BoolArray:
        """Return which rows are gone and had their last sample (without any: were last listed) so long ago.

        Never before they are stale: a series that is gone is said to be so first. Of events those rows are that have
        had none in the window for so long, by where the window began.
        """
        shown_at = np.where(np.isnan(self.latest_at), self.listing.seen_at, self.latest_at)
        if self.events is not None:
            start = window_start(self.kpi, self._origin, now)
            return (now if start is None else start) - shown_at > forget_after
        return (now - shown_at > max(forget_after, self._fresh_for)) & self.gone()

    def coverage(self, start: float, now: float, fresh: BoolArray) -> FloatArray:
        """Return the observed share of (start, now] by group; of several rows the least of those still there.

        A window that reaches behind the sprint's start is measured from there: nothing is owed before it.
        """
        folding, groups = self.folding, len(self.groups)
        if self.sprint_start < now:
            start = max(start, self.sprint_start)
        if self.events is not None:
            return np.full(groups, self._share_of_events_known(start, now))
        length = self.counted_seconds(start, now)
        if self.observed is None or np.isnan(length):
            return np.full(groups, np.nan)
        if self.folds_first:
            return self.observed.within(start, now, 1 + groups)[1:] / length
        shares = self.observed.within(start, now, 1 + len(self.rows))[1:] / length
        found = folding.reduce(np.where(fresh, shares, np.nan), Combine.MIN)
        for rows in (~np.isnan(self.latest_at), np.ones(len(shares), dtype=bool)):
            # Without a fresh row those that ever had a sample; one that is only listed says nothing of the others.
            if np.isnan(found).any():
                found = np.where(np.isnan(found), folding.reduce(np.where(rows, shares, np.nan), Combine.MIN), found)
        return found

    def _take_frame(self, frame: GaugeFrame, seen_at: float, histogram: HistogramFrame | None = None) -> None:
        if self.selection.indicator == BURN_ALARM and frame.present is not None and not frame.present.any():
            self._lose_sight(frame.at)
        known = len(self.rows)
        placement = self.rows.place(frame.index)
        values = self.rows.spread(frame)
        count = len(values)
        source_was_up = self._source_was_up(frame.at)
        self.latest, self.latest_at = grown(self.latest, count), grown(self.latest_at, count)
        late = ~np.isnan(values) & (frame.at <= self.latest_at)
        if late.any():
            self._take_late(frame.at, np.flatnonzero(late), values)
            values = np.where(late, np.nan, values)
        present = ~np.isnan(values)
        # Copies, never in place: the edges of windows still hold the arrays of earlier frames.
        self.latest = np.where(present, values, self.latest)
        self.latest_at = np.where(present, frame.at, self.latest_at)
        self.listing.take(placement, count, seen_at, increment=frame.increment)
        at = min(frame.at, seen_at)
        at = at if self.frame_at is None else max(at, self.frame_at)
        born = present & (np.arange(count) >= known) if source_was_up and count > known else None
        self._feed_buffers(at, values, present, born)
        if self.buckets is not None and histogram is not None:
            rows = np.arange(count)[placement.rows]
            counts = np.where(present[rows, None], histogram.counts[placement.take], np.nan)
            self.buckets.add(at, rows, histogram.bounds, counts, known=known, source_was_up=source_was_up)
        self.frame_at = at

    def _take_late(self, at: float, rows: IntArray, values: FloatArray) -> None:
        """Take samples that are not newer than their rows' last into their places, as far as these are known.

        A sample that comes again has its place already; a source whose every series is late tells of its past.
        """
        behind = rows[self.latest_at[rows] > at]
        placed = 0
        for row in behind.tolist() if self.counter is not None and len(behind) <= _MOST_LATE else ():
            assert self.counter is not None
            if self.counter.take_late(at, row, float(values[row])):
                placed += 1
                if self.sample_count is not None:
                    self.sample_count.take_late(at, row)
                self._note_late(row)
        self.late_samples += len(rows) - placed

    def _note_late(self, row: int) -> None:
        group = int(self.rows.group_of[row])
        self.taken_late[group] = self.taken_late.get(group, 0) + 1

    def _lose_sight(self, at: float) -> None:
        """End at ``at`` what the samples so far stand for: from there on nobody sees whether it is still so."""
        for held, until in ((self.true_time, self._true_until), (self.observed, self._observed_until)):
            if held is not None and self.frame_at is not None:
                lead = [self.frame_at] if held is self.observed else []
                units = np.concatenate([lead, self._by_unit(until)])
                held.advance(at, len(units))
                held.hold(np.minimum(units, at), units > -np.inf)
        self._true_until = np.minimum(self._true_until, at)
        self._observed_until = np.minimum(self._observed_until, at)

    def _take_events(self, batch: EventBatch, seen_at: float) -> None:
        """Take in observations; a series that brings none this time is not gone."""
        assert self.events is not None
        placement = self.rows.place(batch.index)
        rows_of = np.full(len(batch.index), -1, dtype=np.int64)
        rows_of[placement.take] = np.arange(len(self.rows))[placement.rows]
        self.latest_at = grown(self.latest_at, len(self.rows))
        self.listing.take(placement, len(self.rows), seen_at, increment=True)
        rows, at, values = rows_of[batch.series], batch.at, batch.values
        ours = (rows >= 0) & (at <= self._end)
        if self.kpi.measure.reducer is Reducer.RATIO:
            for row in rows[ours & (at < self._newest_event_at)][:_MOST_LATE].tolist():
                self._note_late(row)
            self._newest_event_at = max(self._newest_event_at, float(at.max(initial=-np.inf)))
        np.fmax.at(self.latest_at, rows[ours], at[ours])
        if self._known_from is None:
            # A first collection brings what happened before it, too: from its oldest event on, all is known.
            self._known_from = min(seen_at, float(at.min()) if len(at) else seen_at)
        kept = ours if self._counted is None else ours & self._counted.keep(at)
        self.events.add(rows[kept], at[kept], values[kept])
        if not self.groups.by:
            self.groups.code(())

    def _share_of_events_known(self, start: float, now: float) -> float:
        """Return which share of (start, now] is known: from the first event on, up to the last collection.

        Gaps between collections are none: each brings all that has happened since the one before.
        """
        if self._known_from is None or self.succeeded_at is None or now <= start:
            return np.nan
        begin, until = max(start, self._known_from), now if self.answers(now) else min(now, self.succeeded_at)
        known = self.counted_seconds(begin, until) if begin < until else 0.0
        return float(np.nan_to_num(known)) / self.counted_seconds(start, now)

    def _alike(self, observations: Sequence[Observation], position: int) -> list[SampleFrame]:
        """Return the frames right behind ``position`` that bring no surprise: same series, all present, on time.

        On time is what is later than every frame so far, so that no row's sample is late.
        """
        frames: list[SampleFrame] = []
        last = whole_frame(observations[position], histogram=self._is_histogram)
        if last is None or self.frame_at is None or last.at < self.frame_at:
            return frames
        if self.buckets is not None and isinstance(last, HistogramFrame) and not self._knows(last):
            return frames
        most = most_in_a_stretch(last)
        while position + 1 + len(frames) < len(observations) and len(frames) < most:
            observation = observations[position + 1 + len(frames)]
            frame = whole_frame(observation, histogram=self._is_histogram)
            if frame is None or not are_alike(frame, last) or not last.at < frame.at <= self._end:
                break
            if frame.at > observation.seen_at:
                break
            frames.append(frame)
            last = frame
        return frames

    def _takes_stretches(self) -> bool:
        if self._counted is not None or self.trail is not None:
            return False
        return self.aggregator is None and self.level is None and (not self.folds_first or self.folding.identity)

    def _knows(self, frame: HistogramFrame) -> bool:
        """Whether all buckets of our series in a frame were seen before."""
        assert self.buckets is not None
        placement = self.rows.place(frame.index)
        rows = np.arange(len(self.rows))[placement.rows]
        return self.buckets.knows(rows, frame.bounds, frame.counts[placement.take])

    def _take_stretch(self, frames: list[SampleFrame], seen_at: float) -> None:
        """Take in frames of which the one before was taken: nothing in them is new but times and values."""
        index, after = frames[0].index, self._fresh_for
        placement = self.rows.place(index)
        times = np.array([frame.at for frame in frames])
        values = np.full((len(frames), len(self.rows)), np.nan)
        values[:, placement.rows] = np.stack([self._values_of(frame) for frame in frames])[:, placement.take]
        present = ~np.isnan(values[0])
        if self.counter is not None:
            self.counter.add_run(times, values, present)
        if self.sample_count is not None:
            self.sample_count.add_run(times, present)
        fresh_until = times[:, None] + after
        if self.true_time is not None:
            true_until = np.where(values > 0, fresh_until, -np.inf)
            true_until = np.where(present, true_until, self._true_until)
            self.true_time.hold_run(times, true_until)
            self._true_until = true_until[-1]
        if self.observed is not None:
            seen = present if self.true_time is None else present | ~self.listing.listed
            observed_until = np.where(seen, fresh_until, self._observed_until)
            self.observed.hold_run(times, np.concatenate([fresh_until, observed_until], axis=1))
            self._observed_until = observed_until[-1]
        self.latest = np.where(present, values[-1], self.latest)
        self.latest_at = np.where(present, times[-1], self.latest_at)
        if self.buckets is not None:
            histograms = [frame for frame in frames if isinstance(frame, HistogramFrame)]
            counts, bounds = np.stack([frame.counts for frame in histograms]), histograms[0].bounds
            rows = np.arange(len(self.rows))[placement.rows]
            self.buckets.add_run(times, rows, bounds, counts[:, placement.take])
        last = frames[-1]
        self.listing.take(placement, len(self.rows), seen_at, increment=isinstance(last, GaugeFrame) and last.increment)
        self.frame_at = float(times[-1])

    def _values_of(self, frame: SampleFrame) -> FloatArray:
        if isinstance(frame, HistogramFrame):
            return totals_of(frame, exactly=self.buckets is None).values
        return frame.values

    def _source_was_up(self, at: float) -> bool:
        return self.failure is None and self.frame_at is not None and at - self.frame_at <= self._fresh_for

    def _feed_buffers(self, at: float, values: FloatArray, present: BoolArray, born: BoolArray | None) -> None:
        if self.counter is not None:
            self.counter.add(at, values, born)
        if self.trail is not None:
            self.trail.add(at, np.where(at - self.latest_at <= self._fresh_for, self.latest, np.nan))
        if self.level is not None:
            self.level.add(at, values, self.latest)
        if self.aggregator is not None and (self._counted is None or self._counted.holds(at)):
            self.aggregator.add(at, values)
        if self.sample_count is not None and (self._counted is None or self._counted.holds(at)):
            self.sample_count.add(at, present)
        if self.observed is None:
            return
        fresh_until = self.latest_at + self._fresh_for
        if self.true_time is not None:
            true_until = np.where(self.latest > 0, fresh_until, -np.inf)
            true_until = np.where(present, true_until, grown(self._true_until, len(values), -np.inf))
            self._true_until = np.where(self.listing.listed, true_until, -np.inf)
            until = self._by_unit(self._true_until)
            self.true_time.advance(at, len(until))
            self.true_time.hold(until, np.ones(len(until), dtype=bool))
        seen_until = np.where(present, fresh_until, -np.inf)
        if self.true_time is not None:
            seen_until = np.where(self.listing.listed, seen_until, at + self._fresh_for)
        self._observed_until = np.fmax(grown(self._observed_until, len(values), -np.inf), seen_until)
        until = np.concatenate([[at + self._fresh_for], self._by_unit(self._observed_until)])
        self.observed.advance(at, len(until))
        self.observed.hold(until, until > -np.inf, borrow=self._born_units(born))

    def _born_units(self, born: BoolArray | None) -> BoolArray | None:
        """Return the flags of the rows that are born as flags over the source itself and the units."""
        if born is None:
            return None
        units = self.folding.any(born) if self.folds_first else born
        return np.concatenate([[False], units])

    def _by_unit(self, until: FloatArray) -> FloatArray:
        """Fold to groups where the measure folds first: the latest time of any row."""
        if not self.folds_first:
            return until
        folded = self.folding.reduce(until, Combine.MAX)
        return np.where(np.isnan(folded), -np.inf, folded)


def _needs_level(kpi: KPI) -> bool:
    runs_down = kpi.pace is not None and kpi.measure.reducer is Reducer.LAST
    return runs_down or kpi.measure.reducer is Reducer.DELTA
