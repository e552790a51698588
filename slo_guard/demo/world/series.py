"""What lanes are made of: series as functions of time, events, and labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from slo_guard.demo.world.story import Story
from slo_guard.domain.readings import FloatArray
from slo_guard.domain.series import LabelSet

Values: TypeAlias = dict[LabelSet, FloatArray]
"""Series by their labels, each float64 of the shape of the instants asked for; NaN where a series has no value."""

SeriesOf: TypeAlias = Callable[[Story, FloatArray], Values]
"""An indicator: its series at any instants. Equal instants give equal values, one by one or many at once."""


@dataclass(frozen=True, slots=True)
class Event:
    """One observation: when (Unix seconds), what tells it from all others, its labels and its value."""

    at: float
    id: str
    labels: LabelSet
    value: float


EventsOf: TypeAlias = Callable[[Story, float, float], Iterable[Event]]
"""An indicator of events: those in (after, until], in any order. Whole ranges and their parts give the same events."""


def labelled(name: str, value: str) -> LabelSet:
    """Return a label set of one label."""
    return ((name, value),)
