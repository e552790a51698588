"""The oracle's memory: every observation of an indicator, kept whole, as plain lists.

Nothing is cached, pruned or updated in place: what the evaluator keeps in buffers is searched here from the start, each time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from slo_guard.domain.kpi import Matcher, MatchOp
from slo_guard.domain.readings import CollectionFailure, EventBatch, Evidence, GaugeFrame, Observation, SignOff
from slo_guard.domain.series import LabelSet

RECALLED_FRAMES = 20
"""A counter of a ratio recalls its samples of so many frames: what is later than these is left out."""


class Sample(NamedTuple):
    """A value with its own time ``at``, and the time from which windows count it.

    ``counted`` is later than ``at`` where frames with later times had come before: what was behind is not rewritten.
    It is earlier where the source's clock is ahead: nothing is from later than when it was seen.
    """

    counted: float
    value: float
    at: float


class Event(NamedTuple):
    """A raw observation."""

    at: float
    value: float


class Mark(NamedTuple):
    """What frame number ``frame`` said of a series at ``counted``: its ``sample``, or None: it did not list it."""

    frame: int
    counted: float
    sample: Sample | None


@dataclass
class Series:
    """One series of an indicator, as the frames tell of it from the one that listed it first.

    ``reads_before``: when frames before that had shown that it did not exist; ``silence_before``: how far behind it
    the newest of them was, None where there was none or a collection failed since; ``shown_at_once``: the first
    frame had a sample of it; ``listed_at``: when it was last seen to be listed; ``gone``: the newest frame lacks it;
    ``late``: samples that came behind newer ones, and not behind more frames than a counter recalls.
    """

    labels: LabelSet
    reads_before: list[float]
    silence_before: float | None
    shown_at_once: bool
    listed_at: float = 0.0
    gone: bool = False
    marks: list[Mark] = field(default_factory=list)
    late: list[Sample] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    @property
    def samples(self) -> list[Sample]:
        """The samples, in order."""
        return [mark.sample for mark in self.marks if mark.sample is not None]

    @property
    def newest_at(self) -> float:
        """The newest sample's or event's own time; of a series that never had one, when it was last listed."""
        times = [sample.at for sample in self.samples[-1:]] + [event.at for event in self.events]
        return max(times, default=self.listed_at)

    def with_late(self, excluded: Sequence[tuple[float, float]]) -> Series:
        """Return the series as a counter's ratio knows it: late samples stand where they belong.

        Between excluded stretches nothing is known of what was gained before one and what after it.
        """
        samples = self.samples
        for late in self.late:
            before = max((each.counted for each in samples if each.counted <= late.at), default=-math.inf)
            after = min((each.counted for each in samples if each.counted > late.at), default=None)
            apart = any(after is not None and start < after and before < stop for start, stop in excluded)
            if after is not None and before != late.at and not apart:
                samples = sorted([*samples, late], key=lambda each: each.counted)
        return replace(self, marks=[Mark(0, each.counted, each) for each in samples])

    def born(self, within: float) -> bool:
        """Whether it began with a sample beside a source that had answered, not over ``within`` earlier."""
        return self.shown_at_once and self.silence_before is not None and self.silence_before <= within


@dataclass
class History:
    """All that was observed of one indicator: collections in order (None: it failed), and the newest sign-offs."""

    collections: list[tuple[float, GaugeFrame | EventBatch | Evidence | None]] = field(default_factory=list)
    sign_offs: tuple[SignOff, ...] | None = None

    @property
    def failing(self) -> bool:
        """Whether the newest collection failed."""
        return bool(self.collections) and self.collections[-1][1] is None

    @property
    def newest_success(self) -> float | None:
        """When the newest successful collection was seen."""
        return max((seen_at for seen_at, frame in self.collections if frame is not None), default=None)

    @property
    def listed_now(self) -> list[LabelSet]:
        """The series that the newest frame lists."""
        frames = [frame for _, frame in self.collections if isinstance(frame, GaugeFrame)]
        return list(frames[-1].index.label_sets) if frames else []

    def series_until(self, end: float) -> list[Series]:
        """Return the series as they are known by samples and events until ``end``, by their own time."""
        known: dict[LabelSet, Series] = {}
        reads: list[float] = []
        answered = False
        for number, (seen_at, frame) in enumerate(self.collections):
            if isinstance(frame, EventBatch):
                _tell_events(known, frame, seen_at, end)
            if isinstance(frame, GaugeFrame) and frame.at <= end:
                silence = frame.at - reads[-1] if answered and reads else None
                counted = max([min(frame.at, seen_at), *reads[-1:]])
                _tell(known, frame, Mark(number, counted, None), seen_at, reads, silence)
                reads.append(counted)
            answered = frame is not None
        return list(known.values())


def _tell(
    known: dict[LabelSet, Series],
    frame: GaugeFrame,
    blank: Mark,
    seen_at: float,
    reads: list[float],
    silence: float | None,
) -> None:
    """Add what a frame says: of the series that it lists, and of those that it does not, unless it is an increment."""
    values = {
        labels: float(frame.values[row]) if frame.present is None or frame.present[row] else None
        for row, labels in enumerate(frame.index.label_sets)
    }
    for labels, value in values.items():
        if labels not in known:
            known[labels] = Series(labels, list(reads), silence, value is not None)
        series = known[labels]
        series.listed_at, series.gone = seen_at, False
        if value is not None and (not series.samples or series.newest_at < frame.at):
            series.marks.append(blank._replace(sample=Sample(blank.counted, value, frame.at)))
        elif value is not None and series.newest_at > frame.at and reads[-RECALLED_FRAMES:][0] <= frame.at:
            series.late.append(Sample(frame.at, value, frame.at))
    for labels, series in known.items():
        if labels not in values and not frame.increment:
            series.gone = True
            series.marks.append(blank)


def _tell_events(known: dict[LabelSet, Series], batch: EventBatch, seen_at: float, end: float) -> None:
    """Add a batch of events; a series of which it has none has not ended."""
    for labels in batch.index.label_sets:
        known.setdefault(labels, Series(labels, [], None, shown_at_once=False)).listed_at = seen_at
    for row, at, value in zip(batch.series.tolist(), batch.at.tolist(), batch.values.tolist(), strict=True):
        if at <= end:
            known[batch.index.label_sets[row]].events.append(Event(at, value))


def histories(observations: Iterable[Observation]) -> dict[str, History]:
    """Return the history of every indicator that occurs in ``observations`` (in order of ``seen_at``)."""
    found: dict[str, History] = {}
    for item in observations:
        for name in item.indicators:
            history = found.setdefault(name, History())
            if isinstance(item, CollectionFailure):
                history.collections.append((item.seen_at, None))
                continue
            assert isinstance(item.frame, GaugeFrame | EventBatch | Evidence), "the oracle knows no other frames"
            history.collections.append((item.seen_at, item.frame))
            if isinstance(item.frame, Evidence):
                history.sign_offs = item.frame.sign_offs
    return found


def label_of(labels: LabelSet, name: str) -> str:
    """Return a label's value; a label that is lacking is the empty string."""
    return dict(labels).get(name, "")


def matches(labels: LabelSet, where: tuple[Matcher, ...]) -> bool:
    """Whether a series' labels satisfy every entry of ``where``."""
    for matcher in where:
        value = label_of(labels, matcher.label)
        if matcher.op is MatchOp.EQUAL and value != matcher.value:
            return False
        if matcher.op is MatchOp.NOT_EQUAL and value == matcher.value:
            return False
        if matcher.op is MatchOp.REGEX and re.fullmatch(matcher.value, value) is None:
            return False
    return True


def grouped(labels: LabelSet, by: tuple[str, ...]) -> LabelSet:
    """Return the ``by`` labels of a series; an empty label is as good as none."""
    return tuple(sorted((name, label_of(labels, name)) for name in by if label_of(labels, name)))
