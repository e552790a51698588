"""The story that the simulated Mission Control follows: episodes that come and go, as a pure function of time.

Positions are seconds of the story. In the live demo they are seconds of the clock; a story that is ``stretch`` times
slower lets the same episodes fill a whole sprint.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from slo_guard.clock import from_unix
from slo_guard.domain.readings import BoolArray, FloatArray

CYCLE_SECONDS = 180.0
"""After this long the episodes begin again."""

_BEFORE_SPRINT_SECONDS = 3600.0
_PAST_STEP_SECONDS = 300.0
_GROWING_CYCLES = 100
"""What grows from cycle to cycle stops after five hours: traffic that grows for ever would leave all reason."""


@dataclass(frozen=True, slots=True)
class Episode:
    """Something that happens from ``starts`` to ``ends`` seconds into the cycle, and the KPI that shows it.

    ``once``: in the first cycle only. ``planned``: part of the sprint's plan, and so happens without faults, too.
    """

    starts: float
    ends: float
    kpi: str
    says: str
    ends_with: str
    once: bool = False
    planned: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """When the episodes happen. Instants are Unix seconds.

    ``started_at``: when the story starts; ``sprint_start_at``: the sprint's first instant, in ``zone``; ``faults``:
    whether anything ever goes wrong; ``stretch``: seconds of the clock to a second of the story; ``tick_seconds``: how
    often sources that write rows do so, by the clock; ``moved``: episodes that start and end at other positions.
    """

    started_at: float
    sprint_start_at: float
    zone: str = "America/Denver"
    faults: bool = True
    stretch: float = 1.0
    tick_seconds: float = 2.0
    moved: Mapping[Episode, tuple[float, float]] = field(default_factory=dict)

    @property
    def history_from(self) -> float:
        """Since when anything is measured: before the sprint's start, so that what the sprint adds can be told."""
        return self.sprint_start_at - _BEFORE_SPRINT_SECONDS

    def active(self, episode: Episode, at: FloatArray) -> BoolArray:
        """Return at which instants ``episode`` is on, of the shape of ``at``."""
        if not (self.faults or episode.planned):
            return np.zeros(at.shape, dtype=bool)
        elapsed = self.elapsed(at)
        position = elapsed if episode.once else elapsed % CYCLE_SECONDS
        starts, ends = self.moved.get(episode, (episode.starts, episode.ends))
        on: BoolArray = (elapsed >= 0) & (position >= starts) & (position < ends)
        return on

    def seconds_of(self, episode: Episode, at: FloatArray) -> FloatArray:
        """Return for how many seconds of the clock ``episode`` has been on by the instants ``at``, in all cycles."""
        if not (self.faults or episode.planned):
            return np.zeros(at.shape)
        elapsed = np.clip(self.elapsed(at), 0.0, None)
        starts, ends = self.moved.get(episode, (episode.starts, episode.ends))
        # An episode that is moved beyond its cycle's end, or has none, ends with the cycle.
        lasts = min(ends, CYCLE_SECONDS) - starts
        cycles = np.zeros_like(elapsed) if episode.once else elapsed // CYCLE_SECONDS
        present = np.clip(elapsed - cycles * CYCLE_SECONDS - starts, 0.0, ends - starts if episode.once else lasts)
        seconds: FloatArray = (cycles * lasts + present) * self.stretch
        return seconds

    def is_active(self, episode: Episode, at: float) -> bool:
        """Whether ``episode`` is on at an instant."""
        return bool(self.active(episode, np.array([at]))[0])

    def elapsed(self, at: FloatArray) -> FloatArray:
        """Return the story's seconds since its start, negative before it."""
        return (at - self.started_at) / self.stretch

    def cycles(self, at: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the number of whole cycles since the start, 0 before it, and the seconds into the present one.

        Without faults no cycle ever begins.
        """
        elapsed = np.clip(self.elapsed(at), 0.0, None)
        if not self.faults:
            elapsed = np.zeros_like(elapsed)
        return elapsed // CYCLE_SECONDS, elapsed % CYCLE_SECONDS

    def begun(self, position: float, at: FloatArray) -> FloatArray:
        """Return how many cycles have come to ``position`` by the instants ``at``."""
        cycles, present = self.cycles(at)
        return cycles + (present >= position) * float(self.faults)

    def passed(self, at: FloatArray, starts: float, ends: float) -> FloatArray:
        """Return the share of [``starts``, ``ends``] that the present cycle has behind it, 0 to 1."""
        return np.clip((self.cycles(at)[1] - starts) / (ends - starts), 0.0, 1.0)

    def grown(self, base: float, growth: float, at: FloatArray, starts: float, ends: float) -> FloatArray:
        """Return what ``base`` has grown by: to ``growth`` times itself in each cycle, between two positions of it."""
        cycles = self.cycles(at)[0]
        whole = base * (growth ** np.minimum(cycles, _GROWING_CYCLES) - 1.0)
        after = base * (growth ** np.minimum(cycles + 1.0, _GROWING_CYCLES) - 1.0)
        return whole + self.passed(at, starts, ends) * (after - whole)

    def instant(self, position: float, cycle: int = 0) -> float:
        """Return the instant of a position in a cycle."""
        return self.started_at + (cycle * CYCLE_SECONDS + position) * self.stretch

    def cycle_at(self, at: float) -> int:
        """Return the number of the cycle that an instant lies in, negative before the start."""
        return math.floor((at - self.started_at) / self.stretch / CYCLE_SECONDS)

    def local(self, day: int, hour: float) -> float:
        """Return the instant of a local time of the sprint's day ``day``, from 0."""
        zone = ZoneInfo(self.zone)
        first = from_unix(self.sprint_start_at).astimezone(zone).date()
        minutes = round(hour * 60)
        return datetime.combine(first + timedelta(days=day), time(minutes // 60, minutes % 60), zone).timestamp()

    def ticks(self, after: float, until: float) -> FloatArray:
        """Return the instants in (``after``, ``until``] at which sources that write rows do so, ascending.

        Five minutes apart before the story starts, then ``tick_seconds``; they do not depend on who asks, or when.
        """
        step = self.tick_seconds
        past = np.arange(math.ceil(self.history_from / _PAST_STEP_SECONDS), self.started_at / _PAST_STEP_SECONDS)
        past = past * _PAST_STEP_SECONDS
        first = max(0, math.floor((after - self.started_at) / step))
        last = math.floor((until - self.started_at) / step)
        present = self.started_at + np.arange(first, last + 1) * step
        every: FloatArray = np.concatenate([past[past < self.started_at], present])
        return every[(every > after) & (every <= until)]
