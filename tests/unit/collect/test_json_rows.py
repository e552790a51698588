"""The json collector over real HTTP: one answer for all indicators, and what of its rows can be used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from slo_guard.collect.frame_memory import MOST_REMEMBERED
from slo_guard.domain.readings import CollectionFailure
from tests.support.http_sources import Reply, html
from tests.support.json_sources import NOW, Build, builds, failures_of, readings_of, reply, samples

ROWS = {"rows": "rows", "value": "v", "labels": {"tenant": "tenant"}}
TIMED = {**ROWS, "time": {"path": "at"}}


@pytest.fixture
def build() -> Iterator[Build]:
    with ExitStack() as stack:
        yield builds(stack)


def test_one_answer_serves_all_indicators(build):
    """An answer is often costly to its source; it is asked for once."""
    document = {"rows": [{"tenant": "a", "v": "1500", "ok": True}, {"tenant": "b", "v": 250, "ok": False}], "total": 7}
    source, collector = build(
        reply(document),
        {**ROWS, "unit": "ms"},
        {**ROWS, "value": "ok", "type": "bool"},
        {"value": "total", "type": "counter"},
        {"rows": "[@]", "value": "length(rows[?ok])"},
    )

    found = list(samples(readings_of(collector)))

    assert len(source.requests) == 1
    assert source.requests[0].headers["Accept"] == "application/json"
    a, b = (("tenant", "a"),), (("tenant", "b"),)
    assert found == [
        ("i0", a, NOW, 1.5),
        ("i0", b, NOW, 0.25),
        ("i1", a, NOW, 1.0),
        ("i1", b, NOW, 0.0),
        ("i2", (), NOW, 7.0),
        ("i3", (), NOW, 1.0),
    ]


def test_an_answer_that_is_a_list_or_a_number_needs_no_rows(build):
    """The simplest endpoints are read with the simplest options."""
    _, listed = build(reply([{"v": 1, "t": "a"}, {"v": 2, "t": "b"}]), {"value": "v", "labels": {"t": "t"}})
    _, number = build(reply(42), {"value": "@"})

    assert [value for *_, value in samples(readings_of(listed))] == [1.0, 2.0]
    assert [value for *_, value in samples(readings_of(number))] == [42.0]


def test_a_series_that_the_answer_lacks_is_gone(build):
    """An answer is the present state, not an increment: a tenant that left must be seen to have left."""
    source, collector = build(reply({"rows": [{"tenant": "a", "v": 1}, {"tenant": "b", "v": 2}]}), ROWS)
    readings_of(collector)
    source.answer = lambda _: reply({"rows": [{"tenant": "b", "v": 2}]})

    [reading] = readings_of(collector)

    assert reading.frame.index.label_sets == ((("tenant", "b"),),)
    assert reading.frame.increment is False


def test_an_empty_list_is_an_empty_reading(build):
    """That there is nothing is knowledge."""
    _, collector = build(reply({"rows": []}), ROWS)

    [reading] = readings_of(collector)

    assert (len(reading.frame.index), reading.rejected) == (0, 0)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"items": [], "total": 3}, r"rows: rows finds nothing in the answer, whose keys are 'items', 'total'"),
        ({}, "the answer, which is empty"),
        ({f"k{number:02}": 1 for number in range(30)}, "'k09' and more"),
        ([], "the answer, which is a list"),
        (None, "the answer, which is null"),
        ({"rows": {"a": 1}}, "finds a dict, not a list"),
        ({"rows": None}, "finds nothing"),
    ],
)
def test_rows_that_are_not_there_are_a_failure_that_says_what_came(build, document, says):
    """An API that renamed its list must not look like one without rows."""
    _, collector = build(reply(document), ROWS, {"rows": "`[1]`", "value": "@"})

    [failure, reading] = collector.collect(NOW, None).observations

    assert (failure.reason, failure.indicators) == ("wrong_shape", ("i0",))
    assert says in failure.message
    assert reading.indicator == "i1"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"v": None}, "rows[1]: the value is empty"),
        ({}, "rows[1]: the value is empty"),
        ({"v": "five"}, "rows[1]: the value is 'five', not a number"),
        ({"v": {"a": 1}}, "rows[1]: the value is a dict, not a number"),
        ({"v": True}, "rows[1]: the value is true, not a number"),
        ({"v": "NaN"}, "rows[1]: the value is nan"),
        ({"v": "9" * 10_000_000}, "rows[1]: the value is inf"),
        ({"v": "x" * 10_000_000}, "not a number"),
        ({"v": 1e308}, "rows[1]: the value is 1e+308, which is too large"),
        ({"v": 1, "tenant": {"id": 3}}, "rows[1]: the label tenant is a dict, not a text"),
        ({"v": 1, "tenant": "x" * 10_000_000}, "rows[1]: the label tenant is longer than 1,000 characters"),
        ({"v": 1, "tenant": "a\nb"}, "rows[1]: the label tenant holds control characters"),
        ({"v": 1, "at": "2026-07-16 04:00:00"}, "states no time zone; write time: {zone: UTC}"),
        ({"v": 1, "at": NOW * 1000}, "looks like ms, write time: {epoch: ms}"),
        ({"v": 1, "at": "9" * 400}, "is not a time between 1970 and 9999"),
        ({"v": 1, "at": "yesterday"}, "rows[1]: 'yesterday' is not a time"),
        ({"v": 1, "at": None}, "rows[1]: the time is empty"),
        ({"v": 1, "at": NOW + 86400}, "rows[1]: the time 2026-07-17T10:00:00Z is in the future"),
        (None, "rows[1]: the value is empty"),
        (7, "rows[1]: the value is empty"),
        ([], "rows[1]: the value is empty"),
    ],
)
def test_a_row_that_cannot_be_used_is_counted_with_its_place_and_the_rest_taken(build, row, says):
    """One row of thousands that is wrong must be found, and must not blind for the others."""
    document = {"rows": [{"tenant": "a", "v": 1, "at": NOW}, {"at": NOW, **row} if isinstance(row, dict) else row]}
    _, collector = build(reply(document), {**TIMED, "unit": "hours"})

    [reading] = readings_of(collector)

    assert reading.rejected == 1
    assert says in reading.example
    assert reading.frame.values.tolist() == [3600.0]


def test_an_expression_that_cannot_be_applied_says_why(build):
    """A sum over what is no list is the expression's fault or the row's; both are named."""
    _, collector = build(reply({"rows": [{"parts": [1, 2]}, {"parts": None}]}), {"rows": "rows", "value": "sum(parts)"})

    [reading] = readings_of(collector)

    assert reading.frame.values.tolist() == [3.0]
    assert reading.example == "rows[1]: sum(parts): sum() takes array-number, not null"


def test_a_series_that_comes_twice_is_counted(build):
    """Of two values that differ neither is believed."""
    rows = [{"tenant": "a", "v": 1}, {"tenant": "a", "v": 2}, {"tenant": "b", "v": 3}]
    _, collector = build(reply({"rows": rows}), ROWS)

    [reading] = readings_of(collector)

    assert (reading.rejected, reading.example) == (1, '{tenant="a"} comes twice at one time')
    assert list(samples([reading])) == [("i0", (("tenant", "b"),), NOW, 3.0)]


def test_times_of_mixed_zones_are_one_time_line(build):
    """A source that collects from several countries writes each time in its own zone."""
    rows = [
        {"v": 1, "at": "2026-07-16T10:00:00Z"},
        {"v": 2, "at": "2026-07-16T11:30:00+02:00"},
        {"v": 3, "at": "2026-07-16 03:00:00"},
    ]
    indicator = {"rows": "rows", "value": "v", "time": {"path": "at", "zone": "America/Denver"}}
    _, collector = build(reply({"rows": rows}), indicator)

    readings = readings_of(collector)

    assert [(each.frame.at - NOW, each.frame.values.tolist()) for each in readings] == [
        (-3600.0, [3.0]),
        (-1800.0, [2.0]),
        (0.0, [1.0]),
    ]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (html().body, "a web page or XML; is this the right address, or is a login needed?"),
        (b'{"rows":[{"v":NaN}]}', "at line 1 column 15"),
        (b'{"rows":[{"v":Infinity}]}', "at line 1 column"),
        (b'{"rows":[{"v":' + b"9" * 5000 + b"}]}", "infinity"),
        (b'{"rows":' + b"[" * 100_000, "at line 1 column"),
        (b'{"rows":' + b'{"a":' * 5000 + b"1" + b"}" * 5001, "at line 1 column"),
        (b'{"rows":[', "at line 1 column"),
        (b"", "empty document"),
        ('{"rows":[]}'.encode("utf-16"), "UTF-8"),
        (b'{"rows":["\xff"]}', "UTF-8"),
        (b'{"rows":["\\ud800"]}', "at line 1"),
        (b'{"rows":[]} and more', "unexpected content"),
    ],
)
def test_what_is_not_json_is_a_named_failure(build, body, says):
    """A login page that answers 200, a cut answer and a NaN are told apart in words."""
    _, collector = build(Reply(body), ROWS, {"value": "v"})

    [failure] = failures_of(collector)

    assert (failure.reason, failure.indicators) == ("not_json", ("i0", "i1"))
    assert says in failure.message


def test_a_byte_order_mark_is_skipped(build):
    """Some servers write one although JSON has none."""
    _, collector = build(Reply(b"\xef\xbb\xbf" + json.dumps({"rows": [{"v": 1}]}).encode()), ROWS)

    assert [value for *_, value in samples(readings_of(collector))] == [1.0]


def test_huge_integers_are_numbers(build):
    """Identifiers beyond 64 bits come as numbers now and then."""
    _, collector = build(Reply(b'{"rows":[{"v":123456789012345678901234567890}]}'), ROWS)

    assert [value for *_, value in samples(readings_of(collector))] == [1.2345678901234568e29]


def test_more_rows_than_allowed_are_a_failure_of_that_indicator_alone(build):
    """A part of the rows would look like all of them."""
    document = {"rows": [{"tenant": str(number), "v": 1} for number in range(11)], "total": 11}
    _, collector = build(reply(document), ROWS, {"value": "total"}, max_rows=10)

    [failure, reading] = collector.collect(NOW, None).observations

    assert (failure.reason, failure.message) == ("too_many_rows", "i0: more than max_rows, 10")
    assert reading.frame.values.tolist() == [11.0]


def test_too_many_times_for_too_many_series_are_a_failure(build):
    """Each time is a frame over all series: a hostile answer could fill the memory with them."""
    rows = [{"tenant": f"t{number}", "v": 1, "at": NOW - number} for number in range(5000)]
    _, collector = build(reply({"rows": rows}), TIMED)

    [failure] = failures_of(collector)

    assert failure.reason == "too_many_times"
    assert "5,000 series with 5,000 different times" in failure.message


def test_an_answer_that_takes_too_long_to_take_apart_is_a_time_out(build):
    """The deadline holds for the processor as it does for the network."""
    body = b'{"rows":[' + b",".join([b'{"a":[1,2,3]}'] * 600_000) + b"]}"
    _, collector = build(Reply(body), {"rows": "rows[?a[?@>`2`]]", "value": "a[0]"}, timeout="1s", max_rows=10**7)

    [failure] = failures_of(collector)

    assert failure.reason == "timeout"


def test_frames_that_were_given_before_are_not_given_again(build):
    """A source that gives its last day of points at each poll would fill the store with copies of it."""
    points = [{"tenant": "a", "v": number, "at": NOW - 300 + 60 * number} for number in range(4)]
    source, collector = build(reply({"rows": points}), TIMED)
    first = collector.collect(NOW, None)
    again = collector.collect(NOW + 30, first.cursor)
    points.append({"tenant": "b", "v": 9, "at": NOW - 270})
    points.append({"tenant": "a", "v": 4, "at": NOW - 60})
    source.answer = lambda _: reply({"rows": points})

    third = collector.collect(NOW + 60, again.cursor or first.cursor)

    assert [item.frame.at - NOW for item in first.observations] == [-300, -240, -180, -120]
    assert [item.frame.at - NOW for item in again.observations] == [-120]
    assert again.cursor is None
    assert [item.frame.at - NOW for item in third.observations] == [-270, -60]
    assert MOST_REMEMBERED > 1000


def test_a_crash_before_the_store_gives_the_frames_again(build):
    """What was collected and not stored was not given."""
    points = [{"v": number, "at": NOW - 60 * number} for number in range(3)]
    _, collector = build(reply({"rows": points}), TIMED)
    collector.collect(NOW, None)

    again = collector.collect(NOW, None)

    assert len(again.observations) == 3


SECRET = "s3cr3t-" + "0123456789" * 6


@pytest.mark.parametrize(
    "document",
    [
        {"rows": [{"v": f"Bearer {SECRET}"}]},
        {"rows": [{"v": 1, "at": f"{SECRET}"}]},
        {"rows": [{"v": 1, "at": 1, "tenant": {SECRET: 1}}]},
        {f"key {SECRET}": 1},
        {"rows": f"Bearer {SECRET}"},
    ],
)
def test_a_secret_that_the_source_sends_back_is_shown_nowhere(build, document, monkeypatch):
    """Debug proxies echo headers; what is cut short of a secret is still a part of it."""
    monkeypatch.setenv("JSON_TOKEN", SECRET)
    _, collector = build(reply(document), TIMED, http={"auth": {"bearer": {"env": "JSON_TOKEN"}}})

    [item] = collector.collect(NOW, None).observations

    told = item.message if isinstance(item, CollectionFailure) else item.example
    assert told
    assert SECRET[:8] not in told
