"""The scrape collector over real HTTP: pages in both formats, read once for all indicators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pytest

from slo_guard.collect.scrape import ScrapeCollector, ScrapeOptions
from slo_guard.domain.readings import CollectionFailure
from tests.support.http_sources import Reply, always, gzipped, http_source

NOW = 1_784_196_000.0
OPENMETRICS = {"Content-Type": "application/openmetrics-text; version=1.0.0; charset=utf-8"}


@pytest.fixture
def build() -> Iterator:
    with ExitStack() as stack:

        def make(page, *indicators, headers=None):
            reply = page if isinstance(page, Reply) else Reply(page.encode(), 200, headers or {})
            source = stack.enter_context(http_source(always(reply)))
            named = [{"name": f"i{number}", **each} for number, each in enumerate(indicators)]
            options = {"name": "page", "type": "scrape", "url": source.url + "/metrics", "indicators": named}
            collector = ScrapeCollector(ScrapeOptions.model_validate(options))
            stack.callback(collector.close)
            return source, collector

        yield make


def collect(collector):
    return list(collector.collect(NOW, None).observations)


def test_one_request_serves_all_indicators(build):
    """A page is often large; it is fetched once."""
    source, collector = build(
        'a{x="1"} 5\nb 7\nc_total 9\n',
        {"type": "gauge", "metric": "a", "unit": "ms"},
        {"type": "gauge", "metric": "b"},
        {"type": "counter", "metric": "c"},
    )

    first, second, third = collect(collector)

    assert len(source.requests) == 1
    assert "application/openmetrics-text" in source.requests[0].headers["Accept"]
    assert (first.frame.values.tolist(), first.frame.index.label_sets) == ([0.005], ((("x", "1"),),))
    assert second.frame.values.tolist() == [7.0]
    assert third.frame.values.tolist() == [9.0]


def test_where_chooses_series_as_rules_do(build):
    """The notation of rule files: value, !value, ~regex, and a missing label is the empty string."""
    page = 'm{s="fs"} 1\nm{s="xai2"} 2\nm{s="xai3"} 3\nm 4\n'
    chosen = {
        "fs": [1.0],
        "!fs": [2.0, 3.0, 4.0],
        "~xai.": [2.0, 3.0],
        "~xai": [],
        "": [4.0],
    }
    for where, values in chosen.items():
        _, collector = build(page, {"type": "gauge", "metric": "m", "where": {"s": where}})
        assert collect(collector)[0].frame.values.tolist() == values


def test_a_metric_that_a_valid_page_lacks_is_an_empty_frame(build):
    """The page was read and has no such series: that is knowledge."""
    _, collector = build("a 1\n", {"type": "gauge", "metric": "absent"}, {"type": "histogram", "metric": "absent"})

    gauge, histogram = collect(collector)

    assert len(gauge.frame.index) == 0
    assert len(histogram.frame.index) == 0
    assert histogram.frame.bounds.tolist() == [np.inf]


def test_a_histogram_is_read_with_its_count_for_a_missing_last_bucket(build):
    """Some exporters leave out +Inf."""
    page = 'h_bucket{s="a",le="1"} 3\nh_bucket{s="a",le="0.5"} 1\nh_sum{s="a"} 9\nh_count{s="a"} 4\n'
    _, collector = build(page, {"type": "histogram", "metric": "h", "where": {"s": "a"}})

    [reading] = collect(collector)

    assert reading.frame.index.label_sets == ((("s", "a"),),)
    assert reading.frame.bounds.tolist() == [0.5, 1.0, np.inf]
    assert reading.frame.counts.tolist() == [[1.0, 3.0, 4.0]]


def test_timestamps_of_the_page_are_the_samples_times(build):
    """A pushed value from an hour ago is an hour old."""
    page = f'm{{s="a"}} 1 {int(NOW - 60) * 1000}\nm{{s="b"}} 2 {int(NOW - 120) * 1000}\nm{{s="c"}} 3\n'
    _, collector = build(page, {"type": "gauge", "metric": "m"})

    readings = collect(collector)

    assert [(each.frame.at, each.frame.values[each.frame.present].tolist()) for each in readings] == [
        (NOW - 120, [2.0]),
        (NOW - 60, [1.0]),
        (NOW, [3.0]),
    ]


def test_each_instant_of_a_page_lists_all_its_series(build):
    """A series that is stamped otherwise is there all the same; it must not look gone, nor born when its turn comes."""
    page = f'm{{s="a"}} 1 {int(NOW - 60) * 1000}\nm{{s="b"}} 2\nm{{s="b"}} 2\n'
    source, collector = build(page, {"type": "gauge", "metric": "m"})

    early, late = collect(collector)
    source.answer = always(Reply(page.replace(str(int(NOW - 60)), str(int(NOW - 59))).encode()))
    again = collect(collector)

    assert early.frame.index.label_sets == ((("s", "a"),), (("s", "b"),))
    assert (early.frame.present.tolist(), early.rejected) == ([True, False], 0)
    assert (late.frame.present.tolist(), late.rejected, late.example) == ([False, True], 1, '{s="b"} comes twice')
    assert all(each.frame.index is early.frame.index for each in (late, *again))


def test_one_series_stamped_twice_has_both_samples(build):
    """A page may carry a series' past; two instants are not two opinions."""
    page = f'm{{s="a"}} 1 {int(NOW - 60) * 1000}\nm{{s="a"}} 2 {int(NOW - 30) * 1000}\n'
    _, collector = build(page, {"type": "gauge", "metric": "m"})

    readings = collect(collector)

    assert [(each.frame.at, each.frame.values.tolist(), each.rejected) for each in readings] == [
        (NOW - 60, [1.0], 0),
        (NOW - 30, [2.0], 0),
    ]


