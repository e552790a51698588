"""Sources of rows in JSON on loopback, cut into pages in every way that the collector knows, and collectors over them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from slo_guard.collect.json_api import JsonCollector
from slo_guard.collect.json_options import JsonOptions
from slo_guard.domain.readings import CollectionFailure, EventBatch, Reading
from tests.support.http_sources import HttpSource, Reply, Request, http_source

NOW = 1_784_196_000.0
Pages = Sequence[Sequence[Any]]

PAGINGS: dict[str, dict[str, Any]] = {
    "next_url": {"next_url": "next"},
    "link_header": {"link_header": True},
    "cursor": {"cursor": {"path": "next_cursor", "param": "cursor"}},
    "cursor in the body": {"cursor": {"path": "next_cursor", "field": "variables.after"}},
    "page": {"page": {"param": "page"}},
    "page from 0": {"page": {"param": "offset", "start": 0, "size_param": "limit", "size": 7}},
}


def reply(document: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(json.dumps(document).encode(), status, headers)


def paged(pages: Pages) -> Callable[[Request], Reply]:
    """Serve rows in pages; every way to ask for the next page works. Behind the last page there is an empty one."""

    def answer(request: Request) -> Reply:
        body = json.loads(request.body or b"{}")
        after = body.get("variables", {}).get("after")
        if "offset" in request.params:
            number = int(request.params["offset"])
        elif "cursor" in request.params or after is not None:
            number = int((request.params.get("cursor") or after).removeprefix("c"))
        else:
            number = int(request.params.get("page", "1")) - 1
        rows = list(pages[number]) if number < len(pages) else []
        if number + 1 >= len(pages):
            return reply({"rows": rows, "next": None, "next_cursor": None})
        document = {"rows": rows, "next": f"/rows?page={number + 2}", "next_cursor": f"c{number + 1}"}
        link = f'</rows?page=1>; rel="first", <?page={number + 2}>; title="a, b"; rel="up next"'
        return reply(document, Link=link)

    return answer


def options_for(url: str, indicators: Sequence[dict[str, Any]], **options: Any) -> JsonOptions:
    base = {"name": "source", "type": "json", "url": url, "timeout": "5s", "indicators": list(indicators)}
    if "field" in str(options.get("paging")):
        base |= {"method": "POST", "body": {"query": "q", "variables": {"first": 2}}}
    return JsonOptions.model_validate({**base, **options})


Build = Callable[..., tuple[HttpSource, JsonCollector]]


def builds(stack: ExitStack) -> Build:
    """Return what starts a source and a collector over it; the stack ends both."""

    def build(answer: Any, *indicators: dict[str, Any], path: str = "/rows", **options: Any) -> tuple[Any, Any]:
        served = answer if callable(answer) else lambda _request: answer
        source = stack.enter_context(http_source(served))
        named = [{"name": f"i{number}", "type": "gauge", **each} for number, each in enumerate(indicators)]
        collector = JsonCollector(options_for(source.url + path, named, **options))
        stack.callback(collector.close)
        return source, collector

    return build


def readings_of(collector: JsonCollector, now: float = NOW, cursor: str | None = None) -> list[Reading]:
    """Collect once; every indicator must have been read."""
    collection = collector.collect(now, cursor)
    assert collection.succeeded, collection.observations
    return list(collection.observations)


def failures_of(collector: JsonCollector, now: float = NOW) -> list[CollectionFailure]:
    return [item for item in collector.collect(now, None).observations if isinstance(item, CollectionFailure)]


def samples(readings: Sequence[Reading]) -> Iterator[tuple[str, tuple[tuple[str, str], ...], float, float]]:
    """Yield every sample of readings as (indicator, labels, time, value)."""
    for reading in readings:
        frame = reading.frame
        if isinstance(frame, EventBatch):
            for row, at, value in zip(frame.series.tolist(), frame.at.tolist(), frame.values.tolist(), strict=True):
                yield reading.indicator, frame.index.label_sets[row], at, value
        else:
            for row, value in enumerate(frame.values.tolist()):
                if frame.present is None or frame.present[row]:
                    yield reading.indicator, frame.index.label_sets[row], frame.at, value
