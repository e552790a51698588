"""Collections, transitions and messages for tests of stores, and what it means that two observations are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from slo_guard.domain.alerts import Alert, AlertKey, AlertKind, Transition
from slo_guard.domain.kpi import Severity
from slo_guard.domain.notifications import Notification, NotificationReason, SeriesLine
from slo_guard.domain.readings import (
    Collection,
    CollectionFailure,
    EventBatch,
    Evidence,
    Frame,
    GaugeFrame,
    HistogramFrame,
    Observation,
    Reading,
    SignOff,
)
from slo_guard.domain.series import SeriesIndex, label_set
from slo_guard.domain.verdicts import AlertState, Reason, Verdict

TWO_SYSTEMS = SeriesIndex.of((label_set({"system": "fs"}), label_set({"system": "xai2"})))


def a_gauge(*values: float, at: float = 100.0) -> GaugeFrame:
    """Return a frame over two systems."""
    return GaugeFrame(TWO_SYSTEMS, np.array(values or (1.0, 2.0)), at)


def a_collection(
    *observations: Observation | Frame, collector: str = "prom", indicator: str = "p95", cursor: str | None = None
) -> Collection:
    """Return a collection; a bare frame becomes a reading of ``indicator``."""
    items = tuple(
        item if isinstance(item, Reading | CollectionFailure) else Reading(indicator, collector, 0.0, item)
        for item in observations
    )
    return Collection(collector, 0.0, items, cursor)


def a_failure(*indicators: str, collector: str = "prom") -> CollectionFailure:
    """Return a failure of some indicators."""
    return CollectionFailure(collector, indicators or ("p95",), 0.0, "timeout", "no answer within 10s")


def a_key(kpi: str = "ga_e2e_p95", **labels: str) -> AlertKey:
    """Return an alert's key."""
    return AlertKey("sprint-40", kpi, label_set(labels or {"system": "fs"}))


def an_alert(key: AlertKey | None = None, **changes: Any) -> Alert:
    """Return a firing alert."""
    values: dict[str, Any] = {"state": AlertState.FIRING, "active_at": 100.0, "fired_at": 400.0, "value": 1.31}
    return Alert(key or a_key(), **values | changes)


def a_transition(seq: int, at: float = 400.0, **changes: Any) -> Transition:
    """Return a transition from pending to firing with every field filled."""
    values: dict[str, Any] = {
        "key": a_key(),
        "from_state": AlertState.PENDING,
        "to_state": AlertState.FIRING,
        "reason": Reason.OBJECTIVE_MISSED,
        "verdict": Verdict.MISSED,
        "value": 1.31,
        "active_at": 100.0,
        "severity": Severity.PAGE,
        "lane": "ga-ops",
        "title": "GA end-to-end p95",
        "owner": "SRE Lead",
        "objective": "at_most 1.16s",
        "unit": "seconds",
        "runbook_url": "https://runbooks.example/ga",
        "note": "the newest sample is 4m old",
        "collectors": ("prom", "scrape"),
        "annotations": {"summary": "fs p95 is 1.31s, \u00fcber limit 1.16s"},
    }
    return Transition(seq=seq, at=at, **values | changes)


def a_notification(key: str, receiver: str = "slack", created_at: float = 400.0, **changes: Any) -> Notification:
    """Return a message with every field filled."""
    line = SeriesLine(
        labels=label_set({"system": "fs"}),
        firing=True,
        value=1.31,
        verdict="missed",
        reason=Reason.OBJECTIVE_MISSED.value,
        note="said the source: \u201cslow\u201d",
        active_at=100.0,
        ended_at=None,
        annotations={"summary": "fs p95 is 1.31s"},
    )
    values: dict[str, Any] = {
        "group": f"{receiver}/ga_e2e_p95",
        "reason": NotificationReason.FIRST_NOTIFICATION,
        "sprint": "sprint-40",
        "kpi": "ga_e2e_p95",
        "kind": AlertKind.BREACH,
        "severity": Severity.PAGE,
        "lane": "ga-ops",
        "title": "GA end-to-end p95",
        "owner": "SRE Lead",
        "objective": "at_most 1.16s",
        "unit": "seconds",
        "runbook_url": None,
        "series": (line,),
        "transitions": (1,),
    }
    return Notification(key=key, receiver=receiver, created_at=created_at, **values | changes)


