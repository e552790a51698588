"""The fast paths of collecting give what plain parsers give: they may be quick only because they are right."""

from __future__ import annotations

import json
import math

import numpy as np
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from slo_guard.collect.exposition import PageParser
from slo_guard.collect.prometheus_answer import VectorParser
from slo_guard.errors import CollectionError

LABEL_TEXT = st.one_of(
    st.sampled_from(['"', "\\", '"]},{"metric":{', ',"value":[1,"', "}", "{", " 1 2", "\n", '"} 1', "#", "é", "\u2028", ""]),
    st.text(st.characters(blacklist_categories=("Cs",)), max_size=8),
)  # fmt: skip
LABEL_NAME = st.sampled_from(["__name__", "metric", "value", "a", "b", "le"])
LABELS = st.dictionaries(LABEL_NAME, LABEL_TEXT, max_size=4)
NUMBER = st.one_of(
    st.floats(width=64).map(repr),
    st.sampled_from(["NaN", "+Inf", "-Inf", "0", "1e+06", "1.5e-07", "12345678901234567890", "-0"]),
)
SERIES = st.lists(st.tuples(LABELS, NUMBER), max_size=6)


def answer(series, *, time=1435781451.781, extra=None, ascii_only=False):
    """Write an answer as Prometheus does, or with every other character escaped as some proxies do."""
    result = []
    for labels, number in series:
        item = {"metric": labels, "value": [time, number]}
        result.append(item)
    content = {"status": "success", "data": {"resultType": "vector", "result": result}, **(extra or {})}
    if ascii_only:
        return json.dumps(content, separators=(",", ":")).encode()
    return orjson.dumps(content)


def check_same(fast, plain):
    assert fast.layout.index is plain.layout.index
    rows = [None if each.layout.rows is None else each.layout.rows.tolist() for each in (fast, plain)]
    assert rows[0] == rows[1]
    np.testing.assert_array_equal(fast.values, plain.values)
    assert (fast.rejected, fast.layout.duplicates, fast.layout.example) == (
        plain.rejected,
        plain.layout.duplicates,
        plain.layout.example,
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(SERIES, min_size=1, max_size=3), st.booleans(), st.sampled_from([None, {"warnings": ['"]}]}']}]))
def test_raw_text_and_json_give_the_same_vectors(cycles, ascii_only, extra):
    """Cycle after cycle, with labels that imitate the separators, escapes and unicode."""
    fast, plain = VectorParser(), VectorParser()
    plain._fast = lambda _body: None

    for series in cycles:
        body = answer(series, extra=extra, ascii_only=ascii_only)
        check_same(fast.parse(body), plain.parse(body))


@settings(max_examples=200, deadline=None)
@given(SERIES, st.integers(0, 400), st.binary(max_size=4), st.integers(0, 4))
def test_a_damaged_answer_is_refused_or_read_as_json_reads_it(series, at, inserted, removed):
    """One flipped byte must not become a value that nobody sent."""
    whole = answer(series)
    at = min(at, len(whole))
    body = whole[:at] + inserted + whole[at + removed :]
    outcomes = []
    for parser in (VectorParser(), VectorParser()):
        if outcomes:
            parser._fast = lambda _body: None
        try:
            outcomes.append(parser.parse(body))
        except Exception as error:  # noqa: BLE001 - any refusal is as good as another
            outcomes.append(error)

    if not isinstance(outcomes[1], Exception) and not isinstance(outcomes[0], Exception):
        check_same(*outcomes)


@settings(max_examples=200, deadline=None)
@given(SERIES.filter(bool), SERIES.filter(bool))
def test_native_histograms_are_counted_not_taken(numbers, histograms):
    """They are not numbers; to drop them unseen would look as if the series had gone."""
    result = [{"metric": labels, "value": [1, number]} for labels, number in numbers]
    result += [{"metric": labels, "histogram": [1, {"count": "1", "sum": "2"}]} for labels, _ in histograms]
    body = orjson.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})

    vector = VectorParser().parse(body)

    assert vector.rejected == len(histograms)
    assert "native histogram" in vector.example
    assert len(vector.values) == len(numbers)


PAGE_LABEL_NAME = st.sampled_from(["a", "b", "le", "quantile"])
PAGE_LINE = st.tuples(
    st.sampled_from(["wanted", "wanted_other", "other"]),
    st.dictionaries(PAGE_LABEL_NAME, LABEL_TEXT, max_size=3),
    st.floats(width=64),
    st.one_of(st.none(), st.integers(1_000_000_000_000, 2_000_000_000_000)),
)


def page_text(lines, *, openmetrics):
    text = ""
    for name, labels, value, stamp in lines:
        inside = ",".join(f'{key}="{escaped(each)}"' for key, each in labels.items())
        series = name + (f"{{{inside}}}" if labels else "")
        when = "" if stamp is None else f" {stamp / 1000 if openmetrics else stamp}"
        text += f"{series} {written(value)}{when}\n"
    return text + ("# EOF\n" if openmetrics else "")


def escaped(text):
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def written(value):
    return {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN" if math.isnan(value) else repr(value))


def reference_samples(text):
    return [
        (sample.name, dict(sorted(sample.labels.items())), sample.value, sample.timestamp)
        for family in parse_text(text)
        for sample in family.samples
        if sample.name == "wanted"
    ]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(PAGE_LINE, max_size=6), min_size=1, max_size=3))
def test_pages_read_as_the_client_library_reads_them(cycles):
    """Page after page in the text format, with labels that hold blanks, braces, escapes and numbers."""
    parser = PageParser(["wanted"])
    for lines in cycles:
        text = "# TYPE wanted gauge\n" + page_text(lines, openmetrics=False)

        page = parser.parse(text.encode(), openmetrics=False)

        times = [math.nan] * len(page.values) if page.times is None else page.times.tolist()
        read = [
            (series.name, dict(series.labels), value, None if math.isnan(at) else at)
            for series, value, at in zip(page.series, page.values.tolist(), times, strict=True)
        ]
        assert repr(sorted(read, key=repr)) == repr(sorted(reference_samples(text), key=repr))
        assert page.wrong == {}


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["", ' # {trace_id="a b"} 0.5', ' # {trace_id="}"} 0.5 1520879607.789']))
def test_openmetrics_counters_with_exemplars_read_as_the_client_library_reads_them(value, exemplar):
    """Exemplars stand behind the value and have labels and a value of their own."""
    text = f'# TYPE c counter\nc_total{{a="x y"}} {value} 1520879607.5{exemplar}\n# EOF\n'
    [family] = parse_openmetrics(text)

    page = PageParser(["c_total"]).parse(text.encode(), openmetrics=True)

    [sample] = family.samples
    assert [(each.name, dict(each.labels)) for each in page.series] == [(sample.name, sample.labels)]
    assert page.values.tolist() == [sample.value]
    assert page.times.tolist() == [float(sample.timestamp)]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=30), st.just(b'wanted{a="b"} 5')), max_size=8), st.booleans())
def test_no_page_raises_anything_but_a_named_reason(lines, openmetrics):
    """Whatever comes is a page or a failure."""
    parser = PageParser(["wanted"])
    for body in (b"\n".join(lines), b"\n".join(lines[::-1]) + b"\n# EOF\n"):
        try:
            page = parser.parse(body, openmetrics=openmetrics)
        except CollectionError as error:
            reason = error.reason
        else:
            reason = "not_metrics"
            assert len(page.series) == len(page.values)
        assert reason in {"not_metrics", "cut_short"}