def test_histograms_of_several_instants_list_all_series(build):
    """As for gauges; and what has no bucket at an instant is not a broken histogram."""
    early = int(NOW - 60) * 1000
    page = (
        f'h_bucket{{le="1",s="a"}} 1 {early}\nh_bucket{{le="+Inf",s="a"}} 2 {early}\n'
        'h_bucket{le="1",s="b"} 3\nh_count{s="b"} 4\nh_bucket{le="x",s="b"} 1\n'
    )
    _, collector = build(page, {"type": "histogram", "metric": "h"})

    first, second = collect(collector)

    assert first.frame.index.label_sets == second.frame.index.label_sets == ((("s", "a"),), (("s", "b"),))
    assert (first.frame.at, first.frame.present.tolist(), first.rejected) == (NOW - 60, [True, False], 1)
    assert (second.frame.at, second.frame.present.tolist(), second.rejected) == (NOW, [False, True], 0)
    assert second.frame.counts[1].tolist() == [3.0, 4.0]


def test_openmetrics_is_read_with_its_own_rules(build):
    """Seconds instead of milliseconds, exemplars, and an end that must be there."""
    page = (
        "# TYPE c counter\n# UNIT c seconds\n"
        f'c_total{{s="a"}} 5 {NOW - 30} # {{trace_id="x 1"}} 0.5 {NOW - 31}\nc_created{{s="a"}} 1\n# EOF\n'
    )
    _, collector = build(page, {"type": "counter", "metric": "c"}, headers=OPENMETRICS)

    [reading] = collect(collector)

    assert (reading.frame.at, reading.frame.values.tolist()) == (NOW - 30, [5.0])


def test_openmetrics_without_its_end_is_a_failure(build):
    """A page that was cut between two lines looks like one with fewer series."""
    _, collector = build("a 1\n", {"type": "gauge", "metric": "a"}, headers=OPENMETRICS)

    [failure] = collect(collector)

    assert failure.reason == "cut_short"


def test_gzip_pages_are_read(build):
    """Large pages come compressed."""
    _, collector = build(gzipped(b"a 1\n" * 1), {"type": "gauge", "metric": "a"})

    assert collect(collector)[0].frame.values.tolist() == [1.0]


@pytest.mark.parametrize(
    "line",
    [
        'm{x="1"}\t5',
        'm  {x="1"}  5',
        'm{ x = "1" , } 5',
        'm{x="1"} 5 ',
        'm{x="1"} 5\r',
        '{"m",x="1"} 5',
        '{"m","x"="1"} 5',
    ],
)  # fmt: skip
def test_every_way_to_write_a_line_is_understood(build, line):
    """Hand-written exporters use the format's whole freedom."""
    _, collector = build(f"# TYPE m gauge\n{line}\n", {"type": "gauge", "metric": "m"})

    [reading] = collect(collector)

    assert (reading.frame.index.label_sets, reading.frame.values.tolist()) == (((("x", "1"),),), [5.0])


