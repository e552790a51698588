"""The story of a whole sprint: the demo's episodes, slowed down to days, and what is short moved to office hours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from slo_guard.demo.world import fs_v2, ga_ops, metering, reliability, xai
from slo_guard.demo.world.story import CYCLE_SECONDS, Episode, Story
from slo_guard.domain.kpi import Sprint

_Moment = tuple[int, float]

_FOR_EVER = (10_000, 0.0)
_TIMETABLE: Mapping[Episode, tuple[_Moment, _Moment]] = {
    ga_ops.SLOW_PREDICTIVE: ((1, 9.0), (1, 12.25)),
    ga_ops.SLOW_XAI2: ((1, 11.0), (1, 18.0)),
    reliability.SLOW_QUERIES: ((2, 9.0), (2, 15.5)),
    ga_ops.PAGE_DOWN: ((3, 12.0), (3, 18.5)),
    fs_v2.ONE_SOURCE: ((4, 12.0), (6, 10.0)),
    reliability.SEV1: ((5, 3.0), _FOR_EVER),
    reliability.SECOND_SEV1: ((7, 11.0), _FOR_EVER),
    reliability.BURN_ALARM: ((7, 12.0), (7, 12.5)),
    xai.FLAG_TOO_WIDE: ((8, 12.0), (8, 15.0)),
    fs_v2.HARNESS_STOPPED: ((9, 9.0), (10, 9.0)),
    metering.EXPORT_LATE: ((9, 6.0), (9, 12.0)),
}
"""When the episodes come whose length means something: sprint day, from 0, and local hour."""


def sprint_story(sprint: Sprint, tick_seconds: float, *, faults: bool = True) -> Story:
    """Return the story that fills ``sprint`` from its start to its end."""
    story = Story(
        sprint.start_at,
        sprint.start_at,
        zone=sprint.timezone,
        faults=faults,
        stretch=(sprint.end_at - sprint.start_at) / CYCLE_SECONDS,
        tick_seconds=tick_seconds,
    )

    def position(day: int, hour: float) -> float:
        return (story.local(day, hour) - story.started_at) / story.stretch

    moved = {
        episode: (position(*starts), math.inf if ends is _FOR_EVER else position(*ends))
        for episode, (starts, ends) in _TIMETABLE.items()
    }
    return replace(story, moved=moved)
