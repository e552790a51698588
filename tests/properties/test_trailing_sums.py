"""The sums behind burn rates against a plain list of what was gained when, of which nothing is ever dropped.

``SLO_GUARD_SEED`` repeats a run, ``SLO_GUARD_EXAMPLES`` makes it longer.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, note, seed, settings
from hypothesis import strategies as st

from slo_guard.evaluate.events import EventBuffer
from slo_guard.evaluate.slices import SliceTally
from slo_guard.evaluate.trailing import EXACT_SECONDS, TrailingSums, cell_of
from tests.support.builders import SPRINT_START, a_measure
from tests.support.seeds import SEED, announce_seed

__all__ = ["announce_seed"]

EXAMPLES = int(os.environ.get("SLO_GUARD_EXAMPLES", "300"))
T0 = SPRINT_START
HOUR = 3600.0
_SUM = a_measure("sum over 1m")


@dataclass
class Gains:
    """Every gain of every row with the instant at which it counts: a long silence ends what was known of it."""

    fresh_for: float
    all: list[tuple[float, int, float]] = field(default_factory=list)

    def add(self, at: float, gained: list[float], since: list[float]) -> None:
        """Note what each row gained up to ``at`` since its sample before."""
        for row, (gain, before) in enumerate(zip(gained, since, strict=True)):
            if gain:
                # A window that begins when the sample before was fresh counts from it, so it counts all of the gain.
                silent = at - before > self.fresh_for
                self.all.append((math.nextafter(before + self.fresh_for, math.inf) if silent else at, row, gain))

    def between(self, start: float, end: float, rows: int) -> list[float]:
        """Return what each row gained in (start, end]."""
        return [math.fsum(g for at, r, g in self.all if r == row and start < at <= end) for row in range(rows)]


@st.composite
def stretches(draw: st.DrawFn) -> list[tuple[list[float], int, np.ndarray]]:
    """Draw stretches of frames: their times, how many rows there are by then, and gains of shape (times, rows)."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    found, at, rows = [], T0, draw(st.integers(1, 2))
    for _ in range(draw(st.integers(1, 8))):
        rows += draw(st.sampled_from([0, 0, 1, 3]))
        # From a minute to two days: what is older than 25 hours is thinned.
        at += draw(st.sampled_from([30.0, 60.0, 300.0, 301.0, 7 * HOUR, 26 * HOUR, 50 * HOUR]))
        step = draw(st.sampled_from([30.0, 60.0, 299.0, 777.0, HOUR]))
        times = [at + step * number for number in range(draw(st.integers(1, 60)))]
        gained = random.integers(0, 4, (len(times), rows)).astype(float)
        gained[:, random.random(rows) < 0.3] = 0.0
        found.append((times, rows, gained))
        at = times[-1]
    return found


def _fed(frames: list[tuple[list[float], int, np.ndarray]], reach: float, cell: float, runs: bool):
    """Return sums, and the plain list, that got all ``frames``."""
    sums, plain = TrailingSums(reach, cell, 300.0), Gains(300.0)
    seen = np.zeros(0)
    for times, rows, gained in frames:
        # Before its first sample a row has none, and what it gained by its birth counts when it is born.
        seen = np.concatenate([seen, np.full(rows - len(seen), np.nan)])
        for number, at in enumerate(times):
            plain.add(at, gained[number].tolist(), seen.tolist() if number == 0 else [times[number - 1]] * rows)
        sums.add(times[0], gained[0], seen)
        if runs and len(times) > 1:
            sums.add_run(np.array(times[1:]), gained[1:], np.full(rows, times[0]), np.ones(rows, dtype=bool))
        else:
            for number in range(1, len(times)):
                sums.add(times[number], gained[number], np.full(rows, times[number - 1]))
        seen = np.full(rows, times[-1])
    return sums, plain