@pytest.mark.parametrize(
    "line", ['m{x="1} 5', "m{x=1} 5", 'm{1x="1"} 5', 'm{x="1",x="2"} 5', "m five", 'm{x="1"} 5 6 7']
)
def test_a_line_that_cannot_be_parsed_is_counted_and_the_rest_taken(build, line):
    """One bad label must not blind the whole service, and must not go unseen."""
    _, collector = build(f'other 1\n{line}\nm{{x="9"}} 2\n', {"type": "gauge", "metric": "other"}, {"type": "gauge", "metric": "m"})  # fmt: skip

    other, reading = collect(collector)

    assert other.rejected == 0
    assert reading.rejected == 1
    assert reading.example
    usable = reading.frame.values[slice(None) if reading.frame.present is None else reading.frame.present]
    assert usable.tolist() == [2.0]


def test_a_last_line_without_its_end_is_not_believed(build):
    """Cut within its number, 1160.5 reads as 11, which is within every limit."""
    _, collector = build("p50 7\np95 11", {"type": "gauge", "metric": "p50"}, {"type": "gauge", "metric": "p95"})

    whole, cut = collect(collector)

    assert whole.frame.values.tolist() == [7.0]
    assert (len(cut.frame.index), cut.rejected) == (0, 1)
    assert cut.example == "the line 'p95 11' is cut short, no line feed ends it"


def test_a_page_of_one_line_without_its_end_is_a_failure(build):
    """There is nothing on it that could be believed."""
    _, collector = build("p95 11", {"type": "gauge", "metric": "p95"})

    [failure] = collect(collector)

    assert isinstance(failure, CollectionFailure)
    assert failure.reason == "cut_short"


@pytest.mark.parametrize("last", ["# EOF", "# a comment", "  "])
def test_a_last_line_that_is_no_sample_needs_no_end(build, last):
    """Nothing of value is lost there."""
    _, collector = build(f"p95 11\n{last}", {"type": "gauge", "metric": "p95"})

    [reading] = collect(collector)

    assert (reading.frame.values.tolist(), reading.rejected) == ([11.0], 0)


def test_duplicates_and_nan_are_counted(build):
    """Of two lines that differ none is believed; NaN is no value."""
    _, collector = build('m{a="1"} 1\nm{a="1"} 2\nm{a="2"} NaN\nm{a="3"} 3\n', {"type": "gauge", "metric": "m"})

    [reading] = collect(collector)

    assert reading.rejected == 2
    assert reading.frame.values[2] == 3.0
    assert reading.frame.present.tolist() == [False, False, True]


def test_a_web_page_is_no_metrics_page(build):
    """Login pages answer 200."""
    _, collector = build("<html>\n<body>\nPlease sign in\n</body>\n</html>\n", {"type": "gauge", "metric": "m"})

    [failure] = collect(collector)

    assert isinstance(failure, CollectionFailure)
    assert failure.reason == "not_metrics"


def test_a_service_without_metrics_yet_is_a_valid_page(build):
    """Comments alone are what a fresh process shows."""
    _, collector = build("# HELP m Something.\n# TYPE m gauge\n", {"type": "gauge", "metric": "m"})

    assert len(collect(collector)[0].frame.index) == 0


def test_series_that_come_and_go_change_the_index_and_nothing_else(build):
    """Between two pages with the same series the index is the same object; a new series is seen at once."""
    source, collector = build('m{a="1"} 1\nm{a="2"} 2\n', {"type": "gauge", "metric": "m"})
    first = collect(collector)[0].frame
    source.answer = always(Reply(b'# HELP m New text.\nm{a="2"} 4\nm{a="1"} 3\n'))
    second = collect(collector)[0].frame
    source.answer = always(Reply(b'm{a="2"} 4\nm{a="3"} 5\n'))
    third = collect(collector)[0].frame

    assert second.index is first.index
    assert second.values.tolist() == [3.0, 4.0]
    assert third.index.label_sets == ((("a", "2"),), (("a", "3"),))
    assert third.values.tolist() == [4.0, 5.0]
