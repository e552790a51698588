"""Events of the json collector: a source gives them again at each poll, and each is taken exactly once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from slo_guard.clock import from_unix
from slo_guard.collect.event_memory import MOST_REMEMBERED
from slo_guard.domain.readings import EventBatch
from slo_guard.jobs import collect_once
from slo_guard.store import open_store
from tests.support.http_sources import Reply
from tests.support.json_sources import NOW, PAGINGS, Build, builds, paged, readings_of, reply, samples

TICKETS = {
    "type": "event",
    "unit": "hours",
    "rows": "rows",
    "value": "hours",
    "time": {"path": "resolved_at"},
    "labels": {"partner": "partner"},
}
WITH_ID = {**TICKETS, "id": "key"}


def ticket(key: str, seconds: float, hours: float = 1.0, partner: str = "acme") -> dict:
    return {"key": key, "resolved_at": NOW + seconds, "hours": hours, "partner": partner}


@pytest.fixture
def build() -> Iterator[Build]:
    with ExitStack() as stack:
        yield builds(stack)


def values(collection) -> list[float]:
    return [value / 3600 for *_, value in samples(collection.observations)]


def test_events_are_one_batch_with_their_own_times(build):
    """A median over the sprint needs each ticket at its own time."""
    _, collector = build(reply({"rows": [ticket("b", -60, 2.0), ticket("a", -120, 1.0)]}), WITH_ID)

    [reading] = readings_of(collector)

    assert isinstance(reading.frame, EventBatch)
    assert reading.frame.at.tolist() == [NOW - 120, NOW - 60]
    assert reading.frame.values.tolist() == [3600.0, 7200.0]
    assert reading.frame.index.label_sets == ((("partner", "acme"),),)


def test_an_event_without_a_value_counts_one(build):
    """A go-live block is something that happened, not something that is measured."""
    happened = {key: value for key, value in WITH_ID.items() if key not in ("value", "unit")}
    _, collector = build(reply({"rows": [ticket("a", 0)]}), happened)

    assert [value for *_, value in samples(readings_of(collector))] == [1.0]


@pytest.mark.parametrize("indicator", [TICKETS, WITH_ID])
def test_an_event_is_taken_once_across_polls(build, indicator):
    """The source gives its recent ones again each time; new ones and late ones are taken."""
    rows = [ticket("a", -7200, 1.0), ticket("b", -60, 2.0)]
    _source, collector = build(lambda _: reply({"rows": rows}), indicator)
    first = collector.collect(NOW, None)
    again = collector.collect(NOW + 60, first.cursor)
    rows += [ticket("c", 30, 3.0), ticket("late", -3600, 4.0)]

    third = collector.collect(NOW + 120, again.cursor or first.cursor)

    assert (values(first), values(again), values(third)) == ([1.0, 2.0], [], [4.0, 3.0])
    assert again.succeeded
    assert again.cursor is None
    assert third.cursor is not None


def test_an_event_is_taken_once_across_restarts_and_crashes(build, tmp_path: Path):
    """The memory is stored with the readings: a kill at any instant leaves both or neither."""
    rows = [ticket("a", -7200, 1.0), ticket("b", -60, 2.0)]
    _source, collector = build(lambda _: reply({"rows": rows}), WITH_ID)
    for restart in range(3):
        # A collection that was killed before it was stored.
        store = open_store(tmp_path / "store.db")
        collector.collect(NOW, store.collector_cursor("source"))
        collect_once(collector, store, from_unix(NOW + restart))
        store.close()
        rows.append(ticket(f"new {restart}", restart + 1, 10.0 + restart))
    store = open_store(tmp_path / "store.db")

    stored = [item.observation for item in store.observations(indicators=["i0"])]
    store.close()

    assert [value / 3600 for *_, value in samples(stored)] == [1.0, 2.0, 10.0, 11.0]


def test_an_event_that_is_too_late_to_be_told_is_counted(build):
    """Whether it was taken cannot be known any more; the example says what to do."""
    rows = [ticket("a", -60)]
    _source, collector = build(lambda _: reply({"rows": rows}), {**WITH_ID, "look_back": "1h"})
    first = collector.collect(NOW, None)
    rows.append(ticket("late", -7200))

    [reading] = collector.collect(NOW, first.cursor).observations

    assert (len(reading.frame.at), reading.rejected) == (0, 1)
    assert reading.example.startswith(
        "rows[1]: the event of 2026-07-16T08:00:00Z is too old to be told from those taken"
    )


@pytest.mark.parametrize(("indicator", "says"), [(TICKETS, "give events an id"), (WITH_ID, "its id stands")])
def test_an_event_that_comes_twice_in_one_answer_is_counted(build, indicator, says):
    """Two equal events without an id may be two: what is left out is told, once."""
    rows = [ticket("a", -60), ticket("a", -60)]
    _source, collector = build(lambda _: reply({"rows": rows}), indicator)
    first = collector.collect(NOW, None)

    again = collector.collect(NOW, first.cursor)

    assert (values(first), first.observations[0].rejected) == ([1.0], 1)
    assert says in first.observations[0].example
    assert again.observations[0].rejected == 0


def test_events_with_an_id_may_be_equal(build):
    """Two tickets of one partner, solved in the same second after the same time."""
    _, collector = build(reply({"rows": [ticket("a", -60), ticket("b", -60)]}), WITH_ID)

    [reading] = readings_of(collector)

    assert (len(reading.frame.at), reading.rejected) == (2, 0)


@pytest.mark.parametrize(
    ("key", "says"), [(None, "the id is empty"), ({}, "the id is a dict"), (True, "the id is a bool")]
)
def test_an_event_whose_id_is_none_is_counted(build, key, says):
    """Without it nobody could say at the next poll whether it is the same."""
    _, collector = build(reply({"rows": [ticket(key, -60)]}), WITH_ID)

    [reading] = readings_of(collector)

    assert (len(reading.frame.at), reading.rejected, reading.example) == (0, 1, f"rows[0]: {says}")


def test_an_event_of_the_far_future_does_not_make_the_next_ones_late(build):
    """One wrong clock would otherwise end the indicator for good."""
    rows = [ticket("wrong", 10 * 365 * 86400), ticket("a", -60, 1.0)]
    _source, collector = build(lambda _: reply({"rows": rows}), WITH_ID)
    first = collector.collect(NOW, None)
    rows[:] = [ticket("b", 0, 2.0), ticket("ahead", 120, 3.0)]

    second = collector.collect(NOW, first.cursor)

    assert first.observations[0].rejected == 1
    assert "is in the future" in first.observations[0].example
    assert (values(first), values(second)) == ([1.0], [2.0, 3.0])


def test_an_event_that_cannot_be_used_now_is_taken_when_it_is_mended(build):
    """What was rejected was not taken."""
    rows = [ticket("a", -60, "soon")]
    _source, collector = build(lambda _: reply({"rows": rows}), WITH_ID)
    first = collector.collect(NOW, None)
    rows[0] = ticket("a", -60, 5.0)

    assert first.cursor is None
    assert values(collector.collect(NOW, first.cursor)) == [5.0]


def test_a_page_that_fails_forgets_nothing_and_takes_nothing(build):
    """The next poll takes the whole answer."""
    good = paged([[ticket("a", -60, 1.0)], [ticket("b", -30, 2.0)]])
    broken = [True]
    _source, collector = build(
        lambda request: Reply(b"", 500) if broken[0] and "page" in request.params else good(request),
        WITH_ID,
        paging=PAGINGS["next_url"],
    )
    failed = collector.collect(NOW, None)
    broken[0] = False

    mended = collector.collect(NOW, failed.cursor)

    assert (failed.succeeded, failed.cursor) == (False, None)
    assert values(mended) == [1.0, 2.0]


def test_an_indicator_that_fails_keeps_its_memory(build):
    """The other indicator's news must not cost it."""
    rows = {"rows": [ticket("a", -60, 1.0)], "more": [ticket("x", -60, 5.0)]}
    _source, collector = build(lambda _: reply(rows), WITH_ID, {**WITH_ID, "rows": "more"})
    first = collector.collect(NOW, None)
    del rows["rows"]
    rows["more"].append(ticket("y", -30, 6.0))
    second = collector.collect(NOW, first.cursor)
    rows["rows"] = [ticket("a", -60, 1.0), ticket("b", -50, 2.0)]

    third = collector.collect(NOW, second.cursor)

    assert [item.reason for item in second.observations if not hasattr(item, "frame")] == ["wrong_shape"]
    assert values(third) == [2.0]


@pytest.mark.parametrize("content", ["7", "[]", '{"marks":{}}', '{"newest_at":"x","horizon":1,"marks":{}}', "null"])
def test_a_strange_memory_is_an_empty_one(build, content):
    """A cursor of another version must not stop the source for good."""
    _, collector = build(reply({"rows": [ticket("a", -60, 1.0)]}), WITH_ID)

    collection = collector.collect(NOW, f'{{"version":1,"indicators":{{"i0":{content}}}}}')

    assert values(collection) == [1.0]


def test_the_memory_is_bounded(build):
    """It is stored with every collection that brings something new."""
    rows = [ticket(f"T-{number}", -number / 10) for number in range(MOST_REMEMBERED + 100)]
    _, collector = build(reply({"rows": rows}), WITH_ID)

    collection = collector.collect(NOW, None)

    assert len(values(collection)) == MOST_REMEMBERED + 100
    assert len(collection.cursor) < 4_000_000
