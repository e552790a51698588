"""The oracle's memory: every observation of an indicator, kept whole, as plain lists.

Nothing is cached, pruned or updated in place: what the evaluator keeps in buffers is searched here from the start, each time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from slo_guard.domain.kpi import Matcher, MatchOp
from slo_guard.domain.readings import CollectionFailure, Evidence, GaugeFrame, Observation, SignOff
from slo_guard.domain.series import LabelSet

Sample = tuple[float, float]
"""(at, value)."""


@dataclass
class Series:
    """One series of an indicator: its samples in order of time, and when collections held it.

    ``held_at``: ``seen_at`` of those collections, those without a usable number included; ``gone``: a later successful
    collection did not hold it.
    """

    labels: LabelSet
    first_seen_at: float
    held_at: list[float] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    gone: bool = False

    @property
    def newest_at(self) -> float:
        """The time of the newest sample."""
        return self.samples[-1][0]


@dataclass
class History:
    """All that was observed of one indicator: collections (seen_at, succeeded), series, and the newest sign-offs.

    ``read_at``: the times of the successful collections, by their samples' own clock.
    """

    collections: list[tuple[float, bool]] = field(default_factory=list)
    read_at: dict[float, float] = field(default_factory=dict)
    series: dict[LabelSet, Series] = field(default_factory=dict)
    sign_offs: tuple[SignOff, ...] | None = None

    @property
    def failing(self) -> bool:
        """Whether the newest collection failed."""
        return bool(self.collections) and not self.collections[-1][1]

    @property
    def newest_success(self) -> float | None:
        """When the newest successful collection was seen."""
        return max(self.read_at, default=None)

    def series_until(self, now: float) -> list[Series]:
        """Return the series as they were known to be at ``now``, by the samples' own time."""
        reads = [seen_at for seen_at, at in self.read_at.items() if at <= now]
        known = []
        for series in self.series.values():
            samples = [sample for sample in series.samples if sample[0] <= now]
            if samples:
                gone = max(reads) > max(series.held_at)
                known.append(replace(series, samples=samples, gone=gone))
        return known

    def read_before(self, series: Series) -> list[float]:
        """Return when collections succeeded before the series was first seen: its absence was observed then."""
        return [at for seen_at, at in self.read_at.items() if seen_at < series.first_seen_at]

    def born(self, series: Series, within: float) -> bool:
        """Whether the collection just before the series' first one succeeded, not over ``within`` earlier."""
        earlier = [collection for collection in self.collections if collection[0] < series.first_seen_at]
        if not earlier:
            return False
        seen_at, succeeded = earlier[-1]
        return succeeded and series.first_seen_at - seen_at <= within


def histories(observations: Iterable[Observation]) -> dict[str, History]:
    """Return the history of every indicator that occurs in ``observations`` (in order of ``seen_at``)."""
    found: dict[str, History] = {}
    for item in observations:
        if isinstance(item, CollectionFailure):
            for name in item.indicators:
                found.setdefault(name, History()).collections.append((item.seen_at, False))
            continue
        history = found.setdefault(item.indicator, History())
        assert isinstance(item.frame, GaugeFrame | Evidence), "the oracle knows no other frames"
        if (item.seen_at, True) not in history.collections:
            history.collections.append((item.seen_at, True))
        history.read_at[item.seen_at] = item.frame.at
        if isinstance(item.frame, Evidence):
            history.sign_offs = item.frame.sign_offs
        else:
            _add_frame(history, item.frame, item.seen_at)
    return found


def _add_frame(history: History, frame: GaugeFrame, seen_at: float) -> None:
    for row, label_set in enumerate(frame.index.label_sets):
        if frame.present is not None and not frame.present[row]:
            if label_set in history.series:  # the source still names it, if without a number
                history.series[label_set].held_at.append(seen_at)
            continue
        series = history.series.setdefault(label_set, Series(label_set, seen_at))
        series.held_at.append(seen_at)
        if not series.samples or series.newest_at < frame.at:
            series.samples.append((frame.at, float(frame.values[row])))


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