@seed(SEED)
@settings(max_examples=EXAMPLES // 4, deadline=None, database=None, print_blob=True)
@given(stretches(), st.booleans(), st.sampled_from([12 * 24 * HOUR, 30 * 24 * HOUR, 2 * HOUR]), st.data())
def test_windows_hold_what_a_plain_list_says(frames, runs, reach, data):
    """Whatever was thinned, grown and taken in stretches, a window is what was gained in it, to the event."""
    note(f"SLO_GUARD_SEED={SEED}")
    cell = cell_of(reach)
    sums, plain = _fed(frames, reach, cell, runs)
    now, rows = frames[-1][0][-1] + data.draw(st.sampled_from([0.0, 17.0, 600.0])), frames[-1][1]

    for _ in range(8):
        seconds = min(reach, data.draw(st.sampled_from([60.0, 300.0, HOUR, 25 * HOUR, 26 * HOUR, 72 * HOUR, reach])))
        start = sums.start_of(now, seconds)
        asked = now - seconds
        if seconds <= EXACT_SECONDS:
            assert start == asked
        else:
            assert asked - cell < start <= asked
            assert start % cell == 0.0

        found = sums.gained(np.array([start]), np.array([now]))[0]

        np.testing.assert_array_equal(found, plain.between(start, now, rows))
    edges = {
        frame[0][place] + more for frame in frames for place in (0, -1) for more in (-1.0, 0.0, 299.0, 300.0, 301.0)
    }
    for start in (edge for edge in edges if 0 <= now - edge <= min(EXACT_SECONDS, reach)):
        found = sums.gained(np.array([start]), np.array([now]))[0]
        np.testing.assert_array_equal(found, plain.between(start, now, rows), err_msg=f"from {start - T0:g}")


def _thin(sums: TrailingSums) -> None:
    """Drop what is old, as when there is no room left."""
    kept = sums._worth_keeping()
    sums._times[: len(kept)], sums._sums[: len(kept)] = sums._times[kept], sums._sums[kept]
    sums._count = len(kept)


@seed(SEED)
@settings(max_examples=EXAMPLES // 6, deadline=None, database=None, print_blob=True)
@given(stretches(), st.integers(1, 6))
def test_when_old_sums_are_thinned_decides_no_answer(frames, often):
    """A restart thins at other instants than an undisturbed run; a budget must not tell which it was."""
    note(f"SLO_GUARD_SEED={SEED}")
    reach = 12 * 24 * HOUR
    one, _ = _fed(frames, reach, 300.0, runs=True)
    other = TrailingSums(reach, 300.0, 300.0)
    seen = np.zeros(0)
    for times, rows, gained in frames:
        seen = np.concatenate([seen, np.full(rows - len(seen), np.nan)])
        for number, at in enumerate(times):
            if number % often == 0:
                _thin(other)
            other.add(at, gained[number], seen)
            seen = np.full(rows, at)
    now = frames[-1][0][-1] + 30.0
    windows = [60.0, HOUR, 25 * HOUR, 26 * HOUR, 72 * HOUR, 11 * 24 * HOUR]
    starts = np.array([one.start_of(now, seconds) for seconds in windows])

    np.testing.assert_array_equal(one.gained(starts), other.gained(starts))


@seed(SEED)
@settings(max_examples=EXAMPLES // 4, deadline=None, database=None, print_blob=True)
@given(
    st.lists(
        st.tuples(st.integers(-4, 30), st.integers(0, 2), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40
    ),
    st.sampled_from([1.0, 7.0, 60.0]),
    st.sampled_from([0.5, 0.9, 0.95, 1.0]),
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
    st.data(),
)
def test_slices_are_those_of_a_plain_count(events, slice_seconds, slice_good, waits, data):
    """Late events included: each complete slice is bad or not by what is known of it now, whenever that came."""
    note(f"SLO_GUARD_SEED={SEED}")
    begin = 1000 * slice_seconds
    known: list[tuple[float, int, float, float]] = []
    tally, now, groups = SliceTally(slice_seconds, slice_good, 100 * slice_seconds), begin, 1

    def sums(starts, ends, count):
        bad, total = np.zeros((len(starts), count)), np.zeros((len(starts), count))
        for window, (start, end) in enumerate(zip(starts, ends, strict=True)):
            for at, group, one, other in known:
                if start < at <= end and group < count:
                    bad[window, group] += min(one, other)
                    total[window, group] += other
        return bad, total

    for number, wait in enumerate(waits):
        now += wait * slice_seconds / 2
        new = [
            (min(now, begin + place * slice_seconds / 2), group, float(bad), float(total))
            for place, group, bad, total in events[number :: len(waits)]
        ]
        known += new
        groups = max([groups, *(group + 1 for _, group, _, _ in known)])
        first = min((at for at, *_ in known), default=None)
        tally.advance(now, groups, sums, first, min((at for at, *_ in new), default=math.inf))
        start = begin + data.draw(st.integers(-3, 30)) * slice_seconds / 2

        bad, total = tally.within(np.array([start]), groups)

        expected = np.zeros((2, groups))
        slot = math.floor(start / slice_seconds)
        while (slot + 1) * slice_seconds <= now:
            of_bad, of_total = sums([slot * slice_seconds], [(slot + 1) * slice_seconds], groups)
            for group in range(groups):
                if of_total[0, group]:
                    expected[1, group] += 1
                    expected[0, group] += of_bad[0, group] / of_total[0, group] > 1 - slice_good + 1e-12
            slot += 1
        np.testing.assert_array_equal(np.concatenate([bad, total]), expected)


def test_slices_that_no_window_holds_are_forgotten():
    """A daemon runs for months; its memory goes by the longest window and not by its age."""
    tally, begin = SliceTally(60.0, 0.9, 100 * 60.0), 60_000.0

    def sums(starts, ends, count):
        number = np.round(np.asarray(ends) / 60.0)[:, None] * np.ones(count)
        return np.where(number % 3 == 0, 5.0, 0.0), np.full((len(ends), count), 10.0)

    for step in range(3000):
        now = begin + 60.0 * step
        tally.advance(now, 2, sums, begin, now if step else math.inf)
        bad, total = tally.within(np.array([now - 6000.0, now - 600.0]), 2)
        if step > 200:
            assert total.tolist() == [[100.0, 100.0], [10.0, 10.0]]
            assert bad[0, 0] in (33.0, 34.0)

    assert len(tally) < 1000


@seed(SEED)
@settings(max_examples=EXAMPLES // 4, deadline=None, database=None, print_blob=True)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3600), st.integers(0, 9)), max_size=30), max_size=6),
    st.sampled_from([0.0, 600.0, 7200.0]),
    st.integers(1, 40),
)
def test_sums_of_events_are_those_of_a_plain_list(batches, keep, copies):
    """Events come late and in any order; a burn window holds each of them once, as far back as it is kept."""
    note(f"SLO_GUARD_SEED={SEED}")
    buffer, plain = EventBuffer(keep), []
    group_of = np.array([0, 1, 0, 2])
    for number, batch in enumerate(batches):
        # Many alike, so that what is old is dropped.
        events = [(row, number * 900.0 + at, value) for row, at, value in batch for _ in range(copies)]
        plain += events
        rows, at, values = (np.array([each[place] for each in events]) for place in range(3))
        buffer.add(rows.astype(np.int64), at.astype(float), values.astype(float))
        now = number * 900.0 + 3600.0
        buffer.measured(_SUM, now - 60.0, now, group_of, 3)
    now = 900.0 * len(batches) + 3600.0
    starts = np.array(
        [now - seconds for seconds in (0.0, 60.0, 599.0, 600.0, 7200.0) if seconds <= keep or not seconds]
    )

    found = buffer.sums(starts, np.full(len(starts), now), group_of, 3)

    for start, row in zip(starts, found, strict=True):
        expected = [sum(v for r, at, v in plain if group_of[r] == group and start < at <= now) for group in range(3)]
        np.testing.assert_array_equal(row, expected)
