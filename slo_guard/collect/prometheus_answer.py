"""Answers of the Prometheus query API, as label sets and numbers.

An answer of 100,000 series is 10 MB of JSON of which only the numbers are new each cycle. The vector parser
therefore cuts the raw text at the places where numbers stand, compares the rest with last time, and only
parses what it has not seen. Whatever does not look exactly as expected goes through orjson.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import orjson

from slo_guard.collect.frames import NOTHING, Rejections, SeriesLayout, collector_paused, layout_of, parse_numbers
from slo_guard.domain.readings import FloatArray
from slo_guard.domain.series import LabelSet, SeriesIndex
from slo_guard.errors import CollectionError

_ERROR_LENGTH = 200
_METRIC_NAME = "__name__"
_HEAD = re.compile(
    rb'\s*\{"status":"success",(?:"isPartial":false,)?"data":\{"resultType":"vector","result":\[\{"metric":'
)
_TIME = re.compile(rb',"value":\[[0-9]+(?:\.[0-9]+)?,"')
_NEXT = b'"]},{"metric":'
_END = b'"]}]}'


@dataclass(frozen=True, slots=True, eq=False)
class Vector:
    """Samples of one instant: their rows, their values in the source's unit (shape (m,), NaN where not a number)."""

    layout: SeriesLayout
    values: FloatArray
    rejected: int = 0
    example: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    texts: list[bytes]
    label_sets: list[LabelSet]
    layout: SeriesLayout


class VectorParser:
    """Parses one query's answers, cycle after cycle; keeps the label texts of the last one."""

    def __init__(self) -> None:
        self._seen: _Seen | None = None
        self._index: SeriesIndex | None = None

    def parse(self, body: bytes) -> Vector:
        """Return an instant query's samples.

        Raises ``CollectionError``: ``not_json``, ``query_error``, ``wrong_type``, ``wrong_shape``.
        """
        vector = self._fast(body)
        if vector is None:
            vector = self._plain(body)
        self._index = vector.layout.index
        return vector

    def _fast(self, body: bytes) -> Vector | None:
        """Return the samples of an answer that has exactly the form in which Prometheus writes it, else None.

        In valid JSON each of the three separators holds a quote that no backslash precedes, so it cannot stand
        within a label's value; counting them proves that every series has one metric and one value.
        """
        head, end = _HEAD.match(body), body.rfind(_END)
        if head is None or end < head.end() or not _closes(body[end + len(_END) :]):
            return None
        region = body[head.end() : end]
        time = _TIME.search(region)
        if time is None:
            return None
        pieces = region.replace(time[0], _NEXT).split(_NEXT)
        texts, numbers = pieces[0::2], pieces[1::2]
        if len(texts) != len(numbers) or region.count(time[0]) != len(texts):
            return None
        seen = self._seen
        if seen is None or seen.texts != texts:
            label_sets = self._label_sets(texts)
            if label_sets is None:
                return None
            self._seen = seen = _Seen(texts, label_sets, layout_of(label_sets, self._index))
        return Vector(seen.layout, parse_numbers(numbers))

    def _label_sets(self, texts: list[bytes]) -> list[LabelSet] | None:
        with collector_paused():
            known = dict(zip(self._seen.texts, self._seen.label_sets, strict=True)) if self._seen is not None else {}
            fresh = [text for text in texts if text not in known] if known else texts
            try:
                metrics = orjson.loads(b"[" + b",".join(fresh) + b"]")
            except orjson.JSONDecodeError:
                return None
            if len(metrics) != len(fresh):
                return None
            found = [_labels(metric) for metric in metrics]
            if None in found:
                return None
            known.update(zip(fresh, cast("list[LabelSet]", found), strict=True))
            return [known[text] for text in texts]

    def _plain(self, body: bytes) -> Vector:
        with collector_paused():
            kind, result = _data_of(body)
            if kind == "scalar":
                return Vector(layout_of([()], self._index), _scalar(result))
            if kind != "vector":
                raise CollectionError("wrong_type", f"the query gives a {kind}, not an instant vector")
            if not isinstance(result, list):
                raise _wrong_shape()
            label_sets: list[LabelSet] = []
            numbers: list[bytes] = []
            rejected = Rejections()
            for item in result:
                labels = _labels(item.get("metric")) if isinstance(item, dict) else None
                value: Any = item.get("value") if isinstance(item, dict) else None
                if labels is not None and _is_sample(value):
                    label_sets.append(labels)
                    numbers.append(value[1].encode("utf-8", "surrogatepass"))
                else:
                    histogram = isinstance(item, dict) and "histogram" in item
                    rejected.add(
                        1, "a native histogram is not a number" if histogram else "a series without labels or value"
                    )
            layout = layout_of(label_sets, self._index) if label_sets else NOTHING
            return Vector(layout, parse_numbers(numbers), rejected.count, rejected.example)


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """Samples of a range query: the series ``label_sets[series[i]]`` had ``values[i]`` at ``times[i]``."""

    label_sets: list[LabelSet]
    series: np.typing.NDArray[np.int64]
    times: FloatArray
    values: FloatArray


