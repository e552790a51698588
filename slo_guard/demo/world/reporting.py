"""The lane reporting: the sprint's tickets, its scope ledger and its stand-ups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from slo_guard.demo.world.series import Event, EventsOf, SeriesOf, Values, labelled
from slo_guard.demo.world.story import Episode, Story
from slo_guard.domain.readings import FloatArray

BLOCKED_TICKET = Episode(104, 140, "blocker_age_max", "MC-412 has been blocked for over 3d: at risk", "MC-412 goes on")
EPISODES = (BLOCKED_TICKET,)

TICKETS = tuple(f"MC-{number}" for number in range(401, 421))
_BLOCKED = "MC-412"
_POINTS = 4.0
_TICKETS_A_DAY = 2.2
"""A little more than two of twenty in ten days, so that the burndown is ahead of its line."""

_SCOPE: tuple[tuple[int, float, float], ...] = ((0, 14.0, 5.0), (2, 10.0, -3.0), (4, 15.0, 8.0), (8, 11.0, -5.0))
"""Changes of scope: day, hour, points."""

_STAND_UPS: tuple[int, ...] = (1, 3, 8, 10)
"""Tuesdays and Thursdays of the plan."""

_STAND_UP_HOUR = 9.5


def _points_left(story: Story, at: FloatArray) -> Values:
    return {
        labelled("issue", key): np.where(at >= _done_at(story, number), 0.0, _POINTS)
        for number, key in enumerate(TICKETS)
    }


def _blocked(story: Story, at: FloatArray) -> Values:
    """How long each ticket has been blocked, in seconds; 0 where it is not."""
    hours = np.where(story.active(BLOCKED_TICKET, at), 74.0, 0.0)
    return {labelled("issue", key): (hours if key == _BLOCKED else np.zeros(at.shape)) * 3600.0 for key in TICKETS}


def _done_at(story: Story, number: int) -> float:
    day, share = divmod(number / _TICKETS_A_DAY, 1.0)
    return story.local(int(day), 10.0 + np.floor(share * 8.0))


def scope_changes(story: Story, after: float, until: float) -> Iterator[Event]:
    """Yield the ledger's entries of (``after``, ``until``]: their value is the points that were added."""
    for number, (day, hour, points) in enumerate(_SCOPE):
        at = story.local(day, hour)
        if after < at <= until:
            yield Event(at, f"SC-{number + 1}", (), points)


def stand_ups(story: Story, after: float, until: float) -> Iterator[Event]:
    """Yield the stand-ups held in (``after``, ``until``]."""
    for number, day in enumerate(_STAND_UPS):
        at = story.local(day, _STAND_UP_HOUR)
        if after < at <= until:
            yield Event(at, f"stand-up {number + 1}", (), 1.0)


INDICATORS: Mapping[str, SeriesOf] = {"sprint_points_remaining": _points_left, "blocker_age_seconds": _blocked}
EVENTS: Mapping[str, EventsOf] = {"scope_change_points": scope_changes, "standups_held": stand_ups}
