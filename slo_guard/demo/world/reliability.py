"""The lane reliability: incidents, burn alarms and query latency."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from slo_guard.demo.world.series import SeriesOf, Values
from slo_guard.demo.world.story import Episode, Story
from slo_guard.domain.readings import FloatArray

SLOW_QUERIES = Episode(
    25, 65, "query_p95_4hop_100k", "4-hop queries take 0.97s at p95, limit 0.83s", "queries are fast again"
)
SEV1 = Episode(40, math.inf, "sev1_incidents", "a Sev-1 is opened", "cannot recover within the sprint", once=True)
SECOND_SEV1 = Episode(
    152, math.inf, "sev1_incidents", "a second Sev-1: what cannot recover got worse", "stays so", once=True
)
BURN_ALARM = Episode(
    60,
    145,
    "burn_alarm_minutes",
    "a burn alarm fires; the sprint's 10m are soon used up",
    "the alarm stops, its total stays",
)
EPISODES = (SLOW_QUERIES, SEV1, BURN_ALARM, SECOND_SEV1)

_EARLIER_BURN_SECONDS = 545.0
"""A burn alarm before the demo's start has used up most of the sprint's 10m. Read back in steps of up to 16s this
may look that much longer or shorter; the limit is crossed during the demo's own alarm all the same."""

_QUIET_BURN_SECONDS = 120.0
_EARLIER_BURN_AGO = 6 * 3600.0


def _query_p95(story: Story, at: FloatArray) -> Values:
    return {(): np.where(story.active(SLOW_QUERIES, at), 0.97, 0.71) + 0.02 * np.sin(at / 29.0)}


def _sev1(story: Story, at: FloatArray) -> Values:
    return {(): story.active(SEV1, at).astype(np.float64) + story.active(SECOND_SEV1, at)}


def _burn_alarm(story: Story, at: FloatArray) -> Values:
    began = story.started_at - _EARLIER_BURN_AGO
    earlier = (at >= began) & (at < began + (_EARLIER_BURN_SECONDS if story.faults else _QUIET_BURN_SECONDS))
    return {(): (earlier | story.active(BURN_ALARM, at)).astype(np.float64)}


INDICATORS: Mapping[str, SeriesOf] = {
    "query_p95_4hop_100k_seconds": _query_p95,
    "sev1_incidents_total": _sev1,
    "burn_alarm_active": _burn_alarm,
}