def parse_matrix(body: bytes) -> Matrix:
    """Return a range query's samples. Raises ``CollectionError`` as :meth:`VectorParser.parse` does."""
    with collector_paused():
        kind, result = _data_of(body)
        if kind != "matrix" or not isinstance(result, list):
            raise CollectionError("wrong_type", f"the range query gives a {kind}, not a matrix")
        label_sets: list[LabelSet] = []
        counts: list[int] = []
        times: list[float] = []
        numbers: list[bytes] = []
        try:
            for item in result:
                labels = _labels(item["metric"])
                samples = item.get("values", [])
                if labels is None:
                    raise _wrong_shape()
                label_sets.append(labels)
                counts.append(len(samples))
                times += [sample[0] for sample in samples]
                numbers += [sample[1].encode() for sample in samples]
            stamps = np.array(times, dtype=np.float64)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError):
            raise _wrong_shape() from None
        if stamps.ndim != 1 or not np.isfinite(stamps).all():
            raise _wrong_shape()
        series = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
        return Matrix(label_sets, series, stamps, parse_numbers(numbers))


def error_text(body: bytes) -> str | None:
    """Return what Prometheus says is wrong, bounded, or None if the body is not its error answer."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(answer, dict) or answer.get("status") != "error":
        return None
    return f"{answer.get('errorType')}: {answer.get('error')}"[:_ERROR_LENGTH]


def _data_of(body: bytes) -> tuple[str, Any]:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise CollectionError("not_json", "the answer is not JSON; is this the address of a Prometheus API?") from None
    problem = error_text(body) if isinstance(answer, dict) and answer.get("status") == "error" else None
    if problem is not None:
        raise CollectionError("query_error", problem)
    data = answer.get("data") if isinstance(answer, dict) and answer.get("status") == "success" else None
    if not isinstance(data, dict) or not isinstance(data.get("resultType"), str) or "result" not in data:
        raise _wrong_shape()
    return data["resultType"][:_ERROR_LENGTH], data["result"]


def _closes(tail: bytes) -> bool:
    """Whether ``tail`` ends the answer, perhaps with warnings or statistics, which change nothing."""
    stripped = tail.strip()
    if stripped == b"}":
        return True
    try:
        rest = orjson.loads(b'{"":0' + stripped)
    except orjson.JSONDecodeError:
        return False
    return not rest.keys() & {"status", "data"}


def _labels(metric: Any) -> LabelSet | None:
    if not isinstance(metric, dict):
        return None
    metric.pop(_METRIC_NAME, None)
    for value in metric.values():
        if not isinstance(value, str):
            return None
    return tuple(sorted(metric.items()))


def _is_sample(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[1], str)


def _scalar(result: Any) -> FloatArray:
    if not _is_sample(result):
        raise _wrong_shape()
    return parse_numbers([result[1].encode("utf-8", "surrogatepass")])


def _wrong_shape() -> CollectionError:
    return CollectionError("wrong_shape", "the answer is JSON but not an answer of the Prometheus query API")
