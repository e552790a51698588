"""The simulated Mission Control: what its systems would measure, log and sign at any instant, lane by lane.

Before the story's start all was quiet since the sprint began; from the start on, faults come and go in a cycle. Equal
instants give equal values, so a range query and a scrape agree, and tests need not wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from slo_guard.demo.world import fs_v2, ga_ops, metering, mp_d, onboarding, reliability, reporting, signings, xai
from slo_guard.demo.world.series import Event, EventsOf, SeriesOf, Values
from slo_guard.demo.world.story import Episode, Story
from slo_guard.domain.readings import FloatArray, SignOff

_LANES = (reliability, ga_ops, fs_v2, xai, mp_d, metering, onboarding, reporting)
_SERIES: Mapping[str, SeriesOf] = {name: series for lane in _LANES for name, series in lane.INDICATORS.items()}
_EVENTS: Mapping[str, EventsOf] = {**mp_d.EVENTS, **reporting.EVENTS}

EPISODES: tuple[Episode, ...] = tuple(
    sorted((episode for lane in _LANES for episode in lane.EPISODES), key=lambda episode: episode.starts)
)
"""All that happens, by when it starts."""

SERIES = tuple(_SERIES)
"""The indicators that are series."""

EVENTS = tuple(_EVENTS)
"""The indicators that are events."""

SIGNED = signings.INDICATORS
"""The indicators that are signed."""


@dataclass(frozen=True, slots=True)
class MissionControl:
    """A simulated Mission Control that follows ``story``. Instants are Unix seconds."""

    story: Story

    def indicator(self, name: str, at: FloatArray) -> Values:
        """Return an indicator's series at the instants ``at``: float64 of its shape, NaN where there is no value.

        Nothing is measured before ``story.history_from``. Raises ``KeyError`` for a name that is no series.
        """
        series = _SERIES[name](self.story, at)
        return {labels: np.where(at < self.story.history_from, np.nan, values) for labels, values in series.items()}

    def now(self, name: str, at: float) -> dict[tuple[tuple[str, str], ...], float]:
        """Return the series that have a value at one instant."""
        series = self.indicator(name, np.array([at]))
        return {labels: float(values[0]) for labels, values in series.items() if np.isfinite(values[0])}

    def events(self, name: str, after: float, until: float) -> tuple[Event, ...]:
        """Return the events in (``after``, ``until``], ascending. Raises ``KeyError`` for a name of no events."""
        after = max(after, self.story.history_from)
        return tuple(sorted(_EVENTS[name](self.story, after, until), key=lambda event: (event.at, event.id)))

    def sign_offs(self, at: float) -> Mapping[str, tuple[SignOff, ...]]:
        """Return what has been signed by an instant, by indicator."""
        return signings.sign_offs(self.story, at)

    def active(self, episode: Episode, at: float) -> bool:
        """Whether ``episode`` is on at an instant."""
        return self.story.is_active(episode, at)
