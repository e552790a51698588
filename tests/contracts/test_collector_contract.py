"""What every collector promises, run over each registered one and over the fake that other tests use."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slo_guard.clock import monotonic
from slo_guard.collect import COLLECTORS
from slo_guard.domain.ports import Collector
from slo_guard.domain.readings import (
    Collection,
    CollectionFailure,
    Evidence,
    GaugeFrame,
    HistogramFrame,
    Reading,
)
from tests.support.fake_collector import FakeCollector
from tests.support.http_sources import (
    HttpSource,
    Reply,
    Request,
    always,
    cut_gzip,
    cut_short,
    disconnects,
    hangs,
    html,
    http_source,
    never_ends,
    not_http,
    refusing_url,
    trickles_body,
    trickles_headers,
)

NOW = 1_784_196_000.0
TIMEOUT_SECONDS = 0.5
SLACK_SECONDS = 4.0
SECRET = "s3cr3t-t0ken-value"
REASON = re.compile(r"[a-z][a-z0-9_]*")


@dataclass
class Case:
    """A collector over a source that answers well, and how to make that source answer anything."""

    collector: Collector
    misbehave: Callable[[Any], None]
    behave: Callable[[], None]


def http_case(stack: ExitStack, type_name: str, options: dict[str, Any], good: Callable[[Request], Reply]) -> Case:
    source: HttpSource = stack.enter_context(http_source(good))
    options = {
        "name": "source",
        "type": type_name,
        "timeout": f"{TIMEOUT_SECONDS}s",
        "http": {"auth": {"bearer": {"env": "CONTRACT_TOKEN"}}, "max_response": "8MiB", "retries": 1},
        **options,
        "url": source.url + options.get("url", ""),
    }
    kind = COLLECTORS[type_name]
    collector = kind.build(kind.options.model_validate(options), None)
    stack.callback(collector.close)

    def misbehave(answer: Any) -> None:
        source.answer = answer if callable(answer) and answer in GENERATED else always(answer)

    def behave() -> None:
        source.answer = good

    return Case(collector, misbehave, behave)


def prometheus_case(stack: ExitStack, _folder: Path) -> Case:
    result = b'{"metric":{"__name__":"m","system":"%s"},"value":[1,"%s"]}'
    rows = b",".join([result % (b"fs", b"0.5"), result % (b"xai2", b"0.25")])
    body = b'{"status":"success","data":{"resultType":"vector","result":[%s]}}' % rows
    indicators = [
        {"name": "latency", "type": "percentile", "unit": "ms", "query": "latency"},
        {"name": "incidents", "type": "counter", "query": "incidents_total"},
    ]
    return http_case(stack, "prometheus", {"indicators": indicators}, always(Reply(body)))


def scrape_case(stack: ExitStack, _folder: Path) -> Case:
    page = b'# TYPE m gauge\nm{system="fs"} 0.5\nm{system="xai2"} 0.25\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\n'
    indicators = [
        {"name": "latency", "type": "gauge", "metric": "m"},
        {"name": "spread", "type": "histogram", "metric": "h"},
    ]
    return http_case(stack, "scrape", {"url": "/metrics", "indicators": indicators}, always(Reply(page)))


def json_case(stack: ExitStack, _folder: Path) -> Case:
    rows = b'{"rows":[{"system":"fs","ms":500,"total":3},{"system":"xai2","ms":"250","total":4}]}'
    shared = {"rows": "rows", "labels": {"system": "system"}}
    indicators = [
        {"name": "latency", "type": "gauge", "unit": "ms", "value": "ms", **shared},
        {"name": "incidents", "type": "counter", "value": "total", **shared},
    ]
    return http_case(stack, "json", {"url": "/rows", "indicators": indicators}, always(Reply(rows)))


def json_paged_case(stack: ExitStack, _folder: Path) -> Case:
    def page(request: Request) -> Reply:
        number = int(request.params.get("page", "1"))
        rows = b'{"system":"fs","ms":500}' if number == 1 else b'{"system":"xai2","ms":"250"}' if number == 2 else b""
        return Reply(b"[%s]" % rows)

    indicators = [{"name": "latency", "type": "gauge", "unit": "ms", "value": "ms", "labels": {"system": "system"}}]
    return http_case(stack, "json", {"paging": {"page": {"param": "page"}}, "indicators": indicators}, page)


def evidence_case(_stack: ExitStack, folder: Path) -> Case:
    file = folder / "evidence.yaml"

    def behave() -> None:
        if file.is_dir():
            file.rmdir()
        file.write_text("- {indicator: drill, value: true, by: Ana, when: 2026-07-16T10:00:00Z}\n")

    behave()
    kind = COLLECTORS["evidence"]
    options = {"name": "source", "type": "evidence", "file": str(file), "indicators": ["drill", "memo"]}

    def misbehave(answer: Any) -> None:
        file.unlink()
        if isinstance(answer, Reply):
            file.write_bytes(answer.body)
        elif answer is cut_short:
            file.mkdir()

    return Case(kind.build(kind.options.model_validate(options), None), misbehave, behave)


def sql_case(_stack: ExitStack, folder: Path) -> Case:
    file = folder / "metrics.db"

    def behave() -> None:
        if file.is_dir():
            file.rmdir()
        file.unlink(missing_ok=True)
        with closing(sqlite3.connect(file)) as database:
            database.execute("CREATE TABLE latency (system TEXT, ms REAL)")
            database.execute("INSERT INTO latency VALUES ('fs', 0.5), ('xai2', 0.25)")
            database.commit()

    behave()
    kind = COLLECTORS["sql"]
    indicators = [
        {"name": "latency", "type": "gauge", "unit": "ms", "query": "SELECT system, ms AS value FROM latency"},
        {"name": "incidents", "type": "counter", "query": "SELECT count(*) AS value FROM latency"},
    ]
    url = f"sqlite:///{file}"
    options = {"name": "source", "type": "sql", "url": url, "timeout": f"{TIMEOUT_SECONDS}s", "indicators": indicators}

    def misbehave(answer: Any) -> None:
        file.unlink()
        if isinstance(answer, Reply):
            file.write_bytes(answer.body)
        elif answer is cut_short:
            file.mkdir()
        elif answer is hangs:
            os.mkfifo(file)

    return Case(kind.build(kind.options.model_validate(options), None), misbehave, behave)


def file_case(_stack: ExitStack, folder: Path) -> Case:
    return case_of_files(folder, "whole")


def growing_file_case(_stack: ExitStack, folder: Path) -> Case:
    return case_of_files(folder, "appended")


def case_of_files(folder: Path, read: str) -> Case:
    file = folder / "rows.csv"
    row = "2026-07-16T10:00:00Z,%s,0.5,0.25\n"

    def behave() -> None:
        if file.is_dir():
            file.rmdir()
        file.write_text("at,system,latency,share\n" + row % "fs" + row % "xai2")

    behave()
    indicators = [
        {"name": "latency", "type": "percentile", "unit": "ms", "value": "latency", "labels": ["system"]},
        {"name": "incidents", "type": "event", "time": {"column": "at"}, "labels": ["system"]},
        {"name": "share", "type": "gauge", "value": "share", "time": {"column": "at"}, "labels": ["system"]},
    ]
    options = {
        "name": "source",
        "type": "file",
        "path": str(file),
        "read": read,
        "timeout": f"{TIMEOUT_SECONDS}s",
        "indicators": indicators if read == "appended" else [indicators[0], indicators[2]],
    }
    kind = COLLECTORS["file"]

    def misbehave(answer: Any) -> None:
        file.unlink()
        if isinstance(answer, Reply):
            file.write_bytes(answer.body)
        elif answer is cut_short:
            file.mkdir()

    return Case(kind.build(kind.options.model_validate(options), None), misbehave, behave)


def fake_case(_stack: ExitStack, _folder: Path) -> Case:
    fake = FakeCollector("source", {"latency": {(("system", "fs"),): 0.5}, "incidents": {(): 3.0}})
    return Case(fake, lambda _answer: fake.fail("connect_failed", "cannot connect"), fake.recover)


CASES: dict[str, Callable[[ExitStack, Path], Case]] = {
    "prometheus": prometheus_case,
    "scrape": scrape_case,
    "json": json_case,
    "json paged": json_paged_case,
    "sql": sql_case,
    "evidence": evidence_case,
    "file": file_case,
    "growing file": growing_file_case,
    "fake": fake_case,
}


def echoes_the_request(request: Request) -> Reply:
    """Send back what was sent, the secret header included, as debug proxies do."""
    text = " ".join(request.headers.values())
    return Reply(f'{{"status":"error","errorType":"debug","error":"{text}"}}'.encode(), 400)


def echoes_the_request_in_a_line(request: Request) -> Reply:
    """Send a page on which what was sent stands in a line that is no metric."""
    return Reply(f"# TYPE m gauge\nm 1\nauth {request.headers.get('Authorization', '')} unknown\n".encode())


def echoes_the_request_too_late(request: Request) -> Reply:
    """Send back what was sent where a message is likely to be cut off."""
    text = "x" * 170 + " " + request.headers.get("Authorization", "")
    return Reply(f'{{"status":"error","errorType":"debug","error":"{text}"}}'.encode(), 400)


GENERATED = (echoes_the_request, echoes_the_request_in_a_line, echoes_the_request_too_late)
SERIES = b'{"metric":{"a":"b"},"value":[1,%s]}'
ANSWER = b'{"status":"success","data":{"resultType":"%s","result":%s}}'
HOSTILE: dict[str, Any] = {
    "HTML": html(),
    "HTML with 503": html(503),
    "500": Reply(b"oops", 500),
    "401": Reply(b"who are you", 401),
    "204": Reply(b"", 204),
    "empty": Reply(b""),
    "blanks": Reply(b" " * 1_000_000),
    "newlines": Reply(b"\n" * 1_000_000),
    "binary": Reply(bytes(range(256)) * 1000),
    "null": Reply(b"null"),
    "JSON number": Reply(b"1"),
    "JSON list": Reply(b"[]"),
    "success without data": Reply(b'{"status":"success"}'),
    "deeply nested": Reply(b"[" * 100_000),
    "deeply nested labels": Reply(b"m{" + b'a="{' * 100_000),
    "alias bomb": Reply(
        b"- &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(b"- &%c [%s]\n" % (c + 1, b",".join([b"*%c" % c] * 9)) for c in range(97, 110))
    ),
    "wrong result type": Reply(ANSWER % (b"matrix", b"[]")),
    "string result": Reply(ANSWER % (b"string", b'[1,"x"]')),
    "result of wrong kind": Reply(ANSWER % (b"vector", b"7")),
    "series of wrong kind": Reply(ANSWER % (b"vector", b'[1,null,"x",[]]')),
    "labels of wrong kind": Reply(ANSWER % (b"vector", b'[{"metric":{"a":1},"value":[1,"2"]}]')),
    "value of wrong kind": Reply(ANSWER % (b"vector", b"[" + SERIES % b"5" + b"," + SERIES % b"null" + b"]")),
    "value not a number": Reply(ANSWER % (b"vector", b"[" + SERIES % b'"five"' + b"]")),
    "scalar of wrong kind": Reply(ANSWER % (b"scalar", b"{}")),
    "query error": Reply(b'{"status":"error","errorType":"bad_data","error":"parse error"}', 400),
    "query error of wrong kind": Reply(b'{"status":"error","errorType":[],"error":{}}', 400),
    "cut gzip": cut_gzip(b"m 1\n" * 10_000),
    "unknown encoding": Reply(b"m 1\n", 200, {"Content-Encoding": "rot13"}),
    "redirect circle": Reply(b"", 302, {"Location": "/"}),
    "redirect to a file": Reply(b"", 302, {"Location": "file:///etc/passwd"}),
    "hangs": hangs,
    "trickles headers": trickles_headers,
    "trickles body": trickles_body,
    "never ends": never_ends,
    "cut short": cut_short,
    "disconnects": disconnects,
    "not HTTP": not_http,
    "echoes the secret": echoes_the_request,
    "echoes the secret in a line": echoes_the_request_in_a_line,
    "echoes the secret too late": echoes_the_request_too_late,
}  # fmt: skip


@pytest.fixture(params=[*CASES])
def case(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    monkeypatch.setenv("CONTRACT_TOKEN", SECRET)
    with ExitStack() as stack:
        yield CASES[request.param](stack, tmp_path)


def check_promises(collector: Collector, collection: Collection) -> None:
    """Check what holds of every collection, whatever the source did."""
    declared = {spec.name for spec in collector.indicators}
    told: set[str] = set()
    for item in collection.observations:
        assert item.collector == collector.name
        assert item.seen_at == NOW
        if isinstance(item, CollectionFailure):
            assert REASON.fullmatch(item.reason), item.reason
            assert item.message
            assert SECRET[:10] not in item.message
            told.update(item.indicators)
        else:
            told.add(item.indicator)
            assert (item.example is not None) == (item.rejected > 0)
            assert SECRET[:10] not in (item.example or "")
            check_frame(item)
    assert told == declared
    assert collection.started_at == NOW
    assert collection.succeeded == all(isinstance(item, Reading) for item in collection.observations)


def check_frame(reading: Reading) -> None:
    frame = reading.frame
    if isinstance(frame, GaugeFrame | HistogramFrame):
        size = len(frame.index)
        present = np.ones(size, dtype=bool) if frame.present is None else frame.present
        assert present.shape == (size,)
        if isinstance(frame, GaugeFrame):
            assert frame.values.shape == (size,)
            assert frame.values.dtype == np.float64
            assert np.isfinite(frame.values[present]).all()
        else:
            assert frame.counts.shape == (size, len(frame.bounds))
            assert (np.diff(frame.bounds) > 0).all()
            assert frame.bounds[-1] == np.inf
            assert np.isfinite(frame.counts[present, -1]).all()


def test_every_registered_collector_has_a_case():
    """A new collector is not done before it keeps the contract."""
    assert set(COLLECTORS) <= set(CASES)


def test_a_good_source_gives_a_reading_of_every_indicator(case: Case):
    """Rules may rely on every declared indicator being told about."""
    collection = case.collector.collect(NOW, None)

    check_promises(case.collector, collection)
    assert collection.succeeded
    for item in collection.observations:
        assert isinstance(item, Reading)
        assert isinstance(item.frame, Evidence) or len(item.frame.index) > 0


def test_specs_name_the_collector_and_base_units(case: Case):
    """The lint of rules and the evaluator compare in base units, and failures are told by collector."""
    for spec in case.collector.indicators:
        assert spec.collector == case.collector.name
        assert spec.unit in {"", "seconds", "ratio", "bytes"}


def test_the_index_is_the_same_object_from_cycle_to_cycle(case: Case, request):
    """All that is derived from an index is cached by it."""
    if "growing file" in request.node.name:
        pytest.skip("nothing new is over no series")
    first = case.collector.collect(NOW, None)
    second = case.collector.collect(NOW, first.cursor)

    for before, after in zip(first.observations, second.observations, strict=True):
        if not isinstance(before.frame, Evidence):
            assert before.frame.index is after.frame.index


@pytest.mark.parametrize("hostile", [*HOSTILE])
def test_a_hostile_source_is_a_reading_or_a_named_failure_within_the_time_out(case: Case, hostile: str):
    """Nothing that a source does may stop the daemon, delay the others, or show a secret."""
    case.collector.collect(NOW, None)
    case.misbehave(HOSTILE[hostile])
    started = monotonic()

    collection = case.collector.collect(NOW, None)

    assert monotonic() - started < TIMEOUT_SECONDS + SLACK_SECONDS
    check_promises(case.collector, collection)


@pytest.mark.parametrize("hostile", ["HTML", "empty", "blanks", "500", "hangs", "cut gzip", "not HTTP", "never ends"])
def test_what_is_no_answer_is_a_failure_and_not_an_empty_reading(case: Case, hostile: str, request):
    """Silence is never green: an empty frame would say that the source has no series."""
    if "evidence" in request.node.name and hostile in {"empty", "blanks"}:
        pytest.skip("an empty file of sign-offs has none, and says so")
    if "growing file" in request.node.name and hostile in {"empty", "blanks", "500", "cut gzip"}:
        pytest.skip("before its first line end a file that grows has no row yet")
    case.misbehave(HOSTILE[hostile])

    collection = case.collector.collect(NOW, None)

    assert all(isinstance(item, CollectionFailure) for item in collection.observations)


@pytest.mark.parametrize(
    "cursor", ["", "null", "{}", "[]", '{"version": 1}', '{"version":1,"indicators":{"latency":7}}', "\0"]
)
def test_a_strange_cursor_does_no_harm(case: Case, cursor: str):
    """A cursor of another version must not stop a source for good."""
    check_promises(case.collector, case.collector.collect(NOW, cursor))


@pytest.mark.parametrize("type_name", ["prometheus", "scrape", "json"])
def test_nobody_listening_is_a_failure(type_name: str):
    """The commonest fault of all."""
    kind = COLLECTORS[type_name]
    indicator = {
        "name": "latency",
        "type": "gauge",
        **{"prometheus": {"query": "m"}, "scrape": {"metric": "m"}, "json": {"value": "m"}}[type_name],
    }
    with refusing_url() as url:
        options = {"name": "source", "type": type_name, "url": url, "timeout": "1s", "indicators": [indicator]}
        collector = kind.build(kind.options.model_validate(options), None)
        collection = collector.collect(NOW, None)
        collector.close()

    assert [item.reason for item in collection.observations] == ["connect_failed"]


@pytest.mark.parametrize("hostile", ["HTML", "hangs", "cut short"])
def test_a_source_that_recovers_is_read_again(case: Case, hostile: str):
    """A failure leaves nothing behind that spoils the next run."""
    first = case.collector.collect(NOW, None)
    case.misbehave(HOSTILE[hostile])
    failed = case.collector.collect(NOW, first.cursor)
    case.behave()

    again = case.collector.collect(NOW, failed.cursor or first.cursor)

    assert (first.succeeded, failed.succeeded, again.succeeded) == (True, False, True)


def test_close_can_be_repeated(case: Case):
    """Shutdown paths meet."""
    case.collector.collect(NOW, None)

    case.collector.close()
    case.collector.close()