_words = st.text(max_size=12)
_label_sets = st.dictionaries(_words, _words, max_size=3).map(label_set)
_indexes = st.lists(_label_sets, max_size=6, unique=True).map(SeriesIndex.of)
_instants = st.floats(0, 4e9)
_numbers = st.floats(allow_nan=False)


@st.composite
def gauges(draw: Any) -> GaugeFrame:
    """Draw a gauge frame, some series absent."""
    index = draw(_indexes)
    size = len(index)
    values = np.array(draw(st.lists(_numbers, min_size=size, max_size=size)), dtype=np.float64)
    present = draw(st.none() | st.lists(st.booleans(), min_size=size, max_size=size))
    there = None if present is None else np.array(present, dtype=np.bool_)
    return GaugeFrame(index, values, draw(_instants), there, increment=draw(st.booleans()))


@st.composite
def event_batches(draw: Any) -> EventBatch:
    """Draw a batch of events over an index with series."""
    index = draw(_indexes.filter(len))
    rows = draw(st.lists(st.tuples(st.integers(0, len(index) - 1), _instants, _numbers), max_size=20))
    series, at, values = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    return EventBatch(index, np.array(series, dtype=np.int64), np.array(at, float), np.array(values, float))


@st.composite
def histograms(draw: Any) -> HistogramFrame:
    """Draw histograms, with buckets missing here and there."""
    index = draw(_indexes)
    bounds = [*sorted(draw(st.lists(st.floats(-1e6, 1e6), max_size=4, unique=True))), np.inf]
    size = len(index) * len(bounds)
    counts = draw(st.lists(st.floats(0, 1e9) | st.just(np.nan), min_size=size, max_size=size))
    shaped = np.array(counts, dtype=np.float64).reshape(len(index), len(bounds))
    return HistogramFrame(index, np.array(bounds), shaped, draw(_instants))


sign_offs = st.builds(
    SignOff,
    labels=_label_sets,
    value=st.booleans(),
    by=_words,
    when=_instants,
    link=st.none() | _words,
    entered_at=st.none() | _instants,
)

frames: st.SearchStrategy[Frame] = st.one_of(
    gauges(),
    event_batches(),
    histograms(),
    st.builds(Evidence, st.lists(sign_offs, max_size=4).map(tuple), _instants),
)

observations: st.SearchStrategy[Observation] = st.one_of(
    st.builds(
        Reading,
        indicator=st.sampled_from(["p95", "errors", "logged"]),
        collector=st.sampled_from(["prom", "scrape"]),
        seen_at=_instants,
        frame=frames,
        rejected=st.integers(0, 10**6),
        example=st.none() | _words,
    ),
    st.builds(
        CollectionFailure,
        collector=st.sampled_from(["prom", "scrape"]),
        indicators=st.lists(st.sampled_from(["p95", "errors", "logged"]), min_size=1, unique=True).map(tuple),
        seen_at=_instants,
        reason=_words,
        message=_words,
    ),
)

collections: st.SearchStrategy[Collection] = st.lists(observations, max_size=5).map(
    lambda items: Collection("prom", 0.0, tuple(items), None)
)


def content(observation: Observation) -> Any:
    """Return all that an observation says, ``seen_at`` aside, in a form that compares; NaN equals NaN."""
    if isinstance(observation, CollectionFailure):
        return observation.collector, observation.indicators, observation.reason, observation.message
    about = (observation.indicator, observation.collector, observation.rejected, observation.example)
    return *about, *_frame_content(observation.frame)


def _frame_content(frame: Frame) -> tuple[Any, ...]:
    match frame:
        case GaugeFrame():
            arrays = (_exact(frame.values), _exact(frame.present))
            return "gauge", frame.index.label_sets, frame.at, *arrays, frame.increment
        case EventBatch():
            return "events", frame.index.label_sets, _exact(frame.series), _exact(frame.at), _exact(frame.values)
        case HistogramFrame():
            arrays = (_exact(frame.bounds), _exact(frame.counts), _exact(frame.present))
            return "histogram", frame.index.label_sets, frame.at, *arrays
        case Evidence():
            return "evidence", frame


def _exact(array: Any) -> Any:
    return None if array is None else (array.dtype.str, array.shape, array.tobytes())
