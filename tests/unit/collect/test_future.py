"""A source whose clock is ahead: what it stamps in the future is not believed, and it is told."""

from __future__ import annotations

import numpy as np
import pytest

from slo_guard.clock import from_unix
from slo_guard.collect.future import without_future
from slo_guard.domain.readings import Collection, EventBatch, GaugeFrame, HistogramFrame, Reading
from slo_guard.domain.series import SeriesIndex
from slo_guard.jobs import collect_once
from tests.support.builders import a_failure, a_frame, a_sign_off, an_evidence, labels
from tests.support.fake_collector import FakeCollector
from tests.support.fake_store import FakeStore

NOW = 1_783_245_660.0
"""2026-07-05T10:01:00Z."""

FS, XAI2 = labels("system=fs"), labels("system=xai2")
INDEX = SeriesIndex.of((FS, XAI2))
AHEAD = '{system="fs"} is stamped 2026-07-06T10:00:00Z, 23h 59m ahead of its collection'


def checked(*observations, seen_at=NOW):
    return without_future(Collection("source", NOW, observations), seen_at).observations


def test_a_frame_from_the_future_keeps_its_listing_and_nothing_else():
    """The source answered and has these series; a value of tomorrow must not pass for one of today."""
    frame = a_frame("a", NOW + 86_340, {FS: 1.0, XAI2: None}, seen_at=NOW)

    (reading,) = checked(frame)

    assert (reading.frame.index, reading.frame.at) == (frame.frame.index, NOW)
    assert reading.frame.present.tolist() == [False, False]
    assert np.isnan(reading.frame.values).all()
    assert (reading.rejected, reading.example) == (1, AHEAD)


def test_histograms_are_treated_alike():
    """Every kind of sample has a time that can be wrong."""
    counts = np.array([[1.0, 2.0], [3.0, 4.0]])
    frame = HistogramFrame(INDEX, np.array([1.0, np.inf]), counts, NOW + 86_340)

    (reading,) = checked(Reading("a", "source", NOW, frame))

    assert (reading.frame.index, reading.frame.at, reading.frame.present.tolist()) == (INDEX, NOW, [False, False])
    assert (reading.rejected, reading.example) == (2, AHEAD)


def test_events_of_the_future_are_dropped_and_the_others_stay():
    """One mistyped date in a file must not cost the rest of it."""
    at = np.array([NOW - 5, NOW + 86_340, NOW + 60])
    batch = EventBatch(INDEX, np.array([1, 0, 1]), at, np.array([1.0, 2.0, 3.0]))

    (reading,) = checked(Reading("a", "source", NOW, batch))

    assert (reading.frame.values.tolist(), reading.frame.series.tolist()) == ([1.0, 3.0], [1, 1])
    assert (reading.rejected, reading.example) == (1, AHEAD)


def test_what_was_rejected_before_still_counts_and_is_shown_first():
    """The numbers on the metrics page are of all that was wrong."""
    frame = GaugeFrame(INDEX, np.array([1.0, np.nan]), NOW + 86_340, np.array([True, False]))

    (reading,) = checked(Reading("a", "source", NOW, frame, 1, '{system="xai2"} is nan'))

    assert (reading.rejected, reading.example) == (2, '{system="xai2"} is nan')


@pytest.mark.parametrize("ahead", [-3600.0, 0.0, 60.0])
def test_clocks_may_be_a_minute_apart(ahead):
    """Nobody's clocks agree to the second; and the usual collection is passed on as it is."""
    collection = Collection("source", NOW, (a_frame("a", NOW + ahead, {FS: 1.0}, seen_at=NOW),))

    assert without_future(collection, NOW) is collection


def test_the_time_that_a_collection_took_is_not_the_future():
    """A page that took two minutes to come carries times up to its end."""
    frame = a_frame("a", NOW + 110, {FS: 1.0}, seen_at=NOW)

    assert checked(frame, seen_at=NOW + 120) == (frame,)


def test_sign_offs_failures_and_empty_frames_pass():
    """A sign-off is judged by its `when`; there is nothing to take out of the others."""
    evidence, failure = an_evidence("a", NOW, a_sign_off(NOW + 86_400)), a_failure("a", NOW)

    *others, empty = checked(evidence, failure, a_frame("a", NOW + 86_340, {}, seen_at=NOW))

    assert others == [evidence, failure]
    assert (empty.frame.at, empty.rejected, empty.example) == (NOW, 0, None)


def test_an_instant_beyond_all_calendars_is_told_too():
    """Milliseconds taken for seconds are the commonest mistake of all, and must not stop the collector."""
    (reading,) = checked(a_frame("a", NOW * 1000, {FS: 1.0}, seen_at=NOW))

    assert reading.example == '{system="fs"} is stamped 1783245660000, 20618777d 22h ahead of its collection'


class AheadCollector(FakeCollector):
    """A collector whose source's clock is a day ahead."""

    def collect(self, now: float, cursor: str | None) -> Collection:
        ahead = super().collect(now + 86_340, cursor)
        return Collection(self.name, now, ahead.observations)


def test_no_collector_brings_the_future_into_the_store():
    """The check stands where all collections pass, so that the next collector cannot forget it."""
    store = FakeStore()

    collect_once(AheadCollector("source", {"a": {FS: 1.0}}), store, from_unix(NOW))

    (stored, up) = store.observations(after_id=0)
    assert (stored.observation.frame.at, stored.observation.frame.present.tolist()) == (NOW, [False])
    assert (stored.observation.example, up.observation.frame.values.tolist()) == (AHEAD, [1.0])
