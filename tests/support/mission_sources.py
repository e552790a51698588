"""The sources of a mission on loopback, in the test's hands: a Prometheus query API and a /metrics page over the same series.

A series is a function of time: what the test says of the time before (a constant, or any function), and what it sets
while it runs. So an instant query, a range query about the past and a page always agree. Each *door*
(``url("gateway")``) shows the same series and can misbehave by itself, in the ways of ``http_sources``.
"""

from __future__ import annotations

import json
import math
import re
import threading
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeAlias

from slo_guard.clock import to_unix, utcnow
from tests.support.http_sources import HttpSource, Reply, Request

Value: TypeAlias = float | None
Past: TypeAlias = Callable[[float], Value]
Labels: TypeAlias = tuple[tuple[str, str], ...]

_SPACE = re.compile(r"\s+")


class _Timeline:
    def __init__(self, past: Past) -> None:
        self._past = past
        self._times: list[float] = []
        self._values: list[Value] = []

    def change(self, at: float, value: Value) -> None:
        self._times.append(at)
        self._values.append(value)

    def at(self, instant: float) -> Value:
        position = bisect_right(self._times, instant)
        return self._values[position - 1] if position else self._past(instant)


class MissionSources:
    """Use as a context manager.

    ``queries`` maps PromQL texts (white space does not matter) to series' names; ``page`` maps metric names to
    series' names, or to a name and what its values are multiplied with on the page. Unknown queries are errors.
    """

    def __init__(
        self, queries: Mapping[str, str] | None = None, page: Mapping[str, str | tuple[str, float]] | None = None
    ) -> None:
        self._queries = {_SPACE.sub("", query): name for query, name in (queries or {}).items()}
        self._page = dict(page or {})
        self._series: dict[str, dict[Labels, _Timeline]] = {}
        self._doubles: dict[str, float] = {}
        self._faults: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._http = HttpSource(self._answer)

    def __enter__(self) -> Self:
        self._http.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.stop()

    def url(self, door: str) -> str:
        """Return the base URL of the query API; the page is at ``/metrics`` below it."""
        return f"{self._http.url}/{door}"

    @property
    def requests(self) -> list[Request]:
        return self._http.requests

    def past(self, name: str, value: float | Past, **labels: str) -> None:
        """Say what a series was before the test began: a constant, or a function of Unix seconds (None: absent)."""
        function = value if callable(value) else lambda _at: value
        with self._lock:
            self._series.setdefault(name, {})[tuple(sorted(labels.items()))] = _Timeline(function)

    def set(self, name: str, value: Value, **labels: str) -> None:
        """Have a series this value from now on; None: it is gone."""
        with self._lock:
            series = self._series.setdefault(name, {})
            timeline = series.setdefault(tuple(sorted(labels.items())), _Timeline(lambda _at: None))
            timeline.change(to_unix(utcnow()), value)

    def add(self, name: str, amount: float, **labels: str) -> None:
        """Add to what a series is now."""
        with self._lock:
            timeline = self._series[name][tuple(sorted(labels.items()))]
            now = to_unix(utcnow())
            before = timeline.at(now)
            assert before is not None
            timeline.change(now, before + amount)

    def double(self, name: str, value: float | None) -> None:
        """Show each series of ``name`` twice, the second time with ``value``; None: once again."""
        with self._lock:
            self._doubles.pop(name, None)
            if value is not None:
                self._doubles[name] = value

    def break_door(self, door: str, fault: Any) -> None:
        """Answer every request at ``door`` with ``fault``: a ``Reply`` or a behaviour of ``http_sources``."""
        self._faults[door] = fault

    def mend_door(self, door: str) -> None:
        """Answer as usual again. A request that hangs is left hanging."""
        self._faults.pop(door, None)

    def _answer(self, request: Request) -> Any:
        _, door, path = request.path.split("/", 2)
        fault = self._faults.get(door)
        if fault is not None:
            return fault
        now = to_unix(utcnow())
        if path == "metrics":
            return Reply(self._page_text(now).encode(), 200, {"Content-Type": "text/plain; version=0.0.4"})
        name = self._queries.get(_SPACE.sub("", request.params.get("query", "")))
        if name is None:
            return _json({"status": "error", "errorType": "bad_data", "error": "unknown query"}, 400)
        if path == "api/v1/query":
            return _success("vector", self._vector(name, float(request.params.get("time", now))))
        if path == "api/v1/query_range":
            bounds = (float(request.params[each]) for each in ("start", "end", "step"))
            return _success("matrix", self._matrix(name, *bounds))
        return Reply(b"404 page not found", 404)

    def _vector(self, name: str, at: float) -> list[dict[str, Any]]:
        with self._lock:
            found = [(dict(labels), timeline.at(at)) for labels, timeline in self._series.get(name, {}).items()]
            double = self._doubles.get(name)
        samples = [(labels, value) for labels, value in found if value is not None]
        if double is not None:
            samples += [(labels, double) for labels, _ in samples]
        return [{"metric": labels, "value": [at, _text(value)]} for labels, value in samples]

    def _matrix(self, name: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        with self._lock:
            series = list(self._series.get(name, {}).items())
        instants = [start + number * step for number in range(int((end - start) / step + 1e-9) + 1)]
        result = []
        for labels, timeline in series:
            values = [[at, _text(value)] for at in instants if (value := timeline.at(at)) is not None]
            if values:
                result.append({"metric": dict(labels), "values": values})
        return result

    def _page_text(self, now: float) -> str:
        lines: list[str] = []
        for metric, shown in self._page.items():
            name, factor = shown if isinstance(shown, tuple) else (shown, 1.0)
            lines += [f"# HELP {metric} What the test says.", f"# TYPE {metric} untyped"]
            for sample in self._vector(name, now):
                labels = ",".join(f'{label}="{value}"' for label, value in sample["metric"].items())
                lines.append(f"{metric}{{{labels}}} {_text(float(sample['value'][1]) * factor)}")
        return "\n".join(lines) + "\n"


def _text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def _success(kind: str, result: list[dict[str, Any]]) -> Reply:
    return _json({"status": "success", "data": {"resultType": kind, "result": result}}, 200)


def _json(document: Any, status: int) -> Reply:
    return Reply(json.dumps(document, separators=(",", ":")).encode(), status, {"Content-Type": "application/json"})
