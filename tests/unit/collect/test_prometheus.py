"""The prometheus collector over real HTTP: what is asked, what comes of it, and what is asked of the past."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
import pytest

from slo_guard.collect.backfill import MAX_POINTS, decode_progress
from slo_guard.collect.prometheus import PrometheusCollector, PrometheusOptions
from slo_guard.domain.readings import CollectionFailure, Reading
from tests.support.http_sources import HttpSource, Reply, Request, hangs, http_source

NOW = 1_784_196_000.0
START = NOW - 300.0


def vector(*series: tuple[dict[str, str], str]) -> Reply:
    result = [{"metric": labels, "value": [NOW, value]} for labels, value in series]
    return Reply(json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode())


def matrix(*series: tuple[dict[str, str], list[tuple[float, str]]]) -> Reply:
    result = [{"metric": labels, "values": [list(sample) for sample in samples]} for labels, samples in series]
    return Reply(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode())


def error(text: str = "too bad", status: int = 422) -> Reply:
    return Reply(json.dumps({"status": "error", "errorType": "execution", "error": text}).encode(), status)


def grid(request: Request) -> list[float]:
    """Return the points that a range query asks for."""
    start, end, step = (float(request.params[name]) for name in ("start", "end", "step"))
    return [start + k * step for k in range(int((end - start) / step + 1e-6) + 1)]


class MemorySource:
    """A stand-in whose one series is worth its time minus START, at any time asked for."""

    def __init__(self) -> None:
        self.broken_ranges = 0
        self.ranges: list[Request] = []

    def __call__(self, request: Request) -> Reply:
        if request.path == "/api/v1/query":
            return vector(({"system": "fs"}, str(float(request.params["time"]) - START)))
        self.ranges.append(request)
        if self.broken_ranges:
            self.broken_ranges -= 1
            return error()
        return matrix(({"system": "fs"}, [(at, str(at - START)) for at in grid(request)]))


Build = Callable[..., tuple[HttpSource, PrometheusCollector]]


@pytest.fixture
def build() -> Iterator[Build]:
    with ExitStack() as stack:

        def make(answer, history_from=None, indicators=None, **options):
            source = stack.enter_context(http_source(answer))
            indicators = indicators or [{"name": "p95", "type": "gauge", "query": "p95"}]
            model = {"name": "prom", "type": "prometheus", "url": source.url, "indicators": indicators, **options}
            collector = PrometheusCollector(PrometheusOptions.model_validate(model), history_from)
            stack.callback(collector.close)
            return source, collector

        yield make


def samples(collection, indicator="p95"):
    """Return what came, as (time since START, values) in the order of arrival."""
    return [
        (item.frame.at - START, item.frame.values.tolist())
        for item in collection.observations
        if isinstance(item, Reading) and item.indicator == indicator
    ]


def reasons(collection):
    return [item.reason for item in collection.observations if isinstance(item, CollectionFailure)]


def test_a_vector_becomes_a_frame_in_base_units(build):
    """The name of the metric is not a label, and milliseconds are seconds from here on."""
    answer = vector(({"__name__": "p95", "system": "fs"}, "830"), ({"system": "xai2"}, "NaN"))
    indicators = [{"name": "p95", "type": "percentile", "unit": "ms", "query": "p95"}]
    source, collector = build(lambda _: answer, indicators=indicators)

    [reading] = collector.collect(NOW, None).observations

    assert reading.frame.index.label_sets == ((("system", "fs"),), (("system", "xai2"),))
    assert reading.frame.values[0] == 0.83
    assert reading.frame.present.tolist() == [True, False]
    assert (reading.rejected, reading.example) == (1, '{system="xai2"} is nan')
    assert (reading.frame.at, reading.seen_at) == (NOW, NOW)
    assert source.requests[0].params == {"query": "p95", "time": f"{NOW:.3f}"}


def test_a_scalar_is_one_series_without_labels(build):
    """`scalar(…)` and `time()` are queries too."""
    body = json.dumps({"status": "success", "data": {"resultType": "scalar", "result": [NOW, "42"]}}).encode()
    _, collector = build(lambda _: Reply(body))

    [reading] = collector.collect(NOW, None).observations

    assert reading.frame.index.label_sets == ((),)
    assert reading.frame.values.tolist() == [42.0]


def test_a_query_without_series_is_an_empty_reading(build):
    """The source answered: that nothing is there is knowledge, not a failure."""
    _, collector = build(lambda _: vector())

    [reading] = collector.collect(NOW, None).observations

    assert len(reading.frame.index) == 0


def test_bucket_series_become_a_histogram(build):
    """`sum by (le)` of buckets is the usual way to a quantile."""
    answer = vector(({"le": "+Inf", "s": "a"}, "9"), ({"le": "0.5", "s": "a"}, "4"))
    _, collector = build(lambda _: answer, indicators=[{"name": "p95", "type": "histogram", "query": "buckets"}])

    [reading] = collector.collect(NOW, None).observations

    assert reading.frame.bounds.tolist() == [0.5, np.inf]
    assert reading.frame.counts.tolist() == [[4.0, 9.0]]


def test_one_query_that_fails_fails_its_indicator_alone(build):
    """A typo in one rule must not blind the others."""
    indicators = [{"name": name, "type": "gauge", "query": name} for name in ("good", "bad")]
    _, collector = build(
        lambda request: vector(({}, "1")) if request.params["query"] == "good" else error("many-to-many"),
        indicators=indicators,
    )

    good, bad = collector.collect(NOW, None).observations

    assert isinstance(good, Reading)
    assert (bad.reason, bad.indicators) == ("query_error", ("bad",))
    assert "execution: many-to-many" in bad.message


def test_one_query_that_hangs_costs_the_time_out_once(build):
    """Queries run side by side, so that what is slow is late alone."""
    indicators = [{"name": name, "type": "gauge", "query": name} for name in ("good", "slow", "good2")]
    _, collector = build(
        lambda request: hangs if request.params["query"] == "slow" else vector(({}, "1")),
        indicators=indicators,
        timeout="500ms",
    )

    first, second, third = collector.collect(NOW, None).observations

    assert isinstance(first, Reading)
    assert second.reason == "timeout"
    assert isinstance(third, Reading)


def test_closing_during_a_run_ends_it_with_a_named_failure(build):
    """A reload closes collectors while a source is slow; the job of that run must not fail on it."""
    indicators = [{"name": f"i{number}", "type": "gauge", "query": "up"} for number in range(9)]
    started = threading.Event()

    def answer(_request: Request):
        started.set()
        return hangs

    _, collector = build(answer, indicators=indicators, timeout="700ms")
    closing = threading.Thread(target=lambda: started.wait(10) and collector.close())
    closing.start()

    collection = collector.collect(NOW, None)
    closing.join()

    assert len(collection.observations) == 9
    assert set(reasons(collection)) == {"closed", "timeout"}


def test_a_query_too_long_for_a_url_is_posted(build):
    """Servers and proxies refuse long URLs."""
    query = "up{job=~'" + "|".join(f"job-{number:04d}" for number in range(400)) + "'}"
    source, collector = build(
        lambda _: vector(({}, "1")), indicators=[{"name": "p95", "type": "gauge", "query": query}]
    )

    assert collector.collect(NOW, None).succeeded
    assert (source.requests[0].method, source.requests[0].params["query"]) == ("POST", query)


def test_the_first_run_brings_the_sprint_so_far(build):
    """Started in mid-sprint, totals need their baseline: history first, ascending, then the present."""
    _, collector = build(MemorySource(), history_from=START, interval="60s")

    collection = collector.collect(NOW, None)

    assert samples(collection) == [(at, [at]) for at in (0.0, 60.0, 120.0, 180.0, 240.0, 300.0)]
    assert {id(item.frame.index) for item in collection.observations} == {id(collection.observations[0].frame.index)}


def test_the_next_run_asks_only_for_the_present(build):
    """History is read once."""
    source = MemorySource()
    _, collector = build(source, history_from=START, interval="60s")
    first = collector.collect(NOW, None)

    second = collector.collect(NOW + 60, first.cursor)

    assert samples(second) == [(360.0, [360.0])]
    assert len(source.ranges) == 1


def test_no_history_is_asked_for_if_nobody_needs_it_or_wants_it(build):
    """Some sources are asked for the present only."""
    source = MemorySource()
    for options in ({"history_from": None}, {"history_from": START, "backfill": False}):
        _, collector = build(source, **options)
        assert samples(collector.collect(NOW, None)) == [(300.0, [300.0])]

    assert source.ranges == []


def test_a_gap_is_filled_after_an_outage(build):
    """A restart of the daemon must leave no hole in what was observed."""
    source = MemorySource()
    _, collector = build(source, history_from=START, interval="60s")
    cursor = collector.collect(NOW, None).cursor

    again = collector.collect(NOW + 230, cursor)

    assert samples(again) == [(at, [at]) for at in (360.0, 420.0, 480.0, 530.0)]


def test_a_late_run_is_not_a_gap(build):
    """One skipped run is not worth a range query."""
    source = MemorySource()
    _, collector = build(source, history_from=START, interval="60s")
    cursor = collector.collect(NOW, None).cursor

    collector.collect(NOW + 140, cursor)

    assert len(source.ranges) == 1


def test_a_clock_that_went_back_asks_for_nothing_odd(build):
    """Time sources fail too."""
    source = MemorySource()
    _, collector = build(source, history_from=START, interval="60s")
    cursor = collector.collect(NOW, None).cursor

    again = collector.collect(NOW - 3600, cursor)

    assert again.succeeded
    assert len(again.observations) == 1
    assert len(source.ranges) == 1


def test_the_present_waits_while_history_fails_and_comes_without_it_at_the_third_time(build):
    """Late history behind newer samples would be dropped, and a source without history must still be watched."""
    source = MemorySource()
    source.broken_ranges = 99
    _, collector = build(source, history_from=START, interval="60s")

    runs, cursor = [], None
    for number in range(4):
        collection = collector.collect(NOW + 60 * number, cursor)
        cursor = collection.cursor
        runs.append((reasons(collection), [at for at, _ in samples(collection)]))

    assert runs == [(["backfill_failed"], []), (["backfill_failed"], []), ([], [420.0]), ([], [480.0])]
    assert len(source.ranges) == 3


def test_history_that_comes_at_the_second_time_is_taken(build):
    """A source that starts up together with the daemon gives its history a minute later."""
    source = MemorySource()
    source.broken_ranges = 1
    _, collector = build(source, history_from=START, interval="60s")
    cursor = collector.collect(NOW, None).cursor

    again = collector.collect(NOW + 60, cursor)

    assert [at for at, _ in samples(again)] == [0.0, 60.0, 120.0, 180.0, 240.0, 300.0, 360.0]


def test_a_source_that_is_down_does_not_use_up_the_tries(build):
    """History is given up where it is refused, not where nobody answers."""
    source, collector = build(lambda _: Reply(b"", 500), history_from=START, interval="60s", http={"retries": 0})
    cursor = None
    for number in range(5):
        cursor = collector.collect(NOW + number, cursor).cursor

    source.answer = MemorySource()

    assert len(samples(collector.collect(NOW + 60, cursor))) == 7


def test_a_long_history_is_read_in_bounded_steps(build):
    """Two weeks at a second would be a million points."""
    source = MemorySource()
    _, collector = build(source, history_from=NOW - 14 * 86400, interval="1s")

    collection = collector.collect(NOW, None)

    steps = {float(request.params["step"]) for request in source.ranges}
    assert steps == {110.0}
    assert len(collection.observations) <= MAX_POINTS + 1
    assert collection.succeeded


def test_history_of_many_series_comes_in_pieces_and_goes_on_where_it_broke_off(build):
    """An answer must stay within bounds, and what was read once is not read again."""
    labels = [{"tenant": f"t{number:05d}"} for number in range(50_000)]
    present = vector(*[(each, "1") for each in labels])
    asked: list[float] = []

    def answer(request: Request) -> Reply:
        if request.path == "/api/v1/query":
            return present
        if len(asked) == 1:
            asked.append(-1.0)
            return error()
        asked.extend(grid(request)[:1])
        return matrix(*[(each, [(at, "1") for at in grid(request)]) for each in labels[:3]])

    _, collector = build(answer, history_from=START - 600, interval="60s", timeout="20s")

    first = collector.collect(NOW, None)
    second = collector.collect(NOW, first.cursor)

    assert decode_progress(first.cursor)["p95"].at == START - 600 + 7 * 60
    times = [item.frame.at for item in (*first.observations, *second.observations)]
    assert times == sorted(set(times))
    assert times[-1] == NOW
    assert len(times) == 16


@pytest.mark.parametrize("limit", ["of the answer", "of the server"])
def test_history_that_is_too_large_is_asked_for_in_smaller_pieces(build, limit):
    """There may have been many more series then than now, and servers have limits of their own."""

    def answer(request: Request) -> Reply:
        if request.path == "/api/v1/query":
            return vector(({}, "1"))
        points = grid(request)
        if len(points) > 2:
            return (
                Reply(b" " * 2_000_000)
                if limit == "of the answer"
                else error("query processing would load too many samples")
            )
        return matrix(({}, [(at, "1") for at in points]))

    _, collector = build(answer, history_from=START, interval="10s", http={"max_response": "1MiB"})

    collection = collector.collect(NOW, None)

    assert [at for at, _ in samples(collection)] == [10.0 * number for number in range(31)]


def test_a_time_without_any_sample_gives_no_reading(build):
    """Whether nothing was there or nobody looked cannot be told afterwards; to call it observed would be a guess."""

    def answer(request: Request) -> Reply:
        if request.path == "/api/v1/query":
            return vector(({}, "7"))
        return matrix(({}, [(at, "7") for at in grid(request) if at >= START + 120]))

    _, collector = build(answer, history_from=START, interval="60s")

    assert [at for at, _ in samples(collector.collect(NOW, None))] == [120.0, 180.0, 240.0, 300.0]


def test_series_that_ended_are_in_the_history(build):
    """What went wrong early in the sprint counts, though its series is gone by now."""

    def answer(request: Request) -> Reply:
        if request.path == "/api/v1/query":
            return vector(({"s": "new"}, "1"))
        points = grid(request)
        return matrix(
            ({"s": "old"}, [(at, "5") for at in points[:2]]), ({"s": "new"}, [(at, "NaN") for at in points[1:]])
        )

    _, collector = build(answer, history_from=START, interval="60s")

    first, second, *others, last = collector.collect(NOW, None).observations

    assert first.frame.index.label_sets == ((("s", "old"),),)
    assert (first.frame.present, first.rejected) == (None, 0)
    assert second.frame.index.label_sets == ((("s", "new"),), (("s", "old"),))
    assert (second.frame.present.tolist(), second.rejected) == ([False, True], 1)
    assert all(each.frame.index is last.frame.index for each in others)
    assert last.frame.index.label_sets == ((("s", "new"),),)


def test_history_of_the_same_series_shares_one_index_and_has_all_of_them(build):
    """Two weeks are then taken in at once, and a stretch tells of births and ends and of nothing else."""

    def answer(request: Request) -> Reply:
        if request.path == "/api/v1/query":
            return vector(({"s": "b"}, "1"), ({"s": "a"}, "1"))
        points = grid(request)
        return matrix(
            *(({"s": name}, [(at, "1") for at in points if at >= START + 60 * n]) for n, name in enumerate("ab"))
        )

    _, collector = build(answer, history_from=START, interval="60s")

    first, *others = collector.collect(NOW, None).observations

    assert first.frame.index.label_sets == ((("s", "a"),),)
    assert others[0].frame.index.label_sets == ((("s", "b"),), (("s", "a"),))
    assert all(each.frame.index is others[0].frame.index and each.frame.present is None for each in others)


def test_two_series_with_the_same_labels_take_turns_in_the_history(build):
    """A metric that was renamed is queried by both names: only where both have a value is there any doubt."""

    def answer(request: Request) -> Reply:
        if request.path == "/api/v1/query":
            return vector(({"__name__": "new"}, "4"))
        points = grid(request)
        return matrix(
            ({"__name__": "old"}, [(at, "1") for at in points[:2]]),
            ({"__name__": "new"}, [(at, "4") for at in points[1:]]),
        )

    _, collector = build(answer, history_from=START, interval="60s")

    first, second, third, *_ = collector.collect(NOW, None).observations

    assert (first.frame.values.tolist(), first.frame.present) == ([1.0], None)
    assert (second.frame.present.tolist(), second.rejected) == ([False], 0)
    assert (third.frame.values.tolist(), third.frame.present) == ([4.0], None)


def test_a_series_that_had_no_histogram_yet_is_not_an_error_of_the_source(build):
    """In history a series may be absent; that is not a broken bucket."""

    def answer(request: Request) -> Reply:
        if request.path == "/api/v1/query":
            return vector(({"le": "+Inf", "s": "a"}, "2"), ({"le": "+Inf", "s": "b"}, "3"))
        points = grid(request)
        return matrix(
            ({"le": "+Inf", "s": "a"}, [(at, "1") for at in points]), ({"le": "+Inf", "s": "b"}, [(points[-1], "1")])
        )

    indicators = [{"name": "p95", "type": "histogram", "query": "b"}]
    _, collector = build(answer, history_from=START, interval="60s", indicators=indicators)

    first, *_ = collector.collect(NOW, None).observations

    assert first.frame.index.label_sets == ((("s", "a"),),)
    assert (first.frame.present, first.rejected) == (None, 0)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"not json"),
        Reply(b"<html>", 502),
        vector(),
        Reply(b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[["x","1"]]}]}}'),
        Reply(b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":7}]}}'),
        Reply(b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1]]}]}}'),
        matrix(({}, [(START + number / 7, "1") for number in range(2000)])),
        hangs,
    ],
    ids=["not json", "502", "vector", "time", "no list", "no value", "too many points", "hangs"],
)
def test_strange_history_is_a_named_failure(build, reply):
    """Whatever comes for a range query, the run ends with a reason."""
    _, collector = build(
        lambda request: vector(({}, "1")) if request.path == "/api/v1/query" else reply,
        history_from=START,
        interval="60s",
        timeout="500ms",
        http={"retries": 0},
    )

    assert reasons(collector.collect(NOW, None)) == ["backfill_failed"]
