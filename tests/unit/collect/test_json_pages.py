"""The json collector from page to page: every kind of paging, its limits, loops, foreign links and retries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from slo_guard.clock import monotonic
from slo_guard.collect.json_pages import next_link
from tests.support.http_sources import Reply, disconnects, hangs, http_source
from tests.support.json_sources import NOW, PAGINGS, Build, builds, failures_of, paged, readings_of, reply, samples

ROW = {"rows": "rows", "value": "v", "labels": {"n": "n"}}
PAGES = [[{"n": "a", "v": 1}, {"n": "b", "v": 2}], [{"n": "c", "v": 3}], [{"n": "d", "v": 4}, {"n": "e", "v": 5}]]


@pytest.fixture
def build() -> Iterator[Build]:
    with ExitStack() as stack:
        yield builds(stack)


@pytest.mark.parametrize("kind", [*PAGINGS])
def test_every_kind_of_paging_reads_all_pages(build, kind):
    """APIs differ in how they go on; none may be read in part."""
    source, collector = build(paged(PAGES), ROW, paging=PAGINGS[kind], params={"project": "MPD", "deep": True, "n": 3})

    [reading] = readings_of(collector)

    assert reading.frame.values.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert len(source.requests) == (4 if "page" in kind else 3)
    first = source.requests[0]
    assert (first.params["project"], first.params["deep"], first.params["n"]) == ("MPD", "true", "3")


def test_the_first_page_is_asked_for_as_its_paging_says(build):
    """Number and size go with each request; a cursor only behind the first."""
    numbered, collector = build(paged(PAGES), ROW, paging=PAGINGS["page from 0"])
    readings_of(collector)
    by_cursor, other = build(paged(PAGES), ROW, paging=PAGINGS["cursor in the body"])
    readings_of(other)

    assert numbered.requests[0].params == {"offset": "0", "limit": "7"}
    assert [json.loads(each.body) for each in by_cursor.requests] == [
        {"query": "q", "variables": {"first": 2}},
        {"query": "q", "variables": {"first": 2, "after": "c1"}},
        {"query": "q", "variables": {"first": 2, "after": "c2"}},
    ]


def test_a_graphql_cursor_ends_with_has_next_page(build):
    """GraphQL has an end cursor on its last page too."""

    def answer(request):
        after = json.loads(request.body)["variables"].get("after")
        info = {"hasNextPage": after is None, "endCursor": "x" if after is None else "y"}
        rows = [{"n": "a" if after is None else "b", "v": 1}]
        return reply({"data": {"items": {"nodes": rows, "pageInfo": info}}})

    info = "data.items.pageInfo"
    source, collector = build(
        answer,
        {**ROW, "rows": "data.items.nodes"},
        paging={"cursor": {"path": f"{info}.hasNextPage && {info}.endCursor", "field": "variables.after"}},
    )

    readings_of(collector)

    assert len(source.requests) == 2
    assert {each.method for each in source.requests} == {"POST"}
    assert source.requests[0].headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("kind", [*PAGINGS])
def test_more_pages_than_allowed_are_a_failure(build, kind):
    """A part of the rows would look like all of them."""
    _, enough = build(paged(PAGES), ROW, paging={**PAGINGS[kind], "max_pages": 4 if "page" in kind else 3})
    _, short = build(paged(PAGES), ROW, paging={**PAGINGS[kind], "max_pages": 2})

    assert len(readings_of(enough)) == 1
    [failure] = failures_of(short)
    assert failure.reason == "too_many_pages"
    assert failure.message == "page 2 is not the last one, and max_pages is 2"


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("next_url", {"next": "/rows"}),
        ("next_url", {"next": "/rows#again"}),
        ("cursor", {"next_cursor": 7}),
        ("cursor in the body", {"next_cursor": "c"}),
        ("page", {}),
    ],
)
def test_a_loop_is_noticed(build, kind, document):
    """A source that does not heed the cursor would be asked for ever."""
    source, collector = build(reply({"rows": [{"n": "a", "v": 1}], **document}), ROW, paging=PAGINGS[kind])

    [failure] = failures_of(collector)

    assert failure.reason == "paging_loop"
    assert len(source.requests) <= 2


def test_a_link_to_another_origin_is_refused(build, monkeypatch):
    """It would be told the credentials of this one."""
    monkeypatch.setenv("JSON_TOKEN", "s3cr3t")
    auth = {"auth": {"bearer": {"env": "JSON_TOKEN"}}}
    with http_source(paged(PAGES)) as other:
        _, by_body = build(
            reply({"rows": [], "next": f"{other.url}/rows?key=1"}), ROW, paging=PAGINGS["next_url"], http=auth
        )
        link = {"Link": f"<{other.url}/rows>; rel=next"}
        _, by_header = build(reply({"rows": []}, **link), ROW, paging=PAGINGS["link_header"], http=auth)

        told = [*failures_of(by_body), *failures_of(by_header)]

    assert [each.reason for each in told] == ["next_refused", "next_refused"]
    assert told[0].message == f"page 1 links to {other.url}/…, another origin, where the credentials must not go"
    assert other.requests == []


@pytest.mark.parametrize(
    "link",
    ["file:///etc/passwd", "https://127.0.0.1/rows", "http://ana:pw@127.0.0.1/", "http://[", "//h/rows", "http://h:0/"],
)
def test_a_link_that_cannot_be_followed_is_refused(build, link):
    """Only http and https, only the same scheme, host and port."""
    _, collector = build(reply({"rows": [], "next": link}), ROW, paging=PAGINGS["next_url"])

    assert [each.reason for each in failures_of(collector)] == ["next_refused"]


@pytest.mark.parametrize("found", [[], {"url": "/rows"}, True, "x" * 5000])
def test_a_next_page_of_the_wrong_kind_is_a_failure(build, found):
    """To take it for the end would cut the answer in silence."""
    _, by_link = build(reply({"rows": [], "next": found}), ROW, paging=PAGINGS["next_url"])
    _, by_cursor = build(reply({"rows": [], "next_cursor": found}), ROW, paging=PAGINGS["cursor"])

    assert [each.reason for each in [*failures_of(by_link), *failures_of(by_cursor)]] == ["wrong_shape"] * 2


@pytest.mark.parametrize("found", [None, "", False])
def test_no_next_page_is_the_end(build, found):
    """APIs write it in three ways."""
    _, collector = build(reply({"rows": [{"n": "a", "v": 1}], "next": found}), ROW, paging=PAGINGS["next_url"])

    assert list(samples(readings_of(collector))) == [("i0", (("n", "a"),), NOW, 1.0)]


@pytest.mark.parametrize("broken", [reply({}, 500), reply({"rows": None}), Reply(b"<html>"), disconnects, hangs])
def test_a_page_that_cannot_be_read_fails_the_whole_collection(build, broken):
    """The tenants of the missing page would look gone."""
    good = paged(PAGES)
    _source, collector = build(
        lambda request: broken if request.params.get("page") == "2" else good(request),
        ROW,
        paging=PAGINGS["next_url"],
        timeout="1s",
    )

    [failure] = failures_of(collector)

    assert failure.indicators == ("i0",)
    if isinstance(broken, Reply):
        assert "page 2" in failure.message


def test_a_wrong_row_is_named_with_its_page(build):
    """Row 1 of page 3 is found at once."""
    pages = [*PAGES[:2], [{"n": "d", "v": 4}, {"n": "e"}]]
    _, collector = build(paged(pages), ROW, paging=PAGINGS["cursor"])

    [reading] = readings_of(collector)

    assert reading.example == "page 3 rows[1]: the value is empty"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_page_is_asked_for_again_after_a_passing_failure(build, method):
    """A gateway that restarts costs a moment, not the collection; a POST reads only, so it may be repeated."""
    passing, good = [disconnects, reply({}, 503)], paged(PAGES)

    def flaky(request):
        return passing.pop() if passing else good(request)

    source, collector = build(flaky, ROW, paging=PAGINGS["next_url"], method=method, http={"retries": 2})

    [reading] = readings_of(collector)

    assert len(reading.frame.values) == 5
    assert [each.method for each in source.requests] == [method] * 5


def test_the_time_out_is_for_all_pages_together(build):
    """A hundred slow pages must not hold a thread for a hundred time-outs."""

    def endless(request):
        number = int(request.params.get("page", "1"))
        return reply({"rows": [{"n": str(number), "v": 1}], "next": f"?page={number + 1}"})

    _, collector = build(endless, ROW, paging={"next_url": "next", "max_pages": 100_000}, timeout="0.5s")
    started = monotonic()

    [failure] = failures_of(collector)

    assert failure.reason == "timeout"
    assert monotonic() - started < 2.0


def test_a_query_in_the_url_stays(build):
    """Some endpoints are named by their query."""
    source, collector = build(paged(PAGES), ROW, path="/rows?view=all", paging=PAGINGS["cursor"], params={"a b": "c&d"})

    readings_of(collector)

    assert source.requests[1].params == {"view": "all", "a b": "c&d", "cursor": "c1"}


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<https://h/x?page=2>; rel="next"', "https://h/x?page=2"),
        ("<a>; rel=prev, <b;c,d>; rel=next; title=x", "b;c,d"),
        ('<a>; title="x; rel=next", <b>; REL="last NEXT"', "b"),
        ('<a>; rel="nextish"', ""),
        ("<a>;rel=first;rel=next", ""),
        ("", ""),
        ("rel=next", ""),
        ("<" * 60_000, ""),
        ("<a>" + " " * 60_000, ""),
        ("<a>; x" + " ;y" * 20_000 + '"', ""),
    ],
)
def test_link_headers_are_read_as_rfc_8288_has_them(header, target):
    """Commas, semicolons and quotes stand in targets and titles too; a hostile header costs no time."""
    started = monotonic()

    assert next_link(header) == target
    assert monotonic() - started < 1.0
