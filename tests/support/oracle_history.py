"""The oracle's memory: every observation of an indicator, kept whole, as plain lists.

Nothing is cached, pruned or updated in place: what the evaluator keeps in buffers is searched here from the start, each time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from slo_guard.domain.kpi import Matcher, MatchOp
from slo_guard.domain.readings import CollectionFailure, Evidence, GaugeFrame, Observation, SignOff
from slo_guard.domain.series import LabelSet

Sample = tuple[float, float]
"""(at, value)."""


@dataclass
class Series:
    """One series of an indicator: its samples in order of time, and when collections held it.

    ``gone``: a later successful collection no longer held it.
    """

    labels: LabelSet
    first_seen_at: float
    last_seen_at: float
    samples: list[Sample] = field(default_factory=list)
    gone: bool = False

    def until(self, now: float) -> Series:
        """Return the series as it was known to be at ``now``, by the samples' own time."""
        known = [sample for sample in self.samples if sample[0] <= now]
        return Series(self.labels, self.first_seen_at, self.last_seen_at, known)

    @property
    def newest_at(self) -> float:
        """The time of the newest sample."""
        return self.samples[-1][0]


@dataclass
class History:
    """All that was observed of one indicator: collections (seen_at, succeeded), series, and the newest sign-offs."""

    collections: list[tuple[float, bool]] = field(default_factory=list)
    series: dict[LabelSet, Series] = field(default_factory=dict)
    sign_offs: tuple[SignOff, ...] | None = None

    @property
    def failing(self) -> bool:
        """Whether the newest collection failed."""
        return bool(self.collections) and not self.collections[-1][1]

    @property
    def newest_success(self) -> float | None:
        """When the newest successful collection was seen."""
        successes = [seen_at for seen_at, succeeded in self.collections if succeeded]
        return max(successes, default=None)

    def gone_from_source(self, series: Series) -> bool:
        """Whether a successful collection later than the series' last one did not contain it."""
        newest = self.newest_success
        return newest is not None and newest > series.last_seen_at

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
        if (item.seen_at, True) not in history.collections:
            history.collections.append((item.seen_at, True))
        if isinstance(item.frame, Evidence):
            history.sign_offs = item.frame.sign_offs
        elif isinstance(item.frame, GaugeFrame):
            _add_frame(history, item.frame, item.seen_at)
        else:
            raise TypeError(f"the oracle knows no {type(item.frame).__name__}")
    return found


def _add_frame(history: History, frame: GaugeFrame, seen_at: float) -> None:
    for row, label_set in enumerate(frame.index.label_sets):
        if frame.present is not None and not frame.present[row]:
            continue
        series = history.series.setdefault(label_set, Series(label_set, seen_at, seen_at))
        series.last_seen_at = seen_at
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
